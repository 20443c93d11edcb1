/* test_picture_rvq.c - pictures as codes of a residual quantiser: the same symbols everywhere, levels, cutting, model files.
 *
 * Damage is in test_picture_rvq_damage.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "codec/picture_cut.h"
#include "codec/tile_stages.h"
#include "engine/base/bytes.h"
#include "engine/base/checksum.h"
#include "engine/base/mem.h"
#include "models/stage_prior.h"
#include "tests/codec/rvq_rig.h"
#include "tests/codec/stage_cases.h"
#include "tests/codec/stage_vectors.h"

static double error_of(const RvqRig *f)
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
    RvqRig *f = rvq_rig_create();
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
    rvq_rig_destroy(f);
}

Test(picture_rvq, each_level_is_nearer_and_larger_than_the_one_before)
{
    RvqRig *f = rvq_rig_create();
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
    rvq_rig_destroy(f);
}

Test(picture_rvq, strength_trades_nearness_for_bytes)
{
    RvqRig *f = rvq_rig_create();
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
    rvq_rig_destroy(f);
}

Test(picture_rvq, bytes_are_what_training_estimates)
{
    enum { N = 3 };
    RvqRig *f = rvq_rig_create();
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
    rvq_rig_destroy(f);
}

/* ---- pictures ---- */

Test(picture_rvq, threads_make_the_same_stream_and_pixels_and_cutting_what_encoding_makes)
{
    const TinyPicture picture = {.width = 200, .height = 150, .bits = 8, .has_alpha = true, .has_chunks = true};
    const PictureSetting setting = {.level = 32, .strength = 768};
    RvqRig *f = rvq_rig_create();
    TinyStream one = rvq_rig_encode(f->model, &picture, setting, NULL), three, low, cut = {0};
    RsdThreads *threads;
    float *a, *b;
    RsdError err;

    cr_assert_eq(rsd_threads_create(&threads, 3, NULL), RSD_OK);
    three = rvq_rig_encode(f->model, &picture, setting, threads);
    cr_assert(one.size == three.size && memcmp(one.bytes, three.bytes, one.size) == 0);
    cr_assert_eq(rvq_rig_decode(f->model, one.bytes, one.size, false, NULL, &a, &err), RSD_OK, "%s", err.text);
    cr_assert_eq(rvq_rig_decode(f->model, one.bytes, one.size, false, threads, &b, &err), RSD_OK, "%s", err.text);
    cr_assert_arr_eq(a, b, 3 * 200 * 150 * sizeof *a);
    low = rvq_rig_encode(f->model, &picture, (PictureSetting){.level = 16, .strength = 768}, NULL);
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
    rvq_rig_destroy(f);
}

Test(picture_rvq, cutting_keeps_fields_and_values_of_the_header_that_it_does_not_know)
{
    static const uint8_t FIELD[6] = {5, 0, 2, 0, 'a', 'b'};
    const TinyPicture picture = {.width = 20, .height = 20, .bits = 8};
    RvqRig *f = rvq_rig_create();
    TinyStream stream = rvq_rig_encode(f->model, &picture, (PictureSetting){.level = 32, .strength = 768}, NULL), longer = {0}, cut = {0};
    const size_t size = get_u16le(stream.bytes + 6), changed = size + sizeof FIELD;
    PictureInfo info, back;
    RsdError err = {0};

    tiny_stream_write(&longer, stream.bytes, size - 4, NULL);
    tiny_stream_write(&longer, FIELD, sizeof FIELD, NULL);
    tiny_stream_write(&longer, stream.bytes + size - 4, stream.size - size + 4, NULL);
    put_u16le(longer.bytes + 6, (uint16_t)changed);
    longer.bytes[25] = 200; /* colours of the future */
    put_u32le(longer.bytes + changed - 4, crc32_update(0, longer.bytes, changed - 4));
    cr_assert_eq(picture_cut(&info,
                             &(PictureCutOptions){.read = tiny_stream_read, .read_ctx = &longer, .name = "x.rsd", .write = tiny_stream_write,
                                                  .write_ctx = &cut, .n_stages = 2},
                             &err),
                 RSD_OK, "%s", err.text);
    cr_assert_eq(picture_header_parse(&back, cut.bytes, changed, &err), RSD_OK, "%s", err.text);
    cr_assert(info.header_size == (int)changed && info.level == 16 && back.level == 16 && cut.size < longer.size);
    for (size_t i = 0; i < changed - 4; i++)
        cr_assert(i == 30 || cut.bytes[i] == longer.bytes[i], "byte %zu of the header", i);
    free(stream.bytes);
    free(longer.bytes);
    free(cut.bytes);
    rvq_rig_destroy(f);
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

Test(picture_rvq, a_size_is_met_from_below_and_searches_are_refused)
{
    const TinyPicture picture = {.width = 300, .height = 200, .bits = 8};
    RvqRig *f = rvq_rig_create();
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
    rvq_rig_destroy(f);
}

Test(picture_rvq, an_allocation_that_fails_is_a_status)
{
    const TinyPicture picture = {.width = 40, .height = 40, .bits = 8};
    RvqRig *f = rvq_rig_create();
    int n_failed = 0;

    for (int64_t n = 0;; n++) {
        TinyStream stream = {0};
        float *rgb = NULL;
        RsdError err = {0};
        RsdStatus status;

        mem_fail_after(n);
        status = tiny_picture_encode_by(&stream, f->model, &picture, 6, (PictureSetting){.level = 32, .strength = 5}, NULL, &err);
        if (status == RSD_OK)
            status = rvq_rig_decode(f->model, stream.bytes, stream.size, false, NULL, &rgb, &err);
        mem_fail_after(-1);
        free(rgb);
        free(stream.bytes);
        if (status == RSD_OK)
            break;
        cr_assert_eq(status, RSD_ERR_MEMORY, "allocation %lld: %s", (long long)n, err.text);
        n_failed++;
    }
    cr_assert_gt(n_failed, 20);
    rvq_rig_destroy(f);
}

/* ---- model files ---- */

Test(picture_rvq, a_saved_model_decodes_and_encodes_alike)
{
    const TinyPicture picture = {.width = 100, .height = 70, .bits = 8};
    RvqRig *f = rvq_rig_create();
    ImageCodec *codecs[2];
    PictureModel *models[2];
    TinyStream stream;
    size_t size;
    uint8_t *bytes = rvq_rig_save(f, &size);
    float *rgb[2];
    RsdError err = {0};

    for (int i = 0; i < 2; i++) {
        cr_assert_eq(rvq_rig_load(&codecs[i], bytes, size, i ? IMAGE_USE_DECODE : IMAGE_USE_ALL, &err), RSD_OK, "%s", err.text);
        cr_assert_eq(codecs[i]->config.quantizer, IMAGE_RVQ);
        cr_assert_eq(picture_model_create(&models[i], codecs[i], &err), RSD_OK, "%s", err.text);
        for (int q = 0; q < 3; q++)
            cr_assert_arr_eq(codecs[i]->stage_prior->codes[q], f->codec->stage_prior->codes[q], 16 * D * sizeof(int16_t));
    }
    stream = rvq_rig_encode(models[0], &picture, (PictureSetting){.level = 25, .strength = 768}, NULL);
    for (int i = 0; i < 2; i++)
        cr_assert_eq(rvq_rig_decode(models[i], stream.bytes, stream.size, false, NULL, &rgb[i], &err), RSD_OK, "%s", err.text);
    cr_assert_arr_eq(rgb[0], rgb[1], 3 * 100 * 70 * sizeof(float));
    for (int i = 0; i < 2; i++) {
        picture_model_destroy(&models[i]);
        image_codec_destroy(&codecs[i]);
        free(rgb[i]);
    }
    rvq_rig_forget();
    free(stream.bytes);
    free(bytes);
    rvq_rig_destroy(f);
}
