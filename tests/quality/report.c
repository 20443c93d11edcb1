/* report.c - tables and JSON lines.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/quality/report.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/mem.h"
#include "losses/interval.h"

#define MS_PER_SAMPLE (1000.0 / QUALITY_RATE_HZ)

/* Measured elsewhere on other speech: for orientation, not part of the comparison. */
static const char marks_text[] =
    "Marks, from other measurements on other speech (stated with this project's first goals, not repeated here):\n"
    "  Lyra v2   at 3.2 kbit/s   ESTOI 0.775   mel distance 1.37     at 6.0 kbit/s   ESTOI 0.83   mel distance 1.24\n"
    "  Opus      at 5.4 kbit/s   ESTOI 0.79    mel distance 2.69     at 8.5 kbit/s   ESTOI 0.85   mel distance 1.19\n";
#define GOAL_SYSTEM "residua 6k"
#define GOAL_ESTOI 0.80
#define GOAL_MEL 1.37

bool run_has_system(const Run *run, size_t s)
{
    return system_is_available(&run->systems[s]) && (run->systems[s].kind != SYSTEM_RESIDUA || run->model);
}

/* Mean of metric m of system s over the files where it has a meaning. scratch [n_files]. */
static Interval metric_mean(const Run *run, size_t s, size_t m, double *scratch)
{
    size_t n = 0;

    for (size_t i = 0; i < run->n_files; i++) {
        const MetricValue *v = &run->results[i * run->n_systems + s].metrics[m];

        if (!(v->flags & METRIC_TOO_SHORT) && isfinite(v->value))
            scratch[n++] = v->value;
    }
    return interval_of(scratch, n);
}

/* Bits of all files over seconds of all files: what a disk or a line would see. */
static double total_kbps(const Run *run, size_t s)
{
    double bits = 0, seconds = 0;

    for (size_t i = 0; i < run->n_files; i++) {
        double duration_s = (double)run->lengths[i] / QUALITY_RATE_HZ;

        bits += run->results[i * run->n_systems + s].kbps * duration_s;
        seconds += duration_s;
    }
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
    for (size_t i = 0; i < run->n_files * run->n_systems; i++) {
        const Result *r = &run->results[i];
        const char *system = run->systems[i % run->n_systems].name, *file = run->files[i / run->n_systems];

        if (!run_has_system(run, i % run->n_systems))
            continue;
        if (run->json) {
            json_t *object = json_pack("{s:s, s:s, s:f, s:f}", "file", file, "system", system, "kbps", r->kbps,
                                       "lag_ms", r->lag_samples * MS_PER_SAMPLE);

            for (size_t m = 0; m < N_METRICS; m++)
                json_object_set_new(object, metric_names[m], number_or_null(r->metrics[m].value));
            print_json(object);
        } else {
            printf("%-44s %-13s %6.2f kbit/s  lag %6.2f ms", file, system, r->kbps, r->lag_samples * MS_PER_SAMPLE);
            for (size_t m = 0; m < N_METRICS; m++)
                printf("  %s %.4f%s", metric_names[m], r->metrics[m].value,
                       r->metrics[m].flags & METRIC_TOO_SHORT ? " (too short)" : "");
            putchar('\n');
        }
    }
}

static void print_system_json(const Run *run, size_t s, double *scratch)
{
    double lag_ms = run->lags[s] * MS_PER_SAMPLE, kbps = total_kbps(run, s);
    json_t *object = json_pack("{s:s, s:f, s:I, s:f}", "system", run->systems[s].name, "kbps", kbps, "files",
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
    double lag_ms = run->lags[s] * MS_PER_SAMPLE, kbps = total_kbps(run, s);

    printf("%-14s %7.2f", run->systems[s].name, kbps);
    for (size_t m = 0; m < N_METRICS; m++) {
        Interval mean = metric_mean(run, s, m, scratch);

        printf("  %9.3f +- %5.3f", mean.mean, mean.half_width);
    }
    printf("  %8.2f\n", lag_ms);
}

static void print_goal(const Run *run, double *scratch)
{
    for (size_t s = 0; s < run->n_systems; s++) {
        double estoi, mel;

        if (strcmp(run->systems[s].name, GOAL_SYSTEM) != 0 || !run_has_system(run, s))
            continue;
        estoi = metric_mean(run, s, 0, scratch).mean;
        mel = metric_mean(run, s, 2, scratch).mean;
        printf("\nGoal at 6 kbit/s: ESTOI %.2f or more: %s (%.3f); mel distance %.2f or less: %s (%.3f)\n", GOAL_ESTOI,
               estoi >= GOAL_ESTOI ? "reached" : "not reached", estoi, GOAL_MEL,
               mel <= GOAL_MEL ? "reached" : "not reached", mel);
    }
}

RsdStatus report_print(const Run *run, RsdError *err)
{
    double *scratch = NULL;
    RsdStatus status = RSD_OK;

    TRY(mem_alloc(&scratch, run->n_files, sizeof *scratch, err));
    if (run->each)
        print_each(run);
    if (!run->json)
        print_head(run);
    for (size_t s = 0; s < run->n_systems; s++) {
        if (!run_has_system(run, s))
            continue;
        if (run->json)
            print_system_json(run, s, scratch);
        else
            print_system(run, s, scratch);
    }
    if (!run->json) {
        print_goal(run, scratch);
        printf("\n%s", marks_text);
        puts(
            "Bytes: residua its whole .rsd streams, Opus its packets without a container, Codec 2 its frames (8 kHz).");
        if (!codec2_is_available())
            puts("Codec 2 is left out: install libcodec2-dev (Debian) and run ./configure again.");
        if (!run->model)
            puts("residua is left out: this build has no built-in model; name one with --model FILE.");
    }
fail:
    mem_free(&scratch);
    return status;
}
