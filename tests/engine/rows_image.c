/* rows_image.c - rows of ops on pictures: filters, colour matrices, comparisons.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "engine/ops/by_picture.h"
#include "engine/ops/dct8.h"
#include "engine/ops/feature_distance.h"
#include "engine/ops/filter2d.h"
#include "engine/ops/focal_frequency.h"
#include "engine/ops/lowest.h"
#include "engine/ops/mix.h"
#include "engine/ops/similarity.h"
#include "engine/ops/ssim.h"
#include "engine/ops/ssimulacra.h"
#include "engine/ops/stuff.h"
#include "engine/ops/surrogate.h"
#include "engine/ops/vif.h"
#include "tests/engine/op_table.h"

/* --- filters ---------------------------------------------------------------------------------------------------------- */

static RsdStatus apply_filter(Tape *tape, const OpRow *row, Tensor *const *in, Tensor **y, RsdError *err)
{
    return op_filter2d(tape, row->attributes, in[0], y, err);
}

/* The sample at place i of n, by walking step by step from the edge; n when it is zero. */
static int64_t place(FilterEdge edge, int64_t i, int64_t n)
{
    int64_t at = i < 0 ? 0 : i >= n ? n - 1 : i, step = i < 0 ? 1 : -1;

    if (edge == EDGE_ZERO && at != i)
        return n;
    if (edge == EDGE_REPLICATE || at == i)
        return at;
    for (int64_t left = i < 0 ? -i : i - n + 1; left > 0; left--) {
        if (edge == EDGE_SYMMETRIC && left == (i < 0 ? -i : i - n + 1))
            continue; /* the first step repeats the edge */
        if (n == 1)
            return 0;
        at += step;
        if (edge == EDGE_REFLECT && (at == 0 || at == n - 1)) {
            step = -step;
        } else if (edge == EDGE_SYMMETRIC && (at == -1 || at == n)) {
            at -= step;
            step = -step;
        }
    }
    return at;
}

static void filter_in_double(const OpRow *row, const OpArray *in, OpArray *y)
{
    const Filter2d *f = row->attributes;
    const int64_t h = in[0].shape[2], w = in[0].shape[3], planes = in[0].shape[0] * in[0].shape[1];
    const int64_t h_out = filter_axis_len(&f->down, h), w_out = filter_axis_len(&f->across, w);
    const int n_y = f->down.n ? f->down.n : 1, n_x = f->across.n ? f->across.n : 1;
    double *out = op_array_shape(y, 4, (int64_t[]){in[0].shape[0], in[0].shape[1], h_out, w_out});

    for (int64_t p = 0; p < planes; p++)
        for (int64_t q = 0; q < h_out * w_out; q++)
            for (int k = 0; k < n_y * n_x; k++) {
                const int ky = k / n_x, kx = k % n_x;
                const int64_t r = place(f->edge, q / w_out * (f->down.stride ? f->down.stride : 1) + ky - f->down.before, h);
                const int64_t c =
                    place(f->edge, q % w_out * (f->across.stride ? f->across.stride : 1) + kx - f->across.before, w);
                const double tap =
                    (f->down.n ? (double)f->down.taps[ky] : 1.0) * (f->across.n ? (double)f->across.taps[kx] : 1.0);

                if (r < h && c < w)
                    out[p * h_out * w_out + q] += tap * in[0].data[(p * h + r) * w + c];
            }
}

#define FILTER(label, ...)                                                                                             \
    {.name = label, .n_inputs = 1, .in = {{4, {2, 2, 9, 41}, {1, 3, 512, 512}, -1, 1, false}},                         \
     .attributes = &(const Filter2d){__VA_ARGS__}, .apply = apply_filter, .reference = filter_in_double,               \
     .value_tolerance = 1e-6, .gradient_tolerance = 1e-6}

/* --- colour ----------------------------------------------------------------------------------------------------------- */

static RsdStatus apply_mix(Tape *tape, const OpRow *row, Tensor *const *in, Tensor **y, RsdError *err)
{
    return op_mix(tape, row->attributes, in[0], y, err);
}

static void mix_in_double(const OpRow *row, const OpArray *in, OpArray *y)
{
    const Mix *m = row->attributes;
    const int64_t count = in[0].shape[2] * in[0].shape[3];
    double *out = op_array_shape(y, 4, (int64_t[]){in[0].shape[0], m->n_out, in[0].shape[2], in[0].shape[3]});

    for (int64_t i = 0; i < y->count; i++) {
        const int64_t picture = i / (m->n_out * count), channel = i / count % m->n_out;

        out[i] = (double)m->offset[channel];
        for (int k = 0; k < m->n_in; k++)
            out[i] += (double)m->weights[channel * m->n_in + k] * in[0].data[(picture * m->n_in + k) * count + i % count];
    }
}

/* --- comparisons ------------------------------------------------------------------------------------------------------ */

static RsdStatus apply_dissimilarity(Tape *tape, const OpRow *row, Tensor *const *in, Tensor **y, RsdError *err)
{
    return op_dissimilarity(tape, in[0], in[1], 0.1f, (float)row->scalar, y, err);
}

static void dissimilarity_in_double(const OpRow *row, const OpArray *in, OpArray *y)
{
    const double c = (double)0.1f, alpha = row->scalar;
    double *out = op_array_like(y, &in[0]);

    for (int64_t i = 0; i < y->count; i++) {
        const double a = in[0].data[i], b = in[1].data[i];

        out[i] = 1 - ((2 - alpha) * a * b + c) / (a * a + b * b - alpha * a * b + c);
    }
}

static RsdStatus apply_length(Tape *tape, const OpRow *row, Tensor *const *in, Tensor **y, RsdError *err)
{
    (void)row;
    return op_length(tape, in[0], in[1], y, err);
}

static void length_in_double(const OpRow *row, const OpArray *in, OpArray *y)
{
    double *out = op_array_like(y, &in[0]);

    (void)row;
    for (int64_t i = 0; i < y->count; i++)
        out[i] = hypot(in[0].data[i], in[1].data[i]);
}

static RsdStatus apply_max(Tape *tape, const OpRow *row, Tensor *const *in, Tensor **y, RsdError *err)
{
    (void)row;
    return op_max(tape, in[0], in[1], y, err);
}

static void max_in_double(const OpRow *row, const OpArray *in, OpArray *y)
{
    double *out = op_array_like(y, &in[0]);

    (void)row;
    for (int64_t i = 0; i < y->count; i++)
        out[i] = fmax(in[0].data[i], in[1].data[i]);
}

/* --- structural similarity --------------------------------------------------------------------------------------------- */

static RsdStatus apply_ssim(Tape *tape, const OpRow *row, Tensor *const *in, Tensor **y, RsdError *err)
{
    return op_ssim_distance(tape, row->attributes, in[0], in[1], y, err);
}

static void ssim_in_double(const OpRow *row, const OpArray *in, OpArray *y)
{
    const SsimParams *p = row->attributes;
    const int64_t planes = in[0].shape[0] * in[0].shape[1], h = in[0].shape[2], w = in[0].shape[3];
    const int64_t h_out = h - p->n_taps + 1, w_out = w - p->n_taps + 1;
    double *out = op_array_shape(y, 2, in[0].shape);

    for (int64_t i = 0; i < planes * h_out * w_out; i++) {
        const int64_t plane = i / (h_out * w_out), r = i / w_out % h_out, c = i % w_out;
        double mx = 0, my = 0, xx = 0, yy = 0, xy = 0, c1 = (double)p->c1, c2 = (double)p->c2;

        for (int k = 0; k < p->n_taps * p->n_taps; k++) {
            const int64_t at = (plane * h + r + k / p->n_taps) * w + c + k % p->n_taps;
            const double tap = (double)p->taps[k / p->n_taps] * (double)p->taps[k % p->n_taps];
            const double u = in[0].data[at], v = in[1].data[at];

            mx += tap * u;
            my += tap * v;
            xx += tap * u * u;
            yy += tap * v * v;
            xy += tap * u * v;
        }
        out[plane] += (1 - (p->luminance ? (2 * mx * my + c1) / (mx * mx + my * my + c1) : 1.0) *
                               (2 * (xy - mx * my) + c2) / (xx - mx * mx + yy - my * my + c2)) /
                      (double)(h_out * w_out);
    }
}

#define SSIM(label, lit)                                                                                               \
    {.name = label, .n_inputs = 2, .apply = apply_ssim, .reference = ssim_in_double,                                   \
     .in = {{4, {2, 2, 7, 13}, {1, 3, 512, 600}, 0, 1, true}, {4, {2, 2, 7, 13}, {1, 3, 512, 600}, 0, 1, false}},      \
     .attributes = &(const SsimParams){.n_taps = 5, .taps = {0.05f, 0.25f, 0.4f, 0.2f, 0.1f}, .c1 = 1e-4f, .c2 = 9e-4f, \
                                       .luminance = lit},                                                              \
     .value_tolerance = 1e-6, .gradient_tolerance = 1e-5}

/* --- SSIMULACRA 2 ------------------------------------------------------------------------------------------------------- */

static RsdStatus apply_ssimulacra(Tape *tape, const OpRow *row, Tensor *const *in, Tensor **y, RsdError *err)
{
    (void)row;
    return op_ssimulacra_norms(tape, in[0], in[1], y, err);
}

/* Sum of the window of 9 x 9 around (r, c) of u v, either of which may be NULL for 1. */
static double window_sum(const double *u, const double *v, int64_t h, int64_t w, int64_t r, int64_t c)
{
    static const double taps[] = {0.2646211055, 0.2129285920, 0.1093353728, 0.0360111147, 0.0094143678};
    double sum = 0.0;

    for (int64_t i = -4; i <= 4; i++)
        for (int64_t k = -4; k <= 4; k++)
            if (r + i >= 0 && r + i < h && c + k >= 0 && c + k < w)
                sum += taps[i < 0 ? -i : i] * taps[k < 0 ? -k : k] * u[(r + i) * w + c + k] * (v ? v[(r + i) * w + c + k] : 1.0);
    return sum;
}

static void ssimulacra_in_double(const OpRow *row, const OpArray *in, OpArray *y)
{
    const int64_t planes = in[0].shape[0] * in[0].shape[1], h = in[0].shape[2], w = in[0].shape[3], count = h * w;
    double *out = op_array_shape(y, 3, (int64_t[]){in[0].shape[0], in[0].shape[1], 6});

    (void)row;
    for (int64_t i = 0; i < planes * count; i++) {
        const int64_t plane = i / count, r = i / w % h, c = i % w;
        const double *a = in[0].data + plane * count, *b = in[1].data + plane * count;
        const double ma = window_sum(a, NULL, h, w, r, c), mb = window_sum(b, NULL, h, w, r, c);
        const double structure = (2 * (window_sum(a, b, h, w, r, c) - ma * mb) + 0.0009) /
                                 (window_sum(a, a, h, w, r, c) - ma * ma + window_sum(b, b, h, w, r, c) - mb * mb + 0.0009);
        const double edge = (1 + fabs(b[i % count] - mb)) / (1 + fabs(a[i % count] - ma)) - 1;
        const double maps[] = {fmax(0, 1 - (1 - (ma - mb) * (ma - mb)) * structure), fmax(0, edge), fmax(0, -edge)};

        for (int k = 0; k < 3; k++) {
            out[plane * 6 + k] += maps[k] / (double)count;
            out[plane * 6 + 3 + k] += pow(maps[k], 4) / (double)count;
        }
    }
    for (int64_t i = 0; i < planes * 6; i++)
        out[i] = i % 6 < 3 ? out[i] : pow(out[i], 0.25);
}

/* --- zeros between samples, blocks, order ------------------------------------------------------------------------------- */

static RsdStatus apply_stuff(Tape *tape, const OpRow *row, Tensor *const *in, Tensor **y, RsdError *err)
{
    (void)row;
    return op_stuff(tape, in[0], 13, 19, y, err);
}

static void stuff_in_double(const OpRow *row, const OpArray *in, OpArray *y)
{
    const int64_t h = in[0].shape[1], w = in[0].shape[2];
    double *out = op_array_shape(y, 3, (int64_t[]){in[0].shape[0], 13, 19});

    (void)row;
    for (int64_t i = 0; i < in[0].count; i++) {
        const int64_t r = i / w % h * 2, c = i % w * 2;

        if (r < 13 && c < 19)
            out[(i / (h * w) * 13 + r) * 19 + c] = in[0].data[i];
    }
}

static RsdStatus apply_dct(Tape *tape, const OpRow *row, Tensor *const *in, Tensor **y, RsdError *err)
{
    return row->scalar != 0.0 ? op_dct8_inverse(tape, in[0], y, err) : op_dct8(tape, in[0], y, err);
}

static double cosine(int64_t u, int64_t k)
{
    return sqrt((u ? 2.0 : 1.0) / 8.0) * cos(M_PI * (double)u * (2.0 * (double)k + 1.0) / 16.0);
}

static void dct_in_double(const OpRow *row, const OpArray *in, OpArray *y)
{
    const bool inverse = row->scalar != 0.0;
    const int64_t planes = inverse ? in[0].shape[0] : in[0].shape[0] * in[0].shape[1];
    const int64_t h = inverse ? in[0].shape[2] : in[0].shape[2] / 8, w = inverse ? in[0].shape[3] : in[0].shape[3] / 8;
    double *out = op_array_shape(y, 4, inverse ? (int64_t[]){planes, 1, 8 * h, 8 * w} : (int64_t[]){planes, 64, h, w});

    for (int64_t i = 0; i < planes * h * w * 4096; i++) {
        const int64_t k = i / 4096, plane = k / (h * w), r = k / w % h, c = k % w;
        const int64_t u = i / 512 % 8, v = i / 64 % 8, a = i / 8 % 8, b = i % 8;
        const int64_t frequency = ((plane * 64 + 8 * u + v) * h + r) * w + c;
        const int64_t pixel = (plane * 8 * h + 8 * r + a) * 8 * w + 8 * c + b;

        out[inverse ? pixel : frequency] += cosine(u, a) * cosine(v, b) * in[0].data[inverse ? frequency : pixel];
    }
}

static RsdStatus apply_lowest(Tape *tape, const OpRow *row, Tensor *const *in, Tensor **y, RsdError *err)
{
    return op_mean_lowest(tape, in[0], (int64_t)row->scalar, y, err);
}

/* An element counts when fewer than k are smaller. */
static void lowest_in_double(const OpRow *row, const OpArray *in, OpArray *y)
{
    const int64_t n = in[0].shape[1];
    double *out = op_array_shape(y, 1, in[0].shape);

    for (int64_t i = 0; i < in[0].count; i++) {
        const double *line = in[0].data + i / n * n;
        int64_t n_below = 0;

        for (int64_t k = 0; k < n; k++)
            n_below += line[k] < in[0].data[i];
        if (n_below < (int64_t)row->scalar)
            out[i / n] += in[0].data[i] / row->scalar;
    }
}

/* --- formulas of single measures ---------------------------------------------------------------------------------------- */

static RsdStatus apply_vif(Tape *tape, const OpRow *row, Tensor *const *in, Tensor **y, RsdError *err)
{
    (void)row;
    return op_vif_information(tape, in[0], in[1], in[2], y, err);
}

static void vif_in_double(const OpRow *row, const OpArray *in, OpArray *y)
{
    double *out = op_array_like(y, &in[0]);

    (void)row;
    for (int64_t i = 0; i < y->count; i++) {
        const double vx = fmax(in[0].data[i], 0), vy = fmax(in[1].data[i], 0), vxy = in[2].data[i], g = vxy / (vx + 1e-8);

        if (vx >= 1e-8 && vy >= 1e-8 && g >= 0)
            out[i] = log10(1 + g * g * vx / (fmax(vy - g * vxy, 1e-8) + 2));
    }
}

static RsdStatus apply_focal(Tape *tape, const OpRow *row, Tensor *const *in, Tensor **y, RsdError *err)
{
    return op_focal_frequency(tape, row->attributes, in[0], in[1], y, err);
}

/* With alpha 0 every weight is 1, and by Parseval's theorem the loss is the mean squared difference. */
static void parseval_in_double(const OpRow *row, const OpArray *in, OpArray *y)
{
    const FocalFrequencyParams *p = row->attributes;
    const int64_t batch = in[0].shape[0], h = in[0].shape[2], w = in[0].shape[3];
    const int64_t h_used = h / p->patches * p->patches, w_used = w / p->patches * p->patches;
    double *out = op_array_shape(y, 1, in[0].shape);

    for (int64_t i = 0; i < in[0].count; i++)
        if (i / w % h < h_used && i % w < w_used)
            out[i / (in[0].count / batch)] += pow(in[1].data[i] - in[0].data[i], 2) / (double)(in[0].shape[1] * h_used * w_used);
}

#define FOCAL(label, n)                                                                                                \
    {.name = label, .n_inputs = 2, .apply = apply_focal, .reference = parseval_in_double,                              \
     .in = {{4, {2, 2, 9, 13}, {0}, 0, 1, true}, {4, {2, 2, 9, 13}, {0}, 0, 1, false}},                                \
     .attributes = &(const FocalFrequencyParams){.patches = n}, .value_tolerance = 1e-6, .gradient_tolerance = 1e-6}

/* --- features ----------------------------------------------------------------------------------------------------------- */

static RsdStatus apply_unit(Tape *tape, const OpRow *row, Tensor *const *in, Tensor **y, RsdError *err)
{
    (void)row;
    return op_unit_distance(tape, in[0], in[1], in[2], y, err);
}

static void unit_in_double(const OpRow *row, const OpArray *in, OpArray *y)
{
    const int64_t channels = in[0].shape[1], count = in[0].shape[2] * in[0].shape[3];
    double *out = op_array_shape(y, 1, in[0].shape);

    (void)row;
    for (int64_t i = 0; i < in[0].shape[0] * count; i++) {
        const int64_t at = i / count * channels * count + i % count;
        double xx = 0, yy = 0;

        for (int64_t c = 0; c < channels; c++) {
            xx += pow(in[0].data[at + c * count], 2);
            yy += pow(in[1].data[at + c * count], 2);
        }
        for (int64_t c = 0; c < channels; c++)
            out[i / count] += in[2].data[c] / (double)count *
                              pow(in[1].data[at + c * count] / (sqrt(yy) + 1e-10) - in[0].data[at + c * count] / (sqrt(xx) + 1e-10),
                                  2);
    }
}

static RsdStatus apply_gram(Tape *tape, const OpRow *row, Tensor *const *in, Tensor **y, RsdError *err)
{
    (void)row;
    return op_gram(tape, in[0], y, err);
}

static void gram_in_double(const OpRow *row, const OpArray *in, OpArray *y)
{
    const int64_t n = in[0].shape[1], count = in[0].shape[2] * in[0].shape[3];
    double *out = op_array_shape(y, 3, (int64_t[]){in[0].shape[0], n, n});

    (void)row;
    for (int64_t i = 0; i < y->count; i++)
        for (int64_t k = 0; k < count; k++)
            out[i] += in[0].data[i / n * count + k] * in[0].data[(i / (n * n) * n + i % n) * count + k] / (double)(n * count);
}

/* --- surrogates --------------------------------------------------------------------------------------------------------- */

static RsdStatus apply_surrogate(Tape *tape, const OpRow *row, Tensor *const *in, Tensor **y, RsdError *err)
{
    return op_surrogate(tape, row->attributes, in[0], y, err);
}

static void surrogate_in_double(const OpRow *row, const OpArray *in, OpArray *y)
{
    const Surrogate *what = row->attributes;
    double *out = op_array_like(y, &in[0]);

    for (int64_t i = 0; i < y->count; i++) {
        const double u = in[0].data[i], v = what->kind == SURROGATE_FLOOR ? u - 0.5 : u, end = u < 0 ? -1 : 2;

        if (what->kind == SURROGATE_CLIP)
            out[i] = u < -1 || u > 2 ? end + (double)1e-3f * (u - end) : u;
        else
            out[i] = nearbyint(v) + pow(v - nearbyint(v), 3);
    }
}

/* --- a function of plain arrays: mean of x y^2 -------------------------------------------------------------------------- */

static RsdStatus measure_product(double *value, float *dy, const float *x, const float *y, int64_t h, int64_t w, RsdError *err)
{
    const int64_t count = 2 * h * w;

    (void)err;
    *value = 0.0;
    for (int64_t i = 0; i < count; i++) {
        *value += (double)x[i] * (double)y[i] * (double)y[i] / (double)count;
        if (dy)
            dy[i] = 2.0f * x[i] * y[i] / (float)count;
    }
    return RSD_OK;
}

static RsdStatus apply_by_picture(Tape *tape, const OpRow *row, Tensor *const *in, Tensor **y, RsdError *err)
{
    (void)row;
    return op_by_picture(tape, measure_product, in[0], in[1], y, err);
}

static void product_in_double(const OpRow *row, const OpArray *in, OpArray *y)
{
    double *out = op_array_shape(y, 1, in[0].shape);
    const int64_t each = in[0].count / in[0].shape[0];

    (void)row;
    for (int64_t i = 0; i < in[0].count; i++)
        out[i / each] += in[0].data[i] * in[1].data[i] * in[1].data[i] / (double)each;
}

#define SURROGATE(label, ...)                                                                                          \
    {.name = label, .n_inputs = 1, .in = {{3, {2, 3, 41}, {0}, -4, 4, false}},                                         \
     .attributes = &(const Surrogate){__VA_ARGS__}, .apply = apply_surrogate, .reference = surrogate_in_double,        \
     .value_tolerance = 1e-6, .gradient_tolerance = 1e-5}

const OpRow op_rows_image[] = {
    SURROGATE("soft rounding", .kind = SURROGATE_ROUND),
    SURROGATE("soft floor", .kind = SURROGATE_FLOOR),
    SURROGATE("soft clip", .kind = SURROGATE_CLIP, .low = -1.0f, .high = 2.0f),
    {.name = "distance of directions", .n_inputs = 3, .apply = apply_unit, .reference = unit_in_double,
     .in = {{4, {2, 5, 61, 57}, {1, 64, 200, 200}, -0.2f, 1, true}, {4, {2, 5, 61, 57}, {1, 64, 200, 200}, -0.2f, 1, false},
            {1, {5}, {64}, 0, 1, true}},
     .value_tolerance = 1e-6, .gradient_tolerance = 1e-5},
    {.name = "Gram matrix", .n_inputs = 1, .in = {{4, {2, 5, 3, 13}, {1, 64, 200, 200}, -1, 1, false}}, .apply = apply_gram,
     .reference = gram_in_double, .value_tolerance = 1e-6, .gradient_tolerance = 1e-6},
    {.name = "zeros between samples", .n_inputs = 1, .in = {{3, {2, 8, 9}, {0}, -1, 1, false}}, .apply = apply_stuff,
     .reference = stuff_in_double, .value_tolerance = 1e-7, .gradient_tolerance = 1e-7},
    {.name = "cosine transform of blocks", .n_inputs = 1, .in = {{4, {1, 2, 16, 24}, {0}, -1, 1, false}}, .apply = apply_dct,
     .reference = dct_in_double, .value_tolerance = 1e-6, .gradient_tolerance = 1e-6},
    {.name = "inverse cosine transform of blocks", .n_inputs = 1, .in = {{4, {2, 64, 2, 3}, {0}, -1, 1, false}},
     .apply = apply_dct, .reference = dct_in_double, .scalar = 1, .value_tolerance = 1e-6, .gradient_tolerance = 1e-6},
    {.name = "mean of the lowest", .n_inputs = 1, .in = {{2, {3, 41}, {4, 4000}, -1, 1, false}}, .apply = apply_lowest,
     .reference = lowest_in_double, .scalar = 7, .value_tolerance = 1e-6, .gradient_tolerance = 1e-6},
    {.name = "visual information", .n_inputs = 3, .apply = apply_vif, .reference = vif_in_double,
     .in = {{3, {2, 3, 41}, {0}, -1, 20, true}, {3, {2, 3, 41}, {0}, -1, 20, false}, {3, {2, 3, 41}, {0}, -3, 12, false}},
     .value_tolerance = 1e-6, .gradient_tolerance = 1e-5},
    FOCAL("frequency loss without weights", 1),
    FOCAL("frequency loss of patches", 2),

    FILTER("filter 5 x 3, whole windows", .down = {.n = 5, .taps = {0.1f, -0.3f, 0.5f, 0.2f, 0.7f}},
           .across = {.n = 3, .taps = {0.2f, -0.5f, 0.9f}}),
    FILTER("filter 3 x 3, zeros beyond", .down = {.n = 3, .taps = {0.1f, 0.3f, -0.5f}, .before = 1, .after = 1},
           .across = {.n = 3, .taps = {0.2f, -0.5f, 0.9f}, .before = 1, .after = 1}),
    FILTER("filter 4 x 5, edges reflected", .edge = EDGE_REFLECT,
           .down = {.n = 4, .taps = {0.1f, 0.3f, -0.5f, 0.6f}, .before = 2, .after = 1},
           .across = {.n = 5, .taps = {0.2f, -0.5f, 0.9f, 0.1f, 0.3f}, .before = 3, .after = 4}),
    FILTER("filter 5 x 5 by two, edges symmetric", .edge = EDGE_SYMMETRIC,
           .down = {.n = 5, .taps = {0.1f, 0.3f, -0.5f, 0.6f, 0.2f}, .before = 2, .after = 2, .stride = 2},
           .across = {.n = 5, .taps = {0.2f, -0.5f, 0.9f, 0.1f, 0.3f}, .before = 2, .after = 2, .stride = 2}),
    FILTER("filter 2 x 3 by three and two, edges repeated", .edge = EDGE_REPLICATE,
           .down = {.n = 2, .taps = {0.1f, 0.3f}, .before = 3, .after = 2, .stride = 3},
           .across = {.n = 3, .taps = {0.2f, -0.5f, 0.9f}, .before = 1, .after = 2, .stride = 2}),
    FILTER("mean of 2 x 2", .down = {.n = 2, .taps = {0.5f, 0.5f}, .stride = 2},
           .across = {.n = 2, .taps = {0.5f, 0.5f}, .stride = 2}),
    FILTER("padding beyond the picture", .edge = EDGE_REFLECT, .down = {.before = 11, .after = 20},
           .across = {.before = 1, .after = 50}),
    {.name = "mix of three channels", .n_inputs = 1, .in = {{4, {2, 3, 5, 7}, {2, 3, 512, 512}, -1, 1, false}},
     .attributes = &(const Mix){.n_out = 2, .n_in = 3, .weights = {0.3f, 0.6f, 0.1f, -0.2f, 0.5f, 0.9f},
                                .offset = {0.5f, -0.25f}},
     .apply = apply_mix, .reference = mix_in_double, .value_tolerance = 1e-6, .gradient_tolerance = 1e-6},
    {.name = "dissimilarity", .n_inputs = 2, .apply = apply_dissimilarity, .reference = dissimilarity_in_double,
     .in = {{3, {2, 3, 41}, {1, 512, 512}, 0, 1, false}, {3, {2, 3, 41}, {1, 512, 512}, 0, 1, false}},
     .value_tolerance = 1e-6, .gradient_tolerance = 4e-6},
    {.name = "dissimilarity, alpha 0.5", .n_inputs = 2, .apply = apply_dissimilarity, .reference = dissimilarity_in_double,
     .in = {{3, {2, 3, 41}, {0}, 0, 1, false}, {3, {2, 3, 41}, {0}, 0, 1, false}},
     .scalar = 0.5, .value_tolerance = 1e-6, .gradient_tolerance = 4e-6},
    {.name = "length of two components", .n_inputs = 2, .apply = apply_length, .reference = length_in_double,
     .in = {{3, {2, 3, 41}, {1, 512, 512}, -1, 1, false}, {3, {2, 3, 41}, {1, 512, 512}, -1, 1, false}},
     .value_tolerance = 1e-6, .gradient_tolerance = 1e-6},
    {.name = "larger of two", .n_inputs = 2, .apply = apply_max, .reference = max_in_double,
     .in = {{3, {2, 3, 41}, {0}, -1, 1, false}, {3, {2, 3, 41}, {0}, -1, 1, false}},
     .value_tolerance = 1e-6, .gradient_tolerance = 1e-6},
    SSIM("structural similarity", true),
    SSIM("contrast and structure", false),
    {.name = "norms of SSIMULACRA 2", .n_inputs = 2, .apply = apply_ssimulacra, .reference = ssimulacra_in_double,
     .in = {{4, {1, 2, 11, 13}, {1, 3, 512, 600}, 0, 1, true}, {4, {1, 2, 11, 13}, {1, 3, 512, 600}, 0, 1, false}},
     .value_tolerance = 1e-6, .gradient_tolerance = 1e-5},
    {.name = "a measure by picture", .n_inputs = 2, .apply = apply_by_picture, .reference = product_in_double,
     .in = {{4, {3, 2, 5, 7}, {0}, -1, 1, true}, {4, {3, 2, 5, 7}, {0}, -1, 1, false}},
     .value_tolerance = 1e-6, .gradient_tolerance = 1e-6},
    {.name = NULL},
};
