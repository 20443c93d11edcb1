/* image_reader.c - all bytes of a file, then the decoder for what they are.
 *
 * Files are read, not mapped: one that somebody shortens meanwhile must not end the program. Only films too large for that
 * are mapped.
 *
 * SPDX-License-Identifier: MIT
 */
#include "media/image_reader.h"

#include <errno.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/file_map.h"
#include "engine/base/mem.h"
#include "media/av_module.h"
#include "media/color_profile.h"
#include "media/exif.h"
#include "media/image_parts.h"
#include "media/image_metadata.h"
#include "media/png_image.h"
#include "media/several_pictures.h"

#define BYTES_MAX ((size_t)1 << 30) /* read into memory */
#define BYTES_FIRST 65536

/* --- formats --------------------------------------------------------------------------------------------------------------- */

static bool starts_with(const uint8_t *head, size_t size, size_t at, const char *bytes, size_t n)
{
    return size >= at + n && memcmp(head + at, bytes, n) == 0;
}

#define STARTS(at, bytes) starts_with(head, size, at, bytes, sizeof(bytes) - 1)

static bool is_avif(const uint8_t *head, size_t size)
{
    return STARTS(4, "ftyp") && (STARTS(8, "avif") || STARTS(8, "avis") || STARTS(8, "mif1") || STARTS(8, "heic"));
}

const char *image_format_of(const uint8_t *head, size_t size)
{
    if (STARTS(0, "\x89PNG\r\n\x1a\n"))
        return "png";
    if (STARTS(0, "\xff\xd8\xff"))
        return "jpeg";
    if (STARTS(0, "RIFF") && STARTS(8, "WEBP"))
        return "webp";
    if (STARTS(0, "GIF87a") || STARTS(0, "GIF89a"))
        return "gif";
    if (STARTS(0, "II*\0") || STARTS(0, "MM\0*"))
        return "tiff";
    if (is_avif(head, size))
        return "avif";
    if (STARTS(0, "\xff\x0a") || STARTS(0, "\0\0\0\x0cJXL \r\n\x87\n"))
        return "jxl";
    if (STARTS(0, "\0\0\0\x0cjP  \r\n\x87\n") || STARTS(0, "\xff\x4f\xff\x51"))
        return "jp2";
    if (STARTS(0, "BM"))
        return "bmp";
    if (STARTS(0, "PF\n") || STARTS(0, "Pf\n"))
        return "pfm";
    if (STARTS(0, "\x76\x2f\x31\x01"))
        return "exr";
    if (size >= 3 && head[0] == 'P' && head[1] >= '1' && head[1] <= '7' && (head[2] == '\n' || head[2] == ' ' || head[2] == '\r'))
        return "pnm";
    return NULL;
}

bool image_is_picture_name(const char *path)
{
    static const char *const endings[] = {"png", "jpg", "jpeg", "webp", "avif", "heic", "jxl", "tif", "tiff", "bmp",
                                          "gif", "jp2", "j2k",  "ppm",  "pgm",  "pbm",  "pnm", "pam",  "pfm", "exr"};
    const char *dot = strrchr(path, '.');

    for (size_t i = 0; dot && i < sizeof endings / sizeof endings[0]; i++)
        if (strcasecmp(dot + 1, endings[i]) == 0)
            return true;
    return false;
}

/* --- decoding --------------------------------------------------------------------------------------------------------------- */

static void copy_plane(const AvPicture *from, int plane, size_t line, int64_t height, uint8_t *to)
{
    for (int64_t y = 0; y < height; y++)
        memcpy(to + (size_t)y * line, from->plane[plane] + y * from->stride[plane], line);
}

static RsdStatus image_of_picture(Image **out, const AvPicture *picture, RsdError *err)
{
    const size_t line = (size_t)picture->width * (size_t)picture->bits / 8;
    Image *image = NULL;
    RsdStatus status = RSD_OK;

    TRY(image_create(&image, picture->width, picture->height, picture->channels, picture->bits, picture->plane[3] != NULL, err));
    for (int c = 0; c < picture->channels; c++)
        copy_plane(picture, c, line, image->height, (uint8_t *)image->planes + (size_t)c * (size_t)image->height * line);
    if (image->alpha)
        copy_plane(picture, 3, line, image->height, image->alpha);
    image->source_bits = picture->source_bits;
    image->has_more = picture->has_more;
    image->lost_alpha = picture->lost_alpha;
    memcpy(image->format, picture->format, sizeof image->format);
    if (picture->icc) {
        TRY(mem_alloc(&image->color.icc, picture->icc_size, 1, err));
        memcpy(image->color.icc, picture->icc, picture->icc_size);
        image->color.icc_size = picture->icc_size;
    }
    TRY(image_metadata_take(image, &(MetadataPlaces){.exif = picture->exif, .exif_size = picture->exif_size, .xmp = picture->xmp,
                                                     .xmp_size = picture->xmp_size}, err));
    image->color.is_srgb = picture->is_srgb;
    image->color.has_cicp = picture->has_cicp;
    memcpy(image->color.cicp, picture->cicp, sizeof image->color.cicp);
    *out = image;
    image = NULL;
fail:
    image_destroy(&image);
    return status;
}

/* *orientation: 0 when it and metadata are to be looked for in the file. */
static RsdStatus read_by_module(Image **out, int *orientation, const uint8_t *data, size_t size, const char *format,
                                int64_t max_pixels, RsdError *err)
{
    AvPicture picture = {0};
    const AvModule *module;
    RsdStatus status = RSD_OK;

    TRY(av_module_get(&module, err));
    TRY(module->picture_decode(&picture, data, size, format, max_pixels, err));
    *orientation = picture.orientation;
    status = image_of_picture(out, &picture, err);
    module->picture_free(&picture);
fail:
    return status;
}

void image_move_rest(Image *to, Image *from)
{
    to->source_bits = from->source_bits;
    to->color = from->color;
    to->exif = from->exif;
    to->xmp = from->xmp;
    to->lost_profile = from->lost_profile;
    to->lost_metadata = from->lost_metadata;
    to->has_more = from->has_more;
    memcpy(to->format, from->format, sizeof to->format);
    from->color = (ImageColor){0};
    from->exif = from->xmp = (ImageBlob){0};
}

RsdStatus image_finish_reading(Image *image, const ImageReadOptions *o, int orientation, RsdError *err)
{
    const char *problem = image->color.icc
                              ? color_profile_problem(image->color.icc, image->color.icc_size, image->channels)
                              : NULL;
    RsdStatus status = RSD_OK;

    if (image_is_opaque(image))
        mem_free(&image->alpha);
    if (!o->as_stored && orientation != 1)
        TRY(image_orient(image, orientation, err));
    if (!o->as_stored)
        image_metadata_make_upright(image); /* XMP by itself turns nothing, as in web browsers, and must not say otherwise afterwards */
    if (problem) {
        image->lost_profile = problem;
        mem_free(&image->color.icc);
        image->color.icc_size = 0;
    }
    if (o->drop_profile) {
        mem_free(&image->color.icc);
        image->color = (ImageColor){0};
        image->lost_profile = NULL;
    }
    if (o->drop_metadata) {
        mem_free(&image->exif.data);
        mem_free(&image->xmp.data);
        image->exif.size = image->xmp.size = 0;
        image->lost_metadata = false;
    }
fail:
    return status;
}

/* Bytes in memory that have not been read yet. */
typedef struct Rest {
    const uint8_t *data;
    size_t size;
} Rest;

static RsdStatus feed(void *ctx, uint8_t *dst, size_t size, size_t *n_read, RsdError *err)
{
    Rest *rest = ctx;

    (void)err;
    *n_read = rest->size < size ? rest->size : size;
    memcpy(dst, rest->data, *n_read);
    rest->data += *n_read;
    rest->size -= *n_read;
    return RSD_OK;
}

static int orientation_of(const Image *image)
{
    return image->exif.data ? exif_orientation(image->exif.data, image->exif.size) : 1;
}

/* What libavcodec 59 would read wrongly, or with an error that does not help. */
static RsdStatus check_format(const char *format, bool has_more, RsdError *err)
{
    if (format && strcmp(format, "webp") == 0 && has_more)
        return error_set(err, RSD_ERR_UNSUPPORTED, "is an animated WebP, which libavcodec does not read; take one picture out of it "
                         "first, for example with webpmux -get frame 1");
    if (format && strcmp(format, "pfm") == 0)
        return error_set(err, RSD_ERR_UNSUPPORTED, "is a PFM picture, whose lines libavcodec takes in the wrong order; OpenEXR and "
                         "PNG of 16 bits are read");
    return RSD_OK;
}

static bool is_own_format(const char *format)
{
    return format && strcmp(format, "png") == 0 && png_image_is_here();
}

RsdStatus image_format_check(const char *format, RsdError *err)
{
    const AvModule *module;

    return is_own_format(format) ? RSD_OK : av_module_get(&module, err);
}

RsdStatus image_read_bytes(Image **out, const uint8_t *data, size_t size, const ImageReadOptions *options, RsdError *err)
{
    const ImageReadOptions o = options ? *options : (ImageReadOptions){0};
    const int64_t max_pixels = o.max_pixels > 0 ? o.max_pixels : IMAGE_MAX_PIXELS;
    const char *format = image_format_of(data, size);
    const bool has_more = several_pictures(format, data, size);
    MetadataPlaces places;
    Image *image = NULL;
    int orientation;
    RsdStatus status = RSD_OK;

    *out = NULL;
    CHECK(size > 0, err, RSD_ERR_CORRUPT, "is empty");
    TRY(check_format(format, has_more, err));
    if (is_own_format(format)) {
        TRY(png_image_read(&image, &(PngFeed){feed, &(Rest){data, size}, (int64_t)size}, max_pixels, err));
        orientation = orientation_of(image);
    } else {
        TRY(read_by_module(&image, &orientation, data, size, format, max_pixels, err));
    }
    if (!orientation) {
        image_metadata_find(&places, format, data, size);
        TRY(image_metadata_take(image, &places, err));
        orientation = image_metadata_orientation(&places, format, data, size);
        if (places.names_profile && !image->color.icc)
            image->lost_profile = "is damaged";
        if (format && strcmp(format, "jxl") == 0)
            image_metadata_make_upright(image); /* its decoder has turned the picture */
    }
    image->has_more = image->has_more || has_more;
    TRY(image_finish_reading(image, &o, orientation, err));
    *out = image;
    image = NULL;
fail:
    image_destroy(&image);
    return status;
}

/* --- files ------------------------------------------------------------------------------------------------------------------ */

/* Everything up to the end, head included, but no more than BYTES_MAX. */
static RsdStatus read_all(uint8_t **out, size_t *size, int fd, const uint8_t *head, size_t head_size, size_t expected,
                          RsdError *err)
{
    size_t room = expected < BYTES_MAX && expected >= head_size ? expected + 1 : head_size + BYTES_FIRST, used = head_size;
    uint8_t *bytes = NULL;
    ssize_t got;
    RsdStatus status = RSD_OK;

    TRY(mem_alloc(&bytes, room, 1, err));
    memcpy(bytes, head, head_size);
    for (;;) {
        got = read(fd, bytes + used, room - used);
        if (got < 0 && errno == EINTR)
            continue;
        CHECK(got >= 0, err, RSD_ERR_IO, "cannot read: %s", strerror(errno));
        if (got == 0)
            break;
        used += (size_t)got;
        if (used == room) {
            CHECK(room < BYTES_MAX, err, RSD_ERR_MEMORY, "more than %zu MiB come through the pipe", BYTES_MAX >> 20);
            TRY(mem_resize(&bytes, room, 2 * room, 1, err));
            room *= 2;
        }
    }
    *out = bytes;
    *size = used;
    return RSD_OK;
fail:
    mem_free(&bytes);
    return status;
}

RsdStatus image_read_descriptor(Image **out, int fd, const char *path, const uint8_t *head, size_t head_size,
                                const ImageReadOptions *options, RsdError *err)
{
    struct stat info;
    uint8_t *bytes = NULL;
    size_t size = 0;
    FileMap map = {0};
    RsdStatus status = RSD_OK;

    CHECK(fstat(fd, &info) == 0, err, RSD_ERR_IO, "cannot open: %s", strerror(errno));
    if (S_ISREG(info.st_mode) && (uint64_t)info.st_size >= BYTES_MAX && strcmp(path, "-") != 0) {
        TRY(file_map_open(&map, path, err));
        TRY(image_read_bytes(out, map.data, map.size, options, err));
    } else {
        TRY(read_all(&bytes, &size, fd, head, head_size, S_ISREG(info.st_mode) ? (size_t)info.st_size : 0, err));
        TRY(image_read_bytes(out, bytes, size, options, err));
    }
fail:
    file_map_close(&map);
    mem_free(&bytes);
    return status;
}
