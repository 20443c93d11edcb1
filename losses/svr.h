/* svr.h - support vector regression with radial basis functions, read from the text files that libsvm writes.
 *
 * ViSQOL's audio mode maps similarities to a mean opinion score with such a model; it is published with the tool
 * (libsvm_nu_svr_model.txt of github.com/google/visqol, Apache-2.0) and is not part of residua.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_SVR_H
#define RESIDUA_SVR_H

#include <stddef.h>

#include "engine/base/error.h"

#define SVR_MAX_FEATURES 4096
#define SVR_MAX_VECTORS 100000

typedef struct Svr {
    size_t n_vectors, n_features; /* n_features: the highest index that occurs */
    double gamma, rho;
    double *weights, *vectors; /* [n_vectors], [n_vectors, n_features] */
} Svr;

/* Errors: RSD_ERR_IO, RSD_ERR_CORRUPT (not such a file, or damaged, with the line), RSD_ERR_UNSUPPORTED (another kernel),
 * RSD_ERR_MEMORY. */
RsdStatus svr_open(Svr **out, const char *path, RsdError *err);
void svr_close(Svr **svr);

/* sum_i weight_i exp(-gamma |x - vector_i|^2) - rho for x [n_features]. */
double svr_predict(const Svr *svr, const double *x);

#endif
