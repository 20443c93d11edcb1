/* stoi.c - the steps of the two papers, in order.
 *
 *   10 kHz -> drop silent frames -> 512-point spectra of 256-sample frames -> 15 bands -> 30-frame segments ->
 *   correlation
 *
 * The extended measure's reference code adds noise of machine precision before it normalises; here a zero norm gives
 * a zero correlation instead.
 *
 * SPDX-License-Identifier: MIT
 */
#include "losses/stoi.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "engine/base/mem.h"
#include "engine/dsp/fft.h"
#include "losses/octave_resample.h"

#define RATE_HZ 10000
#define FRAME_LEN 256
#define HOP_LEN 128
#define FFT_LEN 512
#define N_BINS (FFT_LEN / 2 + 1)
#define N_BANDS STOI_N_BANDS
#define LOWEST_HZ 150.0 /* centre of the first third octave */
#define SEGMENT_LEN 30  /* frames, 384 ms */
#define RANGE_DB 40.0   /* frames this far under the loudest are silence */
#define CLIP_DB 15.0    /* [1], beta = -15 dB */
#define TOO_SHORT_VALUE 1e-5

typedef double Bands[N_BANDS];

typedef struct Envelopes {
    Bands *ref, *dist; /* [n_frames] */
    int64_t n_frames;
} Envelopes;

/* Hann window of FRAME_LEN + 2 samples without its zero ends. */
static void make_window(double window[FRAME_LEN])
{
    for (int i = 0; i < FRAME_LEN; i++)
        window[i] = 0.5 - 0.5 * cos(2 * M_PI * (i + 1) / (FRAME_LEN + 1));
}

/* Frames that start before n - FRAME_LEN; one that fits exactly at the end is left out, as in the reference. */
static int64_t count_frames(int64_t n)
{
    return n > FRAME_LEN ? (n - FRAME_LEN + HOP_LEN - 1) / HOP_LEN : 0;
}

static double frame_norm(const double *x, const double *window)
{
    double sum = 0;

    for (int i = 0; i < FRAME_LEN; i++)
        sum += window[i] * x[i] * (window[i] * x[i]);
    return sqrt(sum);
}

static void add_frame(double *dst, const double *x, const double *window)
{
    for (int i = 0; i < FRAME_LEN; i++)
        dst[i] += window[i] * x[i];
}

/* Cuts silent frames of x out of both signals: windowed frames that stay are overlapped and added again. In place is
 * not possible, so the results *ref and *dist are new blocks. */
static RsdStatus drop_silence(const double *x, const double *y, int64_t n, const double *window, double **ref,
                              double **dist, int64_t *n_kept, RsdError *err)
{
    RsdStatus status = RSD_OK;
    int64_t n_frames = count_frames(n), kept = 0;
    double *norms = NULL, loudest = 0;

    TRY(mem_alloc(&norms, (size_t)n_frames, sizeof *norms, err));
    TRY(mem_calloc(ref, (size_t)n + FRAME_LEN, sizeof **ref, err));
    TRY(mem_calloc(dist, (size_t)n + FRAME_LEN, sizeof **dist, err));
    for (int64_t k = 0; k < n_frames; k++) {
        norms[k] = frame_norm(x + k * HOP_LEN, window);
        loudest = fmax(loudest, norms[k]);
    }
    for (int64_t k = 0; k < n_frames; k++) {
        if (20 * log10(loudest + DBL_EPSILON) - RANGE_DB - 20 * log10(norms[k] + DBL_EPSILON) >= 0)
            continue;
        add_frame(*ref + kept * HOP_LEN, x + k * HOP_LEN, window);
        add_frame(*dist + kept * HOP_LEN, y + k * HOP_LEN, window);
        kept++;
    }
    *n_kept = kept == 0 ? 0 : (kept - 1) * HOP_LEN + FRAME_LEN;
fail:
    mem_free(&norms);
    return status;
}

/* First and last + 1 bin of each third-octave band: edges moved to the nearest bin. */
static void find_edges(int low[N_BANDS], int high[N_BANDS])
{
    for (int k = 0; k < N_BANDS; k++) {
        double edges_hz[2] = {LOWEST_HZ * pow(2, (2 * k - 1) / 6.0), LOWEST_HZ * pow(2, (2 * k + 1) / 6.0)};
        int bins[2];

        for (int e = 0; e < 2; e++) {
            bins[e] = 0;
            for (int b = 1; b < N_BINS; b++)
                if (fabs((double)b * RATE_HZ / FFT_LEN - edges_hz[e]) <
                    fabs((double)bins[e] * RATE_HZ / FFT_LEN - edges_hz[e]))
                    bins[e] = b;
        }
        low[k] = bins[0];
        high[k] = bins[1];
    }
}

static RsdStatus find_envelopes(const double *x, int64_t n_frames, const double *window, Bands *out, RsdError *err)
{
    RsdStatus status = RSD_OK;
    int low[N_BANDS], high[N_BANDS];
    Fft *fft = NULL;
    double *frame = NULL, *spectrum = NULL;
    void *work = NULL;

    TRY(fft_create(&fft, FFT_LEN, FFT_DOUBLE, err));
    TRY(mem_calloc(&frame, FFT_LEN, sizeof *frame, err));
    TRY(mem_alloc(&spectrum, 2 * (size_t)N_BINS, sizeof *spectrum, err));
    TRY(mem_alloc(&work, fft_work_size(fft), 1, err));
    find_edges(low, high);
    for (int64_t t = 0; t < n_frames; t++) {
        for (int i = 0; i < FRAME_LEN; i++)
            frame[i] = window[i] * x[t * HOP_LEN + i]; /* the other half stays zero */
        fft_forward_f64(fft, frame, spectrum, work);
        for (int k = 0; k < N_BANDS; k++) {
            double sum = 0;

            for (int b = low[k]; b < high[k]; b++)
                sum += spectrum[2 * b] * spectrum[2 * b] + spectrum[2 * b + 1] * spectrum[2 * b + 1];
            out[t][k] = sqrt(sum);
        }
    }
fail:
    fft_destroy(&fft);
    mem_free(&frame);
    mem_free(&spectrum);
    mem_free(&work);
    return status;
}

static void clear_envelopes(Envelopes *e)
{
    mem_free(&e->ref);
    mem_free(&e->dist);
}

static RsdStatus analyse(Envelopes *e, const MetricSignals *s, RsdError *err)
{
    RsdStatus status = RSD_OK;
    double window[FRAME_LEN], *x = NULL, *y = NULL, *ref = NULL, *dist = NULL;
    int64_t n, n_kept;

    *e = (Envelopes){0};
    make_window(window);
    TRY(octave_resample(s->ref, s->n, s->rate_hz, RATE_HZ, &x, &n, err));
    TRY(octave_resample(s->dist, s->n, s->rate_hz, RATE_HZ, &y, &n, err));
    TRY(drop_silence(x, y, n, window, &ref, &dist, &n_kept, err));
    e->n_frames = count_frames(n_kept);
    TRY(mem_alloc(&e->ref, (size_t)e->n_frames, sizeof *e->ref, err));
    TRY(mem_alloc(&e->dist, (size_t)e->n_frames, sizeof *e->dist, err));
    TRY(find_envelopes(ref, e->n_frames, window, e->ref, err));
    TRY(find_envelopes(dist, e->n_frames, window, e->dist, err));
fail:
    mem_free(&x);
    mem_free(&y);
    mem_free(&ref);
    mem_free(&dist);
    return status;
}

/* Correlation of one band's clipped, scaled envelope with the reference over one segment. [1], eq. 2 to 5 */
static double correlate_band(const Bands *ref, const Bands *dist, int k)
{
    double x[SEGMENT_LEN], y[SEGMENT_LEN], x_energy = 0, y_energy = 0, scale, x_mean = 0, y_mean = 0, product = 0;
    const double headroom = 1 + pow(10, CLIP_DB / 20);

    for (int t = 0; t < SEGMENT_LEN; t++) {
        x_energy += ref[t][k] * ref[t][k];
        y_energy += dist[t][k] * dist[t][k];
    }
    scale = sqrt(x_energy) / (sqrt(y_energy) + DBL_EPSILON);
    for (int t = 0; t < SEGMENT_LEN; t++) {
        x[t] = ref[t][k];
        y[t] = fmin(dist[t][k] * scale, x[t] * headroom);
        x_mean += x[t] / SEGMENT_LEN;
        y_mean += y[t] / SEGMENT_LEN;
    }
    x_energy = y_energy = 0;
    for (int t = 0; t < SEGMENT_LEN; t++) {
        x[t] -= x_mean;
        y[t] -= y_mean;
        x_energy += x[t] * x[t];
        y_energy += y[t] * y[t];
        product += x[t] * y[t];
    }
    return product / ((sqrt(x_energy) + DBL_EPSILON) * (sqrt(y_energy) + DBL_EPSILON));
}

/* Removes the mean of n values `stride` apart and gives them unit norm; all zero when they are equal. */
static void normalise(double *x, int n, int stride)
{
    double mean = 0, energy = 0, scale;

    for (int i = 0; i < n; i++)
        mean += x[i * stride] / n;
    for (int i = 0; i < n; i++) {
        x[i * stride] -= mean;
        energy += x[i * stride] * x[i * stride];
    }
    /* what is left of equal values is rounding, which must not be blown up to a unit vector */
    scale = sqrt(energy) > 1e-14 * n * fabs(mean) ? 1 / sqrt(energy) : 0;
    for (int i = 0; i < n; i++)
        x[i * stride] *= scale;
}

/* First over time, then over bands. [2], section II */
static void normalise_segment(const Bands *from, double *x)
{
    memcpy(x, from, SEGMENT_LEN * sizeof *from);
    for (int k = 0; k < N_BANDS; k++)
        normalise(x + k, SEGMENT_LEN, N_BANDS);
    for (int t = 0; t < SEGMENT_LEN; t++)
        normalise(x + t * N_BANDS, N_BANDS, 1);
}

static double correlate_spectra(const Bands *ref, const Bands *dist)
{
    double x[SEGMENT_LEN * N_BANDS], y[SEGMENT_LEN * N_BANDS], sum = 0;

    normalise_segment(ref, x);
    normalise_segment(dist, y);
    for (int i = 0; i < SEGMENT_LEN * N_BANDS; i++)
        sum += x[i] * y[i];
    return sum / SEGMENT_LEN;
}

static bool is_silent(const float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (x[i] != 0)
            return false;
    return true;
}

static unsigned flags_of(const Envelopes *e, const MetricSignals *s)
{
    return (e->n_frames < SEGMENT_LEN ? METRIC_TOO_SHORT : 0u) | (is_silent(s->ref, s->n) ? METRIC_SILENT_REFERENCE : 0u);
}

static RsdStatus measure(MetricValue *out, const MetricSignals *s, bool extended, RsdError *err)
{
    RsdStatus status = RSD_OK;
    Envelopes e = {0};
    double sum = 0;

    TRY(analyse(&e, s, err));
    out->flags = flags_of(&e, s);
    out->value = TOO_SHORT_VALUE;
    for (int64_t t = 0; t + SEGMENT_LEN <= e.n_frames; t++) {
        if (extended) {
            sum += correlate_spectra(e.ref + t, e.dist + t);
            continue;
        }
        for (int k = 0; k < N_BANDS; k++)
            sum += correlate_band(e.ref + t, e.dist + t, k) / N_BANDS;
    }
    if (e.n_frames >= SEGMENT_LEN)
        out->value = sum / (double)(e.n_frames - SEGMENT_LEN + 1);
fail:
    clear_envelopes(&e);
    return status;
}

RsdStatus metric_stoi_bands(MetricValue bands[STOI_N_BANDS], const MetricSignals *s, RsdError *err)
{
    RsdStatus status = RSD_OK;
    Envelopes e = {0};

    TRY(analyse(&e, s, err));
    for (int k = 0; k < N_BANDS; k++) {
        const int64_t n = e.n_frames - SEGMENT_LEN + 1;
        double sum = 0;

        for (int64_t t = 0; t < n; t++)
            sum += correlate_band(e.ref + t, e.dist + t, k);
        bands[k] = (MetricValue){n > 0 ? sum / (double)n : TOO_SHORT_VALUE, flags_of(&e, s)};
    }
fail:
    clear_envelopes(&e);
    return status;
}

double stoi_band_hz(int k)
{
    return LOWEST_HZ * pow(2, k / 3.0);
}

RsdStatus metric_stoi(MetricValue *out, const MetricSignals *signals, RsdError *err)
{
    return measure(out, signals, false, err);
}

RsdStatus metric_estoi(MetricValue *out, const MetricSignals *signals, RsdError *err)
{
    return measure(out, signals, true, err);
}
