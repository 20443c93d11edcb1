/* audio_reader.h - the audio of any file or pipe as a stream of float samples at a rate and channel count of your choice.
 *
 * WAV, FLAC and AIFF go through libsndfile; everything else (MP3, AAC, Opus, Vorbis, the sound of a video) through libavformat and
 * libavcodec, which are loaded on first use so that the program starts fast. Encoder delay and padding are trimmed: the
 * number of samples is exact. Memory does not depend on the length.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_AUDIO_READER_H
#define RESIDUA_AUDIO_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/error.h"

typedef struct AudioReader AudioReader;

typedef struct AudioReaderOptions {
    int rate_hz;    /* resample to this rate; 0 keeps the file's */
    int channels;   /* mix to this many channels (mono = mean of all channels); 0 keeps the file's */
} AudioReaderOptions;

typedef struct AudioInfo {
    int rate_hz, channels;             /* of what is delivered */
    int source_rate_hz, source_channels;
    int64_t n_samples;                 /* per channel as delivered, -1 when unknown (pipes); an estimate if !exact */
    bool exact;
    char codec[32], container[32];
} AudioInfo;

/* path "-" is standard input. options NULL: everything as in the file. Errors: RSD_ERR_IO (cannot open: system's reason),
 * RSD_ERR_CORRUPT (not audio, or damaged at the start), RSD_ERR_UNSUPPORTED, RSD_ERR_MEMORY. */
RsdStatus audio_reader_open(AudioReader **out, const char *path, const AudioReaderOptions *options, RsdError *err);
void audio_reader_close(AudioReader **reader);
const AudioInfo *audio_reader_info(const AudioReader *reader);

/* Reads up to max_samples per channel, planar: dst[c * max_samples + i]. *n_read < max_samples only at the end; 0 is the
 * end. NaN and infinite samples: RSD_ERR_NUMERIC naming the position. Damage in the middle: RSD_ERR_CORRUPT naming the time;
 * what was read before stays valid. */
RsdStatus audio_reader_read(AudioReader *reader, float *dst, size_t max_samples, size_t *n_read, RsdError *err);

/* Whole file at once, for training and evaluation: *samples planar [channels, n], owned by the caller (mem_free). Refuses
 * files longer than max_samples (0: no bound) with RSD_ERR_MEMORY. */
RsdStatus audio_read_all(const char *path, const AudioReaderOptions *options, int64_t max_samples, float **samples,
                         int64_t *n_samples, AudioInfo *info, RsdError *err);

#endif
