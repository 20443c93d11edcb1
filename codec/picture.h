/* picture.h - pictures to .rsd streams and back, tile by tile: memory depends on the width of a picture, not on its height.
 *
 *   encoder   source ─ analysis ─> latents of a tile ─ level, rounding ─> packet          rows of tiles, threads over tiles
 *   decoder   packets ─> latents of the rows in sight ─ synthesis with margins ─> pixels of a tile
 *
 * Streams are the same bytes for any number of threads and any kernels that give the same latents; what a decoder makes of a
 * stream's symbols is the same on every machine.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_PICTURE_H
#define RESIDUA_PICTURE_H

#include "codec/picture_net.h"
#include "codec/picture_reader.h"
#include "codec/picture_search.h"

/* --- encoding ------------------------------------------------------------------------------------------------------- */

/* Opacity of the rectangle, 8 or 16 bits; called from several threads at once. */
typedef RsdStatus (*PictureAlphaFn)(void *ctx, int64_t x, int64_t y, int64_t w, int64_t h, uint16_t *alpha,
                                    RsdError *err);

/* What is coded. Rectangles may be asked for more than once and in any order. */
typedef struct PictureSource {
    int64_t width, height;
    int channels; /* 1: grey; read gives it three times */
    int bits;
    PictureColour colour;
    uint32_t gamma;
    PictureChunk chunks[PICTURE_N_CHUNKS];
    PictureReadFn read;
    PictureAlphaFn read_alpha; /* NULL: opaque */
    void *ctx;
} PictureSource;

typedef struct PictureEncoderOptions {
    const PictureModel *model; /* kept */
    RsdThreads *threads;       /* kept; NULL: the calling thread alone */
    PictureSource source;
    int64_t kept_size; /* most bytes of latents that are kept between runs; 0: 192 MiB */
    int tile_exponent; /* 0: 10, and 9 for more than 2^25 pixels, or more than 2^19 that are searched */
    bool searches;     /* efforts of SEARCH_FIRST_EFFORT and more will be asked for; what follows is for them */
    PictureLossFn loss; /* NULL: the mean squared error; kept, with loss_ctx */
    void *loss_ctx;
    double loss_share; /* of the loss, see tile_objective.h; 0: unknown */
    SearchProgressFn on_progress; /* NULL: none */
    void *progress_ctx;
    uint64_t seed;
} PictureEncoderOptions;

typedef struct PictureEncoder PictureEncoder;

/* Errors: RSD_ERR_ARG (sizes, searches with a model of IMAGE_RVQ), RSD_ERR_MEMORY. */
RsdStatus picture_encoder_open(PictureEncoder **out, const PictureEncoderOptions *options, RsdError *err);
void picture_encoder_close(PictureEncoder **encoder);

/* How a stream is made. */
typedef struct PictureSetting {
    int level;    /* in sixteenths, 0 .. picture_level_max of the model */
    int effort;   /* of tile_search.h; 0 .. 2: no search. What a search found is rounded with `strength`, 0 as a rule */
    int strength; /* of tile_encode */
    int share;    /* in 1 / PICTURE_SHARES: of each tile's latents, those that get one more of it */
} PictureSetting;
#define PICTURE_SHARES 1024

/* Codes everything and writes it (write NULL: only counts). *size gets the bytes of the stream. Of pictures whose latents take
 * kept_size or less (by itself 40 million pixels of 320 channels, more of fewer) they are kept, so that a second call need not analyse them again, and
 * what was found for a level and an effort serves until another is asked for; only these get changes of the synthesis.
 * Errors: RSD_ERR_UNSUPPORTED (a tile too large for a packet), RSD_ERR_MEMORY, those of source and write. */
RsdStatus picture_encoder_run(PictureEncoder *encoder, PictureSetting setting, RsdWriteFn write, void *write_ctx,
                              int64_t *size, RsdError *err);
/* What a search finds from now on serves later calls whatever its size, in four bytes for each latent: a search that was ended early could
 * not be repeated. Errors: RSD_ERR_MEMORY; then the encoder can only be closed. */
RsdStatus picture_encoder_keep_found(PictureEncoder *encoder, RsdError *err);
int picture_encoder_level_max(const PictureEncoder *encoder);
/* Of the last run. */
const PictureInfo *picture_encoder_info(const PictureEncoder *encoder);
/* Of the last search; zeros when there was none. */
PictureFound picture_encoder_found(const PictureEncoder *encoder);

/* --- to a given size ------------------------------------------------------------------------------------------------ */

/* The setting with the most bytes that are not more than max_size, within half a percent of it where the picture allows: by level, by
 * strength from least.strength on, and by its share. least.effort: of the search, whose result is kept and then made to fit; the stream must
 * be made before anything else is searched. *size: its real size. on_trial (may be NULL) is told of every trial. Errors: RSD_ERR_ARG naming
 * the least size that is possible, those of picture_encoder_run, that of on_trial. */
typedef RsdStatus (*PictureTrialFn)(void *ctx, PictureSetting setting, int64_t size, RsdError *err);
RsdStatus picture_fit(PictureEncoder *encoder, int64_t max_size, PictureSetting least, PictureTrialFn on_trial, void *trial_ctx,
                      PictureSetting *setting, int64_t *size, RsdError *err);

/* --- decoding ------------------------------------------------------------------------------------------------------- */

typedef struct PictureDecoderOptions {
    RsdReadFn read;
    void *read_ctx;
    const char *name; /* kept; for messages */
    RsdThreads *threads;
    bool keep_going; /* lost tiles are filled with a guess, lost opacity is opaque; each is told */
    RsdDamageFn on_damage;
    void *damage_ctx;
    int shrink; /* 0 or 1: the picture; 2 or 4: one of half or of a quarter of its size, sides rounded up */
} PictureDecoderOptions;

typedef struct PictureDecoder PictureDecoder;

/* Reads the header and what stands before the first tile. The model comes afterwards: the header names it. Errors: those of
 * picture_reader_open and picture_reader_next. */
RsdStatus picture_decoder_open(PictureDecoder **out, const PictureDecoderOptions *options, RsdError *err);
void picture_decoder_close(PictureDecoder **decoder);
const PictureInfo *picture_decoder_info(const PictureDecoder *decoder);
/* As far as it has been read; tiles whose packets are sound and whose symbols are not are lost too. */
PictureReport picture_decoder_report(const PictureDecoder *decoder);
/* The decoder's. Of chunks that are there twice the first counts. */
PictureChunk picture_decoder_chunk(const PictureDecoder *decoder, PictureChunkKind kind);

/* Before the first tile is asked for. model is kept. Errors: RSD_ERR_MODEL (not the one that the stream names), RSD_ERR_MEMORY. */
RsdStatus picture_decoder_use(PictureDecoder *decoder, const PictureModel *model, RsdError *err);

/* Pixels of one tile, valid until the next call. */
typedef struct PicturePixels {
    PictureTile tile;      /* x, y, w and h are those of what is delivered */
    const float *rgb;      /* [channels, h, w] in 0 .. 1 */
    const uint16_t *alpha; /* [h, w] of the stream's bits; NULL: opaque */
} PicturePixels;

/* The next tile, row by row of tiles; *found false after the last. Errors: RSD_ERR_CORRUPT naming the tile, those of read. Not to
 * be called after an error. */
RsdStatus picture_decoder_next(PictureDecoder *decoder, PicturePixels *pixels, bool *found, RsdError *err);
/* All tiles: rgb [channels, h, w] of what is delivered, channels those of the picture, or 3 of a grey one: three times the same. alpha
 * NULL, or [h, w], where white is opaque. Errors: those of picture_decoder_next. */
RsdStatus picture_decoder_planes(PictureDecoder *decoder, int channels, float *rgb, uint16_t *alpha, RsdError *err);

#endif
