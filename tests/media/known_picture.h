/* known_picture.h - a picture by a formula, and files of it in the fixture's folder (tests/media/fixture.h).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_TESTS_KNOWN_PICTURE_H
#define RESIDUA_TESTS_KNOWN_PICTURE_H

#include "media/image_writer.h"

#define KNOWN_WIDTH 61
#define KNOWN_HEIGHT 47

/* Channel c (3: opacity) at a place, in 0 .. 1. */
double known_picture_value(int c, int64_t x, int64_t y);
Image *known_picture(int channels, int bits, bool has_alpha);
/* Sides, channels, bits, every sample. */
void expect_same_picture(const char *what, const Image *got, const Image *expected);
/* Peak signal-to-noise ratio in dB over all colours. */
double picture_psnr_db(const Image *a, const Image *b);

/* Files by their names in the folder; failures end the test. */
Image *picture_read(const char *name);
void picture_write(const Image *image, const char *name, const ImageWriteOptions *options);
uint8_t *picture_bytes(const char *name, size_t *size); /* by malloc */

#endif
