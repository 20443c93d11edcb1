/* conv2d_layer.c - weights of convolutions of pictures.
 *
 * SPDX-License-Identifier: MIT
 */
#include "models/conv2d_layer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "engine/ops/conv_run.h"

static Conv2dParams params_of(const Conv2dLayer *layer)
{
    return (Conv2dParams){.pad = SIDES((layer->kernel - 1) / 2), .groups = layer->depthwise ? layer->c_in : 1};
}

static int inputs_of(const Conv2dLayer *layer)
{
    return (layer->depthwise ? 1 : layer->c_in) * layer->kernel * layer->kernel;
}

RsdStatus conv2d_layer_register(Conv2dLayer *layer, ParamSet *params, Rng *rng, RsdError *err)
{
    const int64_t shape[4] = {layer->c_out, layer->depthwise ? 1 : layer->c_in, layer->kernel, layer->kernel};
    const float gain = layer->init_gain > 0 ? layer->init_gain : 1.0f;
    char name[LAYER_NAME_SIZE + 8];
    RsdStatus status = RSD_OK;

    snprintf(name, sizeof name, "%s.weight", layer->name);
    if (layer->depthwise)
        TRY(params_add(params, name, 4, shape, true, &layer->weight, err));
    else
        TRY(params_add_passing(params, name, 4, shape, &layer->weight, err));
    params->items[params->n_items - 1].elementwise = layer->depthwise;
    params->items[params->n_items - 1].fine = layer->fine;
    snprintf(name, sizeof name, "%s.bias", layer->name);
    TRY(params_add(params, name, 1, shape, true, &layer->bias, err));
    if (!params->for_inference) {
        params_fill_uniform(layer->weight, rng, gain * sqrtf(3.0f / (float)inputs_of(layer)));
        params_fill_constant(layer->bias, 0.0f);
    }
fail:
    return status;
}

RsdStatus conv2d_with(Tape *tape, const Conv2dLayer *layer, Tensor *weight, Tensor *x, Tensor **y, RsdError *err)
{
    const Conv2dParams p = params_of(layer);
    RsdStatus status = op_conv2d(tape, x, weight, layer->bias, &p, y, err);

    return status == RSD_OK ? RSD_OK : error_prefix(err, status, "%s", layer->name);
}

RsdStatus conv2d(Tape *tape, const Conv2dLayer *layer, Tensor *x, Tensor **y, RsdError *err)
{
    return conv2d_with(tape, layer, layer->weight, x, y, err);
}

RsdStatus conv2d_layer_freeze(Conv2dLayer *layer, Tape *tape, RsdError *err)
{
    const Conv2dParams p = params_of(layer);

    if (layer->weight->needs_grad || layer->depthwise || !layer->weight->data)
        return RSD_OK;
    return conv2d_prepare(tape, layer->weight, &p, err);
}

RsdStatus conv2d_layer_take(Conv2dLayer *layer, Tape *tape, RsdError *err)
{
    const size_t count = (size_t)tensor_count(layer->weight);
    float *copy;
    RsdStatus status = RSD_OK;

    TRY(conv2d_layer_freeze(layer, tape, err));
    if (!conv_is_packed(layer->weight)) {
        TRY(arena_alloc(tape->arena, &copy, count, sizeof *copy, err));
        memcpy(copy, layer->weight->data, count * sizeof *copy);
        layer->weight->data = copy;
    }
fail:
    return status;
}

int64_t conv2d_layer_count(const Conv2dLayer *layer)
{
    return (int64_t)layer->c_out * (inputs_of(layer) + 1);
}

double conv2d_layer_macs(const Conv2dLayer *layer)
{
    return (double)layer->c_out * inputs_of(layer);
}
