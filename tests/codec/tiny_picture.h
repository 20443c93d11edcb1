/* tiny_picture.h - a picture model of a few thousand random weights, and pictures to code with it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_TESTS_TINY_PICTURE_H
#define RESIDUA_TESTS_TINY_PICTURE_H

#include "codec/picture.h"

/* Made once for each process and kept. */
const PictureModel *tiny_picture_model(void);
/* Writes the same model as a file. */
RsdStatus tiny_picture_save(const char *path, RsdError *err);

/* The same of a residual quantiser: 3 stages of 16 codes of 4 numbers that are means of latents of such pictures, with odds that
 * differ. The caller's. */
RsdStatus tiny_rvq_codec(ImageCodec **codec, RsdError *err);

/* A smooth picture with an edge, by a formula; opacity has a hole. */
typedef struct TinyPicture {
    int64_t width, height;
    int bits;
    bool has_alpha;
    bool has_chunks; /* one of each kind */
} TinyPicture;
void tiny_picture_source(PictureSource *source, const TinyPicture *picture);
uint16_t tiny_picture_alpha(const TinyPicture *picture, int64_t x, int64_t y);

/* A stream in memory. */
typedef struct TinyStream {
    uint8_t *bytes;
    size_t size, at;
} TinyStream;
RsdStatus tiny_stream_write(void *ctx, const void *data, size_t size, RsdError *err);
RsdStatus tiny_stream_read(void *ctx, void *data, size_t size, size_t *n_read, RsdError *err);

/* Encodes into *stream, which begins empty, with the tiny model or another one. */
RsdStatus tiny_picture_encode_by(TinyStream *stream, const PictureModel *model, const TinyPicture *picture, int tile_exponent,
                                 PictureSetting setting, RsdThreads *threads, RsdError *err);
RsdStatus tiny_picture_encode(TinyStream *stream, const TinyPicture *picture, int tile_exponent, PictureSetting setting,
                              RsdThreads *threads, RsdError *err);

#endif
