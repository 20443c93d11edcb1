/* conv_point.c - convolutions of one tap as products of matrices in bfloat16.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/ops/conv_point.h"

#include "engine/kernels/gemm.h"
#include "engine/ops/pointwise.h"

#define LEAST_CHANNELS 16
#define COLUMNS 480     /* of a task: a block of the product */
#define COLUMN_STEP 48  /* of its tiles */
#define ROWS 96         /* of a weight gradient's task */
#define LEAST_TASKS 4   /* of a weight gradient, so that there is something for a second thread */

static bool is_point(const ConvAxis *axis)
{
    return axis->k == 1 && axis->stride == 1 && axis->left == 0 && axis->n_fine == axis->n_coarse;
}

bool conv_point_takes(const Tape *tape, const ConvShape *s, bool backward)
{
    return tape->recording && tape->precision >= (backward ? TAPE_BF16_GRADIENTS : TAPE_BF16) && s->groups == 1 &&
           is_point(&s->x) && is_point(&s->y) && s->c_fine >= LEAST_CHANNELS && s->c_coarse >= LEAST_CHANNELS &&
           tape->kernels->gemm->bfloat_is_fast();
}

static int64_t ceil_div(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

static int64_t lesser(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* The samples of an item, cut evenly. */
typedef struct Cut {
    int64_t n, width, n_blocks;
} Cut;

static Cut cut_samples(const ConvShape *s)
{
    const int64_t n = conv_fine_count(s), n_blocks = ceil_div(n, COLUMNS) > 0 ? ceil_div(n, COLUMNS) : 1;
    const int64_t width = ceil_div(ceil_div(n, n_blocks), COLUMN_STEP) * COLUMN_STEP;

    return (Cut){n, width, width > 0 ? ceil_div(n, width) : 0};
}

/* --- forward ------------------------------------------------------------------------------------------------------------- */

typedef struct Forward {
    const Kernels *kernels;
    const ConvJob *job;
    Cut cut;
} Forward;

static void forward_task(void *ctx, int64_t i, int worker)
{
    const Forward *run = ctx;
    const ConvJob *job = run->job;
    const PointKernels *point = run->kernels->point;
    const int64_t item = i / run->cut.n_blocks, first = i % run->cut.n_blocks * run->cut.width, n = run->cut.n;
    const int64_t c_in = job->shape.c_fine, c_out = job->shape.c_coarse, width = lesser(run->cut.width, n - first);
    float *y = job->y + item * c_out * n + first;

    (void)worker;
    for (int64_t r = 0; r < c_out && job->bias; r++)
        point->fill(y + r * n, job->bias[r], width, false);
    run->kernels->gemm->product_bfloat(&(GemmJob){.m = c_out, .n = width, .k = c_in, .a = job->w, .lda = c_in,
                                                  .b = job->x + item * c_in * n + first, .ldb = n, .c = y, .ldc = n,
                                                  .add = job->bias != NULL});
    for (int64_t r = 0; r < c_out && job->relu; r++)
        point->map(POINT_RELU, 0.0f, 0.0f, y + r * n, y + r * n, width);
}

void conv_point_run(Tape *tape, const ConvJob *job)
{
    Forward run = {tape->kernels, job, cut_samples(&job->shape)};

    threads_for(tape->threads, job->shape.batch * run.cut.n_blocks, forward_task, &run);
}

/* --- backward ------------------------------------------------------------------------------------------------------------ */

typedef struct Backward {
    const Kernels *kernels;
    const ConvBackJob *job;
    Cut cut;
    int64_t n_row_blocks, n_parts; /* of dw: rows, and items, whose sums are added at the end */
    float *parts;                  /* [n_parts][c_out, c_in]; NULL: one part, right into dw */
} Backward;

static void input_task(void *ctx, int64_t i, int worker)
{
    const Backward *run = ctx;
    const ConvBackJob *job = run->job;
    const int64_t item = i / run->cut.n_blocks, first = i % run->cut.n_blocks * run->cut.width, n = run->cut.n;
    const int64_t c_in = job->shape.c_fine, c_out = job->shape.c_coarse;

    (void)worker;
    run->kernels->gemm->product_bfloat(&(GemmJob){.transpose_a = true, .m = c_in, .n = lesser(run->cut.width, n - first),
                                                  .k = c_out, .a = job->w, .lda = c_in,
                                                  .b = job->dy + item * c_out * n + first, .ldb = n,
                                                  .c = job->dx + item * c_in * n + first, .ldc = n, .add = job->add});
}

static void weight_task(void *ctx, int64_t i, int worker)
{
    const Backward *run = ctx;
    const ConvBackJob *job = run->job;
    const int64_t part = i / run->n_row_blocks, first = i % run->n_row_blocks * ROWS, n = run->cut.n, batch = job->shape.batch;
    const int64_t c_in = job->shape.c_fine, c_out = job->shape.c_coarse;
    const int64_t begin = batch * part / run->n_parts, end = batch * (part + 1) / run->n_parts;
    float *dw = (run->parts ? run->parts + part * c_out * c_in : job->dw) + first * c_in;

    (void)worker;
    for (int64_t item = begin; item < end; item++)
        run->kernels->gemm->product_bfloat(&(GemmJob){.transpose_b = true, .m = lesser(ROWS, c_out - first), .n = c_in, .k = n,
                                                      .a = job->dy + (item * c_out + first) * n, .lda = n,
                                                      .b = job->x + item * c_in * n, .ldb = n, .c = dw, .ldc = c_in,
                                                      .add = !run->parts || item > begin});
}

static void add_parts(void *ctx, int64_t i, int worker)
{
    const Backward *run = ctx;
    const int64_t count = run->job->shape.c_fine * run->job->shape.c_coarse, at = i * POINT_BLOCK;

    (void)worker;
    for (int64_t part = 0; part < run->n_parts; part++)
        run->kernels->point->scale(run->parts + part * count + at, 1.0f, run->job->dw + at, point_block_len(count, i), true);
}

static void bias_task(void *ctx, int64_t channel, int worker)
{
    const Backward *run = ctx;
    const ConvBackJob *job = run->job;
    double sum = 0;

    (void)worker;
    for (int64_t item = 0; item < job->shape.batch; item++)
        sum += run->kernels->point->sum(job->dy + (item * job->shape.c_coarse + channel) * run->cut.n, run->cut.n);
    run->kernels->point->settle(&sum, 1.0, job->db + channel, 1, true);
}

static RsdStatus weight_gradient(Tape *tape, Backward *run, RsdError *err)
{
    const ConvShape *s = &run->job->shape;
    const int64_t count = s->c_fine * s->c_coarse;
    const ArenaMark mark = arena_mark(tape->arena);
    RsdStatus status = RSD_OK;

    run->n_row_blocks = ceil_div(s->c_coarse, ROWS);
    run->n_parts = lesser(ceil_div(LEAST_TASKS, run->n_row_blocks), s->batch);
    if (run->n_parts > 1)
        TRY(arena_alloc(tape->arena, &run->parts, (size_t)(run->n_parts * count), sizeof *run->parts, err));
    threads_for(tape->threads, run->n_parts * run->n_row_blocks, weight_task, run);
    if (run->parts)
        threads_for(tape->threads, point_n_blocks(count), add_parts, run);
fail:
    arena_rewind(tape->arena, mark);
    return status;
}

RsdStatus conv_point_back(Tape *tape, const ConvBackJob *job, RsdError *err)
{
    Backward run = {.kernels = tape->kernels, .job = job, .cut = cut_samples(&job->shape)};
    RsdStatus status = RSD_OK;

    if (job->shape.batch == 0 || run.cut.n == 0)
        return RSD_OK;
    if (job->dw)
        TRY(weight_gradient(tape, &run, err));
    if (job->db)
        threads_for(tape->threads, job->shape.c_coarse, bias_task, &run);
    if (job->dx)
        threads_for(tape->threads, job->shape.batch * run.cut.n_blocks, input_task, &run);
fail:
    return status;
}
