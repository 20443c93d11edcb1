/* image_metadata.h - what picture files carry beside pixels and colours: EXIF and XMP, found in the bytes of files, made fit for a
 * picture that was turned, and put into files that were written without.
 *
 *   JPEG      APP1 segments; profiles in APP2     WebP      chunks EXIF, "XMP ", ICCP
 *   JPEG XL   boxes Exif and "xml "               TIFF      XMP in tag 700; its EXIF is the file itself, and is noted as not read
 *   JPEG 2000 a profile in box colr
 *
 * PNG's are read and written by libpng (png_image.c, png_writing.c). XMP that goes on in further segments (JPEG) is cut to the first one.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_IMAGE_METADATA_H
#define RESIDUA_IMAGE_METADATA_H

#include "media/image.h"

/* What stands in front of each in a JPEG's segments. */
#define EXIF_MARK "Exif\0\0"
#define XMP_MARK "http://ns.adobe.com/xap/1.0/\0"
#define PROFILE_MARK "ICC_PROFILE\0"
#define MARK_SIZE(mark) (sizeof(mark) - 1)

#define METADATA_MAX_SIZE (((size_t)1 << 24) - 16) /* of each; more is left out */

/* Places in a file; NULL for what is not there. */
typedef struct MetadataPlaces {
    const uint8_t *exif, *xmp, *icc; /* icc: JPEG 2000 alone, where the decoder does not hand it on */
    size_t exif_size, xmp_size, icc_size;
    bool names_profile; /* JPEG: there is a profile, whole or not */
    bool not_read;      /* HEIC, AVIF without libavif, TIFF: there seem to be EXIF or XMP, which are not looked for there */
} MetadataPlaces;

/* format: as image_format_of names it. Any bytes are safe. */
void image_metadata_find(MetadataPlaces *places, const char *format, const uint8_t *data, size_t size);
/* Orientation in a file's EXIF, 1 to 8; 1 when nothing or nonsense is said. */
int image_metadata_orientation(const MetadataPlaces *places, const char *format, const uint8_t *data, size_t size);
/* Copies to image->exif and xmp, and to its colours a profile if they have none; notes what is too large. Errors: RSD_ERR_MEMORY. */
RsdStatus image_metadata_take(Image *image, const MetadataPlaces *places, RsdError *err);
/* A picture that has been turned as its metadata ask for says so no more. */
void image_metadata_make_upright(Image *image);

/* Whether files of a format that image_writer knows can hold these. */
typedef struct MetadataKept {
    bool profile, exif, xmp, cicp;
    bool grey_profile;  /* pictures of one channel stay such, and have a profile of grey */
    bool plain_profile; /* profiles of the plain kind alone */
} MetadataKept;
MetadataKept image_metadata_kept(const char *format);

/* A file "jpg", "webp" or "jxl" with image's EXIF and XMP, and for jpg and webp its profile: *out [*out_size], the caller's. *out is NULL
 * when there is nothing to add. with_alpha: the file has alpha. What is too large for JPEG's segments is left out and told in *left_out
 * (may be NULL). Errors: RSD_ERR_MEMORY, RSD_ERR_UNSUPPORTED (bytes that are not such a file). */
RsdStatus image_metadata_insert(uint8_t **out, size_t *out_size, const char *format, const uint8_t *data, size_t size,
                          const Image *image, bool with_alpha, bool *left_out, RsdError *err);

#endif
