/* picture_net.c - tiles with margins in, tiles out.
 *
 * SPDX-License-Identifier: MIT
 */
#include "codec/picture_net.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "engine/base/mem.h"

#define BLOCK_REACH 2                  /* places that a block's 5 x 5 window reaches on each side */
#define PICTURE_REACH 1                /* of the 3 x 3 convolution at the finest scale */
#define FINEST_STRIDE 4                /* pixels of a place at the finest scale */
#define PADDED_SIDE IMAGE_HYPER_STRIDE /* pictures are completed to multiples of this */

/* Latents that a network sees beyond a place: the sum of its windows. */
static int64_t margin_of(const int blocks[IMAGE_SCALES])
{
    int64_t pixels = FINEST_STRIDE * PICTURE_REACH, stride = FINEST_STRIDE;

    for (int i = 0; i < IMAGE_SCALES; i++, stride *= 2)
        pixels += stride * BLOCK_REACH * blocks[i];
    return (pixels + IMAGE_STRIDE - 1) / IMAGE_STRIDE;
}

RsdStatus picture_model_create(PictureModel **out, const ImageCodec *codec, RsdError *err)
{
    PictureModel *model = NULL;
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(mem_calloc(&model, 1, sizeof *model, err));
    model->codec = codec;
    model->analysis_margin = margin_of(codec->config.encoder_blocks);
    model->synthesis_margin = margin_of(codec->config.decoder_blocks);
    if (codec->config.quantizer != IMAGE_SCALAR)
        TRY(tile_model_create_rvq(&model->tiles, codec->stage_prior, err));
    else
        TRY(tile_model_create(&model->tiles, codec->prior, err));
    *out = model;
    return RSD_OK;
fail:
    picture_model_destroy(&model);
    return status;
}

void picture_model_destroy(PictureModel **model)
{
    if (!*model)
        return;
    tile_model_destroy(&(*model)->tiles);
    mem_free(model);
}

int picture_level_max(const PictureModel *model)
{
    return image_codec_level_max(&model->codec->config);
}

/* first .. end of a tile in one direction, with margins where there is something. */
typedef struct Span {
    int64_t first, end;
} Span;

static Span with_margin(int64_t first, int64_t n, int64_t margin, int64_t n_all)
{
    Span span = {first - margin, first + n + margin};

    if (span.first < 0)
        span.first = 0;
    if (span.end > n_all)
        span.end = n_all;
    return span;
}

/* --- analysis ------------------------------------------------------------------------------------------------------- */

static int64_t padded_latents(int64_t pixels)
{
    return (pixels + PADDED_SIDE - 1) / PADDED_SIDE * (PADDED_SIDE / IMAGE_STRIDE);
}

/* Repeats the last column and row of [3, h, w] that came from the picture. */
static void repeat_edges(float *rgb, int64_t h, int64_t w, int64_t h_read, int64_t w_read)
{
    for (int64_t c = 0; c < 3; c++, rgb += h * w) {
        for (int64_t row = 0; row < h_read; row++)
            for (int64_t col = w_read; col < w; col++)
                rgb[row * w + col] = rgb[row * w + w_read - 1];
        for (int64_t row = h_read; row < h; row++)
            memcpy(rgb + row * w, rgb + (h_read - 1) * w, (size_t)w * sizeof *rgb);
    }
}

static int64_t inside(Span latents, int64_t pixels)
{
    int64_t end = latents.end * IMAGE_STRIDE;

    return (end < pixels ? end : pixels) - latents.first * IMAGE_STRIDE;
}

static float bounded(float v, float limit)
{
    return v > -limit ? v < limit ? v : limit : v <= -limit ? -limit : 0.0f;
}

int32_t tile_latent(float y)
{
    return (int32_t)lrintf(bounded(y, TILE_LATENT_LIMIT) * TILE_FRACTION);
}

int16_t tile_hyper_latent(float z)
{
    return (int16_t)lrintf(bounded(z, IMAGE_Z_LIMIT));
}

RsdStatus picture_analyse(const PictureModel *model, Tape *tape, const PictureInfo *info, const PictureTile *tile,
                          PictureReadFn read, void *read_ctx, float *y, RsdError *err)
{
    Span rows = with_margin(tile->latent_y, tile->latent_h, model->analysis_margin, padded_latents(info->height));
    Span cols = with_margin(tile->latent_x, tile->latent_w, model->analysis_margin, padded_latents(info->width));
    int64_t h = (rows.end - rows.first) * IMAGE_STRIDE, w = (cols.end - cols.first) * IMAGE_STRIDE;
    int64_t h_read, w_read;
    Tensor *x, *latents;
    RsdStatus status = RSD_OK;

    /* The last tile begins before the picture ends, but its margin may lie outside: only what is inside is read. */
    h_read = inside(rows, info->height);
    w_read = inside(cols, info->width);
    tape_reset(tape);
    TRY(tape_tensor(tape, &x, 4, (int64_t[]){1, 3, h, w}, err));
    TRY(read(read_ctx, cols.first * IMAGE_STRIDE, rows.first * IMAGE_STRIDE, w_read, h_read, x->data, w, h * w, err));
    repeat_edges(x->data, h, w, h_read, w_read);
    TRY(image_codec_analyse(tape, model->codec, x, &latents, err));
    for (int64_t c = 0; c < latents->shape[1]; c++)
        for (int64_t row = 0; row < tile->latent_h; row++, y += tile->latent_w)
            memcpy(y,
                   latents->data + (c * latents->shape[2] + tile->latent_y - rows.first + row) * latents->shape[3] +
                       tile->latent_x - cols.first,
                   (size_t)tile->latent_w * sizeof *y);
fail:
    return status;
}

/* --- synthesis ------------------------------------------------------------------------------------------------------ */

/* Rows of latents in steps of 1 into y [M, h, w]. Returns how many. */
static int64_t take_latents(Tensor *y, Span rows, Span cols, const LatentRows *part)
{
    int64_t first = rows.first > part->first ? rows.first : part->first;
    int64_t end = rows.end < part->first + part->n ? rows.end : part->first + part->n;

    for (int64_t c = 0; c < y->shape[1]; c++)
        for (int64_t row = first; row < end; row++) {
            const int32_t *from = part->data + (c * part->n + row - part->first) * part->pitch + cols.first;
            float *to = y->data + (c * y->shape[2] + row - rows.first) * y->shape[3];

            for (int64_t i = 0; i < cols.end - cols.first; i++)
                to[i] = (float)from[i] * (1.0f / PRIOR_FRACTION);
        }
    return end > first ? end - first : 0;
}

static float in_range(float v)
{
    v = v > 0.0f ? v : 0.0f; /* NaN is not above 0 */
    return v < 1.0f ? v : 1.0f;
}

static float sample(const float *rgb, int64_t plane, bool is_grey)
{
    return in_range(is_grey ? (rgb[0] + rgb[plane] + rgb[2 * plane]) / 3.0f : rgb[0]);
}

/* A picture of which a tile of h by w samples is wanted, in squares of n by n. */
typedef struct Canvas {
    const float *first; /* sample of the tile, first channel */
    int64_t plane, pitch, h, w;
    int n;
    bool is_grey;
} Canvas;

static void take_line(const float *from, const Canvas *canvas, float *rgb)
{
    if (canvas->is_grey)
        for (int64_t x = 0; x < canvas->w; x++)
            rgb[x] = sample(from + x, canvas->plane, true);
    else
        for (int64_t x = 0; x < canvas->w; x++)
            rgb[x] = in_range(from[x]);
}

static void take_squares(const float *from, int64_t n_rows, const Canvas *canvas, float *rgb)
{
    for (int64_t x = 0; x < canvas->w; x += canvas->n) {
        const int64_t n_cols = canvas->w - x < canvas->n ? canvas->w - x : canvas->n;
        float sum = 0.0f;

        for (int64_t row = 0; row < n_rows; row++)
            for (int64_t col = 0; col < n_cols; col++)
                sum += sample(from + row * canvas->pitch + x + col, canvas->plane, canvas->is_grey);
        *rgb++ = sum / (float)(n_rows * n_cols);
    }
}

/* rgb may be where the canvas begins: no sample is written before it was read, since the tile's are as many or fewer. */
static void take_tile(const Canvas *from, int64_t channels, float *rgb)
{
    const int64_t w = picture_shrunk(from->w, from->n);

    for (int64_t c = 0; c < channels; c++)
        for (int64_t y = 0; y < from->h; y += from->n, rgb += w) {
            const float *line = from->first + c * from->plane + y * from->pitch;

            if (from->n == 1)
                take_line(line, from, rgb);
            else
                take_squares(line, from->h - y < from->n ? from->h - y : from->n, from, rgb);
        }
}

static RsdStatus input_vector(const DeltaVector *vector, Tape *tape, Tensor **out, RsdError *err)
{
    RsdStatus status = RSD_OK;

    *out = NULL;
    if (vector->bits == 0)
        return RSD_OK;
    TRY(tape_tensor(tape, out, 1, (int64_t[]){vector->n}, err));
    for (int i = 0; i < vector->n; i++)
        (*out)->data[i] = ldexpf((float)vector->value[i], -vector->shift);
fail:
    return status;
}

static RsdStatus input_deltas(const PictureDeltas *deltas, Tape *tape, ImageDeltas *out, RsdError *err)
{
    RsdStatus status = RSD_OK;

    TRY(input_vector(&deltas->gain, tape, &out->gain, err));
    TRY(input_vector(&deltas->bias, tape, &out->bias, err));
fail:
    return status;
}

RsdStatus picture_synthesise(const PictureModel *model, Tape *tape, const PictureInfo *info, const PictureTile *tile,
                             const LatentRows *parts, int n_parts, int shrink, const float **rgb, RsdError *err)
{
    Span rows = with_margin(tile->latent_y, tile->latent_h, model->synthesis_margin, picture_latents(info->height));
    Span cols = with_margin(tile->latent_x, tile->latent_w, model->synthesis_margin, picture_latents(info->width));
    const bool by_head = shrink > 1 && model->codec->config.heads;
    const int64_t stride = by_head ? IMAGE_STRIDE / shrink : IMAGE_STRIDE; /* samples of a latent in x */
    Canvas canvas = {.n = by_head ? 1 : shrink, .is_grey = info->channels == 1};
    int64_t n_taken = 0;
    ImageDeltas deltas;
    Tensor *y, *x;
    RsdStatus status = RSD_OK;

    tape_reset(tape);
    TRY(input_deltas(&info->deltas, tape, &deltas, err));
    TRY(tape_tensor(tape, &y, 4,
                    (int64_t[]){1, model->codec->config.latent, rows.end - rows.first, cols.end - cols.first}, err));
    for (int i = 0; i < n_parts; i++)
        n_taken += take_latents(y, rows, cols, &parts[i]);
    assert(n_taken == rows.end - rows.first);
    if (by_head)
        TRY(image_codec_synthesise_small(tape, model->codec, shrink / 4, &info->level, y, &x, err));
    else
        TRY(image_codec_synthesise_changed(tape, model->codec, &info->level, y, &deltas, &x, err));
    canvas.pitch = x->shape[3];
    canvas.plane = x->shape[2] * canvas.pitch;
    canvas.first = x->data + (tile->latent_y - rows.first) * stride * canvas.pitch + (tile->latent_x - cols.first) * stride;
    canvas.h = by_head ? picture_shrunk(tile->h, shrink) : tile->h;
    canvas.w = by_head ? picture_shrunk(tile->w, shrink) : tile->w;
    take_tile(&canvas, info->channels, x->data);
    *rgb = x->data;
fail:
    return status;
}
