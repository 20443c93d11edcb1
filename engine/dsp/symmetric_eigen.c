/* symmetric_eigen.c - eigenvalues of a symmetric matrix.
 *
 * Reflections H = 1 - 2 v v^T from both sides make the matrix tridiagonal, column by column; implicit QL steps with Wilkinson's
 * shift make that diagonal. Vectors are kept as rows, so that every rotation and every reflection runs along memory.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/dsp/symmetric_eigen.h"

#include <math.h>
#include <string.h>

#include "engine/base/mem.h"

#define NEGLIGIBLE 1e-20 /* of the largest element: couples nothing, even between eigenvalues that are 0 */
#define MOST_STEPS 60 /* per eigenvalue; three are usual */

typedef struct Reduction {
    double *a;        /* [n, n]; row k keeps, from k + 1 on, the unit vector of reflection k */
    double *diagonal; /* [n] */
    double *beside;   /* [n]: beside[k] couples k and k + 1 */
    double *product;  /* [n] */
    int64_t n;
} Reduction;

static double dot(const double *x, const double *y, int64_t n)
{
    double lanes[4] = {0.0}, sum;
    int64_t i = 0;

    for (; i + 4 <= n; i += 4)
        for (int k = 0; k < 4; k++)
            lanes[k] += x[i + k] * y[i + k];
    sum = lanes[0] + lanes[1] + lanes[2] + lanes[3];
    for (; i < n; i++)
        sum += x[i] * y[i];
    return sum;
}

/* v [m] := unit vector of the reflection that turns v into (-sign v0 |v|, 0, ..); returns that first element. Zero vectors get
 * the reflection 0. */
static double make_reflection(double *v, int64_t m)
{
    double largest = 0.0, length, norm;

    for (int64_t i = 0; i < m; i++)
        largest = fmax(largest, fabs(v[i]));
    if (largest == 0.0)
        return 0.0;
    for (int64_t i = 0; i < m; i++)
        v[i] /= largest;
    length = sqrt(dot(v, v, m));
    length = v[0] > 0.0 ? -length : length;
    v[0] -= length;
    norm = sqrt(dot(v, v, m));
    for (int64_t i = 0; i < m; i++)
        v[i] /= norm;
    return largest * length;
}

/* B := H B H for the m x m matrix whose rows are n apart: B - 2 v w^T - 2 w v^T with w = B v - (v . B v) v. */
static void reflect_both_sides(double *b, int64_t n, int64_t m, const double *v, double *w)
{
    double along;

    for (int64_t i = 0; i < m; i++)
        w[i] = dot(b + i * n, v, m);
    along = dot(v, w, m);
    for (int64_t i = 0; i < m; i++)
        w[i] = 2.0 * (w[i] - along * v[i]);
    for (int64_t i = 0; i < m; i++) {
        const double vi = v[i], wi = w[i];
        double *row = b + i * n;

        for (int64_t k = 0; k < m; k++)
            row[k] -= vi * w[k] + wi * v[k];
    }
}

static void reduce(Reduction *r)
{
    for (int64_t k = 0; k < r->n; k++) {
        const int64_t m = r->n - k - 1;
        double *v = r->a + k * r->n + k + 1;

        r->diagonal[k] = r->a[k * r->n + k];
        r->beside[k] = 0.0;
        if (m == 1)
            r->beside[k] = v[0];
        if (m > 1) {
            r->beside[k] = make_reflection(v, m);
            reflect_both_sides(r->a + (k + 1) * (r->n + 1), r->n, m, v, r->product);
        }
    }
}

/* rows [n, n] := the product of all reflections, applied to the identity from the last to the first. */
static void collect(const Reduction *r, double *rows)
{
    memset(rows, 0, (size_t)(r->n * r->n) * sizeof *rows);
    for (int64_t k = 0; k < r->n; k++)
        rows[k * (r->n + 1)] = 1.0;
    for (int64_t k = r->n - 3; k >= 0; k--) {
        const int64_t m = r->n - k - 1;
        const double *v = r->a + k * r->n + k + 1;

        /* row j of the result is e_j through H_last .. H_0: each row loses twice its part along v */
        for (int64_t j = k + 1; j < r->n; j++) {
            double *row = rows + j * r->n + k + 1;
            const double part = 2.0 * dot(row, v, m);

            for (int64_t i = 0; i < m; i++)
                row[i] -= part * v[i];
        }
    }
}

static void rotate_rows(double *a, double *b, double c, double s, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        const double t = b[i];

        b[i] = s * a[i] + c * t;
        a[i] = c * a[i] - s * t;
    }
}

/* One implicit QL step on l .. m. */
static void ql_step(double *d, double *e, int64_t l, int64_t m, double *rows, int64_t n)
{
    double g = (d[l + 1] - d[l]) / (2.0 * e[l]), r = hypot(g, 1.0), s = 1.0, c = 1.0, p = 0.0;

    g = d[m] - d[l] + e[l] / (g + (g < 0.0 ? -r : r));
    for (int64_t i = m - 1; i >= l; i--) {
        const double f = s * e[i], b = c * e[i];

        r = hypot(f, g);
        e[i + 1] = r;
        if (r == 0.0) { /* split already: end here */
            d[i + 1] -= p;
            e[m] = 0.0;
            return;
        }
        s = f / r;
        c = g / r;
        g = d[i + 1] - p;
        r = (d[i] - g) * s + 2.0 * c * b;
        p = s * r;
        d[i + 1] = g + p;
        g = c * r - b;
        if (rows)
            rotate_rows(rows + i * n, rows + (i + 1) * n, c, s, n);
    }
    d[l] -= p;
    e[l] = g;
    e[m] = 0.0;
}

static bool diagonalise(double *d, double *e, double *rows, int64_t n)
{
    double largest = 0.0;

    for (int64_t i = 0; i < n; i++)
        largest = fmax(largest, fabs(d[i]) + fabs(e[i]));
    for (int64_t l = 0; l < n; l++)
        for (int step = 0;; step++) {
            int64_t m = l;

            while (m < n - 1 && fabs(e[m]) > 1.1e-16 * (fabs(d[m]) + fabs(d[m + 1])) + NEGLIGIBLE * largest)
                m++;
            if (m == l)
                break;
            if (step == MOST_STEPS)
                return false;
            ql_step(d, e, l, m, rows, n);
        }
    return true;
}

static void sort(double *values, double *rows, double *spare, int64_t n)
{
    for (int64_t i = 0; i < n - 1; i++) {
        int64_t least = i;
        double t;

        for (int64_t k = i + 1; k < n; k++)
            least = values[k] < values[least] ? k : least;
        if (least == i)
            continue;
        t = values[i];
        values[i] = values[least];
        values[least] = t;
        if (rows) {
            memcpy(spare, rows + i * n, (size_t)n * sizeof *rows);
            memcpy(rows + i * n, rows + least * n, (size_t)n * sizeof *rows);
            memcpy(rows + least * n, spare, (size_t)n * sizeof *rows);
        }
    }
}

RsdStatus symmetric_eigen(double *a, int64_t n, double *values, bool vectors, RsdError *err)
{
    Reduction r = {.a = a, .diagonal = values, .n = n};
    double *rows = NULL;
    RsdStatus status = RSD_OK;

    for (int64_t i = 0; i < n * n; i++)
        CHECK(isfinite(a[i]), err, RSD_ERR_NUMERIC, "element %lld, %lld of a symmetric matrix is not a finite number",
              (long long)(i / n), (long long)(i % n));
    TRY(mem_alloc(&r.beside, (size_t)n, sizeof(double), err));
    TRY(mem_alloc(&r.product, (size_t)n, sizeof(double), err));
    if (vectors)
        TRY(mem_alloc(&rows, (size_t)(n * n), sizeof(double), err));
    reduce(&r);
    if (vectors)
        collect(&r, rows);
    CHECK(diagonalise(values, r.beside, rows, n), err, RSD_ERR_NUMERIC, "the eigenvalues of a %lld x %lld matrix do not settle",
          (long long)n, (long long)n);
    sort(values, rows, r.product, n);
    if (vectors)
        memcpy(a, rows, (size_t)(n * n) * sizeof *a);
fail:
    mem_free(&rows);
    mem_free(&r.product);
    mem_free(&r.beside);
    return status;
}
