/* search_avx512.c - nearest codes with AVX-512.
 *
 * Four codes against 64 columns at a time: 16 scores of 16 floats under way, each code component broadcast once for four
 * vectors. Scores are summed in the order of the AVX2 kernel, so both find the same codes.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "engine/kernels/search.h"
#include "engine/kernels/x86/vector_avx512.h"

#define W 16
#define N_VECTORS 4
#define N_COLUMNS (W * N_VECTORS)

/* Scores of the four codes of a panel with n_vectors vectors of columns, the last one with the columns of `last`. Returns the
 * next panel. */
static inline __attribute__((always_inline)) const float *score_panel(const float *panel, int64_t dim, const float *x, int64_t ld,
                                                                      int n_vectors, __mmask16 last,
                                                                      __m512 score[SEARCH_PANEL][N_VECTORS])
{
    __m512 sum[SEARCH_PANEL][N_VECTORS]; /* in registers, wherever score is */

    UNROLL for (int i = 0; i < SEARCH_PANEL; i++) {
        UNROLL for (int v = 0; v < n_vectors; v++)
            sum[i][v] = _mm512_set1_ps(panel[i]);
    }
    panel += SEARCH_PANEL;
    for (int64_t d = 0; d < dim; d++, x += ld, panel += SEARCH_PANEL) {
        __m512 in[N_VECTORS];

        UNROLL for (int v = 0; v < n_vectors; v++)
            in[v] = _mm512_maskz_loadu_ps(v + 1 < n_vectors ? (__mmask16)0xFFFF : last, x + v * W);
        UNROLL for (int i = 0; i < SEARCH_PANEL; i++) {
            __m512 e = _mm512_set1_ps(panel[i]);

            UNROLL for (int v = 0; v < n_vectors; v++)
                sum[i][v] = _mm512_fmadd_ps(e, in[v], sum[i][v]);
        }
    }
    UNROLL for (int i = 0; i < SEARCH_PANEL; i++) {
        UNROLL for (int v = 0; v < n_vectors; v++)
            score[i][v] = sum[i][v];
    }
    return panel;
}

static inline __attribute__((always_inline)) void search_columns(const SearchBook *book, const float *r, int64_t ld,
                                                                 int32_t *codes, int n_vectors, __mmask16 last)
{
    __m512 best[N_VECTORS];
    __m512i best_code[N_VECTORS];
    const float *panel = book->packed;

    UNROLL for (int v = 0; v < n_vectors; v++) {
        best[v] = _mm512_set1_ps(-INFINITY);
        best_code[v] = _mm512_setzero_si512();
    }
    for (int64_t code = 0; code < book->n_codes; code += SEARCH_PANEL) {
        __m512 score[SEARCH_PANEL][N_VECTORS];

        panel = score_panel(panel, book->dim, r, ld, n_vectors, last, score);
        UNROLL for (int i = 0; i < SEARCH_PANEL; i++) {
            __m512i at = _mm512_set1_epi32((int32_t)code + i);

            UNROLL for (int v = 0; v < n_vectors; v++) {
                __mmask16 better = _mm512_cmp_ps_mask(score[i][v], best[v], _CMP_GT_OQ);

                best[v] = _mm512_mask_mov_ps(best[v], better, score[i][v]);
                best_code[v] = _mm512_mask_mov_epi32(best_code[v], better, at);
            }
        }
    }
    UNROLL for (int v = 0; v < n_vectors; v++)
        _mm512_storeu_si512(codes + v * W, best_code[v]);
}

static void nearest(const SearchBook *book, const float *r, int64_t ld, int64_t n, uint16_t *index)
{
    for (int64_t t = 0; t < n; t += N_COLUMNS) {
        int64_t count = n - t < N_COLUMNS ? n - t : N_COLUMNS, n_vectors = (count + W - 1) / W;
        __mmask16 last = first_lanes(count - (n_vectors - 1) * W);
        int32_t codes[N_COLUMNS];

        if (n_vectors == 4)
            search_columns(book, r + t, ld, codes, 4, last);
        else if (n_vectors == 3)
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

/* Hands out those of one code's scores with sixteen columns, the first of which is t, that reach their marks. */
static inline void hand_out(__m512 score, const float *least, __mmask16 lanes, int64_t t, int64_t code, SearchFound found, void *ctx)
{
    unsigned left = _mm512_mask_cmp_ps_mask(lanes, score, _mm512_maskz_loadu_ps(lanes, least), _CMP_GE_OQ);
    float value[W];

    if (!left)
        return;
    _mm512_storeu_ps(value, score);
    for (; left; left &= left - 1) {
        int lane = __builtin_ctz(left);

        found(ctx, t + lane, code, value[lane]);
    }
}

static inline __attribute__((always_inline)) void scan_columns(const SearchBook *book, const float *r, int64_t ld, int64_t t,
                                                               int n_vectors, __mmask16 last, const float *least,
                                                               SearchFound found, void *ctx)
{
    const float *panel = book->packed;

    for (int64_t code = 0; code < book->n_codes; code += SEARCH_PANEL) {
        __m512 score[SEARCH_PANEL][N_VECTORS];

        panel = score_panel(panel, book->dim, r + t, ld, n_vectors, last, score);
        for (int i = 0; i < SEARCH_PANEL && code + i < book->n_codes; i++) {
            UNROLL for (int v = 0; v < n_vectors; v++)
                hand_out(score[i][v], least + t + v * W, v + 1 < n_vectors ? (__mmask16)0xFFFF : last, t + v * W, code + i, found,
                         ctx);
        }
    }
}

static void scan(const SearchBook *book, const float *r, int64_t ld, int64_t n, const float *least, SearchFound found, void *ctx)
{
    for (int64_t t = 0; t < n; t += N_COLUMNS) {
        int64_t count = n - t < N_COLUMNS ? n - t : N_COLUMNS, n_vectors = (count + W - 1) / W;
        __mmask16 last = first_lanes(count - (n_vectors - 1) * W);

        if (n_vectors == 4)
            scan_columns(book, r, ld, t, 4, last, least, found, ctx);
        else if (n_vectors == 3)
            scan_columns(book, r, ld, t, 3, last, least, found, ctx);
        else if (n_vectors == 2)
            scan_columns(book, r, ld, t, 2, last, least, found, ctx);
        else
            scan_columns(book, r, ld, t, 1, last, least, found, ctx);
    }
}

/* Component d of the codes of sixteen columns is gathered for each row d in turn. */
static void take_out(const float *e, int64_t dim, const uint16_t *index, int64_t n, float *r, float *sum, int64_t ld)
{
    for (int64_t t = 0; t < n; t += W) {
        __mmask16 lanes = n - t < W ? first_lanes(n - t) : (__mmask16)0xFFFF;
        __m512i code = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(lanes, index + t));
        __m512i at = _mm512_mullo_epi32(code, _mm512_set1_epi32((int)dim));

        for (int64_t d = 0; d < dim; d++) {
            __m512 part = _mm512_mask_i32gather_ps(_mm512_setzero_ps(), lanes, at, e + d, sizeof *e);
            float *to = r + d * ld + t, *to_sum = sum ? sum + d * ld + t : NULL;

            _mm512_mask_storeu_ps(to, lanes, _mm512_sub_ps(_mm512_maskz_loadu_ps(lanes, to), part));
            if (to_sum)
                _mm512_mask_storeu_ps(to_sum, lanes, _mm512_add_ps(_mm512_maskz_loadu_ps(lanes, to_sum), part));
        }
    }
}

const SearchKernels search_avx512 = {.nearest = nearest, .scan = scan, .take_out = take_out};
