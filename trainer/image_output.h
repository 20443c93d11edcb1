/* image_output.h - what a step of a picture codec says about the picture it made: losses, critics, and the one gradient of all.
 *
 *   leaf of x' --loss 1--> dL1/dx'     each loss of [loss] is a small graph of its own; without any the squared error
 *   leaf of x' --critics--> dL2/dx', dL3/dx'                                                   (adversary.h)
 *   the balancer makes G of them; the step carries G and the gradient of the bits back together
 *
 * The error of crop b counts w_b lambda_b 255^2 / crops, a bit of it w_b / (pixels crops): what train.freeze = encoder leaves of a step
 * is G alone.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_IMAGE_OUTPUT_H
#define RESIDUA_IMAGE_OUTPUT_H

#include "losses/image_loss.h"
#include "trainer/image_quantise.h"

#define WHITE_SQUARED (255.0 * 255.0)

/* Weights of the crops of a step, in the tape's arena. Errors: RSD_ERR_MEMORY. */
RsdStatus image_weights_make(ImageWeights *weights, Tape *tape, const TrainConfig *cfg, const Group *group, int64_t step, RsdError *err);

/* Of a scalar quantiser: level of sample `sample` of step `step`, in sixteenths: a pure function of the configuration. */
int image_step_level(const TrainConfig *cfg, int64_t step, int sample);

typedef struct ImageOutput {
    double terms[BALANCER_MAX_LOSSES]; /* of train_config_term_name: what the crops count for, before the weights of [loss] */
    double error;                      /* the losses, weighted and added up: what stands beside the bits */
    BalancerReport balance;
    AdversaryReport adversary;
} ImageOutput;

typedef struct ImageOutputInput {
    const TrainConfig *config;
    ImageLoss *const *losses; /* of [loss] */
    Group *group;
    const ImageWeights *weights;
    Tensor *x, *y;                /* [batch, 3, crop, crop]: real, made */
    const CriticContext *context; /* for critics */
} ImageOutputInput;

/* The losses of [loss] of one or more pictures with their weights. Errors: those of image_loss_apply. */
RsdStatus image_output_weigh(Tape *tape, const TrainConfig *cfg, ImageLoss *const *losses, Tensor *estimate, Tensor *target, Tensor **sum,
                             RsdError *err);
/* *grad [shape of y], in the tape's arena: what the step has to carry back from y. Errors: RSD_ERR_NUMERIC naming the step and the loss,
 * RSD_ERR_MEMORY. */
RsdStatus image_output_press(Tape *tape, TrainState *state, const ImageOutputInput *input, const float **grad, ImageOutput *report,
                             RsdError *err);

#endif
