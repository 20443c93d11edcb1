/* tiny_codec.h - a codec with random weights and codebooks that is small enough to run thousands of times.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_TESTS_TINY_CODEC_H
#define RESIDUA_TESTS_TINY_CODEC_H

#include "codec/model.h"

/* "tiny": 1000 Hz, hop 8, 5 stages of 4 bits (2.5 kbit/s), packets of 125 frames. Aborts when it cannot be made. */
#define TINY_HOP 8
#define TINY_STAGES 5
#define TINY_PACKET 1000

AudioCodec *tiny_codec_create(int channels, uint64_t seed);
/* The same with a projected quantiser whose stages have codes of 4, 2, 1, 1 and 1 frames. */
AudioCodec *tiny_codec_create_multirate(uint64_t seed);

#endif
