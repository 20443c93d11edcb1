/* gemm_narrow.c - columns of matrices of 24 bits, the same for every kernel set.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/kernels/gemm.h"

#include <float.h>
#include <math.h>

#define GREATEST 8388606.0f /* of 24 bits, less one for what rounding a scale may add */

void gemm_narrow_column(const float *x, int64_t k, uint8_t *a, int64_t n, int64_t j, float *scale)
{
    float greatest = 0.0f;
    double unit;
    bool finite = true;

    for (int64_t i = 0; i < k; i++) {
        greatest = fmaxf(greatest, fabsf(x[i]));
        finite = finite && isfinite(x[i]);
    }
    *scale = finite ? greatest / GREATEST / 256.0f : NAN;
    unit = finite && *scale >= FLT_MIN ? 1.0 / (256.0 * (double)*scale) : 0.0; /* smaller numbers are none */
    for (int64_t i = 0; i < k; i++) {
        const int32_t whole = unit > 0.0 ? (int32_t)lrint((double)x[i] * unit) : 0;
        uint8_t *to = a + 3 * (i * n + j);

        to[0] = (uint8_t)whole;
        to[1] = (uint8_t)(whole >> 8);
        to[2] = (uint8_t)(whole >> 16);
    }
}
