/* saliency.h - SDSP, the saliency of places in a picture: band-passed L*a*b* times nearness to the centre times strength of
 * colour, made at 256 x 256. In double.
 *
 * [Zhang, Gu, Li, SDSP: a novel saliency detection method by combining simple priors, 2013; image.md 11.7]
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_SALIENCY_H
#define RESIDUA_SALIENCY_H

#include "engine/dsp/fft2d.h"
#include "losses/plane_math.h"

#define SALIENCY_SIDE 256

/* The log-Gabor filter, with room to apply it. It is real and even, so it is its own transpose. */
typedef struct SaliencyBand {
    Fft2d *plan;
    double *filter, *spectrum; /* [256, bins], [256, bins, 2] */
    void *work;
} SaliencyBand;

/* Errors: RSD_ERR_MEMORY. Closing accepts an all-zero band. */
RsdStatus saliency_band_open(SaliencyBand *b, RsdError *err);
void saliency_band_close(SaliencyBand *b);

/* The least and the greatest sample, and where they are. */
typedef struct SampleRange {
    double low, high;
    int64_t low_at, high_at;
} SampleRange;

/* What the saliency of a picture is made of. */
typedef struct Saliency {
    Plane rgb[3], lab[3];      /* 256 x 256 */
    Plane response[3];         /* of the band pass */
    Plane colour[2];           /* a* and b* scaled */
    SampleRange colour_range[2];
    Plane whole;               /* [h, w], scaled to 0..1: the result */
    SampleRange range;
} Saliency;

/* rgb [3, h, w] in 0..1. Errors: RSD_ERR_MEMORY. Closing accepts an all-zero Saliency. */
RsdStatus saliency_open(Saliency *s, const SaliencyBand *band, const float *rgb, int64_t h, int64_t w, RsdError *err);
void saliency_close(Saliency *s);

/* Adds to drgb, [3 h, w], the gradient by the picture, given that by s->whole. Errors: RSD_ERR_MEMORY. */
RsdStatus saliency_back(Plane *drgb, const Saliency *s, const SaliencyBand *band, const Plane *dwhole, RsdError *err);

#endif
