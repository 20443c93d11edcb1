/* fsim.c - feature similarity.
 *
 * SPDX-License-Identifier: MIT
 */
#include "losses/fsim.h"

#include <math.h>

#include "engine/ops/by_picture.h"
#include "losses/phase_congruency.h"
#include "losses/plane_back.h"
#include "losses/weighted_mean.h"

#define T_CONGRUENCY 0.85
#define T_GRADIENT 160.0
#define T_CHROMA 200.0
#define CHROMA_POWER 0.03
#define LEAST_CHROMA 1e-6 /* similarities whose power has a slope that says nothing */

/* YIQ times 255. */
static const double yiq[3][3] = {{0.299 * 255.0, 0.587 * 255.0, 0.114 * 255.0},
                                 {0.5959 * 255.0, -0.2746 * 255.0, -0.3213 * 255.0},
                                 {0.2115 * 255.0, -0.5227 * 255.0, 0.3112 * 255.0}};

typedef struct Features {
    Plane yiq[3], edges, congruency;
} Features;

static void close_features(Features *f)
{
    for (int k = 0; k < 3; k++)
        plane_close(&f->yiq[k]);
    plane_close(&f->edges);
    plane_close(&f->congruency);
}

/* *bank: made for the size when NULL. */
static RsdStatus open_features(Features *f, PhaseBank **bank, bool with_gradient, const float *rgb, int64_t h, int64_t w,
                               RsdError *err)
{
    const int64_t n = plane_shrink_factor(h, w);
    RsdStatus status = RSD_OK;

    for (int k = 0; k < 3; k++)
        TRY(plane_of_rgb(&f->yiq[k], rgb, h, w, yiq[k], n, false, err));
    TRY(plane_scharr(&f->edges, &f->yiq[0], err));
    if (!*bank)
        TRY(phase_bank_create(bank, f->edges.h, f->edges.w, with_gradient, err));
    TRY(phase_congruency(&f->congruency, *bank, &f->yiq[0], err));
fail:
    return status;
}

/* The similarities of one place. */
typedef struct Likeness {
    double congruency, edges, chroma[2];
    double all;
} Likeness;

static Likeness compare(const Features *x, const Features *y, int64_t i, bool chromatic)
{
    Likeness s = {.congruency = similarity(x->congruency.data[i], y->congruency.data[i], T_CONGRUENCY),
                  .edges = similarity(x->edges.data[i], y->edges.data[i], T_GRADIENT)};

    s.all = s.congruency * s.edges;
    if (chromatic) {
        for (int k = 0; k < 2; k++)
            s.chroma[k] = similarity(x->yiq[1 + k].data[i], y->yiq[1 + k].data[i], T_CHROMA);
        s.all *= pow(fabs(s.chroma[0] * s.chroma[1]), CHROMA_POWER);
    }
    return s;
}

static double weight_at(const Features *x, const Features *y, int64_t i)
{
    return fmax(x->congruency.data[i], y->congruency.data[i]);
}

static RsdStatus open_zero_features(Features *f, const Features *like, RsdError *err)
{
    RsdStatus status = RSD_OK;

    for (int k = 0; k < 3; k++)
        TRY(plane_open_zero(&f->yiq[k], like->edges.h, like->edges.w, err));
    TRY(plane_open_zero(&f->edges, like->edges.h, like->edges.w, err));
    TRY(plane_open_zero(&f->congruency, like->edges.h, like->edges.w, err));
fail:
    return status;
}

/* dy: the gradient of the mean by the features of y at one place. */
static void compare_back(Features *dy, const Features *x, const Features *y, int64_t i, bool chromatic, const WeightedMean *mean)
{
    const double weight = weight_at(x, y, i), pc = y->congruency.data[i];
    const Likeness s = compare(x, y, i, chromatic);
    const double slope = weighted_mean_slope(mean, weight) * s.all;

    dy->congruency.data[i] = slope / s.congruency * similarity_slope(x->congruency.data[i], pc, T_CONGRUENCY, s.congruency);
    if (pc > x->congruency.data[i])
        dy->congruency.data[i] += weighted_mean_weight_slope(mean, s.all);
    dy->edges.data[i] = slope / s.edges * similarity_slope(x->edges.data[i], y->edges.data[i], T_GRADIENT, s.edges);
    for (int k = 0; chromatic && k < 2; k++)
        if (fabs(s.chroma[k]) > LEAST_CHROMA)
            dy->yiq[1 + k].data[i] = slope * CHROMA_POWER / s.chroma[k] *
                                     similarity_slope(x->yiq[1 + k].data[i], y->yiq[1 + k].data[i], T_CHROMA, s.chroma[k]);
}

/* The gradient of 1 - mean. */
static RsdStatus go_back(float *out, const Features *x, const Features *y, PhaseBank *bank, const WeightedMean *mean,
                         bool chromatic, int64_t h, int64_t w, RsdError *err)
{
    const int64_t n = plane_shrink_factor(h, w);
    Features dy = {0};
    Plane drgb = {0};
    RsdStatus status = RSD_OK;

    TRY(open_zero_features(&dy, y, err));
    TRY(plane_open_zero(&drgb, 3 * h, w, err));
    for (int64_t i = 0; i < mean->count; i++)
        compare_back(&dy, x, y, i, chromatic, mean);
    phase_congruency_back(&dy.yiq[0], bank, &dy.congruency);
    plane_scharr_back(&dy.yiq[0], &y->yiq[0], &y->edges, &dy.edges);
    for (int k = 0; k < (chromatic ? 3 : 1); k++)
        TRY(plane_of_rgb_back(&drgb, &dy.yiq[k], yiq[k], n, false, err));
    plane_narrow(out, &drgb, -1.0);
fail:
    close_features(&dy);
    plane_close(&drgb);
    return status;
}

static RsdStatus compare_pictures(double *value, float *dy, const float *ref, const float *dist, int64_t h, int64_t w,
                                  bool chromatic, RsdError *err)
{
    Features x = {0}, y = {0};
    PhaseBank *bank = NULL;
    WeightedMean mean = {0};
    RsdStatus status = RSD_OK;

    TRY(open_features(&x, &bank, dy != NULL, ref, h, w, err));
    TRY(open_features(&y, &bank, dy != NULL, dist, h, w, err));
    for (int64_t i = 0; i < x.edges.h * x.edges.w; i++)
        weighted_mean_add(&mean, weight_at(&x, &y, i), compare(&x, &y, i, chromatic).all);
    *value = 1.0 - weighted_mean_value(&mean);
    if (dy)
        TRY(go_back(dy, &x, &y, bank, &mean, chromatic, h, w, err));
fail:
    phase_bank_destroy(&bank);
    close_features(&x);
    close_features(&y);
    return status;
}

static RsdStatus fsim(double *value, float *dy, const float *x, const float *y, int64_t h, int64_t w, RsdError *err)
{
    return compare_pictures(value, dy, x, y, h, w, false, err);
}

static RsdStatus fsimc(double *value, float *dy, const float *x, const float *y, int64_t h, int64_t w, RsdError *err)
{
    return compare_pictures(value, dy, x, y, h, w, true, err);
}

RsdStatus measure_fsim(Tape *tape, const void *params, const ImageNets *nets, Tensor *ref, Tensor *dist, Tensor **value,
                       RsdError *err)
{
    const FsimForm *form = params;

    (void)nets;
    return op_by_picture(tape, form->chromatic ? fsimc : fsim, ref, dist, value, err);
}

static RsdStatus as_metric(double *value, const ImagePair *pair, bool chromatic, RsdError *err)
{
    double loss;
    RsdStatus status = RSD_OK;

    TRY(compare_pictures(&loss, NULL, pair->ref, pair->dist, pair->h, pair->w, chromatic, err));
    *value = 1.0 - loss;
fail:
    return status;
}

RsdStatus metric_fsim(double *value, const ImagePair *pair, RsdError *err)
{
    return as_metric(value, pair, false, err);
}

RsdStatus metric_fsimc(double *value, const ImagePair *pair, RsdError *err)
{
    return as_metric(value, pair, true, err);
}
