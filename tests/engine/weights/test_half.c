/* test_half.c - 16-bit floats against arithmetic, for all of them.
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "engine/weights/half.h"

/* The definition of binary16: sign, exponent and fraction as numbers. */
static double defined_value(unsigned half)
{
    int exponent = (int)(half >> 10 & 31);
    double fraction = half & 0x3ff, magnitude;

    magnitude = exponent ? ldexp(1 + fraction / 1024, exponent - 15) : ldexp(fraction / 1024, -14);
    return half & 0x8000 ? -magnitude : magnitude;
}

Test(half, every_finite_half_has_its_defined_value_and_comes_back)
{
    for (unsigned half = 0; half < 0x10000; half++) {
        float value = half_to_float((uint16_t)half);

        if ((half >> 10 & 31) == 31) {
            cr_assert(half & 0x3ff ? isnan(value) : isinf(value), "%04x is %g", half, (double)value);
            cr_assert_eq(signbit(value) != 0, half >> 15);
            continue;
        }
        cr_assert_eq((double)value, defined_value(half), "%04x is %.9g, expected %.9g", half, (double)value,
                     defined_value(half));
        cr_assert_eq(half_from_float(value), half, "%04x comes back as %04x", half, half_from_float(value));
    }
}

Test(half, rounds_to_nearest_and_ties_to_even_between_all_neighbours)
{
    for (unsigned half = 0; half < 0x7bff; half++) {
        float low = half_to_float((uint16_t)half), high = half_to_float((uint16_t)(half + 1)),
              middle = (low + high) / 2;
        unsigned even = half & 1 ? half + 1 : half;

        cr_assert_eq(half_from_float(middle), even, "%.9g between %04x and %04x", (double)middle, half, half + 1);
        cr_assert_eq(half_from_float(-middle), even | 0x8000);
        cr_assert_eq(half_from_float(nextafterf(middle, 0)), half);
        cr_assert_eq(half_from_float(nextafterf(middle, INFINITY)), half + 1);
    }
}

Test(half, too_large_is_infinite_and_too_small_is_zero)
{
    cr_assert_eq(half_from_float(65519.996f), 0x7bff);
    cr_assert_eq(half_from_float(65520), 0x7c00);
    cr_assert_eq(half_from_float(-3e38f), 0xfc00);
    cr_assert_eq(half_from_float(INFINITY), 0x7c00);
    cr_assert_eq(half_from_float(0x1p-25f), 0);
    cr_assert_eq(half_from_float(nextafterf(0x1p-25f, 1)), 1);
    cr_assert_eq(half_from_float(-1e-45f), 0x8000);
    cr_assert(isnan(half_to_float(half_from_float(NAN))));
}

Test(half, bfloat_is_the_upper_half_of_a_float)
{
    cr_assert_eq(bfloat_to_float(0x3f80), 1.0f);
    cr_assert_eq(bfloat_to_float(0xc049), -3.140625f);
    cr_assert_eq(bfloat_to_float(0x0001), 0x1p-133f);
    cr_assert(isinf(bfloat_to_float(0x7f80)) && isnan(bfloat_to_float(0x7fc0)));
}

Test(half, arrays_convert_like_single_values_from_any_address)
{
    enum { N = 65536 };
    static uint8_t bytes[2 * N + 1];
    static float values[N];

    for (int i = 0; i < N; i++) {
        bytes[1 + 2 * i] = (uint8_t)i;
        bytes[2 + 2 * i] = (uint8_t)(i >> 8);
    }
    cr_assert_not(half_array_to_float(values, bytes + 1, N), "infinities are among them");
    for (int i = 0; i < N; i++) {
        float expected = half_to_float((uint16_t)i);

        if (isfinite(expected))
            cr_assert_eq(memcmp(&values[i], &expected, sizeof expected), 0, "%04x: %g, expected %g", i, (double)values[i],
                         (double)expected);
    }
    cr_assert(half_array_to_float(values, bytes + 1, 0x7c00));
    cr_assert_not(half_array_to_float(values, bytes + 1, 0x7c01));
    cr_assert(half_array_to_float(values, bytes + 1 + 2 * 0x8000, 0x7c00));
    cr_assert_not(half_array_to_float(values, bytes + 1 + 2 * 0xffff, 1));
    cr_assert(half_array_to_float(values, bytes, 0));
}

Test(half, every_bfloat_comes_back_and_what_is_between_two_goes_to_the_nearer)
{
    for (unsigned b = 0; b < 0x10000; b++) {
        const float value = bfloat_to_float((uint16_t)b), next = bfloat_to_float((uint16_t)(b + 1));

        if (isnan(value)) {
            cr_assert(isnan(bfloat_to_float(bfloat_from_float(value))));
            continue;
        }
        cr_assert_eq(bfloat_from_float(value), b);
        if (isinf(value) || !isfinite(next) || (b & 0x7fff) == 0x7fff)
            continue;
        cr_assert_eq(bfloat_from_float(0.75f * value + 0.25f * next), b, "%04x", b);
        cr_assert_eq(bfloat_from_float(0.5f * value + 0.5f * next), b + (b & 1), "%04x: a tie goes to the even one", b);
    }
    cr_assert_eq(bfloat_from_float(3.4e38f), 0x7f80, "beyond the largest");
}
