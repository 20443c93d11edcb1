/* picture_measure.c - metrics have the values and the units of residua eval; losses that are no metric shrink as a picture gets better.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cli/picture_measure.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/mem.h"
#include "losses/image_loss.h"
#include "losses/image_metric.h"

#define NAME_SIZE 64

struct PictureMeasure {
    char name[NAME_SIZE];
    double wanted;
    const ImageMetric *metric; /* one of the two */
    ImageLoss *loss;
    Tape *tape;
    const PictureSource *source;
    Tensor *original, *decoded; /* [1, 3, h, w] */
};

static RsdStatus parse(PictureMeasure *measure, const char *target, RsdError *err)
{
    const char *equals = strchr(target, '=');
    size_t len = equals ? (size_t)(equals - target) : 0;
    char *end = NULL;
    RsdStatus status = RSD_OK;

    CHECK(len > 0 && len < NAME_SIZE, err, RSD_ERR_ARG,
          "--target %.60s: expected NAME=VALUE, such as ms-ssim=0.97 or psnr=35", target);
    memcpy(measure->name, target, len);
    for (char *c = measure->name; *c; c++)
        *c = *c == '-' ? '_' : *c;
    measure->wanted = strtod(equals + 1, &end);
    CHECK(end != equals + 1 && !*end && isfinite(measure->wanted), err, RSD_ERR_ARG,
          "--target %.60s: '%.40s' is no number", target, equals + 1);
fail:
    return status;
}

/* The metric of that name, else the loss. */
static RsdStatus find_measure(PictureMeasure *measure, RsdError *err)
{
    const ImageLossInfo *loss = image_loss_find(measure->name);
    const char *needs;

    measure->metric = image_metric_find(measure->name);
    needs = measure->metric ? measure->metric->needs : loss ? loss->needs : "";
    if (needs[0])
        return error_set(err, RSD_ERR_ARG, "--target %s: it looks through a network (%s), which does not come with residua", measure->name,
                         needs);
    return measure->metric ? RSD_OK : image_loss_create(&measure->loss, measure->name, NULL, err);
}

RsdStatus picture_measure_create(PictureMeasure **out, const char *target, const PictureSource *source,
                                 RsdThreads *threads, RsdError *err)
{
    PictureMeasure *measure = NULL;
    const int64_t shape[] = {1, 3, source->height, source->width};
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(mem_calloc(&measure, 1, sizeof *measure, err));
    TRY(parse(measure, target, err));
    TRY(find_measure(measure, err));
    TRY(tape_create(&measure->tape, threads, 0, err));
    TRY(tensor_create(&measure->original, 4, shape, err));
    TRY(tensor_create(&measure->decoded, 4, shape, err));
    measure->source = source;
    TRY(source->read(source->ctx, 0, 0, source->width, source->height, measure->original->data, source->width,
                     source->width * source->height, err));
    *out = measure;
    return RSD_OK;
fail:
    picture_measure_destroy(&measure);
    return status;
}

void picture_measure_destroy(PictureMeasure **measure)
{
    if (!*measure)
        return;
    image_loss_destroy(&(*measure)->loss);
    tape_destroy(&(*measure)->tape);
    tensor_destroy(&(*measure)->original);
    tensor_destroy(&(*measure)->decoded);
    mem_free(measure);
}

/* Samples as they will be written. */
static void round_samples(const PictureMeasure *measure)
{
    const float white = measure->source->bits == 8 ? 255.0f : 65535.0f;

    for (int64_t i = 0; i < tensor_count(measure->decoded); i++)
        measure->decoded->data[i] = roundf(measure->decoded->data[i] * white) / white;
}

static RsdStatus apply_measure(PictureMeasure *measure, double *value, RsdError *err)
{
    const PictureSource *source = measure->source;
    const ImagePair pair = {measure->original->data, measure->decoded->data, source->height, source->width, measure->tape->threads};
    MetricValue of_metric;
    Tensor *of_loss;
    RsdStatus status = RSD_OK;

    if (measure->metric) {
        TRY(image_metric_apply(&of_metric, measure->metric, &pair, NULL, measure->tape, err));
        *value = of_metric.value;
    } else {
        tape_reset(measure->tape);
        TRY(image_loss_apply(measure->tape, measure->loss, measure->decoded, measure->original, &of_loss, err));
        *value = (double)of_loss->data[0];
    }
fail:
    return status;
}

RsdStatus picture_measure_stream(PictureMeasure *measure, const PictureModel *model, RsdReadFn read, void *read_ctx,
                                 double *value, RsdError *err)
{
    PictureDecoderOptions options = {.read = read, .read_ctx = read_ctx, .threads = measure->tape->threads};
    PictureDecoder *decoder = NULL;
    RsdStatus status = RSD_OK;

    TRY(picture_decoder_open(&decoder, &options, err));
    TRY(picture_decoder_use(decoder, model, err));
    TRY(picture_decoder_planes(decoder, 3, measure->decoded->data, NULL, err));
    round_samples(measure);
    TRY(apply_measure(measure, value, err));
fail:
    picture_decoder_close(&decoder);
    return status;
}

bool picture_measure_reached(const PictureMeasure *measure, double value)
{
    return measure->metric && measure->metric->higher_is_better ? value >= measure->wanted : value <= measure->wanted;
}
