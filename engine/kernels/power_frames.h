/* power_frames.h - power spectra of frames in double: the steps, whatever the number of frames that a register holds.
 *
 * A set includes this with
 *   N_LANES               frames at once, a divisor of SPECTRUM_LANES
 *   Lanes                 N_LANES doubles, with + - * between them
 *   all_lanes(x)          x in each
 *   mul_add(a, b, c)      a b + c
 *   root(a)
 *   load_windowed(x, hop, window, n, n_frames, rows)   rows [n]: windowed samples, zero in lanes >= n_frames
 * The method is that of ref/spectrum_fft.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stddef.h>

#include "engine/kernels/spectrum.h"

#define INLINE static inline __attribute__((always_inline))

typedef struct ComplexLanes {
    Lanes re, im;
} ComplexLanes;

INLINE ComplexLanes add(ComplexLanes a, ComplexLanes b)
{
    return (ComplexLanes){a.re + b.re, a.im + b.im};
}

INLINE ComplexLanes sub(ComplexLanes a, ComplexLanes b)
{
    return (ComplexLanes){a.re - b.re, a.im - b.im};
}

/* z (turn[0] + i turn[1]) */
INLINE ComplexLanes turned(ComplexLanes z, const double *turn)
{
    const Lanes c = all_lanes(turn[0]), s = all_lanes(turn[1]);

    return (ComplexLanes){mul_add(z.re, c, -(z.im * s)), mul_add(z.re, s, z.im * c)};
}

/* Four rows `in_step` apart to four rows `out_step` apart; turns NULL: all are 1. */
INLINE void butterfly(const ComplexLanes *a, int in_step, ComplexLanes *out, int out_step, const double *turns)
{
    const ComplexLanes sum = add(a[0], a[2 * in_step]), diff = sub(a[0], a[2 * in_step]);
    const ComplexLanes odd = add(a[in_step], a[3 * in_step]), cross = sub(a[in_step], a[3 * in_step]);
    const ComplexLanes first = {diff.re + cross.im, diff.im - cross.re}, third = {diff.re - cross.im, diff.im + cross.re};

    out[0] = add(sum, odd);
    out[out_step] = turns ? turned(first, turns) : first;
    out[2 * out_step] = turns ? turned(sub(sum, odd), turns + 2) : sub(sum, odd);
    out[3 * out_step] = turns ? turned(third, turns + 4) : third;
}

static void radix4_stage(const ComplexLanes *x, ComplexLanes *y, int l, int step, const double *turns)
{
    const int quarter = l / 4;

    for (int q = 0; q < step; q++) /* p = 0: no turns */
        butterfly(x + q, step * quarter, y + q, step, NULL);
    for (int p = 1; p < quarter; p++)
        for (int q = 0; q < step; q++)
            butterfly(x + q + step * p, step * quarter, y + q + step * 4 * p, step, turns + 6 * p);
}

static void radix2_stage(const ComplexLanes *x, ComplexLanes *y, int step)
{
    for (int q = 0; q < step; q++) {
        y[q] = add(x[q], x[q + step]);
        y[q + step] = sub(x[q], x[q + step]);
    }
}

static const ComplexLanes *transform(const BlockFftF64 *fft, ComplexLanes *from, ComplexLanes *other)
{
    const double *turns = fft->stages;

    for (int l = fft->n / 2, step = 1; l > 1; l /= 4, step *= 4) {
        ComplexLanes *swapped = from;

        if (l == 2) {
            radix2_stage(from, other, step);
            return other;
        }
        radix4_stage(from, other, l, step, turns);
        turns += l / 4 * 6;
        from = other;
        other = swapped;
    }
    return from;
}

INLINE void store_power(double *power, ComplexLanes z, bool roots)
{
    const Lanes p = mul_add(z.re, z.re, z.im * z.im);

    *(Lanes *)power = roots ? root(p) : p;
}

/* Powers of all bins from the transform z of m complex rows. */
static void split_halves(const BlockFftF64 *fft, const ComplexLanes *z, bool roots, double *power)
{
    const int m = fft->n / 2;
    const Lanes half = all_lanes(0.5), zero = all_lanes(0.0);

    store_power(power, (ComplexLanes){z[0].re + z[0].im, zero}, roots);
    store_power(power + m * SPECTRUM_LANES, (ComplexLanes){z[0].re - z[0].im, zero}, roots);
    for (int k = 1; k <= m / 2; k++) {
        const ComplexLanes low = z[k], high = z[m - k];
        const ComplexLanes even = {half * (low.re + high.re), half * (low.im - high.im)};
        const ComplexLanes odd = turned((ComplexLanes){half * (low.im + high.im), half * (high.re - low.re)}, fft->turns + 2 * k);

        store_power(power + k * SPECTRUM_LANES, add(even, odd), roots);
        store_power(power + (m - k) * SPECTRUM_LANES, sub(even, odd), roots);
    }
}

static void power_frames(const BlockFftF64 *fft, const float *x, int64_t hop, const double *window, int n_frames, bool roots,
                         double *work, double *power)
{
    ComplexLanes *rows = (ComplexLanes *)work, *other = rows + fft->n / 2;

    for (int first = 0; first < SPECTRUM_LANES; first += N_LANES) {
        const int left = n_frames - first;

        load_windowed(x + first * hop, hop, window, fft->n, left < N_LANES ? left : N_LANES, (Lanes *)rows);
        split_halves(fft, transform(fft, rows, other), roots, power + first);
    }
}
