/* picture_deltas.h - small changes of the synthesis that come with a picture (docs/format.md, "Changes of the synthesis").
 *
 * Numbers of a few bits each, times a power of two: factors for the features that the last layer reads, and biases of that layer. They
 * touch pixels alone: what the entropy coder depends on, the integer prior, has none.
 *
 * [1] image.md 9.6.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_PICTURE_DELTAS_H
#define RESIDUA_PICTURE_DELTAS_H

#include "models/image_codec.h"

#define DELTAS_FIELD 0x8001  /* id in the header */
#define DELTAS_MAX_COUNT 255 /* of a vector */
#define DELTAS_MAX_BITS 8
#define DELTAS_MIN_SHIFT 4 /* so no value is larger than 128 / 16 */
#define DELTAS_MAX_SHIFT 15
#define DELTAS_MAX_SIZE (8 + 2 * DELTAS_MAX_COUNT)

/* value [n] / 2^shift */
typedef struct DeltaVector {
    int n, bits, shift; /* bits: of each value in a stream; 0: all are zero */
    int8_t value[DELTAS_MAX_COUNT];
} DeltaVector;

typedef struct PictureDeltas {
    DeltaVector gain, bias; /* both with bits 0: none, and no field */
} PictureDeltas;

bool picture_deltas_are_none(const PictureDeltas *deltas);
/* exact [n] rounded, in as few bits as hold all values; larger ones are cut off. */
void delta_vector_round(DeltaVector *vector, const float *exact, int n, int shift);

/* dst [DELTAS_MAX_SIZE] -> size of the field's contents. */
size_t picture_deltas_write(const PictureDeltas *deltas, uint8_t *dst);
/* Errors: RSD_ERR_UNSUPPORTED (another version), RSD_ERR_CORRUPT. */
RsdStatus picture_deltas_parse(PictureDeltas *deltas, const uint8_t *data, size_t size, RsdError *err);
/* Whether they are as many as the model has. Errors: RSD_ERR_CORRUPT. */
RsdStatus picture_deltas_check(const PictureDeltas *deltas, const ImageCodecConfig *config, RsdError *err);

#endif
