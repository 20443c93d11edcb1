/* fft_chirp.h - real transforms of lengths that libavutil has no fast transform for. For engine/dsp/fft.c, which offers them
 * with all others.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_DSP_FFT_CHIRP_H
#define RESIDUA_DSP_FFT_CHIRP_H

#include <stddef.h>

#include "engine/base/error.h"

typedef struct FftChirp FftChirp; /* tables only: any number of threads may share a plan */

#define FFT_CHIRP_MAX_LEN (1 << 26)

/* n: 1 to FFT_CHIRP_MAX_LEN. Errors: RSD_ERR_MEMORY. */
RsdStatus fft_chirp_create(FftChirp **out, int n, RsdError *err);
void fft_chirp_destroy(FftChirp **plan);
size_t fft_chirp_work_size(const FftChirp *plan); /* bytes, aligned to MEM_ALIGN */

/* As fft_forward and fft_inverse of fft.h; computed in double. */
void fft_chirp_forward(const FftChirp *plan, const float *x, float *spectrum, void *work);
void fft_chirp_inverse(const FftChirp *plan, const float *spectrum, float *x, void *work);
void fft_chirp_forward_f64(const FftChirp *plan, const double *x, double *spectrum, void *work);
void fft_chirp_inverse_f64(const FftChirp *plan, const double *spectrum, double *x, void *work);

#endif
