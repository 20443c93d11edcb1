/* spectrum_oracle.c - short-time transforms and mel filters in double, from their definitions.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/engine/spectrum_oracle.h"

#include <math.h>
#include <stdlib.h>

static int win_len_of(const StftConfig *c)
{
    return c->win_len ? c->win_len : c->n_fft;
}

int64_t oracle_left(const StftConfig *c)
{
    return c->pad == STFT_PAD_NONE ? 0 : c->pad == STFT_PAD_CENTRE ? c->n_fft / 2 : (c->n_fft - c->hop) / 2;
}

int64_t oracle_frames(const StftConfig *c, int64_t n)
{
    int64_t padded = n + 2 * oracle_left(c), frames = 0;

    if (c->pad == STFT_PAD_SAME) { /* one frame for each started hop */
        for (int64_t at = 0; at < n; at += c->hop)
            frames++;
        return frames;
    }
    for (int64_t at = 0; at + c->n_fft <= padded; at += c->hop)
        frames++;
    return frames;
}

double oracle_sample(const StftConfig *c, const double *x, int64_t n, int64_t i)
{
    if (i >= 0 && i < n)
        return x[i];
    if (c->edge == STFT_EDGE_ZERO || i < -oracle_left(c) || i >= n + oracle_left(c))
        return 0.0;
    while (i < 0 || i >= n) { /* bounce off both ends */
        if (n == 1)
            return x[0];
        i = i < 0 ? -i : 2 * (n - 1) - i;
    }
    return x[i];
}

double oracle_window(const StftConfig *c, int i)
{
    const int len = win_len_of(c), at = i - (c->n_fft - len) / 2;

    if (at < 0 || at >= len)
        return 0.0;
    return len == 1 ? 1.0 : pow(sin(M_PI * at / len), 2.0);
}

double oracle_scale(const StftConfig *c)
{
    double energy = 0.0;

    for (int i = 0; i < c->n_fft; i++)
        energy += oracle_window(c, i) * oracle_window(c, i);
    return c->norm == STFT_NORM_WINDOW ? 1.0 / sqrt(energy) : c->norm == STFT_NORM_LENGTH ? 1.0 / sqrt(c->n_fft) : 1.0;
}

/* cos and sin of 2 pi i / n for i below n. */
static double *turns_of(int n)
{
    double *turns = calloc((size_t)n, 2 * sizeof *turns);

    for (int i = 0; turns && i < n; i++) {
        turns[2 * i] = cos(2.0 * M_PI * i / n);
        turns[2 * i + 1] = sin(2.0 * M_PI * i / n);
    }
    return turns;
}

void oracle_stft(const StftConfig *c, const double *x, int64_t n, double *s)
{
    const int n_fft = c->n_fft, bins = n_fft / 2 + 1;
    const int64_t frames = oracle_frames(c, n);
    const double scale = oracle_scale(c);
    double *turns = turns_of(n_fft), *frame = calloc((size_t)n_fft, sizeof *frame);

    for (int64_t f = 0; f < frames; f++) {
        for (int i = 0; i < n_fft; i++)
            frame[i] = scale * oracle_window(c, i) * oracle_sample(c, x, n, f * c->hop + i - oracle_left(c));
        for (int k = 0; k < bins; k++) {
            double re = 0.0, im = 0.0;

            for (int i = 0; i < n_fft; i++) {
                const double *turn = turns + 2 * ((int64_t)k * i % n_fft);

                re += frame[i] * turn[0];
                im -= frame[i] * turn[1];
            }
            s[k * frames + f] = re;
            s[(bins + k) * frames + f] = im;
        }
    }
    free(turns);
    free(frame);
}

void oracle_istft(const StftConfig *c, const double *s, int64_t n_frames, double *x, int64_t n)
{
    const int n_fft = c->n_fft, bins = n_fft / 2 + 1;
    const int64_t len = (n_frames - 1) * c->hop + n_fft;
    const double scale = oracle_scale(c);
    double *sum = calloc((size_t)len, sizeof *sum), *norm = calloc((size_t)len, sizeof *norm), *turns = turns_of(n_fft);

    for (int64_t f = 0; f < n_frames; f++)
        for (int i = 0; i < n_fft; i++) {
            const double w = oracle_window(c, i);
            double v = 0.0;

            for (int k = 0; k < n_fft; k++) { /* the whole circle: upper bins are conjugates */
                const int bin = k < bins ? k : n_fft - k;
                const double re = s[bin * n_frames + f], im = (k < bins ? 1.0 : -1.0) * s[(bins + bin) * n_frames + f];
                const double *turn = turns + 2 * ((int64_t)k * i % n_fft);
                const int alone = k == 0 || 2 * k == n_fft;

                v += re * turn[0] - (alone ? 0.0 : im * turn[1]);
            }
            sum[f * c->hop + i] += w * v / n_fft / scale;
            norm[f * c->hop + i] += w * w;
        }
    for (int64_t i = 0; i < n; i++) {
        const int64_t at = i + oracle_left(c);

        x[i] = at < len && norm[at] > 1e-11 ? sum[at] / norm[at] : 0.0;
    }
    free(sum);
    free(norm);
    free(turns);
}

static double to_mel(const MelConfig *c, double f)
{
    if (c->scale == MEL_HTK)
        return 2595.0 * log10(1.0 + f / 700.0);
    return f < 1000.0 ? f * 3.0 / 200.0 : 15.0 + 27.0 * log(f / 1000.0) / log(6.4);
}

static double from_mel(const MelConfig *c, double mel)
{
    if (c->scale == MEL_HTK)
        return 700.0 * (pow(10.0, mel / 2595.0) - 1.0);
    return mel < 15.0 ? mel * 200.0 / 3.0 : 1000.0 * pow(6.4, (mel - 15.0) / 27.0);
}

double oracle_mel_weight(const MelConfig *c, int m, int k)
{
    const double f_max = c->f_max_hz > 0.0 ? c->f_max_hz : c->rate_hz / 2.0;
    const double low = to_mel(c, c->f_min_hz), step = (to_mel(c, f_max) - low) / (c->n_mels + 1);
    const double a = from_mel(c, low + m * step), b = from_mel(c, low + (m + 1) * step);
    const double d = from_mel(c, low + (m + 2) * step), f = (double)k * c->rate_hz / c->n_fft;
    const double height = c->unit_area ? 2.0 / (d - a) : 1.0;

    if (f <= a || f >= d)
        return 0.0;
    return height * (f <= b ? (f - a) / (b - a) : (d - f) / (d - b));
}
