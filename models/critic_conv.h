/* critic_conv.h - the convolution critics are made of: weight-normalised, over time or over frequency and time.
 *
 * A step computes the plain weights once (critic_conv_begin) and uses them for real and generated signals alike. As they
 * are tensors of the step, a backward pass can leave them out: critic_conv_freeze switches their gradients off while the
 * generator's loss goes through the critic, which saves a third of that pass.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_CRITIC_CONV_H
#define RESIDUA_CRITIC_CONV_H

#include "engine/base/rng.h"
#include "engine/tape.h"
#include "models/params.h"

/* Index 0 is frequency (height), index 1 is time (width); a convolution over time alone has kernel[0] = 0. Padding keeps
 * the length at stride 1. */
typedef struct CriticConv {
    char name[64];
    int c_in, c_out, groups; /* groups 0 counts as 1 */
    int kernel[2], stride[2], dilation[2]; /* stride and dilation 0 count as 1 */
    bool plain;                            /* without weight norm */
    bool unpadded;
    Tensor *weight, *weight_g, *bias; /* owned by the ParamSet: NAME.weight_v (NAME.weight if plain), .weight_g, .bias */
    Tensor *now;                      /* plain weight of this step, in the tape's arena */
} CriticConv;

/* Adds the weights, U(+-gain sqrt(3 / n)) for n inputs per output; every layer hands on the variance it gets.
 * Errors: RSD_ERR_ARG, RSD_ERR_MEMORY. */
RsdStatus critic_conv_register(CriticConv *conv, ParamSet *params, Rng *rng, float gain, RsdError *err);
/* The plain weight from v and g, recorded; valid until the tape is reset. */
RsdStatus critic_conv_begin(CriticConv *conv, Tape *tape, RsdError *err);
void critic_conv_freeze(CriticConv *conv, bool frozen);
/* x [batch, c_in, n] or [batch, c_in, bins, n]; between critic_conv_begin and tape_reset. Errors: those of the ops. */
RsdStatus critic_conv_run(const CriticConv *conv, Tape *tape, Tensor *x, Tensor **y, RsdError *err);
double critic_conv_macs(const CriticConv *conv, double n_places); /* for that many places of the output */

#endif
