/* picture_critics.h - the critics of adversarial picture training: which of them judge, and what they are given.
 *
 *   r3       R3GAN's residual critic (models/r3_critic.h): its slope can be penalised exactly
 *   patch    PatchGAN (models/patch_critic.h): plain, given the latents, or asked for the kind of content
 *
 * [1] image.md 3.5-3.7, 12.5-P.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_PICTURE_CRITICS_H
#define RESIDUA_PICTURE_CRITICS_H

#include "models/patch_critic.h"
#include "models/r3_critic.h"

#define PICTURE_CRITICS_MAX 2

typedef struct PictureCriticsConfig {
    int latent_channels; /* of the codec */
    int patch_channels;  /* of its first layer; 0: no patch critic */
    int patch_layers;    /* that halve the picture */
    int patch_context;   /* channels made of the latents for it; 0: it does not see them */
    int patch_kinds;     /* K kinds of content; 0: it says real or generated */
    int n_r3, r3_widths[R3_MAX_STAGES]; /* channels of its stages; none: no R3GAN critic */
    int r3_blocks, r3_group;
    float slope; /* of the leaky ReLUs */
} PictureCriticsConfig;

typedef struct PictureCritics PictureCritics;

/* Registers the weights in params (borrowed until destroy), drawn from seed. Errors: RSD_ERR_ARG naming what is out of range, or that
 * there is no critic at all; RSD_ERR_MEMORY. */
RsdStatus picture_critics_create(PictureCritics **out, const PictureCriticsConfig *config, ParamSet *params, uint64_t seed, RsdError *err);
void picture_critics_destroy(PictureCritics **critics);
int picture_critics_count(const PictureCritics *critics);
/* Of these, how many say real or generated; one that says kinds comes after them. */
int picture_critics_count_plain(const PictureCritics *critics);
/* Shortest side of a picture that all of them can judge. */
int64_t picture_critics_min_side(const PictureCriticsConfig *config);

/* As audio_critics_begin and audio_critics_freeze. */
RsdStatus picture_critics_begin(PictureCritics *critics, Tape *tape, RsdError *err);
void picture_critics_freeze(PictureCritics *critics, bool frozen);
/* x [batch, 3, h, w], latent [batch, latent_channels, h / s, w / s], not read without patch_context -> maps
 * [picture_critics_count]. Errors: RSD_ERR_ARG (too small), RSD_ERR_MEMORY. */
RsdStatus picture_critics_judge(const PictureCritics *critics, Tape *tape, Tensor *x, Tensor *latent, CriticMaps *maps, RsdError *err);
/* R3GAN's exact penalty; of a set with a patch critic: RSD_ERR_ARG. Other errors: r3_critic_penalty. */
RsdStatus picture_critics_penalty(PictureCritics *critics, Tape *tape, const Tensor *x, float gamma, Tensor **value, RsdError *err);
/* Kinds of content [batch, rows, columns], at whatever stride, where the patch critic's logits [batch, K + 1, h', w'] have their
 * centres: labels [batch, h', w'] in the tape's arena. Errors: RSD_ERR_MEMORY. */
RsdStatus picture_critics_labels(const PictureCritics *critics, Tape *tape, const Tensor *x, const Tensor *logits, const uint16_t *kinds,
                                 int64_t rows, int64_t columns, uint16_t **labels, RsdError *err);

#endif
