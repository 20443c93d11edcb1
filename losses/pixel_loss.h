/* pixel_loss.h - pixel by pixel: squared, absolute and smoothed absolute difference, PSNR, total variation.
 *
 * None has a smallest picture.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_PIXEL_LOSS_H
#define RESIDUA_PIXEL_LOSS_H

#include "losses/image_measure.h"

/* Mean of d^2 and of |d| over all samples, d = dist - ref; the gradient of |d| at 0 is 0. */
RsdStatus measure_mse(Tape *tape, const void *params, const ImageNets *nets, Tensor *ref, Tensor *dist, Tensor **value,
                      RsdError *err);
RsdStatus measure_l1(Tape *tape, const void *params, const ImageNets *nets, Tensor *ref, Tensor *dist, Tensor **value,
                     RsdError *err);

/* Mean of sqrt(d^2 + 0.001^2); 0.001 for equal pictures. [Charbonnier et al., Two deterministic half-quadratic
 * regularization algorithms for computed imaging, 1994; image.md 3.1] */
RsdStatus measure_charbonnier(Tape *tape, const void *params, const ImageNets *nets, Tensor *ref, Tensor *dist,
                              Tensor **value, RsdError *err);

/* -PSNR of each picture in dB, 10 log10(mse + 1e-8): -80 with gradient 0 for equal pictures, as in piq. The metric of that
 * name has no 1e-8. [image.md 11.1] */
RsdStatus measure_psnr(Tape *tape, const void *params, const ImageNets *nets, Tensor *ref, Tensor *dist, Tensor **value,
                       RsdError *err);

/* ERGAS, 100 sqrt(mean over R, G, B of mse / mean(ref)^2), of each picture; a channel's mean counts at least 1 / 255. 0 for
 * equal pictures, with gradient 0. [image.md 3.12] */
RsdStatus measure_ergas(Tape *tape, const void *params, const ImageNets *nets, Tensor *ref, Tensor *dist, Tensor **value,
                        RsdError *err);

/* Total variation of dist alone, sums over all differences between neighbours, h across and v down [piq.total_variation]:
 *   TV_L1          sum |h| + sum |v|
 *   TV_L2          sqrt(sum h^2 + sum v^2); gradient 0 for a flat picture, where piq gives NaN
 *   TV_L2_SQUARED  sum h^2 + sum v^2 */
typedef enum TvForm { TV_L1, TV_L2, TV_L2_SQUARED } TvForm;
/* params: const TvForm *. */
RsdStatus measure_total_variation(Tape *tape, const void *params, const ImageNets *nets, Tensor *ref, Tensor *dist,
                                  Tensor **value, RsdError *err);

#endif
