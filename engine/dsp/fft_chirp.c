/* fft_chirp.c - transforms of any length as a convolution with a chirp, which transforms of a power of two do fast.
 *
 * With w[j] = exp(-i pi j^2 / n), and 2 j k = j^2 + k^2 - (k - j)^2,
 *
 *     X[k] = sum_j x[j] exp(-2 pi i j k / n) = w[k] sum_j (x[j] w[j]) conj(w[k - j]).
 *
 * The convolution is cyclic over a power of two m >= 2n - 1. Its complex transform is made of two real ones, of the real and of
 * the imaginary part. Backwards, x = F(conj X) / n, since x is real. All in double: the result is as good as that of a transform
 * of m samples.
 *
 *   work:  | re, m + 2 | im, m + 2 | work of the transform of m |
 *
 * [1] Bluestein, A linear filtering approach to the computation of the discrete Fourier transform, 1970.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/dsp/fft_chirp.h"

#include <math.h>
#include <string.h>

#include "engine/base/mem.h"
#include "engine/dsp/fft.h"

struct FftChirp {
    int n, m;
    Fft *power;    /* of m samples */
    double *chirp; /* [n, 2]: w */
    double *kernel; /* [m / 2 + 1, 2]: the spectrum of conj(w), which is symmetric, over m */
};

static size_t part_len(const FftChirp *plan)
{
    const size_t lanes = MEM_ALIGN / sizeof(double);

    return ((size_t)plan->m + 2 + lanes - 1) / lanes * lanes;
}

/* The chirp, and the spectrum of its conjugate: the parts are even sequences, so each has a real spectrum. */
static void fill_tables(FftChirp *plan, void *work)
{
    const size_t n = (size_t)plan->n, m = (size_t)plan->m;
    double *re = work, *im = re + part_len(plan);

    memset(work, 0, 2 * part_len(plan) * sizeof(double));
    for (size_t j = 0; j < n; j++) {
        const double angle = M_PI * (double)((uint64_t)j * j % (2 * n)) / (double)n;

        plan->chirp[2 * j] = cos(angle);
        plan->chirp[2 * j + 1] = -sin(angle);
        re[j] = cos(angle);
        im[j] = sin(angle);
        if (j > 0) {
            re[m - j] = re[j];
            im[m - j] = im[j];
        }
    }
    fft_forward_f64(plan->power, re, re, im + part_len(plan));
    fft_forward_f64(plan->power, im, im, im + part_len(plan));
    for (size_t k = 0; k <= m / 2; k++) {
        plan->kernel[2 * k] = re[2 * k];
        plan->kernel[2 * k + 1] = im[2 * k];
    }
}

RsdStatus fft_chirp_create(FftChirp **out, int n, RsdError *err)
{
    FftChirp *plan = NULL;
    void *work = NULL;
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(mem_calloc(&plan, 1, sizeof *plan, err));
    plan->n = n;
    for (plan->m = 4; plan->m < 2 * n - 1;)
        plan->m *= 2;
    TRY(fft_create(&plan->power, plan->m, FFT_DOUBLE, err));
    TRY(mem_alloc(&plan->chirp, 2 * (size_t)n, sizeof *plan->chirp, err));
    TRY(mem_alloc(&plan->kernel, (size_t)plan->m + 2, sizeof *plan->kernel, err));
    TRY(mem_alloc((char **)&work, fft_chirp_work_size(plan), 1, err));
    fill_tables(plan, work);
    *out = plan;
    plan = NULL;
fail:
    mem_free((char **)&work);
    fft_chirp_destroy(&plan);
    return status;
}

void fft_chirp_destroy(FftChirp **plan)
{
    if (!*plan)
        return;
    fft_destroy(&(*plan)->power);
    mem_free(&(*plan)->chirp);
    mem_free(&(*plan)->kernel);
    mem_free(plan);
}

size_t fft_chirp_work_size(const FftChirp *plan)
{
    return 2 * part_len(plan) * sizeof(double) + fft_work_size(plan->power);
}

/* The transform of re + i im [n] in place, but for the final chirp. What follows the first n is written too. */
static void convolve(const FftChirp *plan, double *re, double *im, void *rest)
{
    const size_t n = (size_t)plan->n, m = (size_t)plan->m;

    for (size_t j = 0; j < n; j++) {
        const double a = re[j], b = im[j], c = plan->chirp[2 * j], s = plan->chirp[2 * j + 1];

        re[j] = a * c - b * s;
        im[j] = a * s + b * c;
    }
    memset(re + n, 0, (m + 2 - n) * sizeof *re);
    memset(im + n, 0, (m + 2 - n) * sizeof *im);
    fft_forward_f64(plan->power, re, re, rest);
    fft_forward_f64(plan->power, im, im, rest);
    /* The kernel K is symmetric, so with K = P + i Q the parts become (P A - Q B) and (Q A + P B), all with the symmetry of
     * spectra of real sequences. */
    for (size_t k = 0; k <= m / 2; k++) {
        const double p = plan->kernel[2 * k], q = plan->kernel[2 * k + 1];

        for (size_t i = 2 * k; i < 2 * k + 2; i++) {
            const double a = re[i], b = im[i];

            re[i] = p * a - q * b;
            im[i] = q * a + p * b;
        }
    }
    fft_inverse_f64(plan->power, re, re, rest);
    fft_inverse_f64(plan->power, im, im, rest);
}

#define DEFINE_TRANSFORMS(Number, suffix)                                                                              \
    void fft_chirp_forward##suffix(const FftChirp *plan, const Number *x, Number *spectrum, void *work)                \
    {                                                                                                                  \
        double *re = work, *im = re + part_len(plan);                                                                  \
                                                                                                                       \
        for (int j = 0; j < plan->n; j++) {                                                                            \
            re[j] = (double)x[j];                                                                                      \
            im[j] = 0.0;                                                                                               \
        }                                                                                                              \
        convolve(plan, re, im, im + part_len(plan));                                                                   \
        for (int k = 0; k <= plan->n / 2; k++) {                                                                       \
            const double c = plan->chirp[2 * k], s = plan->chirp[2 * k + 1];                                           \
                                                                                                                       \
            spectrum[2 * k] = (Number)(re[k] * c - im[k] * s);                                                         \
            spectrum[2 * k + 1] = (Number)(re[k] * s + im[k] * c);                                                     \
        }                                                                                                              \
        spectrum[1] = 0;                                                                                               \
        if (plan->n % 2 == 0)                                                                                          \
            spectrum[plan->n + 1] = 0;                                                                                 \
    }                                                                                                                  \
                                                                                                                       \
    void fft_chirp_inverse##suffix(const FftChirp *plan, const Number *spectrum, Number *x, void *work)                \
    {                                                                                                                  \
        const int n = plan->n;                                                                                         \
        double *re = work, *im = re + part_len(plan);                                                                  \
                                                                                                                       \
        re[0] = (double)spectrum[0];                                                                                   \
        im[0] = 0.0;                                                                                                   \
        for (int k = 1; k <= n / 2; k++) {                                                                             \
            re[k] = re[n - k] = (double)spectrum[2 * k];                                                               \
            im[k] = 2 * k == n ? 0.0 : -(double)spectrum[2 * k + 1];                                                   \
            im[n - k] = -im[k];                                                                                        \
        }                                                                                                              \
        convolve(plan, re, im, im + part_len(plan));                                                                   \
        for (int j = 0; j < n; j++)                                                                                    \
            x[j] = (Number)((re[j] * plan->chirp[2 * j] - im[j] * plan->chirp[2 * j + 1]) / n);                        \
    }

DEFINE_TRANSFORMS(float, )
DEFINE_TRANSFORMS(double, _f64)
