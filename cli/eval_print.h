/* eval_print.h - results of `residua eval` as a table, as JSON and as CSV, on standard output.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_CLI_EVAL_PRINT_H
#define RESIDUA_CLI_EVAL_PRINT_H

#include "cli/eval_kind.h"
#include "losses/interval.h"
#include "losses/quantiles.h"

#define EVAL_SCHEMA 1 /* of --json; a field changes its meaning only together with this number */

typedef enum EvalForm { EVAL_TABLE, EVAL_JSON, EVAL_CSV } EvalForm;

/* Why a value is a convention: "silent reference"; NULL for an ordinary one. */
const char *eval_flag_words(const EvalKind *kind, unsigned flags);

/* "13.57", "(inf)", "-". Returns `text`. */
#define EVAL_VALUE_SIZE 40
const char *eval_value_text(char text[EVAL_VALUE_SIZE], const EvalMetric *metric, const MetricValue *value);

void eval_print_heading(EvalForm form, const EvalSet *set, size_t n_pairs);
void eval_print_pair(EvalForm form, const Pair *pair, const EvalResult *r, const EvalSet *set, size_t n_pairs,
                     bool per_channel);

/* means, quantiles [n_metrics]; n_missed: limits that were not kept. */
void eval_print_summary(EvalForm form, const char *shard, const EvalSet *set, const Interval *means, const Quantiles *quantiles, size_t n_pairs,
                        size_t n_failed, size_t n_missed);

/* Fields of one pair, for --json and the report. */
void eval_json_pair(JsonLine *line, const Pair *pair, const EvalResult *r, const EvalSet *set);

#endif
