/* adapter.c - additions to the weights of a decoder: training, file, and adding them up for good.
 *
 * SPDX-License-Identifier: MIT
 */
#include "models/adapter.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/mem.h"
#include "models/layers.h"

#define KIND "audio-codec-adapter"
#define VERSION "1"
#define PREFIX "adapter." /* of the names in a ParamSet; those in the file have none */
#define NAME_SIZE (LAYER_NAME_SIZE + 32)
#define FIRST_SAMPLE 100000 /* of RNG_INIT: apart from the network's layers */

static int64_t rest_of(const Tensor *weight)
{
    return tensor_count(weight) / weight->shape[0];
}

static RsdStatus check_network(const AudioCodec *codec, RsdError *err)
{
    if (!codec->net)
        return error_set(err, RSD_ERR_UNSUPPORTED, "model %s: adapters are for our own models, not for DAC", codec->config.name);
    return RSD_OK;
}

/* ---- training ---- */

typedef struct Addition {
    ParamSet *params;
    uint64_t seed;
    int rank;
    uint32_t n_layers;
} Addition;

static RsdStatus add_param(ParamSet *params, const char *layer, const char *what, int64_t rows, int64_t columns, Tensor **out,
                           RsdError *err)
{
    char name[NAME_SIZE];
    RsdStatus status;

    snprintf(name, sizeof name, PREFIX "%s.%s", layer, what);
    status = params_add(params, name, 2, (const int64_t[2]){rows, columns}, true, out, err);
    if (status == RSD_OK)
        params->items[params->n_items - 1].training_only = true; /* no part of a model file */
    return status;
}

static RsdStatus add_to_layer(void *ctx, ConvLayer *layer, RsdError *err)
{
    Addition *addition = ctx;
    const int64_t rows = layer->weight->shape[0], rest = rest_of(layer->weight);
    int64_t rank = addition->rank;
    Rng rng = rng_at(addition->seed, RNG_INIT, 0, FIRST_SAMPLE + addition->n_layers++);
    RsdStatus status = RSD_OK;

    rank = rank > rows ? rows : rank;
    rank = rank > rest ? rest : rank;
    TRY(add_param(addition->params, layer->name, "up", rows, rank, &layer->up, err));
    TRY(add_param(addition->params, layer->name, "down", rank, rest, &layer->down, err));
    params_fill_uniform(layer->down, &rng, sqrtf(3.0f / (float)rest));
fail:
    return status;
}

RsdStatus adapter_add(AudioCodec *codec, int rank, uint64_t seed, RsdError *err)
{
    Addition addition = {codec->params, seed, rank, 0};
    RsdStatus status = RSD_OK;

    TRY(check_network(codec, err));
    CHECK(rank >= 1 && rank <= ADAPTER_MAX_RANK, err, RSD_ERR_ARG, "an adapter of rank %d; 1 to %d are possible", rank,
          ADAPTER_MAX_RANK);
    for (size_t i = 0; i < codec->params->n_items; i++) {
        codec->params->items[i].trainable = false;
        codec->params->items[i].tensor->needs_grad = false;
    }
    TRY(seanet_visit_decoder(codec->net, add_to_layer, &addition, err));
fail:
    return status;
}

RsdStatus adapter_save(const AudioCodec *codec, const char *path, Dtype stored_as, const char *const *notes, RsdError *err)
{
    SafetensorsWriter *writer = NULL;
    char base[MODEL_HASH_TEXT_SIZE], rank[32];
    int64_t highest = 0;
    RsdStatus status = RSD_OK;

    model_hash_print(base, codec->hash);
    TRY(safetensors_writer_create(&writer, err));
    for (size_t i = 0; i < codec->params->n_items; i++) {
        const Param *param = &codec->params->items[i];

        if (strncmp(param->name, PREFIX, strlen(PREFIX)))
            continue;
        TRY(safetensors_writer_f32(writer, param->name + strlen(PREFIX), 2, param->tensor->shape, param->tensor->data, stored_as, err));
        if (strstr(param->name, ".down") && param->tensor->shape[0] > highest)
            highest = param->tensor->shape[0];
    }
    snprintf(rank, sizeof rank, "%lld", (long long)highest);
    TRY(safetensors_writer_metadata(writer, "residua.kind", KIND, err));
    TRY(safetensors_writer_metadata(writer, "residua.version", VERSION, err));
    TRY(safetensors_writer_metadata(writer, "residua.base", base, err));
    TRY(safetensors_writer_metadata(writer, "residua.base_name", codec->config.name, err));
    TRY(safetensors_writer_metadata(writer, "residua.rank", rank, err));
    for (size_t i = 0; notes && notes[i]; i += 2)
        TRY(safetensors_writer_metadata(writer, notes[i], notes[i + 1], err));
    TRY(safetensors_writer_finish(writer, path, err));
fail:
    safetensors_writer_destroy(&writer);
    return status;
}

/* ---- adding up ---- */

typedef struct Sum {
    const Safetensors *file;
    Arena *arena;
    bool apply; /* false: only look whether everything fits */
    size_t n_used;
} Sum;

/* *data stays NULL in a look. */
static RsdStatus read_part(Sum *sum, const char *layer, const char *what, int64_t shape[2], float **data, RsdError *err)
{
    const SafetensorsEntry *entry;
    char name[NAME_SIZE];
    RsdStatus status = RSD_OK;

    *data = NULL;
    snprintf(name, sizeof name, "%s.%s", layer, what);
    entry = safetensors_find(sum->file, name);
    shape[0] = shape[1] = 0;
    if (!entry)
        return RSD_OK;
    CHECK(entry->n_dims == 2, err, RSD_ERR_CORRUPT, "%s has %d axes, expected 2", name, entry->n_dims);
    memcpy(shape, entry->shape, 2 * sizeof *shape);
    sum->n_used++;
    if (sum->apply) {
        TRY(arena_alloc(sum->arena, data, (size_t)(shape[0] * shape[1]), sizeof **data, err));
        TRY(safetensors_read_f32(sum->file, entry, *data, shape[0] * shape[1], err));
    }
fail:
    return status;
}

/* weight += up down, each number summed over the rank in double. Under weight norm the plain weight becomes the direction, its rows'
 * norms the lengths: g v / |v| is then what it should be. */
static void add_up(ConvLayer *layer, const float *up, const float *down, int64_t rank)
{
    Tensor *weight = layer->weight;
    const int64_t rows = weight->shape[0], rest = rest_of(weight);

    for (int64_t i = 0; i < rows; i++) {
        float *row = weight->data + i * rest;
        double norm = 0.0, scale;

        for (int64_t j = 0; j < rest; j++)
            norm += (double)row[j] * (double)row[j];
        scale = !layer->weight_norm ? 1.0 : norm > 0.0 ? (double)layer->weight_g->data[i] / sqrt(norm) : 0.0;
        for (int64_t j = 0; j < rest; j++) {
            double value = scale * (double)row[j];

            for (int64_t k = 0; k < rank; k++)
                value += (double)up[i * rank + k] * (double)down[k * rest + j];
            row[j] = (float)value;
        }
    }
    if (layer->weight_norm)
        params_fill_norms(layer->weight_g, weight);
}

static RsdStatus sum_layer(void *ctx, ConvLayer *layer, RsdError *err)
{
    Sum *sum = ctx;
    ArenaMark mark = arena_mark(sum->arena);
    const int64_t rows = layer->weight->shape[0], rest = rest_of(layer->weight);
    int64_t up_shape[2], down_shape[2];
    float *up, *down;
    RsdStatus status = RSD_OK;

    TRY(read_part(sum, layer->name, "up", up_shape, &up, err));
    TRY(read_part(sum, layer->name, "down", down_shape, &down, err));
    if (!up_shape[0] && !down_shape[0])
        return RSD_OK;
    CHECK(up_shape[0] == rows && down_shape[1] == rest && up_shape[1] == down_shape[0], err, RSD_ERR_CORRUPT,
          "%s: up is [%lld, %lld] and down [%lld, %lld], expected [%lld, r] and [r, %lld]", layer->name, (long long)up_shape[0],
          (long long)up_shape[1], (long long)down_shape[0], (long long)down_shape[1], (long long)rows, (long long)rest);
    CHECK(up_shape[1] >= 1 && up_shape[1] <= ADAPTER_MAX_RANK, err, RSD_ERR_CORRUPT, "%s: rank %lld, expected 1 to %d", layer->name,
          (long long)up_shape[1], ADAPTER_MAX_RANK);
    if (sum->apply)
        add_up(layer, up, down, up_shape[1]);
fail:
    arena_rewind(sum->arena, mark);
    return status;
}

static RsdStatus check_file(const AudioCodec *codec, const Safetensors *st, RsdError *err)
{
    const char *kind = safetensors_metadata(st, "residua.kind"), *version = safetensors_metadata(st, "residua.version");
    const char *base = safetensors_metadata(st, "residua.base"), *name = safetensors_metadata(st, "residua.base_name");
    char hash[MODEL_HASH_TEXT_SIZE];
    uint8_t made_for[MODEL_HASH_SIZE];
    bool merged;
    RsdStatus status = RSD_OK;

    CHECK(kind && strcmp(kind, KIND) == 0, err, RSD_ERR_UNSUPPORTED, "not an adapter (residua.kind is %.40s, expected " KIND ")",
          kind ? kind : "missing");
    CHECK(version && strcmp(version, VERSION) == 0, err, RSD_ERR_UNSUPPORTED, "an adapter of version %.20s, this program reads " VERSION,
          version ? version : "?");
    model_hash_print(hash, codec->hash);
    merged = base && strcmp(base, hash) != 0 && model_hash_parse(made_for, base) && audio_codec_knows_hash(codec, made_for);
    CHECK(!merged, err, RSD_ERR_MODEL,
          "made for model %.40s with hash %.16s, and this is that one with an adapter in it already (hash %s); give --model the file that "
          "it was trained on",
          name ? name : "?", base, hash);
    CHECK(base && strcmp(base, hash) == 0, err, RSD_ERR_MODEL,
          "made for model %.40s with hash %.16s, and this is %s with hash %s; give --model the file that it was trained on",
          name ? name : "?", base ? base : "?", codec->config.name, hash);
    for (size_t i = 0; i < safetensors_count(st); i++)
        CHECK(strncmp(safetensors_entry(st, i)->name, "encoder.", 8) != 0, err, RSD_ERR_UNSUPPORTED,
              "%.60s adds to the encoder, whose latents would no longer fit the codes: only adapters of decoders keep streams valid",
              safetensors_entry(st, i)->name);
fail:
    return status;
}

RsdStatus adapter_apply(AudioCodec *codec, const char *path, RsdError *err)
{
    Safetensors *st = NULL;
    Arena *arena = NULL;
    Sum sum = {0};
    RsdStatus status = RSD_OK;

    TRY(safetensors_open(&st, path, err));
    status = check_network(codec, err);
    if (status == RSD_OK)
        status = check_file(codec, st, err);
    if (status != RSD_OK)
        return safetensors_close(&st), error_prefix(err, status, "%s", path);
    TRY(arena_create(&arena, 0, err));
    for (int pass = 0; pass < 2; pass++) {
        sum = (Sum){.file = st, .arena = arena, .apply = pass == 1};
        status = seanet_visit_decoder(codec->net, sum_layer, &sum, err);
        if (status == RSD_OK && sum.n_used != safetensors_count(st))
            status = error_set(err, RSD_ERR_CORRUPT, "%zu of its %zu arrays belong to no layer of the decoder of %s",
                               safetensors_count(st) - sum.n_used, safetensors_count(st), codec->config.name);
        if (status != RSD_OK)
            error_prefix(err, status, "%s", path);
        TRY(status);
    }
    TRY(audio_codec_freeze(codec, err));
fail:
    arena_destroy(&arena);
    safetensors_close(&st);
    return status;
}

RsdStatus adapter_merge(AudioCodec *codec, const char *path, RsdError *err)
{
    ModelBases bases;
    RsdStatus status = RSD_OK;

    TRY(model_bases_follow(&bases, &codec->bases, codec->hash, codec->config.name, err));
    TRY(adapter_apply(codec, path, err));
    codec->bases = bases;
    memset(codec->hash, 0, sizeof codec->hash);
fail:
    return status;
}
