/* integer_avx2.c - layers of an integer network by products of pairs.
 *
 * An instruction multiplies 16 numbers of 16 bits and adds neighbours into 8 sums of 32 bits. Neighbours are two inputs of
 * the same column, two lines interleaved; the weights of a pair stand in one 32-bit number. A dense tile is 6 outputs by 16
 * columns; the last tile of a line overlaps the one before it. A depthwise layer goes through a plane in strips of columns,
 * whose lines are copied once, with zeros where the plane ends.
 *
 * Sums are exact in any order, so the results are those of the reference.
 *
 * SPDX-License-Identifier: MIT
 */
#include <immintrin.h>
#include <string.h>

#include "engine/kernels/integer.h"

#define OUTPUTS 6
#define COLUMNS 16
#define MAX_PAIRS 1032 /* of inputs; more is left to the reference */
#define MAX_SIZE 7     /* of a depthwise window */
#define STRIP 64       /* columns, a multiple of COLUMNS */
#define LINE (STRIP + MAX_SIZE - 1 + COLUMNS)
#define OFFSET 47 /* 2^47 makes every product of a sum and a multiplier positive */

#define UNROLL _Pragma("GCC unroll 8")

/* What turns sums into results, 2^(OFFSET - shift) too large until the end. */
typedef struct Rounding {
    __m256i mult, add, low, high, offset;
    __m128i shift;
} Rounding;

static Rounding rounding_of(const IntegerLayer *layer, int64_t o)
{
    long long offset = 1LL << (OFFSET - layer->shift);

    return (Rounding){.mult = _mm256_set1_epi64x(layer->mult[o]),
                      .add = _mm256_set1_epi64x((1LL << OFFSET) + (1LL << (layer->shift - 1))),
                      .low = _mm256_set1_epi64x(offset + layer->low),
                      .high = _mm256_set1_epi64x(offset + INTEGER_MAX),
                      .offset = _mm256_set1_epi64x(offset),
                      .shift = _mm_cvtsi32_si128(layer->shift)};
}

static inline __m256i round_even(__m256i sum, const Rounding *r)
{
    __m256i t = _mm256_srl_epi64(_mm256_add_epi64(_mm256_mul_epi32(sum, r->mult), r->add), r->shift);

    t = _mm256_blendv_epi8(t, r->high, _mm256_cmpgt_epi64(t, r->high));
    t = _mm256_blendv_epi8(t, r->low, _mm256_cmpgt_epi64(r->low, t));
    return _mm256_sub_epi64(t, r->offset);
}

static inline __m256i requantise(__m256i sum, const Rounding *r)
{
    __m256i even = round_even(sum, r), odd = round_even(_mm256_srli_epi64(sum, 32), r);

    return _mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xAA);
}

/* --- dense ---------------------------------------------------------------------------------------------------------- */

static int32_t pair_of(int first, int second)
{
    return (int32_t)((uint32_t)(uint16_t)first | (uint32_t)(uint16_t)second << 16);
}

/* Weights of outputs first .. first + OUTPUTS - 1 as [pair][output]; outputs that there are not get the last one's. */
static void pair_weights(const IntegerLayer *layer, int64_t first, int32_t *pairs)
{
    for (int64_t i = 0; i < layer->n_in; i += 2)
        for (int64_t k = 0; k < OUTPUTS; k++) {
            int64_t o = first + k < layer->n_out ? first + k : layer->n_out - 1;
            const int8_t *weight = layer->weight + o * layer->n_in + i;

            *pairs++ = pair_of(weight[0], i + 1 < layer->n_in ? weight[1] : 0);
        }
}

static void dense_tile(const IntegerLayer *layer, const int32_t *pairs, const Rounding *rounding, int64_t first,
                       const int16_t *x, int64_t n, int16_t *y)
{
    __m256i sum[OUTPUTS][2];

    UNROLL for (int k = 0; k < OUTPUTS; k++)
    {
        int64_t o = first + k < layer->n_out ? first + k : layer->n_out - 1;

        sum[k][0] = sum[k][1] = _mm256_set1_epi32(layer->bias[o]);
    }
    for (int64_t i = 0; i < layer->n_in; i += 2, x += 2 * n, pairs += OUTPUTS) {
        __m256i a = _mm256_loadu_si256((const __m256i *)x);
        __m256i b = _mm256_loadu_si256((const __m256i *)(i + 1 < layer->n_in ? x + n : x));
        __m256i low = _mm256_unpacklo_epi16(a, b), high = _mm256_unpackhi_epi16(a, b);

        UNROLL for (int k = 0; k < OUTPUTS; k++)
        {
            __m256i weight = _mm256_set1_epi32(pairs[k]);

            sum[k][0] = _mm256_add_epi32(sum[k][0], _mm256_madd_epi16(low, weight));
            sum[k][1] = _mm256_add_epi32(sum[k][1], _mm256_madd_epi16(high, weight));
        }
    }
    UNROLL for (int k = 0; k < OUTPUTS; k++)
    {
        if (first + k < layer->n_out)
            _mm256_storeu_si256((__m256i *)(y + k * n), _mm256_packs_epi32(requantise(sum[k][0], &rounding[k]),
                                                                           requantise(sum[k][1], &rounding[k])));
    }
}

static void dense(const IntegerLayer *layer, const int16_t *x, int64_t n, int16_t *y)
{
    int32_t pairs[MAX_PAIRS * OUTPUTS];
    Rounding rounding[OUTPUTS];

    if (n < COLUMNS || layer->n_in > 2 * MAX_PAIRS) {
        integer_ref.dense(layer, x, n, y);
        return;
    }
    for (int64_t o = 0; o < layer->n_out; o += OUTPUTS) {
        pair_weights(layer, o, pairs);
        for (int64_t k = 0; k < OUTPUTS; k++)
            rounding[k] = rounding_of(layer, o + k < layer->n_out ? o + k : layer->n_out - 1);
        for (int64_t t = 0; t < n; t += COLUMNS) {
            int64_t at = t + COLUMNS <= n ? t : n - COLUMNS;

            dense_tile(layer, pairs, rounding, o, x + at, n, y + o * n + at);
        }
    }
}

/* --- depthwise ------------------------------------------------------------------------------------------------------ */

/* Columns first - half .. of line `row`, zeros outside the plane. */
static void copy_line(int16_t *line, const int16_t *x, int64_t row, int64_t h, int64_t w, int64_t first, int64_t half)
{
    int64_t begin = first - half, end = begin + LINE;

    memset(line, 0, LINE * sizeof *line);
    if (row < 0 || row >= h)
        return;
    if (end > w)
        end = w;
    if (begin < 0) {
        line -= begin;
        begin = 0;
    }
    memcpy(line, x + row * w + begin, (size_t)(end - begin) * sizeof *line);
}

/* COLUMNS results; line[dy] begins at the window's first column. */
static __m256i depthwise_tile(const int16_t *const line[MAX_SIZE + 1], int64_t size, const int32_t *pairs, int32_t bias,
                              const Rounding *rounding)
{
    __m256i low = _mm256_set1_epi32(bias), high = low;

    for (int64_t dy = 0; dy < size; dy += 2)
        for (int64_t dx = 0; dx < size; dx++) {
            __m256i a = _mm256_loadu_si256((const __m256i *)(line[dy] + dx));
            __m256i b = _mm256_loadu_si256((const __m256i *)(line[dy + 1] + dx)), weight = _mm256_set1_epi32(*pairs++);

            low = _mm256_add_epi32(low, _mm256_madd_epi16(_mm256_unpacklo_epi16(a, b), weight));
            high = _mm256_add_epi32(high, _mm256_madd_epi16(_mm256_unpackhi_epi16(a, b), weight));
        }
    return _mm256_packs_epi32(requantise(low, rounding), requantise(high, rounding));
}

static void depthwise_strip(const IntegerLayer *layer, int64_t o, int64_t size, const int16_t *x, int64_t h, int64_t w,
                            int64_t first, int16_t *y)
{
    const Rounding rounding = rounding_of(layer, o);
    int32_t pairs[(MAX_SIZE + 1) / 2 * MAX_SIZE], *next = pairs;
    int16_t lines[MAX_SIZE][LINE];
    int64_t half = size / 2, width = w - first < STRIP ? w - first : STRIP;

    for (int64_t dy = 0; dy < size; dy += 2)
        for (int64_t dx = 0; dx < size; dx++) {
            const int8_t *weight = layer->weight + o * layer->n_in + dy * size + dx;

            *next++ = pair_of(weight[0], dy + 1 < size ? weight[size] : 0);
        }
    for (int64_t row = -half; row < half; row++)
        copy_line(lines[(row + size) % size], x, row, h, w, first, half);
    for (int64_t row = 0; row < h; row++) {
        const int16_t *line[MAX_SIZE + 1] = {0};

        copy_line(lines[(row + half) % size], x, row + half, h, w, first, half);
        for (int64_t t = 0; t < width; t += COLUMNS) {
            int16_t result[COLUMNS];

            for (int64_t dy = 0; dy <= size; dy++) /* the last has weight 0 */
                line[dy] = lines[(row - half + dy + size) % size] + t;
            _mm256_storeu_si256((__m256i *)result, depthwise_tile(line, size, pairs, layer->bias[o], &rounding));
            memcpy(y + row * w + first + t, result, (size_t)(width - t < COLUMNS ? width - t : COLUMNS) * sizeof *y);
        }
    }
}

static void depthwise(const IntegerLayer *layer, int64_t size, const int16_t *x, int64_t h, int64_t w, int16_t *y)
{
    if (size > MAX_SIZE) {
        integer_ref.depthwise(layer, size, x, h, w, y);
        return;
    }
    for (int64_t o = 0; o < layer->n_out; o++, x += h * w, y += h * w)
        for (int64_t first = 0; first < w; first += STRIP)
            depthwise_strip(layer, o, size, x, h, w, first, y);
}

const IntegerKernels integer_avx2 = {.dense = dense, .depthwise = depthwise};
