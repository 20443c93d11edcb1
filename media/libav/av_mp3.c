/* av_mp3.c - Xing header and LAME tag.
 *
 *   frame header (4) | side information (9, 17 or 32) | "Xing" or "Info" | flags | frames? | bytes? | table (100)? |
 *   quality? | encoder name (9) | ... | delay and padding, 12 bits each, 21 bytes behind the name's start
 *
 * SPDX-License-Identifier: MIT
 */
#include "media/libav/av_mp3.h"

#include <string.h>

#include "engine/base/bytes.h"

#define HAS_FRAMES 1u
#define HAS_BYTES 2u
#define HAS_TABLE 4u
#define HAS_QUALITY 8u
#define TABLE_SIZE 100
#define DELAY_OFFSET 21

bool mp3_stated(Mp3Stated *out, const uint8_t *head, size_t size)
{
    unsigned version, mode, flags;
    size_t at;
    int64_t delay, padding;

    if (size < 4 || head[0] != 0xff || (head[1] & 0xe0) != 0xe0 || (head[1] >> 1 & 3) != 1) /* layer III */
        return false;
    version = head[1] >> 3 & 3; /* 3: MPEG-1, 2: MPEG-2, 0: MPEG-2.5 */
    mode = head[3] >> 6;        /* 3: mono */
    at = 4 + (version == 3 ? (mode == 3 ? 17u : 32u) : (mode == 3 ? 9u : 17u));
    if (size < at + 16 || (memcmp(head + at, "Xing", 4) != 0 && memcmp(head + at, "Info", 4) != 0))
        return false;
    flags = get_u32be(head + at + 4);
    if (!(flags & HAS_FRAMES))
        return false;
    out->n_frames = get_u32be(head + at + 8);
    out->size = flags & HAS_BYTES ? get_u32be(head + at + 12) : 0;
    at += 12 + (flags & HAS_BYTES ? 4u : 0u) + (flags & HAS_TABLE ? TABLE_SIZE : 0u) + (flags & HAS_QUALITY ? 4u : 0u);
    if (size < at + DELAY_OFFSET + 3 || (memcmp(head + at, "LAME", 4) != 0 && memcmp(head + at, "Lav", 3) != 0))
        return false;
    delay = head[at + DELAY_OFFSET] << 4 | head[at + DELAY_OFFSET + 1] >> 4;
    padding = (head[at + DELAY_OFFSET + 1] & 15) << 8 | head[at + DELAY_OFFSET + 2];
    out->len = out->n_frames * (version == 3 ? 1152 : 576) - delay - padding;
    return out->len > 0;
}
