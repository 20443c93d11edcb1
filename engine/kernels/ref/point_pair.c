/* point_pair.c - functions of two numbers and their gradients.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/kernels/ref/point_ref.h"

#define EACH(expression)                                                                                               \
    for (int64_t i = 0; i < n; i++) {                                                                                  \
        const float u = a[i], v = b[b_is_one ? 0 : i];                                                                 \
        y[i] = (expression);                                                                                           \
    }                                                                                                                  \
    break

void ref_pair(PairFn fn, const float *a, const float *b, bool b_is_one, float *y, int64_t n)
{
    switch (fn) {
    case PAIR_ADD: EACH(u + v);
    case PAIR_SUB: EACH(u - v);
    case PAIR_MUL: EACH(u * v);
    case PAIR_DIV: EACH(u / v);
    case PAIR_N_FNS: break;
    }
}

static float slope_a(PairFn fn, float b)
{
    return fn == PAIR_MUL ? b : fn == PAIR_DIV ? 1.0f / b : 1.0f;
}

static float slope_b(PairFn fn, float a, float b)
{
    switch (fn) {
    case PAIR_SUB: return -1.0f;
    case PAIR_MUL: return a;
    case PAIR_DIV: return -a / (b * b);
    default: return 1.0f;
    }
}

void ref_pair_grad_a(PairFn fn, const float *a, const float *b, bool b_is_one, const float *dy, float *da, int64_t n,
                     bool add)
{
    (void)a; /* all four functions are linear in a */
    for (int64_t i = 0; i < n; i++)
        put(&da[i], dy[i] * slope_a(fn, b[b_is_one ? 0 : i]), add);
}

void ref_pair_grad_b(PairFn fn, const float *a, const float *b, const float *dy, float *db, int64_t n, bool add)
{
    for (int64_t i = 0; i < n; i++)
        put(&db[i], dy[i] * slope_b(fn, a[i], b[i]), add);
}

double ref_pair_grad_one(PairFn fn, const float *a, float b, const float *dy, int64_t n)
{
    double total = 0.0;

    for (int64_t i = 0; i < n; i++)
        total += (double)dy[i] * (double)slope_b(fn, a[i], b);
    return total;
}
