/* avif_file.c - the one door to libavif: AVIF with alpha, ten bits, profiles and metadata, of which libavformat 59 reads and writes none.
 *
 * Samples go through its RGB interface, interleaved; the encoder is libaom. Alpha is coded without loss, colour too at quality 100.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "config.h"
#include "media/libav/av_parts.h"

#ifdef RESIDUA_HAVE_AVIF
#include <avif/avif.h>
#include <libavutil/mem.h>

#define SPEED 6 /* 0 .. 10 */
#define DEEP_BITS 10
#define CODED_MOST(image) (2 * (uint64_t)(image)->width * (image)->height + 65536) /* pixels, with what is cut off */

static RsdStatus failure(avifResult result, const char *doing, RsdError *err)
{
    const RsdStatus status = result == AVIF_RESULT_OUT_OF_MEMORY          ? RSD_ERR_MEMORY
                             : result == AVIF_RESULT_NO_CODEC_AVAILABLE   ? RSD_ERR_UNSUPPORTED
                             : result == AVIF_RESULT_UNSUPPORTED_DEPTH    ? RSD_ERR_UNSUPPORTED
                             : result == AVIF_RESULT_NOT_IMPLEMENTED      ? RSD_ERR_UNSUPPORTED
                                                                          : RSD_ERR_CORRUPT;

    return error_set(err, status, "%s: %s", doing, avifResultToString(result));
}

#define MUST(result, doing)                                                                                            \
    do {                                                                                                               \
        const avifResult result_ = (result);                                                                           \
                                                                                                                       \
        if (result_ != AVIF_RESULT_OK) {                                                                               \
            status = failure(result_, doing, err);                                                                     \
            goto fail;                                                                                                 \
        }                                                                                                              \
    } while (0)

/* Room for an image's samples as RGB or RGBA of 8 or 16 bits; RSD_ERR_MEMORY. */
static RsdStatus open_rgb(avifRGBImage *rgb, const avifImage *image, bool has_alpha, int bits, RsdError *err)
{
    avifRGBImageSetDefaults(rgb, image);
    rgb->depth = (uint32_t)bits;
    rgb->format = has_alpha ? AVIF_RGB_FORMAT_RGBA : AVIF_RGB_FORMAT_RGB;
    rgb->ignoreAlpha = !has_alpha;
    rgb->avoidLibYUV = AVIF_TRUE; /* it rounds otherwise, and not on every machine alike */
    rgb->rowBytes = rgb->width * avifRGBImagePixelSize(rgb);
    rgb->pixels = av_malloc((size_t)rgb->rowBytes * rgb->height);
    return rgb->pixels ? RSD_OK : error_set(err, RSD_ERR_MEMORY, "no memory for %u x %u pixels", rgb->width, rgb->height);
}

/* A plane of ours and a channel of theirs. */
static void copy_channel(const avifRGBImage *rgb, int channel, uint8_t *plane, ptrdiff_t stride, bool to_plane)
{
    const size_t size = rgb->depth / 8, step = avifRGBImagePixelSize(rgb);

    for (size_t y = 0; y < rgb->height; y++)
        for (size_t x = 0; x < rgb->width; x++) {
            uint8_t *theirs = rgb->pixels + y * rgb->rowBytes + x * step + (size_t)channel * size;
            uint8_t *ours = plane + (ptrdiff_t)y * stride + x * size;

            memcpy(to_plane ? ours : theirs, to_plane ? theirs : ours, size);
        }
}

/* ---- writing ---- */

static void name_colours(avifImage *image, const AvPicture *picture, bool lossless)
{
    image->yuvRange = AVIF_RANGE_FULL;
    image->colorPrimaries = AVIF_COLOR_PRIMARIES_BT709;
    image->transferCharacteristics = AVIF_TRANSFER_CHARACTERISTICS_SRGB;
    image->matrixCoefficients = lossless && picture->channels == 3 ? AVIF_MATRIX_COEFFICIENTS_IDENTITY : AVIF_MATRIX_COEFFICIENTS_BT601;
    if (picture->icc)
        avifImageSetProfileICC(image, picture->icc, picture->icc_size);
    if (picture->exif)
        avifImageSetMetadataExif(image, picture->exif, picture->exif_size);
    if (picture->xmp)
        avifImageSetMetadataXMP(image, picture->xmp, picture->xmp_size);
}

static RsdStatus fill(avifImage *image, const AvPicture *picture, RsdError *err)
{
    avifRGBImage rgb = {0};
    RsdStatus status = RSD_OK;

    TRY(open_rgb(&rgb, image, picture->plane[3] != NULL, picture->bits, err));
    for (int c = 0; c < (picture->plane[3] ? 4 : 3); c++) {
        const int from = c < 3 && picture->channels == 1 ? 0 : c;

        copy_channel(&rgb, c, (uint8_t *)(uintptr_t)picture->plane[from], picture->stride[from], false);
    }
    MUST(avifImageRGBToYUV(image, &rgb), "the picture cannot become YUV");
fail:
    av_free(rgb.pixels);
    return status;
}

RsdStatus avif_file_encode(uint8_t **bytes, size_t *size, const AvPicture *picture, int quality, bool reduce, RsdError *err)
{
    const bool lossless = quality == 100;
    avifImage *image = NULL;
    avifEncoder *encoder = avifEncoderCreate();
    avifRWData made = AVIF_DATA_EMPTY;
    RsdStatus status = RSD_OK;

    *bytes = NULL;
    CHECK(encoder, err, RSD_ERR_MEMORY, "no memory for an encoder");
    CHECK(picture->width <= 65535 && picture->height <= 65535, err, RSD_ERR_UNSUPPORTED,
          "AVIF holds at most 65535 pixels a side, the picture has %d x %d", picture->width, picture->height);
    CHECK(picture->bits == 8 || reduce, err, RSD_ERR_UNSUPPORTED,
          "AVIF holds %d bits here, the picture has 16; write PNG, or allow it to be reduced", DEEP_BITS);
    image = avifImageCreate((uint32_t)picture->width, (uint32_t)picture->height, picture->bits == 8 ? 8 : DEEP_BITS,
                            picture->channels == 1 ? AVIF_PIXEL_FORMAT_YUV400 : AVIF_PIXEL_FORMAT_YUV444);
    CHECK(image, err, RSD_ERR_MEMORY, "no memory for a picture");
    name_colours(image, picture, lossless);
    TRY(fill(image, picture, err));
    encoder->codecChoice = AVIF_CODEC_CHOICE_AOM;
    encoder->maxThreads = 1;
    encoder->speed = SPEED;
    encoder->minQuantizer = encoder->maxQuantizer = (100 - quality) * 63 / 100;
    encoder->minQuantizerAlpha = encoder->maxQuantizerAlpha = AVIF_QUANTIZER_LOSSLESS;
    MUST(avifEncoderWrite(encoder, image, &made), "the encoder refuses this picture");
    *bytes = av_memdup(made.data, made.size);
    *size = made.size;
    CHECK(*bytes, err, RSD_ERR_MEMORY, "no memory for %zu bytes", made.size);
fail:
    avifRWDataFree(&made);
    if (encoder)
        avifEncoderDestroy(encoder);
    if (image)
        avifImageDestroy(image);
    return status;
}

/* ---- reading ---- */

/* As EXIF counts: turned against the clock first, mirrored afterwards. */
static int orientation_of(const avifImage *image)
{
    static const int turned[] = {1, 8, 3, 6}, turned_and_mirrored[2][4] = {{4, 5, 2, 7}, {2, 7, 4, 5}};
    const int angle = image->transformFlags & AVIF_TRANSFORM_IROT ? image->irot.angle & 3 : 0;

    return image->transformFlags & AVIF_TRANSFORM_IMIR ? turned_and_mirrored[image->imir.mode & 1][angle] : turned[angle];
}

/* A copy that av_picture_free frees. */
static RsdStatus keep(const uint8_t **to, size_t *to_size, const avifRWData *from, RsdError *err)
{
    if (!from->size)
        return RSD_OK;
    *to = av_memdup(from->data, from->size);
    *to_size = from->size;
    return *to ? RSD_OK : error_set(err, RSD_ERR_MEMORY, "no memory for %zu bytes of metadata", from->size);
}

static RsdStatus keep_colours(AvPicture *out, AVFrame *planes, const avifImage *image, RsdError *err)
{
    AVFrameSideData *profile;

    if (image->icc.size) {
        profile = av_frame_new_side_data(planes, AV_FRAME_DATA_ICC_PROFILE, image->icc.size);
        if (!profile)
            return error_set(err, RSD_ERR_MEMORY, "no memory for a colour profile");
        memcpy(profile->data, image->icc.data, image->icc.size);
    }
    planes->color_primaries = (enum AVColorPrimaries)image->colorPrimaries;
    planes->color_trc = (enum AVColorTransferCharacteristic)image->transferCharacteristics;
    out->source_bits = (int)image->depth;
    out->orientation = orientation_of(image);
    return RSD_OK;
}

/* Planes in libav's order: green, blue, red, alpha; or grey alone. */
static RsdStatus take_planes(AVFrame *planes, AvPicture *out, const avifImage *image, RsdError *err)
{
    static const int order[] = {2, 0, 1, 3};
    const bool has_alpha = image->alphaPlane != NULL, is_grey = image->yuvFormat == AVIF_PIXEL_FORMAT_YUV400, is_deep = image->depth > 8;
    avifRGBImage rgb = {0};
    RsdStatus status = RSD_OK;

    out->width = planes->width = (int)image->width;
    out->height = planes->height = (int)image->height;
    out->channels = is_grey ? 1 : 3;
    out->bits = is_deep ? 16 : 8;
    planes->format = has_alpha ? (is_deep ? AV_PIX_FMT_GBRAP16 : AV_PIX_FMT_GBRAP)
                     : is_grey ? (is_deep ? AV_PIX_FMT_GRAY16 : AV_PIX_FMT_GRAY8)
                               : (is_deep ? AV_PIX_FMT_GBRP16 : AV_PIX_FMT_GBRP);
    if (av_frame_get_buffer(planes, 0) < 0)
        return error_set(err, RSD_ERR_MEMORY, "no memory for %u x %u pixels", image->width, image->height);
    TRY(open_rgb(&rgb, image, has_alpha, out->bits, err));
    MUST(avifImageYUVToRGB(image, &rgb), "the picture cannot become RGB");
    for (int c = 0; c < (has_alpha ? 4 : is_grey ? 1 : 3); c++) {
        const int to = is_grey && !has_alpha ? 0 : order[c];

        copy_channel(&rgb, c, planes->data[to], planes->linesize[to], true);
    }
fail:
    av_free(rgb.pixels);
    return status;
}

bool avif_file_is_one(const uint8_t *data, size_t size)
{
    const avifROData head = {data, size};

    return avifPeekCompatibleFileType(&head);
}

RsdStatus avif_file_decode(AVFrame **planes, AvPicture *out, const uint8_t *data, size_t size, int64_t max_pixels, RsdError *err)
{
    avifDecoder *decoder = avifDecoderCreate();
    const avifImage *image;
    RsdStatus status = RSD_OK;

    *planes = av_frame_alloc();
    CHECK(decoder && *planes, err, RSD_ERR_MEMORY, "no memory for a decoder");
    decoder->maxThreads = 1;
    decoder->strictFlags = AVIF_STRICT_DISABLED; /* files of other writers lack what nobody needs */
    decoder->imageDimensionLimit = 0; /* the product is limited */
    MUST(avifDecoderSetIOMemory(decoder, data, size), "cannot be read");
    MUST(avifDecoderParse(decoder), "damaged, cut short, or larger than what is read");
    image = decoder->image;
    CHECK((int64_t)image->width * image->height <= max_pixels, err, RSD_ERR_MEMORY,
          "%u x %u pixels are more than the limit of %lld million", image->width, image->height, (long long)(max_pixels / 1000000));
    if (CODED_MOST(image) < decoder->imageSizeLimit) /* what is coded may claim to be larger than the file says */
        decoder->imageSizeLimit = (uint32_t)CODED_MOST(image);
    MUST(avifDecoderNextImage(decoder), "damaged, or cut short");
    TRY(take_planes(*planes, out, image, err));
    TRY(keep_colours(out, *planes, image, err));
    TRY(keep(&out->exif, &out->exif_size, &image->exif, err));
    TRY(keep(&out->xmp, &out->xmp_size, &image->xmp, err));
    out->has_more = decoder->imageCount > 1;
fail:
    if (decoder)
        avifDecoderDestroy(decoder);
    if (status != RSD_OK)
        av_frame_free(planes);
    return status;
}

#else

bool avif_file_is_one(const uint8_t *data, size_t size)
{
    (void)data, (void)size;
    return false;
}

RsdStatus avif_file_decode(AVFrame **planes, AvPicture *out, const uint8_t *data, size_t size, int64_t max_pixels, RsdError *err)
{
    (void)planes, (void)out, (void)data, (void)size, (void)max_pixels;
    return error_set(err, RSD_ERR_UNSUPPORTED, "this build is without libavif");
}

RsdStatus avif_file_encode(uint8_t **bytes, size_t *size, const AvPicture *picture, int quality, bool reduce, RsdError *err)
{
    (void)bytes, (void)size, (void)picture, (void)quality, (void)reduce;
    return error_set(err, RSD_ERR_UNSUPPORTED, "this build is without libavif");
}

#endif
