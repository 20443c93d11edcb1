/* rd_run.c - tasks of one thing and one codec, then means, then curves.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cli/rd_run.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "cli/rd_trials.h"
#include "engine/base/mem.h"

#define WAIVED_ABOVE 1.25 /* times the limit of rates */

typedef struct Desk {
    RsdThreads *threads; /* of one */
    Tape *tape;
} Desk;

typedef struct Work {
    RdRun *run;
    RdTrial *trials;     /* [n_files, n_points] */
    MetricValue *values; /* [n_files, n_points, n_metrics] */
    Desk *desks;         /* [n_desks] */
    int n_desks;
    pthread_mutex_t saying, large;
    double began_s;
    size_t n_done; /* trials */
    bool *is_waived; /* [n_points] not tried: see waive_dear */
    bool is_searching; /* it is the turn of codecs that search, and not of the others */
    atomic_bool out_of_memory; /* the run has failed */
    atomic_bool has_complained; /* that trials cannot be kept */
} Work;

double rd_thread_time_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

bool rd_is_quality(const RdRun *run, size_t metric)
{
    return run->set->items[metric].better != METRIC_NEAR_ZERO;
}

const RdComparison *rd_comparison(const RdRun *run, size_t anchor, size_t codec, size_t metric)
{
    return &run->comparisons[(anchor * run->n_codecs + codec) * run->set->n + metric];
}

double rd_at_mark(const RdRun *run, size_t codec, size_t metric, size_t mark)
{
    return run->at_marks[(codec * run->set->n + metric) * RD_N_MARKS + mark];
}

const Interval *rd_each_at_mark(const RdRun *run, size_t codec, size_t metric, size_t mark)
{
    return &run->each_at_marks[(codec * run->set->n + metric) * RD_N_MARKS + mark];
}

size_t rd_count_at_mark(const RdRun *run, size_t metric, size_t mark)
{
    size_t n = 0;

    for (size_t c = 0; c < run->n_codecs; c++)
        if (rd_each_at_mark(run, c, metric, mark)->n)
            n = rd_each_at_mark(run, c, metric, mark)->n;
    return n;
}

/* ---- trials ---- */

static void tell_progress(Work *work)
{
    RdRun *run = work->run;
    const size_t n_trials = run->n_files * run->n_points;
    double spent_s;
    char left[DURATION_TEXT_SIZE];

    pthread_mutex_lock(&work->saying);
    work->n_done++;
    if (console_wants_progress(run->console)) {
        spent_s = console_clock() - work->began_s;
        console_progress(run->console, "%zu of %zu, %s left", work->n_done, n_trials,
                         console_duration(left, spent_s * (double)(n_trials - work->n_done) / (double)work->n_done));
    }
    pthread_mutex_unlock(&work->saying);
}

static void say(Work *work, const char *about, const char *text)
{
    pthread_mutex_lock(&work->saying);
    console_say(work->run->console, LOG_WARNING, "%s%s%s", about, *about ? ": " : "", text);
    pthread_mutex_unlock(&work->saying);
}

static void clear_thing(RdThing *thing)
{
    mem_free(&thing->samples);
    image_destroy(&thing->image);
}

/* A trial that was kept is not run again; what cannot be kept is said once, and the run goes on. */
static void try_or_recall(Work *work, RdTrial *t, size_t file, const RdCodec *codec, const RdSetting *setting, const RdThing *thing, Tape *tape)
{
    const RdRun *run = work->run;
    char key[RD_TRIAL_KEY_SIZE];
    RsdError err = {0};

    if (run->trials) {
        rd_trial_key(key, run, codec, setting, thing);
        if (rd_trials_find(run->trials, key, run->set, t))
            return;
    }
    t->status = run->kind->try(t, run, codec, setting, thing, tape, &t->err);
    if (run->trials && t->status == RSD_OK && rd_trials_add(run->trials, key, run->paths[file], run->set, t, &err) != RSD_OK &&
        !atomic_exchange(&work->has_complained, true))
        say(work, "", err.text);
}

static void try_points(Work *work, size_t file, const RdCodec *codec, const RdThing *thing, RsdStatus opened,
                       const RsdError *why, Tape *tape)
{
    const RdRun *run = work->run;

    for (size_t p = 0; p < run->n_points; p++) {
        RdTrial *t = &work->trials[file * run->n_points + p];

        if (run->points[p].codec != codec)
            continue;
        if (work->is_waived[p]) {
            tell_progress(work);
            continue;
        }
        t->is_missing = opened != RSD_OK;
        t->amount = thing->amount;
        if (t->is_missing) {
            t->status = opened;
            t->err = *why;
            for (size_t m = 0; m < run->set->n; m++)
                t->values[m].flags = METRIC_NOT_APPLICABLE;
        } else {
            try_or_recall(work, t, file, codec, run->points[p].setting, thing, tape);
        }
        tell_progress(work);
    }
}

/* What is large waits for its turn before it takes memory, and gives it back before the turn ends. */
static void codec_task(void *ctx, int64_t i, int worker)
{
    Work *work = ctx;
    const RdRun *run = work->run;
    const size_t file = (size_t)i / run->n_codecs;
    RdThing thing = {0};
    RsdError err = {0};
    RsdStatus opened;
    bool is_alone = false;

    if (atomic_load(&work->out_of_memory) || rd_codec_searches(&run->codecs[(size_t)i % run->n_codecs]) != work->is_searching)
        return;
    opened = run->kind->open(&thing, run->paths[file], run, false, &err);
    if (opened == RSD_ERR_MEMORY || opened == RSD_ERR_CORRUPT) { /* not every reader can tell large from damaged */
        clear_thing(&thing);
        pthread_mutex_lock(&work->large);
        is_alone = true;
        opened = run->kind->open(&thing, run->paths[file], run, true, &err);
    }
    if (opened == RSD_ERR_MEMORY)
        atomic_store(&work->out_of_memory, true);
    if (opened == RSD_OK && thing.note && (size_t)i % run->n_codecs == 0) /* the first codec's alone: all open it */
        say(work, run->paths[file], thing.note);
    try_points(work, file, &run->codecs[(size_t)i % run->n_codecs], &thing, opened, &err, work->desks[worker].tape);
    clear_thing(&thing);
    if (is_alone)
        pthread_mutex_unlock(&work->large);
}

static double rate_of(const RdRun *run, const RdTrial *t)
{
    return 8.0 * (double)t->n_bytes / t->amount * run->kind->rate_scale;
}

/* A search takes minutes, and comes to about the rate of the same setting without one: where that is far above the limit, it is not
 * begun. */
static bool is_dear_without_search(const Work *work, const RdPoint *searched)
{
    const RdRun *run = work->run;

    for (size_t p = 0; p < run->n_points; p++) {
        double sum = 0;

        if (run->points[p].codec->peer || rd_codec_searches(run->points[p].codec) || run->points[p].setting->quality != searched->setting->quality)
            continue;
        for (size_t f = 0; f < run->n_files; f++)
            sum += work->trials[f * run->n_points + p].n_bytes ? rate_of(run, &work->trials[f * run->n_points + p]) : 0;
        return sum > WAIVED_ABOVE * run->max_rate * (double)run->n_files;
    }
    return false;
}

static void waive_dear(Work *work)
{
    const RdRun *run = work->run;

    for (size_t p = 0; p < run->n_points; p++)
        work->is_waived[p] = run->max_rate > 0 && rd_codec_searches(run->points[p].codec) && is_dear_without_search(work, &run->points[p]);
}

static RsdStatus open_desks(Work *work, RsdThreads *threads, RsdError *err)
{
    const int n = rsd_threads_count(threads);
    RsdStatus status = RSD_OK;

    TRY(mem_calloc(&work->desks, (size_t)n, sizeof *work->desks, err));
    work->n_desks = n;
    for (int i = 0; i < n; i++) {
        TRY(rsd_threads_create(&work->desks[i].threads, 1, err));
        TRY(tape_create(&work->desks[i].tape, work->desks[i].threads, 0, err));
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

/* ---- means ---- */

static bool is_value(const MetricValue *value)
{
    return !value->flags && isfinite(value->value);
}

static Interval mean_of(const Work *work, size_t p, size_t m, double *scratch)
{
    const RdRun *run = work->run;
    size_t n = 0;

    for (size_t f = 0; f < run->n_files; f++) {
        const MetricValue *value = &work->trials[f * run->n_points + p].values[m];

        if (is_value(value))
            scratch[n++] = value->value;
    }
    return interval_of(scratch, n);
}

static void sum_point(const Work *work, size_t p, double *scratch)
{
    RdRun *run = work->run;
    RdPoint *point = &run->points[p];
    const double n = (double)(run->n_files - run->n_missing);
    double bytes = 0, amount = 0, encode_s = 0, decode_s = 0, rates = 0;

    if (work->is_waived[p]) {
        error_set(&point->err, RSD_ERR_ARG, "without a search it is already far above %.*f %s", run->kind->rate_digits, run->max_rate,
                  run->kind->rate_unit);
        return;
    }
    for (size_t f = 0; f < run->n_files; f++) {
        const RdTrial *t = &work->trials[f * run->n_points + p];

        if (t->is_missing)
            continue;
        if (t->status != RSD_OK) {
            point->err = t->err;
            return;
        }
        bytes += (double)t->n_bytes;
        amount += t->amount;
        encode_s += t->encode_s;
        decode_s += t->decode_s;
        rates += rate_of(run, t);
    }
    point->usable = true;
    point->rate = run->kind->mean_of_rates ? rates / n : 8.0 * bytes / amount * run->kind->rate_scale;
    point->encode_s = encode_s / n;
    point->decode_s = decode_s / n;
    point->encode_speed = run->kind->speed_scale * amount / (encode_s + 1e-9);
    point->decode_speed = run->kind->speed_scale * amount / (decode_s + 1e-9);
    run->total_amount = amount;
    for (size_t m = 0; m < run->set->n; m++)
        point->values[m] = mean_of(work, p, m, scratch);
}

/* Of a thing, why it could not be read: for any codec, so that all are compared over the same things. NULL: it could. */
static const RdTrial *find_missing(const Work *work, size_t f)
{
    const RdTrial *trials = &work->trials[f * work->run->n_points];

    for (size_t p = 0; p < work->run->n_points; p++)
        if (trials[p].is_missing)
            return &trials[p];
    return NULL;
}

static RsdStatus check_memory(const Work *work, RsdError *err)
{
    const size_t n_trials = work->run->n_files * work->run->n_points;

    for (size_t i = 0; i < n_trials; i++)
        if (work->trials[i].is_missing && work->trials[i].status == RSD_ERR_MEMORY)
            return error_set(err, RSD_ERR_MEMORY, "%s", work->trials[i].err.text);
    return RSD_OK;
}

static RsdStatus count_missing(const Work *work, RsdError *err)
{
    RdRun *run = work->run;
    const RdTrial *why = NULL;

    for (size_t f = 0; f < run->n_files; f++) {
        const RdTrial *missing = find_missing(work, f);

        if (!missing)
            continue;
        why = missing;
        run->n_missing++;
        console_say(run->console, LOG_WARNING, "left out: %s", missing->err.text);
        for (size_t p = 0; p < run->n_points; p++) {
            RdTrial *t = &work->trials[f * run->n_points + p];

            t->is_missing = true;
            for (size_t m = 0; m < run->set->n; m++)
                t->values[m] = (MetricValue){.flags = METRIC_NOT_APPLICABLE};
        }
    }
    if (run->n_missing == run->n_files)
        return error_set(err, RSD_ERR_CORRUPT, "none of %zu %s could be read: %s", run->n_files, run->kind->eval->things,
                         why->err.text);
    return RSD_OK;
}

/* Says what is left out, and why. */
static void judge_point(RdRun *run, RdPoint *point)
{
    const bool is_first = point == run->points || point[-1].codec != point->codec;
    char text[RD_SETTING_SIZE];

    if (!point->usable && point->err.status == RSD_ERR_MODULE) { /* at all of its settings */
        if (is_first)
            console_say(run->console, LOG_WARNING, "%s is left out: %s", point->codec->title, point->err.text);
    } else if (!point->usable) {
        console_say(run->console, LOG_WARNING, "%s at %s is left out: %s", point->codec->title,
                    rd_setting_text(text, point->codec, point->setting), point->err.text);
    } else if (run->max_rate > 0 && point->rate > run->max_rate) {
        point->usable = false;
        point->too_dear = true;
        error_set(&point->err, RSD_ERR_ARG, "%.*f %s are more than was asked for", run->kind->rate_digits, point->rate,
                  run->kind->rate_unit);
    }
}

/* ---- curves ---- */

static double sign_of(const EvalMetric *metric)
{
    return metric->better == METRIC_LOWER ? -1 : 1;
}

/* Of the means. */
static size_t curve_of(BdPoint *curve, const RdRun *run, const RdCodec *codec, size_t m)
{
    size_t n = 0;

    for (size_t p = 0; p < run->n_points; p++)
        if (run->points[p].codec == codec && run->points[p].usable && run->points[p].values[m].n)
            curve[n++] = (BdPoint){run->points[p].rate, sign_of(&run->set->items[m]) * run->points[p].values[m].mean};
    return n;
}

/* Of one file. all: with the points that are too dear in the mean, which may be cheap for this one. */
static size_t curve_of_file(BdPoint *curve, const Work *work, size_t file, const RdCodec *codec, size_t m, bool all)
{
    const RdRun *run = work->run;
    size_t n = 0;

    for (size_t p = 0; p < run->n_points; p++) {
        const RdTrial *t = &work->trials[file * run->n_points + p];

        if (run->points[p].codec == codec && (run->points[p].usable || (all && run->points[p].too_dear)) &&
            is_value(&t->values[m]))
            curve[n++] = (BdPoint){rate_of(run, t), sign_of(&run->set->items[m]) * t->values[m].value};
    }
    return n;
}

static RsdStatus compare_each(Interval *out, const Work *work, const RdCodec *codec, const RdCodec *anchor, size_t m,
                              double *scratch, RsdError *err)
{
    BdPoint test[RD_MAX_SETTINGS], other[RD_MAX_SETTINGS];
    size_t n = 0;
    BdRate bd;
    RsdStatus status = RSD_OK;

    for (size_t f = 0; f < work->run->n_files; f++) {
        const size_t n_other = curve_of_file(other, work, f, anchor, m, false);

        TRY(bd_rate(&bd, test, curve_of_file(test, work, f, codec, m, false), other, n_other, err));
        if (bd.known)
            scratch[n++] = bd.percent;
    }
    *out = interval_of(scratch, n);
fail:
    return status;
}

static RsdStatus compare(RdComparison *out, const Work *work, const RdCodec *codec, const RdCodec *anchor, size_t m,
                         double *scratch, RsdError *err)
{
    const RdRun *run = work->run;
    BdPoint test[RD_MAX_SETTINGS], other[RD_MAX_SETTINGS];
    BdRate *bd = &out->curve;
    RsdStatus status = RSD_OK;

    if (!rd_is_quality(run, m)) {
        *bd = (BdRate){.why = "not a quality"};
        return RSD_OK;
    }
    TRY(bd_rate(bd, test, curve_of(test, run, codec, m), other, curve_of(other, run, anchor, m), err));
    if (run->set->items[m].better == METRIC_LOWER) { /* back to the values that people see */
        double from = bd->from;

        bd->from = -bd->to;
        bd->to = -from;
    }
    TRY(compare_each(&out->each, work, codec, anchor, m, scratch, err));
fail:
    return status;
}

static RsdStatus read_marks(const RdRun *run, RsdError *err)
{
    BdPoint curve[RD_MAX_SETTINGS];
    double *at = run->at_marks;
    RsdStatus status = RSD_OK;

    for (size_t c = 0; c < run->n_codecs; c++)
        for (size_t m = 0; m < run->set->n; m++) {
            const size_t n = curve_of(curve, run, &run->codecs[c], m);

            for (size_t k = 0; k < RD_N_MARKS; k++, at++) {
                *at = NAN;
                if (!rd_is_quality(run, m))
                    continue;
                TRY(bd_quality_at(at, curve, n, run->kind->marks[k], err));
                *at *= sign_of(&run->set->items[m]);
            }
        }
fail:
    return status;
}

static bool has_points(const RdRun *run, const RdCodec *codec)
{
    for (size_t p = 0; p < run->n_points; p++)
        if (run->points[p].codec == codec && (run->points[p].usable || run->points[p].too_dear))
            return true;
    return false;
}

/* Adds what a file has at a mark to values [n_codecs, n_files], if every codec that coded anything reaches it. */
static RsdStatus read_file(double *values, size_t *n, const Work *work, size_t f, size_t m, double mark, RsdError *err)
{
    const RdRun *run = work->run;
    BdPoint curve[RD_MAX_SETTINGS];
    RsdStatus status = RSD_OK;

    for (size_t c = 0; c < run->n_codecs; c++) {
        double *value = &values[c * run->n_files + *n];

        if (!has_points(run, &run->codecs[c]))
            continue;
        TRY(bd_quality_at(value, curve, curve_of_file(curve, work, f, &run->codecs[c], m, true), mark, err));
        if (!isfinite(*value))
            return RSD_OK;
        *value *= sign_of(&run->set->items[m]);
    }
    (*n)++;
fail:
    return status;
}

static RsdStatus read_marks_of_each(const Work *work, RsdError *err)
{
    const RdRun *run = work->run;
    double *values = NULL;
    RsdStatus status = RSD_OK;

    TRY(mem_alloc(&values, run->n_codecs * run->n_files, sizeof *values, err));
    for (size_t m = 0; m < run->set->n; m++)
        for (size_t k = 0; k < RD_N_MARKS && rd_is_quality(run, m); k++) {
            size_t n = 0;

            for (size_t f = 0; f < run->n_files; f++)
                TRY(read_file(values, &n, work, f, m, run->kind->marks[k], err));
            for (size_t c = 0; c < run->n_codecs; c++)
                if (has_points(run, &run->codecs[c]))
                    run->each_at_marks[(c * run->set->n + m) * RD_N_MARKS + k] = interval_of(values + c * run->n_files, n);
        }
fail:
    mem_free(&values);
    return status;
}

static RsdStatus compare_all(const Work *work, double *scratch, RsdError *err)
{
    const RdRun *run = work->run;
    RdComparison *out = run->comparisons;
    RsdStatus status = RSD_OK;

    for (size_t a = 0; a < run->n_anchors; a++)
        for (size_t c = 0; c < run->n_codecs; c++)
            for (size_t m = 0; m < run->set->n; m++)
                TRY(compare(out++, work, &run->codecs[c], &run->codecs[run->anchors[a]], m, scratch, err));
    TRY(read_marks(run, err));
    TRY(read_marks_of_each(work, err));
fail:
    return status;
}

/* ---- the run ---- */

static RsdStatus list_points(RdRun *run, RsdError *err)
{
    size_t n = 0;
    RsdStatus status = RSD_OK;

    for (size_t c = 0; c < run->n_codecs; c++)
        n += run->codecs[c].n_settings;
    TRY(mem_calloc(&run->points, n, sizeof *run->points, err));
    for (size_t c = 0; c < run->n_codecs; c++)
        for (size_t s = 0; s < run->codecs[c].n_settings; s++)
            run->points[run->n_points++] = (RdPoint){.codec = &run->codecs[c], .setting = &run->codecs[c].ladder[s]};
    TRY(mem_calloc(&run->comparisons, run->n_anchors * run->n_codecs * run->set->n, sizeof *run->comparisons, err));
    TRY(mem_calloc(&run->at_marks, run->n_codecs * run->set->n * RD_N_MARKS, sizeof *run->at_marks, err));
    TRY(mem_calloc(&run->each_at_marks, run->n_codecs * run->set->n * RD_N_MARKS, sizeof *run->each_at_marks, err));
fail:
    return status;
}

RsdStatus rd_run(RdRun *run, RsdThreads *threads, RsdError *err)
{
    Work work = {.run = run,
                 .saying = PTHREAD_MUTEX_INITIALIZER,
                 .large = PTHREAD_MUTEX_INITIALIZER,
                 .began_s = console_clock()};
    size_t n_trials;
    double *scratch = NULL;
    RsdStatus status = RSD_OK;

    TRY(list_points(run, err));
    n_trials = run->n_files * run->n_points;
    TRY(mem_calloc(&work.trials, n_trials, sizeof *work.trials, err));
    TRY(mem_calloc(&work.values, n_trials * run->set->n, sizeof *work.values, err));
    TRY(mem_alloc(&scratch, run->n_files, sizeof *scratch, err));
    TRY(open_desks(&work, threads, err));
    for (size_t i = 0; i < n_trials; i++)
        work.trials[i].values = work.values + i * run->set->n;
    TRY(mem_calloc(&work.is_waived, run->n_points, sizeof *work.is_waived, err));
    threads_for(threads, (int64_t)(run->n_files * run->n_codecs), codec_task, &work);
    waive_dear(&work);
    work.is_searching = true;
    threads_for(threads, (int64_t)(run->n_files * run->n_codecs), codec_task, &work);
    console_clear_line(run->console);
    TRY(check_memory(&work, err));
    TRY(count_missing(&work, err));
    for (size_t p = 0; p < run->n_points; p++) {
        sum_point(&work, p, scratch);
        judge_point(run, &run->points[p]);
    }
    TRY(compare_all(&work, scratch, err));
fail:
    close_desks(&work);
    mem_free(&work.trials);
    mem_free(&work.values);
    mem_free(&work.is_waived);
    mem_free(&scratch);
    return status;
}

void rd_run_clear(RdRun *run)
{
    mem_free(&run->points);
    mem_free(&run->comparisons);
    mem_free(&run->at_marks);
    mem_free(&run->each_at_marks);
}
