/* ssimulacra2.c - SSIMULACRA 2.1.
 *
 * SPDX-License-Identifier: MIT
 */
#include "losses/ssimulacra2.h"

#include <math.h>
#include <string.h>

#include "engine/base/mem.h"

#define N_SCALES 6
#define N_NORMS 6
#define C2 0.0009
#define BIAS 0.0037930732552754493
#define RADIUS 4

static const double taps[RADIUS + 1] = {0.2646211055, 0.2129285920, 0.1093353728, 0.0360111147, 0.0094143678};

/* Weights by channel and scale: mean of the similarity, ringing and blur maps, then their fourth-power norms. */
static const double weights[3 * N_SCALES][N_NORMS] = {
    {0, 0.0007376606707406586, 0, 0, 0.0007793481682867309, 0}, /* X, 1 / 1 */
    {0, 0.0004371155730107379, 0, 1.1041726426657346, 0.00066284834129271, 0.00015231632783718752}, /* X, 1 / 2 */
    {0, 0.0016406437456599754, 0, 1.8422455520539298, 11.441172603757666, 0}, /* X, 1 / 4 */
    {0.0007989109436015163, 0.000176816438078653, 0, 1.8787594979546387, 10.94906990605142, 0}, /* X, 1 / 8 */
    {0.0007289346991508072, 0.9677937080626833, 0, 0.00014003424285435884, 0.9981766977854967, 0.00031949755934435053}, /* X, 1 / 16 */
    {0.0004550992113792063, 0, 0, 0.0013648766163243398, 0, 0}, /* X, 1 / 32 */
    {0, 0, 0, 7.466890328078848, 0, 17.445833984131262}, /* Y, 1 / 1 */
    {0.0006235601634041466, 0, 0, 6.683678146179332, 0.00037724407979611296, 1.027889937768264}, /* Y, 1 / 2 */
    {225.20515300849274, 0, 0, 19.213238186143016, 0.0011401524586618361, 0.001237755635509985}, /* Y, 1 / 4 */
    {176.39317598450694, 0, 0, 24.43300999870476, 0.28520802612117757, 0.0004485436923833408}, /* Y, 1 / 8 */
    {0, 0, 0, 34.77906344483772, 44.835625328877896, 0}, /* Y, 1 / 16 */
    {0, 0, 0, 0, 0, 0}, /* Y, 1 / 32 */
    {0, 0.0008680556573291698, 0, 0, 0, 0}, /* B, 1 / 1 */
    {0, 0.0005313191874358747, 0, 0.00016533814161379112, 0, 0}, /* B, 1 / 2 */
    {0, 0, 0, 0.0004179171803251336, 0.0017290828234722833, 0}, /* B, 1 / 4 */
    {0.0020827005846636437, 0, 0, 8.826982764996862, 23.19243343998926, 0}, /* B, 1 / 8 */
    {95.1080498811086, 0.9863978034400682, 0.9834382792465353, 0.0012286405048278493, 171.2667255897307, 0.9807858872435379}, /* B, 1 / 16 */
    {0, 0, 0, 0.0005130064588990679, 0, 0.00010854057858411537}, /* B, 1 / 32 */
};

/* One scale: linear RGB and XYB of both pictures, and room for the blurred products. */
typedef struct Scale {
    int64_t h, w;
    double *linear[2], *xyb[2];     /* [3, h, w] */
    double *mean[2], *square[3];    /* [h, w] */
    double *between;                /* [h, w] */
} Scale;

static double linear_of(double v)
{
    const double size = fabs(v), y = size <= 0.04045 ? size / 12.92 : pow((size + 0.055) / 1.055, 2.4);

    return v < 0.0 ? -y : y;
}

static void fill_xyb(const double *linear, double *xyb, int64_t plane)
{
    static const double mix[3][3] = {{0.30, 0.622, 0.078}, {0.23, 0.692, 0.078},
                                     {0.24342268924547819, 0.20476744424496821, 0.55180986650955360}};

    for (int64_t i = 0; i < plane; i++) {
        double t[3];

        for (int k = 0; k < 3; k++) {
            const double sum = mix[k][0] * linear[i] + mix[k][1] * linear[plane + i] + mix[k][2] * linear[2 * plane + i] + BIAS;

            t[k] = cbrt(fmax(sum, 0.0)) - cbrt(BIAS);
        }
        xyb[i] = 14.0 * 0.5 * (t[0] - t[1]) + 0.42;
        xyb[plane + i] = 0.5 * (t[0] + t[1]) + 0.01;
        xyb[2 * plane + i] = t[2] - 0.5 * (t[0] + t[1]) + 0.55;
    }
}

/* Zero outside the picture, not renormalised. */
static void blur(const Scale *s, const double *x, double *y)
{
    for (int64_t r = 0; r < s->h; r++)
        for (int64_t c = 0; c < s->w; c++) {
            double sum = 0.0;

            for (int64_t k = -RADIUS; k <= RADIUS; k++)
                if (c + k >= 0 && c + k < s->w)
                    sum += taps[k < 0 ? -k : k] * x[r * s->w + c + k];
            s->between[r * s->w + c] = sum;
        }
    for (int64_t r = 0; r < s->h; r++)
        for (int64_t c = 0; c < s->w; c++) {
            double sum = 0.0;

            for (int64_t k = -RADIUS; k <= RADIUS; k++)
                if (r + k >= 0 && r + k < s->h)
                    sum += taps[k < 0 ? -k : k] * s->between[(r + k) * s->w + c];
            y[r * s->w + c] = sum;
        }
}

/* Blurs of x x, y y and x y. */
static void blur_products(const Scale *s, const double *x, const double *y, double *work)
{
    for (int k = 0; k < 3; k++) {
        const double *a = k == 1 ? y : x, *b = k == 0 ? x : y;

        for (int64_t i = 0; i < s->h * s->w; i++)
            work[i] = a[i] * b[i];
        blur(s, work, s->square[k]);
    }
}

static void compare_channel(const Scale *s, const double *x, const double *y, double *work, double norms[N_NORMS])
{
    const int64_t plane = s->h * s->w;

    blur(s, x, s->mean[0]);
    blur(s, y, s->mean[1]);
    blur_products(s, x, y, work);
    memset(norms, 0, N_NORMS * sizeof *norms);
    for (int64_t i = 0; i < plane; i++) {
        const double m1 = s->mean[0][i], m2 = s->mean[1][i], apart = m1 - m2;
        const double structure = (2.0 * (s->square[2][i] - m1 * m2) + C2) /
                                 (s->square[0][i] - m1 * m1 + s->square[1][i] - m2 * m2 + C2);
        const double edge = (1.0 + fabs(y[i] - m2)) / (1.0 + fabs(x[i] - m1)) - 1.0;
        const double maps[3] = {fmax(0.0, 1.0 - (1.0 - apart * apart) * structure), fmax(edge, 0.0), fmax(-edge, 0.0)};

        for (int k = 0; k < 3; k++) {
            norms[k] += maps[k] / (double)plane;
            norms[3 + k] += maps[k] * maps[k] * maps[k] * maps[k] / (double)plane;
        }
    }
    for (int k = 3; k < N_NORMS; k++)
        norms[k] = sqrt(sqrt(norms[k]));
}

/* 2 x 2 means in place of the larger picture, the edge repeated at odd sizes. */
static void halve(double *x, int64_t h, int64_t w)
{
    const int64_t h_out = (h + 1) / 2, w_out = (w + 1) / 2;

    for (int c = 0; c < 3; c++)
        for (int64_t r = 0; r < h_out; r++)
            for (int64_t k = 0; k < w_out; k++) {
                const int64_t below = 2 * r + 1 < h ? 2 * r + 1 : h - 1, right = 2 * k + 1 < w ? 2 * k + 1 : w - 1;
                const double *in = x + c * h * w;

                x[(c * h_out + r) * w_out + k] =
                    0.25 * (in[2 * r * w + 2 * k] + in[2 * r * w + right] + in[below * w + 2 * k] + in[below * w + right]);
            }
}

static RsdStatus open_scale(Scale *s, int64_t h, int64_t w, RsdError *err)
{
    const size_t plane = (size_t)(h * w);
    RsdStatus status = RSD_OK;

    *s = (Scale){.h = h, .w = w};
    for (int k = 0; k < 2; k++) {
        TRY(mem_alloc(&s->linear[k], 3 * plane, sizeof(double), err));
        TRY(mem_alloc(&s->xyb[k], 3 * plane, sizeof(double), err));
        TRY(mem_alloc(&s->mean[k], plane, sizeof(double), err));
    }
    for (int k = 0; k < 3; k++)
        TRY(mem_alloc(&s->square[k], plane, sizeof(double), err));
    TRY(mem_alloc(&s->between, plane, sizeof(double), err));
fail:
    return status;
}

static void close_scale(Scale *s)
{
    for (int k = 0; k < 2; k++) {
        mem_free(&s->linear[k]);
        mem_free(&s->xyb[k]);
        mem_free(&s->mean[k]);
    }
    for (int k = 0; k < 3; k++)
        mem_free(&s->square[k]);
    mem_free(&s->between);
}

static double score_of(double total)
{
    const double u = 0.9562382616834844 * total;
    const double v = 2.326765642916932 * u - 0.020884521182843837 * u * u + 6.248496625763138e-5 * u * u * u;

    return v > 0.0 ? 100.0 - 10.0 * pow(v, 0.6276336467831387) : 100.0;
}

RsdStatus metric_ssimulacra2(double *value, const ImagePair *pair, RsdError *err)
{
    Scale s;
    double total = 0.0, *work = NULL;
    RsdStatus status = RSD_OK;

    TRY(open_scale(&s, pair->h, pair->w, err));
    TRY(mem_alloc(&work, (size_t)(pair->h * pair->w), sizeof(double), err));
    for (int64_t i = 0; i < 3 * s.h * s.w; i++) {
        s.linear[0][i] = linear_of((double)pair->ref[i]);
        s.linear[1][i] = linear_of((double)pair->dist[i]);
    }
    for (int scale = 0; scale < N_SCALES; scale++) {
        if (scale > 0) {
            for (int k = 0; k < 2; k++)
                halve(s.linear[k], s.h, s.w);
            s.h = (s.h + 1) / 2;
            s.w = (s.w + 1) / 2;
        }
        for (int k = 0; k < 2; k++)
            fill_xyb(s.linear[k], s.xyb[k], s.h * s.w);
        for (int c = 0; c < 3; c++) {
            double norms[N_NORMS];

            compare_channel(&s, s.xyb[0] + c * s.h * s.w, s.xyb[1] + c * s.h * s.w, work, norms);
            for (int k = 0; k < N_NORMS; k++)
                total += weights[c * N_SCALES + scale][k] * norms[k];
        }
    }
    *value = score_of(total);
fail:
    mem_free(&work);
    close_scale(&s);
    return status;
}
