/* critic_conv.c - weights and calls of a critic's convolutions.
 *
 * SPDX-License-Identifier: MIT
 */
#include "models/critic_conv.h"

#include <math.h>
#include <stdio.h>

#include "engine/ops/conv1d.h"
#include "engine/ops/conv2d.h"
#include "engine/ops/weight_norm.h"

static int at_least_one(int value)
{
    return value > 0 ? value : 1;
}

static bool is_2d(const CriticConv *conv)
{
    return conv->kernel[0] > 0;
}

static int taps(const CriticConv *conv)
{
    return at_least_one(conv->kernel[0]) * conv->kernel[1];
}

RsdStatus critic_conv_register(CriticConv *conv, ParamSet *params, Rng *rng, float gain, RsdError *err)
{
    const int per_group = conv->c_in / at_least_one(conv->groups);
    const int64_t shape_2d[4] = {conv->c_out, per_group, conv->kernel[0], conv->kernel[1]};
    const int64_t shape_1d[3] = {conv->c_out, per_group, conv->kernel[1]}, c_out[1] = {conv->c_out};
    char name[96];
    RsdStatus status = RSD_OK;

    snprintf(name, sizeof name, "%s.%s", conv->name, conv->plain ? "weight" : "weight_v");
    TRY(params_add(params, name, is_2d(conv) ? 4 : 3, is_2d(conv) ? shape_2d : shape_1d, true, &conv->weight, err));
    if (!conv->plain) {
        snprintf(name, sizeof name, "%s.weight_g", conv->name);
        TRY(params_add(params, name, 1, c_out, true, &conv->weight_g, err));
    }
    snprintf(name, sizeof name, "%s.bias", conv->name);
    TRY(params_add(params, name, 1, c_out, true, &conv->bias, err));
    params_fill_uniform(conv->weight, rng, gain * sqrtf(3.0f / (float)(per_group * taps(conv))));
    params_fill_constant(conv->bias, 0.0f);
    if (conv->weight_g)
        params_fill_norms(conv->weight_g, conv->weight);
fail:
    return status;
}

RsdStatus critic_conv_begin(CriticConv *conv, Tape *tape, RsdError *err)
{
    conv->now = conv->weight;
    critic_conv_freeze(conv, false);
    if (conv->plain)
        return RSD_OK;
    return op_weight_norm(tape, conv->weight, conv->weight_g, &conv->now, err);
}

void critic_conv_freeze(CriticConv *conv, bool frozen)
{
    conv->now->needs_grad = !frozen;
    conv->bias->needs_grad = !frozen;
}

/* On each side of an axis. */
static int padding(const CriticConv *conv, int axis)
{
    return conv->unpadded ? 0 : (conv->kernel[axis] - 1) / 2 * at_least_one(conv->dilation[axis]);
}

RsdStatus critic_conv_run(const CriticConv *conv, Tape *tape, Tensor *x, Tensor **y, RsdError *err)
{
    const int down = padding(conv, 0), across = padding(conv, 1);
    const Conv1dParams over_time = {.stride = conv->stride[1], .dilation = conv->dilation[1], .groups = conv->groups,
                                    .rule = PAD_EXPLICIT, .pad_left = across, .pad_right = across};
    const Conv2dParams over_both = {.stride = {conv->stride[0], conv->stride[1]},
                                    .dilation = {conv->dilation[0], conv->dilation[1]},
                                    .groups = conv->groups,
                                    .pad = {down, down, across, across}};
    RsdStatus status = is_2d(conv) ? op_conv2d(tape, x, conv->now, conv->bias, &over_both, y, err)
                                   : op_conv1d(tape, x, conv->now, conv->bias, &over_time, y, err);

    if (status != RSD_OK)
        error_prefix(err, status, "%s", conv->name);
    return status;
}

double critic_conv_macs(const CriticConv *conv, double n_places)
{
    return n_places * conv->c_in * conv->c_out / at_least_one(conv->groups) * taps(conv);
}
