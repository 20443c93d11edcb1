/* phase_congruency.c - phase congruency by log-Gabor filters.
 *
 * A filter of one orientation is one-sided, so its response is complex: even part (lines) and odd part (edges). With the
 * picture real, the even part is the picture through the half sum f(u) + f(-u), the odd part through the half difference
 * f(u) - f(-u) turned by 90 degrees, so both come from real inverse transforms of half spectra. Sums over the filters'
 * impulse responses, which the noise estimate needs, are sums over their spectra (Parseval).
 *
 * SPDX-License-Identifier: MIT
 */
#include "losses/phase_congruency.h"

#include <math.h>
#include <string.h>

#include "engine/base/mem.h"
#include "engine/dsp/fft2d.h"

#define N_SCALES 4
#define N_ORIENTATIONS 4
#define SHORTEST_WAVE 6.0
#define BANDWIDTH 0.55
#define ANGULAR_SIGMA (M_PI / (N_ORIENTATIONS * 1.2))
#define CUTOFF 0.45 /* of the low pass that keeps the corners of the spectrum out */
#define NOISE_DEVIATIONS 2.0
#define NOISE_OVERESTIMATE 1.7
#define NOTHING 1e-9 /* amplitudes below this are rounding errors of a flat plane */

typedef struct Bank {
    int64_t h, w, bins;
    Fft2d *plan;
    void *work;
    double *spectrum, *product;          /* [h, bins, 2] */
    double *radial[N_SCALES];            /* [h, bins] */
    double *half_sum, *half_difference;  /* [h, bins], of one orientation */
    double *responses;                   /* [N_SCALES, 2, h, w]: even and odd, of one orientation */
    double *finest;                      /* [h, w]: squared amplitude of its finest scale */
    double *energy, *amplitude;          /* [h, w], of all orientations */
} Bank;

static void close_bank(Bank *b)
{
    double **const planes[] = {&b->spectrum, &b->product, &b->half_sum, &b->half_difference,
                               &b->responses, &b->finest, &b->energy,   &b->amplitude};

    for (size_t i = 0; i < sizeof planes / sizeof planes[0]; i++)
        mem_free(planes[i]);
    for (int s = 0; s < N_SCALES; s++)
        mem_free(&b->radial[s]);
    mem_free(&b->work);
    fft2d_destroy(&b->plan);
}

/* Frequency of row or column i of n in cycles per sample, as the reference spaces them: odd sizes reach 1/2 too. */
static double frequency(int64_t i, int64_t n)
{
    return (double)(i <= (n - 1) / 2 ? i : i - n) / (double)(n - n % 2);
}

static RsdStatus open_bank(Bank *b, const Plane *in, RsdError *err)
{
    const size_t count = (size_t)(in->h * in->w);
    size_t half;
    RsdStatus status = RSD_OK;

    *b = (Bank){.h = in->h, .w = in->w};
    CHECK(in->h <= INT32_MAX && in->w <= INT32_MAX, err, RSD_ERR_ARG, "a picture of %lld x %lld is too large for FSIM",
          (long long)in->w, (long long)in->h);
    TRY(fft2d_create(&b->plan, (int)in->h, (int)in->w, err));
    b->bins = fft2d_bins(b->plan);
    half = (size_t)(b->h * b->bins);
    TRY(mem_alloc(&b->work, fft2d_work_size(b->plan), 1, err));
    TRY(mem_alloc(&b->spectrum, 2 * half, sizeof(double), err));
    TRY(mem_alloc(&b->product, 2 * half, sizeof(double), err));
    TRY(mem_alloc(&b->half_sum, half, sizeof(double), err));
    TRY(mem_alloc(&b->half_difference, half, sizeof(double), err));
    TRY(mem_alloc(&b->responses, 2 * N_SCALES * count, sizeof(double), err));
    for (int s = 0; s < N_SCALES; s++)
        TRY(mem_alloc(&b->radial[s], half, sizeof(double), err));
    TRY(mem_alloc(&b->finest, count, sizeof(double), err));
    TRY(mem_calloc(&b->energy, count, sizeof(double), err));
    TRY(mem_calloc(&b->amplitude, count, sizeof(double), err));
    fft2d_forward(b->plan, in->data, b->spectrum, b->work);
    for (int64_t u = 0; u < b->h; u++)
        for (int64_t v = 0; v < b->bins; v++) {
            const double r = hypot(frequency(u, b->h), frequency(v, b->w)), low_pass = 1.0 / (1.0 + pow(r / CUTOFF, 30.0));

            for (int s = 0; s < N_SCALES; s++) {
                const double octaves = log(r * SHORTEST_WAVE * (double)(1 << s)) / log(BANDWIDTH);

                b->radial[s][u * b->bins + v] = r > 0.0 ? low_pass * exp(-0.5 * octaves * octaves) : 0.0;
            }
        }
fail:
    return status;
}

static double angular(double fy, double fx, double direction)
{
    const double theta = atan2(-fx, fy), off = remainder(theta - direction, 2.0 * M_PI);

    return exp(-off * off / (2.0 * ANGULAR_SIGMA * ANGULAR_SIGMA));
}

static void fill_orientation(Bank *b, int orientation)
{
    const double direction = orientation * M_PI / N_ORIENTATIONS;

    for (int64_t u = 0; u < b->h; u++)
        for (int64_t v = 0; v < b->bins; v++) {
            const double here = angular(frequency(u, b->h), frequency(v, b->w), direction);
            const double there = angular(frequency((b->h - u) % b->h, b->h), frequency((b->w - v) % b->w, b->w), direction);

            b->half_sum[u * b->bins + v] = 0.5 * (here + there);
            b->half_difference[u * b->bins + v] = 0.5 * (here - there);
        }
}

/* Even and odd response of one scale of the orientation. */
static void respond(Bank *b, int scale)
{
    const int64_t half = b->h * b->bins, count = b->h * b->w;
    double *even = b->responses + 2 * scale * count, *odd = even + count;

    for (int64_t i = 0; i < half; i++) {
        const double f = b->radial[scale][i] * b->half_sum[i];

        b->product[2 * i] = f * b->spectrum[2 * i];
        b->product[2 * i + 1] = f * b->spectrum[2 * i + 1];
    }
    fft2d_inverse(b->plan, b->product, even, b->work);
    for (int64_t i = 0; i < half; i++) {
        const double f = b->radial[scale][i] * b->half_difference[i];

        b->product[2 * i] = f * b->spectrum[2 * i + 1]; /* over i: turned by -90 degrees */
        b->product[2 * i + 1] = -f * b->spectrum[2 * i];
    }
    fft2d_inverse(b->plan, b->product, odd, b->work);
}

/* The k-th smallest, 0 <= k < n; the order changes. */
static double select_kth(double *x, int64_t n, int64_t k)
{
    int64_t low = 0, high = n - 1;

    while (low < high) {
        const double pivot = x[low + (high - low) / 2];
        int64_t i = low, j = high;

        while (i <= j) {
            while (x[i] < pivot)
                i++;
            while (x[j] > pivot)
                j--;
            if (i <= j) {
                const double t = x[i];

                x[i++] = x[j];
                x[j--] = t;
            }
        }
        if (k <= j)
            high = j;
        else if (k >= i)
            low = i;
        else
            break;
    }
    return x[k];
}

/* The energy that noise alone is expected to give: its power from the median squared amplitude of the finest scale (of a
 * Rayleigh distribution), through the filters. Sums over the whole spectrum: inner columns stand for two. */
static double noise_threshold(Bank *b)
{
    const int64_t count = b->h * b->w;
    double finest_power = 0.0, sum_square = 0.0, sum_cross = 0.0, power, energy;

    for (int64_t u = 0; u < b->h; u++)
        for (int64_t v = 0; v < b->bins; v++) {
            const int64_t i = u * b->bins + v;
            const double twice = v == 0 || 2 * v == b->w ? 1.0 : 2.0;
            double sum = 0.0, square = 0.0;

            for (int s = 0; s < N_SCALES; s++) {
                const double f = b->radial[s][i] * b->half_sum[i];

                sum += f;
                square += f * f;
            }
            finest_power += twice * b->radial[0][i] * b->radial[0][i] *
                            (b->half_sum[i] * b->half_sum[i] + b->half_difference[i] * b->half_difference[i]);
            sum_square += twice * square;
            sum_cross += twice * 0.5 * (sum * sum - square);
        }
    if (finest_power <= 0.0)
        return 0.0;
    power = select_kth(b->finest, count, (count - 1) / 2) / -log(0.5) / finest_power;
    energy = 2.0 * power * sum_square + 4.0 * power * sum_cross;
    return sqrt(0.5 * energy) * (sqrt(M_PI / 2.0) + NOISE_DEVIATIONS * sqrt(2.0 - M_PI / 2.0)) / NOISE_OVERESTIMATE;
}

static void add_orientation(Bank *b)
{
    const int64_t count = b->h * b->w;
    double threshold;

    for (int64_t i = 0; i < count; i++) {
        const double e = b->responses[i], o = b->responses[count + i];

        b->finest[i] = e * e + o * o;
    }
    threshold = noise_threshold(b);
    for (int64_t i = 0; i < count; i++) {
        double even = 0.0, odd = 0.0, energy = 0.0, length;

        for (int s = 0; s < N_SCALES; s++) {
            const double e = b->responses[2 * s * count + i], o = b->responses[(2 * s + 1) * count + i];

            even += e;
            odd += o;
            b->amplitude[i] += hypot(e, o);
        }
        length = hypot(even, odd) + 2.2e-16;
        even /= length;
        odd /= length;
        for (int s = 0; s < N_SCALES; s++) {
            const double e = b->responses[2 * s * count + i], o = b->responses[(2 * s + 1) * count + i];

            energy += e * even + o * odd - fabs(e * odd - o * even);
        }
        b->energy[i] += fmax(energy - threshold, 0.0);
    }
}

RsdStatus phase_congruency(Plane *out, const Plane *in, RsdError *err)
{
    Bank bank = {0};
    RsdStatus status = RSD_OK;

    TRY(open_bank(&bank, in, err));
    TRY(plane_open(out, in->h, in->w, err));
    for (int o = 0; o < N_ORIENTATIONS; o++) {
        fill_orientation(&bank, o);
        for (int s = 0; s < N_SCALES; s++)
            respond(&bank, s);
        add_orientation(&bank);
    }
    for (int64_t i = 0; i < in->h * in->w; i++)
        out->data[i] = bank.amplitude[i] > NOTHING ? bank.energy[i] / bank.amplitude[i] : 0.0;
fail:
    close_bank(&bank);
    return status;
}
