/* test_fft.c - transforms of every small length against the defining sum, in both precisions, from several threads.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/shared.h"

#include <math.h>

#include "engine/base/mem.h"
#include "engine/base/rng.h"
#include "engine/base/threads.h"
#include "engine/dsp/fft.h"
#include "engine/dsp/fft_long.h"
#include "engine/dsp/window.h"

/* [bins, 2] by the defining sum. */
static void transform_slowly(const double *x, double *spectrum, int n)
{
    for (int k = 0; k <= n / 2; k++) {
        double re = 0.0, im = 0.0;

        for (int i = 0; i < n; i++) {
            double angle = -2.0 * M_PI * (double)((int64_t)k * i % n) / n;

            re += x[i] * cos(angle);
            im += x[i] * sin(angle);
        }
        spectrum[2 * k] = re;
        spectrum[2 * k + 1] = im;
    }
}

static void check_length(int n)
{
    Fft *f32 = NULL, *f64 = NULL;
    RsdError err;
    void *work;
    double *x, *expected, *got;
    float *x32, *got32;
    size_t n_values = (size_t)n + 2;
    Rng rng = rng_at(11, RNG_TEST, 0, (uint32_t)n);
    char what[64];

    ASSERT_OK(fft_create(&f32, n, FFT_FLOAT, &err), err);
    ASSERT_OK(fft_create(&f64, n, FFT_DOUBLE, &err), err);
    cr_assert_eq(fft_bins(f32), n / 2 + 1);
    cr_assert_eq(fft_len(f64), n);
    ASSERT_OK(mem_alloc(&work, fft_work_size(f64), 1, &err), err);
    ASSERT_OK(mem_alloc(&x, n_values, sizeof *x, &err), err);
    ASSERT_OK(mem_alloc(&expected, n_values, sizeof *expected, &err), err);
    ASSERT_OK(mem_alloc(&got, n_values, sizeof *got, &err), err);
    ASSERT_OK(mem_alloc(&x32, n_values, sizeof *x32, &err), err);
    ASSERT_OK(mem_alloc(&got32, n_values, sizeof *got32, &err), err);
    for (int i = 0; i < n; i++) {
        x32[i] = rng_normal(&rng);
        x[i] = x32[i];
    }
    transform_slowly(x, expected, n);
    int64_t n_out = 2 * fft_bins(f64);

    snprintf(what, sizeof what, "spectrum of %d samples", n);
    fft_forward_f64(f64, x, got, work);
    ASSERT_CLOSE_F64(what, got, expected, n_out, ((Tolerance){.of_max = 1e-12}));
    fft_inverse_f64(f64, got, got, work);
    snprintf(what, sizeof what, "double round trip of %d samples", n);
    ASSERT_CLOSE_F64(what, got, x, n, ((Tolerance){.of_max = 1e-12}));

    fft_forward(f32, x32, got32, work);
    for (int64_t i = 0; i < n_out; i++)
        got[i] = got32[i];
    snprintf(what, sizeof what, "float spectrum of %d samples", n);
    ASSERT_CLOSE_F64(what, got, expected, n_out, ((Tolerance){.of_max = 2e-6}));
    got32[1] = NAN; /* the imaginary part of bin 0 must have no effect */
    if (n % 2 == 0)
        got32[n + 1] = INFINITY;
    fft_inverse(f32, got32, got32, work);
    snprintf(what, sizeof what, "float round trip of %d samples", n);
    ASSERT_CLOSE_F32(what, got32, x32, n, ((Tolerance){.of_max = 3e-6}));

    mem_free(&work);
    mem_free(&x);
    mem_free(&expected);
    mem_free(&got);
    mem_free(&x32);
    mem_free(&got32);
    fft_destroy(&f32);
    fft_destroy(&f64);
    fft_destroy(&f64);
}

Test(fft, every_length_to_100_equals_the_defining_sum)
{
    for (int n = 1; n <= 100; n++)
        check_length(n);
}

Test(fft, lengths_that_spectra_use_equal_the_defining_sum)
{
    static const int lengths[] = {128, 240, 256, 270, 320, 480, 512, 600, 640, 882, 960, 1009, 1024, 1080, 1200, 1250, 2048};

    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
        check_length(lengths[i]);
}

Test(fft, impossible_lengths_are_refused)
{
    Fft *fft;
    RsdError err;

    ASSERT_FAILS(fft_create(&fft, 0, FFT_FLOAT, &err), RSD_ERR_ARG, err, "0 samples");
    cr_assert_null(fft);
    ASSERT_FAILS(fft_create(&fft, -4, FFT_FLOAT, &err), RSD_ERR_ARG, err, "-4 samples");
    ASSERT_FAILS(fft_create(&fft, FFT_MAX_LEN + 2, FFT_DOUBLE, &err), RSD_ERR_ARG, err, "are possible");
}

#define N_SHARED_ROWS 400

typedef struct SharedPlan {
    const Fft *fft;
    const float *x;  /* [rows, n] */
    float *spectra;  /* [rows, n + 2] */
    void *works[8];
} SharedPlan;

static void transform_row(void *ctx, int64_t i, int worker)
{
    SharedPlan *plan = ctx;
    int n = fft_len(plan->fft);

    fft_forward(plan->fft, plan->x + i * n, plan->spectra + i * (n + 2), plan->works[worker]);
}

static void check_shared_plan(int n)
{
    SharedPlan plan;
    Fft *fft;
    RsdThreads *threads;
    RsdError err;
    float *x, *alone, *together;
    Rng rng = rng_at(12, RNG_TEST, 0, (uint32_t)n);
    size_t count = N_SHARED_ROWS * ((size_t)n + 2);

    ASSERT_OK(fft_create(&fft, n, FFT_FLOAT, &err), err);
    ASSERT_OK(rsd_threads_create(&threads, 8, &err), err);
    ASSERT_OK(mem_alloc(&x, count, sizeof *x, &err), err);
    ASSERT_OK(mem_alloc(&alone, count, sizeof *alone, &err), err);
    ASSERT_OK(mem_alloc(&together, count, sizeof *together, &err), err);
    for (size_t i = 0; i < count; i++)
        x[i] = rng_normal(&rng);
    for (int i = 0; i < 8; i++)
        ASSERT_OK(mem_alloc(&plan.works[i], fft_work_size(fft), 1, &err), err);
    plan.fft = fft;
    plan.x = x;
    plan.spectra = alone;
    threads_for(NULL, N_SHARED_ROWS, transform_row, &plan);
    plan.spectra = together;
    threads_for(threads, N_SHARED_ROWS, transform_row, &plan);
    ASSERT_SAME_BITS("eight threads on one plan", together, alone, (int64_t)count);
    for (int i = 0; i < 8; i++)
        mem_free(&plan.works[i]);
    mem_free(&x);
    mem_free(&alone);
    mem_free(&together);
    rsd_threads_destroy(&threads);
    fft_destroy(&fft);
}

Test(fft, threads_share_a_plan_and_get_the_same_bits)
{
    check_shared_plan(256);
    check_shared_plan(240);
    check_shared_plan(90);
}

Test(window, hann_sums_to_one_with_itself_half_a_window_later)
{
    double w[64];

    window_hann_f64(w, 64, WINDOW_PERIODIC);
    cr_assert_eq(w[0], 0.0);
    for (int i = 0; i < 32; i++)
        ASSERT_CLOSE("overlap", w[i] + w[i + 32], 1.0, ((Tolerance){.abs = 1e-15}));
}

Test(window, symmetric_forms_are_symmetric_and_end_where_they_should)
{
    double hann[9], kaiser[9];

    window_hann_f64(hann, 9, WINDOW_SYMMETRIC);
    window_kaiser_f64(kaiser, 9, 8.6);
    for (int i = 0; i < 9; i++) {
        ASSERT_CLOSE("hann", hann[i], hann[8 - i], ((Tolerance){.abs = 1e-15}));
        ASSERT_CLOSE("kaiser", kaiser[i], kaiser[8 - i], ((Tolerance){.abs = 1e-15}));
    }
    cr_assert_eq(hann[0], 0.0);
    cr_assert_eq(hann[4], 1.0);
    cr_assert_eq(kaiser[4], 1.0);
    ASSERT_CLOSE("1 / I0(8.6)", kaiser[0], 1.0 / 750.4611595631661, ((Tolerance){.rel = 1e-12}));
}

Test(window, one_sample_is_one)
{
    double w = 0.0;
    float f = 0.0f;

    window_kaiser_f64(&w, 1, 5.0);
    cr_assert_eq(w, 1.0);
    window_hann(&f, 1, WINDOW_SYMMETRIC);
    cr_assert_eq(f, 1.0f);
    window_hann_f64(&w, 1, WINDOW_PERIODIC);
    cr_assert_eq(w, 1.0);
}

Test(fft, own_transform_of_powers_of_two_against_the_sum)
{
    for (int n = 4; n <= 2048; n *= 2) {
        FftLong *plan;
        double *x, *expected, *got;
        void *work;
        char what[64];
        RsdError err;
        Rng rng = rng_at(12, RNG_TEST, 0, (uint32_t)n);

        ASSERT_OK(fft_long_create(&plan, n, &err), err);
        ASSERT_OK(mem_alloc(&work, fft_long_work_size(plan), 1, &err), err);
        ASSERT_OK(mem_alloc(&x, (size_t)n + 2, sizeof *x, &err), err);
        ASSERT_OK(mem_alloc(&expected, (size_t)n + 2, sizeof *x, &err), err);
        ASSERT_OK(mem_alloc(&got, (size_t)n + 2, sizeof *x, &err), err);
        for (int i = 0; i < n; i++)
            x[i] = rng_normal(&rng);
        transform_slowly(x, expected, n);
        fft_long_forward_f64(plan, x, got, work);
        snprintf(what, sizeof what, "spectrum of %d samples", n);
        ASSERT_CLOSE_F64(what, got, expected, n + 2, ((Tolerance){.of_max = 1e-13}));
        fft_long_inverse_f64(plan, got, got, work);
        ASSERT_CLOSE_F64("round trip", got, x, n, ((Tolerance){.of_max = 1e-14}));
        mem_free(&x);
        mem_free(&expected);
        mem_free(&got);
        mem_free(&work);
        fft_long_destroy(&plan);
    }
}

/* An impulse: a wave in the spectrum. libavutil alone would sum 2^38 products. */
static void check_pulse(int n)
{
    const int at = 12345;
    Fft *f32, *f64;
    double *x, *wave;
    float *x32;
    void *work;
    RsdError err;

    ASSERT_OK(fft_create(&f32, n, FFT_FLOAT, &err), err);
    ASSERT_OK(fft_create(&f64, n, FFT_DOUBLE, &err), err);
    ASSERT_OK(mem_calloc(&x, (size_t)n + 2, sizeof *x, &err), err);
    ASSERT_OK(mem_alloc(&wave, (size_t)n + 2, sizeof *x, &err), err);
    ASSERT_OK(mem_alloc(&x32, (size_t)n + 2, sizeof *x32, &err), err);
    ASSERT_OK(mem_alloc(&work, fft_work_size(f64), 1, &err), err);
    x[at] = 1.0;
    for (int i = 0; i < n; i++)
        x32[i] = (float)x[i];
    for (int k = 0; k <= n / 2; k++) {
        const double angle = -2.0 * M_PI * (double)((int64_t)k * at % n) / n;

        wave[2 * k] = cos(angle);
        wave[2 * k + 1] = k % (n / 2) ? sin(angle) : 0.0;
    }
    fft_forward_f64(f64, x, x, work);
    ASSERT_CLOSE_F64("double", x, wave, n + 2, ((Tolerance){.abs = 1e-13}));
    fft_forward(f32, x32, x32, work);
    for (int i = 0; i < n + 2; i++)
        x[i] = (double)x32[i];
    ASSERT_CLOSE_F64("float", x, wave, n + 2, ((Tolerance){.abs = 1e-7}));
    fft_inverse(f32, x32, x32, work);
    for (int i = 0; i < n; i++)
        cr_assert(fabsf(x32[i] - (i == at ? 1.0f : 0.0f)) <= 1e-6f, "sample %d: %g", i, (double)x32[i]);
    mem_free(&x);
    mem_free(&wave);
    mem_free(&x32);
    mem_free(&work);
    fft_destroy(&f32);
    fft_destroy(&f64);
}

/* libavutil would take hours. */
Test(fft, of_half_a_million_samples_and_more_ends_and_is_right_in_both_precisions)
{
    check_pulse(1 << 19);
    check_pulse(3 << 19);
}
