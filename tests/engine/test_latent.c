/* test_latent.c - bits of latents and rounding: every set says what the plain one does.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/kernels/latent.h"

#include <math.h>

#include "engine/base/rng.h"
#include "tests/shared.h"

#define MOST 1000

static float x[MOST], mean[MOST], scale[MOST], dy[MOST];

static float uniform(Rng *rng, float low, float high)
{
    return low + (high - low) * (float)rng_u32(rng) * 0x1p-32f;
}

/* Cells in the middle, on the slopes and so far out that only the floor is left; scales from a hundredth to hundreds. */
static void fill(uint32_t sample)
{
    Rng rng = rng_at(32, RNG_TEST, 0, sample);

    for (int i = 0; i < MOST; i++) {
        scale[i] = expf(uniform(&rng, -4.5f, 6.0f));
        mean[i] = uniform(&rng, -30, 30);
        x[i] = mean[i] + scale[i] * uniform(&rng, -7, 7) * (i % 9 == 0 ? 10.0f : 1.0f);
        dy[i] = uniform(&rng, -2, 2);
        if (i % 50 == 0)
            x[i] = mean[i];
    }
}

/* within: of the sum that a gradient was added to. */
static void expect_near(const char *set, const char *what, const float *got, const float *expected, int64_t n, float within)
{
    for (int64_t i = 0; i < n; i++) {
        const float tolerance = 2e-6f * fabsf(expected[i]) + within;

        cr_assert(fabsf(got[i] - expected[i]) <= tolerance || (isnan(got[i]) && isnan(expected[i])) || got[i] == expected[i],
                  "%s, %s %lld of %lld: %.9g, not %.9g (x %g, mean %g, scale %g, dy %g)", set, what, (long long)i, (long long)n,
                  (double)got[i], (double)expected[i], (double)x[i], (double)mean[i], (double)scale[i], (double)dy[i]);
    }
}

static void compare_bits(const Kernels *set, Density density, float floor, int64_t n)
{
    const BitsJob job = {density, floor, x, mean, scale};
    static float got[4][MOST + 1], expected[4][MOST + 1];
    const LatentKernels *kernels[] = {set->latent, &latent_ref};

    for (int add = 0; add < 2; add++) {
        for (int k = 0; k < 2; k++) {
            float(*to)[MOST + 1] = k == 0 ? got : expected;

            for (int64_t i = 0; i < 4 * (MOST + 1); i++)
                to[i / (MOST + 1)][i % (MOST + 1)] = 7.0f;
            kernels[k]->bits(&job, to[0], n);
            kernels[k]->bits_grad(&job, dy, &(BitsGrad){to[1], to[2], to[3], add, add, add}, n);
        }
        expect_near(set->name, "bits", got[0], expected[0], n, 1e-9f);
        expect_near(set->name, "gradient of x", got[1], expected[1], n, add ? 1e-6f : 1e-9f);
        expect_near(set->name, "gradient of the mean", got[2], expected[2], n, add ? 1e-6f : 1e-9f);
        expect_near(set->name, "gradient of the scale", got[3], expected[3], n, add ? 1e-6f : 1e-9f);
        for (int k = 0; k < 4; k++)
            cr_assert(got[k][n] == 7.0f, "%s wrote behind the end", set->name);
    }
}

/* Its tangents are not the plain one's to the bit. */
static void compare_soft_rounding(const Kernels *set, float temperature, int64_t n)
{
    static float got[MOST + 1], expected[MOST];
    const Snap snap = {.kind = SNAP_SOFT, .per_unit = temperature};

    got[n] = 7.0f;
    set->latent->snap(&snap, x, got, n);
    latent_ref.snap(&snap, x, expected, n);
    expect_near(set->name, "soft rounding", got, expected, n, 1e-6f);
    for (int add = 0; add < 2; add++) {
        for (int64_t i = 0; i < n; i++)
            got[i] = expected[i] = 0.5f;
        set->latent->snap_grad(&snap, x, dy, got, n, add);
        latent_ref.snap_grad(&snap, x, dy, expected, n, add);
        expect_near(set->name, "gradient of soft rounding", got, expected, n, 2e-6f / temperature);
    }
    cr_assert(got[n] == 7.0f, "%s wrote behind the end", set->name);
}

/* u from end to end, and x at whole numbers, just beside them and in the middle. */
static void compare_stochastic_rounding(const Kernels *set, float temperature, uint32_t sample, int64_t n)
{
    static float at[MOST], u[MOST], got[MOST + 1], expected[MOST];
    Rng rng = rng_at(33, RNG_TEST, 0, sample);

    for (int64_t i = 0; i < MOST; i++) {
        at[i] = i % 7 == 0 ? roundf(x[i]) + 0.25f * (float)(i % 4) : i % 7 == 1 ? nextafterf(roundf(x[i]), x[i]) : x[i];
        u[i] = i % 11 == 0 ? 1e-7f : i % 11 == 1 ? 1.0f - 6e-8f : uniform(&rng, 0.001f, 0.999f);
    }
    got[n] = 7.0f;
    set->latent->stochastic(temperature, at, u, got, n);
    latent_ref.stochastic(temperature, at, u, expected, n);
    expect_near(set->name, "stochastic rounding", got, expected, n, 1e-9f);
    for (int add = 0; add < 2; add++) {
        for (int64_t i = 0; i < n; i++)
            got[i] = expected[i] = 0.5f;
        set->latent->stochastic_grad(temperature, at, u, dy, got, add, n);
        latent_ref.stochastic_grad(temperature, at, u, dy, expected, add, n);
        expect_near(set->name, "gradient of stochastic rounding", got, expected, n, 1e-6f);
    }
    cr_assert(got[n] == 7.0f, "%s wrote behind the end", set->name);
}

static void round_in_parts(const Kernels *set, int64_t size, float *rounded, float *grad)
{
    const Snap soft = {.kind = SNAP_SOFT, .per_unit = 0.3f};

    for (int64_t first = 0; first < MOST; first += size) {
        const int64_t n = first + size < MOST ? size : MOST - first;

        set->latent->stochastic(0.3f, x + first, scale + first, rounded + first, n);
        set->latent->snap_grad(&soft, x + first, dy + first, grad + first, n, false);
    }
}

/* What a number becomes does not depend on how many stand beside it: threads divide planes anywhere. scale serves as u. */
static void expect_same_in_parts(const Kernels *set)
{
    static float whole[2][MOST], parts[2][MOST];

    round_in_parts(set, MOST, whole[0], whole[1]);
    round_in_parts(set, 13, parts[0], parts[1]);
    ASSERT_SAME_BITS("stochastic rounding", whole[0], parts[0], MOST);
    ASSERT_SAME_BITS("gradients of soft rounding", whole[1], parts[1], MOST);
}

static void compare_rounding(const Kernels *set, const Snap *snap, int64_t n)
{
    static float got[MOST], expected[MOST];

    set->latent->snap(snap, x, got, n);
    latent_ref.snap(snap, x, expected, n);
    cr_assert(memcmp(got, expected, (size_t)n * sizeof *got) == 0, "%s rounds in another way", set->name);
    for (int add = 0; add < 2; add++) {
        memset(got, 0, sizeof got);
        memset(expected, 0, sizeof expected);
        set->latent->snap_grad(snap, x, dy, got, n, add);
        latent_ref.snap_grad(snap, x, dy, expected, n, add);
        cr_assert(memcmp(got, expected, (size_t)n * sizeof *got) == 0, "%s has other gradients of rounding", set->name);
    }
}

static void compare(const Kernels *set)
{
    for (uint32_t sample = 0; sample < 20; sample++) {
        fill(sample);
        for (int density = 0; density < DENSITY_N; density++) {
            compare_bits(set, (Density)density, 1e-9f, MOST);
            compare_bits(set, (Density)density, 1e-30f, MOST - sample);
            compare_bits(set, (Density)density, 0.0f, sample);
        }
        for (int kind = SNAP_BOUND; kind <= SNAP_ROUND; kind++)
            compare_rounding(set, &(Snap){(SnapKind)kind, 0.5f, -8, 7.5f}, MOST - sample);
        for (int k = 1; k <= 4; k++) {
            compare_soft_rounding(set, 0.1f * (float)k, MOST - sample);
            compare_stochastic_rounding(set, 0.1f * (float)k, sample, MOST - sample);
        }
    }
    for (int i = 0; i < MOST; i++)
        scale[i] = 0.001f + 0.998f * scale[i] / (1.0f + scale[i]);
    expect_same_in_parts(set);
}

Test(latent, sets_agree)
{
    const char *names[] = {"avx2", "avx512"};

    for (int i = 0; i < 2; i++)
        if (kernels_named(names[i]))
            compare(kernels_named(names[i]));
}

Test(latent, what_is_no_number_stays_none)
{
    const char *names[] = {"ref", "avx2", "avx512"};

    for (int i = 0; i < 3; i++) {
        const Kernels *set = kernels_named(names[i]);
        const float values[] = {NAN, 1, 2, 3, 4, 5, 6, 7}, zeros[8] = {0}, ones[] = {1, 1, 1, 1, 1, 1, 1, 1};
        float dx[8];

        if (!set)
            continue;
        set->latent->bits_grad(&(BitsJob){DENSITY_NORMAL, 1e-9f, values, zeros, ones}, ones, &(BitsGrad){.dx = dx}, 8);
        cr_assert(isnan(dx[0]) && !isnan(dx[1]), "%s: gradients %g and %g", names[i], (double)dx[0], (double)dx[1]);
    }
}
