/* integer.c - float weights become those of an integer network. Not part of decoders: those have integers only.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/kernels/integer.h"

#include <math.h>

static float greatest(const float *w, int64_t n)
{
    float most = 0.0f;

    for (int64_t i = 0; i < n && !isnan(most); i++)
        if (!(fabsf(w[i]) <= most))
            most = fabsf(w[i]); /* NaN, too */
    return most;
}

bool integer_scales(const float *w, int64_t n_out, int64_t n_in, int16_t *mult, int *shift)
{
    double most = (double)greatest(w, n_out * n_in);

    if (!(most / 127 * 2 <= INTEGER_MULT_MAX))
        return false;
    *shift = 31;
    while (ceil(ldexp(most / 127, *shift)) > INTEGER_MULT_MAX)
        --*shift;
    for (int64_t o = 0; o < n_out; o++) {
        double least = ceil(ldexp((double)greatest(w + o * n_in, n_in) / 127, *shift));

        mult[o] = (int16_t)(least < INTEGER_MULT_MIN ? INTEGER_MULT_MIN : least);
    }
    return true;
}

int8_t integer_weight(float w, int16_t mult, int shift)
{
    return (int8_t)round(ldexp((double)w, shift) / mult);
}
