/* depthwise_avx512.c - convolutions of planes, sixteen samples of four lines at a time.
 *
 * A line of the input meets up to k lines of the output, so four lines of output share its loads; the weights of 3 x 3 and
 * 5 x 5 kernels stay in registers. Every output sample is summed tap by tap in the order of w.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/kernels/depthwise.h"
#include "engine/kernels/x86/vector_avx512.h"

#define LINES 4
#define LANES 16

/* LINES x LANES outputs; x: the strip's sample of tap (0, 0) of the first. */
static inline __attribute__((always_inline)) void lines_of(const float *x, int64_t pitch, const float *w, __m512 bias, int k,
                                                           __m512 out[LINES])
{
    UNROLL
    for (int l = 0; l < LINES; l++)
        out[l] = bias;
    UNROLL
    for (int r = 0; r < LINES + k - 1; r++)
        UNROLL
        for (int u = 0; u < k; u++) {
            const __m512 sample = _mm512_loadu_ps(x + r * pitch + u);

            UNROLL
            for (int l = 0; l < LINES; l++)
                if (r - l >= 0 && r - l < k)
                    out[l] = _mm512_fmadd_ps(_mm512_set1_ps(w[(r - l) * k + u]), sample, out[l]);
        }
}

static inline __attribute__((always_inline)) void plane_of(const DepthwiseShape *s, int k, const float *x, const float *w,
                                                           float bias, float *y, bool add, float *strip)
{
    const int64_t pitch = depthwise_pitch(s), lines = depthwise_strip_lines(s);
    const __m512 start = _mm512_set1_ps(bias);

    for (int64_t top = 0; top < s->lines; top += lines) {
        const int64_t n_lines = s->lines - top < lines ? s->lines - top : lines;

        depthwise_fill(s, x, s->first + top - k / 2, n_lines + k - 1 + LINES - 1, k / 2, strip);
        for (int64_t i = 0; i < n_lines; i += LINES)
            for (int64_t j = 0; j < s->n; j += LANES) {
                const __mmask16 mask = s->n - j >= LANES ? (__mmask16)-1 : first_lanes(s->n - j);
                __m512 out[LINES];

                lines_of(strip + i * pitch + j, pitch, w, start, k, out);
                for (int l = 0; l < LINES && i + l < n_lines; l++) {
                    float *to = y + (top + i + l) * s->n + j;

                    if (add)
                        out[l] = _mm512_add_ps(_mm512_maskz_loadu_ps(mask, to), out[l]);
                    _mm512_mask_storeu_ps(to, mask, out[l]);
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

/* The sums of one line of taps, v, over a strip: x its line of tap v, dy its first line. */
static inline __attribute__((always_inline)) void taps_of(const float *x, const float *dy, int64_t pitch, int64_t n_lines,
                                                          int64_t n, int k, double *dw)
{
    __m512 sum[DEPTHWISE_MAX_K];

    UNROLL
    for (int u = 0; u < k; u++)
        sum[u] = _mm512_setzero_ps();
    for (int64_t i = 0; i < n_lines; i++, x += pitch, dy += pitch)
        for (int64_t j = 0; j < n; j += LANES) {
            const __m512 slope = _mm512_loadu_ps(dy + j);

            UNROLL
            for (int u = 0; u < k; u++)
                sum[u] = _mm512_fmadd_ps(slope, _mm512_loadu_ps(x + j + u), sum[u]);
        }
    UNROLL
    for (int u = 0; u < k; u++)
        dw[u] += (double)_mm512_reduce_add_ps(sum[u]);
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

const DepthwiseKernels depthwise_avx512 = {.plane = plane, .weights = weights};
