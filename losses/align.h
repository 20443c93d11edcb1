/* align.h - the delay between two signals.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_ALIGN_H
#define RESIDUA_ALIGN_H

#include <stdint.h>

#include "engine/base/error.h"

typedef struct Alignment {
    int64_t lag_samples; /* dist[i + lag] belongs to ref[i]; positive: dist is late */
    double exact_lag;    /* refined by a parabola through the maximum, in samples */
    double correlation;  /* at lag_samples, -1 to 1; 0 when either signal is silent in all channels (lag is then 0) */
} Alignment;

/* Cross-correlation of everything below 8 kHz, summed over the channels, its highest peak within +-max_lag samples; of peaks
 * within 1e-3 of the highest, measured between whole lags, the one of the smallest lag in magnitude. ref [channels, n_ref],
 * dist [channels, n_dist], at least one sample each. Memory depends on max_lag only.
 * Errors: RSD_ERR_ARG (no samples or channels, max_lag outside 0..2^24), RSD_ERR_MEMORY. [audio.md 8.9] */
RsdStatus align_find(Alignment *out, const float *ref, int64_t n_ref, const float *dist, int64_t n_dist, int channels, int rate_hz,
                     int64_t max_lag, RsdError *err);

/* What both have after shifting by lag: ref[*ref_from + i] and dist[*dist_from + i], i < *n; n is 0 when nothing is
 * left. */
void align_overlap(int64_t lag, int64_t n_ref, int64_t n_dist, int64_t *ref_from, int64_t *dist_from, int64_t *n);

#endif
