/* test_picture_rvq.c - pictures as codes of a residual quantiser: the same symbols everywhere, levels, damage, cutting, model files.
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "codec/picture_cut.h"
#include "codec/tile_stages.h"
#include "engine/base/bytes.h"
#include "engine/base/checksum.h"
#include "engine/base/mem.h"
#include "models/stage_prior.h"
#include "tests/codec/stage_cases.h"
#include "tests/codec/stage_vectors.h"
#include "tests/codec/tiny_picture.h"

#define H 9
#define W 11
#define D 4
#define LEVEL_MAX 32

typedef struct Fixture {
    ImageCodec *codec;
    PictureModel *model;
    TileCoder *coder;
    int32_t y[D * H * W], decoded[D * H * W];
} Fixture;

/* Latents near the codes: sums of some of them, and something else. */
static void draw_latents(Fixture *f)
{
    const StagePrior *prior = f->codec->stage_prior;
    Rng rng = rng_at(31, RNG_TEST, 0, 0);

    for (int at = 0; at < H * W; at++)
        for (int q = 0; q < prior->n_stages; q++) {
            const int16_t *code = prior->codes[q] + rng_below(&rng, (uint32_t)prior->n_codes) * D;

            for (int d = 0; d < D; d++)
                f->y[d * H * W + at] += 16 * code[d] + (int)rng_below(&rng, 65) - 32;
        }
}

static Fixture *setup(void)
{
    Fixture *f = calloc(1, sizeof *f);
    RsdError err = {0};

    cr_assert_eq(tiny_rvq_codec(&f->codec, &err), RSD_OK, "%s", err.text);
    cr_assert_eq(picture_model_create(&f->model, f->codec, &err), RSD_OK, "%s", err.text);
    cr_assert_eq(tile_coder_create(&f->coder, f->model->tiles, H, W, kernels_pick(), &err), RSD_OK, "%s", err.text);
    draw_latents(f);
    return f;
}

static void teardown(Fixture *f)
{
    tile_coder_destroy(&f->coder);
    picture_model_destroy(&f->model);
    image_codec_destroy(&f->codec);
    free(f);
}

static double error_of(const Fixture *f)
{
    double sum = 0;

    for (int i = 0; i < D * H * W; i++)
        sum += (f->y[i] / 1024.0 - f->decoded[i] / 64.0) * (f->y[i] / 1024.0 - f->decoded[i] / 64.0);
    return sum / (D * H * W);
}

/* ---- tiles ---- */

Test(picture_rvq, tables_of_bits_are_the_odds_they_say)
{
    for (int i = 0; i < CDF_BITS; i++) {
        const double p = 1.0 / (1.0 + exp(-(i - 128) / 16.0));
        CdfTable table;

        cdf_bit(&table, i);
        cr_assert_eq(cdf_check(&table, NULL), RSD_OK, "table %d", i);
        cr_assert(table.lowest == 0 && table.n_values == 2);
        cr_assert_float_eq(table.freq[1] / 16384.0, p, 1.5 / 16384.0, "table %d", i);
    }
}

/* The vectors are what the plain kernels of other processors make, too: tests/portable. */
Test(picture_rvq, every_kernel_set_makes_the_bytes_of_the_vectors)
{
    static const char *const names[] = {"ref", "avx2", "avx512"};
    StagePrior *prior = stage_case_prior();

    cr_assert_eq(sizeof stage_vectors / sizeof stage_vectors[0], (size_t)n_stage_cases);
    for (int i = 0; i < n_stage_cases; i++)
        for (size_t s = 0; s < sizeof names / sizeof *names; s++) {
            const Kernels *set = kernels_named(names[s]), *other = kernels_named(names[(s + 1) % 3]);
            const TileVector *v = &stage_vectors[i];
            RsdError err = {0};
            TileVector found;

            if (!set)
                continue;
            cr_assert_eq(stage_case_run(&found, i, prior, set, other ? other : set, &err), RSD_OK, "%s: %s", stage_cases[i].what, err.text);
            cr_assert(found.size == v->size && found.n_lanes == v->n_lanes && found.hash == v->hash && found.latents == v->latents,
                      "%s by %s: %zu bytes, hash %016llx", stage_cases[i].what, names[s], found.size, (unsigned long long)found.hash);
        }
    stage_case_prior_destroy(&prior);
}

Test(picture_rvq, every_kernel_set_makes_the_same_bytes_and_latents)
{
    static const char *const names[] = {"ref", "avx2", "avx512"};
    Fixture *f = setup();
    uint8_t first[4096];
    size_t size = 0;

    for (size_t s = 0; s < sizeof names / sizeof *names; s++) {
        const Kernels *set = kernels_named(names[s]);
        TileCoder *coder;
        TileCode code;
        int32_t encoded[D * H * W];

        if (!set)
            continue;
        cr_assert_eq(tile_coder_create(&coder, f->model->tiles, H, W, set, NULL), RSD_OK);
        cr_assert_eq(tile_encode(coder, 27, &(TileRounding){.strength = 700}, NULL, f->y, H, W, &code, NULL), RSD_OK);
        if (size == 0)
            memcpy(first, code.data, size = code.size);
        cr_assert(code.size == size && memcmp(first, code.data, size) == 0, "%s", names[s]);
        tile_encoded(coder, H, W, encoded);
        cr_assert_eq(tile_decode(coder, 27, &code, H, W, f->decoded, NULL), RSD_OK);
        cr_assert_arr_eq(encoded, f->decoded, sizeof encoded);
        tile_coder_destroy(&coder);
    }
    teardown(f);
}

Test(picture_rvq, each_level_is_nearer_and_larger_than_the_one_before)
{
    Fixture *f = setup();
    double error = INFINITY;
    size_t size = 0;

    for (int level = 0; level <= LEVEL_MAX; level += 4) {
        TileCode code;

        cr_assert_eq(tile_encode(f->coder, level, &(TileRounding){0}, NULL, f->y, H, W, &code, NULL), RSD_OK);
        cr_assert_eq(tile_decode(f->coder, level, &code, H, W, f->decoded, NULL), RSD_OK);
        cr_assert(code.size > size && error_of(f) < error, "level %d: %zu bytes, error %g after %g", level, code.size, error_of(f), error);
        size = code.size;
        error = error_of(f);
    }
    cr_assert_lt(error, 0.05);
    teardown(f);
}

Test(picture_rvq, strength_trades_nearness_for_bytes)
{
    Fixture *f = setup();
    size_t first = 0, size = 0;
    double error = 0;

    for (int strength = 0; strength <= TILE_MAX_STRENGTH; strength += TILE_MAX_STRENGTH) {
        TileCode code;

        cr_assert_eq(tile_encode(f->coder, LEVEL_MAX, &(TileRounding){.strength = strength}, NULL, f->y, H, W, &code, NULL), RSD_OK);
        cr_assert_eq(tile_decode(f->coder, LEVEL_MAX, &code, H, W, f->decoded, NULL), RSD_OK);
        size = code.size;
        first = strength ? first : size;
        cr_assert(strength == 0 || error_of(f) > error);
        error = error_of(f);
    }
    cr_assert_lt(size, first);
    teardown(f);
}

Test(picture_rvq, bytes_are_what_training_estimates)
{
    enum { N = 3 };
    Fixture *f = setup();
    uint16_t codes[N * H * W];
    int32_t left[D * H * W];
    double by_stage[N];
    float most = 0;
    RsdThreads *threads;
    Tape *tape;
    Tensor *bits;
    TileStages stages;
    TileCode code;
    RsdError err;

    memcpy(left, f->y, sizeof left);
    for (int q = 0; q < N; q++) { /* the nearest codes, as the encoder finds them */
        const StagePrior *prior = f->codec->stage_prior;

        for (int at = 0; at < H * W; at++) {
            int64_t best = INT64_MAX;

            for (int k = 0; k < prior->n_codes; k++) {
                int64_t sum = 0;

                for (int d = 0; d < D; d++) {
                    const int64_t y = left[d * H * W + at], gap = (y >= 0 ? y + 8 : y - 8) / 16 - prior->codes[q][k * D + d];

                    sum += gap * gap;
                }
                if (sum < best)
                    best = sum, codes[q * H * W + at] = (uint16_t)k;
            }
            for (int d = 0; d < D; d++)
                left[d * H * W + at] -= 16 * prior->codes[q][codes[q * H * W + at] * D + d];
        }
    }
    cr_assert_eq(rsd_threads_create(&threads, 1, NULL), RSD_OK);
    cr_assert_eq(tape_create(&tape, threads, 0, NULL), RSD_OK);
    cr_assert_eq(stage_prior_estimate(tape, f->codec, codes, 1, N, H, W, true, &bits, by_stage, &most, &err), RSD_OK, "%s", err.text);
    cr_assert_eq(tile_encode(f->coder, LEVEL_MAX, &(TileRounding){0}, NULL, f->y, H, W, &code, NULL), RSD_OK);
    cr_assert_eq(tile_stages_find(&stages, LEVEL_MAX, code.data, code.size, NULL), RSD_OK);
    cr_assert_eq(stages.n, N);
    cr_assert_float_eq(by_stage[0] + by_stage[1] + by_stage[2], (double)bits->data[0], 0.1);
    for (int q = 0; q < N; q++) /* a stream begins with its state, of which 14 bits are of use */
        cr_assert_float_eq(8.0 * (double)stages.size[q], by_stage[q] + 16, 0.01 * by_stage[q] + 20, "stage %d: %zu bytes, %.1f bits", q,
                           stages.size[q], by_stage[q]);
    tape_destroy(&tape);
    rsd_threads_destroy(&threads);
    teardown(f);
}

Test(picture_rvq, flipped_and_cut_tiles_end_in_an_error_or_other_latents_and_parts_are_lower_levels)
{
    Fixture *f = setup();
    int32_t one[D * H * W], part[D * H * W];
    int n_unnoticed = 0;
    TileStages stages;
    TileCode code;
    uint8_t *whole;
    size_t size;

    cr_assert_eq(tile_encode(f->coder, LEVEL_MAX, &(TileRounding){0}, NULL, f->y, H, W, &code, NULL), RSD_OK);
    whole = malloc(size = code.size);
    memcpy(whole, code.data, size);
    cr_assert_eq(tile_stages_find(&stages, LEVEL_MAX, whole, size, NULL), RSD_OK);
    cr_assert_eq(tile_encode(f->coder, 0, &(TileRounding){0}, NULL, f->y, H, W, &code, NULL), RSD_OK);
    tile_encoded(f->coder, H, W, one);
    for (size_t i = 0; i < size; i++) {
        uint8_t *bytes = malloc(size);
        TileCode bad = {bytes, size, 1};
        RsdStatus status;

        memcpy(bytes, whole, size);
        bytes[i] ^= (uint8_t)(1 + i % 255);
        status = tile_decode(f->coder, LEVEL_MAX, &bad, H, W, f->decoded, NULL);
        cr_assert(status == RSD_OK || status == RSD_ERR_CORRUPT);
        n_unnoticed += status == RSD_OK;
        tile_decode_part(f->coder, LEVEL_MAX, &bad, H, W, part);
        free(bytes);
        bytes = malloc(i + 1);
        memcpy(bytes, whole, i);
        bad = (TileCode){bytes, i, 1};
        cr_assert_neq(tile_decode(f->coder, LEVEL_MAX, &bad, H, W, f->decoded, NULL), RSD_OK, "cut at %zu of %zu", i, size);
        tile_decode_part(f->coder, LEVEL_MAX, &bad, H, W, part);
        if (i >= 6 + stages.size[0] && i < 6 + stages.size[0] + stages.size[1])
            cr_assert_arr_eq(part, one, sizeof one, "cut at %zu", i);
        free(bytes);
    }
    cr_assert_lt(n_unnoticed, (int)size / 10, "%d of %zu flips went unnoticed", n_unnoticed, size);
    free(whole);
    teardown(f);
}

/* ---- pictures ---- */

static void note_nothing(void *ctx, const char *text)
{
    (void)text;
    ++*(int *)ctx;
}

/* Pixels are the caller's, NULL after an error. */
static RsdStatus decode(const PictureModel *model, const uint8_t *bytes, size_t size, bool keep_going, RsdThreads *threads, float **rgb,
                        RsdError *err)
{
    TinyStream stream = {(uint8_t *)(uintptr_t)bytes, size, 0};
    int n_notes = 0;
    PictureDecoderOptions options = {.read = tiny_stream_read,
                                     .read_ctx = &stream,
                                     .name = "x.rsd",
                                     .threads = threads,
                                     .keep_going = keep_going,
                                     .on_damage = note_nothing,
                                     .damage_ctx = &n_notes};
    PictureDecoder *decoder = NULL;
    uint16_t *alpha = NULL;
    const PictureInfo *info;
    RsdStatus status = RSD_OK;

    *rgb = NULL;
    TRY(picture_decoder_open(&decoder, &options, err));
    TRY(picture_decoder_use(decoder, model, err));
    info = picture_decoder_info(decoder);
    *rgb = calloc((size_t)(3 * info->width * info->height), sizeof **rgb);
    alpha = calloc((size_t)(info->width * info->height), sizeof *alpha);
    TRY(picture_decoder_planes(decoder, info->channels, *rgb, alpha, err));
fail:
    picture_decoder_close(&decoder);
    free(alpha);
    if (status != RSD_OK) {
        free(*rgb);
        *rgb = NULL;
    }
    return status;
}

static TinyStream encode(const PictureModel *model, const TinyPicture *picture, PictureSetting setting, RsdThreads *threads)
{
    TinyStream stream = {0};
    RsdError err;

    cr_assert_eq(tiny_picture_encode_by(&stream, model, picture, 6, setting, threads, &err), RSD_OK, "%s", err.text);
    return stream;
}

Test(picture_rvq, threads_make_the_same_stream_and_pixels_and_cutting_what_encoding_makes)
{
    const TinyPicture picture = {.width = 200, .height = 150, .bits = 8, .has_alpha = true, .has_chunks = true};
    const PictureSetting setting = {.level = 32, .strength = 768};
    Fixture *f = setup();
    TinyStream one = encode(f->model, &picture, setting, NULL), three, low, cut = {0};
    RsdThreads *threads;
    float *a, *b;
    RsdError err;

    cr_assert_eq(rsd_threads_create(&threads, 3, NULL), RSD_OK);
    three = encode(f->model, &picture, setting, threads);
    cr_assert(one.size == three.size && memcmp(one.bytes, three.bytes, one.size) == 0);
    cr_assert_eq(decode(f->model, one.bytes, one.size, false, NULL, &a, &err), RSD_OK, "%s", err.text);
    cr_assert_eq(decode(f->model, one.bytes, one.size, false, threads, &b, &err), RSD_OK, "%s", err.text);
    cr_assert_arr_eq(a, b, 3 * 200 * 150 * sizeof *a);
    low = encode(f->model, &picture, (PictureSetting){.level = 16, .strength = 768}, NULL);
    cr_assert_eq(picture_cut(NULL,
                             &(PictureCutOptions){.read = tiny_stream_read, .read_ctx = &one, .name = "x.rsd", .write = tiny_stream_write,
                                                  .write_ctx = &cut, .n_stages = 2},
                             &err),
                 RSD_OK, "%s", err.text);
    cr_assert(cut.size == low.size && memcmp(cut.bytes, low.bytes, low.size) == 0, "%zu bytes, %zu", cut.size, low.size);
    rsd_threads_destroy(&threads);
    free(a);
    free(b);
    free(one.bytes);
    free(three.bytes);
    free(low.bytes);
    free(cut.bytes);
    teardown(f);
}

Test(picture_rvq, a_picture_of_latents_is_not_cut)
{
    const TinyPicture picture = {.width = 20, .height = 20, .bits = 8};
    TinyStream stream = {0}, cut = {0};
    RsdError err = {0};

    cr_assert_eq(tiny_picture_encode(&stream, &picture, 6, (PictureSetting){.level = 40}, NULL, &err), RSD_OK, "%s", err.text);
    cr_assert_eq(picture_cut(NULL,
                             &(PictureCutOptions){.read = tiny_stream_read, .read_ctx = &stream, .name = "x.rsd", .write = tiny_stream_write,
                                                  .write_ctx = &cut, .n_stages = 1},
                             &err),
                 RSD_ERR_UNSUPPORTED);
    cr_assert(strstr(err.text, "x.rsd: tiles of model tiny have no stages") && cut.size == 0, "%s", err.text);
    free(stream.bytes);
}

static RsdStatus cut_bytes(const uint8_t *bytes, size_t size, RsdError *err)
{
    TinyStream stream = {(uint8_t *)(uintptr_t)bytes, size, 0}, cut = {0};
    RsdStatus status = picture_cut(NULL,
                                   &(PictureCutOptions){.read = tiny_stream_read, .read_ctx = &stream, .name = "x.rsd",
                                                        .write = tiny_stream_write, .write_ctx = &cut, .n_stages = 1},
                                   err);

    free(cut.bytes);
    return status;
}

Test(picture_rvq, every_flipped_byte_and_every_cut_of_a_stream_end_well)
{
    const TinyPicture picture = {.width = 70, .height = 66, .bits = 8, .has_alpha = true};
    Fixture *f = setup();
    TinyStream stream = encode(f->model, &picture, (PictureSetting){.level = 21}, NULL);
    const size_t header = get_u16le(stream.bytes + 6);
    float *rgb;

    for (size_t i = 0; i < stream.size; i++) {
        uint8_t *bytes = malloc(stream.size);
        RsdError err = {0};
        RsdStatus status;

        memcpy(bytes, stream.bytes, stream.size);
        bytes[i] ^= (uint8_t)(1 + i % 255);
        cr_assert(decode(f->model, bytes, stream.size, false, NULL, &rgb, &err) != RSD_OK && err.text[0], "byte %zu flipped went unnoticed", i);
        cr_assert_neq(cut_bytes(bytes, stream.size, &err), RSD_OK, "byte %zu", i);
        status = decode(f->model, bytes, stream.size, true, NULL, &rgb, &err);
        cr_assert(i < header || status == RSD_OK, "byte %zu: %s", i, err.text);
        free(rgb);
        free(bytes);
        bytes = malloc(i + 1);
        memcpy(bytes, stream.bytes, i);
        cr_assert_eq(decode(f->model, bytes, i, false, NULL, &rgb, &err), RSD_ERR_CORRUPT, "cut at %zu", i);
        cr_assert_eq(cut_bytes(bytes, i, &err), RSD_ERR_CORRUPT, "cut at %zu", i);
        status = decode(f->model, bytes, i, true, NULL, &rgb, &err);
        cr_assert_eq(status, i < header ? RSD_ERR_CORRUPT : RSD_OK, "cut at %zu: %s", i, err.text);
        free(rgb);
        free(bytes);
    }
    free(stream.bytes);
    teardown(f);
}

/* With the checksum that belongs to them. */
static void expect_refused(const Fixture *f, const TinyStream *stream, size_t at, uint8_t value, RsdStatus expected, const char *text)
{
    const size_t header = get_u16le(stream->bytes + 6);
    uint8_t *bytes = malloc(stream->size);
    RsdError err = {0};
    float *rgb;

    memcpy(bytes, stream->bytes, stream->size);
    bytes[at] = value;
    put_u32le(bytes + header - 4, crc32_update(0, bytes, header - 4));
    cr_assert_eq(decode(f->model, bytes, stream->size, true, NULL, &rgb, &err), expected, "%s", err.text);
    cr_assert_not_null(strstr(err.text, text), "%s", err.text);
    free(bytes);
}

Test(picture_rvq, headers_that_do_not_fit_the_model_are_refused)
{
    const TinyPicture picture = {.width = 70, .height = 66, .bits = 8};
    Fixture *f = setup();
    TinyStream stream = encode(f->model, &picture, (PictureSetting){.level = 32}, NULL);

    expect_refused(f, &stream, 30, 33, RSD_ERR_CORRUPT, "level 33/16 of stages; model tiny-rvq has levels up to 32/16");
    expect_refused(f, &stream, 5, 0, RSD_ERR_CORRUPT, "of latents");
    expect_refused(f, &stream, 5, 2, RSD_ERR_UNSUPPORTED, "features");
    free(stream.bytes);
    teardown(f);
}

Test(picture_rvq, a_size_is_met_from_below_and_searches_are_refused)
{
    const TinyPicture picture = {.width = 300, .height = 200, .bits = 8};
    Fixture *f = setup();
    PictureEncoderOptions options = {.model = f->model, .tile_exponent = 6};
    PictureEncoder *encoder;
    PictureSetting setting;
    int64_t least, most, size;
    RsdError err = {0};

    tiny_picture_source(&options.source, &picture);
    options.searches = true;
    cr_assert_eq(picture_encoder_open(&encoder, &options, &err), RSD_ERR_ARG);
    cr_assert_not_null(strstr(err.text, "use effort 1 or 2"), "%s", err.text);
    options.searches = false;
    cr_assert_eq(picture_encoder_open(&encoder, &options, &err), RSD_OK, "%s", err.text);
    cr_assert_eq(picture_encoder_run(encoder, (PictureSetting){.level = 33}, NULL, NULL, &most, NULL), RSD_ERR_ARG);
    cr_assert_eq(picture_encoder_run(encoder, (PictureSetting){.level = 0}, NULL, NULL, &least, NULL), RSD_OK);
    cr_assert_eq(picture_encoder_run(encoder, (PictureSetting){.level = 32}, NULL, NULL, &most, NULL), RSD_OK);
    for (int64_t wanted = least; wanted < most; wanted += (most - least) / 7) { /* a level is a sixteenth of a stage */
        cr_assert_eq(picture_fit(encoder, wanted, (PictureSetting){.strength = 768}, NULL, NULL, &setting, &size, &err), RSD_OK, "%s",
                     err.text);
        cr_assert(size <= wanted && size * 100 >= wanted * 94, "%lld of %lld bytes", (long long)size, (long long)wanted);
    }
    cr_assert_eq(picture_fit(encoder, 100, (PictureSetting){0}, NULL, NULL, &setting, &size, &err), RSD_ERR_ARG);
    cr_assert_not_null(strstr(err.text, "the smallest possible is"), "%s", err.text);
    picture_encoder_close(&encoder);
    teardown(f);
}

Test(picture_rvq, an_allocation_that_fails_is_a_status)
{
    const TinyPicture picture = {.width = 40, .height = 40, .bits = 8};
    Fixture *f = setup();
    int n_failed = 0;

    for (int64_t n = 0;; n++) {
        TinyStream stream = {0};
        float *rgb = NULL;
        RsdError err = {0};
        RsdStatus status;

        mem_fail_after(n);
        status = tiny_picture_encode_by(&stream, f->model, &picture, 6, (PictureSetting){.level = 32, .strength = 5}, NULL, &err);
        if (status == RSD_OK)
            status = decode(f->model, stream.bytes, stream.size, false, NULL, &rgb, &err);
        mem_fail_after(-1);
        free(rgb);
        free(stream.bytes);
        if (status == RSD_OK)
            break;
        cr_assert_eq(status, RSD_ERR_MEMORY, "allocation %lld: %s", (long long)n, err.text);
        n_failed++;
    }
    cr_assert_gt(n_failed, 20);
    teardown(f);
}

/* ---- model files ---- */

static char path[] = "/tmp/residua-rvq-XXXXXX";

static uint8_t *save(const Fixture *f, size_t *size)
{
    uint8_t *bytes;
    RsdError err = {0};
    FILE *file;
    const int handle = mkstemp(path);

    cr_assert_geq(handle, 0);
    close(handle);
    cr_assert_eq(image_codec_save(f->codec, path, DTYPE_F32, NULL, &err), RSD_OK, "%s", err.text);
    file = fopen(path, "rb");
    bytes = malloc(1 << 20);
    *size = fread(bytes, 1, 1 << 20, file);
    fclose(file);
    return bytes;
}

static RsdStatus load(ImageCodec **codec, const uint8_t *bytes, size_t size, ImageCodecUse use, RsdError *err)
{
    FILE *file = fopen(path, "wb");

    fwrite(bytes, 1, size, file);
    fclose(file);
    return image_codec_load_for(codec, path, use, err);
}

Test(picture_rvq, a_saved_model_decodes_and_encodes_alike)
{
    const TinyPicture picture = {.width = 100, .height = 70, .bits = 8};
    Fixture *f = setup();
    ImageCodec *codecs[2];
    PictureModel *models[2];
    TinyStream stream;
    size_t size;
    uint8_t *bytes = save(f, &size);
    float *rgb[2];
    RsdError err = {0};

    for (int i = 0; i < 2; i++) {
        cr_assert_eq(load(&codecs[i], bytes, size, i ? IMAGE_USE_DECODE : IMAGE_USE_ALL, &err), RSD_OK, "%s", err.text);
        cr_assert_eq(codecs[i]->config.quantizer, IMAGE_RVQ);
        cr_assert_eq(picture_model_create(&models[i], codecs[i], &err), RSD_OK, "%s", err.text);
        for (int q = 0; q < 3; q++)
            cr_assert_arr_eq(codecs[i]->stage_prior->codes[q], f->codec->stage_prior->codes[q], 16 * D * sizeof(int16_t));
    }
    stream = encode(models[0], &picture, (PictureSetting){.level = 25, .strength = 768}, NULL);
    for (int i = 0; i < 2; i++)
        cr_assert_eq(decode(models[i], stream.bytes, stream.size, false, NULL, &rgb[i], &err), RSD_OK, "%s", err.text);
    cr_assert_arr_eq(rgb[0], rgb[1], 3 * 100 * 70 * sizeof(float));
    for (int i = 0; i < 2; i++) {
        picture_model_destroy(&models[i]);
        image_codec_destroy(&codecs[i]);
        free(rgb[i]);
    }
    unlink(path);
    free(stream.bytes);
    free(bytes);
    teardown(f);
}

/* What loads can be used: a hostile model has numbers like any other. */
static void use(ImageCodec *codec)
{
    const TinyPicture picture = {.width = 20, .height = 40, .bits = 8};
    PictureModel *model = NULL;
    TinyStream stream = {0};
    float *rgb = NULL;

    if (picture_model_create(&model, codec, NULL) == RSD_OK &&
        tiny_picture_encode_by(&stream, model, &picture, 6, (PictureSetting){.level = image_codec_level_max(&codec->config)}, NULL, NULL) ==
            RSD_OK)
        cr_assert_eq(decode(model, stream.bytes, stream.size, false, NULL, &rgb, NULL), RSD_OK);
    picture_model_destroy(&model);
    free(stream.bytes);
    free(rgb);
}

Test(picture_rvq, damaged_model_files_are_refused_or_code_and_decode)
{
    Fixture *f = setup();
    size_t size;
    uint8_t *bytes = save(f, &size);
    int n_loaded = 0;

    for (size_t i = 0; i < size; i += i < 6000 ? 13 : 97) {
        const uint8_t was = bytes[i];
        ImageCodec *codec;
        RsdError err = {0};
        RsdStatus status;

        bytes[i] ^= (uint8_t)(1 + i % 255);
        status = load(&codec, bytes, size, IMAGE_USE_ALL, &err);
        bytes[i] = was;
        if (status == RSD_OK && n_loaded++ % 8 == 0)
            use(codec);
        cr_assert(status == RSD_OK || err.text[0], "byte %zu", i);
        image_codec_destroy(&codec);
        if (i % 9 == 0)
            cr_assert_neq(load(&codec, bytes, i, IMAGE_USE_ALL, &err), RSD_OK, "cut at %zu", i);
    }
    cr_assert_gt(n_loaded, 10);
    unlink(path);
    free(bytes);
    teardown(f);
}
