/* av_mp4.h - which samples of an MP4 or MOV file belong to the recording.
 *
 * libavformat applies the edit list to whole packets and in ticks of the movie, often milliseconds. Exact numbers are
 * in the file all the same: the edit says where in the media the sound starts, the table of durations where it ends.
 * When every sound track has a simple edit list (at most one part, played once at normal speed) this is all that is
 * needed, and libavformat's handling is switched off.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_AV_MP4_H
#define RESIDUA_AV_MP4_H

#include <stdbool.h>
#include <stdint.h>

#define MP4_MAX_TRACKS 16

typedef struct Mp4Track {
    uint32_t id;
    uint32_t timescale; /* ticks per second of the following */
    int64_t skip;       /* before the sound starts */
    int64_t len;        /* of the sound */
    bool has_edit;      /* skip comes from an edit list */
} Mp4Track;

typedef struct Mp4Probe {
    int n_tracks; /* of sound */
    Mp4Track tracks[MP4_MAX_TRACKS];
} Mp4Probe;

/* fd: seekable, read with pread. False when it is no MP4, has no complete index, is fragmented, or when a sound track's
 * edit list is not simple: leave it to libavformat. */
bool mp4_probe(Mp4Probe *out, int fd);

#endif
