/* gmsd.h - gradient magnitude similarity deviation, at one scale and at four.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_GMSD_H
#define RESIDUA_GMSD_H

#include "losses/image_measure.h"

/* Population standard deviation of the similarity of Prewitt gradient magnitudes, c = 170 / 255^2, of luma after 2 x 2 means;
 * 0 for equal pictures, where the gradient is 0 (piq: NaN). [Xue et al., Gradient magnitude similarity deviation, 2014;
 * image.md 11.4; numbers as piq.gmsd] */
RsdStatus measure_gmsd(Tape *tape, const void *params, const ImageNets *nets, Tensor *ref, Tensor *dist, Tensor **value,
                       RsdError *err);

/* sqrt of the weighted sum over four scales, the first at full size, of the squared deviation of S with alpha = 1/2, c = 170,
 * on luma in 0..255; weights 0.096 0.596 0.289 0.019. [Zhang et al., Gradient magnitude similarity deviation on multiple
 * scales, 2017; image.md 11.4; numbers as piq.multi_scale_gmsd] */
#define MS_GMSD_MIN_SIDE 17
RsdStatus measure_ms_gmsd(Tape *tape, const void *params, const ImageNets *nets, Tensor *ref, Tensor *dist, Tensor **value,
                          RsdError *err);

#endif
