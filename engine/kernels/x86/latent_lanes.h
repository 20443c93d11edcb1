/* latent_lanes.h - bits of latents in double, as many at once as a register holds, and rounding.
 *
 * A set includes this with
 *   N_LANES                       doubles in a register
 *   Lanes, Whole                  N_LANES doubles with + - * / between them; as many uint64_t with + - << >>
 *   all_lanes(x)                  x in each
 *   mul_add(a, b, c)              a b + c
 *   absolute(a), floor_of(a)
 *   pick_greater(a, b, yes, no)   yes where a > b, else no
 *   load_floats, store_floats     N_LANES floats
 *
 * The tail of a normal distribution beyond a >= 0 is e^(-a^2 / 2) erfcx(z) / 2 with z = a / sqrt 2, and erfcx(z) is t times a
 * polynomial in t = 1 / (1 + 0.45 z): interpolated at Chebyshev points for z in [0, 27.5], relative error 9e-12. One exponential
 * so serves the tail and the density.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <string.h>

#include "engine/kernels/ref/latent_ref.h"

#define INLINE static inline __attribute__((always_inline))

#define ROUNDER 0x1.8p52        /* added to a small number it leaves the nearest whole one in the low bits */
#define LEAST_EXPONENT (-707.0) /* of e^x above the subnormal numbers */
#define SQRT_HALF_BITS 0x3fe6a09e667f3bcdu

INLINE Lanes polynomial(const double *c, int degree, Lanes x)
{
    Lanes sum = all_lanes(c[degree]);

    for (int i = degree - 1; i >= 0; i--)
        sum = mul_add(sum, x, all_lanes(c[i]));
    return sum;
}

/* e^x for x <= 0 to 1e-12, 0 below LEAST_EXPONENT: 2^n times the series of e^r, |r| <= ln(2) / 2. */
INLINE Lanes exp_lanes(Lanes x)
{
    static const double c[] = {1, 1, 1. / 2, 1. / 6, 1. / 24, 1. / 120, 1. / 720, 1. / 5040, 1. / 40320, 1. / 362880, 1. / 3628800};
    const Lanes least = all_lanes(LEAST_EXPONENT), kept = pick_greater(least, x, least, x); /* NaN stays */
    const Lanes shifted = mul_add(kept, all_lanes(M_LOG2E), all_lanes(ROUNDER)), n = shifted - all_lanes(ROUNDER);
    const Lanes r = mul_add(n, all_lanes(-1.90821492927058770e-10), mul_add(n, all_lanes(-6.93147180369123816490e-01), kept));
    const Whole power = ((Whole)shifted + 1023) << 52;

    return pick_greater(least, x, all_lanes(0.0), polynomial(c, 10, r) * (Lanes)power);
}

/* -log2 x to 1e-12 for normal x > 0, infinity for 0: 2^e m with m in [sqrt(1/2), sqrt(2)), and ln m = 2 artanh((m - 1) / (m + 1)). */
INLINE Lanes bits_of(Lanes x)
{
    static const double c[] = {1, 1. / 3, 1. / 5, 1. / 7, 1. / 9, 1. / 11, 1. / 13, 1. / 15};
    const Lanes whole = all_lanes(0x1p52);
    const Whole exponent = ((Whole)x + (((uint64_t)1023 << 52) - SQRT_HALF_BITS)) >> 52; /* e + 1023 */
    const Lanes m = (Lanes)((Whole)x - ((exponent - 1023) << 52)), s = (m - all_lanes(1.0)) / (m + all_lanes(1.0));
    const Lanes e = (Lanes)(exponent + (Whole)whole) - all_lanes(0x1p52 + 1023), ln = s * polynomial(c, 7, s * s);

    return pick_greater(x, all_lanes(0.0), mul_add(ln, all_lanes(-2 * M_LOG2E), all_lanes(0.0) - e), all_lanes((double)INFINITY));
}

/* P(X > a) for variance 1, and the density at a. */
INLINE Lanes tail_of(Density density, Lanes a, Lanes *at)
{
    static const double c[] = {0.2538853185062994, 0.2538849602897816, 0.2281886757869544, 0.17662557748766783, 0.10888670284640208,
                               0.025897047781175717, 0.03136214748303951, -0.22237440329144864, 0.4589608480188327,
                               -0.9352937376624798, 1.3112980005345511, -1.1260653861322338, 0.5826424552776365,
                               -0.16934763716091356, 0.021449430240806942};
    const Lanes far = absolute(a), one = all_lanes(1.0);
    Lanes tail;

    if (density == DENSITY_NORMAL) {
        const Lanes e = exp_lanes(all_lanes(-0.5) * a * a), t = one / mul_add(far, all_lanes(0.45 * M_SQRT1_2), one);

        *at = e * all_lanes(0.39894228040143267794); /* 1 / sqrt(2 pi) */
        tail = all_lanes(0.5) * e * (t * polynomial(c, 14, t));
    } else {
        const Lanes e = exp_lanes(all_lanes(-M_SQRT2) * far);

        *at = all_lanes(M_SQRT1_2) * e;
        tail = all_lanes(0.5) * e;
    }
    return pick_greater(all_lanes(0.0), a, one - tail, tail);
}

/* P of the cells around x, and what changes with it: |x - mean| and scale. */
INLINE Lanes cells_of(const BitsJob *job, int64_t i, Lanes *by_distance, Lanes *by_scale)
{
    const Lanes distance = absolute(load_floats(job->x + i) - load_floats(job->mean + i)), half = all_lanes(0.5);
    const Lanes rate = all_lanes(1.0) / load_floats(job->scale + i);
    const Lanes inner = (distance - half) * rate, outer = (distance + half) * rate;
    Lanes at_inner, at_outer;
    const Lanes p = tail_of(job->density, inner, &at_inner) - tail_of(job->density, outer, &at_outer);

    *by_distance = (at_outer - at_inner) * rate;
    *by_scale = (at_inner * inner - at_outer * outer) * rate;
    return p;
}

/* n is a multiple of N_LANES, here and in the next. */
INLINE void bits_of_lanes(const BitsJob *job, float *y, int64_t n)
{
    const Lanes least = all_lanes((double)job->floor);

    for (int64_t i = 0; i < n; i += N_LANES) {
        Lanes by_distance, by_scale;
        const Lanes p = cells_of(job, i, &by_distance, &by_scale);

        store_floats(y + i, bits_of(pick_greater(p, least, p, least)));
    }
}

INLINE void put_lanes(float *y, Lanes value, bool add)
{
    store_floats(y, add ? (Lanes)(load_floats(y) + value) : value);
}

INLINE void gradients_of_lanes(const BitsJob *job, const float *dy, const BitsGrad *grad, int64_t n)
{
    const Lanes least = all_lanes((double)job->floor), zero = all_lanes(0.0);

    for (int64_t i = 0; i < n; i += N_LANES) {
        Lanes by_distance, by_scale, slope, by_x;
        const Lanes p = cells_of(job, i, &by_distance, &by_scale);

        slope = all_lanes(-M_LOG2E) * load_floats(dy + i) / pick_greater(p, least, p, least);
        slope = pick_greater(least, p, pick_greater(slope, zero, zero, slope), slope);
        by_x = slope * pick_greater(load_floats(job->mean + i), load_floats(job->x + i), zero - by_distance, by_distance);
        if (grad->dx)
            put_lanes(grad->dx + i, by_x, grad->add_x);
        if (grad->dmean)
            put_lanes(grad->dmean + i, zero - by_x, grad->add_mean);
        if (grad->dscale)
            put_lanes(grad->dscale + i, slope * by_scale, grad->add_scale);
    }
}

/* The last numbers, fewer than a register holds, go through one that is filled up. */
typedef struct Rest {
    float x[N_LANES], mean[N_LANES], scale[N_LANES];
    BitsJob job;
} Rest;

static void take_rest(Rest *rest, const BitsJob *job, int64_t at, int64_t n)
{
    *rest = (Rest){.job = *job};
    rest->job.x = memcpy(rest->x, job->x + at, (size_t)n * sizeof *rest->x);
    rest->job.mean = memcpy(rest->mean, job->mean + at, (size_t)n * sizeof *rest->mean);
    for (int64_t i = 0; i < N_LANES; i++)
        rest->scale[i] = i < n ? job->scale[at + i] : 1.0f;
    rest->job.scale = rest->scale;
}

static void bits(const BitsJob *job, float *y, int64_t n)
{
    const int64_t whole = n / N_LANES * N_LANES;
    float last[N_LANES];
    Rest rest;

    bits_of_lanes(job, y, whole);
    if (whole == n)
        return;
    take_rest(&rest, job, whole, n - whole);
    bits_of_lanes(&rest.job, last, N_LANES);
    memcpy(y + whole, last, (size_t)(n - whole) * sizeof *y);
}

static void put_rest(float *to, const float *values, int64_t n, bool add)
{
    for (int64_t i = 0; i < n && to; i++)
        to[i] = add ? to[i] + values[i] : values[i];
}

static void bits_grad(const BitsJob *job, const float *dy, const BitsGrad *grad, int64_t n)
{
    const int64_t whole = n / N_LANES * N_LANES, left = n - whole;
    float last_dy[N_LANES] = {0}, dx[N_LANES], dmean[N_LANES], dscale[N_LANES];
    Rest rest;

    gradients_of_lanes(job, dy, grad, whole);
    if (left == 0)
        return;
    take_rest(&rest, job, whole, left);
    memcpy(last_dy, dy + whole, (size_t)left * sizeof *dy);
    gradients_of_lanes(&rest.job, last_dy, &(BitsGrad){.dx = dx, .dmean = dmean, .dscale = dscale}, N_LANES);
    put_rest(grad->dx ? grad->dx + whole : NULL, dx, left, grad->add_x);
    put_rest(grad->dmean ? grad->dmean + whole : NULL, dmean, left, grad->add_mean);
    put_rest(grad->dscale ? grad->dscale + whole : NULL, dscale, left, grad->add_scale);
}

/* --- rounding that lets gradients through ------------------------------------------------------------------------------------ */

/* tanh x to 1e-12. */
INLINE Lanes tanh_lanes(Lanes x)
{
    const Lanes e = exp_lanes(all_lanes(-2.0) * absolute(x)), t = (all_lanes(1.0) - e) / (all_lanes(1.0) + e);

    return pick_greater(all_lanes(0.0), x, all_lanes(0.0) - t, t);
}

/* A rounding of LatentKernels: SNAP_SOFT, or the stochastic one. */
typedef struct Rounding {
    bool stochastic;
    double by_t, half;  /* 1 / t; 1 / (2 tanh(1 / (2 t))) of soft rounding */
    const float *x, *u; /* u: of stochastic rounding, else x again */
} Rounding;

static Rounding soft_rounding(float t, const float *x)
{
    const double by_t = 1.0 / (double)t;

    return (Rounding){.by_t = by_t, .half = 0.5 / tanh(0.5 * by_t), .x = x, .u = x};
}

/* What a rounding makes of numbers, and how that grows with them. */
INLINE Lanes soft_lanes(const Rounding *job, Lanes x, Lanes *slope)
{
    const Lanes middle = floor_of(x) + all_lanes(0.5), t = tanh_lanes((x - middle) * all_lanes(job->by_t));

    *slope = all_lanes(job->half * job->by_t) * (all_lanes(1.0) - t * t);
    return mul_add(all_lanes(job->half), t, middle);
}

/* artanh r - artanh(1 - r) is half the logarithm of a quotient; e^-|v| serves the share and its slope. */
INLINE Lanes stochastic_lanes(const Rounding *job, Lanes x, Lanes u, Lanes *slope)
{
    const Lanes one = all_lanes(1.0), most = all_lanes(1.0 - (double)STOCHASTIC_EDGE), by_t = all_lanes(job->by_t);
    const Lanes whole = floor_of(x), above = x - whole, r = pick_greater(above, most, most, above), below = one - r;
    const Lanes left = pick_greater(below, most, most, below);
    const Lanes energy = bits_of((one + r) * (one - left) / ((one - r) * (one + left))), noise = bits_of(u / (one - u));
    const Lanes v = all_lanes(-M_LN2) * by_t * mul_add(all_lanes(0.5) * by_t, energy, noise);
    const Lanes e = exp_lanes(all_lanes(0.0) - absolute(v)), far = one / (one + e);

    *slope = e * far * far * by_t * by_t * (one / (one - r * r) + one / (one - left * left));
    return whole + pick_greater(v, all_lanes(0.0), far, e * far);
}

INLINE Lanes round_lanes(const Rounding *job, const float *x, const float *u, Lanes *slope)
{
    return job->stochastic ? stochastic_lanes(job, load_floats(x), load_floats(u), slope) : soft_lanes(job, load_floats(x), slope);
}

/* The last numbers, fewer than a register holds, and what fills it up. */
typedef struct RoundingRest {
    float x[N_LANES], u[N_LANES], dy[N_LANES], y[N_LANES];
} RoundingRest;

static RoundingRest rest_of(const Rounding *job, int64_t at, int64_t n)
{
    RoundingRest rest;

    for (int64_t i = 0; i < N_LANES; i++) {
        rest.x[i] = i < n ? job->x[at + i] : 0.5f;
        rest.u[i] = i < n ? job->u[at + i] : 0.5f;
        rest.dy[i] = rest.y[i] = 0.0f;
    }
    return rest;
}

INLINE void round_all(const Rounding *job, float *y, int64_t n)
{
    const int64_t whole = n / N_LANES * N_LANES;
    Lanes slope;

    for (int64_t i = 0; i < whole; i += N_LANES)
        store_floats(y + i, round_lanes(job, job->x + i, job->u + i, &slope));
    if (whole < n) {
        RoundingRest rest = rest_of(job, whole, n - whole);

        store_floats(rest.y, round_lanes(job, rest.x, rest.u, &slope));
        memcpy(y + whole, rest.y, (size_t)(n - whole) * sizeof *y);
    }
}

INLINE void round_all_grad(const Rounding *job, const float *dy, float *dx, bool add, int64_t n)
{
    const int64_t whole = n / N_LANES * N_LANES;
    Lanes slope;

    for (int64_t i = 0; i < whole; i += N_LANES) {
        (void)round_lanes(job, job->x + i, job->u + i, &slope);
        put_lanes(dx + i, slope * load_floats(dy + i), add);
    }
    if (whole < n) {
        RoundingRest rest = rest_of(job, whole, n - whole);

        for (int64_t i = 0; i < n - whole; i++) {
            rest.dy[i] = dy[whole + i];
            rest.y[i] = dx[whole + i];
        }
        (void)round_lanes(job, rest.x, rest.u, &slope);
        put_lanes(rest.y, slope * load_floats(rest.dy), add);
        memcpy(dx + whole, rest.y, (size_t)(n - whole) * sizeof *dx);
    }
}

static void stochastic(float t, const float *x, const float *u, float *y, int64_t n)
{
    round_all(&(Rounding){.stochastic = true, .by_t = 1.0 / (double)t, .x = x, .u = u}, y, n);
}

static void stochastic_grad(float t, const float *x, const float *u, const float *dy, float *dx, bool add, int64_t n)
{
    round_all_grad(&(Rounding){.stochastic = true, .by_t = 1.0 / (double)t, .x = x, .u = u}, dy, dx, add, n);
}

/* --- rounding: loops without branches, for the compiler ---------------------------------------------------------------------- */

static void snap(const Snap *s, const float *x, float *y, int64_t n)
{
    const float per_unit = s->per_unit, low = s->low, high = s->high;

    if (s->kind == SNAP_SOFT) {
        const Rounding job = soft_rounding(per_unit, x);

        round_all(&job, y, n);
        return;
    }
    for (int64_t i = 0; i < n && s->kind == SNAP_ROUND; i++) {
        const float v = floorf(x[i] * per_unit + 0.5f) / per_unit;

        y[i] = v < low ? low : v > high ? high : v;
    }
    for (int64_t i = 0; i < n && s->kind == SNAP_BOUND; i++)
        y[i] = x[i] < low ? low : x[i] > high ? high : x[i];
}

static void snap_grad(const Snap *s, const float *x, const float *dy, float *dx, int64_t n, bool add)
{
    const float low = s->low, high = s->high;

    if (s->kind == SNAP_SOFT) {
        const Rounding job = soft_rounding(s->per_unit, x);

        round_all_grad(&job, dy, dx, add, n);
        return;
    }
    for (int64_t i = 0; i < n; i++) {
        /* going downhill moves x against dy */
        const bool stuck = ((x[i] < low) & (dy[i] > 0)) | ((x[i] > high) & (dy[i] < 0));
        const float d = stuck ? 0.0f : dy[i];

        dx[i] = add ? dx[i] + d : d;
    }
}

#define LATENT_SET(name)                                                                                               \
    const LatentKernels name = {.bits = bits,                                                                          \
                                .bits_grad = bits_grad,                                                                \
                                .table_bits = ref_table_bits,                                                          \
                                .table_bits_grad = ref_table_bits_grad,                                                \
                                .stochastic = stochastic,                                                              \
                                .stochastic_grad = stochastic_grad,                                                    \
                                .snap = snap,                                                                          \
                                .snap_grad = snap_grad,                                                                \
                                .factorised_bits = ref_factorised_bits,                                                \
                                .factorised_bits_grad = ref_factorised_bits_grad}
