/* audio_reader.h - the audio of any file or pipe as a stream of float samples at a rate and channel count of your
 * choice.
 *
 * WAV, FLAC and AIFF files go through libsndfile; WAV of plain samples in a pipe through wav_stream.c, which gives out what has
 * come; everything else (MP3, AAC, Opus, Vorbis, the sound of a video, and what else comes through a pipe) through libavformat and
 * libavcodec, which are loaded on first use so that the program starts fast. Encoder delay and padding are trimmed: the number of samples is exact. Resampling gives exactly
 * ceil(n * rate / source rate) samples, the first one in place (media/resampler.h). What is delivered does not depend
 * on the sizes asked for, memory does not depend on the length.
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
    int rate_hz; /* resample to this rate; 0 keeps the file's */
    /* 0 keeps the file's channels. 1: the mean of all channels, each with the same weight, also the surround and
     * low-frequency channels of a film. More: the file must have as many, or one, which is then copied. */
    int channels;
    bool replace_nonfinite; /* NaN and infinity become 0 and are counted in AudioInfo, instead of RSD_ERR_NUMERIC */
} AudioReaderOptions;

typedef struct AudioInfo {
    int rate_hz, channels; /* of what is delivered */
    int source_rate_hz, source_channels;
    int64_t n_samples;  /* per channel as delivered, -1 when unknown (pipes); an estimate if !exact */
    bool exact;         /* true: a file that is not damaged gives n_samples, neither more nor less */
    int64_t n_replaced; /* so far: samples of the source that were NaN or infinite */
    char codec[32], container[32];
} AudioInfo;

/* path "-" is standard input. options NULL: everything as in the file. 1 to 64 channels, 100 Hz to 384 kHz.
 * Errors: RSD_ERR_IO (cannot open: system's reason; a directory), RSD_ERR_CORRUPT (empty, not a known format, damaged
 * at the start), RSD_ERR_UNSUPPORTED (no sound in it; a codec, rate or channel count that cannot be read),
 * RSD_ERR_MODULE (media/av_module.h), RSD_ERR_ARG (options out of range), RSD_ERR_MEMORY. Sentences start with the path, or "standard input".
 * One reader belongs to one thread at a time; different readers are independent. */
RsdStatus audio_reader_open(AudioReader **out, const char *path, const AudioReaderOptions *options, RsdError *err);
void audio_reader_close(AudioReader **reader);
const AudioInfo *audio_reader_info(const AudioReader *reader);

/* Reads up to max_samples per channel, planar: dst[c * max_samples + i]. *n_read < max_samples only at the end or with
 * an error; 0 is the end. With an error *n_read samples are valid and were stored, too, and the next call gives the
 * same error with 0. RSD_ERR_NUMERIC: NaN or infinity, names the position. RSD_ERR_CORRUPT: damage or truncation, names
 * the time; comes after everything that can be decoded. RSD_ERR_IO: the system could not read on. */
RsdStatus audio_reader_read(AudioReader *reader, float *dst, size_t max_samples, size_t *n_read, RsdError *err);

/* Whole file at once, for training and evaluation: *samples planar [channels, n], owned by the caller (mem_free).
 * info may be NULL. Refuses files longer than max_samples (0: no bound) with RSD_ERR_MEMORY. On any error, damage at
 * the end included, *samples is NULL. */
RsdStatus audio_read_all(const char *path, const AudioReaderOptions *options, int64_t max_samples, float **samples,
                         int64_t *n_samples, AudioInfo *info, RsdError *err);

#endif
