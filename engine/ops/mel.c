/* mel.c - mel projection as an op: one sparse matrix times every spectrogram of a batch.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/ops/mel.h"

#include <string.h>

#define COLUMNS_PER_TASK 64

typedef struct Job {
    const SpectrumKernels *kernels;
    const BandMatrix *matrix;
    const float *x;
    float *y;
    int64_t columns, n_tasks; /* per spectrogram */
    bool add;
} Job;

static void project_columns(void *ctx, int64_t i, int worker)
{
    const Job *job = ctx;
    const int64_t row = i / job->n_tasks, at = i % job->n_tasks * COLUMNS_PER_TASK, left = job->columns - at;

    (void)worker;
    job->kernels->band(job->matrix, job->x + row * job->matrix->n_columns * job->columns + at, job->columns,
                       job->y + row * job->matrix->n_rows * job->columns + at, job->columns,
                       left < COLUMNS_PER_TASK ? left : COLUMNS_PER_TASK, job->add);
}

static void project(Tape *tape, const BandMatrix *matrix, const float *x, float *y, int64_t n_rows, int64_t columns,
                    bool add)
{
    Job job = {.kernels = tape->kernels->spectrum, .matrix = matrix, .x = x, .y = y, .columns = columns, .add = add};

    job.n_tasks = (columns + COLUMNS_PER_TASK - 1) / COLUMNS_PER_TASK;
    threads_for(tape->threads, n_rows * job.n_tasks, project_columns, &job);
}

typedef struct Saved {
    const MelBank *mel;
} Saved;

static RsdStatus mel_backward(Tape *tape, Node *node, RsdError *err)
{
    const Saved *saved = node->saved;
    const Tensor *x = node->in[0];
    const int64_t columns = x->shape[x->n_dims - 1];
    float *dx;
    bool add;
    RsdStatus status = tape_grad(tape, node->in[0], &dx, &add, err);

    if (status == RSD_OK && dx)
        project(tape, &saved->mel->transposed, node->out->grad, dx, tensor_count(x) / (saved->mel->bins * columns),
                columns, add);
    return status;
}

RsdStatus op_mel(Tape *tape, const MelBank *mel, Tensor *x, Tensor **y, RsdError *err)
{
    Tensor *inputs[] = {x}, *result;
    Saved *saved;
    int64_t shape[TENSOR_MAX_DIMS], columns;
    char text[SHAPE_TEXT_SIZE];
    RsdStatus status = RSD_OK;

    *y = NULL;
    CHECK(x->n_dims >= 2 && x->shape[x->n_dims - 2] == mel->bins && tensor_count(x) > 0, err, RSD_ERR_ARG,
          "mel filters of %d bins need [.., %d, frames], not %s", mel->bins, mel->bins,
          shape_text(text, x->n_dims, x->shape));
    memcpy(shape, x->shape, sizeof shape);
    shape[x->n_dims - 2] = mel->filters.n_rows;
    columns = x->shape[x->n_dims - 1];
    TRY(tape_tensor(tape, &result, x->n_dims, shape, err));
    TRY(arena_calloc(tape->arena, &saved, 1, sizeof *saved, err));
    saved->mel = mel;
    project(tape, &mel->filters, x->data, result->data, tensor_count(x) / (mel->bins * columns), columns, false);
    TRY(tape_record(tape, mel_backward, result, 1, inputs, saved, err));
    *y = result;
fail:
    return status;
}
