/* feature_net.h - classification networks as measures see them: the layers before the classifier, and what they show.
 *
 * Weights come from the files torchvision publishes (torch or safetensors), names "features.N.weight" and "features.N.bias".
 * Widths are read from the file, so that a thinner network of the same plan works too.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_FEATURE_NET_H
#define RESIDUA_FEATURE_NET_H

#include "engine/tape.h"
#include "engine/weights/checkpoint.h"

typedef enum FeaturePlan {
    FEATURES_SQUEEZE, /* SqueezeNet 1.1; taps after features 1, 4, 7, 9, 10, 11, 12 */
    FEATURES_ALEX,    /* taps after each of the five rectifiers */
    FEATURES_VGG16,   /* taps after the rectifiers 1_2, 2_2, 3_3, 4_3, 5_3, and after the last pooling */
    FEATURES_VGG19,   /* taps after the rectifiers 1_2, 2_2, 3_4, 4_4, 5_4 */
    FEATURES_N_PLANS
} FeaturePlan;

#define FEATURE_MAX_TAPS 8

typedef struct FeatureNet FeatureNet; /* const once loaded: any number of tapes may use it */

/* Reads all layers of the plan; the checkpoint may be closed afterwards. Errors: RSD_ERR_CORRUPT naming the array that is
 * missing or of another shape; those of checkpoint_read_f32. */
RsdStatus feature_net_load(FeatureNet **out, FeaturePlan plan, Checkpoint *checkpoint, RsdError *err);
void feature_net_destroy(FeatureNet **net);

int feature_net_n_taps(FeaturePlan plan);
/* The smallest side that leaves a pixel at the last tap. */
int feature_net_min_side(FeaturePlan plan);

/* x [B, 3, H, W], already scaled as the weights want it -> the first n_taps taps, [B, C_i, H_i, W_i]; layers behind the last
 * one do not run. l2_pool: sqrt of the mean square under the window (1 2 1) x (1 2 1) / 16 at stride 2 (and padding 1) instead
 * of each maximum, as DISTS does. Errors: RSD_ERR_ARG naming the shapes, RSD_ERR_MEMORY. */
RsdStatus feature_net_run(Tape *tape, const FeatureNet *net, Tensor *x, int n_taps, bool l2_pool,
                          Tensor *taps[FEATURE_MAX_TAPS], RsdError *err);

#endif
