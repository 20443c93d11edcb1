/* samples.c - names, writing and thinning out.
 *
 * SPDX-License-Identifier: MIT
 */
#include "trainer/samples.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/mem.h"
#include "media/audio_writer.h"

#define PATH_SIZE 4096
#define MAX_FILES 4096

static RsdStatus make_path(char path[PATH_SIZE], const char *run_dir, const char *name, RsdError *err)
{
    if (snprintf(path, PATH_SIZE, "%s/samples/%s", run_dir, name) >= PATH_SIZE)
        return error_set(err, RSD_ERR_ARG, "%.80s...: the path is too long", run_dir);
    return RSD_OK;
}

static void make_name(SampleName *sample)
{
    if (sample->step == SAMPLES_ORIGINAL)
        snprintf(sample->name, sizeof sample->name, "original-%d.flac", sample->clip);
    else
        snprintf(sample->name, sizeof sample->name, "%09" PRId64 "-%d-%d.flac", sample->step, sample->clip,
                 sample->rate_bps);
}

/* False for a name that is none of ours. */
static bool read_name(SampleName *sample, const char *name)
{
    *sample = (SampleName){.step = SAMPLES_ORIGINAL};
    if (sscanf(name, "original-%d", &sample->clip) != 1 &&
        sscanf(name, "%" SCNd64 "-%d-%d", &sample->step, &sample->clip, &sample->rate_bps) != 3)
        return false;
    make_name(sample);
    return !strcmp(sample->name, name);
}

RsdStatus samples_write(const char *run_dir, int64_t step, int clip, int rate_bps, const float *x, int64_t n, int rate_hz,
                        RsdError *err)
{
    AudioWriterOptions options = {rate_hz, 1, SAMPLE_S16, true, n};
    AudioWriter *writer = NULL;
    SampleName sample = {.step = step, .clip = clip, .rate_bps = rate_bps};
    char path[PATH_SIZE];
    RsdStatus status = RSD_OK;

    TRY(make_path(path, run_dir, "", err));
    CHECK(mkdir(path, 0777) == 0 || errno == EEXIST, err, RSD_ERR_IO, "%s: cannot make the folder: %s", path, strerror(errno));
    make_name(&sample);
    TRY(make_path(path, run_dir, sample.name, err));
    TRY(audio_writer_open(&writer, path, &options, err));
    TRY(audio_writer_write(writer, x, (size_t)n, (size_t)n, err));
    TRY(audio_writer_finish(writer, err));
fail:
    audio_writer_close(&writer);
    return status;
}

static int compare_names(const void *a, const void *b)
{
    const SampleName *x = a, *y = b;

    if (x->clip != y->clip)
        return x->clip - y->clip;
    if (x->rate_bps != y->rate_bps)
        return x->rate_bps - y->rate_bps;
    return (x->step > y->step) - (x->step < y->step);
}

RsdStatus samples_list(SampleName **names, size_t *n, const char *run_dir, RsdError *err)
{
    char path[PATH_SIZE];
    DIR *dir = NULL;
    const struct dirent *entry;
    RsdStatus status = RSD_OK;

    *names = NULL;
    *n = 0;
    TRY(make_path(path, run_dir, "", err));
    dir = opendir(path);
    if (!dir)
        return RSD_OK;
    TRY(mem_calloc(names, MAX_FILES, sizeof **names, err));
    while (*n < MAX_FILES && (entry = readdir(dir)) != NULL)
        *n += read_name(&(*names)[*n], entry->d_name);
    qsort(*names, *n, sizeof **names, compare_names);
fail:
    if (dir)
        closedir(dir);
    return status;
}

static int compare_steps(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

/* Distinct steps, in order; returns how many. */
static size_t list_steps(int64_t *steps, const SampleName *names, size_t n)
{
    size_t n_steps = 0, n_kept = 0;

    for (size_t i = 0; i < n; i++)
        if (names[i].step != SAMPLES_ORIGINAL)
            steps[n_steps++] = names[i].step;
    qsort(steps, n_steps, sizeof *steps, compare_steps);
    for (size_t i = 0; i < n_steps; i++)
        if (!n_kept || steps[i] != steps[n_kept - 1])
            steps[n_kept++] = steps[i];
    return n_kept;
}

/* The step between whose neighbours the ratio is the smallest. */
static size_t least_missed(const int64_t *steps, size_t n)
{
    size_t best = 1;
    double least = 0.0;

    for (size_t i = 1; i + 1 < n; i++) {
        double ratio = (double)steps[i + 1] / (double)(steps[i - 1] ? steps[i - 1] : 1);

        if (i == 1 || ratio < least) {
            least = ratio;
            best = i;
        }
    }
    return best;
}

RsdStatus samples_prune(const char *run_dir, RsdError *err)
{
    SampleName *names = NULL;
    int64_t *steps = NULL;
    size_t n = 0, n_steps;
    RsdStatus status = RSD_OK;

    TRY(samples_list(&names, &n, run_dir, err));
    if (!n)
        return RSD_OK;
    TRY(mem_alloc(&steps, n, sizeof *steps, err));
    n_steps = list_steps(steps, names, n);
    while (n_steps > SAMPLES_MAX_STEPS) {
        size_t gone = least_missed(steps, n_steps);
        char path[PATH_SIZE];

        for (size_t i = 0; i < n; i++)
            if (names[i].step == steps[gone] && make_path(path, run_dir, names[i].name, NULL) == RSD_OK)
                unlink(path);
        memmove(steps + gone, steps + gone + 1, (n_steps - gone - 1) * sizeof *steps);
        n_steps--;
    }
fail:
    mem_free(&steps);
    mem_free(&names);
    return status;
}
