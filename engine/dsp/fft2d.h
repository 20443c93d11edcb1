/* fft2d.h - Fourier transforms of real pictures, one at a time, in double precision.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_DSP_FFT2D_H
#define RESIDUA_DSP_FFT2D_H

#include <stddef.h>

#include "engine/base/error.h"

typedef struct Fft2d Fft2d; /* tables only: any number of threads may share a plan */

/* Plan for pictures of h rows of w samples. Errors: RSD_ERR_ARG, RSD_ERR_MEMORY. */
RsdStatus fft2d_create(Fft2d **out, int h, int w, RsdError *err);
void fft2d_destroy(Fft2d **plan);
int fft2d_bins(const Fft2d *plan);         /* columns of the half spectrum: floor(w / 2) + 1 */
size_t fft2d_work_size(const Fft2d *plan); /* bytes of one call's work memory, aligned to MEM_ALIGN */

/* x [h, w] -> spectrum [h, bins, 2], the left half; the rest is its conjugate mirror: F[h - u, w - v] = conj F[u, v]. */
void fft2d_forward(const Fft2d *plan, const double *x, double *spectrum, void *work);
/* The inverse, 1 / (h w) included. The spectrum [h, bins, 2] is used as work memory. */
void fft2d_inverse(const Fft2d *plan, double *spectrum, double *x, void *work);

#endif
