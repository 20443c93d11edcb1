/* av_mp4.c - reads the few boxes that matter.
 *
 *   moov: mvhd (movie timescale)
 *         trak: tkhd (id)  edts: elst (edits)
 *               mdia: mdhd (timescale)  hdlr ("soun")  minf: stbl: stts (duration of every sample)
 *
 * Box sizes come from the file: a box never reaches beyond its parent, and the work is bounded by counts.
 * [1] ISO/IEC 14496-12, 8.2, 8.3, 8.4, 8.6.
 *
 * SPDX-License-Identifier: MIT
 */
#include "media/libav/av_mp4.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/bytes.h"

#define MAX_BOXES 4096           /* in one parent */
#define MAX_STTS_ENTRIES 1000000 /* constant-rate audio has a handful */
#define STTS_BLOCK 512           /* entries per read */
#define MAX_TIME ((int64_t)1 << 46)

typedef struct Span {
    int64_t from, to; /* contents of a box */
} Span;

typedef struct Edits {
    bool simple, present;
    int64_t media_time, duration; /* ticks of the media, of the movie */
} Edits;

static uint64_t get_u64be(const uint8_t *p)
{
    return (uint64_t)get_u32be(p) << 32 | get_u32be(p + 4);
}

static bool read_at(int fd, void *dst, size_t size, int64_t at)
{
    return pread(fd, dst, size, at) == (ssize_t)size;
}

/* The next box at *at inside parent; moves *at behind it. */
static bool next_box(int fd, Span parent, int64_t *at, char type[4], Span *contents)
{
    uint8_t head[16];
    uint64_t size, head_size = 8;

    if (parent.to - *at < 8 || !read_at(fd, head, 8, *at))
        return false;
    size = get_u32be(head);
    if (size == 1) {
        if (parent.to - *at < 16 || !read_at(fd, head, 16, *at))
            return false;
        size = get_u64be(head + 8);
        head_size = 16;
    } else if (size == 0) {
        size = (uint64_t)(parent.to - *at);
    }
    if (size < head_size || size > (uint64_t)(parent.to - *at))
        return false;
    memcpy(type, head + 4, 4);
    *contents = (Span){*at + (int64_t)head_size, *at + (int64_t)size};
    *at += (int64_t)size;
    return true;
}

static bool find_box(int fd, Span parent, const char *wanted, Span *contents)
{
    int64_t at = parent.from;
    char type[4];

    for (int i = 0; i < MAX_BOXES && next_box(fd, parent, &at, type, contents); i++)
        if (memcmp(type, wanted, 4) == 0)
            return true;
    return false;
}

/* mvhd and mdhd: timescale behind two times whose size depends on the version. */
static bool read_timescale(int fd, Span box, uint32_t *timescale)
{
    uint8_t b[24];

    if (box.to - box.from < 24 || !read_at(fd, b, sizeof b, box.from))
        return false;
    *timescale = get_u32be(b + (b[0] == 1 ? 20 : 12));
    return *timescale > 0;
}

static bool read_track_id(int fd, Span box, uint32_t *id)
{
    uint8_t b[24];

    if (box.to - box.from < 24 || !read_at(fd, b, sizeof b, box.from))
        return false;
    *id = get_u32be(b + (b[0] == 1 ? 20 : 12));
    return true;
}

static Edits read_edits(int fd, Span trak)
{
    Edits out = {.simple = true};
    Span edts, elst;
    uint8_t head[8];
    uint32_t count;

    if (!find_box(fd, trak, "edts", &edts) || !find_box(fd, edts, "elst", &elst))
        return out;
    if (!read_at(fd, head, sizeof head, elst.from))
        return (Edits){0};
    count = get_u32be(head + 4);
    for (uint32_t i = 0; i < count; i++) {
        size_t size = head[0] == 1 ? 20 : 12;
        uint8_t b[20];
        int64_t duration, media_time;

        if (i >= MAX_BOXES || !read_at(fd, b, size, elst.from + 8 + (int64_t)(i * size)))
            return (Edits){0};
        duration = head[0] == 1 ? (int64_t)get_u64be(b) : get_u32be(b);
        media_time = head[0] == 1 ? (int64_t)get_u64be(b + 8) : (int32_t)get_u32be(b + 4);
        if (media_time == -1)
            continue; /* a pause before the sound: time stamps, not samples */
        if (out.present || media_time < 0 || media_time > MAX_TIME || duration < 0 || duration > MAX_TIME ||
            get_u32be(b + size - 4) != 0x10000)
            return (Edits){0};
        out.present = true;
        out.media_time = media_time;
        out.duration = duration;
    }
    return out;
}

/* Sum of all sample durations; 0 for a fragmented file, -1 for a damaged one. */
static int64_t sum_durations(int fd, Span stts)
{
    uint8_t block[STTS_BLOCK * 8];
    uint32_t count, done = 0;
    int64_t sum = 0;

    if (!read_at(fd, block, 8, stts.from))
        return -1;
    count = get_u32be(block + 4);
    if (count > MAX_STTS_ENTRIES || (int64_t)count * 8 > stts.to - stts.from - 8)
        return -1;
    while (done < count) {
        uint32_t n = count - done < STTS_BLOCK ? count - done : STTS_BLOCK;

        if (!read_at(fd, block, (size_t)n * 8, stts.from + 8 + (int64_t)done * 8))
            return -1;
        for (uint32_t i = 0; i < n; i++) {
            uint64_t run = (uint64_t)get_u32be(block + 8 * i) * get_u32be(block + 8 * i + 4);

            if (run > (uint64_t)(MAX_TIME - sum))
                return -1;
            sum += (int64_t)run;
        }
        done += n;
    }
    return sum;
}

/* 1: a sound track, stored; 0: some other track; -1: not simple. */
static int read_track(int fd, Span trak, uint32_t movie_timescale, Mp4Track *track)
{
    Span tkhd, mdia, mdhd, hdlr, minf, stbl, stts;
    uint8_t handler[12];
    Edits edits;
    int64_t sum, edit_len, tick;

    if (!find_box(fd, trak, "mdia", &mdia) || !find_box(fd, mdia, "hdlr", &hdlr) ||
        !read_at(fd, handler, sizeof handler, hdlr.from) || memcmp(handler + 8, "soun", 4) != 0)
        return 0;
    if (!find_box(fd, trak, "tkhd", &tkhd) || !read_track_id(fd, tkhd, &track->id) ||
        !find_box(fd, mdia, "mdhd", &mdhd) || !read_timescale(fd, mdhd, &track->timescale) ||
        !find_box(fd, mdia, "minf", &minf) || !find_box(fd, minf, "stbl", &stbl) || !find_box(fd, stbl, "stts", &stts))
        return -1;
    edits = read_edits(fd, trak);
    sum = sum_durations(fd, stts);
    if (!edits.simple || sum <= 0 || edits.media_time >= sum)
        return -1;
    track->has_edit = edits.present;
    track->skip = edits.media_time;
    track->len = sum - edits.media_time;
    if (!edits.present || edits.duration == 0)
        return 1;
    /* The edit's duration is rounded to a tick of the movie, so it says more only when it is shorter by more than that:
     * some writers pad the last sample to a whole frame and mark the end here. */
    edit_len = (int64_t)((double)edits.duration * track->timescale / movie_timescale + 0.5);
    tick = track->timescale / movie_timescale + 1;
    if (edit_len < track->len - tick)
        track->len = edit_len;
    return 1;
}

bool mp4_probe(Mp4Probe *out, int fd)
{
    struct stat info;
    Span file, moov, mvhd, contents;
    uint32_t movie_timescale;
    uint8_t head[8];
    int64_t at;
    char type[4];

    out->n_tracks = 0;
    if (fstat(fd, &info) != 0 || !read_at(fd, head, sizeof head, 0))
        return false;
    if (memcmp(head + 4, "ftyp", 4) != 0 && memcmp(head + 4, "moov", 4) != 0 && memcmp(head + 4, "mdat", 4) != 0 &&
        memcmp(head + 4, "wide", 4) != 0 && memcmp(head + 4, "free", 4) != 0)
        return false;
    file = (Span){0, info.st_size};
    if (!find_box(fd, file, "moov", &moov) || !find_box(fd, moov, "mvhd", &mvhd) ||
        !read_timescale(fd, mvhd, &movie_timescale) || find_box(fd, moov, "mvex", &contents))
        return false;
    at = moov.from;
    for (int i = 0; i < MAX_BOXES && next_box(fd, moov, &at, type, &contents); i++) {
        int kind = 0;

        if (memcmp(type, "trak", 4) == 0 && out->n_tracks < MP4_MAX_TRACKS)
            kind = read_track(fd, contents, movie_timescale, &out->tracks[out->n_tracks]);
        if (kind < 0)
            return false;
        out->n_tracks += kind;
    }
    return out->n_tracks > 0;
}
