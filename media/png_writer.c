/* png_writer.c - the one door through which pictures leave.
 *
 * libpng reports errors by longjmp, so everything between setjmp and the end of the file lives in one struct.
 *
 * SPDX-License-Identifier: MIT
 */
#include "media/png_writer.h"

#include <string.h>

#include "config.h"
#include "engine/base/mem.h"

#ifdef RESIDUA_HAVE_PNG

#include <png.h>

typedef struct Output {
    uint8_t *bytes;
    size_t size, capacity;
    RsdStatus status;
    RsdError *err;
    png_structp png;
    png_infop info;
} Output;

static void append(png_structp png, png_bytep data, size_t size)
{
    Output *out = png_get_io_ptr(png);

    if (size > out->capacity - out->size) {
        size_t capacity = 2 * out->capacity + size + 4096;

        out->status = mem_resize(&out->bytes, out->size, capacity, 1, out->err);
        if (out->status != RSD_OK)
            png_error(png, "memory");
        out->capacity = capacity;
    }
    memcpy(out->bytes + out->size, data, size);
    out->size += size;
}

static void flush(png_structp png)
{
    (void)png;
}

static void take_error(png_structp png, png_const_charp text)
{
    Output *out = png_get_error_ptr(png);

    if (out->status == RSD_OK)
        out->status = error_set(out->err, RSD_ERR_MEMORY, "libpng: %s", text);
    png_longjmp(png, 1);
}

static void take_warning(png_structp png, png_const_charp text)
{
    (void)png;
    (void)text;
}

static void write_picture(Output *out, const PngPicture *p)
{
    int type = p->channels == 3 ? PNG_COLOR_TYPE_RGB : p->colours ? PNG_COLOR_TYPE_PALETTE : PNG_COLOR_TYPE_GRAY;
    png_color palette[256];

    if (setjmp(png_jmpbuf(out->png)))
        return;
    png_set_write_fn(out->png, out, append, flush);
    png_set_IHDR(out->png, out->info, (png_uint_32)p->width, (png_uint_32)p->height, 8, type, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    if (type == PNG_COLOR_TYPE_PALETTE) {
        for (int i = 0; i < 256; i++)
            palette[i] = (png_color){p->colours[i].red, p->colours[i].green, p->colours[i].blue};
        png_set_PLTE(out->png, out->info, palette, 256);
    }
    png_write_info(out->png, out->info);
    for (int y = 0; y < p->height; y++)
        png_write_row(out->png, p->pixels + (size_t)y * (size_t)p->width * (size_t)p->channels);
    png_write_end(out->png, NULL);
}

RsdStatus png_is_available(RsdError *err)
{
    (void)err;
    return RSD_OK;
}

RsdStatus png_encode(uint8_t **bytes, size_t *size, const PngPicture *picture, RsdError *err)
{
    Output out = {.err = err};
    RsdStatus status = RSD_OK;

    *bytes = NULL;
    *size = 0;
    CHECK(picture->width >= 1 && picture->width <= PNG_MAX_SIDE && picture->height >= 1 &&
              picture->height <= PNG_MAX_SIDE && (picture->channels == 1 || picture->channels == 3),
          err, RSD_ERR_ARG, "a PNG of %d x %d pixels with %d channels", picture->width, picture->height,
          picture->channels);
    out.png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &out, take_error, take_warning);
    CHECK(out.png, err, RSD_ERR_MEMORY, "no memory for a PNG file");
    out.info = png_create_info_struct(out.png);
    CHECK(out.info, err, RSD_ERR_MEMORY, "no memory for a PNG file");
    write_picture(&out, picture);
    TRY(out.status);
    *bytes = out.bytes;
    *size = out.size;
    png_destroy_write_struct(&out.png, &out.info);
    return RSD_OK;
fail:
    if (out.png)
        png_destroy_write_struct(&out.png, &out.info);
    mem_free(&out.bytes);
    return status;
}

#else

RsdStatus png_is_available(RsdError *err)
{
    return error_set(err, RSD_ERR_UNSUPPORTED,
                     "this build cannot write PNG pictures: install libpng-dev (Debian) and run ./configure again");
}

RsdStatus png_encode(uint8_t **bytes, size_t *size, const PngPicture *picture, RsdError *err)
{
    (void)picture;
    *bytes = NULL;
    *size = 0;
    return png_is_available(err);
}

#endif
