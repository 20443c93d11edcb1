/* image_prior_integer.c - the prior as a decoder runs it: made from float weights, written, read, and turned back.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/arena.h"
#include "engine/base/mem.h"
#include "engine/kernels/latent.h"
#include "models/image_net.h"
#include "models/integer_net.h"
#include "models/image_prior.h"

#define Z_TABLE_TOTAL 65536
#define Z_CANDIDATES (2 * IMAGE_Z_LIMIT + 1)
#define Z_LEAST 1e-30f

void integer_prior_destroy(IntegerPrior **prior)
{
    if (!*prior)
        return;
    arena_destroy(&(*prior)->memory.arena);
    mem_free(prior);
}

/* ---- from float ---- */

/* The stretch of at most IMAGE_Z_SYMBOLS candidates that holds the most, without ends that would hold nothing. */
static void pick_stretch(const double *p, int *first, int *n)
{
    double best = -1.0;

    *first = 0;
    for (int i = 0; i + IMAGE_Z_SYMBOLS <= Z_CANDIDATES; i++) {
        double sum = 0.0;

        for (int k = 0; k < IMAGE_Z_SYMBOLS; k++)
            sum += p[i + k];
        if (sum > best) {
            best = sum;
            *first = i;
        }
    }
    *n = IMAGE_Z_SYMBOLS;
    while (*n > 1 && p[*first] * Z_TABLE_TOTAL < 1.0) {
        ++*first;
        --*n;
    }
    while (*n > 1 && p[*first + *n - 1] * Z_TABLE_TOTAL < 1.0)
        --*n;
}

static int32_t table_weight(double p)
{
    const double weight = round(p * Z_TABLE_TOTAL);

    return weight < 1.0 ? 1 : weight > Z_TABLE_TOTAL ? Z_TABLE_TOTAL : (int32_t)weight;
}

static void make_table(PriorTables *tables, int64_t channel, const float *weights)
{
    float values[Z_CANDIDATES], bits[Z_CANDIDATES];
    double p[Z_CANDIDATES], rest = 1.0;
    int32_t *weight = tables->weight + channel * (IMAGE_Z_SYMBOLS + 1);
    int first, n;

    for (int i = 0; i < Z_CANDIDATES; i++)
        values[i] = (float)(i - IMAGE_Z_LIMIT);
    latent_ref.factorised_bits(weights, values, Z_LEAST, bits, Z_CANDIDATES);
    for (int i = 0; i < Z_CANDIDATES; i++)
        p[i] = exp2(-(double)bits[i]);
    pick_stretch(p, &first, &n);
    memset(weight, 0, (IMAGE_Z_SYMBOLS + 1) * sizeof *weight);
    for (int i = 0; i < n; i++) {
        weight[i] = table_weight(p[first + i]);
        rest -= p[first + i];
    }
    weight[n] = table_weight(rest);
    tables->lowest[channel] = (int16_t)(first - IMAGE_Z_LIMIT);
    tables->n[channel] = (int16_t)n;
}

static RsdStatus take_tables(PriorTables *tables, int64_t channels, Arena *arena, RsdError *err)
{
    RsdStatus status = RSD_OK;

    TRY(arena_alloc(arena, &tables->lowest, (size_t)channels, sizeof *tables->lowest, err));
    TRY(arena_alloc(arena, &tables->n, (size_t)channels, sizeof *tables->n, err));
    TRY(arena_alloc(arena, &tables->weight, (size_t)channels * (IMAGE_Z_SYMBOLS + 1), sizeof *tables->weight, err));
fail:
    return status;
}

static RsdStatus make_tables(PriorTables *tables, const Tensor *z_weights, Arena *arena, RsdError *err)
{
    RsdStatus status = RSD_OK;

    for (int64_t i = 0; i < tensor_count(z_weights); i++)
        CHECK(isfinite(z_weights->data[i]), err, RSD_ERR_NUMERIC, "prior.z: a weight is not finite");
    TRY(take_tables(tables, z_weights->shape[0], arena, err));
    for (int64_t c = 0; c < z_weights->shape[0]; c++)
        make_table(tables, c, z_weights->data + c * FACTORISED_WEIGHTS);
fail:
    return status;
}

static RsdStatus copy_scales(PriorTables *tables, const int16_t *weights, Arena *arena, RsdError *err)
{
    const size_t n = (size_t)IMAGE_SCALE_TABLES * IMAGE_SCALE_WEIGHTS;
    RsdStatus status = RSD_OK;

    if (!weights)
        return RSD_OK;
    TRY(arena_alloc(arena, &tables->scale, n, sizeof *tables->scale, err));
    memcpy(tables->scale, weights, n * sizeof *weights);
fail:
    return status;
}

RsdStatus integer_prior_create(IntegerPrior **out, const ImageCodec *codec, RsdError *err)
{
    const ImageNet *net = codec->net;
    IntegerPrior *prior = NULL;
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(mem_calloc(&prior, 1, sizeof *prior, err));
    TRY(arena_create(&prior->memory.arena, 0, err));
    for (int i = 0; i < PRIOR_N_LAYERS; i++)
        TRY(integer_net_make(&prior->layers[i], &net->prior[i], image_prior_layer_has_relu((PriorLayer)i), prior->memory.arena, err));
    TRY(integer_table_make(&prior->level_bias, "prior.level_bias", net->level_bias, prior->memory.arena, err));
    TRY(make_tables(&prior->tables, net->z_weights, prior->memory.arena, err));
    TRY(copy_scales(&prior->tables, codec->scale_weights, prior->memory.arena, err));
    prior->memory.filled = arena_mark(prior->memory.arena);
    *out = prior;
    return RSD_OK;
fail:
    integer_prior_destroy(&prior);
    return status;
}

/* ---- to float ---- */

void integer_prior_to_float(const IntegerPrior *prior, ImageCodec *codec)
{
    ImageNet *net = codec->net;

    for (int l = 0; l < PRIOR_N_LAYERS; l++)
        integer_net_to_float(&prior->layers[l], &net->prior[l]);
    for (int64_t i = 0; i < tensor_count(net->level_bias); i++)
        net->level_bias->data[i] = (float)prior->level_bias[i] / PRIOR_UNIT;
}

/* ---- files ---- */

#define N_ARRAYS 5 /* beside those of the layers */
#define SCALES 4   /* the one that may be missing */

static void list_arrays(IntegerArray list[N_ARRAYS], const IntegerPrior *prior, const ImageCodecConfig *cfg)
{
    list[0] = integer_array("prior.level_bias_q", "", DTYPE_I16, 2, IMAGE_LEVELS, cfg->latent, prior->level_bias);
    list[1] = integer_array("prior.z_lowest", "", DTYPE_I16, 1, cfg->hyper, 0, prior->tables.lowest);
    list[2] = integer_array("prior.z_n", "", DTYPE_I16, 1, cfg->hyper, 0, prior->tables.n);
    list[3] = integer_array("prior.z_weight", "", DTYPE_I32, 2, cfg->hyper, IMAGE_Z_SYMBOLS + 1, prior->tables.weight);
    list[SCALES] = integer_array("prior.scale_weight", "", DTYPE_I16, 2, IMAGE_SCALE_TABLES, IMAGE_SCALE_WEIGHTS, prior->tables.scale);
}

RsdStatus integer_prior_save(const IntegerPrior *prior, const ImageCodecConfig *cfg, SafetensorsWriter *writer, RsdError *err)
{
    Arena *arena = prior->memory.arena;
    IntegerArray list[N_ARRAYS];
    RsdStatus status = RSD_OK;

    arena_rewind(arena, prior->memory.filled);
    for (int i = 0; i < PRIOR_N_LAYERS; i++)
        TRY(integer_net_write(PRIOR_LAYER_NAMES[i], &prior->layers[i], arena, writer, err));
    list_arrays(list, prior, cfg);
    for (int i = 0; i < N_ARRAYS; i++)
        if (list[i].data)
            TRY(integer_array_write(&list[i], arena, writer, err));
fail:
    return status;
}

static RsdStatus check_tables(const PriorTables *tables, int64_t channels, RsdError *err)
{
    RsdStatus status = RSD_OK;

    for (int64_t c = 0; c < channels; c++) {
        const int32_t *weight = tables->weight + c * (IMAGE_Z_SYMBOLS + 1);

        CHECK(tables->n[c] >= 1 && tables->n[c] <= IMAGE_Z_SYMBOLS && tables->lowest[c] >= -IMAGE_Z_LIMIT &&
                  tables->lowest[c] + tables->n[c] - 1 <= IMAGE_Z_LIMIT,
              err, RSD_ERR_CORRUPT, "prior.z_n, prior.z_lowest: %d values from %d on in channel %lld", tables->n[c],
              tables->lowest[c], (long long)c);
        for (int i = 0; i <= tables->n[c]; i++)
            CHECK(weight[i] >= 1 && weight[i] <= Z_TABLE_TOTAL, err, RSD_ERR_CORRUPT,
                  "prior.z_weight: %d in channel %lld, expected 1 to %d", weight[i], (long long)c, Z_TABLE_TOTAL);
    }
fail:
    return status;
}

static RsdStatus check_scales(const int16_t *scale, RsdError *err)
{
    RsdStatus status = RSD_OK;

    for (int i = 0; i < IMAGE_SCALE_TABLES; i++, scale += IMAGE_SCALE_WEIGHTS) {
        const int least = i == 0 ? 0 : 1;

        for (int k = 0; k < IMAGE_SCALE_WEIGHTS; k++)
            CHECK(scale[k] >= (k == 0 || k == IMAGE_SCALE_WEIGHTS - 1 ? least : 0) && (i > 0 || scale[k] == 0), err, RSD_ERR_CORRUPT,
                  "prior.scale_weight: %d in row %d, column %d", scale[k], i, k);
    }
fail:
    return status;
}

RsdStatus integer_prior_load(IntegerPrior **out, const ImageCodecConfig *cfg, const Safetensors *st, RsdError *err)
{
    ImageNet net;
    IntegerPrior *prior = NULL;
    IntegerArray list[N_ARRAYS];
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(mem_calloc(&prior, 1, sizeof *prior, err));
    TRY(arena_create(&prior->memory.arena, 0, err));
    image_net_describe(&net, cfg);
    for (int i = 0; i < PRIOR_N_LAYERS; i++) {
        prior->layers[i] = integer_net_sizes(&net.prior[i], image_prior_layer_has_relu((PriorLayer)i));
        TRY(integer_net_read(PRIOR_LAYER_NAMES[i], &prior->layers[i], st, prior->memory.arena, err));
    }
    list_arrays(list, prior, cfg);
    for (int i = 0; i < N_ARRAYS; i++)
        if (i != SCALES || safetensors_find(st, list[i].name))
            TRY(integer_array_read(&list[i], st, prior->memory.arena, err));
    prior->level_bias = list[0].data;
    prior->tables = (PriorTables){list[1].data, list[2].data, list[3].data, list[SCALES].data};
    TRY(integer_table_check("prior.level_bias_q", prior->level_bias, (int64_t)IMAGE_LEVELS * cfg->latent, err));
    TRY(check_tables(&prior->tables, cfg->hyper, err));
    if (prior->tables.scale)
        TRY(check_scales(prior->tables.scale, err));
    prior->memory.filled = arena_mark(prior->memory.arena);
    *out = prior;
    return RSD_OK;
fail:
    integer_prior_destroy(&prior);
    return status;
}
