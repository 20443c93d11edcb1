/* envelope_lag.h - the delay between two signals by their envelopes, as ViSQOL finds it.
 *
 * For everything else use losses/align.h.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_ENVELOPE_LAG_H
#define RESIDUA_ENVELOPE_LAG_H

#include <stdint.h>

#include "engine/base/error.h"

#define ENVELOPE_MAX_LEN ((int64_t)1 << 17) /* of both together; transforms are slow beyond */

/* Envelope e = |analytic signal of x - mean| + mean, cross-correlated. ref[i + lag] belongs to dist[i]; of equal maxima the
 * smallest in magnitude. n_ref, n_dist at least 1. Errors: RSD_ERR_ARG (more than ENVELOPE_MAX_LEN samples), RSD_ERR_MEMORY.
 * [audio.md 8.8, step 1] */
RsdStatus envelope_lag(int64_t *lag, const double *ref, int64_t n_ref, const double *dist, int64_t n_dist,
                       RsdError *err);

#endif
