/* picture_info.c - picture streams, picture models and pictures, described.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cli/picture_info.h"

#include <stdio.h>

#include "cli/model_choice.h"
#include "cli/words.h"
#include "codec/picture.h"
#include "media/image_reader.h"

static const char *colour_text(int channels)
{
    return channels == 1 ? "grey" : "colour";
}

/* --- streams -------------------------------------------------------------------------------------------------------- */

static void print_stream_json(JsonLine *json, const PictureInfo *info, const PictureReport *report, bool test,
                              int64_t n_bytes, double bpp)
{
    json_line_text(json, "kind", "picture");
    json_line_integer(json, "format_version", info->format_version);
    json_line_text(json, "model", info->model_name);
    json_line_hex(json, "hash", info->model_hash, sizeof info->model_hash);
    json_line_integer(json, "width", info->width);
    json_line_integer(json, "height", info->height);
    json_line_integer(json, "channels", info->channels);
    json_line_integer(json, "bits", info->bits);
    json_line_bool(json, "alpha", info->has_alpha);
    json_line_number(json, "level", info->level / 16.0, 4);
    if (info->is_staged)
        json_line_number(json, "stages", 1.0 + info->level / 16.0, 4);
    if (!picture_deltas_are_none(&info->deltas))
        json_line_bool(json, "adapted", true);
    json_line_integer(json, "tiles", info->n_tiles);
    json_line_integer(json, "tile_side", 1 << info->tile_exponent);
    json_line_integer(json, "bytes", n_bytes);
    json_line_number(json, "bpp", bpp, 4);
    json_line_integer(json, "profile", report->chunk_sizes[PICTURE_CHUNK_PROFILE]);
    json_line_integer(json, "exif", report->chunk_sizes[PICTURE_CHUNK_EXIF]);
    json_line_integer(json, "xmp", report->chunk_sizes[PICTURE_CHUNK_XMP]);
    if (test) {
        json_line_integer(json, "tiles_lost", report->n_lost);
        json_line_integer(json, "alpha_lost", report->n_alpha_lost);
        json_line_bool(json, "complete", report->complete);
    }
}

static void print_stream(const char *name, const PictureInfo *info, const PictureReport *report, bool test,
                         int64_t n_bytes, double bpp)
{
    const int64_t *sizes = report->chunk_sizes;

    char hash[HASH_TEXT_SIZE];

    printf("%s\n  stream   residua format %d, model %s, hash %s\n", name, info->format_version, info->model_name,
           hash_text(hash, info->model_hash));
    printf("  picture  %lld x %lld, %s, %d bits%s\n", (long long)info->width, (long long)info->height,
           colour_text(info->channels), info->bits, info->has_alpha ? ", with opacity" : "");
    if (info->is_staged)
        printf("  codes    %.2f stages of a residual quantiser\n", 1.0 + info->level / 16.0);
    printf("  rate     level %.2f; %lld bytes, %.4f bits per pixel\n", info->level / 16.0, (long long)n_bytes, bpp);
    if (!picture_deltas_are_none(&info->deltas))
        printf("  adapted  the last layer of the synthesis has changes for this picture\n");
    printf("  tiles    %lld of %d x %d pixels\n", (long long)info->n_tiles, 1 << info->tile_exponent,
           1 << info->tile_exponent);
    if (sizes[PICTURE_CHUNK_PROFILE])
        printf("  colours  ICC profile of %lld bytes\n", (long long)sizes[PICTURE_CHUNK_PROFILE]);
    if (sizes[PICTURE_CHUNK_EXIF] || sizes[PICTURE_CHUNK_XMP])
        printf("  carries  EXIF of %lld bytes, XMP of %lld\n", (long long)sizes[PICTURE_CHUNK_EXIF],
               (long long)sizes[PICTURE_CHUNK_XMP]);
    if (test)
        printf("  test     %lld tiles, %lld lost, %lld without opacity; %s\n", (long long)report->n_tiles,
               (long long)report->n_lost, (long long)report->n_alpha_lost,
               report->complete ? "the end is there" : "the end is missing");
}

/* Up to the first tile. */
static RsdStatus read_chunks(PictureReader *reader, RsdError *err)
{
    PicturePacket packet;
    bool found = true;
    RsdStatus status = RSD_OK;

    do
        TRY(picture_reader_next(reader, &packet, &found, err));
    while (found && packet.type >= PICTURE_PACKET_CHUNK);
fail:
    return status;
}

RsdStatus picture_info_stream(ByteSource *source, bool test, JsonLine *json, RsdError *err)
{
    PictureReaderOptions options = {.read = byte_source_read, .read_ctx = source, .name = source->name};
    PictureReader *reader = NULL;
    PictureReport report = {0};
    PictureInfo info;
    int64_t n_bytes;
    double bpp;
    RsdStatus status = RSD_OK;

    if (test || source->file_size < 0) {
        status = picture_scan(&info, &report, byte_source_read, source, source->name, err);
        if (info.width == 0)
            return status;
        if (!test && status == RSD_ERR_CORRUPT)
            status = RSD_OK; /* only --test judges */
    } else {
        TRY(picture_reader_open(&reader, &options, err));
        info = *picture_reader_info(reader);
        status = read_chunks(reader, err);
        if (status == RSD_ERR_CORRUPT)
            status = RSD_OK; /* only --test judges */
        TRY(status);
        report = *picture_reader_report(reader);
    }
    n_bytes = source->file_size >= 0 ? source->file_size : report.n_bytes;
    bpp = 8.0 * (double)n_bytes / ((double)info.width * (double)info.height);
    if (json)
        print_stream_json(json, &info, &report, test, n_bytes, bpp);
    else
        print_stream(source->name, &info, &report, test, n_bytes, bpp);
fail:
    picture_reader_close(&reader);
    return status;
}

/* --- models and pictures -------------------------------------------------------------------------------------------- */

RsdStatus picture_info_model(const char *choice, JsonLine *json, RsdError *err)
{
    ImageCodec *codec = NULL;
    ImageCodecMacs macs;
    int64_t n_parameters;
    char hash[HASH_TEXT_SIZE];
    RsdStatus status = RSD_OK;

    TRY(picture_choice_open(&codec, choice, NULL, IMAGE_USE_ALL, err));
    macs = image_codec_macs(&codec->config);
    n_parameters = image_codec_count_parameters(&codec->config);
    if (json) {
        json_line_text(json, "kind", "picture-model");
        json_line_text(json, "name", codec->config.name);
        json_line_hex(json, "hash", codec->hash, sizeof codec->hash);
        json_line_integer(json, "parameters", n_parameters);
        if (codec->config.quantizer != IMAGE_SCALAR) {
            json_line_integer(json, "codebooks", codec->config.codebooks);
            json_line_integer(json, "codebook_size", codec->config.codebook_size);
        } else {
            json_line_integer(json, "latents", codec->config.latent);
            json_line_bool(json, "own_steps", codec->config.steps);
        }
    } else {
        printf("%s\n  model    %s, hash %s, %.2f M parameters, of pictures\n", choice, codec->config.name,
               hash_text(hash, codec->hash), (double)n_parameters / 1e6);
        if (codec->config.quantizer != IMAGE_SCALAR)
            printf("  codes    %d stages of %d codes of %d numbers\n", codec->config.codebooks, codec->config.codebook_size,
                   codec->config.latent);
        else
            printf("  latents  %d for 16 x 16 pixels, %s\n", codec->config.latent,
                   codec->config.steps ? "in steps of their own, larger where an error is seen less" : "all in steps of 1");
        printf("  work     %.1f thousand products per pixel to encode, %.1f to decode\n",
               (macs.analysis + macs.prior) / 1e3, (macs.prior + macs.synthesis) / 1e3);
    }
fail:
    image_codec_destroy(&codec);
    return status;
}

RsdStatus picture_info_image(const char *path, JsonLine *json, RsdError *err)
{
    Image *image = NULL;
    RsdStatus status = RSD_OK;

    TRY(image_read(&image, path, NULL, err));
    if (json) {
        json_line_text(json, "kind", "image");
        json_line_text(json, "container", image->format);
        json_line_integer(json, "width", image->width);
        json_line_integer(json, "height", image->height);
        json_line_integer(json, "channels", image->channels);
        json_line_integer(json, "bits", image->source_bits);
        json_line_bool(json, "alpha", image->alpha != NULL);
        json_line_integer(json, "profile", (int64_t)image->color.icc_size);
        json_line_integer(json, "exif", (int64_t)image->exif.size);
        json_line_integer(json, "xmp", (int64_t)image->xmp.size);
    } else {
        printf("%s\n  picture  %s, %lld x %lld, %s, %d bits%s\n", path, image->format, (long long)image->width,
               (long long)image->height, colour_text(image->channels), image->source_bits,
               image->alpha ? ", with opacity" : "");
        if (image->color.icc)
            printf("  colours  ICC profile of %zu bytes\n", image->color.icc_size);
    }
fail:
    image_destroy(&image);
    return status;
}
