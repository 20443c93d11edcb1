/* half.c - conversion by bit arithmetic, the same on every machine.
 *
 *   binary32   sign 1 | exponent 8, bias 127 | fraction 23
 *   binary16   sign 1 | exponent 5, bias 15  | fraction 10
 *   bfloat16   the upper half of a binary32
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/weights/half.h"

#include <string.h>

static float from_bits(uint32_t bits)
{
    float value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

float half_to_float(uint16_t half)
{
    uint32_t sign = (uint32_t)(half & 0x8000) << 16, exponent = half >> 10 & 31, fraction = half & 0x3ff;

    if (exponent == 31)
        return from_bits(sign | 0x7f800000 | fraction << 13);
    if (exponent == 0) /* subnormal: fraction * 2^-24 */
        return (sign ? -1.0f : 1.0f) * (float)fraction * 0x1p-24f;
    return from_bits(sign | (exponent + 127 - 15) << 23 | fraction << 13);
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "halves are stored little-endian and copied as they are");

#define HALF_BLOCK 64

/* One block in plain loops of one type and a length that is known when compiling, which -O2 turns into vectors. */
static uint32_t convert_block(float dst[HALF_BLOCK], const uint16_t src[HALF_BLOCK])
{
    uint32_t halves[HALF_BLOCK], small[HALF_BLOCK], bits[HALF_BLOCK], n_infinite = 0;
    float subnormal[HALF_BLOCK];

    for (int i = 0; i < HALF_BLOCK; i++)
        halves[i] = src[i];
    for (int i = 0; i < HALF_BLOCK; i++)
        subnormal[i] = (float)(int32_t)(halves[i] & 0x3ff) * 0x1p-24f;
    memcpy(small, subnormal, sizeof small);
    for (int i = 0; i < HALF_BLOCK; i++) {
        uint32_t normal = ((halves[i] & 0x7fff) << 13) + ((uint32_t)(127 - 15) << 23);
        uint32_t is_normal = -(uint32_t)((halves[i] & 0x7c00) != 0);

        n_infinite += (halves[i] & 0x7c00) == 0x7c00;
        bits[i] = (halves[i] & 0x8000) << 16 | (normal & is_normal) | (small[i] & ~is_normal);
    }
    memcpy(dst, bits, sizeof bits);
    return n_infinite;
}

bool half_array_to_float(float *dst, const void *src, size_t n)
{
    const unsigned char *at = src;
    uint16_t block[HALF_BLOCK];
    float last[HALF_BLOCK];
    uint32_t n_infinite = 0;

    for (; n >= HALF_BLOCK; n -= HALF_BLOCK, dst += HALF_BLOCK, at += sizeof block) {
        memcpy(block, at, sizeof block);
        n_infinite += convert_block(dst, block);
    }
    memset(block, 0, sizeof block);
    memcpy(block, at, n * sizeof *block);
    n_infinite += convert_block(last, block);
    memcpy(dst, last, n * sizeof *dst);
    return n_infinite == 0;
}

float bfloat_to_float(uint16_t bfloat)
{
    return from_bits((uint32_t)bfloat << 16);
}

uint16_t bfloat_from_float(float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof bits);
    if ((bits & 0x7fffffff) > 0x7f800000)
        return (uint16_t)(bits >> 16 | 0x40);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

/* value / 2^shift, nearest, ties to even; shift 1 to 31 */
static uint32_t shift_to_nearest(uint32_t value, int shift)
{
    uint32_t kept = value >> shift, lost = value << (32 - shift), tie = 0x80000000;

    return kept + (lost > tie || (lost == tie && (kept & 1)));
}

uint16_t half_from_float(float value)
{
    uint32_t bits, sign, magnitude;
    int exponent;

    memcpy(&bits, &value, sizeof bits);
    sign = bits >> 16 & 0x8000;
    magnitude = bits & 0x7fffffff;
    if (magnitude > 0x7f800000)
        return (uint16_t)(sign | 0x7e00);
    exponent = (int)(magnitude >> 23) - 127 + 15;
    if (exponent >= 31)
        return (uint16_t)(sign | 0x7c00);
    if (exponent > 0) /* a carry out of the fraction raises the exponent, up to infinity: just what is wanted */
        return (uint16_t)(sign | shift_to_nearest(magnitude - ((uint32_t)(127 - 15) << 23), 13));
    if (exponent < -10) /* below half of the smallest subnormal */
        return (uint16_t)sign;
    return (uint16_t)(sign | shift_to_nearest((magnitude & 0x7fffff) | 0x800000, 14 - exponent));
}
