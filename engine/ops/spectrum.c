/* spectrum.c - magnitude, power and amplitude compression of complex spectrograms.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/ops/spectrum.h"

#include "engine/kernels/spectrum.h"
#include "engine/ops/pointwise.h"

typedef enum Form { MAGNITUDE, POWER, COMPRESS } Form;

typedef struct Job {
    const SpectrumKernels *kernels;
    Form form;
    float floor, exponent, eps;
    int64_t plane;            /* bins x frames */
    const float *x;           /* [rows, 2, plane] */
    float *y;                 /* [rows, plane], or [rows, 2, plane] */
    float *gain;              /* COMPRESS while recording: [rows, plane] */
    const float *dy;
    float *dx;
    bool add;
} Job;

static void forward_block(void *ctx, int64_t i, int worker)
{
    const Job *job = ctx;
    const int64_t n_blocks = point_n_blocks(job->plane), row = i / n_blocks, at = i % n_blocks * POINT_BLOCK;
    const int64_t n = point_block_len(job->plane, i % n_blocks);
    const float *re = job->x + row * 2 * job->plane + at, *im = re + job->plane;
    float *y = job->y + row * job->plane + at, *pair = job->y + row * 2 * job->plane + at;

    (void)worker;
    if (job->form == MAGNITUDE)
        job->kernels->magnitude(re, im, job->floor, y, n);
    else if (job->form == POWER)
        job->kernels->power(re, im, y, n);
    else
        job->kernels->compress(re, im, job->exponent, job->eps, pair, pair + job->plane,
                               job->gain ? job->gain + row * job->plane + at : NULL, n);
}

static void backward_block(void *ctx, int64_t i, int worker)
{
    const Job *job = ctx;
    const int64_t n_blocks = point_n_blocks(job->plane), row = i / n_blocks, at = i % n_blocks * POINT_BLOCK;
    const int64_t n = point_block_len(job->plane, i % n_blocks);
    const int64_t one = row * job->plane + at, two = row * 2 * job->plane + at;
    const float *re = job->x + two, *im = re + job->plane;
    float *dre = job->dx + two, *dim = dre + job->plane;

    (void)worker;
    if (job->form == MAGNITUDE)
        job->kernels->magnitude_grad(re, im, job->y + one, job->floor, job->dy + one, dre, dim, n, job->add);
    else if (job->form == POWER)
        job->kernels->power_grad(re, im, job->dy + one, dre, dim, n, job->add);
    else
        job->kernels->compress_grad(re, im, job->gain + one, job->exponent, job->eps, job->dy + two,
                                    job->dy + two + job->plane, dre, dim, n, job->add);
}

static RsdStatus form_backward(Tape *tape, Node *node, RsdError *err)
{
    Job job = *(const Job *)node->saved;
    RsdStatus status = tape_grad(tape, node->in[0], &job.dx, &job.add, err);

    job.dy = node->out->grad;
    if (status == RSD_OK && job.dx)
        threads_for(tape->threads, node->in[0]->shape[0] * point_n_blocks(job.plane), backward_block, &job);
    return status;
}

static RsdStatus apply(Tape *tape, Tensor *x, const Job *attributes, Tensor **y, RsdError *err)
{
    Tensor *inputs[] = {x}, *result;
    Job *job;
    char text[SHAPE_TEXT_SIZE];
    RsdStatus status = RSD_OK;

    *y = NULL;
    CHECK(x->n_dims == 4 && x->shape[1] == 2, err, RSD_ERR_ARG,
          "a complex spectrogram has the shape [rows, 2, bins, frames], not %s", shape_text(text, x->n_dims, x->shape));
    if (attributes->form == COMPRESS)
        TRY(tape_tensor(tape, &result, 4, x->shape, err));
    else
        TRY(tape_tensor(tape, &result, 3, (const int64_t[]){x->shape[0], x->shape[2], x->shape[3]}, err));
    TRY(arena_calloc(tape->arena, &job, 1, sizeof *job, err));
    *job = *attributes;
    job->kernels = tape->kernels->spectrum;
    job->plane = x->shape[2] * x->shape[3];
    job->x = x->data;
    job->y = result->data;
    if (job->form == COMPRESS && tape_will_record(tape, 1, inputs))
        TRY(arena_alloc(tape->arena, &job->gain, (size_t)(x->shape[0] * job->plane), sizeof(float), err));
    threads_for(tape->threads, x->shape[0] * point_n_blocks(job->plane), forward_block, job);
    TRY(tape_record(tape, form_backward, result, 1, inputs, job, err));
    *y = result;
fail:
    return status;
}

RsdStatus op_magnitude(Tape *tape, Tensor *x, float floor, Tensor **y, RsdError *err)
{
    return apply(tape, x, &(Job){.form = MAGNITUDE, .floor = floor}, y, err);
}

RsdStatus op_power(Tape *tape, Tensor *x, Tensor **y, RsdError *err)
{
    return apply(tape, x, &(Job){.form = POWER}, y, err);
}

RsdStatus op_compress(Tape *tape, Tensor *x, float exponent, float eps, Tensor **y, RsdError *err)
{
    *y = NULL;
    if (!(exponent >= 0.0f && exponent <= 2.0f && eps > 0.0f))
        return error_set(err, RSD_ERR_ARG, "compression with exponent %g and eps %g; 0 to 2 and above 0 are possible",
                         (double)exponent, (double)eps);
    return apply(tape, x, &(Job){.form = COMPRESS, .exponent = exponent, .eps = eps}, y, err);
}
