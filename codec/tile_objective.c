/* tile_objective.c - a tile, what is around it, and the way from latents to J.
 *
 * SPDX-License-Identifier: MIT
 */
#include "codec/tile_objective.h"

#include <math.h>
#include <string.h>

#include "engine/base/mem.h"
#include "engine/kernels/kernels.h"
#include "engine/kernels/point.h"
#include "engine/ops/arithmetic.h"
#include "engine/ops/distance.h"
#include "engine/ops/mix.h"
#include "engine/ops/quantise.h"
#include "engine/ops/reduce.h"
#include "engine/ops/shape.h"

#define WHITE_SQUARED (255.0 * 255.0)
#define LEAST_LOSS 1e-6 /* a weight is not made of less: flat tiles are coded without any */
#define LANE_BITS 26.6 /* what a stream has for each lane beside its symbols: most of a state */
#define PROBE_SEED 1
#define PROBE_STEPS 0.25 /* half of the way between the two points of the probe */
#define LEAST_PLACE 0.1  /* of a place's curvature, where the mean is 1 */
#define MOST_PLACE 8.0

static int64_t channels_of(const TileObjective *o)
{
    return o->options.model->codec->config.latent;
}

/* ---- life ---- */

/* A tile with its ring, inside the picture. */
static PictureTile with_ring(const PictureInfo *info, const PictureTile *tile)
{
    const int64_t right = tile->latent_x + tile->latent_w + TILE_RING, bottom = tile->latent_y + tile->latent_h + TILE_RING;
    const int64_t w = picture_latents(info->width), h = picture_latents(info->height);
    PictureTile region = *tile;

    region.latent_x = tile->latent_x > TILE_RING ? tile->latent_x - TILE_RING : 0;
    region.latent_y = tile->latent_y > TILE_RING ? tile->latent_y - TILE_RING : 0;
    region.latent_w = (right < w ? right : w) - region.latent_x;
    region.latent_h = (bottom < h ? bottom : h) - region.latent_y;
    return region;
}

static int64_t z_count(const TileObjective *o, const PictureTile *tile)
{
    return o->options.model->codec->config.hyper * picture_hypers(tile->latent_h) * picture_hypers(tile->latent_w);
}

RsdStatus tile_objective_create(TileObjective **out, const TileObjectiveOptions *options, RsdError *err)
{
    const PictureTile largest = picture_tile(options->info, 0);
    const size_t m = (size_t)options->model->codec->config.latent, n_y = m * (size_t)(largest.latent_h * largest.latent_w);
    const size_t ringed = m * (size_t)((largest.latent_h + 2 * TILE_RING) * (largest.latent_w + 2 * TILE_RING));
    TileObjective *o = NULL;
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(mem_calloc(&o, 1, sizeof *o, err));
    o->options = *options;
    TRY(tape_create(&o->tape, options->threads, 0, err));
    TRY(tile_costs_init(&o->costs, options->model->codec->prior, err));
    TRY(tile_coder_create(&o->coder, options->model->tiles, largest.latent_h, largest.latent_w, kernels_pick(), err));
    TRY(mem_alloc(&o->y, n_y, sizeof *o->y, err));
    TRY(mem_alloc(&o->z, (size_t)z_count(o, &largest), sizeof *o->z, err));
    TRY(mem_alloc(&o->coded, n_y, sizeof *o->coded, err));
    TRY(mem_alloc(&o->step, n_y, sizeof *o->step, err));
    TRY(mem_alloc(&o->around, ringed, sizeof *o->around, err));
    TRY(mem_alloc(&o->target, (size_t)(3 * largest.h * largest.w), sizeof *o->target, err));
    *out = o;
    return RSD_OK;
fail:
    tile_objective_destroy(&o);
    return status;
}

void tile_objective_destroy(TileObjective **objective)
{
    TileObjective *o = *objective;

    if (!o)
        return;
    tape_destroy(&o->tape);
    tile_coder_destroy(&o->coder);
    tile_costs_clear(&o->costs);
    mem_free(&o->y);
    mem_free(&o->z);
    mem_free(&o->coded);
    mem_free(&o->step);
    mem_free(&o->around);
    mem_free(&o->target);
    mem_free(objective);
}

/* ---- a tile ---- */

/* Rows and columns of the region to a tensor of their own. */
static RsdStatus cut(const TileObjective *o, int64_t y, int64_t h, int64_t x, int64_t w, Tensor **out, RsdError *err)
{
    float *to;
    RsdStatus status = RSD_OK;

    TRY(tape_tensor(o->tape, out, 4, (int64_t[]){1, channels_of(o), h, w}, err));
    to = (*out)->data;
    for (int64_t c = 0; c < channels_of(o); c++)
        for (int64_t row = y; row < y + h; row++, to += w)
            memcpy(to, o->around + (c * o->region.latent_h + row) * o->region.latent_w + x, (size_t)w * sizeof *to);
fail:
    return status;
}

RsdStatus tile_objective_begin(TileObjective *o, int64_t number, int level, RsdError *err)
{
    const TileObjectiveOptions *options = &o->options;
    const ImageCodec *codec = options->model->codec;
    int64_t n;
    Tensor *x, *scaled, *z;
    RsdStatus status = RSD_OK;

    o->tile = picture_tile(options->info, number);
    o->region = with_ring(options->info, &o->tile);
    o->level = level;
    o->weight = 0;
    o->n_pixels = o->tile.w * o->tile.h;
    n = channels_of(o) * o->region.latent_h * o->region.latent_w;
    TRY(picture_analyse(options->model, o->tape, options->info, &o->region, options->read, options->read_ctx, o->around, err));
    TRY(options->read(options->read_ctx, o->tile.x, o->tile.y, o->tile.w, o->tile.h, o->target, o->tile.w, o->n_pixels, err));
    tape_reset(o->tape);
    TRY(tape_input(o->tape, &x, 4, (int64_t[]){1, channels_of(o), o->region.latent_h, o->region.latent_w}, o->around, err));
    TRY(image_codec_scale(o->tape, codec, &level, x, &scaled, err));
    memcpy(o->around, scaled->data, (size_t)n * sizeof *o->around);
    TRY(cut(o, o->tile.latent_y - o->region.latent_y, o->tile.latent_h, o->tile.latent_x - o->region.latent_x, o->tile.latent_w,
            &x, err));
    TRY(image_codec_hyper(o->tape, codec, x, &z, err));
    o->n_y = tensor_count(x);
    o->n_z = tensor_count(z);
    memcpy(o->y, x->data, (size_t)o->n_y * sizeof *o->y);
    memcpy(o->z, z->data, (size_t)o->n_z * sizeof *o->z);
fail:
    return status;
}

/* ---- from y^ to pixels ---- */

static RsdStatus put_around(const TileObjective *o, Tensor *y, Tensor **whole, RsdError *err)
{
    const int64_t top = o->tile.latent_y - o->region.latent_y, left = o->tile.latent_x - o->region.latent_x;
    const int64_t below = top + o->tile.latent_h, beside = left + o->tile.latent_w;
    Tensor *parts[3];
    int n = 0;
    RsdStatus status = RSD_OK;

    if (left > 0)
        TRY(cut(o, top, o->tile.latent_h, 0, left, &parts[n++], err));
    parts[n++] = y;
    if (beside < o->region.latent_w)
        TRY(cut(o, top, o->tile.latent_h, beside, o->region.latent_w - beside, &parts[n++], err));
    if (n > 1)
        TRY(op_concat(o->tape, n, parts, 3, &y, err));
    n = 0;
    if (top > 0)
        TRY(cut(o, 0, top, 0, o->region.latent_w, &parts[n++], err));
    parts[n++] = y;
    if (below < o->region.latent_h)
        TRY(cut(o, below, o->region.latent_h - below, 0, o->region.latent_w, &parts[n++], err));
    if (n > 1)
        TRY(op_concat(o->tape, n, parts, 2, &y, err));
    *whole = y;
fail:
    return status;
}

static RsdStatus input_changes(const TileObjective *o, ImageDeltas *deltas, RsdError *err)
{
    RsdStatus status = RSD_OK;

    *deltas = (ImageDeltas){NULL, NULL};
    if (!o->gain)
        return RSD_OK;
    TRY(tape_input(o->tape, &deltas->gain, 1, (int64_t[]){o->options.model->codec->config.widths[0]}, o->gain, err));
    TRY(tape_input(o->tape, &deltas->bias, 1, (int64_t[]){IMAGE_LAST_OUTPUTS}, o->bias, err));
fail:
    return status;
}

#define THIRDS 1.0f / 3, 1.0f / 3, 1.0f / 3

/* Of a grey picture, decoders deliver the mean of the three outputs. */
static const Mix GREY = {.n_out = 3, .n_in = 3, .weights = {THIRDS, THIRDS, THIRDS}};

/* y^ [1, M, h, w] in steps of 1 -> pixels of the tile [1, 3, tile.h, tile.w], not clamped; of a grey picture three times the same. */
static RsdStatus make_changed_pixels(const TileObjective *o, Tensor *y, const ImageDeltas *deltas, Tensor **pixels, RsdError *err)
{
    const int64_t top = o->tile.latent_y - o->region.latent_y, left = o->tile.latent_x - o->region.latent_x;
    Tensor *x;
    RsdStatus status = RSD_OK;

    TRY(put_around(o, y, &y, err));
    TRY(image_codec_synthesise_changed(o->tape, o->options.model->codec, &o->level, y, deltas, &x, err));
    if (x->shape[2] != o->tile.h)
        TRY(op_slice(o->tape, x, 2, top * IMAGE_STRIDE, o->tile.h, &x, err));
    if (x->shape[3] != o->tile.w)
        TRY(op_slice(o->tape, x, 3, left * IMAGE_STRIDE, o->tile.w, &x, err));
    if (o->options.info->channels == 1)
        TRY(op_mix(o->tape, &GREY, x, &x, err));
    *pixels = x;
fail:
    return status;
}

static RsdStatus make_pixels(const TileObjective *o, Tensor *y, Tensor **pixels, RsdError *err)
{
    ImageDeltas deltas;
    RsdStatus status = RSD_OK;

    TRY(input_changes(o, &deltas, err));
    TRY(make_changed_pixels(o, y, &deltas, pixels, err));
fail:
    return status;
}

static RsdStatus apply_loss(const TileObjective *o, Tensor *pixels, Tensor **loss, double *mse, RsdError *err)
{
    Tensor *target;
    RsdStatus status = RSD_OK;

    TRY(tape_input(o->tape, &target, 4, (int64_t[]){1, 3, o->tile.h, o->tile.w}, o->target, err));
    *mse = o->tape->kernels->point->sum_sq_diff(pixels->data, target->data, NULL, tensor_count(target)) /
           (double)tensor_count(target);
    if (o->options.loss)
        TRY(o->options.loss(o->options.loss_ctx, o->tape, pixels, target, loss, err));
    else
        TRY(op_mse(o->tape, pixels, target, NULL, loss, err));
fail:
    return status;
}

/* The choice coded last, in steps of 1. */
static RsdStatus input_coded(const TileObjective *o, Tensor **out, RsdError *err)
{
    RsdStatus status = RSD_OK;

    TRY(tape_tensor(o->tape, out, 4, (int64_t[]){1, channels_of(o), o->tile.latent_h, o->tile.latent_w}, err));
    for (int64_t i = 0; i < o->n_y; i++)
        (*out)->data[i] = (float)o->coded[i] * (1.0f / PRIOR_FRACTION);
fail:
    return status;
}

static void begin_record(TileObjective *o)
{
    tape_reset(o->tape);
    o->tape->recording = true;
}

/* ---- coded choices ---- */

static void set_weight(TileObjective *o, const TileValue *value)
{
    o->weight = image_codec_lambda(o->level) * WHITE_SQUARED;
    if (o->options.loss)
        o->weight *= o->options.loss_share > 0 ? o->options.loss_share : value->mse / fmax(fabs(value->loss), LEAST_LOSS);
}

RsdStatus tile_objective_look(TileObjective *o, TileValue *value, RsdError *err)
{
    Tensor *coded, *pixels, *loss;
    RsdStatus status = RSD_OK;

    tape_reset(o->tape);
    TRY(input_coded(o, &coded, err));
    TRY(make_pixels(o, coded, &pixels, err));
    TRY(op_bound(o->tape, pixels, 0.0f, 1.0f, &pixels, err));
    TRY(apply_loss(o, pixels, &loss, &value->mse, err));
    value->loss = (double)loss->data[0];
fail:
    return status;
}

RsdStatus tile_objective_code(TileObjective *o, const TileRounding *rounding, const int16_t *z, const int32_t *y, TileValue *value,
                              RsdError *err)
{
    TileCode code;
    RsdStatus status = RSD_OK;

    TRY(tile_encode(o->coder, o->level, rounding, z, y, o->tile.latent_h, o->tile.latent_w, &code, err));
    tile_encoded(o->coder, o->tile.latent_h, o->tile.latent_w, o->coded);
    tile_steps(o->coder, o->tile.latent_h, o->tile.latent_w, o->step);
    o->n_lanes = code.n_lanes;
    TRY(tile_objective_look(o, value, err));
    value->bpp = 8.0 * (double)code.size / (double)o->n_pixels;
    if (o->weight == 0)
        set_weight(o, value);
    value->objective = value->bpp + o->weight * value->loss;
    if (!isfinite(value->objective)) /* only a damaged model comes to this */
        value->objective = INFINITY;
fail:
    return status;
}

/* ---- slope ---- */

static RsdStatus sum_bits(const TileObjective *o, const PriorResult *prior, Tensor **sum, RsdError *err)
{
    Tensor *parts[3] = {prior->y_bits[0], prior->y_bits[1], prior->z_bits};
    RsdStatus status = RSD_OK;

    for (int i = 0; i < 3; i++)
        TRY(op_sum(o->tape, parts[i], &parts[i], err));
    TRY(op_add(o->tape, parts[0], parts[1], sum, err));
    TRY(op_add(o->tape, *sum, parts[2], sum, err));
    TRY(op_scale(o->tape, *sum, 1.0f / (float)o->n_pixels, sum, err));
fail:
    return status;
}

static RsdStatus make_hyper(const TileObjective *o, Tensor **z, RsdError *err)
{
    const int64_t shape[] = {1, o->options.model->codec->config.hyper, picture_hypers(o->tile.latent_h), picture_hypers(o->tile.latent_w)};

    return tape_tensor(o->tape, z, 4, shape, err);
}

static RsdStatus input_hyper(const TileObjective *o, const int16_t *z, Tensor **out, RsdError *err)
{
    RsdStatus status = RSD_OK;

    TRY(make_hyper(o, out, err));
    for (int64_t i = 0; i < o->n_z; i++)
        (*out)->data[i] = (float)z[i];
fail:
    return status;
}

static void take_gradient(const Tensor *x, float *to)
{
    if (x->grad)
        memcpy(to, x->grad, (size_t)tensor_count(x) * sizeof *to);
    else
        memset(to, 0, (size_t)tensor_count(x) * sizeof *to);
}

/* J of the latents on the tape, and its gradients. */
static RsdStatus descend(TileObjective *o, Tensor *y, Tensor *z, const PriorOptions *options, TileValue *value, RsdError *err)
{
    Tensor *pixels, *loss, *bits, *objective;
    PriorResult prior;
    RsdStatus status = RSD_OK;

    TRY(image_prior_estimate(o->tape, o->options.model->codec, &o->level, y, z, options, &prior, err));
    TRY(make_pixels(o, prior.y_hat, &pixels, err));
    TRY(apply_loss(o, pixels, &loss, &value->mse, err));
    TRY(sum_bits(o, &prior, &bits, err));
    value->bpp = (double)bits->data[0];
    value->loss = (double)loss->data[0];
    TRY(op_scale(o->tape, loss, (float)o->weight, &loss, err));
    TRY(op_add(o->tape, bits, loss, &objective, err));
    value->objective = (double)objective->data[0];
    TRY(tape_backward(o->tape, objective, err));
fail:
    return status;
}

RsdStatus tile_objective_slope(TileObjective *o, const int16_t *z, float *dy, double *bpp, RsdError *err)
{
    const PriorOptions options = {.as_integer = true, .is_integer = true, .by_context = true, .rounding = ROUND_COINCIDE,
                                  .table = &o->costs.table};
    Tensor *coded, *hyper;
    TileValue value;
    RsdStatus status = RSD_OK;

    begin_record(o);
    TRY(input_coded(o, &coded, err));
    TRY(input_hyper(o, z, &hyper, err));
    coded->needs_grad = true;
    TRY(descend(o, coded, hyper, &options, &value, err));
    take_gradient(coded, dy);
    *bpp = value.bpp + LANE_BITS * o->n_lanes / (double)o->n_pixels;
fail:
    o->tape->recording = false;
    return status;
}

RsdStatus tile_objective_relaxed(TileObjective *o, const TileRelaxation *how, const float *z, const float *y, float *dz, float *dy,
                                 TileValue *value, RsdError *err)
{
    const PriorOptions options = {.as_integer = true, .is_integer = true, .rounding = how->rounding, .temperature = how->temperature,
                                  .seed = how->seed, .step = how->step, .table = &o->costs.table};
    const int64_t shape[] = {1, channels_of(o), o->tile.latent_h, o->tile.latent_w};
    Tensor *latents, *hyper;
    RsdStatus status = RSD_OK;

    begin_record(o);
    TRY(tape_input(o->tape, &latents, 4, shape, y, err));
    TRY(make_hyper(o, &hyper, err));
    memcpy(hyper->data, z, (size_t)o->n_z * sizeof *z);
    latents->needs_grad = hyper->needs_grad = true;
    TRY(descend(o, latents, hyper, &options, value, err));
    take_gradient(latents, dy);
    take_gradient(hyper, dz);
fail:
    o->tape->recording = false;
    return status;
}

RsdStatus tile_objective_change_slope(TileObjective *o, float *dgain, float *dbias, RsdError *err)
{
    ImageDeltas deltas;
    Tensor *coded, *pixels, *loss;
    double mse;
    RsdStatus status = RSD_OK;

    begin_record(o);
    TRY(input_changes(o, &deltas, err));
    TRY(input_coded(o, &coded, err));
    deltas.gain->needs_grad = deltas.bias->needs_grad = true;
    TRY(make_changed_pixels(o, coded, &deltas, &pixels, err));
    TRY(apply_loss(o, pixels, &loss, &mse, err));
    TRY(tape_backward(o->tape, loss, err));
    take_gradient(deltas.gain, dgain);
    take_gradient(deltas.bias, dbias);
fail:
    o->tape->recording = false;
    return status;
}

/* ---- curvature ---- */

/* Which way the probe moves the next latent. */
static int next_sign(Rng *rng)
{
    return rng_u32(rng) & 1 ? 1 : -1;
}

/* Slope of the loss by y^ where the choice coded last is moved by `by` steps, up or down as the probe says. */
static RsdStatus slope_beside(TileObjective *o, double by, float *dy, RsdError *err)
{
    Rng rng = rng_at(PROBE_SEED, RNG_MODEL, 0, 0);
    Tensor *coded, *pixels, *loss;
    double mse;
    RsdStatus status = RSD_OK;

    begin_record(o);
    TRY(input_coded(o, &coded, err));
    for (int64_t i = 0; i < o->n_y; i++)
        coded->data[i] += (float)(next_sign(&rng) * by * o->step[i] / PRIOR_STEP_UNIT);
    coded->needs_grad = true;
    TRY(make_pixels(o, coded, &pixels, err));
    TRY(apply_loss(o, pixels, &loss, &mse, err));
    TRY(tape_backward(o->tape, loss, err));
    take_gradient(coded, dy);
fail:
    o->tape->recording = false;
    return status;
}

/* d: what the slopes differ by, signed as the probe; into channels and places whose products come near it. */
static void split_curvature(const double *d, int64_t m, int64_t n, double *channel, double *place)
{
    double sum = 0;

    memset(place, 0, (size_t)n * sizeof *place);
    for (int64_t c = 0; c < m; c++) {
        channel[c] = 0;
        for (int64_t i = 0; i < n; i++) {
            channel[c] += d[c * n + i] / (double)n;
            place[i] += d[c * n + i];
        }
        channel[c] = fmax(channel[c], 0.0);
        sum += channel[c];
    }
    for (int64_t i = 0; i < n; i++)
        place[i] = sum > 0 ? fmax(LEAST_PLACE, fmin(MOST_PLACE, place[i] / sum)) : 1.0;
}

/* H is that of weight * loss. With random signs s the mean of s_i (H s)_i is H_ii; H s is what the slope changes by along s, here between
 * two points as far apart as rounding moves latents, so that it is the curvature that rounding meets. */
RsdStatus tile_objective_curvature(TileObjective *o, double *channel, double *place, RsdError *err)
{
    const int64_t m = channels_of(o);
    Rng rng = rng_at(PROBE_SEED, RNG_MODEL, 0, 0);
    float *up = NULL, *down = NULL;
    double *d = NULL;
    RsdStatus status = RSD_OK;

    TRY(mem_alloc(&up, (size_t)o->n_y, sizeof *up, err));
    TRY(mem_alloc(&down, (size_t)o->n_y, sizeof *down, err));
    TRY(mem_alloc(&d, (size_t)o->n_y, sizeof *d, err));
    TRY(slope_beside(o, PROBE_STEPS, up, err));
    TRY(slope_beside(o, -PROBE_STEPS, down, err));
    for (int64_t i = 0; i < o->n_y; i++) {
        const double apart = 2 * PROBE_STEPS * o->step[i] / PRIOR_STEP_UNIT;

        d[i] = o->weight * ((double)up[i] - (double)down[i]) * next_sign(&rng) / apart;
    }
    split_curvature(d, m, o->n_y / m, channel, place);
fail:
    mem_free(&up);
    mem_free(&down);
    mem_free(&d);
    return status;
}
