/* rd_picture.c - one picture through one codec, in memory. All codecs get the same samples: 8 bits, no alpha, no profile.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "cli/eval_image.h"
#include "cli/picture_tune.h"
#include "cli/rd_run.h"
#include "codec/in_memory.h"
#include "codec/picture.h"
#include "codec/tile_search.h"
#include "engine/base/mem.h"
#include "losses/image_metric.h"
#include "media/image_reader.h"

#define MIN_SIDE 16 /* of what all codecs and metrics can be asked to code */

/* ---- the original ---- */

/* Opacity is laid on grey, 16 bits become 8. */
static RsdStatus simplify(Image **image, const char **note, RsdError *err)
{
    const size_t n = (size_t)((*image)->width * (*image)->height);
    const int channels = image_is_grey(*image) ? 1 : 3;
    Image *plain = NULL;
    float *samples = NULL, *alpha = NULL;
    RsdStatus status = RSD_OK;

    if ((*image)->bits == 8 && image_is_opaque(*image)) {
        mem_free(&(*image)->alpha);
        if (channels == 1)
            image_make_grey(*image);
        return RSD_OK;
    }
    if (!image_is_opaque(*image))
        *note = "has opacity; it is laid on grey";
    TRY(mem_alloc(&samples, 3 * n, sizeof *samples, err));
    TRY(mem_alloc(&alpha, n, sizeof *alpha, err));
    image_to_float(*image, 3, samples);
    image_alpha_to_float(*image, alpha);
    eval_lay_on_ground(samples, alpha, n);
    TRY(image_from_float(&plain, samples, NULL, (*image)->width, (*image)->height, channels, 8, err));
    image_destroy(image);
    *image = plain;
fail:
    mem_free(&samples);
    mem_free(&alpha);
    return status;
}

static RsdStatus open_picture(RdThing *thing, const char *path, const RdRun *run, bool is_alone, RsdError *err)
{
    const ImageReadOptions reading = {.max_pixels = is_alone ? EVAL_MAX_PIXELS : EVAL_LARGE_PIXELS, .drop_profile = true};
    RsdStatus status = RSD_OK;

    (void)run;
    TRY(image_read(&thing->image, path, &reading, err));
    CHECK(thing->image->width >= MIN_SIDE && thing->image->height >= MIN_SIDE, err, RSD_ERR_UNSUPPORTED,
          "%s: %lld x %lld pixels; pictures of %d or more a side are compared", path, (long long)thing->image->width,
          (long long)thing->image->height, MIN_SIDE);
    TRY(simplify(&thing->image, &thing->note, err));
    thing->n = thing->image->width * thing->image->height;
    thing->amount = (double)thing->n;
    TRY(mem_alloc(&thing->samples, 3 * (size_t)thing->n, sizeof *thing->samples, err));
    image_to_float(thing->image, 3, thing->samples);
fail:
    return status;
}

/* ---- ours ---- */

static RsdStatus read_pixels(void *ctx, int64_t x, int64_t y, int64_t w, int64_t h, float *rgb, int64_t pitch,
                             int64_t plane, RsdError *err)
{
    const RdThing *thing = ctx;

    (void)err;
    for (int64_t c = 0; c < 3; c++)
        for (int64_t row = 0; row < h; row++)
            memcpy(rgb + c * plane + row * pitch, thing->samples + c * thing->n + (y + row) * thing->image->width + x,
                   (size_t)w * sizeof *rgb);
    return RSD_OK;
}

static RsdStatus decode_ours(Image **out, const RdRun *run, const RdThing *thing, MemoryStream *stream, RsdError *err)
{
    const PictureDecoderOptions options = {.read = memory_stream_read, .read_ctx = stream};
    const Image *original = thing->image;
    PictureDecoder *decoder = NULL;
    float *planes = NULL;
    RsdStatus status = RSD_OK;

    TRY(mem_alloc(&planes, (size_t)original->channels * (size_t)thing->n, sizeof *planes, err));
    TRY(picture_decoder_open(&decoder, &options, err));
    TRY(picture_decoder_use(decoder, run->model.picture, err));
    TRY(picture_decoder_planes(decoder, original->channels, planes, NULL, err));
    TRY(image_from_float(out, planes, NULL, original->width, original->height, original->channels, 8, err));
fail:
    picture_decoder_close(&decoder);
    mem_free(&planes);
    return status;
}

/* As `residua encode` does it. */
static PictureSetting setting_of(const RdCodec *codec, const RdSetting *setting)
{
    const int level = (int)(16 * setting->quality);

    if (rd_codec_searches(codec))
        return (PictureSetting){.level = level, .effort = codec->effort};
    return (PictureSetting){.level = level, .strength = codec->effort == 1 ? 0 : SEARCH_ROUNDING};
}

static RsdStatus code_ours(RdTrial *t, Image **decoded, const RdCodec *codec, const RdSetting *setting, const RdRun *run,
                           const RdThing *thing, RsdError *err)
{
    const PictureEncoderOptions options = {.model = run->model.picture,
                                           .searches = rd_codec_searches(codec),
                                           .loss = run->model.loss.named ? tune_loss_apply : NULL,
                                           .loss_ctx = (void *)(uintptr_t)&run->model.loss,
                                           .loss_share = run->model.loss.share,
                                           .source = {.width = thing->image->width,
                                                      .height = thing->image->height,
                                                      .channels = thing->image->channels,
                                                      .bits = 8,
                                                      .read = read_pixels,
                                                      .ctx = (void *)(uintptr_t)thing}};
    PictureEncoder *encoder = NULL;
    MemoryStream stream = {0};
    double began_s = rd_thread_time_s();
    RsdStatus status = RSD_OK;

    TRY(picture_encoder_open(&encoder, &options, err));
    TRY(picture_encoder_run(encoder, setting_of(codec, setting), memory_stream_write, &stream, &t->n_bytes, err));
    t->encode_s = rd_thread_time_s() - began_s;
    began_s = rd_thread_time_s();
    TRY(decode_ours(decoded, run, thing, &stream, err));
    t->decode_s = rd_thread_time_s() - began_s;
fail:
    picture_encoder_close(&encoder);
    mem_free(&stream.bytes);
    return status;
}

/* ---- others ---- */

static RsdStatus code_peer(RdTrial *t, Image **decoded, const RdCodec *codec, const RdSetting *setting, const RdThing *thing,
                           RsdError *err)
{
    PeerFormat format = *codec->peer;
    uint8_t *bytes = NULL;
    size_t size;
    double began_s = rd_thread_time_s();
    RsdStatus status = RSD_OK;

    format.quality = setting->quality;
    TRY(peer_picture_encode(&bytes, &size, &format, thing->image, err));
    t->encode_s = rd_thread_time_s() - began_s;
    t->n_bytes = (int64_t)size;
    began_s = rd_thread_time_s();
    TRY(image_read_bytes(decoded, bytes, size, NULL, err));
    t->decode_s = rd_thread_time_s() - began_s;
    CHECK((*decoded)->width == thing->image->width && (*decoded)->height == thing->image->height, err, RSD_ERR_CORRUPT,
          "%s gives %lld x %lld pixels back", codec->title, (long long)(*decoded)->width, (long long)(*decoded)->height);
fail:
    mem_free(&bytes);
    return status;
}

/* ---- values ---- */

static RsdStatus measure(RdTrial *t, const RdRun *run, const RdThing *thing, const Image *decoded, Tape *tape, RsdError *err)
{
    float *samples = NULL;
    ImagePair both;
    RsdStatus status = RSD_OK;

    TRY(mem_alloc(&samples, 3 * (size_t)thing->n, sizeof *samples, err));
    image_to_float(decoded, 3, samples);
    both = (ImagePair){thing->samples, samples, thing->image->height, thing->image->width, NULL};
    for (size_t m = 0; m < run->set->n; m++)
        TRY(eval_measure_pictures(&t->values[m], &both, run->set->items[m].of_kind, NULL, tape, err));
fail:
    mem_free(&samples);
    return status;
}

static RsdStatus try_picture(RdTrial *t, const RdRun *run, const RdCodec *codec, const RdSetting *setting,
                             const RdThing *thing, Tape *tape, RsdError *err)
{
    Image *decoded = NULL;
    RsdStatus status = RSD_OK;

    if (codec->peer)
        TRY(code_peer(t, &decoded, codec, setting, thing, err));
    else
        TRY(code_ours(t, &decoded, codec, setting, run, thing, err));
    TRY(measure(t, run, thing, decoded, tape, err));
fail:
    image_destroy(&decoded);
    return status;
}

const RdKind rd_kind_picture = {
    .eval = &eval_kind_image,
    .metrics = "psnr,ms-ssim,ssimulacra2",
    .anchor = "avif",
    .rate_title = "bits per pixel",
    .rate_unit = "bpp",
    .json_rate = "bpp",
    .csv_rate = "bpp",
    .rate_scale = 1.0,
    .json_scale = 1.0,
    .mean_of_rates = true,
    .rate_digits = 3,
    .speed_unit = "Mpx/s",
    .speed_words = "million pixels for each second of one processor",
    .speed_scale = 1e-6,
    .speed_digits = 2,
    .marks = {0.2, 0.3, 0.5, 0.75},
    .open = open_picture,
    .try = try_picture,
};
