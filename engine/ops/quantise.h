/* quantise.h - rounding in networks that are trained: straight-through, soft, noise in its place, and weights as an integer
 * network will have them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_OPS_QUANTISE_H
#define RESIDUA_OPS_QUANTISE_H

#include "engine/kernels/latent.h"
#include "engine/tape.h"

/* floor(x + 1/2) with the gradient 1. Errors of all: RSD_ERR_MEMORY. */
RsdStatus op_round(Tape *tape, Tensor *x, Tensor **y, RsdError *err);
/* clamp(floor(x per_unit + 1/2) / per_unit, low, high); gradient 1, but 0 beyond a bound where it leads away. */
RsdStatus op_snap(Tape *tape, Tensor *x, float per_unit, float low, float high, Tensor **y, RsdError *err);
/* clamp(x, low, high) with the same gradient: unlike a clamp's it does not lose what has gone too far. */
RsdStatus op_bound(Tape *tape, Tensor *x, float low, float high, Tensor **y, RsdError *err);
/* Between the identity (temperature large) and rounding (small); the slope is the function's own. [image.md 6.4] */
RsdStatus op_soft_round(Tape *tape, Tensor *x, float temperature, Tensor **y, RsdError *err);

/* One of the two whole numbers around x, softly: the Gumbel softmax over them at temperature t, nearer ones likelier; u [shape of x] in
 * (0, 1) without a gradient. The slope is the function's own. [Yang et al., Improving Inference for Neural Image Compression, 2020;
 * image.md 9.1] Errors: RSD_ERR_ARG naming the shapes, RSD_ERR_MEMORY. */
RsdStatus op_stochastic_round(Tape *tape, Tensor *x, const Tensor *u, float t, Tensor **y, RsdError *err);

/* Uniform numbers [shape of like] in (0, 1), drawn as those of op_uniform_noise. */
RsdStatus op_uniform(Tape *tape, const Tensor *like, uint64_t seed, uint64_t step, uint32_t sample, Tensor **u, RsdError *err);
/* x + u, u uniform in [-1/2, 1/2), drawn at (seed, RNG_MODEL, step) from sample `sample` on, one for each POINT_BLOCK. x is what
 * begins at element `first` of a larger tensor, and gets the noise of that. */
RsdStatus op_uniform_noise(Tape *tape, Tensor *x, uint64_t seed, uint64_t step, uint32_t sample, int64_t first, Tensor **y, RsdError *err);

/* w [rows, ...]: each row rounded to -127 .. 127 times its scale, as integer_scales (engine/kernels/integer.h) sets it;
 * gradient 1. Errors: RSD_ERR_NUMERIC (not finite or out of range), RSD_ERR_MEMORY. */
RsdStatus op_quantise_weights(Tape *tape, Tensor *w, Tensor **y, RsdError *err);

#endif
