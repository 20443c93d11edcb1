/* rd_rig.h - a run of `residua bench rd` in memory, for tests: a small model of pictures and WebP on a picture named twice.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_TESTS_RD_RIG_H
#define RESIDUA_TESTS_RD_RIG_H

#include "cli/rd_run.h"
#include "media/image.h"

#define RD_RIG_WIDTH 96
#define RD_RIG_HEIGHT 80
#define RD_RIG_PIXELS (RD_RIG_WIDTH * RD_RIG_HEIGHT)

/* All that the run needs. */
typedef struct RdRig {
    RdRun run;
    RdCodec codecs[2];
    char settings[RD_SETTINGS_SIZE];
    EvalSet set;
    Console console;
    char path[512];
    const char *paths[2];
} RdRig;

/* 8 bits; the caller destroys it. */
Image *rd_rig_picture(int channels);
/* The picture is in the fixture's folder: fixture_close ends it. */
void rd_rig_open(RdRig *b);

#endif
