/* test_point.c - the point kernels of every set: accuracy against libm in double, special values, independence of place.
 *
 * The op table checks formulas and gradients; here is what it cannot see: the last bits, NaN and infinity, every length
 * around a vector, memory beyond the end, and the kernels that no op uses.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/shared.h"

#include <float.h>
#include <math.h>

#include "engine/base/rng.h"
#include "engine/kernels/point.h"

#define SEED 77u

static const char *const set_names[] = {"ref", "avx2", "avx512"};
#define N_SETS (sizeof set_names / sizeof set_names[0])

static void each_set(void (*check)(const char *name, const PointKernels *point))
{
    for (size_t s = 0; s < N_SETS; s++)
        if (kernels_named(set_names[s]))
            check(set_names[s], kernels_named(set_names[s])->point);
}

/* --- accuracy --------------------------------------------------------------------------------------------------------- */

static double d_sigmoid(double u) { return 1.0 / (1.0 + exp(-u)); }
static double d_elu(double u) { return u > 0 ? u : expm1(u); }
static double d_gelu(double u) { return u * 0.5 * erfc(-u * M_SQRT1_2); }
static double d_light(double u) { return u <= (double)0.04045f ? u / 12.92 : pow((u + 0.055) / 1.055, 2.4); }
static double d_pow(double u) { return pow(u, (double)0.3f); }

typedef struct Accuracy {
    const char *name;
    PointFn fn;
    float a, b, low, high;
    bool logarithmic; /* spread magnitudes evenly in the exponent */
    double (*exact)(double u);
    double max_ulp;
    double max_abs; /* an error below this is accepted whatever its ulps */
} Accuracy;

static const Accuracy accuracies[] = {
    {"exp", POINT_EXP, 0, 0, -103.9f, 88.7f, false, exp, 1.5, 0},
    {"log", POINT_LOG, 0, 1, 1e-44f, FLT_MAX, true, log, 1.5, 0},
    {"log near 1", POINT_LOG, 0, 1, 0.5f, 2, false, log, 2, 0},
    {"tanh", POINT_TANH, 0, 0, -12, 12, false, tanh, 2.5, 0},
    {"tanh near 0", POINT_TANH, 0, 0, 1e-30f, 1, true, tanh, 2.5, 0},
    {"sin", POINT_SIN, 0, 0, -100, 100, false, sin, 1.5, 2e-11},
    {"sin, large", POINT_SIN, 0, 0, -30000, 30000, false, sin, 1.5, 4e-9},
    {"sin, larger than the fast range", POINT_SIN, 0, 0, 30000, 1e30f, true, sin, 1, 0},
    {"sin near 0", POINT_SIN, 0, 0, 1e-30f, 1, true, sin, 1.5, 0},
    {"sigmoid", POINT_SIGMOID, 0, 0, -80, 80, false, d_sigmoid, 3, 0},
    {"elu", POINT_ELU, 1, 0, -90, 2, false, d_elu, 2, 0},
    {"elu near 0", POINT_ELU, 1, 0, -1, -1e-30f, true, d_elu, 2, 0},
    {"gelu", POINT_GELU, 0, 0, -4, 15, false, d_gelu, 8, 0},
    {"gelu, far tail", POINT_GELU, 0, 0, -14, -4, false, d_gelu, 60, 0},
    {"sqrt", POINT_SQRT, 0, 0, 1e-40f, 1e30f, true, sqrt, 0.5, 0},
    {"power 0.3", POINT_POW, 0, 0.3f, 1e-6f, 1e6f, true, d_pow, 8, 0},
    {"sRGB to linear light", POINT_LINEAR_LIGHT, 0, 0, 1e-4f, 2, true, d_light, 8, 0},
};

static double ulp_of(double exact)
{
    const double least = 0x1p-149;
    int exponent;

    if (exact == 0.0)
        return least;
    frexp(exact, &exponent);
    return fmax(ldexp(1.0, exponent - 24), least);
}

#define N_SAMPLES 100000

static void check_accuracy(const char *name, const PointKernels *point)
{
    static float x[N_SAMPLES], y[N_SAMPLES];

    for (size_t k = 0; k < sizeof accuracies / sizeof accuracies[0]; k++) {
        const Accuracy *f = &accuracies[k];
        Rng rng = rng_at(SEED, RNG_TEST, 0, (uint32_t)k);
        double worst = 0.0;
        int64_t at = 0;

        for (int i = 0; i < N_SAMPLES; i++) {
            const double low = (double)f->low, high = (double)f->high, share = (double)rng_uniform(&rng);

            x[i] = (float)(f->logarithmic ? low * pow(high / low, share) : low + (high - low) * share);
        }
        point->map(f->fn, f->a, f->b, x, y, N_SAMPLES);
        for (int i = 0; i < N_SAMPLES; i++) {
            const double exact = f->exact((double)x[i]), error = fabs((double)y[i] - exact), ulps = error / ulp_of(exact);

            if (error > f->max_abs && !(ulps <= worst)) {
                worst = ulps;
                at = i;
            }
        }
        /* Half an ulp is the rounding to float itself. */
        cr_expect(worst <= f->max_ulp + 0.51, "%s, %s: %.2f ulp at %.9g: %.9g, exactly %.17g", name, f->name, worst,
                  (double)x[at], (double)y[at], f->exact((double)x[at]));
    }
}

Test(point, functions_are_within_a_few_ulp_of_libm)
{
    each_set(check_accuracy);
}

/* --- special values ---------------------------------------------------------------------------------------------------- */

static float call(const PointKernels *point, PointFn fn, float a, float b, float x)
{
    float in[11], out[11];

    for (int i = 0; i < 11; i++)
        in[i] = x;
    point->map(fn, a, b, in, out, 11);
    cr_assert(memcmp(&out[0], &out[10], sizeof *out) == 0, "function %d of %g differs in the tail", (int)fn, (double)x);
    return out[0];
}

static void check_special(const char *name, const PointKernels *point)
{
    const struct {
        PointFn fn;
        float x, expected;
    } limits[] = {
        {POINT_EXP, INFINITY, INFINITY}, {POINT_EXP, -INFINITY, 0}, {POINT_EXP, 89, INFINITY}, {POINT_EXP, 0, 1},
        {POINT_EXP, -104.5f, 0}, {POINT_TANH, INFINITY, 1}, {POINT_TANH, -INFINITY, -1}, {POINT_TANH, 0, 0},
        {POINT_SIGMOID, INFINITY, 1}, {POINT_SIGMOID, -INFINITY, 0}, {POINT_SIGMOID, 0, 0.5f}, {POINT_ELU, -INFINITY, -1},
        {POINT_ELU, INFINITY, INFINITY}, {POINT_ELU, 0, 0}, {POINT_GELU, INFINITY, INFINITY}, {POINT_GELU, -INFINITY, 0},
        {POINT_RELU, -INFINITY, 0}, {POINT_RELU, INFINITY, INFINITY}, {POINT_ABS, -INFINITY, INFINITY},
        {POINT_SQUARE, -INFINITY, INFINITY}, {POINT_SIN, 0, 0},
    };

    for (int fn = 0; fn < POINT_N_FNS; fn++)
        cr_expect(isnan(call(point, (PointFn)fn, 0.5f, 0.5f, NAN)), "%s: function %d hides NaN", name, fn);
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        const float got = call(point, limits[i].fn, 1.0f, 1.0f, limits[i].x);

        cr_expect(got == limits[i].expected, "%s: function %d of %g is %g, expected %g", name, (int)limits[i].fn,
                  (double)limits[i].x, (double)got, (double)limits[i].expected);
    }
    cr_expect(isnan(call(point, POINT_SIN, 0, 0, INFINITY)), "%s: sin of infinity", name);
    cr_expect(call(point, POINT_LOG, 0, 1, 0.0f) == -INFINITY, "%s: log of 0", name);
    cr_expect(call(point, POINT_LOG, 0, 1, INFINITY) == INFINITY, "%s: log of infinity", name);
    cr_expect(isnan(call(point, POINT_LOG, -9, 1, -1.0f)), "%s: log of -1", name);
    cr_expect(call(point, POINT_POW, 0, 0.3f, 0.0f) == 0.0f, "%s: 0^0.3", name);
    cr_expect(call(point, POINT_POW, 0, 0.3f, INFINITY) == INFINITY, "%s: infinity^0.3", name);
    cr_expect(call(point, POINT_SQRT, 4, 0, -7.0f) == 2.0f, "%s: sqrt with floor", name);
}

Test(point, nan_stays_and_infinities_give_the_limit)
{
    each_set(check_special);
}

static void check_extremes(const char *name, const PointKernels *point)
{
    float x[21];

    for (int at = 0; at < 21; at++) {
        for (int i = 0; i < 21; i++)
            x[i] = 0.25f;
        x[at] = -3.0f;
        cr_expect(point->max_abs(x, 21) == 3.0f && point->all_finite(x, 21), "%s: largest at %d", name, at);
        x[at] = -INFINITY;
        cr_expect(point->max_abs(x, 21) == INFINITY && !point->all_finite(x, 21), "%s: infinity at %d", name, at);
        x[at] = NAN;
        cr_expect(isnan(point->max_abs(x, 21)) && !point->all_finite(x, 21), "%s: NaN at %d", name, at);
        x[at] = FLT_MAX;
        cr_expect(point->all_finite(x, 21), "%s: the largest number is finite", name);
    }
    cr_expect(point->max_abs(x, 0) == 0.0f && point->all_finite(x, 0), "%s: nothing", name);
}

Test(point, extremes_are_found_wherever_they_are)
{
    each_set(check_extremes);
}

/* --- independence of place ------------------------------------------------------------------------------------------- */

#define LONGEST 40
#define GUARD 12345.0f

typedef struct Rows {
    float a[LONGEST + 16], b[LONGEST + 16], w[LONGEST + 16], y[LONGEST + 16], m[LONGEST + 16], v[LONGEST + 16];
} Rows;

/* Elementwise kernels, each as a call on n elements from `at` on; all write y only. */
static void run_kernel(const PointKernels *point, int which, Rows *r, int64_t at, int64_t n)
{
    const float *a = r->a + at, *b = r->b + at, *w = r->w + at;
    float *y = r->y + at;
    const AdamStep step = {1e-3f, 0.9f, 0.99f, 1e-8f, 0.01f, 1.5f, 2.5f, 0.5f};
    const bool add = which & 1;

    which /= 2;
    if (which < POINT_N_FNS) {
        float value[LONGEST];

        point->map((PointFn)which, 0.3f, 0.7f, a, value, n);
        point->map_grad((PointFn)which, 0.3f, 0.7f, a, value, b, y, n, add);
        if (!add)
            memcpy(y, value, (size_t)n * sizeof *y);
        return;
    }
    which -= POINT_N_FNS;
    if (which < PAIR_N_FNS) {
        point->pair((PairFn)which, a, b, false, y, n);
        point->pair_grad_a((PairFn)which, a, b, false, w, y, n, true);
        point->pair_grad_b((PairFn)which, a, b, w, y, n, add);
        return;
    }
    which -= PAIR_N_FNS;
    if (which < PAIR_N_FNS) {
        point->pair((PairFn)which, a, r->b, true, y, n);
        point->pair_grad_a((PairFn)which, a, r->b, true, w, y, n, add);
        return;
    }
    switch (which - PAIR_N_FNS) {
    case 0: point->snake(a, 1.7f, y, n); break;
    case 1: point->snake_grad(a, 1.7f, b, y, n, add); break;
    case 2: point->abs_diff_grad(a, b, add ? w : NULL, 0.3f, y, n, add); break;
    case 3: point->sq_diff_grad(a, b, add ? NULL : w, 0.3f, y, n, add); break;
    case 4: point->fill(y, 0.6f, n, add); break;
    case 5: point->scale(a, 0.6f, y, n, add); break;
    case 6: point->blend(a, 0.6f, b, -0.2f, 0.4f, y, n, add); break;
    case 7: point->blend(a, 0.6f, NULL, 0.0f, 0.4f, y, n, add); break;
    case 8: point->adam(y, r->m + at, r->v + at, a, n, &step); break;
    case 9: point->track(y, a, 0.99f, n); break;
    case 10: point->sum_columns(r->a + at, 3, n, 5, 0.4, y); break; /* columns overlap, which is as good as any */
    default: point->norm_columns(a, 3, n, 4, b, w, 1e-5f, r->m, r->v + at, y); break; /* the third output in y */
    }
}
#define N_KERNELS (2 * (POINT_N_FNS + 2 * PAIR_N_FNS + 12))

static void fill_rows(Rows *r)
{
    Rng rng = rng_at(SEED, RNG_TEST, 2, 0);

    for (int i = 0; i < LONGEST + 16; i++) {
        r->a[i] = rng_between(&rng, -2.0f, 2.0f);
        r->b[i] = rng_between(&rng, 0.5f, 2.0f);
        r->w[i] = rng_between(&rng, -1.0f, 1.0f);
        r->y[i] = rng_between(&rng, -1.0f, 1.0f);
        r->m[i] = rng_between(&rng, -1.0f, 1.0f);
        r->v[i] = rng_between(&rng, 0.0f, 1.0f);
    }
}

static void check_place(const char *name, const PointKernels *point)
{
    for (int which = 0; which < N_KERNELS; which++) {
        Rows whole, part, start;

        fill_rows(&start);
        whole = start;
        run_kernel(point, which, &whole, 0, LONGEST);
        for (int64_t at = 0; at < 9; at++)
            for (int64_t n = 0; n + at <= LONGEST; n++) {
                part = start;
                run_kernel(point, which, &part, at, n);
                cr_assert(memcmp(part.y + at, whole.y + at, (size_t)n * sizeof(float)) == 0,
                          "%s: kernel %d on %lld elements from %lld differs from the whole row", name, which, (long long)n,
                          (long long)at);
                cr_assert(memcmp(part.y, start.y, (size_t)at * sizeof(float)) == 0 &&
                              memcmp(part.y + at + n, start.y + at + n, (size_t)(LONGEST + 16 - at - n) * sizeof(float)) == 0,
                          "%s: kernel %d on %lld elements from %lld writes outside", name, which, (long long)n, (long long)at);
            }
    }
}

Test(point, an_element_does_not_depend_on_its_place_and_nothing_outside_is_written)
{
    each_set(check_place);
}

static void check_sums(const char *name, const PointKernels *point)
{
    Rows r;

    fill_rows(&r);
    for (int64_t n = 0; n <= LONGEST; n++) {
        const double got[] = {point->sum(r.a, n), point->dot(r.a, r.b, n), point->sum_sq_dev(r.a, 0.4f, n),
                              point->sum_abs_diff(r.a, r.b, NULL, n), point->sum_abs_diff(r.a, r.b, r.w, n),
                              point->sum_sq_diff(r.a, r.b, NULL, n), point->sum_sq_diff(r.a, r.b, r.w, n),
                              point->pair_grad_one(PAIR_DIV, r.a, 0.7f, r.b, n), point->pair_grad_one(PAIR_SUB, r.a, 0.7f, r.b, n)};
        double expected[9] = {0}, size[9] = {0};

        for (int64_t i = 0; i < n; i++) {
            const double a = (double)r.a[i], b = (double)r.b[i], w = (double)r.w[i], c = (double)0.7f, d = a - (double)0.4f;
            const double terms[9] = {a, a * b, d * d, fabs(a - b), w * fabs(a - b), (a - b) * (a - b), w * (a - b) * (a - b),
                                     -a * b / (c * c), -b};

            for (int k = 0; k < 9; k++) {
                expected[k] += terms[k];
                size[k] += fabs(terms[k]);
            }
        }
        for (int k = 0; k < 9; k++)
            cr_expect(fabs(got[k] - expected[k]) <= (k < 3 ? 1e-14 : 2e-7) * size[k], "%s: sum %d of %lld: %.17g, expected %.17g",
                      name, k, (long long)n, got[k], expected[k]);
    }
}

Test(point, sums_of_every_length_match_plain_sums)
{
    each_set(check_sums);
}

static void check_sum_address(const char *name, const PointKernels *point)
{
    static float shifted[8][POINT_BLOCK + 16];
    Rng rng = rng_at(SEED, RNG_TEST, 3, 0);
    double first = 0.0;

    for (int i = 0; i < POINT_BLOCK - 3; i++)
        shifted[0][i] = rng_normal(&rng);
    for (int k = 1; k < 8; k++)
        memcpy(shifted[k] + k, shifted[0], (POINT_BLOCK - 3) * sizeof(float));
    for (int k = 0; k < 8; k++) {
        const double total = point->sum(shifted[k] + k, POINT_BLOCK - 3);

        if (k == 0)
            first = total;
        cr_expect(total == first, "%s: the sum depends on the address", name);
    }
}

Test(point, a_sum_does_not_depend_on_the_address)
{
    each_set(check_sum_address);
}

/* --- moving ------------------------------------------------------------------------------------------------------------- */

static void check_transpose(const char *name, const PointKernels *point)
{
    static float src[40 * 50], dst[50 * 45];

    for (int i = 0; i < 40 * 50; i++)
        src[i] = (float)(i + 1);
    for (int64_t rows = 0; rows <= 40; rows += rows < 18 ? 1 : 11)
        for (int64_t cols = 0; cols <= 40; cols += cols < 18 ? 1 : 11)
            for (int add = 0; add < 2; add++) {
                for (int i = 0; i < 50 * 45; i++)
                    dst[i] = GUARD;
                point->transpose(src, rows, cols, 50, dst, 45, add);
                for (int64_t c = 0; c < 50; c++)
                    for (int64_t r = 0; r < 45; r++) {
                        const bool inside = r < rows && c < cols;
                        const float expected = inside ? src[r * 50 + c] + (add ? GUARD : 0.0f) : GUARD;

                        cr_assert(dst[c * 45 + r] == expected, "%s: %lld x %lld, element %lld, %lld", name, (long long)rows,
                                  (long long)cols, (long long)r, (long long)c);
                    }
            }
}

Test(point, transpose_of_every_small_size)
{
    each_set(check_transpose);
}

static void check_reverse(const char *name, const PointKernels *point)
{
    float x[LONGEST], y[LONGEST + 1];

    for (int i = 0; i < LONGEST; i++)
        x[i] = (float)(i + 1);
    for (int64_t n = 0; n <= LONGEST; n++)
        for (int add = 0; add < 2; add++) {
            for (int i = 0; i <= LONGEST; i++)
                y[i] = GUARD;
            point->reverse(x, y, n, add);
            for (int64_t i = 0; i <= LONGEST; i++)
                cr_assert(y[i] == (i < n ? x[n - 1 - i] + (add ? GUARD : 0.0f) : GUARD), "%s: %lld of %lld", name,
                          (long long)i, (long long)n);
        }
}

Test(point, reverse_of_every_small_length)
{
    each_set(check_reverse);
}

/* --- binary16 ------------------------------------------------------------------------------------------------------------ */

static void check_half(const char *name, const PointKernels *point)
{
    static uint16_t half[65536], again[65536];
    static float value[65536], between[65536];

    for (int i = 0; i < 65536; i++)
        half[i] = (uint16_t)i;
    point->from_half(half, value, 65536);
    point->to_half(value, again, 65536);
    for (int i = 0; i < 65536; i++) {
        const int exponent = i >> 10 & 31, fraction = i & 1023;
        const double sign = i & 0x8000 ? -1.0 : 1.0;

        if (exponent == 31 && fraction) {
            cr_assert(isnan(value[i]) && (again[i] & 0x7c00) == 0x7c00 && (again[i] & 0x3ff), "%s: NaN %04x", name, (unsigned)i);
            continue;
        }
        cr_assert((double)value[i] == sign * (exponent == 31  ? INFINITY
                                              : exponent == 0 ? ldexp(fraction, -24)
                                                              : ldexp(1024 + fraction, exponent - 25)),
                  "%s: %04x is %g", name, (unsigned)i, (double)value[i]);
        cr_assert(again[i] == half[i], "%s: %04x comes back as %04x", name, (unsigned)i, again[i]);
    }
    /* The middle between two neighbours goes to the even one, just above it to the upper one. */
    for (int i = 0; i < 0x7bff; i++)
        between[i] = 0.5f * (value[i] + value[i + 1]);
    point->to_half(between, again, 0x7bff);
    for (int i = 0; i < 0x7bff; i++)
        cr_assert(again[i] == (i & 1 ? i + 1 : i), "%s: between %04x and the next: %04x", name, (unsigned)i, again[i]);
    for (int i = 0; i < 0x7bff; i++)
        between[i] = nextafterf(between[i], INFINITY);
    point->to_half(between, again, 0x7bff);
    for (int i = 0; i < 0x7bff; i++)
        cr_assert(again[i] == i + 1, "%s: above the middle of %04x: %04x", name, (unsigned)i, again[i]);
    between[0] = 65519.996f;
    between[1] = 65520.0f;
    between[2] = -1e30f;
    point->to_half(between, again, 3);
    cr_assert(again[0] == 0x7bff && again[1] == 0x7c00 && again[2] == 0xfc00, "%s: overflow", name);
}

Test(point, every_binary16_number_is_exact_and_rounding_is_to_even)
{
    each_set(check_half);
}

/* --- optimiser ------------------------------------------------------------------------------------------------------------ */

static void check_adam(const char *name, const PointKernels *point)
{
    enum { N = 19, N_STEPS = 50 };
    float p[N], m[N] = {0}, v[N] = {0}, g[N], average[N];
    double pd[N], md[N] = {0}, vd[N] = {0}, ad[N];
    const double lr = (double)0.01f, b1 = (double)0.8f, b2 = (double)0.99f, eps = (double)1e-6f, decay = (double)0.1f;
    Rng rng = rng_at(SEED, RNG_TEST, 4, 0);

    for (int i = 0; i < N; i++) {
        pd[i] = (double)(p[i] = rng_normal(&rng));
        ad[i] = (double)(average[i] = p[i]);
    }
    for (int t = 1; t <= N_STEPS; t++) {
        const AdamStep step = {.lr = 0.01f, .beta1 = 0.8f, .beta2 = 0.99f, .eps = 1e-6f, .decay = 0.1f, .grad_scale = 0.5f,
                               .correct1 = (float)(1.0 / (1.0 - pow(b1, t))), .correct2 = (float)(1.0 / (1.0 - pow(b2, t)))};

        for (int i = 0; i < N; i++)
            g[i] = rng_normal(&rng);
        point->adam(p, m, v, g, N, &step);
        point->track(average, p, 0.9f, N);
        for (int i = 0; i < N; i++) {
            const double d = 0.5 * (double)g[i];

            md[i] = b1 * md[i] + (1 - b1) * d;
            vd[i] = b2 * vd[i] + (1 - b2) * d * d;
            pd[i] -= lr * decay * pd[i];
            pd[i] -= lr * (md[i] / (1 - pow(b1, t))) / (sqrt(vd[i] / (1 - pow(b2, t))) + eps);
            ad[i] += (1 - (double)0.9f) * (pd[i] - ad[i]);
        }
    }
    for (int i = 0; i < N; i++) {
        cr_expect(fabs((double)p[i] - pd[i]) < 3e-6, "%s: p[%d] %.9g, expected %.9g", name, i, (double)p[i], pd[i]);
        cr_expect(fabs((double)average[i] - ad[i]) < 3e-6, "%s: average[%d] %.9g, expected %.9g", name, i, (double)average[i], ad[i]);
    }
}

Test(point, fifty_steps_of_adam_match_the_formula_in_double)
{
    each_set(check_adam);
}

/* --- softmax ------------------------------------------------------------------------------------------------------------ */

static void check_softmax(const char *name, const PointKernels *point)
{
    float x[LONGEST], y[LONGEST];

    for (int64_t n = 1; n <= LONGEST; n++)
        for (int as_log = 0; as_log < 2; as_log++) {
            double total = 0.0;

            for (int64_t i = 0; i < n; i++) {
                x[i] = -1000.0f + (float)(i * 7 % 11); /* far from 0, so that a lane counted too much would win */
                total += exp((double)x[i] + 1000.0);
            }
            point->softmax(x, y, n, as_log);
            for (int64_t i = 0; i < n; i++) {
                const double log_share = (double)x[i] + 1000.0 - log(total), expected = as_log ? log_share : exp(log_share);

                cr_assert(fabs((double)y[i] - expected) <= 1e-6 * fmax(1.0, fabs(expected)), "%s: element %lld of %lld: %.9g, "
                          "expected %.9g", name, (long long)i, (long long)n, (double)y[i], expected);
            }
            x[n / 2] = NAN;
            point->softmax(x, y, n, as_log);
            for (int64_t i = 0; i < n; i++)
                cr_assert(isnan(y[i]), "%s: NaN among %lld is lost at %lld", name, (long long)n, (long long)i);
        }
}

Test(point, softmax_of_every_length_far_from_zero_and_with_nan)
{
    each_set(check_softmax);
}
