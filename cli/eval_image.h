/* eval_image.h - one picture and its reconstruction: read in one form.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_CLI_EVAL_IMAGE_H
#define RESIDUA_CLI_EVAL_IMAGE_H

#include "cli/eval_kind.h"
#include "losses/image_metric.h"

/* More pixels are refused: the measures of larger pictures would take more memory than most machines have. */
#define EVAL_MAX_PIXELS ((int64_t)1 << 26)
/* Of more, one pair is in memory at a time. */
#define EVAL_LARGE_PIXELS ((int64_t)1 << 22)
/* What alpha is laid on. */
#define EVAL_GROUND 0.5f

/* Both pictures as planar RGB [3, height, width] in [0, 1]. */
typedef struct EvalPictures {
    float *ref, *dist;
    int64_t width, height;
    int channels; /* 1 when both are grey: three equal planes */
    EvalImageFacts facts;
    EvalTurn *turn; /* held until they are cleared; NULL: they are not large */
} EvalPictures;

/* Reads both. Grey becomes three equal channels; where one has alpha, both are laid on a ground of EVAL_GROUND. Says in notes
 * (may be NULL) what had to be changed. A large pair waits for its turn. Errors: those of the reader; RSD_ERR_UNSUPPORTED (different
 * sizes), RSD_ERR_MEMORY. */
RsdStatus eval_pictures_load(EvalPictures *pictures, const Pair *pair, const EvalOptions *options, char notes[EVAL_NOTES_SIZE],
                             RsdError *err);
void eval_pictures_clear(EvalPictures *pictures);
/* planes [3, n] on a ground of EVAL_GROUND, as far as alpha [n] lets it through: blended as samples are, as browsers do. */
void eval_lay_on_ground(float *planes, const float *alpha, size_t n);
/* A metric of whole pictures. Not applicable without the weights that it needs (of -m all); a value is not marked identical where
 * it is finite. Errors: those of image_metric_apply. */
RsdStatus eval_measure_pictures(MetricValue *value, const ImagePair *both, const ImageMetric *metric, const ImageNets *nets,
                                Tape *tape, RsdError *err);

/* report_picture.c: what the page shows, of the REPORT_CUT x REPORT_CUT pixels with the most error where the picture is
 * larger: fields of "picture" in docs/report.md. */
#define REPORT_CUT 1024
RsdStatus picture_detail(EvalDetail *detail, const Pair *pair, const EvalOptions *options, RsdError *err);

#endif
