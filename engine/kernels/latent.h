/* latent.h - kernels around quantised latents: bits under a distribution, and rounding that lets gradients through.
 *
 * The rules of point.h hold: an element depends on its own inputs only, `add` adds to a gradient, otherwise it is
 * overwritten.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_KERNELS_LATENT_H
#define RESIDUA_KERNELS_LATENT_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/kernels/kernels.h"

typedef enum Density { DENSITY_NORMAL, DENSITY_LAPLACE, DENSITY_N } Density;

/* Bits of x in a cell of width 1: -log2 max(P, floor), P = F((x + 1/2 - mean) / scale) - F((x - 1/2 - mean) / scale), F the
 * distribution with mean 0 and variance 1. P keeps its relative accuracy far out, because both tails are taken on the
 * same side. */
typedef struct BitsJob {
    Density density;
    float floor;
    const float *x, *mean, *scale;
} BitsJob;

/* Gradients; NULL: not wanted. Below the floor only those pass that raise P, as if the floor were not there. */
typedef struct BitsGrad {
    float *dx, *dmean, *dscale;
    bool add_x, add_mean, add_scale;
} BitsGrad;

/* How a number becomes one of a grid; with a straight-through gradient: 1 between the bounds, and beyond one 1 where it leads
 * back, 0 where it leads away [2]. floor(u + 1/2) is the rule of integer networks: halves go up. */
typedef enum SnapKind {
    SNAP_BOUND, /* clamp(u, low, high) */
    SNAP_ROUND, /* clamp(floor(u per_unit + 1/2) / per_unit, low, high) */
    SNAP_SOFT   /* floor(u) + 1/2 + tanh(r / t) / (2 tanh(1 / (2 t))), r = u - floor(u) - 1/2, t = per_unit; its own slope */
} SnapKind;

typedef struct Snap {
    SnapKind kind;
    float per_unit, low, high;
} Snap;

/* What a coder with tables makes of a symbol: cost [n_rows, n_values] in bits, of the values lowest .. lowest + n_values - 1. Between
 * whole numbers of x and of row it is linear in both; beyond the last values and rows it goes on as between the last two, and is that of
 * the last. The gradient at a whole number is the mean of those on both sides. */
typedef struct BitsTable {
    const float *cost;
    int64_t n_rows, n_values; /* at least 2 */
    int lowest;
} BitsTable;

/* A learned monotone function v -> logits per channel [1]: widths 1-3-3-3-3-1, v <- softplus(H) v + b, then, but for the last,
 * v += tanh(a) tanh(v). In order: layer by layer H [out][in], b [out], a [out]. */
#define FACTORISED_WEIGHTS 58

#define STOCHASTIC_EDGE 1e-5f

struct LatentKernels {
    void (*bits)(const BitsJob *job, float *y, int64_t n);
    void (*bits_grad)(const BitsJob *job, const float *dy, const BitsGrad *grad, int64_t n);

    void (*table_bits)(const BitsTable *table, const float *x, const float *row, float *y, int64_t n);
    /* dx, drow: NULL when not wanted. */
    void (*table_bits_grad)(const BitsTable *table, const float *x, const float *row, const float *dy, float *dx, bool add_x,
                            float *drow, bool add_row, int64_t n);

    void (*snap)(const Snap *snap, const float *x, float *y, int64_t n);
    void (*snap_grad)(const Snap *snap, const float *x, const float *dy, float *dx, int64_t n, bool add);

    /* y = floor(x) + w, w the share of the upper neighbour by a Gumbel softmax: with r = x - floor(x) and u uniform in (0, 1)
     * w = sigmoid(((atanh r - atanh(1 - r)) / t + ln(u / (1 - u))) / t); r and 1 - r stay STOCHASTIC_EDGE below 1. */
    void (*stochastic)(float t, const float *x, const float *u, float *y, int64_t n);
    void (*stochastic_grad)(float t, const float *x, const float *u, const float *dy, float *dx, bool add, int64_t n);

    /* y [n] = bits of x [n] under one channel: P = sigmoid(f(x + 1/2)) - sigmoid(f(x - 1/2)), floored as above. */
    void (*factorised_bits)(const float *weights, const float *x, float floor, float *y, int64_t n);
    /* dx NULL: not wanted; dweights [FACTORISED_WEIGHTS] NULL or added to. */
    void (*factorised_bits_grad)(const float *weights, const float *x, float floor, const float *dy, float *dx, bool add,
                                 double *dweights, int64_t n);
};

/* [1] Balle et al., Variational image compression with a scale hyperprior, 2018, appendix 6.1.
 * [2] Begaint et al., CompressAI, 2020: the gradient of its lower bound. */

extern const LatentKernels latent_ref, latent_avx2, latent_avx512;

#endif
