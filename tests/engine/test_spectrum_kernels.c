/* test_spectrum_kernels.c - every kernel set of short-time spectra against definitions in double.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/shared.h"

#include <math.h>

#include "engine/base/mem.h"
#include "engine/base/rng.h"
#include "engine/dsp/block_fft.h"
#include "engine/dsp/fft.h"
#include "engine/dsp/stft.h"
#include "engine/kernels/spectrum.h"

#define SEED 77
#define LANES SPECTRUM_LANES

static const char *const set_names[] = {"ref", "avx2", "avx512"};

static void each_set(void (*check)(const SpectrumKernels *k, const char *name))
{
    for (size_t i = 0; i < sizeof set_names / sizeof *set_names; i++)
        if (kernels_named(set_names[i]))
            check(kernels_named(set_names[i])->spectrum, set_names[i]);
}

static float *floats(size_t count)
{
    float *x;
    RsdError err;

    ASSERT_OK(mem_calloc(&x, count, sizeof *x, &err), err);
    return x;
}

static float *noise(size_t count, uint32_t sample)
{
    Rng rng = rng_at(SEED, RNG_TEST, 0, sample);
    float *x = floats(count);

    for (size_t i = 0; i < count; i++)
        x[i] = rng_normal(&rng);
    return x;
}

/* --- transforms --------------------------------------------------------------------------------------------------- */

/* The spectra of seven frames and an empty lane, through a plan, against double transforms of the windowed frames. */
static void check_transform(const SpectrumKernels *k, const char *name, int n)
{
    const StftConfig config = {.n_fft = n, .hop = n / 4, .pad = STFT_PAD_NONE};
    const int bins = n / 2 + 1, len = 7 * config.hop + n;
    Stft *stft;
    Fft *fft;
    RsdError err;
    void *work, *fft_work;
    float *x = noise((size_t)len, (uint32_t)n), *re = floats((size_t)bins * LANES), *im = floats((size_t)bins * LANES);
    double *frame, *got;
    char what[96];

    ASSERT_OK(stft_create(&stft, &config, &err), err);
    ASSERT_OK(fft_create(&fft, n, FFT_DOUBLE, &err), err);
    ASSERT_OK(mem_alloc(&work, stft_work_size(stft), 1, &err), err);
    ASSERT_OK(mem_alloc(&fft_work, fft_work_size(fft), 1, &err), err);
    ASSERT_OK(mem_alloc(&frame, (size_t)n + 2, sizeof *frame, &err), err);
    ASSERT_OK(mem_alloc(&got, (size_t)n + 2, sizeof *got, &err), err);
    stft_analyse(stft, k, x, 7, re, im, work);
    for (int l = 0; l < LANES; l++) {
        for (int i = 0; i < n; i++)
            frame[i] = l < 7 ? (double)x[l * config.hop + i] * (0.5 - 0.5 * cos(2.0 * M_PI * i / n)) : 0.0;
        fft_forward_f64(fft, frame, frame, fft_work);
        for (int b = 0; b < bins; b++) {
            got[2 * b] = re[b * LANES + l];
            got[2 * b + 1] = im[b * LANES + l];
        }
        snprintf(what, sizeof what, "%s kernels, transform of %d samples, lane %d", name, n, l);
        ASSERT_CLOSE_F64(what, got, frame, n + 2, ((Tolerance){.of_max = 1e-6}));
    }
    mem_free(&work);
    mem_free(&fft_work);
    mem_free(&frame);
    mem_free(&got);
    mem_free(&x);
    mem_free(&re);
    mem_free(&im);
    stft_destroy(&stft);
    fft_destroy(&fft);
}

static void check_transforms(const SpectrumKernels *k, const char *name)
{
    for (int n = SPECTRUM_MIN_FFT; n <= SPECTRUM_MAX_FFT; n *= 2)
        check_transform(k, name, n);
}

Test(spectrum_kernels, transforms_of_every_length_equal_the_double_ones)
{
    each_set(check_transforms);
}

static double dot(const float *a, const float *b, size_t count)
{
    double sum = 0.0;

    for (size_t i = 0; i < count; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

/* <A x, y> = <x, A^T y> for the transform with its window and overlap, and the same for the inverse. */
static void check_adjoint(const SpectrumKernels *k, const char *name, int n, int n_frames)
{
    const StftConfig config = {.n_fft = n, .hop = n / 4 ? n / 4 : 1, .pad = STFT_PAD_NONE, .norm = STFT_NORM_WINDOW};
    const size_t plane = (size_t)(n / 2 + 1) * LANES, len = (size_t)((n_frames - 1) * config.hop + n);
    Stft *stft;
    RsdError err;
    void *work;
    float *x = noise(len, 1), *back = floats(len), *re = floats(plane), *im = floats(plane);
    float *dre = noise(plane, 2), *dim = noise(plane, 3);
    double forward, size;
    char what[96];

    ASSERT_OK(stft_create(&stft, &config, &err), err);
    ASSERT_OK(mem_alloc(&work, stft_work_size(stft), 1, &err), err);
    for (size_t i = 0; i < plane; i++)
        if ((int)(i % LANES) >= n_frames)
            dre[i] = dim[i] = 0.0f;
    stft_analyse(stft, k, x, n_frames, re, im, work);
    forward = dot(re, dre, plane) + dot(im, dim, plane);
    size = sqrt(dot(x, x, len) * (dot(dre, dre, plane) + dot(dim, dim, plane)));
    stft_analyse_adjoint(stft, k, dre, dim, n_frames, back, work);
    snprintf(what, sizeof what, "%s kernels, transpose of %d frames of %d", name, n_frames, n);
    ASSERT_CLOSE(what, dot(x, back, len), forward, ((Tolerance){.abs = 1e-6 * size}));

    stft_synthesise_adjoint(stft, k, x, n_frames, re, im, work);
    forward = dot(re, dre, plane) + dot(im, dim, plane);
    memset(back, 0, len * sizeof *back);
    stft_synthesise(stft, k, dre, dim, n_frames, back, work);
    snprintf(what, sizeof what, "%s kernels, transpose of the inverse of %d frames of %d", name, n_frames, n);
    ASSERT_CLOSE(what, dot(x, back, len), forward, ((Tolerance){.abs = 1e-6 * size}));
    mem_free(&work);
    mem_free(&x);
    mem_free(&back);
    mem_free(&re);
    mem_free(&im);
    mem_free(&dre);
    mem_free(&dim);
    stft_destroy(&stft);
}

static void check_adjoints(const SpectrumKernels *k, const char *name)
{
    static const int lengths[] = {1, 2, 3, 8, 16, 21, 32, 64, 100, 128, 640, 2048};

    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
        for (int n_frames = 1; n_frames <= LANES; n_frames += 7)
            check_adjoint(k, name, lengths[i], n_frames);
}

Test(spectrum_kernels, adjoints_are_the_transposes)
{
    each_set(check_adjoints);
}

/* --- logarithm and power ------------------------------------------------------------------------------------------ */

static void check_logarithm(const SpectrumKernels *k, const char *name)
{
    const DistanceTerms terms = {.log = 1.0f, .log_scale = 1.0f, .log_floor = 1.2e-38f, .log_clamps = true};
    _Alignas(32) float a[LANES], b[LANES], da[LANES];

    for (double exponent = -37.5; exponent < 38.0; exponent += 0.0371) {
        double sums[LANES] = {0};

        for (int l = 0; l < LANES; l++) {
            a[l] = (float)pow(10.0, exponent + 0.004 * l);
            b[l] = 1.0f;
        }
        k->distance(a, b, 1, &terms, da, sums);
        for (int l = 0; l < LANES; l++) {
            ASSERT_CLOSE(name, sums[l], fabs(log((double)a[l])), ((Tolerance){.abs = 1e-7, .rel = 2.5e-7}));
            if (a[l] != 1.0f)
                ASSERT_CLOSE(name, (double)da[l] * (double)a[l], a[l] > 1.0f ? 1.0 : -1.0, ((Tolerance){.rel = 3e-7}));
        }
    }
}

Test(spectrum_kernels, logarithms_are_right_over_the_whole_range)
{
    each_set(check_logarithm);
}

static void check_power_function(const SpectrumKernels *k, const char *name)
{
    float x[13], zero[13] = {0}, cre[13], cim[13], gain[13];

    for (double exponent = -12.0; exponent < 16.0; exponent += 0.37) {
        for (int i = 0; i < 13; i++)
            x[i] = (float)pow(10.0, exponent + 0.028 * i);
        for (float p = 0.0f; p <= 2.0f; p += 0.1f) {
            k->compress(x, zero, p, 1e-30f, cre, cim, gain, 13);
            for (int i = 0; i < 13; i++) {
                ASSERT_CLOSE(name, cre[i], pow((double)x[i], (double)p), ((Tolerance){.rel = 2e-6}));
                cr_assert_eq(cim[i], 0.0f);
            }
        }
    }
}

Test(spectrum_kernels, powers_are_right_over_the_whole_range)
{
    each_set(check_power_function);
}

/* --- special values ----------------------------------------------------------------------------------------------- */

static void check_special_values(const SpectrumKernels *k, const char *name)
{
    const float re[9] = {NAN, INFINITY, 0.0f, 1e-30f, -3.0f, 0.0f, -0.0f, 1e-3f, NAN};
    const float im[9] = {1.0f, 0.0f, 0.0f, 0.0f, 4.0f, NAN, 0.0f, 0.0f, 0.0f};
    const float ones[9] = {1, 1, 1, 1, 1, 1, 1, 1, 1};
    float s[9], dre[9], dim[9], gain[9];

    k->magnitude(re, im, 1e-4f, s, 9);
    cr_assert(isnan(s[0]) && isinf(s[1]) && isnan(s[5]) && isnan(s[8]), "%s: NaN or infinity was lost", name);
    ASSERT_CLOSE(name, s[4], 5.0, ((Tolerance){.rel = 1e-7}));
    ASSERT_CLOSE(name, s[2], 0.01, ((Tolerance){.rel = 1e-6}));
    k->magnitude_grad(re, im, s, 1e-4f, ones, dre, dim, 9, false);
    cr_assert(dre[2] == 0.0f && dre[3] == 0.0f && dre[7] == 0.0f && dim[6] == 0.0f, "%s: gradient below the floor",
              name);
    ASSERT_CLOSE(name, dre[4], -0.6, ((Tolerance){.rel = 1e-6}));
    k->magnitude(re, im, 0.0f, s, 9);
    k->magnitude_grad(re, im, s, 0.0f, ones, dre, dim, 9, false);
    cr_assert(dre[2] == 0.0f && dim[2] == 0.0f, "%s: gradient of the magnitude at 0", name);
    k->compress(re, im, 0.3f, 1e-8f, dre, dim, gain, 9);
    cr_assert(isnan(dre[0]) && isnan(dim[5]) && dre[2] == 0.0f, "%s: compression of NaN or 0", name);
    k->compress_grad(re + 2, im + 2, gain + 2, 0.3f, 1e-8f, ones, ones, dre, dim, 1, false);
    ASSERT_CLOSE(name, dre[0], pow(1e-8, -0.35), ((Tolerance){.rel = 1e-5}));
}

Test(spectrum_kernels, nan_stays_and_silence_has_a_finite_gradient)
{
    each_set(check_special_values);
}

static void check_distance_of_nan(const SpectrumKernels *k, const char *name)
{
    const DistanceTerms both = {.linear = 1.0f, .log = 1.0f, .log_scale = 1.0f, .log_floor = 1e-5f, .log_clamps = true};
    const DistanceTerms added = {.log_square = 1.0f, .log_scale = 1.0f, .log_floor = 1e-5f};
    _Alignas(32) const float a[LANES] = {NAN, 1.0f, 0.0f, 2.0f, INFINITY, 0.0f, 1.0f, 1.0f};
    _Alignas(32) const float b[LANES] = {1, NAN, 0, 2, 1, 1, 1, 1};
    _Alignas(32) float da[LANES];
    double sums[LANES] = {0};

    k->distance(a, b, 1, &both, da, sums);
    cr_assert(isnan(sums[0]) && isnan(sums[1]) && sums[2] == 0.0 && sums[3] == 0.0 && !isfinite(sums[4]),
              "%s: distance of special values", name);
    cr_assert(da[2] == 0.0f && da[3] == 0.0f && da[5] == -1.0f, "%s: gradient of equal or clamped values", name);
    memset(sums, 0, sizeof sums);
    k->distance(a, b, 1, &added, NULL, sums);
    cr_assert(isnan(sums[0]) && isnan(sums[1]) && sums[2] == 0.0 && isfinite(sums[5]), "%s: added floor", name);
}

Test(spectrum_kernels, distances_keep_nan_and_have_no_gradient_at_equality)
{
    each_set(check_distance_of_nan);
}

/* --- place and sums ----------------------------------------------------------------------------------------------- */

/* An element's result must not depend on where it lies: any cut of an array gives the same bits. */
static void check_places(const SpectrumKernels *k, const char *name)
{
    float *re = noise(67, 5), *im = noise(67, 6), *ds = noise(67, 7), *s = floats(67);
    float *dre = floats(67), *dim = floats(67);
    float part[67], dre_part[67], dim_part[67], gain[67];

    k->magnitude(re, im, 0.3f, s, 67);
    k->magnitude_grad(re, im, s, 0.3f, ds, dre, dim, 67, false);
    for (int cut = 1; cut < 67; cut++) {
        k->magnitude(re, im, 0.3f, part, cut);
        k->magnitude(re + cut, im + cut, 0.3f, part + cut, 67 - cut);
        ASSERT_SAME_BITS(name, part, s, 67);
        k->magnitude_grad(re, im, s, 0.3f, ds, dre_part, dim_part, cut, false);
        k->magnitude_grad(re + cut, im + cut, s + cut, 0.3f, ds + cut, dre_part + cut, dim_part + cut, 67 - cut, false);
        ASSERT_SAME_BITS(name, dre_part, dre, 67);
        ASSERT_SAME_BITS(name, dim_part, dim, 67);
    }
    k->compress(re, im, 0.3f, 1e-6f, dre, dim, gain, 67);
    for (int cut = 1; cut < 67; cut += 5) {
        k->compress(re, im, 0.3f, 1e-6f, dre_part, dim_part, part, cut);
        k->compress(re + cut, im + cut, 0.3f, 1e-6f, dre_part + cut, dim_part + cut, part + cut, 67 - cut);
        ASSERT_SAME_BITS(name, dre_part, dre, 67);
        ASSERT_SAME_BITS(name, part, gain, 67);
    }
    mem_free(&re);
    mem_free(&im);
    mem_free(&ds);
    mem_free(&s);
    mem_free(&dre);
    mem_free(&dim);
}

Test(spectrum_kernels, results_do_not_depend_on_the_place_in_an_array)
{
    each_set(check_places);
}

/* --- filters in double -------------------------------------------------------------------------------------------------- */

static void check_ear(const SpectrumKernels *k, const char *name)
{
    enum { n = 300 };
    EarFilters f;
    double x[n], squares[LANES], sum = 0.0, sum_expected = 0.0;
    Rng rng = rng_at(SEED, RNG_TEST, 1, 0);

    for (int i = 0; i < n; i++)
        x[i] = rng_normal(&rng);
    for (int b = 0; b < LANES; b++) {
        f.pole_1[b] = -2.0 * 0.9 * cos(0.2 + 0.3 * b); /* poles at 0.9 from 0 */
        f.pole_2[b] = 0.81;
        for (int s = 0; s < EAR_STAGES; s++) {
            f.gain[s][b] = 0.1 + 0.02 * s;
            f.zero[s][b] = -0.05 * s + 0.01 * b;
        }
    }
    k->ear_squares(&f, x, n, squares);
    for (int b = 0; b < LANES; b++) {
        double y[n], expected = 0.0;

        memcpy(y, x, sizeof y);
        for (int s = 0; s < EAR_STAGES; s++) {
            double out[n];

            for (int i = 0; i < n; i++)
                out[i] = f.gain[s][b] * y[i] + (i > 0 ? f.zero[s][b] * y[i - 1] - f.pole_1[b] * out[i - 1] : 0.0) -
                         (i > 1 ? f.pole_2[b] * out[i - 2] : 0.0);
            memcpy(y, out, sizeof y);
        }
        for (int i = 0; i < n; i++)
            expected += y[i] * y[i];
        cr_assert(fabs(squares[b] - expected) <= 1e-11 * expected, "%s, band %d: %.15g, expected %.15g", name, b, squares[b],
                  expected);
    }
    for (int len = 0; len < 30; len++) {
        sum = k->long_filter(x + 1, x + 50, len);
        sum_expected = 0.0;
        for (int i = 0; i < len; i++)
            sum_expected += x[1 + i] * x[50 + i];
        cr_assert(fabs(sum - sum_expected) <= 1e-13, "%s, %d taps: %.15g, expected %.15g", name, len, sum, sum_expected);
    }
}

Test(spectrum_kernels, ear_filters_and_long_filters_by_their_definition)
{
    each_set(check_ear);
}

/* --- in double ------------------------------------------------------------------------------------------------------ */

static double *doubles(size_t count)
{
    double *x;
    RsdError err;

    ASSERT_OK(mem_calloc(&x, count, sizeof *x, &err), err);
    return x;
}

static void check_power(const SpectrumKernels *k, const char *name, int n, int n_frames, bool roots)
{
    const int bins = n / 2 + 1, hop = n / 4 + 1;
    float *x = noise((size_t)(7 * hop + n), (uint32_t)n);
    double *window = doubles((size_t)n), *work = doubles(16 * (size_t)n), *power = doubles((size_t)bins * LANES);
    double *frame = doubles((size_t)n + 2), *got = doubles((size_t)bins), *expected = doubles((size_t)bins);
    BlockFftF64 tables;
    Fft *fft;
    RsdError err;
    void *fft_work;
    char what[96];

    ASSERT_OK(block_fft_f64_init(&tables, n, &err), err);
    ASSERT_OK(fft_create(&fft, n, FFT_DOUBLE, &err), err);
    ASSERT_OK(mem_alloc(&fft_work, fft_work_size(fft), 1, &err), err);
    for (int i = 0; i < n; i++)
        window[i] = 0.3 + cos(1.0 + i);
    k->power_frames(&tables, x, hop, window, n_frames, roots, work, power);
    for (int l = 0; l < LANES; l++) {
        for (int i = 0; i < n; i++)
            frame[i] = l < n_frames ? window[i] * (double)x[l * hop + i] : 0.0;
        fft_forward_f64(fft, frame, frame, fft_work);
        for (int b = 0; b < bins; b++) {
            const double p = frame[2 * b] * frame[2 * b] + frame[2 * b + 1] * frame[2 * b + 1];

            expected[b] = roots ? sqrt(p) : p;
            got[b] = power[b * LANES + l];
        }
        snprintf(what, sizeof what, "%s kernels, power of %d samples, %d frames, lane %d", name, n, n_frames, l);
        ASSERT_CLOSE_F64(what, got, expected, bins, ((Tolerance){.of_max = 1e-14}));
    }
    block_fft_f64_clear(&tables);
    fft_destroy(&fft);
    mem_free(&fft_work);
    mem_free(&x);
    mem_free(&window);
    mem_free(&work);
    mem_free(&power);
    mem_free(&frame);
    mem_free(&got);
    mem_free(&expected);
}

static void check_powers(const SpectrumKernels *k, const char *name)
{
    for (int n = SPECTRUM_MIN_FFT; n <= 2048; n *= 2)
        for (int n_frames = 1; n_frames <= LANES; n_frames += n > 64 ? 7 : 1)
            check_power(k, name, n, n_frames, n_frames % 2 == 0);
    check_power(k, name, SPECTRUM_MAX_FFT, 5, false);
}

Test(spectrum_kernels, power_in_double_by_transforms_one_at_a_time)
{
    each_set(check_powers);
}

static void check_ratios(const SpectrumKernels *k, const char *name)
{
    int first[] = {0, 2, 5, 0}, count[] = {3, 4, 0, 9}, offset[] = {0, 3, 7, 7};
    float weights[16];
    const BandMatrix m = {.n_rows = 4, .n_columns = 9, .first = first, .count = count, .offset = offset, .weights = weights};
    double *a = doubles(9 * LANES), *b = doubles(9 * LANES), ratios[LANES];
    int64_t exponents[LANES] = {0};
    Rng rng = rng_at(SEED, RNG_TEST, 0, 3);

    for (int i = 0; i < 16; i++)
        weights[i] = rng_between(&rng, 0.0f, 2.0f);
    for (int i = 0; i < 9 * LANES; i++) { /* lane 0 silent, lane 1 enormous, lane 2 equal */
        a[i] = i % LANES == 0 ? 0.0 : (i % LANES == 1 ? 1e42 : 1.0) * (double)rng_between(&rng, 0.0f, 1.0f);
        b[i] = i % LANES <= 1 ? 0.0 : i % LANES == 2 ? a[i] : (double)rng_between(&rng, 0.0f, 1.0f);
    }
    for (int l = 0; l < LANES; l++)
        ratios[l] = 1.0;
    for (int repeat = 0; repeat < 3; repeat++) /* beyond the largest double */
        k->band_ratios(&m, a, b, 1e-5, ratios, exponents);
    for (int l = 0; l < LANES; l++) {
        double expected = 0.0;

        for (int r = 0; r < 4; r++) {
            double x = 0.0, y = 0.0;

            for (int i = 0; i < count[r]; i++) {
                x += (double)weights[offset[r] + i] * a[(first[r] + i) * LANES + l];
                y += (double)weights[offset[r] + i] * b[(first[r] + i) * LANES + l];
            }
            expected += 3.0 * fabs(log2(fmax(x, 1e-5) / fmax(y, 1e-5)));
        }
        cr_assert(ratios[l] >= 1.0 && ratios[l] < 2.0, "%s, lane %d: %g", name, l, ratios[l]);
        cr_assert_float_eq(log2(ratios[l]) + (double)exponents[l], expected, 1e-12 * (1.0 + expected), "%s, lane %d: %.15g + %lld, "
                           "expected %.15g", name, l, log2(ratios[l]), (long long)exponents[l], expected);
    }
    mem_free(&a);
    mem_free(&b);
}

Test(spectrum_kernels, ratios_of_bands_by_their_definition)
{
    each_set(check_ratios);
}
