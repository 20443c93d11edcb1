/* stft_distance.c - one resolution after the other, one frame at a time.
 *
 * SPDX-License-Identifier: MIT
 */
#include "losses/stft_distance.h"

#include <math.h>

#include "engine/base/mem.h"
#include "losses/power_frames.h"

#define LARGEST_FFT 2048
#define MAGNITUDE_FLOOR 1e-5 /* of metric_stft, audio.md 8.3 */
#define POWER_FLOOR 1e-7     /* of metric_mrstft, audio.md 4.1 */
#define SHARE 0.5            /* of each of its two terms */

typedef struct Resolution {
    int fft_len, win_len, hop_len;
} Resolution;

/* Sums over all frames and bins, of magnitudes a (reference) and b. */
typedef struct Sums {
    double linear, log;   /* |a - b|, |ln a - ln b| */
    double error, energy; /* (a - b)^2, a^2 */
    double count;
} Sums;

/* The floor counts for all magnitudes, or (log_only) for their logarithms alone. */
static void add_frame(Sums *sums, const double *ref, const double *dist, int n_bins, double power_floor, bool log_only)
{
    for (int b = 0; b < n_bins; b++) {
        double ref_floored = fmax(ref[b], power_floor), dist_floored = fmax(dist[b], power_floor);
        double x = sqrt(log_only ? ref[b] : ref_floored), y = sqrt(log_only ? dist[b] : dist_floored);

        sums->linear += fabs(x - y);
        sums->log += fabs(0.5 * (log(ref_floored) - log(dist_floored)));
        sums->error += (x - y) * (x - y);
        sums->energy += x * x;
    }
    sums->count += n_bins;
}

static RsdStatus compare_at(Sums *sums, const MetricSignals *s, const Resolution *r, double power_floor, bool log_only,
                            RsdError *err)
{
    RsdStatus status = RSD_OK;
    PowerFrames *frames = NULL;
    double *ref = NULL, *dist;
    int64_t n_frames;
    int n_bins = r->fft_len / 2 + 1;

    *sums = (Sums){0};
    TRY(power_frames_create_padded(&frames, r->fft_len, r->win_len, r->hop_len, err));
    TRY(mem_alloc(&ref, 2 * (size_t)n_bins, sizeof *ref, err));
    dist = ref + n_bins;
    n_frames = power_frames_count(frames, s->n);
    for (int64_t k = 0; k < n_frames; k++) {
        power_frames_get(frames, s->ref, s->n, k, ref);
        power_frames_get(frames, s->dist, s->n, k, dist);
        add_frame(sums, ref, dist, n_bins, power_floor, log_only);
    }
fail:
    mem_free(&ref);
    power_frames_destroy(&frames);
    return status;
}

RsdStatus metric_stft(MetricValue *out, const MetricSignals *s, RsdError *err)
{
    static const Resolution resolutions[] = {{2048, 2048, 512}, {512, 512, 128}};
    RsdStatus status = RSD_OK;
    Sums sums;

    *out = (MetricValue){.flags = s->n <= LARGEST_FFT / 2 ? METRIC_TOO_SHORT : 0};
    for (size_t i = 0; i < sizeof resolutions / sizeof *resolutions; i++) {
        TRY(compare_at(&sums, s, &resolutions[i], MAGNITUDE_FLOOR * MAGNITUDE_FLOOR, true, err));
        out->value += (2 * M_LOG10E * sums.log + sums.linear) / sums.count;
    }
fail:
    return status;
}

RsdStatus metric_mrstft(MetricValue *out, const MetricSignals *s, RsdError *err)
{
    static const Resolution resolutions[] = {{1024, 600, 120}, {2048, 1200, 240}, {512, 240, 50}};
    const size_t n = sizeof resolutions / sizeof *resolutions;
    RsdStatus status = RSD_OK;
    Sums sums;

    *out = (MetricValue){.flags = s->n <= LARGEST_FFT / 2 ? METRIC_TOO_SHORT : 0};
    for (size_t i = 0; i < n; i++) {
        TRY(compare_at(&sums, s, &resolutions[i], POWER_FLOOR, false, err));
        out->value += SHARE * (sqrt(sums.error / sums.energy) + sums.log / sums.count) / (double)n;
    }
fail:
    return status;
}
