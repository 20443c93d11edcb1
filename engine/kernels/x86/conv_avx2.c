/* conv_avx2.c - vector kernels of convolution tiles for AVX2 and FMA.
 *
 * product: 4 output rows by 24 columns are 12 accumulators of 8 floats; each term j costs three loads of a row, four
 * broadcasts of weights and 12 multiply-adds, so the multiply-adders (two a cycle) are the limit and not the loads. Narrower
 * ends use the same sum with fewer vectors, or with rows in the vectors where columns would leave them almost empty: a column's
 * value does not depend on which kernel computed it.
 *
 * dots: 4 fine rows by 24 coarse rows, 12 accumulators; a frame costs three loads of coarse frames and four broadcasts.
 *
 * SPDX-License-Identifier: MIT
 */
#include <immintrin.h>

#include "engine/kernels/conv_tiles.h"
#include "engine/kernels/x86/vector_avx2.h"

#define W 8    /* floats in a vector */
#define ROWS 4 /* of a tile */
#define FEW_COLUMNS 5

/* --- moving rows ------------------------------------------------------------------------------------------------------ */

static void load(float *dst, const float *src, int64_t n, bool elu)
{
    int64_t i = 0;

    if (!elu) {
        for (; i + W <= n; i += W)
            _mm256_storeu_ps(dst + i, _mm256_loadu_ps(src + i));
        for (; i < n; i++)
            dst[i] = src[i];
        return;
    }
    for (; i + W <= n; i += W)
        _mm256_storeu_ps(dst + i, elu_ps(_mm256_loadu_ps(src + i)));
    if (i < n) {
        __m256i mask = tail_mask(n - i);

        _mm256_maskstore_ps(dst + i, mask, elu_ps(_mm256_maskload_ps(src + i, mask)));
    }
}

/* 16 neighbours a, b -> those at even and those at odd places. */
static inline __m256 evens(__m256 a, __m256 b)
{
    return _mm256_castpd_ps(_mm256_permute4x64_pd(_mm256_castps_pd(_mm256_shuffle_ps(a, b, 0x88)), 0xD8));
}

static inline __m256 odds(__m256 a, __m256 b)
{
    return _mm256_castpd_ps(_mm256_permute4x64_pd(_mm256_castps_pd(_mm256_shuffle_ps(a, b, 0xDD)), 0xD8));
}

/* The other way: a0 b0 a1 b1 ... */
static inline __m256 mixed_low(__m256 a, __m256 b)
{
    return _mm256_permute2f128_ps(_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b), 0x20);
}

static inline __m256 mixed_high(__m256 a, __m256 b)
{
    return _mm256_permute2f128_ps(_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b), 0x31);
}

/* Eight frames of `stride` phases, stride a power of two, are stride vectors. Moving even places before odd ones turns the
 * bits of a place by one; after log2(stride) passes the phase, which was the low bits, is the high bits. join goes back. */
static inline __attribute__((always_inline)) void split_frames(float *rows, int64_t pitch, const float *line, int stride)
{
    __m256 v[8], t[8];

    UNROLL for (int i = 0; i < stride; i++)
        v[i] = _mm256_loadu_ps(line + W * i);
    UNROLL for (int pass = 1; pass < stride; pass *= 2) {
        UNROLL for (int i = 0; i < stride / 2; i++) {
            t[i] = evens(v[2 * i], v[2 * i + 1]);
            t[stride / 2 + i] = odds(v[2 * i], v[2 * i + 1]);
        }
        UNROLL for (int i = 0; i < stride; i++)
            v[i] = t[i];
    }
    UNROLL for (int i = 0; i < stride; i++)
        _mm256_storeu_ps(rows + i * pitch, v[i]);
}

static inline __attribute__((always_inline)) void join_frames(float *line, const float *rows, int64_t pitch, int stride)
{
    __m256 v[8], t[8];

    UNROLL for (int i = 0; i < stride; i++)
        v[i] = _mm256_loadu_ps(rows + i * pitch);
    UNROLL for (int pass = 1; pass < stride; pass *= 2) {
        UNROLL for (int i = 0; i < stride / 2; i++) {
            t[2 * i] = mixed_low(v[i], v[stride / 2 + i]);
            t[2 * i + 1] = mixed_high(v[i], v[stride / 2 + i]);
        }
        UNROLL for (int i = 0; i < stride; i++)
            v[i] = t[i];
    }
    UNROLL for (int i = 0; i < stride; i++)
        _mm256_storeu_ps(line + W * i, v[i]);
}

static void split(float *rows, int64_t pitch, const float *line, int64_t stride, int64_t n)
{
    int64_t t = 0;

    for (; t + W <= n; t += W) {
        if (stride == 2)
            split_frames(rows + t, pitch, line + t * 2, 2);
        else if (stride == 4)
            split_frames(rows + t, pitch, line + t * 4, 4);
        else if (stride == 8)
            split_frames(rows + t, pitch, line + t * 8, 8);
        else
            break;
    }
    for (; t < n; t++)
        for (int64_t q = 0; q < stride; q++)
            rows[q * pitch + t] = line[t * stride + q];
}

/* Floats 0, 2, 4 ... of sixteen, or 1, 3, 5 ... */
static inline __m256 every_second(__m256 a, __m256 b, bool odd)
{
    const __m256 mixed = odd ? _mm256_shuffle_ps(a, b, 0xDD) : _mm256_shuffle_ps(a, b, 0x88);

    return _mm256_castpd_ps(_mm256_permute4x64_pd(_mm256_castps_pd(mixed), 0xD8));
}

static void pair(float *rows, int64_t pitch, const float *row, int64_t n)
{
    for (int64_t u = 0; u < n; u += W) {
        const float *x = row + 2 * u;
        __m256 a = _mm256_loadu_ps(x), b = _mm256_loadu_ps(x + W), middle = every_second(a, b, true);

        _mm256_storeu_ps(rows + u, middle);
        _mm256_storeu_ps(rows + pitch + u, _mm256_sub_ps(every_second(a, b, false), middle));
        a = _mm256_loadu_ps(x + 2);
        b = _mm256_loadu_ps(x + 2 + W);
        _mm256_storeu_ps(rows + 2 * pitch + u, _mm256_sub_ps(every_second(a, b, false), middle));
    }
}

static void join(float *line, const float *rows, int64_t pitch, int64_t stride, int64_t n)
{
    int64_t t = 0;

    for (; t + W <= n; t += W) {
        if (stride == 2)
            join_frames(line + t * 2, rows + t, pitch, 2);
        else if (stride == 4)
            join_frames(line + t * 4, rows + t, pitch, 4);
        else if (stride == 8)
            join_frames(line + t * 8, rows + t, pitch, 8);
        else
            break;
    }
    for (; t < n; t++)
        for (int64_t q = 0; q < stride; q++)
            line[t * stride + q] = rows[q * pitch + t];
}

/* Mixing vector i with vector i + m / 2, one neighbour from each in turn, moves the highest bit of a place (vector, lane) to its
 * lowest; after log2(m) passes the vector is the low bits: m rows have become columns. */
static inline __attribute__((always_inline)) void turn_rows(float *panel, const float *rows, int64_t pitch, int64_t n, int m)
{
    int64_t t = 0;

    for (; t + W <= n; t += W) {
        __m256 v[W], mixed[W];

        UNROLL for (int i = 0; i < m; i++)
            v[i] = _mm256_loadu_ps(rows + i * pitch + t);
        UNROLL for (int pass = 1; pass < m; pass *= 2) {
            UNROLL for (int i = 0; i < m / 2; i++) {
                mixed[2 * i] = mixed_low(v[i], v[i + m / 2]);
                mixed[2 * i + 1] = mixed_high(v[i], v[i + m / 2]);
            }
            UNROLL for (int i = 0; i < m; i++)
                v[i] = mixed[i];
        }
        UNROLL for (int i = 0; i < m; i++)
            _mm256_storeu_ps(panel + t * m + i * W, v[i]);
    }
    for (; t < n; t++)
        for (int64_t i = 0; i < m; i++)
            panel[t * m + i] = rows[i * pitch + t];
}

static void turn(float *panel, const float *rows, int64_t pitch, int64_t m, int64_t n)
{
    if (m == W)
        turn_rows(panel, rows, pitch, n, W);
    else
        turn_rows(panel, rows, pitch, n, ROWS);
}

static inline __attribute__((always_inline)) __m256 load_some(const float *x, int64_t n)
{
    return n == W ? _mm256_loadu_ps(x) : _mm256_maskload_ps(x, tail_mask(n));
}

static inline __attribute__((always_inline)) void store_some(float *x, __m256 v, int64_t n)
{
    if (n == W)
        _mm256_storeu_ps(x, v);
    else
        _mm256_maskstore_ps(x, tail_mask(n), v);
}

/* n <= W elements; n is the constant W for all but the last. */
static inline __attribute__((always_inline)) void finish_some(float *dst, const float *src, int64_t n, bool add,
                                                              const float *slope_at)
{
    __m256 v = load_some(src, n);

    if (slope_at)
        v = _mm256_mul_ps(v, elu_slope_ps(load_some(slope_at, n)));
    if (add)
        v = _mm256_add_ps(v, load_some(dst, n));
    store_some(dst, v, n);
}

static void finish(float *dst, const float *src, int64_t n, bool add, const float *slope_at)
{
    int64_t i = 0;

    if (slope_at) {
        for (; i + W <= n; i += W)
            finish_some(dst + i, src + i, W, add, slope_at + i);
    } else if (add) {
        for (; i + W <= n; i += W)
            finish_some(dst + i, src + i, W, true, NULL);
    } else {
        for (; i + W <= n; i += W)
            finish_some(dst + i, src + i, W, false, NULL);
    }
    if (i < n)
        finish_some(dst + i, src + i, n - i, add, slope_at ? slope_at + i : NULL);
}

static inline __attribute__((always_inline)) void slope_some(float *row, const float *elu, int64_t n)
{
    __m256 at = _mm256_add_ps(_mm256_min_ps(load_some(elu, n), _mm256_setzero_ps()), _mm256_set1_ps(1.0f));

    store_some(row, _mm256_mul_ps(load_some(row, n), at), n);
}

static void slope(float *row, const float *elu, int64_t n)
{
    int64_t i = 0;

    for (; i + W <= n; i += W)
        slope_some(row + i, elu + i, W);
    if (i < n)
        slope_some(row + i, elu + i, n - i);
}

static void widen(float *dst, const uint16_t *src, int64_t n)
{
    int64_t i = 0;

    for (; i + W <= n; i += W)
        _mm256_storeu_ps(dst + i, _mm256_cvtph_ps(_mm_loadu_si128((const void *)(src + i))));
    for (; i < n; i++)
        dst[i] = _cvtsh_ss(src[i]);
}

/* Sum of a row in four vectors side by side, then across. */
static float sum(const float *x, int64_t n)
{
    __m256 sum[4] = {_mm256_setzero_ps(), _mm256_setzero_ps(), _mm256_setzero_ps(), _mm256_setzero_ps()};
    int64_t i = 0;

    for (; i + 4 * W <= n; i += 4 * W)
        for (int v = 0; v < 4; v++)
            sum[v] = _mm256_add_ps(sum[v], _mm256_loadu_ps(x + i + v * W));
    for (; i < n; i += W)
        sum[0] = _mm256_add_ps(sum[0], _mm256_maskload_ps(x + i, tail_mask(n - i < W ? n - i : W)));
    return sum_lanes(_mm256_add_ps(_mm256_add_ps(sum[0], sum[1]), _mm256_add_ps(sum[2], sum[3])));
}

static float dot(const float *a, const float *b, int64_t n)
{
    __m256 sum[4] = {_mm256_setzero_ps(), _mm256_setzero_ps(), _mm256_setzero_ps(), _mm256_setzero_ps()};
    int64_t i = 0;

    for (; i + 4 * W <= n; i += 4 * W)
        UNROLL for (int v = 0; v < 4; v++)
            sum[v] = _mm256_fmadd_ps(_mm256_loadu_ps(a + i + v * W), _mm256_loadu_ps(b + i + v * W), sum[v]);
    for (; i < n; i += W) {
        const __m256i some = tail_mask(n - i < W ? n - i : W);

        sum[0] = _mm256_fmadd_ps(_mm256_maskload_ps(a + i, some), _mm256_maskload_ps(b + i, some), sum[0]);
    }
    return sum_lanes(_mm256_add_ps(_mm256_add_ps(sum[0], sum[1]), _mm256_add_ps(sum[2], sum[3])));
}

/* --- products ------------------------------------------------------------------------------------------------------------ */

/* n_rows output rows by n_vectors columns of vectors; both constants where this is inlined. The last vector holds the
 * columns of `last`. */
static inline __attribute__((always_inline)) void multiply(const TileProduct *p, const float *w, int64_t row, const float *rows,
                                                           float *y, int n_rows, int n_vectors, __m256i last, bool whole)
{
    __m256 sum[ROWS][3];

    UNROLL for (int r = 0; r < n_rows; r++) {
        UNROLL for (int v = 0; v < n_vectors; v++) {
            if (!p->begin)
                sum[r][v] = v + 1 < n_vectors || whole ? _mm256_loadu_ps(y + r * p->y_stride + v * W)
                                                       : _mm256_maskload_ps(y + r * p->y_stride + v * W, last);
            else
                sum[r][v] = p->bias ? _mm256_broadcast_ss(p->bias + row + r) : _mm256_setzero_ps();
        }
    }
    for (int64_t j = 0; j < p->n_j; j++, w += ROWS) {
        const float *x = rows + p->offset[j];
        __m256 in[3];

        UNROLL for (int v = 0; v < n_vectors; v++)
            in[v] = _mm256_loadu_ps(x + v * W);
        UNROLL for (int r = 0; r < n_rows; r++) {
            __m256 weight = _mm256_broadcast_ss(w + r);

            UNROLL for (int v = 0; v < n_vectors; v++)
                sum[r][v] = _mm256_fmadd_ps(weight, in[v], sum[r][v]);
        }
    }
    UNROLL for (int r = 0; r < n_rows; r++) {
        UNROLL for (int v = 0; v < n_vectors; v++) {
            float *to = y + r * p->y_stride + v * W;

            if (v + 1 < n_vectors || whole)
                _mm256_storeu_ps(to, p->add ? _mm256_add_ps(_mm256_loadu_ps(to), sum[r][v]) : sum[r][v]);
            else
                _mm256_maskstore_ps(to, last, p->add ? _mm256_add_ps(_mm256_maskload_ps(to, last), sum[r][v]) : sum[r][v]);
        }
    }
}

#define MULTIPLY_WIDTHS(n_rows)                                                                                        \
    do {                                                                                                               \
        if (p->n == 3 * W)                                                                                             \
            multiply(p, w, row, p->rows, y, n_rows, 3, last, true);                                                    \
        else if (n_vectors == 3)                                                                                       \
            multiply(p, w, row, p->rows, y, n_rows, 3, last, false);                                                   \
        else if (n_vectors == 2)                                                                                       \
            multiply(p, w, row, p->rows, y, n_rows, 2, last, false);                                                   \
        else                                                                                                           \
            multiply(p, w, row, p->rows, y, n_rows, 1, last, false);                                                   \
    } while (0)

/* At most eight columns of eight rows: two panels, so that there are as many sums under way as the adders need. */
static inline __attribute__((always_inline)) void multiply_narrow(const TileProduct *p, const float *w, int64_t row, float *y,
                                                                  __m256i last)
{
    __m256 sum[2 * ROWS];

    UNROLL for (int r = 0; r < 2 * ROWS; r++) {
        if (!p->begin)
            sum[r] = _mm256_maskload_ps(y + r * p->y_stride, last);
        else
            sum[r] = p->bias ? _mm256_broadcast_ss(p->bias + row + r) : _mm256_setzero_ps();
    }
    for (int64_t j = 0; j < p->n_j; j++, w += ROWS) {
        __m256 in = _mm256_loadu_ps(p->rows + p->offset[j]);

        UNROLL for (int r = 0; r < ROWS; r++) {
            sum[r] = _mm256_fmadd_ps(_mm256_broadcast_ss(w + r), in, sum[r]);
            sum[ROWS + r] = _mm256_fmadd_ps(_mm256_broadcast_ss(w + p->panel_stride + r), in, sum[ROWS + r]);
        }
    }
    UNROLL for (int r = 0; r < 2 * ROWS; r++) {
        float *to = y + r * p->y_stride;

        _mm256_maskstore_ps(to, last, p->add ? _mm256_add_ps(_mm256_maskload_ps(to, last), sum[r]) : sum[r]);
    }
}

/* n columns of n_vectors times eight rows: here it is rows that fill the vectors, two panels in each. */
static inline __attribute__((always_inline)) void multiply_few(const TileProduct *p, int64_t row, int n, int n_vectors)
{
    const float *w = p->w + row / ROWS * p->panel_stride;
    float *y = p->y + row * p->y_stride, turned[W];
    __m256 sum[4][FEW_COLUMNS];

    UNROLL for (int v = 0; v < n_vectors; v++) {
        UNROLL for (int t = 0; t < n; t++) {
            for (int r = 0; r < W && !p->begin; r++)
                turned[r] = y[(v * W + r) * p->y_stride + t];
            if (!p->begin)
                sum[v][t] = _mm256_loadu_ps(turned);
            else
                sum[v][t] = p->bias ? _mm256_loadu_ps(p->bias + row + v * W) : _mm256_setzero_ps();
        }
    }
    for (int64_t j = 0; j < p->n_j; j++, w += ROWS) {
        const float *x = p->rows + p->offset[j];

        UNROLL for (int v = 0; v < n_vectors; v++) {
            const float *panel = w + 2 * v * p->panel_stride;
            __m256 weights = _mm256_set_m128(_mm_loadu_ps(panel + p->panel_stride), _mm_loadu_ps(panel));

            UNROLL for (int t = 0; t < n; t++)
                sum[v][t] = _mm256_fmadd_ps(weights, _mm256_broadcast_ss(x + t), sum[v][t]);
        }
    }
    UNROLL for (int v = 0; v < n_vectors; v++) {
        UNROLL for (int t = 0; t < n; t++) {
            _mm256_storeu_ps(turned, sum[v][t]);
            for (int r = 0; r < W; r++) {
                float *to = y + (v * W + r) * p->y_stride + t;

                *to = p->add ? *to + turned[r] : turned[r];
            }
        }
    }
}

/* As many rows as go into whole vectors; returns how many. Apart from the wide tiles, whose code it would change. */
static __attribute__((noinline)) int64_t multiply_few_columns(const TileProduct *p)
{
    int64_t row = 0;

    for (; p->n == 1 && row + 4 * W <= p->m; row += 4 * W)
        multiply_few(p, row, 1, 4);
    for (; row + 2 * W <= p->m; row += 2 * W)
        switch (p->n) {
        case 1: multiply_few(p, row, 1, 2); break;
        case 2: multiply_few(p, row, 2, 2); break;
        case 3: multiply_few(p, row, 3, 2); break;
        case 4: multiply_few(p, row, 4, 2); break;
        default: multiply_few(p, row, FEW_COLUMNS, 2);
        }
    return row;
}

static void product(const TileProduct *p)
{
    int64_t n_vectors = (p->n + W - 1) / W, row = p->n <= FEW_COLUMNS ? multiply_few_columns(p) : 0;
    __m256i last = tail_mask(p->n - (n_vectors - 1) * W);

    for (; n_vectors == 1 && row + 2 * ROWS <= p->m; row += 2 * ROWS)
        multiply_narrow(p, p->w + row / ROWS * p->panel_stride, row, p->y + row * p->y_stride, last);
    for (; row < p->m; row += ROWS) {
        const float *w = p->w + row / ROWS * p->panel_stride;
        float *y = p->y + row * p->y_stride;
        int64_t left = p->m - row;

        if (left >= ROWS)
            MULTIPLY_WIDTHS(4);
        else if (left == 3)
            MULTIPLY_WIDTHS(3);
        else if (left == 2)
            MULTIPLY_WIDTHS(2);
        else
            MULTIPLY_WIDTHS(1);
    }
}

/* --- sums along time ------------------------------------------------------------------------------------------------------ */

/* n_v vectors of coarse rows against n_j fine rows, both constants where this is inlined. The sums are far away: they are asked
 * for before they are needed. */
static inline __attribute__((always_inline)) void correlate(const TileDots *d, const float *a, const int32_t *offset,
                                                            float *sums, int n_j, int n_v)
{
    __m256 sum[4][3];
    const float *row[4];

    UNROLL for (int j = 0; j < n_j; j++) {
        row[j] = d->rows + offset[j];
        UNROLL for (int v = 0; v < n_v; v++) {
            __builtin_prefetch(sums + j * d->sums_stride + v * W, 1);
            sum[j][v] = _mm256_setzero_ps();
        }
    }
    for (int64_t t = 0; t < d->n; t++) {
        __m256 in[3];

        UNROLL for (int v = 0; v < n_v; v++)
            in[v] = _mm256_loadu_ps(a + (v * d->n + t) * W);
        UNROLL for (int j = 0; j < n_j; j++) {
            __m256 fine = _mm256_broadcast_ss(row[j] + t);

            UNROLL for (int v = 0; v < n_v; v++)
                sum[j][v] = _mm256_fmadd_ps(fine, in[v], sum[j][v]);
        }
    }
    UNROLL for (int j = 0; j < n_j; j++) {
        UNROLL for (int v = 0; v < n_v; v++) {
            float *to = sums + j * d->sums_stride + v * W;

            _mm256_storeu_ps(to, d->begin ? sum[j][v] : _mm256_add_ps(_mm256_loadu_ps(to), sum[j][v]));
        }
    }
}

static inline __attribute__((always_inline)) void correlate_all(const TileDots *d, int64_t first, int n_v)
{
    const float *a = d->a + first * d->n;
    int64_t j = 0;

    for (; j + 4 <= d->n_j; j += 4)
        correlate(d, a, d->offset + j, d->sums + j * d->sums_stride + first, 4, n_v);
    for (; j < d->n_j; j++)
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

CONV_KERNELS_OF_TILES(conv_avx2, tile_kernels);
