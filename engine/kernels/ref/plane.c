/* plane.c - pooling and resizing of planes in plain C.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/kernels/ref/plane_ref.h"

#include <string.h>

/* Samples of a window that a mean counts: those that exist, or those of the padded axis. */
static int64_t counted(const PoolAxis *axis, int64_t i, bool count_pad)
{
    const int64_t first = i * axis->stride - axis->before, end = first + axis->size, last = axis->n_padded - axis->before;
    const Window window = window_of(axis, i);

    return count_pad ? (end < last ? end : last) - first : window.end - window.first;
}

static void clear(const PoolShape *s, float *dx, bool add)
{
    if (!add)
        memset(dx, 0, (size_t)(s->y.n * s->x.n) * sizeof *dx);
}

static void pool_max(const PoolShape *s, const float *x, float *y, int32_t *at)
{
    for (int64_t i = 0; i < s->y.m; i++) {
        const Window down = window_of(&s->y, i);

        for (int64_t j = 0; j < s->x.m; j++)
            max_of_window(s, x, down, i, j, y, at);
    }
}

void ref_pool_max_grad(const PoolShape *s, const int32_t *at, const float *dy, float *dx, bool add)
{
    clear(s, dx, add);
    for (int64_t i = 0; i < s->y.m * s->x.m; i++)
        dx[at[i]] += dy[i];
}

static float share(const PoolShape *s, int64_t i, int64_t j)
{
    return 1.0f / (float)(counted(&s->y, i, s->count_pad) * counted(&s->x, j, s->count_pad));
}

void ref_pool_mean(const PoolShape *s, const float *x, float *y)
{
    for (int64_t i = 0; i < s->y.m; i++) {
        const Window down = window_of(&s->y, i);

        for (int64_t j = 0; j < s->x.m; j++) {
            const Window across = window_of(&s->x, j);
            float sum = 0.0f;

            for (int64_t l = down.first; l < down.end; l++)
                for (int64_t k = l * s->x.n + across.first; k < l * s->x.n + across.end; k++)
                    sum += x[k];
            y[i * s->x.m + j] = sum * share(s, i, j);
        }
    }
}

void ref_pool_mean_grad(const PoolShape *s, const float *dy, float *dx, bool add)
{
    clear(s, dx, add);
    for (int64_t i = 0; i < s->y.m; i++) {
        const Window down = window_of(&s->y, i);

        for (int64_t j = 0; j < s->x.m; j++) {
            const Window across = window_of(&s->x, j);
            const float d = dy[i * s->x.m + j] * share(s, i, j);

            for (int64_t l = down.first; l < down.end; l++)
                for (int64_t k = l * s->x.n + across.first; k < l * s->x.n + across.end; k++)
                    dx[k] += d;
        }
    }
}

void ref_resize(const ResizeAxis *down, const ResizeAxis *across, const float *x, float *between, float *y)
{
    const int64_t n = across->n, m = across->m;

    for (int64_t i = 0; i < down->m; i++) {
        const float *w = down->weight + i * down->n_taps, *from = x + down->first[i] * n;
        float *line = between + i * n;

        for (int64_t k = 0; k < n; k++)
            line[k] = w[0] * from[k];
        for (int64_t t = 1; t < down->n_taps; t++)
            for (int64_t k = 0; k < n; k++)
                line[k] += w[t] * from[t * n + k];
        for (int64_t j = 0; j < m; j++) {
            float sum = 0.0f;

            for (int64_t t = 0; t < across->n_taps; t++)
                sum += across->weight[j * across->n_taps + t] * line[across->first[j] + t];
            y[i * m + j] = sum;
        }
    }
}

void ref_resize_grad(const ResizeAxis *down, const ResizeAxis *across, const float *dy, float *between, float *dx, bool add)
{
    const int64_t n = across->n, m = across->m;

    memset(between, 0, (size_t)(down->m * n) * sizeof *between);
    if (!add)
        memset(dx, 0, (size_t)(down->n * n) * sizeof *dx);
    for (int64_t i = 0; i < down->m; i++) {
        const float *w = down->weight + i * down->n_taps;
        float *line = between + i * n, *to = dx + down->first[i] * n;

        for (int64_t j = 0; j < m; j++)
            for (int64_t t = 0; t < across->n_taps; t++)
                line[across->first[j] + t] += across->weight[j * across->n_taps + t] * dy[i * m + j];
        for (int64_t t = 0; t < down->n_taps; t++)
            for (int64_t k = 0; k < n; k++)
                to[t * n + k] += w[t] * line[k];
    }
}

const PlaneKernels plane_ref = {.pool_max = pool_max,
                                .pool_max_grad = ref_pool_max_grad,
                                .pool_mean = ref_pool_mean,
                                .pool_mean_grad = ref_pool_mean_grad,
                                .resize = ref_resize,
                                .resize_grad = ref_resize_grad};
