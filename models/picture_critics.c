/* picture_critics.c - the set of critics of a configuration.
 *
 * SPDX-License-Identifier: MIT
 */
#include "models/picture_critics.h"

#include "engine/base/mem.h"

#define COLOURS 3

struct PictureCritics {
    PictureCriticsConfig config;
    R3Critic *r3;       /* NULL: none */
    PatchCritic *patch; /* NULL: none */
};

static PatchCriticConfig patch_of(const PictureCriticsConfig *c)
{
    return (PatchCriticConfig){.channels = COLOURS,
                               .base_channels = c->patch_channels,
                               .n_strided = c->patch_layers,
                               .n_classes = c->patch_kinds ? c->patch_kinds + 1 : 1,
                               .latent_channels = c->patch_context ? c->latent_channels : 0,
                               .context_channels = c->patch_context,
                               .slope = c->slope};
}

static R3CriticConfig r3_of(const PictureCriticsConfig *c)
{
    R3CriticConfig r3 = {.channels = COLOURS, .n_stages = c->n_r3, .n_blocks = c->r3_blocks, .group_width = c->r3_group, .slope = c->slope};

    for (int i = 0; i < c->n_r3; i++)
        r3.widths[i] = c->r3_widths[i];
    return r3;
}

RsdStatus picture_critics_create(PictureCritics **out, const PictureCriticsConfig *config, ParamSet *params, uint64_t seed, RsdError *err)
{
    const PatchCriticConfig patch = patch_of(config);
    const R3CriticConfig r3 = r3_of(config);
    PictureCritics *critics = NULL;
    RsdStatus status = RSD_OK;

    *out = NULL;
    CHECK(config->patch_channels > 0 || config->n_r3 > 0, err, RSD_ERR_ARG, "no critic of pictures is switched on");
    TRY(mem_calloc(&critics, 1, sizeof *critics, err));
    critics->config = *config;
    if (config->n_r3 > 0)
        TRY(r3_critic_create(&critics->r3, &r3, params, seed, err));
    if (config->patch_channels > 0)
        TRY(patch_critic_create(&critics->patch, &patch, params, seed, err));
    *out = critics;
    return RSD_OK;
fail:
    picture_critics_destroy(&critics);
    return status;
}

void picture_critics_destroy(PictureCritics **critics)
{
    if (!*critics)
        return;
    r3_critic_destroy(&(*critics)->r3);
    patch_critic_destroy(&(*critics)->patch);
    mem_free(critics);
}

int picture_critics_count(const PictureCritics *critics)
{
    return (critics->r3 != NULL) + (critics->patch != NULL);
}

int picture_critics_count_plain(const PictureCritics *critics)
{
    return picture_critics_count(critics) - (critics->patch && critics->config.patch_kinds > 0);
}

int64_t picture_critics_min_side(const PictureCriticsConfig *c)
{
    const int64_t patch = c->patch_channels > 0 ? (int64_t)1 << (c->patch_layers + 2) : 1;
    const int64_t r3 = c->n_r3 > 0 ? (int64_t)1 << (c->n_r3 - 1) : 1;

    return patch > r3 ? patch : r3;
}

/* ---- a step ---- */

RsdStatus picture_critics_begin(PictureCritics *critics, Tape *tape, RsdError *err)
{
    RsdStatus status = RSD_OK;

    if (critics->r3)
        TRY(r3_critic_begin(critics->r3, tape, err));
    if (critics->patch)
        TRY(patch_critic_begin(critics->patch, tape, err));
fail:
    return status;
}

void picture_critics_freeze(PictureCritics *critics, bool frozen)
{
    if (critics->r3)
        r3_critic_freeze(critics->r3, frozen);
    if (critics->patch)
        patch_critic_freeze(critics->patch, frozen);
}

RsdStatus picture_critics_judge(const PictureCritics *critics, Tape *tape, Tensor *x, Tensor *latent, CriticMaps *maps, RsdError *err)
{
    RsdStatus status = RSD_OK;

    if (critics->r3)
        TRY(r3_critic_judge(critics->r3, tape, x, maps++, err));
    if (critics->patch)
        TRY(patch_critic_judge(critics->patch, tape, x, critics->config.patch_context ? latent : NULL, maps, err));
fail:
    return status;
}

RsdStatus picture_critics_penalty(PictureCritics *critics, Tape *tape, const Tensor *x, float gamma, Tensor **value, RsdError *err)
{
    if (!critics->r3 || critics->patch)
        return error_set(err, RSD_ERR_ARG, "the exact penalty is that of R3GAN's critic alone");
    return r3_critic_penalty(critics->r3, tape, x, gamma, value, err);
}

/* Layers of 4 x 4, padded by 1: place i of one reads places around stride i + 1/2 of the one before. */
static double centre_of(int64_t i, int n_strided)
{
    double place = (double)i + 1.0; /* after the last two layers, of stride 1 */

    for (int k = 0; k < n_strided; k++)
        place = 2.0 * place + 0.5;
    return place;
}

static int64_t kind_at(int64_t i, int n_strided, int64_t side, int64_t n_kinds)
{
    const int64_t at = (int64_t)((centre_of(i, n_strided) + 0.5) * (double)n_kinds / (double)side);

    return at < n_kinds ? at : n_kinds - 1;
}

RsdStatus picture_critics_labels(const PictureCritics *critics, Tape *tape, const Tensor *x, const Tensor *logits, const uint16_t *kinds,
                                 int64_t rows, int64_t columns, uint16_t **labels, RsdError *err)
{
    const int64_t batch = logits->shape[0], h = logits->shape[2], w = logits->shape[3];
    const int n = critics->config.patch_layers;
    RsdStatus status = arena_alloc(tape->arena, labels, (size_t)(batch * h * w), sizeof **labels, err);

    if (status != RSD_OK)
        return status;
    for (int64_t b = 0; b < batch; b++)
        for (int64_t i = 0; i < h; i++)
            for (int64_t j = 0; j < w; j++)
                (*labels)[(b * h + i) * w + j] =
                    kinds[(b * rows + kind_at(i, n, x->shape[2], rows)) * columns + kind_at(j, n, x->shape[3], columns)];
    return RSD_OK;
}
