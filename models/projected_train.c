/* projected_train.c - one training step of the projected quantiser: search, look-up with a straight-through gradient, distance.
 *
 * What is new beside ordinary ops are two nodes of each stage. Their inputs are the projection p and the table of codes E:
 *
 *   look-up   q' = p + sg(q - p) + sync (q - sg(q))     dp += dq',  dE[code] += sync dq'
 *   distance  mean |sg(p) - q|^2 + c mean |p - sg(q)|^2  dp += c 2 (p - q) / N,  dE[code] -= 2 (p - q) / N
 *
 * Sums over the vectors of a code run in their order, one vector after the other. A lattice has its own node (lattice.c).
 *
 * [1] Kumar et al., High-Fidelity Audio Compression with Improved RVQGAN, 2023, 3.2 (audio.md 2.3).
 * [2] Huh et al., Straightening Out the Straight-Through Estimator, 2023.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <string.h>

#include "engine/kernels/point.h"
#include "engine/ops/arithmetic.h"
#include "engine/ops/linear.h"
#include "models/projected_stages.h"
#include "models/rvq_stages.h"

#define AHEAD_RATE 0.1f /* of the way from a code to the mean of the vectors that chose it, in each update ahead */

void projected_rvq_set_group(ProjectedRvq *rvq, Group *group)
{
    rvq->group = group;
}

void projected_rvq_set_training(ProjectedRvq *rvq, const CodeTraining *training)
{
    rvq->training = *training;
}

/* ---- the two nodes ---- */

typedef struct LookUp {
    const uint16_t *codes; /* [batch * frames] */
    const Tensor *q;       /* what they stand for */
    float sync;            /* of the look-up */
} LookUp;

/* The gradient of the table: scale dy[:, i] goes to the row of vector i's code. */
static RsdStatus to_codes(Tape *tape, Tensor *embed, const uint16_t *codes, const float *dy, const float *minus,
                          const int64_t shape[3], float scale, RsdError *err)
{
    const int64_t dim = shape[1], frames = shape[2];
    float *dembed;
    bool add;
    RsdStatus status = tape_grad(tape, embed, &dembed, &add, err);

    if (status != RSD_OK || !dembed)
        return status;
    if (!add)
        memset(dembed, 0, (size_t)tensor_count(embed) * sizeof *dembed);
    for (int64_t b = 0; b < shape[0]; b++)
        for (int64_t d = 0; d < dim; d++) {
            const int64_t row = (b * dim + d) * frames;

            for (int64_t t = 0; t < frames; t++)
                dembed[codes[b * frames + t] * dim + d] += scale * (minus ? dy[row + t] - minus[row + t] : dy[row + t]);
        }
    return RSD_OK;
}

static RsdStatus look_up_backward(Tape *tape, Node *node, RsdError *err)
{
    const LookUp *saved = node->saved;
    RsdStatus status = RSD_OK;

    if (saved->sync > 0.0f)
        TRY(to_codes(tape, node->in[1], saved->codes, node->out->grad, NULL, node->out->shape, saved->sync, err));
    TRY(tape_grad_pass(tape, node, node->in[0], err));
fail:
    return status;
}

static RsdStatus distance_backward(Tape *tape, Node *node, RsdError *err)
{
    const LookUp *saved = node->saved;
    Tensor *p = node->in[0];
    const int64_t count = tensor_count(p);
    const float scale = 2.0f * node->out->grad[0] / (float)count;
    float *dp;
    bool add;
    RsdStatus status = RSD_OK;

    TRY(to_codes(tape, node->in[1], saved->codes, saved->q->data, p->data, p->shape, scale, err));
    TRY(tape_grad(tape, p, &dp, &add, err));
    for (int64_t i = 0; dp && i < count; i++)
        dp[i] = (add ? dp[i] : 0.0f) + PROJECTED_COMMITMENT * scale * (p->data[i] - saved->q->data[i]);
fail:
    return status;
}

/* *y = q', and the distance of this stage. */
static RsdStatus look_up(Tape *tape, Tensor *p, Tensor *embed, Tensor *q, const uint16_t *codes, float sync, Tensor **y,
                         Tensor **distance, RsdError *err)
{
    Tensor *in[2] = {p, embed};
    LookUp *saved;
    double sum = 0.0;
    RsdStatus status = RSD_OK;

    TRY(arena_alloc(tape->arena, &saved, 1, sizeof *saved, err));
    *saved = (LookUp){codes, q, sync};
    TRY(tape_leaf(tape, q, false, y, err));
    TRY(tape_record(tape, look_up_backward, *y, 2, in, saved, err));
    TRY(tape_tensor(tape, distance, 1, (const int64_t[1]){1}, err));
    for (int64_t i = 0; i < tensor_count(p); i++)
        sum += (double)(p->data[i] - q->data[i]) * (double)(p->data[i] - q->data[i]);
    (*distance)->data[0] = (float)((1.0 + (double)PROJECTED_COMMITMENT) * sum / (double)tensor_count(p));
    TRY(tape_record(tape, distance_backward, *distance, 2, in, saved, err));
fail:
    return status;
}

/* ---- codes before the step ---- */

/* Codes go towards the means of the vectors that chose them. */
static RsdStatus update_ahead(Tape *tape, ProjectedRvq *rvq, int i, const Tensor *p, uint16_t *codes, RsdError *err)
{
    Tensor *embed = rvq->stages[i].embed, *unread;
    const VectorBatch v = {p->data, p->shape[0], p->shape[1], p->shape[2]};
    Codebook cb = {.n_codes = embed->shape[0], .dim = embed->shape[1], .embed = embed->data};
    CodeSums sums;
    RsdStatus status = RSD_OK;

    TRY(projected_search(tape, rvq, i, p, codes, v.frames, &unread, err));
    TRY(code_sums_create(&sums, &cb, tape->arena, err));
    code_sums_fill(&sums, tape->threads, &v, codes);
    code_sums_share(&sums, rvq->group, false);
    for (int64_t j = 0; j < cb.n_codes; j++)
        for (int64_t d = 0; d < cb.dim && sums.count[j] > 0.0f; d++)
            cb.embed[j * cb.dim + d] += AHEAD_RATE * (sums.sum[d * cb.n_codes + j] / sums.count[j] - cb.embed[j * cb.dim + d]);
    projected_pack(rvq, i);
fail:
    return status;
}

static RsdStatus prepare_codes(Tape *tape, ProjectedRvq *rvq, int i, const Tensor *p, uint16_t *codes, RsdError *err)
{
    Tensor *embed = rvq->stages[i].embed;
    Codebook cb = {.n_codes = embed->shape[0], .dim = embed->shape[1], .embed = embed->data};
    double *moments;
    RsdStatus status = RSD_OK;

    if (rvq->training.follow > 0.0f) {
        TRY(arena_alloc(tape->arena, &moments, (size_t)(2 * cb.dim), sizeof *moments, err));
        codebook_follow(&cb, &(VectorBatch){p->data, p->shape[0], p->shape[1], p->shape[2]}, rvq->training.follow, moments,
                        rvq->group);
        projected_pack(rvq, i);
    }
    for (int n = 0; n < rvq->training.ahead; n++) {
        const ArenaMark mark = arena_mark(tape->arena);

        TRY(update_ahead(tape, rvq, i, p, codes, err));
        arena_rewind(tape->arena, mark);
    }
fail:
    return status;
}

/* ---- a step ---- */

static RsdStatus measure_codes(Tape *tape, const ProjectedRvq *rvq, int i, const uint16_t *codes, int64_t n, RvqStats *stats,
                               RsdError *err)
{
    const int64_t n_codes = rvq->config.codebook_size;
    float *count;
    int64_t n_used;
    RsdStatus status = RSD_OK;

    TRY(arena_calloc(tape->arena, &count, (size_t)n_codes, sizeof *count, err));
    for (int64_t k = 0; k < n; k++)
        count[codes[k]] += 1.0f;
    group_sum_f32(rvq->group, count, (size_t)n_codes);
    stats->perplexity[i] = codes_perplexity(count, n_codes, &n_used);
    stats->usage[i] = (float)n_used / (float)n_codes;
fail:
    return status;
}

/* How sharply BSQ's regulariser sees a bit: one as long as those of a vector with all bits alike, 1 / sqrt(dim), is sure to 98 %. */
static float sharpness_of(const LatticeConfig *lattice)
{
    return 4.0f * sqrtf((float)lattice->dim);
}

/* A stage of a lattice: *q recorded down to p, and what is to be made small beside the losses. */
static RsdStatus round_recorded(Tape *tape, const ProjectedRvq *rvq, Tensor *p, uint16_t *codes, Tensor **q, Tensor **distance, RsdError *err)
{
    const float none = 0.0f;
    RsdStatus status = RSD_OK;

    TRY(lattice_quantize(tape, &rvq->lattice, p, q, codes, err));
    if (rvq->lattice.kind == LATTICE_BSQ)
        TRY(lattice_entropy_loss(tape, &rvq->lattice, p, sharpness_of(&rvq->lattice), rvq->group, distance, err));
    else
        TRY(tape_input(tape, distance, 1, (const int64_t[1]){1}, &none, err));
fail:
    return status;
}

/* A stage of learned codes: the same with their distance. */
static RsdStatus search_recorded(Tape *tape, ProjectedRvq *rvq, int i, bool frozen, Tensor *p, uint16_t *codes, Tensor **q,
                                 Tensor **distance, RsdError *err)
{
    Tensor *found;
    RsdStatus status = RSD_OK;

    if (!frozen)
        TRY(prepare_codes(tape, rvq, i, p, codes, err));
    TRY(projected_search(tape, rvq, i, p, codes, p->shape[2], &found, err));
    TRY(look_up(tape, p, rvq->stages[i].embed, found, codes, rvq->training.sync, q, distance, err));
fail:
    return status;
}

static RsdStatus run_stage(Tape *tape, ProjectedRvq *rvq, int i, bool frozen, Tensor **r, Tensor **zq, Tensor **distance,
                           RvqStats *stats, RsdError *err)
{
    const ProjectedStage *stage = &rvq->stages[i];
    const int stride = projected_rvq_stride(&rvq->config, i);
    Tensor *mean, *p, *q, *back, *stage_distance;
    uint16_t *codes;
    int64_t n;
    RsdStatus status = RSD_OK;

    TRY(projected_mean_frames(tape, *r, stride, &mean, err));
    TRY(op_linear(tape, mean, stage->in_weight, stage->in_bias, &p, err));
    n = p->shape[0] * p->shape[2];
    TRY(arena_alloc(tape->arena, &codes, (size_t)n, sizeof *codes, err));
    TRY(rvq->config.codes == PROJECTED_LEARNED ? search_recorded(tape, rvq, i, frozen, p, codes, &q, &stage_distance, err)
                                               : round_recorded(tape, rvq, p, codes, &q, &stage_distance, err));
    TRY(measure_codes(tape, rvq, i, codes, n, stats, err));
    TRY(op_linear(tape, q, stage->out_weight, stage->out_bias, &back, err));
    TRY(projected_repeat_frames(tape, back, stride, (*r)->shape[2], &back, err));
    TRY(op_sub(tape, *r, back, r, err));
    if (i == 0) {
        *zq = back;
        *distance = stage_distance;
    } else {
        TRY(op_add(tape, *zq, back, zq, err));
        TRY(op_add(tape, *distance, stage_distance, distance, err));
    }
fail:
    return status;
}

RsdStatus projected_rvq_train(Tape *tape, ProjectedRvq *rvq, Tensor *z, int n_q, bool frozen, Tensor **zq, Tensor **distance,
                              RvqStats *stats, RsdError *err)
{
    RvqStats unread, *out = stats ? stats : &unread;
    Tensor *r = z;
    double energy, left = 0.0;
    RsdStatus status = RSD_OK;

    *zq = *distance = NULL;
    CHECK(rvq->trainable, err, RSD_ERR_ARG, "the quantiser was made for inference and cannot be trained");
    TRY(projected_check_input(rvq, z, n_q, err));
    TRY(rvq_input_energy(z, rvq->group, &energy, err));
    memset(out, 0, sizeof *out);
    out->n_q = n_q;
    projected_rvq_refresh(rvq); /* the optimiser has moved the codes */
    for (int i = 0; i < n_q; i++)
        TRY(run_stage(tape, rvq, i, frozen, &r, zq, distance, out, err));
    for (int64_t i = 0; i < tensor_count(r); i++)
        left += (double)r->data[i] * (double)r->data[i];
    group_sum_f64(rvq->group, &left, 1);
    out->relative_error = energy > 0.0 ? (float)(left / energy) : 0.0f;
fail:
    return status;
}
