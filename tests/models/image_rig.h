/* image_rig.h - a small picture codec with random weights on one thread, for tests.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_TESTS_IMAGE_RIG_H
#define RESIDUA_TESTS_IMAGE_RIG_H

#include "models/image_codec.h"
#include "tests/shared.h"

typedef struct Rig {
    RsdThreads *threads;
    Tape *tape;
    ImageCodec *codec;
    RsdError err;
} Rig;

/* 8 latents, 6 hyper latents. */
ImageCodecConfig image_rig_config(void);
void image_rig_open(Rig *rig, const ImageCodecConfig *cfg);
void image_rig_open_small(Rig *rig); /* of image_rig_config */
void image_rig_close(Rig *rig);
/* Normal numbers [1, channels, h, w] of the tape. */
Tensor *image_rig_latents(Rig *rig, int64_t channels, int64_t h, int64_t w, float spread, uint32_t sample);

#endif
