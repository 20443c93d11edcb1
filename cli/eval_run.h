/* eval_run.h - all pairs, on several threads, printed in their order.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_CLI_EVAL_RUN_H
#define RESIDUA_CLI_EVAL_RUN_H

#include "cli/eval_print.h"
#include "engine/base/threads.h"

typedef struct EvalRun {
    /* Set by the caller. */
    PairList pairs; /* of one kind, borrowed */
    const EvalSet *set;
    const EvalLimits *limits;
    EvalOptions options;
    EvalForm form;
    bool per_channel;
    const char *shard; /* "2/4": the pairs are a part of them; NULL: all */
    Console *console;
    /* Results. */
    EvalResult *results; /* [n_pairs] */
    Interval *means;     /* [n_metrics]; conventions and infinite values are left out */
    Quantiles *quantiles; /* [n_metrics]; of the same values */
    size_t n_failed, n_missed;
} EvalRun;

/* Measures and prints; what is printed does not depend on the number of threads. With options.turn large pairs are
 * measured one at a time, so memory does not grow with the threads. Errors: RSD_ERR_MEMORY; those of single pairs are in their results. */
RsdStatus eval_run(EvalRun *run, RsdThreads *threads, RsdError *err);
void eval_run_clear(EvalRun *run);

#endif
