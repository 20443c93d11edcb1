/* audio_metric.h - every audio metric behind one interface: by name, with unit and direction, on plain arrays.
 *
 * All arithmetic is in double precision and on one thread, so a value is the same on every run. Signals are compared
 * sample by sample: align them first (losses/align.h) unless the delay is known to be zero.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_AUDIO_METRIC_H
#define RESIDUA_AUDIO_METRIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/error.h"

/* One channel of both signals, equally long. */
typedef struct MetricSignals {
    const float *ref, *dist; /* [n] borrowed: the original, and what came out of the codec */
    int64_t n;               /* at least 1 */
    int rate_hz;
} MetricSignals;

/* Why a value should not be averaged with others; bits. */
typedef enum MetricFlag {
    METRIC_TOO_SHORT = 1, /* the signal is shorter than what the metric looks at: the value is a convention */
    METRIC_SILENT_REFERENCE = 2,
    METRIC_IDENTICAL = 4 /* no difference at all: the value may be infinite */
} MetricFlag;

typedef struct MetricValue {
    double value; /* may be infinite, never NaN */
    unsigned flags;
} MetricValue;

/* Errors: RSD_ERR_ARG (n or rate out of range), RSD_ERR_NUMERIC (NaN or infinity in a signal), RSD_ERR_MEMORY. */
typedef RsdStatus (*MetricFunction)(MetricValue *out, const MetricSignals *signals, RsdError *err);

typedef struct AudioMetric {
    const char *name;    /* "estoi": option value, key of --json */
    const char *title;   /* "ESTOI" */
    const char *unit;    /* "dB", "" for none */
    const char *summary; /* one sentence for help and manual */
    bool higher_is_better;
    int n_digits; /* after the point, when printed */
    MetricFunction function;
} AudioMetric;

/* i-th metric, NULL past the end; by name, NULL when unknown. */
const AudioMetric *audio_metric_at(size_t i);
const AudioMetric *audio_metric_find(const char *name);

/* Mean over channels: ref and dist planar, channel c at c * stride. Flags are those of all channels.
 * Checks the signals; errors as MetricFunction. */
RsdStatus audio_metric_apply(MetricValue *out, const AudioMetric *metric, const float *ref, size_t ref_stride,
                             const float *dist, size_t dist_stride, int channels, int64_t n, int rate_hz,
                             RsdError *err);

#endif
