/* av_mp3.h - what an MP3 file's first frame states of the whole.
 *
 * libavformat trims the end by it only when it can seek, and does not tell it in advance.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_AV_MP3_H
#define RESIDUA_AV_MP3_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct Mp3Stated {
    int64_t len;      /* samples without encoder delay and padding */
    int64_t n_frames; /* of MPEG, behind the first one */
    int64_t size;     /* bytes from the first frame on, 0: not said */
} Mp3Stated;

/* head [size]: the first bytes behind an ID3v2 tag. False when there is no Xing or Info header with a LAME tag.
 * [Mp3 Info Tag rev 1 specification, lame.sourceforge.io] */
bool mp3_stated(Mp3Stated *out, const uint8_t *head, size_t size);

#endif
