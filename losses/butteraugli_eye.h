/* butteraugli_eye.h - what Butteraugli's eye makes of a picture: receptors, then bands of detail; and the slopes of that.
 *
 *   light -> X, Y, B (receptors)      opponents, with the sensitivity of a blurred copy
 *         -> LF | MF | HF | UHF       three blurs; X and Y have all four, B has LF and MF
 *
 * All planes are [h, w] and lie in memory of the caller. For losses/butteraugli.c only.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_BUTTERAUGLI_EYE_H
#define RESIDUA_BUTTERAUGLI_EYE_H

#include <stdint.h>

typedef struct Field {
    int64_t h, w; /* h >= 8 */
    float *temp;  /* a plane that every call below may overwrite */
} Field;

#define EYE_PLANES 10
typedef struct Eye {
    float *lf[3], *mf[3], *hf[2], *uhf[2];
} Eye;

/* Gaussian cut off at 2.25 sigma; what is outside the picture does not count, but the smallest one (radius 2) mirrors the picture.
 * And d in by d out. in and out may be the same plane. */
void field_blur(const Field *f, float sigma, const float *in, float *out);
void field_blur_slope(const Field *f, float sigma, const float *dout, float *din);

/* Linear light, 1 is white, lies in e->mf; the bands come out. before [2]: planes that keep X and Y less their MF, for the slope;
 * NULL where none is wanted. */
void eye_look(const Field *f, const Eye *e, float *const before[2]);

/* d: slopes by the bands e, all of them; turned into slopes by X, Y and B in d->mf, the other planes of d are lost. */
void eye_bands_slope(const Field *f, const Eye *e, float *const before[2], const Eye *d);
/* d->mf: slopes by X, Y and B, become slopes by the light that lies in e->mf; e->lf and the other planes of d are lost. */
void eye_receptors_slope(const Field *f, const Eye *e, const Eye *d);

/* out: how busy a picture is around each pixel. And d += the slopes by the bands of those by it, dout, which are lost. */
void eye_activity(const Field *f, const Eye *e, float *out);
void eye_activity_slope(const Field *f, const Eye *e, float *dout, const Eye *d);

#endif
