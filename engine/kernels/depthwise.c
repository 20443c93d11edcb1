/* depthwise.c - strips of planes, the same for every kernel set.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/kernels/depthwise.h"

#include <string.h>

#define STRIP_FLOATS 5120 /* 20 KiB: a strip, and what is made of it, stay in the first cache level */
#define VECTOR 16
#define LINES_AT_ONCE 4

int64_t depthwise_pitch(const DepthwiseShape *s)
{
    return (s->n + VECTOR - 1) / VECTOR * VECTOR + VECTOR;
}

int64_t depthwise_strip_lines(const DepthwiseShape *s)
{
    int64_t lines = STRIP_FLOATS / depthwise_pitch(s) - (s->k - 1);

    lines = lines / LINES_AT_ONCE * LINES_AT_ONCE;
    return lines < LINES_AT_ONCE ? LINES_AT_ONCE : lines;
}

int64_t depthwise_scratch_count(const DepthwiseShape *s)
{
    return 2 * (depthwise_strip_lines(s) + s->k - 1 + LINES_AT_ONCE) * depthwise_pitch(s);
}

void depthwise_fill(const DepthwiseShape *s, const float *x, int64_t first, int64_t lines, int64_t left, float *strip)
{
    const int64_t pitch = depthwise_pitch(s);

    for (int64_t i = 0; i < lines; i++, strip += pitch) {
        if (first + i < 0 || first + i >= s->h) {
            memset(strip, 0, (size_t)pitch * sizeof *strip);
            continue;
        }
        memset(strip, 0, (size_t)left * sizeof *strip);
        memcpy(strip + left, x + (first + i) * s->n, (size_t)s->n * sizeof *strip);
        memset(strip + left + s->n, 0, (size_t)(pitch - left - s->n) * sizeof *strip);
    }
}
