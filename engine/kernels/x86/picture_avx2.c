/* picture_avx2.c - rows of pictures, eight pixels at a time.
 *
 * Sums over taps run in registers: four vectors of one row share each broadcast tap, which hides the latency of the
 * multiply-add; the taps are added in the same order wherever a pixel stands.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/kernels/ref/picture_ref.h"
#include "engine/kernels/x86/point_avx2.h"
#include "engine/kernels/x86/vmath_avx2.h"

static void blend_rows(const float *const *rows, const float *taps, int n_taps, float offset, float *y, int64_t n, bool add)
{
    const __m256 start = _mm256_set1_ps(offset);
    int64_t at = 0;

    for (; at + 32 <= n; at += 32) {
        __m256 a = start, b = start, c = start, d = start;

        for (int k = 0; k < n_taps; k++) {
            const __m256 tap = _mm256_broadcast_ss(&taps[k]);
            const float *x = rows[k] + at;

            a = _mm256_fmadd_ps(tap, _mm256_loadu_ps(x), a);
            b = _mm256_fmadd_ps(tap, _mm256_loadu_ps(x + 8), b);
            c = _mm256_fmadd_ps(tap, _mm256_loadu_ps(x + 16), c);
            d = _mm256_fmadd_ps(tap, _mm256_loadu_ps(x + 24), d);
        }
        if (add) {
            a = _mm256_add_ps(_mm256_loadu_ps(y + at), a);
            b = _mm256_add_ps(_mm256_loadu_ps(y + at + 8), b);
            c = _mm256_add_ps(_mm256_loadu_ps(y + at + 16), c);
            d = _mm256_add_ps(_mm256_loadu_ps(y + at + 24), d);
        }
        _mm256_storeu_ps(y + at, a);
        _mm256_storeu_ps(y + at + 8, b);
        _mm256_storeu_ps(y + at + 16, c);
        _mm256_storeu_ps(y + at + 24, d);
    }
    EACH_VECTOR(n - at, __m256 a = start; for (int k = 0; k < n_taps; k++) a =
                            _mm256_fmadd_ps(_mm256_broadcast_ss(&taps[k]), LOAD(rows[k] + at), a);
                PUT(y + at, a, add););
}

/* x[0], x[2], .. x[14]; reads up to x[15] */
static inline __m256 every_second(const float *x, int64_t n_left)
{
    const __m256 low = n_left >= 8 ? _mm256_loadu_ps(x) : _mm256_maskload_ps(x, first_lanes(2 * n_left - 1));
    const __m256 high = n_left >= 8 ? _mm256_loadu_ps(x + 7) : _mm256_maskload_ps(x + 8, first_lanes(2 * n_left - 9));
    /* the whole form loads from x + 7, so that nothing beyond x[14] is read: its odd lanes are the wanted ones */
    const __m256 mixed = n_left >= 8 ? _mm256_shuffle_ps(low, high, _MM_SHUFFLE(3, 1, 2, 0))
                                     : _mm256_shuffle_ps(low, high, _MM_SHUFFLE(2, 0, 2, 0));

    return _mm256_castpd_ps(_mm256_permute4x64_pd(_mm256_castps_pd(mixed), _MM_SHUFFLE(3, 1, 2, 0)));
}

static void filter_by_two(const float *x, const float *taps, int n_taps, float *y, int64_t n, bool add)
{
    EACH_VECTOR(n, __m256 a = _mm256_setzero_ps(); for (int k = 0; k < n_taps; k++) a =
                       _mm256_fmadd_ps(_mm256_broadcast_ss(&taps[k]), every_second(x + 2 * i + k, n - i), a);
                PUT(y, a, add););
}

static void filter_row(const float *x, const float *taps, int n_taps, int stride, float *y, int64_t n, bool add)
{
    int64_t at = 0;

    if (stride == 2) {
        filter_by_two(x, taps, n_taps, y, n, add);
        return;
    }
    if (stride > 2) {
        picture_ref.filter_row(x, taps, n_taps, stride, y, n, add);
        return;
    }
    for (; at + 32 <= n; at += 32) {
        __m256 a = _mm256_setzero_ps(), b = a, c = a, d = a;

        for (int k = 0; k < n_taps; k++) {
            const __m256 tap = _mm256_broadcast_ss(&taps[k]);
            const float *from = x + at + k;

            a = _mm256_fmadd_ps(tap, _mm256_loadu_ps(from), a);
            b = _mm256_fmadd_ps(tap, _mm256_loadu_ps(from + 8), b);
            c = _mm256_fmadd_ps(tap, _mm256_loadu_ps(from + 16), c);
            d = _mm256_fmadd_ps(tap, _mm256_loadu_ps(from + 24), d);
        }
        if (add) {
            a = _mm256_add_ps(_mm256_loadu_ps(y + at), a);
            b = _mm256_add_ps(_mm256_loadu_ps(y + at + 8), b);
            c = _mm256_add_ps(_mm256_loadu_ps(y + at + 16), c);
            d = _mm256_add_ps(_mm256_loadu_ps(y + at + 24), d);
        }
        _mm256_storeu_ps(y + at, a);
        _mm256_storeu_ps(y + at + 8, b);
        _mm256_storeu_ps(y + at + 16, c);
        _mm256_storeu_ps(y + at + 24, d);
    }
    EACH_VECTOR(n - at, __m256 a = _mm256_setzero_ps(); for (int k = 0; k < n_taps; k++) a =
                            _mm256_fmadd_ps(_mm256_broadcast_ss(&taps[k]), LOAD(x + at + k), a);
                PUT(y + at, a, add););
}

/* a^2 + b^2 - alpha a b + c */
static inline __m256 squares(__m256 a, __m256 b, __m256 c, __m256 alpha)
{
    return _mm256_fmadd_ps(a, _mm256_fnmadd_ps(alpha, b, a), _mm256_fmadd_ps(b, b, c));
}

static void dissimilarity(const float *a, const float *b, float c, float alpha, float *y, int64_t n)
{
    const __m256 vc = _mm256_set1_ps(c), va = _mm256_set1_ps(alpha);

    EACH_VECTOR(n, const __m256 u = LOAD(a); const __m256 v = LOAD(b); const __m256 d = _mm256_sub_ps(u, v);
                STORE(y, _mm256_div_ps(_mm256_mul_ps(d, d), squares(u, v, vc, va))););
}

static void dissimilarity_grad(const float *a, const float *b, float c, float alpha, const float *dy, float *da, bool add_a,
                               float *db, bool add_b, int64_t n)
{
    const __m256 vc = _mm256_set1_ps(c), va = _mm256_set1_ps(alpha), one = _mm256_set1_ps(1.0f);

    EACH_VECTOR(
        n, const __m256 u = LOAD(a); const __m256 v = LOAD(b); const __m256 d = _mm256_sub_ps(u, v);
        const __m256 inverse = _mm256_div_ps(one, squares(u, v, vc, va));
        const __m256 value = _mm256_mul_ps(_mm256_mul_ps(d, d), inverse); const __m256 scale = _mm256_mul_ps(LOAD(dy), inverse);
        const __m256 twice = _mm256_add_ps(d, d);
        if (da) {
            const __m256 bend = _mm256_fnmadd_ps(va, v, _mm256_add_ps(u, u));

            PUT(da, _mm256_mul_ps(scale, _mm256_fnmadd_ps(value, bend, twice)), add_a);
        } if (db) {
            const __m256 bend = _mm256_fnmadd_ps(va, u, _mm256_add_ps(v, v));

            PUT(db, _mm256_mul_ps(scale, _mm256_fnmsub_ps(value, bend, twice)), add_b);
        });
}

static void ssim_products(const float *x, const float *y, float centre, float *shifted, float *d, float *sum_sq,
                          float *diff_sq, int64_t n)
{
    const __m256 c = _mm256_set1_ps(centre);

    EACH_VECTOR(n, const __m256 a = LOAD(x); const __m256 b = LOAD(y); const __m256 u = _mm256_sub_ps(a, c);
                const __m256 v = _mm256_sub_ps(b, c); const __m256 w = _mm256_sub_ps(b, a); STORE(shifted, u); STORE(d, w);
                STORE(sum_sq, _mm256_fmadd_ps(u, u, _mm256_mul_ps(v, v))); STORE(diff_sq, _mm256_mul_ps(w, w)););
}

static double ssim(const SsimRows *rows, const SsimForm *form, float *dd, float *ds, float *dq, int64_t n)
{
    const __m256 one = _mm256_set1_ps(1.0f), two = _mm256_set1_ps(2.0f), centre = _mm256_set1_ps(form->centre);
    const __m256 c1 = _mm256_set1_ps(form->c1), c2 = _mm256_set1_ps(form->c2);
    const __m256 lit = _mm256_set1_ps(form->luminance ? 1.0f : 0.0f);
    DoubleSum total = sum_start();

    EACH_VECTOR(
        n, const __m256 u = LOAD(rows->mean_x); const __m256 d = LOAD(rows->mean_d); const __m256 v = _mm256_add_ps(u, d);
        const __m256 mx = _mm256_add_ps(u, centre); const __m256 my = _mm256_add_ps(v, centre);
        const __m256 inverse_l = _mm256_mul_ps(
            lit, _mm256_div_ps(one, _mm256_fmadd_ps(mx, mx, _mm256_fmadd_ps(my, my, c1))));
        const __m256 spread = _mm256_fnmadd_ps(u, u, _mm256_fnmadd_ps(v, v, LOAD(rows->sum_sq)));
        const __m256 inverse_c = _mm256_div_ps(one, _mm256_add_ps(spread, c2));
        const __m256 l = _mm256_mul_ps(_mm256_mul_ps(d, d), inverse_l);
        const __m256 c = _mm256_mul_ps(_mm256_fnmadd_ps(d, d, LOAD(rows->diff_sq)), inverse_c);
        /* lanes left out hold zeros: all of their statistics are 0, so l = c = 0 */
        sum_add(&total, _mm256_fnmadd_ps(l, c, _mm256_add_ps(l, c)));
        if (dd) {
            const __m256 l_left = _mm256_sub_ps(one, l), scale = _mm256_mul_ps(l_left, inverse_c);
            const __m256 l_slope = _mm256_mul_ps(_mm256_fnmadd_ps(l, my, d), inverse_l);
            const __m256 c_slope = _mm256_mul_ps(_mm256_fmsub_ps(c, v, d), scale);

            STORE(dd, _mm256_mul_ps(two, _mm256_fmadd_ps(_mm256_sub_ps(one, c), l_slope, c_slope)));
            STORE(ds, _mm256_sub_ps(_mm256_setzero_ps(), _mm256_mul_ps(c, scale)));
            STORE(dq, scale);
        });
    return sum_total(total);
}

static void ssim_gather(const float *x, const float *y, float centre, const float *dd, const float *ds, const float *dq,
                        float *dy, int64_t n, bool add)
{
    const __m256 two = _mm256_set1_ps(2.0f), c = _mm256_set1_ps(centre);

    EACH_VECTOR(n, const __m256 b = LOAD(y);
                const __m256 sum = _mm256_fmadd_ps(_mm256_sub_ps(b, c), LOAD(ds),
                                                   _mm256_mul_ps(_mm256_sub_ps(b, LOAD(x)), LOAD(dq)));
                PUT(dy, _mm256_fmadd_ps(two, sum, LOAD(dd)), add););
}

#define LENGTH_EPSILON 1e-10f

/* Channels lie far apart, so all places of one are looked at before the next. */
static double unit_distance(const float *x, const float *y, const float *w, int64_t channels, int64_t stride, int64_t n,
                            float scale, float *dy, bool add)
{
    _Alignas(32) float xx[PICTURE_PLACES] = {0}, yy[PICTURE_PLACES] = {0}, sums[PICTURE_PLACES] = {0}, along[PICTURE_PLACES] = {0};
    _Alignas(32) float inverse[PICTURE_PLACES]; /* 1 / |y| */
    const __m256 one = _mm256_set1_ps(1.0f), epsilon = _mm256_set1_ps(LENGTH_EPSILON), twice = _mm256_set1_ps(2.0f * scale);
    DoubleSum total = sum_start();

    for (int64_t c = 0; c < channels; c++)
        EACH_VECTOR(
            n, const __m256 u = LOAD(x + c * stride); const __m256 v = LOAD(y + c * stride);
            _mm256_store_ps(xx + i, _mm256_fmadd_ps(u, u, _mm256_load_ps(xx + i)));
            _mm256_store_ps(yy + i, _mm256_fmadd_ps(v, v, _mm256_load_ps(yy + i))););
    for (int64_t i = 0; i < n; i += 8) { /* xx becomes 1 / |x|, yy |y| */
        const __m256 length = _mm256_sqrt_ps(_mm256_load_ps(yy + i));

        _mm256_store_ps(xx + i, _mm256_div_ps(one, _mm256_add_ps(_mm256_sqrt_ps(_mm256_load_ps(xx + i)), epsilon)));
        _mm256_store_ps(inverse + i, _mm256_div_ps(one, _mm256_add_ps(length, epsilon)));
        _mm256_store_ps(yy + i, length);
    }
    for (int64_t c = 0; c < channels; c++) {
        const __m256 weight = _mm256_broadcast_ss(&w[c]);

        EACH_VECTOR(
            n, const __m256 v = LOAD(y + c * stride);
            const __m256 d = _mm256_fmsub_ps(v, _mm256_load_ps(inverse + i), _mm256_mul_ps(LOAD(x + c * stride), _mm256_load_ps(xx + i)));
            const __m256 wd = _mm256_mul_ps(weight, d);

            _mm256_store_ps(sums + i, _mm256_fmadd_ps(wd, d, _mm256_load_ps(sums + i)));
            if (dy) _mm256_store_ps(along + i, _mm256_fmadd_ps(wd, v, _mm256_load_ps(along + i))););
    }
    for (int64_t i = 0; i < n; i += 8)
        sum_add(&total, _mm256_load_ps(sums + i));
    if (!dy)
        return sum_total(total);
    for (int64_t i = 0; i < n; i += 8) { /* along becomes the bend: what the gradient loses along y */
        const __m256 length = _mm256_load_ps(yy + i), inverse_y = _mm256_load_ps(inverse + i);
        const __m256 seen = _mm256_cmp_ps(length, _mm256_setzero_ps(), _CMP_NEQ_UQ);
        const __m256 bend = _mm256_div_ps(_mm256_mul_ps(_mm256_load_ps(along + i), _mm256_mul_ps(inverse_y, inverse_y)), length);

        _mm256_store_ps(along + i, _mm256_and_ps(seen, bend));
    }
    for (int64_t c = 0; c < channels; c++) {
        const __m256 weight = _mm256_broadcast_ss(&w[c]);

        EACH_VECTOR(
            n, const __m256 v = LOAD(y + c * stride); const __m256 inverse_y = _mm256_load_ps(inverse + i);
            const __m256 d = _mm256_fmsub_ps(v, inverse_y, _mm256_mul_ps(LOAD(x + c * stride), _mm256_load_ps(xx + i)));
            const __m256 side = _mm256_mul_ps(_mm256_mul_ps(weight, d), inverse_y);

            PUT(dy + c * stride, _mm256_mul_ps(twice, _mm256_fnmadd_ps(v, _mm256_load_ps(along + i), side)), add););
    }
    return sum_total(total);
}

/* See engine/kernels/ref/picture_ssimulacra.c. */
typedef struct Visible {
    __m256 apart, mean_y, ratio, below, structure, detail, other, edge;
} Visible;

static inline Visible see(__m256 x, __m256 y, __m256 mean_x, __m256 apart, __m256 sum_sq, __m256 diff_sq)
{
    const __m256 one = _mm256_set1_ps(1.0f), zero = _mm256_setzero_ps(), far = _mm256_mul_ps(apart, apart);
    Visible v = {.apart = apart, .mean_y = _mm256_add_ps(mean_x, apart), .detail = _mm256_sub_ps(x, mean_x)};
    const __m256 spread = _mm256_fnmadd_ps(mean_x, mean_x, _mm256_fnmadd_ps(v.mean_y, v.mean_y, sum_sq));

    v.below = _mm256_add_ps(_mm256_max_ps(zero, spread), _mm256_set1_ps(0.0009f));
    v.ratio = _mm256_div_ps(_mm256_sub_ps(diff_sq, far), v.below);
    v.structure = _mm256_fmadd_ps(_mm256_sub_ps(one, far), v.ratio, far);
    v.other = _mm256_add_ps(v.detail, _mm256_sub_ps(_mm256_sub_ps(y, x), apart));
    v.edge = _mm256_div_ps(_mm256_sub_ps(v_abs(v.other), v_abs(v.detail)), _mm256_add_ps(one, v_abs(v.detail)));
    return v;
}

#define SEE                                                                                                            \
    see(LOAD(x), LOAD(y), LOAD(rows->mean_x), LOAD(rows->mean_d), LOAD(rows->sum_sq), LOAD(rows->diff_sq))

static void ssimulacra(const float *x, const float *y, const SsimRows *rows, double sums[6], int64_t n)
{
    const __m256 zero = _mm256_setzero_ps();
    DoubleSum totals[6] = {sum_start(), sum_start(), sum_start(), sum_start(), sum_start(), sum_start()};

    EACH_VECTOR(n, const Visible v = SEE; const __m256 maps[3] = {_mm256_max_ps(zero, v.structure), _mm256_max_ps(zero, v.edge),
                                                                 _mm256_max_ps(zero, _mm256_sub_ps(zero, v.edge))};
                for (int k = 0; k < 3; k++) {
                    const __m256 square = _mm256_mul_ps(maps[k], maps[k]);

                    sum_add(&totals[k], maps[k]);
                    sum_add(&totals[3 + k], _mm256_mul_ps(square, square));
                });
    for (int k = 0; k < 6; k++)
        sums[k] += sum_total(totals[k]);
}

static void ssimulacra_grad(const float *x, const float *y, const SsimRows *rows, const float slopes[6], float *dmean, float *dsum,
                            float *dsq, float *ddirect, int64_t n)
{
    const __m256 one = _mm256_set1_ps(1.0f), zero = _mm256_setzero_ps(), two = _mm256_set1_ps(2.0f);

    EACH_VECTOR(
        n, const Visible v = SEE; const __m256 s = _mm256_max_ps(zero, v.structure);
        const __m256 cube_s = _mm256_mul_ps(s, _mm256_mul_ps(s, s));
        const __m256 cube_e = _mm256_mul_ps(v.edge, _mm256_mul_ps(v.edge, v.edge));
        const __m256 rising = _mm256_fmadd_ps(_mm256_set1_ps(4.0f * slopes[4]), cube_e, _mm256_set1_ps(slopes[1]));
        const __m256 falling = _mm256_fmadd_ps(_mm256_set1_ps(4.0f * slopes[5]), cube_e, _mm256_set1_ps(-slopes[2]));
        const __m256 structure = _mm256_and_ps(
            v_greater(s, zero), _mm256_fmadd_ps(_mm256_set1_ps(4.0f * slopes[3]), cube_s, _mm256_set1_ps(slopes[0])));
        const __m256 edge = _mm256_and_ps(_mm256_cmp_ps(v.edge, zero, _CMP_NEQ_OQ),
                                          v_pick(v_greater(v.edge, zero), rising, falling));
        const __m256 share = _mm256_div_ps(_mm256_mul_ps(structure, _mm256_fnmadd_ps(v.apart, v.apart, one)), v.below);
        const __m256 size = _mm256_and_ps(_mm256_cmp_ps(v.other, zero, _CMP_NEQ_OQ), v_with_sign(v_abs(edge), _mm256_xor_ps(v.other, edge)));
        const __m256 direct = _mm256_div_ps(size, _mm256_add_ps(one, v_abs(v.detail)));
        const __m256 near = _mm256_sub_ps(_mm256_fnmadd_ps(structure, v.ratio, structure), share);
        const __m256 by_ratio = _mm256_mul_ps(share, v.ratio);

        STORE(dsq, share); STORE(dsum, _mm256_sub_ps(zero, by_ratio));
        STORE(dmean, _mm256_fmsub_ps(two, _mm256_fmadd_ps(v.apart, near, _mm256_mul_ps(by_ratio, v.mean_y)), direct));
        STORE(ddirect, direct););
}

const PictureKernels picture_avx2 = {
    .blend_rows = blend_rows,
    .filter_row = filter_row,
    .dissimilarity = dissimilarity,
    .dissimilarity_grad = dissimilarity_grad,
    .ssim_products = ssim_products,
    .ssim = ssim,
    .ssim_gather = ssim_gather,
    .ssimulacra = ssimulacra,
    .ssimulacra_grad = ssimulacra_grad,
    .dct8 = ref_dct8,
    .dct8_inverse = ref_dct8_inverse,
    .spread_row = ref_spread_row,
    .mean_lowest = ref_mean_lowest,
    .mean_lowest_grad = ref_mean_lowest_grad,
    .vif = ref_vif,
    .vif_grad = ref_vif_grad,
    .unit_distance = unit_distance,
    .surrogate = ref_surrogate,
    .surrogate_grad = ref_surrogate_grad,
    .widen_difference = ref_widen_difference,
    .narrow = ref_narrow,
    .focal = ref_focal,
};
