/* quality.c - `make quality`: our codec beside Opus and Codec 2 on real speech, with real bits.
 *
 *   quality [--json] [--each] [--model FILE] [--threads N] [FOLDER]
 *
 * Every file of FOLDER (default: data/valid/speech below $RESIDUA_SHARED, or below ../shared) is brought to 16 kHz mono,
 * coded by every system, decoded, brought back to 16 kHz, aligned by cross-correlation within 100 ms and compared over
 * what both have. Means are over files, each with its 95 % interval (Student's t, files as independent). One task is one file
 * with one system; results do not depend on the number of threads.
 *
 * --json prints one object per system and line: {"system", "kbps", "files", "lag_ms", and for each metric its name with
 * "mean", "half_width_95" and "n"}; --each adds one object {"file", "system", ...} per file and system before them.
 *
 * SPDX-License-Identifier: MIT
 */
#include <dirent.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "engine/base/mem.h"
#include "engine/base/threads.h"
#include "losses/align.h"
#include "losses/audio_metric.h"
#include "media/audio_reader.h"
#include "tests/quality/interval.h"
#include "tests/quality/systems.h"

#define MAX_LAG_SAMPLES (QUALITY_RATE_HZ / 10)
#define MAX_FILE_SAMPLES ((int64_t)QUALITY_RATE_HZ * 3600)
#define DEFAULT_FOLDER "data/valid/speech"

static const QualitySystem systems[] = {
    {SYSTEM_RESIDUA, "residua 1.5k", 1500}, {SYSTEM_RESIDUA, "residua 3k", 3000}, {SYSTEM_RESIDUA, "residua 6k", 6000},
    {SYSTEM_OPUS, "Opus 6k", 6000},         {SYSTEM_OPUS, "Opus 9k", 9000},       {SYSTEM_OPUS, "Opus 12k", 12000},
    {SYSTEM_CODEC2, "Codec 2 1200", 1200},  {SYSTEM_CODEC2, "Codec 2 2400", 2400}, {SYSTEM_CODEC2, "Codec 2 3200", 3200},
};
#define N_SYSTEMS (sizeof systems / sizeof systems[0])

static const char *const metric_names[] = {"estoi", "sisdr", "mel", "lsd"};
#define N_METRICS (sizeof metric_names / sizeof metric_names[0])

/* Measured elsewhere on other speech: for orientation, not part of the comparison. */
static const char marks_text[] =
    "Marks, from other measurements on other speech (stated with this project's first goals, not repeated here):\n"
    "  Lyra v2   at 3.2 kbit/s   ESTOI 0.775   mel distance 1.37     at 6.0 kbit/s   ESTOI 0.83   mel distance 1.24\n"
    "  Opus      at 5.4 kbit/s   ESTOI 0.79    mel distance 2.69     at 8.5 kbit/s   ESTOI 0.85   mel distance 1.19\n";
#define GOAL_SYSTEM "residua 6k"
#define GOAL_ESTOI 0.80
#define GOAL_MEL 1.37

typedef struct Result {
    RsdStatus status;
    RsdError err;
    double kbps, lag_ms;
    MetricValue metrics[N_METRICS];
} Result;

typedef struct Run {
    bool json, each;
    const char *folder, *model_path;
    int n_threads;
    RsdModel *model;
    char **files; /* [n_files] names inside the folder, sorted */
    size_t n_files;
    float **signals; /* [n_files] */
    int64_t *lengths;
    Result *results; /* [n_files, N_SYSTEMS] */
} Run;

/* --- measuring -------------------------------------------------------------------------------------------------------- */

static RsdStatus measure(Result *r, const Run *run, size_t file, const QualitySystem *system, RsdError *err)
{
    RsdStatus status = RSD_OK;
    CodedSignal coded = {0};
    Alignment found;
    const float *x = run->signals[file];
    int64_t n = run->lengths[file], ref_from, dist_from, n_both;

    TRY(system_code(&coded, system, run->model, x, n, err));
    TRY(align_find(&found, x, n, coded.samples, coded.n, QUALITY_RATE_HZ, MAX_LAG_SAMPLES, err));
    align_overlap(found.lag_samples, n, coded.n, &ref_from, &dist_from, &n_both);
    r->kbps = (double)coded.n_bytes * 8 / ((double)n / QUALITY_RATE_HZ) / 1000;
    r->lag_ms = found.exact_lag * 1000 / QUALITY_RATE_HZ;
    for (size_t m = 0; m < N_METRICS; m++)
        TRY(audio_metric_apply(&r->metrics[m], audio_metric_find(metric_names[m]), x + ref_from, 0,
                               coded.samples + dist_from, 0, 1, n_both, QUALITY_RATE_HZ, err));
fail:
    mem_free(&coded.samples);
    return status;
}

static bool has_system(const Run *run, size_t s)
{
    return system_is_available(&systems[s]) && (systems[s].kind != SYSTEM_RESIDUA || run->model);
}

static void run_task(void *ctx, int64_t i, int worker)
{
    Run *run = ctx;
    Result *r = &run->results[i];
    size_t s = (size_t)i % N_SYSTEMS;

    (void)worker;
    if (has_system(run, s))
        r->status = measure(r, run, (size_t)i / N_SYSTEMS, &systems[s], &r->err);
}

/* --- files ------------------------------------------------------------------------------------------------------------ */

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

    CHECK(n_entries > 0, err, RSD_ERR_IO, "%s: no files there; name a folder with speech, or set RESIDUA_SHARED", run->folder);
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
    TRY(mem_calloc(&run->results, run->n_files * N_SYSTEMS, sizeof *run->results, err));
fail:
    for (int i = 0; i < n_entries; i++)
        free(entries[i]);
    free(entries);
    return status;
}

static void clear(Run *run)
{
    for (size_t i = 0; i < run->n_files; i++) {
        mem_free(&run->files[i]);
        mem_free(&run->signals[i]);
    }
    mem_free(&run->files);
    mem_free(&run->signals);
    mem_free(&run->lengths);
    mem_free(&run->results);
    rsd_model_close(&run->model);
}

/* --- printing --------------------------------------------------------------------------------------------------------- */

/* Mean of metric m of system s over the files where it has a meaning. scratch [n_files]. */
static Interval metric_mean(const Run *run, size_t s, size_t m, double *scratch)
{
    size_t n = 0;

    for (size_t i = 0; i < run->n_files; i++) {
        const MetricValue *v = &run->results[i * N_SYSTEMS + s].metrics[m];

        if (!(v->flags & METRIC_TOO_SHORT) && isfinite(v->value))
            scratch[n++] = v->value;
    }
    return interval_of(scratch, n);
}

/* Bits of all files over seconds of all files: what a disk or a line would see; and the mean lag. */
static double total_kbps(const Run *run, size_t s, double *lag_ms)
{
    double bits = 0, seconds = 0, lag = 0;

    for (size_t i = 0; i < run->n_files; i++) {
        const Result *r = &run->results[i * N_SYSTEMS + s];
        double duration_s = (double)run->lengths[i] / QUALITY_RATE_HZ;

        bits += r->kbps * duration_s;
        seconds += duration_s;
        lag += r->lag_ms / (double)run->n_files;
    }
    *lag_ms = lag;
    return bits / seconds;
}

static void print_json(json_t *object)
{
    char *text = json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(8));

    if (text)
        puts(text);
    free(text);
    json_decref(object);
}

static json_t *number_or_null(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static void print_each(const Run *run)
{
    for (size_t i = 0; i < run->n_files * N_SYSTEMS; i++) {
        const Result *r = &run->results[i];
        const char *system = systems[i % N_SYSTEMS].name, *file = run->files[i / N_SYSTEMS];

        if (!has_system(run, i % N_SYSTEMS))
            continue;
        if (run->json) {
            json_t *object = json_pack("{s:s, s:s, s:f, s:f}", "file", file, "system", system, "kbps", r->kbps, "lag_ms",
                                       r->lag_ms);

            for (size_t m = 0; m < N_METRICS; m++)
                json_object_set_new(object, metric_names[m], number_or_null(r->metrics[m].value));
            print_json(object);
        } else {
            printf("%-44s %-13s %6.2f kbit/s  lag %6.2f ms", file, system, r->kbps, r->lag_ms);
            for (size_t m = 0; m < N_METRICS; m++)
                printf("  %s %.4f%s", metric_names[m], r->metrics[m].value,
                       r->metrics[m].flags & METRIC_TOO_SHORT ? " (too short)" : "");
            putchar('\n');
        }
    }
}

static void print_system_json(const Run *run, size_t s, double *scratch)
{
    double lag_ms, kbps = total_kbps(run, s, &lag_ms);
    json_t *object = json_pack("{s:s, s:f, s:I, s:f}", "system", systems[s].name, "kbps", kbps, "files",
                               (json_int_t)run->n_files, "lag_ms", lag_ms);

    for (size_t m = 0; m < N_METRICS; m++) {
        Interval mean = metric_mean(run, s, m, scratch);

        json_object_set_new(object, metric_names[m],
                            json_pack("{s:o, s:f, s:I}", "mean", mean.n ? json_real(mean.mean) : json_null(),
                                      "half_width_95", mean.half_width, "n", (json_int_t)mean.n));
    }
    print_json(object);
}

static void print_head(const Run *run)
{
    double seconds = 0;

    for (size_t i = 0; i < run->n_files; i++)
        seconds += (double)run->lengths[i] / QUALITY_RATE_HZ;
    printf("%zu files, %.0f s of speech from %s, compared at %d Hz, aligned; means and 95 %% intervals over files\n\n",
           run->n_files, seconds, run->folder, QUALITY_RATE_HZ);
    printf("%-14s %7s", "system", "kbit/s");
    for (size_t m = 0; m < N_METRICS; m++)
        printf("  %18s", audio_metric_find(metric_names[m])->title);
    printf("  %8s\n", "lag, ms");
}

static void print_system(const Run *run, size_t s, double *scratch)
{
    double lag_ms, kbps = total_kbps(run, s, &lag_ms);

    printf("%-14s %7.2f", systems[s].name, kbps);
    for (size_t m = 0; m < N_METRICS; m++) {
        Interval mean = metric_mean(run, s, m, scratch);

        printf("  %9.3f +- %5.3f", mean.mean, mean.half_width);
    }
    printf("  %8.2f\n", lag_ms);
}

static void print_goal(const Run *run, double *scratch)
{
    for (size_t s = 0; s < N_SYSTEMS; s++) {
        double estoi, mel;

        if (strcmp(systems[s].name, GOAL_SYSTEM) != 0 || !has_system(run, s))
            continue;
        estoi = metric_mean(run, s, 0, scratch).mean;
        mel = metric_mean(run, s, 2, scratch).mean;
        printf("\nGoal at 6 kbit/s: ESTOI %.2f or more: %s (%.3f); mel distance %.2f or less: %s (%.3f)\n", GOAL_ESTOI,
               estoi >= GOAL_ESTOI ? "reached" : "not reached", estoi, GOAL_MEL, mel <= GOAL_MEL ? "reached" : "not reached",
               mel);
    }
}

static RsdStatus print_all(const Run *run, RsdError *err)
{
    double *scratch = NULL;
    RsdStatus status = RSD_OK;

    TRY(mem_alloc(&scratch, run->n_files, sizeof *scratch, err));
    if (run->each)
        print_each(run);
    if (!run->json)
        print_head(run);
    for (size_t s = 0; s < N_SYSTEMS; s++) {
        if (!has_system(run, s))
            continue;
        if (run->json)
            print_system_json(run, s, scratch);
        else
            print_system(run, s, scratch);
    }
    if (!run->json) {
        print_goal(run, scratch);
        printf("\n%s", marks_text);
        puts("Bytes: residua its whole .rsd streams, Opus its packets without a container, Codec 2 its frames (8 kHz).");
        if (!codec2_is_available())
            puts("Codec 2 is left out: install libcodec2-dev (Debian) and run ./configure again.");
        if (!run->model)
            puts("residua is left out: this build has no built-in model; name one with --model FILE.");
    }
fail:
    mem_free(&scratch);
    return status;
}

/* --- main ------------------------------------------------------------------------------------------------------------- */

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
    threads_for(threads, (int64_t)(run->n_files * N_SYSTEMS), run_task, run);
    for (size_t i = 0; i < run->n_files * N_SYSTEMS; i++) {
        status = run->results[i].status;
        if (status != RSD_OK) {
            *err = run->results[i].err;
            error_prefix(err, status, "%s, %s", run->files[i / N_SYSTEMS], systems[i % N_SYSTEMS].name);
            goto fail;
        }
    }
    TRY(print_all(run, err));
fail:
    rsd_threads_destroy(&threads);
    return status;
}

int main(int argc, char **argv)
{
    const char *shared = getenv("RESIDUA_SHARED");
    char folder[4096];
    Run run = {.folder = folder};
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
