/* picture_job.h - pictures for `residua encode` and `residua decode`: files of any format to .rsd and back.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_CLI_PICTURE_JOB_H
#define RESIDUA_CLI_PICTURE_JOB_H

#include "cli/batch.h"
#include "cli/byte_source.h"
#include "codec/picture.h"

#define QUALITY_NOT_GIVEN (-1)

/* What is asked for of a stream; at most one of the first four. */
typedef struct PictureWish {
    int quality;        /* 0 .. 100, or QUALITY_NOT_GIVEN */
    double bpp;         /* most bits per pixel, 0 for none */
    double max_size;    /* bytes, 0 for none */
    const char *target; /* "ms-ssim=0.97", NULL for none */
    int effort;         /* 1 .. 9 (codec/tile_search.h) */
    const char *tune;   /* name of an image loss, NULL for the squared error */
    bool tune_of_target; /* only the target named it: where the model made for it does not reach the target, the first may */
    bool drop_profile, drop_alpha;
    int metadata;               /* index into PICTURE_METADATA */
} PictureWish;

#define PICTURE_EFFORT_USUAL 2
enum { PICTURE_METADATA_KEEP, PICTURE_METADATA_DROP };
extern const char *const PICTURE_METADATA[];

/* NULL when the wish is one, else a sentence. */
const char *picture_wish_problem(const PictureWish *wish);
/* A target without a tune, "ssimulacra2=70", is its tune where a built-in model was made for it. */
void picture_wish_tune_by_target(PictureWish *wish);
/* Whether anything is asked for that sound does not have. */
bool picture_wish_is_empty(const PictureWish *wish);

/* By its first bytes; false for what cannot be read, or only once (a named pipe). */
bool picture_is_file(const char *path);
bool picture_is_empty_file(const char *path); /* nothing could be read */
bool picture_is_stream_head(const uint8_t *bytes, size_t n); /* five bytes are enough */
bool picture_is_stream_file(const char *path);               /* a .rsd stream of a picture */
/* Whether the bytes to come are a picture stream; the source is as before. */
RsdStatus picture_is_stream(bool *is, ByteSource *source, RsdError *err);

/* A model, opened on first use and shared by the items of a batch. */
typedef struct PictureJob {
    const char *model_choice; /* NULL: the built-in one, or the one that a stream names */
    const char *tune;         /* NULL, or the loss whose built-in model is preferred to the first, when there is one */
    RsdThreads *threads;
    Console *console;
    bool force, keep_going;
    ImageCodec *codec;
    PictureModel *model;
} PictureJob;
void picture_job_clear(PictureJob *job);

/* Whether the tune of a wish is another than the squared error, of which PSNR is a function. */
bool picture_is_tuned(const char *tune);
/* Whether a model was made for it, by its name: photo-msssim for ms-ssim, and for the other losses of structure. */
bool picture_is_twin(const ImageCodec *codec, const char *tune);
/* The built-in model made for it; NULL when there is none. */
const char *picture_builtin_twin(const char *tune);

/* Opens the model named, unless one is open: a job encodes or decodes. Errors: RSD_ERR_MODEL (none is built in), those of
 * image_codec_load. */
RsdStatus picture_job_open_model(PictureJob *job, const char *name, ImageCodecUse use, RsdError *err);

/* Codes item->input to item->output. Errors name the file. */
RsdStatus picture_job_encode(PictureJob *job, const PictureWish *wish, const BatchItem *item, BatchResult *result,
                             JsonLine *json, RsdError *err);
/* How a decoded picture is written. */
typedef struct PictureOutput {
    const char *format; /* of the writer; NULL: the ending of the output's name */
    int quality;        /* 0: the writer's */
    int scale;          /* index into PICTURE_SCALES */
    int metadata;       /* index into PICTURE_METADATA */
} PictureOutput;
extern const char *const PICTURE_SCALES[];
RsdStatus picture_job_decode(PictureJob *job, ByteSource *source, const PictureOutput *output, const BatchItem *item,
                             BatchResult *result, JsonLine *json, RsdError *err);

#endif
