/* ssimulacra2.c - SSIMULACRA 2.1, as ops: the metric and the loss are one.
 *
 * SPDX-License-Identifier: MIT
 */
#include "losses/ssimulacra2.h"

#include "engine/ops/arithmetic.h"
#include "engine/ops/in_place.h"
#include "engine/ops/mix.h"
#include "engine/ops/reduce.h"
#include "engine/ops/shape.h"
#include "engine/ops/ssimulacra.h"

#define N_SCALES 6
#define N_NORMS SSIMULACRA_N_NORMS
#define BIAS 0.0037930732552754493f
#define CUBE_ROOT_OF_BIAS 0.15595420054924863f

/* Weights by channel and scale: mean of the similarity, ringing and blur maps, then their fourth-power norms. */
static const float weights[3 * N_SCALES][N_NORMS] = {
    {0, 0.0007376606707406586f, 0, 0, 0.0007793481682867309f, 0}, /* X, 1 / 1 */
    {0, 0.0004371155730107379f, 0, 1.1041726426657346f, 0.00066284834129271f, 0.00015231632783718752f}, /* X, 1 / 2 */
    {0, 0.0016406437456599754f, 0, 1.8422455520539298f, 11.441172603757666f, 0}, /* X, 1 / 4 */
    {0.0007989109436015163f, 0.000176816438078653f, 0, 1.8787594979546387f, 10.94906990605142f, 0}, /* X, 1 / 8 */
    {0.0007289346991508072f, 0.9677937080626833f, 0, 0.00014003424285435884f, 0.9981766977854967f, 0.00031949755934435053f}, /* X, 1 / 16 */
    {0.0004550992113792063f, 0, 0, 0.0013648766163243398f, 0, 0}, /* X, 1 / 32 */
    {0, 0, 0, 7.466890328078848f, 0, 17.445833984131262f}, /* Y, 1 / 1 */
    {0.0006235601634041466f, 0, 0, 6.683678146179332f, 0.00037724407979611296f, 1.027889937768264f}, /* Y, 1 / 2 */
    {225.20515300849274f, 0, 0, 19.213238186143016f, 0.0011401524586618361f, 0.001237755635509985f}, /* Y, 1 / 4 */
    {176.39317598450694f, 0, 0, 24.43300999870476f, 0.28520802612117757f, 0.0004485436923833408f}, /* Y, 1 / 8 */
    {0, 0, 0, 34.77906344483772f, 44.835625328877896f, 0}, /* Y, 1 / 16 */
    {0, 0, 0, 0, 0, 0}, /* Y, 1 / 32 */
    {0, 0.0008680556573291698f, 0, 0, 0, 0}, /* B, 1 / 1 */
    {0, 0.0005313191874358747f, 0, 0.00016533814161379112f, 0, 0}, /* B, 1 / 2 */
    {0, 0, 0, 0.0004179171803251336f, 0.0017290828234722833f, 0}, /* B, 1 / 4 */
    {0.0020827005846636437f, 0, 0, 8.826982764996862f, 23.19243343998926f, 0}, /* B, 1 / 8 */
    {95.1080498811086f, 0.9863978034400682f, 0.9834382792465353f, 0.0012286405048278493f, 171.2667255897307f, 0.9807858872435379f}, /* B, 1 / 16 */
    {0, 0, 0, 0.0005130064588990679f, 0, 0.00010854057858411537f}, /* B, 1 / 32 */
};

/* Cone-like sums of linear light, and from their cube roots X, Y and B, scaled and shifted to be positive. */
static const Mix cones = {.n_out = 3, .n_in = 3,
                          .weights = {0.30f, 0.622f, 0.078f, 0.23f, 0.692f, 0.078f, 0.24342268924547819f, 0.20476744424496821f,
                                      0.55180986650955360f},
                          .offset = {BIAS, BIAS, BIAS}};
static const Mix opponents = {.n_out = 3, .n_in = 3, .weights = {7.0f, -7.0f, 0.0f, 0.5f, 0.5f, 0.0f, -0.5f, -0.5f, 1.0f},
                              .offset = {0.42f, 0.01f - CUBE_ROOT_OF_BIAS, 0.55f}};

static RsdStatus xyb(Tape *tape, Tensor *linear, Tensor **y, RsdError *err)
{
    RsdStatus status = RSD_OK;

    TRY(op_mix(tape, &cones, linear, y, err));
    TRY(tape->recording ? op_pow(tape, *y, 1.0f / 3.0f, 0.0f, y, err) : op_pow_in_place(tape, *y, 1.0f / 3.0f, 0.0f, err));
    TRY(op_mix(tape, &opponents, *y, y, err));
fail:
    return status;
}

/* 2 x 2 means, the edge repeated at odd sizes. */
static RsdStatus halve(Tape *tape, Tensor *x, Tensor **y, RsdError *err)
{
    Filter2d f = {.edge = EDGE_REPLICATE};

    filter_axis_mean(&f.down, 2);
    filter_axis_mean(&f.across, 2);
    f.down.after = (int)(x->shape[2] & 1);
    f.across.after = (int)(x->shape[3] & 1);
    return op_filter2d(tape, &f, x, y, err);
}

/* sum [B] of the norms of one scale times their weights. */
static RsdStatus weigh_scale(Tape *tape, int scale, Tensor *x, Tensor *y, Tensor **sum, RsdError *err)
{
    float of_scale[3 * N_NORMS];
    Tensor *norms, *constants;
    RsdStatus status = RSD_OK;

    for (int k = 0; k < 3 * N_NORMS; k++)
        of_scale[k] = weights[k / N_NORMS * N_SCALES + scale][k % N_NORMS];
    TRY(xyb(tape, x, &x, err));
    TRY(xyb(tape, y, &y, err));
    TRY(op_ssimulacra_norms(tape, x, y, &norms, err));
    TRY(op_reshape(tape, norms, 2, (int64_t[]){norms->shape[0], 3 * N_NORMS}, &norms, err));
    TRY(tape_input(tape, &constants, 2, (int64_t[]){1, 3 * N_NORMS}, of_scale, err));
    TRY(op_mul(tape, norms, constants, &norms, err));
    TRY(op_sum_axis(tape, norms, 1, sum, err));
    TRY(op_reshape(tape, *sum, 1, (int64_t[]){norms->shape[0]}, sum, err));
fail:
    return status;
}

/* 0.1 v^0.6276, v = u (2.3267 + u (6.248e-5 u - 0.02088)), u = 0.9562 T: (100 - score) / 100. */
static RsdStatus distance_of(Tape *tape, Tensor *total, Tensor **value, RsdError *err)
{
    Tensor *u, *v;
    RsdStatus status = RSD_OK;

    TRY(op_scale(tape, total, 0.9562382616834844f, &u, err));
    TRY(op_affine(tape, u, 6.248496625763138e-5f, -0.020884521182843837f, &v, err));
    TRY(op_mul(tape, u, v, &v, err));
    TRY(op_add_scalar(tape, v, 2.326765642916932f, &v, err));
    TRY(op_mul(tape, u, v, &v, err));
    TRY(op_pow(tape, v, 0.6276336467831387f, 0.0f, &v, err));
    TRY(op_scale(tape, v, 0.1f, value, err));
fail:
    return status;
}

RsdStatus measure_ssimulacra2(Tape *tape, const void *params, const ImageNets *nets, Tensor *ref, Tensor *dist, Tensor **value,
                              RsdError *err)
{
    Tensor *x, *y, *part, *sum = NULL;
    RsdStatus status = RSD_OK;

    (void)params;
    (void)nets;
    TRY(op_linear_light(tape, ref, &x, err));
    TRY(op_linear_light(tape, dist, &y, err));
    for (int scale = 0; scale < N_SCALES; scale++) {
        if (scale > 0) {
            TRY(halve(tape, x, &x, err));
            TRY(halve(tape, y, &y, err));
        }
        TRY(weigh_scale(tape, scale, x, y, &part, err));
        if (sum)
            TRY(op_add(tape, sum, part, &sum, err));
        else
            sum = part;
    }
    TRY(distance_of(tape, sum, value, err));
fail:
    return status;
}
