/* pyramid.h - one level of a Laplacian pyramid in double, as IW-SSIM builds it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_PYRAMID_H
#define RESIDUA_PYRAMID_H

#include "losses/plane_math.h"

/* x [h, w] = low doubled + band. low [(h + 1) / 2, (w + 1) / 2]: x through (1 4 6 4 1) / 16 times sqrt 2 in both directions, reflected at
 * the edges, every second sample; doubled: zeros between, reflected, the same filter. [Burt, Adelson, The Laplacian pyramid as a compact
 * image code, 1983] Errors: RSD_ERR_MEMORY. */
RsdStatus pyramid_split(Plane *low, Plane *band, const Plane *x, RsdError *err);

/* Makes dx, the gradient by x, of those by low and band. dlow becomes the whole gradient by low: that through the band is added.
 * Errors: RSD_ERR_MEMORY. */
RsdStatus pyramid_split_back(Plane *dx, Plane *dlow, const Plane *dband, RsdError *err);

#endif
