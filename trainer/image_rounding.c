/* image_rounding.c - moments of what the record of a tape says that each matrix gets.
 *
 * SPDX-License-Identifier: MIT
 */
#include "trainer/image_rounding.h"

#include <math.h>
#include <string.h>

#include "engine/base/mem.h"
#include "engine/kernels/gemm.h"
#include "engine/kernels/integer.h"
#include "engine/kernels/kernels.h"
#include "models/image_prior.h"
#include "models/row_rounding.h"

#define N_BATCHES 16 /* of crops */
#define PLACES 144   /* of a crop, evenly spread, whose inputs are noted */

/* A matrix whose rows are rounded. */
typedef struct Target {
    const char *name;
    Tensor *weight, *bias; /* the bias as the record names it */
    int64_t n_in;
    bool as_integers;                /* of the prior; otherwise bytes with a scale for each row */
    double *moments;                 /* [n_in + 1, n_in + 1] */
    float *kept_weight, *kept_bias;  /* while the state has rounded ones */
} Target;

struct ImageRounding {
    ImageStep *step;
    Pictures *pictures;
    bool has_bytes;
    Target *targets; /* NULL until they are looked for */
    size_t n_targets;
    int64_t noted_at; /* the step whose moments the targets have; -1: none */
};

RsdStatus image_rounding_create(ImageRounding **out, ImageStep *step, Pictures *pictures, bool has_bytes, RsdError *err)
{
    RsdStatus status = mem_calloc(out, 1, sizeof **out, err);

    if (status == RSD_OK)
        **out = (ImageRounding){.step = step, .pictures = pictures, .has_bytes = has_bytes, .noted_at = -1};
    return status;
}

void image_rounding_destroy(ImageRounding **rounding)
{
    for (size_t i = 0; *rounding && (*rounding)->targets && i < (*rounding)->n_targets; i++) {
        mem_free(&(*rounding)->targets[i].moments);
        mem_free(&(*rounding)->targets[i].kept_weight);
        mem_free(&(*rounding)->targets[i].kept_bias);
    }
    if (*rounding)
        mem_free(&(*rounding)->targets);
    mem_free(rounding);
}

/* ---- which matrices ---- */

static bool is_of_prior(const char *name)
{
    return strcmp(name, "prior.mix.weight") == 0 || strcmp(name, "prior.out.weight") == 0;
}

static RsdStatus find_targets(ImageRounding *rounding, const ParamSet *params, RsdError *err)
{
    RsdStatus status = RSD_OK;

    if (rounding->targets)
        return RSD_OK;
    TRY(mem_calloc(&rounding->targets, params->n_items, sizeof *rounding->targets, err));
    for (size_t i = 0; i < params->n_items; i++) {
        const Param *param = &params->items[i];
        Target *target = &rounding->targets[rounding->n_targets];
        size_t n;

        if (!is_of_prior(param->name) &&
            (!rounding->has_bytes || strncmp(param->name, "prior.", 6) == 0 || !params_is_stored_as_bytes(param)))
            continue;
        *target = (Target){.name = param->name,
                           .weight = param->tensor,
                           .n_in = tensor_count(param->tensor) / param->tensor->shape[0],
                           .as_integers = is_of_prior(param->name)};
        n = (size_t)target->n_in + 1;
        TRY(mem_calloc(&target->moments, n * n, sizeof *target->moments, err));
        rounding->n_targets++;
    }
fail:
    return status;
}

/* ---- moments ---- */

/* What the taps of a place see: [c, k, k], zeros beyond the picture, and 1. Columns of `to` are `apart`. */
static void take_inputs(const float *x, int64_t c, int64_t h, int64_t n, int64_t k, int64_t place, float *to, int64_t apart)
{
    const int64_t line = place / n - k / 2, column = place % n - k / 2;

    for (int64_t i = 0; i < c * k * k; i++, to += apart) {
        const int64_t at = line + i / k % k, across = column + i % k;

        *to = at >= 0 && at < h && across >= 0 && across < n ? x[(i / (k * k) * h + at) * n + across] : 0.0f;
    }
    *to = 1.0f;
}

static RsdStatus add_moments(Tape *tape, Target *target, const Tensor *x, RsdError *err)
{
    const int64_t h = x->shape[2], width = x->shape[3], k = target->weight->shape[3], n = target->n_in + 1;
    const int64_t of_picture = h * width < PLACES ? h * width : PLACES, columns = x->shape[0] * of_picture;
    const ArenaMark mark = arena_mark(tape->arena);
    float *inputs, *products;
    RsdStatus status = RSD_OK;

    TRY(arena_alloc(tape->arena, &inputs, (size_t)(n * columns), sizeof *inputs, err));
    TRY(arena_alloc(tape->arena, &products, (size_t)(n * n), sizeof *products, err));
    for (int64_t i = 0; i < columns; i++)
        take_inputs(x->data + i / of_picture * x->shape[1] * h * width, x->shape[1], h, width, k,
                    (2 * (i % of_picture) + 1) * h * width / (2 * of_picture), inputs + i, columns);
    tape->kernels->gemm->product(&(GemmJob){.transpose_b = true, .symmetric = true, .m = n, .n = n, .k = columns, .a = inputs,
                                            .lda = columns, .b = inputs, .ldb = columns, .c = products, .ldc = n});
    for (int64_t i = 0; i < n * n; i++)
        target->moments[i] += (double)products[i];
fail:
    arena_rewind(tape->arena, mark);
    return status;
}

/* The record has the inputs of each convolution: x, weight, bias. */
static RsdStatus note_record(ImageRounding *rounding, RsdError *err)
{
    Tape *tape = rounding->step->tape;
    RsdStatus status = RSD_OK;

    for (Node *node = tape->last; node; node = node->previous)
        for (size_t i = 0; node->n_inputs == 3 && i < rounding->n_targets; i++) {
            Target *target = &rounding->targets[i];

            if (node->in[1] != target->weight)
                continue;
            target->bias = node->in[2];
            TRY(add_moments(tape, target, node->in[0], err));
        }
fail:
    return status;
}

/* Of the crops of a step, each at a level of its own. */
static RsdStatus note_batch(ImageRounding *rounding, const ImageCodec *codec, int batch, float *crops, int *levels, RsdError *err)
{
    const TrainConfig *cfg = rounding->step->config;
    const int64_t n = cfg->data.batch, side = cfg->picture.crop;
    const PriorOptions options = {.rounding = ROUND_COINCIDE};
    Tape *tape = rounding->step->tape;
    PriorResult prior;
    Tensor *x, *y, *z;
    RsdStatus status = RSD_OK;

    for (int64_t i = 0; i < n; i++) {
        TRY(pictures_crop(rounding->pictures, (uint64_t)batch, (uint32_t)i, crops + i * 3 * side * side, err));
        levels[i] = 16 * (int)((batch + i) % IMAGE_LEVELS);
    }
    tape_reset(tape);
    TRY(tape_input(tape, &x, 4, (int64_t[]){n, 3, side, side}, crops, err));
    TRY(image_codec_analyse(tape, codec, x, &y, err));
    TRY(image_codec_scale(tape, codec, levels, y, &y, err));
    TRY(image_codec_hyper(tape, codec, y, &z, err));
    TRY(image_prior_estimate(tape, codec, levels, y, z, &options, &prior, err));
    TRY(image_codec_synthesise(tape, codec, levels, prior.y_hat, &x, err));
    TRY(note_record(rounding, err));
fail:
    return status;
}

static RsdStatus note_crops(ImageRounding *rounding, const ImageCodec *codec, RsdError *err)
{
    const TrainConfig *cfg = rounding->step->config;
    const size_t n = (size_t)cfg->data.batch, side = (size_t)cfg->picture.crop;
    Tape *tape = rounding->step->tape;
    const ChainPolicy chain = tape->chain;
    float *crops = NULL;
    int *levels = NULL;
    RsdStatus status = RSD_OK;

    tape->recording = true;
    tape->chain = CHAIN_ALL;
    for (size_t i = 0; i < rounding->n_targets; i++)
        memset(rounding->targets[i].moments, 0,
               (size_t)((rounding->targets[i].n_in + 1) * (rounding->targets[i].n_in + 1)) * sizeof(double));
    TRY(mem_alloc(&crops, n * 3 * side * side, sizeof *crops, err));
    TRY(mem_alloc(&levels, n, sizeof *levels, err));
    for (int i = 0; i < N_BATCHES; i++)
        TRY(note_batch(rounding, codec, i, crops, levels, err));
fail:
    tape_reset(tape);
    tape->recording = false;
    tape->chain = chain;
    mem_free(&levels);
    mem_free(&crops);
    return status;
}

/* ---- rounding ---- */

static RsdStatus copy_of(float **copy, const Tensor *tensor, RsdError *err)
{
    const RsdStatus status = mem_alloc(copy, (size_t)tensor_count(tensor), sizeof(float), err);

    if (status == RSD_OK)
        memcpy(*copy, tensor->data, (size_t)tensor_count(tensor) * sizeof(float));
    return status;
}

static double greatest(const float *w, int64_t n)
{
    double most = 0.0;

    for (int64_t i = 0; i < n; i++)
        most = fmax(most, fabs((double)w[i]));
    return most;
}

/* As integer_net_make and safetensors_writer_bytes have them. */
static bool find_scales(const Target *target, double *scale, int16_t *mult)
{
    const int64_t n_out = target->weight->shape[0];
    int shift;

    if (target->as_integers && !integer_scales(target->weight->data, n_out, target->n_in, mult, &shift))
        return false;
    for (int64_t o = 0; o < n_out; o++)
        scale[o] = target->as_integers ? ldexp((double)mult[o], -shift)
                                       : (double)((float)greatest(target->weight->data + o * target->n_in, target->n_in) / 127.0f);
    return true;
}

static RsdStatus round_target(Target *target, RsdError *err)
{
    const size_t n_out = (size_t)target->weight->shape[0];
    double *scale = NULL;
    int16_t *mult = NULL;
    RsdStatus status = RSD_OK;

    TRY(mem_alloc(&scale, n_out, sizeof *scale, err));
    TRY(mem_alloc(&mult, n_out, sizeof *mult, err));
    CHECK(find_scales(target, scale, mult), err, RSD_ERR_NUMERIC, "%s: not finite, or too large for 8 bits", target->name);
    TRY(copy_of(&target->kept_weight, target->weight, err));
    if (target->bias)
        TRY(copy_of(&target->kept_bias, target->bias, err));
    TRY(row_rounding_run(&(RowRounding){target->weight->data, target->bias ? target->bias->data : NULL, scale, (int64_t)n_out, target->n_in,
                                        target->moments},
                         err));
fail:
    mem_free(&mult);
    mem_free(&scale);
    return status;
}

static void put_back(float **copy, Tensor *tensor)
{
    if (*copy)
        memcpy(tensor->data, *copy, (size_t)tensor_count(tensor) * sizeof(float));
    mem_free(copy);
}

void image_rounding_undo(ImageRounding *rounding)
{
    for (size_t i = 0; i < rounding->n_targets; i++) {
        put_back(&rounding->targets[i].kept_weight, rounding->targets[i].weight);
        put_back(&rounding->targets[i].kept_bias, rounding->targets[i].bias);
    }
}

/* Adapters have files of their own, and what trains nothing but heads changes no matrix. */
static bool is_wanted(const TrainConfig *cfg)
{
    return cfg->picture.model.quantizer == IMAGE_SCALAR && cfg->train.frozen != FROZEN_ALL_BUT_HEADS && cfg->train.adapter_rank == 0;
}

RsdStatus image_rounding_apply(ImageRounding *rounding, TrainState *state, Dtype stored_as, RsdError *err)
{
    const TrainConfig *cfg = rounding->step->config;
    RsdStatus status = RSD_OK;

    if (!is_wanted(cfg))
        return RSD_OK;
    TRY(find_targets(rounding, state->params, err));
    if (rounding->noted_at != state->step) {
        rounding->noted_at = -1;
        TRY(note_crops(rounding, state->image, err));
        rounding->noted_at = state->step;
    }
    for (size_t i = 0; i < rounding->n_targets; i++)
        if (rounding->targets[i].as_integers || stored_as == DTYPE_I8)
            TRY(round_target(&rounding->targets[i], err));
    return RSD_OK;
fail:
    image_rounding_undo(rounding);
    return status;
}
