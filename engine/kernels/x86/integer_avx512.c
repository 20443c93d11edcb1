/* integer_avx512.c - dense layers of an integer network in tiles of 12 outputs by 32 columns, as integer_avx2.c does it.
 *
 * Depthwise layers are a hundredth of the work of the networks here; they are AVX2's.
 *
 * SPDX-License-Identifier: MIT
 */
#include <immintrin.h>

#include "engine/kernels/integer.h"

#define OUTPUTS 12
#define COLUMNS 32
#define MAX_PAIRS 1032 /* of inputs; more is left to the reference */

#define UNROLL _Pragma("GCC unroll 12")

/* Weights of outputs first .. first + OUTPUTS - 1 as [pair][output]; outputs that there are not get the last one's. */
static void pair_weights(const IntegerLayer *layer, int64_t first, int32_t *pairs)
{
    for (int64_t i = 0; i < layer->n_in; i += 2)
        for (int64_t k = 0; k < OUTPUTS; k++) {
            int64_t o = first + k < layer->n_out ? first + k : layer->n_out - 1;
            const int8_t *weight = layer->weight + o * layer->n_in + i;
            int second = i + 1 < layer->n_in ? weight[1] : 0;

            *pairs++ = (int32_t)((uint32_t)(uint16_t)weight[0] | (uint32_t)(uint16_t)second << 16);
        }
}

static inline __m512i round_even(__m512i sum, const IntegerLayer *layer, int64_t o)
{
    __m512i t = _mm512_mul_epi32(sum, _mm512_set1_epi64(layer->mult[o]));

    t = _mm512_add_epi64(t, _mm512_set1_epi64(1LL << (layer->shift - 1)));
    t = _mm512_sra_epi64(t, _mm_cvtsi32_si128(layer->shift));
    t = _mm512_min_epi64(t, _mm512_set1_epi64(INTEGER_MAX));
    return _mm512_max_epi64(t, _mm512_set1_epi64(layer->low));
}

static inline __m512i requantise(__m512i sum, const IntegerLayer *layer, int64_t o)
{
    __m512i even = round_even(sum, layer, o), odd = round_even(_mm512_srli_epi64(sum, 32), layer, o);

    return _mm512_mask_blend_epi32((__mmask16)0xAAAA, even, _mm512_slli_epi64(odd, 32));
}

static void dense_tile(const IntegerLayer *layer, const int32_t *pairs, int64_t first, const int16_t *x, int64_t n,
                       int16_t *y)
{
    __m512i sum[OUTPUTS][2];

    UNROLL for (int k = 0; k < OUTPUTS; k++)
    {
        int64_t o = first + k < layer->n_out ? first + k : layer->n_out - 1;

        sum[k][0] = sum[k][1] = _mm512_set1_epi32(layer->bias[o]);
    }
    for (int64_t i = 0; i < layer->n_in; i += 2, x += 2 * n, pairs += OUTPUTS) {
        __m512i a = _mm512_loadu_si512(x), b = _mm512_loadu_si512(i + 1 < layer->n_in ? x + n : x);
        __m512i low = _mm512_unpacklo_epi16(a, b), high = _mm512_unpackhi_epi16(a, b);

        UNROLL for (int k = 0; k < OUTPUTS; k++)
        {
            __m512i weight = _mm512_set1_epi32(pairs[k]);

            sum[k][0] = _mm512_add_epi32(sum[k][0], _mm512_madd_epi16(low, weight));
            sum[k][1] = _mm512_add_epi32(sum[k][1], _mm512_madd_epi16(high, weight));
        }
    }
    UNROLL for (int k = 0; k < OUTPUTS; k++)
    {
        if (first + k < layer->n_out)
            _mm512_storeu_si512(y + k * n, _mm512_packs_epi32(requantise(sum[k][0], layer, first + k),
                                                              requantise(sum[k][1], layer, first + k)));
    }
}

static void dense(const IntegerLayer *layer, const int16_t *x, int64_t n, int16_t *y)
{
    int32_t pairs[MAX_PAIRS * OUTPUTS];

    if (n < COLUMNS || layer->n_in > 2 * MAX_PAIRS) {
        integer_avx2.dense(layer, x, n, y);
        return;
    }
    for (int64_t o = 0; o < layer->n_out; o += OUTPUTS) {
        pair_weights(layer, o, pairs);
        for (int64_t t = 0; t < n; t += COLUMNS) {
            int64_t at = t + COLUMNS <= n ? t : n - COLUMNS;

            dense_tile(layer, pairs, o, x + at, n, y + o * n + at);
        }
    }
}

static void depthwise(const IntegerLayer *layer, int64_t size, const int16_t *x, int64_t h, int64_t w, int16_t *y)
{
    integer_avx2.depthwise(layer, size, x, h, w, y);
}

const IntegerKernels integer_avx512 = {.dense = dense, .depthwise = depthwise};
