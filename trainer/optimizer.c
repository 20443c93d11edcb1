/* optimizer.c - Adam and Muon over blocks of parameters.
 *
 * The parameters are cut into blocks of POINT_BLOCK elements once; every pass hands these blocks to the threads, and
 * sums are added up block by block, so that the number of threads changes nothing.
 *
 * SPDX-License-Identifier: MIT
 */
#include "trainer/optimizer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/mem.h"
#include "engine/kernels/kernels.h"
#include "engine/kernels/point.h"
#include "engine/weights/half.h"
#include "trainer/orthogonal.h"

struct OptimizerBlock {
    Tensor *tensor;
    int64_t start, n; /* in the tensor */
    int64_t at;       /* in m, v and average */
    bool in_matrix;   /* moved by Muon */
    double sum_sq;
    MomoSums momo;
};

struct OptimizerMatrix {
    Tensor *tensor;
    int64_t rows, columns, at;
    int owner;         /* member that orthogonalises it */
    int64_t at_owner;  /* among those of its owner */
    float *scratch;    /* for orthogonalise; NULL when it is another's */
};

static int64_t blocks_of(int64_t count)
{
    return (count + POINT_BLOCK - 1) / POINT_BLOCK;
}

static bool is_matrix(const Optimizer *opt, const Param *param)
{
    const Tensor *tensor = param->tensor;

    return opt->config.kind == OPTIMIZER_MUON && !param->elementwise && tensor->n_dims >= 2 && tensor->shape[0] >= 2 &&
           tensor_count(tensor) >= 2 * tensor->shape[0];
}

static void cut_blocks(Optimizer *opt)
{
    int64_t at = 0, i_block = 0;

    for (size_t i = 0; i < opt->params->n_items; i++) {
        Tensor *tensor = opt->params->items[i].tensor;
        int64_t count = tensor_count(tensor);

        if (!opt->params->items[i].trainable)
            continue;
        for (int64_t start = 0; start < count; start += POINT_BLOCK) {
            int64_t n = count - start < POINT_BLOCK ? count - start : POINT_BLOCK;

            opt->blocks[i_block++] = (OptimizerBlock){
                .tensor = tensor, .start = start, .n = n, .at = at + start, .in_matrix = is_matrix(opt, &opt->params->items[i])};
        }
        at += count;
    }
}

static int larger_first(const void *a, const void *b)
{
    const OptimizerMatrix *x = a, *y = b;
    int64_t n_x = x->rows * x->columns, n_y = y->rows * y->columns;

    return n_x != n_y ? (n_x < n_y ? 1 : -1) : (x->at > y->at) - (x->at < y->at);
}

static RsdStatus find_matrices(Optimizer *opt, RsdError *err)
{
    int64_t at = 0, count;
    RsdStatus status = RSD_OK;

    TRY(mem_calloc(&opt->matrices, opt->params->n_items + 1, sizeof *opt->matrices, err));
    for (size_t i = 0; i < opt->params->n_items; i++) {
        Tensor *tensor = opt->params->items[i].tensor;

        if (!opt->params->items[i].trainable)
            continue;
        count = tensor_count(tensor);
        if (is_matrix(opt, &opt->params->items[i])) {
            OptimizerMatrix *matrix = &opt->matrices[opt->n_matrices++];

            *matrix = (OptimizerMatrix){
                .tensor = tensor, .rows = tensor->shape[0], .columns = count / tensor->shape[0], .at = at};
            TRY(mem_alloc(&matrix->scratch, orthogonal_scratch_count(matrix->rows, matrix->columns), sizeof(float), err));
        }
        at += count;
    }
    qsort(opt->matrices, (size_t)opt->n_matrices, sizeof *opt->matrices, larger_first);
fail:
    return status;
}

/* About what it costs: two products with the matrix, and those of five steps on its small side. */
static double work_of(const OptimizerMatrix *matrix)
{
    const double small = (double)(matrix->rows < matrix->columns ? matrix->rows : matrix->columns);

    return small * (2.0 * (double)matrix->rows * (double)matrix->columns + 18.0 * small * small);
}

static bool is_mine(const Optimizer *opt, const OptimizerMatrix *matrix)
{
    return matrix->owner == group_rank(opt->group);
}

/* Matrix after matrix, the largest first, to whoever has least to do. */
static RsdStatus share_out_matrices(Optimizer *opt, RsdError *err)
{
    const int n_members = group_size(opt->group);
    double *loads = NULL;
    int64_t *counts = NULL;
    RsdStatus status = RSD_OK;

    TRY(mem_calloc(&loads, (size_t)n_members, sizeof *loads, err));
    TRY(mem_calloc(&counts, (size_t)n_members, sizeof *counts, err));
    for (int64_t i = 0; i < opt->n_matrices; i++) {
        OptimizerMatrix *matrix = &opt->matrices[i];
        int least = 0;

        for (int r = 1; r < n_members; r++)
            if (loads[r] < loads[least])
                least = r;
        loads[least] += work_of(matrix);
        matrix->owner = least;
        matrix->at_owner = counts[least];
        counts[least] += matrix->rows * matrix->columns;
        if (!is_mine(opt, matrix))
            mem_free(&matrix->scratch);
    }
    for (int r = 0; r < n_members; r++)
        opt->n_steps = counts[r] > opt->n_steps ? counts[r] : opt->n_steps;
    TRY(mem_calloc(&opt->steps, (size_t)opt->n_steps, sizeof *opt->steps, err));
    TRY(mem_alloc(&opt->all_steps, (size_t)(n_members * opt->n_steps), sizeof *opt->all_steps, err));
fail:
    mem_free(&loads);
    mem_free(&counts);
    return status;
}

RsdStatus optimizer_create(Optimizer **out, const OptimizerConfig *config, ParamSet *params,
                           const struct Kernels *kernels, RsdError *err)
{
    Optimizer *opt = NULL;
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(mem_calloc(&opt, 1, sizeof *opt, err));
    opt->config = *config;
    opt->params = params;
    opt->kernels = kernels;
    for (size_t i = 0; i < params->n_items; i++) {
        if (params->items[i].trainable) {
            opt->n_elements += tensor_count(params->items[i].tensor);
            opt->n_blocks += blocks_of(tensor_count(params->items[i].tensor));
        }
    }
    TRY(mem_calloc(&opt->m, (size_t)opt->n_elements, sizeof(float), err));
    TRY(mem_calloc(&opt->v, (size_t)opt->n_elements, sizeof(float), err));
    TRY(mem_calloc(&opt->average, (size_t)opt->n_elements, sizeof(float), err));
    TRY(mem_calloc(&opt->blocks, (size_t)opt->n_blocks, sizeof *opt->blocks, err));
    cut_blocks(opt);
    optimizer_restart_average(opt);
    if (config->weights != WEIGHTS_F32) {
        TRY(mem_alloc(&opt->master, (size_t)opt->n_elements, sizeof(float), err));
        optimizer_take_masters(opt, false);
    }
    TRY(find_matrices(opt, err));
    *out = opt;
    return RSD_OK;
fail:
    optimizer_destroy(&opt);
    return status;
}

void optimizer_destroy(Optimizer **optimizer)
{
    if (!*optimizer)
        return;
    mem_free(&(*optimizer)->m);
    mem_free(&(*optimizer)->v);
    mem_free(&(*optimizer)->average);
    mem_free(&(*optimizer)->master);
    mem_free(&(*optimizer)->shared);
    mem_free(&(*optimizer)->steps);
    mem_free(&(*optimizer)->all_steps);
    mem_free(&(*optimizer)->kept);
    mem_free(&(*optimizer)->blocks);
    for (int64_t i = 0; i < (*optimizer)->n_matrices; i++)
        mem_free(&(*optimizer)->matrices[i].scratch);
    mem_free(&(*optimizer)->matrices);
    mem_free(optimizer);
}

RsdStatus optimizer_join(Optimizer *opt, Group *group, RsdError *err)
{
    RsdStatus status = RSD_OK;

    if (group_size(group) == 1)
        return RSD_OK;
    opt->group = group;
    TRY(mem_alloc(&opt->shared, (size_t)opt->n_elements, sizeof *opt->shared, err));
    TRY(share_out_matrices(opt, err));
fail:
    return status;
}

void optimizer_sum_grads(Optimizer *opt, float scale)
{
    if (!opt->group)
        return;
    for (int64_t i = 0; i < opt->n_blocks; i++)
        memcpy(opt->shared + opt->blocks[i].at, opt->blocks[i].tensor->grad + opt->blocks[i].start,
               (size_t)opt->blocks[i].n * sizeof(float));
    group_sum_f32(opt->group, opt->shared, (size_t)opt->n_elements);
    for (int64_t i = 0; i < opt->n_blocks; i++)
        opt->kernels->point->scale(opt->shared + opt->blocks[i].at, scale,
                                   opt->blocks[i].tensor->grad + opt->blocks[i].start, opt->blocks[i].n, false);
}

static void square_task(void *ctx, int64_t i, int worker)
{
    Optimizer *opt = ctx;
    OptimizerBlock *block = &opt->blocks[i];
    const float *grad = block->tensor->grad + block->start;

    (void)worker;
    block->sum_sq = opt->kernels->point->dot(grad, grad, block->n);
}

double optimizer_grad_norm(Optimizer *opt, RsdThreads *threads)
{
    double sum = 0.0;

    threads_for(threads, opt->n_blocks, square_task, opt);
    for (int64_t i = 0; i < opt->n_blocks; i++)
        sum += opt->blocks[i].sum_sq;
    return sqrt(sum);
}

RsdStatus optimizer_climb(Optimizer *opt, double grad_norm, RsdError *err)
{
    float scale = grad_norm > 0.0 && isfinite(grad_norm) ? (float)((double)opt->config.sam_radius / grad_norm) : 0.0f;
    RsdStatus status = RSD_OK;

    if (!opt->kept)
        TRY(mem_alloc(&opt->kept, (size_t)opt->n_elements, sizeof *opt->kept, err));
    for (int64_t i = 0; i < opt->n_blocks; i++) {
        const OptimizerBlock *block = &opt->blocks[i];
        float *weights = block->tensor->data + block->start;

        memcpy(opt->kept + block->at, weights, (size_t)block->n * sizeof *weights);
        if (scale > 0.0f)
            opt->kernels->point->scale(block->tensor->grad + block->start, scale, weights, block->n, true);
    }
fail:
    return status;
}

void optimizer_climb_back(Optimizer *opt)
{
    for (int64_t i = 0; i < opt->n_blocks; i++)
        memcpy(opt->blocks[i].tensor->data + opt->blocks[i].start, opt->kept + opt->blocks[i].at,
               (size_t)opt->blocks[i].n * sizeof(float));
}

/* ---- 16-bit copies of float32 masters ---- */

typedef struct HalfJob {
    const Optimizer *opt;
    float unscale;
} HalfJob;

static float round_to(int format, float value)
{
    return format == WEIGHTS_BF16 ? bfloat_to_float(bfloat_from_float(value)) : half_to_float(half_from_float(value));
}

static void copy_masters_task(void *ctx, int64_t i, int worker)
{
    const HalfJob *job = ctx;
    const OptimizerBlock *block = &job->opt->blocks[i];
    float *weights = block->tensor->data + block->start;
    const float *master = job->opt->master + block->at;

    (void)worker;
    for (int64_t k = 0; k < block->n; k++)
        weights[k] = round_to(job->opt->config.weights, master[k]);
}

/* The parameters become the masters, to be moved, or the masters what they have become. */
static void exchange_masters(Optimizer *opt, bool to_parameters)
{
    for (int64_t i = 0; opt->master && i < opt->n_blocks; i++) {
        float *weights = opt->blocks[i].tensor->data + opt->blocks[i].start, *master = opt->master + opt->blocks[i].at;

        memcpy(to_parameters ? weights : master, to_parameters ? master : weights, (size_t)opt->blocks[i].n * sizeof *master);
    }
}

void optimizer_restart_average(Optimizer *opt)
{
    for (int64_t i = 0; i < opt->n_blocks; i++) {
        const OptimizerBlock *block = &opt->blocks[i];

        memcpy(opt->average + block->at, block->tensor->data + block->start, (size_t)block->n * sizeof(float));
    }
}

void optimizer_take_masters(Optimizer *opt, bool master_known)
{
    if (!opt->master)
        return;
    if (!master_known)
        exchange_masters(opt, false);
    for (int64_t i = 0; i < opt->n_blocks; i++)
        copy_masters_task(&(HalfJob){opt, 1.0f}, i, 0);
}

static void round_grads_task(void *ctx, int64_t i, int worker)
{
    const HalfJob *job = ctx;
    const OptimizerBlock *block = &job->opt->blocks[i];
    float *grad = block->tensor->grad + block->start;

    (void)worker;
    for (int64_t k = 0; k < block->n; k++)
        grad[k] = job->unscale * round_to(job->opt->config.weights, grad[k]);
}

void optimizer_round_grads(Optimizer *opt, float scale, RsdThreads *threads)
{
    HalfJob job = {opt, 1.0f / scale};

    if (opt->master)
        threads_for(threads, opt->n_blocks, round_grads_task, &job);
}

/* ---- updates ---- */

typedef struct UpdateJob {
    Optimizer *opt;
    AdamStep step;
    MomoStep momo;
    float momo_rate;
    float average_decay;
} UpdateJob;

static void update_task(void *ctx, int64_t i, int worker)
{
    const UpdateJob *job = ctx;
    Optimizer *opt = job->opt;
    const OptimizerBlock *block = &opt->blocks[i];
    float *weights = block->tensor->data + block->start;

    (void)worker;
    if (opt->config.kind == OPTIMIZER_MOMO)
        momo_apply(weights, opt->m + block->at, opt->v + block->at, block->n, &job->momo, job->momo_rate,
                   1.0f / (1.0f + job->step.lr * job->step.decay));
    else if (!block->in_matrix)
        opt->kernels->point->adam(weights, opt->m + block->at, opt->v + block->at, block->tensor->grad + block->start,
                                  block->n, &job->step);
    opt->kernels->point->track(opt->average + block->at, weights, job->average_decay, block->n);
}

/* m = beta m + (1 - beta) g; the step is the orthogonal matrix nearest to (1 - beta) g + beta m, which takes the gradient's place. */
static void find_muon_step(void *ctx, int64_t i, int worker)
{
    const UpdateJob *job = ctx;
    const Optimizer *opt = job->opt;
    const OptimizerMatrix *matrix = &opt->matrices[i];
    const PointKernels *kernels = opt->kernels->point;
    const float beta = opt->config.muon_beta;
    const int64_t n = matrix->rows * matrix->columns;
    float *m = opt->m + matrix->at, *step = matrix->tensor->grad;

    (void)worker;
    kernels->track(m, step, beta, n); /* every member has the whole state, of which one writes the checkpoint */
    if (!is_mine(opt, matrix))
        return;
    kernels->scale(step, 1.0f - beta, step, n, false);
    kernels->scale(m, beta, step, n, true);
    orthogonalise(opt->kernels, matrix->rows, matrix->columns, step, matrix->scratch);
}

/* Everyone gets the steps that the others have found. */
static void share_muon_steps(Optimizer *opt)
{
    for (int64_t i = 0; i < opt->n_matrices; i++) {
        const OptimizerMatrix *matrix = &opt->matrices[i];

        if (is_mine(opt, matrix))
            memcpy(opt->steps + matrix->at_owner, matrix->tensor->grad, (size_t)(matrix->rows * matrix->columns) * sizeof(float));
    }
    group_gather(opt->group, opt->steps, (size_t)opt->n_steps * sizeof(float), opt->all_steps);
    for (int64_t i = 0; i < opt->n_matrices; i++) {
        const OptimizerMatrix *matrix = &opt->matrices[i];

        if (!is_mine(opt, matrix))
            memcpy(matrix->tensor->grad, opt->all_steps + matrix->owner * opt->n_steps + matrix->at_owner,
                   (size_t)(matrix->rows * matrix->columns) * sizeof(float));
    }
}

static void take_muon_step(void *ctx, int64_t i, int worker)
{
    const UpdateJob *job = ctx;
    const OptimizerMatrix *matrix = &job->opt->matrices[i];
    const PointKernels *kernels = job->opt->kernels->point;
    const int64_t n = matrix->rows * matrix->columns;
    float *weights = matrix->tensor->data, lr = job->step.lr * job->opt->config.muon_scale;

    (void)worker;
    if (matrix->rows > matrix->columns)
        lr *= sqrtf((float)matrix->rows / (float)matrix->columns);
    kernels->scale(weights, 1.0f - job->step.lr * job->step.decay, weights, n, false);
    kernels->scale(matrix->tensor->grad, -lr, weights, n, true);
}

static void move_matrices(UpdateJob *job, RsdThreads *threads)
{
    Optimizer *opt = job->opt;

    threads_for(threads, opt->n_matrices, find_muon_step, job);
    if (opt->group && opt->n_matrices)
        share_muon_steps(opt);
    threads_for(threads, opt->n_matrices, take_muon_step, job);
}

static void follow_task(void *ctx, int64_t i, int worker)
{
    const UpdateJob *job = ctx;
    Optimizer *opt = job->opt;
    OptimizerBlock *block = &opt->blocks[i];

    (void)worker;
    block->momo = momo_follow(block->tensor->data + block->start, opt->m + block->at, opt->v + block->at,
                              block->tensor->grad + block->start, block->n, &job->momo);
}

/* Moves the averages and finds the rate of this step. The loss shrinks with its gradient when that is clipped. */
static void prepare_momo(UpdateJob *job, RsdThreads *threads)
{
    Optimizer *opt = job->opt;
    const AdamStep *step = &job->step;
    MomoSums sums = {0};

    job->momo = (MomoStep){step->beta1, step->beta2, step->eps, step->correct2, step->grad_scale};
    threads_for(threads, opt->n_blocks, follow_task, job);
    for (int64_t i = 0; i < opt->n_blocks; i++) {
        sums.grad_weight += opt->blocks[i].momo.grad_weight;
        sums.mean_weight += opt->blocks[i].momo.mean_weight;
        sums.mean_sq += opt->blocks[i].momo.mean_sq;
    }
    job->momo_rate = (float)momo_rate(&opt->momo, &sums, (double)step->grad_scale * opt->loss, (double)step->lr,
                                      (double)step->decay, (double)step->beta1, opt->n_updates);
}

void optimizer_update(Optimizer *opt, float lr, double grad_norm, RsdThreads *threads)
{
    const OptimizerConfig *cfg = &opt->config;
    double t = (double)++opt->n_updates, young = (1.0 + t) / (10.0 + t);
    bool clip = cfg->clip_norm > 0.0f && grad_norm > (double)cfg->clip_norm;
    UpdateJob job = {.opt = opt,
                     .step = {.lr = lr,
                              .beta1 = cfg->beta1,
                              .beta2 = cfg->beta2,
                              .eps = cfg->epsilon,
                              .decay = cfg->kind != OPTIMIZER_ADAM ? cfg->weight_decay : 0.0f,
                              .correct1 = (float)(1.0 / (1.0 - pow((double)cfg->beta1, t))),
                              .correct2 = (float)(1.0 / (1.0 - pow((double)cfg->beta2, t))),
                              .grad_scale = clip ? (float)((double)cfg->clip_norm / grad_norm) : 1.0f},
                     .average_decay = (float)fmin((double)cfg->ema_decay, young)};

    exchange_masters(opt, true);
    if (cfg->kind == OPTIMIZER_MOMO)
        prepare_momo(&job, threads);
    move_matrices(&job, threads);
    threads_for(threads, opt->n_blocks, update_task, &job);
    exchange_masters(opt, false);
    if (opt->master)
        threads_for(threads, opt->n_blocks, copy_masters_task, &(HalfJob){opt, 1.0f});
}

void optimizer_swap_average(Optimizer *opt)
{
    float kept[256];

    for (int64_t i = 0; i < opt->n_blocks; i++) {
        float *weights = opt->blocks[i].tensor->data + opt->blocks[i].start;
        float *average = opt->average + opt->blocks[i].at;

        for (int64_t j = 0; j < opt->blocks[i].n; j += 256) {
            size_t size = (size_t)(opt->blocks[i].n - j < 256 ? opt->blocks[i].n - j : 256) * sizeof(float);

            memcpy(kept, weights + j, size);
            memcpy(weights + j, average + j, size);
            memcpy(average + j, kept, size);
        }
    }
}
