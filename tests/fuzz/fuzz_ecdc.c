/* fuzz_ecdc.c - any bytes as an .ecdc file, decoded by a tiny causal model: no crash, bounded memory, no more samples than the
 * header says.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/ecdc.h"
#include "engine/base/bytes.h"
#include "seeds.h"

#define BLOCK 4096
#define MAX_SAMPLES 20000 /* a run's patience */

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    EcdcHeader header = {.n_samples = 900, .n_stages = 3};
    uint8_t bytes[512] = {0};
    size_t size;
    char path[1024];
    FILE *file;

    if (*argc < 3 || strcmp((*argv)[1], "--make-corpus") != 0)
        return 0;
    strcpy(header.model_name, rsd_model_info(fuzz_model())->name);
    size = ecdc_header_write(&header, bytes);
    snprintf(path, sizeof path, "%.900s/ecdc", (*argv)[2]);
    file = fopen(path, "wb");
    if (!file || fwrite(bytes, 1, size + 200, file) != size + 200 || fclose(file) != 0)
        abort();
    exit(0);
}

/* The length of the JSON is right more often than not. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    const uint8_t *end;

    size = LLVMFuzzerMutate(data, size, max_size);
    if (seed % 4 != 0 && size > ECDC_PREFIX_SIZE && (end = memchr(data, '}', size)) && end >= data + ECDC_PREFIX_SIZE)
        put_u32be(data + 5, (uint32_t)(end + 1 - data) - ECDC_PREFIX_SIZE);
    return size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static float samples[16 * BLOCK];
    FuzzBytes in = {.data = (uint8_t *)(uintptr_t)data, .size = size};
    RsdDecoderOptions options;
    RsdDecoder *decoder = NULL;
    RsdError err = {RSD_OK, ""};
    RsdStatus status;
    int64_t n = 0;
    size_t got = 1;

    if (size < ECDC_MAGIC_SIZE || memcmp(data, ECDC_MAGIC, ECDC_MAGIC_SIZE) != 0)
        return 0;
    rsd_decoder_default_options(&options);
    options.model = fuzz_model();
    options.read = fuzz_read;
    options.read_ctx = &in;
    status = rsd_decoder_open(&decoder, &options, &err);
    while (status == RSD_OK && got > 0 && n < MAX_SAMPLES) {
        status = rsd_decoder_read(decoder, samples, BLOCK, BLOCK, &got, &err);
        n += (int64_t)got;
    }
    if ((status == RSD_OK) != (err.text[0] == '\0') || (decoder && n > rsd_decoder_info(decoder)->n_samples))
        abort();
    rsd_decoder_close(&decoder);
    return 0;
}
