/* words.h - rates, channels and hashes as people read them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_CLI_WORDS_H
#define RESIDUA_CLI_WORDS_H

#include "codec/residua.h"

/* "mono", "stereo", "6 channels". Returns `text`. */
#define CHANNELS_TEXT_SIZE 24
const char *channels_text(char text[CHANNELS_TEXT_SIZE], int channels);

/* "16 kHz", "11025 Hz". Returns `text`. */
#define RATE_TEXT_SIZE 24
const char *rate_text(char text[RATE_TEXT_SIZE], int rate_hz);

/* Hexadecimal. Returns `text`. */
#define HASH_TEXT_SIZE (2 * RSD_MODEL_HASH_SIZE + 1)
const char *hash_text(char text[HASH_TEXT_SIZE], const uint8_t hash[RSD_MODEL_HASH_SIZE]);

#endif
