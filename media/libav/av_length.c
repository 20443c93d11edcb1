/* av_length.c - where the audio of a file begins and ends when libavformat's trimming does not say exactly.
 *
 * A lossy codec works in whole frames behind a delay, so some decoded samples are not part of the recording.
 * libavformat knows and libavcodec drops them for MP3 with a LAME tag, Ogg and Matroska. What is left:
 *   - MP4 and MOV: a tag (iTunSMPB) with delay and length, else the edit list and the table of durations (av_mp4.h);
 *   - the same through a pipe, where the index cannot be read twice: libavformat's edit list, which is right to a
 *     millisecond, and the durations of its packets;
 *   - MP3: the same tag, read from the first bytes (av_mp3.h), because libavformat follows it only when it can seek. Files that
 *     were joined have more behind what the first one's tag states.
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
#include "media/libav/av_mp3.h"
#include "media/libav/av_parts.h"

#define PIPE_SIZE_FROM 0x7fff0000 /* data sizes of WAV files written to a pipe, see media/chunk_probe.c */
#define MP3_FRAMES_BEHIND 2       /* of the next file at a joint: its own tag, and the encoder's delay */
#define OGG_HEADER_SIZE 27
#define OGG_MAX_PAGE_SIZE 65307

/* " 00000000 00000840 000001C0 00000000000ABCDE ...": zero, delay, padding, length */
static bool parse_tag(const AVFormatContext *format, const AVStream *stream, int64_t *delay, int64_t *len)
{
    AVDictionaryEntry *tag = av_dict_get(stream->metadata, "iTunSMPB", NULL, 0);
    uint64_t front, back, middle;

    if (!tag)
        tag = av_dict_get(format->metadata, "iTunSMPB", NULL, 0);
    if (!tag || sscanf(tag->value, " %*8x %8" SCNx64 " %8" SCNx64 " %16" SCNx64, &front, &back, &middle) != 3 ||
        middle == 0 || middle > (uint64_t)1 << 46)
        return false;
    *delay = (int64_t)front;
    *len = (int64_t)middle;
    return true;
}

static bool named(const AVFormatContext *format, const char *name)
{
    return strstr(format->iformat->name, name) != NULL;
}

/* Skip and limit of an MP4 whose boxes were read. */
static void use_track(AvLength *length, const AVFormatContext *format, const AVStream *stream, const Mp4Probe *mp4)
{
    AVRational to = {1, length->rate_hz};

    for (int i = 0; i < mp4->n_tracks; i++) {
        const Mp4Track *track = &mp4->tracks[i];
        AVRational from = {1, (int)track->timescale};

        if (track->id != (uint32_t)stream->id || track->timescale > INT32_MAX)
            continue;
        length->skip = av_rescale_q(track->skip, from, to);
        length->limit = av_rescale_q(track->len, from, to);
        if (!track->has_edit && !parse_tag(format, stream, &length->skip, &length->limit))
            length->skip = stream->codecpar->initial_padding;
        length->promised = length->limit;
        return;
    }
}

/* Far more bytes than the tag states, as libavformat judges it, are further files joined to the first. A pipe tells by its packets. */
static void use_mp3_tag(AvLength *length, const AvInput *input)
{
    struct stat info;
    Mp3Stated stated;

    if (!mp3_stated(&stated, input->head, input->head_size))
        return;
    if (input->seekable && stated.size > 0 && fstat(input->fd, &info) == 0 &&
        info.st_size - input->head_from - stated.size > stated.size / 16)
        return;
    length->limit = stated.len;
    if (!input->seekable)
        length->n_within = stated.n_frames + MP3_FRAMES_BEHIND + 1;
}

void av_length_init(AvLength *length, const AVFormatContext *format, const AVStream *stream, const AvInput *input,
                    const Mp4Probe *mp4)
{
    int block_size = stream->codecpar->block_align;
    bool from_header = format->duration_estimation_method == AVFMT_DURATION_FROM_STREAM && stream->duration > 0;
    int64_t stated = -1;

    *length = (AvLength){.time_base = stream->time_base,
                         .rate_hz = stream->codecpar->sample_rate,
                         .limit = -1,
                         .edited = -1,
                         .first_pts = AV_NOPTS_VALUE,
                         .promised = -1};
    if (mp4) {
        length->manual = true;
        use_track(length, format, stream, mp4);
        return;
    }
    if (stream->duration > 0)
        stated = av_rescale_q(stream->duration, stream->time_base, (AVRational){1, length->rate_hz});
    if (named(format, "mp4")) {
        length->by_packets = true;
        length->edited = stated;
    }
    if (strcmp(format->iformat->name, "mp3") == 0)
        use_mp3_tag(length, input);
    length->promised = length->limit;
    if (input->seekable && strcmp(format->iformat->name, "ogg") == 0 &&
        format->duration_estimation_method != AVFMT_DURATION_FROM_BITRATE)
        length->promised =
            stated - stream->codecpar->initial_padding; /* the last page's position; Opus counts its pre-skip */
    if (!from_header || length->promised >= 0)
        return;
    if (named(format, "mp4") || named(format, "mp3") || named(format, "flac") || named(format, "aiff"))
        length->promised = stated;
    if (named(format, "wav") && (block_size <= 0 || stated < PIPE_SIZE_FROM / block_size))
        length->promised = stated;
}

void av_length_add(AvLength *length, const AVPacket *packet)
{
    if (packet->flags & AV_PKT_FLAG_DISCARD)
        return; /* outside the edit list: decoded for its state, never delivered */
    if (length->first_pts == AV_NOPTS_VALUE) {
        length->first_pts = packet->pts == AV_NOPTS_VALUE ? 0 : packet->pts;
        /* libavformat asks the decoder to drop what lies before time zero, except in fragmented files */
        if (length->by_packets && length->first_pts < 0 &&
            !av_packet_get_side_data(packet, AV_PKT_DATA_SKIP_SAMPLES, NULL))
            length->skip = av_rescale_q(-length->first_pts, length->time_base, (AVRational){1, length->rate_hz});
    }
    length->sum += packet->duration;
    if (length->n_within > 0 && --length->n_within == 0)
        length->limit = length->promised = -1;
}

int64_t av_length_limit(const AvLength *length, bool complete)
{
    int64_t by_packets, tolerance = length->rate_hz / 1000 + 1;

    if (length->limit >= 0)
        return length->limit;
    if (!length->by_packets)
        return INT64_MAX;
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
