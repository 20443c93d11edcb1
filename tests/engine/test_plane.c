/* test_plane.c - the largest of windows: every set gives the bits and the places of the plain form.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/kernels/plane.h"

#include <math.h>

#include "engine/base/rng.h"
#include "tests/shared.h"

#define MOST 64

static float x[MOST * MOST], expected[MOST * MOST], got[MOST * MOST];
static int32_t expected_at[MOST * MOST], got_at[MOST * MOST];

/* Few different numbers, so that there are equals; some NaN. */
static void fill(uint32_t sample)
{
    Rng rng = rng_at(31, RNG_TEST, 0, sample);

    for (int i = 0; i < MOST * MOST; i++)
        x[i] = rng_u32(&rng) % 200 == 0 ? NAN : (float)(rng_u32(&rng) % 7);
}

static PoolAxis axis_of(int64_t n, int64_t size, int64_t stride, int64_t before)
{
    return (PoolAxis){.n = n, .m = (n + before - 1) / stride + 1, .size = size, .stride = stride, .before = before, .n_padded = n};
}

static void check(const char *name, const PoolShape *s)
{
    const PlaneKernels *k = kernels_named(name)->plane;
    const int64_t count = s->y.m * s->x.m;

    memset(got, 0, sizeof got);
    plane_ref.pool_max(s, x, expected, expected_at);
    k->pool_max(s, x, got, got_at);
    for (int64_t i = 0; i < count; i++)
        cr_assert(got_at[i] == expected_at[i] && (got[i] == expected[i] || (isnan(got[i]) && isnan(expected[i]))),
                  "%s: window %lld of %lld x %lld, size %lld, stride %lld, before %lld: %g at %d, expected %g at %d", name,
                  (long long)i, (long long)s->y.n, (long long)s->x.n, (long long)s->x.size, (long long)s->x.stride,
                  (long long)s->x.before, (double)got[i], got_at[i], (double)expected[i], expected_at[i]);
    k->pool_max(s, x, got, NULL);
    for (int64_t i = 0; i < count; i++)
        cr_assert(got[i] == expected[i] || (isnan(got[i]) && isnan(expected[i])));
}

Test(plane, largest_of_windows_is_the_same_in_every_set)
{
    static const char *const names[] = {"ref", "avx2", "avx512"};

    for (uint32_t sample = 0; sample < 3; sample++) {
        fill(sample);
        for (int64_t w = 1; w <= MOST; w++)
            for (int64_t size = 1; size <= 3; size++)
                for (int64_t before = 0; before < size; before++)
                    for (size_t k = 0; k < sizeof names / sizeof *names; k++)
                        if (kernels_named(names[k]))
                            for (int64_t stride = 1; stride <= 3; stride++)
                                check(names[k], &(PoolShape){axis_of(1 + w % 9, size, stride, before),
                                                             axis_of(w, size, stride, before), false});
    }
}
