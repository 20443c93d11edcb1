/* rvq_rig.c - see rvq_rig.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/codec/rvq_rig.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "engine/base/rng.h"
#include "models/stage_prior.h"

static void draw_latents(RvqRig *f)
{
    const StagePrior *prior = f->codec->stage_prior;
    Rng rng = rng_at(31, RNG_TEST, 0, 0);

    for (int at = 0; at < H * W; at++)
        for (int q = 0; q < prior->n_stages; q++) {
            const int16_t *code = prior->codes[q] + rng_below(&rng, (uint32_t)prior->n_codes) * D;

            for (int d = 0; d < D; d++)
                f->y[d * H * W + at] += 16 * code[d] + (int)rng_below(&rng, 65) - 32;
        }
}

RvqRig *rvq_rig_create(void)
{
    RvqRig *f = calloc(1, sizeof *f);
    RsdError err = {0};

    cr_assert_eq(tiny_rvq_codec(&f->codec, &err), RSD_OK, "%s", err.text);
    cr_assert_eq(picture_model_create(&f->model, f->codec, &err), RSD_OK, "%s", err.text);
    cr_assert_eq(tile_coder_create(&f->coder, f->model->tiles, H, W, kernels_pick(), &err), RSD_OK, "%s", err.text);
    draw_latents(f);
    return f;
}

void rvq_rig_destroy(RvqRig *f)
{
    tile_coder_destroy(&f->coder);
    picture_model_destroy(&f->model);
    image_codec_destroy(&f->codec);
    free(f);
}

static void note_nothing(void *ctx, const char *text)
{
    (void)text;
    ++*(int *)ctx;
}

RsdStatus rvq_rig_decode(const PictureModel *model, const uint8_t *bytes, size_t size, bool keep_going, RsdThreads *threads, float **rgb,
                         RsdError *err)
{
    TinyStream stream = {(uint8_t *)(uintptr_t)bytes, size, 0};
    int n_notes = 0;
    PictureDecoderOptions options = {.read = tiny_stream_read,
                                     .read_ctx = &stream,
                                     .name = "x.rsd",
                                     .threads = threads,
                                     .keep_going = keep_going,
                                     .on_damage = note_nothing,
                                     .damage_ctx = &n_notes};
    PictureDecoder *decoder = NULL;
    uint16_t *alpha = NULL;
    const PictureInfo *info;
    RsdStatus status = RSD_OK;

    *rgb = NULL;
    TRY(picture_decoder_open(&decoder, &options, err));
    TRY(picture_decoder_use(decoder, model, err));
    info = picture_decoder_info(decoder);
    *rgb = calloc((size_t)(3 * info->width * info->height), sizeof **rgb);
    alpha = calloc((size_t)(info->width * info->height), sizeof *alpha);
    TRY(picture_decoder_planes(decoder, info->channels, *rgb, alpha, err));
fail:
    picture_decoder_close(&decoder);
    free(alpha);
    if (status != RSD_OK) {
        free(*rgb);
        *rgb = NULL;
    }
    return status;
}

TinyStream rvq_rig_encode(const PictureModel *model, const TinyPicture *picture, PictureSetting setting, RsdThreads *threads)
{
    TinyStream stream = {0};
    RsdError err;

    cr_assert_eq(tiny_picture_encode_by(&stream, model, picture, 6, setting, threads, &err), RSD_OK, "%s", err.text);
    return stream;
}

static char path[] = "/tmp/residua-rvq-XXXXXX";

uint8_t *rvq_rig_save(const RvqRig *f, size_t *size)
{
    uint8_t *bytes;
    RsdError err = {0};
    FILE *file;
    const int handle = mkstemp(path);

    cr_assert_geq(handle, 0);
    close(handle);
    cr_assert_eq(image_codec_save(f->codec, path, DTYPE_F32, NULL, &err), RSD_OK, "%s", err.text);
    file = fopen(path, "rb");
    bytes = malloc(1 << 20);
    *size = fread(bytes, 1, 1 << 20, file);
    fclose(file);
    return bytes;
}

RsdStatus rvq_rig_load(ImageCodec **codec, const uint8_t *bytes, size_t size, ImageCodecUse use, RsdError *err)
{
    FILE *file = fopen(path, "wb");

    fwrite(bytes, 1, size, file);
    fclose(file);
    return image_codec_load_for(codec, path, use, err);
}

void rvq_rig_forget(void)
{
    unlink(path);
}
