/* png_image.c - lines from and to libpng [1].
 *
 * libpng reports errors by a long jump. It lands in run_guarded, which calls everything else, so that no function here has
 * variables that a jump could leave undefined.
 *
 * Deflate makes at most 1032 bytes of one, so a file that claims more than that is refused before memory is taken for it.
 *
 * [1] PNG (Portable Network Graphics) Specification, Third Edition, W3C 2025.
 *
 * SPDX-License-Identifier: MIT
 */
#include "media/png_image.h"

#include <string.h>

#include "config.h"
#include "engine/base/mem.h"

#if RESIDUA_HAVE_PNG

#include <png.h>
#include <setjmp.h>

#define DEFLATE_MAX 1032            /* bytes out for each byte in; zlib, technical details */
#define CHUNK_MAX ((size_t)1 << 26) /* of text and profiles */

typedef struct Coder {
    png_structp png;
    png_infop info;
    RsdStatus status;
    RsdError *err;
    jmp_buf back;

    /* reading */
    const uint8_t *data;
    size_t size, at;
    int64_t max_pixels, line; /* line: under way */
    Image *image;
    uint8_t *lines; /* one line, or all of an interlaced picture */
    int n_samples;  /* of a pixel as libpng gives it: channels, and alpha */

    /* writing */
    const Image *source;
    AtomicFile *file;
    bool with_profile, with_alpha;
} Coder;

bool png_image_is_here(void)
{
    return true;
}

/* --- errors ------------------------------------------------------------------------------------------------------------- */

static _Noreturn void give_up(Coder *coder, RsdStatus status)
{
    coder->status = status;
    longjmp(coder->back, 1);
}

static void on_error(png_structp png, png_const_charp words)
{
    Coder *coder = png_get_error_ptr(png);

    give_up(coder, error_set(coder->err, RSD_ERR_CORRUPT, "damaged PNG, line %lld: %s", (long long)coder->line, words));
}

static void on_warning(png_structp png, png_const_charp words)
{
    (void)png;
    (void)words;
}

static RsdStatus run_guarded(Coder *coder, void (*work)(Coder *coder))
{
    coder->status = RSD_OK;
    if (setjmp(coder->back) == 0)
        work(coder);
    return coder->status;
}

static void must(Coder *coder, RsdStatus status)
{
    if (status != RSD_OK)
        give_up(coder, status);
}

/* --- pixels between lines and planes --------------------------------------------------------------------------------------- */

/* Samples of a line, most significant byte first when they have two, to plane places from `first` on. */
static void split_line(const uint8_t *line, int n_samples, int sample, int bits, void *plane, int64_t first, int64_t n)
{
    uint8_t *bytes = plane;
    uint16_t *words = plane;

    if (bits == 8)
        for (int64_t i = 0; i < n; i++)
            bytes[first + i] = line[i * n_samples + sample];
    else
        for (int64_t i = 0; i < n; i++) {
            const uint8_t *from = line + 2 * (i * n_samples + sample);

            words[first + i] = (uint16_t)(from[0] << 8 | from[1]);
        }
}

static void join_line(uint8_t *line, int n_samples, int sample, int bits, const void *plane, int64_t first, int64_t n)
{
    const uint8_t *bytes = plane;
    const uint16_t *words = plane;

    if (bits == 8)
        for (int64_t i = 0; i < n; i++)
            line[i * n_samples + sample] = bytes[first + i];
    else
        for (int64_t i = 0; i < n; i++) {
            uint8_t *to = line + 2 * (i * n_samples + sample);

            to[0] = (uint8_t)(words[first + i] >> 8);
            to[1] = (uint8_t)words[first + i];
        }
}

/* Place of the first sample of channel c and line y of the planes. */
static int64_t place(const Image *image, int c, int64_t y)
{
    return (c * image->height + y) * image->width;
}

static void store_line(Coder *coder, const uint8_t *line, int64_t y)
{
    Image *image = coder->image;

    for (int c = 0; c < image->channels; c++)
        split_line(line, coder->n_samples, c, image->bits, image->planes, place(image, c, y), image->width);
    if (image->alpha)
        split_line(line, coder->n_samples, image->channels, image->bits, image->alpha, place(image, 0, y), image->width);
}

/* --- reading ---------------------------------------------------------------------------------------------------------------- */

static void take_bytes(png_structp png, png_bytep dst, size_t size)
{
    Coder *coder = png_get_io_ptr(png);

    if (coder->size - coder->at < size)
        give_up(coder, error_set(coder->err, RSD_ERR_CORRUPT, "cut short: the PNG ends in line %lld of %lld",
                                 (long long)coder->line, (long long)png_get_image_height(png, coder->info)));
    memcpy(dst, coder->data + coder->at, size);
    coder->at += size;
}

static void check_size(Coder *coder)
{
    const int64_t width = png_get_image_width(coder->png, coder->info), height = png_get_image_height(coder->png, coder->info);
    const int64_t line = (width * png_get_channels(coder->png, coder->info) * png_get_bit_depth(coder->png, coder->info) + 7) / 8;

    if (width > coder->max_pixels / height)
        give_up(coder, error_set(coder->err, RSD_ERR_MEMORY, "%lld x %lld pixels are more than the limit of %lld million",
                                 (long long)width, (long long)height, (long long)(coder->max_pixels / 1000000)));
    if (line > (int64_t)coder->size * DEFLATE_MAX / height)
        give_up(coder, error_set(coder->err, RSD_ERR_CORRUPT, "%lld x %lld pixels cannot be in %zu bytes: damaged or cut short",
                                 (long long)width, (long long)height, coder->size));
}

static void read_color(Coder *coder)
{
    ImageColor *color = &coder->image->color;
    png_charp name;
    png_bytep profile;
    png_uint_32 size;
    int method;

    color->is_srgb = png_get_sRGB(coder->png, coder->info, &method) != 0;
    png_get_gAMA(coder->png, coder->info, &color->gamma);
    if (png_get_iCCP(coder->png, coder->info, &name, &method, &profile, &size) && size > 0) {
        must(coder, mem_alloc(&color->icc, size, 1, coder->err));
        memcpy(color->icc, profile, size);
        color->icc_size = size;
    }
}

static void read_lines(Coder *coder, int n_passes)
{
    Image *image = coder->image;
    const size_t pitch = png_get_rowbytes(coder->png, coder->info);

    must(coder, mem_calloc(&coder->lines, n_passes > 1 ? (size_t)image->height : 1, pitch, coder->err));
    for (int pass = 0; pass < n_passes; pass++)
        for (int64_t y = 0; y < image->height; y++) {
            uint8_t *line = coder->lines + (n_passes > 1 ? (size_t)y * pitch : 0);

            coder->line = y + 1;
            png_read_row(coder->png, line, NULL);
            if (pass == n_passes - 1)
                store_line(coder, line, y);
        }
}

static void read_picture(Coder *coder)
{
    png_structp png = coder->png;
    int bits, n_passes;
    bool has_alpha;

    png_set_read_fn(png, coder, take_bytes);
    png_set_user_limits(png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    png_set_chunk_malloc_max(png, CHUNK_MAX);
    png_read_info(png, coder->info);
    check_size(coder);
    bits = png_get_bit_depth(png, coder->info);
    png_set_expand(png); /* palettes, less than 8 bits, transparent colours */
    n_passes = png_set_interlace_handling(png);
    png_read_update_info(png, coder->info);
    coder->n_samples = png_get_channels(png, coder->info);
    has_alpha = coder->n_samples == 2 || coder->n_samples == 4;
    must(coder, image_create(&coder->image, png_get_image_width(png, coder->info), png_get_image_height(png, coder->info),
                             coder->n_samples - has_alpha, bits == 16 ? 16 : 8, has_alpha, coder->err));
    coder->image->source_bits = png_get_valid(png, coder->info, PNG_INFO_PLTE) ? 8 : bits;
    read_color(coder);
    read_lines(coder, n_passes);
    png_read_end(png, NULL);
}

RsdStatus png_image_read(Image **out, const uint8_t *data, size_t size, int64_t max_pixels, RsdError *err)
{
    Coder coder = {.data = data, .size = size, .max_pixels = max_pixels, .err = err};
    RsdStatus status = RSD_OK;

    *out = NULL;
    coder.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &coder, on_error, on_warning);
    if (coder.png)
        coder.info = png_create_info_struct(coder.png);
    CHECK(coder.info, err, RSD_ERR_MEMORY, "no memory for libpng");
    TRY(run_guarded(&coder, read_picture));
    *out = coder.image;
    coder.image = NULL;
fail:
    image_destroy(&coder.image);
    mem_free(&coder.lines);
    png_destroy_read_struct(&coder.png, &coder.info, NULL);
    return status;
}

/* --- writing ---------------------------------------------------------------------------------------------------------------- */

static void give_bytes(png_structp png, png_bytep src, size_t size)
{
    Coder *coder = png_get_io_ptr(png);

    must(coder, atomic_file_write(coder->file, src, size, coder->err));
}

static void flush_nothing(png_structp png)
{
    (void)png;
}

static void write_color(Coder *coder)
{
    const ImageColor *color = &coder->source->color;

    if (!coder->with_profile)
        return;
    if (color->icc)
        png_set_iCCP(coder->png, coder->info, "profile", PNG_COMPRESSION_TYPE_BASE, color->icc, (png_uint_32)color->icc_size);
    else if (color->is_srgb)
        png_set_sRGB(coder->png, coder->info, PNG_sRGB_INTENT_PERCEPTUAL);
    if (color->gamma > 0.0)
        png_set_gAMA(coder->png, coder->info, color->gamma);
}

static void write_picture(Coder *coder)
{
    const Image *image = coder->source;
    png_structp png = coder->png;
    const int type = (image->channels == 3 ? PNG_COLOR_MASK_COLOR : 0) | (coder->with_alpha ? PNG_COLOR_MASK_ALPHA : 0);

    png_set_write_fn(png, coder, give_bytes, flush_nothing);
    png_set_user_limits(png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    png_set_benign_errors(png, 1); /* a profile libpng dislikes is left out */
    png_set_IHDR(png, coder->info, (png_uint_32)image->width, (png_uint_32)image->height, image->bits, type, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_BASE, PNG_FILTER_TYPE_BASE);
    write_color(coder);
    png_write_info(png, coder->info);
    coder->n_samples = image->channels + (coder->with_alpha ? 1 : 0);
    must(coder, mem_alloc(&coder->lines, (size_t)(image->width * coder->n_samples), (size_t)image->bits / 8, coder->err));
    for (int64_t y = 0; y < image->height; y++) {
        for (int c = 0; c < image->channels; c++)
            join_line(coder->lines, coder->n_samples, c, image->bits, image->planes, place(image, c, y), image->width);
        if (coder->with_alpha)
            join_line(coder->lines, coder->n_samples, image->channels, image->bits, image->alpha, place(image, 0, y),
                      image->width);
        png_write_row(png, coder->lines);
    }
    png_write_end(png, NULL);
}

RsdStatus png_image_write(const Image *image, AtomicFile *file, bool drop_profile, bool drop_alpha, RsdError *err)
{
    Coder coder = {.source = image, .file = file, .with_profile = !drop_profile, .with_alpha = image->alpha && !drop_alpha, .err = err};
    RsdStatus status = RSD_OK;

    coder.png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &coder, on_error, on_warning);
    if (coder.png)
        coder.info = png_create_info_struct(coder.png);
    CHECK(coder.info, err, RSD_ERR_MEMORY, "no memory for libpng");
    TRY(run_guarded(&coder, write_picture));
fail:
    mem_free(&coder.lines);
    png_destroy_write_struct(&coder.png, &coder.info);
    return status;
}

#else

bool png_image_is_here(void)
{
    return false;
}

RsdStatus png_image_read(Image **out, const uint8_t *data, size_t size, int64_t max_pixels, RsdError *err)
{
    (void)data;
    (void)size;
    (void)max_pixels;
    *out = NULL;
    return error_set(err, RSD_ERR_UNSUPPORTED, "this residua was built without libpng");
}

RsdStatus png_image_write(const Image *image, AtomicFile *file, bool drop_profile, bool drop_alpha, RsdError *err)
{
    (void)image;
    (void)file;
    (void)drop_profile;
    (void)drop_alpha;
    return error_set(err, RSD_ERR_UNSUPPORTED, "this residua was built without libpng");
}

#endif
