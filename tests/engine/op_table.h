/* op_table.h - the one table of differentiable ops: tests/engine/test_ops.c checks every row, tests/bench times every row.
 *
 * A row names an op call with its attributes, the shapes and ranges of its inputs, and an independent forward pass in
 * double written for clarity. Its gradient is never written down: the tests take it from the double forward pass by finite
 * differences. To add an op, write a row in a rows_*.c file (and list a new file's array in op_table.c):
 *
 *     {.name = "elu", .n_inputs = 1, .in = {{3, {2, 3, 37}, {8, 32, 4000}, -4, 4}}, .apply = apply_elu,
 *      .reference = elu_in_double, .value_tolerance = 1e-6, .gradient_tolerance = 1e-5}
 *
 * Tolerances are relative: |got - expected| <= tolerance (|expected| + root mean square of expected). The small shape should
 * have odd sizes and stay below some thousand elements, because a gradient costs two double passes per input element
 * (OP_MAX_PROBES of each input at most). The bench shape is what one call of a training step looks like.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_TESTS_OP_TABLE_H
#define RESIDUA_TESTS_OP_TABLE_H

#include <stddef.h>

#include "engine/tape.h"

#define OP_MAX_INPUTS 6
#define OP_MAX_PROBES 150

typedef struct OpInput {
    int n_dims;
    int64_t shape[TENSOR_MAX_DIMS];
    int64_t bench[TENSOR_MAX_DIMS]; /* same number of axes; all zero: the row is not timed */
    float low, high;                /* values are uniform in [low, high) */
    bool constant;                  /* the op gives it no gradient */
} OpInput;

/* An array in double, as the reference forward pass sees it. */
typedef struct OpArray {
    int n_dims;
    int64_t shape[TENSOR_MAX_DIMS];
    int64_t count;
    double *data;
} OpArray;

typedef struct OpRow OpRow;
struct OpRow {
    const char *name;
    int n_inputs;
    OpInput in[OP_MAX_INPUTS];
    const void *attributes; /* whatever apply and reference agree on */
    double scalar;          /* the attribute of ops that have one number */
    /* One call of the op. */
    RsdStatus (*apply)(Tape *tape, const OpRow *row, Tensor *const *in, Tensor **y, RsdError *err);
    /* The same in double: sets the shape of y with op_array_shape and fills y->data. */
    void (*reference)(const OpRow *row, const OpArray *in, OpArray *y);
    double value_tolerance, gradient_tolerance;
};

/* i-th row of the table, NULL past the end. */
const OpRow *op_table_row(size_t i);

/* Arena tensors filled from the seed, all needing a gradient except the constant ones. bench: the large shapes. */
RsdStatus op_row_inputs(Tape *tape, const OpRow *row, bool bench, uint64_t seed, Tensor **in, RsdError *err);
bool op_row_is_timed(const OpRow *row);

/* For references: sets the shape of y and returns its (zeroed) data. y->data is NULL or from an earlier call. */
double *op_array_shape(OpArray *y, int n_dims, const int64_t *shape);
double *op_array_like(OpArray *y, const OpArray *x);

/* Arrays of rows; each ends with a row without a name. */
extern const OpRow op_rows_point[], op_rows_shape[], op_rows_layer[], op_rows_spectrum[],
                   op_rows_conv[], op_rows_picture[], op_rows_image[], op_rows_latent[];

#endif
