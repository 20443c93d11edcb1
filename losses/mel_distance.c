/* mel_distance.c - seven resolutions, one after the other.
 *
 * The filters are stored as the run of bins that each band touches: most of a [bands, bins] matrix is zero.
 *
 * SPDX-License-Identifier: MIT
 */
#include "losses/mel_distance.h"

#include <math.h>

#include "engine/base/mem.h"
#include "losses/power_frames.h"

#define N_SCALES 7
#define SHORTEST_WIN 32
#define FEWEST_BANDS 5
#define LARGEST_WIN (SHORTEST_WIN << (N_SCALES - 1))
#define MAGNITUDE_FLOOR 1e-5

/* Slaney's scale: linear to 1 kHz, 15 mel there, then a factor of 6.4 every 27 mel. [Auditory Toolbox, 1998] */
#define LINEAR_HZ_PER_MEL (200.0 / 3.0)
#define BREAK_HZ 1000.0
#define BREAK_MEL 15.0
#define LOG_STEP (log(6.4) / 27.0)

typedef struct MelBands {
    int n_bands;
    int *first, *count; /* [n_bands] bins */
    double *weights;    /* [n_bands, n_bins], only `count` of each row used */
    int n_bins;
} MelBands;

static double to_mel(double hz)
{
    return hz < BREAK_HZ ? hz / LINEAR_HZ_PER_MEL : BREAK_MEL + log(hz / BREAK_HZ) / LOG_STEP;
}

static double to_hz(double mel)
{
    return mel < BREAK_MEL ? mel * LINEAR_HZ_PER_MEL : BREAK_HZ * exp((mel - BREAK_MEL) * LOG_STEP);
}

static void clear_bands(MelBands *m)
{
    mem_free(&m->first);
    mem_free(&m->count);
    mem_free(&m->weights);
}

static RsdStatus make_bands(MelBands *m, int n_bands, int win_len, int rate_hz, RsdError *err)
{
    RsdStatus status = RSD_OK;
    double top_mel = to_mel(rate_hz / 2.0);

    *m = (MelBands){.n_bands = n_bands, .n_bins = win_len / 2 + 1};
    TRY(mem_calloc(&m->first, (size_t)n_bands, sizeof *m->first, err));
    TRY(mem_calloc(&m->count, (size_t)n_bands, sizeof *m->count, err));
    TRY(mem_calloc(&m->weights, (size_t)n_bands * (size_t)m->n_bins, sizeof *m->weights, err));
    for (int k = 0; k < n_bands; k++) {
        double low = to_hz(top_mel * k / (n_bands + 1)), mid = to_hz(top_mel * (k + 1) / (n_bands + 1));
        double high = to_hz(top_mel * (k + 2) / (n_bands + 1));
        double *row = m->weights + (size_t)k * (size_t)m->n_bins;

        for (int b = 0; b < m->n_bins; b++) {
            double hz = (double)b * rate_hz / win_len, up = (hz - low) / (mid - low), down = (high - hz) / (high - mid);
            double weight = fmin(up, down) * 2 / (high - low);

            if (weight <= 0)
                continue;
            if (m->count[k] == 0)
                m->first[k] = b;
            row[m->count[k]++] = weight;
        }
    }
fail:
    return status;
}

static double log_band(const MelBands *m, int k, const double *magnitude)
{
    const double *row = m->weights + (size_t)k * (size_t)m->n_bins;
    double sum = 0;

    for (int i = 0; i < m->count[k]; i++)
        sum += row[i] * magnitude[m->first[k] + i];
    return log10(fmax(sum, MAGNITUDE_FLOOR));
}

static RsdStatus distance_at(double *out, const MetricSignals *s, int win_len, int n_bands, RsdError *err)
{
    RsdStatus status = RSD_OK;
    PowerFrames *frames = NULL;
    MelBands bands = {0};
    double *ref = NULL, *dist, sum = 0;
    int64_t n_frames;
    int n_bins = win_len / 2 + 1;

    TRY(make_bands(&bands, n_bands, win_len, s->rate_hz, err));
    TRY(power_frames_create(&frames, win_len, win_len / 4, err));
    TRY(mem_alloc(&ref, 2 * (size_t)n_bins, sizeof *ref, err));
    dist = ref + n_bins;
    n_frames = power_frames_count(frames, s->n);
    for (int64_t k = 0; k < n_frames; k++) {
        power_frames_get(frames, s->ref, s->n, k, ref);
        power_frames_get(frames, s->dist, s->n, k, dist);
        for (int b = 0; b < 2 * n_bins; b++)
            ref[b] = sqrt(ref[b]);
        for (int b = 0; b < n_bands; b++)
            sum += fabs(log_band(&bands, b, ref) - log_band(&bands, b, dist));
    }
    *out = sum / (double)n_frames / n_bands;
fail:
    clear_bands(&bands);
    mem_free(&ref);
    power_frames_destroy(&frames);
    return status;
}

RsdStatus metric_mel_distance(MetricValue *out, const MetricSignals *s, RsdError *err)
{
    RsdStatus status = RSD_OK;
    double sum = 0, one;

    out->flags = s->n <= LARGEST_WIN / 2 ? METRIC_TOO_SHORT : 0;
    for (int i = 0; i < N_SCALES; i++) {
        TRY(distance_at(&one, s, SHORTEST_WIN << i, FEWEST_BANDS << i, err));
        sum += one;
    }
    out->value = sum;
fail:
    return status;
}
