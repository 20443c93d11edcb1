/* point_map.c - functions of one number and their gradients, through libm.
 *
 * Comparisons are written so that NaN takes the branch that keeps it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "engine/kernels/ref/point_ref.h"

#define SQRT_HALF 0.70710678118654752440
#define INV_SQRT_2PI 0.39894228040143267794f

static float normal_cdf(float u)
{
    return (float)(0.5 * erfc(-(double)u * SQRT_HALF)); /* in float the tail would lose what u * SQRT_HALF rounds off */
}

/* The bound keeps -inf * 0 from being NaN. */
static float hard_swish(float u)
{
    const float gate = u >= 3.0f ? 1.0f : (u + 3.0f) / 6.0f;

    return u <= -3.0f ? 0.0f : u * gate;
}

static float at_least(float u, float floor)
{
    return u < floor ? floor : u;
}

static float linear_light(float u)
{
    const float size = fabsf(u);

    return size <= 0.04045f ? u / 12.92f : copysignf(powf((size + 0.055f) / 1.055f, 2.4f), u);
}

#define EACH(expression)                                                                                               \
    for (int64_t i = 0; i < n; i++) {                                                                                  \
        const float u = x[i];                                                                                          \
        y[i] = (expression);                                                                                           \
    }                                                                                                                  \
    break

void ref_map(PointFn fn, float a, float b, const float *x, float *y, int64_t n)
{
    switch (fn) {
    case POINT_AFFINE: EACH(a * u + b);
    case POINT_RELU: EACH(at_least(u, 0.0f));
    case POINT_LEAKY_RELU: EACH(u > 0.0f ? u : a * u);
    case POINT_ELU: EACH(u > 0.0f ? u : a * expm1f(u));
    case POINT_GELU: EACH(at_least(u, -15.0f) * normal_cdf(u)); /* the bound keeps -inf * 0 from being NaN */
    case POINT_HARD_SWISH: EACH(hard_swish(u));
    case POINT_TANH: EACH(tanhf(u));
    case POINT_SIGMOID: EACH(1.0f / (1.0f + expf(-u)));
    case POINT_EXP: EACH(expf(u));
    case POINT_SIN: EACH(sinf(u));
    case POINT_ABS: EACH(fabsf(u));
    case POINT_SQUARE: EACH(u * u);
    case POINT_SQRT: EACH(sqrtf(at_least(u, a)));
    case POINT_LOG: EACH(b * logf(at_least(u, a)));
    case POINT_POW: EACH(powf(at_least(u, a), b));
    case POINT_LINEAR_LIGHT: EACH(linear_light(u));
    case POINT_N_FNS: break;
    }
}
#undef EACH

#define EACH(slope)                                                                                                    \
    for (int64_t i = 0; i < n; i++) {                                                                                  \
        const float u = x[i], v = y[i];                                                                                \
        (void)u, (void)v;                                                                                              \
        put(&dx[i], dy[i] * (slope), add);                                                                             \
    }                                                                                                                  \
    break

void ref_map_grad(PointFn fn, float a, float b, const float *x, const float *y, const float *dy, float *dx, int64_t n,
                  bool add)
{
    switch (fn) {
    case POINT_AFFINE: EACH(a);
    case POINT_RELU: EACH(u > 0.0f ? 1.0f : 0.0f);
    case POINT_LEAKY_RELU: EACH(u > 0.0f ? 1.0f : a);
    case POINT_ELU: EACH(u > 0.0f ? 1.0f : v + a);
    case POINT_GELU: EACH(normal_cdf(u) + u * INV_SQRT_2PI * expf(-0.5f * u * u));
    case POINT_HARD_SWISH: EACH(u <= -3.0f ? 0.0f : u >= 3.0f ? 1.0f : (u + 1.5f) / 3.0f);
    case POINT_TANH: EACH(1.0f - v * v);
    case POINT_SIGMOID: EACH(v * (1.0f - v));
    case POINT_EXP: EACH(v);
    case POINT_SIN: EACH(cosf(u));
    case POINT_ABS: EACH(u > 0.0f ? 1.0f : u < 0.0f ? -1.0f : 0.0f);
    case POINT_SQUARE: EACH(2.0f * u);
    case POINT_SQRT: EACH(u > a ? 0.5f / v : 0.0f);
    case POINT_LOG: EACH(u > a ? b / u : 0.0f);
    case POINT_POW: EACH(u > a ? b * v / u : 0.0f);
    case POINT_LINEAR_LIGHT: EACH(fabsf(u) <= 0.04045f ? 1.0f / 12.92f : 2.4f * fabsf(v) / (fabsf(u) + 0.055f));
    case POINT_N_FNS: break;
    }
}

void ref_snake(const float *x, float alpha, float *y, int64_t n)
{
    const float inverse = 1.0f / (alpha + 1e-9f);

    for (int64_t i = 0; i < n; i++) {
        const float s = sinf(alpha * x[i]);

        y[i] = x[i] + inverse * (s * s);
    }
}

double ref_snake_grad(const float *x, float alpha, const float *dy, float *dx, int64_t n, bool add)
{
    const float inverse = 1.0f / (alpha + 1e-9f);
    double dalpha = 0.0;

    for (int64_t i = 0; i < n; i++) {
        const float s = sinf(alpha * x[i]), c = cosf(alpha * x[i]), sin_twice = 2.0f * s * c;

        dalpha += (double)dy[i] * (double)((x[i] * sin_twice - s * s * inverse) * inverse);
        if (dx)
            put(&dx[i], dy[i] * (1.0f + sin_twice * alpha * inverse), add);
    }
    return dalpha;
}
