/* image_writer.c - a format by name, then libpng line by line or bytes from the module.
 *
 * SPDX-License-Identifier: MIT
 */
#include "media/image_writer.h"

#include <limits.h>
#include <string.h>
#include <strings.h>

#include "engine/base/atomic_file.h"
#include "media/av_module.h"
#include "media/png_image.h"

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

static AvPicture picture_of(const Image *image, bool drop_alpha)
{
    const size_t line = (size_t)image->width * (size_t)image->bits / 8, plane = line * (size_t)image->height;
    AvPicture picture = {.width = (int)image->width, .height = (int)image->height, .channels = image->channels, .bits = image->bits};

    for (int c = 0; c < image->channels; c++)
        picture.plane[c] = (const uint8_t *)image->planes + (size_t)c * plane;
    if (!drop_alpha)
        picture.plane[3] = image->alpha;
    for (int i = 0; i < 4; i++)
        picture.stride[i] = (ptrdiff_t)line;
    return picture;
}

static RsdStatus encode(uint8_t **bytes, size_t *size, const AvModule *module, const Image *image, const char *format,
                        const ImageWriteOptions *o, RsdError *err)
{
    AvPicture picture;

    if (image->width > INT_MAX / 16 || image->height > INT_MAX)
        return error_set(err, RSD_ERR_UNSUPPORTED, "%lld x %lld pixels are more than libavcodec takes; write PNG",
                         (long long)image->width, (long long)image->height);
    picture = picture_of(image, o->drop_alpha);
    return module->picture_encode(bytes, size, &picture, format, o->quality ? o->quality : QUALITY_USUAL, o->reduce, err);
}

static RsdStatus write_by_module(AtomicFile *file, const Image *image, const char *format, const ImageWriteOptions *o,
                                 RsdError *err)
{
    const AvModule *module;
    uint8_t *bytes = NULL;
    size_t size = 0;
    RsdStatus status = RSD_OK;

    TRY(av_module_get(&module, err));
    TRY(encode(&bytes, &size, module, image, format, o, err));
    status = atomic_file_write(file, bytes, size, err);
    module->bytes_free(bytes);
fail:
    return status;
}

RsdStatus image_write(const Image *image, const char *path, const ImageWriteOptions *options, RsdError *err)
{
    const ImageWriteOptions o = options ? *options : (ImageWriteOptions){0};
    AtomicFile *file = NULL;
    const char *format;
    RsdStatus status = RSD_OK;

    CHECK(o.quality >= 0 && o.quality <= 100, err, RSD_ERR_ARG, "%s: quality %d, expected 1 to 100", path, o.quality);
    TRY(choose_format(&format, path, &o, err));
    TRY(atomic_file_open(&file, path, o.overwrite, err));
    if (strcmp(format, "png") == 0)
        status = png_image_write(image, file, o.drop_profile, o.drop_alpha, err);
    else
        status = write_by_module(file, image, format, &o, err);
    if (status != RSD_OK && status != RSD_ERR_IO) /* those of the file name it already */
        error_prefix(err, status, "%s", atomic_file_name(file));
    TRY(status);
    TRY(atomic_file_commit(file, err));
fail:
    atomic_file_close(&file);
    return status;
}
