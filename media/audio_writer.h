/* audio_writer.h - writes WAV and FLAC through libsndfile, to a file or standard output, block by block.
 *
 * A file is written beside its final name and renamed when finished (engine/base/atomic_file.h), so an interrupted run
 * leaves the old file alone and no partial one behind. Beyond 4 GiB a WAV file becomes RF64. On a pipe the header is
 * written once, with the length if it is known, and is completed afterwards when the output turns out to be a file.
 * Integers are rounded from sample * 2^(bits - 1), so what audio_reader.h reads from 16 or 24 bits is written back bit
 * for bit.
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

/* path decides the container by its ending (.wav, .flac); "-" is standard output, WAV. Rates as in audio_reader.h, 1 to
 * 64 channels, FLAC 1 to 8. Errors: RSD_ERR_EXISTS, RSD_ERR_IO, RSD_ERR_UNSUPPORTED (another ending; FLAC into a pipe),
 * RSD_ERR_ARG (rate, channels, format), RSD_ERR_MEMORY. */
RsdStatus audio_writer_open(AudioWriter **out, const char *path, const AudioWriterOptions *options, RsdError *err);
/* src planar: src[c * stride + i], i < n_samples. For integer formats values outside [-1, 1] are
 * clipped and NaN becomes 0. Errors: RSD_ERR_IO (full disk, closed pipe). */
RsdStatus audio_writer_write(AudioWriter *writer, const float *src, size_t stride, size_t n_samples, RsdError *err);
/* Completes and renames. Errors: RSD_ERR_IO (full disk: the temporary file is removed). */
RsdStatus audio_writer_finish(AudioWriter *writer, RsdError *err);
/* Without finish: removes the temporary file. */
void audio_writer_close(AudioWriter **writer);

#endif
