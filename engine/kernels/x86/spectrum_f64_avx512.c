/* spectrum_f64_avx512.c - the spectrum kernels in double with AVX-512: eight frames or bands to a register.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/kernels/x86/spectrum_avx2.h"

#define N_LANES 8
typedef __m512d Lanes;

static inline Lanes all_lanes(double x)
{
    return _mm512_set1_pd(x);
}

static inline Lanes mul_add(Lanes a, Lanes b, Lanes c)
{
    return _mm512_fmadd_pd(a, b, c);
}

static inline Lanes root(Lanes x)
{
    return _mm512_sqrt_pd(x);
}

static void load_windowed(const float *x, int64_t hop, const double *window, int n, int n_frames, Lanes *rows)
{
    for (int i = 0; i < n; i += 8) { /* n is a power of two from 16 on */
        __m256 r[8];

        for (int l = 0; l < 8; l++)
            r[l] = l < n_frames ? _mm256_loadu_ps(x + l * hop + i) : _mm256_setzero_ps();
        transpose8(r);
        for (int l = 0; l < 8; l++)
            rows[i + l] = all_lanes(window[i + l]) * _mm512_cvtps_pd(r[l]);
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
    const Lanes least = all_lanes(floor);
    Lanes product = _mm512_loadu_pd(ratios);
    __m512i exponent = _mm512_loadu_si512(exponents);

    for (int r = 0; r < m->n_rows; r++) {
        const Lanes x = _mm512_max_pd(row_product(m, r, a), least), y = _mm512_max_pd(row_product(m, r, b), least);

        product = product * (_mm512_max_pd(x, y) / _mm512_min_pd(x, y));
        exponent = _mm512_add_epi64(exponent, _mm512_cvtpd_epi64(_mm512_getexp_pd(product)));
        product = _mm512_getmant_pd(product, _MM_MANT_NORM_1_2, _MM_MANT_SIGN_src);
    }
    _mm512_storeu_pd(ratios, product);
    _mm512_storeu_si512(exponents, exponent);
}

/* The sections hand their values on in registers, and the one product that waits for the sample before comes last. */
static void ear_squares(const EarFilters *f, const double *x, int64_t n, double squares[SPECTRUM_LANES])
{
    const Lanes pole_1 = _mm512_loadu_pd(f->pole_1), pole_2 = _mm512_loadu_pd(f->pole_2);
    Lanes gain[EAR_STAGES], zero[EAR_STAGES], last_in[EAR_STAGES], last[EAR_STAGES], before[EAR_STAGES];
    Lanes sum = all_lanes(0.0);

    for (int k = 0; k < EAR_STAGES; k++) {
        gain[k] = _mm512_loadu_pd(f->gain[k]);
        zero[k] = _mm512_loadu_pd(f->zero[k]);
        last_in[k] = last[k] = before[k] = all_lanes(0.0);
    }
    for (int64_t i = 0; i < n; i++) {
        Lanes signal = all_lanes(x[i]);

        for (int k = 0; k < EAR_STAGES; k++) {
            Lanes y = mul_add(zero[k], last_in[k], gain[k] * signal);

            y = _mm512_fnmadd_pd(pole_1, last[k], _mm512_fnmadd_pd(pole_2, before[k], y));
            last_in[k] = signal;
            before[k] = last[k];
            last[k] = y;
            signal = y;
        }
        sum = mul_add(signal, signal, sum);
    }
    _mm512_storeu_pd(squares, sum);
}

static double long_filter(const double *x, const double *taps, int64_t n)
{
    Lanes low = all_lanes(0.0), high = low;
    int64_t i = 0;

    for (; i + 16 <= n; i += 16) {
        low = mul_add(_mm512_loadu_pd(x + i), _mm512_loadu_pd(taps + i), low);
        high = mul_add(_mm512_loadu_pd(x + i + 8), _mm512_loadu_pd(taps + i + 8), high);
    }
    for (; i < n; i += 8) {
        const __mmask8 some = (__mmask8)(n - i >= 8 ? 0xff : (1 << (n - i)) - 1);

        low = mul_add(_mm512_maskz_loadu_pd(some, x + i), _mm512_maskz_loadu_pd(some, taps + i), low);
    }
    return _mm512_reduce_add_pd(low + high);
}

const SpectrumKernels spectrum_avx512 = {
    SPECTRUM_IN_FLOAT_AVX2,
    .ear_squares = ear_squares,
    .long_filter = long_filter,
    .power_frames = power_frames,
    .band_ratios = band_ratios,
};
