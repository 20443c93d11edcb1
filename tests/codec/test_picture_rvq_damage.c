/* test_picture_rvq_damage.c - tiles, streams and model files of a residual quantiser with every byte changed and cut everywhere.
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "codec/picture_cut.h"
#include "codec/tile_stages.h"
#include "engine/base/bytes.h"
#include "engine/base/checksum.h"
#include "tests/codec/rvq_rig.h"

/* ---- tiles ---- */

Test(picture_rvq_damage, flipped_and_cut_tiles_end_in_an_error_or_other_latents_and_parts_are_lower_levels)
{
    RvqRig *f = rvq_rig_create();
    int32_t one[D * H * W], part[D * H * W];
    int n_unnoticed = 0;
    TileStages stages;
    TileCode code;
    uint8_t *whole;
    size_t size;

    cr_assert_eq(tile_encode(f->coder, LEVEL_MAX, &(TileRounding){0}, NULL, f->y, H, W, &code, NULL), RSD_OK);
    whole = malloc(size = code.size);
    memcpy(whole, code.data, size);
    cr_assert_eq(tile_stages_find(&stages, LEVEL_MAX, whole, size, NULL), RSD_OK);
    cr_assert_eq(tile_encode(f->coder, 0, &(TileRounding){0}, NULL, f->y, H, W, &code, NULL), RSD_OK);
    tile_encoded(f->coder, H, W, one);
    for (size_t i = 0; i < size; i++) {
        uint8_t *bytes = malloc(size);
        TileCode bad = {bytes, size, 1};
        RsdStatus status;

        memcpy(bytes, whole, size);
        bytes[i] ^= (uint8_t)(1 + i % 255);
        status = tile_decode(f->coder, LEVEL_MAX, &bad, H, W, f->decoded, NULL);
        cr_assert(status == RSD_OK || status == RSD_ERR_CORRUPT);
        n_unnoticed += status == RSD_OK;
        tile_decode_part(f->coder, LEVEL_MAX, &bad, H, W, part);
        free(bytes);
        bytes = malloc(i + 1);
        memcpy(bytes, whole, i);
        bad = (TileCode){bytes, i, 1};
        cr_assert_neq(tile_decode(f->coder, LEVEL_MAX, &bad, H, W, f->decoded, NULL), RSD_OK, "cut at %zu of %zu", i, size);
        tile_decode_part(f->coder, LEVEL_MAX, &bad, H, W, part);
        if (i >= 6 + stages.size[0] && i < 6 + stages.size[0] + stages.size[1])
            cr_assert_arr_eq(part, one, sizeof one, "cut at %zu", i);
        free(bytes);
    }
    cr_assert_lt(n_unnoticed, (int)size / 10, "%d of %zu flips went unnoticed", n_unnoticed, size);
    free(whole);
    rvq_rig_destroy(f);
}

/* ---- streams ---- */

static RsdStatus cut_bytes(const uint8_t *bytes, size_t size, RsdError *err)
{
    TinyStream stream = {(uint8_t *)(uintptr_t)bytes, size, 0}, cut = {0};
    RsdStatus status = picture_cut(NULL,
                                   &(PictureCutOptions){.read = tiny_stream_read, .read_ctx = &stream, .name = "x.rsd",
                                                        .write = tiny_stream_write, .write_ctx = &cut, .n_stages = 1},
                                   err);

    free(cut.bytes);
    return status;
}

Test(picture_rvq_damage, every_flipped_byte_and_every_cut_of_a_stream_end_well)
{
    const TinyPicture picture = {.width = 70, .height = 66, .bits = 8, .has_alpha = true};
    RvqRig *f = rvq_rig_create();
    TinyStream stream = rvq_rig_encode(f->model, &picture, (PictureSetting){.level = 21}, NULL);
    const size_t header = get_u16le(stream.bytes + 6);
    float *rgb;

    for (size_t i = 0; i < stream.size; i++) {
        uint8_t *bytes = malloc(stream.size);
        RsdError err = {0};
        RsdStatus status;

        memcpy(bytes, stream.bytes, stream.size);
        bytes[i] ^= (uint8_t)(1 + i % 255);
        cr_assert(rvq_rig_decode(f->model, bytes, stream.size, false, NULL, &rgb, &err) != RSD_OK && err.text[0],
                  "byte %zu flipped went unnoticed", i);
        cr_assert_neq(cut_bytes(bytes, stream.size, &err), RSD_OK, "byte %zu", i);
        status = rvq_rig_decode(f->model, bytes, stream.size, true, NULL, &rgb, &err);
        cr_assert(i < header || status == RSD_OK, "byte %zu: %s", i, err.text);
        free(rgb);
        free(bytes);
        bytes = malloc(i + 1);
        memcpy(bytes, stream.bytes, i);
        cr_assert_eq(rvq_rig_decode(f->model, bytes, i, false, NULL, &rgb, &err), RSD_ERR_CORRUPT, "cut at %zu", i);
        cr_assert_eq(cut_bytes(bytes, i, &err), RSD_ERR_CORRUPT, "cut at %zu", i);
        status = rvq_rig_decode(f->model, bytes, i, true, NULL, &rgb, &err);
        cr_assert_eq(status, i < header ? RSD_ERR_CORRUPT : RSD_OK, "cut at %zu: %s", i, err.text);
        free(rgb);
        free(bytes);
    }
    free(stream.bytes);
    rvq_rig_destroy(f);
}

/* With the checksum that belongs to them. */
static void expect_refused(const RvqRig *f, const TinyStream *stream, size_t at, uint8_t value, RsdStatus expected, const char *text)
{
    const size_t header = get_u16le(stream->bytes + 6);
    uint8_t *bytes = malloc(stream->size);
    RsdError err = {0};
    float *rgb;

    memcpy(bytes, stream->bytes, stream->size);
    bytes[at] = value;
    put_u32le(bytes + header - 4, crc32_update(0, bytes, header - 4));
    cr_assert_eq(rvq_rig_decode(f->model, bytes, stream->size, true, NULL, &rgb, &err), expected, "%s", err.text);
    cr_assert_not_null(strstr(err.text, text), "%s", err.text);
    free(bytes);
}

Test(picture_rvq_damage, headers_that_do_not_fit_the_model_are_refused)
{
    const TinyPicture picture = {.width = 70, .height = 66, .bits = 8};
    RvqRig *f = rvq_rig_create();
    TinyStream stream = rvq_rig_encode(f->model, &picture, (PictureSetting){.level = 32}, NULL);

    expect_refused(f, &stream, 30, 33, RSD_ERR_CORRUPT, "level 33/16 of stages; model tiny-rvq has levels up to 32/16");
    expect_refused(f, &stream, 5, 0, RSD_ERR_CORRUPT, "of latents");
    expect_refused(f, &stream, 5, 2, RSD_ERR_UNSUPPORTED, "features");
    free(stream.bytes);
    rvq_rig_destroy(f);
}

/* ---- model files ---- */

/* What loads can be used: a hostile model has numbers like any other. */
static void use(ImageCodec *codec)
{
    const TinyPicture picture = {.width = 20, .height = 40, .bits = 8};
    PictureModel *model = NULL;
    TinyStream stream = {0};
    float *rgb = NULL;

    if (picture_model_create(&model, codec, NULL) == RSD_OK &&
        tiny_picture_encode_by(&stream, model, &picture, 6, (PictureSetting){.level = image_codec_level_max(&codec->config)}, NULL, NULL) ==
            RSD_OK)
        cr_assert_eq(rvq_rig_decode(model, stream.bytes, stream.size, false, NULL, &rgb, NULL), RSD_OK);
    picture_model_destroy(&model);
    free(stream.bytes);
    free(rgb);
}

Test(picture_rvq_damage, damaged_model_files_are_refused_or_code_and_decode)
{
    RvqRig *f = rvq_rig_create();
    size_t size;
    uint8_t *bytes = rvq_rig_save(f, &size);
    int n_loaded = 0;

    for (size_t i = 0; i < size; i += i < 6000 ? 13 : 97) {
        const uint8_t was = bytes[i];
        ImageCodec *codec;
        RsdError err = {0};
        RsdStatus status;

        bytes[i] ^= (uint8_t)(1 + i % 255);
        status = rvq_rig_load(&codec, bytes, size, IMAGE_USE_ALL, &err);
        bytes[i] = was;
        if (status == RSD_OK && n_loaded++ % 8 == 0)
            use(codec);
        cr_assert(status == RSD_OK || err.text[0], "byte %zu", i);
        image_codec_destroy(&codec);
        if (i % 9 == 0)
            cr_assert_neq(rvq_rig_load(&codec, bytes, i, IMAGE_USE_ALL, &err), RSD_OK, "cut at %zu", i);
    }
    cr_assert_gt(n_loaded, 10);
    rvq_rig_forget();
    free(bytes);
    rvq_rig_destroy(f);
}
