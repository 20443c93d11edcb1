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

struct PhaseBank {
    int64_t h, w, bins;
    bool with_gradient;
    Fft2d *plan;
    void *work;
    double *spectrum, *product;                                      /* [h, bins, 2] */
    double *radial[N_SCALES];                                        /* [h, bins] */
    double *half_sum[N_ORIENTATIONS], *half_difference[N_ORIENTATIONS]; /* [h, bins] */
    double per_median[N_ORIENTATIONS];  /* noise threshold over the root of the median squared amplitude of the finest scale */
    double *responses;                  /* [N_ORIENTATIONS or 1, N_SCALES, 2, h, w]: even and odd */
    double *finest;                     /* [h, w]: squared amplitude of the finest scale of one orientation */
    double *energy, *amplitude;         /* [h, w], of all orientations */
    double median[N_ORIENTATIONS], threshold[N_ORIENTATIONS];
};

void phase_bank_destroy(PhaseBank **bank)
{
    PhaseBank *b = *bank;

    if (!b)
        return;
    for (int s = 0; s < N_SCALES; s++)
        mem_free(&b->radial[s]);
    for (int o = 0; o < N_ORIENTATIONS; o++) {
        mem_free(&b->half_sum[o]);
        mem_free(&b->half_difference[o]);
    }
    mem_free(&b->spectrum);
    mem_free(&b->product);
    mem_free(&b->responses);
    mem_free(&b->finest);
    mem_free(&b->energy);
    mem_free(&b->amplitude);
    mem_free(&b->work);
    fft2d_destroy(&b->plan);
    mem_free(bank);
}

/* Frequency of row or column i of n in cycles per sample, as the reference spaces them: odd sizes reach 1/2 too. */
static double frequency(int64_t i, int64_t n)
{
    return (double)(i <= (n - 1) / 2 ? i : i - n) / (double)(n - n % 2);
}

static void fill_scales(PhaseBank *b)
{
    for (int64_t u = 0; u < b->h; u++)
        for (int64_t v = 0; v < b->bins; v++) {
            const double r = hypot(frequency(u, b->h), frequency(v, b->w)), low_pass = 1.0 / (1.0 + pow(r / CUTOFF, 30.0));

            for (int s = 0; s < N_SCALES; s++) {
                const double octaves = log(r * SHORTEST_WAVE * (double)(1 << s)) / log(BANDWIDTH);

                b->radial[s][u * b->bins + v] = r > 0.0 ? low_pass * exp(-0.5 * octaves * octaves) : 0.0;
            }
        }
}

static double angular(double fy, double fx, double direction)
{
    const double theta = atan2(-fx, fy), off = remainder(theta - direction, 2.0 * M_PI);

    return exp(-off * off / (2.0 * ANGULAR_SIGMA * ANGULAR_SIGMA));
}

static void fill_orientation(PhaseBank *b, int orientation)
{
    const double direction = orientation * M_PI / N_ORIENTATIONS;

    for (int64_t u = 0; u < b->h; u++)
        for (int64_t v = 0; v < b->bins; v++) {
            const double here = angular(frequency(u, b->h), frequency(v, b->w), direction);
            const double there = angular(frequency((b->h - u) % b->h, b->h), frequency((b->w - v) % b->w, b->w), direction);

            b->half_sum[orientation][u * b->bins + v] = 0.5 * (here + there);
            b->half_difference[orientation][u * b->bins + v] = 0.5 * (here - there);
        }
}

/* The energy that noise alone is expected to give: its power from the median squared amplitude of the finest scale (of a
 * Rayleigh distribution), through the filters. Sums over the whole spectrum: inner columns stand for two. */
static void fill_noise(PhaseBank *b, int orientation)
{
    const double *half_sum = b->half_sum[orientation], *half_difference = b->half_difference[orientation];
    double finest_power = 0.0, sum_square = 0.0, sum_cross = 0.0, energy;

    for (int64_t u = 0; u < b->h; u++)
        for (int64_t v = 0; v < b->bins; v++) {
            const int64_t i = u * b->bins + v;
            const double twice = v == 0 || 2 * v == b->w ? 1.0 : 2.0;
            double sum = 0.0, square = 0.0;

            for (int s = 0; s < N_SCALES; s++) {
                const double f = b->radial[s][i] * half_sum[i];

                sum += f;
                square += f * f;
            }
            finest_power += twice * b->radial[0][i] * b->radial[0][i] *
                            (half_sum[i] * half_sum[i] + half_difference[i] * half_difference[i]);
            sum_square += twice * square;
            sum_cross += twice * 0.5 * (sum * sum - square);
        }
    if (finest_power <= 0.0)
        return;
    energy = (2.0 * sum_square + 4.0 * sum_cross) / -log(0.5) / finest_power;
    b->per_median[orientation] = sqrt(0.5 * energy) * (sqrt(M_PI / 2.0) + NOISE_DEVIATIONS * sqrt(2.0 - M_PI / 2.0)) /
                                 NOISE_OVERESTIMATE;
}

RsdStatus phase_bank_create(PhaseBank **out, int64_t h, int64_t w, bool with_gradient, RsdError *err)
{
    const size_t count = (size_t)(h * w), kept = with_gradient ? N_ORIENTATIONS : 1;
    size_t half;
    PhaseBank *b = NULL;
    RsdStatus status = RSD_OK;

    CHECK(h <= INT32_MAX && w <= INT32_MAX, err, RSD_ERR_ARG, "a picture of %lld x %lld is too large for FSIM", (long long)w,
          (long long)h);
    TRY(mem_calloc(&b, 1, sizeof *b, err));
    *b = (PhaseBank){.h = h, .w = w, .with_gradient = with_gradient};
    TRY(fft2d_create(&b->plan, (int)h, (int)w, err));
    b->bins = fft2d_bins(b->plan);
    half = (size_t)(h * b->bins);
    TRY(mem_alloc(&b->work, fft2d_work_size(b->plan), 1, err));
    TRY(mem_alloc(&b->spectrum, 2 * half, sizeof(double), err));
    TRY(mem_alloc(&b->product, 2 * half, sizeof(double), err));
    TRY(mem_alloc(&b->responses, kept * 2 * N_SCALES * count, sizeof(double), err));
    TRY(mem_alloc(&b->finest, count, sizeof(double), err));
    TRY(mem_alloc(&b->energy, count, sizeof(double), err));
    TRY(mem_alloc(&b->amplitude, count, sizeof(double), err));
    for (int s = 0; s < N_SCALES; s++)
        TRY(mem_alloc(&b->radial[s], half, sizeof(double), err));
    for (int o = 0; o < N_ORIENTATIONS; o++) {
        TRY(mem_alloc(&b->half_sum[o], half, sizeof(double), err));
        TRY(mem_alloc(&b->half_difference[o], half, sizeof(double), err));
    }
    fill_scales(b);
    for (int o = 0; o < N_ORIENTATIONS; o++) {
        fill_orientation(b, o);
        fill_noise(b, o);
    }
    *out = b;
    return RSD_OK;
fail:
    phase_bank_destroy(&b);
    return status;
}

/* [N_SCALES, 2, h, w] of one orientation. */
static double *responses_of(const PhaseBank *b, int orientation)
{
    return b->responses + (b->with_gradient ? orientation : 0) * 2 * N_SCALES * b->h * b->w;
}

/* Even and odd response of one scale. */
static void respond(PhaseBank *b, int orientation, int scale)
{
    const int64_t half = b->h * b->bins, count = b->h * b->w;
    double *even = responses_of(b, orientation) + 2 * scale * count, *odd = even + count;

    for (int64_t i = 0; i < half; i++) {
        const double f = b->radial[scale][i] * b->half_sum[orientation][i];

        b->product[2 * i] = f * b->spectrum[2 * i];
        b->product[2 * i + 1] = f * b->spectrum[2 * i + 1];
    }
    fft2d_inverse(b->plan, b->product, even, b->work);
    for (int64_t i = 0; i < half; i++) {
        const double f = b->radial[scale][i] * b->half_difference[orientation][i];

        b->product[2 * i] = f * b->spectrum[2 * i + 1]; /* over i: turned by -90 degrees */
        b->product[2 * i + 1] = -f * b->spectrum[2 * i];
    }
    fft2d_inverse(b->plan, b->product, odd, b->work);
}

/* Adds to the spectrum what gradients of the two responses say of the picture: the transposed filters, even the same, odd the
 * negative. */
static void respond_back(PhaseBank *b, int orientation, int scale)
{
    const int64_t half = b->h * b->bins, count = b->h * b->w;
    const double *even = responses_of(b, orientation) + 2 * scale * count, *odd = even + count;

    fft2d_forward(b->plan, even, b->product, b->work);
    for (int64_t i = 0; i < half; i++) {
        const double f = b->radial[scale][i] * b->half_sum[orientation][i];

        b->spectrum[2 * i] += f * b->product[2 * i];
        b->spectrum[2 * i + 1] += f * b->product[2 * i + 1];
    }
    fft2d_forward(b->plan, odd, b->product, b->work);
    for (int64_t i = 0; i < half; i++) {
        const double f = b->radial[scale][i] * b->half_difference[orientation][i];

        b->spectrum[2 * i] -= f * b->product[2 * i + 1];
        b->spectrum[2 * i + 1] += f * b->product[2 * i];
    }
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

/* What one place of one orientation adds, before the threshold. */
typedef struct Local {
    double unit_even, unit_odd; /* direction of the summed responses */
    double length;              /* of their sum */
    double energy, amplitude;
} Local;

static Local look_at(const double *responses, int64_t count, int64_t i)
{
    double even = 0.0, odd = 0.0;
    Local l = {0};

    for (int s = 0; s < N_SCALES; s++) {
        const double e = responses[2 * s * count + i], o = responses[(2 * s + 1) * count + i];

        even += e;
        odd += o;
        l.amplitude += hypot(e, o);
    }
    l.length = hypot(even, odd) + 2.2e-16;
    l.unit_even = even / l.length;
    l.unit_odd = odd / l.length;
    for (int s = 0; s < N_SCALES; s++) {
        const double e = responses[2 * s * count + i], o = responses[(2 * s + 1) * count + i];

        l.energy += e * l.unit_even + o * l.unit_odd - fabs(e * l.unit_odd - o * l.unit_even);
    }
    return l;
}

static void add_orientation(PhaseBank *b, int orientation)
{
    const int64_t count = b->h * b->w;
    const double *responses = responses_of(b, orientation);

    for (int64_t i = 0; i < count; i++) {
        const double e = responses[i], o = responses[count + i];

        b->finest[i] = e * e + o * o;
    }
    b->median[orientation] = select_kth(b->finest, count, (count - 1) / 2);
    b->threshold[orientation] = b->per_median[orientation] * sqrt(b->median[orientation]);
    for (int64_t i = 0; i < count; i++) {
        const Local l = look_at(responses, count, i);

        b->amplitude[i] += l.amplitude;
        b->energy[i] += fmax(l.energy - b->threshold[orientation], 0.0);
    }
}

RsdStatus phase_congruency(Plane *out, PhaseBank *b, const Plane *in, RsdError *err)
{
    const int64_t count = in->h * in->w;
    RsdStatus status = RSD_OK;

    TRY(plane_open(out, in->h, in->w, err));
    memset(b->energy, 0, (size_t)count * sizeof(double));
    memset(b->amplitude, 0, (size_t)count * sizeof(double));
    fft2d_forward(b->plan, in->data, b->spectrum, b->work);
    for (int o = 0; o < N_ORIENTATIONS; o++) {
        for (int s = 0; s < N_SCALES; s++)
            respond(b, o, s);
        add_orientation(b, o);
    }
    for (int64_t i = 0; i < count; i++)
        out->data[i] = b->amplitude[i] > NOTHING ? b->energy[i] / b->amplitude[i] : 0.0;
fail:
    return status;
}

/* --- gradient ----------------------------------------------------------------------------------------------------------- */

/* Puts the gradients of the responses of one place in their place, from those of its energy and amplitude. */
static void look_back(double *responses, int64_t count, int64_t i, const Local *l, double denergy, double damplitude)
{
    double dunit_even = 0.0, dunit_odd = 0.0, dsum_even = 0.0, dsum_odd = 0.0, along;

    for (int s = 0; s < N_SCALES; s++) {
        double *even = &responses[2 * s * count + i], *odd = &responses[(2 * s + 1) * count + i];
        const double e = *even, o = *odd, across = e * l->unit_odd - o * l->unit_even, length = hypot(e, o);
        const double sign = across > 0.0 ? 1.0 : across < 0.0 ? -1.0 : 0.0, share = length > 0.0 ? damplitude / length : 0.0;

        dunit_even += denergy * (e + sign * o);
        dunit_odd += denergy * (o - sign * e);
        *even = denergy * (l->unit_even - sign * l->unit_odd) + share * e;
        *odd = denergy * (l->unit_odd + sign * l->unit_even) + share * o;
    }
    if (l->length <= NOTHING)
        return;
    along = dunit_even * l->unit_even + dunit_odd * l->unit_odd;
    dsum_even = (dunit_even - along * l->unit_even) / l->length;
    dsum_odd = (dunit_odd - along * l->unit_odd) / l->length;
    for (int s = 0; s < N_SCALES; s++) {
        responses[2 * s * count + i] += dsum_even;
        responses[(2 * s + 1) * count + i] += dsum_odd;
    }
}

/* b->energy and b->amplitude hold their gradients. */
static void orientation_back(PhaseBank *b, int orientation)
{
    const int64_t count = b->h * b->w;
    const double median = b->median[orientation], threshold = b->threshold[orientation];
    double *responses = responses_of(b, orientation), dthreshold = 0.0, even = 0.0, odd = 0.0;
    int64_t at = -1; /* the median response */

    for (int64_t i = 0; i < count; i++) {
        const double e = responses[i], o = responses[count + i];
        const Local l = look_at(responses, count, i);
        const double denergy = l.energy > threshold ? b->energy[i] : 0.0;

        if (at < 0 && e * e + o * o == median) {
            at = i;
            even = e;
            odd = o;
        }
        dthreshold -= denergy;
        look_back(responses, count, i, &l, denergy, b->amplitude[i]);
    }
    if (at >= 0 && median > NOTHING * NOTHING) { /* threshold = c sqrt(median) */
        responses[at] += dthreshold * threshold / median * even;
        responses[count + at] += dthreshold * threshold / median * odd;
    }
}

void phase_congruency_back(Plane *din, PhaseBank *b, const Plane *dout)
{
    const int64_t count = b->h * b->w;

    for (int64_t i = 0; i < count; i++) {
        const double amplitude = b->amplitude[i], d = amplitude > NOTHING ? dout->data[i] / amplitude : 0.0;

        b->amplitude[i] = amplitude > NOTHING ? -d * b->energy[i] / amplitude : 0.0;
        b->energy[i] = d;
    }
    memset(b->spectrum, 0, (size_t)(2 * b->h * b->bins) * sizeof(double));
    for (int o = 0; o < N_ORIENTATIONS; o++) {
        orientation_back(b, o);
        for (int s = 0; s < N_SCALES; s++)
            respond_back(b, o, s);
    }
    fft2d_inverse(b->plan, b->spectrum, b->finest, b->work);
    for (int64_t i = 0; i < count; i++)
        din->data[i] += b->finest[i];
}
