/* fuzz_checkpoint.c - any bytes as a file of weights: no crash, bounded memory, nothing read outside the file.
 *
 * The first inputs are a torch file put together by hand and a safetensors file. A mutated pickle would hardly ever get past the
 * zip's checksums, so the mutator mends them.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/bytes.h"
#include "engine/base/checksum.h"
#include "engine/weights/checkpoint.h"
#include "models/code_lm.h"
#include "models/encodec.h"
#include "tests/engine/weights/torch_maker.h"
#include "tests/fuzz/demand.h"

#define MAX_VALUES ((int64_t)1 << 16)

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);

static void write_seed(const char *folder, const char *name, const void *data, size_t size)
{
    char path[1024];
    FILE *file;

    snprintf(path, sizeof path, "%.900s/%s", folder, name);
    file = fopen(path, "wb");
    if (!file || fwrite(data, 1, size, file) != size || fclose(file) != 0)
        abort();
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static const char header[] = "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}";
    static ByteMaker pickle;
    static ZipMaker zip;
    uint8_t small[256] = {0};

    if (*argc < 3 || strcmp((*argv)[1], "--make-corpus") != 0)
        return 0;
    make_sound_pickle(&pickle);
    make_torch_file(&zip, &pickle, 6);
    write_seed((*argv)[2], "torch", zip.bytes.data, zip.bytes.size);
    put_u64le(small, sizeof header - 1);
    memcpy(small + 8, header, sizeof header - 1);
    write_seed((*argv)[2], "safetensors", small, 8 + sizeof header - 1 + 8);
    exit(0);
}

/* Makes the checksums of all stored entries right, in front of them and in the directory. */
static void mend_zip(uint8_t *data, size_t size)
{
    for (size_t at = 0; at + 46 <= size; at++) {
        size_t start, held, local;
        uint32_t crc;

        if (memcmp(data + at, "PK\1\2", 4) != 0)
            continue;
        held = get_u32le(data + at + 24);
        local = get_u32le(data + at + 42);
        if (local > size - 30)
            continue;
        start = local + 30 + get_u16le(data + local + 26) + get_u16le(data + local + 28);
        if (start > size || held > size - start)
            continue;
        crc = crc32_update(0, data + start, held);
        put_u32le(data + at + 16, crc);
        put_u32le(data + local + 14, crc);
    }
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    size = LLVMFuzzerMutate(data, size, max_size);
    if (seed % 8 != 0 && size > 30)
        mend_zip(data, size);
    return size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static float values[MAX_VALUES];
    Checkpoint *file = NULL;
    AudioCodec *codec = NULL;
    CodeLm *lm = NULL;
    RsdError err = {RSD_OK, ""};
    RsdStatus status = checkpoint_open_memory(&file, data, size, "fuzz", &err);

    demand((status == RSD_OK) == (file != NULL) && (status == RSD_OK) == (err.text[0] == '\0'));
    if (!file)
        return 0;
    for (size_t i = 0; i < checkpoint_count(file); i++) {
        const CheckpointArray *array = checkpoint_array(file, i);
        int64_t count;

        demand(shape_count(&count, array->n_dims, array->shape, NULL) == RSD_OK);
        demand(count * (int64_t)dtype_size(array->dtype) <= (int64_t)size);
        demand(checkpoint_find(file, array->name) == array);
        if (count <= MAX_VALUES)
            (void)checkpoint_read_f32(file, array, values, count, NULL);
    }
    for (size_t i = 0; i < checkpoint_metadata_count(file); i++) {
        const char *key, *value;

        checkpoint_metadata_at(file, i, &key, &value);
        demand(checkpoint_metadata(file, key) == value);
    }
    if (encodec_is_model(file) && encodec_import(&codec, file, AUDIO_USE_ALL, NULL) == RSD_OK)
        audio_codec_destroy(&codec);
    if (code_lm_is_model(file) && code_lm_import(&lm, file, NULL) == RSD_OK)
        code_lm_destroy(&lm);
    checkpoint_close(&file);
    return 0;
}
