/* several_pictures.h - whether a picture file holds more than one picture, found in its own headers.
 *
 * For the formats whose decoders do not tell: TIFF (a second page) and WebP (the animation flag of chunk VP8X).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_SEVERAL_PICTURES_H
#define RESIDUA_SEVERAL_PICTURES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* format: as image_format_of names it, NULL for unknown. False for formats other than those above and for damaged headers.
 * Reads nothing outside data [size]. */
bool several_pictures(const char *format, const uint8_t *data, size_t size);

#endif
