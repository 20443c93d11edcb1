/* painted.c - sines across and down in three colours.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/trainer/painted.h"

#include <math.h>
#include <stdio.h>

#include <criterion/criterion.h>

#include "engine/base/rng.h"
#include "engine/kernels/kernels.h"
#include "media/image_writer.h"
#include "tests/trainer/recordings.h"

void painted_write(const char *folder, const char *name, int64_t w, int64_t h, uint32_t sample)
{
    char path[2 * RECORDINGS_PATH_SIZE];
    Rng rng = rng_at(1, RNG_TEST, 0, sample);
    RsdError err = {0};
    Image *image;
    float phase[6];

    for (int i = 0; i < 6; i++)
        phase[i] = 6.0f * rng_uniform(&rng);
    cr_assert_eq(image_create(&image, w, h, 3, 8, false, &err), RSD_OK, "%s", err.text);
    for (int c = 0; c < 3; c++)
        for (int64_t y = 0; y < h; y++)
            for (int64_t x = 0; x < w; x++)
                ((uint8_t *)image->planes)[(c * h + y) * w + x] =
                    (uint8_t)(128 + 50 * sinf(0.05f * (float)x + phase[c]) + 50 * sinf(0.07f * (float)y + phase[c + 3]));
    snprintf(path, sizeof path, "%s/%s", folder, name);
    cr_assert_eq(image_write(image, path, NULL, &err), RSD_OK, "%s", err.text);
    image_destroy(&image);
}

void painted_write_all(const char *folder, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        char name[16];

        snprintf(name, sizeof name, "p%u.png", i);
        painted_write(folder, name, 100 + 10 * i, 90, i);
    }
}

void painted_tiny_config(TrainConfig *cfg)
{
    RsdError err = {0};

    train_config_init(cfg);
    cr_assert_eq(train_config_parse(cfg,
                                    "[model]\nkind = picture\nname = tiny\n"
                                    "[picture]\nlatent = 8\nhyper = 4\nwidths = 8,8,8\nencoder_blocks = 0,1,0\n"
                                    "decoder_blocks = 0,1,0\ncontext = 4\nentropy = 12\ncrop = 64\nvalid_side = 64\nearly_share = 0.3\nstart_batches = 0\n"
                                    "soft_start = 0.5\ninteger_start = 0.7\nsynthetic = 0.2\n"
                                    "[data]\nbatch = 2\nworkers = 0\nvalid_every = 4\nvalid_clips = 1\n"
                                    "[train]\nsteps = 6\nlog_every = 1\nvalid_steps = 0\n"
                                    "[optim]\nmethod = muon\nlr = 0.002\nwarmup = 0\nschedule = constant\nclip = 0\nema = 0.9\n",
                                    "text", &err),
                 RSD_OK, "%s", err.text);
}

void painted_open_run(PaintedRun *run, int n_threads)
{
    const char *dirs[] = {run->data_dir};
    RsdError err = {0};

    memset(run, 0, sizeof *run);
    recordings_make_folder(run->data_dir);
    painted_write_all(run->data_dir, 4);
    painted_tiny_config(&run->config);
    cr_assert_eq(picture_list_scan(&run->list, dirs, 1, &err), RSD_OK, "%s", err.text);
    cr_assert_eq(pictures_create(&run->pictures, run->list, &run->config, &err), RSD_OK, "%s", err.text);
    cr_assert_eq(rsd_threads_create(&run->threads, n_threads, &err), RSD_OK);
    cr_assert_eq(image_step_create(&run->step, &run->config, run->threads, NULL, &err), RSD_OK, "%s", err.text);
    cr_assert_eq(train_state_create(&run->state, &run->config, kernels_pick(), &err), RSD_OK, "%s", err.text);
}

void painted_close_run(PaintedRun *run)
{
    train_state_destroy(&run->state);
    image_step_destroy(&run->step);
    rsd_threads_destroy(&run->threads);
    pictures_destroy(&run->pictures);
    picture_list_destroy(&run->list);
    recordings_remove(run->data_dir);
}
