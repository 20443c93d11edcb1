/* fft_long.h - real transforms of long powers of two. For engine/dsp/fft.c, which offers them with all others.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_DSP_FFT_LONG_H
#define RESIDUA_DSP_FFT_LONG_H

#include <stddef.h>

#include "engine/base/error.h"

typedef struct FftLong FftLong; /* tables only: any number of threads may share a plan */

/* n: a power of two, at least 4. Errors: RSD_ERR_MEMORY. */
RsdStatus fft_long_create(FftLong **out, int n, RsdError *err);
void fft_long_destroy(FftLong **plan);
size_t fft_long_work_size(const FftLong *plan); /* bytes, aligned to MEM_ALIGN */

/* As fft_forward and fft_inverse of fft.h; computed in double. */
void fft_long_forward(const FftLong *plan, const float *x, float *spectrum, void *work);
void fft_long_inverse(const FftLong *plan, const float *spectrum, float *x, void *work);
void fft_long_forward_f64(const FftLong *plan, const double *x, double *spectrum, void *work);
void fft_long_inverse_f64(const FftLong *plan, const double *spectrum, double *x, void *work);

#endif
