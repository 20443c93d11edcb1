/* image_nets.c - names, files and weights of the networks.
 *
 * SPDX-License-Identifier: MIT
 */
#include "losses/image_nets.h"

#include <stdio.h>
#include <string.h>

#include "engine/base/mem.h"

typedef enum NetKind { NET_FEATURES, NET_LPIPS, NET_DISTS } NetKind;

static const struct {
    const char *name, *source;
    NetKind kind;
    FeaturePlan plan;
    const char *prefix; /* of the arrays in a file with the linear layers of all three networks */
} known[] = {
    {"squeeze", "https://download.pytorch.org/models/squeezenet1_1-b8a52dc0.pth", NET_FEATURES, FEATURES_SQUEEZE, ""},
    {"alex", "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth", NET_FEATURES, FEATURES_ALEX, ""},
    {"vgg16", "https://download.pytorch.org/models/vgg16-397923af.pth", NET_FEATURES, FEATURES_VGG16, ""},
    {"vgg19", "https://download.pytorch.org/models/vgg19-dcbb9e9d.pth", NET_FEATURES, FEATURES_VGG19, ""},
    {"lpips_squeeze", "https://github.com/richzhang/PerceptualSimilarity, lpips/weights/v0.1/squeeze.pth", NET_LPIPS,
     FEATURES_SQUEEZE, "squeeze."},
    {"lpips_alex", "https://github.com/richzhang/PerceptualSimilarity, lpips/weights/v0.1/alex.pth", NET_LPIPS, FEATURES_ALEX,
     "alex."},
    {"lpips_vgg", "https://github.com/richzhang/PerceptualSimilarity, lpips/weights/v0.1/vgg.pth", NET_LPIPS, FEATURES_VGG16,
     "vgg."},
    {"dists", "https://github.com/dingkeyan93/DISTS, DISTS_pytorch/weights.pt", NET_DISTS, FEATURES_VGG16, ""},
};

#define N_KNOWN (sizeof known / sizeof known[0])

const char *image_net_name(size_t i)
{
    return i < N_KNOWN ? known[i].name : NULL;
}

const char *image_net_source(size_t i)
{
    return i < N_KNOWN ? known[i].source : NULL;
}

RsdStatus image_nets_create(ImageNets **out, RsdError *err)
{
    return mem_calloc(out, 1, sizeof **out, err);
}

static void clear_lpips(ImageNets *nets, FeaturePlan plan)
{
    for (int i = 0; i < LPIPS_MAX_TAPS; i++)
        tensor_destroy(&nets->lpips[plan][i]);
}

void image_nets_destroy(ImageNets **nets)
{
    if (!*nets)
        return;
    for (int i = 0; i < FEATURES_N_PLANS; i++)
        feature_net_destroy(&(*nets)->features[i]);
    for (int i = 0; i <= FEATURES_VGG16; i++)
        clear_lpips(*nets, (FeaturePlan)i);
    tensor_destroy(&(*nets)->dists_alpha);
    tensor_destroy(&(*nets)->dists_beta);
    mem_free(nets);
}

/* An array with n elements (0: any number) as one row. */
static RsdStatus read_row(Tensor **out, Checkpoint *checkpoint, const char *prefix, const char *name, int64_t n, RsdError *err)
{
    char full[64];
    const CheckpointArray *array;
    int64_t count;
    RsdStatus status = RSD_OK;

    snprintf(full, sizeof full, "%s%s", prefix, name);
    array = checkpoint_find(checkpoint, full);
    if (!array)
        array = checkpoint_find(checkpoint, name);
    CHECK(array, err, RSD_ERR_CORRUPT, "%s: there is no array %s", checkpoint_place(checkpoint), name);
    TRY(shape_count(&count, array->n_dims, array->shape, err));
    CHECK(count >= 1 && (n == 0 || count == n), err, RSD_ERR_CORRUPT, "%s: %s has %lld numbers, expected %lld",
          checkpoint_place(checkpoint), name, (long long)count, (long long)n);
    TRY(tensor_create(out, 1, &count, err));
    TRY(checkpoint_read_f32(checkpoint, array, (*out)->data, count, err));
fail:
    return status;
}

static RsdStatus load_lpips(ImageNets *nets, FeaturePlan plan, const char *prefix, Checkpoint *checkpoint, RsdError *err)
{
    const int n = plan == FEATURES_VGG16 ? 5 : feature_net_n_taps(plan);
    RsdStatus status = RSD_OK;

    clear_lpips(nets, plan);
    for (int i = 0; i < n; i++) {
        char name[32];

        snprintf(name, sizeof name, "lin%d.model.1.weight", i);
        TRY(read_row(&nets->lpips[plan][i], checkpoint, prefix, name, 0, err));
    }
    return RSD_OK;
fail:
    clear_lpips(nets, plan);
    return status;
}

static RsdStatus load_dists(ImageNets *nets, Checkpoint *checkpoint, RsdError *err)
{
    RsdStatus status = RSD_OK;

    tensor_destroy(&nets->dists_alpha);
    tensor_destroy(&nets->dists_beta);
    TRY(read_row(&nets->dists_alpha, checkpoint, "", "alpha", DISTS_N_CHANNELS, err));
    TRY(read_row(&nets->dists_beta, checkpoint, "", "beta", DISTS_N_CHANNELS, err));
    return RSD_OK;
fail:
    tensor_destroy(&nets->dists_alpha);
    return status;
}

static size_t find(const char *name, size_t len)
{
    size_t i = 0;

    while (i < N_KNOWN && (strlen(known[i].name) != len || strncmp(known[i].name, name, len) != 0))
        i++;
    return i;
}

static RsdStatus load(ImageNets *nets, size_t i, const char *path, RsdError *err)
{
    Checkpoint *checkpoint = NULL;
    RsdStatus status = RSD_OK;

    TRY(checkpoint_open(&checkpoint, path, err));
    if (known[i].kind == NET_FEATURES) {
        feature_net_destroy(&nets->features[known[i].plan]);
        TRY(feature_net_load(&nets->features[known[i].plan], known[i].plan, checkpoint, err));
    } else if (known[i].kind == NET_LPIPS) {
        TRY(load_lpips(nets, known[i].plan, known[i].prefix, checkpoint, err));
    } else {
        TRY(load_dists(nets, checkpoint, err));
    }
fail:
    checkpoint_close(&checkpoint);
    return status;
}

RsdStatus image_nets_load(ImageNets *nets, const char *name, const char *path, RsdError *err)
{
    const size_t i = find(name, strlen(name));
    RsdStatus status;

    if (i == N_KNOWN)
        return error_set(err, RSD_ERR_ARG, "there is no network '%.64s'; known are squeeze, alex, vgg16, vgg19, lpips_squeeze, "
                         "lpips_alex, lpips_vgg, dists", name);
    status = load(nets, i, path, err);
    return status == RSD_OK ? RSD_OK
                            : error_prefix(err, status, "weights '%s' (published at %s)", known[i].name, known[i].source);
}

static bool is_loaded(const ImageNets *nets, size_t i)
{
    if (!nets)
        return false;
    switch (known[i].kind) {
    case NET_FEATURES: return nets->features[known[i].plan] != NULL;
    case NET_LPIPS: return nets->lpips[known[i].plan][0] != NULL;
    case NET_DISTS: return nets->dists_alpha != NULL;
    }
    return false;
}

RsdStatus image_nets_check(const ImageNets *nets, const char *needs, RsdError *err)
{
    while (*needs) {
        const size_t len = strcspn(needs, " "), i = find(needs, len);

        if (i < N_KNOWN && !is_loaded(nets, i))
            return error_set(err, RSD_ERR_ARG, "the weights '%s' are needed and do not come with residua: take them from %s "
                             "and name the file", known[i].name, known[i].source);
        needs += len + strspn(needs + len, " ");
    }
    return RSD_OK;
}
