/* spectrum_avx2.c - magnitudes, filter banks and spectral distances with AVX2 and FMA.
 *
 * Arrays of any length end with a masked vector, so that an element's result does not depend on its place.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/kernels/x86/spectrum_avx2.h"

#define LANES SPECTRUM_LANES
#define ROWS_PER_SUM 32 /* values added in float before they join the sum in double */
#define INLINE static inline __attribute__((always_inline))

/* All ones in the first n of eight lanes. */
INLINE __m256i mask_of(int64_t n)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

INLINE __m256 load_some(const float *x, int64_t n)
{
    return n >= 8 ? _mm256_loadu_ps(x) : _mm256_maskload_ps(x, mask_of(n));
}

INLINE void store_some(float *x, __m256 v, int64_t n)
{
    if (n >= 8)
        _mm256_storeu_ps(x, v);
    else
        _mm256_maskstore_ps(x, mask_of(n), v);
}

INLINE void put_some(float *x, __m256 v, int64_t n, bool add)
{
    store_some(x, add ? _mm256_add_ps(load_some(x, n), v) : v, n);
}

INLINE __m256 square_norm(__m256 x, __m256 y)
{
    return _mm256_fmadd_ps(x, x, _mm256_mul_ps(y, y));
}

void spectrum_power_avx2(const float *re, const float *im, float *s, int64_t n)
{
    for (int64_t i = 0; i < n; i += 8)
        store_some(s + i, square_norm(load_some(re + i, n - i), load_some(im + i, n - i)), n - i);
}

void spectrum_power_grad_avx2(const float *re, const float *im, const float *ds, float *dre, float *dim, int64_t n,
                              bool add)
{
    for (int64_t i = 0; i < n; i += 8) {
        const __m256 x = load_some(re + i, n - i), y = load_some(im + i, n - i), d = load_some(ds + i, n - i);
        const __m256 scale = _mm256_add_ps(d, d);

        put_some(dre + i, _mm256_mul_ps(scale, x), n - i, add);
        put_some(dim + i, _mm256_mul_ps(scale, y), n - i, add);
    }
}

void spectrum_magnitude_avx2(const float *re, const float *im, float floor, float *s, int64_t n)
{
    const __m256 least = _mm256_set1_ps(floor);

    for (int64_t i = 0; i < n; i += 8) {
        const __m256 p = square_norm(load_some(re + i, n - i), load_some(im + i, n - i));

        store_some(s + i, _mm256_sqrt_ps(_mm256_max_ps(least, p)), n - i); /* max keeps a NaN in its second place */
    }
}

void spectrum_magnitude_grad_avx2(const float *re, const float *im, const float *s, float floor, const float *ds,
                                  float *dre, float *dim, int64_t n, bool add)
{
    const __m256 least = _mm256_set1_ps(floor), zero = _mm256_setzero_ps();

    for (int64_t i = 0; i < n; i += 8) {
        const __m256 x = load_some(re + i, n - i), y = load_some(im + i, n - i);
        const __m256 p = square_norm(x, y);
        const __m256 passes = _mm256_and_ps(_mm256_cmp_ps(p, least, _CMP_GE_OQ), _mm256_cmp_ps(p, zero, _CMP_GT_OQ));
        const __m256 scale =
            _mm256_and_ps(passes, _mm256_div_ps(load_some(ds + i, n - i), load_some(s + i, n - i)));

        put_some(dre + i, _mm256_mul_ps(scale, x), n - i, add);
        put_some(dim + i, _mm256_mul_ps(scale, y), n - i, add);
    }
}

void spectrum_compress_avx2(const float *re, const float *im, float exponent, float eps, float *cre, float *cim,
                            float *gain, int64_t n)
{
    const float half_power = 0.5f * (exponent - 1.0f);
    const __m256 least = _mm256_set1_ps(eps);

    for (int64_t i = 0; i < n; i += 8) {
        const __m256 x = load_some(re + i, n - i), y = load_some(im + i, n - i);
        const __m256 g = pow_ps(_mm256_add_ps(square_norm(x, y), least), half_power);

        store_some(cre + i, _mm256_mul_ps(g, x), n - i);
        store_some(cim + i, _mm256_mul_ps(g, y), n - i);
        if (gain)
            store_some(gain + i, g, n - i);
    }
}

void spectrum_compress_grad_avx2(const float *re, const float *im, const float *gain, float exponent, float eps,
                                 const float *dcre, const float *dcim, float *dre, float *dim, int64_t n, bool add)
{
    const __m256 least = _mm256_set1_ps(eps), factor = _mm256_set1_ps(exponent - 1.0f);

    for (int64_t i = 0; i < n; i += 8) {
        const int64_t left = n - i;
        const __m256 x = load_some(re + i, left), y = load_some(im + i, left), g = load_some(gain + i, left);
        const __m256 dx = load_some(dcre + i, left), dy = load_some(dcim + i, left);
        const __m256 inner = _mm256_fmadd_ps(x, dx, _mm256_mul_ps(y, dy));
        const __m256 along = _mm256_div_ps(_mm256_mul_ps(_mm256_mul_ps(factor, g), inner),
                                           _mm256_add_ps(square_norm(x, y), least));

        put_some(dre + i, _mm256_fmadd_ps(g, dx, _mm256_mul_ps(along, x)), left, add);
        put_some(dim + i, _mm256_fmadd_ps(g, dy, _mm256_mul_ps(along, y)), left, add);
    }
}

/* Each column is one chain of multiply-adds over k in order; several rows' chains run side by side. */
void spectrum_band_avx2(const BandMatrix *m, const float *x, int64_t x_stride, float *y, int64_t y_stride,
                        int64_t columns, bool add)
{
    for (int r = 0; r < m->n_rows; r++) {
        const float *weights = m->weights + m->offset[r], *from = x + m->first[r] * x_stride;

        for (int64_t j = 0; j < columns; j += 8) {
            __m256 sum = _mm256_setzero_ps();

            for (int k = 0; k < m->count[r]; k++)
                sum = _mm256_fmadd_ps(_mm256_broadcast_ss(weights + k), load_some(from + k * x_stride + j, columns - j),
                                      sum);
            put_some(y + r * y_stride + j, sum, columns - j, add);
        }
    }
}

INLINE __m256 size_of(__m256 x)
{
    return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), x);
}

/* factor sign(x), 0 at 0. */
INLINE __m256 signed_factor(__m256 x, __m256 factor)
{
    const __m256 sign = _mm256_and_ps(x, _mm256_set1_ps(-0.0f));

    return _mm256_and_ps(_mm256_xor_ps(factor, sign), _mm256_cmp_ps(x, _mm256_setzero_ps(), _CMP_NEQ_UQ));
}

INLINE void add_lanes(double sums[SPECTRUM_LANES], __m256 v)
{
    float lanes[LANES];

    _mm256_storeu_ps(lanes, v);
    for (int l = 0; l < LANES; l++)
        sums[l] += (double)lanes[l];
}

INLINE void distance_rows(const float *a, const float *b, int64_t rows, const DistanceTerms *t, float *da,
                          double sums[SPECTRUM_LANES], bool plain, bool logs)
{
    const __m256 linear = _mm256_set1_ps(t->linear), square = _mm256_set1_ps(t->square), log = _mm256_set1_ps(t->log);
    const __m256 log_square = _mm256_set1_ps(t->log_square), scale = _mm256_set1_ps(t->log_scale);
    const __m256 floor = _mm256_set1_ps(t->log_floor);
    __m256 sum = _mm256_setzero_ps();

    for (int64_t i = 0; i < rows; i++) {
        const __m256 va = _mm256_load_ps(a + i * LANES), vb = _mm256_load_ps(b + i * LANES);
        __m256 grad = _mm256_setzero_ps();

        if (plain) {
            const __m256 diff = _mm256_sub_ps(va, vb), scaled = _mm256_mul_ps(square, diff);

            sum = _mm256_fmadd_ps(linear, size_of(diff), _mm256_fmadd_ps(scaled, diff, sum));
            grad = _mm256_add_ps(signed_factor(diff, linear), _mm256_add_ps(scaled, scaled));
        }
        if (logs) {
            const __m256 la = t->log_clamps ? _mm256_max_ps(floor, va) : _mm256_add_ps(va, floor);
            const __m256 lb = t->log_clamps ? _mm256_max_ps(floor, vb) : _mm256_add_ps(vb, floor);
            const __m256 diff = _mm256_mul_ps(scale, _mm256_sub_ps(log_ps(la), log_ps(lb)));
            const __m256 scaled = _mm256_mul_ps(log_square, diff);
            __m256 slope = _mm256_add_ps(signed_factor(diff, log), _mm256_add_ps(scaled, scaled));

            sum = _mm256_fmadd_ps(log, size_of(diff), _mm256_fmadd_ps(scaled, diff, sum));
            slope = _mm256_div_ps(_mm256_mul_ps(slope, scale), la);
            if (t->log_clamps)
                slope = _mm256_and_ps(slope, _mm256_cmp_ps(va, floor, _CMP_GE_OQ));
            grad = _mm256_add_ps(grad, slope);
        }
        if (da)
            _mm256_store_ps(da + i * LANES, grad);
        if (i % ROWS_PER_SUM == ROWS_PER_SUM - 1 || i == rows - 1) {
            add_lanes(sums, sum);
            sum = _mm256_setzero_ps();
        }
    }
}

void spectrum_distance_avx2(const float *a, const float *b, int64_t rows, const DistanceTerms *t, float *da,
                            double sums[SPECTRUM_LANES])
{
    const bool plain = t->linear != 0.0f || t->square != 0.0f, logs = t->log != 0.0f || t->log_square != 0.0f;

    if (!logs)
        distance_rows(a, b, rows, t, da, sums, true, false);
    else if (!plain)
        distance_rows(a, b, rows, t, da, sums, false, true);
    else
        distance_rows(a, b, rows, t, da, sums, true, true);
}

void spectrum_energy_avx2(const float *a, int64_t rows, double sums[SPECTRUM_LANES])
{
    __m256 sum = _mm256_setzero_ps();

    for (int64_t i = 0; i < rows; i++) {
        const __m256 v = _mm256_load_ps(a + i * LANES);

        sum = _mm256_fmadd_ps(v, v, sum);
        if (i % ROWS_PER_SUM == ROWS_PER_SUM - 1 || i == rows - 1) {
            add_lanes(sums, sum);
            sum = _mm256_setzero_ps();
        }
    }
}
