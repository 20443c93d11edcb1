/* picture_decode.c - a stream to a picture file.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>

#include "cli/picture_job.h"
#include "engine/base/mem.h"
#include "media/image_writer.h"

static void note_damage(void *ctx, const char *text)
{
    console_say(ctx, LOG_WARNING, "%s", text);
}

static void place(Image *image, const PicturePixels *pixels)
{
    const PictureTile *t = &pixels->tile;
    const float white = image->bits == 8 ? 255.0f : 65535.0f;

    for (int64_t row = 0; row < t->h; row++) {
        size_t at = (size_t)((t->y + row) * image->width + t->x), plane = (size_t)(image->width * image->height);

        for (int c = 0; c < image->channels; c++)
            for (int64_t i = 0; i < t->w; i++) {
                uint16_t v = (uint16_t)(pixels->rgb[(c * t->h + row) * t->w + i] * white + 0.5f);

                if (image->bits == 8)
                    ((uint8_t *)image->planes)[(size_t)c * plane + at + (size_t)i] = (uint8_t)v;
                else
                    ((uint16_t *)image->planes)[(size_t)c * plane + at + (size_t)i] = v;
            }
        for (int64_t i = 0; image->alpha && i < t->w; i++) {
            uint16_t v = pixels->alpha ? pixels->alpha[row * t->w + i] : (uint16_t)white;

            if (image->bits == 8)
                ((uint8_t *)image->alpha)[at + (size_t)i] = (uint8_t)v;
            else
                ((uint16_t *)image->alpha)[at + (size_t)i] = v;
        }
    }
}

static RsdStatus keep_colour(Image *image, const PictureDecoder *decoder, RsdError *err)
{
    const PictureInfo *info = picture_decoder_info(decoder);
    size_t size;
    const uint8_t *profile = picture_decoder_profile(decoder, &size);
    RsdStatus status = RSD_OK;

    image->color.is_srgb = info->colour == PICTURE_COLOUR_SRGB;
    image->color.gamma = info->gamma / 1e5;
    if (profile) {
        TRY(mem_alloc(&image->color.icc, size, 1, err));
        memcpy(image->color.icc, profile, size);
        image->color.icc_size = size;
    }
fail:
    return status;
}

/* All tiles into a new picture. */
static RsdStatus decode_image(Image **out, const PictureJob *job, PictureDecoder *decoder, const BatchItem *item,
                              RsdError *err)
{
    const PictureInfo *info = picture_decoder_info(decoder);
    Image *image = NULL;
    PicturePixels pixels;
    int64_t n_done = 0;
    bool found = true;
    RsdStatus status = RSD_OK;

    TRY(image_create(&image, info->width, info->height, info->channels, info->bits, info->has_alpha, err));
    TRY(keep_colour(image, decoder, err));
    for (;;) {
        TRY(picture_decoder_next(decoder, &pixels, &found, err));
        if (!found)
            break;
        place(image, &pixels);
        n_done++;
        if (console_wants_progress(job->console))
            console_progress(job->console, "%s  %3.0f%%", item->input, 100.0 * (double)n_done / (double)info->n_tiles);
    }
    *out = image;
    return RSD_OK;
fail:
    image_destroy(&image);
    return status;
}

static void describe(JsonLine *json, const PictureInfo *info, const PictureReport *report)
{
    json_line_text(json, "model", info->model_name);
    json_line_hex(json, "hash", info->model_hash, sizeof info->model_hash);
    json_line_integer(json, "width", info->width);
    json_line_integer(json, "height", info->height);
    json_line_integer(json, "channels", info->channels);
    json_line_integer(json, "bits", info->bits);
    json_line_bool(json, "alpha", info->has_alpha);
    json_line_integer(json, "tiles", info->n_tiles);
    json_line_integer(json, "tiles_lost", report->n_lost);
    json_line_integer(json, "alpha_lost", report->n_alpha_lost);
    json_line_bool(json, "complete", report->complete);
    json_line_integer(json, "bytes", report->n_bytes);
    json_line_number(json, "bpp", 8.0 * (double)report->n_bytes / ((double)info->width * (double)info->height), 4);
}

RsdStatus picture_job_decode(PictureJob *job, ByteSource *source, const char *format, int quality,
                             const BatchItem *item, BatchResult *result, JsonLine *json, RsdError *err)
{
    PictureDecoderOptions options = {.read = byte_source_read,
                                     .read_ctx = source,
                                     .name = source->name,
                                     .threads = job->threads,
                                     .keep_going = job->keep_going,
                                     .on_damage = note_damage,
                                     .damage_ctx = job->console};
    ImageWriteOptions writing = {.overwrite = job->force,
                                 .format = strcmp(item->output, "-") ? NULL : format,
                                 .quality = quality};
    PictureDecoder *decoder = NULL;
    const PictureReport *report;
    const PictureInfo *info;
    Image *image = NULL;
    RsdStatus status = RSD_OK;

    TRY(picture_decoder_open(&decoder, &options, err));
    info = picture_decoder_info(decoder);
    CHECK(info->width * info->height <= IMAGE_MAX_PIXELS, err, RSD_ERR_UNSUPPORTED,
          "%s: claims %lld x %lld pixels; at most %lld million are decoded", source->name, (long long)info->width,
          (long long)info->height, (long long)IMAGE_MAX_PIXELS / 1000000);
    status = picture_job_open_model(job, info->model_name, err);
    if (status == RSD_ERR_MODEL)
        error_prefix(err, status, "%s: a picture, coded with model %s", source->name, info->model_name);
    TRY(status);
    TRY(picture_decoder_use(decoder, job->model, err));
    TRY(decode_image(&image, job, decoder, item, err));
    TRY(image_write(image, item->output, &writing, err));
    report = picture_decoder_report(decoder);
    result->n_pixels = info->width * info->height;
    result->n_bytes = report->n_bytes;
    if (report->n_lost || report->n_alpha_lost)
        snprintf(result->details, sizeof result->details, ", %lld of %lld tiles lost, %lld without opacity",
                 (long long)report->n_lost, (long long)info->n_tiles, (long long)report->n_alpha_lost);
    if (json)
        describe(json, info, report);
fail:
    picture_decoder_close(&decoder);
    image_destroy(&image);
    return status;
}
