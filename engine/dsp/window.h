/* window.h - window functions as tables.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_DSP_WINDOW_H
#define RESIDUA_DSP_WINDOW_H

#include <stddef.h>

/* Periodic divides by n (one period of a longer signal: what spectra use), symmetric by n - 1 (both ends equal: what
 * filters use). */
typedef enum WindowForm { WINDOW_PERIODIC, WINDOW_SYMMETRIC } WindowForm;

/* w[i] = 1/2 - 1/2 cos(2 pi i / d), d = n (periodic) or n - 1 (symmetric); a window of one sample is 1.
 * w [n] is written. Computed in double; the float form is rounded once. */
void window_hann(float *w, size_t n, WindowForm form);
void window_hann_f64(double *w, size_t n, WindowForm form);

/* Kaiser window, symmetric: I0(beta sqrt(1 - (2 i / (n - 1) - 1)^2)) / I0(beta); n = 1 gives 1.
 * beta >= 0; 0 is the rectangle. */
void window_kaiser_f64(double *w, size_t n, double beta);

#endif
