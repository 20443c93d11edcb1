/* search.h - nearest codebook entry for many vectors, and what a residual quantiser does with it.
 *
 * Vectors are the columns of r [dim, n] with time contiguous, as networks produce them; rows are `ld` floats apart.
 * |r - e|^2 = |r|^2 - 2 (<r, e> - |e|^2 / 2): the nearest code is the one with the largest <r, e> - |e|^2 / 2. Each score is
 * summed over dim in order, starting at -|e|^2 / 2, and equal scores go to the lower index, so
 * a vector gets the same code wherever it falls in a batch or chunk.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_KERNELS_SEARCH_H
#define RESIDUA_KERNELS_SEARCH_H

#include <stddef.h>
#include <stdint.h>

#include "engine/kernels/kernels.h"

#define SEARCH_MAX_CODES 65536
#define SEARCH_PANEL 4 /* codes side by side in a packed book */

/* A codebook made ready for the search. The caller owns `packed`. */
typedef struct SearchBook {
    int64_t n_codes, dim;
    float *packed; /* search_packed_count(n_codes, dim) floats */
} SearchBook;

/* Floats needed for a packed book; the same for every kernel set. */
size_t search_packed_count(int64_t n_codes, int64_t dim);

/* Fills book->packed from e [n_codes, dim]. A book packed by one set is read by all sets. */
void search_pack(SearchBook *book, const float *e);

/* Column t of a scan has this score with this code. */
typedef void (*SearchFound)(void *ctx, int64_t t, int64_t code, float score);

struct SearchKernels {
    /* index [n] = code nearest to each column of r. NaN columns get code 0. */
    void (*nearest)(const SearchBook *book, const float *r, int64_t ld, int64_t n, uint16_t *index);
    /* Every code whose score <r, e> - |e|^2 / 2 with column t is least[t] or more goes to found, which may raise these marks
     * meanwhile; in no order to rely on, and a code that is below a mark raised a moment ago may still come. */
    void (*scan)(const SearchBook *book, const float *r, int64_t ld, int64_t n, const float *least, SearchFound found, void *ctx);
    /* r[:, t] -= e[index[t]], and sum[:, t] += e[index[t]] when sum is not NULL (rows also ld apart). e [n_codes, dim]. */
    void (*take_out)(const float *e, int64_t dim, const uint16_t *index, int64_t n, float *r, float *sum, int64_t ld);
};

extern const SearchKernels search_ref, search_avx2, search_avx512;

#endif
