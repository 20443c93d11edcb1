/* dac_job.h - .dac files from recordings and back, as the DAC tool does it: loudness first to -16 LUFS, then codes; a recording
 * of up to a second at once, a longer one in windows without padding.
 *
 * The loudness of the whole must be known before the first code, and again before the first sample: unlike .rsd streams, .dac
 * files are coded with the whole recording in memory.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_CLI_DAC_JOB_H
#define RESIDUA_CLI_DAC_JOB_H

#include "codec/dac_file.h"
#include "codec/model.h"

#define DAC_WINDOW_SECONDS 1.0

/* x [channels, n] at rate_hz, changed in place -> file (dac_file_clear). window_s: DAC_WINDOW_SECONDS, or what a test wants;
 * 0: everything at once. input_db: the loudness, NULL to measure it by BS.1770 (libebur128). Errors: RSD_ERR_ARG (the model is no DAC), RSD_ERR_MEMORY. */
RsdStatus dac_job_encode(DacFile *file, const RsdModel *model, RsdThreads *threads, int n_stages, float *x, int channels,
                         int64_t n, int rate_hz, double window_s, const double *input_db, RsdError *err);
/* *x [channels, file->original_length] at file->sample_rate_hz is the caller's (mem_free). name begins the messages.
 * Errors: RSD_ERR_ARG (the model is no DAC), RSD_ERR_MODEL (codes do not fit it), RSD_ERR_CORRUPT, RSD_ERR_MEMORY. */
RsdStatus dac_job_decode(float **x, const DacFile *file, const RsdModel *model, RsdThreads *threads, const char *name,
                         RsdError *err);

#endif
