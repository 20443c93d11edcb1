/* feature_net.c - the plans of four networks, and one walk through any of them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "models/feature_net.h"

#include <stdio.h>
#include <string.h>

#include "engine/base/mem.h"
#include "engine/ops/arithmetic.h"
#include "engine/ops/conv2d.h"
#include "engine/ops/filter2d.h"
#include "engine/ops/pool2d.h"

#define MAX_LAYERS 24
#define MAX_WEIGHTS 3 /* of one layer */
#define L2_EPSILON 1e-12f

typedef enum LayerKind { LAYER_END, LAYER_CONV, LAYER_FIRE, LAYER_POOL } LayerKind;

/* Every convolution is followed by a rectifier. A fire layer squeezes by 1 x 1 and puts 1 x 1 and 3 x 3 side by side. */
typedef struct Layer {
    LayerKind kind;
    int number; /* in the names of the file */
    int k, stride, pad;
    bool tap; /* what comes out is shown */
} Layer;

#define CONV3(number, tap) {LAYER_CONV, number, 3, 1, 1, tap}
#define FIRE(number, tap) {LAYER_FIRE, number, 0, 0, 0, tap}
#define POOL2 {LAYER_POOL, 0, 2, 2, 0, false}
#define POOL3 {LAYER_POOL, 0, 3, 2, 0, false}

static const struct {
    const char *name;
    int n_taps, min_side;
    bool ceil; /* windows may hang over the end */
    Layer layers[MAX_LAYERS];
} plans[FEATURES_N_PLANS] = {
    [FEATURES_SQUEEZE] = {"squeezenet1_1", 7, 17, true,
                          {{LAYER_CONV, 0, 3, 2, 0, true}, POOL3, FIRE(3, false), FIRE(4, true), POOL3, FIRE(6, false),
                           FIRE(7, true), POOL3, FIRE(9, true), FIRE(10, true), FIRE(11, true), FIRE(12, true)}},
    [FEATURES_ALEX] = {"alexnet", 5, 31, false,
                       {{LAYER_CONV, 0, 11, 4, 2, true}, POOL3, {LAYER_CONV, 3, 5, 1, 2, true}, POOL3, CONV3(6, true),
                        CONV3(8, true), CONV3(10, true)}},
    [FEATURES_VGG16] = {"vgg16", 6, 32, false,
                        {CONV3(0, false), CONV3(2, true), POOL2, CONV3(5, false), CONV3(7, true), POOL2, CONV3(10, false),
                         CONV3(12, false), CONV3(14, true), POOL2, CONV3(17, false), CONV3(19, false), CONV3(21, true), POOL2,
                         CONV3(24, false), CONV3(26, false), CONV3(28, true), {LAYER_POOL, 0, 2, 2, 0, true}}},
    [FEATURES_VGG19] = {"vgg19", 5, 16, false,
                        {CONV3(0, false), CONV3(2, true), POOL2, CONV3(5, false), CONV3(7, true), POOL2, CONV3(10, false),
                         CONV3(12, false), CONV3(14, false), CONV3(16, true), POOL2, CONV3(19, false), CONV3(21, false),
                         CONV3(23, false), CONV3(25, true), POOL2, CONV3(28, false), CONV3(30, false), CONV3(32, false),
                         CONV3(34, true)}},
};

struct FeatureNet {
    FeaturePlan plan;
    Tensor *weights[MAX_LAYERS][MAX_WEIGHTS], *biases[MAX_LAYERS][MAX_WEIGHTS];
};

int feature_net_n_taps(FeaturePlan plan)
{
    return plans[plan].n_taps;
}

int feature_net_min_side(FeaturePlan plan)
{
    return plans[plan].min_side;
}

/* --- loading ---------------------------------------------------------------------------------------------------------- */

static RsdStatus read_array(Tensor **out, Checkpoint *checkpoint, const char *name, int n_dims, RsdError *err)
{
    const CheckpointArray *array = checkpoint_find(checkpoint, name);
    RsdStatus status = RSD_OK;

    CHECK(array, err, RSD_ERR_CORRUPT, "%s: there is no array %s", checkpoint_place(checkpoint), name);
    CHECK(array->n_dims == n_dims, err, RSD_ERR_CORRUPT, "%s: %s has %d axes, expected %d", checkpoint_place(checkpoint), name,
          array->n_dims, n_dims);
    TRY(tensor_create(out, n_dims, array->shape, err));
    TRY(checkpoint_read_f32(checkpoint, array, (*out)->data, tensor_count(*out), err));
fail:
    return status;
}

/* One convolution: *width is the number of channels before it, and afterwards behind it. */
static RsdStatus read_conv(FeatureNet *net, int layer, int part, Checkpoint *checkpoint, const char *stem, int k,
                           int64_t *width, RsdError *err)
{
    char name[64];
    Tensor *w;
    RsdStatus status = RSD_OK;

    snprintf(name, sizeof name, "%s.weight", stem);
    TRY(read_array(&net->weights[layer][part], checkpoint, name, 4, err));
    w = net->weights[layer][part];
    CHECK(w->shape[0] >= 1 && w->shape[1] == *width && w->shape[2] == k && w->shape[3] == k, err, RSD_ERR_CORRUPT,
          "%s: %s is [%lld, %lld, %lld, %lld]; %s has kernels of %d x %d over %lld channels here",
          checkpoint_place(checkpoint), name, (long long)w->shape[0], (long long)w->shape[1], (long long)w->shape[2],
          (long long)w->shape[3], plans[net->plan].name, k, k, (long long)*width);
    snprintf(name, sizeof name, "%s.bias", stem);
    TRY(read_array(&net->biases[layer][part], checkpoint, name, 1, err));
    CHECK(net->biases[layer][part]->shape[0] == w->shape[0], err, RSD_ERR_CORRUPT, "%s: %s has %lld numbers, expected %lld",
          checkpoint_place(checkpoint), name, (long long)net->biases[layer][part]->shape[0], (long long)w->shape[0]);
    *width = w->shape[0];
fail:
    return status;
}

static RsdStatus read_fire(FeatureNet *net, int layer, Checkpoint *checkpoint, int number, int64_t *width, RsdError *err)
{
    static const char *const parts[MAX_WEIGHTS] = {"squeeze", "expand1x1", "expand3x3"};
    int64_t squeezed = 0, sum = 0;
    RsdStatus status = RSD_OK;

    for (int part = 0; part < MAX_WEIGHTS; part++) {
        char stem[48];
        int64_t n = part ? squeezed : *width;

        snprintf(stem, sizeof stem, "features.%d.%s", number, parts[part]);
        TRY(read_conv(net, layer, part, checkpoint, stem, part == 2 ? 3 : 1, &n, err));
        if (part)
            sum += n;
        else
            squeezed = n;
    }
    *width = sum;
fail:
    return status;
}

RsdStatus feature_net_load(FeatureNet **out, FeaturePlan plan, Checkpoint *checkpoint, RsdError *err)
{
    const Layer *layers = plans[plan].layers;
    FeatureNet *net = NULL;
    int64_t width = 3;
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(mem_calloc(&net, 1, sizeof *net, err));
    net->plan = plan;
    for (int i = 0; i < MAX_LAYERS && layers[i].kind != LAYER_END; i++) {
        char stem[32];

        snprintf(stem, sizeof stem, "features.%d", layers[i].number);
        if (layers[i].kind == LAYER_CONV)
            TRY(read_conv(net, i, 0, checkpoint, stem, layers[i].k, &width, err));
        else if (layers[i].kind == LAYER_FIRE)
            TRY(read_fire(net, i, checkpoint, layers[i].number, &width, err));
    }
    *out = net;
    return RSD_OK;
fail:
    feature_net_destroy(&net);
    return status;
}

void feature_net_destroy(FeatureNet **net)
{
    if (!*net)
        return;
    for (int i = 0; i < MAX_LAYERS; i++)
        for (int part = 0; part < MAX_WEIGHTS; part++) {
            tensor_destroy(&(*net)->weights[i][part]);
            tensor_destroy(&(*net)->biases[i][part]);
        }
    mem_free(net);
}

/* --- running ---------------------------------------------------------------------------------------------------------- */

static Conv2dBranch branch_of(const FeatureNet *net, int layer, int part, int stride, int pad)
{
    return (Conv2dBranch){net->weights[layer][part], net->biases[layer][part], {.stride = {stride, stride}, .pad = SIDES(pad)}};
}

static RsdStatus fire(Tape *tape, const FeatureNet *net, int layer, Tensor *x, Tensor **y, RsdError *err)
{
    const Conv2dBranch squeeze = branch_of(net, layer, 0, 1, 0);
    const Conv2dBranch expand[] = {branch_of(net, layer, 1, 1, 0), branch_of(net, layer, 2, 1, 1)};
    Tensor *squeezed;
    RsdStatus status = RSD_OK;

    TRY(op_conv2d_relu(tape, x, &squeeze, 1, &squeezed, err));
    TRY(op_conv2d_relu(tape, squeezed, expand, 2, y, err));
fail:
    return status;
}

static RsdStatus pool_l2(Tape *tape, Tensor *x, Tensor **y, RsdError *err)
{
    const FilterAxis axis = {.n = 3, .taps = {0.25f, 0.5f, 0.25f}, .stride = 2, .before = 1, .after = 1};
    RsdStatus status = RSD_OK;

    TRY(op_square(tape, x, y, err));
    TRY(op_filter2d(tape, &(Filter2d){.down = axis, .across = axis}, *y, y, err));
    TRY(op_add_scalar(tape, *y, L2_EPSILON, y, err));
    TRY(op_sqrt(tape, *y, 0.0f, y, err));
fail:
    return status;
}

RsdStatus feature_net_run(Tape *tape, const FeatureNet *net, Tensor *x, int n_taps, bool l2_pool,
                          Tensor *taps[FEATURE_MAX_TAPS], RsdError *err)
{
    const Layer *layers = plans[net->plan].layers;
    int n = 0;
    RsdStatus status = RSD_OK;

    for (int i = 0; n < n_taps; i++) {
        const Layer *l = &layers[i];
        const Pool2dParams pool = {.size = {l->k, l->k}, .stride = {l->stride, l->stride}, .ceil = plans[net->plan].ceil};

        if (l->kind == LAYER_CONV)
            TRY(op_conv2d_relu(tape, x, (Conv2dBranch[]){branch_of(net, i, 0, l->stride, l->pad)}, 1, &x, err));
        else if (l->kind == LAYER_FIRE)
            TRY(fire(tape, net, i, x, &x, err));
        else if (l2_pool)
            TRY(pool_l2(tape, x, &x, err));
        else
            TRY(op_max_pool2d(tape, x, &pool, &x, err));
        if (l->tap)
            taps[n++] = x;
    }
fail:
    return status;
}
