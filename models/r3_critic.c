/* r3_critic.c - layers of R3GAN's critic, run on pictures and on infinitesimal steps.
 *
 * SPDX-License-Identifier: MIT
 */
#include "models/r3_critic.h"

#include <math.h>
#include <stdio.h>

#include "engine/base/mem.h"
#include "engine/ops/activation.h"
#include "engine/ops/arithmetic.h"
#include "engine/ops/conv2d.h"
#include "engine/ops/reduce.h"
#include "models/critic_conv.h"

#define MAX_WIDTH 2048
#define FIRST_SAMPLE 8192 /* of RNG_CRITIC: apart from the other critics' */
#define N_ACTIVATIONS (2 * R3_MAX_STAGES * R3_MAX_BLOCKS)

typedef struct Block {
    CriticConv wide, taps, narrow;
} Block;

typedef struct Stage {
    CriticConv in; /* to this stage's channels */
    Block blocks[R3_MAX_BLOCKS];
} Stage;

struct R3Critic {
    R3CriticConfig config;
    Stage stages[R3_MAX_STAGES];
    CriticConv out;
};

_Static_assert(R3_MAX_STAGES * R3_MAX_BLOCKS <= CRITIC_MAX_MAPS, "a map for each block");

/* ---- description and life ---- */

static RsdStatus check_range(const char *what, int value, int low, int high, RsdError *err)
{
    if (value < low || value > high)
        return error_set(err, RSD_ERR_ARG, "an R3 critic with %d %s; %d to %d are possible", value, what, low, high);
    return RSD_OK;
}

static RsdStatus check_config(const R3CriticConfig *c, RsdError *err)
{
    RsdStatus status = RSD_OK;

    TRY(check_range("channels", c->channels, 1, MAX_WIDTH, err));
    TRY(check_range("stages", c->n_stages, 1, R3_MAX_STAGES, err));
    TRY(check_range("blocks per stage", c->n_blocks, 1, R3_MAX_BLOCKS, err));
    TRY(check_range("channels per group", c->group_width, 1, MAX_WIDTH, err));
    for (int i = 0; i < c->n_stages; i++) {
        TRY(check_range("channels in a stage", c->widths[i], 1, MAX_WIDTH, err));
        CHECK(2 * c->widths[i] % c->group_width == 0, err, RSD_ERR_ARG,
              "an R3 critic: groups of %d channels do not fit %d, twice the width of stage %d", c->group_width, 2 * c->widths[i], i);
    }
fail:
    return status;
}

static CriticConv describe(const char *name, int c_in, int c_out, int kernel, int groups)
{
    CriticConv conv = {.c_in = c_in, .c_out = c_out, .kernel = {kernel, kernel}, .groups = groups, .plain = true};

    snprintf(conv.name, sizeof conv.name, "r3.%s", name);
    return conv;
}

typedef RsdStatus (*ConvVisitor)(void *ctx, CriticConv *conv, bool starts_at_zero, RsdError *err);

static RsdStatus visit_all(R3Critic *critic, ConvVisitor visit, void *ctx, RsdError *err)
{
    RsdStatus status = RSD_OK;

    for (int i = 0; i < critic->config.n_stages; i++) {
        TRY(visit(ctx, &critic->stages[i].in, false, err));
        for (int j = 0; j < critic->config.n_blocks; j++) {
            TRY(visit(ctx, &critic->stages[i].blocks[j].wide, false, err));
            TRY(visit(ctx, &critic->stages[i].blocks[j].taps, false, err));
            TRY(visit(ctx, &critic->stages[i].blocks[j].narrow, true, err));
        }
    }
    TRY(visit(ctx, &critic->out, false, err));
fail:
    return status;
}

typedef struct Registration {
    ParamSet *params;
    Rng rng;
    float gain; /* sqrt(2 / 1.04) L^(-1/4), L blocks: what the branches add up to stays the same however many there are */
} Registration;

static RsdStatus register_conv(void *ctx, CriticConv *conv, bool starts_at_zero, RsdError *err)
{
    Registration *r = ctx;
    RsdStatus status = critic_conv_register(conv, r->params, &r->rng, r->gain, err);

    if (status == RSD_OK && starts_at_zero)
        params_fill_constant(conv->weight, 0.0f);
    return status;
}

RsdStatus r3_critic_create(R3Critic **out, const R3CriticConfig *config, ParamSet *params, uint64_t seed, RsdError *err)
{
    Registration r = {.params = params, .rng = rng_at(seed, RNG_CRITIC, 0, FIRST_SAMPLE)};
    R3Critic *critic = NULL;
    int c_in;
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(check_config(config, err));
    TRY(mem_calloc(&critic, 1, sizeof *critic, err));
    critic->config = *config;
    c_in = config->channels;
    r.gain = sqrtf(2.0f / (1.0f + config->slope * config->slope)) * powf((float)(config->n_stages * config->n_blocks), -0.25f);
    for (int i = 0; i < config->n_stages; i++) {
        const int c = config->widths[i];
        char name[48];

        snprintf(name, sizeof name, "%d.in", i);
        critic->stages[i].in = describe(name, c_in, c, 1, 1);
        for (int j = 0; j < config->n_blocks; j++) {
            Block *block = &critic->stages[i].blocks[j];

            snprintf(name, sizeof name, "%d.%d.wide", i, j);
            block->wide = describe(name, c, 2 * c, 1, 1);
            snprintf(name, sizeof name, "%d.%d.taps", i, j);
            block->taps = describe(name, 2 * c, 2 * c, 3, 2 * c / config->group_width);
            snprintf(name, sizeof name, "%d.%d.narrow", i, j);
            block->narrow = describe(name, 2 * c, c, 1, 1);
        }
        c_in = c;
    }
    critic->out = describe("out", c_in, 1, 1, 1);
    TRY(visit_all(critic, register_conv, &r, err));
    *out = critic;
    return RSD_OK;
fail:
    r3_critic_destroy(&critic);
    return status;
}

void r3_critic_destroy(R3Critic **critic)
{
    if (*critic)
        mem_free(critic);
}

static RsdStatus begin_conv(void *ctx, CriticConv *conv, bool starts_at_zero, RsdError *err)
{
    (void)starts_at_zero;
    return critic_conv_begin(conv, ctx, err);
}

RsdStatus r3_critic_begin(R3Critic *critic, Tape *tape, RsdError *err)
{
    return visit_all(critic, begin_conv, tape, err);
}

static RsdStatus freeze_conv(void *ctx, CriticConv *conv, bool starts_at_zero, RsdError *err)
{
    const bool *frozen = ctx;

    (void)starts_at_zero, (void)err;
    critic_conv_freeze(conv, *frozen);
    return RSD_OK;
}

void r3_critic_freeze(R3Critic *critic, bool frozen)
{
    (void)visit_all(critic, freeze_conv, &frozen, NULL);
}

/* ---- running ---- */

/* What a run through the network passes: a picture, or a step away from one whose activations are known. */
typedef struct Pass {
    Tape *tape;
    float slope;
    bool is_step;  /* no biases, slopes as they were */
    bool remember; /* slopes of this pass, for a step */
    int n_slopes;
    Tensor *slopes[N_ACTIVATIONS]; /* 1 or `slope` at each place */
} Pass;

static RsdStatus convolve(const Pass *pass, const CriticConv *conv, Tensor *x, Tensor **y, RsdError *err)
{
    CriticConv plain = *conv;

    if (pass->is_step)
        plain.bias = NULL;
    return critic_conv_run(&plain, pass->tape, x, y, err);
}

static RsdStatus activate(Pass *pass, Tensor *x, Tensor **y, RsdError *err)
{
    Tensor *slopes;
    RsdStatus status = RSD_OK;

    if (pass->is_step)
        return op_mul(pass->tape, x, pass->slopes[pass->n_slopes++], y, err);
    if (pass->remember) {
        TRY(tape_tensor(pass->tape, &slopes, x->n_dims, x->shape, err));
        for (int64_t i = 0; i < tensor_count(x); i++)
            slopes->data[i] = x->data[i] > 0.0f ? 1.0f : pass->slope;
        pass->slopes[pass->n_slopes++] = slopes;
    }
    TRY(op_leaky_relu(pass->tape, x, pass->slope, y, err));
fail:
    return status;
}

static RsdStatus run_block(Pass *pass, const Block *block, Tensor *x, Tensor **y, RsdError *err)
{
    Tensor *h;
    RsdStatus status = RSD_OK;

    TRY(convolve(pass, &block->wide, x, &h, err));
    TRY(activate(pass, h, &h, err));
    TRY(convolve(pass, &block->taps, h, &h, err));
    TRY(activate(pass, h, &h, err));
    TRY(convolve(pass, &block->narrow, h, &h, err));
    TRY(op_add(pass->tape, x, h, y, err));
fail:
    return status;
}

/* Half the size after a blur by [1 2 1] / 4 both ways, channel by channel. */
static RsdStatus halve(Tape *tape, Tensor *x, Tensor **y, RsdError *err)
{
    static const float taps[9] = {0.0625f, 0.125f, 0.0625f, 0.125f, 0.25f, 0.125f, 0.0625f, 0.125f, 0.0625f};
    const Conv2dParams p = {.stride = {2, 2}, .groups = (int)x->shape[1], .pad = SIDES(1)};
    Tensor *blur;
    RsdStatus status = RSD_OK;

    TRY(tape_tensor(tape, &blur, 4, (const int64_t[]){x->shape[1], 1, 3, 3}, err));
    for (int64_t i = 0; i < tensor_count(blur); i++)
        blur->data[i] = taps[i % 9];
    TRY(op_conv2d(tape, x, blur, NULL, &p, y, err));
fail:
    return status;
}

static RsdStatus run(const R3Critic *critic, Pass *pass, Tensor *x, CriticMaps *maps, RsdError *err)
{
    const R3CriticConfig *c = &critic->config;
    const int64_t least = (int64_t)1 << (c->n_stages - 1);
    char text[SHAPE_TEXT_SIZE];
    Tensor *h = x;
    RsdStatus status = RSD_OK;

    maps->n_maps = 0;
    CHECK(x->n_dims == 4 && x->shape[0] >= 1 && x->shape[1] == c->channels && x->shape[2] >= least && x->shape[3] >= least, err,
          RSD_ERR_ARG, "an R3 critic for %d channels of at least %lld x %lld pixels got %s", c->channels, (long long)least,
          (long long)least, shape_text(text, x->n_dims, x->shape));
    for (int i = 0; i < c->n_stages; i++) {
        if (i > 0)
            TRY(halve(pass->tape, h, &h, err));
        TRY(convolve(pass, &critic->stages[i].in, h, &h, err));
        for (int j = 0; j < c->n_blocks; j++) {
            TRY(run_block(pass, &critic->stages[i].blocks[j], h, &h, err));
            maps->maps[maps->n_maps++] = h;
        }
    }
    TRY(convolve(pass, &critic->out, h, &maps->logits, err));
fail:
    return status;
}

RsdStatus r3_critic_judge(const R3Critic *critic, Tape *tape, Tensor *x, CriticMaps *maps, RsdError *err)
{
    Pass pass = {.tape = tape, .slope = critic->config.slope};

    return run(critic, &pass, x, maps, err);
}

/* ---- the penalty ---- */

/* *sum = the sum over items of the mean verdict on each. */
static RsdStatus sum_verdicts(Tape *tape, const CriticMaps *maps, Tensor **sum, RsdError *err)
{
    RsdStatus status = RSD_OK;

    TRY(op_mean(tape, maps->logits, sum, err));
    TRY(op_scale(tape, *sum, (float)maps->logits->shape[0], sum, err));
fail:
    return status;
}

RsdStatus r3_critic_penalty(R3Critic *critic, Tape *tape, const Tensor *x, float gamma, Tensor **value, RsdError *err)
{
    const float share = gamma / (float)x->shape[0];
    Pass pass = {.tape = tape, .slope = critic->config.slope, .remember = true};
    CriticMaps maps;
    Tensor *leaf, *verdicts, *along, *length;
    RsdStatus status = RSD_OK;

    TRY(tape_leaf(tape, x, true, &leaf, err));
    r3_critic_freeze(critic, true); /* this pass is for the slope alone */
    status = run(critic, &pass, leaf, &maps, err);
    if (status == RSD_OK)
        status = sum_verdicts(tape, &maps, &verdicts, err);
    if (status == RSD_OK)
        status = tape_backward(tape, verdicts, err);
    r3_critic_freeze(critic, false);
    TRY(status);
    TRY(tape_input(tape, &along, x->n_dims, x->shape, leaf->grad, err));
    pass.remember = false;
    pass.is_step = true;
    pass.n_slopes = 0;
    TRY(run(critic, &pass, along, &maps, err));
    TRY(sum_verdicts(tape, &maps, &length, err)); /* sum over items of |grad D|^2 */
    /* The value is half of share * length, the gradient that of all of it. */
    TRY(op_affine(tape, length, share, -0.5f * share * length->data[0], value, err));
fail:
    return status;
}
