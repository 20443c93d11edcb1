/* picture.h - kernels on rows of pictures: weighted sums of rows, filters along a row, local statistics, block transforms.
 *
 * A separable filter is a weighted sum of rows followed by a filter along the one row that results, so no plane between
 * the two is stored; the gradient is the same two steps with the taps reversed (engine/ops/filter2d.c). The rules of
 * point.h hold: an element depends on its own inputs only, never on its place; `add` adds to y, otherwise it is overwritten.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_PICTURE_H
#define RESIDUA_PICTURE_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/kernels/kernels.h"

#define PICTURE_DCT 8      /* side of a block */
#define PICTURE_PLACES 128 /* most places that one call of unit_distance looks at */

/* Rows of local statistics of the pictures x and y, d = y - x, from which SSIM is made; all over the same window. */
typedef struct SsimRows {
    const float *mean_x;   /* of x - centre */
    const float *mean_d;   /* of d */
    const float *sum_sq;   /* of (x - centre)^2 + (y - centre)^2 */
    const float *diff_sq;  /* of d^2 */
} SsimRows;

typedef struct SsimForm {
    float c1, c2, centre; /* a centre near the mean of the pictures keeps variances accurate */
    bool luminance;       /* false: contrast and structure only */
} SsimForm;

/* Weights of the focal frequency loss: |D|^alpha, or ln(1 + |D|^alpha), over the largest of its kind. */
typedef struct FocalTerms {
    double alpha, scale;
    bool logarithmic;
} FocalTerms;

/* See engine/ops/surrogate.h. */
typedef enum SurrogateKind { SURROGATE_ROUND, SURROGATE_FLOOR, SURROGATE_CLIP } SurrogateKind;
typedef struct Surrogate {
    SurrogateKind kind;
    bool straight;
    float low, high;
} Surrogate;

struct PictureKernels {
    /* y[i] (+)= offset + sum over k of taps[k] rows[k][i]. */
    void (*blend_rows)(const float *const *rows, const float *taps, int n_taps, float offset, float *y, int64_t n, bool add);
    /* y[i] (+)= sum over k of taps[k] x[i stride + k]; stride >= 1; x must not overlap y. */
    void (*filter_row)(const float *x, const float *taps, int n_taps, int stride, float *y, int64_t n, bool add);

    /* Dissimilarity of two non-negative numbers, one minus the usual S: y = (a - b)^2 / (a^2 + b^2 - alpha a b + c), c > 0.
     * It is exactly 0 where a = b, and accurate near it. da, db (NULL: not wanted) (+)= dy times the derivative. */
    void (*dissimilarity)(const float *a, const float *b, float c, float alpha, float *y, int64_t n);
    void (*dissimilarity_grad)(const float *a, const float *b, float c, float alpha, const float *dy, float *da, bool add_a,
                               float *db, bool add_b, int64_t n);

    /* d = y - x, sum_sq = (x - centre)^2 + (y - centre)^2, diff_sq = d^2, shifted = x - centre. */
    void (*ssim_products)(const float *x, const float *y, float centre, float *shifted, float *d, float *sum_sq,
                          float *diff_sq, int64_t n);
    /* Returns the sum of 1 - SSIM over n positions, in double; dd, ds, dq (all or none NULL) receive its derivatives with
     * respect to mean_d (x fixed), sum_sq and diff_sq. */
    double (*ssim)(const SsimRows *rows, const SsimForm *form, float *dd, float *ds, float *dq, int64_t n);
    /* dy (+)= dd + 2 (y - centre) ds + 2 (y - x) dq: where the three derivatives above meet the picture y. */
    void (*ssim_gather)(const float *x, const float *y, float centre, const float *dd, const float *ds, const float *dq,
                        float *dy, int64_t n, bool add);

    /* The three maps of SSIMULACRA 2 of a row of x and y [image.md 11.10, 5], from windows' sums with centre 0; the formulas stand in
     * engine/kernels/ref/picture_ssimulacra.c. Adds to sums: of each map (structure, ringing, blurring), then of its 4th power. */
    void (*ssimulacra)(const float *x, const float *y, const SsimRows *rows, double sums[6], int64_t n);
    /* Of slopes . sums: derivatives with respect to mean_d (x fixed), sum_sq, diff_sq, and y itself; overwrites. */
    void (*ssimulacra_grad)(const float *x, const float *y, const SsimRows *rows, const float slopes[6], float *dmean, float *dsum,
                            float *dsq, float *ddirect, int64_t n);

    /* Orthonormal 8 x 8 cosine transform of n_blocks blocks side by side: x row r starts at x + r stride [8 n_blocks];
     * coefficient (u, v) of block b, u down, goes to y[(8 u + v) y_stride + b]. inverse is the transpose of that map. */
    void (*dct8)(const float *x, int64_t stride, int64_t n_blocks, float *y, int64_t y_stride);
    void (*dct8_inverse)(const float *y, int64_t y_stride, int64_t n_blocks, float *x, int64_t stride);

    void (*spread_row)(const float *x, float *y, int64_t n); /* y[2 i] = x[i]; the others stay */

    /* Mean of the k smallest of n elements, 1 <= k <= n; *limit is the largest of them. work [n]. NaN gives NaN. */
    float (*mean_lowest)(const float *x, int64_t n, int64_t k, float *work, float *limit);
    /* dx (+)= dy / k for those elements: all below the limit, and the first ones that equal it. */
    void (*mean_lowest_grad)(const float *x, int64_t n, int64_t k, float limit, float dy, float *dx, bool add);

    /* The formula of engine/ops/vif.h and its gradients (NULL: not wanted). */
    void (*vif)(const float *vx, const float *vy, const float *vxy, float *y, int64_t n);
    void (*vif_grad)(const float *vx, const float *vy, const float *vxy, const float *dy, float *dvy, bool add_y, float *dvxy,
                     bool add_xy, int64_t n);

    /* For n <= PICTURE_PLACES places, channel c of place i at c stride + i: the sum over places of the sum over channels of
     * w (x / |x| - y / |y|)^2, |.| the length over channels plus 1e-10, in double. dy (NULL: not wanted) (+)= scale times its
     * gradient; that of |y| at 0 is 0. */
    double (*unit_distance)(const float *x, const float *y, const float *w, int64_t channels, int64_t stride, int64_t n,
                            float scale, float *dy, bool add);

    void (*surrogate)(const Surrogate *what, const float *x, float *y, int64_t n);
    void (*surrogate_grad)(const Surrogate *what, const float *x, const float *dy, float *dx, int64_t n, bool add);

    void (*widen_difference)(const float *a, const float *b, double *y, int64_t n);   /* y = a - b in double */
    void (*narrow)(const double *x, double scale, float *y, int64_t n);              /* y = scale x, rounded once */
    /* spectrum [h, w / 2 + 1, 2]: the half spectrum of a picture of h x w. With D = scale times it, returns the sum over the
     * whole spectrum of weight |D|^2 and leaves weight D in its place. */
    double (*focal)(double *spectrum, int h, int w, const FocalTerms *terms);
};

extern const PictureKernels picture_ref;
extern const PictureKernels picture_avx2;

#endif
