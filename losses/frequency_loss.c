/* frequency_loss.c - losses on spectra, wavelet bands and edges.
 *
 * SPDX-License-Identifier: MIT
 */
#include "losses/frequency_loss.h"

#include <math.h>

#include "engine/ops/arithmetic.h"
#include "engine/ops/distance.h"
#include "engine/ops/reduce.h"

#define EDGE_EPSILON 1e-6f
#define ENERGY_EPSILON 1e-6f
#define ENERGY_SIDE 5

RsdStatus measure_focal_frequency(Tape *tape, const void *params, const ImageNets *nets, Tensor *ref, Tensor *dist,
                                  Tensor **value, RsdError *err)
{
    const FrequencyLossParams *p = params;
    Tensor *spatial;
    RsdStatus status = RSD_OK;

    (void)nets;
    TRY(op_focal_frequency(tape, &p->focal, ref, dist, value, err));
    if (p->l1_share > 0.0f) {
        TRY(op_l1(tape, dist, ref, NULL, &spatial, err));
        TRY(op_scale(tape, spatial, p->l1_share, &spatial, err));
        TRY(op_add(tape, *value, spatial, value, err));
    }
fail:
    return status;
}

/* --- edges ------------------------------------------------------------------------------------------------------------ */

typedef struct Edges {
    Tensor *gx, *gy, *m;
} Edges;

/* x y + z w */
static RsdStatus dot(Tape *tape, Tensor *x, Tensor *y, Tensor *z, Tensor *w, Tensor **out, RsdError *err)
{
    Tensor *a, *b;
    RsdStatus status = RSD_OK;

    TRY(op_mul(tape, x, y, &a, err));
    TRY(op_mul(tape, z, w, &b, err));
    TRY(op_add(tape, a, b, out, err));
fail:
    return status;
}

static RsdStatus find_edges(Tape *tape, Tensor *x, Edges *e, RsdError *err)
{
    const FilterAxis smooth = {.n = 3, .taps = {0.125f, 0.25f, 0.125f}, .before = 1, .after = 1};
    const FilterAxis slope = {.n = 3, .taps = {-1.0f, 0.0f, 1.0f}, .before = 1, .after = 1};
    RsdStatus status = RSD_OK;

    TRY(image_luma(tape, x, 1.0f, &x, err));
    TRY(op_filter2d(tape, &(Filter2d){.down = smooth, .across = slope, .edge = EDGE_REPLICATE}, x, &e->gx, err));
    TRY(op_filter2d(tape, &(Filter2d){.down = slope, .across = smooth, .edge = EDGE_REPLICATE}, x, &e->gy, err));
    TRY(dot(tape, e->gx, e->gx, e->gy, e->gy, &e->m, err));
    TRY(op_add_scalar(tape, e->m, EDGE_EPSILON, &e->m, err));
    TRY(op_sqrt(tape, e->m, 0.0f, &e->m, err));
fail:
    return status;
}

RsdStatus measure_edge_direction(Tape *tape, const void *params, const ImageNets *nets, Tensor *ref, Tensor *dist,
                                 Tensor **value, RsdError *err)
{
    Edges x, y;
    Tensor *own, *common;
    RsdStatus status = RSD_OK;

    (void)params;
    (void)nets;
    TRY(find_edges(tape, ref, &x, err));
    TRY(find_edges(tape, dist, &y, err));
    /* m (1 - g . g' / (m m')) less m (1 - g . g / m^2) is g . g / m - g . g' / m' */
    TRY(dot(tape, x.gx, y.gx, x.gy, y.gy, &common, err));
    TRY(op_div(tape, common, y.m, &common, err));
    TRY(dot(tape, x.gx, x.gx, x.gy, x.gy, &own, err));
    TRY(op_div(tape, own, x.m, &own, err));
    TRY(op_sub(tape, own, common, &common, err));
    TRY(op_mean(tape, common, &common, err));
    TRY(op_l1(tape, y.m, x.m, NULL, value, err));
    TRY(op_add(tape, *value, common, value, err));
fail:
    return status;
}

/* --- wavelet bands ---------------------------------------------------------------------------------------------------- */

/* Frequency f = 0..3 of the two-level Haar packet of four samples. */
static FilterAxis packet(int f)
{
    static const float signs[4][4] = {{1, 1, 1, 1}, {1, 1, -1, -1}, {1, -1, -1, 1}, {1, -1, 1, -1}};
    FilterAxis axis = {.n = 4, .stride = 4};

    for (int k = 0; k < 4; k++)
        axis.taps[k] = 0.5f * signs[f][k];
    return axis;
}

static RsdStatus energy(Tape *tape, Tensor *x, Tensor **y, RsdError *err)
{
    Filter2d box = {.edge = EDGE_ZERO};
    RsdStatus status = RSD_OK;

    filter_axis_mean(&box.down, ENERGY_SIDE);
    box.down.stride = 1;
    box.down.before = box.down.after = ENERGY_SIDE / 2;
    box.across = box.down;
    TRY(op_square(tape, x, &x, err));
    TRY(op_filter2d(tape, &box, x, &x, err));
    TRY(op_add_scalar(tape, x, ENERGY_EPSILON, &x, err));
    TRY(op_sqrt(tape, x, 0.0f, y, err));
fail:
    return status;
}

static RsdStatus to_fours(Tape *tape, Tensor **x, RsdError *err)
{
    const FilterAxis down = {.after = (int)(-(*x)->shape[2] & 3)}, across = {.after = (int)(-(*x)->shape[3] & 3)};

    if (!down.after && !across.after)
        return RSD_OK;
    return op_filter2d(tape, &(Filter2d){.down = down, .across = across, .edge = EDGE_SYMMETRIC}, *x, x, err);
}

RsdStatus measure_wavelet(Tape *tape, const void *params, const ImageNets *nets, Tensor *ref, Tensor *dist, Tensor **value,
                          RsdError *err)
{
    Tensor *sum = NULL;
    RsdStatus status = RSD_OK;

    (void)params;
    (void)nets;
    TRY(to_fours(tape, &ref, err));
    TRY(to_fours(tape, &dist, err));
    for (int band = 1; band < 16; band++) {
        const Filter2d f = {.down = packet(band / 4), .across = packet(band % 4)};
        const float weight = band / 4 && band % 4 ? 0.5f : 1.0f;
        Tensor *x, *y, *part;

        TRY(op_filter2d(tape, &f, ref, &x, err));
        TRY(op_filter2d(tape, &f, dist, &y, err));
        for (int of_energy = 0; of_energy < 2; of_energy++) {
            if (of_energy) {
                TRY(energy(tape, x, &x, err));
                TRY(energy(tape, y, &y, err));
            }
            TRY(op_l1(tape, y, x, NULL, &part, err));
            TRY(op_scale(tape, part, weight, &part, err));
            if (sum)
                TRY(op_add(tape, sum, part, &sum, err));
            else
                sum = part;
        }
    }
    *value = sum;
fail:
    return status;
}
