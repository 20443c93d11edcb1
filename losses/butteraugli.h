/* butteraugli.h - Butteraugli: how visible the difference of two pictures is, after models of the eye's receptors, of bands of
 * detail and of masking. 1 is just noticeable at the distance it was made for; larger is worse.
 *
 * The constants are those of libjxl 0.7, for a white of 80 cd/m2; values are those of its butteraugli_main to 1e-3
 * (tests/losses/test_butteraugli.c). [Alakuijala et al., Guetzli, 2017; image.md 11.10]
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_BUTTERAUGLI_H
#define RESIDUA_BUTTERAUGLI_H

#include "losses/image_metric.h"

#define BUTTERAUGLI_MIN_SIDE 8

/* map [h, w]: the difference of each pixel; pictures of at least 8 x 8 pixels. Each thread takes 25 floats for each pixel of 336
 * rows, whatever the height. Errors: RSD_ERR_MEMORY. */
RsdStatus butteraugli_map(float *map, const ImagePair *pair, RsdError *err);

/* The largest of the map, and its 3-norm: mean of (mean d^3)^(1/3), (mean d^6)^(1/6) and (mean d^12)^(1/12).
 * Errors as above. */
RsdStatus metric_butteraugli(double *value, const ImagePair *pair, RsdError *err);
RsdStatus metric_butteraugli_3norm(double *value, const ImagePair *pair, RsdError *err);

/* Both as losses. The 3-norm is the form to train with: all that is visible has a slope. That of the largest reaches only what its
 * one pixel depends on, some 75 x 75 pixels. 0 for equal pictures. A slope takes 39 floats for each pixel of 336 rows. */
RsdStatus measure_butteraugli(Tape *tape, const void *params, const ImageNets *nets, Tensor *ref, Tensor *dist, Tensor **value,
                              RsdError *err);
RsdStatus measure_butteraugli_3norm(Tape *tape, const void *params, const ImageNets *nets, Tensor *ref, Tensor *dist, Tensor **value,
                                    RsdError *err);

#endif
