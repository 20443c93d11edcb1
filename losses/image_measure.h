/* image_measure.h - what every image measure is made of; for the files of the families and the two tables only.
 *
 * A measure is written once, as ops on a tape: recorded it is a loss, otherwise a metric. It returns a number that is smaller
 * for closer pictures (1 - s for a similarity s), because the difference from perfect is what float32 can hold exactly; the
 * table of metrics turns it into the published number.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_IMAGE_MEASURE_H
#define RESIDUA_IMAGE_MEASURE_H

#include "engine/ops/filter2d.h"
#include "engine/tape.h"
#include "losses/image_nets.h"

/* ref, dist [B, 3, H, W], at least as large as the measure needs -> value [B], or [1] when the mean over all pictures is the
 * mean of their values. params is the measure's own; nets has what it asked for. Gradients flow to dist. */
typedef RsdStatus (*ImageMeasure)(Tape *tape, const void *params, const ImageNets *nets, Tensor *ref, Tensor *dist,
                                  Tensor **value, RsdError *err);

/* Checks that both are [B, 3, H, W] of one shape with at least one pixel, and extends both by their mirror image to min_side
 * where they are smaller; *was_small (may be NULL) tells. Errors: RSD_ERR_ARG naming the shapes, RSD_ERR_MEMORY. */
RsdStatus image_prepare(Tape *tape, int min_side, Tensor **ref, Tensor **dist, bool *was_small, RsdError *err);

/* --- parts that several measures share --------------------------------------------------------------------------------- */

/* The first row, or all three, of YIQ [image.md 11] times scale: [B, 1, H, W] and [B, 3, H, W]. */
RsdStatus image_luma(Tape *tape, Tensor *x, float scale, Tensor **y, RsdError *err);
RsdStatus image_yiq(Tape *tape, Tensor *x, float scale, Tensor **y, RsdError *err);
/* Channels first .. first + n - 1. */
RsdStatus image_channels(Tape *tape, Tensor *x, int first, int n, Tensor **y, RsdError *err);

/* 2 x 2 means, after adding max(H mod 2, W mod 2) rows and columns of zeros at the end (avg2 of image.md 11). */
RsdStatus image_halve(Tape *tape, Tensor *x, Tensor **y, RsdError *err);
/* Means over n x n blocks, n = max(1, round(smaller side / 256)), halves to even, zeros around: what MDSI does first. */
RsdStatus image_shrink_to_256(Tape *tape, Tensor *x, Tensor **y, RsdError *err);

/* sqrt((K * a)^2 + (K^T * a)^2), K = outer product of `smooth` down and (-1, 0, 1) across, zeros beyond the edges. */
typedef struct EdgeOperator {
    float smooth[3];
} EdgeOperator;
extern const EdgeOperator edge_prewitt, edge_scharr;
RsdStatus image_edges(Tape *tape, const EdgeOperator *op, Tensor *x, Tensor **y, RsdError *err);

/* Of each picture: x [B, ..] -> y [B]. The deviation is that of the population; its gradient is 0 where it is 0. */
RsdStatus image_mean_each(Tape *tape, Tensor *x, Tensor **y, RsdError *err);
RsdStatus image_sum_each(Tape *tape, Tensor *x, Tensor **y, RsdError *err);
RsdStatus image_variance_each(Tape *tape, Tensor *x, Tensor **y, RsdError *err);
RsdStatus image_deviation_each(Tape *tape, Tensor *x, Tensor **y, RsdError *err);

/* v [B] as [B, 1, 1, 1], to be combined with pictures. */
RsdStatus image_spread(Tape *tape, Tensor *v, Tensor **y, RsdError *err);

#endif
