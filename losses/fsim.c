/* fsim.c - feature similarity.
 *
 * SPDX-License-Identifier: MIT
 */
#include "losses/fsim.h"

#include <math.h>

#include "losses/phase_congruency.h"
#include "losses/plane_math.h"

#define T_CONGRUENCY 0.85
#define T_GRADIENT 160.0
#define T_CHROMA 200.0
#define CHROMA_POWER 0.03

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

static RsdStatus open_features(Features *f, const float *rgb, int64_t h, int64_t w, RsdError *err)
{
    const int64_t n = plane_shrink_factor(h, w);
    RsdStatus status = RSD_OK;

    for (int k = 0; k < 3; k++)
        TRY(plane_of_rgb(&f->yiq[k], rgb, h, w, yiq[k], n, false, err));
    TRY(plane_scharr(&f->edges, &f->yiq[0], err));
    TRY(phase_congruency(&f->congruency, &f->yiq[0], err));
fail:
    return status;
}

static double compare(const Features *x, const Features *y, bool chromatic)
{
    const int64_t count = x->edges.h * x->edges.w;
    double sum = 0.0, weights = 0.0, plain = 0.0;

    for (int64_t i = 0; i < count; i++) {
        const double weight = fmax(x->congruency.data[i], y->congruency.data[i]);
        double s = similarity(x->congruency.data[i], y->congruency.data[i], T_CONGRUENCY) *
                   similarity(x->edges.data[i], y->edges.data[i], T_GRADIENT);

        if (chromatic)
            s *= pow(fabs(similarity(x->yiq[1].data[i], y->yiq[1].data[i], T_CHROMA) *
                          similarity(x->yiq[2].data[i], y->yiq[2].data[i], T_CHROMA)),
                     CHROMA_POWER);
        sum += weight * s;
        weights += weight;
        plain += s;
    }
    return weights > 0.0 ? sum / weights : plain / (double)count;
}

static RsdStatus fsim(double *value, const ImagePair *pair, bool chromatic, RsdError *err)
{
    Features x = {0}, y = {0};
    RsdStatus status = RSD_OK;

    TRY(open_features(&x, pair->ref, pair->h, pair->w, err));
    TRY(open_features(&y, pair->dist, pair->h, pair->w, err));
    *value = compare(&x, &y, chromatic);
fail:
    close_features(&x);
    close_features(&y);
    return status;
}

RsdStatus metric_fsim(double *value, const ImagePair *pair, RsdError *err)
{
    return fsim(value, pair, false, err);
}

RsdStatus metric_fsimc(double *value, const ImagePair *pair, RsdError *err)
{
    return fsim(value, pair, true, err);
}
