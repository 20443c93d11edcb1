/* landscape.h - a slice through the loss around trained weights.
 *
 *   f(a, b) = mean loss of some crops with the weights w + a d + b e,   -reach <= a, b <= reach
 *
 * d and e are normal random directions of which each filter (row of a weight matrix) has the length of the weights' own, so that slices of
 * networks whose weights have other scales can be compared [1]; vectors (biases, gains) and codebooks of moving averages stay as they are.
 * The weights are the averaged ones that are validated and exported; the crops are fixed by the run's seed and are no crops of training.
 *
 * [1] Li et al., Visualizing the Loss Landscape of Neural Nets, 2018.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_LANDSCAPE_H
#define RESIDUA_LANDSCAPE_H

#include "engine/base/threads.h"
#include "trainer/config.h"

#define LANDSCAPE_MAX_POINTS 101
#define LANDSCAPE_MAX_GRID 31

typedef struct LandscapeOptions {
    const char *const *dirs; /* folders of recordings, borrowed */
    size_t n_dirs;
    int n_points; /* of the line, odd: 3 to LANDSCAPE_MAX_POINTS */
    int n_grid;   /* of each side of the plane, odd: 3 to LANDSCAPE_MAX_GRID; 0: no plane */
    int n_crops;  /* 1 or more */
    double reach;
    double limit_s; /* what would take longer is refused after the first point, with the time it would take; 0: no limit */
    RsdThreads *threads;
    /* After each point; may be NULL. */
    void (*progress)(void *ctx, int n_done, int n_all, double left_s);
    void *progress_ctx;
} LandscapeOptions;

typedef struct Landscape {
    int64_t step;
    int n_points, n_grid, n_crops;
    double reach, seconds;
    double line[LANDSCAPE_MAX_POINTS];                   /* f(a, 0), a from -reach to reach */
    double plane[LANDSCAPE_MAX_GRID][LANDSCAPE_MAX_GRID]; /* f(a, b) at [b][a] */
} Landscape;

/* Of the newest sound checkpoint in run_dir, which stays as it is. Each point costs one pass of n_crops crops at each rate of the run,
 * without a way back. A loss that is not finite is infinity. Errors: RSD_ERR_ARG (a number out of range; no checkpoint; too long: says
 * what it would take), RSD_ERR_UNSUPPORTED (pictures), those of media_list_scan and checkpoint_load. */
RsdStatus landscape_measure(Landscape *out, const char *run_dir, const LandscapeOptions *options, RsdError *err);

#endif
