/* rvq.c - residual vector quantiser: life, search and reconstruction.
 *
 * Stage i picks the nearest code of what stages 0..i-1 left over, so dropping trailing stages lowers the rate without
 * encoding again. In inference a task takes some columns through all stages, so that their residual stays in the cache;
 * every column is searched by itself, so codes do not depend on chunks or threads. Training: rvq_train.c.
 *
 * [1] Zeghidour et al., SoundStream, 2021, section III-C.   [2] Defossez et al., EnCodec, 2022, section 3.2.
 *
 * SPDX-License-Identifier: MIT
 */
#include "models/rvq.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/mem.h"
#include "models/rvq_stages.h"

/* ---- configuration ---- */

RsdStatus rvq_check_config(const RvqConfig *cfg, RsdError *err)
{
    int k = cfg->codebook_size;
    RsdStatus status = RSD_OK;

    CHECK(cfg->n_q >= 1 && cfg->n_q <= RVQ_MAX_STAGES, err, RSD_ERR_ARG, "n_q is %d, expected 1 to %d", cfg->n_q,
          RVQ_MAX_STAGES);
    CHECK(k >= 2 && k <= RVQ_MAX_CODES && (k & (k - 1)) == 0, err, RSD_ERR_ARG,
          "codebook_size is %d, expected a power of two from 2 to %d", k, RVQ_MAX_CODES);
    CHECK(cfg->dim >= 1 && cfg->dim <= RVQ_MAX_DIM, err, RSD_ERR_ARG, "dim is %d, expected 1 to %d", cfg->dim, RVQ_MAX_DIM);
    CHECK(cfg->ema_decay >= 0.0f && cfg->ema_decay < 1.0f, err, RSD_ERR_ARG, "ema_decay is %g, expected 0 to below 1",
          (double)cfg->ema_decay);
    CHECK(cfg->dead_below >= 0.0f && cfg->dead_below <= 1.0f, err, RSD_ERR_ARG, "dead_below is %g, expected 0 to 1",
          (double)cfg->dead_below);
fail:
    return status;
}

int64_t rvq_count_parameters(const RvqConfig *cfg)
{
    return (int64_t)cfg->n_q * cfg->codebook_size * cfg->dim;
}

/* ---- life ---- */

static RsdStatus add_stage(Rvq *rvq, int i, ParamSet *params, RsdError *err)
{
    int64_t shape[2] = {rvq->config.codebook_size, rvq->config.dim};
    Tensor *embed, *count, *sum;
    char name[32];
    RsdStatus status = RSD_OK;

    snprintf(name, sizeof name, "rvq.%d.embed", i);
    TRY(params_add(params, name, 2, shape, false, &embed, err));
    snprintf(name, sizeof name, "rvq.%d.count", i);
    TRY(params_add_training_state(params, name, 1, shape, &count, err));
    snprintf(name, sizeof name, "rvq.%d.sum", i);
    TRY(params_add_training_state(params, name, 2, shape, &sum, err));
    codebook_init(&rvq->stages[i], shape[0], shape[1], embed->data, count ? count->data : NULL, sum ? sum->data : NULL,
                  rvq->packed + (size_t)i * search_packed_count(shape[0], shape[1]));
fail:
    return status;
}

RsdStatus rvq_create(Rvq **out, const RvqConfig *cfg, ParamSet *params, RsdError *err)
{
    Rvq *rvq = NULL;
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(rvq_check_config(cfg, err));
    TRY(mem_calloc(&rvq, 1, sizeof *rvq, err));
    rvq->config = *cfg;
    rvq->trainable = !params->for_inference;
    TRY(mem_alloc(&rvq->packed, (size_t)cfg->n_q * search_packed_count(cfg->codebook_size, cfg->dim), sizeof(float), err));
    for (int i = 0; i < cfg->n_q; i++)
        TRY(add_stage(rvq, i, params, err));
    if (rvq->trainable)
        rvq_refresh(rvq);
    *out = rvq;
    return RSD_OK;
fail:
    rvq_destroy(&rvq);
    return status;
}

void rvq_destroy(Rvq **rvq)
{
    if (!*rvq)
        return;
    mem_free(&(*rvq)->packed);
    mem_free(rvq);
}

static bool all_zero(const float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (x[i] != 0.0f)
            return false;
    return true;
}

bool rvq_is_initialised(const Rvq *rvq)
{
    const Codebook *first = &rvq->stages[0];

    return first->count ? !all_zero(first->count, first->n_codes) : !all_zero(first->embed, first->n_codes * first->dim);
}

void rvq_refresh(Rvq *rvq)
{
    for (int i = 0; i < rvq->config.n_q; i++) {
        Codebook *cb = &rvq->stages[i];

        codebook_pack(cb);
        if (!cb->count || !all_zero(cb->count, cb->n_codes) || all_zero(cb->embed, cb->n_codes * cb->dim))
            continue;
        for (int64_t j = 0; j < cb->n_codes; j++)
            cb->count[j] = 1.0f;
        memcpy(cb->sum, cb->embed, (size_t)(cb->n_codes * cb->dim) * sizeof(float));
    }
}

/* ---- search ---- */

RsdStatus rvq_check_input(const Rvq *rvq, const Tensor *z, int n_q, RsdError *err)
{
    char text[SHAPE_TEXT_SIZE];

    if (z->n_dims != 3 || z->shape[0] < 1 || z->shape[1] != rvq->config.dim || z->shape[2] < 1)
        return error_set(err, RSD_ERR_ARG, "quantiser input is %s, expected [batch, %d, frames]",
                         shape_text(text, z->n_dims, z->shape), rvq->config.dim);
    if (z->shape[0] * z->shape[2] >= INT32_MAX)
        return error_set(err, RSD_ERR_ARG, "quantiser input %s has too many frames for one call",
                         shape_text(text, z->n_dims, z->shape));
    if (n_q < 1 || n_q > rvq->config.n_q)
        return error_set(err, RSD_ERR_ARG, "%d stages asked for, the quantiser has 1 to %d", n_q, rvq->config.n_q);
    return RSD_OK;
}

typedef struct EncodeJob {
    const Rvq *rvq;
    const SearchKernels *kernels;
    VectorBatch residual;
    int n_q;
    uint16_t *codes;
} EncodeJob;

static void encode_columns(void *ctx, int64_t i, int worker)
{
    const EncodeJob *job = ctx;
    const VectorBatch *v = &job->residual;
    int64_t item, first, n;
    float *residual;

    (void)worker;
    codebook_task(v, i, &item, &first, &n);
    residual = v->data + item * v->dim * v->frames + first;
    for (int q = 0; q < job->n_q; q++) {
        const Codebook *cb = &job->rvq->stages[q];
        uint16_t *codes = job->codes + (item * job->n_q + q) * v->frames + first;

        job->kernels->nearest(&cb->book, residual, v->frames, n, codes);
        job->kernels->take_out(cb->embed, cb->dim, codes, n, residual, NULL, v->frames);
    }
}

RsdStatus rvq_encode(Tape *tape, Rvq *rvq, const Tensor *z, int n_q, uint16_t *codes, RsdError *err)
{
    ArenaMark mark = arena_mark(tape->arena);
    EncodeJob job = {.rvq = rvq, .kernels = tape->kernels->search, .n_q = n_q, .codes = codes};
    Tensor *residual;
    RsdStatus status = RSD_OK;

    TRY(rvq_check_input(rvq, z, n_q, err));
    TRY(tape_input(tape, &residual, z->n_dims, z->shape, z->data, err));
    job.residual = (VectorBatch){residual->data, z->shape[0], z->shape[1], z->shape[2]};
    threads_for(tape->threads, codebook_n_tasks(&job.residual), encode_columns, &job);
fail:
    arena_rewind(tape->arena, mark);
    return status;
}

/* ---- reconstruction ---- */

RsdStatus rvq_decode(Tape *tape, Rvq *rvq, const uint16_t *codes, int64_t batch, int n_q, int64_t frames, Tensor **z,
                     RsdError *err)
{
    int64_t shape[3] = {batch, rvq->config.dim, frames};
    RsdStatus status = RSD_OK;

    *z = NULL;
    CHECK(n_q >= 1 && n_q <= rvq->config.n_q && batch >= 1 && frames >= 1, err, RSD_ERR_ARG,
          "%lld x %d x %lld codes; the quantiser has 1 to %d stages", (long long)batch, n_q, (long long)frames,
          rvq->config.n_q);
    for (int64_t i = 0; i < batch * n_q * frames; i++)
        CHECK(codes[i] < rvq->config.codebook_size, err, RSD_ERR_CORRUPT,
              "code %d of stage %lld at frame %lld, the codebook has %d", codes[i], (long long)(i / frames % n_q),
              (long long)(i % frames), rvq->config.codebook_size);
    TRY(tape_tensor(tape, z, 3, shape, err));
    memset((*z)->data, 0, (size_t)tensor_count(*z) * sizeof(float));
    for (int64_t b = 0; b < batch; b++) {
        for (int q = 0; q < n_q; q++) {
            const Codebook *cb = &rvq->stages[q];
            const uint16_t *row = codes + (b * n_q + q) * frames;

            for (int64_t d = 0; d < cb->dim; d++) {
                float *out = (*z)->data + (b * cb->dim + d) * frames;

                for (int64_t t = 0; t < frames; t++)
                    out[t] += cb->embed[row[t] * cb->dim + d];
            }
        }
    }
fail:
    return status;
}
