/* stream_case.h - a whole picture stream, header to last tile, made by integers alone: written here and read there, on any machine.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_TESTS_STREAM_CASE_H
#define RESIDUA_TESTS_STREAM_CASE_H

#include "codec/picture_reader.h"
#include "tests/codec/tile_cases.h"

#define STREAM_CASE_MAX_SIZE 16384

/* dst [STREAM_CASE_MAX_SIZE]: six tiles with opacity, and EXIF. prior: that of the tile cases. */
RsdStatus stream_case_write(uint8_t *dst, size_t *size, const IntegerPrior *prior, const Kernels *kernels, RsdError *err);
/* Reads and decodes everything; *hash is that of all latents and of the opacity. */
RsdStatus stream_case_read(uint64_t *hash, const uint8_t *data, size_t size, const IntegerPrior *prior,
                           const Kernels *kernels, RsdError *err);

#endif
