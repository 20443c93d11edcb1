/* rd_rig.c - see rd_rig.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/cli/rd_rig.h"

#include <criterion/criterion.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "cli/picture_job.h"
#include "media/image_writer.h"
#include "tests/codec/tiny_picture.h"
#include "tests/losses/pictures.h"
#include "tests/media/fixture.h"

Image *rd_rig_picture(int channels)
{
    static float samples[3 * RD_RIG_PIXELS];
    Image *image;
    RsdError err = {0};

    picture_natural(samples, RD_RIG_HEIGHT, RD_RIG_WIDTH, 7);
    ASSERT_OK(image_from_float(&image, samples, NULL, RD_RIG_WIDTH, RD_RIG_HEIGHT, channels, 8, &err), err);
    return image;
}


void rd_rig_open(RdRig *b)
{
    Image *image = rd_rig_picture(3);
    EvalLimits limits;
    const EvalOptions options = {0};
    RsdError err = {0};

    fixture_open();
    snprintf(b->path, sizeof b->path, "%s", fixture_path("a.png"));
    ASSERT_OK(image_write(image, b->path, NULL, &err), err);
    image_destroy(&image);
    ASSERT_OK(eval_set_choose(&b->set, &limits, &eval_kind_image, &(EvalWishes){.metrics = "psnr,gmsd"}, &options, &err), err);
    b->run = (RdRun){.kind = &rd_kind_picture, .paths = b->paths, .n_files = 2, .set = &b->set, .codecs = b->codecs,
                     .n_codecs = 2, .n_anchors = 2, .anchors = {1, 0}, .console = &b->console};
    b->paths[0] = b->paths[1] = b->path;
    b->console.quiet = true;
    b->run.model.picture = (PictureModel *)(uintptr_t)tiny_picture_model();
    b->run.model.image = (ImageCodec *)(uintptr_t)tiny_picture_model()->codec;
    rd_describe_ours(&b->codecs[0], &b->run.model, PICTURE_EFFORT_USUAL, b->settings);
    for (size_t i = 0; rd_peer_at(i); i++)
        if (strcmp(rd_peer_at(i)->name, "webp") == 0)
            b->codecs[1] = *rd_peer_at(i);
}
