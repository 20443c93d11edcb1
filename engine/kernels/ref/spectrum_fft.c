/* spectrum_fft.c - real transforms of eight frames at once, in plain C.
 *
 * The n real samples of a frame are m = n / 2 complex ones, z[j] = x[2 j] + i x[2 j + 1], which is how the rows of a
 * block lie already. Their transform Z is taken by Stockham's method: each stage reads four runs of one array and
 * writes the butterflies in order into the other, so nothing is permuted. Then, with E and O the transforms of the even
 * and the odd samples and W = exp(-2 pi i / n),
 *
 *     Z[k] = E[k] + i O[k],   X[k] = E[k] + W^k O[k],   X[m - k] = conj(E[k] - W^k O[k]).
 *
 * The adjoint runs these steps backwards with conjugate turns. A complex row is eight real parts, then eight
 * imaginary ones.
 *
 * [1] Van Loan, Computational Frameworks for the Fast Fourier Transform, SIAM 1992, 1.7 and 4.3.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/kernels/ref/spectrum_fft.h"

#define LANES SPECTRUM_LANES
#define ROW (2 * SPECTRUM_LANES)

/* out = (re + i im) times the turn (c, s). */
static void store_turned(float *out, float re, float im, float c, float s)
{
    out[0] = re * c - im * s;
    out[LANES] = re * s + im * c;
}

/* One radix-4 stage over transforms of length l that lie interleaved with step `step`; sign 1 forward, -1 inverse. */
static void radix4_stage(const float *x, float *y, int l, int step, const float *turns, float sign)
{
    const int quarter = l / 4;

    for (int p = 0; p < quarter; p++, turns += 6)
        for (int q = 0; q < step; q++)
            for (int i = 0; i < LANES; i++) {
                const float *a = x + (q + step * p) * ROW + i, *b = a + step * quarter * ROW;
                const float *c = b + step * quarter * ROW, *d = c + step * quarter * ROW;
                float *out = y + (q + step * 4 * p) * ROW + i;
                const float sum_re = a[0] + c[0], sum_im = a[LANES] + c[LANES];
                const float diff_re = a[0] - c[0], diff_im = a[LANES] - c[LANES];
                const float odd_re = b[0] + d[0], odd_im = b[LANES] + d[LANES];
                const float cross_re = sign * (b[LANES] - d[LANES]), cross_im = -sign * (b[0] - d[0]);

                out[0] = sum_re + odd_re;
                out[LANES] = sum_im + odd_im;
                store_turned(out + step * ROW, diff_re + cross_re, diff_im + cross_im, turns[0], sign * turns[1]);
                store_turned(out + 2 * step * ROW, sum_re - odd_re, sum_im - odd_im, turns[2], sign * turns[3]);
                store_turned(out + 3 * step * ROW, diff_re - cross_re, diff_im - cross_im, turns[4], sign * turns[5]);
            }
}

/* The last stage when m is not a power of four: two interleaved halves. */
static void radix2_stage(const float *x, float *y, int step)
{
    for (int i = 0; i < step * ROW; i++) {
        const float a = x[i], b = x[i + step * ROW];

        y[i] = a + b;
        y[i + step * ROW] = a - b;
    }
}

/* Transform of m complex rows from `from`, with `other` of the same size; returns which of the two holds the result. */
static float *transform(const BlockFft *fft, float *from, float *other, float sign)
{
    const float *turns = fft->stages;
    int l = fft->n / 2, step = 1;

    for (; l > 1; l /= 4, step *= 4) {
        float *swapped = from;

        if (l == 2) {
            radix2_stage(from, other, step);
            return other;
        }
        radix4_stage(from, other, l, step, turns, sign);
        turns += l / 4 * 6;
        from = other;
        other = swapped;
    }
    return from;
}

static int n_stages(int m)
{
    int n = 0;

    for (; m > 1; m /= 4)
        n++;
    return n;
}

void spectrum_forward_ref(const BlockFft *fft, float *block, float *work, float *re, float *im)
{
    const int m = fft->n / 2;
    const float *z = transform(fft, block, work, 1.0f);

    for (int i = 0; i < LANES; i++) {
        re[i] = z[i] + z[i + LANES];
        re[m * LANES + i] = z[i] - z[i + LANES];
        im[i] = im[m * LANES + i] = 0.0f;
    }
    for (int k = 1; k <= m / 2; k++)
        for (int i = 0; i < LANES; i++) {
            const float *low = z + k * ROW + i, *high = z + (m - k) * ROW + i;
            const float c = fft->turns[2 * k], s = fft->turns[2 * k + 1];
            const float even_re = 0.5f * (low[0] + high[0]), even_im = 0.5f * (low[LANES] - high[LANES]);
            const float odd_re = 0.5f * (low[LANES] + high[LANES]), odd_im = -0.5f * (low[0] - high[0]);
            const float turned_re = c * odd_re - s * odd_im, turned_im = s * odd_re + c * odd_im;

            re[k * LANES + i] = even_re + turned_re;
            im[k * LANES + i] = even_im + turned_im;
            re[(m - k) * LANES + i] = even_re - turned_re;
            im[(m - k) * LANES + i] = turned_im - even_im;
        }
}

void spectrum_adjoint_ref(const BlockFft *fft, const float *re, const float *im, float *work, float *block)
{
    const int m = fft->n / 2;
    const int swaps = n_stages(m) % 2;
    float *z = swaps ? work : block; /* so that the last stage writes into block */

    for (int i = 0; i < LANES; i++) {
        z[i] = re[i] + re[m * LANES + i];
        z[i + LANES] = re[i] - re[m * LANES + i];
    }
    for (int k = 1; k <= m / 2; k++)
        for (int i = 0; i < LANES; i++) {
            const int low = k * LANES + i, high = (m - k) * LANES + i;
            const float c = fft->turns[2 * k], s = fft->turns[2 * k + 1];
            const float sum_re = 0.5f * (re[low] + re[high]), sum_im = 0.5f * (im[low] - im[high]);
            const float diff_re = 0.5f * (re[low] - re[high]), diff_im = 0.5f * (im[low] + im[high]);
            const float turned_re = c * diff_re + s * diff_im, turned_im = c * diff_im - s * diff_re;

            z[k * ROW + i] = sum_re - turned_im;
            z[k * ROW + i + LANES] = sum_im + turned_re;
            z[(m - k) * ROW + i] = sum_re + turned_im;
            z[(m - k) * ROW + i + LANES] = turned_re - sum_im;
        }
    transform(fft, z, swaps ? block : work, -1.0f);
}
