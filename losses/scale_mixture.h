/* scale_mixture.h - how much a place of a band tells: a Gaussian scale mixture of 3 x 3 neighbours and, if there is one, their parent.
 *
 * The variables of a place are a Gaussian vector, whose covariance is that of the whole band, times a local scale. Seeing adds noise.
 *
 * [Wang, Li, Information content weighting for perceptual image quality assessment, 2011, section II; image.md 11.7]
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_SCALE_MIXTURE_H
#define RESIDUA_SCALE_MIXTURE_H

#include "losses/plane_math.h"

#define N_NEIGHBOURS 9
#define MOST_VARIABLES 10 /* the neighbours and the parent */

/* What the model knows of a level: the eigenvectors and eigenvalues of the covariance of the variables. */
typedef struct Mixture {
    const Plane *y; /* borrowed */
    Plane parent; /* owned, at the size of y; no data: none */
    int n;
    double values[MOST_VARIABLES], vectors[MOST_VARIABLES * MOST_VARIABLES];
} Mixture;

/* y: the band of the reference, with both sides at least 3. parent: the next coarser band, NULL for none. Errors: RSD_ERR_MEMORY.
 * Closing accepts an all-zero Mixture. */
RsdStatus mixture_open(Mixture *m, const Plane *y, const Plane *parent, RsdError *err);
void mixture_close(Mixture *m);

/* The local scale of the neighbourhood whose upper left is (r, c). */
double mixture_scale(const Mixture *m, int64_t r, int64_t c);

/* Bits that the place shares with what is seen of both pictures, from the local variances of the distorted one and the reference and
 * their covariance; and the derivatives by the first and the last. */
double mixture_information(const Mixture *m, double scale, double xx, double yy, double xy);
void mixture_information_slopes(const Mixture *m, double scale, double xx, double yy, double xy, double *dxx, double *dxy);

#endif
