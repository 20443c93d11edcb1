/* patch_critic.h - PatchGAN: a critic of pictures that judges each patch; plain, conditional, or with many classes.
 *
 *   x ----------------------------+
 *   latent -> 3x3 -> nearest up --+-> [4x4, stride 2] x n -> 4x4 -> 4x4 -> logits, one per patch and class
 *
 * Given the latent it judges whether this picture belongs to it (HiFiC, MS-ILLM). With K + 1 classes it has to say which of K
 * kinds of real content a patch shows, or 0 for generated (MS-ILLM's non-binary critic): generic texture does not satisfy it.
 *
 * [1] image.md 3.5, 3.6. Isola et al., pix2pix, 2017.   [2] Muckley et al., MS-ILLM, 2023.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_PATCH_CRITIC_H
#define RESIDUA_PATCH_CRITIC_H

#include "engine/tape.h"
#include "models/critic.h"
#include "models/params.h"

#define PATCH_CRITIC_MAX_STRIDED 6

typedef struct PatchCriticConfig {
    int channels;         /* of the picture */
    int base_channels;    /* of the first layer, doubled in each of the next up to eight times; published: 64 */
    int n_strided;        /* layers that halve the picture; published: 3, a receptive field of 70 x 70 */
    int n_classes;        /* logits per patch: 1, or K + 1 */
    int latent_channels;  /* 0: not conditional */
    int context_channels; /* of the latent's 3x3 convolution; published: 12 */
    float slope;          /* of the leaky ReLUs; published: 0.2 */
} PatchCriticConfig;

typedef struct PatchCritic PatchCritic;

/* Registers "patch.context" and "patch.0" and on in params (borrowed until destroy). Errors: RSD_ERR_ARG naming what is out of
 * range, RSD_ERR_MEMORY. */
RsdStatus patch_critic_create(PatchCritic **out, const PatchCriticConfig *config, ParamSet *params, uint64_t seed,
                              RsdError *err);
void patch_critic_destroy(PatchCritic **critic);

/* As audio_critics_begin and audio_critics_freeze. */
RsdStatus patch_critic_begin(PatchCritic *critic, Tape *tape, RsdError *err);
void patch_critic_freeze(PatchCritic *critic, bool frozen);
/* x [batch, channels, h, w], latent [batch, latent_channels, h / s, w / s] for some whole s, or NULL when not conditional ->
 * maps->logits [batch, n_classes, h', w']. Errors: RSD_ERR_ARG naming the shapes (also when x is too small), RSD_ERR_MEMORY. */
RsdStatus patch_critic_judge(const PatchCritic *critic, Tape *tape, Tensor *x, Tensor *latent, CriticMaps *maps,
                             RsdError *err);

#endif
