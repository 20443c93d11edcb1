/* projected_rvq.c - stages of projection, search and reconstruction.
 *
 *   p = W_in r + b_in;  code = argmax_j <p / |p|, e_j / |e_j|>;  r -= W_out e_code + b_out
 *
 * Among vectors of length 1 the nearest is the one with the largest product, so the search kernels of the other quantiser
 * do it on normalised codes and normalised projections. The codes that come out are not normalised.
 *
 * [1] Kumar et al., High-Fidelity Audio Compression with Improved RVQGAN, 2023, section 3.2 (audio.md 2.3).
 * [2] Siuzdak et al., SNAC: Multi-Scale Neural Audio Codec, 2024 (audio.md 6.4).
 * [3] Mentzer et al., Finite Scalar Quantization, 2023; Zhao et al., Binary Spherical Quantization, 2024 (audio.md 6.6).
 *
 * SPDX-License-Identifier: MIT
 */
#include "models/projected_stages.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/mem.h"
#include "engine/kernels/point.h"
#include "engine/ops/linear.h"
#include "engine/ops/pool2d.h"
#include "engine/ops/resize2d.h"
#include "engine/ops/shape.h"

#define MAX_CODES 65536
#define MAX_CODE_DIM 64
#define MAX_DIM 4096
#define LEAST_NORM 1e-12f /* audio.md 2.3 */
#define COLUMNS_PER_TASK 64

/* ---- configuration ---- */

static LatticeConfig lattice_of(const ProjectedRvqConfig *cfg)
{
    LatticeConfig lattice = {.kind = cfg->codes == PROJECTED_BSQ ? LATTICE_BSQ : LATTICE_FSQ, .dim = cfg->code_dim};

    if (cfg->codes == PROJECTED_FSQ)
        memcpy(lattice.levels, cfg->levels, sizeof lattice.levels);
    return lattice;
}

void projected_rvq_complete(ProjectedRvqConfig *cfg)
{
    LatticeConfig lattice;

    if (cfg->codes == PROJECTED_LEARNED)
        return;
    if (cfg->codes == PROJECTED_FSQ)
        cfg->code_dim = cfg->n_levels;
    lattice = lattice_of(cfg);
    cfg->codebook_size = lattice_check_config(&lattice, NULL) == RSD_OK ? lattice_n_codes(&lattice) : 0;
}

static RsdStatus check_lattice(const ProjectedRvqConfig *cfg, RsdError *err)
{
    const LatticeConfig lattice = lattice_of(cfg);
    RsdStatus status = RSD_OK;

    CHECK(cfg->codes == PROJECTED_FSQ || cfg->codes == PROJECTED_BSQ, err, RSD_ERR_ARG, "codes of kind %d do not exist", cfg->codes);
    CHECK(cfg->codes == PROJECTED_BSQ || cfg->n_levels == cfg->code_dim, err, RSD_ERR_ARG, "levels of %d dimensions, codes have %d",
          cfg->n_levels, cfg->code_dim);
    TRY(lattice_check_config(&lattice, err));
    CHECK(cfg->codebook_size == lattice_n_codes(&lattice), err, RSD_ERR_ARG, "codebook_size is %d, the lattice has %d codes",
          cfg->codebook_size, lattice_n_codes(&lattice));
fail:
    return status;
}

RsdStatus projected_rvq_check_config(const ProjectedRvqConfig *cfg, RsdError *err)
{
    const struct {
        const char *name;
        int value, min, max;
    } fields[] = {{"n_q", cfg->n_q, 1, PROJECTED_RVQ_MAX_STAGES},
                  {"codebook_size", cfg->codebook_size, 2, MAX_CODES},
                  {"codebook_dim", cfg->code_dim, 1, MAX_CODE_DIM},
                  {"dim", cfg->dim, 1, MAX_DIM}};
    RsdStatus status = cfg->codes == PROJECTED_LEARNED ? RSD_OK : check_lattice(cfg, err);

    if (status != RSD_OK)
        return status;
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (fields[i].value < fields[i].min || fields[i].value > fields[i].max)
            return error_set(err, RSD_ERR_ARG, "%s is %d, expected %d to %d", fields[i].name, fields[i].value, fields[i].min,
                             fields[i].max);
    if (cfg->n_strides < 0 || cfg->n_strides > PROJECTED_RVQ_MAX_STRIDES || cfg->n_strides > cfg->n_q)
        return error_set(err, RSD_ERR_ARG, "%d strides for %d stages, expected 0 to %d", cfg->n_strides, cfg->n_q,
                         cfg->n_q < PROJECTED_RVQ_MAX_STRIDES ? cfg->n_q : PROJECTED_RVQ_MAX_STRIDES);
    for (int i = 0; i < cfg->n_strides; i++) {
        const int stride = cfg->strides[i], most = i ? cfg->strides[i - 1] : PROJECTED_RVQ_MAX_STRIDE;

        if (stride < 1 || stride > most || (stride & (stride - 1)))
            return error_set(err, RSD_ERR_ARG, "stride %d of the quantiser is %d, expected a power of two of at most %d", i + 1, stride,
                             most);
    }
    return RSD_OK;
}

int projected_rvq_stride(const ProjectedRvqConfig *cfg, int stage)
{
    return cfg->n_strides == 0 ? 1 : cfg->strides[stage < cfg->n_strides ? stage : cfg->n_strides - 1];
}

int64_t projected_rvq_count_parameters(const ProjectedRvqConfig *cfg)
{
    int64_t d = cfg->code_dim;

    return cfg->n_q * (2 * d * cfg->dim + d + cfg->dim + (cfg->codes == PROJECTED_LEARNED ? cfg->codebook_size * d : 0));
}

/* ---- life ---- */

static RsdStatus add_stage(ProjectedRvq *rvq, int i, ParamSet *params, uint64_t seed, RsdError *err)
{
    int64_t d = rvq->config.code_dim, dim = rvq->config.dim, k = rvq->config.codebook_size;
    ProjectedStage *stage = &rvq->stages[i];
    const struct {
        const char *name;
        int n_dims;
        int64_t shape[2];
        Tensor **tensor;
        float bound;
    } weights[] = {{"in.weight", 2, {d, dim}, &stage->in_weight, 1.0f / sqrtf((float)dim)},
                   {"in.bias", 1, {d}, &stage->in_bias, 0.0f},
                   {"out.weight", 2, {dim, d}, &stage->out_weight, 1.0f / sqrtf((float)d)},
                   {"out.bias", 1, {dim}, &stage->out_bias, 0.0f},
                   {"embed", 2, {k, d}, &stage->embed, 1.0f}};
    const size_t n_weights = sizeof weights / sizeof *weights - (rvq->config.codes != PROJECTED_LEARNED);
    Rng rng = rng_at(seed, RNG_INIT, 1, (uint32_t)i);
    RsdStatus status = RSD_OK;

    for (size_t j = 0; j < n_weights; j++) {
        char name[32];

        snprintf(name, sizeof name, "rvq.%d.%s", i, weights[j].name);
        TRY(params_add(params, name, weights[j].n_dims, weights[j].shape, true, weights[j].tensor, err));
        if (!params->for_inference)
            params_fill_uniform(*weights[j].tensor, &rng, weights[j].bound);
    }
    if (rvq->config.codes != PROJECTED_LEARNED)
        return RSD_OK;
    params->items[params->n_items - 1].elementwise = true; /* codes stand side by side */
    stage->book = (SearchBook){k, d, rvq->packed + (size_t)i * search_packed_count(k, d)};
fail:
    return status;
}

RsdStatus projected_rvq_create(ProjectedRvq **out, const ProjectedRvqConfig *cfg, ParamSet *params, uint64_t seed,
                               RsdError *err)
{
    ProjectedRvq *rvq = NULL;
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(projected_rvq_check_config(cfg, err));
    TRY(mem_calloc(&rvq, 1, sizeof *rvq, err));
    rvq->config = *cfg;
    rvq->trainable = !params->for_inference;
    rvq->lattice = lattice_of(cfg);
    if (cfg->codes == PROJECTED_LEARNED) {
        TRY(mem_alloc(&rvq->packed, (size_t)cfg->n_q * search_packed_count(cfg->codebook_size, cfg->code_dim), sizeof(float), err));
        TRY(mem_alloc(&rvq->normalised, (size_t)cfg->codebook_size * (size_t)cfg->code_dim, sizeof(float), err));
    }
    for (int i = 0; i < cfg->n_q; i++)
        TRY(add_stage(rvq, i, params, seed, err));
    if (!params->for_inference)
        projected_rvq_refresh(rvq);
    *out = rvq;
    return RSD_OK;
fail:
    projected_rvq_destroy(&rvq);
    return status;
}

void projected_rvq_destroy(ProjectedRvq **rvq)
{
    if (!*rvq)
        return;
    mem_free(&(*rvq)->packed);
    mem_free(&(*rvq)->normalised);
    mem_free(rvq);
}

/* y [n_vectors] of length 1 from x; elements of a vector are `step` apart, vectors `next`. */
static void normalise(const float *x, float *y, int64_t n_vectors, int64_t next, int64_t dim, int64_t step)
{
    for (int64_t i = 0; i < n_vectors; i++, x += next, y += next) {
        float sum = 0.0f, norm;

        for (int64_t d = 0; d < dim; d++)
            sum += x[d * step] * x[d * step];
        norm = sqrtf(sum);
        if (!(norm >= LEAST_NORM))
            norm = LEAST_NORM;
        for (int64_t d = 0; d < dim; d++)
            y[d * step] = x[d * step] / norm;
    }
}

void projected_pack(ProjectedRvq *rvq, int i)
{
    int64_t d = rvq->config.code_dim;

    normalise(rvq->stages[i].embed->data, rvq->normalised, rvq->config.codebook_size, d, d, 1);
    search_pack(&rvq->stages[i].book, rvq->normalised);
}

void projected_rvq_refresh(ProjectedRvq *rvq)
{
    for (int i = 0; i < rvq->config.n_q && rvq->config.codes == PROJECTED_LEARNED; i++)
        projected_pack(rvq, i);
}

/* ---- search ---- */

typedef struct SearchJob {
    const SearchKernels *kernels;
    const ProjectedStage *stage;
    const float *latents; /* [batch, code_dim, frames] */
    float *directions;    /* the same, normalised */
    float *q;             /* the same: the codes found */
    uint16_t *codes;      /* codes of batch item b at b codes_step */
    int64_t frames, code_dim, codes_step, tasks_per_item;
} SearchJob;

static void gather_codes(const Tensor *embed, const uint16_t *codes, int64_t n, float *q, int64_t frames)
{
    int64_t dim = embed->shape[1];

    for (int64_t d = 0; d < dim; d++)
        for (int64_t t = 0; t < n; t++)
            q[d * frames + t] = embed->data[codes[t] * dim + d];
}

/* Some columns of one batch item. */
static void search_task(void *ctx, int64_t i, int worker)
{
    const SearchJob *job = ctx;
    int64_t item = i / job->tasks_per_item, first = i % job->tasks_per_item * COLUMNS_PER_TASK;
    int64_t n = job->frames - first < COLUMNS_PER_TASK ? job->frames - first : COLUMNS_PER_TASK;
    int64_t at = item * job->code_dim * job->frames + first;
    uint16_t *codes = job->codes + item * job->codes_step + first;

    (void)worker;
    normalise(job->latents + at, job->directions + at, n, 1, job->code_dim, job->frames);
    job->kernels->nearest(&job->stage->book, job->directions + at, job->frames, n, codes);
    gather_codes(job->stage->embed, codes, n, job->q + at, job->frames);
}

RsdStatus projected_check_input(const ProjectedRvq *rvq, const Tensor *z, int n_q, RsdError *err)
{
    char text[SHAPE_TEXT_SIZE];

    if (z->n_dims != 3 || z->shape[0] < 1 || z->shape[1] != rvq->config.dim || z->shape[2] < 1)
        return error_set(err, RSD_ERR_ARG, "quantiser input is %s, expected [batch, %d, frames]",
                         shape_text(text, z->n_dims, z->shape), rvq->config.dim);
    if (n_q < 1 || n_q > rvq->config.n_q)
        return error_set(err, RSD_ERR_ARG, "%d stages asked for, the quantiser has 1 to %d", n_q, rvq->config.n_q);
    return RSD_OK;
}

/* total += or -= part. */
static void accumulate(const Tape *tape, PairFn fn, Tensor *total, const Tensor *part)
{
    tape->kernels->point->pair(fn, total->data, part->data, false, total->data, tensor_count(total));
}

RsdStatus projected_search(Tape *tape, const ProjectedRvq *rvq, int i, const Tensor *p, uint16_t *codes, int64_t codes_step,
                           Tensor **found, RsdError *err)
{
    const int64_t batch = p->shape[0], frames = p->shape[2];
    SearchJob job = {.kernels = tape->kernels->search,
                     .stage = &rvq->stages[i],
                     .latents = p->data,
                     .codes = codes,
                     .frames = frames,
                     .code_dim = p->shape[1],
                     .codes_step = codes_step,
                     .tasks_per_item = (frames + COLUMNS_PER_TASK - 1) / COLUMNS_PER_TASK};
    RsdStatus status = RSD_OK;

    TRY(tape_tensor(tape, found, 3, p->shape, err));
    TRY(arena_alloc(tape->arena, &job.directions, (size_t)tensor_count(p), sizeof(float), err));
    job.q = (*found)->data;
    threads_for(tape->threads, batch * job.tasks_per_item, search_task, &job);
fail:
    return status;
}

/* The same where codes are those of a lattice. */
static RsdStatus round_to_lattice(Tape *tape, const ProjectedRvq *rvq, Tensor *p, uint16_t *codes, int64_t codes_step, Tensor **found,
                                  RsdError *err)
{
    const int64_t batch = p->shape[0], frames = p->shape[2];
    uint16_t *dense;
    RsdStatus status = RSD_OK;

    TRY(arena_alloc(tape->arena, &dense, (size_t)(batch * frames), sizeof *dense, err));
    TRY(lattice_quantize(tape, &rvq->lattice, p, found, dense, err));
    for (int64_t b = 0; b < batch; b++)
        memcpy(codes + b * codes_step, dense + b * frames, (size_t)frames * sizeof *codes);
fail:
    return status;
}

/* ---- rates ---- */

RsdStatus projected_mean_frames(Tape *tape, Tensor *x, int stride, Tensor **y, RsdError *err)
{
    const int64_t batch = x->shape[0], channels = x->shape[1], lines[4] = {batch, channels, 1, x->shape[2]};
    const Pool2dParams params = {.size = {1, stride}, .ceil = true};
    RsdStatus status = RSD_OK;

    *y = x;
    if (stride == 1)
        return RSD_OK;
    TRY(op_reshape(tape, x, 4, lines, y, err));
    TRY(op_mean_pool2d(tape, *y, &params, y, err));
    TRY(op_reshape(tape, *y, 3, (int64_t[3]){batch, channels, (*y)->shape[3]}, y, err));
fail:
    return status;
}

RsdStatus projected_repeat_frames(Tape *tape, Tensor *x, int stride, int64_t frames, Tensor **y, RsdError *err)
{
    const int64_t batch = x->shape[0], channels = x->shape[1], lines[4] = {batch, channels, 1, x->shape[2]};
    RsdStatus status = RSD_OK;

    *y = x;
    if (stride == 1)
        return RSD_OK;
    TRY(op_reshape(tape, x, 4, lines, y, err));
    TRY(op_resize2d(tape, *y, 1, x->shape[2] * stride, RESIZE_NEAREST, y, err));
    TRY(op_slice(tape, *y, 3, 0, frames, y, err));
    TRY(op_reshape(tape, *y, 3, (int64_t[3]){batch, channels, frames}, y, err));
fail:
    return status;
}

/* codes [frames] of which the first ceil(frames / stride) are there: each moves to its frames, from the end on. */
static void repeat_codes(uint16_t *codes, int64_t frames, int stride)
{
    for (int64_t t = frames - 1; stride > 1 && t >= 0; t--)
        codes[t] = codes[t / stride];
}

/* ---- inference ---- */

/* Stage q on the residual r: fills codes, latents of the stage, and takes the code out of r. */
static RsdStatus encode_stage(Tape *tape, ProjectedRvq *rvq, int q, int n_q, Tensor *r, uint16_t *codes, Tensor *latents,
                              RsdError *err)
{
    const ProjectedStage *stage = &rvq->stages[q];
    ArenaMark mark = arena_mark(tape->arena);
    int64_t batch = r->shape[0], frames = r->shape[2], d = rvq->config.code_dim;
    const int stride = projected_rvq_stride(&rvq->config, q);
    Tensor *mean, *p, *found, *back;
    RsdStatus status = RSD_OK;

    TRY(projected_mean_frames(tape, r, stride, &mean, err));
    TRY(op_linear(tape, mean, stage->in_weight, stage->in_bias, &p, err));
    TRY(rvq->config.codes == PROJECTED_LEARNED ? projected_search(tape, rvq, q, p, codes + q * frames, n_q * frames, &found, err)
                                               : round_to_lattice(tape, rvq, p, codes + q * frames, n_q * frames, &found, err));
    for (int64_t b = 0; b < batch; b++)
        repeat_codes(codes + (b * n_q + q) * frames, frames, stride);
    if (latents)
        TRY(projected_repeat_frames(tape, p, stride, frames, &p, err));
    for (int64_t b = 0; latents && b < batch; b++)
        memcpy(latents->data + (b * n_q + q) * d * frames, p->data + b * d * frames, (size_t)(d * frames) * sizeof(float));
    TRY(op_linear(tape, found, stage->out_weight, stage->out_bias, &back, err));
    TRY(projected_repeat_frames(tape, back, stride, frames, &back, err));
    accumulate(tape, PAIR_SUB, r, back);
fail:
    arena_rewind(tape->arena, mark);
    return status;
}

RsdStatus projected_rvq_encode(Tape *tape, ProjectedRvq *rvq, const Tensor *z, int n_q, uint16_t *codes, Tensor **latents,
                               RsdError *err)
{
    ArenaMark mark;
    Tensor *r;
    RsdStatus status = RSD_OK;

    TRY(projected_check_input(rvq, z, n_q, err));
    if (latents)
        TRY(tape_tensor(tape, latents, 3, (int64_t[3]){z->shape[0], (int64_t)n_q * rvq->config.code_dim, z->shape[2]}, err));
    mark = arena_mark(tape->arena);
    TRY(tape_input(tape, &r, 3, z->shape, z->data, err));
    for (int q = 0; q < n_q; q++)
        TRY(encode_stage(tape, rvq, q, n_q, r, codes, latents ? *latents : NULL, err));
    arena_rewind(tape->arena, mark);
fail:
    return status;
}

/* ---- reconstruction ---- */

/* What codes of one stage stand for, those of batch item b at b codes_step: [batch, code_dim, frames]. */
static RsdStatus look_codes_up(Tape *tape, const ProjectedRvq *rvq, int q, const uint16_t *codes, int64_t batch, int64_t codes_step,
                               int64_t frames, Tensor **found, RsdError *err)
{
    const int64_t d = rvq->config.code_dim;
    uint16_t *dense;
    RsdStatus status = RSD_OK;

    if (rvq->config.codes == PROJECTED_LEARNED) {
        TRY(tape_tensor(tape, found, 3, (int64_t[3]){batch, d, frames}, err));
        for (int64_t b = 0; b < batch; b++)
            gather_codes(rvq->stages[q].embed, codes + b * codes_step, frames, (*found)->data + b * d * frames, frames);
        return RSD_OK;
    }
    TRY(arena_alloc(tape->arena, &dense, (size_t)(batch * frames), sizeof *dense, err));
    for (int64_t b = 0; b < batch; b++)
        memcpy(dense + b * frames, codes + b * codes_step, (size_t)frames * sizeof *dense);
    TRY(lattice_decode(tape, &rvq->lattice, dense, batch, frames, found, err));
fail:
    return status;
}

RsdStatus projected_rvq_decode(Tape *tape, ProjectedRvq *rvq, const uint16_t *codes, int64_t batch, int n_q, int64_t frames,
                               Tensor **z, RsdError *err)
{
    RsdStatus status = RSD_OK;

    *z = NULL;
    CHECK(n_q >= 1 && n_q <= rvq->config.n_q && batch >= 1 && frames >= 1, err, RSD_ERR_ARG,
          "%lld x %d x %lld codes; the quantiser has 1 to %d stages", (long long)batch, n_q, (long long)frames,
          rvq->config.n_q);
    for (int64_t i = 0; i < batch * n_q * frames; i++)
        CHECK(codes[i] < rvq->config.codebook_size, err, RSD_ERR_CORRUPT,
              "code %d of stage %lld at frame %lld, the codebook has %d", codes[i], (long long)(i / frames % n_q),
              (long long)(i % frames), rvq->config.codebook_size);
    TRY(tape_tensor(tape, z, 3, (int64_t[3]){batch, rvq->config.dim, frames}, err));
    tape->kernels->point->fill((*z)->data, 0.0f, tensor_count(*z), false);
    for (int q = 0; q < n_q; q++) {
        ArenaMark mark = arena_mark(tape->arena);
        Tensor *found, *back;

        TRY(look_codes_up(tape, rvq, q, codes + q * frames, batch, n_q * frames, frames, &found, err));
        TRY(op_linear(tape, found, rvq->stages[q].out_weight, rvq->stages[q].out_bias, &back, err));
        accumulate(tape, PAIR_ADD, *z, back);
        arena_rewind(tape->arena, mark);
    }
fail:
    return status;
}
