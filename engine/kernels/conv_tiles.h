/* conv_tiles.h - convolutions cut into tiles that fit the caches, and summed by a few small vector kernels.
 *
 * The driver is plain C and the same for every machine; an instruction set brings one TileKernels.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_KERNELS_CONV_TILES_H
#define RESIDUA_KERNELS_CONV_TILES_H

#include "engine/kernels/conv.h"

/* y[r, t] = (begin ? bias[r] or 0 : y[r, t]) + sum_j w[j, r] rows[offset[j] + t], r in [0, m), t in [0, n).
 * With `add`, which needs `begin`, y[r, t] is added to this as the last. */
typedef struct TileProduct {
    int64_t m, n, n_j; /* n <= columns of a tile; rows may be read up to the last of these */
    const float *w;    /* panels of a tile's rows: panel p at w + p panel_stride */
    int64_t panel_stride;
    const float *rows;
    const int32_t *offset; /* [n_j] */
    bool begin, add;
    const float *bias; /* [m] or NULL */
    float *y;
    int64_t y_stride;
} TileProduct;

/* sums[j, r] = (begin ? 0 : sums[j, r]) + sum_t a[t, r] rows[offset[j] + t], r in [0, m), t in [0, n). */
typedef struct TileDots {
    int64_t m, n, n_j;      /* m is a multiple of `lanes` */
    const float *a;         /* panels of `lanes` rows, [m / lanes][n][lanes] */
    const float *rows;
    const int32_t *offset;  /* [n_j] */
    bool begin;
    float *sums;
    int64_t sums_stride;
} TileDots;

#define TILE_ROWS_MAX 8
#define TILE_LANES_MAX 16

typedef struct TileKernels {
    int64_t rows;    /* output rows summed together, at most TILE_ROWS_MAX: a panel of packed weights is [j][rows] */
    int64_t columns; /* output columns summed together */
    int64_t lanes;   /* floats in a vector, at most TILE_LANES_MAX */
    /* dst[i] = src[i], or ELU(src[i]) */
    void (*load)(float *dst, const float *src, int64_t n, bool elu);
    /* rows[q * pitch + t] = line[t * stride + q], q in [0, stride), t in [0, n); and back. */
    void (*split)(float *rows, int64_t pitch, const float *line, int64_t stride, int64_t n);
    void (*join)(float *line, const float *rows, int64_t pitch, int64_t stride, int64_t n);
    /* rows [middle, before, after][pitch] of conv_pairs.h from row [2 n + 2]; n is a multiple of 16 */
    void (*pair)(float *rows, int64_t pitch, const float *row, int64_t n);
    /* dst[i] (+)= src[i] ELU'(slope_at[i]); slope_at NULL: src[i] alone */
    void (*finish)(float *dst, const float *src, int64_t n, bool add, const float *slope_at);
    /* row[i] *= ELU'(x) where elu[i] = ELU(x): 1, or ELU(x) + 1 below 0 */
    void (*slope)(float *row, const float *elu, int64_t n);
    void (*widen)(float *dst, const uint16_t *src, int64_t n); /* from IEEE binary16 */
    float (*sum)(const float *x, int64_t n);
    float (*dot)(const float *a, const float *b, int64_t n);
    /* panel[t * m + r] = rows[r * pitch + t], r in [0, m), t in [0, n); m is `rows` or `lanes`. */
    void (*turn)(float *panel, const float *rows, int64_t pitch, int64_t m, int64_t n);
    void (*product)(const TileProduct *product);
    void (*dots)(const TileDots *dots);
} TileKernels;

/* The functions of a ConvKernels table, given the vector kernels. Shapes with unusually many taps or wide strides go to
 * conv_ref. */
ConvWork conv_tiles_gather_work(const TileKernels *tk, const ConvShape *s);
ConvWork conv_tiles_scatter_work(const TileKernels *tk, const ConvShape *s);
ConvWork conv_tiles_back_work(const TileKernels *tk, const ConvShape *s, bool scatters);
void conv_tiles_gather_pack(const TileKernels *tk, const ConvJob *job, int64_t task);
void conv_tiles_scatter_pack(const TileKernels *tk, const ConvJob *job, int64_t task);
void conv_tiles_gather(const TileKernels *tk, const ConvJob *job, int64_t task, void *scratch);
void conv_tiles_scatter(const TileKernels *tk, const ConvJob *job, int64_t task, void *scratch);
void conv_tiles_back_pack(const TileKernels *tk, const ConvBackJob *job, int64_t task);
void conv_tiles_back(const TileKernels *tk, const ConvBackJob *job, int64_t task, void *scratch);
void conv_tiles_back_reduce(const TileKernels *tk, const ConvBackJob *job, int64_t task);

/* The table `name` of a set whose vector kernels are the constant `tk`. */
#define CONV_KERNELS_OF_TILES(name, tk)                                                                                \
    static ConvWork gather_work(const ConvShape *s) { return conv_tiles_gather_work(&tk, s); }                         \
    static ConvWork scatter_work(const ConvShape *s) { return conv_tiles_scatter_work(&tk, s); }                       \
    static ConvWork back_work(const ConvShape *s, bool scatters) { return conv_tiles_back_work(&tk, s, scatters); }    \
    static void gather_pack(const ConvJob *job, int64_t task) { conv_tiles_gather_pack(&tk, job, task); }              \
    static void scatter_pack(const ConvJob *job, int64_t task) { conv_tiles_scatter_pack(&tk, job, task); }            \
    static void back_pack(const ConvBackJob *job, int64_t task) { conv_tiles_back_pack(&tk, job, task); }              \
    static void gather(const ConvJob *job, int64_t task, void *scratch) { conv_tiles_gather(&tk, job, task, scratch); } \
    static void scatter(const ConvJob *job, int64_t task, void *scratch)                                               \
    {                                                                                                                  \
        conv_tiles_scatter(&tk, job, task, scratch);                                                                   \
    }                                                                                                                  \
    static void back(const ConvBackJob *job, int64_t task, void *scratch) { conv_tiles_back(&tk, job, task, scratch); } \
    static void back_reduce(const ConvBackJob *job, int64_t task) { conv_tiles_back_reduce(&tk, job, task); }          \
    const ConvKernels name = {.gather_work = gather_work,                                                              \
                              .gather_pack = gather_pack,                                                              \
                              .gather = gather,                                                                        \
                              .scatter_work = scatter_work,                                                            \
                              .scatter_pack = scatter_pack,                                                            \
                              .scatter = scatter,                                                                      \
                              .back_work = back_work,                                                                  \
                              .back_pack = back_pack,                                                                  \
                              .back = back,                                                                            \
                              .back_reduce = back_reduce}

#endif
