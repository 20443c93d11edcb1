/* image_step.h - one training step of a picture codec, and the evaluation of a held-out picture.
 *
 *   x --analysis--> y --trainer/image_quantise.h--> y^ and its bits
 *   y^ --synthesis--> x'        loss = sum over crops of w_l (bits / pixels + lambda_l 255^2 MSE) / crops
 *
 *   the error is that of [loss], critics' terms come beside it (image_output.h); with train.freeze = encoder latents are those of a coder
 *   and nothing but the synthesis is trained
 *
 *   heads: + w_l lambda_l 255^2 / 10 MSE against x averaged over 2 x 2 and 4 x 4 pixels, from features without a gradient; with
 *   train.freeze = trunk they are all that is trained
 *
 * [image.md 8.3, 12.3]
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_IMAGE_STEP_H
#define RESIDUA_IMAGE_STEP_H

#include "trainer/image_output.h"

#define IMAGE_N_PHASES 8
extern const char *const IMAGE_PHASE_NAMES[IMAGE_N_PHASES]; /* data, encode, prior, decode, loss, backward, update, critic */

typedef struct ImageStepReport {
    double loss, bpp, z_bpp, mse; /* means over the crops of all processes; the last of samples in 0 .. 1 */
    double head_mse[IMAGE_HEADS]; /* of the heads, 0 without */
    double grad_norm;
    float lr, max_activation; /* the latter of this process's crops */
    bool spike, skipped, integer;
    RvqStats codes; /* of picture.quantizer = rvq, else n_q 0 */
    ImageOutput output; /* the picture's losses by name, critics */
    ExchangeReport exchange; /* with train.exchange, of several processes */
    double phase_s[IMAGE_N_PHASES];
} ImageStepReport;

typedef struct ImageStep {
    const TrainConfig *config; /* borrowed */
    RsdThreads *threads;       /* borrowed */
    Group *group;              /* with which batches are shared; borrowed, NULL: this process alone */
    Tape *tape;
    ImageLoss *losses[BALANCER_MAX_LOSSES]; /* of [loss]; none: the squared error alone */
} ImageStep;

/* config, threads and group are borrowed until destroy. Errors: those of image_loss_create, RSD_ERR_MEMORY. */
RsdStatus image_step_create(ImageStep **out, const TrainConfig *config, RsdThreads *threads, Group *group, RsdError *err);
void image_step_destroy(ImageStep **step);

/* One step on batch [data.batch, 3, crop, crop], of a group: this member's part; raises state->step. All members take the same
 * step, to the bit. Errors: RSD_ERR_NUMERIC naming the step (weights are as they were), RSD_ERR_MEMORY. */
RsdStatus image_step_run(ImageStep *step, TrainState *state, const float *batch, ImageStepReport *report, RsdError *err);

/* A held-out picture [3, h, w], sides multiples of 64, at each level, coded as a coder would with the integer form of the
 * prior. */
typedef struct PictureReport {
    int n_levels;
    double bpp[IMAGE_LEVELS], psnr_db[IMAGE_LEVELS]; /* of clamped samples of 8 bits */
    double mse[IMAGE_LEVELS];                        /* of the same, samples in 0 .. 255 */
    double error[IMAGE_LEVELS];                      /* what is trained: mse, or 255^2 times the weighted losses of [loss] */
    double float_bpp[IMAGE_LEVELS];                  /* with the float form */
    double z_bpp;                                    /* mean over levels */
    float max_activation;
    double head_db[IMAGE_HEADS];   /* PSNR of the heads against the shrunk picture, mean over levels; 0 without heads */
    double shrunk_db[IMAGE_HEADS]; /* of the whole synthesis, shrunk */
} PictureReport;
/* alive [n_levels, image_quantise_n_alive]: those that the picture has use for. */
RsdStatus image_step_evaluate(ImageStep *step, const TrainState *state, const float *picture, int64_t h, int64_t w,
                              PictureReport *report, uint8_t *alive, RsdError *err);

#endif
