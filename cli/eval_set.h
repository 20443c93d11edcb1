/* eval_set.h - the metrics that `residua eval` was asked for, and the limits they have to keep.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_CLI_EVAL_SET_H
#define RESIDUA_CLI_EVAL_SET_H

#include "cli/options.h"
#include "losses/audio_metric.h"

#define EVAL_MAX_METRICS 64
#define EVAL_MAX_LIMITS (2 * MAX_LIST)

/* What table, JSON, CSV and report need to know of a metric, whatever it measures. */
typedef struct EvalMetric {
    const char *name, *title, *unit, *summary;
    MetricBetter better;
    int n_digits;
    const AudioMetric *audio;
} EvalMetric;

typedef struct EvalSet {
    EvalMetric items[EVAL_MAX_METRICS];
    size_t n;
} EvalSet;

/* list: names divided by commas; NULL: the usual ones; "all": every one. A name given twice counts once.
 * Errors: RSD_ERR_ARG, naming the nearest metric. */
RsdStatus eval_set_choose(EvalSet *set, const char *list, RsdError *err);

/* "higher", "lower" or "near 0". */
const char *eval_better_text(MetricBetter better);

/* NAME=VALUE of --fail-below and --fail-above. */
typedef struct EvalLimit {
    size_t metric; /* in the set */
    bool above;    /* fails above the value, not below */
    double value;
} EvalLimit;

typedef struct EvalLimits {
    EvalLimit items[EVAL_MAX_LIMITS];
    size_t n;
} EvalLimits;

/* Metrics that are not in the set yet are added. Errors: RSD_ERR_ARG. */
RsdStatus eval_limits_parse(EvalLimits *limits, EvalSet *set, const TextList *below, const TextList *above,
                            RsdError *err);

#endif
