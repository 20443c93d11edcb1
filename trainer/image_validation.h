/* image_validation.h - held-out pictures, and what the averaged weights make of them at each level.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_IMAGE_VALIDATION_H
#define RESIDUA_IMAGE_VALIDATION_H

#include "trainer/image_rounding.h"
#include "trainer/image_step.h"
#include "trainer/pictures.h"
#include "trainer/run_log.h"

typedef struct ImageValidation ImageValidation;

typedef struct ImageValidReport {
    PictureReport mean;        /* over the pictures; max_activation: the largest */
    double dead[IMAGE_LEVELS]; /* share of channels whose index is 0 everywhere, or of codes of the last stage that no picture uses */
    double integer_gap;        /* bits of the integer form over those of the float form, less 1; mean over levels */
    double score;              /* mean over levels of (bpp + lambda MSE) / sqrt(lambda / lambda of level 4): `best` is the lowest; with
                                  train.freeze = trunk: dB that the heads lose against a whole decode that is shrunk */
    double seconds;
    int n_pictures;
} ImageValidReport;

/* The middles of up to data.valid_clips pictures, spread evenly over the list; broken and small ones are named and passed over. list
 * NULL or nothing usable: *out is NULL. Errors: RSD_ERR_MEMORY. */
RsdStatus image_validation_create(ImageValidation **out, const PictureList *list, const TrainConfig *cfg, RsdError *err);
void image_validation_destroy(ImageValidation **validation);
int image_validation_count(const ImageValidation *validation); /* 0 for NULL */

/* With the averaged weights in place of the current ones, rounded as those of a file; afterwards the state is as before, bit for bit. */
RsdStatus image_validation_run(const ImageValidation *validation, ImageStep *step, ImageRounding *rounding, TrainState *state,
                               ImageValidReport *report, RsdError *err);
void image_validation_log(RunLog *log, int64_t step, const ImageValidReport *report, bool best);

#endif
