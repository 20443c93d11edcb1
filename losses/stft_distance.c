/* stft_distance.c - one resolution after the other, a block of frames at a time.
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

/* One frame, a column of the blocks. The floor counts for all magnitudes, or (log_only) for their logarithms alone. */
static void add_frame(Sums *sums, const double *ref, const double *dist, int n_bins, double power_floor, bool log_only)
{
    for (int b = 0; b < n_bins; b++) {
        const double p = ref[b * SPECTRUM_LANES], q = dist[b * SPECTRUM_LANES];
        const double ref_floored = fmax(p, power_floor), dist_floored = fmax(q, power_floor);
        const double x = sqrt(log_only ? p : ref_floored), y = sqrt(log_only ? q : dist_floored);

        sums->linear += fabs(x - y);
        sums->log += fabs(0.5 * log(ref_floored / dist_floored));
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
    double *ref = NULL, *dist = NULL;
    int64_t n_frames;
    int n_bins = r->fft_len / 2 + 1;

    *sums = (Sums){0};
    TRY(power_frames_create_padded(&frames, r->fft_len, r->win_len, r->hop_len, err));
    TRY(mem_alloc(&ref, SPECTRUM_LANES * (size_t)n_bins, sizeof *ref, err));
    TRY(mem_alloc(&dist, SPECTRUM_LANES * (size_t)n_bins, sizeof *dist, err));
    n_frames = power_frames_count(frames, s->n);
    for (int64_t k = 0; k < n_frames; k += SPECTRUM_LANES) {
        const int n = n_frames - k < SPECTRUM_LANES ? (int)(n_frames - k) : SPECTRUM_LANES;

        power_frames_block(frames, s->ref, s->n, k, n, false, ref);
        power_frames_block(frames, s->dist, s->n, k, n, false, dist);
        for (int l = 0; l < n; l++)
            add_frame(sums, ref + l, dist + l, n_bins, power_floor, log_only);
    }
fail:
    mem_free(&ref);
    mem_free(&dist);
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
