/* quality.c - `make quality`: our codec beside Opus and Codec 2 on real speech, with real bits.
 *
 *   quality [--json] [--each] [--model FILE] [--threads N] [FOLDER]
 *
 * Every file of FOLDER (default: data/valid/speech below $RESIDUA_SHARED, or below ../shared) is brought to 16 kHz
 * mono, coded by every system, decoded and brought back to 16 kHz. A system's delay is the median over files of the lag
 * found by cross-correlation within 100 ms; with it the signals are aligned and compared over what both have. Means are
 * over files, each with its 95 % interval (Student's t, files taken as independent). One task is one file with one
 * system; results do not depend on the number of threads.
 *
 * --json prints one object per system and line: {"system", "kbps", "files", "lag_ms", and for each metric its name with
 * "mean", "half_width_95" and "n"}; --each adds one object {"file", "system", ...} per file and system before them.
 *
 * SPDX-License-Identifier: MIT
 */
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/mem.h"
#include "engine/base/threads.h"
#include "losses/align.h"
#include "losses/audio_metric.h"
#include "media/audio_reader.h"
#include "tests/quality/report.h"

#define MAX_LAG_SAMPLES (QUALITY_RATE_HZ / 10)
#define MAX_FILE_SAMPLES ((int64_t)QUALITY_RATE_HZ * 3600)
#define DEFAULT_FOLDER "data/valid/speech"

static const QualitySystem systems[] = {
    {SYSTEM_RESIDUA, "residua 1.5k", 1500}, {SYSTEM_RESIDUA, "residua 3k", 3000},
    {SYSTEM_RESIDUA, "residua 6k", 6000},   {SYSTEM_OPUS, "Opus 6k", 6000},
    {SYSTEM_OPUS, "Opus 9k", 9000},         {SYSTEM_OPUS, "Opus 12k", 12000},
    {SYSTEM_CODEC2, "Codec 2 1200", 1200},  {SYSTEM_CODEC2, "Codec 2 2400", 2400},
    {SYSTEM_CODEC2, "Codec 2 3200", 3200},
};
#define N_SYSTEMS (sizeof systems / sizeof systems[0])

const char *const metric_names[N_METRICS] = {"estoi", "sisdr", "mel", "lsd"};

/* --- measuring ---------------------------------------------------------------------------------------------------- */

/* Codes one file and finds its lag. */
static RsdStatus code(Result *r, const Run *run, size_t file, const QualitySystem *system, RsdError *err)
{
    RsdStatus status = RSD_OK;
    Alignment found;
    int64_t n = run->lengths[file];

    TRY(system_code(&r->coded, system, run->model, run->signals[file], n, err));
    TRY(align_find(&found, run->signals[file], n, r->coded.samples, r->coded.n, 1, QUALITY_RATE_HZ, MAX_LAG_SAMPLES, err));
    r->kbps = (double)r->coded.n_bytes * 8 / ((double)n / QUALITY_RATE_HZ) / 1000;
    r->lag_samples = found.exact_lag;
fail:
    return status;
}

static void code_task(void *ctx, int64_t i, int worker)
{
    Run *run = ctx;
    size_t file = (size_t)i / run->n_systems, s = (size_t)i % run->n_systems;
    Result *r = &run->results[i];

    (void)worker;
    if (run_has_system(run, s) && systems[s].kind != SYSTEM_CODEC2)
        r->status = code(r, run, file, &systems[s], &r->err);
}

/* libcodec2 keeps one random number generator for all its objects, so the order of its calls must be fixed. */
static void code_in_order(Run *run)
{
    for (size_t i = 0; i < run->n_files * run->n_systems; i++) {
        size_t s = i % run->n_systems;
        Result *r = &run->results[i];

        if (run_has_system(run, s) && systems[s].kind == SYSTEM_CODEC2)
            r->status = code(r, run, i / run->n_systems, &systems[s], &r->err);
    }
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* A codec's delay is one number. What single files say about a codec that does not keep the waveform is unsure, the
 * median is not. */
static RsdStatus find_lags(Run *run, RsdError *err)
{
    RsdStatus status = RSD_OK;
    double *lags = NULL;

    TRY(mem_calloc(&run->lags, run->n_systems, sizeof *run->lags, err));
    TRY(mem_alloc(&lags, run->n_files, sizeof *lags, err));
    for (size_t s = 0; s < run->n_systems; s++) {
        for (size_t i = 0; i < run->n_files; i++)
            lags[i] = run->results[i * run->n_systems + s].lag_samples;
        qsort(lags, run->n_files, sizeof *lags, compare_doubles);
        run->lags[s] = (lags[(run->n_files - 1) / 2] + lags[run->n_files / 2]) / 2;
    }
fail:
    mem_free(&lags);
    return status;
}

static RsdStatus measure(Result *r, const Run *run, size_t file, int64_t lag, RsdError *err)
{
    RsdStatus status = RSD_OK;
    int64_t ref_from, dist_from, n_both;

    align_overlap(lag, run->lengths[file], r->coded.n, &ref_from, &dist_from, &n_both);
    for (size_t m = 0; m < N_METRICS; m++)
        TRY(audio_metric_apply(&r->metrics[m], audio_metric_find(metric_names[m]), run->signals[file] + ref_from, 0,
                               r->coded.samples + dist_from, 0, 1, n_both, QUALITY_RATE_HZ, err));
fail:
    return status;
}

static void measure_task(void *ctx, int64_t i, int worker)
{
    Run *run = ctx;
    size_t s = (size_t)i % run->n_systems;
    Result *r = &run->results[i];

    (void)worker;
    if (run_has_system(run, s))
        r->status = measure(r, run, (size_t)i / run->n_systems, llrint(run->lags[s]), &r->err);
}

/* The first failure of any task, with the file and the system in front. */
static RsdStatus find_failure(const Run *run, RsdError *err)
{
    for (size_t i = 0; i < run->n_files * run->n_systems; i++) {
        const Result *r = &run->results[i];

        if (r->status == RSD_OK)
            continue;
        *err = r->err;
        return error_prefix(err, r->status, "%s, %s", run->files[i / run->n_systems], systems[i % run->n_systems].name);
    }
    return RSD_OK;
}

/* --- files -------------------------------------------------------------------------------------------------------- */

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static RsdStatus load_files(Run *run, RsdError *err)
{
    RsdStatus status = RSD_OK;
    AudioReaderOptions options = {.rate_hz = QUALITY_RATE_HZ, .channels = 1};
    struct dirent **entries = NULL;
    int n_entries = scandir(run->folder, &entries, is_visible, alphasort);
    char path[4096];

    CHECK(n_entries > 0, err, RSD_ERR_IO, "%s: no files there; name a folder with speech, or set RESIDUA_SHARED",
          run->folder);
    TRY(mem_calloc(&run->files, (size_t)n_entries, sizeof *run->files, err));
    TRY(mem_calloc(&run->signals, (size_t)n_entries, sizeof *run->signals, err));
    TRY(mem_calloc(&run->lengths, (size_t)n_entries, sizeof *run->lengths, err));
    for (int i = 0; i < n_entries; i++) {
        RsdError why = {0};
        size_t k = run->n_files;

        snprintf(path, sizeof path, "%s/%s", run->folder, entries[i]->d_name);
        status = audio_read_all(path, &options, MAX_FILE_SAMPLES, &run->signals[k], &run->lengths[k], NULL, &why);
        if (status == RSD_OK && run->lengths[k] > 0) {
            TRY(mem_strdup(&run->files[k], entries[i]->d_name, err));
            run->n_files++;
        } else {
            fprintf(stderr, "quality: left out: %s\n", status == RSD_OK ? path : why.text);
            mem_free(&run->signals[k]);
            status = RSD_OK;
        }
    }
    CHECK(run->n_files > 0, err, RSD_ERR_CORRUPT, "%s: none of the %d files is sound", run->folder, n_entries);
    TRY(mem_calloc(&run->results, run->n_files * run->n_systems, sizeof *run->results, err));
fail:
    for (int i = 0; i < n_entries; i++)
        free(entries[i]);
    free(entries);
    return status;
}

static void clear(Run *run)
{
    for (size_t i = 0; run->results && i < run->n_files * run->n_systems; i++)
        mem_free(&run->results[i].coded.samples);
    for (size_t i = 0; i < run->n_files; i++) {
        mem_free(&run->files[i]);
        mem_free(&run->signals[i]);
    }
    mem_free(&run->files);
    mem_free(&run->signals);
    mem_free(&run->lengths);
    mem_free(&run->results);
    mem_free(&run->lags);
    rsd_model_close(&run->model);
}

/* --- main --------------------------------------------------------------------------------------------------------- */

static int usage(const char *complaint)
{
    fprintf(stderr, "quality: %s\nusage: quality [--json] [--each] [--model FILE] [--threads N] [FOLDER]\n", complaint);
    return 2;
}

static RsdStatus run_all(Run *run, RsdError *err)
{
    RsdStatus status = RSD_OK;
    RsdThreads *threads = NULL;

    if (run->model_path)
        TRY(rsd_model_open_file(&run->model, run->model_path, err));
    else if (rsd_model_builtin_name(0))
        TRY(rsd_model_open_builtin(&run->model, NULL, err));
    TRY(load_files(run, err));
    TRY(rsd_threads_create(&threads, run->n_threads, err));
    code_in_order(run);
    threads_for(threads, (int64_t)(run->n_files * run->n_systems), code_task, run);
    TRY(find_failure(run, err));
    TRY(find_lags(run, err));
    threads_for(threads, (int64_t)(run->n_files * run->n_systems), measure_task, run);
    TRY(find_failure(run, err));
    TRY(report_print(run, err));
fail:
    rsd_threads_destroy(&threads);
    return status;
}

int main(int argc, char **argv)
{
    const char *shared = getenv("RESIDUA_SHARED");
    char folder[4096];
    Run run = {.folder = folder, .systems = systems, .n_systems = N_SYSTEMS};
    RsdError err = {0};
    RsdStatus status;

    snprintf(folder, sizeof folder, "%s/" DEFAULT_FOLDER, shared ? shared : "../shared");
    for (int i = 1; i < argc; i++) {
        bool has_value = i + 1 < argc;

        if (strcmp(argv[i], "--json") == 0)
            run.json = true;
        else if (strcmp(argv[i], "--each") == 0)
            run.each = true;
        else if (strcmp(argv[i], "--model") == 0 && has_value)
            run.model_path = argv[++i];
        else if (strcmp(argv[i], "--threads") == 0 && has_value)
            run.n_threads = atoi(argv[++i]);
        else if (argv[i][0] == '-')
            return usage(argv[i]);
        else
            run.folder = argv[i];
    }
    if (run.n_threads < 0)
        return usage("--threads needs a number of 0 (all processors) or more");
    status = run_all(&run, &err);
    if (status != RSD_OK)
        fprintf(stderr, "quality: %s\n", err.text);
    clear(&run);
    return status == RSD_OK ? 0 : 4;
}
