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

/* Sum over the frames and bands of |log10 M - log10 M'|: logarithms of the products of a frame's ratios above 1, since a logarithm
 * takes longer than all else. */
static double log_ratios(const BandMatrix *m, const double *ref, const double *dist)
{
    double ratios[SPECTRUM_LANES], sum = 0;
    int64_t exponents[SPECTRUM_LANES] = {0};

    for (int l = 0; l < SPECTRUM_LANES; l++)
        ratios[l] = 1;
    kernels_pick()->spectrum->band_ratios(m, ref, dist, MAGNITUDE_FLOOR, ratios, exponents);
    for (int l = 0; l < SPECTRUM_LANES; l++)
        sum += log10(ratios[l]) + (double)exponents[l] * M_LN2 / M_LN10;
    return sum;
}

static RsdStatus distance_at(double *out, const MetricSignals *s, int win_len, int n_bands, RsdError *err)
{
    RsdStatus status = RSD_OK;
    PowerFrames *frames = NULL;
    MelBank *bank = NULL;
    MelConfig config = {
        .rate_hz = s->rate_hz, .n_fft = win_len, .n_mels = n_bands, .scale = MEL_SLANEY, .unit_area = true};
    double *ref = NULL, *dist = NULL, sum = 0;
    const size_t count = (size_t)(win_len / 2 + 1) * SPECTRUM_LANES;
    int64_t n_frames;

    TRY(mel_create(&bank, &config, err));
    TRY(power_frames_create(&frames, win_len, win_len / 4, err));
    TRY(mem_alloc(&ref, count, sizeof *ref, err));
    TRY(mem_alloc(&dist, count, sizeof *dist, err));
    n_frames = power_frames_count(frames, s->n);
    for (int64_t k = 0; k < n_frames; k += SPECTRUM_LANES) {
        const int n = n_frames - k < SPECTRUM_LANES ? (int)(n_frames - k) : SPECTRUM_LANES;

        power_frames_block(frames, s->ref, s->n, k, n, true, ref);
        power_frames_block(frames, s->dist, s->n, k, n, true, dist);
        sum += log_ratios(&bank->filters, ref, dist); /* lanes without a frame are equal */
    }
    *out = sum / (double)n_frames / n_bands;
fail:
    mel_destroy(&bank);
    mem_free(&ref);
    mem_free(&dist);
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
