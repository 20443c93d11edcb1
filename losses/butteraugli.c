/* butteraugli.c - bands of both pictures, their differences, masking, one number; and the slopes of it all in reverse.
 *
 *   bands of both (butteraugli_eye.h)
 *         -> differences of each band     plain squares, and lines through each pixel (butteraugli_lines.h)
 *         -> sqrt(sum / masking)          what is busy in the original hides differences
 *
 * The same at half the size, half as strong, is added. Everything is in float, as in the original program.
 *
 * A pixel of the map depends on the 37 rows above and below it. So the map is made in strips of 256 rows, each from HALO more rows
 * on both sides: memory depends on the width alone, strips are tasks of threads, and the map is what one strip would give, bit by
 * bit. Slopes go the same way: a strip is looked at again, and the slopes of its part of the map are followed back to its rows;
 * neighbours add to common rows, even strips before odd ones.
 *
 * SPDX-License-Identifier: MIT
 */
#include "losses/butteraugli.h"

#include <math.h>
#include <string.h>

#include "engine/base/mem.h"
#include "engine/kernels/kernels.h"
#include "engine/kernels/point.h"
#include "engine/ops/by_picture.h"
#include "losses/butteraugli_eye.h"
#include "losses/butteraugli_lines.h"

#define ASYMMETRY 0.8 /* of added against lost detail */
#define STRIP 256
#define HALO 40
#define MASK_STEP 3 /* between the places whose activity is compared */
#define SHARE_OF_HALF 0.5f
#define SHARE_OF_WHOLE (1.0f - 0.3f * SHARE_OF_HALF)

/* What a worker needs for a strip: planes of one block. */
typedef struct Work {
    Field f;
    Eye eyes[2];
    float *lines, *busy[2]; /* sum over all lines; activity of both */
    float *padded;
    Eye slope; /* from here on only for slopes */
    float *before[2], *ddetail, *dpadded;
    float *block;
    RsdStatus status;
    RsdError error;
} Work;

/* One size of the pictures. */
typedef struct Job {
    const ImagePair *pair;
    int64_t shrink, h, w; /* 1, or 2 for means of 2 x 2 */
    float *map;           /* written, or while dy is there the slopes by it */
    float *dy;            /* slopes by the samples of pair->dist, added to */
    Work *works;          /* of each worker */
    int64_t first, step;  /* strips of this pass */
} Job;

/* Rows of a strip: its own are from .. to, counted from `top`. */
typedef struct Strip {
    int64_t top, h, from, to;
} Strip;

static Strip strip_at(const Job *job, int64_t i)
{
    const int64_t first = i * STRIP, end = first + STRIP < job->h ? first + STRIP : job->h;
    const int64_t top = first > HALO ? first - HALO : 0, bottom = end + HALO < job->h ? end + HALO : job->h;

    return (Strip){top, bottom - top, first - top, end - top};
}

static int64_t n_strips(const Job *job)
{
    return (job->h + STRIP - 1) / STRIP;
}

static void take(float **plane, float **at, int64_t n)
{
    *plane = *at;
    *at += n;
}

static void take_eye(Eye *e, float **at, int64_t n)
{
    for (int c = 0; c < 3; c++) {
        take(&e->lf[c], at, n);
        take(&e->mf[c], at, n);
    }
    for (int c = 0; c < 2; c++) {
        take(&e->hf[c], at, n);
        take(&e->uhf[c], at, n);
    }
}

/* The worker's block for a strip of this size; taken at its first strip, which none is larger than. */
static RsdStatus lay_out(Work *k, const Job *job, const Strip *s, RsdError *err)
{
    const int64_t most = job->h < STRIP + 2 * HALO ? job->h : STRIP + 2 * HALO;
    const int64_t n = s->h * job->w, n_padded = (s->h + 2 * LINES_PAD) * (job->w + 2 * LINES_PAD);
    const int64_t most_padded = (most + 2 * LINES_PAD) * (job->w + 2 * LINES_PAD);
    const int64_t total = job->dy ? (3 * EYE_PLANES + 7) * most * job->w + 2 * most_padded
                                  : (2 * EYE_PLANES + 4) * most * job->w + most_padded;
    float *at;
    RsdStatus status = RSD_OK;

    if (!k->block)
        TRY(mem_alloc(&k->block, (size_t)total, sizeof *k->block, err));
    at = k->block;
    k->f = (Field){.h = s->h, .w = job->w};
    take(&k->f.temp, &at, n);
    take_eye(&k->eyes[0], &at, n);
    take_eye(&k->eyes[1], &at, n);
    take(&k->lines, &at, n);
    take(&k->busy[0], &at, n);
    take(&k->busy[1], &at, n);
    take(&k->padded, &at, n_padded);
    memset(k->padded, 0, (size_t)n_padded * sizeof(float));
    memset(k->lines, 0, (size_t)n * sizeof(float));
    if (job->dy) {
        take(&k->before[0], &at, n);
        take(&k->before[1], &at, n);
        take(&k->ddetail, &at, n);
        take(&k->dpadded, &at, n_padded);
        memset(k->ddetail, 0, (size_t)n * sizeof(float));
        memset(at, 0, (size_t)(EYE_PLANES * n) * sizeof(float));
        take_eye(&k->slope, &at, n);
    }
fail:
    return status;
}

/* ---- light ---- */

/* Linear light of the strip's rows, at half the size of means of 2 x 2 pixels, of what there is at odd edges. */
static void load_light(const Job *job, const Strip *s, const Work *k, const float *samples, float *const light[3])
{
    const int64_t h = job->pair->h, w = job->pair->w;
    const PointKernels *point = kernels_pick()->point;
    float *rows[2] = {k->f.temp, k->f.temp + w};

    for (int c = 0; c < 3; c++)
        for (int64_t y = 0; y < s->h; y++) {
            float *to = light[c] + y * job->w;
            const float *from = samples + c * h * w;

            if (job->shrink == 1) {
                point->map(POINT_LINEAR_LIGHT, 0.0f, 0.0f, from + (s->top + y) * w, to, w);
                continue;
            }
            for (int i = 0; i < 2; i++) {
                const int64_t row = 2 * (s->top + y) + i;

                point->map(POINT_LINEAR_LIGHT, 0.0f, 0.0f, from + (row < h ? row : h - 1) * w, rows[i], w);
            }
            for (int64_t x = 0; x < job->w; x++) {
                const int64_t left = 2 * x, right = 2 * x + 1 < w ? 2 * x + 1 : left;

                to[x] = 0.25f * (rows[0][left] + rows[0][right] + rows[1][left] + rows[1][right]);
            }
        }
}

/* dy += the slopes by the samples, of those by the strip's light. */
static void add_light_slope(const Job *job, const Strip *s, const Work *k, float *const dlight[3])
{
    const int64_t h = job->pair->h, w = job->pair->w;
    const PointKernels *point = kernels_pick()->point;
    float *light = k->f.temp, *dlinear = k->f.temp + w;

    for (int c = 0; c < 3; c++)
        for (int64_t y = 0; y < s->h; y++)
            for (int64_t i = 0; i < job->shrink; i++) {
                const int64_t row = job->shrink * (s->top + y) + i, at = (c * h + row) * w;
                const float share = job->shrink == 1 ? 1.0f : 2 * (s->top + y) + 1 < h ? 0.25f : 0.5f;

                if (row >= h)
                    continue;
                for (int64_t x = 0; x < w; x++)
                    dlinear[x] = share * dlight[c][y * job->w + x / job->shrink];
                if (job->shrink == 2 && w % 2)
                    dlinear[w - 1] *= 2.0f;
                point->map(POINT_LINEAR_LIGHT, 0.0f, 0.0f, job->pair->dist + at, light, w);
                point->map_grad(POINT_LINEAR_LIGHT, 0.0f, 0.0f, job->pair->dist + at, light, dlinear, job->dy + at, w, true);
            }
}

/* ---- differences ---- */

static const float lf_weights[3] = {29.2353797994f, 0.844626970982f, 0.703646627719f};
static const float mf_weights[3] = {2150.0f, 10.6195433239f, 16.2176043152f};
static const float hf_weights[2] = {400.0f, 1.50815703118f};

static void add_squares(const float *a, const float *b, float weight, float *sum, int64_t w)
{
    for (int64_t x = 0; x < w; x++)
        sum[x] += weight * (a[x] - b[x]) * (a[x] - b[x]);
}

static void squares_slope(const float *a, const float *b, float weight, const float *dsum, float *db, int64_t w)
{
    for (int64_t x = 0; x < w; x++)
        db[x] -= 2.0f * weight * (a[x] - b[x]) * dsum[x];
}

/* Also how far b is outside 0.4 a .. a: detail that was lost or made larger. */
#define PLAIN (0.8f * (float)ASYMMETRY)
#define OUTSIDE (0.8f / (float)ASYMMETRY)

static float lost_or_larger(float a, float b)
{
    const float size = fabsf(a), along = a < 0.0f ? -b : b;

    return along < 0.4f * size ? along - 0.4f * size : along > size ? along - size : 0.0f;
}

static void add_lopsided_squares(const float *a, const float *b, float weight, float *sum, int64_t w)
{
    for (int64_t x = 0; x < w; x++) {
        const float d = a[x] - b[x], v = lost_or_larger(a[x], b[x]);

        sum[x] += weight * (PLAIN * d * d + OUTSIDE * v * v);
    }
}

static void lopsided_squares_slope(const float *a, const float *b, float weight, const float *dsum, float *db, int64_t w)
{
    for (int64_t x = 0; x < w; x++) {
        const float v = lost_or_larger(a[x], b[x]);

        db[x] += 2.0f * weight * (OUTSIDE * (a[x] < 0.0f ? -v : v) - PLAIN * (a[x] - b[x])) * dsum[x];
    }
}

/* Calls `of` for the lines of each band with its constants. */
typedef void (*LinesOf)(Work *k, const Strip *s, const LineTerm *term, float *const *bands, float *const *other, float *const *slopes,
                        int channel);

static void for_lines(Work *k, const Strip *s, LinesOf of)
{
    const double more = ASYMMETRY, root = sqrt(ASYMMETRY);
    const LineTerm terms[3][2] = {{{&lines_fine, 173.5 * more, 173.5 / more, 5.0},
                                   {&lines_fine, 1.10039032555 * more, 1.10039032555 / more, 71.7800275169}},
                                  {{&lines_coarse, 6923.99476109 * root, 6923.99476109 / root, 8051.15833247},
                                   {&lines_coarse, 18.7237414387 * root, 18.7237414387 / root, 4498534.45232}},
                                  {{&lines_coarse, 8246.75321353, 8246.75321353, 1009002.70582},
                                   {&lines_coarse, 37.0819870399, 37.0819870399, 130262059.556}}};
    const Eye *a = &k->eyes[0], *b = &k->eyes[1], *d = &k->slope;

    for (int c = 0; c < 2; c++) {
        of(k, s, &terms[0][c], a->uhf, b->uhf, d->uhf, c);
        of(k, s, &terms[1][c], a->hf, b->hf, d->hf, c);
        of(k, s, &terms[2][c], a->mf, b->mf, d->mf, c);
    }
}

static void add_lines(Work *k, const Strip *s, const LineTerm *term, float *const *a, float *const *b, float *const *d, int c)
{
    (void)d;
    lines_add(&k->f, term, a[c], b[c], s->from, s->to, k->padded, k->lines);
}

static void add_lines_slope(Work *k, const Strip *s, const LineTerm *term, float *const *a, float *const *b, float *const *d, int c)
{
    lines_add_slope(&k->f, term, a[c], b[c], s->from, s->to, k->padded, k->dpadded, k->ddetail, d[c]);
}

/* ---- masking ---- */

/* Weighted mean of the three least busy of nine places, so that a smooth one nearby is enough to see an error. */
static float least_busy(const Field *f, const float *busy, int64_t y, int64_t x)
{
    float least[3] = {busy[y * f->w + x], 2.0f * busy[y * f->w + x], 2.0f * busy[y * f->w + x]};

    for (int64_t v = y - MASK_STEP; v <= y + MASK_STEP; v += MASK_STEP)
        for (int64_t u = x - MASK_STEP; u <= x + MASK_STEP; u += MASK_STEP) {
            float now;

            if (v < 0 || v >= f->h || u < 0 || u >= f->w || (v == y && u == x))
                continue;
            now = busy[v * f->w + u];
            for (int i = 0; i < 3; i++)
                if (now < least[i]) {
                    const float larger = least[i];

                    least[i] = now;
                    now = larger;
                }
        }
    return 0.45f * least[0] + 0.3f * least[1] + 0.25f * least[2];
}

static double visibility(double busy, double offset, double scale, double gain)
{
    const double v = (1.0 + gain / (scale * busy + offset)) / (17.8 * 0.79079917404);

    return v * v;
}

#define ACTIVITY_WEIGHT 10.0f /* of a difference of activities among those of detail */

/* Of one row: the sums of squared differences of levels and of detail, and how visible both are. */
typedef struct Row {
    float *level, *detail, *sees_level, *sees_detail;
} Row;

static void fill_row(const Work *k, int64_t y, Row *row)
{
    const int64_t w = k->f.w, at = y * w;
    const Eye *a = &k->eyes[0], *b = &k->eyes[1];

    *row = (Row){k->f.temp, k->f.temp + w, k->f.temp + 2 * w, k->f.temp + 3 * w};
    memset(row->level, 0, (size_t)w * sizeof(float));
    memcpy(row->detail, k->lines + at, (size_t)w * sizeof(float));
    for (int c = 0; c < 3; c++) {
        if (c < 2)
            add_lopsided_squares(a->hf[c] + at, b->hf[c] + at, hf_weights[c], row->detail, w);
        add_squares(a->mf[c] + at, b->mf[c] + at, mf_weights[c], row->detail, w);
        add_squares(a->lf[c] + at, b->lf[c] + at, lf_weights[c], row->level, w);
    }
    add_squares(k->busy[0] + at, k->busy[1] + at, ACTIVITY_WEIGHT, row->detail, w);
    for (int64_t x = 0; x < w; x++) {
        const double mask = (double)least_busy(&k->f, k->busy[0], y, x);

        row->sees_level[x] = (float)visibility(mask, 0.20025578522, 3.87449418804, 0.505054525019);
        row->sees_detail[x] = (float)visibility(mask, 0.829591754942, 0.451936922203, 2.5485944793);
    }
}

/* The root of all differences through the mask. */
static float root_of(const Row *row, int64_t x)
{
    return sqrtf(row->level[x] * row->sees_level[x] + row->detail[x] * row->sees_detail[x]);
}

/* From the slopes by a row of the map to those by the bands there; k->busy[1] becomes the slope by itself. */
static void row_slope(Work *k, int64_t y, const float *dmap)
{
    const int64_t w = k->f.w, at = y * w;
    const Eye *a = &k->eyes[0], *b = &k->eyes[1], *d = &k->slope;
    float *dlevel, *ddetail = k->ddetail + at;
    Row row;

    fill_row(k, y, &row);
    dlevel = row.level;
    for (int64_t x = 0; x < w; x++) {
        const float root = root_of(&row, x), slope = root > 0.0f ? 0.5f * dmap[x] / root : 0.0f;

        dlevel[x] = slope * row.sees_level[x];
        ddetail[x] = slope * row.sees_detail[x];
    }
    for (int c = 0; c < 3; c++) {
        if (c < 2)
            lopsided_squares_slope(a->hf[c] + at, b->hf[c] + at, hf_weights[c], ddetail, d->hf[c] + at, w);
        squares_slope(a->mf[c] + at, b->mf[c] + at, mf_weights[c], ddetail, d->mf[c] + at, w);
        squares_slope(a->lf[c] + at, b->lf[c] + at, lf_weights[c], dlevel, d->lf[c] + at, w);
    }
    for (int64_t x = at; x < at + w; x++)
        k->busy[1][x] = -2.0f * ACTIVITY_WEIGHT * (k->busy[0][x] - k->busy[1][x]) * k->ddetail[x];
}

/* ---- strips ---- */

static void look_at_both(Work *k, const Job *job, const Strip *s)
{
    const float *const samples[2] = {job->pair->ref, job->pair->dist};

    for (int p = 0; p < 2; p++) {
        load_light(job, s, k, samples[p], k->eyes[p].mf);
        eye_look(&k->f, &k->eyes[p], p == 1 && job->dy ? k->before : NULL);
        eye_activity(&k->f, &k->eyes[p], k->busy[p]);
    }
    for_lines(k, s, add_lines);
}

static void follow_back(Work *k, const Job *job, const Strip *s)
{
    const size_t row = (size_t)job->w * sizeof(float);

    for (int64_t y = s->from; y < s->to; y++)
        row_slope(k, y, job->map + (s->top + y) * job->w);
    memset(k->busy[1], 0, (size_t)s->from * row);
    memset(k->busy[1] + s->to * job->w, 0, (size_t)(s->h - s->to) * row);
    eye_activity_slope(&k->f, &k->eyes[1], k->busy[1], &k->slope);
    for_lines(k, s, add_lines_slope);
    eye_bands_slope(&k->f, &k->eyes[1], k->before, &k->slope);
    load_light(job, s, k, job->pair->dist, k->eyes[1].mf);
    eye_receptors_slope(&k->f, &k->eyes[1], &k->slope);
    add_light_slope(job, s, k, k->slope.mf);
}

static void strip_task(void *ctx, int64_t i, int worker)
{
    const Job *job = ctx;
    const Strip s = strip_at(job, job->first + i * job->step);
    Work *k = &job->works[worker];

    if (k->status == RSD_OK)
        k->status = lay_out(k, job, &s, &k->error);
    if (k->status != RSD_OK)
        return;
    look_at_both(k, job, &s);
    if (job->dy)
        follow_back(k, job, &s);
    for (int64_t y = s.from; !job->dy && y < s.to; y++) {
        Row row;

        fill_row(k, y, &row);
        for (int64_t x = 0; x < job->w; x++)
            job->map[(s.top + y) * job->w + x] = root_of(&row, x);
    }
}

static RsdStatus run(const ImagePair *pair, int shrink, float *map, float *dy, RsdError *err)
{
    const int n_workers = rsd_threads_count(pair->threads);
    Job job = {pair, shrink, (pair->h + shrink - 1) / shrink, (pair->w + shrink - 1) / shrink, map, dy, NULL, 0, dy ? 2 : 1};
    RsdStatus status = RSD_OK;

    TRY(mem_calloc(&job.works, (size_t)n_workers, sizeof *job.works, err));
    for (; job.first < job.step; job.first++)
        threads_for(pair->threads, (n_strips(&job) - job.first + job.step - 1) / job.step, strip_task, &job);
    for (int i = 0; i < n_workers; i++)
        CHECK(job.works[i].status == RSD_OK, err, job.works[i].status, "%s", job.works[i].error.text);
fail:
    for (int i = 0; job.works && i < n_workers; i++)
        mem_free(&job.works[i].block);
    mem_free(&job.works);
    return status;
}

/* ---- both sizes ---- */

static bool has_half(const ImagePair *pair)
{
    return pair->h >= 2 * BUTTERAUGLI_MIN_SIDE - 1 && pair->w >= 2 * BUTTERAUGLI_MIN_SIDE - 1;
}

/* half [ceil(h / 2), ceil(w / 2)] */
static RsdStatus alloc_half(float **half, const ImagePair *pair, RsdError *err)
{
    return mem_calloc(half, (size_t)((pair->h + 1) / 2 * ((pair->w + 1) / 2)), sizeof **half, err);
}

RsdStatus butteraugli_map(float *map, const ImagePair *pair, RsdError *err)
{
    const int64_t w = pair->w, half_w = (w + 1) / 2;
    float *half = NULL;
    RsdStatus status = RSD_OK;

    TRY(run(pair, 1, map, NULL, err));
    if (has_half(pair)) {
        TRY(alloc_half(&half, pair, err));
        TRY(run(pair, 2, half, NULL, err));
        for (int64_t i = 0; i < pair->h * w; i++)
            map[i] = map[i] * SHARE_OF_WHOLE + SHARE_OF_HALF * half[i / w / 2 * half_w + i % w / 2];
    }
fail:
    mem_free(&half);
    return status;
}

/* dy [3, h, w]: slopes by the distorted picture, of slopes dmap by the map, which are lost. */
static RsdStatus map_slope(float *dy, float *dmap, const ImagePair *pair, RsdError *err)
{
    const int64_t w = pair->w, half_w = (w + 1) / 2;
    float *half = NULL;
    RsdStatus status = RSD_OK;

    memset(dy, 0, (size_t)(3 * pair->h * w) * sizeof *dy);
    if (has_half(pair)) {
        TRY(alloc_half(&half, pair, err));
        for (int64_t i = 0; i < pair->h * w; i++) {
            half[i / w / 2 * half_w + i % w / 2] += SHARE_OF_HALF * dmap[i];
            dmap[i] *= SHARE_OF_WHOLE;
        }
        TRY(run(pair, 2, half, dy, err));
    }
    TRY(run(pair, 1, dmap, dy, err));
fail:
    mem_free(&half);
    return status;
}

/* ---- one number ---- */

/* The value of a map, and where wanted its slopes in place of the map. */
typedef double (*NormOfMap)(float *map, int64_t n, bool slopes);

static double largest(float *map, int64_t n, bool slopes)
{
    int64_t at = 0;
    double most;

    for (int64_t i = 1; i < n; i++)
        if (map[i] > map[at])
            at = i;
    most = (double)map[at];
    if (slopes) {
        memset(map, 0, (size_t)n * sizeof *map);
        map[at] = most > 0.0 ? 1.0f : 0.0f;
    }
    return most;
}

static double three_norms(float *map, int64_t n, bool slopes)
{
    double sums[3] = {0.0, 0.0, 0.0}, norms[3], value = 0.0;

    for (int64_t i = 0; i < n; i++) {
        const double d = (double)map[i], cube = d * d * d;

        sums[0] += cube;
        sums[1] += cube * cube;
        sums[2] += cube * cube * cube * cube;
    }
    for (int i = 0; i < 3; i++) {
        norms[i] = pow(sums[i] / (double)n, 1.0 / (3 << i));
        value += norms[i] / 3.0;
    }
    for (int64_t i = 0; slopes && i < n; i++) {
        double powers[3]; /* (d / norm)^(power - 1): 2, 5, 11 */

        for (int p = 0; p < 3; p++) {
            const double share = norms[p] > 0.0 ? (double)map[i] / norms[p] : 0.0, square = share * share;

            powers[p] = p == 0 ? square : p == 1 ? square * square * share : square * square * square * square * square * share;
        }
        map[i] = (float)((powers[0] + powers[1] + powers[2]) / (3.0 * (double)n));
    }
    return value;
}

static RsdStatus norm_of(double *value, float *dy, NormOfMap norm, const ImagePair *pair, RsdError *err)
{
    float *map = NULL;
    RsdStatus status = RSD_OK;

    TRY(mem_alloc(&map, (size_t)(pair->h * pair->w), sizeof *map, err));
    TRY(butteraugli_map(map, pair, err));
    *value = norm(map, pair->h * pair->w, dy != NULL);
    if (dy)
        TRY(map_slope(dy, map, pair, err));
fail:
    mem_free(&map);
    return status;
}

RsdStatus metric_butteraugli(double *value, const ImagePair *pair, RsdError *err)
{
    return norm_of(value, NULL, largest, pair, err);
}

RsdStatus metric_butteraugli_3norm(double *value, const ImagePair *pair, RsdError *err)
{
    return norm_of(value, NULL, three_norms, pair, err);
}

static RsdStatus largest_of_picture(double *value, float *dy, const float *x, const float *y, int64_t h, int64_t w, RsdThreads *threads,
                                    RsdError *err)
{
    return norm_of(value, dy, largest, &(ImagePair){.ref = x, .dist = y, .h = h, .w = w, .threads = threads}, err);
}

static RsdStatus norm_of_picture(double *value, float *dy, const float *x, const float *y, int64_t h, int64_t w, RsdThreads *threads,
                                 RsdError *err)
{
    return norm_of(value, dy, three_norms, &(ImagePair){.ref = x, .dist = y, .h = h, .w = w, .threads = threads}, err);
}

RsdStatus measure_butteraugli(Tape *tape, const void *params, const ImageNets *nets, Tensor *ref, Tensor *dist, Tensor **value,
                              RsdError *err)
{
    (void)params;
    (void)nets;
    return op_by_threaded_picture(tape, largest_of_picture, ref, dist, value, err);
}

RsdStatus measure_butteraugli_3norm(Tape *tape, const void *params, const ImageNets *nets, Tensor *ref, Tensor *dist, Tensor **value,
                                    RsdError *err)
{
    (void)params;
    (void)nets;
    return op_by_threaded_picture(tape, norm_of_picture, ref, dist, value, err);
}
