/* latent_avx512.c - latents with AVX-512: eight doubles to a register.
 *
 * SPDX-License-Identifier: MIT
 */
#include <immintrin.h>
#include <stdint.h>

#define N_LANES 8
typedef __m512d Lanes;
typedef uint64_t Whole __attribute__((vector_size(64)));

static inline Lanes all_lanes(double x)
{
    return _mm512_set1_pd(x);
}

static inline Lanes mul_add(Lanes a, Lanes b, Lanes c)
{
    return _mm512_fmadd_pd(a, b, c);
}

static inline Lanes absolute(Lanes a)
{
    return _mm512_abs_pd(a);
}

static inline Lanes floor_of(Lanes a)
{
    return _mm512_floor_pd(a);
}

static inline Lanes pick_greater(Lanes a, Lanes b, Lanes yes, Lanes no)
{
    return _mm512_mask_blend_pd(_mm512_cmp_pd_mask(a, b, _CMP_GT_OQ), no, yes);
}

static inline Lanes load_floats(const float *x)
{
    return _mm512_cvtps_pd(_mm256_loadu_ps(x));
}

static inline void store_floats(float *y, Lanes a)
{
    _mm256_storeu_ps(y, _mm512_cvtpd_ps(a));
}

#include "engine/kernels/x86/latent_lanes.h"

LATENT_SET(latent_avx512);
