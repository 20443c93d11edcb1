/* rows_latent.c - rows of bits of latents, soft rounding and the checkerboard.
 *
 * What rounds straight-through has a gradient that no difference quotient shows: tests/engine/test_quantise.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "engine/ops/checkerboard.h"
#include "engine/ops/likelihood.h"
#include "engine/ops/quantise.h"
#include "tests/engine/op_table.h"

/* --- bits: x, mean, scale ------------------------------------------------------------------------------------------------ */

static RsdStatus apply_bits(Tape *tape, const OpRow *row, Tensor *const *in, Tensor **y, RsdError *err)
{
    return op_bits(tape, (Density)row->scalar, in[0], in[1], in[2], 1e-9f, y, err);
}

static double tail(int density, double a)
{
    if (density == DENSITY_NORMAL)
        return 0.5 * erfc(a / sqrt(2));
    return a < 0 ? 1 - 0.5 * exp(sqrt(2) * a) : 0.5 * exp(-sqrt(2) * a);
}

static void bits_in_double(const OpRow *row, const OpArray *in, OpArray *y)
{
    double *out = op_array_like(y, &in[0]);

    for (int64_t i = 0; i < y->count; i++) {
        const double d = fabs(in[0].data[i] - in[1].data[i]), s = in[2].data[i];

        out[i] = -log2(tail((int)row->scalar, (d - 0.5) / s) - tail((int)row->scalar, (d + 0.5) / s));
    }
}

#define BITS(label, density)                                                                                           \
    {.name = label, .n_inputs = 3, .apply = apply_bits, .reference = bits_in_double, .scalar = density,                \
     .in = {{4, {2, 3, 5, 7}, {8, 192, 8, 8}, -3, 3, false}, {4, {2, 3, 5, 7}, {8, 192, 8, 8}, -0.5f, 0.5f, false},    \
            {4, {2, 3, 5, 7}, {8, 192, 8, 8}, 0.8f, 3, false}},                                                        \
     .value_tolerance = 2e-6, .gradient_tolerance = 2e-5}

/* --- bits of tables: x, row ------------------------------------------------------------------------------------------------ */

static const float COSTS[] = {9, 5, 2, 0.5f, 2.5f, 6, 10, 8, 5, 3, 1, 3, 5, 8, 6, 5, 3.5f, 2, 3.5f, 5, 6};
static const BitsTable TABLE = {COSTS, 3, 7, -3};

static RsdStatus apply_table_bits(Tape *tape, const OpRow *row, Tensor *const *in, Tensor **y, RsdError *err)
{
    (void)row;
    return op_table_bits(tape, &TABLE, in[0], in[1], y, err);
}

static void table_bits_in_double(const OpRow *row, const OpArray *in, OpArray *y)
{
    double *out = op_array_like(y, &in[0]);

    (void)row;
    for (int64_t i = 0; i < y->count; i++) {
        const double v = in[0].data[i] + 3, r = in[1].data[i];
        const int k = v < 0 ? 0 : v < 5 ? (int)v : 5, j = r < 1 ? 0 : 1;
        const double a = COSTS[7 * j + k] * (k + 1 - v) + COSTS[7 * j + k + 1] * (v - k);
        const double b = COSTS[7 * j + 7 + k] * (k + 1 - v) + COSTS[7 * j + 8 + k] * (v - k);

        out[i] = a * (j + 1 - r) + b * (r - j);
    }
}

/* --- stochastic rounding: x, u -------------------------------------------------------------------------------------------- */

static RsdStatus apply_stochastic(Tape *tape, const OpRow *row, Tensor *const *in, Tensor **y, RsdError *err)
{
    return op_stochastic_round(tape, in[0], in[1], (float)row->scalar, y, err);
}

static void stochastic_in_double(const OpRow *row, const OpArray *in, OpArray *y)
{
    double *out = op_array_like(y, &in[0]);

    for (int64_t i = 0; i < y->count; i++) {
        const double r = in[0].data[i] - floor(in[0].data[i]), u = in[1].data[i], t = (double)(float)row->scalar;
        const double down = exp((-atanh(r) / t - log(-log(u))) / t); /* with equal noise for both: the logistic of their difference */
        const double up = exp((-atanh(1 - r) / t - log(-log(u)) + log(u / (1 - u))) / t);

        out[i] = floor(in[0].data[i]) + up / (up + down);
    }
}

/* --- factorised bits: x, weights ------------------------------------------------------------------------------------------ */

static RsdStatus apply_factorised(Tape *tape, const OpRow *row, Tensor *const *in, Tensor **y, RsdError *err)
{
    (void)row;
    return op_factorised_bits(tape, in[0], in[1], 1e-9f, y, err);
}

static double logit(const double *w, double v)
{
    static const int widths[] = {1, 3, 3, 3, 3, 1};
    double in[3] = {v}, out[3];

    for (int k = 0; k < 5; k++) {
        const double *h = w, *b = h + widths[k] * widths[k + 1], *a = b + widths[k + 1];

        for (int o = 0; o < widths[k + 1]; o++) {
            out[o] = b[o];
            for (int i = 0; i < widths[k]; i++)
                out[o] += log(1 + exp(h[o * widths[k] + i])) * in[i];
            if (k < 4)
                out[o] += tanh(a[o]) * tanh(out[o]);
        }
        for (int o = 0; o < 3; o++)
            in[o] = o < widths[k + 1] ? out[o] : 0;
        w = a + (k < 4 ? widths[k + 1] : 0);
    }
    return in[0];
}

static void factorised_in_double(const OpRow *row, const OpArray *in, OpArray *y)
{
    const int64_t channels = in[0].shape[1], inner = in[0].count / in[0].shape[0] / channels;
    double *out = op_array_like(y, &in[0]);

    (void)row;
    for (int64_t i = 0; i < y->count; i++) {
        const double *w = in[1].data + i / inner % channels * FACTORISED_WEIGHTS, x = in[0].data[i];

        out[i] = -log2(1 / (1 + exp(-logit(w, x + 0.5))) - 1 / (1 + exp(-logit(w, x - 0.5))));
    }
}

/* --- soft rounding, checkerboard ------------------------------------------------------------------------------------------- */

static RsdStatus apply_soft_round(Tape *tape, const OpRow *row, Tensor *const *in, Tensor **y, RsdError *err)
{
    return op_soft_round(tape, in[0], (float)row->scalar, y, err);
}

static void soft_round_in_double(const OpRow *row, const OpArray *in, OpArray *y)
{
    double *out = op_array_like(y, &in[0]);

    for (int64_t i = 0; i < y->count; i++) {
        const double u = in[0].data[i], t = (double)(float)row->scalar;

        out[i] = floor(u) + 0.5 + tanh((u - floor(u) - 0.5) / t) / (2 * tanh(0.5 / t));
    }
}

static RsdStatus apply_pack(Tape *tape, const OpRow *row, Tensor *const *in, Tensor **y, RsdError *err)
{
    return op_checkerboard_pack(tape, in[0], row->scalar > 0, y, err);
}

static void pack_in_double(const OpRow *row, const OpArray *in, OpArray *y)
{
    const int64_t h = in[0].shape[2], n = in[0].shape[3], half = (n + 1) / 2;
    double *out = op_array_shape(y, 4, (int64_t[]){in[0].shape[0], in[0].shape[1], h, half});

    for (int64_t i = 0; i < in[0].count; i++)
        if ((i / n % h + i % n) % 2 == (row->scalar > 0))
            out[i / n * half + i % n / 2] = in[0].data[i];
}

/* scalar: 1 for odd; the width is that of the second input, which is otherwise not looked at */
static RsdStatus apply_spread(Tape *tape, const OpRow *row, Tensor *const *in, Tensor **y, RsdError *err)
{
    return op_checkerboard_spread(tape, in[0], row->scalar > 0, in[1]->shape[0], y, err);
}

static void spread_in_double(const OpRow *row, const OpArray *in, OpArray *y)
{
    const int64_t h = in[0].shape[2], n = in[1].shape[0], half = in[0].shape[3];
    double *out = op_array_shape(y, 4, (int64_t[]){in[0].shape[0], in[0].shape[1], h, n});

    for (int64_t i = 0; i < y->count; i++)
        if ((i / n % h + i % n) % 2 == (row->scalar > 0))
            out[i] = in[0].data[i / n * half + i % n / 2];
}

#define SPREAD(label, odd, half, n)                                                                                    \
    {.name = label, .n_inputs = 2, .apply = apply_spread, .reference = spread_in_double, .scalar = odd,                \
     .in = {{4, {2, 3, 5, half}, {0}, -1, 1, false}, {1, {n}, {0}, 0, 1, true}},                                       \
     .value_tolerance = 1e-7, .gradient_tolerance = 1e-7}

const OpRow op_rows_latent[] = {
    BITS("bits under normal distributions", DENSITY_NORMAL),
    BITS("bits under Laplace distributions", DENSITY_LAPLACE),
    {.name = "bits under learned distributions", .n_inputs = 2, .apply = apply_factorised, .reference = factorised_in_double,
     .in = {{4, {2, 3, 2, 5}, {8, 96, 2, 2}, -3, 3, false},
            {2, {3, FACTORISED_WEIGHTS}, {96, FACTORISED_WEIGHTS}, -2, -0.5f, false}},
     .value_tolerance = 2e-6, .gradient_tolerance = 1e-5},
    {.name = "bits of tables", .n_inputs = 2, .apply = apply_table_bits, .reference = table_bits_in_double,
     .in = {{4, {2, 3, 5, 7}, {8, 192, 8, 8}, -4.5f, 4.5f, false}, {4, {2, 3, 5, 7}, {8, 192, 8, 8}, 0.01f, 1.99f, false}},
     .value_tolerance = 1e-6, .gradient_tolerance = 1e-5},
    {.name = "stochastic rounding, temperature 0.4", .n_inputs = 2, .apply = apply_stochastic, .reference = stochastic_in_double,
     .in = {{3, {2, 3, 41}, {8, 192, 64}, -4, 4, false}, {3, {2, 3, 41}, {8, 192, 64}, 0.01f, 0.99f, true}}, .scalar = 0.4,
     .value_tolerance = 1e-6, .gradient_tolerance = 1e-5},
    {.name = "soft rounding, temperature 0.3", .n_inputs = 1, .apply = apply_soft_round, .reference = soft_round_in_double,
     .in = {{3, {2, 3, 41}, {8, 192, 64}, -4, 4, false}}, .scalar = 0.3, .value_tolerance = 1e-6,
     .gradient_tolerance = 1e-5},
    {.name = "even cells, odd width", .n_inputs = 1, .apply = apply_pack, .reference = pack_in_double, .scalar = 0,
     .in = {{4, {2, 3, 5, 7}, {8, 192, 8, 8}, -1, 1, false}}, .value_tolerance = 1e-7, .gradient_tolerance = 1e-7},
    {.name = "odd cells, odd width", .n_inputs = 1, .apply = apply_pack, .reference = pack_in_double, .scalar = 1,
     .in = {{4, {2, 3, 5, 7}, {0}, -1, 1, false}}, .value_tolerance = 1e-7, .gradient_tolerance = 1e-7},
    SPREAD("cells spread, even, odd width", 0, 4, 7),
    SPREAD("cells spread, odd, odd width", 1, 4, 7),
    SPREAD("cells spread, odd, even width", 1, 3, 6),
    {.name = NULL},
};
