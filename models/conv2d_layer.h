/* conv2d_layer.h - a convolution of pictures with its weights, dense or depthwise, that keeps the size.
 *
 * As models/layers.h: described first, then registered. NAME.weight [c_out, c_in, k, k] or, depthwise, [c_out, 1, k, k];
 * NAME.bias [c_out]. Zeros stand beyond the edges.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_CONV2D_LAYER_H
#define RESIDUA_CONV2D_LAYER_H

#include "engine/ops/conv2d.h"
#include "models/layers.h"
#include "models/params.h"

typedef struct Conv2dLayer {
    char name[LAYER_NAME_SIZE];
    int c_in, c_out, kernel; /* odd */
    bool depthwise;          /* c_in = c_out */
    bool fine;               /* its weight is, models/params.h */
    float init_gain;         /* of the first weights, beyond handing the variance on; 0 counts as 1 */
    Tensor *weight, *bias;   /* owned by the ParamSet */
} Conv2dLayer;

/* Adds the weights and, in a set for training, draws them: U(+-gain sqrt(3 / inputs of an output)), biases zero.
 * Errors: RSD_ERR_ARG, RSD_ERR_MEMORY. */
RsdStatus conv2d_layer_register(Conv2dLayer *layer, ParamSet *params, Rng *rng, RsdError *err);
/* x [batch, c_in, h, n] -> y [batch, c_out, h, n]. Errors: those of op_conv2d. */
RsdStatus conv2d(Tape *tape, const Conv2dLayer *layer, Tensor *x, Tensor **y, RsdError *err);
/* The same with another weight of the same shape. */
RsdStatus conv2d_with(Tape *tape, const Conv2dLayer *layer, Tensor *weight, Tensor *x, Tensor **y, RsdError *err);
/* Lays the weight out for inference; the copy lives as long as the tape's memory. A weight that can be trained, or has no numbers, is
 * left. */
RsdStatus conv2d_layer_freeze(Conv2dLayer *layer, Tape *tape, RsdError *err);
/* The same for a passing weight (models/params.h), which is gone afterwards. */
RsdStatus conv2d_layer_take(Conv2dLayer *layer, Tape *tape, RsdError *err);

int64_t conv2d_layer_count(const Conv2dLayer *layer);
double conv2d_layer_macs(const Conv2dLayer *layer); /* for each place */

#endif
