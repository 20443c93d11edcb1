/* image_metadata_insert.c - files by libavcodec, with EXIF, XMP and profiles put where their formats want them.
 *
 *   JPEG      FFD8 | APP0 | APP1 EXIF | APP1 XMP | APP2 profile 1 of n .. | the rest
 *   WebP      RIFF size WEBP | VP8X flags, size | ICCP | the picture's chunks | EXIF | "XMP "
 *   JPEG XL   signature | ftyp | Exif | xml | jxlc with the whole code stream
 *
 * [1] ITU-T T.81, T.871; Exif 2.32, 4.7.2; ICC.1:2022, B.4.   [2] RFC 9649, 2.7.   [3] ISO/IEC 18181-2.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "config.h"
#include "engine/base/bytes.h"
#include "engine/base/mem.h"
#include "media/image_metadata.h"

#define SEGMENT_MAX ((size_t)65533) /* of a segment's contents */
#define PROFILE_PART (SEGMENT_MAX - MARK_SIZE(PROFILE_MARK) - 2)
#define PROFILE_MAX_PARTS 255

#ifdef RESIDUA_HAVE_JPEG
#define HAS_JPEG true
#else
#define HAS_JPEG false
#endif
#ifdef RESIDUA_HAVE_AVIF
#define HAS_AVIF true
#else
#define HAS_AVIF false
#endif

/* The file under way; big enough from the start. */
typedef struct Out {
    uint8_t *bytes;
    size_t size;
} Out;

static void put(Out *out, const void *data, size_t size)
{
    if (size > 0)
        memcpy(out->bytes + out->size, data, size);
    out->size += size;
}

static void put_byte(Out *out, unsigned value)
{
    out->bytes[out->size++] = (uint8_t)value;
}

static void put_big(Out *out, size_t value, int n_bytes)
{
    while (n_bytes-- > 0)
        put_byte(out, (unsigned)(value >> 8 * n_bytes & 255));
}

/* --- JPEG ------------------------------------------------------------------------------------------------------------------- */

static void put_segment(Out *out, int marker, const char *mark, size_t mark_size, const uint8_t *head, size_t head_size,
                        const uint8_t *data, size_t size)
{
    put_byte(out, 0xFF);
    put_byte(out, (unsigned)marker);
    put_big(out, 2 + mark_size + head_size + size, 2);
    put(out, mark, mark_size);
    put(out, head, head_size);
    put(out, data, size);
}

static void put_profile(Out *out, const ImageColor *color)
{
    const size_t n = (color->icc_size + PROFILE_PART - 1) / PROFILE_PART;

    for (size_t i = 0; i < n; i++) {
        const size_t at = i * PROFILE_PART, size = color->icc_size - at < PROFILE_PART ? color->icc_size - at : PROFILE_PART;
        const uint8_t head[2] = {(uint8_t)(i + 1), (uint8_t)n};

        put_segment(out, 0xE2, PROFILE_MARK, MARK_SIZE(PROFILE_MARK), head, sizeof head, color->icc + at, size);
    }
}

static RsdStatus insert_jpeg(Out *out, const uint8_t *data, size_t size, const Image *image, bool *left_out, RsdError *err)
{
    size_t at = 2;
    RsdStatus status = RSD_OK;

    CHECK(size >= 4 && data[0] == 0xFF && data[1] == 0xD8, err, RSD_ERR_UNSUPPORTED, "the encoder's JPEG has no beginning");
    if (size >= 6 && data[2] == 0xFF && data[3] == 0xE0 && ((size_t)data[4] << 8 | data[5]) <= size - 4)
        at = 4 + ((size_t)data[4] << 8 | data[5]);
    put(out, data, at);
    if (image->exif.size > SEGMENT_MAX - MARK_SIZE(EXIF_MARK))
        *left_out = true;
    else if (image->exif.data)
        put_segment(out, 0xE1, EXIF_MARK, MARK_SIZE(EXIF_MARK), NULL, 0, image->exif.data, image->exif.size);
    if (image->xmp.size > SEGMENT_MAX - MARK_SIZE(XMP_MARK))
        *left_out = true;
    else if (image->xmp.data)
        put_segment(out, 0xE1, XMP_MARK, MARK_SIZE(XMP_MARK), NULL, 0, image->xmp.data, image->xmp.size);
    if (image->color.icc_size > PROFILE_MAX_PARTS * PROFILE_PART)
        *left_out = true;
    else
        put_profile(out, &image->color);
    put(out, data + at, size - at);
fail:
    return status;
}

/* --- WebP ------------------------------------------------------------------------------------------------------------------- */

static void put_chunk(Out *out, const char *name, const uint8_t *data, size_t size)
{
    uint8_t len[4];

    if (!data)
        return;
    put_u32le(len, (uint32_t)size);
    put(out, name, 4);
    put(out, len, 4);
    put(out, data, size);
    if (size % 2)
        put_byte(out, 0);
}

static RsdStatus insert_webp(Out *out, const uint8_t *data, size_t size, const Image *image, bool with_alpha, RsdError *err)
{
    const uint32_t w = (uint32_t)image->width - 1, h = (uint32_t)image->height - 1;
    const bool is_extended = size >= 30 && memcmp(data + 12, "VP8X", 4) == 0;
    uint8_t head[10] = {0};
    size_t at = 12;
    RsdStatus status = RSD_OK;

    CHECK(size >= 20 && memcmp(data, "RIFF", 4) == 0, err, RSD_ERR_UNSUPPORTED, "the encoder's WebP has no beginning");
    if (is_extended) {
        memcpy(head, data + 20, sizeof head);
        at = 30;
    } else {
        head[0] = with_alpha ? 0x10 : 0;
        for (int i = 0; i < 3; i++) {
            head[4 + i] = (uint8_t)(w >> 8 * i);
            head[7 + i] = (uint8_t)(h >> 8 * i);
        }
    }
    head[0] = (uint8_t)(head[0] | (image->color.icc ? 0x20 : 0) | (image->exif.data ? 0x08 : 0) | (image->xmp.data ? 0x04 : 0));
    put(out, data, 12);
    put_chunk(out, "VP8X", head, sizeof head);
    put_chunk(out, "ICCP", image->color.icc, image->color.icc_size);
    put(out, data + at, size - at);
    if (out->size % 2)
        put_byte(out, 0);
    put_chunk(out, "EXIF", image->exif.data, image->exif.size);
    put_chunk(out, "XMP ", image->xmp.data, image->xmp.size);
    put_u32le(out->bytes + 4, (uint32_t)(out->size - 8));
fail:
    return status;
}

/* --- JPEG XL ---------------------------------------------------------------------------------------------------------------- */

static RsdStatus insert_jxl(Out *out, const uint8_t *data, size_t size, const Image *image, RsdError *err)
{
    static const char head[] = "\0\0\0\x0cJXL \r\n\x87\n\0\0\0\x14" "ftypjxl \0\0\0\0jxl ";
    RsdStatus status = RSD_OK;

    CHECK(size >= 2 && data[0] == 0xFF && data[1] == 0x0A, err, RSD_ERR_UNSUPPORTED,
          "the encoder's JPEG XL has a container already");
    put(out, head, sizeof head - 1);
    if (image->exif.data) {
        put_big(out, 12 + image->exif.size, 4);
        put(out, "Exif\0\0\0\0", 8);
        put(out, image->exif.data, image->exif.size);
    }
    if (image->xmp.data) {
        put_big(out, 8 + image->xmp.size, 4);
        put(out, "xml ", 4);
        put(out, image->xmp.data, image->xmp.size);
    }
    put_big(out, size <= UINT32_MAX - 8 ? 8 + size : 0, 4); /* 0: up to the end of the file */
    put(out, "jxlc", 4);
    put(out, data, size);
fail:
    return status;
}

/* --- all -------------------------------------------------------------------------------------------------------------------- */

MetadataKept image_metadata_kept(const char *format)
{
    if (strcmp(format, "png") == 0)
        return (MetadataKept){.profile = true, .exif = true, .xmp = true, .cicp = true, .grey_profile = true};
    if (strcmp(format, "jxl") == 0) /* libjxl ends the program when its colour engine does not understand a profile */
        return (MetadataKept){.profile = true, .exif = true, .xmp = true, .grey_profile = true, .plain_profile = true};
    if ((strcmp(format, "jpg") == 0 && HAS_JPEG) || (strcmp(format, "avif") == 0 && HAS_AVIF))
        return (MetadataKept){.profile = true, .exif = true, .xmp = true, .grey_profile = true};
    if (strcmp(format, "jpg") == 0 || strcmp(format, "webp") == 0)
        return (MetadataKept){.profile = true, .exif = true, .xmp = true};
    return (MetadataKept){0};
}

RsdStatus image_metadata_insert(uint8_t **out, size_t *out_size, const char *format, const uint8_t *data, size_t size,
                          const Image *image, bool with_alpha, bool *left_out, RsdError *err)
{
    const bool is_jxl = strcmp(format, "jxl") == 0, is_jpeg = strcmp(format, "jpg") == 0, is_webp = strcmp(format, "webp") == 0;
    /* headers: 18 bytes for each of up to 255 parts of a profile, less than 200 for everything else */
    const size_t room = size + image->exif.size + image->xmp.size + image->color.icc_size + PROFILE_MAX_PARTS * 18 + 256;
    bool ignored, *lost = left_out ? left_out : &ignored;
    Out file = {0};
    RsdStatus status = RSD_OK;

    *out = NULL;
    *out_size = 0;
    *lost = false;
    if (!(is_jpeg || is_webp || is_jxl) || (!image->exif.data && !image->xmp.data && (is_jxl || !image->color.icc)))
        return RSD_OK;
    TRY(mem_alloc(&file.bytes, room, 1, err));
    if (is_jpeg)
        TRY(insert_jpeg(&file, data, size, image, lost, err));
    else if (is_webp)
        TRY(insert_webp(&file, data, size, image, with_alpha, err));
    else
        TRY(insert_jxl(&file, data, size, image, err));
    *out = file.bytes;
    *out_size = file.size;
    return RSD_OK;
fail:
    mem_free(&file.bytes);
    return status;
}
