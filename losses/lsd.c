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

/* Of one frame, a column of the blocks, over the bins from first_bin on. */
static double distance_of_frame(const double *ref, const double *dist, int first_bin, int n_bins)
{
    double squares = 0;

    for (int b = first_bin; b < n_bins; b++) {
        double d = log10(fmax(ref[b * SPECTRUM_LANES], POWER_FLOOR) / fmax(dist[b * SPECTRUM_LANES], POWER_FLOOR));

        squares += d * d;
    }
    return sqrt(squares / (n_bins - first_bin));
}

static RsdStatus distance(MetricValue *out, const MetricSignals *s, int first_bin, RsdError *err)
{
    RsdStatus status = RSD_OK;
    PowerFrames *frames = NULL;
    double *ref = NULL, *dist = NULL, sum = 0;
    int64_t n_frames;
    int n_bins;

    out->flags = s->n <= WIN_LEN / 2 ? METRIC_TOO_SHORT : 0;
    TRY(power_frames_create(&frames, WIN_LEN, HOP_LEN, err));
    n_bins = power_frames_bins(frames);
    n_frames = power_frames_count(frames, s->n);
    TRY(mem_alloc(&ref, SPECTRUM_LANES * (size_t)n_bins, sizeof *ref, err));
    TRY(mem_alloc(&dist, SPECTRUM_LANES * (size_t)n_bins, sizeof *dist, err));
    for (int64_t k = 0; k < n_frames; k += SPECTRUM_LANES) {
        const int n = n_frames - k < SPECTRUM_LANES ? (int)(n_frames - k) : SPECTRUM_LANES;

        power_frames_block(frames, s->ref, s->n, k, n, false, ref);
        power_frames_block(frames, s->dist, s->n, k, n, false, dist);
        for (int l = 0; l < n; l++)
            sum += distance_of_frame(ref + l, dist + l, first_bin, n_bins);
    }
    out->value = sum / (double)n_frames;
fail:
    mem_free(&ref);
    mem_free(&dist);
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
