/* chunk_probe.c - walks the chunks of RIFF, RIFX, RF64 and AIFF files.
 *
 *   RIFF size WAVE | id size contents [pad to even] | ...      RF64: 64-bit sizes in the "ds64" chunk
 *   FORM size AIFF | id size contents [pad to even] | ...      big endian
 *
 * Programs that write to a pipe cannot go back to fill in a size and leave 0, 0xffffffff or a number near 2 GiB there;
 * such a size means "until the end".
 *
 * SPDX-License-Identifier: MIT
 */
#include "media/chunk_probe.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/bytes.h"

#define MAX_CHUNKS 10000           /* a file of empty chunks must end, too */

/* sox writes 0x7ffff000 or a little less or more, arecord 0x80000000 or less, ffmpeg 0xffffffff, mpg123 that without the header. */
#define NEAR_2_GIB_FROM 0x7fff0000u
#define NEAR_2_GIB_TO 0x80010000u
#define NEAR_4_GIB_FROM 0xffff0000u

bool chunk_size_is_open(uint32_t size)
{
    return size == 0 || (size >= NEAR_2_GIB_FROM && size < NEAR_2_GIB_TO) || size >= NEAR_4_GIB_FROM;
}

bool chunk_probe(ChunkProbe *out, int fd)
{
    uint8_t head[12], chunk[28];
    struct stat info;
    bool big_endian, is_aiff;
    uint64_t size64 = 0;
    int64_t at = 12;

    if (fstat(fd, &info) != 0 || pread(fd, head, sizeof head, 0) != (ssize_t)sizeof head)
        return false;
    is_aiff = memcmp(head, "FORM", 4) == 0;
    big_endian = is_aiff || memcmp(head, "RIFX", 4) == 0;
    for (int i = 0; i < MAX_CHUNKS && at + 8 <= info.st_size; i++) {
        uint32_t size;

        if (pread(fd, chunk, 8, at) != 8)
            return false;
        size = big_endian ? get_u32be(chunk + 4) : get_u32le(chunk + 4);
        at += 8;
        if (memcmp(chunk, "ds64", 4) == 0 && size >= 16 && pread(fd, chunk, 16, at) == 16)
            size64 = get_u64le(chunk + 8); /* after the size of the whole file */
        if (memcmp(chunk, is_aiff ? "SSND" : "data", 4) == 0) {
            int64_t present = info.st_size - at;
            uint64_t promised = size == UINT32_MAX && size64 ? size64 : size;

            out->goes_on = memcmp(head, "RIFF", 4) == 0 && chunk_size_is_open(size) && size < present &&
                           (int64_t)get_u32le(head + 4) + 8 < info.st_size;
            if (promised == 0 || out->goes_on || (promised == size && chunk_size_is_open(size) && present < size) || promised > INT64_MAX)
                promised = (uint64_t)present;
            out->data_size = (int64_t)promised;
            out->data_present = present < out->data_size ? present : out->data_size;
            return true;
        }
        at += (int64_t)size + (size & 1);
    }
    return false;
}
