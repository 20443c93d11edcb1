/* critic.h - what every critic (discriminator) gives: the maps of its layers and its verdict, place by place.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_CRITIC_H
#define RESIDUA_CRITIC_H

#include "engine/tensor.h"

#define CRITIC_MAX_MAPS 40

typedef struct CriticMaps {
    int n_maps;
    Tensor *maps[CRITIC_MAX_MAPS]; /* after each hidden layer, for feature matching */
    Tensor *logits;                /* high: real */
} CriticMaps;

#endif
