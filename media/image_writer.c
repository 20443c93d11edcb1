/* image_writer.c - a format by name, then libpng line by line or bytes from the module.
 *
 * SPDX-License-Identifier: MIT
 */
#include "media/image_writer.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "engine/base/atomic_file.h"
#include "engine/base/mem.h"
#include "media/av_module.h"
#include "media/color_profile.h"
#include "media/image_metadata.h"
#include "media/png_writing.h"

#define QUALITY_USUAL 90

/* --- formats ---------------------------------------------------------------------------------------------------------------- */

typedef struct Ending {
    const char *ending, *format;
} Ending;

static const Ending endings[] = {
    {"png", "png"}, {"jpg", "jpg"},  {"jpeg", "jpg"}, {"webp", "webp"}, {"avif", "avif"}, {"jxl", "jxl"}, {"tif", "tiff"},
    {"tiff", "tiff"}, {"bmp", "bmp"}, {"ppm", "pnm"}, {"pgm", "pnm"}, {"pnm", "pnm"},
};

static const char *format_by_ending(const char *ending)
{
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++)
        if (strcasecmp(endings[i].ending, ending) == 0)
            return endings[i].format;
    return NULL;
}

static RsdStatus choose_format(const char **format, const char *path, const ImageWriteOptions *o, RsdError *err)
{
    const char *base = strrchr(path, '/'), *dot = strrchr(base ? base : path, '.');
    const char *ending = o->format ? o->format : strcmp(path, "-") == 0 ? "png" : dot ? dot + 1 : "";

    *format = format_by_ending(ending);
    if (*format)
        return RSD_OK;
    return error_set(err, RSD_ERR_ARG, "%s: pictures cannot be written as '%s'; possible are png, jpg, webp, avif, jxl, tiff, bmp, pnm",
                     path, ending);
}

/* --- writing ---------------------------------------------------------------------------------------------------------------- */

static RsdStatus encode(uint8_t **bytes, size_t *size, const AvModule *module, const Image *image, const char *format,
                        const ImageWriteOptions *o, RsdError *err)
{
    AvPicture picture;
    RsdStatus status = av_picture_of(&picture, image, o->drop_alpha, err);

    if (status != RSD_OK)
        return status;
    if (!o->drop_profile) {
        picture.icc = image->color.icc;
        picture.icc_size = image->color.icc_size;
    }
    picture.exif = image->exif.data;
    picture.exif_size = image->exif.size;
    picture.xmp = image->xmp.data;
    picture.xmp_size = image->xmp.size;
    return module->picture_encode(bytes, size, &picture, format, o->quality ? o->quality : QUALITY_USUAL, o->reduce, err);
}

/* Bytes of the encoder, with the metadata that it does not write itself. */
static RsdStatus write_by_module(AtomicFile *file, const Image *image, const char *format, const ImageWriteOptions *o,
                                 bool *left_out, RsdError *err)
{
    const AvModule *module;
    Image rest = *image;
    uint8_t *bytes = NULL, *with_metadata = NULL;
    size_t size = 0, more_size = 0;
    RsdStatus status = RSD_OK;

    if (o->drop_profile)
        rest.color = (ImageColor){0};
    TRY(av_module_get(&module, err));
    TRY(encode(&bytes, &size, module, image, format, o, err));
    status = image_metadata_insert(&with_metadata, &more_size, format, bytes, size, &rest, image->alpha && !o->drop_alpha, left_out, err);
    if (status == RSD_OK)
        status = with_metadata ? atomic_file_write(file, with_metadata, more_size, err) : atomic_file_write(file, bytes, size, err);
    module->bytes_free(bytes);
fail:
    mem_free(&with_metadata);
    return status;
}

struct ImageWriter {
    ImageWriteOptions options;
    const Image *shape;
    const char *format;
    AtomicFile *file;
    PngWriting *png;
    Image *whole; /* other formats */
    int64_t n_lines;
};

static void note(const ImageWriteOptions *o, const char *path, const char *what, const char *format)
{
    char text[RSD_ERROR_TEXT_SIZE];

    snprintf(text, sizeof text, "%s: %s left out, which %s files do not hold here", path, what, format);
    if (o->note)
        o->note(o->note_ctx, text);
}

static void note_lost_profile(const ImageWriter *writer, const char *path)
{
    char text[RSD_ERROR_TEXT_SIZE];

    snprintf(text, sizeof text, "%s: the colour profile is left out, which libpng does not accept", path);
    if (png_writing_lost_profile(writer->png) && writer->options.note)
        writer->options.note(writer->options.note_ctx, text);
}

/* The words for a profile that the format does not hold; NULL: it does. */
static const char *lost_profile(const ImageColor *color, MetadataKept kept)
{
    if (!kept.profile)
        return "the colour profile is";
    if (!kept.grey_profile && !color_profile_is_rgb(color->icc, color->icc_size))
        return "the colour profile, one of grey, is";
    if (kept.plain_profile && !color_profile_is_plain(color->icc, color->icc_size))
        return "the colour profile, which is more or less than colours and curves, is";
    return NULL;
}

/* Tells what the format does not hold; of the profile alone the rest must know. */
static void leave_out(const Image *shape, const char *path, const char *format, ImageWriteOptions *o)
{
    const MetadataKept kept = image_metadata_kept(format);
    const ImageColor *color = &shape->color;
    const char *lost = NULL;

    if (color->icc && !o->drop_profile)
        lost = lost_profile(color, kept);
    if (color->has_cicp && !o->drop_profile && !kept.cicp)
        note(o, path, "the numbers of the colour space (cICP) are", format);
    if (lost) {
        note(o, path, lost, format);
        o->drop_profile = true;
    }
    if (shape->exif.data && !kept.exif)
        note(o, path, "EXIF is", format);
    if (shape->xmp.data && !kept.xmp)
        note(o, path, "XMP is", format);
}

/* Errors of the file itself name it already. */
static RsdStatus name_file(const ImageWriter *writer, RsdStatus status, RsdError *err)
{
    return status == RSD_OK || status == RSD_ERR_IO ? status
                                                    : error_prefix(err, status, "%s", atomic_file_name(writer->file));
}

RsdStatus image_writer_open(ImageWriter **out, const Image *shape, bool has_alpha, const char *path,
                            const ImageWriteOptions *options, RsdError *err)
{
    ImageWriter *writer = NULL;
    ImageWriteOptions *o;
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(mem_calloc(&writer, 1, sizeof *writer, err));
    o = &writer->options;
    if (options)
        *o = *options;
    writer->shape = shape;
    CHECK(o->quality >= 0 && o->quality <= 100, err, RSD_ERR_ARG, "%s: quality %d, expected 1 to 100", path, o->quality);
    TRY(choose_format(&writer->format, path, o, err));
    TRY(atomic_file_open(&writer->file, path, o->overwrite, err));
    leave_out(shape, path, writer->format, o);
    if (strcmp(writer->format, "png") == 0) {
        TRY(name_file(writer, png_writing_open(&writer->png, shape, has_alpha && !o->drop_alpha, writer->file, o->drop_profile, o->threads, err),
                      err));
        note_lost_profile(writer, path);
    }
    *out = writer;
    return RSD_OK;
fail:
    image_writer_close(&writer);
    return status;
}

/* Room for the whole, on first use. */
static RsdStatus collect(ImageWriter *writer, const Image *band, int64_t n, RsdError *err)
{
    const Image *shape = writer->shape;
    const size_t size = (size_t)shape->bits / 8, line = (size_t)shape->width * size;
    RsdStatus status = RSD_OK;

    if (!writer->whole)
        TRY(image_create(&writer->whole, shape->width, shape->height, shape->channels, shape->bits, band->alpha != NULL, err));
    for (int c = 0; c < shape->channels; c++)
        memcpy((uint8_t *)writer->whole->planes + (size_t)(c * shape->height + writer->n_lines) * line,
               (const uint8_t *)band->planes + (size_t)(c * band->height) * line, (size_t)n * line);
    if (band->alpha)
        memcpy((uint8_t *)writer->whole->alpha + (size_t)writer->n_lines * line, band->alpha, (size_t)n * line);
fail:
    return status;
}

RsdStatus image_writer_lines(ImageWriter *writer, const Image *band, int64_t n, RsdError *err)
{
    RsdStatus status =
        writer->png ? png_writing_lines(writer->png, band, n, err) : collect(writer, band, n, err);

    writer->n_lines += n;
    return name_file(writer, status, err);
}

/* image: with samples; NULL for the lines collected. */
static RsdStatus finish(ImageWriter *writer, const Image *image, RsdError *err)
{
    bool left_out = false;
    Image whole;
    RsdStatus status = RSD_OK;

    if (writer->png) {
        TRY(name_file(writer, png_writing_finish(writer->png, err), err));
    } else {
        if (!image) {
            whole = *writer->shape;
            whole.planes = writer->whole->planes;
            whole.alpha = writer->whole->alpha;
            image = &whole;
        }
        TRY(name_file(writer, write_by_module(writer->file, image, writer->format, &writer->options, &left_out, err), err));
        if (left_out)
            note(&writer->options, atomic_file_name(writer->file), "metadata of more than 64 KiB are", writer->format);
    }
    TRY(atomic_file_commit(writer->file, err));
fail:
    return status;
}

RsdStatus image_writer_finish(ImageWriter *writer, RsdError *err)
{
    return finish(writer, NULL, err);
}

void image_writer_close(ImageWriter **writer)
{
    if (!*writer)
        return;
    png_writing_close(&(*writer)->png);
    image_destroy(&(*writer)->whole);
    atomic_file_close(&(*writer)->file);
    mem_free(writer);
}

RsdStatus image_write(const Image *image, const char *path, const ImageWriteOptions *options, RsdError *err)
{
    ImageWriter *writer = NULL;
    RsdStatus status = RSD_OK;

    TRY(image_writer_open(&writer, image, image->alpha != NULL, path, options, err));
    if (writer->png)
        TRY(image_writer_lines(writer, image, image->height, err));
    TRY(finish(writer, image, err));
fail:
    image_writer_close(&writer);
    return status;
}
