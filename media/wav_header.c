/* wav_header.c - 44 bytes.
 *
 * SPDX-License-Identifier: MIT
 */
#include "media/wav_header.h"

#include <string.h>

#include "engine/base/bytes.h"

#define TAG_PCM 1
#define TAG_FLOAT 3

void wav_header_write(uint8_t header[WAV_HEADER_SIZE], int rate_hz, int channels, int bits, bool is_float,
                      int64_t n_frames)
{
    uint32_t frame_size = (uint32_t)(channels * bits / 8);
    bool known = n_frames >= 0 && n_frames <= (UINT32_MAX - WAV_HEADER_SIZE) / frame_size;
    uint32_t size = known ? (uint32_t)n_frames * frame_size : UINT32_MAX;

    memcpy(header, "RIFF", 4);
    put_u32le(header + 4, known ? size + WAV_HEADER_SIZE - 8 : UINT32_MAX);
    memcpy(header + 8, "WAVEfmt ", 8);
    put_u32le(header + 16, 16);
    put_u16le(header + 20, is_float ? TAG_FLOAT : TAG_PCM);
    put_u16le(header + 22, (uint16_t)channels);
    put_u32le(header + 24, (uint32_t)rate_hz);
    put_u32le(header + 28, (uint32_t)rate_hz * frame_size);
    put_u16le(header + 32, (uint16_t)frame_size);
    put_u16le(header + 34, (uint16_t)bits);
    memcpy(header + 36, "data", 4);
    put_u32le(header + 40, size);
}
