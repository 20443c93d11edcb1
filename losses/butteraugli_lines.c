/* butteraugli_lines.c - the lines, the weighed differences along them, and their slopes.
 *
 * A line is the same read backwards, so that what a pixel gives to the sums of others is along the same lines.
 *
 * SPDX-License-Identifier: MIT
 */
#include "losses/butteraugli_lines.h"

#include <math.h>
#include <string.h>

#include "engine/kernels/picture.h"
#include "engine/kernels/point.h"

/* Lines through a pixel: half of each, the other half is its mirror image. Two of the sixteen fine lines and two of the steep
 * ones are there twice. */
typedef struct Line {
    int weight, n;
    struct {
        int x, y;
    } at[4];
} Line;

static const Line fine_lines[] = {
    {1, 4, {{1, 0}, {2, 0}, {3, 0}, {4, 0}}},  {1, 4, {{0, 1}, {0, 2}, {0, 3}, {0, 4}}},
    {1, 3, {{1, 1}, {2, 2}, {3, 3}}},          {1, 3, {{-1, 1}, {-2, 2}, {-3, 3}}},
    {2, 4, {{0, 1}, {-1, 2}, {-1, 3}, {-1, 4}}}, {2, 4, {{0, 1}, {1, 2}, {1, 3}, {1, 4}}},
    {2, 4, {{1, 0}, {2, 1}, {3, 1}, {4, 1}}},  {2, 4, {{1, 0}, {2, -1}, {3, -1}, {4, -1}}},
    {1, 3, {{1, 1}, {1, 2}, {2, 3}}},          {1, 3, {{-1, 1}, {-1, 2}, {-2, 3}}},
    {1, 3, {{1, 1}, {2, 1}, {3, 2}}},          {1, 3, {{-1, 1}, {-2, 1}, {-3, 2}}},
};
static const Line coarse_lines[] = {
    {1, 2, {{2, 0}, {4, 0}}},  {1, 2, {{0, 2}, {0, 4}}},   {1, 2, {{2, 2}, {3, 3}}}, {1, 2, {{-2, 2}, {-3, 3}}},
    {1, 2, {{-1, 2}, {-1, 4}}}, {1, 2, {{1, 2}, {1, 4}}},  {1, 2, {{2, 1}, {4, 1}}}, {1, 2, {{2, -1}, {4, -1}}},
    {1, 2, {{1, 2}, {2, 3}}},  {1, 2, {{-1, 2}, {-2, 3}}}, {1, 2, {{2, 1}, {3, 2}}}, {1, 2, {{-2, 1}, {-3, 2}}},
    {1, 2, {{-2, 1}, {-4, 2}}}, {1, 2, {{2, 1}, {4, 2}}},  {1, 2, {{1, 2}, {2, 4}}}, {1, 2, {{-1, 2}, {-2, 4}}},
};

struct LineFilter {
    const Line *lines;
    int n;
    double scale;
};

const LineFilter lines_fine = {fine_lines, sizeof fine_lines / sizeof *fine_lines, 0.39905817637};
const LineFilter lines_coarse = {coarse_lines, sizeof coarse_lines / sizeof *coarse_lines, 0.611612573796};

/* The difference of a sample, larger where b is outside 0.55 a .. 1.05 a, smaller where both are large. */
typedef struct Weighing {
    float plain, outside, norm;
} Weighing;

static Weighing weighing_of(const LineTerm *term)
{
    const double scale = term->filter->scale / (3.75 * 2 + 1) * term->norm;

    return (Weighing){(float)(scale * sqrt(0.5 * term->weight_a)), (float)(scale * sqrt(0.33 * term->weight_b)), (float)term->norm};
}

/* How far b is outside, in the direction of a. */
static float outside_of(float a, float b)
{
    const float size = fabsf(a), along = a < 0.0f ? -b : b;

    return along < 0.55f * size ? 0.55f * size - along : along > 1.05f * size ? 1.05f * size - along : 0.0f;
}

static float weighed(const Weighing *k, float a, float b)
{
    const float lost = outside_of(a, b);

    return (k->plain * (a - b) + k->outside * (a < 0.0f ? -lost : lost)) * (1.0f / (k->norm + 0.5f * (fabsf(a) + fabsf(b))));
}

/* By b. */
static float weighed_slope(const Weighing *k, float a, float b)
{
    const float share = 1.0f / (k->norm + 0.5f * (fabsf(a) + fabsf(b))), lost = outside_of(a, b);
    const float sum = k->plain * (a - b) + k->outside * (a < 0.0f ? -lost : lost);

    return -share * (k->plain + (lost != 0.0f ? k->outside : 0.0f)) - 0.5f * share * share * sum * (b < 0.0f ? -1.0f : 1.0f);
}

/* The rows that lines through from .. to reach. */
static void fill_padded(const Field *f, const Weighing *k, const float *a, const float *b, int64_t from, int64_t to, float *padded)
{
    const int64_t line = f->w + 2 * LINES_PAD, first = from > LINES_PAD ? from - LINES_PAD : 0;
    const int64_t end = to + LINES_PAD < f->h ? to + LINES_PAD : f->h;

    for (int64_t y = first; y < end; y++)
        for (int64_t x = 0; x < f->w; x++)
            padded[(y + LINES_PAD) * line + x + LINES_PAD] = weighed(k, a[y * f->w + x], b[y * f->w + x]);
}

/* row [w] = sums along one line through each pixel of a row. */
static void sum_line(const Line *one, const float *centre, int64_t line, int64_t w, float *row)
{
    static const float ones[9] = {1, 1, 1, 1, 1, 1, 1, 1, 1};
    const float *places[9] = {centre};

    for (int i = 0; i < one->n; i++) {
        const int64_t step = one->at[i].y * line + one->at[i].x;

        places[2 * i + 1] = centre + step;
        places[2 * i + 2] = centre - step;
    }
    kernels_pick()->picture->blend_rows(places, ones, 2 * one->n + 1, 0.0f, row, w, false);
}

void lines_add(const Field *f, const LineTerm *term, const float *a, const float *b, int64_t from, int64_t to, float *padded,
               float *sum)
{
    const int64_t line = f->w + 2 * LINES_PAD;
    const PointKernels *point = kernels_pick()->point;
    const Weighing k = weighing_of(term);
    float *row = f->temp;

    fill_padded(f, &k, a, b, from, to, padded);
    for (int64_t y = from; y < to; y++) {
        float *out = sum + y * f->w;

        for (int l = 0; l < term->filter->n; l++) {
            const Line *one = &term->filter->lines[l];

            sum_line(one, padded + (y + LINES_PAD) * line + LINES_PAD, line, f->w, row);
            point->pair(PAIR_MUL, row, row, false, row, f->w);
            point->scale(row, (float)one->weight, out, f->w, true);
        }
    }
}

void lines_add_slope(const Field *f, const LineTerm *term, const float *a, const float *b, int64_t from, int64_t to, float *padded,
                     float *dpadded, const float *dsum, float *db)
{
    const int64_t line = f->w + 2 * LINES_PAD;
    const PointKernels *point = kernels_pick()->point;
    const Weighing k = weighing_of(term);
    float *row = f->temp;

    fill_padded(f, &k, a, b, from, to, padded);
    memset(dpadded, 0, (size_t)((f->h + 2 * LINES_PAD) * line) * sizeof *dpadded);
    for (int64_t y = from; y < to; y++) {
        const int64_t centre = (y + LINES_PAD) * line + LINES_PAD;

        for (int l = 0; l < term->filter->n; l++) {
            const Line *one = &term->filter->lines[l];
            float *to_centre = dpadded + centre;

            sum_line(one, padded + centre, line, f->w, row);
            point->pair(PAIR_MUL, row, dsum + y * f->w, false, row, f->w);
            point->scale(row, 2.0f * (float)one->weight, row, f->w, false);
            point->scale(row, 1.0f, to_centre, f->w, true);
            for (int i = 0; i < one->n; i++) {
                const int64_t step = one->at[i].y * line + one->at[i].x;

                point->scale(row, 1.0f, to_centre + step, f->w, true);
                point->scale(row, 1.0f, to_centre - step, f->w, true);
            }
        }
    }
    for (int64_t y = from > LINES_PAD ? from - LINES_PAD : 0; y < f->h && y < to + LINES_PAD; y++)
        for (int64_t x = 0; x < f->w; x++)
            db[y * f->w + x] += dpadded[(y + LINES_PAD) * line + x + LINES_PAD] * weighed_slope(&k, a[y * f->w + x], b[y * f->w + x]);
}
