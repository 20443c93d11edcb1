/* feature_loss.h - distances of what networks see: LPIPS, DISTS, content and style.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_FEATURE_LOSS_H
#define RESIDUA_FEATURE_LOSS_H

#include "losses/image_measure.h"

/* LPIPS 0.1 through the network of params (const FeaturePlan *): squeeze, alex or vgg. Pictures in [0, 1] are taken to [-1, 1]
 * and normalised as the weights want it; features are scaled to unit length over the channels (+ 1e-10), squared differences
 * weighted per channel, averaged over places and summed over the taps. The gradient of the length of a feature of zeros is 0.
 * [Zhang et al., The unreasonable effectiveness of deep features as a perceptual metric, 2018; image.md 11.8] */
RsdStatus measure_lpips(Tape *tape, const void *params, const ImageNets *nets, Tensor *ref, Tensor *dist, Tensor **value,
                        RsdError *err);

/* DISTS through VGG16 with L2 pooling: of each channel of the picture and of five taps the means and the (co)variances over the
 * whole picture are compared, c = 1e-6, weighted by alpha and beta. Pictures are not resized (the reference script takes the
 * smaller side to 256). [Ding et al., Image quality assessment: unifying structure and texture similarity, 2020;
 * image.md 11.9] */
RsdStatus measure_dists(Tape *tape, const void *params, const ImageNets *nets, Tensor *ref, Tensor *dist, Tensor **value,
                        RsdError *err);

/* Content: weighted mean squared differences of taps. Style: sums of squared differences of Gram matrices F F^T / (C H W).
 * [Johnson et al., Perceptual losses for real-time style transfer and super-resolution, 2016; Ledig et al., SRGAN, 2017;
 * image.md 3.2-3.4] */
typedef struct FeatureLossParams {
    FeaturePlan plan;
    bool normalise; /* by ImageNet's mean and deviation; else the network sees [0, 1] */
    bool style;
    int n_taps;
    float weights[FEATURE_MAX_TAPS];
    float mse, tv; /* weights of the mean squared difference, and of iSeeBetter's total variation (image.md 3.4) */
} FeatureLossParams;
extern const FeatureLossParams feature_vgg16_content; /* relu2_2 + relu3_3 */
extern const FeatureLossParams feature_vgg16_style;   /* relu1_2, 2_2, 3_3, 4_3 */
extern const FeatureLossParams feature_vgg19_content; /* relu5_4: the form for super-resolution */
extern const FeatureLossParams feature_srgan;         /* VGG19 relu5_4 over 12.75: 0.006 times the squared error */
/* MSE + 6e-3 MSE of VGG16's pool5 on [0, 1] + 2e-8 TV; the fourth part, 1e-3 mean(1 - D), is the discriminator's. */
extern const FeatureLossParams feature_four_fold;
RsdStatus measure_features(Tape *tape, const void *params, const ImageNets *nets, Tensor *ref, Tensor *dist, Tensor **value,
                           RsdError *err);

#endif
