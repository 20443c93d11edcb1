/* image_lines.c - the first bytes of a file decide; lines then come from libpng, or as they are.
 *
 * SPDX-License-Identifier: MIT
 */
#include "media/image_lines.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/bytes.h"
#include "engine/base/mem.h"
#include "media/exif.h"
#include "media/image_parts.h"
#include "media/image_samples.h"
#include "media/png_image.h"

#define HEAD_SIZE ((size_t)65536) /* looked at before it is decided; PNG and PNM need less than 100 */

struct ImageLines {
    int fd;
    bool owns_fd, drops_metadata;
    char *name;
    uint8_t *head; /* bytes read ahead */
    size_t head_size, head_at;
    PngLines *png; /* NULL: PNM */
    Image *shape;  /* png's, or own */
    bool has_alpha;
    uint8_t *line; /* PNM: one */
};

/* --- bytes ------------------------------------------------------------------------------------------------------------------ */

static RsdStatus feed(void *ctx, uint8_t *dst, size_t size, size_t *n_read, RsdError *err)
{
    ImageLines *lines = ctx;
    size_t n = lines->head_size - lines->head_at < size ? lines->head_size - lines->head_at : size;
    ssize_t got = 1;

    memcpy(dst, lines->head + lines->head_at, n);
    lines->head_at += n;
    while (n < size && got > 0) {
        got = read(lines->fd, dst + n, size - n);
        if (got < 0 && errno == EINTR) {
            got = 1;
            continue;
        }
        if (got < 0)
            return error_set(err, RSD_ERR_IO, "cannot read: %s", strerror(errno));
        n += (size_t)got;
    }
    *n_read = n;
    return RSD_OK;
}

/* --- which files ------------------------------------------------------------------------------------------------------------ */

static bool png_is_large(const uint8_t *head, size_t size, int64_t least_pixels)
{
    int64_t width, height;

    if (size < 33 || memcmp(head + 12, "IHDR", 4) != 0 || head[28] != 0 || !png_image_is_here())
        return false;
    width = get_u32be(head + 16);
    height = get_u32be(head + 20);
    return width > 0 && height >= (least_pixels + width - 1) / width;
}

/* A number behind white space and comments; -1 where there is none. */
static int64_t pnm_number(const uint8_t *head, size_t size, size_t *at)
{
    int64_t v = 0;
    size_t first;

    while (*at < size && (strchr(" \t\r\n", head[*at]) || head[*at] == '#') && head[*at]) {
        if (head[*at] == '#')
            while (*at < size && head[*at] != '\n')
                (*at)++;
        else
            (*at)++;
    }
    first = *at;
    for (; *at < size && head[*at] >= '0' && head[*at] <= '9' && *at - first < 10; (*at)++)
        v = 10 * v + (head[*at] - '0');
    return *at > first ? v : -1;
}

/* P5 and P6 with a depth that has the full range. header_size: what stands before the first line. */
static bool read_pnm(Image *shape, size_t *header_size, const uint8_t *head, size_t size)
{
    int64_t most;
    size_t at = 2;

    if (size < 3 || head[0] != 'P' || (head[1] != '5' && head[1] != '6'))
        return false;
    shape->width = pnm_number(head, size, &at);
    shape->height = pnm_number(head, size, &at);
    most = pnm_number(head, size, &at);
    if (shape->width < 1 || shape->height < 1 || (most != 255 && most != 65535) || at >= size)
        return false;
    shape->channels = head[1] == '5' ? 1 : 3;
    shape->bits = shape->source_bits = most == 255 ? 8 : 16;
    strcpy(shape->format, "pnm");
    *header_size = at + 1; /* one byte of white space */
    return true;
}

/* size: of the file, 0 when it is not known. */
static RsdStatus open_pnm(ImageLines *lines, int64_t size, int64_t max_pixels, RsdError *err)
{
    Image *shape;
    RsdStatus status = RSD_OK;

    TRY(mem_calloc(&lines->shape, 1, sizeof *lines->shape, err));
    shape = lines->shape;
    read_pnm(shape, &lines->head_at, lines->head, lines->head_size);
    CHECK(shape->width <= max_pixels / shape->height, err, RSD_ERR_MEMORY, "%lld x %lld pixels are more than the limit of %lld million",
          (long long)shape->width, (long long)shape->height, (long long)(max_pixels / 1000000));
    CHECK(size == 0 || shape->width * shape->channels * (shape->bits / 8) <= (size - (int64_t)lines->head_at) / shape->height, err,
          RSD_ERR_CORRUPT, "cut short: %lld x %lld pixels are more than its %lld bytes", (long long)shape->width,
          (long long)shape->height, (long long)size);
    TRY(mem_alloc(&lines->line, (size_t)(shape->width * shape->channels), (size_t)shape->bits / 8, err));
fail:
    return status;
}

/* --- lines ------------------------------------------------------------------------------------------------------------------ */

static RsdStatus next_pnm(ImageLines *lines, Image *band, int64_t at, int64_t n, RsdError *err)
{
    const int channels = lines->shape->channels, bytes = lines->shape->bits / 8;
    const size_t size = (size_t)(lines->shape->width * channels * bytes);
    RsdStatus status = RSD_OK;

    for (int64_t y = at; y < at + n; y++) {
        size_t n_read;

        TRY(feed(lines, lines->line, size, &n_read, err));
        CHECK(n_read == size, err, RSD_ERR_CORRUPT, "cut short: the picture is not complete");
        image_samples_split(lines->line, channels, band, y);
    }
fail:
    return status;
}

RsdStatus image_lines_next(ImageLines *lines, Image *band, int64_t at, int64_t n, RsdError *err)
{
    RsdStatus status =
        lines->png ? png_lines_next(lines->png, band, at, n, err) : next_pnm(lines, band, at, n, err);

    if (lines->drops_metadata)
        lines->shape->lost_metadata = false;
    return status == RSD_OK ? RSD_OK : error_prefix(err, status, "%s", lines->name);
}

const Image *image_lines_shape(const ImageLines *lines, bool *has_alpha)
{
    *has_alpha = lines->has_alpha;
    return lines->shape;
}

void image_lines_close(ImageLines **lines)
{
    ImageLines *old = *lines;

    if (!old)
        return;
    if (!old->png)
        image_destroy(&old->shape);
    png_lines_close(&old->png);
    if (old->owns_fd)
        close(old->fd);
    mem_free(&old->name);
    mem_free(&old->head);
    mem_free(&old->line);
    mem_free(lines);
}

/* --- opening ---------------------------------------------------------------------------------------------------------------- */

/* All lines at once: for a picture that is to be turned. */
static RsdStatus read_whole(Image **whole, ImageLines *lines, const ImageReadOptions *o, int orientation, RsdError *err)
{
    Image *image = NULL;
    RsdStatus status = RSD_OK;

    TRY(image_create(&image, lines->shape->width, lines->shape->height, lines->shape->channels, lines->shape->bits,
                     lines->has_alpha, err));
    TRY(png_lines_next(lines->png, image, 0, image->height, err));
    image_move_rest(image, lines->shape);
    TRY(image_finish_reading(image, o, orientation, err));
    *whole = image;
    return RSD_OK;
fail:
    image_destroy(&image);
    return status;
}

static RsdStatus open_png(Image **whole, ImageLines *lines, int64_t size, const ImageReadOptions *o, int64_t max_pixels,
                          RsdError *err)
{
    const PngFeed source = {feed, lines, size};
    int orientation;
    RsdStatus status = RSD_OK;

    TRY(png_lines_open(&lines->png, &source, max_pixels, err));
    lines->shape = png_lines_shape(lines->png, &lines->has_alpha);
    orientation = lines->shape->exif.data ? exif_orientation(lines->shape->exif.data, lines->shape->exif.size) : 1;
    if (orientation != 1 && !o->as_stored)
        return read_whole(whole, lines, o, orientation, err);
    TRY(image_finish_reading(lines->shape, o, 1, err));
fail:
    return status;
}

static RsdStatus open_descriptor(Image **whole, ImageLines *lines, const char *path, const ImageReadOptions *o,
                                 int64_t least_pixels, RsdError *err)
{
    const int64_t max_pixels = o->max_pixels > 0 ? o->max_pixels : IMAGE_MAX_PIXELS;
    struct stat info;
    int64_t size;
    const char *format;
    Image probe = {0};
    size_t header_size, n;
    RsdStatus status = RSD_OK;

    CHECK(fstat(lines->fd, &info) == 0, err, RSD_ERR_IO, "cannot open: %s", strerror(errno));
    CHECK(!S_ISDIR(info.st_mode), err, RSD_ERR_IO, "is a directory, not a picture");
    size = S_ISREG(info.st_mode) ? (int64_t)info.st_size : 0;
    TRY(mem_alloc(&lines->head, HEAD_SIZE, 1, err));
    TRY(feed(lines, lines->head, HEAD_SIZE, &n, err));
    lines->head_size = n;
    format = image_format_of(lines->head, n);
    if (format && strcmp(format, "png") == 0 && png_is_large(lines->head, n, least_pixels)) {
        TRY(open_png(whole, lines, size, o, max_pixels, err));
    } else if (read_pnm(&probe, &header_size, lines->head, n) &&
               probe.height >= (least_pixels + probe.width - 1) / probe.width) {
        TRY(open_pnm(lines, size, max_pixels, err));
        if (o->drop_profile)
            lines->shape->color = (ImageColor){0};
    } else {
        TRY(image_read_descriptor(whole, lines->fd, path, lines->head, n, o, err));
    }
fail:
    return status;
}

RsdStatus image_open(Image **whole, ImageLines **out, const char *path, const ImageReadOptions *options,
                     int64_t least_pixels, RsdError *err)
{
    const ImageReadOptions o = options ? *options : (ImageReadOptions){0};
    const bool is_stdin = strcmp(path, "-") == 0;
    const char *name = is_stdin ? "standard input" : path;
    ImageLines *lines = NULL;
    RsdStatus status = RSD_OK;

    *whole = NULL;
    *out = NULL;
    TRY(mem_calloc(&lines, 1, sizeof *lines, err));
    lines->drops_metadata = o.drop_metadata;
    TRY(mem_alloc(&lines->name, strlen(name) + 1, 1, err));
    strcpy(lines->name, name);
    lines->fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    lines->owns_fd = !is_stdin && lines->fd >= 0;
    CHECK(lines->fd >= 0, err, RSD_ERR_IO, "cannot open: %s", strerror(errno));
    TRY(open_descriptor(whole, lines, path, &o, least_pixels, err));
    if (*whole)
        image_lines_close(&lines);
    *out = lines;
    return RSD_OK;
fail:
    image_lines_close(&lines);
    return error_prefix(err, status, "%s", name);
}

RsdStatus image_read(Image **out, const char *path, const ImageReadOptions *options, RsdError *err)
{
    ImageLines *lines;

    return image_open(out, &lines, path, options, INT64_MAX / 2, err);
}
