/* rows_point.c - rows of activations, arithmetic, reductions, distances, weight norm.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "engine/ops/activation.h"
#include "engine/ops/arithmetic.h"
#include "engine/ops/distance.h"
#include "engine/ops/reduce.h"
#include "engine/ops/weight_norm.h"
#include "tests/engine/op_table.h"

/* --- functions of one number ------------------------------------------------------------------------------------- */

typedef struct UnaryOp {
    RsdStatus (*plain)(Tape *tape, Tensor *x, Tensor **y, RsdError *err);
    RsdStatus (*with_number)(Tape *tape, Tensor *x, float number, Tensor **y, RsdError *err);
    double (*value)(double u, double number);
} UnaryOp;

static RsdStatus apply_unary(Tape *tape, const OpRow *row, Tensor *const *in, Tensor **y, RsdError *err)
{
    const UnaryOp *op = row->attributes;

    return op->plain ? op->plain(tape, in[0], y, err) : op->with_number(tape, in[0], (float)row->scalar, y, err);
}

static void unary_in_double(const OpRow *row, const OpArray *in, OpArray *y)
{
    const UnaryOp *op = row->attributes;
    double *out = op_array_like(y, &in[0]);

    for (int64_t i = 0; i < y->count; i++)
        out[i] = op->value(in[0].data[i], (double)(float)row->scalar);
}

static double value_of_light(double u)
{
    return u <= (double)0.04045f ? u / 12.92 : pow((u + 0.055) / 1.055, 2.4);
}

#define VALUE(name, expression)                                                                                        \
    static double name(double u, double k)                                                                             \
    {                                                                                                                  \
        (void)k;                                                                                                       \
        return (expression);                                                                                           \
    }

VALUE(value_relu, u > 0 ? u : 0)
VALUE(value_leaky, u > 0 ? u : k *u)
VALUE(value_elu, u > 0 ? u : exp(u) - 1)
VALUE(value_gelu, u * 0.5 * (1 + erf(u / sqrt(2))))
VALUE(value_hard_swish, u *fmin(fmax(u + 3, 0), 6) / 6)
VALUE(value_tanh, (exp(u) - exp(-u)) / (exp(u) + exp(-u)))
VALUE(value_sigmoid, 1 / (1 + exp(-u)))
VALUE(value_softplus, fmax(u, 0) + log1p(exp(-fabs(u))))
VALUE(value_scale, k *u)
VALUE(value_shift, u + k)
VALUE(value_abs, fabs(u))
VALUE(value_square, u *u)
VALUE(value_exp, exp(u))
VALUE(value_sin, sin(u))
VALUE(value_sqrt, sqrt(u > k ? u : k))
VALUE(value_log, log(u > k ? u : k))
VALUE(value_log10, log10(u > k ? u : k))
VALUE(value_light, u < 0 ? -value_of_light(-u) : value_of_light(u) + 0 * k)
VALUE(value_pow03, pow(u > k ? u : k, (double)0.3f))

static RsdStatus pow03(Tape *tape, Tensor *x, float floor, Tensor **y, RsdError *err)
{
    return op_pow(tape, x, 0.3f, floor, y, err);
}

#define UNARY(label, from, to, number, tolerance, ...)                                                                 \
    {.name = label, .n_inputs = 1, .in = {{3, {2, 3, 41}, {8, 32, 4000}, from, to, false}}, .scalar = number,          \
     .attributes = &(const UnaryOp){__VA_ARGS__}, .apply = apply_unary, .reference = unary_in_double,                  \
     .value_tolerance = tolerance, .gradient_tolerance = 4 * (tolerance)}

/* --- functions of two numbers ------------------------------------------------------------------------------------- */

typedef struct BinaryOp {
    RsdStatus (*op)(Tape *tape, Tensor *a, Tensor *b, Tensor **y, RsdError *err);
    double (*value)(double a, double b);
} BinaryOp;

static RsdStatus apply_binary(Tape *tape, const OpRow *row, Tensor *const *in, Tensor **y, RsdError *err)
{
    return ((const BinaryOp *)row->attributes)->op(tape, in[0], in[1], y, err);
}

/* Spreading by the rule as written: b has 1 or the length of a on each axis, or is one number per channel, or one. */
static void binary_in_double(const OpRow *row, const OpArray *in, OpArray *y)
{
    const BinaryOp *op = row->attributes;
    const OpArray *a = &in[0], *b = &in[1];
    double *out = op_array_like(y, a);

    for (int64_t i = 0; i < a->count; i++) {
        int64_t at = 0, rest = i, step = 1;

        for (int k = a->n_dims - 1; k >= 0; k--) {
            int64_t place = rest % a->shape[k], len = 1;

            if (b->n_dims == a->n_dims)
                len = b->shape[k];
            else if (b->n_dims == 1 && k == 1)
                len = b->shape[0];
            at += len == 1 ? 0 : place * step;
            step *= len;
            rest /= a->shape[k];
        }
        out[i] = op->value(a->data[i], b->data[at]);
    }
}

static double value_add(double a, double b) { return a + b; }
static double value_sub(double a, double b) { return a - b; }
static double value_mul(double a, double b) { return a * b; }
static double value_div(double a, double b) { return a / b; }

static const BinaryOp add = {op_add, value_add}, sub = {op_sub, value_sub}, mul = {op_mul, value_mul},
                      divide = {op_div, value_div};

#define BINARY(label, which, ...)                                                                                      \
    {.name = label, .n_inputs = 2, .in = {__VA_ARGS__}, .attributes = &(which), .apply = apply_binary,                 \
     .reference = binary_in_double, .value_tolerance = 1e-6, .gradient_tolerance = 2e-6}

/* --- Snake -------------------------------------------------------------------------------------------------------- */

static RsdStatus apply_snake(Tape *tape, const OpRow *row, Tensor *const *in, Tensor **y, RsdError *err)
{
    (void)row;
    return op_snake(tape, in[0], in[1], y, err);
}

static void snake_in_double(const OpRow *row, const OpArray *in, OpArray *y)
{
    const int64_t channels = in[0].shape[1], len = in[0].shape[2];
    double *out = op_array_like(y, &in[0]);

    (void)row;
    for (int64_t i = 0; i < y->count; i++) {
        const double u = in[0].data[i], alpha = in[1].data[i / len % channels];

        out[i] = u + pow(sin(alpha * u), 2) / (alpha + 1e-9);
    }
}

/* --- reductions --------------------------------------------------------------------------------------------------- */

typedef struct ReduceOp {
    RsdStatus (*all)(Tape *tape, Tensor *x, Tensor **y, RsdError *err);
    RsdStatus (*along)(Tape *tape, Tensor *x, int axis, Tensor **y, RsdError *err);
    int axis;
    bool mean;
} ReduceOp;

static RsdStatus apply_reduce(Tape *tape, const OpRow *row, Tensor *const *in, Tensor **y, RsdError *err)
{
    const ReduceOp *op = row->attributes;

    return op->all ? op->all(tape, in[0], y, err) : op->along(tape, in[0], op->axis, y, err);
}

static void reduce_in_double(const OpRow *row, const OpArray *in, OpArray *y)
{
    const ReduceOp *op = row->attributes;
    const OpArray *x = &in[0];
    const int axis = op->axis < 0 ? op->axis + x->n_dims : op->axis;
    int64_t shape[TENSOR_MAX_DIMS], inner = 1, n = op->all ? x->count : x->shape[axis];
    double *out;

    for (int k = 0; k < x->n_dims; k++)
        shape[k] = k == axis ? 1 : x->shape[k];
    for (int k = axis + 1; k < x->n_dims; k++)
        inner *= x->shape[k];
    out = op_array_shape(y, op->all ? 1 : x->n_dims, op->all ? &(int64_t){1} : shape);
    for (int64_t i = 0; i < x->count; i++)
        out[op->all ? 0 : i / (n * inner) * inner + i % inner] += x->data[i] / (double)(op->mean ? n : 1);
}

#define REDUCE(label, ...)                                                                                             \
    {.name = label, .n_inputs = 1, .in = {{3, {3, 5, 23}, {8, 64, 4000}, -1, 2, false}},                               \
     .attributes = &(const ReduceOp){__VA_ARGS__}, .apply = apply_reduce, .reference = reduce_in_double,               \
     .value_tolerance = 1e-6, .gradient_tolerance = 1e-6}

/* --- distances ---------------------------------------------------------------------------------------------------- */

typedef struct DistanceOp {
    RsdStatus (*op)(Tape *tape, Tensor *a, Tensor *b, const Tensor *w, Tensor **y, RsdError *err);
    bool squared;
} DistanceOp;

static RsdStatus apply_distance(Tape *tape, const OpRow *row, Tensor *const *in, Tensor **y, RsdError *err)
{
    return ((const DistanceOp *)row->attributes)->op(tape, in[0], in[1], row->n_inputs > 2 ? in[2] : NULL, y, err);
}

static void distance_in_double(const OpRow *row, const OpArray *in, OpArray *y)
{
    const DistanceOp *op = row->attributes;
    double *out = op_array_shape(y, 1, &(int64_t){1});

    for (int64_t i = 0; i < in[0].count; i++) {
        const double d = in[0].data[i] - in[1].data[i], w = row->n_inputs > 2 ? in[2].data[i] : 1;

        out[0] += w * (op->squared ? d * d : fabs(d)) / (double)in[0].count;
    }
}

static const DistanceOp l1 = {op_l1, false}, mse = {op_mse, true};

#define DISTANCE(label, which, n)                                                                                      \
    {.name = label, .n_inputs = n, .attributes = &(which), .apply = apply_distance, .reference = distance_in_double,   \
     .in = {{3, {2, 3, 31}, {16, 1, 16000}, -1, 1, false},                                                             \
            {3, {2, 3, 31}, {16, 1, 16000}, -1, 1, false},                                                             \
            {3, {2, 3, 31}, {16, 1, 16000}, 0, 2, true}},                                                              \
     .value_tolerance = 1e-6, .gradient_tolerance = 2e-6}

/* --- weight norm -------------------------------------------------------------------------------------------------- */

static RsdStatus apply_weight_norm(Tape *tape, const OpRow *row, Tensor *const *in, Tensor **y, RsdError *err)
{
    (void)row;
    return op_weight_norm(tape, in[0], in[1], y, err);
}

static void weight_norm_in_double(const OpRow *row, const OpArray *in, OpArray *y)
{
    const int64_t len = in[0].count / in[0].shape[0];
    double *out = op_array_like(y, &in[0]);

    (void)row;
    for (int64_t i = 0; i < y->count; i++) {
        const int64_t slice = i / len;
        double square = 0;

        for (int64_t k = 0; k < len; k++)
            square += pow(in[0].data[slice * len + k], 2);
        out[i] = in[1].data[slice] * in[0].data[i] / sqrt(square);
    }
}

const OpRow op_rows_point[] = {
    UNARY("relu", -2, 2, 0, 1e-7, op_relu, NULL, value_relu),
    UNARY("leaky relu", -2, 2, 0.2, 2e-7, NULL, op_leaky_relu, value_leaky),
    UNARY("elu", -5, 3, 0, 5e-7, op_elu, NULL, value_elu),
    UNARY("hard swish", -5, 5, 0, 2e-7, op_hard_swish, NULL, value_hard_swish),
    UNARY("gelu", -5, 4, 0, 5e-7, op_gelu, NULL, value_gelu),
    UNARY("tanh", -4, 4, 0, 5e-7, op_tanh, NULL, value_tanh),
    UNARY("sigmoid", -9, 9, 0, 5e-7, op_sigmoid, NULL, value_sigmoid),
    UNARY("softplus", -9, 9, 0, 1e-6, op_softplus, NULL, value_softplus),
    UNARY("scale", -2, 2, -1.7, 2e-7, NULL, op_scale, value_scale),
    UNARY("add scalar", -2, 2, 0.3, 2e-7, NULL, op_add_scalar, value_shift),
    UNARY("abs", -2, 2, 0, 1e-7, op_abs, NULL, value_abs),
    UNARY("square", -2, 2, 0, 2e-7, op_square, NULL, value_square),
    UNARY("exp", -8, 5, 0, 5e-7, op_exp, NULL, value_exp),
    UNARY("sin", -30, 30, 0, 5e-7, op_sin, NULL, value_sin),
    UNARY("sqrt with floor", -0.5f, 3, 0.01, 2e-7, NULL, op_sqrt, value_sqrt),
    UNARY("log with floor", -0.1f, 2, 1e-2, 5e-7, NULL, op_log, value_log),
    UNARY("log10 with floor", -0.1f, 2, 1e-2, 5e-7, NULL, op_log10, value_log10),
    UNARY("sRGB to linear light", -1, 2, 0, 1e-6, op_linear_light, NULL, value_light),
    UNARY("power 0.3 with floor", -0.1f, 2, 1e-2, 1e-6, NULL, pow03, value_pow03),

    BINARY("add", add, {3, {2, 3, 41}, {8, 32, 4000}, -1, 1, false}, {3, {2, 3, 41}, {8, 32, 4000}, -1, 1, false}),
    BINARY("subtract", sub, {3, {2, 3, 41}, {8, 32, 4000}, -1, 1, false}, {3, {2, 3, 41}, {8, 32, 4000}, -1, 1, false}),
    BINARY("multiply", mul, {3, {2, 3, 41}, {8, 32, 4000}, -1, 1, false}, {3, {2, 3, 41}, {8, 32, 4000}, -1, 1, false}),
    BINARY("divide", divide, {3, {2, 3, 41}, {8, 32, 4000}, -1, 1, false}, {3, {2, 3, 41}, {8, 32, 4000}, 0.5, 2, false}),
    BINARY("add per channel", add, {3, {2, 5, 29}, {8, 32, 4000}, -1, 1, false}, {1, {5}, {32}, -1, 1, false}),
    BINARY("multiply per channel", mul, {3, {2, 5, 29}, {8, 32, 4000}, -1, 1, false}, {1, {5}, {32}, -1, 1, false}),
    BINARY("divide by one number", divide, {3, {2, 5, 29}, {8, 32, 4000}, -1, 1, false}, {1, {1}, {1}, 0.5, 2, false}),
    BINARY("subtract per item", sub, {3, {3, 4, 19}, {8, 32, 4000}, -1, 1, false}, {3, {3, 1, 1}, {8, 1, 1}, -1, 1, false}),
    BINARY("multiply by one row per item", mul, {3, {3, 4, 19}, {8, 32, 4000}, -1, 1, false},
           {3, {3, 1, 19}, {8, 1, 4000}, -1, 1, false}),
    BINARY("divide by one row for all", divide, {3, {3, 4, 19}, {8, 32, 4000}, -1, 1, false},
           {3, {1, 1, 19}, {1, 1, 4000}, 0.5, 2, false}),
    BINARY("multiply spread on alternate axes", mul, {5, {2, 3, 2, 5, 3}, {2, 3, 8, 100, 50}, -1, 1, false},
           {5, {2, 1, 2, 1, 3}, {2, 1, 8, 1, 50}, -1, 1, false}),

    {.name = "snake", .n_inputs = 2, .apply = apply_snake, .reference = snake_in_double,
     .in = {{3, {2, 3, 41}, {8, 32, 4000}, -3, 3, false}, {1, {3}, {32}, 0.3f, 2, false}},
     .value_tolerance = 5e-7, .gradient_tolerance = 2e-6},
    {.name = "snake, large alpha", .n_inputs = 2, .apply = apply_snake, .reference = snake_in_double,
     .in = {{3, {2, 3, 41}, {0}, -3, 3, false}, {1, {3}, {0}, 10, 60, false}},
     .value_tolerance = 1e-6, .gradient_tolerance = 4e-5}, /* alpha x is rounded before the sine */

    REDUCE("sum", op_sum, NULL, 0, false),
    REDUCE("mean", op_mean, NULL, 0, true),
    REDUCE("sum over the first axis", NULL, op_sum_axis, 0, false),
    REDUCE("mean over channels", NULL, op_mean_axis, 1, true),
    REDUCE("mean over time", NULL, op_mean_axis, -1, true),

    DISTANCE("l1", l1, 2),
    DISTANCE("l1, weighted", l1, 3),
    DISTANCE("mse", mse, 2),
    DISTANCE("mse, weighted", mse, 3),

    {.name = "weight norm", .n_inputs = 2, .apply = apply_weight_norm, .reference = weight_norm_in_double,
     .in = {{3, {5, 3, 7}, {64, 64, 16}, -1, 1, false}, {3, {5, 1, 1}, {64, 1, 1}, 0.5f, 2, false}},
     .value_tolerance = 5e-7, .gradient_tolerance = 2e-6},
    {.name = NULL},
};
