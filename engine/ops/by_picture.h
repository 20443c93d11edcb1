/* by_picture.h - a measure of two pictures that lives outside the tape: a function of plain arrays that gives its own gradient.
 *
 * For measures whose formula is double precision from end to end (transforms of whole pictures, statistics of them), where a
 * node for each step would cost more than it explains. The pictures of a batch are the tasks.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_OPS_BY_PICTURE_H
#define RESIDUA_OPS_BY_PICTURE_H

#include "engine/tape.h"

/* x, y [C, h, w], finite -> *value and, unless dy is NULL, its derivative by y [C, h, w], all of it written and finite. Called
 * from several threads at a time. */
typedef RsdStatus (*PictureMeasure)(double *value, float *dy, const float *x, const float *y, int64_t h, int64_t w,
                                    RsdError *err);

/* x, y [B, C, H, W] of one shape -> value [B]. A picture with a sample that is not finite has the value and the gradient NaN.
 * When the tape records, the gradient is computed at once; backward only scales it. Gradients flow to y.
 * Errors: RSD_ERR_ARG naming the shapes, RSD_ERR_MEMORY, those of the measure. */
RsdStatus op_by_picture(Tape *tape, PictureMeasure measure, Tensor *x, Tensor *y, Tensor **value, RsdError *err);

/* The same of a measure that can use threads inside of a picture, with the same bits for any number of them: where there are fewer
 * pictures than threads they are measured one after the other, each by all threads; otherwise threads is NULL. */
typedef RsdStatus (*ThreadedMeasure)(double *value, float *dy, const float *x, const float *y, int64_t h, int64_t w, RsdThreads *threads,
                                     RsdError *err);
RsdStatus op_by_threaded_picture(Tape *tape, ThreadedMeasure measure, Tensor *x, Tensor *y, Tensor **value, RsdError *err);

#endif
