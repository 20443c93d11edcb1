/* point_move.c - filling, scaling, mixing, transposing and converting rows.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "engine/kernels/ref/point_ref.h"

void ref_settle(const double *total, double scale, float *y, int64_t n, bool add)
{
    for (int64_t i = 0; i < n; i++)
        put(&y[i], (float)(scale * total[i]), add);
}

void ref_fill(float *y, float value, int64_t n, bool add)
{
    for (int64_t i = 0; i < n; i++)
        put(&y[i], value, add);
}

void ref_scale(const float *x, float scale, float *y, int64_t n, bool add)
{
    for (int64_t i = 0; i < n; i++)
        put(&y[i], scale * x[i], add);
}

void ref_reverse(const float *x, float *y, int64_t n, bool add)
{
    for (int64_t i = 0; i < n; i++)
        put(&y[i], x[n - 1 - i], add);
}

void ref_blend(const float *a, float p, const float *b, float q, float r, float *y, int64_t n, bool add)
{
    for (int64_t i = 0; i < n; i++)
        put(&y[i], b ? p * a[i] + q * b[i] + r : p * a[i] + r, add);
}

void ref_transpose(const float *src, int64_t rows, int64_t cols, int64_t src_stride, float *dst, int64_t dst_stride,
                   bool add)
{
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < cols; c++)
            put(&dst[c * dst_stride + r], src[r * src_stride + c], add);
}

/* binary16: 1 sign, 5 exponent (bias 15), 10 fraction; binary32: 1, 8 (bias 127), 23. */
static uint16_t half_from_float(float value)
{
    uint32_t bits, magnitude, shift, kept, rest, halfway;
    uint16_t sign;

    memcpy(&bits, &value, sizeof bits);
    sign = (uint16_t)(bits >> 16 & 0x8000u);
    magnitude = bits & 0x7fffffffu;
    if (magnitude > 0x7f800000u)
        return (uint16_t)(sign | 0x7e00u | (magnitude >> 13 & 0x3ffu)); /* NaN stays NaN, made quiet */
    if (magnitude >= 0x477ff000u)
        return (uint16_t)(sign | 0x7c00u); /* 65520 and above round to infinity */
    if (magnitude < 0x33000000u)
        return sign; /* below half of the least subnormal 2^-24 */
    if (magnitude >= 0x38800000u) { /* normal: rebias by 112, drop 13 bits */
        shift = 13;
        magnitude -= 112u << 23;
    } else { /* subnormal: the fraction with its leading one, in units of 2^-24 */
        shift = 126u - (magnitude >> 23);
        magnitude = (magnitude & 0x7fffffu) | 0x800000u;
    }
    kept = magnitude >> shift;
    rest = magnitude & ((1u << shift) - 1u);
    halfway = 1u << (shift - 1u);
    if (rest > halfway || (rest == halfway && kept & 1u))
        kept++; /* may carry into the exponent, which is then right too */
    return (uint16_t)(sign | kept);
}

static float float_from_half(uint16_t half)
{
    const uint32_t sign = (uint32_t)(half & 0x8000u) << 16, exponent = half >> 10 & 0x1fu, fraction = half & 0x3ffu;
    uint32_t bits;
    float value;

    if (exponent == 0) { /* zero and subnormal: exact in binary32 */
        value = (float)fraction * 0x1p-24f;
        return sign ? -value : value;
    }
    bits = exponent == 31 ? 0x7f800000u | fraction << 13 | (fraction ? 0x400000u : 0u)
                          : (exponent + 112u) << 23 | fraction << 13;
    bits |= sign;
    memcpy(&value, &bits, sizeof value);
    return value;
}

void ref_to_half(const float *x, uint16_t *y, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = half_from_float(x[i]);
}

void ref_from_half(const uint16_t *x, float *y, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = float_from_half(x[i]);
}
