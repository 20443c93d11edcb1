/* rvq_train.c - one training step of the residual quantiser: search, straight-through gradient, commitment, codebooks.
 *
 * With residuals r_0 = z, r_{k+1} = r_k - sg(q_k):
 *
 *   zq         = z + sg(sum_k q_k - z)       d zq / d z = 1: the sum passes gradients on, not each stage by itself
 *   commitment = mean_k mean (r_k - sg(q_k))^2 = mean_k mean r_{k+1}^2
 *   d commitment / d z = 2 / (n_q N) sum_k r_{k+1},   N numbers in z; every stage contributes
 *
 * (The first public code applied the straight-through at each stage, which makes the commitment gradient of all stages
 * but the first vanish: audio.md 1.6.) The value of zq is the sum of the codes itself, the bits the decoder will see.
 *
 * Each stage runs search, learning and subtraction in turn over the whole batch. Learning changes a stage only after its
 * codes have been subtracted, so all of this step's results come from the codebooks as they were.
 *
 * [1] Zeghidour et al., SoundStream, 2021, section III-C.   [2] Defossez et al., EnCodec, 2022, section 3.2.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <string.h>

#include "engine/kernels/kernels.h"
#include "models/rvq_paths.h"
#include "models/rvq_stages.h"

/* ---- first codebooks ---- */

RsdStatus rvq_input_energy(const Tensor *z, Group *group, double *energy, RsdError *err)
{
    int64_t count = tensor_count(z);

    *energy = 0.0;
    for (int64_t i = 0; i < count; i++)
        *energy += (double)z->data[i] * z->data[i];
    group_sum_f64(group, energy, 1);
    if (!isfinite(*energy))
        return error_set(err, RSD_ERR_NUMERIC, "the quantiser's input has values that are not finite");
    return RSD_OK;
}

static RsdStatus check_trainable(const Rvq *rvq, RsdError *err)
{
    if (!rvq->trainable)
        return error_set(err, RSD_ERR_ARG, "the quantiser was made for inference and has no averages to train");
    return RSD_OK;
}

RsdStatus rvq_init_codebooks(Tape *tape, Rvq *rvq, const Tensor *z, uint64_t seed, RsdError *err)
{
    const SearchKernels *kernels = tape->kernels->search;
    ArenaMark mark = arena_mark(tape->arena);
    VectorBatch residual;
    Tensor *copy;
    uint16_t *codes;
    double energy;
    RsdStatus status = RSD_OK;

    TRY(check_trainable(rvq, err));
    TRY(rvq_check_input(rvq, z, 1, err));
    TRY(rvq_input_energy(z, NULL, &energy, err));
    TRY(tape_input(tape, &copy, z->n_dims, z->shape, z->data, err));
    residual = (VectorBatch){copy->data, z->shape[0], z->shape[1], z->shape[2]};
    TRY(arena_alloc(tape->arena, &codes, (size_t)(residual.batch * residual.frames), sizeof *codes, err));
    for (int q = 0; q < rvq->config.n_q; q++) {
        Codebook *cb = &rvq->stages[q];
        Rng rng = rng_at(seed, RNG_QUANTIZER, 0, RVQ_FIRST_SAMPLE + RVQ_MAX_STAGES + (uint32_t)q);

        TRY(codebook_kmeans(cb, kernels, tape->threads, tape->arena, &residual, &rng, codes, err));
        codebook_nearest(cb, kernels, tape->threads, &residual, codes);
        codebook_take_out(cb, kernels, tape->threads, &residual, codes);
    }
fail:
    arena_rewind(tape->arena, mark);
    return status;
}

void rvq_set_group(Rvq *rvq, Group *group)
{
    rvq->group = group;
}

void rvq_set_training(Rvq *rvq, const CodeTraining *training)
{
    rvq->training = *training;
}

/* ---- one step ---- */

typedef struct Step {
    Rvq *rvq;
    const SearchKernels *kernels;
    RsdThreads *threads;
    int n_q;
    VectorBatch residual; /* r_k; after the last stage what no stage described */
    float *quantized;     /* sum of q_k */
    float *leftovers;     /* sum of r_{k+1}, the direction of the commitment gradient */
    double *moments;      /* [2 dim], room */
    double *energies;     /* [tasks] sum of r_{k+1}^2 of each task's columns */
    uint16_t *paths;      /* codes [batch, n_q, frames] of a search that keeps several paths open; NULL: stage by stage */
    uint16_t *codes;      /* of the stage at work, [batch * frames] */
    CodeSums sums;
} Step;

typedef struct StageJob {
    const Step *step;
    const Codebook *cb;
} StageJob;

static void subtract_columns(void *ctx, int64_t i, int worker)
{
    const StageJob *job = ctx;
    const Step *step = job->step;
    const VectorBatch *v = &step->residual;
    int64_t item, first, n, at;
    double energy = 0.0;

    (void)worker;
    codebook_task(v, i, &item, &first, &n);
    at = item * v->dim * v->frames + first;
    step->kernels->take_out(job->cb->embed, v->dim, step->codes + item * v->frames + first, n, v->data + at,
                            step->quantized + at, v->frames);
    for (int64_t d = 0; d < v->dim; d++) {
        const float *residual = v->data + at + d * v->frames;
        float *leftovers = step->leftovers + at + d * v->frames;

        for (int64_t t = 0; t < n; t++) {
            leftovers[t] += residual[t];
            energy += (double)residual[t] * residual[t];
        }
    }
    step->energies[i] = energy;
}

static float share_alive(const Codebook *cb, float alive_from)
{
    int64_t n_alive = 0;

    for (int64_t j = 0; j < cb->n_codes; j++)
        n_alive += cb->count[j] >= alive_from;
    return (float)n_alive / (float)cb->n_codes;
}

/* One stage: search, subtract, learn. *energy is the sum of r_{k+1}^2 over this member's part of the batch. */
static RsdStatus run_stage(Step *step, int q, bool frozen, Rng rng, Arena *arena, double *energy, RvqStats *stats, RsdError *err)
{
    Codebook *cb = &step->rvq->stages[q];
    VectorBatch *v = &step->residual;
    StageJob job = {step, cb};
    Group *group = step->rvq->group;
    int64_t n_members = group_size(group);
    float threshold = step->rvq->config.dead_below * (float)(n_members * v->batch * v->frames) / (float)cb->n_codes;
    int64_t n_tasks = codebook_n_tasks(v), size = v->batch * v->dim * v->frames;
    ArenaMark mark = arena_mark(arena);
    VectorBatch before = *v; /* dead codes are re-seeded from r_k */
    RsdStatus status = RSD_OK;

    if (!frozen && step->rvq->training.follow > 0.0f) {
        codebook_follow(cb, v, step->rvq->training.follow, step->moments, group);
        codebook_pack(cb);
    }
    if (step->paths)
        for (int64_t b = 0; b < v->batch; b++)
            memcpy(step->codes + b * v->frames, step->paths + (b * step->n_q + q) * v->frames, (size_t)v->frames * sizeof(uint16_t));
    else
        codebook_nearest(cb, step->kernels, step->threads, v, step->codes);
    code_sums_fill(&step->sums, step->threads, v, step->codes);
    code_sums_share(&step->sums, group, frozen);
    TRY(arena_alloc(arena, &before.data, (size_t)size, sizeof(float), err));
    memcpy(before.data, v->data, (size_t)size * sizeof(float));
    threads_for(step->threads, n_tasks, subtract_columns, &job);
    *energy = 0.0;
    for (int64_t i = 0; i < n_tasks; i++)
        *energy += step->energies[i];
    if (!frozen)
        codebook_update(cb, step->threads, &step->sums, step->rvq->config.ema_decay);
    stats->perplexity[q] = codes_perplexity(step->sums.count, cb->n_codes, NULL);
    stats->usage[q] = share_alive(cb, threshold);
    if (!frozen) {
        stats->n_reseeded[q] += codebook_reseed(cb, &before, threshold, &rng, step->sums.sum, group);
        codebook_pack(cb);
    }
fail:
    arena_rewind(arena, mark);
    return status;
}

static RsdStatus prepare_step(Step *step, Tape *tape, Rvq *rvq, const Tensor *z, int n_q, Tensor *zq, RsdError *err)
{
    size_t size = (size_t)tensor_count(z);
    Tensor *residual;
    RsdStatus status = RSD_OK;

    *step = (Step){.rvq = rvq, .kernels = tape->kernels->search, .threads = tape->threads, .n_q = n_q};
    TRY(tape_input(tape, &residual, z->n_dims, z->shape, z->data, err));
    step->residual = (VectorBatch){residual->data, z->shape[0], z->shape[1], z->shape[2]};
    step->quantized = zq->data;
    memset(zq->data, 0, size * sizeof(float));
    TRY(arena_calloc(tape->arena, &step->leftovers, size, sizeof(float), err));
    TRY(arena_alloc(tape->arena, &step->energies, (size_t)codebook_n_tasks(&step->residual), sizeof(double), err));
    TRY(arena_alloc(tape->arena, &step->moments, (size_t)(2 * z->shape[1]), sizeof(double), err));
    TRY(arena_alloc(tape->arena, &step->codes, (size_t)(z->shape[0] * z->shape[2]), sizeof *step->codes, err));
    TRY(code_sums_create(&step->sums, &rvq->stages[0], tape->arena, err));
    if (rvq->training.paths > 1) {
        TRY(arena_alloc(tape->arena, &step->paths, (size_t)n_q * (size_t)(z->shape[0] * z->shape[2]), sizeof *step->paths, err));
        TRY(rvq_find_paths(rvq, step->kernels, step->threads, &step->residual, n_q, rvq->training.paths, step->paths, err));
    }
fail:
    return status;
}

#define AHEAD_SAMPLE (RVQ_FIRST_SAMPLE + 2 * RVQ_MAX_STAGES) /* and one for each stage and update from here */

/* The codebooks learn from z before the step itself. */
static RsdStatus learn_ahead(Tape *tape, Rvq *rvq, const Tensor *z, int n_q, uint64_t seed, uint64_t step_number, RvqStats *stats,
                             RsdError *err)
{
    RsdStatus status = RSD_OK;

    for (int i = 0; i < rvq->training.ahead; i++) {
        ArenaMark mark = arena_mark(tape->arena);
        Tensor *unread;
        double energy;
        Step step;

        TRY(tape_tensor(tape, &unread, z->n_dims, z->shape, err));
        TRY(prepare_step(&step, tape, rvq, z, n_q, unread, err));
        for (int q = 0; q < n_q; q++)
            TRY(run_stage(&step, q, false,
                          rng_at(seed, RNG_QUANTIZER, step_number, AHEAD_SAMPLE + (uint32_t)(i * RVQ_MAX_STAGES + q)),
                          tape->arena, &energy, stats, err));
        arena_rewind(tape->arena, mark);
    }
fail:
    return status;
}

/* ---- gradients ---- */

static RsdStatus straight_through_backward(Tape *tape, Node *node, RsdError *err)
{
    return tape_grad_pass(tape, node, node->in[0], err);
}

typedef struct CommitmentSaved {
    const float *leftovers;
    float scale; /* 2 / (n_q N) */
} CommitmentSaved;

static RsdStatus commitment_backward(Tape *tape, Node *node, RsdError *err)
{
    const CommitmentSaved *saved = node->saved;
    float scale = saved->scale * node->out->grad[0];
    int64_t count = tensor_count(node->in[0]);
    float *dx;
    bool add;
    RsdStatus status = tape_grad(tape, node->in[0], &dx, &add, err);

    if (status != RSD_OK || !dx)
        return status;
    for (int64_t i = 0; i < count; i++)
        dx[i] = (add ? dx[i] : 0.0f) + scale * saved->leftovers[i];
    return RSD_OK;
}

RsdStatus rvq_train(Tape *tape, Rvq *rvq, Tensor *z, int n_q, uint64_t seed, uint64_t step_number, bool frozen, Tensor **zq,
                    Tensor **commitment, RvqStats *stats, RsdError *err)
{
    const int64_t one[1] = {1};
    RvqStats unread, *out = stats ? stats : &unread;
    CommitmentSaved *saved;
    Step step;
    const double n_numbers = (double)(group_size(rvq->group) * tensor_count(z));
    double energy, left[RVQ_MAX_STAGES], sum = 0.0;
    RsdStatus status = RSD_OK;

    *zq = *commitment = NULL;
    TRY(check_trainable(rvq, err));
    TRY(rvq_check_input(rvq, z, n_q, err));
    TRY(rvq_input_energy(z, rvq->group, &energy, err));
    if (!frozen && !rvq_is_initialised(rvq))
        TRY(rvq_init_codebooks(tape, rvq, z, seed, err));
    memset(out, 0, sizeof *out);
    out->n_q = n_q;
    if (!frozen)
        TRY(learn_ahead(tape, rvq, z, n_q, seed, step_number, out, err));
    frozen = frozen || rvq->training.ahead > 0;
    TRY(tape_tensor(tape, zq, z->n_dims, z->shape, err));
    TRY(tape_tensor(tape, commitment, 1, one, err));
    TRY(arena_alloc(tape->arena, &saved, 1, sizeof *saved, err));
    TRY(prepare_step(&step, tape, rvq, z, n_q, *zq, err));
    for (int q = 0; q < n_q; q++) {
        Rng rng = rng_at(seed, RNG_QUANTIZER, step_number, RVQ_FIRST_SAMPLE + (uint32_t)q);

        TRY(run_stage(&step, q, frozen, rng, tape->arena, &left[q], out, err));
    }
    group_sum_f64(rvq->group, left, (size_t)n_q);
    for (int q = 0; q < n_q; q++)
        sum += left[q] / n_numbers;
    (*commitment)->data[0] = (float)(sum / n_q);
    out->relative_error = energy > 0.0 ? (float)(left[n_q - 1] / energy) : 0.0f;
    *saved = (CommitmentSaved){step.leftovers, (float)(2.0 / ((double)n_q * (double)tensor_count(z)))};
    TRY(tape_record(tape, straight_through_backward, *zq, 1, &z, NULL, err));
    TRY(tape_record(tape, commitment_backward, *commitment, 1, &z, saved, err));
fail:
    return status;
}
