/* report.h - the run that `make quality` makes, and how it is printed.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_QUALITY_REPORT_H
#define RESIDUA_QUALITY_REPORT_H

#include "losses/audio_metric.h"
#include "tests/quality/systems.h"

#define N_METRICS 4
extern const char *const metric_names[N_METRICS]; /* "estoi", "sisdr", "mel", "lsd" */

typedef struct Result { /* one file through one system */
    RsdStatus status;
    RsdError err;
    CodedSignal coded;
    double kbps, lag_samples;
    MetricValue metrics[N_METRICS];
} Result;

typedef struct Run {
    bool json, each;
    const char *folder, *model_path;
    int n_threads;
    RsdModel *model;
    const QualitySystem *systems;
    size_t n_systems;
    double *lags; /* [n_systems] samples, the median over files */
    char **files; /* [n_files] names inside the folder, sorted */
    size_t n_files;
    float **signals; /* [n_files] at QUALITY_RATE_HZ */
    int64_t *lengths;
    Result *results; /* [n_files, n_systems] */
} Run;

/* False for a codec this build lacks, and for ours without a model. */
bool run_has_system(const Run *run, size_t s);

/* On standard output. Errors: RSD_ERR_MEMORY. */
RsdStatus report_print(const Run *run, RsdError *err);

#endif
