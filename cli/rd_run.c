/* rd_run.c - tasks of one recording and one codec, then means, then curves.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cli/rd_run.h"

#include <math.h>
#include <pthread.h>
#include <string.h>

#include "engine/base/mem.h"
#include "losses/align.h"
#include "media/audio_reader.h"

#define MAX_DELAY_S 0.1 /* what a codec may leave after its declared delay is gone */

/* One recording at one point. */
typedef struct Trial {
    RsdStatus status;
    RsdError err;
    int64_t n_bytes;
    double seconds, encode_s, decode_s;
    MetricValue *values; /* [n_metrics] */
} Trial;

typedef struct Work {
    RdRun *run;
    Trial *trials;       /* [n_files, n_points] */
    MetricValue *values; /* [n_files, n_points, n_metrics] */
    pthread_mutex_t saying;
    size_t n_done;
} Work;

static RsdStatus read_begin(float **samples, int64_t *n, const char *path, const RdRun *run, RsdError *err)
{
    AudioReaderOptions options = {.rate_hz = run->rate_hz, .channels = run->channels};
    size_t most = (size_t)(run->seconds * run->rate_hz), got = 0;
    AudioReader *reader = NULL;
    RsdStatus status = RSD_OK;

    *samples = NULL;
    TRY(audio_reader_open(&reader, path, &options, err));
    TRY(mem_alloc(samples, most * (size_t)run->channels, sizeof **samples, err));
    TRY(audio_reader_read(reader, *samples, most, &got, err));
    CHECK(got > 0, err, RSD_ERR_CORRUPT, "%s: holds no samples", path);
    for (int c = 1; c < run->channels; c++)
        memmove(*samples + (size_t)c * got, *samples + (size_t)c * most, got * sizeof **samples);
    *n = (int64_t)got;
fail:
    audio_reader_close(&reader);
    if (status != RSD_OK)
        mem_free(samples);
    return status;
}

static RsdStatus measure(Trial *t, const RdRun *run, const float *x, int64_t n, const RdCoded *coded, RsdError *err)
{
    Alignment found;
    int64_t ref_from, dist_from, n_common;
    MetricChannels both;
    RsdStatus status = RSD_OK;

    TRY(align_find(&found, x, n, coded->samples, coded->n, run->rate_hz, (int64_t)(MAX_DELAY_S * run->rate_hz), err));
    align_overlap(found.lag_samples, n, coded->n, &ref_from, &dist_from, &n_common);
    both = (MetricChannels){x + ref_from,  coded->samples + dist_from,
                            (size_t)n,     (size_t)coded->n,
                            run->channels, n_common,
                            run->rate_hz,  &run->aids};
    for (size_t m = 0; m < run->set->n; m++)
        TRY(audio_metric_measure(&t->values[m], NULL, run->set->items[m].of_kind, &both, err));
fail:
    return status;
}

static RsdStatus try_point(Trial *t, const RdRun *run, const RdPoint *point, const float *x, int64_t n, RsdError *err)
{
    RdCoded coded = {0};
    RsdStatus status = RSD_OK;

    TRY(rd_code(&coded, point->codec, point->setting, run->model, x, run->channels, n, run->rate_hz, err));
    t->n_bytes = coded.n_bytes;
    t->encode_s = coded.encode_s;
    t->decode_s = coded.decode_s;
    t->seconds = (double)n / run->rate_hz;
    TRY(measure(t, run, x, n, &coded, err));
fail:
    mem_free(&coded.samples);
    return status;
}

static void tell_progress(Work *work)
{
    RdRun *run = work->run;

    pthread_mutex_lock(&work->saying);
    work->n_done++;
    if (console_wants_progress(run->console))
        console_progress(run->console, "%zu of %zu", work->n_done, run->files->n_files * run->n_codecs);
    pthread_mutex_unlock(&work->saying);
}

static void codec_task(void *ctx, int64_t i, int worker)
{
    Work *work = ctx;
    RdRun *run = work->run;
    size_t file = (size_t)i / run->n_codecs;
    const RdCodec *codec = &run->codecs[(size_t)i % run->n_codecs];
    const char *path = run->files->files[file].path;
    float *x = NULL;
    int64_t n = 0;
    RsdError err = {0};
    RsdStatus status = read_begin(&x, &n, path, run, &err);

    (void)worker;
    for (size_t p = 0; p < run->n_points; p++) {
        Trial *t = &work->trials[file * run->n_points + p];

        if (run->points[p].codec != codec)
            continue;
        t->err = err;
        t->status = status == RSD_OK ? try_point(t, run, &run->points[p], x, n, &t->err) : status;
    }
    mem_free(&x);
    tell_progress(work);
}

/* ---- means ---- */

static Interval mean_of(const Work *work, size_t p, size_t m, double *scratch)
{
    const RdRun *run = work->run;
    size_t n = 0;

    for (size_t f = 0; f < run->files->n_files; f++) {
        const MetricValue *value = &work->trials[f * run->n_points + p].values[m];

        if (!value->flags && isfinite(value->value))
            scratch[n++] = value->value;
    }
    return interval_of(scratch, n);
}

static void sum_point(const Work *work, size_t p, double *scratch)
{
    RdRun *run = work->run;
    RdPoint *point = &run->points[p];
    double bytes = 0, seconds = 0, encode_s = 0, decode_s = 0;

    for (size_t f = 0; f < run->files->n_files; f++) {
        const Trial *t = &work->trials[f * run->n_points + p];

        if (t->status != RSD_OK) {
            point->err = t->err;
            return;
        }
        bytes += (double)t->n_bytes;
        seconds += t->seconds;
        encode_s += t->encode_s;
        decode_s += t->decode_s;
    }
    point->usable = true;
    point->kbps = 8e-3 * bytes / seconds;
    point->encode_speed = seconds / (encode_s + 1e-9);
    point->decode_speed = seconds / (decode_s + 1e-9);
    run->total_s = seconds;
    for (size_t m = 0; m < run->set->n; m++)
        point->values[m] = mean_of(work, p, m, scratch);
}

static size_t curve_of(BdPoint *curve, const RdRun *run, const RdCodec *codec, size_t m)
{
    double sign = run->set->items[m].better == METRIC_LOWER ? -1 : 1;
    size_t n = 0;

    for (size_t p = 0; p < run->n_points; p++)
        if (run->points[p].codec == codec && run->points[p].usable && run->points[p].values[m].n)
            curve[n++] = (BdPoint){run->points[p].kbps, sign * run->points[p].values[m].mean};
    return n;
}

static RsdStatus compare_codecs(RdRun *run, RsdError *err)
{
    BdPoint test[RD_MAX_SETTINGS], anchor[RD_MAX_SETTINGS];
    RsdStatus status = RSD_OK;

    for (size_t m = 0; m < run->set->n; m++) {
        size_t n_anchor = curve_of(anchor, run, &run->codecs[run->anchor], m);

        for (size_t c = 0; c < run->n_codecs; c++) {
            BdRate *bd = &run->bd[c][m];

            if (run->set->items[m].better == METRIC_NEAR_ZERO) {
                *bd = (BdRate){.why = "not a quality"};
                continue;
            }
            TRY(bd_rate(bd, test, curve_of(test, run, &run->codecs[c], m), anchor, n_anchor, err));
            if (run->set->items[m].better == METRIC_LOWER) { /* back to the values that people see */
                double from = bd->from;

                bd->from = -bd->to;
                bd->to = -from;
            }
        }
    }
fail:
    return status;
}

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
fail:
    return status;
}

RsdStatus rd_run(RdRun *run, RsdThreads *threads, RsdError *err)
{
    Work work = {.run = run, .saying = PTHREAD_MUTEX_INITIALIZER};
    size_t n_files = run->files->n_files, n_trials;
    double *scratch = NULL;
    char text[RD_SETTING_SIZE];
    RsdStatus status = RSD_OK;

    TRY(list_points(run, err));
    n_trials = n_files * run->n_points;
    TRY(mem_calloc(&work.trials, n_trials, sizeof *work.trials, err));
    TRY(mem_calloc(&work.values, n_trials * run->set->n, sizeof *work.values, err));
    TRY(mem_alloc(&scratch, n_files, sizeof *scratch, err));
    for (size_t i = 0; i < n_trials; i++)
        work.trials[i].values = work.values + i * run->set->n;
    threads_for(threads, (int64_t)(n_files * run->n_codecs), codec_task, &work);
    console_clear_line(run->console);
    for (size_t p = 0; p < run->n_points; p++) {
        sum_point(&work, p, scratch);
        if (!run->points[p].usable)
            console_say(run->console, LOG_WARNING, "%s at %s is left out: %s", run->points[p].codec->title,
                        rd_setting_text(text, run->points[p].setting), run->points[p].err.text);
    }
    TRY(compare_codecs(run, err));
fail:
    mem_free(&work.trials);
    mem_free(&work.values);
    mem_free(&scratch);
    return status;
}

void rd_run_clear(RdRun *run)
{
    mem_free(&run->points);
}
