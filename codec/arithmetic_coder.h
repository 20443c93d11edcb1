/* arithmetic_coder.h - the arithmetic coder of EnCodec's files: symbols and their probabilities to bits and back.
 *
 * The interval is [low, high], both ends inside, of numbers that grow by a bit whenever the interval has become too narrow for
 * 24-bit probabilities; bits on which both ends agree leave at the top. All arithmetic is on integers and gives the bits of
 * the original, which uses doubles that never round here: b * width stays below 2^49 (audio.md 1.12).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_ARITHMETIC_CODER_H
#define RESIDUA_ARITHMETIC_CODER_H

#include <stddef.h>
#include <stdint.h>

#include "engine/base/error.h"

#define ARITHMETIC_RANGE_BITS 24
#define ARITHMETIC_MAX_SYMBOLS 65536

/* cdf [n]: inclusive upper ends, strictly rising, the last one at most 2^24; from probabilities p [n] that are rounded down to
 * multiples of 1e-8 first, as the original does to hide small differences between machines. n at most
 * ARITHMETIC_MAX_SYMBOLS. Errors: RSD_ERR_NUMERIC when p is no distribution. */
RsdStatus arithmetic_cdf(const float *p, int n, uint32_t *cdf, RsdError *err);

/* Receives and delivers single bits. */
typedef RsdStatus (*PutBitFn)(void *ctx, int bit, RsdError *err);
typedef RsdStatus (*GetBitFn)(void *ctx, int *bit, RsdError *err);

typedef struct ArithmeticEncoder {
    uint64_t low, high;
    int top; /* number of the highest bit in use, -1 at the start */
    PutBitFn put;
    void *ctx;
} ArithmeticEncoder;

void arithmetic_encoder_init(ArithmeticEncoder *coder, PutBitFn put, void *ctx);
/* symbol < n. Errors: those of put; RSD_ERR_UNSUPPORTED for an interval that straddles a boundary for more than 61 bits, which
 * the original cannot code either. */
RsdStatus arithmetic_encode(ArithmeticEncoder *coder, const uint32_t *cdf, int n, int symbol, RsdError *err);
/* The bits that are left; the coder is then at its start again. */
RsdStatus arithmetic_flush(ArithmeticEncoder *coder, RsdError *err);

typedef struct ArithmeticDecoder {
    uint64_t low, high, current;
    int top;
    GetBitFn get;
    void *ctx;
} ArithmeticDecoder;

void arithmetic_decoder_init(ArithmeticDecoder *coder, GetBitFn get, void *ctx);
/* Errors: those of get; RSD_ERR_CORRUPT when the bits belong to no symbol. */
RsdStatus arithmetic_decode(ArithmeticDecoder *coder, const uint32_t *cdf, int n, int *symbol, RsdError *err);

#endif
