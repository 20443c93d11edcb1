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

typedef struct EvalKind EvalKind; /* cli/eval_kind.h */
struct EvalOptions;

/* What table, JSON, CSV and report need to know of a metric, whatever it measures. */
typedef struct EvalMetric {
    const char *name, *title, *unit, *summary;
    MetricBetter better;
    int n_digits;
    bool usual;          /* part of what is shown when no metrics were chosen */
    bool by_channel;     /* single channels have values too */
    const void *of_kind; /* AudioMetric, ImageMetric */
} EvalMetric;

typedef struct EvalSet {
    const EvalKind *kind;
    EvalMetric items[EVAL_MAX_METRICS];
    size_t n;
} EvalSet;

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

/* What was asked for, as it was typed. */
typedef struct EvalWishes {
    const char *metrics; /* names divided by commas, "-" as good as "_"; NULL: the usual ones; "all": every one */
    TextList below, above;
} EvalWishes;

/* Every name must be that of a metric of one of `kinds` [n_kinds] (NULL where a kind is not among the pairs), every limit have
 * its value. Errors: RSD_ERR_ARG, naming the nearest metric, or what the metric measures. */
RsdStatus eval_wishes_check(const EvalWishes *wishes, const EvalKind *const *kinds, size_t n_kinds, RsdError *err);

/* Those of one kind; names of others are passed over, so *set may stay empty, and a name given twice counts once. The metrics
 * of limits that are not in the set are added. Errors: RSD_ERR_ARG (a metric named lacks what it needs). */
RsdStatus eval_set_choose(EvalSet *set, EvalLimits *limits, const EvalKind *kind, const EvalWishes *wishes,
                          const struct EvalOptions *options, RsdError *err);

/* "higher", "lower" or "near 0". */
const char *eval_better_text(MetricBetter better);

#endif
