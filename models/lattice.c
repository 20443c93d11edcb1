/* lattice.c - rounding to fixed levels, and the numbers of the codes.
 *
 * SPDX-License-Identifier: MIT
 */
#include "models/lattice.h"

#include <math.h>
#include <string.h>

#include "engine/ops/activation.h"
#include "engine/ops/arithmetic.h"
#include "engine/ops/reduce.h"

#define MAX_CODES 65536
#define ROOM 1e-3          /* tanh reaches the outer levels: audio.md 6.6 */
#define ENERGY_FLOOR 1e-12f
#define PROBABILITY_FLOOR 1e-7f

RsdStatus lattice_check_config(const LatticeConfig *config, RsdError *err)
{
    int64_t n = 1;
    RsdStatus status = RSD_OK;

    CHECK(config->dim >= 1 && config->dim <= LATTICE_MAX_DIM, err, RSD_ERR_ARG,
          "a lattice of %d channels; 1 to %d are possible", config->dim, LATTICE_MAX_DIM);
    for (int i = 0; i < config->dim; i++) {
        int levels = config->kind == LATTICE_BSQ ? 2 : config->levels[i];

        CHECK(levels <= MAX_CODES && (levels >= 3 || config->kind == LATTICE_BSQ), err, RSD_ERR_ARG,
              "channel %d of a lattice has %d levels; 3 to %d are possible", i, levels, MAX_CODES);
        n *= levels;
        CHECK(n <= MAX_CODES, err, RSD_ERR_ARG, "a lattice of more than %d codes", MAX_CODES);
    }
fail:
    return status;
}

static int levels_of(const LatticeConfig *config, int channel)
{
    return config->kind == LATTICE_BSQ ? 2 : config->levels[channel];
}

int lattice_n_codes(const LatticeConfig *config)
{
    int n = 1;

    for (int i = 0; i < config->dim; i++)
        n *= levels_of(config, i);
    return n;
}

/* Value of level k of a channel. */
static float level_value(const LatticeConfig *config, int channel, int k)
{
    int half = levels_of(config, channel) / 2;

    if (config->kind == LATTICE_BSQ)
        return (k ? 1.0f : -1.0f) / sqrtf((float)config->dim);
    return (float)(k - half) / (float)half;
}

/* ---- before rounding ---- */

static double half_width(int levels)
{
    return (levels - 1) * (1.0 + ROOM) / 2.0;
}

static RsdStatus bound_fsq(Tape *tape, const LatticeConfig *config, Tensor *z, Tensor **y, RsdError *err)
{
    float shift[LATTICE_MAX_DIM], width[LATTICE_MAX_DIM], offset[LATTICE_MAX_DIM];
    const int64_t dim = config->dim;
    Tensor *s, *h, *o, *b;
    RsdStatus status = RSD_OK;

    for (int i = 0; i < config->dim; i++) {
        double even = config->levels[i] % 2 == 0 ? 0.5 : 0.0;

        width[i] = (float)half_width(config->levels[i]);
        offset[i] = (float)even;
        shift[i] = (float)atanh(even / half_width(config->levels[i]));
    }
    TRY(tape_input(tape, &s, 1, &dim, shift, err));
    TRY(tape_input(tape, &h, 1, &dim, width, err));
    TRY(tape_input(tape, &o, 1, &dim, offset, err));
    TRY(op_add(tape, z, s, &b, err));
    TRY(op_tanh(tape, b, &b, err));
    TRY(op_mul(tape, b, h, &b, err));
    TRY(op_sub(tape, b, o, y, err));
fail:
    return status;
}

static RsdStatus on_sphere(Tape *tape, Tensor *z, Tensor **y, RsdError *err)
{
    Tensor *size;
    RsdStatus status = RSD_OK;

    TRY(op_square(tape, z, &size, err));
    TRY(op_sum_axis(tape, size, 1, &size, err));
    TRY(op_sqrt(tape, size, ENERGY_FLOOR, &size, err));
    TRY(op_div(tape, z, size, y, err));
fail:
    return status;
}

/* ---- rounding ---- */

typedef struct Rounding {
    const float *scale; /* [dim]: of the gradient */
    int64_t dim, frames;
} Rounding;

static RsdStatus straight_through(Tape *tape, Node *node, RsdError *err)
{
    const Rounding *saved = node->saved;
    const int64_t count = tensor_count(node->out);
    float *dx;
    bool add;
    RsdStatus status = tape_grad(tape, node->in[0], &dx, &add, err);

    if (status != RSD_OK || !dx)
        return status;
    for (int64_t i = 0; i < count; i++)
        dx[i] = (add ? dx[i] : 0.0f) + node->out->grad[i] * saved->scale[i / saved->frames % saved->dim];
    return RSD_OK;
}

static int nearest_level(const LatticeConfig *config, int channel, float bounded)
{
    int levels = levels_of(config, channel), k;

    if (config->kind == LATTICE_BSQ)
        return bounded > 0.0f;
    k = (int)rintf(bounded) + levels / 2;
    return k < 0 ? 0 : k >= levels ? levels - 1 : k;
}

/* Levels of all places into zq and, mixed-radix with channel 0 fastest, into codes. */
static void round_all(const LatticeConfig *config, const Tensor *bounded, Tensor *zq, uint16_t *codes)
{
    const int64_t batch = zq->shape[0], frames = zq->shape[2];

    for (int64_t b = 0; b < batch; b++)
        for (int64_t t = 0; t < frames; t++) {
            int code = 0, radix = 1;

            for (int i = 0; i < config->dim; i++) {
                int64_t at = (b * config->dim + i) * frames + t;
                int k = nearest_level(config, i, bounded->data[at]);

                zq->data[at] = level_value(config, i, k);
                code += radix * k;
                radix *= levels_of(config, i);
            }
            if (codes)
                codes[b * frames + t] = (uint16_t)code;
        }
}

static RsdStatus check_input(const LatticeConfig *config, const Tensor *z, RsdError *err)
{
    char text[SHAPE_TEXT_SIZE];
    int64_t count = tensor_count(z);
    RsdStatus status = RSD_OK;

    TRY(lattice_check_config(config, err));
    CHECK(z->n_dims == 3 && z->shape[1] == config->dim, err, RSD_ERR_ARG, "a lattice of %d channels got %s", config->dim,
          shape_text(text, z->n_dims, z->shape));
    for (int64_t i = 0; i < count; i++)
        CHECK(isfinite(z->data[i]), err, RSD_ERR_NUMERIC, "the quantiser's input has values that are not finite");
fail:
    return status;
}

RsdStatus lattice_quantize(Tape *tape, const LatticeConfig *config, Tensor *z, Tensor **zq, uint16_t *codes, RsdError *err)
{
    Tensor *bounded, *result;
    Rounding *saved;
    float *scale;
    RsdStatus status = RSD_OK;

    *zq = NULL;
    TRY(check_input(config, z, err));
    TRY(config->kind == LATTICE_BSQ ? on_sphere(tape, z, &bounded, err) : bound_fsq(tape, config, z, &bounded, err));
    TRY(tape_tensor(tape, &result, z->n_dims, z->shape, err));
    round_all(config, bounded, result, codes);
    TRY(arena_alloc(tape->arena, &saved, 1, sizeof *saved, err));
    TRY(arena_alloc(tape->arena, &scale, (size_t)config->dim, sizeof *scale, err));
    for (int i = 0; i < config->dim; i++) /* BSQ's zq is as long as u */
        scale[i] = config->kind == LATTICE_BSQ ? 1.0f : 1.0f / (float)(config->levels[i] / 2);
    *saved = (Rounding){scale, config->dim, z->shape[2]};
    TRY(tape_record(tape, straight_through, result, 1, &bounded, saved, err));
    *zq = result;
fail:
    return status;
}

RsdStatus lattice_bound(Tape *tape, const LatticeConfig *config, Tensor *z, Tensor **bounded, RsdError *err)
{
    const int64_t dim = config->dim;
    float scale[LATTICE_MAX_DIM];
    Tensor *units;
    RsdStatus status = RSD_OK;

    TRY(check_input(config, z, err));
    if (config->kind == LATTICE_BSQ)
        return on_sphere(tape, z, bounded, err);
    for (int i = 0; i < config->dim; i++)
        scale[i] = 1.0f / (float)(config->levels[i] / 2);
    TRY(bound_fsq(tape, config, z, bounded, err));
    TRY(tape_input(tape, &units, 1, &dim, scale, err));
    TRY(op_mul(tape, *bounded, units, bounded, err));
fail:
    return status;
}

void lattice_values(const LatticeConfig *config, int code, float *zq)
{
    for (int i = 0; i < config->dim; i++) {
        zq[i] = level_value(config, i, code % levels_of(config, i));
        code /= levels_of(config, i);
    }
}

RsdStatus lattice_decode(Tape *tape, const LatticeConfig *config, const uint16_t *codes, int64_t batch, int64_t frames,
                         Tensor **zq, RsdError *err)
{
    const int n_codes = lattice_n_codes(config);
    Tensor *result;
    RsdStatus status = RSD_OK;

    *zq = NULL;
    TRY(tape_tensor(tape, &result, 3, (const int64_t[]){batch, config->dim, frames}, err));
    for (int64_t b = 0; b < batch; b++)
        for (int64_t t = 0; t < frames; t++) {
            int code = codes[b * frames + t];

            CHECK(code < n_codes, err, RSD_ERR_CORRUPT, "code %d of frame %lld; there are %d", code, (long long)t, n_codes);
            for (int i = 0; i < config->dim; i++) {
                result->data[(b * config->dim + i) * frames + t] = level_value(config, i, code % levels_of(config, i));
                code /= levels_of(config, i);
            }
        }
    *zq = result;
fail:
    return status;
}

/* ---- BSQ's regulariser ---- */

/* -p ln p - (1 - p) ln (1 - p) */
static RsdStatus binary_entropy(Tape *tape, Tensor *p, Tensor **y, RsdError *err)
{
    Tensor *q, *a, *b;
    RsdStatus status = RSD_OK;

    TRY(op_affine(tape, p, -1.0f, 1.0f, &q, err));
    TRY(op_log(tape, p, PROBABILITY_FLOOR, &a, err));
    TRY(op_mul(tape, a, p, &a, err));
    TRY(op_log(tape, q, PROBABILITY_FLOOR, &b, err));
    TRY(op_mul(tape, b, q, &b, err));
    TRY(op_add(tape, a, b, &a, err));
    TRY(op_scale(tape, a, -1.0f, y, err));
fail:
    return status;
}

/* y has the value of the mean of the group's x, and x its gradient. */
static RsdStatus mean_of_group(Tape *tape, Tensor *x, Group *group, Tensor **y, RsdError *err)
{
    const int64_t n = tensor_count(x);
    float *mean;
    Tensor *to_mean;
    RsdStatus status = RSD_OK;

    *y = x;
    if (group_size(group) == 1)
        return RSD_OK;
    TRY(arena_alloc(tape->arena, &mean, (size_t)n, sizeof *mean, err));
    memcpy(mean, x->data, (size_t)n * sizeof *mean);
    group_sum_f32(group, mean, (size_t)n);
    for (int64_t i = 0; i < n; i++)
        mean[i] = mean[i] / (float)group_size(group) - x->data[i];
    TRY(tape_input(tape, &to_mean, x->n_dims, x->shape, mean, err));
    TRY(op_add(tape, x, to_mean, y, err));
fail:
    return status;
}

RsdStatus lattice_entropy_loss(Tape *tape, const LatticeConfig *config, Tensor *z, float sharpness, Group *group, Tensor **value,
                               RsdError *err)
{
    Tensor *p, *mean_p, *of_each, *of_mean;
    RsdStatus status = RSD_OK;

    *value = NULL;
    CHECK(config->kind == LATTICE_BSQ, err, RSD_ERR_ARG, "the entropy loss is for binary spherical quantisation");
    TRY(check_input(config, z, err));
    TRY(on_sphere(tape, z, &p, err));
    TRY(op_scale(tape, p, sharpness, &p, err));
    TRY(op_sigmoid(tape, p, &p, err));
    TRY(op_mean_axis(tape, p, 2, &mean_p, err));
    TRY(op_mean_axis(tape, mean_p, 0, &mean_p, err));
    TRY(mean_of_group(tape, mean_p, group, &mean_p, err));
    TRY(binary_entropy(tape, p, &of_each, err));
    TRY(op_mean(tape, of_each, &of_each, err));
    TRY(binary_entropy(tape, mean_p, &of_mean, err));
    TRY(op_mean(tape, of_mean, &of_mean, err));
    TRY(op_sub(tape, of_each, of_mean, value, err));
fail:
    return status;
}
