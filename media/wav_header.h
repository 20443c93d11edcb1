/* wav_header.h - the header of a WAV stream that cannot be completed later.
 *
 *   0 "RIFF"  4 size  8 "WAVE"  12 "fmt "  16 16  20 tag  22 channels  24 rate  28 bytes/s  32 bytes/frame  34 bits
 *   36 "data" 40 size  44 samples...
 *
 * [1] Microsoft and IBM, Multimedia Programming Interface and Data Specifications 1.0, 1991.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_WAV_HEADER_H
#define RESIDUA_WAV_HEADER_H

#include <stdbool.h>
#include <stdint.h>

#define WAV_HEADER_SIZE 44

/* n_frames < 0, or so many that a size overflows: both sizes say 0xffffffff, "until the end". */
void wav_header_write(uint8_t header[WAV_HEADER_SIZE], int rate_hz, int channels, int bits, bool is_float,
                      int64_t n_frames);

#endif
