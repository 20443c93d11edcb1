/* integer.c - layers of an integer network in plain C.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/kernels/integer.h"

bool integer_layer_fits(const IntegerLayer *layer)
{
    if (layer->shift < 1 || layer->shift > 31 || (layer->low != 0 && layer->low != -INTEGER_MAX))
        return false;
    for (int64_t o = 0; o < layer->n_out; o++) {
        const int8_t *weights = layer->weight + o * layer->n_in;
        int64_t most = layer->bias[o] < 0 ? -(int64_t)layer->bias[o] : layer->bias[o], sum = 0;

        for (int64_t i = 0; i < layer->n_in; i++)
            sum += weights[i] < 0 ? -weights[i] : weights[i];
        most += INTEGER_MAX * sum;
        if (most > INT32_MAX || layer->mult[o] < INTEGER_MULT_MIN)
            return false;
    }
    return true;
}

static int16_t requantise(const IntegerLayer *layer, int64_t o, int32_t sum)
{
    const int64_t scaled = (int64_t)sum * layer->mult[o] + ((int64_t)1 << (layer->shift - 1));

    return integer_clamp(integer_shift_down(scaled, layer->shift), layer->low);
}

static void dense(const IntegerLayer *layer, const int16_t *x, int64_t n, int16_t *y)
{
    enum { COLUMNS = 64 };

    for (int64_t first = 0; first < n; first += COLUMNS) {
        int64_t count = n - first < COLUMNS ? n - first : COLUMNS;

        for (int64_t o = 0; o < layer->n_out; o++) {
            int32_t sum[COLUMNS];

            for (int64_t t = 0; t < count; t++)
                sum[t] = layer->bias[o];
            for (int64_t i = 0; i < layer->n_in; i++)
                for (int64_t t = 0; t < count; t++)
                    sum[t] += layer->weight[o * layer->n_in + i] * x[i * n + first + t];
            for (int64_t t = 0; t < count; t++)
                y[o * n + first + t] = requantise(layer, o, sum[t]);
        }
    }
}

static void depthwise(const IntegerLayer *layer, int64_t size, const int16_t *x, int64_t h, int64_t w, int16_t *y)
{
    int64_t half = size / 2;

    for (int64_t o = 0; o < layer->n_out; o++, x += h * w, y += h * w)
        for (int64_t row = 0; row < h; row++)
            for (int64_t col = 0; col < w; col++) {
                int32_t sum = layer->bias[o];

                for (int64_t dy = 0; dy < size; dy++)
                    for (int64_t dx = 0; dx < size; dx++) {
                        int64_t r = row + dy - half, c = col + dx - half;

                        if (r >= 0 && r < h && c >= 0 && c < w)
                            sum += layer->weight[o * layer->n_in + dy * size + dx] * x[r * w + c];
                    }
                y[row * w + col] = requantise(layer, o, sum);
            }
}

const IntegerKernels integer_ref = {.dense = dense, .depthwise = depthwise};
