/* rows_spectrum.c - rows of short-time transforms, mel filters, and distances of signals.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdlib.h>

#include "engine/ops/mel.h"
#include "engine/ops/signal_ratio.h"
#include "engine/ops/spectral_distance.h"
#include "engine/ops/spectrum.h"
#include "engine/ops/stft.h"
#include "tests/engine/op_table.h"
#include "tests/engine/spectrum_oracle.h"

/* Plans live as long as the program: ops borrow them, and a row has no place to end their life. */
#define MAX_PLANS 16

static RsdStatus plan_of(const StftConfig *config, const Stft **plan, RsdError *err)
{
    static const StftConfig *configs[MAX_PLANS];
    static Stft *plans[MAX_PLANS];
    int i = 0;

    while (configs[i] && configs[i] != config)
        i++;
    if (!configs[i]) {
        RsdStatus status = stft_create(&plans[i], config, err);

        if (status != RSD_OK)
            return status;
        configs[i] = config;
    }
    *plan = plans[i];
    return RSD_OK;
}

static RsdStatus bank_of(const MelConfig *config, const MelBank **bank, RsdError *err)
{
    static const MelConfig *configs[MAX_PLANS];
    static MelBank *banks[MAX_PLANS];
    int i = 0;

    while (configs[i] && configs[i] != config)
        i++;
    if (!configs[i]) {
        RsdStatus status = mel_create(&banks[i], config, err);

        if (status != RSD_OK)
            return status;
        configs[i] = config;
    }
    *bank = banks[i];
    return RSD_OK;
}

/* --- transforms --------------------------------------------------------------------------------------------------- */

static const StftConfig centre = {.n_fft = 32, .hop = 8, .pad = STFT_PAD_CENTRE, .edge = STFT_EDGE_REFLECT};
static const StftConfig short_window = {.n_fft = 64, .hop = 10, .win_len = 30, .pad = STFT_PAD_CENTRE,
                                        .edge = STFT_EDGE_REFLECT, .norm = STFT_NORM_LENGTH};
static const StftConfig same = {.n_fft = 16, .hop = 4, .pad = STFT_PAD_SAME, .edge = STFT_EDGE_ZERO};
static const StftConfig same_mirrored = {.n_fft = 128, .hop = 32, .pad = STFT_PAD_SAME, .edge = STFT_EDGE_REFLECT,
                                         .norm = STFT_NORM_WINDOW};
static const StftConfig odd_length = {.n_fft = 21, .hop = 5, .pad = STFT_PAD_CENTRE, .edge = STFT_EDGE_ZERO,
                                      .norm = STFT_NORM_WINDOW};
static const StftConfig even_length = {.n_fft = 20, .hop = 5, .pad = STFT_PAD_SAME, .edge = STFT_EDGE_ZERO,
                                       .norm = STFT_NORM_WINDOW};
static const StftConfig unpadded = {.n_fft = 16, .hop = 7, .pad = STFT_PAD_NONE, .in_double = true};
static const StftConfig usual = {.n_fft = 512, .hop = 128, .pad = STFT_PAD_CENTRE, .edge = STFT_EDGE_REFLECT};
static const StftConfig head = {.n_fft = 640, .hop = 160, .pad = STFT_PAD_SAME, .edge = STFT_EDGE_ZERO};

static RsdStatus apply_stft(Tape *tape, const OpRow *row, Tensor *const *in, Tensor **y, RsdError *err)
{
    const Stft *plan;
    RsdStatus status = plan_of(row->attributes, &plan, err);

    return status == RSD_OK ? op_stft(tape, plan, in[0], y, err) : status;
}

static void stft_in_double(const OpRow *row, const OpArray *in, OpArray *y)
{
    const StftConfig *c = row->attributes;
    const int64_t n = in[0].shape[in[0].n_dims - 1], rows = in[0].count / n, bins = c->n_fft / 2 + 1;
    const int64_t frames = oracle_frames(c, n);
    double *out = op_array_shape(y, 4, (int64_t[]){rows, 2, bins, frames});

    for (int64_t r = 0; r < rows; r++)
        oracle_stft(c, in[0].data + r * n, n, out + r * 2 * bins * frames);
}

static RsdStatus apply_istft(Tape *tape, const OpRow *row, Tensor *const *in, Tensor **y, RsdError *err)
{
    const Stft *plan;
    RsdStatus status = plan_of(row->attributes, &plan, err);

    return status == RSD_OK ? op_istft(tape, plan, in[0], (int64_t)row->scalar, y, err) : status;
}

static void istft_in_double(const OpRow *row, const OpArray *in, OpArray *y)
{
    const StftConfig *c = row->attributes;
    const int64_t rows = in[0].shape[0], frames = in[0].shape[3];
    const int64_t n = row->scalar > 0 ? (int64_t)row->scalar : frames * c->hop;
    double *out = op_array_shape(y, 3, (int64_t[]){rows, 1, n});

    for (int64_t r = 0; r < rows; r++)
        oracle_istft(c, in[0].data + r * in[0].count / rows, frames, out + r * n, n);
}

/* --- element by element ------------------------------------------------------------------------------------------- */

static RsdStatus apply_magnitude(Tape *tape, const OpRow *row, Tensor *const *in, Tensor **y, RsdError *err)
{
    return op_magnitude(tape, in[0], (float)row->scalar, y, err);
}

static RsdStatus apply_power(Tape *tape, const OpRow *row, Tensor *const *in, Tensor **y, RsdError *err)
{
    (void)row;
    return op_power(tape, in[0], y, err);
}

static void norm_in_double(const OpRow *row, const OpArray *in, OpArray *y)
{
    const int64_t rows = in[0].shape[0], plane = in[0].shape[2] * in[0].shape[3];
    double *out = op_array_shape(y, 3, (int64_t[]){rows, in[0].shape[2], in[0].shape[3]});

    for (int64_t i = 0; i < rows * plane; i++) {
        const double *re = in[0].data + i / plane * 2 * plane + i % plane, p = re[0] * re[0] + re[plane] * re[plane];

        out[i] = row->apply == apply_power ? p : sqrt(fmax(p, (double)(float)row->scalar));
    }
}

#define COMPRESS_EPS 1e-4f

static RsdStatus apply_compress(Tape *tape, const OpRow *row, Tensor *const *in, Tensor **y, RsdError *err)
{
    return op_compress(tape, in[0], (float)row->scalar, COMPRESS_EPS, y, err);
}

static void compress_in_double(const OpRow *row, const OpArray *in, OpArray *y)
{
    const int64_t plane = in[0].shape[2] * in[0].shape[3];
    double *out = op_array_like(y, &in[0]);

    for (int64_t i = 0; i < in[0].shape[0] * plane; i++) {
        const int64_t at = i / plane * 2 * plane + i % plane;
        const double re = in[0].data[at], im = in[0].data[at + plane];
        const double gain = pow(re * re + im * im + (double)COMPRESS_EPS, ((double)(float)row->scalar - 1.0) / 2.0);

        out[at] = gain * re;
        out[at + plane] = gain * im;
    }
}

/* --- filter banks ------------------------------------------------------------------------------------------------- */

static const MelConfig htk = {.rate_hz = 16000, .n_fft = 64, .n_mels = 12, .f_min_hz = 64.0, .scale = MEL_HTK};
static const MelConfig slaney = {.rate_hz = 24000, .n_fft = 48, .n_mels = 40, .f_max_hz = 9000.0, .scale = MEL_SLANEY,
                                 .unit_area = true};
static const MelConfig wide = {.rate_hz = 16000, .n_fft = 512, .n_mels = 80, .scale = MEL_SLANEY, .unit_area = true};

static RsdStatus apply_mel(Tape *tape, const OpRow *row, Tensor *const *in, Tensor **y, RsdError *err)
{
    const MelBank *bank;
    RsdStatus status = bank_of(row->attributes, &bank, err);

    return status == RSD_OK ? op_mel(tape, bank, in[0], y, err) : status;
}

static void mel_in_double(const OpRow *row, const OpArray *in, OpArray *y)
{
    const MelConfig *c = row->attributes;
    const int64_t rows = in[0].shape[0], bins = in[0].shape[1], frames = in[0].shape[2];
    double *out = op_array_shape(y, 3, (int64_t[]){rows, c->n_mels, frames});

    for (int m = 0; m < c->n_mels; m++)
        for (int k = 0; k < bins; k++) {
            const double w = oracle_mel_weight(c, m, k);

            for (int64_t i = 0; w != 0.0 && i < rows * frames; i++)
                out[(i / frames * c->n_mels + m) * frames + i % frames] +=
                    w * in[0].data[(i / frames * bins + k) * frames + i % frames];
        }
}

/* --- spectral distances: estimate, target ------------------------------------------------------------------------- */

typedef struct DistanceRow {
    const StftConfig *stft;
    const MelConfig *mel;
    SpectralScale scale;
} DistanceRow;

static const DistanceRow mel_logs = {
    &centre, &(const MelConfig){.rate_hz = 16000, .n_fft = 32, .n_mels = 5, .scale = MEL_SLANEY, .unit_area = true},
    {.feature = SPECTRAL_MAGNITUDE,
     .terms = {.linear = 0.5f, .log = 1.0f, .log_scale = 0.43429448f, .log_floor = 1e-3f, .log_clamps = true}}};
static const DistanceRow mel_squares = {
    &same_mirrored,
    &(const MelConfig){.rate_hz = 16000, .n_fft = 128, .n_mels = 20, .f_min_hz = 64.0, .scale = MEL_HTK},
    {.feature = SPECTRAL_POWER,
     .terms = {.linear = 1.0f, .log_square = 2.0f, .log_scale = 0.43429448f, .log_floor = 1e-5f}}};
static const DistanceRow convergence = {
    &short_window, NULL,
    {.feature = SPECTRAL_MAGNITUDE, .floor = 1e-7f, .convergence = 0.5f,
     .terms = {.log = 0.5f, .square = 0.1f, .log_scale = 1.0f, .log_floor = 1e-7f, .log_clamps = true}}};
static const DistanceRow compressed = {
    &even_length, NULL,
    {.feature = SPECTRAL_COMPRESSED, .exponent = 0.3f, .eps = 1e-4f, .terms = {.linear = 1.0f}}};

static RsdStatus apply_distance(Tape *tape, const OpRow *row, Tensor *const *in, Tensor **y, RsdError *err)
{
    const DistanceRow *d = row->attributes;
    SpectralScale scales[2] = {d->scale, d->scale};
    RsdStatus status = plan_of(d->stft, &scales[0].stft, err);

    if (status == RSD_OK && d->mel)
        status = bank_of(d->mel, &scales[0].mel, err);
    scales[1] = scales[0]; /* two scales: their gradients add up */
    return status == RSD_OK ? op_spectral_distance(tape, scales, 2, in[0], in[1], y, err) : status;
}

/* Features of a row [rows of features, frames]; returns the number of features. */
static int64_t features_in_double(const DistanceRow *d, const double *s, int64_t frames, double *out)
{
    const int64_t bins = d->stft->n_fft / 2 + 1;
    const SpectralScale *scale = &d->scale;
    double *a = calloc((size_t)(bins * frames), sizeof *a);

    for (int64_t i = 0; i < bins * frames; i++) {
        const double re = s[i], im = s[bins * frames + i], p = re * re + im * im;
        const double gain = pow(p + (double)scale->eps, ((double)scale->exponent - 1.0) / 2.0);

        a[i] = scale->feature == SPECTRAL_POWER ? p : sqrt(fmax(p, (double)scale->floor));
        if (scale->feature == SPECTRAL_COMPRESSED) {
            out[i] = gain * re;
            out[bins * frames + i] = gain * im;
        } else if (!d->mel) {
            out[i] = a[i];
        }
    }
    for (int64_t m = 0; d->mel && m < d->mel->n_mels; m++)
        for (int64_t f = 0; f < frames; f++) {
            out[m * frames + f] = 0.0;
            for (int64_t k = 0; k < bins; k++)
                out[m * frames + f] += oracle_mel_weight(d->mel, (int)m, (int)k) * a[k * frames + f];
        }
    free(a);
    return scale->feature == SPECTRAL_COMPRESSED ? 2 * bins : d->mel ? d->mel->n_mels : bins;
}

static double log_in_double(const DistanceTerms *t, double v)
{
    const double floor = (double)t->log_floor;

    return t->log_scale == 0.0f ? 0.0 : (double)t->log_scale * log(t->log_clamps ? fmax(v, floor) : v + floor);
}

static void distance_in_double(const OpRow *row, const OpArray *in, OpArray *y)
{
    const DistanceRow *d = row->attributes;
    const DistanceTerms *t = &d->scale.terms;
    const int64_t n = in[0].shape[in[0].n_dims - 1], rows = in[0].count / n, bins = d->stft->n_fft / 2 + 1;
    const int64_t frames = oracle_frames(d->stft, n), largest = (2 * bins + 64) * frames;
    double *s = calloc((size_t)largest, sizeof *s), *a = calloc((size_t)largest, sizeof *a);
    double *b = calloc((size_t)largest, sizeof *b), sum = 0.0, difference = 0.0, norm = 0.0;
    int64_t count = 0;

    for (int64_t r = 0; r < rows; r++) {
        oracle_stft(d->stft, in[0].data + r * n, n, s);
        count = features_in_double(d, s, frames, a) * frames;
        oracle_stft(d->stft, in[1].data + r * n, n, s);
        features_in_double(d, s, frames, b);
        for (int64_t i = 0; i < count; i++) {
            const double diff = a[i] - b[i], log_diff = log_in_double(t, a[i]) - log_in_double(t, b[i]);

            sum += (double)t->linear * fabs(diff) + (double)t->square * diff * diff + (double)t->log * fabs(log_diff) +
                   (double)t->log_square * log_diff * log_diff;
            difference += diff * diff;
            norm += b[i] * b[i];
        }
    }
    op_array_shape(y, 1, (int64_t[]){1})[0] =
        2.0 * (sum / (double)(rows * count) + (double)d->scale.convergence * sqrt(difference / norm));
    free(s);
    free(a);
    free(b);
}

/* --- ratios of signal to noise: estimate, target ------------------------------------------------------------------ */

static const SisnrParams segments = {.segment_len = 20, .step = 8, .epsilon = 1e-4};
static const SisnrParams whole = {.epsilon = 1e-6};
static const SisdrParams scaled = {.scales = true, .removes_mean = true};
static const SisdrParams swapped = {.scales = true, .removes_mean = true, .estimate_is_reference = true};
static const SisdrParams plain = {.clips = true, .clip_db = -40.0};

static RsdStatus apply_sisnr(Tape *tape, const OpRow *row, Tensor *const *in, Tensor **y, RsdError *err)
{
    return op_negative_sisnr(tape, row->attributes, in[0], in[1], y, err);
}

static void sisnr_in_double(const OpRow *row, const OpArray *in, OpArray *y)
{
    const SisnrParams *p = row->attributes;
    const int64_t n = in[0].shape[in[0].n_dims - 1], rows = in[0].count / n;
    const int64_t len = p->segment_len ? p->segment_len : n, step = p->segment_len ? p->step : n;
    double sum = 0.0, *e = calloc((size_t)len, sizeof *e), *g = calloc((size_t)len, sizeof *g);
    int64_t count = 0;

    for (int64_t r = 0; r < rows; r++)
        for (int64_t at = 0; at < n; at += step, count++) {
            const double eps = p->epsilon * (double)len;
            double mean_e = 0.0, mean_g = 0.0, dot = 0.0, norm = 0.0, signal = 0.0, noise = 0.0;

            for (int64_t i = 0; i < len; i++) {
                e[i] = at + i < n ? in[0].data[r * n + at + i] : 0.0;
                g[i] = at + i < n ? in[1].data[r * n + at + i] : 0.0;
                mean_e += e[i] / (double)len;
                mean_g += g[i] / (double)len;
            }
            for (int64_t i = 0; i < len; i++) {
                e[i] -= mean_e;
                g[i] -= mean_g;
                dot += e[i] * g[i];
                norm += g[i] * g[i];
            }
            for (int64_t i = 0; i < len; i++) {
                const double projected = dot * g[i] / (eps + norm);

                signal += projected * projected;
                noise += (e[i] - projected) * (e[i] - projected);
            }
            sum -= 10.0 * (log10(eps + signal) - log10(eps + noise));
        }
    op_array_shape(y, 1, (int64_t[]){1})[0] = sum / (double)count;
    free(e);
    free(g);
}

static RsdStatus apply_sisdr(Tape *tape, const OpRow *row, Tensor *const *in, Tensor **y, RsdError *err)
{
    return op_negative_sisdr(tape, row->attributes, in[0], in[1], y, err);
}

static void sisdr_in_double(const OpRow *row, const OpArray *in, OpArray *y)
{
    const SisdrParams *p = row->attributes;
    const int64_t batch = in[0].shape[0], n = in[0].count / batch;
    double sum = 0.0;

    for (int64_t b = 0; b < batch; b++) {
        const double *reference = in[!p->estimate_is_reference].data + b * n;
        const double *other = in[p->estimate_is_reference].data + b * n;
        double mean_r = 0.0, mean_e = 0.0, dot = 0.0, norm = 0.0, signal = 0.0, noise = 0.0, a, value;

        for (int64_t i = 0; p->removes_mean && i < n; i++) {
            mean_r += reference[i] / (double)n;
            mean_e += other[i] / (double)n;
        }
        for (int64_t i = 0; i < n; i++) {
            dot += (reference[i] - mean_r) * (other[i] - mean_e);
            norm += (reference[i] - mean_r) * (reference[i] - mean_r);
        }
        a = p->scales ? (dot + 1e-8) / (norm + 1e-8) : 1.0;
        for (int64_t i = 0; i < n; i++) {
            const double projected = a * (reference[i] - mean_r), rest = other[i] - mean_e - projected;

            signal += projected * projected;
            noise += rest * rest;
        }
        value = -10.0 * log10(signal / noise + 1e-8);
        sum += p->clips ? fmax(value, p->clip_db) : value;
    }
    op_array_shape(y, 1, (int64_t[]){1})[0] = sum / (double)batch;
}

/* --- the rows ----------------------------------------------------------------------------------------------------- */

#define SIGNALS {3, {2, 2, 53}, {0}, -1, 1}
#define STFT_ROW(text, config, n)                                                                                      \
    {.name = text, .n_inputs = 1, .in = {{3, {2, 1, n}, {0}, -1, 1}}, .attributes = &config,                          \
     .apply = apply_stft, .reference = stft_in_double, .value_tolerance = 1e-6, .gradient_tolerance = 1e-6}
#define ISTFT_ROW(text, config, bins, frames, n)                                                                       \
    {.name = text, .n_inputs = 1, .in = {{4, {2, 2, bins, frames}, {0}, -1, 1}}, .attributes = &config, .scalar = n,   \
     .apply = apply_istft, .reference = istft_in_double, .value_tolerance = 2e-6, .gradient_tolerance = 2e-6}
#define DISTANCE_ROW(text, row, bench_n)                                                                               \
    {.name = text, .n_inputs = 2, .in = {{3, {2, 1, 71}, {16, 1, bench_n}, -1, 1},                                     \
                                         {3, {2, 1, 71}, {16, 1, bench_n}, -1, 1, .constant = true}},                  \
     .attributes = &row, .apply = apply_distance, .reference = distance_in_double, .value_tolerance = 1e-6,            \
     .gradient_tolerance = 5e-5} /* near a silent bin ln |X| bends within one step of the differences */
#define RATIO_ROW(text, params, call, oracle)                                                                          \
    {.name = text, .n_inputs = 2, .in = {SIGNALS, {3, {2, 2, 53}, {0}, -1, 1, .constant = true}},                      \
     .attributes = &params, .apply = call, .reference = oracle, .value_tolerance = 1e-6, .gradient_tolerance = 1e-5}

const OpRow op_rows_spectrum[] = {
    STFT_ROW("stft, centred and mirrored", centre, 61),
    STFT_ROW("stft, window shorter than the transform", short_window, 61),
    STFT_ROW("stft, one frame per hop", same, 50),
    STFT_ROW("stft, mirrored again and again", same_mirrored, 9),
    STFT_ROW("stft, odd length", odd_length, 50),
    STFT_ROW("stft, length not a power of two", even_length, 52),
    STFT_ROW("stft, unpadded, in double", unpadded, 50),
    {.name = "stft 512", .n_inputs = 1, .in = {{3, {1, 1, 300}, {16, 1, 16000}, -1, 1}}, .attributes = &usual,
     .apply = apply_stft, .reference = stft_in_double, .value_tolerance = 1e-6, .gradient_tolerance = 1e-6},
    ISTFT_ROW("istft, one frame per hop", same, 9, 13, 0),
    ISTFT_ROW("istft, mirror of the centred transform", centre, 17, 8, 61),
    ISTFT_ROW("istft, odd length", odd_length, 11, 11, 51),
    ISTFT_ROW("istft, length not a power of two", even_length, 11, 11, 52),
    ISTFT_ROW("istft, samples without a window", unpadded, 9, 5, 50),
    {.name = "istft 640", .n_inputs = 1, .in = {{4, {1, 2, 321, 3}, {16, 2, 321, 100}, -1, 1}}, .attributes = &head,
     .apply = apply_istft, .reference = istft_in_double, .value_tolerance = 2e-6, .gradient_tolerance = 2e-6},
    {.name = "magnitude", .n_inputs = 1, .in = {{4, {2, 2, 5, 13}, {16, 2, 257, 126}, -1, 1}}, .apply = apply_magnitude,
     .reference = norm_in_double, .value_tolerance = 1e-6, .gradient_tolerance = 5e-6},
    {.name = "magnitude with floor", .n_inputs = 1, .in = {{4, {2, 2, 5, 13}, {0}, -1, 1}}, .scalar = 0.2,
     .apply = apply_magnitude, .reference = norm_in_double, .value_tolerance = 1e-6, .gradient_tolerance = 5e-6},
    {.name = "power", .n_inputs = 1, .in = {{4, {2, 2, 5, 13}, {16, 2, 257, 126}, -1, 1}}, .apply = apply_power,
     .reference = norm_in_double, .value_tolerance = 1e-6, .gradient_tolerance = 1e-6},
    {.name = "compress", .n_inputs = 1, .in = {{4, {2, 2, 5, 13}, {16, 2, 257, 126}, -1, 1}}, .scalar = 0.3,
     .apply = apply_compress, .reference = compress_in_double, .value_tolerance = 1e-6, .gradient_tolerance = 5e-6},
    {.name = "compress, expanding", .n_inputs = 1, .in = {{4, {2, 2, 5, 13}, {0}, -1, 1}}, .scalar = 1.9,
     .apply = apply_compress, .reference = compress_in_double, .value_tolerance = 1e-6, .gradient_tolerance = 5e-6},
    {.name = "mel, HTK", .n_inputs = 1, .in = {{3, {2, 33, 13}, {0}, 0, 1}}, .attributes = &htk, .apply = apply_mel,
     .reference = mel_in_double, .value_tolerance = 1e-5, .gradient_tolerance = 1e-5}, /* weights computed in float32 */
    {.name = "mel, Slaney, with empty filters", .n_inputs = 1, .in = {{3, {2, 25, 70}, {0}, 0, 1}},
     .attributes = &slaney, .apply = apply_mel, .reference = mel_in_double, .value_tolerance = 1e-6,
     .gradient_tolerance = 1e-6},
    {.name = "mel 80", .n_inputs = 1, .in = {{3, {1, 257, 9}, {16, 257, 126}, 0, 1}}, .attributes = &wide,
     .apply = apply_mel, .reference = mel_in_double, .value_tolerance = 1e-6, .gradient_tolerance = 1e-6},
    DISTANCE_ROW("spectral distance, log mel", mel_logs, 16000),
    DISTANCE_ROW("spectral distance, mel power", mel_squares, 16000),
    DISTANCE_ROW("spectral distance, convergence", convergence, 4000),
    DISTANCE_ROW("spectral distance, compressed", compressed, 4000),
    RATIO_ROW("SI-SNR, segments", segments, apply_sisnr, sisnr_in_double),
    RATIO_ROW("SI-SNR, whole", whole, apply_sisnr, sisnr_in_double),
    RATIO_ROW("SI-SDR", scaled, apply_sisdr, sisdr_in_double),
    RATIO_ROW("SI-SDR, estimate as reference", swapped, apply_sisdr, sisdr_in_double),
    RATIO_ROW("SDR", plain, apply_sisdr, sisdr_in_double),
    {0},
};
