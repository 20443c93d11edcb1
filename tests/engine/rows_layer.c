/* rows_layer.c - rows of LSTM, normalisation and softmax.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdlib.h>

#include "engine/ops/level.h"
#include "engine/ops/lstm.h"
#include "engine/ops/norm.h"
#include "engine/ops/softmax.h"
#include "tests/engine/op_table.h"

/* --- LSTM: x, w_ih, w_hh, b_ih, b_hh ------------------------------------------------------------------------------------ */

static RsdStatus apply_lstm(Tape *tape, const OpRow *row, Tensor *const *in, Tensor **y, RsdError *err)
{
    const LstmWeights weights = {in[1], in[2], row->n_inputs > 3 ? in[3] : NULL, row->n_inputs > 3 ? in[4] : NULL};

    return op_lstm(tape, in[0], &weights, y, err);
}

static double sigmoid(double u)
{
    return 1 / (1 + exp(-u));
}

static void lstm_in_double(const OpRow *row, const OpArray *in, OpArray *y)
{
    const int64_t batch = in[0].shape[0], n_in = in[0].shape[1], n = in[0].shape[2], units = in[2].shape[1];
    const double *x = in[0].data, *w = in[1].data, *v = in[2].data;
    double *out = op_array_shape(y, 3, (int64_t[]){batch, units, n});
    double *h = calloc((size_t)units, sizeof *h), *c = calloc((size_t)units, sizeof *c);
    double *sums = calloc((size_t)(4 * units), sizeof *sums);

    for (int64_t b = 0; b < batch; b++) {
        for (int64_t k = 0; k < units; k++)
            h[k] = c[k] = 0;
        for (int64_t t = 0; t < n; t++) {
            for (int64_t j = 0; j < 4 * units; j++) {
                sums[j] = row->n_inputs > 3 ? in[3].data[j] + in[4].data[j] : 0;
                for (int64_t k = 0; k < n_in; k++)
                    sums[j] += w[j * n_in + k] * x[(b * n_in + k) * n + t];
                for (int64_t k = 0; k < units; k++)
                    sums[j] += v[j * units + k] * h[k];
            }
            for (int64_t k = 0; k < units; k++) {
                c[k] = sigmoid(sums[units + k]) * c[k] + sigmoid(sums[k]) * tanh(sums[2 * units + k]);
                h[k] = sigmoid(sums[3 * units + k]) * tanh(c[k]);
                out[(b * units + k) * n + t] = h[k];
            }
        }
    }
    free(h);
    free(c);
    free(sums);
}

/* --- norms: x, gamma, beta ---------------------------------------------------------------------------------------------- */

/* scalar: number of groups; 0 for layer norm. */
static RsdStatus apply_norm(Tape *tape, const OpRow *row, Tensor *const *in, Tensor **y, RsdError *err)
{
    Tensor *gamma = row->n_inputs > 1 ? in[1] : NULL, *beta = row->n_inputs > 1 ? in[2] : NULL;

    return row->scalar > 0 ? op_group_norm(tape, in[0], (int)row->scalar, gamma, beta, 1e-5f, y, err)
                           : op_layer_norm(tape, in[0], gamma, beta, 1e-5f, y, err);
}

/* Elements i and j share a mean when they belong to one item and one place, or to one item and one group. */
static void norm_in_double(const OpRow *row, const OpArray *in, OpArray *y)
{
    const int64_t channels = in[0].shape[1];
    const int64_t places = in[0].count / in[0].shape[0] / channels, groups = (int64_t)row->scalar;
    const int64_t n_pools = in[0].shape[0] * (groups ? groups : places);
    double *out = op_array_like(y, &in[0]);
    double *mean = calloc((size_t)n_pools, sizeof *mean), *variance = calloc((size_t)n_pools, sizeof *variance);
    const double count = (double)(in[0].count / n_pools);

    for (int pass = 0; pass < 3; pass++)
        for (int64_t i = 0; i < in[0].count; i++) {
            const int64_t item = i / (channels * places), channel = i / places % channels;
            const int64_t pool = groups ? item * groups + channel / (channels / groups) : item * places + i % places;
            const double x = in[0].data[i];

            if (pass == 0)
                mean[pool] += x / count;
            else if (pass == 1)
                variance[pool] += pow(x - mean[pool], 2) / count;
            else
                out[i] = (x - mean[pool]) / sqrt(variance[pool] + (double)1e-5f) *
                             (row->n_inputs > 1 ? in[1].data[channel] : 1) +
                         (row->n_inputs > 1 ? in[2].data[channel] : 0);
        }
    free(mean);
    free(variance);
}

#define NORM(label, groups, n, channels, ...)                                                                          \
    {.name = label, .n_inputs = n, .scalar = groups, .apply = apply_norm, .reference = norm_in_double,                 \
     .in = {{__VA_ARGS__, -1, 3, false},                                                                               \
            {1, {channels}, {64}, 0.5f, 1.5f, false},                                                                  \
            {1, {channels}, {64}, -1, 1, false}},                                                                      \
     .value_tolerance = 1e-6, .gradient_tolerance = 4e-6}

/* --- softmax ------------------------------------------------------------------------------------------------------------ */

typedef struct SoftmaxCall {
    int axis;
    bool as_log;
} SoftmaxCall;

static RsdStatus apply_softmax(Tape *tape, const OpRow *row, Tensor *const *in, Tensor **y, RsdError *err)
{
    const SoftmaxCall *call = row->attributes;

    return (call->as_log ? op_log_softmax : op_softmax)(tape, in[0], call->axis, y, err);
}

static void softmax_in_double(const OpRow *row, const OpArray *in, OpArray *y)
{
    const SoftmaxCall *call = row->attributes;
    const OpArray *x = &in[0];
    const int axis = call->axis < 0 ? call->axis + x->n_dims : call->axis;
    double *out = op_array_like(y, x);
    int64_t inner = 1;

    for (int k = axis + 1; k < x->n_dims; k++)
        inner *= x->shape[k];
    for (int64_t i = 0; i < x->count; i++) {
        const int64_t first = i - i / inner % x->shape[axis] * inner;
        double total = 0;

        for (int64_t k = 0; k < x->shape[axis]; k++)
            total += exp(x->data[first + k * inner]);
        out[i] = call->as_log ? x->data[i] - log(total) : exp(x->data[i]) / total;
    }
}

#define SOFTMAX(label, ...)                                                                                            \
    {.name = label, .n_inputs = 1, .in = {{3, {2, 7, 35}, {4, 256, 500}, -4, 4, false}},                               \
     .attributes = &(const SoftmaxCall){__VA_ARGS__}, .apply = apply_softmax, .reference = softmax_in_double,          \
     .value_tolerance = 1e-6, .gradient_tolerance = 2e-6}

static RsdStatus apply_peak_level(Tape *tape, const OpRow *row, Tensor *const *in, Tensor **y, RsdError *err)
{
    return op_peak_level(tape, in[0], (float)row->scalar, y, err);
}

static void peak_level_in_double(const OpRow *row, const OpArray *in, OpArray *y)
{
    const OpArray *x = &in[0];
    const int64_t n = x->shape[x->n_dims - 1];
    double *out = op_array_like(y, x);

    for (int64_t first = 0; first < x->count; first += n) {
        double mean = 0, peak = 0;

        for (int64_t i = 0; i < n; i++)
            mean += x->data[first + i] / (double)n;
        for (int64_t i = 0; i < n; i++)
            peak = fmax(peak, fabs(x->data[first + i] - mean));
        for (int64_t i = 0; i < n; i++)
            out[first + i] = row->scalar * (x->data[first + i] - mean) / (peak + 1e-9);
    }
}

const OpRow op_rows_layer[] = {
    {.name = "lstm", .n_inputs = 5, .apply = apply_lstm, .reference = lstm_in_double,
     .in = {{3, {3, 5, 9}, {8, 128, 50}, -1, 1, false},
            {2, {28, 5}, {512, 128}, -0.6f, 0.6f, false},
            {2, {28, 7}, {512, 128}, -0.15f, 0.15f, false},
            {1, {28}, {512}, -0.5f, 0.5f, false},
            {1, {28}, {512}, -0.5f, 0.5f, false}},
     .value_tolerance = 1e-6, .gradient_tolerance = 5e-6},
    {.name = "lstm of one item, no bias", .n_inputs = 3, .apply = apply_lstm, .reference = lstm_in_double,
     .in = {{3, {1, 3, 17}, {0}, -1, 1, false}, {2, {44, 3}, {0}, -1, 1, false}, {2, {44, 11}, {0}, -0.5f, 0.5f, false}},
     .value_tolerance = 1e-6, .gradient_tolerance = 5e-6},
    {.name = "lstm of more units than a slice", .n_inputs = 5, .apply = apply_lstm, .reference = lstm_in_double,
     .in = {{3, {2, 3, 4}, {0}, -1, 1, false},
            {2, {280, 3}, {0}, -1, 1, false},
            {2, {280, 70}, {0}, -0.2f, 0.2f, false},
            {1, {280}, {0}, -0.5f, 0.5f, false},
            {1, {280}, {0}, -0.5f, 0.5f, false}},
     .value_tolerance = 1e-6, .gradient_tolerance = 5e-6},

    NORM("layer norm", 0, 3, 6, 3, {2, 6, 21}, {8, 64, 4000}),
    NORM("layer norm, not affine", 0, 1, 6, 3, {2, 6, 85}, {8, 64, 4000}),
    NORM("layer norm of vectors", 0, 3, 11, 2, {5, 11}, {0}),
    NORM("group norm, one group", 1, 3, 6, 3, {2, 6, 21}, {8, 64, 4000}),
    NORM("group norm, three groups", 3, 3, 6, 3, {3, 6, 21}, {0}),
    NORM("group norm, not affine", 2, 1, 6, 3, {2, 6, 21}, {8, 64, 4000}),

    SOFTMAX("softmax over time", -1, false),
    SOFTMAX("softmax over channels", 1, false),
    SOFTMAX("softmax over items", 0, false),
    SOFTMAX("log-softmax over time", 2, true),
    SOFTMAX("log-softmax over channels", 1, true),

    {.name = "peak level", .n_inputs = 1, .apply = apply_peak_level, .reference = peak_level_in_double, .scalar = 0.8,
     .in = {{3, {2, 3, 61}, {8, 1, 8000}, -1, 1.3f, false}}, .value_tolerance = 1e-6, .gradient_tolerance = 2e-6},
    {.name = NULL},
};
