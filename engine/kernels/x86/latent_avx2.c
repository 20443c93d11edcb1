/* latent_avx2.c - latents with AVX2 and FMA: four doubles to a register.
 *
 * SPDX-License-Identifier: MIT
 */
#include <immintrin.h>
#include <stdint.h>

#define N_LANES 4
typedef __m256d Lanes;
typedef uint64_t Whole __attribute__((vector_size(32)));

static inline Lanes all_lanes(double x)
{
    return _mm256_set1_pd(x);
}

static inline Lanes mul_add(Lanes a, Lanes b, Lanes c)
{
    return _mm256_fmadd_pd(a, b, c);
}

static inline Lanes absolute(Lanes a)
{
    return _mm256_andnot_pd(_mm256_set1_pd(-0.0), a);
}

static inline Lanes floor_of(Lanes a)
{
    return _mm256_floor_pd(a);
}

static inline Lanes pick_greater(Lanes a, Lanes b, Lanes yes, Lanes no)
{
    return _mm256_blendv_pd(no, yes, _mm256_cmp_pd(a, b, _CMP_GT_OQ));
}

static inline Lanes load_floats(const float *x)
{
    return _mm256_cvtps_pd(_mm_loadu_ps(x));
}

static inline void store_floats(float *y, Lanes a)
{
    _mm_storeu_ps(y, _mm256_cvtpd_ps(a));
}

#include "engine/kernels/x86/latent_lanes.h"

LATENT_SET(latent_avx2);
