/* patch_critic.c - layers of the PatchGAN critic.
 *
 * SPDX-License-Identifier: MIT
 */
#include "models/patch_critic.h"

#include <math.h>
#include <stdio.h>

#include "engine/base/mem.h"
#include "engine/ops/activation.h"
#include "engine/ops/resize2d.h"
#include "engine/ops/shape.h"
#include "models/critic_conv.h"

#define MAX_WIDTH 4096
#define WIDEST 8 /* times the base */
#define FIRST_SAMPLE 4096 /* of RNG_CRITIC: apart from the audio critics' */

struct PatchCritic {
    PatchCriticConfig config;
    int n_layers;
    CriticConv context, layers[PATCH_CRITIC_MAX_STRIDED + 2];
};

static RsdStatus check_range(const char *what, int value, int low, int high, RsdError *err)
{
    if (value < low || value > high)
        return error_set(err, RSD_ERR_ARG, "a patch critic with %d %s; %d to %d are possible", value, what, low, high);
    return RSD_OK;
}

static RsdStatus check_config(const PatchCriticConfig *c, RsdError *err)
{
    RsdStatus status = RSD_OK;

    TRY(check_range("channels", c->channels, 1, MAX_WIDTH, err));
    TRY(check_range("base channels", c->base_channels, 1, MAX_WIDTH / WIDEST, err));
    TRY(check_range("strided layers", c->n_strided, 1, PATCH_CRITIC_MAX_STRIDED, err));
    TRY(check_range("classes", c->n_classes, 1, 65536, err));
    TRY(check_range("latent channels", c->latent_channels, 0, MAX_WIDTH, err));
    if (c->latent_channels)
        TRY(check_range("context channels", c->context_channels, 1, MAX_WIDTH, err));
fail:
    return status;
}

static void describe(PatchCritic *critic)
{
    const PatchCriticConfig *c = &critic->config;
    int c_in = c->channels + (c->latent_channels ? c->context_channels : 0);

    critic->n_layers = c->n_strided + 2;
    critic->context = (CriticConv){.name = "patch.context", .c_in = c->latent_channels, .c_out = c->context_channels,
                                   .kernel = {3, 3}, .plain = true};
    for (int i = 0; i < critic->n_layers; i++) {
        int times = i < 3 ? 1 << i : WIDEST, stride = i < c->n_strided ? 2 : 1;

        critic->layers[i] = (CriticConv){.c_in = c_in,
                                         .c_out = i == critic->n_layers - 1 ? c->n_classes : times * c->base_channels,
                                         .kernel = {4, 4},
                                         .stride = {stride, stride},
                                         .plain = true};
        snprintf(critic->layers[i].name, sizeof critic->layers[i].name, "patch.%d", i);
        c_in = critic->layers[i].c_out;
    }
}

RsdStatus patch_critic_create(PatchCritic **out, const PatchCriticConfig *config, ParamSet *params, uint64_t seed,
                              RsdError *err)
{
    PatchCritic *critic = NULL;
    Rng rng = rng_at(seed, RNG_CRITIC, 0, FIRST_SAMPLE);
    float gain = sqrtf(2.0f / (1.0f + config->slope * config->slope));
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(check_config(config, err));
    TRY(mem_calloc(&critic, 1, sizeof *critic, err));
    critic->config = *config;
    describe(critic);
    if (config->latent_channels)
        TRY(critic_conv_register(&critic->context, params, &rng, gain, err));
    for (int i = 0; i < critic->n_layers; i++)
        TRY(critic_conv_register(&critic->layers[i], params, &rng, i < critic->n_layers - 1 ? gain : 1.0f, err));
    *out = critic;
    return RSD_OK;
fail:
    patch_critic_destroy(&critic);
    return status;
}

void patch_critic_destroy(PatchCritic **critic)
{
    if (*critic)
        mem_free(critic);
}

RsdStatus patch_critic_begin(PatchCritic *critic, Tape *tape, RsdError *err)
{
    RsdStatus status = RSD_OK;

    if (critic->config.latent_channels)
        TRY(critic_conv_begin(&critic->context, tape, err));
    for (int i = 0; i < critic->n_layers; i++)
        TRY(critic_conv_begin(&critic->layers[i], tape, err));
fail:
    return status;
}

void patch_critic_freeze(PatchCritic *critic, bool frozen)
{
    if (critic->config.latent_channels)
        critic_conv_freeze(&critic->context, frozen);
    for (int i = 0; i < critic->n_layers; i++)
        critic_conv_freeze(&critic->layers[i], frozen);
}

/* The picture with what the latent says of it as further channels. */
static RsdStatus with_context(const PatchCritic *critic, Tape *tape, Tensor *x, Tensor *latent, Tensor **y, RsdError *err)
{
    Tensor *h, *both[2] = {x, NULL};
    RsdStatus status = RSD_OK;

    TRY(critic_conv_run(&critic->context, tape, latent, &h, err));
    TRY(op_leaky_relu(tape, h, critic->config.slope, &h, err));
    TRY(op_resize2d(tape, h, x->shape[2], x->shape[3], RESIZE_NEAREST, &both[1], err));
    TRY(op_concat(tape, 2, both, 1, y, err));
fail:
    return status;
}

RsdStatus patch_critic_judge(const PatchCritic *critic, Tape *tape, Tensor *x, Tensor *latent, CriticMaps *maps,
                             RsdError *err)
{
    const PatchCriticConfig *c = &critic->config;
    const int64_t least = (int64_t)1 << (c->n_strided + 2); /* two more layers of 4 x 4, padded by 1, follow */
    char text[SHAPE_TEXT_SIZE];
    Tensor *h = x;
    RsdStatus status = RSD_OK;

    maps->n_maps = 0;
    CHECK(x->n_dims == 4 && x->shape[1] == c->channels && x->shape[2] >= least && x->shape[3] >= least, err, RSD_ERR_ARG,
          "a patch critic for %d channels of at least %lld x %lld pixels got %s", c->channels, (long long)least,
          (long long)least, shape_text(text, x->n_dims, x->shape));
    CHECK((latent != NULL) == (c->latent_channels > 0), err, RSD_ERR_ARG, "a %s patch critic %s a latent",
          c->latent_channels ? "conditional" : "plain", latent ? "got" : "needs");
    if (latent)
        TRY(with_context(critic, tape, x, latent, &h, err));
    for (int i = 0; i < critic->n_layers - 1; i++) {
        TRY(critic_conv_run(&critic->layers[i], tape, h, &h, err));
        TRY(op_leaky_relu(tape, h, c->slope, &h, err));
        maps->maps[maps->n_maps++] = h;
    }
    TRY(critic_conv_run(&critic->layers[critic->n_layers - 1], tape, h, &maps->logits, err));
fail:
    return status;
}
