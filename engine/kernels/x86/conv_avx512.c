/* conv_avx512.c - vector kernels of convolution tiles for AVX-512.
 *
 * product: 8 output rows by 48 columns are 24 accumulators of 16 floats; each term j costs three loads of a row, eight
 * broadcasts of weights and 24 multiply-adds. Fewer rows and narrower ends use the same sum with fewer accumulators: a
 * column's value does not depend on which kernel computed it.
 *
 * dots: 8 fine rows by 48 coarse rows, 24 accumulators; each frame costs three loads of coarse frames, eight broadcasts of
 * fine ones and 24 multiply-adds. Nothing is left to sum across lanes.
 *
 * Masks make the ends of rows as cheap as their middles, so no loop here has a remainder of its own.
 *
 * SPDX-License-Identifier: MIT
 */
#include <immintrin.h>
#include <string.h>

#include "engine/kernels/conv_tiles.h"
#include "engine/kernels/x86/vector_avx512.h"

#define W 16   /* floats in a vector */
#define ROWS 8 /* of a tile */
#define TERMS_AHEAD 32

#define INLINE static inline __attribute__((always_inline))

/* --- moving rows ------------------------------------------------------------------------------------------------------ */

static void load(float *dst, const float *src, int64_t n, bool elu)
{
    int64_t i = 0;

    if (!elu) {
        memcpy(dst, src, (size_t)n * sizeof *dst);
        return;
    }
    for (; i + W <= n; i += W)
        _mm512_storeu_ps(dst + i, elu_ps(_mm512_loadu_ps(src + i)));
    if (i < n) {
        __mmask16 lanes = first_lanes(n - i);

        _mm512_mask_storeu_ps(dst + i, lanes, elu_ps(_mm512_maskz_loadu_ps(lanes, src + i)));
    }
}

/* `n` vectors become n others: lane l of vector i comes from place[i][l], counted through all lanes of the n vectors. A
 * permutation picks from two vectors and looks at the low bits of a place alone, so each pair of vectors serves the lanes whose
 * places have reached it. */
INLINE void regroup(float *to, int64_t to_pitch, const float *from, int64_t from_pitch, const __m512i *place, int n)
{
    __m512 v[8];

    UNROLL for (int i = 0; i < n; i++)
        v[i] = _mm512_loadu_ps(from + i * from_pitch);
    UNROLL for (int i = 0; i < n; i++) {
        __m512 picked = _mm512_permutex2var_ps(v[0], place[i], v[1]);

        UNROLL for (int pair = 2; pair < n; pair += 2) {
            __mmask16 reached = _mm512_cmpge_epi32_mask(place[i], _mm512_set1_epi32(W * pair));

            picked = _mm512_mask_mov_ps(picked, reached,
                                        _mm512_permutex2var_ps(v[pair], place[i], v[pair + 1 < n ? pair + 1 : pair]));
        }
        _mm512_storeu_ps(to + i * to_pitch, picked);
    }
}

#define REGROUP(stride, to, to_pitch, from, from_pitch, place)                                                         \
    do {                                                                                                               \
        if (stride == 2)                                                                                               \
            regroup(to, to_pitch, from, from_pitch, place, 2);                                                         \
        else if (stride == 4)                                                                                          \
            regroup(to, to_pitch, from, from_pitch, place, 4);                                                         \
        else if (stride == 5)                                                                                          \
            regroup(to, to_pitch, from, from_pitch, place, 5);                                                         \
        else                                                                                                           \
            regroup(to, to_pitch, from, from_pitch, place, 8);                                                         \
    } while (0)

static bool can_regroup(int64_t stride)
{
    return stride == 2 || stride == 4 || stride == 5 || stride == 8;
}

static void split(float *rows, int64_t pitch, const float *line, int64_t stride, int64_t n)
{
    __m512i place[8], step = _mm512_mullo_epi32(_mm512_set1_epi32((int)stride), _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9,
                                                                                                  10, 11, 12, 13, 14, 15));
    int64_t t = 0;

    for (int64_t q = 0; q < stride && can_regroup(stride); q++)
        place[q] = _mm512_add_epi32(step, _mm512_set1_epi32((int)q));
    for (; t + W <= n && can_regroup(stride); t += W)
        REGROUP(stride, rows + t, pitch, line + t * stride, W, place);
    for (; t < n; t++)
        for (int64_t q = 0; q < stride; q++)
            rows[q * pitch + t] = line[t * stride + q];
}

static void join(float *line, const float *rows, int64_t pitch, int64_t stride, int64_t n)
{
    int32_t place[8 * W];
    __m512i places[8];
    int64_t t = 0;

    for (int64_t i = 0; i < stride * W && can_regroup(stride); i++)
        place[i] = (int32_t)(i % stride * W + i / stride);
    for (int64_t q = 0; q < stride && can_regroup(stride); q++)
        places[q] = _mm512_loadu_si512(place + q * W);
    for (; t + W <= n && can_regroup(stride); t += W)
        REGROUP(stride, line + t * stride, W, rows + t, pitch, places);
    for (; t < n; t++)
        for (int64_t q = 0; q < stride; q++)
            line[t * stride + q] = rows[q * pitch + t];
}

static void pair(float *rows, int64_t pitch, const float *row, int64_t n)
{
    const __m512i even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    const __m512i odd = _mm512_add_epi32(even, _mm512_set1_epi32(1));

    for (int64_t u = 0; u < n; u += W) {
        const float *x = row + 2 * u;
        __m512 a = _mm512_loadu_ps(x), b = _mm512_loadu_ps(x + W), middle = _mm512_permutex2var_ps(a, odd, b);

        _mm512_storeu_ps(rows + u, middle);
        _mm512_storeu_ps(rows + pitch + u, _mm512_sub_ps(_mm512_permutex2var_ps(a, even, b), middle));
        a = _mm512_loadu_ps(x + 2);
        b = _mm512_loadu_ps(x + 2 + W);
        _mm512_storeu_ps(rows + 2 * pitch + u, _mm512_sub_ps(_mm512_permutex2var_ps(a, even, b), middle));
    }
}

/* panel[t * m + r] = rows[r * pitch + t] */
INLINE void turn_rows(float *panel, const float *rows, int64_t pitch, int64_t n, int m)
{
    for (int64_t t = 0; t < n; t += W) {
        __mmask16 lanes = lanes_at(t, n);
        __m512 v[W];

        UNROLL for (int i = 0; i < m; i++)
            v[i] = _mm512_maskz_loadu_ps(lanes, rows + i * pitch + t);
        turn_vectors(v, m);
        UNROLL for (int i = 0; i < m; i++) {
            int64_t left = (n - t) * m - i * W;

            _mm512_mask_storeu_ps(panel + t * m + i * W, lanes_at(0, left > 0 ? left : 0), v[i]);
        }
    }
}

static void turn(float *panel, const float *rows, int64_t pitch, int64_t m, int64_t n)
{
    if (m == W)
        turn_rows(panel, rows, pitch, n, W);
    else
        turn_rows(panel, rows, pitch, n, ROWS);
}

static void finish(float *dst, const float *src, int64_t n, bool add, const float *slope_at)
{
    int64_t i = 0;

    if (!add && !slope_at) {
        memcpy(dst, src, (size_t)n * sizeof *dst);
        return;
    }
    for (; i + W <= n && !slope_at; i += W)
        _mm512_storeu_ps(dst + i, _mm512_add_ps(_mm512_loadu_ps(src + i), _mm512_loadu_ps(dst + i)));
    for (; i < n; i += W) {
        __mmask16 lanes = lanes_at(i, n);
        __m512 v = _mm512_maskz_loadu_ps(lanes, src + i);

        if (slope_at)
            v = _mm512_mul_ps(v, elu_slope_ps(_mm512_maskz_loadu_ps(lanes, slope_at + i)));
        if (add)
            v = _mm512_add_ps(v, _mm512_maskz_loadu_ps(lanes, dst + i));
        _mm512_mask_storeu_ps(dst + i, lanes, v);
    }
}

static void slope(float *row, const float *elu, int64_t n)
{
    for (int64_t i = 0; i < n; i += W) {
        __mmask16 lanes = lanes_at(i, n);
        __m512 at = _mm512_add_ps(_mm512_min_ps(_mm512_maskz_loadu_ps(lanes, elu + i), _mm512_setzero_ps()),
                                  _mm512_set1_ps(1.0f));

        _mm512_mask_storeu_ps(row + i, lanes, _mm512_mul_ps(_mm512_maskz_loadu_ps(lanes, row + i), at));
    }
}

static void widen(float *dst, const uint16_t *src, int64_t n)
{
    for (int64_t i = 0; i < n; i += W) {
        __mmask16 lanes = lanes_at(i, n);

        _mm512_mask_storeu_ps(dst + i, lanes, _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(lanes, src + i)));
    }
}

/* Sum of a row in four vectors side by side, then across. */
static float sum(const float *x, int64_t n)
{
    __m512 sum[4] = {_mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps()};
    int64_t i = 0;

    for (; i + 4 * W <= n; i += 4 * W)
        UNROLL for (int v = 0; v < 4; v++)
            sum[v] = _mm512_add_ps(sum[v], _mm512_loadu_ps(x + i + v * W));
    for (; i < n; i += W)
        sum[0] = _mm512_add_ps(sum[0], _mm512_maskz_loadu_ps(lanes_at(i, n), x + i));
    return _mm512_reduce_add_ps(_mm512_add_ps(_mm512_add_ps(sum[0], sum[1]), _mm512_add_ps(sum[2], sum[3])));
}

static float dot(const float *a, const float *b, int64_t n)
{
    __m512 sum[4] = {_mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps()};
    int64_t i = 0;

    for (; i + 4 * W <= n; i += 4 * W)
        UNROLL for (int v = 0; v < 4; v++)
            sum[v] = _mm512_fmadd_ps(_mm512_loadu_ps(a + i + v * W), _mm512_loadu_ps(b + i + v * W), sum[v]);
    for (; i < n; i += W)
        sum[0] = _mm512_fmadd_ps(_mm512_maskz_loadu_ps(lanes_at(i, n), a + i), _mm512_maskz_loadu_ps(lanes_at(i, n), b + i), sum[0]);
    return _mm512_reduce_add_ps(_mm512_add_ps(_mm512_add_ps(sum[0], sum[1]), _mm512_add_ps(sum[2], sum[3])));
}

/* --- products ------------------------------------------------------------------------------------------------------------ */

/* The columns of `lanes`; all of them are no mask at all where `lanes` is a constant. */
INLINE __m512 load_columns(const float *y, __mmask16 lanes)
{
    return lanes == 0xFFFF ? _mm512_loadu_ps(y) : _mm512_maskz_loadu_ps(lanes, y);
}

INLINE void store_columns(float *y, __mmask16 lanes, __m512 v)
{
    if (lanes == 0xFFFF)
        _mm512_storeu_ps(y, v);
    else
        _mm512_mask_storeu_ps(y, lanes, v);
}

/* n_rows output rows by n_vectors columns of vectors; both constants where this is inlined. n_rows beyond those of a panel are
 * the first rows of the next one. The last vector holds the columns of `last`. Weights of wide layers come from far away and
 * begin anew with each panel, so they are asked for some terms before they are needed. */
INLINE void multiply(const TileProduct *p, const float *w, int64_t row, int n_rows, int n_vectors, __mmask16 last)
{
    float *y = p->y + row * p->y_stride;
    __m512 sum[2 * ROWS][3];

    UNROLL for (int r = 0; r < n_rows; r++) {
        UNROLL for (int v = 0; v < n_vectors; v++) {
            if (!p->begin)
                sum[r][v] = load_columns(y + r * p->y_stride + v * W, v + 1 < n_vectors ? (__mmask16)0xFFFF : last);
            else
                sum[r][v] = p->bias ? _mm512_set1_ps(p->bias[row + r]) : _mm512_setzero_ps();
        }
    }
    for (int64_t j = 0; j < p->n_j; j++, w += ROWS) {
        const float *x = p->rows + p->offset[j];
        __m512 in[3];

        _mm_prefetch((const char *)(w + TERMS_AHEAD * ROWS), _MM_HINT_T0);
        UNROLL for (int v = 0; v < n_vectors; v++)
            in[v] = _mm512_loadu_ps(x + v * W);
        UNROLL for (int r = 0; r < n_rows; r++) {
            __m512 weight = _mm512_set1_ps(r < ROWS ? w[r] : w[p->panel_stride + r - ROWS]);

            UNROLL for (int v = 0; v < n_vectors; v++)
                sum[r][v] = _mm512_fmadd_ps(weight, in[v], sum[r][v]);
        }
    }
    UNROLL for (int r = 0; r < n_rows; r++) {
        UNROLL for (int v = 0; v < n_vectors; v++) {
            float *to = y + r * p->y_stride + v * W;
            const __mmask16 lanes = v + 1 < n_vectors ? (__mmask16)0xFFFF : last;

            store_columns(to, lanes, p->add ? _mm512_add_ps(load_columns(to, lanes), sum[r][v]) : sum[r][v]);
        }
    }
}

/* All rows at one width, as many at a time as there are. A single column of vectors takes two panels, so that there are as many
 * sums under way as the adders need. */
INLINE void multiply_rows(const TileProduct *p, int n_vectors, __mmask16 last)
{
    for (int64_t row = 0; row < p->m;) {
        const float *w = p->w + row / ROWS * p->panel_stride + row % ROWS;
        int64_t left = p->m - row;

        if (n_vectors == 1 && left >= 2 * ROWS) {
            multiply(p, w, row, 2 * ROWS, n_vectors, last);
            row += 2 * ROWS;
        } else if (left >= ROWS) {
            multiply(p, w, row, ROWS, n_vectors, last);
            row += ROWS;
        } else if (left >= 4) {
            multiply(p, w, row, 4, n_vectors, last);
            row += 4;
        } else if (left >= 2) {
            multiply(p, w, row, 2, n_vectors, last);
            row += 2;
        } else {
            multiply(p, w, row, 1, n_vectors, last);
            row += 1;
        }
    }
}

static void product(const TileProduct *p)
{
    if (p->n == 3 * W)
        multiply_rows(p, 3, (__mmask16)0xFFFF);
    else if (p->n > 2 * W)
        multiply_rows(p, 3, first_lanes(p->n - 2 * W));
    else if (p->n > W)
        multiply_rows(p, 2, first_lanes(p->n - W));
    else
        multiply_rows(p, 1, first_lanes(p->n));
}

/* --- sums along time ------------------------------------------------------------------------------------------------------ */

/* n_v vectors of coarse rows against n_j fine rows, both constants where this is inlined. The sums are far away: they are asked
 * for before they are needed. */
INLINE void correlate(const TileDots *d, const float *a, const int32_t *offset, float *sums, int n_j, int n_v)
{
    __m512 sum[8][3];
    const float *row[8];

    UNROLL for (int j = 0; j < n_j; j++) {
        row[j] = d->rows + offset[j];
        UNROLL for (int v = 0; v < n_v; v++) {
            __builtin_prefetch(sums + j * d->sums_stride + v * W, 1);
            sum[j][v] = _mm512_setzero_ps();
        }
    }
    for (int64_t t = 0; t < d->n; t++) {
        __m512 in[3];

        UNROLL for (int v = 0; v < n_v; v++)
            in[v] = _mm512_loadu_ps(a + (v * d->n + t) * W);
        UNROLL for (int j = 0; j < n_j; j++) {
            __m512 fine = _mm512_set1_ps(row[j][t]);

            UNROLL for (int v = 0; v < n_v; v++)
                sum[j][v] = _mm512_fmadd_ps(fine, in[v], sum[j][v]);
        }
    }
    UNROLL for (int j = 0; j < n_j; j++) {
        UNROLL for (int v = 0; v < n_v; v++) {
            float *to = sums + j * d->sums_stride + v * W;

            _mm512_storeu_ps(to, d->begin ? sum[j][v] : _mm512_add_ps(_mm512_loadu_ps(to), sum[j][v]));
        }
    }
}

INLINE void correlate_all(const TileDots *d, int64_t first, int n_v)
{
    const float *a = d->a + first * d->n;
    int64_t j = 0;

    for (; j + 8 <= d->n_j; j += 8)
        correlate(d, a, d->offset + j, d->sums + j * d->sums_stride + first, 8, n_v);
    for (; j + 2 <= d->n_j; j += 2)
        correlate(d, a, d->offset + j, d->sums + j * d->sums_stride + first, 2, n_v);
    if (j < d->n_j)
        correlate(d, a, d->offset + j, d->sums + j * d->sums_stride + first, 1, n_v);
}

static void dots(const TileDots *d)
{
    for (int64_t r = 0; r < d->m;) {
        int64_t n_v = (d->m - r) / W;

        if (n_v == 3 || n_v > 4) {
            correlate_all(d, r, 3);
            r += 3 * W;
        } else if (n_v >= 2) {
            correlate_all(d, r, 2);
            r += 2 * W;
        } else {
            correlate_all(d, r, 1);
            r += W;
        }
    }
}

/* --- the table ------------------------------------------------------------------------------------------------------------ */

static const TileKernels tile_kernels = {
    .rows = ROWS, .columns = 3 * W, .lanes = W, .load = load, .split = split, .join = join, .pair = pair, .finish = finish, .slope = slope, .widen = widen, .sum = sum, .dot = dot,
    .turn = turn, .product = product, .dots = dots};

CONV_KERNELS_OF_TILES(conv_avx512, tile_kernels);
