/* prior_run.c - psi from z, then parameters for half of the positions at a time.
 *
 * There is no floating-point number in this file, and a test looks for one.
 *
 * SPDX-License-Identifier: MIT
 */
#include "models/prior_run.h"

#include <string.h>

#include "engine/base/mem.h"

#define Z_FRACTION 64
#define INDEX_MAX 63
#define INDEX_UNIT 64
#define CONTEXT_SIZE 5
#define SMOOTH_SIZE 3
#define PART 48 /* outputs of a layer that a task makes */

struct PriorRun {
    const IntegerPrior *prior;
    const IntegerKernels *kernels;
    RsdThreads *threads;
    int64_t m, hyper, context, entropy; /* channels */
    int64_t h, w, psi_w;                /* of the tile; of a line of psi */
    int16_t *psi;                       /* [m, 4 ceil(h / 4), psi_w] */
    int16_t *a, *b;                     /* what layers hand on */
    int16_t *plane;                     /* [context, h, w] */
    int16_t *level_rows, *local_rows;   /* of steps: [m], [places of psi]; NULL: all steps are 1 */
};

static int64_t most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

RsdStatus prior_run_create(PriorRun **out, const IntegerPrior *prior, int64_t max_h, int64_t max_w,
                           const IntegerKernels *kernels, RsdError *err)
{
    PriorRun *run = NULL;
    int64_t n = (max_h + 3) / 4 * ((max_w + 3) / 4), n_pass = prior_positions(max_h, max_w, 0), size;
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(mem_calloc(&run, 1, sizeof *run, err));
    run->prior = prior;
    run->kernels = kernels;
    run->m = prior->layers[PRIOR_PSI].n_out;
    run->hyper = prior->layers[PRIOR_UP1].n_in;
    run->context = prior->layers[PRIOR_CONTEXT].n_out;
    run->entropy = prior->layers[PRIOR_JOIN].n_out;
    size = most(16 * run->m * n, 12 * run->hyper * n); /* psi; the block of the hyper decoder and what is inside it */
    size = most(size, most(2 * run->m, 2 * run->entropy) * n_pass); /* OUT; MIX behind what it adds to */
    size = most(size, most((run->m + run->context) * n_pass, run->context * max_h * max_w));
    TRY(mem_alloc(&run->psi, (size_t)(16 * run->m * n), sizeof *run->psi, err));
    TRY(mem_alloc(&run->a, (size_t)size, sizeof *run->a, err));
    TRY(mem_alloc(&run->b, (size_t)size, sizeof *run->b, err));
    TRY(mem_alloc(&run->plane, (size_t)(run->context * max_h * max_w), sizeof *run->plane, err));
    if (prior->steps) {
        TRY(mem_alloc(&run->level_rows, (size_t)run->m, sizeof *run->level_rows, err));
        TRY(mem_alloc(&run->local_rows, (size_t)(16 * n), sizeof *run->local_rows, err));
    }
    *out = run;
    return RSD_OK;
fail:
    prior_run_destroy(&run);
    return status;
}

void prior_run_destroy(PriorRun **run)
{
    if (!*run)
        return;
    mem_free(&(*run)->psi);
    mem_free(&(*run)->a);
    mem_free(&(*run)->b);
    mem_free(&(*run)->plane);
    mem_free(&(*run)->level_rows);
    mem_free(&(*run)->local_rows);
    mem_free(run);
}

void prior_run_share(PriorRun *run, RsdThreads *threads)
{
    run->threads = threads;
}

/* --- layers --------------------------------------------------------------------------------------------------------- */

/* A layer at work: dense on n columns, or depthwise on planes of h by w. */
typedef struct LayerTask {
    const IntegerKernels *kernels;
    IntegerLayer layer;
    int64_t size, h, w; /* size 0: dense on h w columns */
    const int16_t *x;
    int16_t *y;
} LayerTask;

/* Outputs first .. first + n - 1 of a layer. */
static IntegerLayer outputs(const IntegerLayer *layer, int64_t first, int64_t n)
{
    IntegerLayer part = *layer;

    part.n_out = n;
    part.weight += first * layer->n_in;
    part.bias += first;
    part.mult += first;
    return part;
}

static void run_part(void *ctx, int64_t i, int worker)
{
    const LayerTask *task = ctx;
    const int64_t first = i * PART, left = task->layer.n_out - first, at = first * task->h * task->w;
    const IntegerLayer part = outputs(&task->layer, first, left < PART ? left : PART);

    (void)worker;
    if (task->size > 0)
        task->kernels->depthwise(&part, task->size, task->x + at, task->h, task->w, task->y + at);
    else
        task->kernels->dense(&part, task->x, task->h * task->w, task->y + at);
}

static void run_layer(const PriorRun *run, LayerTask *task)
{
    task->kernels = run->kernels;
    threads_for(run->threads, (task->layer.n_out + PART - 1) / PART, run_part, task);
}

static void dense(const PriorRun *run, PriorLayer layer, const int16_t *x, int64_t n, int16_t *y)
{
    run_layer(run, &(LayerTask){.layer = run->prior->layers[layer], .h = 1, .w = n, .x = x, .y = y});
}

static void depthwise(const PriorRun *run, PriorLayer layer, int64_t size, const int16_t *x, int64_t h, int64_t w, int16_t *y)
{
    run_layer(run, &(LayerTask){.layer = run->prior->layers[layer], .size = size, .h = h, .w = w, .x = x, .y = y});
}

static void add(int16_t *sum, const int16_t *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        sum[i] = integer_clamp(sum[i] + x[i], -INTEGER_MAX);
}

/* x [4 channels, h, w] -> y [channels, 2 h, 2 w] */
static void shuffle(const int16_t *x, int64_t channels, int64_t h, int64_t w, int16_t *y)
{
    for (int64_t c = 0; c < channels; c++, x += 4 * h * w)
        for (int64_t row = 0; row < 2 * h; row++, y += 2 * w) {
            const int16_t *left = x + (row % 2 * 2 * h + row / 2) * w, *right = left + h * w;

            for (int64_t col = 0; col < w; col++) {
                y[2 * col] = left[col];
                y[2 * col + 1] = right[col];
            }
        }
}

/* Of a table [IMAGE_LEVELS, m]. */
static int32_t at_level(const PriorRun *run, const int16_t *table, int level, int64_t channel)
{
    const int16_t *low = table + level / 16 * run->m + channel;
    int f = level % 16;

    return f == 0 ? *low : (int32_t)integer_shift_down(low[0] * (16 - f) + low[run->m] * f + 8, 4);
}

static void find_steps(PriorRun *run, int level, int64_t n)
{
    const IntegerSteps *steps = run->prior->steps;

    if (!steps)
        return;
    run_layer(run, &(LayerTask){.layer = steps->local, .h = 1, .w = n, .x = run->psi, .y = run->local_rows});
    for (int64_t c = 0; c < run->m; c++)
        run->level_rows[c] = (int16_t)at_level(run, steps->levels, level, c);
}

void prior_run_begin(PriorRun *run, int level, const int16_t *z, int64_t h, int64_t w)
{
    int64_t zh = (h + 3) / 4, zw = (w + 3) / 4, n = zh * zw, n_fine = 16 * n;
    int16_t *a = run->a, *b = run->b, *inner = a + run->hyper * 4 * n;

    run->h = h;
    run->w = w;
    run->psi_w = 4 * zw;
    for (int64_t i = 0; i < run->hyper * n; i++)
        b[i] = (int16_t)(z[i] * Z_FRACTION);
    dense(run, PRIOR_UP1, b, n, a);
    shuffle(a, run->hyper, zh, zw, b);
    depthwise(run, PRIOR_BLOCK_TAPS, SMOOTH_SIZE, b, 2 * zh, 2 * zw, a);
    dense(run, PRIOR_BLOCK_IN, a, 4 * n, inner);
    dense(run, PRIOR_BLOCK_OUT, inner, 4 * n, a);
    add(b, a, run->hyper * 4 * n);
    dense(run, PRIOR_UP2, b, 4 * n, a);
    shuffle(a, run->m, 2 * zh, 2 * zw, b);
    depthwise(run, PRIOR_SMOOTH, SMOOTH_SIZE, b, 4 * zh, 4 * zw, a);
    dense(run, PRIOR_PSI, a, n_fine, run->psi);
    for (int64_t c = 0; c < run->m; c++) {
        int16_t *psi = run->psi + c * n_fine;
        int32_t bias = at_level(run, run->prior->level_bias, level, c);

        for (int64_t i = 0; i < n_fine; i++)
            psi[i] = integer_clamp(psi[i] + bias, 0);
    }
    find_steps(run, level, n_fine);
}

/* From planes with lines of pitch numbers to the positions of a pass. */
static void pack(const int16_t *plane, int64_t pitch, int64_t h, int64_t w, int pass, int16_t *packed)
{
    for (int64_t row = 0; row < h; row++, plane += pitch)
        for (int64_t col = prior_first_column(row, pass); col < w; col += 2)
            *packed++ = plane[col];
}

static int limit(int v, int low, int high)
{
    return v < low ? low : v > high ? high : v;
}

static int index_of(int16_t v, int row)
{
    return limit((int)integer_shift_down(v + INDEX_UNIT / 2, 6) - row, 0, INDEX_MAX);
}

/* a [m, n] says the scales of latents in steps of 1; in larger ones they are as many rows less. */
static void find_rows(PriorRun *run, int pass, int64_t n, const PriorGuess *guess)
{
    int16_t *local = run->b; /* the layers are done with it */

    if (!run->prior->steps) {
        for (int64_t i = 0; i < run->m * n; i++)
            guess->index[i] = (uint8_t)index_of(run->a[i], 0);
        memset(guess->row, 0, (size_t)(run->m * n));
        return;
    }
    pack(run->local_rows, run->psi_w, run->h, run->w, pass, local);
    for (int64_t c = 0, i = 0; c < run->m; c++)
        for (int64_t place = 0; place < n; place++, i++) {
            const int row = limit(local[place] + run->level_rows[c], PRIOR_LOWEST_STEP, PRIOR_HIGHEST_STEP);

            guess->row[i] = (int8_t)row;
            guess->index[i] = (uint8_t)index_of(run->a[i], row);
        }
}

/* a: psi of the pass, then its context, [m + context, n]. */
static void parameters(PriorRun *run, int pass, const PriorGuess *guess)
{
    int64_t n = prior_positions(run->h, run->w, pass);
    const IntegerLayer *out = &run->prior->layers[PRIOR_OUT];
    int16_t *mixed = run->a + run->entropy * n;

    dense(run, PRIOR_JOIN, run->a, n, run->b);
    dense(run, PRIOR_MIX, run->b, n, mixed);
    add(run->b, mixed, run->entropy * n);
    run_layer(run, &(LayerTask){.layer = outputs(out, 0, run->m), .h = 1, .w = n, .x = run->b, .y = guess->mean});
    run_layer(run, &(LayerTask){.layer = outputs(out, run->m, run->m), .h = 1, .w = n, .x = run->b, .y = run->a});
    find_rows(run, pass, n, guess);
}

static void pack_psi(PriorRun *run, int pass)
{
    int64_t n = prior_positions(run->h, run->w, pass), plane = (run->h + 3) / 4 * 4 * run->psi_w;

    for (int64_t c = 0; c < run->m; c++)
        pack(run->psi + c * plane, run->psi_w, run->h, run->w, pass, run->a + c * n);
}

void prior_run_anchors(PriorRun *run, const PriorGuess *guess)
{
    int64_t n = prior_positions(run->h, run->w, 0);

    pack_psi(run, 0);
    memset(run->a + run->m * n, 0, (size_t)(run->context * n) * sizeof *run->a);
    parameters(run, 0, guess);
}

void prior_run_others(PriorRun *run, const int32_t *anchors, const PriorGuess *guess)
{
    int64_t n_anchors = prior_positions(run->h, run->w, 0), n = prior_positions(run->h, run->w, 1),
            area = run->h * run->w;
    const int16_t *packed = run->b;

    for (int64_t i = 0; i < run->m * n_anchors; i++)
        run->a[i] = integer_clamp(anchors[i], -INTEGER_MAX);
    dense(run, PRIOR_CONTEXT_IN, run->a, n_anchors, run->b);
    memset(run->plane, 0, (size_t)(run->context * area) * sizeof *run->plane);
    for (int64_t c = 0; c < run->context; c++)
        for (int64_t row = 0; row < run->h; row++)
            for (int64_t col = prior_first_column(row, 0); col < run->w; col += 2)
                run->plane[c * area + row * run->w + col] = *packed++;
    depthwise(run, PRIOR_CONTEXT, CONTEXT_SIZE, run->plane, run->h, run->w, run->b);
    pack_psi(run, 1);
    for (int64_t c = 0; c < run->context; c++)
        pack(run->b + c * area, run->w, run->h, run->w, 1, run->a + (run->m + c) * n);
    parameters(run, 1, guess);
}
