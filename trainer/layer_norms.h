/* layer_norms.h - how strongly each part of a network is pulled, and how far it moves: what announces a spike.
 *
 * A part is what a parameter's name begins with: up to its first number ("encoder.stages.2"), else two words ("decoder.in").
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_LAYER_NORMS_H
#define RESIDUA_LAYER_NORMS_H

#include "models/params.h"

#define LAYER_NORMS_MAX 48
#define LAYER_NAME_SIZE 40

typedef struct LayerNorms {
    int n;
    char names[LAYER_NORMS_MAX][LAYER_NAME_SIZE];
    float grads[LAYER_NORMS_MAX];  /* norm of the gradient, before clipping */
    float ratios[LAYER_NORMS_MAX]; /* norm of the update over norm of the weights */
    int *parts;                    /* [params->n_items], -1: not trainable, or one part too many */
    float *before;                 /* weights before the update, end to end */
} LayerNorms;

/* Errors: RSD_ERR_MEMORY. */
RsdStatus layer_norms_create(LayerNorms **out, const ParamSet *params, RsdError *err);
void layer_norms_destroy(LayerNorms **norms);
/* Before and after the optimiser's update. */
void layer_norms_before(LayerNorms *norms, const ParamSet *params);
void layer_norms_after(LayerNorms *norms, const ParamSet *params);

#endif
