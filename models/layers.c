/* layers.c - weights of convolutions, Snake activations and LSTMs: registering, drawing, folding, running.
 *
 * SPDX-License-Identifier: MIT
 */
#include "models/layers.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "engine/ops/activation.h"
#include "engine/ops/arithmetic.h"
#include "engine/ops/conv_run.h"
#include "engine/ops/in_place.h"
#include "engine/ops/linear.h"
#include "engine/ops/norm.h"
#include "engine/ops/shape.h"
#include "engine/ops/weight_norm.h"

#define GROUP_NORM_EPS 1e-5f /* audio.md 1.5 */

static int groups_of(const ConvLayer *layer)
{
    return layer->params.groups ? layer->params.groups : 1;
}

static RsdStatus add(ParamSet *params, const char *layer_name, const char *suffix, int n_dims, const int64_t *shape,
                     Tensor **out, RsdError *err)
{
    char name[LAYER_NAME_SIZE + 32];

    snprintf(name, sizeof name, "%s.%s", layer_name, suffix);
    return params_add(params, name, n_dims, shape, true, out, err);
}

/* ---- convolutions ---- */

static void weight_shape(const ConvLayer *layer, int64_t shape[3])
{
    int groups = groups_of(layer);

    shape[0] = layer->transposed ? layer->c_in : layer->c_out;
    shape[1] = (layer->transposed ? layer->c_out : layer->c_in) / groups;
    shape[2] = layer->kernel;
}

static void draw_conv(ConvLayer *layer, Rng *rng)
{
    int groups = groups_of(layer), stride = layer->params.stride ? layer->params.stride : 1;
    int taps = layer->transposed ? (layer->kernel + stride - 1) / stride : layer->kernel;
    float gain = layer->init_gain > 0 ? layer->init_gain : 1.0f;

    params_fill_uniform(layer->weight, rng, gain * sqrtf(3.0f / (float)(layer->c_in / groups * taps)));
    params_fill_constant(layer->bias, 0.0f);
    if (layer->weight_g)
        params_fill_norms(layer->weight_g, layer->weight);
    if (layer->norm_weight)
        params_fill_constant(layer->norm_weight, 1.0f);
}

RsdStatus conv_layer_register(ConvLayer *layer, ParamSet *params, Rng *rng, RsdError *err)
{
    int64_t shape[3], c_out[1] = {layer->c_out};
    RsdStatus status = RSD_OK;

    weight_shape(layer, shape);
    if (layer->weight_norm) {
        TRY(add(params, layer->name, "weight_v", 3, shape, &layer->weight, err));
        TRY(add(params, layer->name, "weight_g", 1, shape, &layer->weight_g, err));
    } else {
        char name[LAYER_NAME_SIZE + 32];

        snprintf(name, sizeof name, "%s.weight", layer->name);
        TRY(params_add_passing(params, name, 3, shape, &layer->weight, err));
    }
    TRY(add(params, layer->name, "bias", 1, c_out, &layer->bias, err));
    if (layer->group_norm) {
        TRY(add(params, layer->name, "norm_weight", 1, c_out, &layer->norm_weight, err));
        TRY(add(params, layer->name, "norm_bias", 1, c_out, &layer->norm_bias, err));
    }
    if (!params->for_inference)
        draw_conv(layer, rng);
fail:
    return status;
}

/* w + up down */
static RsdStatus adapted_weight(Tape *tape, const ConvLayer *layer, Tensor **w, RsdError *err)
{
    Tensor *addition;
    RsdStatus status = RSD_OK;

    TRY(op_matmul(tape, layer->up, layer->down, &addition, err));
    TRY(op_reshape(tape, addition, (*w)->n_dims, (*w)->shape, &addition, err));
    TRY(op_add(tape, addition, *w, w, err));
fail:
    return status;
}

static RsdStatus plain_weight(Tape *tape, const ConvLayer *layer, Tensor **w, RsdError *err)
{
    RsdStatus status = RSD_OK;

    *w = layer->weight;
    if (layer->weight_norm && layer->folded && !tape->recording) {
        *w = layer->folded;
        return RSD_OK;
    }
    if (layer->weight_norm)
        TRY(op_weight_norm(tape, layer->weight, layer->weight_g, w, err));
    if (layer->up)
        TRY(adapted_weight(tape, layer, w, err));
fail:
    return status;
}

static RsdStatus normalise(Tape *tape, const ConvLayer *layer, Tensor *x, Tensor **y, RsdError *err)
{
    *y = x;
    if (!layer->group_norm)
        return RSD_OK;
    return op_group_norm(tape, x, 1, layer->norm_weight, layer->norm_bias, GROUP_NORM_EPS, y, err);
}

RsdStatus conv1d(Tape *tape, const ConvLayer *layer, Tensor *x, Tensor **y, RsdError *err)
{
    Tensor *w, *h;
    RsdStatus status = RSD_OK;

    TRY(plain_weight(tape, layer, &w, err));
    TRY(op_conv1d(tape, x, w, layer->bias, &layer->params, &h, err));
    TRY(normalise(tape, layer, h, y, err));
    return RSD_OK;
fail:
    return error_prefix(err, status, "%s", layer->name);
}

RsdStatus conv1d_onto(Tape *tape, const ConvLayer *layer, Tensor *x, Tensor *y, RsdError *err)
{
    Tensor *w, *h;
    RsdStatus status = RSD_OK;

    if (layer->group_norm) {
        TRY(conv1d(tape, layer, x, &h, err));
        return op_add_skip_in_place(tape, y, h, 0, err);
    }
    TRY(plain_weight(tape, layer, &w, err));
    TRY(op_conv1d_onto(tape, x, w, layer->bias, &layer->params, y, err));
    return RSD_OK;
fail:
    return error_prefix(err, status, "%s", layer->name);
}

/* Group norm looks at the full output of a transposed convolution, before its fixed padding is trimmed; the published code
 * does so, and the statistics would differ otherwise. */
static RsdStatus transpose_normalise_trim(Tape *tape, const ConvLayer *layer, Tensor *x, Tensor *w, Tensor **y, RsdError *err)
{
    int fixed = layer->kernel - layer->params.stride, right = layer->params.rule == PAD_CAUSAL ? fixed : fixed / 2;
    Conv1dParams untrimmed = layer->params;
    Tensor *h;
    RsdStatus status = RSD_OK;

    untrimmed.rule = PAD_NONE;
    TRY(op_conv_transpose1d(tape, x, w, layer->bias, &untrimmed, &h, err));
    TRY(normalise(tape, layer, h, &h, err));
    TRY(op_slice(tape, h, 2, fixed - right, h->shape[2] - fixed, y, err));
fail:
    return status;
}

RsdStatus conv_transpose1d(Tape *tape, const ConvLayer *layer, Tensor *x, Tensor **y, RsdError *err)
{
    Tensor *w;
    RsdStatus status = RSD_OK;

    TRY(plain_weight(tape, layer, &w, err));
    if (layer->group_norm)
        TRY(transpose_normalise_trim(tape, layer, x, w, y, err));
    else
        TRY(op_conv_transpose1d(tape, x, w, layer->bias, &layer->params, y, err));
    return RSD_OK;
fail:
    return error_prefix(err, status, "%s", layer->name);
}

RsdStatus conv_layer_freeze(ConvLayer *layer, Tape *tape, RsdError *err)
{
    RsdStatus status = RSD_OK;

    if (!layer->weight->data)
        return RSD_OK;
    if (!layer->weight_norm && layer->weight->needs_grad)
        return RSD_OK; /* a copy would not follow the weight when it is trained */
    layer->folded = layer->weight;
    if (layer->weight_norm)
        TRY(op_weight_norm(tape, layer->weight, layer->weight_g, &layer->folded, err));
    TRY((layer->transposed ? conv_transpose1d_prepare : conv1d_prepare)(tape, layer->folded, &layer->params, err));
fail:
    return status;
}

void conv_layer_unfreeze(ConvLayer *layer)
{
    if (layer->folded)
        layer->folded->prepared = NULL;
    layer->folded = NULL;
}

RsdStatus conv_layer_set_aside(ConvLayer *layer, Tape *tape, ScratchFile *file, bool *done, RsdError *err)
{
    RsdStatus status = RSD_OK;

    *done = false;
    if (conv_holds_halves(tape, layer->weight))
        return RSD_OK;
    TRY(conv1d_prepare_aside(tape, layer->weight, &layer->params, layer->transposed, file, err));
    *done = conv_is_packed(layer->weight);
fail:
    return status;
}

RsdStatus conv_layer_take(ConvLayer *layer, Tape *tape, RsdError *err)
{
    size_t count = (size_t)tensor_count(layer->weight);
    ArenaMark before = arena_mark(tape->arena);
    float *copy;
    RsdStatus status = RSD_OK;

    TRY(conv_layer_freeze(layer, tape, err));
    TRY(conv_prepare_halves(tape, layer->weight, before, err));
    if (!conv_is_packed(layer->weight)) {
        TRY(arena_alloc(tape->arena, &copy, count, sizeof *copy, err));
        memcpy(copy, layer->weight->data, count * sizeof *copy);
        layer->weight->data = copy;
    }
fail:
    return status;
}

bool conv_layer_is_filled(const ConvLayer *layer)
{
    return layer->weight->data || layer->weight->prepared;
}

int64_t conv_layer_count(const ConvLayer *layer)
{
    int64_t shape[3], count;

    weight_shape(layer, shape);
    count = shape[0] * shape[1] * shape[2] + layer->c_out;
    if (layer->weight_norm)
        count += shape[0];
    if (layer->group_norm)
        count += 2 * (int64_t)layer->c_out;
    return count;
}

double conv_layer_macs(const ConvLayer *layer, double n_frames)
{
    return n_frames * layer->c_in * layer->c_out / groups_of(layer) * layer->kernel;
}

/* ---- Snake ---- */

RsdStatus snake_layer_register(SnakeLayer *layer, ParamSet *params, RsdError *err)
{
    int64_t shape[1] = {layer->channels};
    RsdStatus status = add(params, layer->name, "alpha", 1, shape, &layer->alpha, err);

    if (status == RSD_OK && !params->for_inference)
        params_fill_constant(layer->alpha, 1.0f);
    return status;
}

RsdStatus snake(Tape *tape, const SnakeLayer *layer, Tensor *x, bool in_place, Tensor **y, RsdError *err)
{
    RsdStatus status;

    *y = x;
    status = in_place && !tape->recording ? op_snake_in_place(tape, x, layer->alpha, err)
                                          : op_snake(tape, x, layer->alpha, y, err);
    return status == RSD_OK ? RSD_OK : error_prefix(err, status, "%s", layer->name);
}

/* ---- LSTM ---- */

RsdStatus lstm_layer_register(LstmLayer *layer, ParamSet *params, Rng *rng, RsdError *err)
{
    int64_t shape[2] = {4 * (int64_t)layer->dim, layer->dim};
    RsdStatus status = RSD_OK;

    for (int i = 0; i < layer->n_layers; i++) {
        const struct {
            const char *name;
            int n_dims;
            Tensor **tensor;
        } weights[] = {{"weight_ih", 2, &layer->weights[i].w_ih},
                       {"weight_hh", 2, &layer->weights[i].w_hh},
                       {"bias_ih", 1, &layer->weights[i].b_ih},
                       {"bias_hh", 1, &layer->weights[i].b_hh}};

        for (size_t j = 0; j < sizeof weights / sizeof *weights; j++) {
            char suffix[24];

            snprintf(suffix, sizeof suffix, "%s_l%d", weights[j].name, i);
            TRY(add(params, layer->name, suffix, weights[j].n_dims, shape, weights[j].tensor, err));
            if (!params->for_inference)
                params_fill_uniform(*weights[j].tensor, rng, 1.0f / sqrtf((float)layer->dim));
        }
    }
fail:
    return status;
}

RsdStatus lstm_with_skip(Tape *tape, const LstmLayer *layer, Tensor *x, Tensor **y, RsdError *err)
{
    Tensor *h = x;
    RsdStatus status = RSD_OK;

    *y = x;
    if (layer->n_layers == 0)
        return RSD_OK;
    for (int i = 0; i < layer->n_layers; i++)
        TRY(op_lstm(tape, h, &layer->weights[i], &h, err));
    TRY(op_add(tape, h, x, y, err));
    return RSD_OK;
fail:
    return error_prefix(err, status, "%s", layer->name);
}

RsdStatus lstm_layer_freeze(LstmLayer *layer, Tape *tape, RsdError *err)
{
    RsdStatus status = RSD_OK;

    for (int i = 0; i < layer->n_layers && !layer->weights[i].w_ih->needs_grad && layer->weights[i].w_ih->data; i++) {
        TRY(linear_prepare(tape, layer->weights[i].w_ih, err));
        TRY(lstm_prepare(tape, layer->weights[i].w_hh, err));
    }
fail:
    return status;
}

void lstm_layer_unfreeze(LstmLayer *layer)
{
    for (int i = 0; i < layer->n_layers; i++)
        layer->weights[i].w_ih->prepared = layer->weights[i].w_hh->prepared = NULL;
}

int64_t lstm_layer_count(const LstmLayer *layer)
{
    return layer->n_layers * 8 * (int64_t)layer->dim * ((int64_t)layer->dim + 1);
}

double lstm_layer_macs(const LstmLayer *layer, double n_frames)
{
    return n_frames * layer->n_layers * 8.0 * layer->dim * layer->dim;
}
