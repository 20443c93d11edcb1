/* eval_pair.h - one original and its reconstruction: read in one form, aligned, measured.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_CLI_EVAL_PAIR_H
#define RESIDUA_CLI_EVAL_PAIR_H

#include "cli/eval_set.h"
#include "cli/pairs.h"
#include "losses/align.h"
#include "losses/loudness.h"

#define EVAL_NOTES_SIZE 512

typedef struct EvalOptions {
    double rate_hz; /* 0: that of the reference */
    double max_delay_s;
    bool no_align;
    MetricAids aids;
} EvalOptions;

/* Both recordings in one form. */
typedef struct EvalSignals {
    float *ref, *dist; /* planar [channels, n_ref], [channels, n_dist] */
    int64_t n_ref, n_dist;
    int rate_hz, channels;
    Alignment alignment;
    int64_t ref_from, dist_from, n_common; /* what both have */
} EvalSignals;

/* What came out; without the signals, so that thousands can be kept. */
typedef struct EvalResult {
    RsdStatus status;
    RsdError err;
    char notes[EVAL_NOTES_SIZE]; /* what was changed before the comparison; lines that end with '\n' */
    int rate_hz, channels;
    int64_t n_ref, n_dist, n_common;
    Alignment alignment;
    Loudness ref_loudness, dist_loudness;
    MetricValue *values; /* [n_metrics] */
    MetricValue *each;   /* [channels, n_metrics] */
} EvalResult;

/* Reads and aligns; says in notes (may be NULL) what had to be changed. Errors: those of the reader; RSD_ERR_CORRUPT
 * (nothing in common), RSD_ERR_MEMORY. */
RsdStatus eval_signals_load(EvalSignals *signals, const Pair *pair, const EvalOptions *options,
                            char notes[EVAL_NOTES_SIZE], RsdError *err);
void eval_signals_clear(EvalSignals *signals);

/* Everything about one pair. result->status tells whether it went well. Any thread. */
void eval_pair_measure(EvalResult *result, const Pair *pair, const EvalSet *set, const EvalOptions *options);
void eval_result_clear(EvalResult *result);

#endif
