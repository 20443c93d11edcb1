/* seeds.h - what the fuzz targets share: small sound streams to begin with, and a mutator that mends checksums, without
 * which hardly any change would get past the first test of a reader.
 *
 *   fuzz_x --make-corpus DIR     writes the seeds and ends
 *   fuzz_x DIR                   fuzzes (libFuzzer)
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_FUZZ_SEEDS_H
#define RESIDUA_FUZZ_SEEDS_H

#include <stddef.h>
#include <stdint.h>

#include "codec/model.h"

/* Input and output of a run, bounded: fuzzers try gigabytes. */
typedef struct FuzzBytes {
    uint8_t *data;
    size_t size, capacity, at;
} FuzzBytes;

RsdStatus fuzz_read(void *ctx, void *data, size_t size, size_t *n_read, RsdError *err);
RsdStatus fuzz_write(void *ctx, const void *data, size_t size, RsdError *err);

/* The tiny codec of the tests, made once. */
RsdModel *fuzz_model(void);

/* Handles --make-corpus with streams of several lengths, packet sizes and layers; called from LLVMFuzzerInitialize. */
void fuzz_stream_seeds(int argc, char **argv);

/* Makes the header's and all packets' checksums right, as far as the bytes still look like a stream. */
void fuzz_mend_stream(uint8_t *data, size_t size);

#endif
