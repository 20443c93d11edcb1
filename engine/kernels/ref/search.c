/* search.c - nearest codebook entry in plain C.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "engine/kernels/search.h"

/* Of a code and the column that starts at r. */
static float score_of(const SearchBook *book, int64_t code, const float *r, int64_t ld)
{
    const float *e = book->packed + code / SEARCH_PANEL * SEARCH_PANEL * (book->dim + 1) + code % SEARCH_PANEL;
    float score = e[0];

    for (int64_t d = 0; d < book->dim; d++)
        score += e[(d + 1) * SEARCH_PANEL] * r[d * ld];
    return score;
}

static void nearest(const SearchBook *book, const float *r, int64_t ld, int64_t n, uint16_t *index)
{
    for (int64_t t = 0; t < n; t++) {
        float best = -INFINITY;

        index[t] = 0;
        for (int64_t code = 0; code < book->n_codes; code++) {
            float score = score_of(book, code, r + t, ld);

            if (score > best) {
                best = score;
                index[t] = (uint16_t)code;
            }
        }
    }
}

static void scan(const SearchBook *book, const float *r, int64_t ld, int64_t n, const float *least, SearchFound found, void *ctx)
{
    for (int64_t t = 0; t < n; t++)
        for (int64_t code = 0; code < book->n_codes; code++) {
            float score = score_of(book, code, r + t, ld);

            if (score >= least[t])
                found(ctx, t, code, score);
        }
}

static void take_out(const float *e, int64_t dim, const uint16_t *index, int64_t n, float *r, float *sum, int64_t ld)
{
    for (int64_t d = 0; d < dim; d++)
        for (int64_t t = 0; t < n; t++) {
            float v = e[(int64_t)index[t] * dim + d];

            r[d * ld + t] -= v;
            if (sum)
                sum[d * ld + t] += v;
        }
}

const SearchKernels search_ref = {.nearest = nearest, .scan = scan, .take_out = take_out};
