/* eval_run.c - tasks, order, means and limits.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cli/eval_run.h"

#include <math.h>
#include <pthread.h>
#include <string.h>

#include "engine/base/mem.h"

/* What one worker measures with. */
typedef struct Desk {
    RsdThreads *threads; /* of its own, NULL: those of the run */
    Tape *tape;
} Desk;

typedef struct Work {
    EvalRun *run;
    Desk *desks; /* [n_desks] */
    int n_desks;
    bool *done;       /* [n_pairs] */
    size_t n_printed; /* pairs 0 .. n_printed - 1 */
    size_t n_done;
    pthread_mutex_t printing;
} Work;

static void say_notes(Console *console, const char *notes)
{
    for (const char *line = notes; *line;) {
        int len = (int)strcspn(line, "\n");

        console_say(console, LOG_INFO, "%.*s", len, line);
        line += len + (line[len] == '\n');
    }
}

static void print_next(Work *work)
{
    EvalRun *run = work->run;
    const EvalResult *r = &run->results[work->n_printed];

    console_clear_line(run->console);
    say_notes(run->console, r->notes);
    eval_print_pair(run->form, &run->pairs.items[work->n_printed], r, run->set, run->pairs.n_items, run->per_channel);
    fflush(stdout);
    if (r->status != RSD_OK) {
        console_say_failure(run->console, &r->err);
        run->n_failed++;
    }
    work->n_printed++;
}

static void measure_task(void *ctx, int64_t i, int worker)
{
    Work *work = ctx;
    EvalRun *run = work->run;
    const Pair *pair = &run->pairs.items[i];

    eval_measure(&run->results[i], pair, run->set, &run->options, work->desks[worker].tape);
    pthread_mutex_lock(&work->printing);
    work->done[i] = true;
    work->n_done++;
    while (work->n_printed < run->pairs.n_items && work->done[work->n_printed])
        print_next(work);
    if (work->n_done < run->pairs.n_items && console_wants_progress(run->console))
        console_progress(run->console, "%zu of %zu  %s", work->n_done, run->pairs.n_items, pair->name);
    pthread_mutex_unlock(&work->printing);
}

/* magnitudes: of |value|. */
static size_t collect(double *scratch, const EvalRun *run, size_t m, bool magnitudes)
{
    size_t n = 0;

    for (size_t i = 0; i < run->pairs.n_items; i++) {
        const EvalResult *r = &run->results[i];

        if (r->status == RSD_OK && !r->values[m].flags && isfinite(r->values[m].value))
            scratch[n++] = magnitudes ? fabs(r->values[m].value) : r->values[m].value;
    }
    return n;
}

static bool is_missed(const EvalLimit *limit, double value)
{
    return limit->above ? value > limit->value : value < limit->value;
}

/* A mean that exists is compared, and so is each infinite value that is left out of it; where all values are conventions, each of
 * them is. */
static void check_limit(EvalRun *run, const EvalLimit *limit, double *scratch)
{
    const EvalMetric *metric = &run->set->items[limit->metric];
    bool magnitudes = metric->better == METRIC_NEAR_ZERO, missed = false;
    Interval mean = interval_of(scratch, collect(scratch, run, limit->metric, magnitudes));
    double worst = mean.mean;
    size_t n_seen = mean.n;

    if (mean.n)
        missed = is_missed(limit, mean.mean);
    for (size_t i = 0; i < run->pairs.n_items; i++) {
        const EvalResult *r = &run->results[i];
        const MetricValue *value = r->status == RSD_OK ? &r->values[limit->metric] : NULL;

        if (!value || value->flags & METRIC_NOT_APPLICABLE || (mean.n && (value->flags || isfinite(value->value))))
            continue;
        n_seen++;
        if (is_missed(limit, magnitudes ? fabs(value->value) : value->value)) {
            worst = value->value;
            missed = true;
        }
    }
    if (!n_seen)
        console_say(run->console, LOG_ERROR, "--fail-%s %s=%g: there is no value of %s",
                    limit->above ? "above" : "below", metric->name, limit->value, metric->name);
    else if (missed)
        console_say(run->console, LOG_ERROR, "%s is %.*f, %s the limit of %g", metric->name, metric->n_digits, worst,
                    limit->above ? "above" : "below", limit->value);
    run->n_missed += missed || !n_seen;
}

/* A pair is measured on one thread; all work on it when it is the only one. */
static RsdStatus open_desks(Work *work, RsdThreads *threads, RsdError *err)
{
    bool alone = work->run->pairs.n_items == 1;
    int n = alone ? 1 : rsd_threads_count(threads);
    RsdStatus status = RSD_OK;

    TRY(mem_calloc(&work->desks, (size_t)n, sizeof *work->desks, err));
    work->n_desks = n;
    for (int i = 0; i < n; i++) {
        if (!alone)
            TRY(rsd_threads_create(&work->desks[i].threads, 1, err));
        TRY(tape_create(&work->desks[i].tape, alone ? threads : work->desks[i].threads, 0, err));
    }
fail:
    return status;
}

static void close_desks(Work *work)
{
    for (int i = 0; i < work->n_desks; i++) {
        tape_destroy(&work->desks[i].tape);
        rsd_threads_destroy(&work->desks[i].threads);
    }
    mem_free(&work->desks);
}

RsdStatus eval_run(EvalRun *run, RsdThreads *threads, RsdError *err)
{
    Work work = {.run = run, .printing = PTHREAD_MUTEX_INITIALIZER};
    size_t n_pairs = run->pairs.n_items;
    double *scratch = NULL;
    RsdStatus status = RSD_OK;

    TRY(mem_calloc(&run->results, n_pairs, sizeof *run->results, err));
    TRY(mem_calloc(&run->means, run->set->n, sizeof *run->means, err));
    TRY(mem_calloc(&run->quantiles, run->set->n, sizeof *run->quantiles, err));
    TRY(mem_calloc(&work.done, n_pairs, sizeof *work.done, err));
    TRY(mem_alloc(&scratch, n_pairs, sizeof *scratch, err));
    eval_print_heading(run->form, run->set, n_pairs);
    TRY(open_desks(&work, threads, err));
    if (n_pairs == 1)
        measure_task(&work, 0, 0);
    else
        threads_for(threads, (int64_t)n_pairs, measure_task, &work);
    for (size_t m = 0; m < run->set->n; m++) {
        const size_t n = collect(scratch, run, m, false);

        run->means[m] = interval_of(scratch, n);
        run->quantiles[m] = quantiles_of(scratch, n);
    }
    for (size_t i = 0; i < run->limits->n; i++)
        check_limit(run, &run->limits->items[i], scratch);
    eval_print_summary(run->form, run->shard, run->set, run->means, run->quantiles, n_pairs, run->n_failed, run->n_missed);
    fflush(stdout);
fail:
    close_desks(&work);
    mem_free(&work.done);
    mem_free(&scratch);
    return status;
}

void eval_run_clear(EvalRun *run)
{
    for (size_t i = 0; run->results && i < run->pairs.n_items; i++)
        eval_result_clear(&run->results[i]);
    mem_free(&run->results);
    mem_free(&run->means);
    mem_free(&run->quantiles);
}
