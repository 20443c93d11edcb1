/* conv.h - convolutions of signals and pictures, and their gradients, on plain arrays.
 *
 * A strided convolution joins a signal that is sampled finely, [batch, c_fine, n_fine], to one that is sampled coarsely,
 * [batch, c_coarse, n_coarse]: coarse frame t meets the fine samples t * stride - left + i * dilation for the taps
 * i = 0 .. k - 1, through the weights w [c_coarse, c_fine / groups, k]. Three sums over these meetings make everything:
 *
 *   gather   coarse[t]  = sum over c_fine, i    a convolution forward; the input gradient of a transposed one
 *   scatter  fine[u]    = sum over c_coarse, i  a transposed convolution forward; the input gradient of a plain one
 *   weights  w[.., i]   = sum over batch, t     the weight gradient of both
 *
 * Backward computes a weight gradient together with the input gradient, because both read the same two signals.
 *
 * A picture has lines: [batch, channels, lines, n]. The same holds from line to line, with taps, stride and dilation of its
 * own, and each sum runs over the taps of both axes, w [c_coarse, c_fine / groups, k_y, k_x]. A signal is a picture of one
 * line.
 *
 * Samples outside a signal are zero, or, to the left of it, come from a stream's context. Other padding is made before.
 *
 * Each sum is cut into tasks by the shape alone and every task writes its own outputs; an output element is summed in one
 * fixed order (gather: c_fine then taps; scatter: c_coarse then taps) that starts at the bias. So results do not depend on the
 * number of threads, nor (gather, scatter) on where in a chunk a frame falls.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_KERNELS_CONV_H
#define RESIDUA_KERNELS_CONV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/kernels/kernels.h"

typedef struct ConvAxis {
    int64_t n_fine, n_coarse;
    int64_t k, stride, dilation;
    int64_t left; /* fine sample of tap 0 at t = 0 is -left; negative: the first samples are skipped */
} ConvAxis;

typedef struct ConvShape {
    int64_t batch, groups;
    int64_t c_fine, c_coarse; /* over all groups; multiples of groups */
    ConvAxis x;               /* along a signal, or along the lines of a picture */
    ConvAxis y;               /* from line to line; CONV_ONE_LINE for a signal */
    bool pairs;               /* gather and scatter: frames 2 u and 2 u + 1 may be summed together with fewer products
                                 (conv_pairs.h), because every chunk of a stream begins at an even frame */
} ConvShape;

#define CONV_ONE_LINE ((ConvAxis){.n_fine = 1, .n_coarse = 1, .k = 1, .stride = 1, .dilation = 1})

/* Fine samples spanned by one frame: (k - 1) dilation + 1. */
int64_t conv_span(const ConvAxis *axis);
/* Coarse frames before a chunk that still reach into it: ceil(span / stride) - 1 (at least 0). */
int64_t conv_reach(const ConvAxis *axis);
/* Samples of one channel of each side. */
int64_t conv_fine_count(const ConvShape *s);
int64_t conv_coarse_count(const ConvShape *s);
/* Multiply-accumulates of one gather, scatter or weight gradient. */
double conv_macs(const ConvShape *s);

/* Padding that is not zero is written out before a convolution. The source of sample i of a padded signal: an index into
 * the signal [n], or -1 for a zero. left and right may be negative: samples cut. Reflection of a signal that is not longer
 * than its padding first appends zeros (audio.md 1.2). */
typedef enum ConvPadMode { CONV_PAD_ZERO, CONV_PAD_REFLECT, CONV_PAD_REPLICATE } ConvPadMode;
typedef struct ConvPad {
    ConvPadMode mode;
    int64_t n, left, right;
} ConvPad;
int64_t conv_pad_source(const ConvPad *pad, int64_t i);
/* Pictures [planes, lines, n] with `down` for the lines and `across` for their samples; signals have lines = 1 and no `down`
 * padding. y from x, and dx += what dy says. */
typedef struct ConvPad2d {
    ConvPad down, across;
} ConvPad2d;
void conv_pad_planes(const ConvPad2d *pad, int64_t planes, const float *x, float *y);
void conv_pad_planes_grad(const ConvPad2d *pad, int64_t planes, const float *dy, float *dx);
/* context [rows, n_context] becomes the last n_context samples of context followed by x [rows, n]. */
void conv_keep_context(float *context, int64_t n_context, int64_t rows, const float *x, int64_t n);
/* Context of a signal's first samples x [rows, n], n > n_context, that are reflected at its left edge: x[n_context] ... x[1]. */
void conv_reflect_context(float *context, int64_t n_context, int64_t rows, const float *x, int64_t n);

/* One gather or scatter; x and y are the two signals in this order: fine, coarse for gather; coarse, fine for scatter. */
typedef struct ConvJob {
    ConvShape shape;
    const float *x;
    const float *context;  /* of a signal: samples before its first, NULL for zeros: gather [batch, c_fine, left], scatter
                              [batch, c_coarse, conv_reach]; scatter with context needs left == 0 */
    bool elu;              /* x (and context) pass through ELU, alpha 1, on the way in */
    const float *w;        /* [c_coarse, c_fine / groups, k_y, k_x] */
    float *packed;         /* pack: room for ConvWork.packed_count floats */
    const float *ready;    /* gather and scatter: what pack wrote, in this job or in an earlier one */
    const uint16_t *ready_half; /* the same as IEEE binary16, instead of `ready` where it is not NULL */
    const float *bias;     /* [channels of y] or NULL */
    float *y;              /* must not overlap x */
    bool add;              /* to what y holds: y + (bias + sum) */
    bool relu;             /* y = max(bias + sum, 0), NaN stays; not with add */
} ConvJob;

/* Gradients of y = gather(x), or of y = scatter(x), from dy. Each of dx, dw and db may be NULL: not wanted. */
typedef struct ConvBackJob {
    ConvShape shape;
    bool scatters;     /* y = scatter(x): x is the coarse signal and dy the fine one; else x is fine and dy coarse */
    const float *x, *dy;
    bool elu;          /* x went in through ELU */
    const float *w;
    float *packed;     /* room for ConvWork.packed_count floats */
    float *dx;         /* shape of x */
    bool add;          /* add to dx instead of overwriting it */
    float *dw, *db;    /* [c_coarse, c_fine / groups, k_y, k_x] and [channels of y]: added to */
    float *partial;    /* room for ConvWork.partial_count floats */
} ConvBackJob;

/* How a job is cut up. Tasks 0 .. n_pack_tasks - 1 of pack come first (all of them), then n_tasks of the sum itself, then,
 * backward, n_reduce_tasks. Tasks of one kind may run at the same time. */
typedef struct ConvWork {
    int64_t n_pack_tasks, n_tasks, n_reduce_tasks;
    size_t packed_count, partial_count; /* floats */
    size_t scratch_size;                /* bytes for each worker, aligned to MEM_ALIGN */
} ConvWork;

struct ConvKernels {
    ConvWork (*gather_work)(const ConvShape *s);
    void (*gather_pack)(const ConvJob *job, int64_t task);
    void (*gather)(const ConvJob *job, int64_t task, void *scratch);

    ConvWork (*scatter_work)(const ConvShape *s);
    void (*scatter_pack)(const ConvJob *job, int64_t task);
    void (*scatter)(const ConvJob *job, int64_t task, void *scratch);

    ConvWork (*back_work)(const ConvShape *s, bool scatters);
    void (*back_pack)(const ConvBackJob *job, int64_t task);
    void (*back)(const ConvBackJob *job, int64_t task, void *scratch);
    void (*back_reduce)(const ConvBackJob *job, int64_t task);
};

extern const ConvKernels conv_ref, conv_avx2, conv_avx512;

#endif
