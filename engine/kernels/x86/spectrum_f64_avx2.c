/* spectrum_f64_avx2.c - the spectrum kernels in double with AVX2 and FMA.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/kernels/x86/spectrum_avx2.h"

#define N_LANES 4
typedef __m256d Lanes;

static inline Lanes all_lanes(double x)
{
    return _mm256_set1_pd(x);
}

static inline Lanes mul_add(Lanes a, Lanes b, Lanes c)
{
    return _mm256_fmadd_pd(a, b, c);
}

static inline Lanes root(Lanes x)
{
    return _mm256_sqrt_pd(x);
}

static void load_windowed(const float *x, int64_t hop, const double *window, int n, int n_frames, Lanes *rows)
{
    for (int i = 0; i < n; i += 4) { /* n is a power of two from 16 on */
        __m128 r[4];

        for (int l = 0; l < 4; l++)
            r[l] = l < n_frames ? _mm_loadu_ps(x + l * hop + i) : _mm_setzero_ps();
        _MM_TRANSPOSE4_PS(r[0], r[1], r[2], r[3]);
        for (int l = 0; l < 4; l++)
            rows[i + l] = all_lanes(window[i + l]) * _mm256_cvtps_pd(r[l]);
    }
}

#include "engine/kernels/power_frames.h"

static Lanes row_product(const BandMatrix *m, int r, const double *x)
{
    const float *weights = m->weights + m->offset[r];
    Lanes sum = all_lanes(0.0);

    for (int k = 0; k < m->count[r]; k++)
        sum = mul_add(all_lanes((double)weights[k]), *(const Lanes *)(x + (m->first[r] + k) * SPECTRUM_LANES), sum);
    return sum;
}

static void band_ratios(const BandMatrix *m, const double *a, const double *b, double floor, double ratios[SPECTRUM_LANES],
                        int64_t exponents[SPECTRUM_LANES])
{
    const __m256i one = _mm256_set1_epi64x(0x3ff0000000000000), fraction = _mm256_set1_epi64x(0x000fffffffffffff);
    const Lanes least = all_lanes(floor);

    for (int first = 0; first < SPECTRUM_LANES; first += N_LANES) {
        Lanes product = _mm256_loadu_pd(ratios + first);
        __m256i exponent = _mm256_loadu_si256((const __m256i *)(exponents + first));

        for (int r = 0; r < m->n_rows; r++) {
            const Lanes x = _mm256_max_pd(row_product(m, r, a + first), least);
            const Lanes y = _mm256_max_pd(row_product(m, r, b + first), least);
            __m256i bits;

            product = product * (_mm256_max_pd(x, y) / _mm256_min_pd(x, y));
            bits = _mm256_castpd_si256(product);
            exponent = _mm256_add_epi64(exponent, _mm256_srli_epi64(_mm256_sub_epi64(bits, one), 52)); /* product >= 1 */
            product = _mm256_castsi256_pd(_mm256_or_si256(_mm256_and_si256(bits, fraction), one));
        }
        _mm256_storeu_pd(ratios + first, product);
        _mm256_storeu_si256((__m256i *)(exponents + first), exponent);
    }
}

/* Four bands of a cascade; the sections hand their values on in registers, and the one product that waits for the sample
 * before comes last. */
static inline __m256d ear_half(const EarFilters *f, const double *x, int64_t n, int first)
{
    const __m256d pole_1 = _mm256_loadu_pd(&f->pole_1[first]), pole_2 = _mm256_loadu_pd(&f->pole_2[first]);
    __m256d gain[EAR_STAGES], zero[EAR_STAGES], last_in[EAR_STAGES], last[EAR_STAGES], before[EAR_STAGES];
    __m256d squares = _mm256_setzero_pd();

    for (int k = 0; k < EAR_STAGES; k++) {
        gain[k] = _mm256_loadu_pd(&f->gain[k][first]);
        zero[k] = _mm256_loadu_pd(&f->zero[k][first]);
        last_in[k] = last[k] = before[k] = _mm256_setzero_pd();
    }
    for (int64_t i = 0; i < n; i++) {
        __m256d signal = _mm256_broadcast_sd(&x[i]);

        for (int k = 0; k < EAR_STAGES; k++) {
            __m256d y = _mm256_fmadd_pd(zero[k], last_in[k], _mm256_mul_pd(gain[k], signal));

            y = _mm256_fnmadd_pd(pole_1, last[k], _mm256_fnmadd_pd(pole_2, before[k], y));
            last_in[k] = signal;
            before[k] = last[k];
            last[k] = y;
            signal = y;
        }
        squares = _mm256_fmadd_pd(signal, signal, squares);
    }
    return squares;
}

static void ear_squares(const EarFilters *f, const double *x, int64_t n, double squares[SPECTRUM_LANES])
{
    _mm256_storeu_pd(squares, ear_half(f, x, n, 0));
    _mm256_storeu_pd(squares + 4, ear_half(f, x, n, 4));
}

static double long_filter(const double *x, const double *taps, int64_t n)
{
    __m256d low = _mm256_setzero_pd(), high = low, four;
    __m128d two;
    int64_t i = 0;
    double rest = 0.0;

    for (; i + 8 <= n; i += 8) {
        low = _mm256_fmadd_pd(_mm256_loadu_pd(x + i), _mm256_loadu_pd(taps + i), low);
        high = _mm256_fmadd_pd(_mm256_loadu_pd(x + i + 4), _mm256_loadu_pd(taps + i + 4), high);
    }
    for (; i < n; i++)
        rest += x[i] * taps[i];
    four = _mm256_add_pd(low, high);
    two = _mm_add_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd(four, 1));
    return _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two))) + rest;
}

const SpectrumKernels spectrum_avx2 = {
    SPECTRUM_IN_FLOAT_AVX2,
    .ear_squares = ear_squares,
    .long_filter = long_filter,
    .power_frames = power_frames,
    .band_ratios = band_ratios,
};
