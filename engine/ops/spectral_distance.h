/* spectral_distance.h - distance of two signals' spectrograms over several scales, with its gradient, in one pass.
 *
 * The separate ops of stft.h, spectrum.h and mel.h can express the same losses; here a block of eight frames goes
 * through transform, feature, filter bank, distance and back while it is in the cache, and nothing of the size of a
 * spectrogram is stored. When the tape records, the forward pass computes the gradient too (backward only scales it),
 * since everything it needs is at hand then.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_OPS_SPECTRAL_DISTANCE_H
#define RESIDUA_OPS_SPECTRAL_DISTANCE_H

#include "engine/dsp/mel.h"
#include "engine/dsp/stft.h"
#include "engine/tape.h"

typedef enum SpectralFeature {
    SPECTRAL_MAGNITUDE, /* sqrt(max(|X|^2, floor)) */
    SPECTRAL_POWER,     /* |X|^2 */
    SPECTRAL_COMPRESSED /* X (|X|^2 + eps)^((exponent - 1) / 2): real and imaginary part count as two elements */
} SpectralFeature;

/* One scale: mean over all elements of `terms`, a from the estimate x and b from the target y, plus
 * convergence ||A - B|| / ||B|| with Frobenius norms over all elements. Borrowed pointers. */
typedef struct SpectralScale {
    const Stft *stft;
    const MelBank *mel; /* NULL: no filter bank; not with SPECTRAL_COMPRESSED */
    SpectralFeature feature;
    float floor;
    float exponent, eps;
    DistanceTerms terms;
    float convergence;
} SpectralScale;

/* x, y [.., n] of one shape, each row along the last axis a signal -> value [1], the sum over the scales. Gradients
 * flow to x only. A signal too short for a single frame of a scale is an error (STFT_PAD_NONE only).
 * Errors: RSD_ERR_ARG naming the shapes, RSD_ERR_MEMORY. */
RsdStatus op_spectral_distance(Tape *tape, const SpectralScale *scales, int n_scales, Tensor *x, Tensor *y,
                               Tensor **value, RsdError *err);

#endif
