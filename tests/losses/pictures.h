/* pictures.h - pictures for the tests of image measures, and one call of a loss.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_TESTS_LOSSES_PICTURES_H
#define RESIDUA_TESTS_LOSSES_PICTURES_H

#include "losses/image_loss.h"
#include "losses/image_metric.h"

/* x [3, h, w]: smooth shades, edges and some grain in [0, 1], the same for the same seed. */
void picture_natural(float *x, int64_t h, int64_t w, uint32_t seed);
/* y = x + level times noise in [-1, 1), not clipped. */
void picture_disturb(float *y, const float *x, int64_t h, int64_t w, uint32_t seed, float level);

/* A tape with an estimate and a target. */
typedef struct PictureRun {
    RsdThreads *threads;
    Tape *tape;
    Tensor *estimate, *target, *value;
} PictureRun;
void picture_run_open(PictureRun *run, int n_threads, int64_t batch, int64_t h, int64_t w);
void picture_run_close(PictureRun *run);
/* Value and gradient of the loss; fails the test on an error. */
void picture_run_loss(PictureRun *run, const char *name, const ImageNets *nets);

#endif
