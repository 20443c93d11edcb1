/* layers.h - the layers networks are built from: a convolution, plain or transposed, and an LSTM, each with its weights.
 *
 * A layer is described first (sizes, padding, normalisation: no memory), so that a network can be counted and checked
 * before anything is allocated, then registered, which adds its weights to a ParamSet. Names of the weights:
 *
 *   NAME.weight_v, NAME.weight_g   under weight norm: w = g v / |v|, the norm over all axes but the first (audio.md 1.5)
 *   NAME.weight                    otherwise; plain [c_out, c_in / groups, k], transposed [c_in, c_out / groups, k]
 *   NAME.bias                      [c_out]
 *   NAME.norm_weight, .norm_bias   [c_out], GroupNorm over all channels and time after the convolution
 *   NAME.alpha                     [c] of a Snake activation
 *   NAME.{weight,bias}_{ih,hh}_lI  of an LSTM, gates in the order i, f, g, o
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_LAYERS_H
#define RESIDUA_LAYERS_H

#include "engine/ops/conv1d.h"
#include "engine/ops/lstm.h"
#include "engine/tape.h"
#include "models/params.h"

#define LAYER_NAME_SIZE 64
#define LSTM_MAX_LAYERS 4

typedef struct ConvLayer {
    char name[LAYER_NAME_SIZE];
    int c_in, c_out, kernel;
    bool transposed, weight_norm, group_norm;
    Conv1dParams params;
    float init_gain; /* of the first weights, beyond handing the variance on; 0 counts as 1 */
    Tensor *weight, *weight_g, *bias, *norm_weight, *norm_bias; /* owned by the ParamSet; weight is v under weight norm */
    Tensor *up, *down; /* an adapter's (models/adapter.h): [rows, r], [r, rest], added to the plain weight while it is trained; NULL: none */
    Tensor *folded; /* in the memory of the tape that froze the layer; NULL until then */
} ConvLayer;

typedef struct LstmLayer {
    char name[LAYER_NAME_SIZE];
    int dim, n_layers; /* n_layers 0: the layer is the identity */
    LstmWeights weights[LSTM_MAX_LAYERS]; /* owned by the ParamSet */
} LstmLayer;

typedef struct SnakeLayer {
    char name[LAYER_NAME_SIZE];
    int channels;
    Tensor *alpha; /* owned by the ParamSet; starts at 1 */
} SnakeLayer;

/* Adds the weights to the set and, in a set for training, draws them from rng: U(+-gain sqrt(3 / n)), where n inputs meet
 * in one output (c_in k for a convolution, c_in ceil(k / s) for a transposed one), biases zero, g = |v|: every layer hands on
 * the variance it gets. The published U(+-1/sqrt(fan_in)) (audio.md 1.5) lets a signal fade to a hundredth over a dozen layers,
 * and thousands of steps go by before the decoder hears the encoder. LSTM U(+-1/sqrt(dim)).
 * Errors: RSD_ERR_ARG, RSD_ERR_MEMORY. */
RsdStatus conv_layer_register(ConvLayer *layer, ParamSet *params, Rng *rng, RsdError *err);
RsdStatus lstm_layer_register(LstmLayer *layer, ParamSet *params, Rng *rng, RsdError *err);
RsdStatus snake_layer_register(SnakeLayer *layer, ParamSet *params, RsdError *err);

/* y = layer(x); [batch, c_in, n] -> [batch, c_out, m]. Under weight norm the plain weights are computed on the way, except
 * that a frozen layer without recording uses what it folded. Errors: those of the ops. */
RsdStatus conv1d(Tape *tape, const ConvLayer *layer, Tensor *x, Tensor **y, RsdError *err);
RsdStatus conv_transpose1d(Tape *tape, const ConvLayer *layer, Tensor *x, Tensor **y, RsdError *err);
/* For inference, y += layer(x) in place: x [batch, c_in, n], y [batch, c_out, m], which must be another tensor. Errors: as conv1d. */
RsdStatus conv1d_onto(Tape *tape, const ConvLayer *layer, Tensor *x, Tensor *y, RsdError *err);
/* y = snake(x); when nothing records and x is a result that nothing else reads, `in_place` saves the memory: *y is then x. */
RsdStatus snake(Tape *tape, const SnakeLayer *layer, Tensor *x, bool in_place, Tensor **y, RsdError *err);
/* y = LSTM(x) + x, [batch, dim, n] -> the same shape. */
RsdStatus lstm_with_skip(Tape *tape, const LstmLayer *layer, Tensor *x, Tensor **y, RsdError *err);

/* Computes the plain weights from v and g once, and lays weights out for the kernels; they live as long as the tape's
 * memory. Weights that may be trained are not laid out; those that have passed or were left out (params.h) stay as they are. */
RsdStatus conv_layer_freeze(ConvLayer *layer, Tape *tape, RsdError *err);
RsdStatus lstm_layer_freeze(LstmLayer *layer, Tape *tape, RsdError *err);
/* Forgets what freezing made. */
void conv_layer_unfreeze(ConvLayer *layer);
void lstm_layer_unfreeze(LstmLayer *layer);
/* Sets a passing weight aside in a file (conv_run.h), unless it is halves, which are smaller. False in *done: nothing happened.
 * Errors: RSD_ERR_MEMORY, RSD_ERR_IO. */
RsdStatus conv_layer_set_aside(ConvLayer *layer, Tape *tape, ScratchFile *file, bool *done, RsdError *err);
/* Freezes a passing weight: nothing of it is needed afterwards. Weights that are halves are kept as such. */
RsdStatus conv_layer_take(ConvLayer *layer, Tape *tape, RsdError *err);
/* False when the layer's weight was left out. */
bool conv_layer_is_filled(const ConvLayer *layer);

/* Numbers that can be trained; multiply-accumulates for n_out output frames (n_in input frames when transposed). */
int64_t conv_layer_count(const ConvLayer *layer);
int64_t lstm_layer_count(const LstmLayer *layer);
double conv_layer_macs(const ConvLayer *layer, double n_frames);
double lstm_layer_macs(const LstmLayer *layer, double n_frames);

#endif
