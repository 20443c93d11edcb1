/* r3_critic.h - R3GAN's critic of pictures: residual blocks without normalisation, and the exact penalty on its slope.
 *
 *   x -> 1x1 -> [block x n_blocks -> blur, half the size -> 1x1] x n_stages - 1 -> block x n_blocks -> 1x1 -> logits, one per place
 *   block: x + 1x1( leaky( 3x3 in groups( leaky( 1x1 to twice the channels( x ) ) ) ) ), its last layer starts at 0
 *
 * R1 and R2 are gamma / 2 E |grad D|^2, D the mean verdict on an item. A tape differentiates once, but this critic is linear but for the
 * kinks of its leaky ReLUs. So what an infinitesimal step along v does to D is the network again, without biases and with each
 * activation's slope held: s(v) = grad D . v, an ordinary record. With v = grad D from a first pass s is |grad D|^2, and the
 * gradient of s with v held is half of what the weights need: exact wherever there is a gradient. (For critics with other
 * activations adversary.h estimates the same by noise.)
 *
 * [1] image.md 3.7. Huang et al., The GAN is dead; long live the GAN! (R3GAN), 2024.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_R3_CRITIC_H
#define RESIDUA_R3_CRITIC_H

#include "engine/tape.h"
#include "models/critic.h"
#include "models/params.h"

#define R3_MAX_STAGES 6
#define R3_MAX_BLOCKS 4

typedef struct R3CriticConfig {
    int channels;              /* of the picture */
    int n_stages;              /* 1 or more; each after the first sees half the size */
    int widths[R3_MAX_STAGES]; /* channels of the stages */
    int n_blocks;              /* of each stage; published: 2 */
    int group_width;           /* channels of a group of the 3x3 layers; published: 16. Divides twice each width */
    float slope;               /* of the leaky ReLUs; published: 0.2 */
} R3CriticConfig;

typedef struct R3Critic R3Critic;

/* Registers "r3.*" in params (borrowed until destroy). Errors: RSD_ERR_ARG naming what is out of range, RSD_ERR_MEMORY. */
RsdStatus r3_critic_create(R3Critic **out, const R3CriticConfig *config, ParamSet *params, uint64_t seed, RsdError *err);
void r3_critic_destroy(R3Critic **critic);

/* As audio_critics_begin and audio_critics_freeze. */
RsdStatus r3_critic_begin(R3Critic *critic, Tape *tape, RsdError *err);
void r3_critic_freeze(R3Critic *critic, bool frozen);
/* x [batch, channels, h, w] of at least 2^(n_stages - 1) x 2^(n_stages - 1) pixels -> maps of all blocks and logits
 * [batch, 1, h', w']. Errors: RSD_ERR_ARG naming the shape, RSD_ERR_MEMORY. */
RsdStatus r3_critic_judge(const R3Critic *critic, Tape *tape, Tensor *x, CriticMaps *maps, RsdError *err);
/* gamma / 2 E |grad D(x)|^2 with its exact gradient for the weights, on a recording tape; x itself gets none. Errors as above. */
RsdStatus r3_critic_penalty(R3Critic *critic, Tape *tape, const Tensor *x, float gamma, Tensor **value, RsdError *err);

#endif
