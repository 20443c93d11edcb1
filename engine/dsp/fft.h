/* fft.h - Fourier transforms of real signals, one at a time.
 *
 * A plan holds tables only and may be used by any number of threads at once; each call brings its own work memory. The
 * same input gives the same bits whichever thread asks. Any length from 1 is possible; 2^k times 1, 3, 5 or 15
 * is fastest, others are made of four of those (fft_chirp.h). Many equal power-of-two transforms at once: engine/kernels/spectrum.h.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_DSP_FFT_H
#define RESIDUA_DSP_FFT_H

#include <stddef.h>

#include "engine/base/error.h"

#define FFT_MAX_LEN (1 << 27)

typedef struct Fft Fft;

typedef enum FftPrecision { FFT_FLOAT, FFT_DOUBLE } FftPrecision;

/* Plan for real transforms of n samples in both directions. Errors: RSD_ERR_ARG (n outside 1..FFT_MAX_LEN),
 * RSD_ERR_MEMORY. */
RsdStatus fft_create(Fft **out, int n, FftPrecision precision, RsdError *err);
void fft_destroy(Fft **fft);

int fft_len(const Fft *fft);
int fft_bins(const Fft *fft); /* floor(n / 2) + 1 */

/* Size in bytes of the work memory of one call; it must start on a multiple of MEM_ALIGN (mem_alloc, arena_alloc). */
size_t fft_work_size(const Fft *fft);

/* Plan of FFT_FLOAT. Spectra are pairs (re, im).
 *   fft_forward: spectrum[k] = sum_i x[i] exp(-2 pi i k / n), k = 0 .. bins - 1    x [n], spectrum [bins, 2]
 *   fft_inverse: the inverse, 1/n included; bins above n / 2 are taken as the conjugates of those below, so the
 *                imaginary parts of bin 0 and (n even) bin n / 2 have no effect.
 * Input and output may be the same memory. */
void fft_forward(const Fft *fft, const float *x, float *spectrum, void *work);
void fft_inverse(const Fft *fft, const float *spectrum, float *x, void *work);

/* The same for a plan of FFT_DOUBLE. */
void fft_forward_f64(const Fft *fft, const double *x, double *spectrum, void *work);
void fft_inverse_f64(const Fft *fft, const double *spectrum, double *x, void *work);

#endif
