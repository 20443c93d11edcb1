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
#include "models/image_prior.h"

#define NAME_SIZE (LAYER_NAME_SIZE + 16)
#define Z_TABLE_TOTAL 65536
#define Z_CANDIDATES (2 * IMAGE_Z_LIMIT + 1)
#define Z_LEAST 1e-30f

/* An IntegerPrior with the memory of its arrays. */
typedef struct OwnedPrior {
    IntegerPrior prior; /* first: a pointer to it is one to the whole */
    Arena *arena;
} OwnedPrior;

static IntegerLayer sizes_of(const Conv2dLayer *layer, PriorLayer which)
{
    return (IntegerLayer){.n_out = layer->c_out,
                          .n_in = layer->depthwise ? layer->kernel * layer->kernel : layer->c_in,
                          .low = image_prior_layer_has_relu(which) ? 0 : -INTEGER_MAX};
}

static RsdStatus open_prior(OwnedPrior **out, RsdError *err)
{
    OwnedPrior *owned = NULL;
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(mem_calloc(&owned, 1, sizeof *owned, err));
    TRY(arena_create(&owned->arena, 0, err));
    *out = owned;
    return RSD_OK;
fail:
    mem_free(&owned);
    return status;
}

void integer_prior_destroy(IntegerPrior **prior)
{
    OwnedPrior *owned = (OwnedPrior *)*prior;

    if (!owned)
        return;
    arena_destroy(&owned->arena);
    mem_free(&owned);
    *prior = NULL;
}

/* ---- from float ---- */

static RsdStatus make_layer(IntegerLayer *made, const Conv2dLayer *layer, PriorLayer which, Arena *arena, RsdError *err)
{
    IntegerLayer to = sizes_of(layer, which);
    int8_t *weight;
    int16_t *mult;
    int32_t *bias;
    RsdStatus status = RSD_OK;

    TRY(arena_alloc(arena, &weight, (size_t)(to.n_out * to.n_in), sizeof *weight, err));
    TRY(arena_alloc(arena, &mult, (size_t)to.n_out, sizeof *mult, err));
    TRY(arena_alloc(arena, &bias, (size_t)to.n_out, sizeof *bias, err));
    CHECK(integer_scales(layer->weight->data, to.n_out, to.n_in, mult, &to.shift), err, RSD_ERR_NUMERIC,
          "%s: weights are not finite, or too large for 8 bits", layer->name);
    for (int64_t o = 0; o < to.n_out; o++) {
        const double b = round(ldexp((double)layer->bias->data[o] * PRIOR_UNIT, to.shift) / mult[o]);

        CHECK(fabs(b) <= INT32_MAX, err, RSD_ERR_NUMERIC, "%s: the bias %g of output %lld is too large", layer->name,
              (double)layer->bias->data[o], (long long)o);
        bias[o] = (int32_t)b;
        for (int64_t i = o * to.n_in; i < (o + 1) * to.n_in; i++)
            weight[i] = integer_weight(layer->weight->data[i], mult[o], to.shift);
    }
    to.weight = weight;
    to.mult = mult;
    to.bias = bias;
    CHECK(integer_layer_fits(&to), err, RSD_ERR_NUMERIC, "%s: sums of the integer form would overflow", layer->name);
    *made = to;
fail:
    return status;
}

static RsdStatus make_level_bias(const int16_t **made, const Tensor *level_bias, Arena *arena, RsdError *err)
{
    const int64_t n = tensor_count(level_bias);
    int16_t *bias;
    RsdStatus status = RSD_OK;

    TRY(arena_alloc(arena, &bias, (size_t)n, sizeof *bias, err));
    for (int64_t i = 0; i < n; i++) {
        const double b = round((double)level_bias->data[i] * PRIOR_UNIT);

        CHECK(fabs(b) <= INTEGER_MAX, err, RSD_ERR_NUMERIC, "prior.level_bias: %g is too large",
              (double)level_bias->data[i]);
        bias[i] = (int16_t)b;
    }
    *made = bias;
fail:
    return status;
}

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

RsdStatus integer_prior_create(IntegerPrior **out, const ImageCodec *codec, RsdError *err)
{
    const ImageNet *net = codec->net;
    OwnedPrior *owned;
    IntegerPrior *prior = NULL;
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(open_prior(&owned, err));
    prior = &owned->prior;
    for (int i = 0; i < PRIOR_N_LAYERS; i++)
        TRY(make_layer(&prior->layers[i], &net->prior[i], (PriorLayer)i, owned->arena, err));
    TRY(make_level_bias(&prior->level_bias, net->level_bias, owned->arena, err));
    TRY(make_tables(&prior->tables, net->z_weights, owned->arena, err));
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

    for (int l = 0; l < PRIOR_N_LAYERS; l++) {
        const IntegerLayer *from = &prior->layers[l];

        for (int64_t o = 0; o < from->n_out; o++) {
            const double scale = ldexp((double)from->mult[o], -from->shift);

            net->prior[l].bias->data[o] = (float)(from->bias[o] * scale / PRIOR_UNIT);
            for (int64_t i = o * from->n_in; i < (o + 1) * from->n_in; i++)
                net->prior[l].weight->data[i] = (float)(from->weight[i] * scale);
        }
    }
    for (int64_t i = 0; i < tensor_count(net->level_bias); i++)
        net->level_bias->data[i] = (float)prior->level_bias[i] / PRIOR_UNIT;
}

/* ---- files ---- */

/* One array of a file: its name, type, shape and where it is in memory. */
typedef struct Array {
    char name[NAME_SIZE];
    Dtype dtype;
    int n_dims;
    int64_t shape[2];
    void *data;
} Array;

#define ARRAYS_PER_LAYER 4
#define N_ARRAYS (PRIOR_N_LAYERS * ARRAYS_PER_LAYER + 4)

static Array array_of(const char *prefix, const char *suffix, Dtype dtype, int n_dims, int64_t rows, int64_t columns,
                      const void *data)
{
    Array array = {.dtype = dtype, .n_dims = n_dims, .shape = {rows, columns}, .data = (void *)(uintptr_t)data};

    snprintf(array.name, sizeof array.name, "%s%s", prefix, suffix);
    return array;
}

static void list_arrays(Array list[N_ARRAYS], const IntegerPrior *prior, const ImageCodecConfig *cfg, const int32_t *shift)
{
    int n = 0;

    for (int i = 0; i < PRIOR_N_LAYERS; i++) {
        const IntegerLayer *layer = &prior->layers[i];
        const char *name = PRIOR_LAYER_NAMES[i];

        list[n++] = array_of(name, ".weight_q", DTYPE_I8, 2, layer->n_out, layer->n_in, layer->weight);
        list[n++] = array_of(name, ".bias_q", DTYPE_I32, 1, layer->n_out, 0, layer->bias);
        list[n++] = array_of(name, ".mult", DTYPE_I16, 1, layer->n_out, 0, layer->mult);
        list[n++] = array_of(name, ".shift", DTYPE_I32, 1, 1, 0, &shift[i]);
    }
    list[n++] = array_of("prior.level_bias_q", "", DTYPE_I16, 2, IMAGE_LEVELS, cfg->latent, prior->level_bias);
    list[n++] = array_of("prior.z_lowest", "", DTYPE_I16, 1, cfg->hyper, 0, prior->tables.lowest);
    list[n++] = array_of("prior.z_n", "", DTYPE_I16, 1, cfg->hyper, 0, prior->tables.n);
    list[n++] = array_of("prior.z_weight", "", DTYPE_I32, 2, cfg->hyper, IMAGE_Z_SYMBOLS + 1, prior->tables.weight);
}

/* Swaps the bytes of numbers in files, which are little-endian, on machines that are not. */
static void to_file_order(void *data, size_t size, int64_t n)
{
    const uint16_t probe = 1;
    unsigned char *bytes = data;

    if (*(const unsigned char *)&probe == 1 || size == 1)
        return;
    for (int64_t i = 0; i < n; i++, bytes += size)
        for (size_t k = 0; k < size / 2; k++) {
            const unsigned char byte = bytes[k];

            bytes[k] = bytes[size - 1 - k];
            bytes[size - 1 - k] = byte;
        }
}

static int64_t count_of(const Array *array)
{
    return array->shape[0] * (array->n_dims == 2 ? array->shape[1] : 1);
}

RsdStatus integer_prior_save(const IntegerPrior *prior, const ImageCodecConfig *cfg, SafetensorsWriter *writer, RsdError *err)
{
    OwnedPrior *owned = (OwnedPrior *)(uintptr_t)prior;
    Array list[N_ARRAYS];
    int32_t *shift;
    RsdStatus status = RSD_OK;

    TRY(arena_alloc(owned->arena, &shift, PRIOR_N_LAYERS, sizeof *shift, err));
    for (int i = 0; i < PRIOR_N_LAYERS; i++)
        shift[i] = prior->layers[i].shift;
    list_arrays(list, prior, cfg, shift);
    for (int i = 0; i < N_ARRAYS; i++) {
        const size_t size = dtype_size(list[i].dtype), n = (size_t)count_of(&list[i]);
        void *copy;

        TRY(arena_alloc(owned->arena, &copy, n, size, err));
        memcpy(copy, list[i].data, n * size);
        to_file_order(copy, size, (int64_t)n);
        TRY(safetensors_writer_raw(writer, list[i].name, list[i].dtype, list[i].n_dims, list[i].shape, copy, err));
    }
fail:
    return status;
}

/* Finds an array in the file and copies it. */
static RsdStatus read_array(Array *array, const Safetensors *st, Arena *arena, RsdError *err)
{
    const SafetensorsEntry *entry = safetensors_find(st, array->name);
    const size_t n = (size_t)count_of(array), size = dtype_size(array->dtype);
    char found[SHAPE_TEXT_SIZE], expected[SHAPE_TEXT_SIZE];
    RsdStatus status = RSD_OK;

    CHECK(entry, err, RSD_ERR_CORRUPT, "%s is missing", array->name);
    CHECK(entry->dtype == array->dtype && entry->n_dims == array->n_dims &&
              memcmp(entry->shape, array->shape, (size_t)array->n_dims * sizeof *array->shape) == 0 &&
              entry->size == n * size,
          err, RSD_ERR_CORRUPT, "%s is %s %s, expected %s %s", array->name, dtype_name(entry->dtype),
          shape_text(found, entry->n_dims, entry->shape), dtype_name(array->dtype),
          shape_text(expected, array->n_dims, array->shape));
    TRY(arena_alloc(arena, &array->data, n, size, err));
    memcpy(array->data, entry->data, n * size);
    to_file_order(array->data, size, (int64_t)n);
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

RsdStatus integer_prior_load(IntegerPrior **out, const ImageCodecConfig *cfg, const Safetensors *st, RsdError *err)
{
    ImageNet net;
    OwnedPrior *owned;
    IntegerPrior *prior = NULL;
    Array list[N_ARRAYS];
    const int32_t no_shift[PRIOR_N_LAYERS] = {0};
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(open_prior(&owned, err));
    prior = &owned->prior;
    image_net_describe(&net, cfg);
    for (int i = 0; i < PRIOR_N_LAYERS; i++)
        prior->layers[i] = sizes_of(&net.prior[i], (PriorLayer)i);
    list_arrays(list, prior, cfg, no_shift);
    for (int i = 0; i < N_ARRAYS; i++)
        TRY(read_array(&list[i], st, owned->arena, err));
    for (int i = 0; i < PRIOR_N_LAYERS; i++) {
        const Array *of = &list[i * ARRAYS_PER_LAYER];
        IntegerLayer *layer = &prior->layers[i];

        layer->weight = of[0].data;
        layer->bias = of[1].data;
        layer->mult = of[2].data;
        layer->shift = *(const int32_t *)of[3].data;
        CHECK(integer_layer_fits(layer), err, RSD_ERR_CORRUPT,
              "%s: its numbers are not those of an integer layer, or its sums could overflow", PRIOR_LAYER_NAMES[i]);
    }
    prior->level_bias = list[N_ARRAYS - 4].data;
    prior->tables = (PriorTables){list[N_ARRAYS - 3].data, list[N_ARRAYS - 2].data, list[N_ARRAYS - 1].data};
    for (int64_t i = 0; i < (int64_t)IMAGE_LEVELS * cfg->latent; i++)
        CHECK(prior->level_bias[i] >= -INTEGER_MAX && prior->level_bias[i] <= INTEGER_MAX, err, RSD_ERR_CORRUPT,
              "prior.level_bias_q: %d, expected -%d to %d", prior->level_bias[i], INTEGER_MAX, INTEGER_MAX);
    TRY(check_tables(&prior->tables, cfg->hyper, err));
    *out = prior;
    return RSD_OK;
fail:
    integer_prior_destroy(&prior);
    return status;
}
