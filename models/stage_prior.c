/* stage_prior.c - the network behind the codes of each stage in float, and the order of codes.
 *
 * SPDX-License-Identifier: MIT
 */
#include "models/stage_prior.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/mem.h"
#include "engine/kernels/kernels.h"
#include "engine/kernels/point.h"
#include "engine/ops/activation.h"
#include "engine/ops/arithmetic.h"
#include "engine/ops/checkerboard.h"
#include "engine/ops/quantise.h"
#include "engine/ops/reduce.h"
#include "models/image_net.h"
#include "models/integer_net.h"

#define MOST_LOGIT ((STAGE_TABLES / 2 - 1) / (float)STAGE_STEPS)
#define LEAST_LOGIT (-STAGE_TABLES / 2 / (float)STAGE_STEPS)
#define POWER_STEPS 50 /* of the search for the longest axis */

const char *const STAGE_LAYER_NAMES[STAGE_N_LAYERS] = {"in", "context", "mix1", "mix2", "out"};

bool stage_layer_has_relu(StageLayer layer)
{
    return layer == STAGE_IN || layer == STAGE_MIX_1 || layer == STAGE_MIX_2;
}

/* ---- what is known ---- */

/* Codes of one stage at work. */
typedef struct Stage {
    const float *embed;    /* [K, D] */
    const uint16_t *codes; /* of the first picture */
    int64_t pitch;         /* codes from picture to picture */
    int64_t batch, dim, h, w;
} Stage;

static float rounded_code(float v)
{
    const float u = floorf(v * INTEGER_UNIT + 0.5f) / INTEGER_UNIT;

    return fminf(fmaxf(u, -INTEGER_LIMIT), INTEGER_LIMIT);
}

/* Codes at the places of a colour into channels dim .. 2 dim - 1 of known [batch, 2 dim, h, w]; or, all of them, added to the first. */
static void put_codes(const Stage *s, float *known, bool to_sum)
{
    const int64_t area = s->h * s->w;

    for (int64_t b = 0; b < s->batch; b++)
        for (int64_t at = 0; at < area; at++) {
            const float *code = s->embed + (int64_t)s->codes[b * s->pitch + at] * s->dim;
            const bool is_anchor = (at / s->w + at % s->w) % 2 == 0;

            for (int64_t d = 0; d < s->dim; d++) {
                float *to = known + (b * 2 * s->dim + d + (to_sum ? 0 : s->dim)) * area + at;

                *to = to_sum ? *to + rounded_code(code[d]) : is_anchor ? rounded_code(code[d]) : 0.0f;
            }
        }
}

/* ---- bits ---- */

/* For each node on the way to a code -1 where its bit is 1, 1 where it is 0; 0 for all other nodes. signs [batch, K - 1, h, ceil(w / 2)],
 * packed as op_checkerboard_pack does. */
static void mark_ways(const Stage *s, int64_t n_codes, bool odd, float *signs)
{
    const int64_t columns = (s->w + 1) / 2, n = s->h * columns;

    memset(signs, 0, (size_t)(s->batch * (n_codes - 1) * n) * sizeof *signs);
    for (int64_t b = 0; b < s->batch; b++)
        for (int64_t row = 0; row < s->h; row++)
            for (int64_t i = 0; i < columns; i++) {
                const int64_t col = 2 * i + (row + odd) % 2;

                if (col >= s->w)
                    continue;
                for (int64_t leaf = n_codes + s->codes[b * s->pitch + row * s->w + col]; leaf > 1; leaf /= 2)
                    signs[(b * (n_codes - 1) + leaf / 2 - 1) * n + row * columns + i] = leaf % 2 ? -1.0f : 1.0f;
            }
}

/* sum over nodes of |sign| log2(1 + e^(sign logit)) */
static RsdStatus bits_of_ways(Tape *tape, Tensor *logits, Tensor *signs, Tensor **bits, RsdError *err)
{
    Tensor *h, *is_on_way;
    RsdStatus status = RSD_OK;

    TRY(op_mul(tape, logits, signs, &h, err));
    TRY(op_softplus(tape, h, &h, err));
    TRY(op_abs(tape, signs, &is_on_way, err));
    TRY(op_mul(tape, h, is_on_way, &h, err));
    TRY(op_sum(tape, h, &h, err));
    TRY(op_scale(tape, h, (float)(1.0 / log(2.0)), bits, err));
fail:
    return status;
}

static RsdStatus run_layer(Tape *tape, const Conv2dLayer *layers, StageLayer which, bool rounded, Tensor *x, Tensor **y, RsdError *err)
{
    return integer_net_run(tape, &layers[which], (IntegerForm){.relu = stage_layer_has_relu(which), .rounded = rounded}, x, y, err);
}

/* known [batch, 2 D, h, w] -> logits of a colour, packed. */
static RsdStatus run_network(Tape *tape, const Conv2dLayer *layers, Tensor *known, bool odd, bool rounded, Tensor **logits,
                             float *max_activation, RsdError *err)
{
    Tensor *h, *mixed;
    float largest;
    RsdStatus status = RSD_OK;

    TRY(run_layer(tape, layers, STAGE_IN, rounded, known, &h, err));
    TRY(run_layer(tape, layers, STAGE_CONTEXT, rounded, h, &h, err));
    TRY(op_checkerboard_pack(tape, h, odd, &h, err));
    for (int i = 0; i < 2; i++) {
        TRY(run_layer(tape, layers, i ? STAGE_MIX_2 : STAGE_MIX_1, rounded, h, &mixed, err));
        TRY(integer_net_add(tape, h, mixed, &h, err));
    }
    TRY(run_layer(tape, layers, STAGE_OUT, rounded, h, &h, err));
    largest = tape->kernels->point->max_abs(h->data, tensor_count(h));
    if (largest > *max_activation)
        *max_activation = largest;
    if (rounded)
        TRY(op_snap(tape, h, STAGE_STEPS, LEAST_LOGIT, MOST_LOGIT, logits, err));
    else
        TRY(op_bound(tape, h, LEAST_LOGIT, MOST_LOGIT, logits, err));
fail:
    return status;
}

RsdStatus stage_prior_estimate(Tape *tape, const ImageCodec *codec, const uint16_t *codes, int64_t batch, int n_q, int64_t h, int64_t w,
                               bool rounded, Tensor **bits, double *by_stage, float *max_activation, RsdError *err)
{
    const int64_t dim = codec->config.latent, n_codes = codec->config.codebook_size;
    Tensor *sum, *known, *signs, *logits, *part;
    RsdStatus status = RSD_OK;

    *bits = NULL;
    TRY(tape_tensor(tape, &sum, 4, (int64_t[]){batch, 2 * dim, h, w}, err));
    memset(sum->data, 0, (size_t)tensor_count(sum) * sizeof *sum->data);
    for (int q = 0; q < n_q; q++) {
        const Stage stage = {codec->net->embed[q]->data, codes + q * h * w, n_q * h * w, batch, dim, h, w};

        if (by_stage)
            by_stage[q] = 0.0;
        for (int odd = 0; odd < 2; odd++) {
            /* Its own copy: the tape may look at it when gradients come back. */
            TRY(tape_input(tape, &known, 4, sum->shape, sum->data, err));
            if (odd)
                put_codes(&stage, known->data, false);
            TRY(run_network(tape, codec->net->stages[q], known, odd, rounded, &logits, max_activation, err));
            TRY(tape_tensor(tape, &signs, 4, logits->shape, err));
            mark_ways(&stage, n_codes, odd, signs->data);
            TRY(bits_of_ways(tape, logits, signs, &part, err));
            if (by_stage)
                by_stage[q] += (double)part->data[0];
            if (*bits)
                TRY(op_add(tape, *bits, part, bits, err));
            else
                *bits = part;
        }
        put_codes(&stage, sum->data, true);
    }
fail:
    return status;
}

/* ---- the order of codes ---- */

typedef struct Place {
    double along; /* the axis */
    int64_t code;
} Place;

static int compare_places(const void *a, const void *b)
{
    const Place *x = a, *y = b;

    if (x->along != y->along)
        return x->along < y->along ? -1 : 1;
    return x->code < y->code ? -1 : 1;
}

/* The direction in which codes order [n] of embed spread most, by powers of their second moments; axis, next and mean [dim]. */
static void find_axis(const float *embed, const Place *order, int64_t n, int64_t dim, double *axis, double *next, double *mean)
{
    memset(mean, 0, (size_t)dim * sizeof *mean);
    for (int64_t i = 0; i < n; i++)
        for (int64_t d = 0; d < dim; d++)
            mean[d] += (double)embed[order[i].code * dim + d] / (double)n;
    for (int64_t d = 0; d < dim; d++)
        axis[d] = 1.0 + 0.01 * (double)d; /* anything that is hardly at right angles to the answer */
    for (int step = 0; step < POWER_STEPS; step++) {
        double length = 0.0;

        memset(next, 0, (size_t)dim * sizeof *next);
        for (int64_t i = 0; i < n; i++) {
            const float *code = embed + order[i].code * dim;
            double along = 0.0;

            for (int64_t d = 0; d < dim; d++)
                along += axis[d] * ((double)code[d] - mean[d]);
            for (int64_t d = 0; d < dim; d++)
                next[d] += along * ((double)code[d] - mean[d]);
        }
        for (int64_t d = 0; d < dim; d++)
            length += next[d] * next[d];
        if (!(length > 0.0))
            return;
        for (int64_t d = 0; d < dim; d++)
            axis[d] = next[d] / sqrt(length);
    }
}

static void sort_range(const float *embed, Place *order, int64_t n, int64_t dim, double *room)
{
    if (n < 2)
        return;
    find_axis(embed, order, n, dim, room, room + dim, room + 2 * dim);
    for (int64_t i = 0; i < n; i++) {
        order[i].along = 0.0;
        for (int64_t d = 0; d < dim; d++)
            order[i].along += room[d] * (double)embed[order[i].code * dim + d];
    }
    qsort(order, (size_t)n, sizeof *order, compare_places);
    sort_range(embed, order, n / 2, dim, room);
    sort_range(embed, order + n / 2, n - n / 2, dim, room);
}

static void permute(float *rows, const Place *order, int64_t n, int64_t dim, float *room)
{
    for (int64_t i = 0; i < n; i++)
        memcpy(room + i * dim, rows + order[i].code * dim, (size_t)dim * sizeof *rows);
    memcpy(rows, room, (size_t)(n * dim) * sizeof *rows);
}

RsdStatus stage_prior_sort(float *embed, float *count, float *sum, int64_t n_codes, int64_t dim, RsdError *err)
{
    Place *order = NULL;
    double *room = NULL;
    float *copy = NULL;
    RsdStatus status = RSD_OK;

    TRY(mem_alloc(&order, (size_t)n_codes, sizeof *order, err));
    TRY(mem_alloc(&room, (size_t)(3 * dim), sizeof *room, err));
    TRY(mem_alloc(&copy, (size_t)(n_codes * dim), sizeof *copy, err));
    for (int64_t i = 0; i < n_codes; i++)
        order[i] = (Place){0.0, i};
    sort_range(embed, order, n_codes, dim, room);
    permute(embed, order, n_codes, dim, copy);
    permute(sum, order, n_codes, dim, copy);
    permute(count, order, n_codes, 1, copy);
fail:
    mem_free(&order);
    mem_free(&room);
    mem_free(&copy);
    return status;
}
