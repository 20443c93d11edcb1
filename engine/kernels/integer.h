/* integer.h - layers of an integer network: the same numbers on every machine, whatever the order of the sums.
 *
 * What an entropy decoder computes its tables from must agree to the last bit. Weights are 8 bits, activations 16 bits within
 * -8191 .. 8191, sums 32 bits that cannot overflow (integer_layer_fits), and each sum returns to 16 bits by
 *
 *   y = clamp(floor((sum mult + 2^(shift - 1)) / 2^shift), low, 8191)        low = 0 is a ReLU, -8191 none
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_KERNELS_INTEGER_H
#define RESIDUA_KERNELS_INTEGER_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/kernels/kernels.h"

#define INTEGER_MAX 8191
#define INTEGER_UNIT 64 /* what activations count as by custom: 1 / INTEGER_UNIT */
#define INTEGER_LIMIT ((float)INTEGER_MAX / INTEGER_UNIT)
#define INTEGER_MULT_MIN 512
#define INTEGER_MULT_MAX 32767

/* Borrowed arrays. A dense layer has n_in weights for each output; a depthwise one n_in = size size taps for each channel. */
typedef struct IntegerLayer {
    int64_t n_out, n_in;
    const int8_t *weight; /* [n_out, n_in] */
    const int32_t *bias;  /* [n_out] */
    const int16_t *mult;  /* [n_out], INTEGER_MULT_MIN .. INTEGER_MULT_MAX */
    int shift;            /* 1 .. 31 */
    int16_t low;          /* 0 or -INTEGER_MAX */
} IntegerLayer;

struct IntegerKernels {
    /* y [n_out, n] = layer of the columns of x [n_in, n]. */
    void (*dense)(const IntegerLayer *layer, const int16_t *x, int64_t n, int16_t *y);
    /* y [n_out, h, w], each plane from its plane of x [n_out, h, w] by size x size taps around it, zeros outside; size odd. */
    void (*depthwise)(const IntegerLayer *layer, int64_t size, const int16_t *x, int64_t h, int64_t w, int16_t *y);
};

/* floor(v / 2^shift); C11 leaves the shift of a negative number to the compiler. */
static inline int64_t integer_shift_down(int64_t v, int shift)
{
    return v >= 0 ? v >> shift : ~(~v >> shift);
}

/* Within low .. INTEGER_MAX, as a layer's output. */
static inline int16_t integer_clamp(int64_t v, int16_t low)
{
    return (int16_t)(v < low ? low : v > INTEGER_MAX ? INTEGER_MAX : v);
}

/* Whether numbers that came from a file keep all promises: ranges, and |bias| + 8191 sum |weight| < 2^31 for every output. */
bool integer_layer_fits(const IntegerLayer *layer);

/* The rule by which float weights w [n_out, n_in] become integers: one shift for the layer, as large as the greatest weight
 * allows, and for each output the least mult of the range with |w| <= 127 mult / 2^shift, so that an output whose weights are up to
 * 32 times smaller than the layer's greatest keeps all 8 bits. Exact IEEE arithmetic, the same everywhere. false: a weight is not
 * finite, or so large that no shift is left. */
bool integer_scales(const float *w, int64_t n_out, int64_t n_in, int16_t *mult, int *shift);
/* The nearest weight, in -127 .. 127; halves away from 0. */
int8_t integer_weight(float w, int16_t mult, int shift);

extern const IntegerKernels integer_ref, integer_avx2, integer_avx512;

#endif
