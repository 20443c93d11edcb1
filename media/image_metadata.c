/* image_metadata.c - walks over segments, chunks and boxes, none of which is believed beyond the end of the file.
 *
 * SPDX-License-Identifier: MIT
 */
#include "media/image_metadata.h"

#include <string.h>

#include "engine/base/bytes.h"
#include "engine/base/mem.h"
#include "media/exif.h"
#include "media/tiff.h"

#define TAG_EXIF 34665 /* of TIFF files: directories of their own */
#define TAG_GPS 34853

static bool begins_with(const uint8_t *data, size_t size, const char *mark, size_t mark_size)
{
    return size >= mark_size && memcmp(data, mark, mark_size) == 0;
}

/* --- finding ---------------------------------------------------------------------------------------------------------------- */

static void take_exif(MetadataPlaces *places, const uint8_t *data, size_t size)
{
    const size_t prefix = begins_with(data, size, EXIF_MARK, MARK_SIZE(EXIF_MARK)) ? MARK_SIZE(EXIF_MARK) : 0;

    if (places->exif || size <= prefix + 8)
        return;
    places->exif = data + prefix;
    places->exif_size = size - prefix;
}

static void take_xmp(MetadataPlaces *places, const uint8_t *data, size_t size)
{
    if (places->xmp || size == 0)
        return;
    places->xmp = data;
    places->xmp_size = size;
}

/* Segments FF xx, two bytes of size, until the picture itself begins [ITU-T T.81, B.1]. */
static void walk_jpeg(MetadataPlaces *places, const uint8_t *data, size_t size)
{
    size_t at = 2;

    while (at + 4 <= size && data[at] == 0xFF && data[at + 1] != 0xDA) {
        const size_t len = (size_t)data[at + 2] << 8 | data[at + 3];
        const uint8_t *body = data + at + 4;
        const int marker = data[at + 1];

        if (marker == 0xFF) { /* fill */
            at++;
            continue;
        }
        if (len < 2 || len > size - at - 2)
            return;
        if (marker == 0xE1 && begins_with(body, len - 2, EXIF_MARK, MARK_SIZE(EXIF_MARK)))
            take_exif(places, body, len - 2);
        else if (marker == 0xE1 && begins_with(body, len - 2, XMP_MARK, MARK_SIZE(XMP_MARK)))
            take_xmp(places, body + MARK_SIZE(XMP_MARK), len - 2 - MARK_SIZE(XMP_MARK));
        else if (marker == 0xE2 && begins_with(body, len - 2, PROFILE_MARK, MARK_SIZE(PROFILE_MARK)))
            places->names_profile = true;
        at += 2 + len;
    }
}

/* Name, size, data padded to even, behind 12 bytes. */
static void walk_webp(MetadataPlaces *places, const uint8_t *data, size_t size)
{
    size_t at = 12;

    while (at + 8 <= size) {
        const size_t len = get_u32le(data + at + 4);

        if (len > size - at - 8)
            return;
        if (memcmp(data + at, "EXIF", 4) == 0)
            take_exif(places, data + at + 8, len);
        else if (memcmp(data + at, "XMP ", 4) == 0)
            take_xmp(places, data + at + 8, len);
        at += 8 + len + len % 2;
    }
}

/* PNG, where libpng did not read it: size, name, data, checksum behind a signature of 8 bytes. */
static void walk_png(MetadataPlaces *places, const uint8_t *data, size_t size)
{
    size_t at = 8;

    while (at + 8 <= size) {
        const size_t len = get_u32be(data + at);

        if (len > size - at - 8)
            return;
        if (memcmp(data + at + 4, "eXIf", 4) == 0)
            take_exif(places, data + at + 8, len);
        at += 12 + len;
        if (at > size)
            return;
    }
}

typedef struct Box {
    const uint8_t *name, *data; /* name: 4 letters */
    size_t size;
} Box;

/* The box at *at, and *at behind it: size, name; size 1: 8 more bytes of it; size 0: up to the end [ISO/IEC 14496-12, 4.2]. */
static bool next_box(Box *box, const uint8_t *data, size_t size, size_t *at)
{
    const uint8_t *from = data + *at;
    const size_t left = size - *at;
    size_t head = 8;
    uint64_t len;

    if (left < 8)
        return false;
    len = get_u32be(from);
    if (len == 1 && left >= 16) {
        len = (uint64_t)get_u32be(from + 8) << 32 | get_u32be(from + 12);
        head = 16;
    } else if (len == 0) {
        len = left;
    }
    if (len < head || len > left)
        return false;
    *box = (Box){from + 4, from + head, (size_t)len - head};
    *at += (size_t)len;
    return true;
}

static bool is_named(const Box *box, const char *name)
{
    return memcmp(box->name, name, 4) == 0;
}

static void walk_jxl(MetadataPlaces *places, const uint8_t *data, size_t size)
{
    size_t at = 0;
    Box box;

    if (size >= 2 && data[0] == 0xFF)
        return; /* without a container */
    while (next_box(&box, data, size, &at)) {
        if (is_named(&box, "Exif") && box.size > 4) {
            const uint64_t skip = 4 + (uint64_t)get_u32be(box.data);

            if (skip < box.size)
                take_exif(places, box.data + skip, box.size - (size_t)skip);
        } else if (is_named(&box, "xml ")) {
            take_xmp(places, box.data, box.size);
        }
    }
}

/* The first box of colours in the header counts: method (2, 3: a profile), two numbers, the profile [ISO/IEC 15444-1, I.5.3.3]. */
static void walk_jp2(MetadataPlaces *places, const uint8_t *data, size_t size)
{
    size_t at = 0;
    Box box;

    while (next_box(&box, data, size, &at)) {
        if (is_named(&box, "jp2h")) {
            data = box.data;
            size = box.size;
            at = 0;
        } else if (is_named(&box, "colr")) {
            if (box.size > 3 && (box.data[0] == 2 || box.data[0] == 3)) {
                places->icc = box.data + 3;
                places->icc_size = box.size - 3;
            }
            return;
        }
    }
}

static void walk_tiff(MetadataPlaces *places, const uint8_t *data, size_t size)
{
    TiffDir dir;
    TiffEntry entry;

    exif_find(data, size, EXIF_TAG_XMP, &places->xmp, &places->xmp_size);
    places->not_read = tiff_open(&dir, data, size) && (tiff_find(&dir, TAG_EXIF, &entry) || tiff_find(&dir, TAG_GPS, &entry));
}

/* Names of items in the boxes at the start of the file. */
static bool names_items(const uint8_t *data, size_t size)
{
    const size_t head = size < 65536 ? size : 65536;

    return memmem(data, head, "Exif", 4) || memmem(data, head, "application/rdf+xml", 19);
}

void image_metadata_find(MetadataPlaces *places, const char *format, const uint8_t *data, size_t size)
{
    memset(places, 0, sizeof *places);
    if (!format)
        return;
    if (strcmp(format, "jpeg") == 0)
        walk_jpeg(places, data, size);
    else if (strcmp(format, "webp") == 0)
        walk_webp(places, data, size);
    else if (strcmp(format, "png") == 0)
        walk_png(places, data, size);
    else if (strcmp(format, "jxl") == 0)
        walk_jxl(places, data, size);
    else if (strcmp(format, "avif") == 0)
        places->not_read = names_items(data, size);
    else if (strcmp(format, "tiff") == 0)
        walk_tiff(places, data, size);
    else if (strcmp(format, "jp2") == 0)
        walk_jp2(places, data, size);
}

int image_metadata_orientation(const MetadataPlaces *places, const char *format, const uint8_t *data, size_t size)
{
    if (format && strcmp(format, "jxl") == 0)
        return 1; /* its decoder has turned the picture */
    if (format && strcmp(format, "tiff") == 0)
        return exif_orientation(data, size);
    return places->exif ? exif_orientation(places->exif, places->exif_size) : 1;
}

/* --- with a picture --------------------------------------------------------------------------------------------------------- */

static RsdStatus copy_blob(ImageBlob *to, const uint8_t *data, size_t size, bool *too_large, RsdError *err)
{
    RsdStatus status = RSD_OK;

    mem_free(&to->data);
    to->size = 0;
    *too_large |= size > METADATA_MAX_SIZE;
    if (!data || size == 0 || size > METADATA_MAX_SIZE)
        return RSD_OK;
    TRY(mem_alloc(&to->data, size, 1, err));
    memcpy(to->data, data, size);
    to->size = size;
fail:
    return status;
}

RsdStatus image_metadata_take(Image *image, const MetadataPlaces *places, RsdError *err)
{
    RsdStatus status = RSD_OK;

    image->lost_metadata |= places->not_read;
    TRY(copy_blob(&image->exif, places->exif, places->exif_size, &image->lost_metadata, err));
    TRY(copy_blob(&image->xmp, places->xmp, places->xmp_size, &image->lost_metadata, err));
    if (places->icc && !image->color.icc) {
        TRY(mem_alloc(&image->color.icc, places->icc_size, 1, err));
        memcpy(image->color.icc, places->icc, places->icc_size);
        image->color.icc_size = places->icc_size;
    }
fail:
    return status;
}

/* The digit behind each tiff:Orientation, as attribute or as element. */
static void make_xmp_upright(ImageBlob *xmp)
{
    static const char name[] = "tiff:Orientation";
    uint8_t *at = xmp->data, *end = xmp->data + xmp->size;

    while (at && (at = memmem(at, (size_t)(end - at), name, sizeof name - 1)) != NULL) {
        at += sizeof name - 1;
        while (at < end && strchr("=\"'> \t\r\n", *at) && *at)
            at++;
        if (at < end && *at >= '1' && *at <= '8')
            *at = '1';
    }
}

void image_metadata_make_upright(Image *image)
{
    if (image->exif.data)
        exif_make_upright(image->exif.data, image->exif.size);
    if (image->xmp.data)
        make_xmp_upright(&image->xmp);
}
