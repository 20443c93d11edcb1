/* point.h - kernels that work element by element or row by row: functions and their gradients, sums, norms, optimiser.
 *
 * Rules that every set keeps, so that results do not depend on threads, chunks or alignment:
 *   - an element's result depends on that element's inputs only, never on its place in the array (body or tail);
 *   - a sum over n elements depends on n and the values only, not on the address; callers cut large arrays into blocks of
 *     POINT_BLOCK elements and add the blocks' sums in order;
 *   - arrays may be the same array where a contract says "in place", and do not overlap otherwise;
 *   - NaN stays NaN; infinities give the function's limit.
 * Gradients: `add` true adds to dx, false overwrites it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_POINT_H
#define RESIDUA_POINT_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/kernels/kernels.h"

#define POINT_BLOCK 8192 /* elements per task: 32 KiB in and 32 KiB out stay in the second cache level */

/* Functions of one number u with two attributes a, b. */
typedef enum PointFn {
    POINT_AFFINE,     /* a u + b */
    POINT_RELU,       /* max(u, 0) */
    POINT_LEAKY_RELU, /* u > 0 ? u : a u */
    POINT_ELU,        /* u > 0 ? u : a (e^u - 1) */
    POINT_GELU,       /* u Phi(u), Phi the normal distribution function (the exact form) */
    POINT_HARD_SWISH, /* u clip(u + 3, 0, 6) / 6 */
    POINT_TANH,
    POINT_SIGMOID, /* 1 / (1 + e^-u) */
    POINT_EXP,
    POINT_SIN,
    POINT_ABS,    /* gradient 0 at 0 */
    POINT_SQUARE,
    POINT_SQRT, /* sqrt(max(u, a)); gradient 0 for u <= a */
    POINT_LOG,  /* b ln(max(u, a)); gradient 0 for u <= a */
    POINT_POW,  /* max(u, a)^b, a >= 0; gradient 0 for u <= a */
    POINT_LINEAR_LIGHT, /* sRGB to linear light [IEC 61966-2-1]: u / 12.92 up to 0.04045, ((u + 0.055) / 1.055)^2.4 above; odd */
    POINT_N_FNS
} PointFn;

/* Functions of two numbers. */
typedef enum PairFn { PAIR_ADD, PAIR_SUB, PAIR_MUL, PAIR_DIV, PAIR_N_FNS } PairFn;

/* One step of Adam with decoupled weight decay [1]; g is multiplied by grad_scale first (clipping, averaging):
 *   m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2
 *   p = p (1 - lr decay) - lr (m correct1) / (sqrt(v correct2) + eps)
 * correct1 = 1 / (1 - beta1^t), correct2 = 1 / (1 - beta2^t) with t = 1 for the first step.
 * [1] Loshchilov and Hutter, Decoupled Weight Decay Regularization, ICLR 2019. */
typedef struct AdamStep {
    float lr, beta1, beta2, eps, decay, correct1, correct2, grad_scale;
} AdamStep;

struct PointKernels {
    /* y[i] = fn(x[i]); y may be x. */
    void (*map)(PointFn fn, float a, float b, const float *x, float *y, int64_t n);
    /* dx[i] (+)= dy[i] fn'(x[i]), y = map(x) is given so that what can be had from it is not computed again; dx may be dy
     * when add is false. */
    void (*map_grad)(PointFn fn, float a, float b, const float *x, const float *y, const float *dy, float *dx, int64_t n,
                     bool add);

    /* y[i] = fn(a[i], b[i]), or fn(a[i], b[0]) when b_is_one; y may be a or b. */
    void (*pair)(PairFn fn, const float *a, const float *b, bool b_is_one, float *y, int64_t n);
    /* da[i] (+)= dy[i] dfn/da; da may be dy when add is false. */
    void (*pair_grad_a)(PairFn fn, const float *a, const float *b, bool b_is_one, const float *dy, float *da, int64_t n,
                        bool add);
    /* db[i] (+)= dy[i] dfn/db for b [n]. */
    void (*pair_grad_b)(PairFn fn, const float *a, const float *b, const float *dy, float *db, int64_t n, bool add);
    /* Sum over i of dy[i] dfn/db at (a[i], b). */
    double (*pair_grad_one)(PairFn fn, const float *a, float b, const float *dy, int64_t n);

    /* Snake [audio.md 2.1]: y = x + sin^2(alpha x) / (alpha + 1e-9). */
    void (*snake)(const float *x, float alpha, float *y, int64_t n);
    /* dx (NULL: not wanted) as above; returns d alpha. */
    double (*snake_grad)(const float *x, float alpha, const float *dy, float *dx, int64_t n, bool add);

    /* Sums in double over fixed lanes. w may be NULL: all ones. */
    double (*sum)(const float *x, int64_t n);
    double (*dot)(const float *a, const float *b, int64_t n);
    double (*sum_sq_dev)(const float *x, float centre, int64_t n);                           /* (x - centre)^2 */
    double (*sum_abs_diff)(const float *a, const float *b, const float *w, int64_t n);       /* w |a - b| */
    double (*sum_sq_diff)(const float *a, const float *b, const float *w, int64_t n);        /* w (a - b)^2 */
    /* y[i] = scale times the sum over rows of x[r stride + i], in double in the order of rows. n <= POINT_MAX_COLUMNS. */
    void (*sum_columns)(const float *x, int64_t rows, int64_t n, int64_t stride, double scale, float *y);
    float (*max_abs)(const float *x, int64_t n);                                             /* 0 for n = 0; NaN if any */
    bool (*all_finite)(const float *x, int64_t n);
    /* dx (+)= scale w sign(a - b);  dx (+)= 2 scale w (a - b). */
    void (*abs_diff_grad)(const float *a, const float *b, const float *w, float scale, float *dx, int64_t n, bool add);
    void (*sq_diff_grad)(const float *a, const float *b, const float *w, float scale, float *dx, int64_t n, bool add);

    /* y (+)= scale total, rounded once: how sums gathered in double become float32. */
    void (*settle)(const double *total, double scale, float *y, int64_t n, bool add);
    void (*fill)(float *y, float value, int64_t n, bool add); /* y (+)= value */
    /* y (+)= scale x; y may be x when add is false. */
    void (*scale)(const float *x, float scale, float *y, int64_t n, bool add);
    void (*reverse)(const float *x, float *y, int64_t n, bool add); /* y[i] (+)= x[n - 1 - i] */
    /* y (+)= p a + q b + r: the row form of normalisation and its gradient. b may be NULL. y may be a or b. */
    void (*blend)(const float *a, float p, const float *b, float q, float r, float *y, int64_t n, bool add);
    /* dst [cols, rows] (+)= transpose of src [rows, cols]; row r of src starts at src + r src_stride, row c of dst at
     * dst + c dst_stride. */
    void (*transpose)(const float *src, int64_t rows, int64_t cols, int64_t src_stride, float *dst, int64_t dst_stride,
                      bool add);

    /* Normalises each of n columns of x [rows, n] (row stride `stride`) to mean 0 and variance 1 over the rows:
     * y = (x - mean) rstd gamma[r] + beta[r], rstd = 1 / sqrt(var + eps); gamma and beta [rows] or both NULL.
     * mean and rstd [n] are written. n <= POINT_MAX_COLUMNS. y may be x. */
    void (*norm_columns)(const float *x, int64_t rows, int64_t n, int64_t stride, const float *gamma, const float *beta,
                         float eps, float *y, float *mean, float *rstd);
    /* dx as above (NULL: not wanted); dgamma[r] and dbeta[r] (both or neither NULL) are added to in double. */
    void (*norm_columns_grad)(const float *x, int64_t rows, int64_t n, int64_t stride, const float *gamma,
                              const float *mean, const float *rstd, const float *dy, float *dx, bool add, double *dgamma,
                              double *dbeta);

    /* y = softmax or log-softmax over the n elements of x; y may be x. */
    void (*softmax)(const float *x, float *y, int64_t n, bool as_log);
    void (*softmax_grad)(const float *y, const float *dy, float *dx, int64_t n, bool as_log, bool add);

    /* One LSTM cell step for n units. Gate k of the order i, f, g, o is at gates + k stride: on entry the sums before the
     * activations, on return the activations. c = sigma(f) c_prev + sigma(i) tanh(g); h = sigma(o) tanh(c). c may be
     * c_prev. */
    void (*lstm_cell)(float *gates, int64_t stride, const float *c_prev, float *c, float *h, int64_t n);
    /* gates: the activations; on return their place holds the gradient of the sums. dc [n]: on entry the gradient of c from
     * the next step, on return that of c_prev. */
    void (*lstm_cell_grad)(float *gates, int64_t stride, const float *c_prev, const float *c, const float *dh, float *dc,
                           int64_t n);

    void (*adam)(float *p, float *m, float *v, const float *g, int64_t n, const AdamStep *step);
    /* average += (1 - decay) (p - average) */
    void (*track)(float *average, const float *p, float decay, int64_t n);

    /* IEEE binary16 in host byte order; rounds to nearest even, overflow gives infinity, NaN stays NaN. */
    void (*to_half)(const float *x, uint16_t *y, int64_t n);
    void (*from_half)(const uint16_t *x, float *y, int64_t n);
};

#define POINT_MAX_COLUMNS 64

extern const PointKernels point_ref;
extern const PointKernels point_avx2; /* x86 with AVX2, FMA and F16C */

#endif
