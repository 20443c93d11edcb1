/* stage_run.c - see stage_run.h.
 *
 * There is no floating-point number in this file, and a test looks for one.
 *
 * SPDX-License-Identifier: MIT
 */
#include "models/stage_run.h"

#include <string.h>

#include "engine/base/mem.h"

#define STEP_SHIFT 2 /* from 1/64 to 1 / STAGE_STEPS */

struct StageRun {
    const StagePrior *prior;
    const IntegerKernels *kernels;
    int64_t dim, context; /* channels */
    int16_t *a, *b;       /* what layers hand on */
};

static int64_t most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

RsdStatus stage_run_create(StageRun **out, const StagePrior *prior, int64_t max_h, int64_t max_w, const IntegerKernels *kernels,
                           RsdError *err)
{
    StageRun *run = NULL;
    int64_t size;
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(mem_calloc(&run, 1, sizeof *run, err));
    run->prior = prior;
    run->kernels = kernels;
    run->dim = prior->dim;
    run->context = prior->layers[0][STAGE_IN].n_out;
    size = most(most(2 * run->dim, run->context) * max_h * max_w,
                most(2 * run->context, prior->n_codes - 1) * prior_positions(max_h, max_w, 0));
    TRY(mem_alloc(&run->a, (size_t)size, sizeof *run->a, err));
    TRY(mem_alloc(&run->b, (size_t)size, sizeof *run->b, err));
    *out = run;
    return RSD_OK;
fail:
    stage_run_destroy(&run);
    return status;
}

void stage_run_destroy(StageRun **run)
{
    if (!*run)
        return;
    mem_free(&(*run)->a);
    mem_free(&(*run)->b);
    mem_free(run);
}

/* From planes [context, h, w] to the positions of a pass. */
static void pack(const StageRun *run, const int16_t *planes, int64_t h, int64_t w, int pass, int16_t *packed)
{
    for (int64_t line = 0; line < run->context * h; line++, planes += w)
        for (int64_t col = prior_first_column(line % h, pass); col < w; col += 2)
            *packed++ = planes[col];
}

void stage_run_tables(StageRun *run, int stage, int pass, const int32_t *sum, const int16_t *own, int64_t h, int64_t w, uint8_t *table)
{
    const IntegerLayer *layers = run->prior->layers[stage];
    const int64_t area = h * w, n = prior_positions(h, w, pass), n_mixed = run->context * n;
    int16_t *a = run->a, *b = run->b;

    for (int64_t i = 0; i < run->dim * area; i++)
        a[i] = integer_clamp(sum[i], -INTEGER_MAX);
    memcpy(a + run->dim * area, own, (size_t)(run->dim * area) * sizeof *own);
    run->kernels->dense(&layers[STAGE_IN], a, area, b);
    run->kernels->depthwise(&layers[STAGE_CONTEXT], STAGE_CONTEXT_SIZE, b, h, w, a);
    pack(run, a, h, w, pass, b);
    for (int i = 0; i < 2; i++) {
        run->kernels->dense(&layers[i ? STAGE_MIX_2 : STAGE_MIX_1], b, n, a);
        for (int64_t k = 0; k < n_mixed; k++)
            b[k] = integer_clamp(b[k] + a[k], -INTEGER_MAX);
    }
    run->kernels->dense(&layers[STAGE_OUT], b, n, a);
    for (int64_t i = 0; i < (run->prior->n_codes - 1) * n; i++) {
        int64_t step = integer_shift_down(a[i] + (1 << (STEP_SHIFT - 1)), STEP_SHIFT);

        step = step < -STAGE_TABLES / 2 ? -STAGE_TABLES / 2 : step >= STAGE_TABLES / 2 ? STAGE_TABLES / 2 - 1 : step;
        table[i] = (uint8_t)(step + STAGE_TABLES / 2);
    }
}
