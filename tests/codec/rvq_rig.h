/* rvq_rig.h - a small residual quantiser of pictures with latents of one tile, and what tests of its streams and files share.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_TESTS_RVQ_RIG_H
#define RESIDUA_TESTS_RVQ_RIG_H

#include "codec/picture.h"
#include "codec/tile_coder.h"
#include "tests/codec/tiny_picture.h"

#define H 9
#define W 11
#define D 4
#define LEVEL_MAX 32

typedef struct RvqRig {
    ImageCodec *codec;
    PictureModel *model;
    TileCoder *coder;
    int32_t y[D * H * W]; /* near the codes: sums of some of them, and something else */
    int32_t decoded[D * H * W];
} RvqRig;

/* All fail the test on errors, but rvq_rig_decode and rvq_rig_load, which return them. */
RvqRig *rvq_rig_create(void);
void rvq_rig_destroy(RvqRig *f);

TinyStream rvq_rig_encode(const PictureModel *model, const TinyPicture *picture, PictureSetting setting, RsdThreads *threads);
/* Pixels are the caller's, NULL after an error. */
RsdStatus rvq_rig_decode(const PictureModel *model, const uint8_t *bytes, size_t size, bool keep_going, RsdThreads *threads, float **rgb,
                         RsdError *err);

/* The model as a file's bytes, and a model of other bytes, both through one temporary file, which rvq_rig_forget removes. */
uint8_t *rvq_rig_save(const RvqRig *f, size_t *size);
RsdStatus rvq_rig_load(ImageCodec **codec, const uint8_t *bytes, size_t size, ImageCodecUse use, RsdError *err);
void rvq_rig_forget(void);

#endif
