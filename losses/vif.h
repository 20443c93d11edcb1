/* vif.h - visual information fidelity in the pixel domain.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_VIF_H
#define RESIDUA_VIF_H

#include "losses/image_measure.h"

#define VIF_MIN_SIDE 41

/* 1 - VIFp: luma in 0..255 at four scales (Gaussian windows of 17, 9, 5, 3 taps, sigma a fifth of that; filtered and every
 * second sample taken between); information about the reference through the distorted picture over that in the reference
 * itself, both summed over all scales, plus 1e-8. Not symmetric; below 0 when contrast is enhanced. Two flat pictures: 0.
 * [Sheikh and Bovik, Image information and visual quality, 2006; image.md 11.6; numbers as piq.vif_p] */
RsdStatus measure_vif(Tape *tape, const void *params, const ImageNets *nets, Tensor *ref, Tensor *dist, Tensor **value,
                      RsdError *err);

#endif
