/* ssimulacra.c - the maps of SSIMULACRA 2 in tiles that stay in the cache.
 *
 * A task is a strip of rows of one plane, walked in tiles of columns, as in engine/ops/ssim.c: products of each input row enter a
 * ring, each output row is a weighted sum of the ring and a filter along it. The maps are summed and forgotten. Backward makes
 * the statistics again, because the slope of a fourth-power norm is known only once the norm is: a first pass leaves four planes
 * of slopes, a second filters three of them with the (symmetric) window and joins them with the pictures.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/ops/ssimulacra.h"

#include <math.h>
#include <string.h>

#include "engine/kernels/picture.h"
#include "engine/kernels/point.h"

#define REACH 4
#define N_TAPS (2 * REACH + 1)
#define STRIP 32 /* rows of a task */
#define TILE 448 /* columns of a tile */
#define ROOM (TILE + 2 * REACH + 8)
#define N_PRODUCTS 4
#define N_SLOPES 4 /* of mean d, sum of squares, squared d, and directly */
#define N_NORMS SSIMULACRA_N_NORMS

/* The reference's recursive filter of sigma 1.5 as the finite filter it equals. */
static const float taps[N_TAPS] = {0.0094143678f, 0.0360111147f, 0.1093353728f, 0.2129285920f, 0.2646211055f,
                                   0.2129285920f, 0.1093353728f, 0.0360111147f, 0.0094143678f};

typedef struct NormJob {
    const PictureKernels *picture;
    const PointKernels *point;
    RsdThreads *threads;
    const float *x, *y;
    int64_t n_planes, h, w, n_strips;
    double *partial;                   /* [planes, strips, norms] */
    const float *norms, *dnorms;       /* [planes, norms] */
    float *slopes[N_SLOPES];           /* [planes, h, w], while the gradient is made */
    float *dy;
    bool add;
} NormJob;

typedef struct Work {
    float ring[N_TAPS][N_PRODUCTS][ROOM];
    float padded[2][ROOM];
    float down[ROOM];
    float across[N_PRODUCTS][ROOM];
} Work;

/* Row r of a plane from column - REACH on, zeros where there is none. */
static void pad_row(const NormJob *job, const float *plane, int64_t r, int64_t column, int64_t n, float *out)
{
    const int64_t first = column < REACH ? REACH - column : 0, over = column + n + REACH - job->w, last = over > 0 ? over : 0;

    memset(out, 0, (size_t)(n + 2 * REACH) * sizeof *out);
    if (r >= 0 && r < job->h)
        memcpy(out + first, plane + r * job->w + column - REACH + first, (size_t)(n + 2 * REACH - first - last) * sizeof *out);
}

typedef void (*RowVisitor)(const NormJob *job, int64_t plane, int64_t at, const SsimRows *rows, int64_t n, double sums[N_NORMS]);

/* Calls visit for each row of a tile, `at` its place in the planes. */
static void walk_tile(const NormJob *job, Work *work, int64_t plane, int64_t first, int64_t end, int64_t column, int64_t n,
                      RowVisitor visit, double sums[N_NORMS])
{
    const float *x = job->x + plane * job->h * job->w, *y = job->y + plane * job->h * job->w;
    const SsimRows rows = {work->across[0], work->across[1], work->across[2], work->across[3]};

    for (int64_t r = first - REACH; r < end + REACH; r++) {
        float(*products)[ROOM] = work->ring[(r + REACH) % N_TAPS];
        const int64_t q = r - REACH;

        pad_row(job, x, r, column, n, work->padded[0]);
        pad_row(job, y, r, column, n, work->padded[1]);
        job->picture->ssim_products(work->padded[0], work->padded[1], 0.0f, products[0], products[1], products[2], products[3],
                                    n + 2 * REACH);
        if (q < first)
            continue;
        for (int k = 0; k < N_PRODUCTS; k++) {
            const float *lines[N_TAPS];

            for (int t = 0; t < N_TAPS; t++)
                lines[t] = work->ring[(q + t) % N_TAPS][k];
            job->picture->blend_rows(lines, taps, N_TAPS, 0.0f, work->down, n + 2 * REACH, false);
            job->picture->filter_row(work->down, taps, N_TAPS, 1, work->across[k], n, false);
        }
        visit(job, plane, (plane * job->h + q) * job->w + column, &rows, n, sums);
    }
}

static void walk_strip(const NormJob *job, int64_t i, int worker, RowVisitor visit, double sums[N_NORMS])
{
    const int64_t first = i % job->n_strips * STRIP, end = first + STRIP < job->h ? first + STRIP : job->h;

    for (int64_t column = 0; column < job->w; column += TILE)
        walk_tile(job, threads_scratch(job->threads, worker), i / job->n_strips, first, end, column,
                  job->w - column < TILE ? job->w - column : TILE, visit, sums);
}

static void sum_row(const NormJob *job, int64_t plane, int64_t at, const SsimRows *rows, int64_t n, double sums[N_NORMS])
{
    (void)plane;
    job->picture->ssimulacra(job->x + at, job->y + at, rows, sums, n);
}

static void forward_task(void *ctx, int64_t i, int worker)
{
    const NormJob *job = ctx;

    memset(job->partial + i * N_NORMS, 0, N_NORMS * sizeof(double));
    walk_strip(job, i, worker, sum_row, job->partial + i * N_NORMS);
}

/* Slopes of the maps' sums and sums of fourth powers: norm = sum / n, or (sum / n)^(1/4) with the slope norm^-3 / (4 n). */
static void slope_row(const NormJob *job, int64_t plane, int64_t at, const SsimRows *rows, int64_t n, double sums[N_NORMS])
{
    const double count = (double)job->h * (double)job->w;
    float slopes[N_NORMS];

    (void)sums;
    for (int k = 0; k < N_NORMS; k++) {
        const double norm = (double)job->norms[plane * N_NORMS + k], slope = (double)job->dnorms[plane * N_NORMS + k] / count;

        slopes[k] = (float)(k < 3 ? slope : norm > 0.0 ? 0.25 * slope / (norm * norm * norm) : 0.0);
    }
    job->picture->ssimulacra_grad(job->x + at, job->y + at, rows, slopes, job->slopes[0] + at, job->slopes[1] + at,
                                  job->slopes[2] + at, job->slopes[3] + at, n);
}

static void slope_task(void *ctx, int64_t i, int worker)
{
    walk_strip(ctx, i, worker, slope_row, NULL);
}

static size_t gather_room(const NormJob *job)
{
    return (size_t)(job->w + 2 * REACH + 31) / 16 * 16;
}

/* The window is symmetric, so the transpose of the filter is the filter. */
static void gather_row(const NormJob *job, float *work, int64_t plane, int64_t r)
{
    const int64_t at = (plane * job->h + r) * job->w;
    const size_t room = gather_room(job);
    float *filtered[3];

    for (int k = 0; k < 3; k++) {
        const float *lines[N_TAPS];
        float weights[N_TAPS];
        int n = 0;

        for (int t = -REACH; t <= REACH; t++)
            if (r + t >= 0 && r + t < job->h) {
                lines[n] = job->slopes[k] + at + t * job->w;
                weights[n++] = taps[t + REACH];
            }
        memset(work, 0, REACH * sizeof *work);
        memset(work + REACH + job->w, 0, REACH * sizeof *work);
        job->picture->blend_rows(lines, weights, n, 0.0f, work + REACH, job->w, false);
        filtered[k] = work + room * (size_t)(k + 1);
        job->picture->filter_row(work, taps, N_TAPS, 1, filtered[k], job->w, false);
    }
    job->picture->ssim_gather(job->x + at, job->y + at, 0.0f, filtered[0], filtered[1], filtered[2], job->dy + at, job->w,
                              job->add);
    job->point->scale(job->slopes[3] + at, 1.0f, job->dy + at, job->w, true);
}

static void gather_task(void *ctx, int64_t i, int worker)
{
    const NormJob *job = ctx;
    const int64_t first = i % job->n_strips * STRIP;

    for (int64_t r = first; r < first + STRIP && r < job->h; r++)
        gather_row(job, threads_scratch(job->threads, worker), i / job->n_strips, r);
}

static size_t scratch_size(const NormJob *job)
{
    const size_t gather = 4 * gather_room(job) * sizeof(float);

    return gather > sizeof(Work) ? gather : sizeof(Work);
}

static RsdStatus norms_backward(Tape *tape, Node *node, RsdError *err)
{
    NormJob job = *(const NormJob *)node->saved;
    RsdStatus status = RSD_OK;

    TRY(tape_grad(tape, node->in[0], &job.dy, &job.add, err));
    if (!job.dy)
        return RSD_OK;
    job.dnorms = node->out->grad;
    for (int k = 0; k < N_SLOPES; k++)
        TRY(arena_alloc(tape->arena, &job.slopes[k], (size_t)(job.n_planes * job.h * job.w), sizeof(float), err));
    TRY(threads_scratch_reserve(tape->threads, scratch_size(&job), err));
    threads_for(tape->threads, job.n_planes * job.n_strips, slope_task, &job);
    threads_for(tape->threads, job.n_planes * job.n_strips, gather_task, &job);
fail:
    return status;
}

static void settle(const NormJob *job, float *norms)
{
    const double count = (double)job->h * (double)job->w;

    for (int64_t i = 0; i < job->n_planes * N_NORMS; i++) {
        const int64_t plane = i / N_NORMS, k = i % N_NORMS;
        double total = 0.0;

        for (int64_t s = 0; s < job->n_strips; s++)
            total += job->partial[(plane * job->n_strips + s) * N_NORMS + k];
        norms[i] = (float)(k < 3 ? total / count : sqrt(sqrt(total / count)));
    }
}

RsdStatus op_ssimulacra_norms(Tape *tape, Tensor *x, Tensor *y, Tensor **norms, RsdError *err)
{
    NormJob *job;
    Tensor *result;
    char text_x[SHAPE_TEXT_SIZE], text_y[SHAPE_TEXT_SIZE];
    RsdStatus status = RSD_OK;

    CHECK(x->n_dims == 4 && tensor_same_shape(x, y), err, RSD_ERR_ARG, "SSIMULACRA 2 compares two pictures of one shape, not %s and "
          "%s", shape_text(text_x, x->n_dims, x->shape), shape_text(text_y, y->n_dims, y->shape));
    TRY(arena_calloc(tape->arena, &job, 1, sizeof *job, err));
    *job = (NormJob){.picture = tape->kernels->picture, .point = tape->kernels->point, .threads = tape->threads, .x = x->data,
                     .y = y->data, .n_planes = x->shape[0] * x->shape[1], .h = x->shape[2], .w = x->shape[3],
                     .n_strips = (x->shape[2] + STRIP - 1) / STRIP};
    TRY(tape_tensor(tape, &result, 3, (int64_t[]){x->shape[0], x->shape[1], N_NORMS}, err));
    job->norms = result->data;
    TRY(arena_alloc(tape->arena, &job->partial, (size_t)(job->n_planes * job->n_strips * N_NORMS), sizeof(double), err));
    TRY(threads_scratch_reserve(tape->threads, scratch_size(job), err));
    threads_for(tape->threads, job->n_planes * job->n_strips, forward_task, job);
    settle(job, result->data);
    TRY(tape_record(tape, norms_backward, result, 1, &y, job, err));
    *norms = result;
fail:
    return status;
}
