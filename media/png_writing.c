/* png_writing.c - lines to libpng, quickly: one filter (Paeth) and run lengths, where libpng by itself tries all filters and
 * searches for repetitions. Photographs have few, so that their files are as small.
 *
 * SPDX-License-Identifier: MIT
 */
#include "media/png_writing.h"

#include <string.h>

#include "config.h"
#include "engine/base/mem.h"

#if RESIDUA_HAVE_PNG

#include <zlib.h>

#include "media/image_samples.h"
#include "media/png_guard.h"

struct PngWriting {
    PngGuard guard; /* first */
    const Image *shape, *band;
    int64_t n_wanted; /* lines of the band */
    AtomicFile *file;
    bool with_profile, with_alpha, lost_profile;
    uint8_t *line;
    char *text; /* XMP */
};

static void on_error(png_structp png, png_const_charp words)
{
    PngWriting *writing = png_get_error_ptr(png);

    png_give_up(&writing->guard, error_set(writing->guard.err, RSD_ERR_UNSUPPORTED, "libpng cannot write it: %s", words));
}

static void on_warning(png_structp png, png_const_charp words)
{
    (void)png, (void)words;
}

static PngWriting *writing_of(PngGuard *guard)
{
    return (PngWriting *)guard;
}

static void give_bytes(png_structp png, png_bytep src, size_t size)
{
    PngWriting *writing = png_get_io_ptr(png);

    png_must(&writing->guard, atomic_file_write(writing->file, src, size, writing->guard.err));
}

static void flush_nothing(png_structp png)
{
    (void)png;
}

static void write_color(PngWriting *writing)
{
    static const png_byte cicp[] = "cICP";
    const ImageColor *color = &writing->shape->color;
    png_structp png = writing->guard.png;
    png_infop info = writing->guard.info;
    png_unknown_chunk chunk = {.name = "cICP", .data = (png_bytep)(uintptr_t)color->cicp, .size = PNG_CICP_SIZE, .location = PNG_HAVE_IHDR};

    if (!writing->with_profile)
        return;
    if (color->icc)
        png_set_iCCP(png, info, "profile", PNG_COMPRESSION_TYPE_BASE, color->icc, (png_uint_32)color->icc_size);
    else if (color->is_srgb)
        png_set_sRGB(png, info, PNG_sRGB_INTENT_PERCEPTUAL);
    if (color->gamma > 0.0)
        png_set_gAMA(png, info, color->gamma);
    if (color->has_cicp) {
        png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_ALWAYS, cicp, 1);
        png_set_unknown_chunks(png, info, &chunk, 1);
    }
}

static void write_metadata(PngWriting *writing)
{
    const Image *image = writing->shape;
    PngGuard *guard = &writing->guard;
    png_text text = {.compression = PNG_ITXT_COMPRESSION_NONE, .key = PNG_XMP_KEYWORD, .lang = "", .lang_key = ""};

    if (image->exif.data)
        png_set_eXIf_1(guard->png, guard->info, (png_uint_32)image->exif.size, image->exif.data);
    if (!image->xmp.data)
        return;
    png_must(guard, mem_calloc(&writing->text, image->xmp.size + 1, 1, guard->err));
    memcpy(writing->text, image->xmp.data, image->xmp.size);
    text.text = writing->text;
    text.itxt_length = image->xmp.size;
    png_set_text(guard->png, guard->info, &text, 1);
}

static void write_header(PngGuard *guard)
{
    PngWriting *writing = writing_of(guard);
    const Image *image = writing->shape;
    png_structp png = guard->png;
    const int type = (image->channels == 3 ? PNG_COLOR_MASK_COLOR : 0) | (writing->with_alpha ? PNG_COLOR_MASK_ALPHA : 0);
    const int n_samples = image->channels + (writing->with_alpha ? 1 : 0);

    png_set_write_fn(png, writing, give_bytes, flush_nothing);
    png_set_user_limits(png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    png_set_benign_errors(png, 1); /* a profile libpng dislikes is left out */
    png_set_filter(png, PNG_FILTER_TYPE_BASE, PNG_FILTER_PAETH);
    png_set_compression_strategy(png, Z_RLE);
    png_set_IHDR(png, guard->info, (png_uint_32)image->width, (png_uint_32)image->height, image->bits, type, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_BASE, PNG_FILTER_TYPE_BASE);
    write_color(writing);
    write_metadata(writing);
    png_write_info(png, guard->info);
    writing->lost_profile = writing->with_profile && image->color.icc && !png_get_valid(png, guard->info, PNG_INFO_iCCP);
    png_must(guard, mem_alloc(&writing->line, (size_t)(image->width * n_samples), (size_t)image->bits / 8, guard->err));
}

/* The first n_wanted lines of the band. */
static void write_lines(PngGuard *guard)
{
    PngWriting *writing = writing_of(guard);

    for (int64_t y = 0; y < writing->n_wanted; y++) {
        image_samples_join(writing->line, writing->band, writing->with_alpha, y);
        png_write_row(guard->png, writing->line);
    }
}

static void write_end(PngGuard *guard)
{
    png_write_end(guard->png, NULL);
}

RsdStatus png_writing_open(PngWriting **out, const Image *shape, bool with_alpha, AtomicFile *file, bool drop_profile,
                           RsdError *err)
{
    PngWriting *writing = NULL;
    PngGuard *guard;
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(mem_calloc(&writing, 1, sizeof *writing, err));
    writing->shape = shape;
    writing->file = file;
    writing->with_profile = !drop_profile;
    writing->with_alpha = with_alpha;
    guard = &writing->guard;
    guard->err = err;
    guard->png = png_create_write_struct(PNG_LIBPNG_VER_STRING, writing, on_error, on_warning);
    if (guard->png)
        guard->info = png_create_info_struct(guard->png);
    CHECK(guard->info, err, RSD_ERR_MEMORY, "no memory for libpng");
    TRY(png_run_guarded(guard, write_header));
    *out = writing;
    return RSD_OK;
fail:
    png_writing_close(&writing);
    return status;
}

bool png_writing_lost_profile(const PngWriting *writing)
{
    return writing->lost_profile;
}

RsdStatus png_writing_lines(PngWriting *writing, const Image *band, int64_t n, RsdError *err)
{
    writing->guard.err = err;
    writing->band = band;
    writing->n_wanted = n;
    return png_run_guarded(&writing->guard, write_lines);
}

RsdStatus png_writing_finish(PngWriting *writing, RsdError *err)
{
    writing->guard.err = err;
    return png_run_guarded(&writing->guard, write_end);
}

void png_writing_close(PngWriting **writing)
{
    PngWriting *old = *writing;

    if (!old)
        return;
    mem_free(&old->line);
    mem_free(&old->text);
    png_destroy_write_struct(&old->guard.png, &old->guard.info);
    mem_free(writing);
}

#else

static RsdStatus refuse(RsdError *err)
{
    return error_set(err, RSD_ERR_UNSUPPORTED, "this residua was built without libpng");
}

RsdStatus png_writing_open(PngWriting **out, const Image *shape, bool with_alpha, AtomicFile *file, bool drop_profile,
                           RsdError *err)
{
    (void)shape, (void)with_alpha, (void)file, (void)drop_profile;
    *out = NULL;
    return refuse(err);
}

bool png_writing_lost_profile(const PngWriting *writing)
{
    (void)writing;
    return false;
}

RsdStatus png_writing_lines(PngWriting *writing, const Image *band, int64_t n, RsdError *err)
{
    (void)writing, (void)band, (void)n;
    return refuse(err);
}

RsdStatus png_writing_finish(PngWriting *writing, RsdError *err)
{
    (void)writing;
    return refuse(err);
}

void png_writing_close(PngWriting **writing)
{
    (void)writing;
}

#endif
