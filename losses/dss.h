/* dss.h - similarity of DCT sub-bands.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_DSS_H
#define RESIDUA_DSS_H

#include "losses/image_measure.h"

#define DSS_MIN_SIDE 8

/* 1 - DSS: luma in 0..255, cut to multiples of 8; each coefficient of the 8 x 8 cosine transform makes a picture of its own,
 * whose local deviations (3 x 3 Gaussian, sigma 1.5) are compared, c = 300 (1000 for the mean); the worst 5 % of places
 * count. The mean also counts how well its values go together. Sub-bands are weighted by exp(-((m + 1/2)^2 + (n + 1/2)^2) /
 * (2 1.55^2)), those below 0.01 left out. [Balanov et al., Image quality assessment based on DCT subband similarity, 2015;
 * image.md 11.7; numbers as piq.dss] */
RsdStatus measure_dss(Tape *tape, const void *params, const ImageNets *nets, Tensor *ref, Tensor *dist, Tensor **value,
                      RsdError *err);

#endif
