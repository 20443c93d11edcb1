/* ssim.c - structural similarity in tiles that stay in the cache.
 *
 * A task is a strip of rows of one plane, walked in tiles of columns. Four products of each input row (x, d, x^2 + y^2, d^2)
 * enter a ring of n_taps rows; each output row is a weighted sum of the ring, a filter along it, and the formula:
 *
 *     input rows -> products -> ring [n_taps] -> sum down -> filter across -> similarity, its three derivatives
 *
 * When the tape records, the derivatives are stored as planes; backward filters them with the (symmetric or not) window
 * reversed and joins them with the pictures.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/ops/ssim.h"

#include <string.h>

#include "engine/kernels/picture.h"
#include "engine/kernels/point.h"

#define STRIP 32      /* output rows of a task */
#define TILE 448      /* output columns of a tile */
#define N_PRODUCTS 4
#define N_SLOPES 3
#define CENTRE 0.5f   /* of values in [0, 1] */
#define ROOM (TILE + SSIM_MAX_TAPS + 1)

typedef struct SsimJob {
    const PictureKernels *picture;
    RsdThreads *threads;
    SsimParams p;
    SsimForm form;
    float reversed[SSIM_MAX_TAPS];
    const float *x, *y;
    float *slopes[N_SLOPES]; /* planes [h_out, w_out], NULL when nothing is recorded */
    double *partial;         /* [planes, strips] */
    const float *dvalue;     /* [planes] */
    float *dy;
    int64_t n_planes, h, w, h_out, w_out, n_strips;
    bool add;
} SsimJob;

typedef struct Work {
    float ring[SSIM_MAX_TAPS][N_PRODUCTS][ROOM];
    float down[N_PRODUCTS][ROOM];
    float across[N_PRODUCTS][ROOM];
} Work;

static double tile(const SsimJob *job, Work *work, int64_t plane, int64_t first_row, int64_t end_row, int64_t column, int64_t n)
{
    const int n_taps = job->p.n_taps;
    const int64_t n_in = n + n_taps - 1;
    const SsimRows rows = {work->across[0], work->across[1], work->across[2], work->across[3]};
    double total = 0.0;

    for (int64_t r = first_row; r < end_row + n_taps - 1; r++) {
        float(*products)[ROOM] = work->ring[r % n_taps];
        const int64_t at = (plane * job->h + r) * job->w + column, q = r - n_taps + 1;
        float *slopes[N_SLOPES] = {0};

        job->picture->ssim_products(job->x + at, job->y + at, job->form.centre, products[0], products[1], products[2],
                                  products[3], n_in);
        if (q < first_row)
            continue;
        for (int k = 0; k < N_PRODUCTS; k++) {
            const float *lines[SSIM_MAX_TAPS];

            for (int t = 0; t < n_taps; t++)
                lines[t] = work->ring[(q + t) % n_taps][k];
            job->picture->blend_rows(lines, job->p.taps, n_taps, 0.0f, work->down[k], n_in, false);
            job->picture->filter_row(work->down[k], job->p.taps, n_taps, 1, work->across[k], n, false);
        }
        for (int k = 0; job->slopes[0] && k < N_SLOPES; k++)
            slopes[k] = job->slopes[k] + (plane * job->h_out + q) * job->w_out + column;
        total += job->picture->ssim(&rows, &job->form, slopes[0], slopes[1], slopes[2], n);
    }
    return total;
}

static void forward_task(void *ctx, int64_t i, int worker)
{
    const SsimJob *job = ctx;
    const int64_t first = i % job->n_strips * STRIP, end = first + STRIP < job->h_out ? first + STRIP : job->h_out;
    double total = 0.0;

    for (int64_t column = 0; column < job->w_out; column += TILE)
        total += tile(job, threads_scratch(job->threads, worker), i / job->n_strips, first, end, column,
                      job->w_out - column < TILE ? job->w_out - column : TILE);
    job->partial[i] = total;
}

static size_t backward_room(const SsimJob *job)
{
    return (size_t)(job->w + 2 * job->p.n_taps + 31) / 16 * 16;
}

static void backward_row(const SsimJob *job, float *work, int64_t plane, int64_t r)
{
    const int n_taps = job->p.n_taps;
    const size_t room = backward_room(job);
    const float scale = (float)((double)job->dvalue[plane] / ((double)job->h_out * (double)job->w_out));
    const int64_t at = (plane * job->h + r) * job->w;
    const float *lines[SSIM_MAX_TAPS];
    float taps[SSIM_MAX_TAPS], *filtered[N_SLOPES];

    for (int k = 0; k < N_SLOPES; k++) {
        int n = 0;

        for (int t = 0; t < n_taps; t++)
            if (r - t >= 0 && r - t < job->h_out) {
                lines[n] = job->slopes[k] + (plane * job->h_out + r - t) * job->w_out;
                taps[n++] = scale * job->p.taps[t];
            }
        memset(work, 0, (size_t)(n_taps - 1) * sizeof(float));
        memset(work + n_taps - 1 + job->w_out, 0, (size_t)(n_taps - 1) * sizeof(float));
        job->picture->blend_rows(lines, taps, n, 0.0f, work + n_taps - 1, job->w_out, false);
        filtered[k] = work + room * (size_t)(k + 1);
        job->picture->filter_row(work, job->reversed, n_taps, 1, filtered[k], job->w, false);
    }
    job->picture->ssim_gather(job->x + at, job->y + at, job->form.centre, filtered[0], filtered[1], filtered[2], job->dy + at,
                            job->w, job->add);
}

static void backward_task(void *ctx, int64_t i, int worker)
{
    const SsimJob *job = ctx;
    const int64_t n_strips = (job->h + STRIP - 1) / STRIP, first = i % n_strips * STRIP;

    for (int64_t r = first; r < first + STRIP && r < job->h; r++)
        backward_row(job, threads_scratch(job->threads, worker), i / n_strips, r);
}

static RsdStatus ssim_backward(Tape *tape, Node *node, RsdError *err)
{
    SsimJob job = *(const SsimJob *)node->saved;
    RsdStatus status = RSD_OK;

    TRY(tape_grad(tape, node->in[0], &job.dy, &job.add, err));
    if (!job.dy)
        return RSD_OK;
    job.dvalue = node->out->grad;
    TRY(threads_scratch_reserve(tape->threads, (N_SLOPES + 1) * backward_room(&job) * sizeof(float), err));
    threads_for(tape->threads, job.n_planes * ((job.h + STRIP - 1) / STRIP), backward_task, &job);
fail:
    return status;
}

RsdStatus op_ssim_distance(Tape *tape, const SsimParams *params, Tensor *x, Tensor *y, Tensor **value, RsdError *err)
{
    SsimJob *job;
    Tensor *result;
    char text_x[SHAPE_TEXT_SIZE], text_y[SHAPE_TEXT_SIZE];
    const int n_taps = params->n_taps;
    RsdStatus status = RSD_OK;

    CHECK(x->n_dims == 4 && tensor_same_shape(x, y) && x->shape[2] >= n_taps && x->shape[3] >= n_taps, err, RSD_ERR_ARG,
          "structural similarity under a window of %d x %d needs two pictures of one shape and at least that size, not %s "
          "and %s", n_taps, n_taps, shape_text(text_x, x->n_dims, x->shape), shape_text(text_y, y->n_dims, y->shape));
    TRY(arena_calloc(tape->arena, &job, 1, sizeof *job, err));
    *job = (SsimJob){.picture = tape->kernels->picture, .threads = tape->threads, .p = *params, .x = x->data, .y = y->data,
                     .form = {params->c1, params->c2, CENTRE, params->luminance}, .h = x->shape[2], .w = x->shape[3],
                     .n_planes = x->shape[0] * x->shape[1]};
    job->h_out = job->h - n_taps + 1;
    job->w_out = job->w - n_taps + 1;
    job->n_strips = (job->h_out + STRIP - 1) / STRIP;
    for (int k = 0; k < n_taps; k++)
        job->reversed[k] = params->taps[n_taps - 1 - k];
    TRY(tape_tensor(tape, &result, 2, x->shape, err));
    if (tape_will_record(tape, 1, &y))
        for (int k = 0; k < N_SLOPES; k++)
            TRY(arena_alloc(tape->arena, &job->slopes[k], (size_t)(job->n_planes * job->h_out * job->w_out), sizeof(float),
                            err));
    TRY(arena_alloc(tape->arena, &job->partial, (size_t)(job->n_planes * job->n_strips), sizeof(double), err));
    TRY(threads_scratch_reserve(tape->threads, sizeof(Work), err));
    threads_for(tape->threads, job->n_planes * job->n_strips, forward_task, job);
    for (int64_t i = 0; i < job->n_planes; i++) {
        double total = 0.0;

        for (int64_t k = 0; k < job->n_strips; k++)
            total += job->partial[i * job->n_strips + k];
        result->data[i] = (float)(total / ((double)job->h_out * (double)job->w_out));
    }
    TRY(tape_record(tape, ssim_backward, result, 1, &y, job, err));
    *value = result;
fail:
    return status;
}
