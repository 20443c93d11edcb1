/* spectrum_fft.h - the reference set's transforms, for spectrum.c to put into its table.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_SPECTRUM_FFT_REF_H
#define RESIDUA_SPECTRUM_FFT_REF_H

#include "engine/kernels/spectrum.h"

void spectrum_forward_ref(const BlockFft *fft, float *block, float *work, float *re, float *im);
void spectrum_adjoint_ref(const BlockFft *fft, const float *re, const float *im, float *work, float *block);

void spectrum_power_frames_ref(const BlockFftF64 *fft, const float *x, int64_t hop, const double *window, int n_frames, bool roots,
                               double *work, double *power);

#endif
