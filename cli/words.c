/* words.c - short texts for people.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cli/words.h"

#include <stdio.h>

const char *channels_text(char text[CHANNELS_TEXT_SIZE], int channels)
{
    if (channels <= 2)
        snprintf(text, CHANNELS_TEXT_SIZE, "%s", channels == 1 ? "mono" : "stereo");
    else
        snprintf(text, CHANNELS_TEXT_SIZE, "%d channels", channels);
    return text;
}

const char *rate_text(char text[RATE_TEXT_SIZE], int rate_hz)
{
    if (rate_hz % 100)
        snprintf(text, RATE_TEXT_SIZE, "%d Hz", rate_hz);
    else
        snprintf(text, RATE_TEXT_SIZE, "%g kHz", rate_hz / 1000.0);
    return text;
}

const char *hash_text(char text[HASH_TEXT_SIZE], const uint8_t hash[RSD_MODEL_HASH_SIZE])
{
    for (size_t i = 0; i < RSD_MODEL_HASH_SIZE; i++)
        snprintf(text + 2 * i, 3, "%02x", hash[i]);
    return text;
}
