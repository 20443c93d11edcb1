/* audio_source.h - what a decoder looks like to audio_reader.c: interleaved float samples, front to back.
 *
 * Three kinds exist: media/sndfile_source.c (libsndfile), media/wav_stream.c (WAV in a pipe) and media/libav/av_audio.c (libavformat, in
 * the module). A
 * source knows nothing of mixing and resampling; those are done once, in audio_reader.c.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_AUDIO_SOURCE_H
#define RESIDUA_AUDIO_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/error.h"

#define AUDIO_MAX_CHANNELS 64
#define AUDIO_MIN_RATE_HZ 100
#define AUDIO_MAX_RATE_HZ 384000

typedef struct AudioSource AudioSource;

struct AudioSource {
    int rate_hz, channels;
    int64_t n_frames; /* samples per channel, -1 unknown */
    bool exact;       /* n_frames is what read delivers, unless the file is damaged; otherwise an estimate */
    char codec[32], container[32];

    /* Stores up to max_frames frames, dst[i * channels + c]. OK with *n_read 0 is the end; fewer than max_frames is
     * not. On RSD_ERR_CORRUPT (damage, reported when everything that can be decoded has been delivered), RSD_ERR_IO and
     * RSD_ERR_MEMORY *n_read is 0; the sentence has no file name, audio_reader.c puts it in front. */
    RsdStatus (*read)(AudioSource *source, float *dst, size_t max_frames, size_t *n_read, RsdError *err);
    /* Frees the source; the descriptor it was opened with stays open. */
    void (*close)(AudioSource *source);
};

#endif
