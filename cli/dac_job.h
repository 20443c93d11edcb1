/* dac_job.h - .dac files from recordings and back, as the DAC tool does it: loudness first to -16 LUFS, then codes; a recording
 * of up to a second at once, a longer one in windows without padding.
 *
 * The loudness of the whole must be known before the first code, and again before the first decoded sample, so samples wait in
 * a temporary file (engine/base/scratch_file.h): 4 bytes each, at the model's rate. Memory holds a window and the codes.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_CLI_DAC_JOB_H
#define RESIDUA_CLI_DAC_JOB_H

#include "codec/dac_file.h"
#include "codec/model.h"

#define DAC_WINDOW_SECONDS 1.0

/* Where samples come from, as audio_reader_read: dst[c * max_samples + i]; *n_read 0 is the end. */
typedef RsdStatus (*DacRead)(void *ctx, float *dst, size_t max_samples, size_t *n_read, RsdError *err);
/* Where they go, as audio_writer_write: src[c * stride + i]. */
typedef RsdStatus (*DacWrite)(void *ctx, const float *src, size_t stride, size_t n_samples, RsdError *err);

typedef struct DacJob {
    const RsdModel *model;
    RsdThreads *threads; /* NULL: one */
    const char *name;    /* begins the messages */
    /* Encoding. */
    int n_stages, channels, rate_hz; /* the recording's */
    double window_s;                 /* DAC_WINDOW_SECONDS, or what a test wants; 0: everything at once, in memory */
    const double *input_db;          /* the loudness; NULL: measured (codec/dac_loudness.h) */
    /* Decoding. */
    double max_bitrate_bps; /* the first stages that need no more than this, one at least; 0: all */
} DacJob;

/* file: dac_file_clear. Errors: RSD_ERR_ARG (the model is no DAC), RSD_ERR_UNSUPPORTED (no samples), RSD_ERR_IO (temporary file),
 * RSD_ERR_MEMORY, those of read. */
RsdStatus dac_job_encode(DacFile *file, const DacJob *job, DacRead read, void *ctx, RsdError *err);
/* file->original_length samples of each channel at file->sample_rate_hz go to write. Errors: RSD_ERR_ARG (the model is no DAC),
 * RSD_ERR_MODEL (codes do not fit it), RSD_ERR_CORRUPT, RSD_ERR_IO, RSD_ERR_MEMORY, those of write. */
RsdStatus dac_job_decode(const DacFile *file, const DacJob *job, DacWrite write, void *ctx, RsdError *err);

/* Stages that need no more than this for all channels together, one at least. */
int dac_job_stages_for(const RsdModel *model, int channels, double bitrate_bps);

#endif
