/* spatial.c - spectra of a ring of five frames, covariance of each band, comparison.
 *
 * SPDX-License-Identifier: MIT
 */
#include "losses/spatial.h"

#include <math.h>
#include <string.h>

#include "engine/base/mem.h"
#include "engine/dsp/fft.h"
#include "engine/dsp/window.h"

#define N_BANDS 24
#define TILE_FRAMES 5
#define LOW_PHASE_HZ 1500.0 /* above, ears follow envelopes rather than phases */
#define TINY 1e-30

/* One signal at one resolution. */
typedef struct Field {
    const float *x;
    size_t stride;
    double *spectra; /* [TILE_FRAMES, channels, bins, 2]: a ring, frame t at t % TILE_FRAMES */
} Field;

typedef struct Tiles {
    int channels, win_len, hop_len, n_bins, rate_hz;
    int64_t n, n_frames;
    int edges[N_BANDS + 1];
    Fft *fft;
    double *window, *frame;
    void *work;
    Field ref, dist;
} Tiles;

typedef struct Sums {
    double level, coherence, phase, angle;
    double weight, phase_weight, angle_weight;
} Sums;

typedef struct Complex {
    double re, im;
} Complex;

typedef Complex Covariance[SPATIAL_MAX_CHANNELS][SPATIAL_MAX_CHANNELS];

/* Glasberg and Moore, 1990: number of equivalent bandwidths below a frequency. */
static double ear_scale(double hz)
{
    return 21.4 * log10(1 + 0.00437 * hz);
}

static double ear_scale_inverse(double number)
{
    return (pow(10, number / 21.4) - 1) / 0.00437;
}

/* Bands have at least one bin each, the first from 0 Hz, the last up to half the rate. */
static void find_edges(Tiles *t)
{
    double top = ear_scale(t->rate_hz / 2.0);

    t->edges[0] = 0;
    for (int b = 1; b <= N_BANDS; b++) {
        int bin = (int)lround(ear_scale_inverse(top * b / N_BANDS) * t->win_len / t->rate_hz);
        int least = t->edges[b - 1] + 1, most = t->n_bins - (N_BANDS - b);

        t->edges[b] = b == N_BANDS ? t->n_bins : bin < least ? least : bin > most ? most : bin;
    }
}

static void clear(Tiles *t)
{
    fft_destroy(&t->fft);
    mem_free(&t->window);
    mem_free(&t->frame);
    mem_free(&t->work);
    mem_free(&t->ref.spectra);
    mem_free(&t->dist.spectra);
}

static RsdStatus set_up(Tiles *t, const MetricChannels *s, int win_len, RsdError *err)
{
    size_t count;
    RsdStatus status = RSD_OK;

    *t = (Tiles){.channels = s->channels,
                 .win_len = win_len,
                 .hop_len = win_len / 4,
                 .n_bins = win_len / 2 + 1,
                 .rate_hz = s->rate_hz,
                 .n = s->n,
                 .ref = {s->ref, s->ref_stride, NULL},
                 .dist = {s->dist, s->dist_stride, NULL}};
    t->n_frames = 1 + t->n / t->hop_len;
    find_edges(t);
    count = (size_t)TILE_FRAMES * (size_t)t->channels * (size_t)t->n_bins * 2;
    TRY(fft_create(&t->fft, win_len, FFT_DOUBLE, err));
    TRY(mem_alloc(&t->window, (size_t)win_len, sizeof *t->window, err));
    TRY(mem_alloc(&t->frame, (size_t)win_len, sizeof *t->frame, err));
    TRY(mem_alloc(&t->work, fft_work_size(t->fft), 1, err));
    TRY(mem_calloc(&t->ref.spectra, count, sizeof *t->ref.spectra, err));
    TRY(mem_calloc(&t->dist.spectra, count, sizeof *t->dist.spectra, err));
    window_hann_f64(t->window, (size_t)win_len, WINDOW_PERIODIC);
fail:
    return status;
}

static double *spectrum_at(const Tiles *t, const Field *f, int64_t frame, int channel)
{
    return f->spectra + ((size_t)(frame % TILE_FRAMES) * (size_t)t->channels + (size_t)channel) * (size_t)t->n_bins * 2;
}

/* Frame k is centred on sample k hop; zeros outside the signal, so frames past the end are silent. */
static void load_frame(Tiles *t, Field *f, int64_t k)
{
    for (int c = 0; c < t->channels; c++) {
        int64_t from = k * t->hop_len - t->win_len / 2;

        for (int i = 0; i < t->win_len; i++) {
            int64_t at = from + i;

            t->frame[i] = at >= 0 && at < t->n ? t->window[i] * f->x[(size_t)c * f->stride + (size_t)at] : 0;
        }
        fft_forward_f64(t->fft, t->frame, spectrum_at(t, f, k, c), t->work);
    }
}

static void covariance_of(const Tiles *t, const Field *f, int64_t centre, int band, Covariance out)
{
    memset(out, 0, sizeof(Covariance));
    for (int64_t k = centre - TILE_FRAMES / 2; k <= centre + TILE_FRAMES / 2; k++) {
        if (k < 0 || k >= t->n_frames)
            continue;
        for (int i = 0; i < t->channels; i++)
            for (int j = i; j < t->channels; j++) {
                const double *a = spectrum_at(t, f, k, i), *b = spectrum_at(t, f, k, j);

                for (int bin = t->edges[band]; bin < t->edges[band + 1]; bin++) {
                    out[i][j].re += a[2 * bin] * b[2 * bin] + a[2 * bin + 1] * b[2 * bin + 1];
                    out[i][j].im += a[2 * bin + 1] * b[2 * bin] - a[2 * bin] * b[2 * bin + 1];
                }
            }
    }
}

static double trace_of(const Tiles *t, Covariance c)
{
    double sum = 0;

    for (int i = 0; i < t->channels; i++)
        sum += c[i][i].re;
    return sum;
}

static double coherence_of(Covariance c, int i, int j)
{
    double energy = c[i][i].re * c[j][j].re;

    return energy > TINY ? fmin(1, hypot(c[i][j].re, c[i][j].im) / sqrt(energy)) : 0;
}

/* cos of the difference of both phases; 1 where either has none. */
static double phase_agreement(Complex a, Complex b)
{
    double size = hypot(a.re, a.im) * hypot(b.re, b.im);

    return size > TINY ? (a.re * b.re + a.im * b.im) / size : 1;
}

/* ACN order: W, Y, Z, X. */
static void add_angle(Sums *sums, Covariance ref, Covariance dist)
{
    double product = 0, ref_square = 0, dist_square = 0, energy, direct, cosine;

    for (int i = 1; i < 4; i++) {
        product += ref[0][i].re * dist[0][i].re;
        ref_square += ref[0][i].re * ref[0][i].re;
        dist_square += dist[0][i].re * dist[0][i].re;
    }
    energy = (ref[0][0].re + ref[1][1].re + ref[2][2].re + ref[3][3].re) / 2;
    if (energy <= TINY || ref_square <= TINY * TINY)
        return;
    direct = fmin(1, sqrt(ref_square) / energy); /* 1 - diffuseness */
    cosine = dist_square > TINY * TINY ? product / sqrt(ref_square * dist_square) : 0;
    sums->angle += energy * direct * acos(fmax(-1, fmin(1, cosine))) * 180 / M_PI;
    sums->angle_weight += energy * direct;
}

static void add_tile(Sums *sums, const Tiles *t, Covariance ref, Covariance dist, double centre_hz, bool ambisonic)
{
    double weight = trace_of(t, ref), dist_trace = trace_of(t, dist), level = 0, coherence = 0;
    double low = 0.1 + 0.9 / (1 + centre_hz / LOW_PHASE_HZ * (centre_hz / LOW_PHASE_HZ));
    int n_pairs = t->channels * (t->channels - 1) / 2;

    if (weight <= TINY)
        return;
    for (int i = 0; i < t->channels; i++) {
        level += fabs(ref[i][i].re / weight - (dist_trace > TINY ? dist[i][i].re / dist_trace : 0)) / t->channels;
        for (int j = i + 1; j < t->channels; j++) {
            double gamma = coherence_of(ref, i, j);

            coherence += fabs(gamma - coherence_of(dist, i, j)) / n_pairs;
            sums->phase += weight * gamma * low * (1 - phase_agreement(ref[i][j], dist[i][j]));
            sums->phase_weight += weight * gamma * low;
        }
    }
    sums->level += weight * level;
    sums->coherence += weight * coherence;
    sums->weight += weight;
    if (ambisonic)
        add_angle(sums, ref, dist);
}

static RsdStatus compare_at(Sums *sums, const MetricChannels *s, int win_len, bool ambisonic, RsdError *err)
{
    Tiles t;
    Covariance ref, dist;
    RsdStatus status = RSD_OK;

    TRY(set_up(&t, s, win_len, err));
    for (int64_t k = 0; k < t.n_frames + TILE_FRAMES / 2; k++) {
        int64_t centre = k - TILE_FRAMES / 2;

        if (k < t.n_frames) {
            load_frame(&t, &t.ref, k);
            load_frame(&t, &t.dist, k);
        }
        for (int b = 0; centre >= 0 && b < N_BANDS; b++) {
            double centre_hz = 0.5 * (t.edges[b] + t.edges[b + 1] - 1) * t.rate_hz / t.win_len;

            covariance_of(&t, &t.ref, centre, b, ref);
            covariance_of(&t, &t.dist, centre, b, dist);
            add_tile(sums, &t, ref, dist, centre_hz, ambisonic);
        }
    }
fail:
    clear(&t);
    return status;
}

RsdStatus spatial_distance(SpatialDistance *out, const MetricChannels *s, RsdError *err)
{
    static const int windows[] = {2048, 512};
    bool ambisonic = s->channels == 4 || s->channels == 9 || s->channels == 16;
    Sums sums = {0};
    RsdStatus status = RSD_OK;

    *out = (SpatialDistance){.angle_deg = NAN};
    CHECK(s->channels >= 2 && s->channels <= SPATIAL_MAX_CHANNELS, err, RSD_ERR_ARG,
          "spatial measures of %d channels; 2 to %d are possible", s->channels, SPATIAL_MAX_CHANNELS);
    for (size_t i = 0; i < sizeof windows / sizeof *windows; i++)
        TRY(compare_at(&sums, s, windows[i], ambisonic, err));
    out->silent = sums.weight == 0;
    if (!out->silent) {
        out->level = sums.level / sums.weight;
        out->coherence = sums.coherence / sums.weight;
    }
    if (sums.phase_weight > 0)
        out->phase = sums.phase / sums.phase_weight;
    if (ambisonic)
        out->angle_deg = sums.angle_weight > 0 ? sums.angle / sums.angle_weight : 0;
fail:
    return status;
}

static RsdStatus measure(SpatialDistance *d, MetricValue *out, const MetricChannels *s, RsdError *err)
{
    RsdStatus status = RSD_OK;

    *d = (SpatialDistance){0};
    *out = (MetricValue){.flags = METRIC_NOT_APPLICABLE};
    if (s->channels < 2 || s->channels > SPATIAL_MAX_CHANNELS)
        return RSD_OK;
    TRY(spatial_distance(d, s, err));
    out->flags = d->silent ? METRIC_SILENT_REFERENCE : 0;
fail:
    return status;
}

RsdStatus metric_spatial_level(MetricValue *out, const MetricChannels *s, RsdError *err)
{
    SpatialDistance d;
    RsdStatus status = measure(&d, out, s, err);

    out->value = d.level;
    return status;
}

RsdStatus metric_spatial_coherence(MetricValue *out, const MetricChannels *s, RsdError *err)
{
    SpatialDistance d;
    RsdStatus status = measure(&d, out, s, err);

    out->value = d.coherence;
    return status;
}

RsdStatus metric_spatial_phase(MetricValue *out, const MetricChannels *s, RsdError *err)
{
    SpatialDistance d;
    RsdStatus status = measure(&d, out, s, err);

    out->value = d.phase;
    return status;
}

RsdStatus metric_spatial_angle(MetricValue *out, const MetricChannels *s, RsdError *err)
{
    SpatialDistance d;
    RsdStatus status;

    if (s->channels != 4 && s->channels != 9 && s->channels != 16) {
        *out = (MetricValue){.flags = METRIC_NOT_APPLICABLE};
        return RSD_OK;
    }
    status = measure(&d, out, s, err);
    out->value = status == RSD_OK ? d.angle_deg : 0;
    return status;
}
