/* fft_long.c - Stockham's transform in steps of four.
 *
 * A real signal of n samples is a complex one of n / 2, z[j] = x[2 j] + i x[2 j + 1]; its spectrum Z gives that of x by
 *   X[k] = (Z[k] + Z*[n/2 - k]) / 2 - i w^k (Z[k] - Z*[n/2 - k]) / 2,   w = exp(-2 pi i / n).
 * Each step of the complex transform reads one buffer and writes the other in the order the next step wants, so nothing is
 * permuted and the inner loop runs along memory:
 *   length left 4 m, `apart` transforms side by side: sample q of transform p + j m -> place q of transform 4 p + j
 * The inverse exchanges real and imaginary parts before and after.
 *
 * [Van Loan, Computational frameworks for the fast Fourier transform, 1992, 1.7]
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/dsp/fft_long.h"

#include <math.h>

#include "engine/base/mem.h"

typedef struct Complex {
    double re, im;
} Complex;

struct FftLong {
    int64_t n;
    Complex *roots; /* [n / 2]: exp(-2 pi i k / n) */
};

RsdStatus fft_long_create(FftLong **out, int n, RsdError *err)
{
    FftLong *plan = NULL;
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(mem_calloc(&plan, 1, sizeof *plan, err));
    plan->n = n;
    TRY(mem_alloc(&plan->roots, (size_t)n / 2, sizeof *plan->roots, err));
    for (int k = 0; k < n / 2; k++)
        plan->roots[k] = (Complex){cos(2.0 * M_PI * k / n), -sin(2.0 * M_PI * k / n)};
    *out = plan;
    return RSD_OK;
fail:
    fft_long_destroy(&plan);
    return status;
}

void fft_long_destroy(FftLong **plan)
{
    if (!*plan)
        return;
    mem_free(&(*plan)->roots);
    mem_free(plan);
}

size_t fft_long_work_size(const FftLong *plan)
{
    return 2 * (size_t)plan->n * sizeof(double);
}

static Complex times(Complex a, Complex b)
{
    return (Complex){a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
}

static void step_of_four(const FftLong *plan, const Complex *restrict x, Complex *restrict y, int64_t m, int64_t apart)
{
    for (int64_t p = 0; p < m; p++) {
        /* exponents are multiples of 2: the roots are of n, the transform's of n / 2; the third may pass half a turn */
        const Complex one = plan->roots[2 * p * apart], two = times(one, one), three = times(two, one);
        const Complex *a = x + apart * p, *b = a + apart * m, *c = b + apart * m, *d = c + apart * m;
        Complex *to = y + 4 * apart * p;

        for (int64_t q = 0; q < apart; q++) {
            const Complex sum = {a[q].re + c[q].re, a[q].im + c[q].im}, difference = {a[q].re - c[q].re, a[q].im - c[q].im};
            const Complex other = {b[q].re + d[q].re, b[q].im + d[q].im};
            const Complex turned = {d[q].im - b[q].im, b[q].re - d[q].re}; /* i (b - d) */

            to[q] = (Complex){sum.re + other.re, sum.im + other.im};
            to[q + apart] = times(one, (Complex){difference.re - turned.re, difference.im - turned.im});
            to[q + 2 * apart] = times(two, (Complex){sum.re - other.re, sum.im - other.im});
            to[q + 3 * apart] = times(three, (Complex){difference.re + turned.re, difference.im + turned.im});
        }
    }
}

/* From a, with b as the other buffer; returns the one that holds the result. */
static Complex *transform(const FftLong *plan, Complex *a, Complex *b)
{
    int64_t len = plan->n / 2, apart = 1;

    for (; len >= 4; len /= 4, apart *= 4) {
        Complex *const t = a;

        step_of_four(plan, a, b, len / 4, apart);
        a = b;
        b = t;
    }
    if (len == 2) {
        for (int64_t q = 0; q < apart; q++) {
            b[q] = (Complex){a[q].re + a[q + apart].re, a[q].im + a[q + apart].im};
            b[q + apart] = (Complex){a[q].re - a[q + apart].re, a[q].im - a[q + apart].im};
        }
        a = b;
    }
    return a;
}

#define DEFINE_TRANSFORMS(Number, suffix)                                                                              \
    void fft_long_forward##suffix(const FftLong *plan, const Number *x, Number *spectrum, void *work)                  \
    {                                                                                                                  \
        const int64_t half = plan->n / 2;                                                                              \
        Complex *z = work;                                                                                             \
                                                                                                                       \
        for (int64_t i = 0; i < half; i++)                                                                             \
            z[i] = (Complex){(double)x[2 * i], (double)x[2 * i + 1]};                                                  \
        z = transform(plan, z, z + half);                                                                              \
        for (int64_t k = 0; k <= half; k++) {                                                                          \
            const Complex a = z[k % half], b = z[(half - k) % half];                                                   \
            const Complex root = k < half ? plan->roots[k] : (Complex){-1.0, 0.0};                                     \
            const Complex odd = times(root, (Complex){0.5 * (a.im + b.im), -0.5 * (a.re - b.re)});                     \
                                                                                                                       \
            spectrum[2 * k] = (Number)(0.5 * (a.re + b.re) + odd.re);                                                  \
            spectrum[2 * k + 1] = (Number)(0.5 * (a.im - b.im) + odd.im);                                              \
        }                                                                                                              \
        spectrum[1] = spectrum[2 * half + 1] = 0;                                                                      \
    }                                                                                                                  \
                                                                                                                       \
    void fft_long_inverse##suffix(const FftLong *plan, const Number *spectrum, Number *x, void *work)                  \
    {                                                                                                                  \
        const int64_t half = plan->n / 2;                                                                              \
        Complex *z = work;                                                                                             \
                                                                                                                       \
        for (int64_t k = 0; k < half; k++) {                                                                           \
            const Complex a = {(double)spectrum[2 * k], k ? (double)spectrum[2 * k + 1] : 0.0};                        \
            const Complex b = {(double)spectrum[2 * (half - k)], k ? (double)spectrum[2 * (half - k) + 1] : 0.0};      \
            const Complex back = {plan->roots[k].re, -plan->roots[k].im};                                              \
            const Complex odd = times(back, (Complex){0.5 * (a.re - b.re), 0.5 * (a.im + b.im)});                      \
            const double re = 0.5 * (a.re + b.re) - odd.im, im = 0.5 * (a.im - b.im) + odd.re;                         \
                                                                                                                       \
            z[k] = (Complex){im, re};                                                                                  \
        }                                                                                                              \
        z = transform(plan, z, z + half);                                                                              \
        for (int64_t i = 0; i < half; i++) {                                                                           \
            x[2 * i] = (Number)(z[i].im / (double)half);                                                               \
            x[2 * i + 1] = (Number)(z[i].re / (double)half);                                                           \
        }                                                                                                              \
    }

DEFINE_TRANSFORMS(float, )
DEFINE_TRANSFORMS(double, _f64)
