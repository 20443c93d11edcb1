/* integer_net.h - layers of integer networks (engine/kernels/integer.h) beside the float layers that they are trained as: run in float,
 * made of floats, turned back, and in files.
 *
 * Private to the image_*.c and stage_*.c of this folder: the two priors of picture codecs are made of such layers.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_INTEGER_NET_H
#define RESIDUA_INTEGER_NET_H

#include "engine/base/arena.h"
#include "engine/kernels/integer.h"
#include "engine/weights/safetensors.h"
#include "models/conv2d_layer.h"

/* ---- in float ---- */

/* rounded: weights and activations as the integer form has them, straight-through. exact: the weights are those of the integer form
 * already, as those of a file. */
typedef struct IntegerForm {
    bool relu, rounded, exact;
} IntegerForm;

/* x [batch, c_in, h, n] -> y [batch, c_out, h, n], with ReLU and limits. Errors: RSD_ERR_NUMERIC naming the layer, RSD_ERR_MEMORY. */
RsdStatus integer_net_run(Tape *tape, const Conv2dLayer *layer, IntegerForm form, Tensor *x, Tensor **y, RsdError *err);
/* Its parts: the weight, and what follows the sum. */
RsdStatus integer_net_weight(Tape *tape, const Conv2dLayer *layer, IntegerForm form, Tensor **w, RsdError *err);
RsdStatus integer_net_settle(Tape *tape, IntegerForm form, Tensor *x, Tensor **y, RsdError *err);
/* x + h within the limits. */
RsdStatus integer_net_add(Tape *tape, Tensor *x, Tensor *h, Tensor **y, RsdError *err);

/* ---- as integers ---- */

/* Sizes alone. */
IntegerLayer integer_net_sizes(const Conv2dLayer *layer, bool relu);
/* Errors: RSD_ERR_NUMERIC naming the layer (weights not finite, or too large), RSD_ERR_MEMORY. */
RsdStatus integer_net_make(IntegerLayer *made, const Conv2dLayer *layer, bool relu, Arena *arena, RsdError *err);
void integer_net_to_float(const IntegerLayer *from, Conv2dLayer *to);

/* A table of numbers in 1 / INTEGER_UNIT. check: of a file. Errors: RSD_ERR_NUMERIC, RSD_ERR_CORRUPT naming it, RSD_ERR_MEMORY. */
RsdStatus integer_table_make(const int16_t **made, const char *name, const Tensor *table, Arena *arena, RsdError *err);
RsdStatus integer_table_check(const char *name, const int16_t *table, int64_t n, RsdError *err);

/* Arrays NAME.weight_q (I8), .bias_q (I32), .mult (I16), .shift (I32 [1]). What is written is kept in arena until the writer finishes.
 * read: layer has its sizes. Errors: RSD_ERR_CORRUPT naming the array. */
RsdStatus integer_net_write(const char *name, const IntegerLayer *layer, Arena *arena, SafetensorsWriter *writer, RsdError *err);
RsdStatus integer_net_read(const char *name, IntegerLayer *layer, const Safetensors *st, Arena *arena, RsdError *err);

/* Any array of integers in a file: its name, type, shape and where it is in memory. */
typedef struct IntegerArray {
    char name[LAYER_NAME_SIZE + 16];
    Dtype dtype;
    int n_dims; /* 1 or 2 */
    int64_t shape[2];
    void *data;
} IntegerArray;

IntegerArray integer_array(const char *prefix, const char *suffix, Dtype dtype, int n_dims, int64_t rows, int64_t columns,
                           const void *data);
RsdStatus integer_array_write(const IntegerArray *array, Arena *arena, SafetensorsWriter *writer, RsdError *err);
/* Takes data from arena. Errors: RSD_ERR_CORRUPT naming the array, RSD_ERR_MEMORY. */
RsdStatus integer_array_read(IntegerArray *array, const Safetensors *st, Arena *arena, RsdError *err);

#endif
