/* octave_resample.c - polyphase filter with a Kaiser window, by its definition.
 *
 *   p / q = to / from in lowest terms, f_c = 1 / (2 max(p, q)), roll-off f_c / 10, 60 dB
 *   h[t] = 2 p f_c sinc(2 f_c t) kaiser(t), t = -L .. L, divided by its sum, times p
 *   y[m] = sum_i x[i] h[m q - i p]
 *
 * With m q = p b + r the index is r - p (i - b): each remainder r has its own taps, which lie in a row in the order of i.
 *
 * SPDX-License-Identifier: MIT
 */
#include "losses/octave_resample.h"

#include <math.h>

#include "engine/base/mem.h"
#include "engine/dsp/window.h"
#include "engine/kernels/spectrum.h"

#define REJECTION_DB 60.0
#define KAISER_BETA (0.1102 * (REJECTION_DB - 8.7))
#define MAX_FILTER_LEN ((int64_t)1 << 26)

static int64_t common_divisor(int64_t a, int64_t b)
{
    while (b) {
        int64_t rest = a % b;

        a = b;
        b = rest;
    }
    return a;
}

/* h [2 L + 1] for p / q. */
static RsdStatus make_filter(double **h, int64_t *half_len, int64_t p, int64_t q, RsdError *err)
{
    RsdStatus status = RSD_OK;
    double cutoff = 1.0 / (2.0 * (double)(p > q ? p : q)), sum = 0;
    double len = ceil((REJECTION_DB - 8) / (28.714 * cutoff / 10));
    size_t count;

    *h = NULL;
    CHECK(2 * len + 1 <= (double)MAX_FILTER_LEN, err, RSD_ERR_ARG,
          "the ratio %lld:%lld of the sampling rates is too intricate; resample to a common rate first", (long long)p,
          (long long)q);
    *half_len = (int64_t)len;
    count = 2 * (size_t)*half_len + 1;
    TRY(mem_alloc(h, count, sizeof **h, err));
    window_kaiser_f64(*h, count, KAISER_BETA);
    for (size_t i = 0; i < count; i++) {
        double t = 2 * cutoff * (double)((int64_t)i - *half_len);
        double sinc = t == 0 ? 1 : sin(M_PI * t) / (M_PI * t);

        (*h)[i] *= 2 * (double)p * cutoff * sinc;
        sum += (*h)[i];
    }
    for (size_t i = 0; i < count; i++)
        (*h)[i] *= (double)p / sum;
fail:
    return status;
}

/* For each of p remainders the taps of samples b - reach .. b + reach. */
static RsdStatus sort_taps(double **bank, const double *h, int64_t half_len, int64_t p, int64_t reach, RsdError *err)
{
    const int64_t width = 2 * reach + 1;
    RsdStatus status = mem_alloc(bank, (size_t)(p * width), sizeof **bank, err);

    for (int64_t k = 0; status == RSD_OK && k < p * width; k++) {
        const int64_t at = k / width - p * (k % width - reach);

        (*bank)[k] = at >= -half_len && at <= half_len ? h[at + half_len] : 0.0;
    }
    return status;
}

static void filter(const double *x, int64_t n, const double *bank, int64_t reach, int64_t p, int64_t q, double *y, int64_t n_out)
{
    const SpectrumKernels *kernels = kernels_pick()->spectrum;

    for (int64_t m = 0; m < n_out; m++) {
        const int64_t base = m * q / p, first = base > reach ? base - reach : 0, last = base + reach < n ? base + reach : n - 1;

        y[m] = last < first ? 0.0
                            : kernels->long_filter(x + first, bank + m * q % p * (2 * reach + 1) + first - (base - reach),
                                                   last - first + 1);
    }
}

RsdStatus octave_resample(const float *x, int64_t n, int from_hz, int to_hz, double **y, int64_t *n_out, RsdError *err)
{
    RsdStatus status = RSD_OK;
    int64_t divisor = common_divisor(from_hz, to_hz), p = to_hz / divisor, q = from_hz / divisor, half_len = 0, reach;
    double *h = NULL, *bank = NULL, *wide = NULL;

    *y = NULL;
    *n_out = (n * p + q - 1) / q;
    TRY(mem_alloc(y, (size_t)*n_out, sizeof **y, err));
    if (p == q) {
        for (int64_t i = 0; i < n; i++)
            (*y)[i] = x[i];
        return RSD_OK;
    }
    TRY(make_filter(&h, &half_len, p, q, err));
    reach = half_len / p + 1;
    TRY(sort_taps(&bank, h, half_len, p, reach, err));
    TRY(mem_alloc(&wide, (size_t)n, sizeof *wide, err));
    for (int64_t i = 0; i < n; i++)
        wide[i] = x[i];
    filter(wide, n, bank, reach, p, q, *y, *n_out);
fail:
    mem_free(&h);
    mem_free(&bank);
    mem_free(&wide);
    if (status != RSD_OK)
        mem_free(y);
    return status;
}
