/* png_image.c - lines from libpng [1].
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
#include "engine/base/bytes.h"
#include "engine/base/mem.h"
#include "media/image_metadata.h"

#if RESIDUA_HAVE_PNG

#include "media/image_samples.h"
#include "media/png_guard.h"

#define DEFLATE_MAX 1032            /* bytes out for each byte in; zlib, technical details */
#define CHUNK_MAX (METADATA_MAX_SIZE + 1) /* bytes of a text or a profile, unpacked */
#define MAX_CHUNKS 8                  /* that are kept, each up to CHUNK_MAX */

typedef struct Coder {
    PngGuard guard; /* first: work gets a pointer to it */
    PngFeed feed;
    int64_t max_pixels, line; /* line: under way */
    Image *image;             /* without samples until all are wanted */
    Image *band;              /* where n_wanted lines go from band_at on */
    int64_t band_at, n_wanted;
    uint8_t *lines; /* one line, or all of an interlaced picture */
    int n_samples;  /* of a pixel as libpng gives it: channels, and alpha */
    int n_passes;
    bool has_alpha;
} Coder;

bool png_image_is_here(void)
{
    return true;
}

/* --- errors ------------------------------------------------------------------------------------------------------------- */

static void on_error(png_structp png, png_const_charp words)
{
    Coder *coder = png_get_error_ptr(png);

    png_give_up(&coder->guard,
                error_set(coder->guard.err, RSD_ERR_CORRUPT, "damaged PNG, line %lld: %s", (long long)coder->line, words));
}

/* libpng leaves a profile out that it dislikes, and says so here alone. */
static void on_warning(png_structp png, png_const_charp words)
{
    Coder *coder = png_get_error_ptr(png);

    if (coder->image && strncmp(words, "iCCP", 4) == 0)
        coder->image->lost_profile = "is damaged";
}

/* --- reading ---------------------------------------------------------------------------------------------------------------- */

static void take_bytes(png_structp png, png_bytep dst, size_t size)
{
    Coder *coder = png_get_io_ptr(png);
    size_t n_read = 0;

    png_must(&coder->guard, coder->feed.read(coder->feed.ctx, dst, size, &n_read, coder->guard.err));
    if (n_read < size)
        png_give_up(&coder->guard, error_set(coder->guard.err, RSD_ERR_CORRUPT, "cut short: the PNG ends in line %lld of %lld",
                                 (long long)coder->line, (long long)png_get_image_height(png, coder->guard.info)));
}

static void check_size(Coder *coder)
{
    const int64_t width = png_get_image_width(coder->guard.png, coder->guard.info), height = png_get_image_height(coder->guard.png, coder->guard.info);
    const int64_t line = (width * png_get_channels(coder->guard.png, coder->guard.info) * png_get_bit_depth(coder->guard.png, coder->guard.info) + 7) / 8;

    if (width > coder->max_pixels / height)
        png_give_up(&coder->guard, error_set(coder->guard.err, RSD_ERR_MEMORY, "%lld x %lld pixels are more than the limit of %lld million",
                                 (long long)width, (long long)height, (long long)(coder->max_pixels / 1000000)));
    if (coder->feed.size > 0 && line > coder->feed.size * DEFLATE_MAX / height)
        png_give_up(&coder->guard, error_set(coder->guard.err, RSD_ERR_CORRUPT, "%lld x %lld pixels cannot be in %lld bytes: damaged or cut short",
                                 (long long)width, (long long)height, (long long)coder->feed.size));
}

static void read_color(Coder *coder)
{
    ImageColor *color = &coder->image->color;
    png_unknown_chunkp chunks;
    png_charp name;
    png_bytep profile;
    png_uint_32 size;
    int method, n_chunks = png_get_unknown_chunks(coder->guard.png, coder->guard.info, &chunks);

    color->is_srgb = png_get_sRGB(coder->guard.png, coder->guard.info, &method) != 0;
    png_get_gAMA(coder->guard.png, coder->guard.info, &color->gamma);
    if (png_get_iCCP(coder->guard.png, coder->guard.info, &name, &method, &profile, &size) && size > 0) {
        png_must(&coder->guard, mem_alloc(&color->icc, size, 1, coder->guard.err));
        memcpy(color->icc, profile, size);
        color->icc_size = size;
    }
    for (int i = 0; i < n_chunks; i++)
        if (memcmp(chunks[i].name, "cICP", 4) == 0 && chunks[i].size == PNG_CICP_SIZE) {
            color->has_cicp = true;
            memcpy(color->cicp, chunks[i].data, PNG_CICP_SIZE);
        } else if (memcmp(chunks[i].name, "acTL", 4) == 0 && chunks[i].size >= 4) {
            coder->image->has_more = get_u32be(chunks[i].data) > 1; /* the pictures of an animation */
        }
}

/* EXIF and XMP, as far as they have been read. */
static void read_metadata(Coder *coder)
{
    MetadataPlaces places = {0};
    png_bytep exif = NULL;
    png_textp texts;
    png_uint_32 size;
    int n_texts = 0;

    if (png_get_eXIf_1(coder->guard.png, coder->guard.info, &size, &exif)) {
        places.exif = exif;
        places.exif_size = size;
    }
    png_get_text(coder->guard.png, coder->guard.info, &texts, &n_texts);
    for (int i = 0; i < n_texts && !places.xmp; i++)
        if (strcmp(texts[i].key, PNG_XMP_KEYWORD) == 0) {
            places.xmp = (const uint8_t *)texts[i].text;
            places.xmp_size = strlen(texts[i].text);
        }
    png_must(&coder->guard, image_metadata_take(coder->image, &places, coder->guard.err));
}

/* Everything before the pixels. */
static void read_header(PngGuard *guard)
{
    Coder *coder = (Coder *)guard;
    static const png_byte kept[] = "cICP\0acTL", left[] = "tEXt\0zTXt\0sPLT";
    png_structp png = coder->guard.png;
    Image *image;
    int bits;

    png_set_read_fn(png, coder, take_bytes);
    png_set_user_limits(png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    png_set_chunk_malloc_max(png, CHUNK_MAX);
    png_set_chunk_cache_max(png, MAX_CHUNKS);
    png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, left, 3);
    png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_ALWAYS, kept, 2);
    png_must(&coder->guard, mem_calloc(&coder->image, 1, sizeof *coder->image, coder->guard.err));
    image = coder->image;
    png_read_info(png, coder->guard.info);
    check_size(coder);
    bits = png_get_bit_depth(png, coder->guard.info);
    png_set_expand(png); /* palettes, less than 8 bits, transparent colours */
    coder->n_passes = png_set_interlace_handling(png);
    png_read_update_info(png, coder->guard.info);
    coder->n_samples = png_get_channels(png, coder->guard.info);
    coder->has_alpha = coder->n_samples == 2 || coder->n_samples == 4;
    image->width = png_get_image_width(png, coder->guard.info);
    image->height = png_get_image_height(png, coder->guard.info);
    image->channels = coder->n_samples - coder->has_alpha;
    image->bits = bits == 16 ? 16 : 8;
    image->source_bits = png_get_valid(png, coder->guard.info, PNG_INFO_PLTE) ? 8 : bits;
    strcpy(image->format, "png");
    read_color(coder);
    read_metadata(coder);
    png_must(&coder->guard, mem_calloc(&coder->lines, coder->n_passes > 1 ? (size_t)image->height : 1,
                           png_get_rowbytes(png, coder->guard.info), coder->guard.err));
}

/* n_wanted lines to the band. */
static void read_lines(PngGuard *guard)
{
    Coder *coder = (Coder *)guard;
    for (int64_t i = 0; i < coder->n_wanted; i++) {
        coder->line++;
        png_read_row(coder->guard.png, coder->lines, NULL);
        image_samples_split(coder->lines, coder->n_samples, coder->band, coder->band_at + i);
    }
}

static void read_interlaced(PngGuard *guard)
{
    Coder *coder = (Coder *)guard;
    const size_t pitch = png_get_rowbytes(coder->guard.png, coder->guard.info);

    for (int pass = 0; pass < coder->n_passes; pass++)
        for (int64_t y = 0; y < coder->image->height; y++) {
            uint8_t *line = coder->lines + (size_t)y * pitch;

            coder->line = y + 1;
            png_read_row(coder->guard.png, line, NULL);
            if (pass == coder->n_passes - 1)
                image_samples_split(line, coder->n_samples, coder->band, y);
        }
}

static void read_end(PngGuard *guard)
{
    Coder *coder = (Coder *)guard;
    png_read_end(coder->guard.png, coder->guard.info);
}

static void read_end_with_metadata(PngGuard *guard)
{
    Coder *coder = (Coder *)guard;
    png_read_end(coder->guard.png, coder->guard.info);
    read_metadata(coder);
}

static void close_reader(Coder *coder)
{
    image_destroy(&coder->image);
    mem_free(&coder->lines);
    png_destroy_read_struct(&coder->guard.png, &coder->guard.info, NULL);
}

static RsdStatus open_reader(Coder *coder, const PngFeed *feed, int64_t max_pixels, RsdError *err)
{
    RsdStatus status = RSD_OK;

    coder->feed = *feed;
    coder->max_pixels = max_pixels;
    coder->guard.err = err;
    coder->guard.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, coder, on_error, on_warning);
    if (coder->guard.png)
        coder->guard.info = png_create_info_struct(coder->guard.png);
    CHECK(coder->guard.info, err, RSD_ERR_MEMORY, "no memory for libpng");
    TRY(png_run_guarded(&coder->guard, read_header));
fail:
    return status;
}

RsdStatus png_image_read(Image **out, const PngFeed *feed, int64_t max_pixels, RsdError *err)
{
    Coder coder = {0};
    Image *image = NULL;
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(open_reader(&coder, feed, max_pixels, err));
    TRY(image_create(&image, coder.image->width, coder.image->height, coder.image->channels, coder.image->bits,
                     coder.has_alpha, err));
    coder.band = image;
    coder.n_wanted = image->height;
    TRY(png_run_guarded(&coder.guard, coder.n_passes > 1 ? read_interlaced : read_lines));
    TRY(png_run_guarded(&coder.guard, read_end_with_metadata));
    coder.image->planes = image->planes;
    coder.image->alpha = image->alpha;
    image->planes = image->alpha = NULL;
    *out = coder.image;
    coder.image = NULL;
fail:
    image_destroy(&image);
    close_reader(&coder);
    return status;
}

/* --- line by line ----------------------------------------------------------------------------------------------------------- */

struct PngLines {
    Coder coder;
    int64_t n_left;
};

RsdStatus png_lines_open(PngLines **out, const PngFeed *feed, int64_t max_pixels, RsdError *err)
{
    PngLines *lines = NULL;
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(mem_calloc(&lines, 1, sizeof *lines, err));
    TRY(open_reader(&lines->coder, feed, max_pixels, err));
    CHECK(lines->coder.n_passes == 1, err, RSD_ERR_UNSUPPORTED, "an interlaced PNG does not come line by line");
    lines->n_left = lines->coder.image->height;
    *out = lines;
    return RSD_OK;
fail:
    png_lines_close(&lines);
    return status;
}

void png_lines_close(PngLines **lines)
{
    if (*lines)
        close_reader(&(*lines)->coder);
    mem_free(lines);
}

Image *png_lines_shape(PngLines *lines, bool *has_alpha)
{
    *has_alpha = lines->coder.has_alpha;
    return lines->coder.image;
}

/* What stands behind the pixels comes too late for a picture that is coded while it is read. */
static bool has_late_metadata(const Coder *coder)
{
    png_textp texts;
    int n_texts = 0;
    bool found = !coder->image->exif.data && png_get_valid(coder->guard.png, coder->guard.info, PNG_INFO_eXIf);

    png_get_text(coder->guard.png, coder->guard.info, &texts, &n_texts);
    for (int i = 0; i < n_texts; i++)
        found |= !coder->image->xmp.data && strcmp(texts[i].key, PNG_XMP_KEYWORD) == 0;
    return found;
}

RsdStatus png_lines_next(PngLines *lines, Image *band, int64_t at, int64_t n, RsdError *err)
{
    Coder *coder = &lines->coder;
    RsdStatus status = RSD_OK;

    coder->guard.err = err;
    coder->band = band;
    coder->band_at = at;
    coder->n_wanted = n;
    TRY(png_run_guarded(&coder->guard, read_lines));
    lines->n_left -= n;
    if (lines->n_left == 0) {
        TRY(png_run_guarded(&coder->guard, read_end));
        coder->image->lost_metadata |= has_late_metadata(coder);
    }
fail:
    return status;
}

#else

bool png_image_is_here(void)
{
    return false;
}

static RsdStatus refuse(RsdError *err)
{
    return error_set(err, RSD_ERR_UNSUPPORTED, "this residua was built without libpng");
}

RsdStatus png_image_read(Image **out, const PngFeed *feed, int64_t max_pixels, RsdError *err)
{
    (void)feed, (void)max_pixels;
    *out = NULL;
    return refuse(err);
}

RsdStatus png_lines_open(PngLines **out, const PngFeed *feed, int64_t max_pixels, RsdError *err)
{
    (void)feed, (void)max_pixels;
    *out = NULL;
    return refuse(err);
}

void png_lines_close(PngLines **lines)
{
    (void)lines;
}

Image *png_lines_shape(PngLines *lines, bool *has_alpha)
{
    (void)lines;
    *has_alpha = false;
    return NULL;
}

RsdStatus png_lines_next(PngLines *lines, Image *band, int64_t at, int64_t n, RsdError *err)
{
    (void)lines, (void)band, (void)at, (void)n;
    return refuse(err);
}

#endif
