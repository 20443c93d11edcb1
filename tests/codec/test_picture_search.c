/* test_picture_search.c - the encoder's search: never worse, decodable, repeatable, and sizes met from below.
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/bytes.h"
#include "engine/base/rng.h"
#include "engine/ops/arithmetic.h"
#include "engine/ops/distance.h"
#include "media/image_reader.h"
#include "tests/codec/tiny_picture.h"
#include "tests/shared.h"

static ImageCodec *codec;
static PictureModel *model;

/* The tiny model as a file has it: without gradients for its weights. */
static void set_up(void)
{
    char path[] = "/tmp/residua-search-XXXXXX";
    RsdError err;

    close(mkstemp(path));
    cr_assert_eq(tiny_picture_save(path, &err), RSD_OK, "%s", err.text);
    cr_assert_eq(image_codec_load(&codec, path, &err), RSD_OK, "%s", err.text);
    unlink(path);
    cr_assert_eq(picture_model_create(&model, codec, &err), RSD_OK, "%s", err.text);
}

static void tear_down(void)
{
    picture_model_destroy(&model);
    image_codec_destroy(&codec);
}

TestSuite(picture_search, .init = set_up, .fini = tear_down);

/* ---- pictures: waves and edges, another for each number ---- */

typedef struct Scene {
    int64_t width, height;
    uint32_t number;
    bool is_grey;
} Scene;

static RsdStatus read_scene(void *ctx, int64_t x, int64_t y, int64_t w, int64_t h, float *rgb, int64_t pitch, int64_t plane,
                            RsdError *err)
{
    const Scene *scene = ctx;
    const float a = 0.03f + 0.011f * (float)(scene->number % 7), b = 0.05f + 0.007f * (float)(scene->number % 11);

    (void)err;
    for (int c = 0; c < 3; c++)
        for (int64_t row = 0; row < h; row++)
            for (int64_t col = 0; col < w; col++) {
                const float u = (float)(x + col), v = (float)(y + row), n = (float)scene->number;
                const float phase = scene->is_grey ? n : n + (float)c;

                rgb[c * plane + row * pitch + col] =
                    0.5f + 0.2f * sinf(a * u + phase) + 0.15f * sinf(b * v - n) + (u + 2 * v > 100 + n ? 0.12f : -0.12f);
            }
    return RSD_OK;
}

static PictureEncoderOptions options_for(const Scene *scene)
{
    return (PictureEncoderOptions){.model = model,
                                   .source = {.width = scene->width,
                                              .height = scene->height,
                                              .channels = scene->is_grey ? 1 : 3,
                                              .bits = 8,
                                              .read = read_scene,
                                              .ctx = (void *)(uintptr_t)scene},
                                   .tile_exponent = 7,
                                   .searches = true,
                                   .seed = 3};
}

static PictureFound encode(const PictureEncoderOptions *options, PictureSetting setting, TinyStream *stream)
{
    PictureEncoder *encoder;
    PictureFound found;
    int64_t size;
    RsdError err;

    *stream = (TinyStream){0};
    cr_assert_eq(picture_encoder_open(&encoder, options, &err), RSD_OK, "%s", err.text);
    cr_assert_eq(picture_encoder_run(encoder, setting, tiny_stream_write, stream, &size, &err), RSD_OK, "%s", err.text);
    cr_assert_eq(size, (int64_t)stream->size);
    found = picture_encoder_found(encoder);
    picture_encoder_close(&encoder);
    return found;
}

/* Mean squared error of what a decoder makes of a stream. */
static double decoded_mse(TinyStream *stream, const Scene *scene)
{
    PictureDecoderOptions options = {.read = tiny_stream_read, .read_ctx = stream, .name = "x.rsd"};
    const int64_t w = scene->width, h = scene->height, n = 3 * w * h;
    float *original = malloc((size_t)n * sizeof *original), *decoded = malloc((size_t)n * sizeof *decoded);
    PictureDecoder *decoder;
    double sum = 0;
    RsdError err;

    stream->at = 0;
    cr_assert_eq(picture_decoder_open(&decoder, &options, &err), RSD_OK, "%s", err.text);
    cr_assert_eq(picture_decoder_use(decoder, model, &err), RSD_OK, "%s", err.text);
    cr_assert_eq(picture_decoder_planes(decoder, 3, decoded, NULL, &err), RSD_OK, "%s", err.text);
    read_scene((void *)(uintptr_t)scene, 0, 0, w, h, original, w, w * h, NULL);
    for (int64_t i = 0; i < n; i++)
        sum += (double)(decoded[i] - original[i]) * (double)(decoded[i] - original[i]);
    cr_assert(picture_decoder_report(decoder).complete);
    picture_decoder_close(&decoder);
    free(original);
    free(decoded);
    return sum / (double)n;
}

static bool has_deltas(const TinyStream *stream)
{
    PictureInfo info;

    cr_assert_eq(picture_header_parse(&info, stream->bytes, get_u16le(stream->bytes + 6), NULL), RSD_OK);
    return !picture_deltas_are_none(&info.deltas);
}

/* ---- what a search comes to ---- */

Test(picture_search, more_effort_is_never_worse_and_says_what_a_decoder_finds)
{
    for (uint32_t number = 0; number < 4; number++) {
        const Scene scene = {.width = 120, .height = 90 + 10 * number, .number = number, .is_grey = number == 3};
        const PictureEncoderOptions options = options_for(&scene);
        double before = INFINITY;

        for (int effort = SEARCH_FIRST_EFFORT; effort <= 6; effort++) {
            TinyStream stream;
            PictureFound found = encode(&options, (PictureSetting){.level = 70, .effort = effort}, &stream);
            double mse = decoded_mse(&stream, &scene);

            cr_assert_leq(found.best.objective, found.rounded.objective);
            cr_assert_leq(found.best.objective, before, "picture %u, effort %d: J %.6f after %.6f", number, effort,
                          found.best.objective, before);
            cr_assert_float_eq(mse, found.best.mse, 1e-5 * mse, "effort %d: error %g, said %g", effort, mse, found.best.mse);
            before = found.best.objective;
            free(stream.bytes);
            if (effort == 6)
                cr_assert_lt(found.best.objective, 0.998 * found.rounded.objective);
        }
    }
}

Test(picture_search, the_estimate_of_the_bits_is_that_of_the_bytes_at_every_level)
{
    static const int levels[] = {0, 8, 16, 40, 64, 70, 96, IMAGE_LEVEL_MAX};
    const Scene scene = {.width = 256, .height = 256, .number = 1};
    PictureEncoderOptions options = options_for(&scene);

    options.tile_exponent = 8;
    for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++) {
        TinyStream stream;
        const PictureFound found = encode(&options, (PictureSetting){.level = levels[i], .effort = 3}, &stream);

        cr_assert_float_eq(found.estimated_bpp, found.best.bpp, 0.01 * found.best.bpp, "level %d: %.5f bits per pixel, estimated %.5f",
                           levels[i], found.best.bpp, found.estimated_bpp);
        free(stream.bytes);
    }
}

/* ---- a photograph, by the built-in model ---- */

#define PHOTO_SIDE 256

static RsdStatus read_photo(void *ctx, int64_t x, int64_t y, int64_t w, int64_t h, float *rgb, int64_t pitch, int64_t plane, RsdError *err)
{
    const Image *image = ctx;
    const uint8_t *samples = image->planes;

    (void)err;
    for (int64_t c = 0; c < 3; c++)
        for (int64_t row = 0; row < h; row++)
            for (int64_t col = 0; col < w; col++)
                rgb[c * plane + row * pitch + col] =
                    (float)samples[(c * image->height + 100 + y + row) * image->width + 100 + x + col] / 255.0f;
    return RSD_OK;
}

typedef struct Photo {
    ImageCodec *codec;
    PictureModel *model;
    Image *image;
} Photo;

/* The built-in model and a part of a photograph. */
static PictureEncoderOptions open_photo(Photo *photo)
{
    SharedPath path;
    RsdError err;

    ASSERT_OK(image_read(&photo->image, shared_path(&path, "data/images-val/val12.png"), NULL, &err), err);
    cr_assert(photo->image->bits == 8 && photo->image->channels == 3 && photo->image->width >= 100 + PHOTO_SIDE &&
              photo->image->height >= 100 + PHOTO_SIDE);
    ASSERT_OK(image_codec_load_builtin(&photo->codec, NULL, IMAGE_USE_ALL, &err), err);
    ASSERT_OK(picture_model_create(&photo->model, photo->codec, &err), err);
    return (PictureEncoderOptions){
        .model = photo->model, .searches = true,
        .source = {.width = PHOTO_SIDE, .height = PHOTO_SIDE, .channels = 3, .bits = 8, .read = read_photo, .ctx = photo->image}};
}

static void close_photo(Photo *photo)
{
    picture_model_destroy(&photo->model);
    image_codec_destroy(&photo->codec);
    image_destroy(&photo->image);
}

Test(picture_search, of_a_photograph_the_estimate_is_that_of_the_bytes_at_every_level)
{
    PictureEncoderOptions options;
    Photo photo;

    NEED_SHARED("data/images-val/val12.png");
    options = open_photo(&photo);
    for (int level = 0; level <= IMAGE_LEVEL_MAX; level += 16) {
        TinyStream stream;
        const PictureFound found = encode(&options, (PictureSetting){.level = level, .effort = 3}, &stream);

        cr_assert_float_eq(found.estimated_bpp, found.best.bpp, 0.01 * found.best.bpp, "level %d/16: %.5f bits per pixel, estimated %.5f",
                           level, found.best.bpp, found.estimated_bpp);
        cr_assert_lt(found.best.objective, found.rounded.objective);
        free(stream.bytes);
    }
    close_photo(&photo);
}

/* As a loss does that is worth more bits than rounding spends, a search makes more of them than the coarsest rounding. */
Test(picture_search, a_search_that_wants_more_bits_meets_a_size_at_a_lower_level)
{
    const PictureSetting rounded = {.level = 60, .strength = TILE_MAX_STRENGTH}, searched = {.level = 60, .effort = 3};
    PictureEncoderOptions options;
    PictureEncoder *encoder;
    PictureSetting setting;
    int64_t wanted, more, size;
    Photo photo;
    RsdError err;

    NEED_SHARED("data/images-val/val12.png");
    options = open_photo(&photo);
    ASSERT_OK(picture_encoder_open(&encoder, &options, &err), err);
    ASSERT_OK(picture_encoder_run(encoder, rounded, NULL, NULL, &wanted, &err), err);
    ASSERT_OK(picture_encoder_run(encoder, searched, NULL, NULL, &more, &err), err);
    cr_assert_gt(more, wanted + wanted / 20);
    ASSERT_OK(picture_fit(encoder, wanted, (PictureSetting){.strength = TILE_MAX_STRENGTH, .effort = 3}, NULL, NULL, &setting, &size, &err),
              err);
    cr_expect_leq(size, wanted);
    cr_expect_geq(200 * size, 199 * wanted, "%lld of %lld bytes", (long long)size, (long long)wanted);
    cr_expect_lt(setting.level, 60);
    picture_encoder_close(&encoder);
    close_photo(&photo);
}

/* J falls with each kind of search and with changes of the synthesis, and a decoder finds what was said. */
static void search_with_much_effort(const Scene *scene)
{
    const PictureEncoderOptions options = options_for(scene);
    double before = INFINITY;

    for (int effort = 6; effort <= SEARCH_LAST_EFFORT; effort++) {
        TinyStream stream;
        const PictureFound found = encode(&options, (PictureSetting){.level = 70, .effort = effort}, &stream);
        const double mse = decoded_mse(&stream, scene);

        cr_assert_lt(found.best.objective, before, "effort %d: J %.6f after %.6f", effort, found.best.objective, before);
        cr_assert_float_eq(mse, found.best.mse, 1e-5 * mse, "effort %d: error %g, said %g", effort, mse, found.best.mse);
        cr_assert_eq(has_deltas(&stream), effort == SEARCH_LAST_EFFORT, "effort %d", effort);
        before = found.best.objective;
        free(stream.bytes);
    }
}

Test(picture_search, relaxed_descents_and_changes_of_the_synthesis_find_more)
{
    search_with_much_effort(&(Scene){.width = 96, .height = 80, .number = 2});
    search_with_much_effort(&(Scene){.width = 96, .height = 80, .number = 2, .is_grey = true});
}

/* Of several tiles the latents of the neighbours are not known yet, so what is said is near to what a decoder finds. */
Test(picture_search, changes_of_the_synthesis_are_those_of_all_tiles)
{
    const Scene scene = {.width = 100, .height = 60, .number = 3};
    PictureEncoderOptions options = options_for(&scene);
    TinyStream stream;
    PictureFound found;
    double mse;

    options.tile_exponent = 6;
    found = encode(&options, (PictureSetting){.level = 70, .effort = SEARCH_LAST_EFFORT}, &stream);
    mse = decoded_mse(&stream, &scene);
    cr_assert(has_deltas(&stream));
    cr_assert_float_eq(mse, found.best.mse, 0.1 * mse, "error %g, said %g", mse, found.best.mse);
    free(stream.bytes);
}

Test(picture_search, the_same_seed_and_any_threads_make_the_same_file)
{
    const Scene scene = {.width = 200, .height = 140, .number = 4};
    PictureEncoderOptions options = options_for(&scene);
    const PictureSetting setting = {.level = 60, .effort = 6};
    TinyStream one, three;
    RsdThreads *threads;

    encode(&options, setting, &one);
    cr_assert_eq(rsd_threads_create(&threads, 3, NULL), RSD_OK);
    options.threads = threads;
    encode(&options, setting, &three);
    cr_assert(one.size == three.size && memcmp(one.bytes, three.bytes, one.size) == 0, "%zu and %zu bytes", one.size, three.size);
    cr_assert_gt(decoded_mse(&three, &scene), 0);
    free(one.bytes);
    free(three.bytes);
    rsd_threads_destroy(&threads);
}

static bool stop_after_five(void *ctx, const SearchProgress *progress)
{
    int *n = ctx;

    cr_assert(progress->step >= 1 && progress->step <= progress->n_steps && progress->tile < progress->n_tiles);
    return ++*n < 5;
}

Test(picture_search, an_end_before_its_time_keeps_the_best_and_the_stream_is_whole)
{
    const Scene scene = {.width = 150, .height = 130, .number = 5};
    PictureEncoderOptions options = options_for(&scene);
    TinyStream stream;
    PictureFound found;
    int n = 0;

    options.on_progress = stop_after_five;
    options.progress_ctx = &n;
    found = encode(&options, (PictureSetting){.level = 60, .effort = 9}, &stream);
    cr_assert(found.stopped && n == 5, "%d steps", n);
    cr_assert_lt(found.best.objective, found.rounded.objective);
    decoded_mse(&stream, &scene);
    free(stream.bytes);
}

static bool keep_progress(void *ctx, const SearchProgress *progress)
{
    *(SearchProgress *)ctx = *progress;
    return true;
}

Test(picture_search, the_last_step_tells_what_was_found)
{
    const Scene scene = {.width = 90, .height = 70, .number = 1};
    PictureEncoderOptions options = options_for(&scene);

    for (int effort = 4; effort <= 6; effort++) {
        SearchProgress last;
        TinyStream stream;
        PictureFound found;

        options.on_progress = keep_progress;
        options.progress_ctx = &last;
        found = encode(&options, (PictureSetting){.level = 70, .effort = effort}, &stream);
        cr_assert(last.step == last.n_steps && last.step == tile_search_steps(effort), "effort %d: step %d", effort, last.step);
        cr_assert_float_eq(last.best.objective, found.best.objective, 1e-12, "effort %d", effort);
        free(stream.bytes);
    }
}

static RsdStatus absolute(void *ctx, Tape *tape, Tensor *estimate, Tensor *target, Tensor **value, RsdError *err)
{
    (void)ctx;
    return op_l1(tape, estimate, target, NULL, value, err);
}

Test(picture_search, another_loss_is_followed)
{
    const Scene scene = {.width = 120, .height = 100, .number = 6};
    PictureEncoderOptions options = options_for(&scene);
    const PictureSetting setting = {.level = 70, .effort = 6};
    TinyStream stream;
    PictureFound found;

    options.loss = absolute;
    found = encode(&options, setting, &stream);
    cr_assert_lt(found.best.objective, found.rounded.objective);
    cr_assert_float_eq(sqrt(found.best.mse) / found.best.loss, 1.3, 0.5); /* it is the mean of absolute values indeed */
    free(stream.bytes);
}

static RsdStatus less_than_nothing(void *ctx, Tape *tape, Tensor *estimate, Tensor *target, Tensor **value, RsdError *err)
{
    RsdStatus status = absolute(ctx, tape, estimate, target, value, err);

    return status == RSD_OK ? op_add_scalar(tape, *value, -1.0f, value, err) : status;
}

/* The size of the loss is what is weighed. */
Test(picture_search, a_loss_below_0_has_the_weight_of_one_above)
{
    const Scene scene = {.width = 120, .height = 100, .number = 6};
    PictureEncoderOptions options = options_for(&scene);
    const double weight = image_codec_lambda(70) * 255 * 255;
    TinyStream stream;
    PictureFound found;

    options.loss = less_than_nothing;
    found = encode(&options, (PictureSetting){.level = 70, .effort = 4}, &stream);
    cr_assert_lt(found.best.loss, 0);
    cr_assert_float_eq((found.best.bpp - found.best.objective) / -found.best.loss, weight * found.rounded.mse / -found.rounded.loss,
                       0.2 * weight * found.rounded.mse);
    free(stream.bytes);
}

/* J = bits + share * that of the squared error, for every picture. */
Test(picture_search, a_loss_with_a_share_weighs_all_pictures_alike)
{
    for (uint32_t number = 0; number < 2; number++) {
        const Scene scene = {.width = 120, .height = 100, .number = number};
        PictureEncoderOptions options = options_for(&scene);
        const double weight = 0.03 * image_codec_lambda(70) * 255 * 255;
        TinyStream stream;
        PictureFound found;

        options.loss = absolute;
        options.loss_share = 0.03;
        found = encode(&options, (PictureSetting){.level = 70, .effort = 4}, &stream);
        cr_assert_lt(found.best.objective, found.rounded.objective);
        cr_assert_float_eq(found.best.objective, found.best.bpp + weight * found.best.loss, 1e-9);
        free(stream.bytes);
    }
}

/* ---- curvature ---- */

/* The loss of the last choice with latent `i` `by` farther, from decoded pixels. */
static double loss_beside(TileObjective *o, int64_t i, int by)
{
    TileValue value;
    RsdError err;

    o->coded[i] += by;
    ASSERT_OK(tile_objective_look(o, &value, &err), err);
    o->coded[i] -= by;
    return value.loss;
}

/* Second differences of single latents against what one probe of all says: their sum over many places of a channel, of the channels that
 * matter. */
Test(picture_search, curvature_is_that_of_the_loss)
{
    static const Scene scene = {.width = 128, .height = 128, .number = 2};
    PictureEncoderOptions options = options_for(&scene);
    PictureInfo info = {.width = 128, .height = 128, .channels = 3, .bits = 8, .tile_exponent = 7, .model_name = "tiny"};
    TileSearchOptions how = {.objective = {.model = model, .info = &info, .read = read_scene, .read_ctx = options.source.ctx}};
    TileSearch *search;
    TileObjective *o;
    TileFound found;
    int16_t *z;
    int32_t *y;
    double *channel, *place, told = 0, seen = 0;
    RsdError err;
    int64_t m, n;

    ASSERT_OK(picture_info_complete(&info, RSD_ERR_ARG, &err), err);
    ASSERT_OK(rsd_threads_create(&how.objective.threads, 1, &err), err);
    ASSERT_OK(tile_search_create(&search, &how, &err), err);
    o = tile_search_objective(search);
    m = codec->config.latent;
    y = calloc((size_t)m * 64, sizeof *y);
    z = calloc((size_t)codec->config.hyper * 4, sizeof *z);
    ASSERT_OK(tile_search_run(search, 0, 70, 1, z, y, &found, &err), err);
    n = o->n_y / m;
    cr_assert_eq(n, 64);
    channel = calloc((size_t)m, sizeof *channel);
    place = calloc((size_t)n, sizeof *place);
    ASSERT_OK(tile_objective_curvature(o, channel, place, &err), err);
    for (int64_t i = 0; i < o->n_y; i += 5) {
        const int by = PRIOR_FRACTION / 4;
        const double here = loss_beside(o, i, 0), second = loss_beside(o, i, by) + loss_beside(o, i, -by) - 2 * here;

        seen += o->weight * second * 16;
        told += channel[i / n] * place[i % n];
    }
    cr_expect_gt(seen, 0);
    cr_expect_float_eq(told / seen, 1, 0.2, "%g told, %g seen", told, seen);
    free(y);
    free(z);
    free(channel);
    free(place);
    tile_search_destroy(&search);
    rsd_threads_destroy(&how.objective.threads);
}

/* ---- sizes ---- */

static void meet_sizes(int n, int effort)
{
    int n_near = 0;

    for (int i = 0; i < n; i++) {
        Rng rng = rng_at(17, RNG_TEST, (uint64_t)i, 0);
        const Scene scene = {.width = 64 + rng_below(&rng, 150), .height = 64 + rng_below(&rng, 100), .number = rng_below(&rng, 60)};
        PictureEncoderOptions options = options_for(&scene);
        PictureEncoder *encoder;
        PictureSetting setting;
        int64_t size, least, most, wanted, again;
        TinyStream stream = {0};
        RsdError err;

        cr_assert_eq(picture_encoder_open(&encoder, &options, NULL), RSD_OK);
        cr_assert_eq(picture_encoder_run(encoder, (PictureSetting){.strength = TILE_MAX_STRENGTH}, NULL, NULL, &least, NULL), RSD_OK);
        cr_assert_eq(picture_encoder_run(encoder, (PictureSetting){.level = IMAGE_LEVEL_MAX}, NULL, NULL, &most, NULL), RSD_OK);
        wanted = least + rng_below(&rng, (uint32_t)(most - least));
        cr_assert_eq(picture_fit(encoder, wanted, (PictureSetting){.strength = SEARCH_ROUNDING, .effort = effort}, NULL, NULL,
                                 &setting, &size, &err),
                     RSD_OK, "%s", err.text);
        cr_assert_eq(picture_encoder_run(encoder, setting, tiny_stream_write, &stream, &again, &err), RSD_OK, "%s", err.text);
        cr_assert(again == size && (int64_t)stream.size == size && size <= wanted, "pair %d, %lld x %lld: %lld and %zu of %lld bytes",
                  i, (long long)scene.width, (long long)scene.height, (long long)size, stream.size, (long long)wanted);
        n_near += size * 200 >= wanted * 199 || setting.level == IMAGE_LEVEL_MAX;
        free(stream.bytes);
        picture_encoder_close(&encoder);
    }
    cr_assert_geq(n_near, n * 9 / 10, "%d of %d within half a percent", n_near, n);
}

static bool stop_after_some(void *ctx, const SearchProgress *progress)
{
    (void)progress;
    return --*(int *)ctx > 0;
}

/* The search of a picture whose latents are too many to be kept is ended during one trial or another. */
Test(picture_search, an_end_before_its_time_does_not_exceed_a_size)
{
    const Scene scene = {.width = 130, .height = 130, .number = 8};
    PictureEncoderOptions options = options_for(&scene);

    options.kept_size = 1;
    options.tile_exponent = 6;
    options.on_progress = stop_after_some;
    for (int n = 20; n < 600; n += 240) {
        int left = n;
        PictureEncoder *encoder;
        PictureSetting setting;
        int64_t size, again;
        RsdError err;

        options.progress_ctx = &left;
        ASSERT_OK(picture_encoder_open(&encoder, &options, &err), err);
        ASSERT_OK(picture_fit(encoder, 700, (PictureSetting){.strength = SEARCH_ROUNDING, .effort = 4}, NULL, NULL, &setting, &size, &err),
                  err);
        ASSERT_OK(picture_encoder_run(encoder, setting, NULL, NULL, &again, &err), err);
        cr_expect(again == size && size <= 700, "ended after %d steps: %lld bytes, %lld promised", n, (long long)again, (long long)size);
        picture_encoder_close(&encoder);
    }
}

Test(picture_search, sizes_are_never_exceeded_and_nearly_reached)
{
    const bool is_long = getenv("RESIDUA_LONG") != NULL;

    meet_sizes(is_long ? 500 : 30, 0);
    meet_sizes(is_long ? 40 : 3, 4);
}
