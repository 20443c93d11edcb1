/* spectrum_fft_avx2.c - frames to blocks and back, and transforms of eight frames at once, with AVX2 and FMA.
 *
 * The method is that of ref/spectrum_fft.c: a complex row is two registers, so a radix-4 butterfly of eight frames is
 * the scalar one with registers for numbers. Samples become rows by 8 x 8 transposition.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/kernels/x86/spectrum_avx2.h"

#define LANES SPECTRUM_LANES
#define ROW (2 * SPECTRUM_LANES)
#define INLINE static inline __attribute__((always_inline))

typedef struct Complex8 {
    __m256 re, im;
} Complex8;

void spectrum_load_frames_avx2(const float *x, int64_t hop, const float *window, int n, int n_frames, float *block)
{
    int i = 0;

    for (; i + 8 <= n; i += 8) {
        const __m256 w = _mm256_loadu_ps(window + i);
        __m256 r[8];

        for (int l = 0; l < 8; l++)
            r[l] = l < n_frames ? _mm256_mul_ps(w, _mm256_loadu_ps(x + l * hop + i)) : _mm256_setzero_ps();
        transpose8(r);
        for (int l = 0; l < 8; l++)
            _mm256_store_ps(block + (i + l) * LANES, r[l]);
    }
    for (; i < n; i++)
        for (int l = 0; l < LANES; l++)
            block[i * LANES + l] = l < n_frames ? window[i] * x[l * hop + i] : 0.0f;
}

void spectrum_add_frames_avx2(const float *block, const float *window, int n, int64_t hop, int n_frames, float *x)
{
    int i = 0;

    for (; i + 8 <= n; i += 8) {
        const __m256 w = _mm256_loadu_ps(window + i);
        __m256 r[8];

        for (int l = 0; l < 8; l++)
            r[l] = _mm256_load_ps(block + (i + l) * LANES);
        transpose8(r);
        for (int l = 0; l < n_frames; l++) {
            float *at = x + l * hop + i;

            _mm256_storeu_ps(at, _mm256_fmadd_ps(w, r[l], _mm256_loadu_ps(at)));
        }
    }
    for (; i < n; i++)
        for (int l = 0; l < n_frames; l++)
            x[l * hop + i] = __builtin_fmaf(window[i], block[i * LANES + l], x[l * hop + i]);
}

INLINE Complex8 load(const float *row)
{
    return (Complex8){_mm256_load_ps(row), _mm256_load_ps(row + LANES)};
}

INLINE void store(float *row, Complex8 z)
{
    _mm256_store_ps(row, z.re);
    _mm256_store_ps(row + LANES, z.im);
}

INLINE Complex8 add(Complex8 a, Complex8 b)
{
    return (Complex8){_mm256_add_ps(a.re, b.re), _mm256_add_ps(a.im, b.im)};
}

INLINE Complex8 sub(Complex8 a, Complex8 b)
{
    return (Complex8){_mm256_sub_ps(a.re, b.re), _mm256_sub_ps(a.im, b.im)};
}

/* z (c + i s), or z (c - i s) for the inverse. */
INLINE Complex8 turn(Complex8 z, __m256 c, __m256 s, bool inverse)
{
    const __m256 re = _mm256_mul_ps(z.re, c), im = _mm256_mul_ps(z.im, c);

    if (inverse)
        return (Complex8){_mm256_fmadd_ps(z.im, s, re), _mm256_fnmadd_ps(z.re, s, im)};
    return (Complex8){_mm256_fnmadd_ps(z.im, s, re), _mm256_fmadd_ps(z.re, s, im)};
}

/* One butterfly: four rows `in_step` floats apart to four rows `out_step` floats apart; turns NULL: all are 1. */
INLINE void butterfly(const float *a, int in_step, float *out, int out_step, const __m256 *turns, bool inverse)
{
    const Complex8 x0 = load(a), x1 = load(a + in_step), x2 = load(a + 2 * in_step), x3 = load(a + 3 * in_step);
    const Complex8 sum = add(x0, x2), diff = sub(x0, x2), odd = add(x1, x3), cross = sub(x1, x3);
    /* diff - i cross and diff + i cross */
    const Complex8 low = {_mm256_add_ps(diff.re, cross.im), _mm256_sub_ps(diff.im, cross.re)};
    const Complex8 high = {_mm256_sub_ps(diff.re, cross.im), _mm256_add_ps(diff.im, cross.re)};
    const Complex8 first = inverse ? high : low, third = inverse ? low : high;

    store(out, add(sum, odd));
    if (turns) {
        store(out + out_step, turn(first, turns[0], turns[1], inverse));
        store(out + 2 * out_step, turn(sub(sum, odd), turns[2], turns[3], inverse));
        store(out + 3 * out_step, turn(third, turns[4], turns[5], inverse));
    } else {
        store(out + out_step, first);
        store(out + 2 * out_step, sub(sum, odd));
        store(out + 3 * out_step, third);
    }
}

INLINE void radix4_stage(const float *x, float *y, int l, int step, const float *turns, bool inverse)
{
    const int quarter = l / 4, in_step = step * quarter * ROW, out_step = step * ROW;

    for (int q = 0; q < step; q++) /* p = 0: no turns */
        butterfly(x + q * ROW, in_step, y + q * ROW, out_step, NULL, inverse);
    for (int p = 1; p < quarter; p++) {
        __m256 t[6];

        for (int j = 0; j < 6; j++)
            t[j] = _mm256_broadcast_ss(turns + 6 * p + j);
        for (int q = 0; q < step; q++)
            butterfly(x + (q + step * p) * ROW, in_step, y + (q + step * 4 * p) * ROW, out_step, t, inverse);
    }
}

INLINE void radix2_stage(const float *x, float *y, int step)
{
    for (int q = 0; q < step; q++) {
        const Complex8 a = load(x + q * ROW), b = load(x + (q + step) * ROW);

        store(y + q * ROW, add(a, b));
        store(y + (q + step) * ROW, sub(a, b));
    }
}

/* As in ref/spectrum_fft.c. */
INLINE float *transform(const BlockFft *fft, float *from, float *other, bool inverse)
{
    const float *turns = fft->stages;

    for (int l = fft->n / 2, step = 1; l > 1; l /= 4, step *= 4) {
        float *swapped = from;

        if (l == 2) {
            radix2_stage(from, other, step);
            return other;
        }
        radix4_stage(from, other, l, step, turns, inverse);
        turns += l / 4 * 6;
        from = other;
        other = swapped;
    }
    return from;
}

void spectrum_forward_avx2(const BlockFft *fft, float *block, float *work, float *re, float *im)
{
    const int m = fft->n / 2;
    const float *z = transform(fft, block, work, false);
    const __m256 half = _mm256_set1_ps(0.5f), zero = _mm256_setzero_ps();
    const Complex8 first = load(z);

    _mm256_store_ps(re, _mm256_add_ps(first.re, first.im));
    _mm256_store_ps(re + m * LANES, _mm256_sub_ps(first.re, first.im));
    _mm256_store_ps(im, zero);
    _mm256_store_ps(im + m * LANES, zero);
    for (int k = 1; k <= m / 2; k++) {
        const Complex8 low = load(z + k * ROW), high = load(z + (m - k) * ROW);
        const __m256 c = _mm256_broadcast_ss(fft->turns + 2 * k), s = _mm256_broadcast_ss(fft->turns + 2 * k + 1);
        const Complex8 even = {_mm256_mul_ps(half, _mm256_add_ps(low.re, high.re)),
                               _mm256_mul_ps(half, _mm256_sub_ps(low.im, high.im))};
        const Complex8 odd = {_mm256_mul_ps(half, _mm256_add_ps(low.im, high.im)),
                              _mm256_mul_ps(half, _mm256_sub_ps(high.re, low.re))};
        const Complex8 turned = turn(odd, c, s, false);

        _mm256_store_ps(re + k * LANES, _mm256_add_ps(even.re, turned.re));
        _mm256_store_ps(im + k * LANES, _mm256_add_ps(even.im, turned.im));
        _mm256_store_ps(re + (m - k) * LANES, _mm256_sub_ps(even.re, turned.re));
        _mm256_store_ps(im + (m - k) * LANES, _mm256_sub_ps(turned.im, even.im));
    }
}

void spectrum_adjoint_avx2(const BlockFft *fft, const float *re, const float *im, float *work, float *block)
{
    const int m = fft->n / 2;
    const __m256 half = _mm256_set1_ps(0.5f);
    const __m256 first = _mm256_load_ps(re), last = _mm256_load_ps(re + m * LANES);
    int n_stages = 0;
    float *z;

    for (int l = m; l > 1; l /= 4)
        n_stages++;
    z = n_stages % 2 ? work : block; /* so that the last stage writes into block */
    store(z, (Complex8){_mm256_add_ps(first, last), _mm256_sub_ps(first, last)});
    for (int k = 1; k <= m / 2; k++) {
        const __m256 low_re = _mm256_load_ps(re + k * LANES), low_im = _mm256_load_ps(im + k * LANES);
        const __m256 high_re = _mm256_load_ps(re + (m - k) * LANES), high_im = _mm256_load_ps(im + (m - k) * LANES);
        const __m256 c = _mm256_broadcast_ss(fft->turns + 2 * k), s = _mm256_broadcast_ss(fft->turns + 2 * k + 1);
        const Complex8 sum = {_mm256_mul_ps(half, _mm256_add_ps(low_re, high_re)),
                              _mm256_mul_ps(half, _mm256_sub_ps(low_im, high_im))};
        const Complex8 diff = {_mm256_mul_ps(half, _mm256_sub_ps(low_re, high_re)),
                               _mm256_mul_ps(half, _mm256_add_ps(low_im, high_im))};
        const Complex8 turned = turn(diff, c, s, true);

        store(z + k * ROW, (Complex8){_mm256_sub_ps(sum.re, turned.im), _mm256_add_ps(sum.im, turned.re)});
        store(z + (m - k) * ROW, (Complex8){_mm256_add_ps(sum.re, turned.im), _mm256_sub_ps(turned.re, sum.im)});
    }
    transform(fft, z, n_stages % 2 ? block : work, true);
}
