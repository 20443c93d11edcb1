/* audio_writer.h - writes WAV and FLAC through libsndfile, to a file or standard output, block by block.
 *
 * A file is written beside its final name and renamed when finished, so an interrupted run leaves the old file alone and
 * no partial one behind.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_AUDIO_WRITER_H
#define RESIDUA_AUDIO_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/error.h"

typedef struct AudioWriter AudioWriter;

typedef enum SampleFormat { SAMPLE_S16, SAMPLE_S24, SAMPLE_F32 } SampleFormat;

typedef struct AudioWriterOptions {
    int rate_hz, channels;
    SampleFormat format;    /* FLAC: S16 or S24 only */
    bool overwrite;         /* false: RSD_ERR_EXISTS when the path exists */
    int64_t n_samples_hint; /* for the header of a WAV on a pipe; -1 unknown (header then says "until the end") */
} AudioWriterOptions;

/* path decides the container by its ending (.wav, .flac); "-" is standard output, WAV. */
RsdStatus audio_writer_open(AudioWriter **out, const char *path, const AudioWriterOptions *options, RsdError *err);
/* src planar: src[c * stride + i], i < n_samples. Values outside [-1, 1] are clipped for integer formats. */
RsdStatus audio_writer_write(AudioWriter *writer, const float *src, size_t stride, size_t n_samples, RsdError *err);
/* Completes and renames. Errors: RSD_ERR_IO (full disk: the temporary file is removed). */
RsdStatus audio_writer_finish(AudioWriter *writer, RsdError *err);
/* Without finish: removes the temporary file. */
void audio_writer_close(AudioWriter **writer);

#endif
