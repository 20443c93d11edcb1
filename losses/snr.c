/* snr.c - sums of squares.
 *
 * SPDX-License-Identifier: MIT
 */
#include "losses/snr.h"

#include <math.h>

#include "engine/base/mem.h"
#include "engine/dsp/window.h"

#define SI_SDR_EPSILON 1e-8
#define SEGMENT_S 0.030
#define SEGMENT_HOP_S 0.0075
#define SEGMENT_MIN_DB (-10.0)
#define SEGMENT_MAX_DB 35.0
#define SEGMENT_RANGE 1e-6 /* 60 dB, of energy */

RsdStatus metric_snr(MetricValue *out, const MetricSignals *s, RsdError *err)
{
    double signal = 0, error = 0;

    (void)err;
    for (int64_t i = 0; i < s->n; i++) {
        double d = (double)s->ref[i] - s->dist[i];

        signal += (double)s->ref[i] * s->ref[i];
        error += d * d;
    }
    out->flags = (signal == 0 ? METRIC_SILENT_REFERENCE : 0u) | (error == 0 ? METRIC_IDENTICAL : 0u);
    out->value = error == 0 ? INFINITY : 10 * log10(signal / error);
    return RSD_OK;
}

static double mean_of(const float *x, int64_t n)
{
    double sum = 0;

    for (int64_t i = 0; i < n; i++)
        sum += x[i];
    return sum / (double)n;
}

RsdStatus metric_si_sdr(MetricValue *out, const MetricSignals *s, RsdError *err)
{
    double ref_mean = mean_of(s->ref, s->n), dist_mean = mean_of(s->dist, s->n);
    double energy = 0, product = 0, error = 0, scale;
    bool identical = true;

    (void)err;
    for (int64_t i = 0; i < s->n; i++) {
        double x = s->ref[i] - ref_mean, y = s->dist[i] - dist_mean;

        energy += x * x;
        product += x * y;
        identical &= s->ref[i] == s->dist[i];
    }
    scale = product / (energy + SI_SDR_EPSILON);
    for (int64_t i = 0; i < s->n; i++) {
        double d = s->dist[i] - dist_mean - scale * (s->ref[i] - ref_mean);

        error += d * d;
    }
    out->flags = (energy == 0 ? METRIC_SILENT_REFERENCE : 0u) | (identical ? METRIC_IDENTICAL : 0u);
    out->value = 10 * log10(scale * scale * energy / (error + SI_SDR_EPSILON));
    return RSD_OK;
}

/* Windowed energies of the reference and of the error in n samples from `from`. */
static void frame_energies(const MetricSignals *s, const double *window, int64_t from, int64_t len, double *signal,
                           double *error)
{
    *signal = *error = 0;
    for (int64_t i = 0; i < len; i++) {
        double x = window[i] * s->ref[from + i], d = x - window[i] * s->dist[from + i];

        *signal += x * x;
        *error += d * d;
    }
}

RsdStatus metric_segmental_snr(MetricValue *out, const MetricSignals *s, RsdError *err)
{
    RsdStatus status = RSD_OK;
    int64_t len = llround(SEGMENT_S * s->rate_hz), hop = llround(SEGMENT_HOP_S * s->rate_hz), n_frames, n_used = 0;
    double *window = NULL, loudest = 0, sum = 0, signal, error;

    out->flags = s->n < len ? METRIC_TOO_SHORT : 0;
    len = s->n < len ? s->n : len > 0 ? len : 1;
    hop = hop > 0 ? hop : 1;
    n_frames = 1 + (s->n - len) / hop;
    TRY(mem_alloc(&window, (size_t)len, sizeof *window, err));
    window_hann_f64(window, (size_t)len, WINDOW_PERIODIC);
    for (int64_t k = 0; k < n_frames; k++) {
        frame_energies(s, window, k * hop, len, &signal, &error);
        loudest = signal > loudest ? signal : loudest;
    }
    for (int64_t k = 0; k < n_frames; k++) {
        double db;

        frame_energies(s, window, k * hop, len, &signal, &error);
        if (signal < loudest * SEGMENT_RANGE)
            continue;
        db = error == 0 ? SEGMENT_MAX_DB : signal == 0 ? SEGMENT_MIN_DB : 10 * log10(signal / error);
        sum += db < SEGMENT_MIN_DB ? SEGMENT_MIN_DB : db > SEGMENT_MAX_DB ? SEGMENT_MAX_DB : db;
        n_used++;
    }
    if (loudest == 0)
        out->flags |= METRIC_SILENT_REFERENCE;
    out->value = loudest == 0 ? SEGMENT_MIN_DB : sum / (double)n_used; /* the loudest frame is always used */
fail:
    mem_free(&window);
    return status;
}
