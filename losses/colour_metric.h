/* colour_metric.h - differences of colour: CIEDE2000, ERGAS, spectral angle.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_COLOUR_METRIC_H
#define RESIDUA_COLOUR_METRIC_H

#include "losses/image_metric.h"

/* Mean over pixels of CIEDE2000 between the sRGB colours (D65, values outside [0, 1] cut). 0 for equal pictures; about 1 is
 * just noticeable, 100 is black for white. [CIE 142-2001; Sharma et al., The CIEDE2000 color-difference formula, 2005;
 * image.md 11.11] */
RsdStatus metric_ciede2000(double *value, const ImagePair *pair, RsdError *err);
/* The same as a loss, value and slope in double. The slope is 0 for equal colours, for samples outside [0, 1], and follows no
 * hue where a colour is nearer to grey than 0.01, where the formula's slope has no bound (blue) or no value. */
RsdStatus measure_ciede2000(Tape *tape, const void *params, const ImageNets *nets, Tensor *ref, Tensor *dist, Tensor **value,
                            RsdError *err);
/* CIEDE2000 of two colours L*, a*, b*. */
double ciede2000(const double lab1[3], const double lab2[3]);
/* CIEDE2000 of pixel `at`, counted along the rows. */
double ciede2000_at(const ImagePair *pair, int64_t at);

/* 100 sqrt(mean over R, G, B of (RMSE / mean of the reference)^2), for pictures of equal resolution (ratio 1). Where a channel
 * of the reference is black its mean counts as 1 / 255. [Wald, Quality of high resolution synthesised images, 2000;
 * image.md 3.12] */
RsdStatus metric_ergas(double *value, const ImagePair *pair, RsdError *err);

/* Mean angle in degrees between the colours as vectors; 0 where either is black. [Yuhas et al., 1992; image.md 3.12] */
RsdStatus metric_spectral_angle(double *value, const ImagePair *pair, RsdError *err);
/* The same as a loss. The slope, 1 over the length of the estimate's colour, is that of a length of 1 / 255 where it is darker, and
 * 0 for equal directions. */
RsdStatus measure_spectral_angle(Tape *tape, const void *params, const ImageNets *nets, Tensor *ref, Tensor *dist, Tensor **value,
                                 RsdError *err);

#endif
