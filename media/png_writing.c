/* png_writing.c - libpng writes what describes the picture, and chunks of pixels that png_data.c has compressed.
 *
 * SPDX-License-Identifier: MIT
 */
#include "media/png_writing.h"

#include <string.h>

#include "config.h"
#include "engine/base/mem.h"

#if RESIDUA_HAVE_PNG

#include "media/png_data.h"
#include "media/png_guard.h"

struct PngWriting {
    PngGuard guard; /* first */
    const Image *shape;
    const uint8_t *chunk; /* being written */
    size_t chunk_size;
    AtomicFile *file;
    bool with_profile, with_alpha, lost_profile;
    PngData *data;
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

    png_set_write_fn(png, writing, give_bytes, flush_nothing);
    png_set_user_limits(png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    png_set_benign_errors(png, 1); /* a profile libpng dislikes is left out */
    png_set_IHDR(png, guard->info, (png_uint_32)image->width, (png_uint_32)image->height, image->bits, type, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_BASE, PNG_FILTER_TYPE_BASE);
    write_color(writing);
    write_metadata(writing);
    png_write_info(png, guard->info);
    writing->lost_profile = writing->with_profile && image->color.icc && !png_get_valid(png, guard->info, PNG_INFO_iCCP);
}

static void write_chunk(PngGuard *guard)
{
    PngWriting *writing = writing_of(guard);

    png_write_chunk(guard->png, (png_const_bytep) "IDAT", writing->chunk, writing->chunk_size);
}

static RsdStatus give_chunk(void *ctx, const uint8_t *bytes, size_t size, RsdError *err)
{
    PngWriting *writing = ctx;

    writing->guard.err = err;
    writing->chunk = bytes;
    writing->chunk_size = size;
    return png_run_guarded(&writing->guard, write_chunk);
}

/* png_write_end would miss the pixels, which libpng has not seen. */
static void write_end(PngGuard *guard)
{
    png_write_chunk(guard->png, (png_const_bytep) "IEND", NULL, 0);
}

RsdStatus png_writing_open(PngWriting **out, const Image *shape, bool with_alpha, AtomicFile *file, bool drop_profile,
                           RsdThreads *threads, RsdError *err)
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
    TRY(png_data_create(&writing->data, shape, with_alpha, threads, err));
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
    return png_data_lines(writing->data, band, n, give_chunk, writing, err);
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
    png_data_destroy(&old->data);
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
                           RsdThreads *threads, RsdError *err)
{
    (void)shape, (void)with_alpha, (void)file, (void)drop_profile, (void)threads;
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
