/* ssimulacra2.h - SSIMULACRA 2.1.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_SSIMULACRA2_H
#define RESIDUA_SSIMULACRA2_H

#include "losses/image_metric.h"

#define SSIMULACRA2_MIN_SIDE 113 /* so that all six scales exist and every weight meets its own norm */

/* 100 for equal pictures; 90 visually lossless, 70 high, 50 medium, 30 low quality, below 0 for worse. sRGB to linear light to
 * XYB; at six scales, halved in linear light, a structural similarity map and maps of edges that appeared (ringing) and
 * vanished (blur), each as mean and as quarter root of the mean fourth power; 108 fitted weights. In double, on one thread.
 * [cloudinary/ssimulacra2, libjxl tools/ssimulacra2.cc, version 2.1; image.md 11.10. The blur is the 9-tap filter that equals
 * the reference's recursive one; no vectors of the reference program were at hand.] Errors: RSD_ERR_MEMORY. */
RsdStatus metric_ssimulacra2(double *value, const ImagePair *pair, RsdError *err);

#endif
