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
#include "losses/metric_value.h"

/* Models that a metric cannot do without and that do not come with residua; NULL where the user named none. */
typedef struct MetricAids {
    const struct Svr *visqol; /* losses/svr.h */
} MetricAids;

/* One channel of both signals, equally long. */
typedef struct MetricSignals {
    const float *ref, *dist; /* [n] borrowed: the original, and what came out of the codec */
    int64_t n;               /* at least 1 */
    int rate_hz;
    const MetricAids *aids; /* never NULL */
} MetricSignals;

/* All channels of both signals, planar: channel c at c * stride. */
typedef struct MetricChannels {
    const float *ref, *dist; /* borrowed */
    size_t ref_stride, dist_stride;
    int channels; /* at least 1 */
    int64_t n;    /* at least 1 */
    int rate_hz;
    const MetricAids *aids;
} MetricChannels;

typedef enum MetricBetter { METRIC_HIGHER, METRIC_LOWER, METRIC_NEAR_ZERO } MetricBetter;

/* Errors: RSD_ERR_ARG (n or rate out of range), RSD_ERR_NUMERIC (NaN or infinity in a signal), RSD_ERR_MEMORY. */
typedef RsdStatus (*MetricFunction)(MetricValue *out, const MetricSignals *signals, RsdError *err);
typedef RsdStatus (*MetricWhole)(MetricValue *out, const MetricChannels *signals, RsdError *err);

typedef struct AudioMetric {
    const char *name;    /* "estoi": option value, key of --json */
    const char *title;   /* "ESTOI" */
    const char *unit;    /* "dB", "" for none */
    const char *summary; /* one sentence for help and manual */
    MetricBetter better;
    int n_digits;            /* after the point, when printed */
    MetricFunction function; /* of each channel; the value is their MetricMean */
    MetricWhole whole;       /* or of all channels together; one of the two is NULL */
    bool usual;              /* part of what is shown when no metrics were chosen */
} AudioMetric;

/* i-th metric, NULL past the end; by name, NULL when unknown. */
const AudioMetric *audio_metric_at(size_t i);
const AudioMetric *audio_metric_find(const char *name);

/* The mean over channels whose value is no convention, so that a silent one (the unused low frequencies of 5.1) does not make one of
 * all; where each is a convention, the mean of all with all their flags. Begin with zeros. */
typedef struct MetricMean {
    double sums[2]; /* of values without and with flags */
    int n[2];
    unsigned flags;
} MetricMean;

void metric_mean_add(MetricMean *mean, const MetricValue *value);
MetricValue metric_mean_value(const MetricMean *mean);

/* Checks the signals. *out is the value of the whole: a MetricMean over channels where the metric looks at single ones. each
 * [channels] (NULL: not wanted) are the values of single channels, METRIC_NOT_APPLICABLE for metrics of the whole. Errors as MetricFunction. */
RsdStatus audio_metric_measure(MetricValue *out, MetricValue *each, const AudioMetric *metric,
                               const MetricChannels *signals, RsdError *err);

/* The same without aids and single channels. */
RsdStatus audio_metric_apply(MetricValue *out, const AudioMetric *metric, const float *ref, size_t ref_stride,
                             const float *dist, size_t dist_stride, int channels, int64_t n, int rate_hz,
                             RsdError *err);

#endif
