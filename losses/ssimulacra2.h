/* ssimulacra2.h - SSIMULACRA 2.1.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_SSIMULACRA2_H
#define RESIDUA_SSIMULACRA2_H

#include "losses/image_measure.h"

#define SSIMULACRA2_MIN_SIDE 113 /* so that all six scales exist and every weight meets its own norm */

/* (100 - score) / 100. The score is 100 for equal pictures; 90 visually lossless, 70 high, 50 medium, 30 low quality, below 0 for
 * worse. sRGB to linear light to XYB; at six scales, halved in linear light, a structural similarity map and maps of edges that
 * appeared (ringing) and vanished (blur), each as mean and as quarter root of the mean fourth power; 108 fitted weights. Written
 * with differences of the pictures, so it is exact near 0; the gradient is 0 for equal pictures, where the formula's slope is
 * infinite. [cloudinary/ssimulacra2, libjxl tools/ssimulacra2.cc, version 2.1; image.md 11.10. The blur is the 9-tap filter that
 * equals the reference's recursive one. Debian has no program of version 2, so the numbers are held against a numpy script,
 * tests/losses/image_reference.py.] */
RsdStatus measure_ssimulacra2(Tape *tape, const void *params, const ImageNets *nets, Tensor *ref, Tensor *dist, Tensor **value,
                              RsdError *err);

#endif
