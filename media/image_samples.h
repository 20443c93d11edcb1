/* image_samples.h - lines as files have them, sample beside sample, to planes and back.
 *
 * A pixel has the channels and then its alpha; samples of 16 bits have their most significant byte first.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_IMAGE_SAMPLES_H
#define RESIDUA_IMAGE_SAMPLES_H

#include "media/image.h"

/* line [width, n_samples], of which the image takes its channels and, where it has one, its alpha, to line y of the image. */
void image_samples_split(const uint8_t *line, int n_samples, Image *image, int64_t y);
/* Line y of the image to line [width, channels + with_alpha]. with_alpha: the image has it. */
void image_samples_join(uint8_t *line, const Image *image, bool with_alpha, int64_t y);

#endif
