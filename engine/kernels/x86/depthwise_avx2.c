/* depthwise_avx2.c - convolutions of planes, eight samples of four lines at a time.
 *
 * Four lines of output share the loads of a line of input. Every output sample is summed tap by tap in the order of w.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/kernels/depthwise.h"
#include "engine/kernels/x86/point_avx2.h"

#define LINES 4
#define LANES 8

#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

/* LINES x LANES outputs; x: the strip's sample of tap (0, 0) of the first. */
static inline __attribute__((always_inline)) void lines_of(const float *x, int64_t pitch, const float *w, __m256 bias, int k,
                                                           __m256 out[LINES])
{
    UNROLL
    for (int l = 0; l < LINES; l++)
        out[l] = bias;
    UNROLL
    for (int r = 0; r < LINES + k - 1; r++)
        UNROLL
        for (int u = 0; u < k; u++) {
            const __m256 sample = _mm256_loadu_ps(x + r * pitch + u);

            UNROLL
            for (int l = 0; l < LINES; l++)
                if (r - l >= 0 && r - l < k)
                    out[l] = _mm256_fmadd_ps(_mm256_broadcast_ss(&w[(r - l) * k + u]), sample, out[l]);
        }
}

static inline __attribute__((always_inline)) void plane_of(const DepthwiseShape *s, int k, const float *x, const float *w,
                                                           float bias, float *y, bool add, float *strip)
{
    const int64_t pitch = depthwise_pitch(s), lines = depthwise_strip_lines(s);
    const __m256 start = _mm256_set1_ps(bias);

    for (int64_t top = 0; top < s->lines; top += lines) {
        const int64_t n_lines = s->lines - top < lines ? s->lines - top : lines;

        depthwise_fill(s, x, s->first + top - k / 2, n_lines + k - 1 + LINES - 1, k / 2, strip);
        for (int64_t i = 0; i < n_lines; i += LINES)
            for (int64_t j = 0; j < s->n; j += LANES) {
                const __m256i mask = first_lanes(s->n - j);
                __m256 out[LINES];

                lines_of(strip + i * pitch + j, pitch, w, start, k, out);
                for (int l = 0; l < LINES && i + l < n_lines; l++) {
                    float *to = y + (top + i + l) * s->n + j;

                    if (add)
                        out[l] = _mm256_add_ps(_mm256_maskload_ps(to, mask), out[l]);
                    _mm256_maskstore_ps(to, mask, out[l]);
                }
            }
    }
}

static void plane(const DepthwiseShape *s, const float *x, const float *w, float bias, float *y, bool add, float *scratch)
{
    if (s->k == 3)
        plane_of(s, 3, x, w, bias, y, add, scratch);
    else if (s->k == 5)
        plane_of(s, 5, x, w, bias, y, add, scratch);
    else
        plane_of(s, 7, x, w, bias, y, add, scratch);
}

static inline double sum_lanes(__m256 v)
{
    const __m256d pairs = _mm256_add_pd(_mm256_cvtps_pd(_mm256_castps256_ps128(v)), _mm256_cvtps_pd(_mm256_extractf128_ps(v, 1)));
    const __m128d two = _mm_add_pd(_mm256_castpd256_pd128(pairs), _mm256_extractf128_pd(pairs, 1));

    return _mm_cvtsd_f64(two) + _mm_cvtsd_f64(_mm_unpackhi_pd(two, two));
}

/* The sums of one line of taps, v, over a strip: x its line of tap v, dy its first line. */
static inline __attribute__((always_inline)) void taps_of(const float *x, const float *dy, int64_t pitch, int64_t n_lines,
                                                          int64_t n, int k, double *dw)
{
    __m256 sum[DEPTHWISE_MAX_K];

    UNROLL
    for (int u = 0; u < k; u++)
        sum[u] = _mm256_setzero_ps();
    for (int64_t i = 0; i < n_lines; i++, x += pitch, dy += pitch)
        for (int64_t j = 0; j < n; j += LANES) {
            const __m256 slope = _mm256_loadu_ps(dy + j);

            UNROLL
            for (int u = 0; u < k; u++)
                sum[u] = _mm256_fmadd_ps(slope, _mm256_loadu_ps(x + j + u), sum[u]);
        }
    UNROLL
    for (int u = 0; u < k; u++)
        dw[u] += sum_lanes(sum[u]);
}

static inline __attribute__((always_inline)) void weights_of(const DepthwiseShape *s, int k, const float *x, const float *dy,
                                                             double *dw, float *scratch)
{
    const int64_t pitch = depthwise_pitch(s), lines = depthwise_strip_lines(s);
    float *strip = scratch, *slopes = scratch + (lines + k - 1) * pitch;

    for (int64_t top = 0; top < s->h; top += lines) {
        const int64_t n_lines = s->h - top < lines ? s->h - top : lines;

        depthwise_fill(s, x, top - k / 2, n_lines + k - 1, k / 2, strip);
        depthwise_fill(s, dy, top, n_lines, 0, slopes);
        for (int v = 0; v < k; v++)
            taps_of(strip + v * pitch, slopes, pitch, n_lines, s->n, k, dw + v * k);
    }
}

static void weights(const DepthwiseShape *s, const float *x, const float *dy, double *dw, float *scratch)
{
    if (s->k == 3)
        weights_of(s, 3, x, dy, dw, scratch);
    else if (s->k == 5)
        weights_of(s, 5, x, dy, dw, scratch);
    else
        weights_of(s, 7, x, dy, dw, scratch);
}

const DepthwiseKernels depthwise_avx2 = {.plane = plane, .weights = weights};
