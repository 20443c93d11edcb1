/* spectrum_oracle.h - short-time transforms and mel filters in double, from their definitions, for tests.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_TESTS_SPECTRUM_ORACLE_H
#define RESIDUA_TESTS_SPECTRUM_ORACLE_H

#include "engine/dsp/mel.h"
#include "engine/dsp/stft.h"

/* Frames of a signal of n samples, and sample i of it with padding: i may lie outside. */
int64_t oracle_frames(const StftConfig *c, int64_t n);
double oracle_sample(const StftConfig *c, const double *x, int64_t n, int64_t i);
double oracle_window(const StftConfig *c, int i); /* without normalisation */
double oracle_scale(const StftConfig *c);
int64_t oracle_left(const StftConfig *c);

/* s [2, bins, frames] of x [n]. */
void oracle_stft(const StftConfig *c, const double *x, int64_t n, double *s);
/* x [n] of s [2, bins, frames]. */
void oracle_istft(const StftConfig *c, const double *s, int64_t n_frames, double *x, int64_t n);
/* Weight of bin k in filter m. */
double oracle_mel_weight(const MelConfig *c, int m, int k);

#endif
