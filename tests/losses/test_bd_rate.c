/* test_bd_rate.c - monotone cubics against scipy.interpolate.PchipInterpolator (1.10.1), and what makes a comparison fail.
 *
 * SPDX-License-Identifier: MIT
 */
#include "losses/bd_rate.h"

#include <math.h>

#include "tests/shared.h"

#define N(array) (sizeof(array) / sizeof *(array))

static const BdPoint anchor[] = {{0.2, 30.1}, {0.4, 33.0}, {0.8, 36.2}, {1.5, 39.9}, {2.5, 41.0}};
static const BdPoint test[] = {{0.15, 29.5}, {0.3, 32.6}, {0.6, 35.5}, {1.2, 38.0}, {2.2, 42.5}};

Test(bd_rate, cubics_are_those_of_scipy)
{
    static const double x[] = {0, 1, 2.5, 3, 4.5, 7}, y[] = {0, 2, 2, 5, 4, 10};
    static const double at[] = {0.3, 1.7, 2.9, 4.4, 6.1};
    static const double expected[] = {0.8436, 2.0, 4.687999999999999, 4.012740740740741, 6.635775999999998};
    double slopes[N(x)];

    pchip_slopes(slopes, x, y, N(x));
    for (size_t i = 0; i < N(at); i++)
        ASSERT_CLOSE("value", pchip_value(x, y, slopes, N(x), at[i]), expected[i], ((Tolerance){.rel = 1e-13}));
    ASSERT_CLOSE("integral", pchip_integral(x, y, slopes, N(x), 6.1), 20.581314844444442, ((Tolerance){.rel = 1e-13}));
}

Test(bd_rate, percent_is_that_of_scipy_and_points_may_come_in_any_order)
{
    BdPoint mixed[N(test) + 1];
    BdRate bd;
    RsdError err = {0};

    for (size_t i = 0; i < N(test); i++)
        mixed[i] = test[N(test) - 1 - i];
    mixed[N(test)] = (BdPoint){2.0, 35.0}; /* dearer and worse than another: dropped */
    ASSERT_OK(bd_rate(&bd, mixed, N(mixed), anchor, N(anchor), &err), err);
    cr_assert(bd.known);
    cr_assert_eq(bd.n_test, N(test));
    ASSERT_CLOSE("percent", bd.percent, -6.926033421204014, ((Tolerance){.rel = 1e-12}));
    ASSERT_CLOSE("from", bd.from, 30.1, ((Tolerance){.abs = 1e-12}));
    ASSERT_CLOSE("to", bd.to, 41, ((Tolerance){.abs = 1e-12}));
    ASSERT_CLOSE("overlap", bd.overlap, 1, ((Tolerance){.abs = 1e-12}));
}

Test(bd_rate, half_the_bits_are_half_the_bits)
{
    BdPoint half[N(anchor)];
    BdRate bd;
    RsdError err = {0};

    for (size_t i = 0; i < N(anchor); i++)
        half[i] = (BdPoint){anchor[i].rate / 2, anchor[i].quality};
    ASSERT_OK(bd_rate(&bd, half, N(anchor), anchor, N(anchor), &err), err);
    ASSERT_CLOSE("percent", bd.percent, -50, ((Tolerance){.abs = 1e-9}));
    ASSERT_OK(bd_rate(&bd, anchor, N(anchor), half, N(anchor), &err), err);
    ASSERT_CLOSE("percent", bd.percent, 100, ((Tolerance){.abs = 1e-9}));
}

Test(bd_rate, says_why_there_is_none)
{
    BdPoint high[N(anchor)];
    BdRate bd;
    RsdError err = {0};

    ASSERT_OK(bd_rate(&bd, test, 3, anchor, N(anchor), &err), err);
    cr_assert(!bd.known && strstr(bd.why, "fewer than 4"));
    ASSERT_OK(bd_rate(&bd, test, 0, anchor, N(anchor), &err), err);
    cr_assert(!bd.known);
    for (size_t i = 0; i < N(anchor); i++)
        high[i] = (BdPoint){anchor[i].rate, anchor[i].quality + 8};
    ASSERT_OK(bd_rate(&bd, high, N(anchor), anchor, N(anchor), &err), err);
    cr_assert(!bd.known && strstr(bd.why, "60 %") && bd.overlap > 0 && bd.overlap < 0.6, "overlap %g", bd.overlap);
    high[1].rate = 0;
    ASSERT_FAILS(bd_rate(&bd, high, N(anchor), anchor, N(anchor), &err), RSD_ERR_ARG, err, "rate 0");
    high[1] = (BdPoint){1, NAN};
    ASSERT_FAILS(bd_rate(&bd, high, N(anchor), anchor, N(anchor), &err), RSD_ERR_ARG, err, "nan");
}

Test(bd_rate, quality_is_read_off_at_a_rate_and_never_beyond_the_ends)
{
    static const BdPoint straight[] = {{0.1, 20}, {1, 30}, {0.5, 10}, {10, 40}}; /* the third is worse and dearer than the first */
    double quality;
    RsdError err = {0};

    for (size_t i = 0; i < N(anchor); i++) {
        ASSERT_OK(bd_quality_at(&quality, anchor, N(anchor), anchor[i].rate, &err), err);
        ASSERT_CLOSE("quality", quality, anchor[i].quality, ((Tolerance){.rel = 1e-13}));
    }
    ASSERT_OK(bd_quality_at(&quality, straight, N(straight), sqrt(10), &err), err);
    ASSERT_CLOSE("quality", quality, 35, ((Tolerance){.rel = 1e-13}));
    ASSERT_OK(bd_quality_at(&quality, anchor, N(anchor), 0.19, &err), err);
    cr_expect(isnan(quality));
    ASSERT_OK(bd_quality_at(&quality, anchor, N(anchor), 2.6, &err), err);
    cr_expect(isnan(quality));
    ASSERT_OK(bd_quality_at(&quality, anchor, 1, 0.2, &err), err);
    cr_expect(isnan(quality));
}
