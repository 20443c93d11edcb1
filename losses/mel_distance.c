/* mel_distance.c - seven resolutions, one after the other.
 *
 * The same filters as the training loss (engine/dsp/mel.h), but spectra and sums in double.
 *
 * SPDX-License-Identifier: MIT
 */
#include "losses/mel_distance.h"

#include <math.h>

#include "engine/base/mem.h"
#include "engine/dsp/mel.h"
#include "losses/power_frames.h"

#define N_SCALES 7
#define SHORTEST_WIN 32
#define FEWEST_BANDS 5
#define LARGEST_WIN (SHORTEST_WIN << (N_SCALES - 1))
#define MAGNITUDE_FLOOR 1e-5
#define LARGE_PRODUCT 1e100 /* one more ratio fits: magnitudes of float samples are below 1e42, the floor is 1e-5 */

static double band(const BandMatrix *m, int k, const double *magnitude)
{
    const float *weights = m->weights + m->offset[k];
    double sum = 0;

    for (int i = 0; i < m->count[k]; i++)
        sum += weights[i] * magnitude[m->first[k] + i];
    return fmax(sum, MAGNITUDE_FLOOR);
}

/* Sum over the bands of |log10 M - log10 M'|: logarithms of products of some ratios M / M' above 1, since a logarithm takes
 * longer than all else. */
static double log_ratios(const BandMatrix *m, int n_bands, const double *ref, const double *dist)
{
    double product = 1, sum = 0;

    for (int b = 0; b < n_bands; b++) {
        const double x = band(m, b, ref), y = band(m, b, dist);

        product *= x > y ? x / y : y / x;
        if (product > LARGE_PRODUCT) {
            sum += log10(product);
            product = 1;
        }
    }
    return sum + log10(product);
}

static RsdStatus distance_at(double *out, const MetricSignals *s, int win_len, int n_bands, RsdError *err)
{
    RsdStatus status = RSD_OK;
    PowerFrames *frames = NULL;
    MelBank *bank = NULL;
    MelConfig config = {
        .rate_hz = s->rate_hz, .n_fft = win_len, .n_mels = n_bands, .scale = MEL_SLANEY, .unit_area = true};
    double *ref = NULL, *dist, sum = 0;
    int64_t n_frames;
    int n_bins = win_len / 2 + 1;

    TRY(mel_create(&bank, &config, err));
    TRY(power_frames_create(&frames, win_len, win_len / 4, err));
    TRY(mem_alloc(&ref, 2 * (size_t)n_bins, sizeof *ref, err));
    dist = ref + n_bins;
    n_frames = power_frames_count(frames, s->n);
    for (int64_t k = 0; k < n_frames; k++) {
        power_frames_get(frames, s->ref, s->n, k, ref);
        power_frames_get(frames, s->dist, s->n, k, dist);
        for (int b = 0; b < 2 * n_bins; b++)
            ref[b] = sqrt(ref[b]);
        sum += log_ratios(&bank->filters, n_bands, ref, dist);
    }
    *out = sum / (double)n_frames / n_bands;
fail:
    mel_destroy(&bank);
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
