/* diff_jpeg.c - a differentiable JPEG.
 *
 * SPDX-License-Identifier: MIT
 */
#include "losses/diff_jpeg.h"

#include <math.h>

#include "engine/ops/arithmetic.h"
#include "engine/ops/dct8.h"
#include "engine/ops/filter2d.h"
#include "engine/ops/mix.h"
#include "engine/ops/shape.h"
#include "engine/ops/stuff.h"
#include "engine/ops/surrogate.h"

#define MIDDLE 128.0f
#define MULTIPLE 16

/* ITU-T T.81, tables K.1 and K.2. */
static const float standard_luma[64] = {
    16, 11, 10, 16, 24,  40,  51,  61,  12, 12, 14, 19, 26,  58,  60,  55,  14, 13, 16, 24, 40,  57,
    69, 56, 14, 17, 22,  29,  51,  87,  80, 62, 18, 22, 37,  56,  68,  109, 103, 77, 24, 35, 55,  64,
    81, 104, 113, 92, 49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99};
static const float standard_chroma[64] = {
    17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99, 24, 26, 56, 99, 99, 99, 99, 99, 47, 66, 99, 99, 99, 99, 99, 99,
    99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99};

/* ITU-T T.871: full-range BT.601. */
static const double to_ycc[9] = {0.299, 0.587, 0.114, -0.168736, -0.331264, 0.5, 0.5, -0.418688, -0.081312};

static const float *inverse_of(const double m[9], double out[9], float rounded[9])
{
    double determinant = 0.0;

    for (int i = 0; i < 9; i++) {
        const int r = i / 3, c = i % 3, r1 = (r + 1) % 3, r2 = (r + 2) % 3, c1 = (c + 1) % 3, c2 = (c + 2) % 3;

        out[c * 3 + r] = m[r1 * 3 + c1] * m[r2 * 3 + c2] - m[r1 * 3 + c2] * m[r2 * 3 + c1];
        if (r == 0)
            determinant += m[c] * out[c * 3];
    }
    for (int i = 0; i < 9; i++)
        rounded[i] = (float)(out[i] / determinant);
    return rounded;
}

/* [0, 1] to Y, Cb, Cr about 0 in 0..255: the level shift of the blocks is taken off already. */
static Mix encode_colour(void)
{
    Mix mix = {.n_out = 3, .n_in = 3, .offset = {-MIDDLE}};

    for (int i = 0; i < 9; i++)
        mix.weights[i] = (float)(255.0 * to_ycc[i]);
    return mix;
}

/* Back to R, G, B in 0..255. */
static Mix decode_colour(void)
{
    Mix mix = {.n_out = 3, .n_in = 3};
    double work[9];

    inverse_of(to_ycc, work, mix.weights);
    for (int c = 0; c < 3; c++)
        mix.offset[c] = MIDDLE * mix.weights[3 * c];
    return mix;
}

static RsdStatus shrink(Tape *tape, Tensor *x, Tensor **y, RsdError *err)
{
    Filter2d smooth = {.edge = EDGE_REFLECT, .down = {.before = 1, .after = 1}}, mean = {0};
    RsdStatus status = RSD_OK;

    filter_axis_gaussian(&smooth.down, 3, 0.5);
    smooth.across = smooth.down;
    filter_axis_mean(&mean.down, 2);
    mean.across = mean.down;
    TRY(op_filter2d(tape, &smooth, x, y, err));
    TRY(op_filter2d(tape, &mean, *y, y, err));
fail:
    return status;
}

/* Twice the size, linear between centres of pixels, edge repeated. */
static RsdStatus grow(Tape *tape, Tensor *x, Tensor **y, RsdError *err)
{
    const FilterAxis around = {.before = 1, .after = 1}, linear = {.n = 4, .taps = {0.25f, 0.75f, 0.75f, 0.25f}};
    RsdStatus status = RSD_OK;

    TRY(op_filter2d(tape, &(Filter2d){.down = around, .across = around, .edge = EDGE_REPLICATE}, x, y, err));
    TRY(op_stuff(tape, *y, 2 * x->shape[2] + 3, 2 * x->shape[3] + 3, y, err));
    TRY(op_filter2d(tape, &(Filter2d){.down = linear, .across = linear}, *y, y, err));
fail:
    return status;
}

/* The scale of the tables: floor of 5000 / q below 50, of 200 - 2 q from there on. */
static RsdStatus table_scale(Tape *tape, Tensor *quality, bool straight, Tensor **scale, RsdError *err)
{
    const int64_t one = 1;
    RsdStatus status = RSD_OK;

    if (quality->data[0] < 50.0f) {
        TRY(tape_input(tape, scale, 1, &one, &(float){5000.0f}, err)); /* a true division: 5000 / 10 must be 500 */
        TRY(op_div(tape, *scale, quality, scale, err));
    } else {
        TRY(op_affine(tape, quality, -2.0f, 200.0f, scale, err));
    }
    TRY(op_surrogate(tape, &(Surrogate){.kind = SURROGATE_FLOOR, .straight = straight}, *scale, scale, err));
fail:
    return status;
}

static RsdStatus table_of(Tape *tape, Tensor *given, const float standard[64], Tensor *scale, bool straight, Tensor **table,
                          RsdError *err)
{
    Tensor *base = given;
    RsdStatus status = RSD_OK;

    if (!given)
        TRY(tape_input(tape, &base, 1, (int64_t[]){64}, standard, err));
    TRY(op_mul(tape, base, scale, table, err));
    TRY(op_affine(tape, *table, 0.01f, 0.5f, table, err));
    TRY(op_surrogate(tape, &(Surrogate){.kind = SURROGATE_FLOOR, .straight = straight}, *table, table, err));
    TRY(op_surrogate(tape, &(Surrogate){.kind = SURROGATE_CLIP, .straight = straight, .low = 1.0f, .high = 255.0f}, *table,
                     table, err));
fail:
    return status;
}

/* Blocks, coefficients, tables and back. */
static RsdStatus code(Tape *tape, Tensor *x, Tensor *table, bool straight, Tensor **y, RsdError *err)
{
    RsdStatus status = RSD_OK;

    TRY(op_dct8(tape, x, y, err));
    TRY(op_div(tape, *y, table, y, err));
    TRY(op_surrogate(tape, &(Surrogate){.kind = SURROGATE_ROUND, .straight = straight}, *y, y, err));
    TRY(op_mul(tape, *y, table, y, err));
    TRY(op_dct8_inverse(tape, *y, y, err));
    TRY(op_reshape(tape, *y, 4, x->shape, y, err));
fail:
    return status;
}

static RsdStatus check(const Tensor *x, const Tensor *quality, const DiffJpegParams *p, RsdError *err)
{
    char text[SHAPE_TEXT_SIZE];

    if (x->n_dims != 4 || x->shape[1] != 3 || tensor_count(x) == 0)
        return error_set(err, RSD_ERR_ARG, "JPEG of %s; a picture [batch, 3, height, width] is needed",
                         shape_text(text, x->n_dims, x->shape));
    if (tensor_count(quality) != 1 || !(quality->data[0] >= 1.0f && quality->data[0] <= 99.0f))
        return error_set(err, RSD_ERR_ARG, "JPEG at quality %g; one number from 1 to 99 is needed",
                         tensor_count(quality) > 0 ? (double)quality->data[0] : 0.0);
    if ((p->luma && tensor_count(p->luma) != 64) || (p->chroma && tensor_count(p->chroma) != 64))
        return error_set(err, RSD_ERR_ARG, "a table of JPEG has 64 numbers");
    return RSD_OK;
}

RsdStatus diff_jpeg(Tape *tape, const DiffJpegParams *p, Tensor *x, Tensor *quality, Tensor **y, RsdError *err)
{
    const bool straight = p->straight_through;
    const Surrogate clip = {.kind = SURROGATE_CLIP, .straight = straight, .low = 0.0f, .high = 255.0f};
    const Mix encode = encode_colour(), decode = decode_colour();
    const int64_t h = x->shape[2], w = x->shape[3];
    Tensor *planes[2], *scale, *tables[2];
    RsdStatus status = RSD_OK;

    TRY(check(x, quality, p, err));
    if (h % MULTIPLE || w % MULTIPLE)
        TRY(op_filter2d(tape, &(Filter2d){.down = {.after = (int)(-h & (MULTIPLE - 1))},
                                          .across = {.after = (int)(-w & (MULTIPLE - 1))}, .edge = EDGE_REPLICATE}, x, &x, err));
    TRY(table_scale(tape, quality, straight, &scale, err));
    TRY(table_of(tape, p->luma, standard_luma, scale, straight, &tables[0], err));
    TRY(table_of(tape, p->chroma, standard_chroma, scale, straight, &tables[1], err));
    TRY(op_mix(tape, &encode, x, y, err));
    TRY(op_slice(tape, *y, 1, 0, 1, &planes[0], err));
    TRY(op_slice(tape, *y, 1, 1, 2, &planes[1], err));
    TRY(code(tape, planes[0], tables[0], straight, &planes[0], err));
    TRY(shrink(tape, planes[1], &planes[1], err));
    TRY(code(tape, planes[1], tables[1], straight, &planes[1], err));
    TRY(grow(tape, planes[1], &planes[1], err));
    TRY(op_concat(tape, 2, planes, 1, y, err));
    TRY(op_mix(tape, &decode, *y, y, err));
    TRY(op_surrogate(tape, &clip, *y, y, err));
    TRY(op_scale(tape, *y, 1.0f / 255.0f, y, err));
    TRY(op_slice(tape, *y, 2, 0, h, y, err));
    TRY(op_slice(tape, *y, 3, 0, w, y, err));
fail:
    return status;
}
