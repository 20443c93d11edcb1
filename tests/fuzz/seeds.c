/* seeds.c - small streams to begin with, and checksums mended after mutation.
 *
 * SPDX-License-Identifier: MIT
 */
#include "seeds.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/container.h"
#include "engine/base/bytes.h"
#include "engine/base/checksum.h"
#include "engine/base/error.h"
#include "engine/base/rng.h"
#include "tests/codec/tiny_codec.h"

#define OUTPUT_LIMIT ((size_t)1 << 22)

RsdStatus fuzz_read(void *ctx, void *data, size_t size, size_t *n_read, RsdError *err)
{
    FuzzBytes *bytes = ctx;

    (void)err;
    *n_read = bytes->size - bytes->at < size ? bytes->size - bytes->at : size;
    if (*n_read > 0)
        memcpy(data, bytes->data + bytes->at, *n_read);
    bytes->at += *n_read;
    return RSD_OK;
}

RsdStatus fuzz_write(void *ctx, const void *data, size_t size, RsdError *err)
{
    FuzzBytes *bytes = ctx;

    if (bytes->size + size > OUTPUT_LIMIT)
        return error_set(err, RSD_ERR_IO, "output limit of the fuzzer");
    if (bytes->size + size > bytes->capacity) {
        bytes->capacity = 2 * (bytes->size + size);
        bytes->data = realloc(bytes->data, bytes->capacity);
        if (!bytes->data)
            abort();
    }
    memcpy(bytes->data + bytes->size, data, size);
    bytes->size += size;
    return RSD_OK;
}

RsdModel *fuzz_model(void)
{
    static RsdModel *model;

    if (!model && model_from_codec(&model, tiny_codec_create(1, 5), NULL) != RSD_OK)
        abort();
    return model;
}

static void must(RsdStatus status, const RsdError *err)
{
    if (status == RSD_OK)
        return;
    fprintf(stderr, "seeds: %s\n", err->text);
    abort();
}

static void write_seed(const char *dir, int number, RsdEncoderOptions options, int n_samples)
{
    FuzzBytes bytes = {0};
    RsdEncoder *encoder;
    RsdError err;
    Rng rng = rng_at(1, RNG_TEST, 0, (uint32_t)number);
    char path[4096];
    FILE *file;

    options.model = fuzz_model();
    options.write = fuzz_write;
    options.write_ctx = &bytes;
    must(rsd_encoder_open(&encoder, &options, &err), &err);
    for (int i = 0; i < n_samples; i++) {
        float sample = rng_between(&rng, -1.0f, 1.0f);

        must(rsd_encoder_write(encoder, &sample, 1, 1, &err), &err);
    }
    must(rsd_encoder_finish(encoder, &err), &err);
    rsd_encoder_close(&encoder);
    snprintf(path, sizeof path, "%s/seed-%02d.rsd", dir, number);
    file = fopen(path, "wb");
    if (!file || fwrite(bytes.data, 1, bytes.size, file) != bytes.size || fclose(file) != 0) {
        perror(path);
        exit(1);
    }
    free(bytes.data);
}

void fuzz_stream_seeds(int argc, char **argv)
{
    static const int LENGTHS[] = {0, 1, 8, 100, 333}, FRAMES[] = {1, 10, 25}, STAGES[] = {1, 3, 5};
    int number = 0;

    if (argc < 3 || strcmp(argv[1], "--make-corpus") != 0)
        return;
    for (int i = 0; i < 5; i++)
        for (int k = 0; k < 3; k++) {
            RsdEncoderOptions options;

            rsd_encoder_default_options(&options);
            options.frames_per_packet = FRAMES[(i + k) % 3];
            options.n_stages = STAGES[k];
            if (k == 1)
                options.n_samples = LENGTHS[i];
            if (k == 2) {
                options.n_layers = 5;
                for (int layer = 0; layer < 5; layer++)
                    options.layer_stages[layer] = 1;
            }
            write_seed(argv[2], number++, options, LENGTHS[i]);
        }
    exit(0);
}

/* A packet's checksums, if all of it is there; returns its size, or 1 to go on with the next byte. */
static size_t mend_packet(uint8_t *data, size_t size, uint32_t stream_crc)
{
    size_t head = size > 2 && data[2] >> 4 == PACKET_LAST ? 10 : 6, n_blocks, at;
    uint32_t crc;

    if (size < 6 || data[0] != 0xE5 || data[1] != 0x52)
        return 1;
    if (data[2] >> 4 == PACKET_END) {
        if (size < END_PACKET_SIZE)
            return 1;
        put_u32le(data + 14, stream_crc);
        put_u32le(data + 18, crc32_update(0, data, 18));
        return END_PACKET_SIZE;
    }
    n_blocks = data[2] & 15;
    at = head + 2 * n_blocks;
    if (size < at)
        return 1;
    crc = crc32_update(0, data, at);
    for (size_t i = 0; i < n_blocks; i++, crc = 0) {
        size_t block_size = get_u16le(data + head + 2 * i);

        if (size - at < 4 + block_size)
            return i == 0 ? 1 : at;
        put_u32le(data + at, crc32_update(crc, data + at + 4, block_size));
        at += 4 + block_size;
    }
    return at;
}

void fuzz_mend_stream(uint8_t *data, size_t size)
{
    size_t at;

    if (size < HEADER_PREFIX_SIZE)
        return;
    at = get_u16le(data + 6);
    if (at < HEADER_PREFIX_SIZE + 4 || at > size)
        return;
    put_u32le(data + at - 4, crc32_update(0, data, at - 4));
    while (at < size)
        at += mend_packet(data + at, size - at, crc32_update(0, data, at));
}
