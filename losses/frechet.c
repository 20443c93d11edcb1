/* frechet.c - means, covariances, and the trace of the root of their product.
 *
 * SPDX-License-Identifier: MIT
 */
#include "losses/frechet.h"

#include <math.h>
#include <string.h>

#include "engine/base/mem.h"
#include "engine/dsp/symmetric_eigen.h"

#define MOST_DIM 8192
#define NO_VARIANCE 1e-12 /* of the largest variance: rounding errors of a direction that the rows do not have */

static RsdStatus check(const Embeddings *a, const Embeddings *b, RsdError *err)
{
    const Embeddings *const sets[] = {a, b};
    RsdStatus status = RSD_OK;

    CHECK(a->dim == b->dim && a->dim >= 1 && a->dim <= MOST_DIM, err, RSD_ERR_ARG,
          "embeddings of %lld and of %lld numbers cannot be compared; both must come from one network, of at most %d numbers",
          (long long)a->dim, (long long)b->dim, MOST_DIM);
    for (int k = 0; k < 2; k++) {
        CHECK(sets[k]->n >= 2, err, RSD_ERR_ARG, "the %s set has %lld embeddings; at least 2 are needed", k ? "second" : "first",
              (long long)sets[k]->n);
        for (int64_t i = 0; i < sets[k]->n * sets[k]->dim; i++)
            CHECK(isfinite(sets[k]->rows[i]), err, RSD_ERR_NUMERIC, "number %lld of embedding %lld of the %s set is %s",
                  (long long)(i % sets[k]->dim), (long long)(i / sets[k]->dim), k ? "second" : "first",
                  isnan(sets[k]->rows[i]) ? "not a number" : "infinite");
    }
fail:
    return status;
}

static double dot(const double *x, const double *y, int64_t n)
{
    double lanes[8] = {0.0}, sum = 0.0;
    int64_t i = 0;

    for (; i + 8 <= n; i += 8)
        for (int k = 0; k < 8; k++)
            lanes[k] += x[i + k] * y[i + k];
    for (int k = 0; k < 8; k++)
        sum += lanes[k];
    for (; i < n; i++)
        sum += x[i] * y[i];
    return sum;
}

/* y += a x */
static void add_scaled(double *y, double a, const double *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        y[i] += a * x[i];
}

typedef struct Moments {
    double *mean, *covariance; /* [dim], [dim, dim] */
} Moments;

static void close_moments(Moments *m)
{
    mem_free(&m->mean);
    mem_free(&m->covariance);
}

static RsdStatus open_moments(Moments *m, const Embeddings *e, RsdError *err)
{
    const int64_t d = e->dim;
    double *off = NULL;
    RsdStatus status = RSD_OK;

    TRY(mem_calloc(&m->mean, (size_t)d, sizeof(double), err));
    TRY(mem_calloc(&m->covariance, (size_t)(d * d), sizeof(double), err));
    TRY(mem_alloc(&off, (size_t)d, sizeof(double), err));
    for (int64_t i = 0; i < e->n; i++)
        add_scaled(m->mean, 1.0 / (double)e->n, e->rows + i * d, d);
    for (int64_t i = 0; i < e->n; i++) {
        for (int64_t k = 0; k < d; k++)
            off[k] = e->rows[i * d + k] - m->mean[k];
        for (int64_t k = 0; k < d; k++)
            add_scaled(m->covariance + k * d, off[k] / (double)(e->n - 1), off, k + 1);
    }
    for (int64_t k = 0; k < d; k++)
        for (int64_t j = 0; j < k; j++)
            m->covariance[j * d + k] = m->covariance[k * d + j];
fail:
    mem_free(&off);
    return status;
}

/* S = L L^T in place, L below and on the diagonal; columns whose variance is used up become 0. */
static void factor(double *s, int64_t d)
{
    double largest = 0.0;

    for (int64_t k = 0; k < d; k++)
        largest = fmax(largest, s[k * d + k]);
    for (int64_t k = 0; k < d; k++) {
        double pivot = s[k * d + k] - dot(s + k * d, s + k * d, k);

        pivot = pivot > NO_VARIANCE * largest ? sqrt(pivot) : 0.0;
        s[k * d + k] = pivot;
        for (int64_t i = k + 1; i < d; i++)
            s[i * d + k] = pivot > 0.0 ? (s[i * d + k] - dot(s + i * d, s + k * d, k)) / pivot : 0.0;
    }
}

/* product [d, d] = L^T S L. */
static RsdStatus sandwich(double *product, const double *l, const double *s, int64_t d, RsdError *err)
{
    double *right = NULL;
    RsdStatus status = RSD_OK;

    TRY(mem_calloc(&right, (size_t)(d * d), sizeof(double), err));
    for (int64_t i = 0; i < d; i++) /* S L, row by row: L[j, ..j] */
        for (int64_t j = 0; j < d; j++)
            add_scaled(right + i * d, s[i * d + j], l + j * d, j + 1);
    memset(product, 0, (size_t)(d * d) * sizeof *product);
    for (int64_t j = 0; j < d; j++) /* L^T of that */
        for (int64_t i = 0; i <= j; i++)
            add_scaled(product + i * d, l[j * d + i], right + j * d, d);
fail:
    mem_free(&right);
    return status;
}

RsdStatus frechet_distance(double *value, const Embeddings *a, const Embeddings *b, RsdError *err)
{
    const int64_t d = a->dim;
    Moments x = {0}, y = {0};
    double *product = NULL, *eigenvalues = NULL, sum = 0.0;
    RsdStatus status = RSD_OK;

    *value = 0.0;
    TRY(check(a, b, err));
    if (a->n == b->n && memcmp(a->rows, b->rows, (size_t)(a->n * d) * sizeof(double)) == 0)
        return RSD_OK;
    TRY(open_moments(&x, a, err));
    TRY(open_moments(&y, b, err));
    TRY(mem_alloc(&product, (size_t)(d * d), sizeof(double), err));
    TRY(mem_alloc(&eigenvalues, (size_t)d, sizeof(double), err));
    for (int64_t k = 0; k < d; k++) {
        const double apart = x.mean[k] - y.mean[k];

        sum += apart * apart + x.covariance[k * d + k] + y.covariance[k * d + k];
    }
    factor(x.covariance, d);
    TRY(sandwich(product, x.covariance, y.covariance, d, err));
    TRY(symmetric_eigen(product, d, eigenvalues, false, err));
    for (int64_t k = 0; k < d; k++)
        sum -= 2.0 * sqrt(fmax(0.0, eigenvalues[k]));
    *value = fmax(0.0, sum);
fail:
    mem_free(&product);
    mem_free(&eigenvalues);
    close_moments(&x);
    close_moments(&y);
    return status;
}

/* Mean of the kernel over pairs of rows; of one set with itself without each row's pair with itself. */
static double mean_kernel(const Embeddings *a, const Embeddings *b)
{
    const bool same = a == b;
    double sum = 0.0;

    for (int64_t i = 0; i < a->n; i++)
        for (int64_t k = same ? i + 1 : 0; k < b->n; k++) {
            const double t = dot(a->rows + i * a->dim, b->rows + k * a->dim, a->dim) / (double)a->dim + 1.0;

            sum += t * t * t;
        }
    return same ? 2.0 * sum / ((double)a->n * (double)(a->n - 1)) : sum / ((double)a->n * (double)b->n);
}

RsdStatus kernel_distance(double *value, const Embeddings *a, const Embeddings *b, RsdError *err)
{
    RsdStatus status = RSD_OK;

    *value = 0.0;
    TRY(check(a, b, err));
    *value = mean_kernel(a, a) + mean_kernel(b, b) - 2.0 * mean_kernel(a, b);
fail:
    return status;
}
