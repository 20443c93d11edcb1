/* conv_tiles.h - convolutions cut into tiles that fit the caches, and summed by a few small vector kernels.
 *
 * The driver is plain C and the same for every machine; an instruction set brings one TileKernels.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_KERNELS_CONV_TILES_H
#define RESIDUA_KERNELS_CONV_TILES_H

#include "engine/kernels/conv.h"

#define TILE_ROWS 4     /* output rows summed together: a panel of packed weights is [j][TILE_ROWS] */
#define TILE_COLUMNS 24 /* output columns summed together */

/* y[r, t] = (begin ? bias[r] or 0 : y[r, t]) + sum_j w[j, r] rows[offset[j] + t], r in [0, m), t in [0, n). */
typedef struct TileProduct {
    int64_t m, n, n_j; /* n <= TILE_COLUMNS; rows may be read up to column TILE_COLUMNS - 1 */
    const float *w;    /* panels of TILE_ROWS rows: panel p at w + p panel_stride */
    int64_t panel_stride;
    const float *rows;
    const int32_t *offset; /* [n_j] */
    bool begin;
    const float *bias; /* [m] or NULL */
    float *y;
    int64_t y_stride;
} TileProduct;

/* sums [n_j][sums_stride] += sum_t a[r, t] rows[offset[j] + t] for r in [0, m): m is padded to whole TILE_ROWS by rows of a
 * that exist and hold zeros, n to whole vectors of 8 by columns of a that hold zeros. */
typedef struct TileDots {
    int64_t m, n, n_j;
    const float *a;
    int64_t a_stride;
    const float *rows;
    const int32_t *offset;
    float *sums;
    int64_t sums_stride;
} TileDots;

typedef struct TileKernels {
    /* dst[i] = src[i], or ELU(src[i]) */
    void (*load)(float *dst, const float *src, int64_t n, bool elu);
    /* rows[q * pitch + t] = line[t * stride + q], q in [0, stride), t in [0, n); and back. */
    void (*split)(float *rows, int64_t pitch, const float *line, int64_t stride, int64_t n);
    void (*join)(float *line, const float *rows, int64_t pitch, int64_t stride, int64_t n);
    /* dst[i] (+)= src[i] ELU'(slope_at[i]); slope_at NULL: src[i] alone */
    void (*finish)(float *dst, const float *src, int64_t n, bool add, const float *slope_at);
    /* row[i] *= ELU'(x) where elu[i] = ELU(x): 1, or ELU(x) + 1 below 0 */
    void (*slope)(float *row, const float *elu, int64_t n);
    float (*sum)(const float *x, int64_t n);
    void (*product)(const TileProduct *product);
    void (*dots)(const TileDots *dots);
} TileKernels;

/* The functions of a ConvKernels table, given the vector kernels. Shapes with unusually many taps or wide strides go to
 * conv_ref. */
ConvWork conv_tiles_gather_work(const ConvShape *s);
ConvWork conv_tiles_scatter_work(const ConvShape *s);
ConvWork conv_tiles_back_work(const ConvShape *s, bool scatters);
void conv_tiles_gather_pack(const ConvJob *job, int64_t task);
void conv_tiles_scatter_pack(const ConvJob *job, int64_t task);
void conv_tiles_gather(const TileKernels *tk, const ConvJob *job, int64_t task, void *scratch);
void conv_tiles_scatter(const TileKernels *tk, const ConvJob *job, int64_t task, void *scratch);
void conv_tiles_back_pack(const ConvBackJob *job, int64_t task);
void conv_tiles_back(const TileKernels *tk, const ConvBackJob *job, int64_t task, void *scratch);
void conv_tiles_back_reduce(const ConvBackJob *job, int64_t task);

#endif
