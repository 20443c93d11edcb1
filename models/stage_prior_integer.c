/* stage_prior_integer.c - the stages' networks and codes as a decoder has them: made of floats, written, read, and turned back.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdio.h>

#include "engine/base/mem.h"
#include "models/image_net.h"
#include "models/integer_net.h"
#include "models/stage_prior.h"

static RsdStatus open_prior(StagePrior **out, const ImageCodecConfig *cfg, RsdError *err)
{
    StagePrior *prior = NULL;
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(mem_calloc(&prior, 1, sizeof *prior, err));
    TRY(arena_create(&prior->memory.arena, 0, err));
    prior->n_stages = cfg->codebooks;
    prior->n_codes = cfg->codebook_size;
    prior->dim = cfg->latent;
    *out = prior;
    return RSD_OK;
fail:
    stage_prior_destroy(&prior);
    return status;
}

void stage_prior_destroy(StagePrior **prior)
{
    if (!*prior)
        return;
    arena_destroy(&(*prior)->memory.arena);
    mem_free(prior);
}

/* ---- from float, and back ---- */

static RsdStatus make_codes(const int16_t **made, const Tensor *embed, int stage, Arena *arena, RsdError *err)
{
    int16_t *codes;
    RsdStatus status = RSD_OK;

    TRY(arena_alloc(arena, &codes, (size_t)tensor_count(embed), sizeof *codes, err));
    for (int64_t i = 0; i < tensor_count(embed); i++) {
        const float v = floorf(embed->data[i] * INTEGER_UNIT + 0.5f);

        CHECK(isfinite(v), err, RSD_ERR_NUMERIC, "rvq.%d.embed: a code is not finite", stage);
        codes[i] = (int16_t)fminf(fmaxf(v, -INTEGER_MAX), INTEGER_MAX);
    }
    *made = codes;
fail:
    return status;
}

RsdStatus stage_prior_create(StagePrior **out, const ImageCodec *codec, RsdError *err)
{
    const ImageNet *net = codec->net;
    StagePrior *prior = NULL;
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(open_prior(&prior, &codec->config, err));
    for (int q = 0; q < prior->n_stages; q++) {
        for (int i = 0; i < STAGE_N_LAYERS; i++)
            TRY(integer_net_make(&prior->layers[q][i], &net->stages[q][i], stage_layer_has_relu((StageLayer)i), prior->memory.arena, err));
        TRY(make_codes(&prior->codes[q], net->embed[q], q, prior->memory.arena, err));
    }
    prior->memory.filled = arena_mark(prior->memory.arena);
    *out = prior;
    return RSD_OK;
fail:
    stage_prior_destroy(&prior);
    return status;
}

void stage_prior_to_float(const StagePrior *prior, ImageCodec *codec)
{
    ImageNet *net = codec->net;

    for (int q = 0; q < prior->n_stages; q++) {
        for (int i = 0; i < STAGE_N_LAYERS; i++)
            integer_net_to_float(&prior->layers[q][i], &net->stages[q][i]);
        for (int64_t i = 0; i < tensor_count(net->embed[q]); i++)
            net->embed[q]->data[i] = (float)prior->codes[q][i] / INTEGER_UNIT;
    }
}

/* ---- files ---- */

static IntegerArray codes_of(const StagePrior *prior, int stage)
{
    char name[32];

    snprintf(name, sizeof name, "rvq.%d", stage);
    return integer_array(name, ".embed_q", DTYPE_I16, 2, prior->n_codes, prior->dim, prior->codes[stage]);
}

RsdStatus stage_prior_save(const StagePrior *prior, SafetensorsWriter *writer, RsdError *err)
{
    Arena *arena = prior->memory.arena;
    RsdStatus status = RSD_OK;

    arena_rewind(arena, prior->memory.filled);
    for (int q = 0; q < prior->n_stages; q++) {
        const IntegerArray codes = codes_of(prior, q);

        for (int i = 0; i < STAGE_N_LAYERS; i++) {
            char name[LAYER_NAME_SIZE];

            image_net_stage_name(name, q, (StageLayer)i);
            TRY(integer_net_write(name, &prior->layers[q][i], arena, writer, err));
        }
        TRY(integer_array_write(&codes, arena, writer, err));
    }
fail:
    return status;
}

RsdStatus stage_prior_load(StagePrior **out, const ImageCodecConfig *cfg, const Safetensors *st, RsdError *err)
{
    ImageNet net;
    StagePrior *prior = NULL;
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(open_prior(&prior, cfg, err));
    image_net_describe(&net, cfg);
    for (int q = 0; q < prior->n_stages; q++) {
        IntegerArray codes = codes_of(prior, q);

        for (int i = 0; i < STAGE_N_LAYERS; i++) {
            prior->layers[q][i] = integer_net_sizes(&net.stages[q][i], stage_layer_has_relu((StageLayer)i));
            TRY(integer_net_read(net.stages[q][i].name, &prior->layers[q][i], st, prior->memory.arena, err));
        }
        TRY(integer_array_read(&codes, st, prior->memory.arena, err));
        prior->codes[q] = codes.data;
        for (int64_t i = 0; i < (int64_t)prior->n_codes * prior->dim; i++)
            CHECK(prior->codes[q][i] >= -INTEGER_MAX && prior->codes[q][i] <= INTEGER_MAX, err, RSD_ERR_CORRUPT,
                  "rvq.%d.embed_q: %d, expected -%d to %d", q, prior->codes[q][i], INTEGER_MAX, INTEGER_MAX);
    }
    prior->memory.filled = arena_mark(prior->memory.arena);
    *out = prior;
    return RSD_OK;
fail:
    stage_prior_destroy(&prior);
    return status;
}
