/* spectral_norm.c - the largest singular value of an error.
 *
 * u and v are built in turns, beta u = D v - alpha u_before, alpha v = D^T u - beta v_before, all u and v orthogonal to those
 * before. In these bases D is bidiagonal, B; the largest eigenvalue of the small B B^T rises to the square of the wanted value.
 *
 * SPDX-License-Identifier: MIT
 */
#include "losses/spectral_norm.h"

#include <math.h>

#include "engine/base/mem.h"
#include "engine/dsp/symmetric_eigen.h"

#define MOST_STEPS 64
#define SETTLED 1e-9

typedef struct Bidiagonal {
    const float *x, *y; /* D = y - x, [h, w] */
    int64_t h, w, most;
    double *left, *right;        /* [most, h], [most, w]: unit vectors */
    double along[MOST_STEPS], beside[MOST_STEPS]; /* B: diagonal, and what couples step k with k + 1 */
} Bidiagonal;

static double dot(const double *a, const double *b, int64_t n)
{
    double sum = 0.0;

    for (int64_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

/* v := its part orthogonal to the k vectors before it, as a unit vector; returns its length, 0 when nothing is left. Twice, so
 * that rounding errors of the first time go too. */
static double orthogonalise(double *basis, int64_t k, int64_t n)
{
    double *v = basis + k * n, length;
    const double before = sqrt(dot(v, v, n));

    for (int time = 0; time < 2; time++)
        for (int64_t j = 0; j < k; j++) {
            const double part = dot(v, basis + j * n, n);

            for (int64_t i = 0; i < n; i++)
                v[i] -= part * basis[j * n + i];
        }
    length = sqrt(dot(v, v, n));
    if (length <= 1e-13 * before || length < 1e-150)
        return 0.0;
    for (int64_t i = 0; i < n; i++)
        v[i] /= length;
    return length;
}

/* u := D v. */
static void apply(const Bidiagonal *b, const double *v, double *u)
{
    for (int64_t r = 0; r < b->h; r++) {
        double sum = 0.0;

        for (int64_t c = 0; c < b->w; c++)
            sum += ((double)b->y[r * b->w + c] - (double)b->x[r * b->w + c]) * v[c];
        u[r] = sum;
    }
}

/* v := D^T u. */
static void apply_transposed(const Bidiagonal *b, const double *u, double *v)
{
    for (int64_t c = 0; c < b->w; c++)
        v[c] = 0.0;
    for (int64_t r = 0; r < b->h; r++)
        for (int64_t c = 0; c < b->w; c++)
            v[c] += ((double)b->y[r * b->w + c] - (double)b->x[r * b->w + c]) * u[r];
}

/* Largest singular value of the first k rows of B, with beside[k - 1] in their last column. */
static RsdStatus largest_of(const Bidiagonal *b, int64_t k, double *value, RsdError *err)
{
    double square[MOST_STEPS * MOST_STEPS] = {0.0}, values[MOST_STEPS];
    RsdStatus status = RSD_OK;

    for (int64_t i = 0; i < k; i++) {
        square[i * k + i] = b->along[i] * b->along[i] + b->beside[i] * b->beside[i];
        if (i + 1 < k)
            square[i * k + i + 1] = square[(i + 1) * k + i] = b->beside[i] * b->along[i + 1];
    }
    TRY(symmetric_eigen(square, k, values, false, err));
    *value = sqrt(fmax(0.0, values[k - 1]));
fail:
    return status;
}

/* The first vector leans towards the columns where the error is: D^T of the row sums, and of a fixed pattern where these are 0. */
static void start(const Bidiagonal *b, double *v, double *u)
{
    for (int64_t r = 0; r < b->h; r++)
        u[r] = 1.0 + 0.5 * cos(1.7 * (double)r + 0.3 * (double)(r * r % 97));
    apply_transposed(b, u, v);
}

static RsdStatus norm_of(Bidiagonal *b, double *value, RsdError *err)
{
    double last = 0.0;
    RsdStatus status = RSD_OK;

    *value = 0.0;
    start(b, b->right, b->left);
    if (orthogonalise(b->right, 0, b->w) == 0.0)
        return RSD_OK;
    for (int64_t k = 0; k < b->most; k++) {
        apply(b, b->right + k * b->w, b->left + k * b->h);
        b->along[k] = orthogonalise(b->left, k, b->h);
        b->beside[k] = 0.0;
        if (b->along[k] > 0.0 && k + 1 < b->most) {
            apply_transposed(b, b->left + k * b->h, b->right + (k + 1) * b->w);
            b->beside[k] = orthogonalise(b->right, k + 1, b->w);
        }
        TRY(largest_of(b, k + 1, value, err));
        if (b->beside[k] == 0.0 || *value - last <= SETTLED * *value)
            break;
        last = *value;
    }
fail:
    return status;
}

RsdStatus metric_spectral_norm(double *value, const ImagePair *pair, RsdError *err)
{
    const int64_t least = pair->h < pair->w ? pair->h : pair->w;
    Bidiagonal b = {.h = pair->h, .w = pair->w, .most = least < MOST_STEPS ? least : MOST_STEPS};
    double sum = 0.0;
    RsdStatus status = RSD_OK;

    TRY(mem_alloc(&b.left, (size_t)(b.most * b.h), sizeof(double), err));
    TRY(mem_alloc(&b.right, (size_t)(b.most * b.w), sizeof(double), err));
    for (int c = 0; c < 3; c++) {
        double norm;

        b.x = pair->ref + c * b.h * b.w;
        b.y = pair->dist + c * b.h * b.w;
        TRY(norm_of(&b, &norm, err));
        sum += norm;
    }
    *value = sum / 3.0 / sqrt((double)b.h * (double)b.w);
fail:
    mem_free(&b.left);
    mem_free(&b.right);
    return status;
}
