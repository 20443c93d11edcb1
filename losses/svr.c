/* svr.c - a header of words, then one line for each support vector: weight index:value index:value ...
 *
 * SPDX-License-Identifier: MIT
 */
#include "losses/svr.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/mem.h"

#define LINE_SIZE 65536

typedef struct Reader {
    FILE *file;
    const char *path;
    char *text; /* [LINE_SIZE] */
    int line;
} Reader;

static bool next_line(Reader *r)
{
    if (!fgets(r->text, LINE_SIZE, r->file))
        return false;
    r->line++;
    r->text[strcspn(r->text, "\r\n")] = '\0';
    return true;
}

static RsdStatus read_header(Svr *svr, Reader *r, RsdError *err)
{
    unsigned long long n = 0;
    bool has_gamma = false, has_rho = false;
    RsdStatus status = RSD_OK;

    while (next_line(r) && strcmp(r->text, "SV") != 0) {
        char key[32], value[64];

        CHECK(sscanf(r->text, "%31s %63s", key, value) == 2 && r->line < 32, err, RSD_ERR_CORRUPT,
              "%s: line %d is none of a libsvm model", r->path, r->line);
        if (!strcmp(key, "svm_type"))
            CHECK(!strcmp(value, "nu_svr") || !strcmp(value, "epsilon_svr"), err, RSD_ERR_UNSUPPORTED,
                  "%s: is a model of type %s; nu_svr or epsilon_svr is needed", r->path, value);
        else if (!strcmp(key, "kernel_type"))
            CHECK(!strcmp(value, "rbf"), err, RSD_ERR_UNSUPPORTED, "%s: has a kernel of type %s; rbf is needed",
                  r->path, value);
        else if (!strcmp(key, "gamma"))
            has_gamma = sscanf(value, "%lf", &svr->gamma) == 1 && isfinite(svr->gamma);
        else if (!strcmp(key, "rho"))
            has_rho = sscanf(value, "%lf", &svr->rho) == 1 && isfinite(svr->rho);
        else if (!strcmp(key, "total_sv"))
            n = strtoull(value, NULL, 10);
    }
    CHECK(!strcmp(r->text, "SV") && has_gamma && has_rho && n >= 1 && n <= SVR_MAX_VECTORS, err, RSD_ERR_CORRUPT,
          "%s: has no complete header of a libsvm model (gamma, rho, total_sv, SV)", r->path);
    svr->n_vectors = (size_t)n;
fail:
    return status;
}

/* The line in r->text; values NULL: only counts. */
static RsdStatus read_vector(Reader *r, double *weight, double *values, size_t *n_features, RsdError *err)
{
    char *at = r->text, *end;

    *weight = strtod(at, &end);
    if (end == at || !isfinite(*weight))
        return error_set(err, RSD_ERR_CORRUPT, "%s: line %d has no weight", r->path, r->line);
    for (at = end; at[strspn(at, " ")]; at = end) {
        unsigned long index = strtoul(at, &end, 10);
        double value;

        if (end == at || *end != ':' || index < 1 || index > SVR_MAX_FEATURES)
            return error_set(err, RSD_ERR_CORRUPT, "%s: line %d: index:value is expected, index 1 to %d", r->path,
                             r->line, SVR_MAX_FEATURES);
        at = end + 1;
        value = strtod(at, &end);
        if (end == at || !isfinite(value))
            return error_set(err, RSD_ERR_CORRUPT, "%s: line %d has a value that is no number", r->path, r->line);
        if (values)
            values[index - 1] = value;
        *n_features = index > *n_features ? index : *n_features;
    }
    return RSD_OK;
}

/* Once to find the number of features, once to keep them. */
static RsdStatus read_vectors(Svr *svr, Reader *r, RsdError *err)
{
    long from = ftell(r->file);
    int line = r->line;
    RsdStatus status = RSD_OK;

    for (int pass = 0; pass < 2; pass++) {
        CHECK(fseek(r->file, from, SEEK_SET) == 0, err, RSD_ERR_IO, "%s: cannot be read twice", r->path);
        r->line = line;
        for (size_t i = 0; i < svr->n_vectors; i++) {
            double weight;

            CHECK(next_line(r), err, RSD_ERR_CORRUPT, "%s: ends after %zu of %zu support vectors", r->path, i,
                  svr->n_vectors);
            TRY(read_vector(r, &weight, pass ? svr->vectors + i * svr->n_features : NULL, &svr->n_features, err));
            if (pass)
                svr->weights[i] = weight;
        }
        if (pass == 0) {
            TRY(mem_calloc(&svr->weights, svr->n_vectors, sizeof *svr->weights, err));
            TRY(mem_calloc(&svr->vectors, svr->n_vectors * svr->n_features, sizeof *svr->vectors, err));
        }
    }
fail:
    return status;
}

RsdStatus svr_open(Svr **out, const char *path, RsdError *err)
{
    Reader r = {.path = path, .file = fopen(path, "rb")};
    Svr *svr = NULL;
    RsdStatus status = RSD_OK;

    *out = NULL;
    CHECK(r.file, err, RSD_ERR_IO, "%s: cannot open: %s", path, strerror(errno));
    TRY(mem_alloc(&r.text, LINE_SIZE, 1, err));
    TRY(mem_calloc(&svr, 1, sizeof *svr, err));
    r.text[0] = '\0';
    TRY(read_header(svr, &r, err));
    TRY(read_vectors(svr, &r, err));
    *out = svr;
    svr = NULL;
fail:
    if (r.file)
        fclose(r.file);
    mem_free(&r.text);
    svr_close(&svr);
    return status;
}

void svr_close(Svr **svr)
{
    if (!*svr)
        return;
    mem_free(&(*svr)->weights);
    mem_free(&(*svr)->vectors);
    mem_free(svr);
}

double svr_predict(const Svr *svr, const double *x)
{
    double sum = -svr->rho;

    for (size_t i = 0; i < svr->n_vectors; i++) {
        const double *v = svr->vectors + i * svr->n_features;
        double distance = 0;

        for (size_t k = 0; k < svr->n_features; k++)
            distance += (x[k] - v[k]) * (x[k] - v[k]);
        sum += svr->weights[i] * exp(-svr->gamma * distance);
    }
    return sum;
}
