/* picture_measure.h - how good a stream is, by decoding it: one measure by name, with the value that is wanted.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_CLI_PICTURE_MEASURE_H
#define RESIDUA_CLI_PICTURE_MEASURE_H

#include "codec/picture.h"

typedef struct PictureMeasure PictureMeasure;

/* target: "psnr=35", "ssimulacra2=70" or another metric of losses/image_metric.h, with its value as residua eval prints it, or a loss of
 * losses/image_loss.h, where less is better. source is kept. Errors: RSD_ERR_ARG naming what is known, or the network that it needs,
 * RSD_ERR_MEMORY. */
RsdStatus picture_measure_create(PictureMeasure **out, const char *target, const PictureSource *source,
                                 RsdThreads *threads, RsdError *err);
void picture_measure_destroy(PictureMeasure **measure);

RsdStatus picture_measure_stream(PictureMeasure *measure, const PictureModel *model, RsdReadFn read, void *read_ctx,
                                 double *value, RsdError *err);
bool picture_measure_reached(const PictureMeasure *measure, double value);

#endif
