/* image_rig.c - see image_rig.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/models/image_rig.h"

ImageCodecConfig image_rig_config(void)
{
    return (ImageCodecConfig){.name = "small", .latent = 8, .hyper = 6, .widths = {6, 8, 10}, .encoder_blocks = {1, 1, 1},
                              .decoder_blocks = {1, 1, 1}, .context = 4, .entropy = 12};
}

void image_rig_open(Rig *rig, const ImageCodecConfig *cfg)
{
    memset(rig, 0, sizeof *rig);
    ASSERT_OK(rsd_threads_create(&rig->threads, 1, &rig->err), rig->err);
    ASSERT_OK(tape_create(&rig->tape, rig->threads, 0, &rig->err), rig->err);
    ASSERT_OK(image_codec_create(&rig->codec, cfg, 5, &rig->err), rig->err);
}

void image_rig_open_small(Rig *rig)
{
    const ImageCodecConfig cfg = image_rig_config();

    image_rig_open(rig, &cfg);
}

void image_rig_close(Rig *rig)
{
    image_codec_destroy(&rig->codec);
    tape_destroy(&rig->tape);
    rsd_threads_destroy(&rig->threads);
}

Tensor *image_rig_latents(Rig *rig, int64_t channels, int64_t h, int64_t w, float spread, uint32_t sample)
{
    Rng rng = rng_at(4, RNG_TEST, 0, sample);
    Tensor *y;

    ASSERT_OK(tape_tensor(rig->tape, &y, 4, (int64_t[]){1, channels, h, w}, &rig->err), rig->err);
    for (int64_t i = 0; i < tensor_count(y); i++)
        y->data[i] = spread * rng_normal(&rng);
    return y;
}
