/* av_length.c - where the audio of a file ends when packets alone do not say.
 *
 * A lossy codec works in whole frames, so the last one is padded. MP3 (LAME tag), Ogg and Matroska mark the padding and
 * libavformat cuts it. MP4 and MOV say it in three ways, none of which it cuts:
 *   - iTunSMPB, a tag with the number of frames without delay and padding: exact, followed when present;
 *   - the edit list: a duration in ticks of the movie, often 1 ms, so up to 1 ms wrong;
 *   - the durations of the packets, of which the last may be shorter than a frame: exact, but many writers leave
 *     it at a whole frame.
 * So the packets decide when they agree with the edit list to one millisecond, the shorter of both otherwise.
 *
 * SPDX-License-Identifier: MIT
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <libavutil/mathematics.h>

#include "engine/base/bytes.h"
#include "media/libav/av_parts.h"

#define PIPE_SIZE_FROM 0x7fff0000 /* data sizes of WAV files written to a pipe, see media/chunk_probe.c */
#define OGG_HEADER_SIZE 27
#define OGG_MAX_PAGE_SIZE 65307

/* " 00000000 00000840 000001C0 00000000000ABCDE ...": zero, delay, padding, length */
static int64_t parse_tag(const AVFormatContext *format, const AVStream *stream)
{
    AVDictionaryEntry *tag = av_dict_get(stream->metadata, "iTunSMPB", NULL, 0);
    uint64_t delay, padding, len;

    if (!tag)
        tag = av_dict_get(format->metadata, "iTunSMPB", NULL, 0);
    if (!tag || sscanf(tag->value, " %*8x %8" SCNx64 " %8" SCNx64 " %16" SCNx64, &delay, &padding, &len) != 3)
        return -1;
    return len > 0 && len < (uint64_t)1 << 48 ? (int64_t)len : -1;
}

static bool named(const AVFormatContext *format, const char *name)
{
    return strstr(format->iformat->name, name) != NULL;
}

void av_length_init(AvLength *length, const AVFormatContext *format, const AVStream *stream)
{
    int block_size = stream->codecpar->block_align;
    bool from_header = format->duration_estimation_method == AVFMT_DURATION_FROM_STREAM && stream->duration > 0;
    int64_t stated = -1;

    *length = (AvLength){.is_mp4 = named(format, "mp4"),
                         .time_base = stream->time_base,
                         .rate_hz = stream->codecpar->sample_rate,
                         .tagged = -1,
                         .edited = -1,
                         .first_pts = AV_NOPTS_VALUE,
                         .promised = -1};
    if (stream->duration > 0)
        stated = av_rescale_q(stream->duration, stream->time_base, (AVRational){1, length->rate_hz});
    if (length->is_mp4) {
        length->tagged = parse_tag(format, stream);
        length->edited = stated;
    }
    if (!from_header)
        return;
    if (length->is_mp4 || named(format, "mp3") || named(format, "flac") || named(format, "aiff"))
        length->promised = stated;
    if (named(format, "wav") && (block_size <= 0 || stated < PIPE_SIZE_FROM / block_size))
        length->promised = stated;
}

void av_length_add(AvLength *length, const AVPacket *packet)
{
    if (packet->flags & AV_PKT_FLAG_DISCARD)
        return; /* outside the edit list: decoded for its state, never delivered */
    if (length->first_pts == AV_NOPTS_VALUE)
        length->first_pts = packet->pts == AV_NOPTS_VALUE ? 0 : packet->pts;
    length->sum += packet->duration;
}

int64_t av_length_limit(const AvLength *length, bool complete)
{
    int64_t by_packets, tolerance = length->rate_hz / 1000 + 1;

    if (!length->is_mp4)
        return INT64_MAX;
    if (length->tagged >= 0)
        return length->tagged;
    if (!complete)
        return length->edited > 0 ? length->edited + tolerance : INT64_MAX;
    if (length->sum <= 0)
        return INT64_MAX;
    /* the encoder's delay is the part before time zero; libavcodec drops it */
    by_packets = av_rescale_q(length->sum + (length->first_pts < 0 ? length->first_pts : 0), length->time_base,
                              (AVRational){1, length->rate_hz});
    if (length->edited > 0 && by_packets > length->edited + tolerance)
        return length->edited;
    return by_packets > 0 ? by_packets : 0;
}

bool av_length_ogg_is_cut(int fd)
{
    uint8_t tail[2 * OGG_MAX_PAGE_SIZE];
    struct stat info;
    int64_t from;
    ssize_t size;

    if (fstat(fd, &info) != 0)
        return false;
    from = info.st_size > (int64_t)sizeof tail ? info.st_size - (int64_t)sizeof tail : 0;
    size = pread(fd, tail, sizeof tail, from);
    for (ssize_t i = size - 4; i >= 0; i--) {
        int64_t end = i + OGG_HEADER_SIZE;

        if (memcmp(tail + i, "OggS", 4) != 0)
            continue;
        if (end > size || end + tail[i + 26] > size)
            return true; /* cut in the page header or its table of segments */
        for (int k = 0; k < tail[i + 26]; k++)
            end += tail[i + OGG_HEADER_SIZE + k];
        return end + tail[i + 26] > size;
    }
    return false;
}
