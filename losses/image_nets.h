/* image_nets.h - the networks that perceptual measures look through, each loaded from the user's published file.
 *
 * None of them comes with residua. What a measure needs is a list of names with blanks between ("squeeze lpips_squeeze"):
 *
 *   squeeze, alex, vgg16, vgg19                 torchvision's ImageNet weights: squeezenet1_1, alexnet, vgg16, vgg19
 *   lpips_squeeze, lpips_alex, lpips_vgg        the linear layers of LPIPS 0.1
 *   dists                                       alpha and beta of DISTS
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_IMAGE_NETS_H
#define RESIDUA_IMAGE_NETS_H

#include "models/feature_net.h"

#define LPIPS_MAX_TAPS 7
#define DISTS_N_CHANNELS (3 + 64 + 128 + 256 + 512 + 512)

typedef struct ImageNets {
    FeatureNet *features[FEATURES_N_PLANS];              /* NULL: not loaded */
    Tensor *lpips[FEATURES_VGG16 + 1][LPIPS_MAX_TAPS];   /* weights of the channels of each tap, [C] */
    Tensor *dists_alpha, *dists_beta;                    /* [DISTS_N_CHANNELS] */
} ImageNets;

RsdStatus image_nets_create(ImageNets **out, RsdError *err);
void image_nets_destroy(ImageNets **nets);

/* Loads one by its name from a torch or safetensors file, replacing what was there. The linear layers are found as
 * "lin0.model.1.weight", .. or with "alex.", "vgg." or "squeeze." before it. Errors: RSD_ERR_ARG (unknown name, listing the
 * known ones), RSD_ERR_IO, RSD_ERR_CORRUPT and others of checkpoint_open, RSD_ERR_MEMORY; they say where it is published. */
RsdStatus image_nets_load(ImageNets *nets, const char *name, const char *path, RsdError *err);

/* RSD_OK when all of `needs` are loaded; else RSD_ERR_ARG with the first that is missing and where it is published. nets may
 * be NULL. */
RsdStatus image_nets_check(const ImageNets *nets, const char *needs, RsdError *err);

/* i-th name, NULL past the end; where it is published. */
const char *image_net_name(size_t i);
const char *image_net_source(size_t i);

#endif
