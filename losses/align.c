/* align.c - cross-correlation by FFT, block by block, summed over channels.
 *
 * A block of the reference, B samples, meets the B + 2 max_lag samples of the other signal that can belong to it. The
 * offset inside is the same for every block and channel, so the cross spectra are added up and only the sum goes back to lags:
 *
 *   ref   |......|--- B ---|        zeros to N
 *   dist  |<lag>|--- B ---|<lag>|   N >= B + 2 max_lag, so no lag wraps around
 *
 * SPDX-License-Identifier: MIT
 */
#include "losses/align.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "engine/base/mem.h"
#include "engine/dsp/fft.h"

#define MAX_LAG ((int64_t)1 << 24)
#define SMALLEST_FFT 4096
#define PASS_HZ 8000.0
#define TIE 1e-12 /* correlations this close, relative to the energy, are equal */
#define NEARLY 1e-3 /* and peaks of a periodic signal this close, relative to the highest */

typedef struct Correlator {
    Fft *fft;
    int len, n_bins, n_pass; /* bins below PASS_HZ */
    int64_t block_len, max_lag;
    double *ref, *dist; /* [len + 2]: samples, then spectra in place */
    double *cross;      /* [n_bins, 2], then [len] lags */
    void *work;
    double ref_energy, dist_energy;
} Correlator;

static RsdStatus set_up(Correlator *c, int rate_hz, int64_t max_lag, RsdError *err)
{
    RsdStatus status = RSD_OK;
    size_t size;

    *c = (Correlator){.len = SMALLEST_FFT, .max_lag = max_lag};
    while (c->len < 4 * max_lag)
        c->len *= 2;
    c->block_len = c->len - 2 * max_lag;
    TRY(fft_create(&c->fft, c->len, FFT_DOUBLE, err));
    c->n_bins = fft_bins(c->fft);
    c->n_pass = (int)fmin(c->n_bins, floor(PASS_HZ * c->len / rate_hz) + 1);
    size = 2 * (size_t)c->n_bins;
    TRY(mem_alloc(&c->ref, size, sizeof *c->ref, err));
    TRY(mem_alloc(&c->dist, size, sizeof *c->dist, err));
    TRY(mem_calloc(&c->cross, size, sizeof *c->cross, err));
    TRY(mem_alloc(&c->work, fft_work_size(c->fft), 1, err));
fail:
    return status;
}

static void clear(Correlator *c)
{
    fft_destroy(&c->fft);
    mem_free(&c->ref);
    mem_free(&c->dist);
    mem_free(&c->cross);
    mem_free(&c->work);
}

/* dst [len] = x[from .. from + count), zeros outside the signal and behind. */
static void load(double *dst, int len, const float *x, int64_t n, int64_t from, int64_t count)
{
    for (int64_t i = 0; i < len; i++) {
        int64_t at = from + i;

        dst[i] = i < count && at >= 0 && at < n ? x[at] : 0;
    }
}

static double energy_of(const float *x, int64_t n)
{
    double sum = 0;

    for (int64_t i = 0; i < n; i++)
        sum += (double)x[i] * x[i];
    return sum;
}

static void add_block(Correlator *c, const float *ref, int64_t n_ref, const float *dist, int64_t n_dist, int64_t from)
{
    load(c->ref, c->len, ref, n_ref, from, c->block_len);
    load(c->dist, c->len, dist, n_dist, from - c->max_lag, c->len);
    fft_forward_f64(c->fft, c->ref, c->ref, c->work);
    fft_forward_f64(c->fft, c->dist, c->dist, c->work);
    for (int b = 0; b < c->n_pass; b++) { /* conj(ref) * dist */
        double xr = c->ref[2 * b], xi = c->ref[2 * b + 1], yr = c->dist[2 * b], yi = c->dist[2 * b + 1];

        c->cross[2 * b] += xr * yr + xi * yi;
        c->cross[2 * b + 1] += xr * yi - xi * yr;
    }
}

/* Vertex of the parabola through three points around i, relative to i. */
static double refine(const double *lags, int64_t i, int64_t count)
{
    double before, at, after, curvature;

    if (i <= 0 || i >= count - 1)
        return 0;
    before = lags[i - 1], at = lags[i], after = lags[i + 1];
    curvature = before - 2 * at + after;
    return curvature < 0 ? 0.5 * (before - after) / curvature : 0;
}

/* Height of that parabola: of a peak between two lags. */
static double height_at(const double *lags, int64_t i, int64_t count)
{
    const double aside = refine(lags, i, count);

    return aside == 0 ? lags[i] : lags[i] - 0.25 * (lags[i - 1] - lags[i + 1]) * aside;
}

static bool is_peak(const double *lags, int64_t i, int64_t count)
{
    return lags[i] > 0 && (i == 0 || lags[i] >= lags[i - 1]) && (i == count - 1 || lags[i] >= lags[i + 1]);
}

/* Lags lie at 0 .. 2 max_lag, lag 0 in the middle; looks from there outwards so that ties go to the smallest. A tone has a peak
 * each period, of which the one that falls on a whole lag stands out by chance: nearly equal ones are ties as well. */
static int64_t find_peak(const double *lags, int64_t max_lag, double energy)
{
    const int64_t count = 2 * max_lag + 1;
    int64_t best = max_lag;
    double enough;

    for (int64_t d = 1; d <= max_lag; d++)
        for (int sign = -1; sign <= 1; sign += 2)
            if (lags[max_lag + sign * d] > lags[best] + TIE * energy)
                best = max_lag + sign * d;
    enough = (1 - NEARLY) * height_at(lags, best, count);
    for (int64_t d = 0; d <= max_lag; d++)
        for (int sign = -1; sign <= 1; sign += 2) {
            const int64_t i = max_lag + sign * d;

            if (i == best || (is_peak(lags, i, count) && height_at(lags, i, count) >= enough))
                return i;
        }
    return best;
}

RsdStatus align_find(Alignment *out, const float *ref, int64_t n_ref, const float *dist, int64_t n_dist, int channels, int rate_hz,
                     int64_t max_lag, RsdError *err)
{
    RsdStatus status = RSD_OK;
    Correlator c = {0};
    double energy;
    int64_t peak;

    *out = (Alignment){0};
    CHECK(n_ref >= 1 && n_dist >= 1, err, RSD_ERR_ARG, "signals of %lld and %lld samples cannot be aligned",
          (long long)n_ref, (long long)n_dist);
    CHECK(channels >= 1, err, RSD_ERR_ARG, "signals of %d channels cannot be aligned", channels);
    CHECK(max_lag >= 0 && max_lag <= MAX_LAG && rate_hz >= 1, err, RSD_ERR_ARG,
          "largest delay of %lld samples at %d Hz: 0 to %lld are possible", (long long)max_lag, rate_hz,
          (long long)MAX_LAG);
    energy = sqrt(energy_of(ref, channels * n_ref) * energy_of(dist, channels * n_dist));
    if (energy == 0)
        return RSD_OK;
    TRY(set_up(&c, rate_hz, max_lag, err));
    for (int64_t from = 0; from < n_ref; from += c.block_len)
        for (int64_t channel = 0; channel < channels; channel++)
            add_block(&c, ref + channel * n_ref, n_ref, dist + channel * n_dist, n_dist, from);
    fft_inverse_f64(c.fft, c.cross, c.cross, c.work);
    peak = find_peak(c.cross, max_lag, energy);
    out->lag_samples = peak - max_lag;
    out->exact_lag = (double)out->lag_samples + refine(c.cross, peak, 2 * max_lag + 1);
    out->correlation = fmax(-1, fmin(1, c.cross[peak] / energy));
fail:
    clear(&c);
    return status;
}

void align_overlap(int64_t lag, int64_t n_ref, int64_t n_dist, int64_t *ref_from, int64_t *dist_from, int64_t *n)
{
    int64_t ref_left, dist_left;

    *ref_from = lag < 0 ? -lag : 0;
    *dist_from = lag > 0 ? lag : 0;
    ref_left = n_ref - *ref_from;
    dist_left = n_dist - *dist_from;
    *n = ref_left < dist_left ? ref_left : dist_left;
    if (*n < 0)
        *n = 0;
}
