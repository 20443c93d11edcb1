/* row_rounding.c - coordinate descent over whole numbers.
 *
 * SPDX-License-Identifier: MIT
 */
#include "models/row_rounding.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "engine/base/mem.h"

#define SWEEPS 50
#define STIFFNESS 1e-4 /* part of the mean square of all inputs that each has besides, by itself: crops are few */

/* One row. slope = (S + stiffness) error. */
typedef struct Descent {
    const double *moments;
    double *error, *slope;
    double stiffness;
    int64_t n; /* inputs with the 1 */
} Descent;

static void move(const Descent *d, int64_t i, double by)
{
    const double *row = d->moments + i * d->n;

    d->error[i] += by;
    for (int64_t k = 0; k < d->n; k++)
        d->slope[k] += by * row[k];
    d->slope[i] += by * d->stiffness;
}

/* How far error i is from where the square is least. */
static double way_to_least(const Descent *d, int64_t i)
{
    const double square = d->moments[i * d->n + i] + d->stiffness;

    return square > 0.0 ? -d->slope[i] / square : 0.0;
}

static bool sweep(const Descent *d, double *steps, double scale, int64_t greatest, bool has_bias)
{
    bool has_moved = false;

    for (int64_t i = 0; i < d->n - 1; i++) {
        const double by = round(way_to_least(d, i) / scale);

        if (i == greatest || by == 0.0 || fabs(steps[i] + by) > ROW_ROUNDING_MAX)
            continue;
        steps[i] += by;
        move(d, i, by * scale);
        has_moved = true;
    }
    if (has_bias)
        move(d, d->n - 1, way_to_least(d, d->n - 1));
    return has_moved;
}

static void round_row(const Descent *d, float *w, float *bias, double *steps, double scale)
{
    const int64_t n_in = d->n - 1;
    int64_t greatest = 0;

    memset(d->error, 0, (size_t)d->n * sizeof *d->error);
    memset(d->slope, 0, (size_t)d->n * sizeof *d->slope);
    for (int64_t i = 0; i < n_in; i++) {
        steps[i] = round((double)w[i] / scale);
        move(d, i, steps[i] * scale - (double)w[i]);
        if (fabsf(w[i]) > fabsf(w[greatest]))
            greatest = i;
    }
    for (int k = 0; k < SWEEPS && sweep(d, steps, scale, greatest, bias != NULL); k++)
        continue;
    for (int64_t i = 0; i < n_in; i++)
        w[i] = (float)(steps[i] * scale);
    if (bias)
        *bias += (float)d->error[n_in];
}

RsdStatus row_rounding_run(const RowRounding *rows, RsdError *err)
{
    const int64_t n_in = rows->n_in, n = n_in + 1;
    Descent d = {.moments = rows->moments, .n = n};
    double *steps = NULL;
    RsdStatus status = RSD_OK;

    for (int64_t i = 0; i < n; i++)
        d.stiffness += STIFFNESS / (double)n * rows->moments[i * n + i];
    TRY(mem_alloc(&d.error, (size_t)n, sizeof *d.error, err));
    TRY(mem_alloc(&d.slope, (size_t)n, sizeof *d.slope, err));
    TRY(mem_alloc(&steps, (size_t)n, sizeof *steps, err));
    for (int64_t o = 0; o < rows->n_out; o++)
        if (rows->scale[o] > 0.0)
            round_row(&d, rows->w + o * n_in, rows->bias ? &rows->bias[o] : NULL, steps, rows->scale[o]);
fail:
    mem_free(&steps);
    mem_free(&d.slope);
    mem_free(&d.error);
    return status;
}
