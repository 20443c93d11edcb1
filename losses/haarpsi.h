/* haarpsi.h - Haar wavelet-based perceptual similarity.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_HAARPSI_H
#define RESIDUA_HAARPSI_H

#include "losses/image_measure.h"

#define HAARPSI_MIN_SIDE 16

/* 1 - HaarPSI: YIQ in 0..255 after 2 x 2 means; similarities (c = 30) of Haar coefficients at sides 2 and 4 in two
 * orientations and of smoothed chroma, through a logistic function (4.2), averaged with the coefficients at side 8 as
 * weights. Pictures without any weight (two black ones) count as equal; the reference gives infinity.
 * [Reisenhofer et al., A Haar wavelet-based perceptual similarity index, 2018; image.md 11.5; numbers as piq.haarpsi] */
RsdStatus measure_haarpsi(Tape *tape, const void *params, const ImageNets *nets, Tensor *ref, Tensor *dist, Tensor **value,
                          RsdError *err);

#endif
