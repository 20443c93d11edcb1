/* plane_avx2.c - the largest of windows, eight windows at a time where they move by two and lie inside.
 *
 * Places are compared in the order of the plain form, so that the first of equals and NaN come out the same.
 *
 * SPDX-License-Identifier: MIT
 */
#include <immintrin.h>

#include "engine/kernels/ref/plane_ref.h"

/* x[0], x[2], .. x[14]; reads x[0] to x[14]. */
static inline __m256 every_second(const float *x)
{
    const __m256 mixed = _mm256_shuffle_ps(_mm256_loadu_ps(x), _mm256_loadu_ps(x + 7), _MM_SHUFFLE(3, 1, 2, 0));

    return _mm256_castpd_ps(_mm256_permute4x64_pd(_mm256_castps_pd(mixed), _MM_SHUFFLE(3, 1, 2, 0)));
}

/* Windows j .. j + 7 of row i. */
static inline void max_of_eight(const PoolShape *s, const float *x, Window down, int64_t i, int64_t j, float *y, int32_t *at)
{
    const int64_t column = 2 * j - s->x.before;
    const __m256i steps = _mm256_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14);
    __m256 most = every_second(x + down.first * s->x.n + column);
    __m256i places = _mm256_add_epi32(_mm256_set1_epi32((int)(down.first * s->x.n + column)), steps);

    for (int64_t l = down.first; l < down.end; l++)
        for (int64_t k = 0; k < s->x.size; k++) {
            const int64_t from = l * s->x.n + column + k;
            const __m256 v = every_second(x + from);
            const __m256 takes = _mm256_or_ps(_mm256_cmp_ps(v, most, _CMP_GT_OQ), _mm256_cmp_ps(v, v, _CMP_UNORD_Q));

            most = _mm256_blendv_ps(most, v, takes);
            places = _mm256_blendv_epi8(places, _mm256_add_epi32(_mm256_set1_epi32((int)from), steps), _mm256_castps_si256(takes));
        }
    _mm256_storeu_ps(y + i * s->x.m + j, most);
    if (at)
        _mm256_storeu_si256((__m256i *)(at + i * s->x.m + j), places);
}

static void pool_max(const PoolShape *s, const float *x, float *y, int32_t *at)
{
    const int64_t first = (s->x.before + 1) / 2, room = s->x.n - s->x.size + s->x.before; /* whole windows end at room / 2 */
    const int64_t end = s->x.stride == 2 && room >= 0 ? (room / 2 + 1 < s->x.m ? room / 2 + 1 : s->x.m) : 0;

    for (int64_t i = 0; i < s->y.m; i++) {
        const Window down = window_of(&s->y, i);
        int64_t j = 0;

        for (; j < first && j < s->x.m; j++)
            max_of_window(s, x, down, i, j, y, at);
        for (; j + 8 <= end; j += 8)
            max_of_eight(s, x, down, i, j, y, at);
        for (; j < s->x.m; j++)
            max_of_window(s, x, down, i, j, y, at);
    }
}

const PlaneKernels plane_avx2 = {
    .pool_max = pool_max,
    .pool_max_grad = ref_pool_max_grad,
    .pool_mean = ref_pool_mean,
    .pool_mean_grad = ref_pool_mean_grad,
    .resize = ref_resize,
    .resize_grad = ref_resize_grad,
};
