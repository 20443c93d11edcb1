/* picture_decode.c - a stream to a picture file.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>

#include "cli/picture_job.h"
#include "engine/base/mem.h"
#include "media/color_profile.h"
#include "media/image_writer.h"

/* Damage, and what a format cannot hold. */
static void note_damage(void *ctx, const char *text)
{
    console_say(ctx, LOG_WARNING, "%s", text);
}

/* Pixels of a tile into a row of tiles. */
static void place(Image *band, int channels, const PicturePixels *pixels)
{
    const PictureTile *t = &pixels->tile;
    const float white = band->bits == 8 ? 255.0f : 65535.0f;

    for (int64_t row = 0; row < t->h; row++) {
        size_t at = (size_t)(row * band->width + t->x), plane = (size_t)(band->width * band->height);

        for (int c = 0; c < band->channels; c++)
            for (int64_t i = 0; i < t->w; i++) {
                float from = pixels->rgb[((c < channels ? c : 0) * t->h + row) * t->w + i];
                uint16_t v = (uint16_t)(from * white + 0.5f);

                if (band->bits == 8)
                    ((uint8_t *)band->planes)[(size_t)c * plane + at + (size_t)i] = (uint8_t)v;
                else
                    ((uint16_t *)band->planes)[(size_t)c * plane + at + (size_t)i] = v;
            }
        for (int64_t i = 0; band->alpha && i < t->w; i++) {
            uint16_t v = pixels->alpha ? pixels->alpha[row * t->w + i] : (uint16_t)white;

            if (band->bits == 8)
                ((uint8_t *)band->alpha)[at + (size_t)i] = (uint8_t)v;
            else
                ((uint16_t *)band->alpha)[at + (size_t)i] = v;
        }
    }
}

static ImageBlob blob_of(const PictureDecoder *decoder, PictureChunkKind kind)
{
    const PictureChunk chunk = picture_decoder_chunk(decoder, kind);

    return (ImageBlob){(uint8_t *)(uintptr_t)chunk.data, chunk.size};
}

/* The picture that is to be written, without samples; colours and metadata are borrowed from the decoder. A profile of RGB makes grey a
 * picture of three channels, since files of one cannot have it. */
static Image shape_of(const PictureDecoder *decoder, int shrink, bool keep_metadata)
{
    const PictureInfo *info = picture_decoder_info(decoder);
    const ImageBlob profile = blob_of(decoder, PICTURE_CHUNK_PROFILE);
    const PictureChunk cicp = picture_decoder_chunk(decoder, PICTURE_CHUNK_CICP);
    const bool is_sound = profile.data && !color_profile_problem(profile.data, profile.size, info->channels);
    Image shape = {.width = picture_shrunk(info->width, shrink),
                   .height = picture_shrunk(info->height, shrink),
                   .channels = is_sound && color_profile_is_rgb(profile.data, profile.size) ? 3 : info->channels,
                   .bits = info->bits,
                   .source_bits = info->bits};

    shape.color.is_srgb = info->colour == PICTURE_COLOUR_SRGB;
    shape.color.gamma = info->gamma / 1e5;
    if (is_sound) {
        shape.color.icc = profile.data;
        shape.color.icc_size = profile.size;
    }
    if (cicp.size == sizeof shape.color.cicp) {
        shape.color.has_cicp = true;
        memcpy(shape.color.cicp, cicp.data, sizeof shape.color.cicp);
    }
    if (keep_metadata) {
        shape.exif = blob_of(decoder, PICTURE_CHUNK_EXIF);
        shape.xmp = blob_of(decoder, PICTURE_CHUNK_XMP);
    }
    return shape;
}

/* Row of tiles after row of tiles to the writer. */
static RsdStatus decode_lines(const PictureJob *job, PictureDecoder *decoder, const Image *shape, ImageWriter *writer,
                              const BatchItem *item, RsdError *err)
{
    const PictureInfo *info = picture_decoder_info(decoder);
    Image *band = NULL;
    PicturePixels pixels;
    int64_t n_done = 0;
    bool found = true;
    RsdStatus status = RSD_OK;

    TRY(image_create(&band, shape->width,
                     shape->height < (int64_t)1 << info->tile_exponent ? shape->height : (int64_t)1 << info->tile_exponent,
                     shape->channels, shape->bits, info->has_alpha, err));
    for (;;) {
        TRY(picture_decoder_next(decoder, &pixels, &found, err));
        if (!found)
            break;
        place(band, info->channels, &pixels);
        n_done++;
        if (n_done % info->n_across == 0)
            TRY(image_writer_lines(writer, band, pixels.tile.h, err));
        if (console_wants_progress(job->console))
            console_progress(job->console, "%s  %3.0f%%", item->input, 100.0 * (double)n_done / (double)info->n_tiles);
    }
fail:
    image_destroy(&band);
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

RsdStatus picture_job_decode(PictureJob *job, ByteSource *source, const PictureOutput *output, const BatchItem *item,
                             BatchResult *result, JsonLine *json, RsdError *err)
{
    PictureDecoderOptions options = {.read = byte_source_read,
                                     .read_ctx = source,
                                     .name = source->name,
                                     .threads = job->threads,
                                     .keep_going = job->keep_going,
                                     .on_damage = note_damage,
                                     .damage_ctx = job->console,
                                     .shrink = 1 << output->scale};
    ImageWriteOptions writing = {.overwrite = job->force,
                                 .format = strcmp(item->output, "-") ? NULL : output->format,
                                 .quality = output->quality,
                                 .threads = job->threads,
                                 .note = note_damage,
                                 .note_ctx = job->console};
    PictureDecoder *decoder = NULL;
    PictureReport report;
    const PictureInfo *info;
    ImageWriter *writer = NULL;
    Image shape;
    RsdStatus status = RSD_OK;

    TRY(picture_decoder_open(&decoder, &options, err));
    info = picture_decoder_info(decoder);
    CHECK(info->width * info->height <= IMAGE_MAX_PIXELS, err, RSD_ERR_UNSUPPORTED,
          "%s: claims %lld x %lld pixels; at most %lld million are decoded", source->name, (long long)info->width,
          (long long)info->height, (long long)IMAGE_MAX_PIXELS / 1000000);
    status = picture_job_open_model(job, info->model_name, IMAGE_USE_DECODE, err);
    if (status == RSD_ERR_MODEL)
        error_prefix(err, status, "%s: a picture, coded with model %s", source->name, info->model_name);
    TRY(status);
    TRY(picture_decoder_use(decoder, job->model, err));
    shape = shape_of(decoder, options.shrink, output->metadata == PICTURE_METADATA_KEEP);
    TRY(image_writer_open(&writer, &shape, info->has_alpha, item->output, &writing, err));
    TRY(decode_lines(job, decoder, &shape, writer, item, err));
    TRY(image_writer_finish(writer, err));
    report = picture_decoder_report(decoder);
    result->n_pixels = info->width * info->height;
    result->n_bytes = report.n_bytes;
    if (report.n_lost || report.n_alpha_lost)
        snprintf(result->details, sizeof result->details, ", %lld of %lld tiles lost, %lld without opacity",
                 (long long)report.n_lost, (long long)info->n_tiles, (long long)report.n_alpha_lost);
    if (json)
        describe(json, info, &report);
fail:
    image_writer_close(&writer);
    picture_decoder_close(&decoder);
    return status;
}
