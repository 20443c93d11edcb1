/* decoded.h - a picture of tiny_picture.h through a stream and back, with what was told on the way.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_TESTS_DECODED_H
#define RESIDUA_TESTS_DECODED_H

#include "tests/codec/tiny_picture.h"

#define SETTING ((PictureSetting){.level = 48, .strength = TILE_STRENGTH_UNIT})

typedef struct Decoded {
    RsdStatus status;
    RsdError err;
    PictureInfo info;
    PictureReport report;
    float *rgb; /* [3, height, width] */
    uint16_t *alpha;
    int n_notes;
    char first_note[RSD_ERROR_TEXT_SIZE], notes[4096]; /* notes: as many as fit, line by line */
} Decoded;

/* Of any stream, by the tiny model or another. Free with decoded_clear. rgb and alpha are NULL for pictures of 4 million pixels and more. */
Decoded decode_by(const PictureModel *model, const uint8_t *bytes, size_t size, bool keep_going, RsdThreads *threads);
Decoded decode(const uint8_t *bytes, size_t size, bool keep_going, RsdThreads *threads);
void decoded_clear(Decoded *decoded);
/* By SETTING. Free its bytes. */
TinyStream encode(const TinyPicture *picture, int exponent, RsdThreads *threads);

#endif
