/* image_quantise.h - what stands between the transforms of a picture codec in training and validation: the part that differs between
 * quantisers.
 *
 *   scalar   gain of the crop's level, hyper latents; bits of y and z under noise (later: soft rounding; in the end: the prior as its
 *            integer form has it), y^ rounded, straight-through
 *   rvq      a number of stages for the whole batch, half of the steps all; codes and their moving averages, y^ straight-through; bits of
 *            the codes, whose gradient goes to the prior alone; a commitment keeps y near its codes
 *
 * [image.md 2.2, 2.3, 2.5, 12.3]
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_IMAGE_QUANTISE_H
#define RESIDUA_IMAGE_QUANTISE_H

#include "trainer/checkpoint.h"

#define IMAGE_MAX_ALIVE IMAGE_MAX_CODES /* of image_quantise_n_alive, latents included */

/* Those of this process's crops in a loss that is the mean over the crops of all. */
typedef struct ImageWeights {
    int *level;        /* [batch], in sixteenths */
    double *of_error;  /* [batch]: of a crop's weighted losses */
    Tensor *of_bits;   /* [batch, 1, 1, 1]: per bit */
    Tensor *of_square; /* [batch, 3, crop, crop]: op_mse takes them element by element */
} ImageWeights;

typedef struct Quantised {
    Tensor *y_hat;        /* [batch, M, h, w] */
    Tensor *loss;         /* weighted bits and what else the quantiser asks for, a scalar */
    double bits, z_bits;  /* of the batch; the latter part of the former */
    float max_activation; /* of layers that the integer form clamps */
    bool integer;         /* the prior was rounded as its integer form */
    RvqStats codes;       /* of rvq, else n_q 0 */
} Quantised;

/* y [data.batch, M, h, w] of step `state->step` of a group. Errors: RSD_ERR_NUMERIC, RSD_ERR_MEMORY. */
RsdStatus image_quantise(Tape *tape, const TrainConfig *cfg, TrainState *state, Group *group, const ImageWeights *weights, Tensor *y,
                         Quantised *quantised, RsdError *err);
/* Whether latents are those of a coder that stays as it is: nothing goes back into them. */
bool image_quantise_is_fixed(const TrainConfig *cfg);
/* Stages of a step of rvq: a pure function of the configuration. */
int image_quantise_stages(const TrainConfig *cfg, int64_t step);

/* Levels that validation looks at, 16 l each; what their errors weigh beside a bit. */
int image_quantise_n_levels(const ImageCodecConfig *cfg);
double image_quantise_lambda(const ImageCodecConfig *cfg, int level);

/* y [1, M, h, w] of a held-out picture at a level, coded as a coder would with the integer form of the prior. */
typedef struct QuantisedPicture {
    Tensor *y_hat;
    double bits, z_bits, float_bits; /* the last with the float form */
    float max_activation;
} QuantisedPicture;
/* alive [image_quantise_n_alive]: set to 1 where a channel has an index above 0, or for a code of the level's last stage that was used. */
RsdStatus image_quantise_held_out(Tape *tape, const ImageCodec *codec, int level, Tensor *y, QuantisedPicture *quantised, uint8_t *alive,
                                  RsdError *err);
int64_t image_quantise_n_alive(const ImageCodecConfig *cfg);

#endif
