/* av_mp3.h - the length that an MP3 file's first frame states.
 *
 * libavformat trims the end by it only when it can seek, and does not tell it in advance.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_AV_MP3_H
#define RESIDUA_AV_MP3_H

#include <stddef.h>
#include <stdint.h>

/* head [size]: the first bytes behind an ID3v2 tag. Samples without encoder delay and padding, -1 when there is no
 * Xing or Info header with a LAME tag. [Mp3 Info Tag rev 1 specification, lame.sourceforge.io] */
int64_t mp3_stated_len(const uint8_t *head, size_t size);

#endif
