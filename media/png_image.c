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
#include "engine/base/bytes.h"
#include "engine/base/mem.h"
#include "media/image_metadata.h"

#if RESIDUA_HAVE_PNG

#include <png.h>
#include <setjmp.h>

#define DEFLATE_MAX 1032            /* bytes out for each byte in; zlib, technical details */
#define CHUNK_MAX (METADATA_MAX_SIZE + 1) /* bytes of a text or a profile, unpacked */
#define MAX_CHUNKS 8                  /* that are kept, each up to CHUNK_MAX */
#define XMP_KEYWORD "XML:com.adobe.xmp"
#define CICP_SIZE 4

typedef struct Coder {
    png_structp png;
    png_infop info;
    RsdStatus status;
    RsdError *err;
    jmp_buf back;

    /* reading */
    PngFeed feed;
    int64_t max_pixels, line; /* line: under way */
    Image *image;             /* without samples until all are wanted */
    Image *band;              /* where n_wanted lines go from band_at on */
    int64_t band_at, n_wanted;
    uint8_t *lines; /* one line, or all of an interlaced picture */
    int n_samples;  /* of a pixel as libpng gives it: channels, and alpha */
    int n_passes;
    bool has_alpha;

    /* writing */
    const Image *source;
    AtomicFile *file;
    bool with_profile, with_alpha, lost_profile;
    char *text; /* XMP */
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

    if (coder->source)
        give_up(coder, error_set(coder->err, RSD_ERR_UNSUPPORTED, "libpng cannot write it: %s", words));
    give_up(coder, error_set(coder->err, RSD_ERR_CORRUPT, "damaged PNG, line %lld: %s", (long long)coder->line, words));
}

/* libpng leaves a profile out that it dislikes, and says so here alone. */
static void on_warning(png_structp png, png_const_charp words)
{
    Coder *coder = png_get_error_ptr(png);

    if (coder->image && strncmp(words, "iCCP", 4) == 0)
        coder->image->lost_profile = "is damaged";
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

static void store_line(const Coder *coder, const uint8_t *line, Image *image, int64_t y)
{
    for (int c = 0; c < image->channels; c++)
        split_line(line, coder->n_samples, c, image->bits, image->planes, place(image, c, y), image->width);
    if (image->alpha)
        split_line(line, coder->n_samples, image->channels, image->bits, image->alpha, place(image, 0, y), image->width);
}

/* --- reading ---------------------------------------------------------------------------------------------------------------- */

static void take_bytes(png_structp png, png_bytep dst, size_t size)
{
    Coder *coder = png_get_io_ptr(png);
    size_t n_read = 0;

    must(coder, coder->feed.read(coder->feed.ctx, dst, size, &n_read, coder->err));
    if (n_read < size)
        give_up(coder, error_set(coder->err, RSD_ERR_CORRUPT, "cut short: the PNG ends in line %lld of %lld",
                                 (long long)coder->line, (long long)png_get_image_height(png, coder->info)));
}

static void check_size(Coder *coder)
{
    const int64_t width = png_get_image_width(coder->png, coder->info), height = png_get_image_height(coder->png, coder->info);
    const int64_t line = (width * png_get_channels(coder->png, coder->info) * png_get_bit_depth(coder->png, coder->info) + 7) / 8;

    if (width > coder->max_pixels / height)
        give_up(coder, error_set(coder->err, RSD_ERR_MEMORY, "%lld x %lld pixels are more than the limit of %lld million",
                                 (long long)width, (long long)height, (long long)(coder->max_pixels / 1000000)));
    if (coder->feed.size > 0 && line > coder->feed.size * DEFLATE_MAX / height)
        give_up(coder, error_set(coder->err, RSD_ERR_CORRUPT, "%lld x %lld pixels cannot be in %lld bytes: damaged or cut short",
                                 (long long)width, (long long)height, (long long)coder->feed.size));
}

static void read_color(Coder *coder)
{
    ImageColor *color = &coder->image->color;
    png_unknown_chunkp chunks;
    png_charp name;
    png_bytep profile;
    png_uint_32 size;
    int method, n_chunks = png_get_unknown_chunks(coder->png, coder->info, &chunks);

    color->is_srgb = png_get_sRGB(coder->png, coder->info, &method) != 0;
    png_get_gAMA(coder->png, coder->info, &color->gamma);
    if (png_get_iCCP(coder->png, coder->info, &name, &method, &profile, &size) && size > 0) {
        must(coder, mem_alloc(&color->icc, size, 1, coder->err));
        memcpy(color->icc, profile, size);
        color->icc_size = size;
    }
    for (int i = 0; i < n_chunks; i++)
        if (memcmp(chunks[i].name, "cICP", 4) == 0 && chunks[i].size == CICP_SIZE) {
            color->has_cicp = true;
            memcpy(color->cicp, chunks[i].data, CICP_SIZE);
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

    if (png_get_eXIf_1(coder->png, coder->info, &size, &exif)) {
        places.exif = exif;
        places.exif_size = size;
    }
    png_get_text(coder->png, coder->info, &texts, &n_texts);
    for (int i = 0; i < n_texts && !places.xmp; i++)
        if (strcmp(texts[i].key, XMP_KEYWORD) == 0) {
            places.xmp = (const uint8_t *)texts[i].text;
            places.xmp_size = strlen(texts[i].text);
        }
    must(coder, image_metadata_take(coder->image, &places, coder->err));
}

/* Everything before the pixels. */
static void read_header(Coder *coder)
{
    static const png_byte kept[] = "cICP\0acTL", left[] = "tEXt\0zTXt\0sPLT";
    png_structp png = coder->png;
    Image *image;
    int bits;

    png_set_read_fn(png, coder, take_bytes);
    png_set_user_limits(png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    png_set_chunk_malloc_max(png, CHUNK_MAX);
    png_set_chunk_cache_max(png, MAX_CHUNKS);
    png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, left, 3);
    png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_ALWAYS, kept, 2);
    must(coder, mem_calloc(&coder->image, 1, sizeof *coder->image, coder->err));
    image = coder->image;
    png_read_info(png, coder->info);
    check_size(coder);
    bits = png_get_bit_depth(png, coder->info);
    png_set_expand(png); /* palettes, less than 8 bits, transparent colours */
    coder->n_passes = png_set_interlace_handling(png);
    png_read_update_info(png, coder->info);
    coder->n_samples = png_get_channels(png, coder->info);
    coder->has_alpha = coder->n_samples == 2 || coder->n_samples == 4;
    image->width = png_get_image_width(png, coder->info);
    image->height = png_get_image_height(png, coder->info);
    image->channels = coder->n_samples - coder->has_alpha;
    image->bits = bits == 16 ? 16 : 8;
    image->source_bits = png_get_valid(png, coder->info, PNG_INFO_PLTE) ? 8 : bits;
    strcpy(image->format, "png");
    read_color(coder);
    read_metadata(coder);
    must(coder, mem_calloc(&coder->lines, coder->n_passes > 1 ? (size_t)image->height : 1,
                           png_get_rowbytes(png, coder->info), coder->err));
}

/* n_wanted lines to the band. */
static void read_lines(Coder *coder)
{
    for (int64_t i = 0; i < coder->n_wanted; i++) {
        coder->line++;
        png_read_row(coder->png, coder->lines, NULL);
        store_line(coder, coder->lines, coder->band, coder->band_at + i);
    }
}

static void read_interlaced(Coder *coder)
{
    const size_t pitch = png_get_rowbytes(coder->png, coder->info);

    for (int pass = 0; pass < coder->n_passes; pass++)
        for (int64_t y = 0; y < coder->image->height; y++) {
            uint8_t *line = coder->lines + (size_t)y * pitch;

            coder->line = y + 1;
            png_read_row(coder->png, line, NULL);
            if (pass == coder->n_passes - 1)
                store_line(coder, line, coder->band, y);
        }
}

static void read_end(Coder *coder)
{
    png_read_end(coder->png, coder->info);
}

static void read_end_with_metadata(Coder *coder)
{
    png_read_end(coder->png, coder->info);
    read_metadata(coder);
}

static void close_reader(Coder *coder)
{
    image_destroy(&coder->image);
    mem_free(&coder->lines);
    png_destroy_read_struct(&coder->png, &coder->info, NULL);
}

static RsdStatus open_reader(Coder *coder, const PngFeed *feed, int64_t max_pixels, RsdError *err)
{
    RsdStatus status = RSD_OK;

    coder->feed = *feed;
    coder->max_pixels = max_pixels;
    coder->err = err;
    coder->png = png_create_read_struct(PNG_LIBPNG_VER_STRING, coder, on_error, on_warning);
    if (coder->png)
        coder->info = png_create_info_struct(coder->png);
    CHECK(coder->info, err, RSD_ERR_MEMORY, "no memory for libpng");
    TRY(run_guarded(coder, read_header));
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
    TRY(run_guarded(&coder, coder.n_passes > 1 ? read_interlaced : read_lines));
    TRY(run_guarded(&coder, read_end_with_metadata));
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
    bool found = !coder->image->exif.data && png_get_valid(coder->png, coder->info, PNG_INFO_eXIf);

    png_get_text(coder->png, coder->info, &texts, &n_texts);
    for (int i = 0; i < n_texts; i++)
        found |= !coder->image->xmp.data && strcmp(texts[i].key, XMP_KEYWORD) == 0;
    return found;
}

RsdStatus png_lines_next(PngLines *lines, Image *band, int64_t at, int64_t n, RsdError *err)
{
    Coder *coder = &lines->coder;
    RsdStatus status = RSD_OK;

    coder->err = err;
    coder->band = band;
    coder->band_at = at;
    coder->n_wanted = n;
    TRY(run_guarded(coder, read_lines));
    lines->n_left -= n;
    if (lines->n_left == 0) {
        TRY(run_guarded(coder, read_end));
        coder->image->lost_metadata |= has_late_metadata(coder);
    }
fail:
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
    static const png_byte cicp[] = "cICP";
    const ImageColor *color = &coder->source->color;
    png_unknown_chunk chunk = {.name = "cICP", .data = (png_bytep)(uintptr_t)color->cicp, .size = CICP_SIZE, .location = PNG_HAVE_IHDR};

    if (!coder->with_profile)
        return;
    if (color->icc)
        png_set_iCCP(coder->png, coder->info, "profile", PNG_COMPRESSION_TYPE_BASE, color->icc, (png_uint_32)color->icc_size);
    else if (color->is_srgb)
        png_set_sRGB(coder->png, coder->info, PNG_sRGB_INTENT_PERCEPTUAL);
    if (color->gamma > 0.0)
        png_set_gAMA(coder->png, coder->info, color->gamma);
    if (color->has_cicp) {
        png_set_keep_unknown_chunks(coder->png, PNG_HANDLE_CHUNK_ALWAYS, cicp, 1);
        png_set_unknown_chunks(coder->png, coder->info, &chunk, 1);
    }
}

static void write_metadata(Coder *coder)
{
    const Image *image = coder->source;
    png_text text = {.compression = PNG_ITXT_COMPRESSION_NONE, .key = XMP_KEYWORD, .lang = "", .lang_key = ""};

    if (image->exif.data)
        png_set_eXIf_1(coder->png, coder->info, (png_uint_32)image->exif.size, image->exif.data);
    if (!image->xmp.data)
        return;
    must(coder, mem_calloc(&coder->text, image->xmp.size + 1, 1, coder->err));
    memcpy(coder->text, image->xmp.data, image->xmp.size);
    text.text = coder->text;
    text.itxt_length = image->xmp.size;
    png_set_text(coder->png, coder->info, &text, 1);
}

static void write_header(Coder *coder)
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
    write_metadata(coder);
    png_write_info(png, coder->info);
    coder->lost_profile = coder->with_profile && image->color.icc && !png_get_valid(png, coder->info, PNG_INFO_iCCP);
    coder->n_samples = image->channels + (coder->with_alpha ? 1 : 0);
    must(coder, mem_alloc(&coder->lines, (size_t)(image->width * coder->n_samples), (size_t)image->bits / 8, coder->err));
}

/* The first n_wanted lines of the band. */
static void write_lines(Coder *coder)
{
    const Image *band = coder->band;

    for (int64_t y = 0; y < coder->n_wanted; y++) {
        for (int c = 0; c < band->channels; c++)
            join_line(coder->lines, coder->n_samples, c, band->bits, band->planes, place(band, c, y), band->width);
        if (coder->with_alpha)
            join_line(coder->lines, coder->n_samples, band->channels, band->bits, band->alpha, place(band, 0, y), band->width);
        png_write_row(coder->png, coder->lines);
    }
}

static void write_end(Coder *coder)
{
    png_write_end(coder->png, NULL);
}

struct PngWriting {
    Coder coder;
};

RsdStatus png_writing_open(PngWriting **out, const Image *shape, bool with_alpha, AtomicFile *file, bool drop_profile,
                           RsdError *err)
{
    PngWriting *writing = NULL;
    Coder *coder;
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(mem_calloc(&writing, 1, sizeof *writing, err));
    coder = &writing->coder;
    coder->source = shape;
    coder->file = file;
    coder->with_profile = !drop_profile;
    coder->with_alpha = with_alpha;
    coder->err = err;
    coder->png = png_create_write_struct(PNG_LIBPNG_VER_STRING, coder, on_error, on_warning);
    if (coder->png)
        coder->info = png_create_info_struct(coder->png);
    CHECK(coder->info, err, RSD_ERR_MEMORY, "no memory for libpng");
    TRY(run_guarded(coder, write_header));
    *out = writing;
    return RSD_OK;
fail:
    png_writing_close(&writing);
    return status;
}

bool png_writing_lost_profile(const PngWriting *writing)
{
    return writing->coder.lost_profile;
}

RsdStatus png_writing_lines(PngWriting *writing, const Image *band, int64_t n, RsdError *err)
{
    Coder *coder = &writing->coder;

    coder->err = err;
    coder->band = (Image *)(uintptr_t)band; /* written from */
    coder->n_wanted = n;
    return run_guarded(coder, write_lines);
}

RsdStatus png_writing_finish(PngWriting *writing, RsdError *err)
{
    writing->coder.err = err;
    return run_guarded(&writing->coder, write_end);
}

void png_writing_close(PngWriting **writing)
{
    Coder *coder = *writing ? &(*writing)->coder : NULL;

    if (!coder)
        return;
    mem_free(&coder->lines);
    mem_free(&coder->text);
    png_destroy_write_struct(&coder->png, &coder->info);
    mem_free(writing);
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
