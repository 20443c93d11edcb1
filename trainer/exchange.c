/* exchange.c - three ways to send less of a gradient, and the choice of how much of each layer.
 *
 * SPDX-License-Identifier: MIT
 */
#include "trainer/exchange.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/mem.h"
#include "engine/base/rng.h"
#include "engine/kernels/gemm.h"
#include "engine/kernels/point.h"

#define BLOCK 4096            /* numbers that share a scale */
#define N_LEVELS 5            /* of a layer: keep times 1/4, 1/2, 1, 2, 4; ranks the same way */
#define USUAL_LEVEL 2
#define CHOICE_EVERY 50       /* steps between choices of levels, from the second step on: the first knows no directions yet */
#define FIRST_SAMPLE 3000     /* of RNG_INIT */
#define LEAST_LENGTH 1e-20

/* The largest numbers of a layer on their way. */
typedef struct Pick {
    uint32_t at;
    float value;
} Pick;

typedef struct Layer {
    Tensor *tensor;
    int64_t count, rows, columns;
    bool whole;  /* sent as it is */
    float *held; /* [count] */
    float *q;    /* [columns, max_rank] */
    int level, max_rank;
    double size[N_LEVELS], error[N_LEVELS]; /* bytes, and energy held back */
} Layer;

struct Exchange {
    ExchangeConfig config;
    const Kernels *kernels;
    Group *group;
    int n_layers;
    Layer *layers;
    int64_t n_steps;
    float *room;   /* [largest layer] */
    float *p;      /* [most rows, EXCHANGE_MAX_RANK] */
    char *message; /* what this member sends, */
    char *messages; /* and what all do; grown when there is a group */
    size_t message_size, messages_size;
    int64_t n_held, n_directions; /* numbers of all layers' held, and of their q */
    float *collected;             /* [n_members, n_held]; NULL: nothing was */
    float *directions, *levels;   /* [n_directions], [n_layers]: with it */
};

/* ---- life ---- */

static double times_of(int level)
{
    return ldexp(1.0, level - USUAL_LEVEL);
}

static int64_t picks_of(const Exchange *x, const Layer *layer, int level)
{
    int64_t k = (int64_t)ceil((double)x->config.keep * times_of(level) * (double)layer->count);

    return k < 1 ? 1 : k > layer->count ? layer->count : k;
}

static int rank_of(const Exchange *x, const Layer *layer, int level)
{
    int r = (int)ceil((double)x->config.rank * times_of(level));

    return r > layer->max_rank ? layer->max_rank : r;
}

static double bytes_of(const Exchange *x, const Layer *layer, int level)
{
    if (layer->whole)
        return 4.0 * (double)layer->count;
    if (x->config.kind == EXCHANGE_TOP)
        return (double)sizeof(Pick) * (double)picks_of(x, layer, level);
    if (x->config.kind == EXCHANGE_LOW_RANK)
        return 4.0 * rank_of(x, layer, level) * (double)(layer->rows + layer->columns);
    return (double)layer->count + 4.0 * (double)((layer->count + BLOCK - 1) / BLOCK);
}

static RsdStatus open_layer(Exchange *x, Layer *layer, Tensor *tensor, uint64_t seed, RsdError *err)
{
    Rng rng = rng_at(seed, RNG_INIT, 2, FIRST_SAMPLE + (uint32_t)(layer - x->layers));
    RsdStatus status = RSD_OK;

    *layer = (Layer){.tensor = tensor, .count = tensor_count(tensor), .rows = tensor->shape[0], .level = USUAL_LEVEL};
    layer->columns = layer->count / layer->rows;
    layer->max_rank = (int)fmin(EXCHANGE_MAX_RANK, fmin(4.0 * x->config.rank, fmin((double)layer->rows, (double)layer->columns)));
    layer->whole = tensor->n_dims < 2 || layer->rows < 2 || layer->columns < 2;
    if (!layer->whole && bytes_of(x, layer, USUAL_LEVEL) >= 4.0 * (double)layer->count)
        layer->whole = true;
    if (layer->whole)
        return RSD_OK;
    TRY(mem_calloc(&layer->held, (size_t)layer->count, sizeof(float), err));
    if (x->config.kind == EXCHANGE_LOW_RANK) {
        TRY(mem_alloc(&layer->q, (size_t)(layer->columns * layer->max_rank), sizeof(float), err));
        for (int64_t i = 0; i < layer->columns * layer->max_rank; i++)
            layer->q[i] = rng_normal(&rng);
    }
fail:
    return status;
}

RsdStatus exchange_create(Exchange **out, const ExchangeConfig *config, const ParamSet *params, Group *group, uint64_t seed,
                          RsdError *err)
{
    Exchange *x = NULL;
    int64_t largest = 1, most_rows = 1;
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(mem_calloc(&x, 1, sizeof *x, err));
    x->config = *config;
    x->kernels = kernels_pick();
    x->group = group;
    TRY(mem_calloc(&x->layers, params->n_items + 1, sizeof *x->layers, err));
    for (size_t i = 0; i < params->n_items; i++) {
        if (!params->items[i].trainable)
            continue;
        TRY(open_layer(x, &x->layers[x->n_layers], params->items[i].tensor, seed, err));
        x->n_held += x->layers[x->n_layers].held ? x->layers[x->n_layers].count : 0;
        x->n_directions += x->layers[x->n_layers].q ? x->layers[x->n_layers].columns * x->layers[x->n_layers].max_rank : 0;
        largest = x->layers[x->n_layers].count > largest ? x->layers[x->n_layers].count : largest;
        most_rows = x->layers[x->n_layers].rows > most_rows ? x->layers[x->n_layers].rows : most_rows;
        x->n_layers++;
    }
    TRY(mem_alloc(&x->room, (size_t)largest, sizeof(float), err));
    TRY(mem_alloc(&x->p, (size_t)(most_rows * EXCHANGE_MAX_RANK), sizeof(float), err));
    x->message_size = (size_t)largest * sizeof(Pick) + BLOCK;
    TRY(mem_alloc(&x->message, x->message_size, 1, err));
    *out = x;
    return RSD_OK;
fail:
    exchange_destroy(&x);
    return status;
}

void exchange_destroy(Exchange **exchange)
{
    if (!*exchange)
        return;
    for (int i = 0; (*exchange)->layers && i < (*exchange)->n_layers; i++) {
        mem_free(&(*exchange)->layers[i].held);
        mem_free(&(*exchange)->layers[i].q);
    }
    exchange_forget(*exchange);
    mem_free(&(*exchange)->layers);
    mem_free(&(*exchange)->room);
    mem_free(&(*exchange)->p);
    mem_free(&(*exchange)->message);
    mem_free(&(*exchange)->messages);
    mem_free(exchange);
}

/* ---- the largest numbers ---- */

/* Larger first, then the earlier: one order for any sort. */
static int larger_first(const void *a, const void *b)
{
    const Pick *x = a, *y = b;
    float size_x = fabsf(x->value), size_y = fabsf(y->value);

    return size_x != size_y ? (size_x < size_y ? 1 : -1) : (x->at > y->at) - (x->at < y->at);
}

/* held = a. Picks the k largest into the message and takes them out of held; the errors of all levels on the way. */
static void send_top(Exchange *x, Layer *layer)
{
    const int64_t k = picks_of(x, layer, layer->level);
    const size_t size = (size_t)k * sizeof(Pick);
    Pick *picks = (Pick *)x->message;
    float *sum = layer->tensor->grad;
    double left = 0.0;
    int level = N_LEVELS - 1;

    for (int64_t i = 0; i < layer->count; i++)
        picks[i] = (Pick){(uint32_t)i, layer->held[i]};
    qsort(picks, (size_t)layer->count, sizeof *picks, larger_first);
    for (int64_t i = layer->count; i >= 0; i--) { /* from the smallest up: what each level would leave */
        while (level >= 0 && picks_of(x, layer, level) >= i)
            layer->error[level--] = left;
        if (i > 0)
            left += (double)picks[i - 1].value * (double)picks[i - 1].value;
    }
    for (int64_t i = 0; i < k; i++)
        layer->held[picks[i].at] = 0.0f;
    group_gather(x->group, picks, size, x->messages);
    memset(sum, 0, (size_t)layer->count * sizeof *sum);
    for (int64_t i = 0; i < k * group_size(x->group); i++)
        sum[((const Pick *)x->messages)[i].at] += ((const Pick *)x->messages)[i].value;
}

/* ---- low rank ---- */

/* Columns of p [rows, r] become orthonormal, one after the other (Gram-Schmidt, in double). */
static void orthonormalise(float *p, int64_t rows, int r)
{
    for (int j = 0; j < r; j++) {
        double length = 0.0;

        for (int pass = 0; pass < 2; pass++) /* once more, for what rounding left */
            for (int k = 0; k < j; k++) {
                double dot = 0.0;

                for (int64_t i = 0; i < rows; i++)
                    dot += (double)p[i * r + k] * (double)p[i * r + j];
                for (int64_t i = 0; i < rows; i++)
                    p[i * r + j] -= (float)dot * p[i * r + k];
            }
        for (int64_t i = 0; i < rows; i++)
            length += (double)p[i * r + j] * (double)p[i * r + j];
        length = length > LEAST_LENGTH * LEAST_LENGTH ? 1.0 / sqrt(length) : 0.0;
        for (int64_t i = 0; i < rows; i++)
            p[i * r + j] *= (float)length;
    }
}

/* p [rows, r] = a q for the layer's a = held and q, whose rows are max_rank apart */
static void multiply(const Exchange *x, const Layer *layer, float *p, int r)
{
    x->kernels->gemm->product(&(GemmJob){.m = layer->rows, .n = r, .k = layer->columns, .a = layer->held, .lda = layer->columns,
                                         .b = layer->q, .ldb = layer->max_rank, .c = p, .ldc = r});
}

/* q [columns, r] = a^T p */
static void project(const Exchange *x, const Layer *layer, const float *p, float *q, int r)
{
    x->kernels->gemm->product(&(GemmJob){.transpose_a = true, .m = layer->columns, .n = r, .k = layer->rows, .a = layer->held,
                                         .lda = layer->columns, .b = p, .ldb = r, .c = q, .ldc = r});
}

/* m [rows, columns] = p q^T */
static void expand(const Exchange *x, const Layer *layer, const float *p, const float *q, float *m, int r)
{
    x->kernels->gemm->product(&(GemmJob){.transpose_b = true, .m = layer->rows, .n = layer->columns, .k = r, .a = p, .lda = r, .b = q,
                                         .ldb = r, .c = m, .ldc = layer->columns});
}

/* held = a. Between choices the first r columns of q are the state; at a choice all of max_rank are sent, which tells what each level
 * would leave. */
static void send_low_rank(Exchange *x, Layer *layer, bool choosing)
{
    float *sum = layer->tensor->grad;
    const int64_t rows = layer->rows, columns = layer->columns;
    const int r = choosing ? layer->max_rank : rank_of(x, layer, layer->level);
    double energy = 0.0;

    multiply(x, layer, x->p, r);
    group_sum_f32(x->group, x->p, (size_t)(rows * r));
    orthonormalise(x->p, rows, r);
    for (int64_t i = 0; i < layer->count; i++)
        energy += (double)layer->held[i] * (double)layer->held[i];
    project(x, layer, x->p, x->room, r);
    for (int level = 0; choosing && level < N_LEVELS; level++) {
        double told = 0.0;

        for (int64_t j = 0; j < columns; j++)
            for (int k = 0; k < rank_of(x, layer, level); k++)
                told += (double)x->room[j * r + k] * (double)x->room[j * r + k];
        layer->error[level] = fmax(energy - told, 0.0);
    }
    expand(x, layer, x->p, x->room, sum, r);
    x->kernels->point->pair(PAIR_SUB, layer->held, sum, false, layer->held, layer->count);
    group_sum_f32(x->group, x->room, (size_t)(columns * r));
    for (int64_t j = 0; j < columns; j++)
        memcpy(layer->q + j * layer->max_rank, x->room + j * r, (size_t)r * sizeof(float));
    expand(x, layer, x->p, x->room, sum, r);
}

/* ---- bytes ---- */

static void send_bytes(Exchange *x, Layer *layer)
{
    const int64_t n_blocks = (layer->count + BLOCK - 1) / BLOCK;
    const size_t size = (size_t)n_blocks * sizeof(float) + (size_t)layer->count;
    float *scales = (float *)x->message, *sum = layer->tensor->grad;
    int8_t *numbers = (int8_t *)(scales + n_blocks);

    for (int64_t b = 0; b < n_blocks; b++) {
        const int64_t end = (b + 1) * BLOCK < layer->count ? (b + 1) * BLOCK : layer->count;
        float largest = 0.0f;

        for (int64_t i = b * BLOCK; i < end; i++)
            largest = fmaxf(largest, fabsf(layer->held[i]));
        scales[b] = largest / 127.0f;
        for (int64_t i = b * BLOCK; i < end; i++) {
            numbers[i] = (int8_t)(scales[b] > 0.0f ? lrintf(layer->held[i] / scales[b]) : 0);
            layer->held[i] -= (float)numbers[i] * scales[b];
        }
    }
    group_gather(x->group, x->message, size, x->messages);
    memset(sum, 0, (size_t)layer->count * sizeof *sum);
    for (int r = 0; r < group_size(x->group); r++) {
        const char *message = x->messages + (size_t)r * size;
        const int8_t *theirs = (const int8_t *)(message + (size_t)n_blocks * sizeof(float));
        float scale = 0.0f;

        for (int64_t i = 0; i < layer->count; i++) {
            if (i % BLOCK == 0)
                memcpy(&scale, message + (size_t)(i / BLOCK) * sizeof scale, sizeof scale);
            sum[i] += (float)theirs[i] * scale;
        }
    }
}

/* ---- how much of each layer ---- */

/* Levels that cost least at this price of an error; returns the error of all. */
static double choose_at(Exchange *x, double price)
{
    double error = 0.0;

    for (int i = 0; i < x->n_layers; i++) {
        Layer *layer = &x->layers[i];

        for (int level = 0; level < N_LEVELS && !layer->whole; level++)
            if (level == 0 || layer->size[level] + price * layer->error[level] <
                                  layer->size[layer->level] + price * layer->error[layer->level])
                layer->level = level;
        error += layer->whole ? 0.0 : layer->error[layer->level];
    }
    return error;
}

/* The cheapest levels with no more error than the usual one everywhere: the price is found by halving, on a scale of powers of 2. All
 * members have the same sums and so the same levels. */
static void choose_levels(Exchange *x)
{
    double allowed = 0.0, low = -100.0, high = 100.0;

    for (int i = 0; i < x->n_layers; i++) {
        Layer *layer = &x->layers[i];

        if (layer->whole)
            continue;
        group_sum_f64(x->group, layer->error, N_LEVELS);
        for (int level = 0; level < N_LEVELS; level++)
            layer->size[level] = bytes_of(x, layer, level);
        allowed += layer->error[USUAL_LEVEL];
    }
    for (int i = 0; i < 60; i++) {
        double middle = 0.5 * (low + high);

        if (choose_at(x, exp2(middle)) > allowed)
            low = middle;
        else
            high = middle;
    }
    choose_at(x, exp2(high));
}

/* ---- a step ---- */

static bool all_finite(const Exchange *x)
{
    double n_bad = 0.0;

    for (int i = 0; i < x->n_layers && n_bad == 0.0; i++)
        for (int64_t k = 0; k < x->layers[i].count; k++)
            n_bad += !isfinite(x->layers[i].tensor->grad[k]);
    group_sum_f64(x->group, &n_bad, 1);
    return n_bad == 0.0;
}

static RsdStatus make_room(Exchange *x)
{
    const size_t needed = x->message_size * (size_t)group_size(x->group);
    RsdStatus status = RSD_OK;

    if (x->messages_size >= needed)
        return RSD_OK;
    mem_free(&x->messages);
    x->messages_size = 0;
    status = mem_alloc(&x->messages, needed, 1, NULL);
    if (status == RSD_OK)
        x->messages_size = needed;
    return status;
}

/* Whether no member says that it failed. */
static bool all_well(Exchange *x, bool here)
{
    double n_failed = !here;

    group_sum_f64(x->group, &n_failed, 1);
    return n_failed == 0.0;
}

void exchange_sum(Exchange *x, ExchangeReport *report)
{
    const bool choosing = x->config.adaptive && x->config.kind != EXCHANGE_BYTES && x->n_steps % CHOICE_EVERY == 1;
    double energies[2] = {0.0, 0.0};
    bool compress;

    memset(report, 0, sizeof *report);
    compress = all_well(x, make_room(x) == RSD_OK) && all_finite(x);
    for (int i = 0; i < x->n_layers; i++) {
        Layer *layer = &x->layers[i];

        report->whole += 4.0 * (double)layer->count;
        if (layer->whole || !compress) {
            group_sum_f32(x->group, layer->tensor->grad, (size_t)layer->count);
            report->sent += 4.0 * (double)layer->count;
            continue;
        }
        for (int64_t k = 0; k < layer->count; k++) {
            layer->held[k] += layer->tensor->grad[k];
            energies[0] += (double)layer->held[k] * (double)layer->held[k];
        }
        report->sent += choosing && x->config.kind == EXCHANGE_LOW_RANK ? 4.0 * layer->max_rank * (double)(layer->rows + layer->columns)
                                                                        : bytes_of(x, layer, layer->level);
        if (x->config.kind == EXCHANGE_TOP)
            send_top(x, layer);
        else if (x->config.kind == EXCHANGE_LOW_RANK)
            send_low_rank(x, layer, choosing);
        else
            send_bytes(x, layer);
        for (int64_t k = 0; k < layer->count; k++)
            energies[1] += (double)layer->held[k] * (double)layer->held[k];
    }
    if (compress && choosing)
        choose_levels(x);
    x->n_steps += compress;
    group_sum_f64(x->group, energies, 2);
    report->error = energies[0] > 0.0 ? energies[1] / energies[0] : 0.0;
}

/* ---- checkpoints ---- */

void exchange_forget(Exchange *x)
{
    mem_free(&x->collected);
    mem_free(&x->directions);
    mem_free(&x->levels);
}

/* All layers one after the other: to `held`, `directions` and `levels`, or back from there. */
static void copy_state(Exchange *x, float *held, float *directions, float *levels, bool back)
{
    for (int i = 0; i < x->n_layers; i++) {
        Layer *layer = &x->layers[i];
        const size_t n_held = layer->held ? (size_t)layer->count : 0, n_q = layer->q ? (size_t)(layer->columns * layer->max_rank) : 0;

        if (n_held)
            memcpy(back ? layer->held : held, back ? held : layer->held, n_held * sizeof *held);
        if (n_q)
            memcpy(back ? layer->q : directions, back ? directions : layer->q, n_q * sizeof *directions);
        if (back)
            layer->level = (int)levels[i];
        else
            levels[i] = (float)layer->level;
        held += n_held;
        directions += n_q;
    }
}

/* Room for the state, one number more than there is: arrays may be empty. */
static RsdStatus take_room(const Exchange *x, int64_t n_members, float **held, float **directions, float **levels, RsdError *err)
{
    RsdStatus status = RSD_OK;

    TRY(mem_calloc(held, (size_t)(n_members * x->n_held + 1), sizeof **held, err));
    TRY(mem_calloc(directions, (size_t)(x->n_directions + 1), sizeof **directions, err));
    TRY(mem_calloc(levels, (size_t)(x->n_layers + 1), sizeof **levels, err));
fail:
    return status;
}

RsdStatus exchange_collect(Exchange *x, RsdError *err)
{
    const int64_t n_members = group_size(x->group);
    float *mine;
    RsdStatus status;

    exchange_forget(x);
    status = take_room(x, n_members, &x->collected, &x->directions, &x->levels, err);
    if (!all_well(x, status == RSD_OK)) {
        exchange_forget(x);
        return status != RSD_OK ? status : error_set(err, RSD_ERR_MEMORY, "another process has no memory for what was held back");
    }
    mine = x->collected + group_rank(x->group) * x->n_held;
    copy_state(x, mine, x->directions, x->levels, false);
    group_sum_f32(x->group, x->collected, (size_t)(n_members * x->n_held)); /* zeros but for one's own */
    return RSD_OK;
}

RsdStatus exchange_save(const Exchange *x, SafetensorsWriter *writer, RsdError *err)
{
    const int64_t held_shape[2] = {group_size(x->group), x->n_held}, n_layers = x->n_layers;
    char text[32];
    RsdStatus status = RSD_OK;

    if (!x->collected)
        return RSD_OK;
    snprintf(text, sizeof text, "%" PRId64, x->n_steps);
    TRY(safetensors_writer_metadata(writer, "exchange.steps", text, err));
    TRY(safetensors_writer_f32(writer, "exchange.held", 2, held_shape, x->collected, DTYPE_F32, err));
    TRY(safetensors_writer_f32(writer, "exchange.directions", 1, &x->n_directions, x->directions, DTYPE_F32, err));
    TRY(safetensors_writer_f32(writer, "exchange.levels", 1, &n_layers, x->levels, DTYPE_F32, err));
fail:
    return status;
}

RsdStatus exchange_load(Exchange *x, const Safetensors *st, bool *found, RsdError *err)
{
    const SafetensorsEntry *held = safetensors_find(st, "exchange.held"), *directions = safetensors_find(st, "exchange.directions"),
                           *levels = safetensors_find(st, "exchange.levels");
    const char *steps = safetensors_metadata(st, "exchange.steps");
    const int64_t n_members = group_size(x->group);
    float *all = NULL, *q = NULL, *chosen = NULL;
    RsdStatus status = RSD_OK;

    *found = false;
    if (!held || !directions || !levels || !steps || held->size != (size_t)(n_members * x->n_held) * sizeof(float) ||
        directions->size != (size_t)x->n_directions * sizeof(float) || levels->size != (size_t)x->n_layers * sizeof(float))
        return RSD_OK;
    TRY(take_room(x, n_members, &all, &q, &chosen, err));
    TRY(safetensors_read_f32(st, held, all, n_members * x->n_held, err));
    TRY(safetensors_read_f32(st, directions, q, x->n_directions, err));
    TRY(safetensors_read_f32(st, levels, chosen, x->n_layers, err));
    for (int i = 0; i < x->n_layers; i++)
        CHECK(chosen[i] >= 0.0f && chosen[i] < N_LEVELS, err, RSD_ERR_CORRUPT, "exchange.levels: %g, expected 0 to %d", (double)chosen[i],
              N_LEVELS - 1);
    copy_state(x, all + group_rank(x->group) * x->n_held, q, chosen, true);
    x->n_steps = strtoll(steps, NULL, 10);
    *found = true;
fail:
    mem_free(&all);
    mem_free(&q);
    mem_free(&chosen);
    return status;
}
