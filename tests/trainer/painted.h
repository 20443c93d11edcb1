/* painted.h - small pictures and a picture codec small enough to learn from them within a test.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_TESTS_PAINTED_H
#define RESIDUA_TESTS_PAINTED_H

#include <stdint.h>

#include "tests/trainer/recordings.h"
#include "trainer/image_step.h"
#include "trainer/pictures.h"
#include "trainer/train_state.h"

/* folder/name: soft blobs of colour, something that a small network learns in a few steps. */
void painted_write(const char *folder, const char *name, int64_t w, int64_t h, uint32_t sample);
/* p0.png, p1.png, ...: such pictures of 90 lines. */
void painted_write_all(const char *folder, uint32_t n);
void painted_tiny_config(TrainConfig *cfg);

/* Training of the tiny codec on four such pictures, before its first step; everything in it is its own until it is closed. */
typedef struct PaintedRun {
    char data_dir[RECORDINGS_PATH_SIZE];
    TrainConfig config;
    PictureList *list;
    Pictures *pictures;
    RsdThreads *threads;
    ImageStep *step;
    TrainState *state;
} PaintedRun;

void painted_open_run(PaintedRun *run, int n_threads);
void painted_close_run(PaintedRun *run);

#endif
