/* picture_encode.c - a picture in memory to a stream: at a quality, within a size, or down to a measure.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/picture_job.h"
#include "cli/picture_measure.h"
#include "cli/picture_tune.h"
#include "cli/picture_window.h"
#include "codec/in_memory.h"
#include "engine/base/atomic_file.h"
#include "engine/base/mem.h"
#include "media/image_lines.h"

#define QUALITY_USUAL 50
#define LARGE_PIXELS ((int64_t)1 << 25) /* from here on a picture is coded while it is read, where that is possible */
#define MOST_LEVELS_AWAY 8  /* from the level without a search, to look for the one with it, in sixteenths */

typedef struct Encoding {
    PictureJob *job;
    const PictureWish *wish;
    const Image *image;
    const char *name;
    PictureWindow *window; /* of a picture that comes line by line; image has no samples then */
    bool has_alpha;        /* of such a picture */
    PictureEncoder *encoder;
    PictureSetting setting;
    int64_t size;
    int n_trials;
    int64_t limit;   /* of --bpp and --max-size; 0: none */
    double measured; /* of --target */
    MemoryStream reached;  /* the stream that reached it, in the end */
    PictureFound found;
    PictureTune tune;
    bool target_missed;
    PictureJob first; /* of encode_with_first_model, with its wish */
    PictureWish first_wish;
} Encoding;

/* --- the picture as a source ---------------------------------------------------------------------------------------- */

static RsdStatus read_pixels(void *ctx, int64_t x, int64_t y, int64_t w, int64_t h, float *rgb, int64_t pitch,
                             int64_t plane, RsdError *err)
{
    const Image *image = ctx;
    const float scale = 1.0f / (image->bits == 8 ? 255.0f : 65535.0f);

    (void)err;
    for (int c = 0; c < 3; c++)
        for (int64_t row = 0; row < h; row++) {
            size_t at = (size_t)(((image->channels == 1 ? 0 : c) * image->height + y + row) * image->width + x);
            float *to = rgb + c * plane + row * pitch;

            for (int64_t i = 0; i < w; i++)
                to[i] = scale * (image->bits == 8 ? (float)((const uint8_t *)image->planes)[at + (size_t)i]
                                                  : (float)((const uint16_t *)image->planes)[at + (size_t)i]);
        }
    return RSD_OK;
}

static RsdStatus read_alpha(void *ctx, int64_t x, int64_t y, int64_t w, int64_t h, uint16_t *alpha, RsdError *err)
{
    const Image *image = ctx;

    (void)err;
    for (int64_t row = 0; row < h; row++) {
        size_t at = (size_t)((y + row) * image->width + x);

        for (int64_t i = 0; i < w; i++)
            *alpha++ = image->bits == 8 ? ((const uint8_t *)image->alpha)[at + (size_t)i]
                                        : ((const uint16_t *)image->alpha)[at + (size_t)i];
    }
    return RSD_OK;
}

static PictureSource source_of(const Image *image)
{
    return (PictureSource){.width = image->width,
                           .height = image->height,
                           .channels = image->channels,
                           .bits = image->bits,
                           .colour = image->color.is_srgb ? PICTURE_COLOUR_SRGB : PICTURE_COLOUR_UNKNOWN,
                           .gamma = image->color.gamma > 0 && image->color.gamma < 40000
                                        ? (uint32_t)lrint(image->color.gamma * 1e5)
                                        : 0,
                           .chunks = {[PICTURE_CHUNK_PROFILE] = {image->color.icc, image->color.icc_size},
                                      [PICTURE_CHUNK_CICP] = {image->color.has_cicp ? image->color.cicp : NULL,
                                                              sizeof image->color.cicp},
                                      [PICTURE_CHUNK_EXIF] = {image->exif.data, image->exif.size},
                                      [PICTURE_CHUNK_XMP] = {image->xmp.data, image->xmp.size}},
                           .read = read_pixels,
                           .read_alpha = image->alpha ? read_alpha : NULL,
                           .ctx = (void *)(uintptr_t)image};
}

/* Of a picture that comes line by line. Opacity is asked for by several threads, but of lines that are there. */
static RsdStatus read_window(void *ctx, int64_t x, int64_t y, int64_t w, int64_t h, float *rgb, int64_t pitch,
                             int64_t plane, RsdError *err)
{
    const Image *band;
    int64_t first;
    RsdStatus status = picture_window_need(ctx, y, h, &band, &first, err);

    return status == RSD_OK ? read_pixels((void *)(uintptr_t)band, x, first, w, h, rgb, pitch, plane, err) : status;
}

static RsdStatus read_window_alpha(void *ctx, int64_t x, int64_t y, int64_t w, int64_t h, uint16_t *alpha, RsdError *err)
{
    const Image *band;
    int64_t first;
    RsdStatus status = picture_window_need(ctx, y, h, &band, &first, err);

    return status == RSD_OK ? read_alpha((void *)(uintptr_t)band, x, first, w, h, alpha, err) : status;
}

static void read_through_window(PictureSource *source, const Encoding *e)
{
    source->read = read_window;
    source->read_alpha = e->has_alpha ? read_window_alpha : NULL;
    source->ctx = e->window;
}

/* --- settings ------------------------------------------------------------------------------------------------------- */

/* As it is rounded without a search. */
static PictureSetting rounded_at(const PictureWish *wish, int level)
{
    return (PictureSetting){.level = level, .strength = wish->effort == 1 ? 0 : SEARCH_ROUNDING};
}

static PictureSetting setting_at(const PictureWish *wish, int level)
{
    if (wish->effort < SEARCH_FIRST_EFFORT)
        return rounded_at(wish, level);
    return (PictureSetting){.level = level, .effort = wish->effort};
}

static double pixels_of(const Encoding *e)
{
    return (double)e->image->width * (double)e->image->height;
}

static RsdStatus show_trial(void *ctx, PictureSetting setting, int64_t size, RsdError *err)
{
    Encoding *e = ctx;

    (void)err;
    e->n_trials++;
    if (console_wants_progress(e->job->console))
        console_progress(e->job->console, "%s  try %d: level %.2f, %lld bytes, %.3f bits per pixel", e->name,
                         e->n_trials, setting.level / 16.0, (long long)size, 8.0 * (double)size / pixels_of(e));
    return RSD_OK;
}

/* What a setting comes to, by decoding it. */
static RsdStatus measure_setting(Encoding *e, PictureMeasure *measure, PictureSetting setting, double *value, RsdError *err)
{
    MemoryStream stream = {0};
    RsdStatus status = RSD_OK;

    TRY(picture_encoder_run(e->encoder, setting, memory_stream_write, &stream, &e->size, err));
    TRY(picture_measure_stream(measure, e->job->model, memory_stream_read, &stream, value, err));
    TRY(show_trial(e, setting, e->size, err));
    if (picture_measure_reached(measure, *value) && (!e->reached.bytes || stream.size <= e->reached.size)) {
        MemoryStream old = e->reached;

        e->reached = stream;
        stream = old;
        e->setting = setting;
        e->measured = *value;
        e->found = picture_encoder_found(e->encoder);
    }
fail:
    mem_free(&stream.bytes);
    return status;
}

/* The lowest level that reaches the target without a search; one more than the highest when none does. */
static RsdStatus find_level(Encoding *e, PictureMeasure *measure, int *level, double *value, RsdError *err)
{
    int low = -1; /* low does not reach it, *level does */
    RsdStatus status = RSD_OK;

    *level = picture_encoder_level_max(e->encoder) + 1;
    while (*level - low > 1) {
        int middle = (low + *level) / 2;

        TRY(measure_setting(e, measure, rounded_at(e->wish, middle), value, err));
        *(picture_measure_reached(measure, *value) ? level : &low) = middle;
    }
fail:
    return status;
}

/* From there, with the search: downwards to the last level that reaches it, or upwards to the first. */
static RsdStatus search_level(Encoding *e, PictureMeasure *measure, int level, double *value, RsdError *err)
{
    const int highest = picture_encoder_level_max(e->encoder), first = level <= highest ? level : highest;
    int step;
    bool began, reached;
    RsdStatus status = RSD_OK;

    level = first;
    TRY(measure_setting(e, measure, setting_at(e->wish, level), value, err));
    began = reached = picture_measure_reached(measure, *value);
    step = began ? -1 : 1;
    while (reached == began && level + step >= 0 && level + step <= highest &&
           abs(level + step - first) <= MOST_LEVELS_AWAY && !batch_was_interrupted()) {
        level += step;
        TRY(measure_setting(e, measure, setting_at(e->wish, level), value, err));
        reached = picture_measure_reached(measure, *value);
    }
fail:
    return status;
}

static RsdStatus reach_target(Encoding *e, RsdError *err)
{
    PictureSource source = source_of(e->image);
    PictureMeasure *measure = NULL;
    double value = NAN;
    int level;
    RsdStatus status = RSD_OK;

    TRY(picture_measure_create(&measure, e->wish->target, &source, e->job->threads, err));
    TRY(find_level(e, measure, &level, &value, err));
    if (e->wish->effort >= SEARCH_FIRST_EFFORT)
        TRY(search_level(e, measure, level, &value, err));
    e->target_missed = !e->reached.bytes;
    CHECK(!e->target_missed, err, RSD_ERR_ARG, "--target %s cannot be reached: the best possible is %.4f, in %lld bytes",
          e->wish->target, value, (long long)e->size);
fail:
    picture_measure_destroy(&measure);
    return status;
}

static RsdStatus choose_setting(Encoding *e, RsdError *err)
{
    const PictureWish *wish = e->wish;
    PictureSetting least = rounded_at(wish, 0);
    int quality = wish->quality == QUALITY_NOT_GIVEN ? QUALITY_USUAL : wish->quality;

    e->measured = NAN;
    e->limit = (int64_t)(wish->bpp > 0 ? floor(wish->bpp * pixels_of(e) / 8.0) : wish->max_size);
    if (e->limit > 0) {
        least.effort = wish->effort >= SEARCH_FIRST_EFFORT ? wish->effort : 0;
        return picture_fit(e->encoder, e->limit, least, show_trial, e, &e->setting, &e->size, err);
    }
    if (wish->target)
        return reach_target(e, err);
    e->setting = setting_at(wish, (quality * picture_encoder_level_max(e->encoder) + 50) / 100);
    return RSD_OK;
}

static RsdStatus write_stream(Encoding *e, AtomicFile *file, RsdError *err)
{
    RsdStatus status = RSD_OK;

    if (e->reached.bytes) {
        e->size = (int64_t)e->reached.size;
        return atomic_file_write(file, e->reached.bytes, e->reached.size, err);
    }
    TRY(picture_encoder_run(e->encoder, e->setting, byte_sink_write, file, &e->size, err));
    e->found = picture_encoder_found(e->encoder);
fail:
    return status;
}

/* --- one picture ---------------------------------------------------------------------------------------------------- */

static void note_input(const Encoding *e)
{
    const Image *image = e->image;
    Console *console = e->job->console;

    if (image->source_bits > 16)
        console_say(console, LOG_WARNING, "%s: samples of %d bits were reduced to 16", e->name, image->source_bits);
    if (image->has_more)
        console_say(console, LOG_WARNING, "%s: has more pictures than one; the first is coded", e->name);
    if (image->lost_profile)
        console_say(console, LOG_WARNING, "%s: its colour profile is left out: it %s", e->name, image->lost_profile);
    if (image->lost_alpha)
        console_say(console, LOG_WARNING, "%s: its opacity could not be read and is lost", e->name);
}

/* Known when all lines have been read. */
static void note_lost_metadata(const Encoding *e)
{
    if (e->image->lost_metadata)
        console_say(e->job->console, LOG_WARNING,
                    "%s: EXIF or XMP are left out: they are too large, stand behind the pixels, or are those of a format in which they are not read here", e->name);
}

static void describe_search(PictureFound found, JsonLine *json)
{
    json_line_number(json, "objective", found.best.objective, 6);
    json_line_number(json, "objective_rounded", found.rounded.objective, 6);
    json_line_number(json, "search_bpp", found.best.bpp, 6);
    json_line_number(json, "search_psnr_db", -10.0 * log10(fmax(found.best.mse, 1e-12)), 4);
    json_line_number(json, "estimated_bpp", found.estimated_bpp, 6);
    json_line_bool(json, "interrupted", found.stopped);
}

static void describe(const Encoding *e, JsonLine *json)
{
    const PictureInfo *info = picture_encoder_info(e->encoder);

    json_line_text(json, "model", info->model_name);
    json_line_hex(json, "hash", info->model_hash, sizeof info->model_hash);
    json_line_integer(json, "width", info->width);
    json_line_integer(json, "height", info->height);
    json_line_integer(json, "channels", info->channels);
    json_line_integer(json, "bits", info->bits);
    json_line_bool(json, "alpha", info->has_alpha);
    json_line_number(json, "level", e->setting.level / 16.0, 4);
    json_line_integer(json, "tiles", info->n_tiles);
    json_line_integer(json, "effort", e->wish->effort);
    json_line_integer(json, "trials", e->n_trials);
    if (e->limit > 0) {
        json_line_integer(json, "limit", e->limit);
        json_line_integer(json, "unused", e->limit - e->size);
    }
    if (e->setting.effort >= SEARCH_FIRST_EFFORT)
        describe_search(e->found, json);
    if (e->wish->target)
        json_line_real(json, "measured", e->measured);
    json_line_integer(json, "bytes", e->size);
    json_line_number(json, "bpp", 8.0 * (double)e->size / pixels_of(e), 4);
}

static RsdStatus encode_image(Encoding *e, const BatchItem *item, RsdError *err)
{
    PictureEncoderOptions options = {.model = e->job->model, .threads = e->job->threads, .source = source_of(e->image)};
    AtomicFile *file = NULL;
    RsdStatus status = RSD_OK;

    if (e->window)
        read_through_window(&options.source, e);
    TRY(picture_tune_open(&e->tune, e->job, e->wish, e->name, &options, err));
    TRY(atomic_file_open(&file, item->output, e->job->force, err));
    TRY(picture_encoder_open(&e->encoder, &options, err));
    batch_defer_interrupt(options.searches);
    TRY(choose_setting(e, err));
    TRY(write_stream(e, file, err));
    TRY(atomic_file_commit(file, err));
fail:
    batch_defer_interrupt(false);
    atomic_file_close(&file);
    return status;
}

/* The target named the tune, and the model made for it does not reach the target: without the tune, by the first built-in model. */
static RsdStatus encode_with_first_model(Encoding *e, const BatchItem *item, RsdError *err)
{
    RsdStatus status = RSD_OK;

    picture_encoder_close(&e->encoder);
    picture_tune_close(&e->tune);
    e->first = (PictureJob){.threads = e->job->threads, .console = e->job->console, .force = e->job->force};
    e->first_wish = *e->wish;
    e->first_wish.tune = NULL;
    e->job = &e->first;
    e->wish = &e->first_wish;
    TRY(picture_job_open_model(e->job, NULL, IMAGE_USE_ALL, err));
    TRY(encode_image(e, item, err));
fail:
    return status;
}

/* Whether the pixels are looked at but once. */
static bool is_coded_once(const PictureWish *wish)
{
    return wish->effort < SEARCH_FIRST_EFFORT && wish->bpp <= 0 && wish->max_size <= 0 && !wish->target;
}

RsdStatus picture_job_encode(PictureJob *job, const PictureWish *wish, const BatchItem *item, BatchResult *result,
                             JsonLine *json, RsdError *err)
{
    const ImageReadOptions reading = {.drop_profile = wish->drop_profile,
                                      .drop_metadata = wish->metadata == PICTURE_METADATA_DROP};
    Encoding e = {.job = job, .wish = wish, .name = strcmp(item->input, "-") ? item->input : "standard input"};
    ImageLines *lines = NULL;
    Image *image = NULL;
    RsdStatus status = RSD_OK;

    status = picture_job_open_model(job, NULL, IMAGE_USE_ALL, err);
    if (status == RSD_ERR_MODEL)
        error_prefix(err, status, "%s: is a picture", e.name);
    TRY(status);
    TRY(image_open(&image, &lines, item->input, &reading, is_coded_once(wish) ? LARGE_PIXELS : INT64_MAX / 2, err));
    if (lines) {
        TRY(picture_window_open(&e.window, lines, err));
        e.image = image_lines_shape(lines, &e.has_alpha);
        e.has_alpha &= !wish->drop_alpha;
    } else {
        if (image_is_grey(image))
            image_make_grey(image);
        if (wish->drop_alpha || image_is_opaque(image))
            mem_free(&image->alpha);
        e.image = image;
    }
    note_input(&e);
    status = encode_image(&e, item, err);
    if (e.target_missed && wish->tune_of_target && !batch_was_interrupted())
        status = encode_with_first_model(&e, item, err);
    if (status == RSD_ERR_ARG || status == RSD_ERR_UNSUPPORTED)
        error_prefix(err, status, "%s", e.name);
    TRY(status);
    note_lost_metadata(&e);
    result->n_pixels = e.image->width * e.image->height;
    result->n_bytes = e.size;
    snprintf(result->details, sizeof result->details, ", level %.2f", e.setting.level / 16.0);
    if (wish->target)
        snprintf(result->details, sizeof result->details, ", level %.2f, %.40s is %.4f", e.setting.level / 16.0,
                 wish->target, e.measured);
    if (json)
        describe(&e, json);
fail:
    picture_encoder_close(&e.encoder);
    picture_window_close(&e.window);
    image_lines_close(&lines);
    picture_tune_close(&e.tune);
    picture_job_clear(&e.first);
    mem_free(&e.reached.bytes);
    image_destroy(&image);
    return status;
}
