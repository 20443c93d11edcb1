/* image_metric.h - every image metric behind one interface: by name, with unit and direction, on plain arrays.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_IMAGE_METRIC_H
#define RESIDUA_IMAGE_METRIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/tape.h"
#include "losses/image_measure.h"
#include "losses/image_nets.h"
#include "losses/metric_value.h"

/* Two pictures of one size: planar RGB [3, h, w] with values in [0, 1]. */
typedef struct ImagePair {
    const float *ref, *dist; /* borrowed: the original, and what came out of the codec */
    int64_t h, w;
    RsdThreads *threads; /* borrowed; NULL for none but the caller's. Any number gives the same bits */
} ImagePair;

/* A value in double from the samples themselves; pictures are finite and not empty. Errors: RSD_ERR_MEMORY. */
typedef RsdStatus (*ImageArrayMetric)(double *value, const ImagePair *pair, RsdError *err);

typedef struct ImageMetric {
    const char *name;    /* "ms_ssim": option value ("ms-ssim" finds it too), key of --json */
    const char *title;   /* "MS-SSIM" */
    const char *unit;    /* "dB", "" for none */
    const char *summary; /* one sentence for help and manual */
    const char *formula;
    const char *range;
    const char *needs;   /* "" or the name of a network */
    bool higher_is_better;
    int n_digits; /* after the point, when printed */
    int min_side; /* smaller pictures are extended by their mirror image and flagged METRIC_TOO_SHORT */
    /* One of the two: a measure (the value is offset + scale times what it returns), or a function of the samples. */
    ImageMeasure measure;
    const void *params;
    double offset, scale;
    ImageArrayMetric on_arrays;
    const char *cost; /* in words */
    bool usual;       /* part of what is shown when no metrics were chosen, as soon as its networks are there */
    bool by_channel;  /* a mean over R, G and B, so that each of them has a value of its own */
} ImageMetric;

/* i-th metric, NULL past the end; by name, NULL when unknown. */
const ImageMetric *image_metric_at(size_t i);
const ImageMetric *image_metric_find(const char *name);

/* tape: memory and threads of the work, reset before and after. nets: borrowed, NULL where nothing is needed.
 * Any number of threads gives the same bits. Errors: RSD_ERR_ARG (no pixels, or a network is missing), RSD_ERR_NUMERIC (NaN
 * or infinity in a picture, with its place), RSD_ERR_MEMORY. */
RsdStatus image_metric_apply(MetricValue *out, const ImageMetric *metric, const ImagePair *pair, const ImageNets *nets,
                             Tape *tape, RsdError *err);

/* Values of red, green and blue alone, METRIC_NOT_APPLICABLE unless metric->by_channel. Errors as image_metric_apply. */
RsdStatus image_metric_channels(MetricValue each[3], const ImageMetric *metric, const ImagePair *pair, Tape *tape, RsdError *err);

#endif
