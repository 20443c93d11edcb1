/* lsd.c - root mean square over bins, mean over frames.
 *
 * SPDX-License-Identifier: MIT
 */
#include "losses/lsd.h"

#include <math.h>

#include "engine/base/mem.h"
#include "losses/power_frames.h"

#define WIN_LEN 2048
#define HOP_LEN 512
#define POWER_FLOOR 1e-8

/* Over the bins from first_bin on. */
static RsdStatus distance(MetricValue *out, const MetricSignals *s, int first_bin, RsdError *err)
{
    RsdStatus status = RSD_OK;
    PowerFrames *frames = NULL;
    double *power = NULL, *ref, *dist, sum = 0;
    int64_t n_frames;
    int n_bins;

    out->flags = s->n <= WIN_LEN / 2 ? METRIC_TOO_SHORT : 0;
    TRY(power_frames_create(&frames, WIN_LEN, HOP_LEN, err));
    n_bins = power_frames_bins(frames);
    n_frames = power_frames_count(frames, s->n);
    TRY(mem_alloc(&power, 2 * (size_t)n_bins, sizeof *power, err));
    ref = power;
    dist = power + n_bins;
    for (int64_t k = 0; k < n_frames; k++) {
        double squares = 0;

        power_frames_get(frames, s->ref, s->n, k, ref);
        power_frames_get(frames, s->dist, s->n, k, dist);
        for (int b = first_bin; b < n_bins; b++) {
            double d = log10(fmax(ref[b], POWER_FLOOR)) - log10(fmax(dist[b], POWER_FLOOR));

            squares += d * d;
        }
        sum += sqrt(squares / (n_bins - first_bin));
    }
    out->value = sum / (double)n_frames;
fail:
    mem_free(&power);
    power_frames_destroy(&frames);
    return status;
}

RsdStatus metric_lsd(MetricValue *out, const MetricSignals *s, RsdError *err)
{
    return distance(out, s, 0, err);
}

RsdStatus metric_lsd_hf(MetricValue *out, const MetricSignals *s, RsdError *err)
{
    return distance(out, s, WIN_LEN / 4 + 1, err);
}
