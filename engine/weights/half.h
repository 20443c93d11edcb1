/* half.h - 16-bit floating point as it is stored in model files: IEEE binary16 and bfloat16.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_HALF_H
#define RESIDUA_HALF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Exact. Infinity and NaN stay what they are. */
float half_to_float(uint16_t half);
float bfloat_to_float(uint16_t bfloat);
/* dst [n] = src [n], little-endian and maybe unaligned; true when all are finite (dst is filled in any case, but infinity
 * and NaN come out as other numbers). About 10^9 per second. */
bool half_array_to_float(float *dst, const void *src, size_t n);

/* Nearest, ties to even; NaN stays a NaN. */
uint16_t bfloat_from_float(float value);
/* Nearest, ties to even; too large becomes infinity (from 65520 on), too small a subnormal or zero; NaN stays a NaN. */
uint16_t half_from_float(float value);

#endif
