/* rvq_paths.c - a task takes a few frames through all stages. Its residuals are the columns of one matrix, those of a frame's paths side
 * by side, best first, so that the search kernel reads a codebook once for many of them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "models/rvq_paths.h"

#include <math.h>
#include <string.h>

#include "models/rvq_stages.h"

#define COLUMNS 96 /* of a task's matrix, at most: four times what the AVX2 kernel searches at once */
#define SLACK 1e-5f /* of a column's energy: what rounding may cost a score */

/* A path with one more code. */
typedef struct Step {
    float error; /* |r|^2 that it leaves */
    int32_t from, code; /* column of the path before, code of this stage */
} Step;

/* A worker's room. A stage reads columns with `n_paths` to a frame and leaves as many as there are steps, `width` at most. */
typedef struct Room {
    int64_t dim, n_frames;
    int width, n_paths;
    float *residual, *next; /* [dim, COLUMNS] */
    float *energy;          /* [COLUMNS] |r|^2 */
    float *least;           /* [COLUMNS] score from which a code may be one of the best */
    Step *steps;            /* [n_frames, width] best first */
    int *n_steps;           /* [n_frames] */
    Step *history;          /* [n_q, COLUMNS] what led to each column after a stage */
} Room;

typedef struct PathJob {
    const Rvq *rvq;
    const SearchKernels *kernels;
    RsdThreads *threads;
    const VectorBatch *v;
    int n_q, width;
    int64_t n_blocks; /* tasks of one item */
    uint16_t *codes;
} PathJob;

static int64_t frames_of_task(int width)
{
    return COLUMNS / width;
}

static size_t room_size(int64_t dim, int n_q)
{
    return (size_t)(2 * dim + 2) * COLUMNS * sizeof(float) + (size_t)(1 + n_q) * COLUMNS * sizeof(Step) + COLUMNS * sizeof(int);
}

static Room lay_out(void *memory, int64_t dim, int width)
{
    Room room = {.dim = dim, .width = width, .residual = memory};

    room.next = room.residual + dim * COLUMNS;
    room.energy = room.next + dim * COLUMNS;
    room.least = room.energy + COLUMNS;
    room.steps = (Step *)(void *)(room.least + COLUMNS);
    room.history = room.steps + COLUMNS;
    return room;
}

/* ---- one stage ---- */

static bool is_better(const Step *a, const Step *b)
{
    return a->error != b->error ? a->error < b->error : a->from != b->from ? a->from < b->from : a->code < b->code;
}

/* Puts a code in its place among the best of a frame; the last of a full list says from which score on others matter. */
static void add_step(void *ctx, int64_t t, int64_t code, float score)
{
    Room *room = ctx;
    const int64_t frame = t / room->n_paths;
    const Step step = {room->energy[t] - 2.0f * score, (int32_t)t, (int32_t)code};
    Step *steps = room->steps + frame * room->width;
    int at = room->n_steps[frame];

    if (at == room->width && !is_better(&step, &steps[--at]))
        return;
    for (; at > 0 && is_better(&step, &steps[at - 1]); at--)
        steps[at] = steps[at - 1];
    steps[at] = step;
    if (room->n_steps[frame] < room->width && ++room->n_steps[frame] < room->width)
        return;
    for (int64_t c = frame * room->n_paths; c < (frame + 1) * room->n_paths; c++)
        room->least[c] = 0.5f * (room->energy[c] - steps[room->width - 1].error) - SLACK * room->energy[c];
}

static void measure(Room *room)
{
    const int64_t n = room->n_frames * room->n_paths;

    memset(room->energy, 0, (size_t)n * sizeof(float));
    for (int64_t d = 0; d < room->dim; d++)
        for (int64_t c = 0; c < n; c++)
            room->energy[c] += room->residual[d * COLUMNS + c] * room->residual[d * COLUMNS + c];
}

/* The paths of the best steps become the columns. */
static void go_on(Room *room, const Codebook *cb, int n_after, Step *history)
{
    const int64_t n = room->n_frames * n_after;
    float *swap = room->residual;

    for (int64_t c = 0; c < n; c++)
        history[c] = room->steps[c / n_after * room->width + c % n_after];
    for (int64_t d = 0; d < room->dim; d++)
        for (int64_t c = 0; c < n; c++)
            room->next[d * COLUMNS + c] = room->residual[d * COLUMNS + history[c].from] - cb->embed[history[c].code * cb->dim + d];
    room->residual = room->next;
    room->next = swap;
    room->n_paths = n_after;
    measure(room);
}

static void run_stage(Room *room, const Codebook *cb, const SearchKernels *kernels, Step *history)
{
    const int64_t n = room->n_frames * room->n_paths;
    const int64_t n_after = room->n_paths * cb->n_codes < room->width ? room->n_paths * cb->n_codes : room->width;

    for (int64_t c = 0; c < n; c++)
        room->least[c] = -INFINITY;
    memset(room->n_steps, 0, (size_t)room->n_frames * sizeof(int));
    kernels->scan(&cb->book, room->residual, COLUMNS, n, room->least, add_step, room);
    for (int64_t f = 0; f < room->n_frames; f++)
        for (int i = room->n_steps[f]; i < n_after; i++) /* NaN has no score */
            room->steps[f * room->width + i] = (Step){NAN, (int32_t)(f * room->n_paths), 0};
    go_on(room, cb, (int)n_after, history);
}

/* ---- frames ---- */

static void find_paths(void *ctx, int64_t i, int worker)
{
    const PathJob *job = ctx;
    const VectorBatch *v = job->v;
    const int64_t item = i / job->n_blocks, first = i % job->n_blocks * frames_of_task(job->width);
    Room room = lay_out(threads_scratch(job->threads, worker), v->dim, job->width);

    room.n_steps = (int *)(void *)(room.history + (int64_t)job->n_q * COLUMNS);
    room.n_frames = v->frames - first < frames_of_task(job->width) ? v->frames - first : frames_of_task(job->width);
    room.n_paths = 1;
    for (int64_t d = 0; d < v->dim; d++)
        memcpy(room.residual + d * COLUMNS, v->data + (item * v->dim + d) * v->frames + first, (size_t)room.n_frames * sizeof(float));
    measure(&room);
    for (int q = 0; q < job->n_q; q++)
        run_stage(&room, &job->rvq->stages[q], job->kernels, room.history + q * COLUMNS);
    for (int64_t f = 0; f < room.n_frames; f++) {
        int64_t column = f * room.n_paths;

        for (int q = job->n_q - 1; q >= 0; q--) {
            const Step *step = &room.history[q * COLUMNS + column];

            job->codes[(item * job->n_q + q) * v->frames + first + f] = (uint16_t)step->code;
            column = step->from;
        }
    }
}

RsdStatus rvq_find_paths(const Rvq *rvq, const SearchKernels *kernels, RsdThreads *threads, const VectorBatch *v, int n_q, int width,
                         uint16_t *codes, RsdError *err)
{
    PathJob job = {rvq, kernels, threads, v, n_q, width, (v->frames + frames_of_task(width) - 1) / frames_of_task(width), codes};
    RsdStatus status = RSD_OK;

    TRY(threads_scratch_reserve(threads, room_size(v->dim, n_q), err));
    threads_for(threads, v->batch * job.n_blocks, find_paths, &job);
fail:
    return status;
}

RsdStatus rvq_encode_paths(Tape *tape, Rvq *rvq, const Tensor *z, int n_q, int n_paths, uint16_t *codes, RsdError *err)
{
    const VectorBatch v = {z->data, z->shape[0], z->shape[1], z->shape[2]};
    RsdStatus status = RSD_OK;

    CHECK(n_paths >= 1 && n_paths <= RVQ_MAX_PATHS, err, RSD_ERR_ARG, "%d paths of a search, expected 1 to %d", n_paths, RVQ_MAX_PATHS);
    if (n_paths == 1)
        return rvq_encode(tape, rvq, z, n_q, codes, err);
    TRY(rvq_check_input(rvq, z, n_q, err));
    TRY(rvq_find_paths(rvq, tape->kernels->search, tape->threads, &v, n_q, n_paths, codes, err));
fail:
    return status;
}
