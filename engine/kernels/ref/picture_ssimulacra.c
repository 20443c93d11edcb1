/* picture_ssimulacra.c - the three maps of SSIMULACRA 2 and their gradient, pixel by pixel.
 *
 * With d = y - x and windows' sums written s(.):
 *   structure  1 - (1 - s(d)^2) (1 - v / w) = s(d)^2 + (1 - s(d)^2) v / w,   v = s(d^2) - s(d)^2, exactly 0 for equal pictures,
 *              w = s(x^2 + y^2) - s(x)^2 - s(y)^2 + 0.0009
 *   edges      (|y - s(y)| - |x - s(x)|) / (1 + |x - s(x)|), the positive part ringing, the negative blurring
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "engine/kernels/ref/picture_ref.h"

#define C2 0.0009f

/* What both the sums and their gradient need of a pixel. */
typedef struct Visible {
    float apart, ratio, below, structure; /* s(d), v / w, w, the map */
    float detail, other, edge;            /* x - s(x), y - s(y), the signed edge map */
} Visible;

static Visible see(const float *x, const float *y, const SsimRows *rows, int64_t i)
{
    const float apart = rows->mean_d[i], mean_x = rows->mean_x[i], mean_y = mean_x + apart, detail = x[i] - mean_x;
    const float below = fmaxf(rows->sum_sq[i] - mean_x * mean_x - mean_y * mean_y, 0.0f) + C2;
    Visible v = {.apart = apart, .below = below, .detail = detail};

    v.ratio = (rows->diff_sq[i] - apart * apart) / below;
    v.structure = apart * apart + (1.0f - apart * apart) * v.ratio;
    v.other = detail + ((y[i] - x[i]) - apart);
    v.edge = (fabsf(v.other) - fabsf(detail)) / (1.0f + fabsf(detail));
    return v;
}

/* NaN stays. */
static float positive(float v)
{
    return v < 0.0f ? 0.0f : v;
}

void ref_ssimulacra(const float *x, const float *y, const SsimRows *rows, double sums[6], int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        const Visible v = see(x, y, rows, i);
        const float maps[3] = {positive(v.structure), positive(v.edge), positive(-v.edge)};

        for (int k = 0; k < 3; k++) {
            sums[k] += (double)maps[k];
            sums[3 + k] += (double)(maps[k] * maps[k] * maps[k] * maps[k]);
        }
    }
}

void ref_ssimulacra_grad(const float *x, const float *y, const SsimRows *rows, const float slopes[6], float *dmean, float *dsum,
                         float *dsq, float *ddirect, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        const Visible v = see(x, y, rows, i);
        const float s = positive(v.structure), e = v.edge, cube = e * e * e;
        const float structure = s > 0.0f ? slopes[0] + 4.0f * slopes[3] * s * s * s : 0.0f;
        const float edge = e > 0.0f ? slopes[1] + 4.0f * slopes[4] * cube : e < 0.0f ? -slopes[2] + 4.0f * slopes[5] * cube : 0.0f;
        const float share = structure * (1.0f - v.apart * v.apart) / v.below, mean_y = rows->mean_x[i] + v.apart;
        const float direct = edge * (v.other > 0.0f ? 1.0f : v.other < 0.0f ? -1.0f : 0.0f) / (1.0f + fabsf(v.detail));

        dsq[i] = share;
        dsum[i] = -share * v.ratio;
        dmean[i] = 2.0f * (structure * v.apart * (1.0f - v.ratio) - share * v.apart + share * v.ratio * mean_y) - direct;
        ddirect[i] = direct;
    }
}
