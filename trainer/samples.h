/* samples.h - what the codec makes of a few held-out clips in the course of a run, to be heard: the files of RUN/samples.
 *
 *   original-1.flac           clip 1 as it is
 *   000012000-1-6000.flac     after 12000 steps, at 6000 bit/s
 *
 * Of the steps SAMPLES_MAX_STEPS are kept: the first, the newest, and between them those whose distances grow in proportion to
 * the step, so that a long run has early ones, too.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_SAMPLES_H
#define RESIDUA_SAMPLES_H

#include <stddef.h>
#include <stdint.h>

#include "engine/base/error.h"

#define SAMPLES_MAX_STEPS 8
#define SAMPLES_ORIGINAL (-1)

typedef struct SampleName {
    int64_t step;  /* or SAMPLES_ORIGINAL */
    int clip;      /* from 1 on */
    int rate_bps;  /* 0 for the original */
    char name[64]; /* in RUN/samples */
} SampleName;

/* Writes x [n]; makes the folder. Errors: RSD_ERR_IO, RSD_ERR_MEMORY. */
RsdStatus samples_write(const char *run_dir, int64_t step, int clip, int rate_bps, const float *x, int64_t n, int rate_hz,
                        RsdError *err);
/* Removes the files of all steps but those that are kept. Errors: RSD_ERR_MEMORY. */
RsdStatus samples_prune(const char *run_dir, RsdError *err);
/* The files that are there, by clip, rate and step; *names is the caller's (mem_free). None when there is no folder.
 * Errors: RSD_ERR_MEMORY. */
RsdStatus samples_list(SampleName **names, size_t *n, const char *run_dir, RsdError *err);

#endif
