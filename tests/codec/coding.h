/* coding.h - whole signals through the encoder and decoder, in blocks of any size.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_TESTS_CODING_H
#define RESIDUA_TESTS_CODING_H

#include "codec/model.h"
#include "streams.h"

/* Planar noise [channels, n] with a slow swell, from (seed); malloc. */
float *noise_signal(int channels, size_t n, uint64_t seed);

/* Encodes samples [channels, n] in blocks of `block` samples (0: at once) into bytes (emptied first). options: write is
 * set here. */
RsdStatus encode_all(Bytes *bytes, RsdEncoderOptions options, const float *samples, size_t n, size_t block,
                     RsdError *err);

/* Decodes bytes in blocks of `block` samples (0: 1000) into *samples [channels][*n] (malloc, NULL on an error of open).
 * options: read is set here. What was delivered before an error is there. */
RsdStatus decode_all(float **samples, size_t *n, RsdDecoderOptions options, Bytes *bytes, size_t block,
                     RsdStreamReport *report, RsdError *err);

#endif
