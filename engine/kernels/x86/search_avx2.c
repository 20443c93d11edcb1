/* search_avx2.c - nearest codebook entry for AVX2 and FMA.
 *
 * 24 vectors (columns of r) are searched together: a panel of four codes gives 12 accumulators of scores, then each lane
 * keeps its best score and code. Codes are visited in order and only a larger score wins, so ties go to the lower index.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "engine/kernels/search.h"
#include "engine/kernels/x86/vector_avx2.h"

#define W 8
#define N_VECTORS 3
#define N_COLUMNS (W * N_VECTORS)

/* Scores of the four codes of a panel with n_vectors vectors of columns, the last one with the columns of `last`. Returns the
 * next panel. */
static inline __attribute__((always_inline)) const float *score_panel(const float *panel, int64_t dim, const float *x, int64_t ld,
                                                                      int n_vectors, __m256i last,
                                                                      __m256 score[SEARCH_PANEL][N_VECTORS])
{
    __m256 sum[SEARCH_PANEL][N_VECTORS]; /* in registers, wherever score is */

    UNROLL for (int i = 0; i < SEARCH_PANEL; i++) {
        UNROLL for (int v = 0; v < n_vectors; v++)
            sum[i][v] = _mm256_broadcast_ss(panel + i);
    }
    panel += SEARCH_PANEL;
    for (int64_t d = 0; d < dim; d++, x += ld, panel += SEARCH_PANEL) {
        __m256 in[N_VECTORS];

        UNROLL for (int v = 0; v < n_vectors; v++)
            in[v] = v + 1 < n_vectors ? _mm256_loadu_ps(x + v * W) : _mm256_maskload_ps(x + v * W, last);
        UNROLL for (int i = 0; i < SEARCH_PANEL; i++) {
            __m256 e = _mm256_broadcast_ss(panel + i);

            UNROLL for (int v = 0; v < n_vectors; v++)
                sum[i][v] = _mm256_fmadd_ps(e, in[v], sum[i][v]);
        }
    }
    UNROLL for (int i = 0; i < SEARCH_PANEL; i++) {
        UNROLL for (int v = 0; v < n_vectors; v++)
            score[i][v] = sum[i][v];
    }
    return panel;
}

static inline __attribute__((always_inline)) void search_columns(const SearchBook *book, const float *r, int64_t ld,
                                                                 int32_t *codes, int n_vectors, __m256i last)
{
    __m256 best[N_VECTORS];
    __m256i best_code[N_VECTORS];
    const float *panel = book->packed;

    UNROLL for (int v = 0; v < n_vectors; v++) {
        best[v] = _mm256_set1_ps(-INFINITY);
        best_code[v] = _mm256_setzero_si256();
    }
    for (int64_t code = 0; code < book->n_codes; code += SEARCH_PANEL) {
        __m256 score[SEARCH_PANEL][N_VECTORS];

        panel = score_panel(panel, book->dim, r, ld, n_vectors, last, score);
        UNROLL for (int i = 0; i < SEARCH_PANEL; i++) {
            __m256i at = _mm256_set1_epi32((int32_t)code + i);

            UNROLL for (int v = 0; v < n_vectors; v++) {
                __m256 better = _mm256_cmp_ps(score[i][v], best[v], _CMP_GT_OQ);

                best[v] = _mm256_blendv_ps(best[v], score[i][v], better);
                best_code[v] = _mm256_blendv_epi8(best_code[v], at, _mm256_castps_si256(better));
            }
        }
    }
    UNROLL for (int v = 0; v < n_vectors; v++)
        _mm256_storeu_si256((__m256i *)(void *)(codes + v * W), best_code[v]);
}

static void nearest(const SearchBook *book, const float *r, int64_t ld, int64_t n, uint16_t *index)
{
    for (int64_t t = 0; t < n; t += N_COLUMNS) {
        int64_t count = n - t < N_COLUMNS ? n - t : N_COLUMNS, n_vectors = (count + W - 1) / W;
        __m256i last = tail_mask(count - (n_vectors - 1) * W);
        int32_t codes[N_COLUMNS];

        if (n_vectors == 3)
            search_columns(book, r + t, ld, codes, 3, last);
        else if (n_vectors == 2)
            search_columns(book, r + t, ld, codes, 2, last);
        else
            search_columns(book, r + t, ld, codes, 1, last);
        for (int64_t i = 0; i < count; i++)
            index[t + i] = (uint16_t)codes[i];
    }
}

/* ---- scan ---- */

/* Hands out those of one code's scores with eight columns, the first of which is t, that reach their marks. */
static inline void hand_out(__m256 score, const float *least, __m256i lanes, int64_t t, int64_t code, SearchFound found, void *ctx)
{
    __m256 reached = _mm256_cmp_ps(score, _mm256_maskload_ps(least, lanes), _CMP_GE_OQ);
    int left = _mm256_movemask_ps(_mm256_and_ps(reached, _mm256_castsi256_ps(lanes)));
    float value[W];

    if (!left)
        return;
    _mm256_storeu_ps(value, score);
    for (; left; left &= left - 1) {
        int lane = __builtin_ctz((unsigned)left);

        found(ctx, t + lane, code, value[lane]);
    }
}

static inline __attribute__((always_inline)) void scan_columns(const SearchBook *book, const float *r, int64_t ld, int64_t t,
                                                               int n_vectors, __m256i last, const float *least,
                                                               SearchFound found, void *ctx)
{
    const __m256i all = tail_mask(W);
    const float *panel = book->packed;

    for (int64_t code = 0; code < book->n_codes; code += SEARCH_PANEL) {
        __m256 score[SEARCH_PANEL][N_VECTORS];

        panel = score_panel(panel, book->dim, r + t, ld, n_vectors, last, score);
        for (int i = 0; i < SEARCH_PANEL && code + i < book->n_codes; i++) {
            UNROLL for (int v = 0; v < n_vectors; v++)
                hand_out(score[i][v], least + t + v * W, v + 1 < n_vectors ? all : last, t + v * W, code + i, found, ctx);
        }
    }
}

static void scan(const SearchBook *book, const float *r, int64_t ld, int64_t n, const float *least, SearchFound found, void *ctx)
{
    for (int64_t t = 0; t < n; t += N_COLUMNS) {
        int64_t count = n - t < N_COLUMNS ? n - t : N_COLUMNS, n_vectors = (count + W - 1) / W;
        __m256i last = tail_mask(count - (n_vectors - 1) * W);

        if (n_vectors == 3)
            scan_columns(book, r, ld, t, 3, last, least, found, ctx);
        else if (n_vectors == 2)
            scan_columns(book, r, ld, t, 2, last, least, found, ctx);
        else
            scan_columns(book, r, ld, t, 1, last, least, found, ctx);
    }
}

/* Codes of eight columns are gathered for each row d in turn. */
static void take_out(const float *e, int64_t dim, const uint16_t *index, int64_t n, float *r, float *sum, int64_t ld)
{
    for (int64_t t = 0; t < n; t += W) {
        int64_t count = n - t < W ? n - t : W;
        const float *code[W];

        for (int64_t i = 0; i < W; i++)
            code[i] = e + (int64_t)index[t + (i < count ? i : 0)] * dim;
        for (int64_t d = 0; d < dim; d++) {
            float *to = r + d * ld + t, *to_sum = sum ? sum + d * ld + t : NULL;

            for (int64_t i = 0; i < count; i++)
                to[i] -= code[i][d];
            for (int64_t i = 0; to_sum && i < count; i++)
                to_sum[i] += code[i][d];
        }
    }
}

const SearchKernels search_avx2 = {.nearest = nearest, .scan = scan, .take_out = take_out};
