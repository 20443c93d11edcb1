/* picture_api.c - pictures in residua.h: pixels of the caller's memory as a source, streams as tiles or as pixels.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <string.h>

#include "codec/picture.h"
#include "codec/residua.h"
#include "engine/base/mem.h"

#define QUALITY_USUAL 50.0
#define MAX_GAMMA 40000.0

_Static_assert((int)RSD_PICTURE_N_CHUNKS == (int)PICTURE_N_CHUNKS && (int)RSD_PICTURE_XMP == (int)PICTURE_CHUNK_XMP,
               "chunks have the same order inside and outside");

/* --- models --------------------------------------------------------------------------------------------------------- */

struct RsdPictureModel {
    ImageCodec *codec;
    PictureModel *model;
};

static RsdStatus open_model(RsdPictureModel **out, const char *name, const char *path, ImageCodecUse use, RsdError *err)
{
    RsdPictureModel *model = NULL;
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(mem_calloc(&model, 1, sizeof *model, err));
    if (path)
        TRY(image_codec_load(&model->codec, path, err));
    else
        TRY(image_codec_load_builtin(&model->codec, name, use, err));
    TRY(picture_model_create(&model->model, model->codec, err));
    *out = model;
    return RSD_OK;
fail:
    rsd_picture_model_close(&model);
    return status;
}

RsdStatus rsd_picture_model_open_builtin(RsdPictureModel **out, const char *name, RsdError *err)
{
    return open_model(out, name, NULL, IMAGE_USE_ALL, err);
}

RsdStatus rsd_picture_model_open_file(RsdPictureModel **out, const char *path, RsdError *err)
{
    return open_model(out, NULL, path, IMAGE_USE_ALL, err);
}

void rsd_picture_model_close(RsdPictureModel **model)
{
    if (!*model)
        return;
    picture_model_destroy(&(*model)->model);
    image_codec_destroy(&(*model)->codec);
    mem_free(model);
}

const char *rsd_picture_model_name(const RsdPictureModel *model)
{
    return model->codec->config.name;
}

const uint8_t *rsd_picture_model_hash(const RsdPictureModel *model)
{
    return model->codec->hash;
}

/* --- descriptions --------------------------------------------------------------------------------------------------- */

/* model NULL: not known; the quality is then that of a model with all levels. */
static void fill_info(RsdPictureInfo *to, const PictureInfo *from, const PictureModel *model)
{
    const int level_max = model ? picture_level_max(model) : IMAGE_LEVEL_MAX;

    if (!to)
        return;
    *to = (RsdPictureInfo){.format_version = from->format_version,
                           .width = from->width,
                           .height = from->height,
                           .channels = from->channels,
                           .bits = from->bits,
                           .has_alpha = from->has_alpha,
                           .is_srgb = from->colour == PICTURE_COLOUR_SRGB,
                           .gamma = from->gamma / 1e5,
                           .quality = level_max > 0 ? 100.0 * from->level / level_max : 100.0,
                           .n_tiles = from->n_tiles,
                           .tile_side = 1 << from->tile_exponent};
    memcpy(to->model_name, from->model_name, sizeof to->model_name);
    memcpy(to->model_hash, from->model_hash, sizeof to->model_hash);
}

static void fill_report(RsdPictureReport *to, const PictureReport *from)
{
    if (to)
        *to = (RsdPictureReport){from->n_bytes, from->n_tiles, from->n_lost, from->n_alpha_lost, from->complete};
}

/* --- encoding ------------------------------------------------------------------------------------------------------- */

/* Interleaved samples, where line y, column x begins. */
typedef struct Samples {
    const uint8_t *bytes;
    size_t pitch;
    int n_samples, channels, bits; /* n_samples: of a pixel */
} Samples;

static uint16_t sample_at(const Samples *s, int64_t x, int64_t y, int c)
{
    const uint8_t *line = s->bytes + (size_t)y * s->pitch;
    const size_t at = (size_t)(x * s->n_samples + c);
    uint16_t v;

    if (s->bits == 8)
        return line[at];
    memcpy(&v, line + 2 * at, sizeof v); /* the caller's lines need not be aligned */
    return v;
}

static RsdStatus read_samples(void *ctx, int64_t x, int64_t y, int64_t w, int64_t h, float *rgb, int64_t pitch,
                              int64_t plane, RsdError *err)
{
    const Samples *s = ctx;
    const float scale = 1.0f / (s->bits == 8 ? 255.0f : 65535.0f);

    (void)err;
    for (int c = 0; c < 3; c++)
        for (int64_t row = 0; row < h; row++)
            for (int64_t i = 0; i < w; i++)
                rgb[c * plane + row * pitch + i] = scale * (float)sample_at(s, x + i, y + row, s->channels == 1 ? 0 : c);
    return RSD_OK;
}

static RsdStatus read_sample_alpha(void *ctx, int64_t x, int64_t y, int64_t w, int64_t h, uint16_t *alpha, RsdError *err)
{
    const Samples *s = ctx;

    (void)err;
    for (int64_t row = 0; row < h; row++)
        for (int64_t i = 0; i < w; i++)
            *alpha++ = sample_at(s, x + i, y + row, s->channels);
    return RSD_OK;
}

void rsd_picture_encode_default_options(RsdPictureEncodeOptions *options)
{
    *options = (RsdPictureEncodeOptions){.channels = 3, .bits = 8, .quality = QUALITY_USUAL};
}

static RsdStatus check_options(const RsdPictureEncodeOptions *o, RsdError *err)
{
    RsdStatus status = RSD_OK;

    CHECK(o->model, err, RSD_ERR_ARG, "encoding a picture needs a model");
    CHECK(o->write, err, RSD_ERR_ARG, "encoding a picture needs a write function");
    CHECK(o->pixels || (o->read && (!o->has_alpha || o->read_alpha)), err, RSD_ERR_ARG,
          "encoding a picture needs pixels, or functions that read them");
    CHECK(o->channels == 1 || o->channels == 3, err, RSD_ERR_ARG, "%d channels; 1 or 3 are possible, and has_alpha", o->channels);
    CHECK(o->bits == 8 || o->bits == 16, err, RSD_ERR_ARG, "samples of %d bits; 8 or 16 are possible", o->bits);
    CHECK(o->quality >= 0.0 && o->quality <= 100.0, err, RSD_ERR_ARG, "quality %g; 0 to 100 are possible", o->quality);
    CHECK(o->gamma >= 0.0 && o->gamma < MAX_GAMMA, err, RSD_ERR_ARG, "gamma %g; 0 to %g are possible", o->gamma, MAX_GAMMA);
    CHECK(o->width >= 1 && o->height >= 1 && o->width <= PICTURE_MAX_PIXELS / o->height, err, RSD_ERR_ARG,
          "%lld x %lld pixels; 1 to %lld in all are possible", (long long)o->width, (long long)o->height,
          (long long)PICTURE_MAX_PIXELS);
    CHECK(!o->pixels || o->pitch == 0 || o->pitch >= (size_t)(o->width * (o->channels + o->has_alpha) * o->bits / 8), err,
          RSD_ERR_ARG, "lines %zu bytes apart are shorter than %lld pixels", o->pitch, (long long)o->width);
fail:
    return status;
}

static PictureSource source_of(const RsdPictureEncodeOptions *o, Samples *samples)
{
    PictureSource source = {.width = o->width,
                            .height = o->height,
                            .channels = o->channels,
                            .bits = o->bits,
                            .colour = o->is_srgb ? PICTURE_COLOUR_SRGB : PICTURE_COLOUR_UNKNOWN,
                            .gamma = (uint32_t)lrint(o->gamma * 1e5),
                            .read = o->read,
                            .read_alpha = o->has_alpha ? o->read_alpha : NULL,
                            .ctx = o->read_ctx};

    for (int i = 0; i < PICTURE_N_CHUNKS; i++)
        source.chunks[i] = (PictureChunk){o->chunks[i].data, o->chunks[i].size};
    if (o->pixels) {
        const int n_samples = o->channels + o->has_alpha;

        *samples = (Samples){.bytes = o->pixels,
                             .pitch = o->pitch ? o->pitch : (size_t)(o->width * n_samples * o->bits / 8),
                             .n_samples = n_samples,
                             .channels = o->channels,
                             .bits = o->bits};
        source.read = read_samples;
        source.read_alpha = o->has_alpha ? read_sample_alpha : NULL;
        source.ctx = samples;
    }
    return source;
}

RsdStatus rsd_picture_encode(const RsdPictureEncodeOptions *options, RsdPictureInfo *info, RsdPictureReport *report,
                             RsdError *err)
{
    PictureEncoderOptions encoding = {.threads = options->threads};
    PictureSetting setting = {.strength = SEARCH_ROUNDING};
    PictureEncoder *encoder = NULL;
    Samples samples;
    int64_t size;
    RsdStatus status = RSD_OK;

    TRY(check_options(options, err));
    encoding.model = options->model->model;
    encoding.source = source_of(options, &samples);
    setting.level = (int)lrint(options->quality * picture_level_max(encoding.model) / 100.0);
    TRY(picture_encoder_open(&encoder, &encoding, err));
    if (options->max_size > 0)
        TRY(picture_fit(encoder, options->max_size, setting, NULL, NULL, &setting, &size, err));
    TRY(picture_encoder_run(encoder, setting, options->write, options->write_ctx, &size, err));
    fill_info(info, picture_encoder_info(encoder), encoding.model);
    if (report)
        *report = (RsdPictureReport){
            .n_bytes = size, .n_tiles = picture_encoder_info(encoder)->n_tiles, .complete = true};
fail:
    picture_encoder_close(&encoder);
    return status;
}

/* --- decoding ------------------------------------------------------------------------------------------------------- */

struct RsdPictureDecoder {
    RsdPictureDecoderOptions options;
    RsdPictureModel *own_model; /* found by name */
    PictureDecoder *decoder;
    RsdPictureInfo info;
    RsdPictureReport report;
    RsdStatus status; /* the first error, which is repeated */
    RsdError err;
};

void rsd_picture_decoder_default_options(RsdPictureDecoderOptions *options)
{
    *options = (RsdPictureDecoderOptions){.shrink = 1};
}

RsdStatus rsd_picture_decoder_open(RsdPictureDecoder **out, const RsdPictureDecoderOptions *options, RsdError *err)
{
    const PictureDecoderOptions decoding = {.read = options->read,
                                            .read_ctx = options->read_ctx,
                                            .name = options->name ? options->name : "stream",
                                            .threads = options->threads,
                                            .keep_going = options->keep_going,
                                            .on_damage = options->on_damage,
                                            .damage_ctx = options->damage_ctx,
                                            .shrink = options->shrink};
    RsdPictureDecoder *decoder = NULL;
    const PictureModel *model;
    RsdStatus status = RSD_OK;

    *out = NULL;
    CHECK(options->read, err, RSD_ERR_ARG, "decoding a picture needs a read function");
    TRY(mem_calloc(&decoder, 1, sizeof *decoder, err));
    decoder->options = *options;
    TRY(picture_decoder_open(&decoder->decoder, &decoding, err));
    if (!options->model)
        TRY(open_model(&decoder->own_model, picture_decoder_info(decoder->decoder)->model_name, NULL, IMAGE_USE_DECODE, err));
    model = options->model ? options->model->model : decoder->own_model->model;
    TRY(picture_decoder_use(decoder->decoder, model, err));
    fill_info(&decoder->info, picture_decoder_info(decoder->decoder), model);
    *out = decoder;
    return RSD_OK;
fail:
    rsd_picture_decoder_close(&decoder);
    return status;
}

void rsd_picture_decoder_close(RsdPictureDecoder **decoder)
{
    if (!*decoder)
        return;
    picture_decoder_close(&(*decoder)->decoder);
    rsd_picture_model_close(&(*decoder)->own_model);
    mem_free(decoder);
}

const RsdPictureInfo *rsd_picture_decoder_info(const RsdPictureDecoder *decoder)
{
    return &decoder->info;
}

const RsdPictureReport *rsd_picture_decoder_report(RsdPictureDecoder *decoder)
{
    const PictureReport report = picture_decoder_report(decoder->decoder);

    fill_report(&decoder->report, &report);
    return &decoder->report;
}

RsdBytes rsd_picture_decoder_chunk(const RsdPictureDecoder *decoder, RsdPictureChunk chunk)
{
    PictureChunk found = {NULL, 0};

    if ((int)chunk >= 0 && (int)chunk < PICTURE_N_CHUNKS)
        found = picture_decoder_chunk(decoder->decoder, (PictureChunkKind)chunk);
    return (RsdBytes){found.data, found.size};
}

RsdStatus rsd_picture_decoder_next(RsdPictureDecoder *decoder, RsdPictureTile *tile, bool *found, RsdError *err)
{
    PicturePixels pixels;

    *found = false;
    if (decoder->status == RSD_OK)
        decoder->status = picture_decoder_next(decoder->decoder, &pixels, found, &decoder->err);
    if (decoder->status != RSD_OK)
        return error_set(err, decoder->status, "%s", decoder->err.text);
    if (*found)
        *tile = (RsdPictureTile){pixels.tile.x, pixels.tile.y, pixels.tile.w, pixels.tile.h, pixels.rgb, pixels.alpha};
    return RSD_OK;
}

static void put_sample(uint8_t *line, int64_t at, int bits, uint16_t v)
{
    if (bits == 8)
        line[at] = (uint8_t)v;
    else
        memcpy(line + 2 * at, &v, sizeof v);
}

static void place_tile(const RsdPictureInfo *info, const RsdPictureTile *tile, uint8_t *pixels, size_t pitch)
{
    const float white = info->bits == 8 ? 255.0f : 65535.0f;
    const int n_samples = info->channels + info->has_alpha;

    for (int64_t row = 0; row < tile->h; row++) {
        uint8_t *line = pixels + (size_t)(tile->y + row) * pitch;

        for (int64_t i = 0; i < tile->w; i++) {
            const int64_t at = (tile->x + i) * n_samples;

            for (int c = 0; c < info->channels; c++)
                put_sample(line, at + c, info->bits, (uint16_t)(tile->rgb[(c * tile->h + row) * tile->w + i] * white + 0.5f));
            if (info->has_alpha)
                put_sample(line, at + info->channels, info->bits,
                           tile->alpha ? tile->alpha[row * tile->w + i] : (uint16_t)white);
        }
    }
}

RsdStatus rsd_picture_decoder_read(RsdPictureDecoder *decoder, void *pixels, size_t pitch, RsdError *err)
{
    const RsdPictureInfo *info = &decoder->info;
    const int shrink = decoder->options.shrink > 1 ? decoder->options.shrink : 1;
    const size_t line = (size_t)(picture_shrunk(info->width, shrink) * (info->channels + info->has_alpha) * info->bits / 8);
    RsdPictureTile tile;
    bool found = true;
    RsdStatus status = RSD_OK;

    CHECK(pitch == 0 || pitch >= line, err, RSD_ERR_ARG, "lines %zu bytes apart; they have %zu bytes", pitch, line);
    for (;;) {
        TRY(rsd_picture_decoder_next(decoder, &tile, &found, err));
        if (!found)
            break;
        place_tile(info, &tile, pixels, pitch ? pitch : line);
    }
fail:
    return status;
}

RsdStatus rsd_picture_scan(RsdPictureInfo *info, RsdPictureReport *report, RsdReadFn read, void *read_ctx, const char *name,
                           RsdError *err)
{
    PictureInfo found;
    PictureReport counted;
    RsdStatus status = picture_scan(&found, &counted, read, read_ctx, name, err);

    fill_info(info, &found, NULL);
    fill_report(report, &counted);
    return status;
}
