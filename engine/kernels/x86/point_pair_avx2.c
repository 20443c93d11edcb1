/* point_pair_avx2.c - functions of two numbers and their gradients, eight at a time.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/kernels/x86/point_avx2.h"
#include "engine/kernels/x86/vmath_avx2.h"

/* One number for all elements is loaded once; `one` is a constant in each instance of a loop. */
#define EACH(function)                                                                                                 \
    if (b_is_one) {                                                                                                    \
        const __m256 v = v_set(b[0]);                                                                                  \
        EACH_VECTOR(n, STORE(y, function(LOAD(a), v)););                                                               \
    } else {                                                                                                           \
        EACH_VECTOR(n, STORE(y, function(LOAD(a), LOAD(b))););                                                         \
    }                                                                                                                  \
    break

void avx2_pair(PairFn fn, const float *a, const float *b, bool b_is_one, float *y, int64_t n)
{
    switch (fn) {
    case PAIR_ADD: EACH(_mm256_add_ps);
    case PAIR_SUB: EACH(_mm256_sub_ps);
    case PAIR_MUL: EACH(_mm256_mul_ps);
    case PAIR_DIV: EACH(_mm256_div_ps);
    case PAIR_N_FNS: break;
    }
}

static inline __m256 slope_a(PairFn fn, __m256 b)
{
    const __m256 one = v_set(1.0f);

    return fn == PAIR_MUL ? b : fn == PAIR_DIV ? _mm256_div_ps(one, b) : one;
}

static inline __m256 slope_b(PairFn fn, __m256 a, __m256 b)
{
    switch (fn) {
    case PAIR_SUB: return v_set(-1.0f);
    case PAIR_MUL: return a;
    case PAIR_DIV: return _mm256_div_ps(_mm256_xor_ps(a, v_set(-0.0f)), _mm256_mul_ps(b, b));
    default: return v_set(1.0f);
    }
}

void avx2_pair_grad_a(PairFn fn, const float *a, const float *b, bool b_is_one, const float *dy, float *da, int64_t n,
                      bool add)
{
    (void)a; /* all four functions are linear in a */
    if (b_is_one) {
        const __m256 slope = slope_a(fn, v_set(b[0]));

        EACH_VECTOR(n, PUT(da, _mm256_mul_ps(LOAD(dy), slope), add););
    } else {
        EACH_VECTOR(n, PUT(da, _mm256_mul_ps(LOAD(dy), slope_a(fn, LOAD(b))), add););
    }
}

void avx2_pair_grad_b(PairFn fn, const float *a, const float *b, const float *dy, float *db, int64_t n, bool add)
{
    EACH_VECTOR(n, PUT(db, _mm256_mul_ps(LOAD(dy), slope_b(fn, LOAD(a), LOAD(b))), add););
}

double avx2_pair_grad_one(PairFn fn, const float *a, float b, const float *dy, int64_t n)
{
    const __m256 vb = v_set(b);
    DoubleSum total = sum_start();

    EACH_VECTOR(n, sum_add_product(&total, LOAD(dy), slope_b(fn, LOAD(a), vb)););
    return sum_total(total);
}
