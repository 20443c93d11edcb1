/* test_rd.c - `residua bench rd`: the table of codecs, real files of each of them, curves against themselves, and what it says.
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>
#include <jansson.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/picture_job.h"
#include "config.h"
#include "engine/base/mem.h"
#include "media/image_reader.h"
#include "media/image_writer.h"
#include "tests/cli/rd_rig.h"
#include "tests/codec/tiny_picture.h"
#include "tests/losses/pictures.h"
#include "tests/media/fixture.h"

static double psnr(const Image *a, const Image *b)
{
    static float x[3 * RD_RIG_PIXELS], y[3 * RD_RIG_PIXELS];
    double sum = 0;

    image_to_float(a, 3, x);
    image_to_float(b, 3, y);
    for (size_t i = 0; i < 3 * RD_RIG_PIXELS; i++)
        sum += (double)(x[i] - y[i]) * (double)(x[i] - y[i]);
    return -10 * log10(sum / (3 * RD_RIG_PIXELS));
}

static PeerFormat at_quality(const RdCodec *codec, size_t setting)
{
    PeerFormat format = *codec->peer;

    format.quality = codec->ladder[setting].quality;
    return format;
}

Test(rd, table_of_codecs_serves_sound_and_pictures)
{
    size_t n_sound = 0, n_pictures = 0;

    for (size_t i = 0; rd_peer_at(i); i++) {
        const RdCodec *codec = rd_peer_at(i);

        n_sound += codec->kind == &eval_kind_audio;
        n_pictures += codec->kind == &eval_kind_image;
        cr_expect(codec->peer && codec->title && strlen(codec->settings) > 10 && codec->dial, "%s", codec->name);
        cr_expect_geq(codec->n_settings, BD_MIN_POINTS, "%s", codec->name);
        for (size_t k = 0; k < i; k++)
            cr_expect_str_neq(codec->name, rd_peer_at(k)->name);
    }
    cr_expect_eq(n_sound, 5);
    cr_expect_eq(n_pictures, 5);
    cr_expect_leq(n_sound + 1, RD_MAX_CODECS);
}

#ifndef RESIDUA_HAVE_JPEG
#define RESIDUA_HAVE_JPEG 0
#endif
#ifndef RESIDUA_HAVE_OPENJPEG
#define RESIDUA_HAVE_OPENJPEG 0
#endif

/* What image_format_of says of each codec's files, and which of them this build must be able to make. */
static const struct {
    const char *codec, *format;
    bool is_always_here;
} picture_files[] = {
    {"jpeg", "jpeg", RESIDUA_HAVE_JPEG}, {"webp", "webp", false}, {"jpeg2000", "jp2", RESIDUA_HAVE_OPENJPEG},
    {"jxl", "jxl", false}, {"avif", "avif", false}};

/* The file is one of its format, and the dial from its first to its last position costs bytes and gives quality. */
static void expect_round_trips(const RdCodec *codec, int channels)
{
    size_t row = 0;
    Image *original = rd_rig_picture(channels), *decoded;
    double before_db = 0;
    size_t before = 0;

    while (row < sizeof picture_files / sizeof *picture_files && strcmp(picture_files[row].codec, codec->name) != 0)
        row++;
    cr_assert_lt(row, sizeof picture_files / sizeof *picture_files, "%s has no line here", codec->name);
    for (size_t s = 0; s < codec->n_settings; s += codec->n_settings - 1) {
        const PeerFormat format = at_quality(codec, s);
        uint8_t *bytes;
        size_t size;
        RsdError err = {0};
        const RsdStatus status = peer_picture_encode(&bytes, &size, &format, original, &err);
        const char *name;

        if (status == RSD_ERR_UNSUPPORTED) {
            cr_expect(!picture_files[row].is_always_here, "%s: %s", codec->name, err.text);
            fprintf(stderr, "skipped: %s: %s\n", codec->name, err.text);
            break;
        }
        ASSERT_OK(status, err);
        name = image_format_of(bytes, size);
        cr_expect(name && strcmp(name, picture_files[row].format) == 0, "%s: the file is %s", codec->name, name ? name : "unknown");
        ASSERT_OK(image_read_bytes(&decoded, bytes, size, NULL, &err), err);
        cr_assert(decoded->width == RD_RIG_WIDTH && decoded->height == RD_RIG_HEIGHT, "%s", codec->name);
        cr_expect(psnr(original, decoded) > before_db + 3 && size > before, "%s at %g: %g dB in %zu bytes, before %g dB in %zu",
                  codec->name, format.quality, psnr(original, decoded), size, before_db, before);
        before_db = psnr(original, decoded);
        before = size;
        image_destroy(&decoded);
        mem_free(&bytes);
    }
    image_destroy(&original);
}

Test(rd, each_codec_of_pictures_gives_them_back)
{
    for (size_t i = 0; rd_peer_at(i); i++)
        if (rd_peer_at(i)->kind == &eval_kind_image) {
            expect_round_trips(rd_peer_at(i), 3);
            expect_round_trips(rd_peer_at(i), 1);
        }
}

Test(rd, peers_refuse_what_they_are_not_given)
{
    Image *image;
    const PeerFormat unknown = {.encoder = "no-such-encoder", .dial = "q", .pixels = "rgb24"};
    const PeerFormat option = {.encoder = "libwebp", .dial = "no_such_option", .pixels = "bgra"};
    PeerFormat format;
    uint8_t *bytes;
    size_t size;
    RsdError err = {0};

    image = rd_rig_picture(3);
    ASSERT_FAILS(peer_picture_encode(&bytes, &size, &unknown, image, &err), RSD_ERR_UNSUPPORTED, err, "no-such-encoder");
    ASSERT_FAILS(peer_picture_encode(&bytes, &size, &option, image, &err), RSD_ERR_UNSUPPORTED, err, "no_such_option");
    image_destroy(&image);
    ASSERT_OK(image_create(&image, 16, 16, 3, 16, false, &err), err);
    format = at_quality(rd_peer_at(0), 0);
    ASSERT_FAILS(peer_picture_encode(&bytes, &size, &format, image, &err), RSD_ERR_ARG, err, "8 bits");
    image_destroy(&image);
}

/* ---- runs ---- */

Test(rd, a_curve_against_itself_needs_no_more_bits, .fini = fixture_close)
{
    static RdRig b;
    RsdError err = {0};

    rd_rig_open(&b);
    ASSERT_OK(rd_run(&b.run, NULL, &err), err);
    cr_assert_eq(b.run.n_points, IMAGE_LEVELS + b.codecs[1].n_settings);
    for (size_t p = 0; p < b.run.n_points; p++)
        cr_expect(b.run.points[p].usable && b.run.points[p].rate > 0 && b.run.points[p].decode_s > 0, "point %zu: %s", p,
                  b.run.points[p].err.text);
    for (size_t m = 0; m < 2; m++) {
        const RdComparison *itself = rd_comparison(&b.run, 0, 1, m);

        cr_expect(itself->curve.known && fabs(itself->curve.percent) < 1e-9 && itself->curve.overlap == 1);
        cr_expect(itself->each.n == 2 && fabs(itself->each.mean) < 1e-9);
    }
    /* the same pictures: each rate is that of both, and a curve is read off where it has a point */
    for (size_t k = 0; k < RD_N_MARKS; k++) {
        const double at = b.run.kind->marks[k];
        const bool is_inside = at >= b.run.points[IMAGE_LEVELS].rate && at <= b.run.points[b.run.n_points - 1].rate;

        cr_expect_eq(isfinite(rd_at_mark(&b.run, 1, 0, k)), is_inside, "mark %g", at);
    }
    rd_run_clear(&b.run);
}

Test(rd, points_do_not_depend_on_threads_and_a_broken_picture_is_left_out, .fini = fixture_close)
{
    static RdRig one, three;
    RsdThreads *threads;
    RsdError err = {0};

    rd_rig_open(&one);
    three = one;
    three.run.set = &three.set;
    three.run.codecs = three.codecs;
    three.run.paths = three.paths;
    three.run.console = &three.console;
    ASSERT_OK(rsd_threads_create(&threads, 3, &err), err);
    ASSERT_OK(rd_run(&one.run, NULL, &err), err);
    ASSERT_OK(rd_run(&three.run, threads, &err), err);
    for (size_t p = 0; p < one.run.n_points; p++)
        cr_expect(one.run.points[p].rate == three.run.points[p].rate &&
                  one.run.points[p].values[1].mean == three.run.points[p].values[1].mean, "point %zu", p);
    rd_run_clear(&one.run);
    rd_run_clear(&three.run);
    one.run.n_points = 0;
    one.paths[1] = "/nonexistent.png";
    one.run.points = NULL;
    ASSERT_OK(rd_run(&one.run, threads, &err), err);
    cr_expect_eq(one.run.n_missing, 1);
    for (size_t p = 0; p < one.run.n_points; p++)
        cr_expect(one.run.points[p].usable && one.run.points[p].values[0].n == 1, "point %zu", p);
    rd_run_clear(&one.run);
    one.run.n_points = one.run.n_missing = 0;
    one.paths[0] = "/nonexistent.png";
    ASSERT_FAILS(rd_run(&one.run, threads, &err), RSD_ERR_CORRUPT, err, "none of 2 pictures");
    rd_run_clear(&one.run);
    rsd_threads_destroy(&threads);
}

/* Bits per pixel and weighed error of a point. */
static double cost_of(const RdPoint *point)
{
    return point->rate + image_codec_lambda((int)(16 * point->setting->quality)) * 255 * 255 * pow(10, -point->values[0].mean / 10);
}

/* What a search keeps is better in this by the pixels before they become 8 bits. */
Test(rd, an_effort_is_a_codec_of_its_own_and_no_worse_at_any_level, .fini = fixture_close)
{
    static RdRig b;
    static char settings[RD_SETTINGS_SIZE];
    double gain = 0;
    RsdError err = {0};

    rd_rig_open(&b);
    b.codecs[1] = b.codecs[0];
    rd_describe_ours(&b.codecs[1], &b.run.model, 4, settings);
    cr_expect_str_eq(b.codecs[1].title, "residua effort 4");
    cr_expect(strstr(settings, "search of --effort 4") && strstr(b.codecs[0].settings, "quantiser of --effort 2"));
    ASSERT_OK(rd_run(&b.run, NULL, &err), err);
    cr_assert_eq(b.run.n_points, 2 * b.codecs[0].n_settings);
    for (size_t p = 0; p < b.codecs[0].n_settings; p++) {
        const RdPoint *usual = &b.run.points[p], *searched = usual + b.codecs[0].n_settings;

        cr_assert(usual->usable && searched->usable, "level %zu: %s", p, searched->err.text);
        cr_expect_leq(cost_of(searched), 1.002 * cost_of(usual), "level %zu: %g against %g", p, cost_of(searched), cost_of(usual));
        gain += 1 - cost_of(searched) / cost_of(usual);
    }
    cr_expect_gt(gain, 0.01, "%g", gain);
    rd_run_clear(&b.run);
}

/* The third level takes 1.3 times the limit. */
Test(rd, a_search_that_would_be_far_above_the_limit_is_not_begun, .fini = fixture_close)
{
    static RdRig b;
    static char settings[RD_SETTINGS_SIZE];
    const RdPoint *usual, *searched;
    RsdError err = {0};

    rd_rig_open(&b);
    b.codecs[1] = b.codecs[0];
    rd_describe_ours(&b.codecs[1], &b.run.model, 3, settings);
    ASSERT_OK(rd_run(&b.run, NULL, &err), err);
    b.run.max_rate = b.run.points[2].rate / 1.3;
    rd_run_clear(&b.run);
    b.run.n_points = 0;
    ASSERT_OK(rd_run(&b.run, NULL, &err), err);
    usual = b.run.points;
    searched = usual + IMAGE_LEVELS;
    for (int i = 0; i < IMAGE_LEVELS; i++) {
        cr_expect_eq(searched[i].encode_s > 0, usual[i].rate <= 1.25 * b.run.max_rate, "level %d: %g s", i, searched[i].encode_s);
        cr_expect(usual[i].encode_s > 0 && !(searched[i].usable && i >= 2));
    }
    cr_expect(strstr(searched[2].err.text, "without a search"), "%s", searched[2].err.text);
    rd_run_clear(&b.run);
}

/* ---- things that cannot be read, and large ones ---- */

/* The kind of pictures with an open that fails when told to, and that counts. */
static struct {
    atomic_int n_opened, n_inside, n_together;
    int fails_at; /* this call of open, from 1; 0: none */
    RsdStatus failure;
    bool all_large;
} play;

static void enter(void)
{
    const int inside = atomic_fetch_add(&play.n_inside, 1) + 1;

    if (inside > 1)
        atomic_fetch_add(&play.n_together, 1);
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

static RsdStatus open_playing(RdThing *thing, const char *path, const RdRun *run, bool is_alone, RsdError *err)
{
    RsdStatus status;

    if (play.all_large && !is_alone)
        return error_set(err, RSD_ERR_MEMORY, "%s: large", path);
    if (atomic_fetch_add(&play.n_opened, 1) + 1 == play.fails_at || (play.fails_at && play.failure == RSD_ERR_MEMORY && is_alone))
        return error_set(err, play.failure, "%s: not this time", path);
    enter();
    status = rd_kind_picture.open(thing, path, run, true, err);
    atomic_fetch_sub(&play.n_inside, 1);
    return status;
}

static RsdStatus try_playing(RdTrial *t, const RdRun *run, const RdCodec *codec, const RdSetting *setting, const RdThing *thing,
                             Tape *tape, RsdError *err)
{
    (void)run, (void)tape, (void)err;
    enter();
    t->n_bytes = 1000 + 100 * (int64_t)(setting - codec->ladder);
    t->encode_s = t->decode_s = 1;
    t->amount = thing->amount;
    for (size_t m = 0; m < 2; m++)
        t->values[m].value = 1.0 + (double)(setting - codec->ladder);
    atomic_fetch_sub(&play.n_inside, 1);
    return RSD_OK;
}

static RsdStatus play_run(RdRig *b, RsdThreads *threads, RsdError *err)
{
    static RdKind kind;

    kind = rd_kind_picture;
    kind.open = open_playing;
    kind.try = try_playing;
    b->run.kind = &kind;
    atomic_store(&play.n_opened, 0);
    atomic_store(&play.n_together, 0);
    return rd_run(&b->run, threads, err);
}

Test(rd, a_picture_that_one_codec_could_not_open_counts_for_none, .fini = fixture_close)
{
    static RdRig b;
    RsdError err = {0};

    rd_rig_open(&b);
    play.fails_at = 4; /* the second picture for the second codec */
    play.failure = RSD_ERR_IO;
    ASSERT_OK(play_run(&b, NULL, &err), err);
    cr_expect_eq(b.run.n_missing, 1);
    for (size_t p = 0; p < b.run.n_points; p++) {
        const size_t step = p < IMAGE_LEVELS ? p : p - IMAGE_LEVELS;

        cr_expect(b.run.points[p].usable && b.run.points[p].values[0].n == 1, "point %zu over %zu pictures", p,
                  b.run.points[p].values[0].n);
        cr_expect(fabs(b.run.points[p].encode_s - 1) < 1e-9, "point %zu: %g s", p, b.run.points[p].encode_s);
        cr_expect(fabs(b.run.points[p].rate - 8.0 * (1000 + 100 * (double)step) / RD_RIG_PIXELS) < 1e-9, "point %zu: %g", p,
                  b.run.points[p].rate);
    }
    rd_run_clear(&b.run);
}

Test(rd, memory_that_is_out_ends_the_run_and_names_the_picture, .fini = fixture_close)
{
    static RdRig b;
    RsdError err = {0};

    rd_rig_open(&b);
    play.fails_at = 3;
    play.failure = RSD_ERR_MEMORY;
    ASSERT_FAILS(play_run(&b, NULL, &err), RSD_ERR_MEMORY, err, "a.png: not this time");
    rd_run_clear(&b.run);
}

Test(rd, large_pictures_are_in_memory_one_at_a_time, .fini = fixture_close)
{
    static RdRig b;
    RsdThreads *threads;
    RsdError err = {0};

    rd_rig_open(&b);
    ASSERT_OK(rsd_threads_create(&threads, 4, &err), err);
    play.fails_at = 0;
    play.all_large = false;
    ASSERT_OK(play_run(&b, threads, &err), err);
    cr_expect_gt(atomic_load(&play.n_together), 0, "four threads never met: this test sees nothing");
    rd_run_clear(&b.run);
    b.run.n_points = b.run.n_missing = 0;
    play.all_large = true;
    ASSERT_OK(play_run(&b, threads, &err), err);
    cr_expect_eq(atomic_load(&play.n_together), 0);
    cr_expect_eq(b.run.n_missing, 0);
    rd_run_clear(&b.run);
    rsd_threads_destroy(&threads);
}

Test(rd, a_picture_above_four_million_pixels_waits_to_be_alone, .fini = fixture_close)
{
    const RdRun run = {.console = &(Console){.quiet = true}};
    RdThing thing = {0};
    Image *image;
    char path[512];
    RsdError err = {0};

    fixture_open();
    snprintf(path, sizeof path, "%s", fixture_path("large.png"));
    ASSERT_OK(image_create(&image, 2049, 2049, 1, 8, false, &err), err);
    ASSERT_OK(image_write(image, path, NULL, &err), err);
    image_destroy(&image);
    ASSERT_FAILS(rd_kind_picture.open(&thing, path, &run, false, &err), RSD_ERR_MEMORY, err, "2049 x 2049");
    cr_expect(!thing.samples && !thing.image);
    ASSERT_OK(rd_kind_picture.open(&thing, path, &run, true, &err), err);
    cr_expect_eq(thing.n, 2049 * 2049);
    mem_free(&thing.samples);
    image_destroy(&thing.image);
}

/* ---- equal rates ---- */

#define GAIN_DB 2.0  /* of the first codec */
#define SMALLER 0.6  /* what the second picture takes of the first one's bits, from the second codec */
#define DEAREST 1.0  /* bpp of the last setting */

static double level_db(bool is_first_picture, bool is_first_codec, double bpp)
{
    return (is_first_picture ? 30 : 40) + (is_first_codec ? GAIN_DB : 0) + 10 * log10(bpp);
}

/* The first codec's dial is a rate, the second one's a quality; on every picture the first is better by GAIN_DB at any rate. */
static RsdStatus try_known_curve(RdTrial *t, const RdRun *run, const RdCodec *codec, const RdSetting *setting, const RdThing *thing,
                                 Tape *tape, RsdError *err)
{
    const bool is_first_picture = thing->image->width == RD_RIG_WIDTH, is_first_codec = codec == run->codecs;
    const double step = (double)(setting - codec->ladder) / (double)(codec->n_settings - 1);
    const double asked = DEAREST * pow(0.1, 1 - step) * (is_first_codec || is_first_picture ? 1 : SMALLER);
    double db;

    (void)tape, (void)err;
    t->n_bytes = (int64_t)(asked * thing->amount / 8);
    t->encode_s = t->decode_s = 1;
    db = level_db(is_first_picture, is_first_codec, 8.0 * (double)t->n_bytes / thing->amount);
    t->values[0].value = db;
    t->values[1].value = -db; /* of a metric that is better when lower */
    return RSD_OK;
}

Test(rd, at_equal_rates_each_picture_counts_by_its_own_curve, .fini = fixture_close)
{
    static RdRig b;
    RdKind kind = rd_kind_picture;
    Image *image;
    char second[512];
    RsdError err = {0};

    rd_rig_open(&b);
    snprintf(second, sizeof second, "%s", fixture_path("b.png"));
    ASSERT_OK(image_create(&image, 2 * RD_RIG_WIDTH, RD_RIG_HEIGHT, 3, 8, false, &err), err);
    ASSERT_OK(image_write(image, second, NULL, &err), err);
    image_destroy(&image);
    b.paths[1] = second;
    kind.try = try_known_curve;
    b.run.kind = &kind;
    b.run.max_rate = 0.9 * DEAREST; /* leaves the first codec's last point out; its curve of each picture has it */
    ASSERT_OK(rd_run(&b.run, NULL, &err), err);
    cr_assert(b.run.points[b.codecs[0].n_settings - 1].too_dear && b.run.points[b.run.n_points - 1].usable);
    for (size_t k = 0; k < RD_N_MARKS; k++) {
        const double bpp = kind.marks[k];
        const bool reaches_both = bpp < SMALLER * DEAREST - 0.01;

        for (size_t m = 0; m < 2; m++) {
            cr_expect_eq(rd_count_at_mark(&b.run, m, k), reaches_both ? 2 : 1, "mark %g", bpp);
            for (size_t c = 0; c < 2; c++) {
                const double first = level_db(true, c == 0, bpp), db = reaches_both ? 0.5 * (first + level_db(false, c == 0, bpp)) : first;

                cr_expect(fabs(rd_each_at_mark(&b.run, c, m, k)->mean - (m ? -db : db)) < 1e-9, "codec %zu, metric %zu, mark %g: %g, not %g",
                          c, m, bpp, rd_each_at_mark(&b.run, c, m, k)->mean, m ? -db : db);
            }
        }
    }
    /* the curves of the means differ by more, without any picture that does */
    cr_expect_gt(rd_at_mark(&b.run, 0, 0, 1) - rd_at_mark(&b.run, 1, 0, 1), GAIN_DB + 0.1);
    rd_run_clear(&b.run);
}

Test(rd, a_codec_that_codes_nothing_does_not_keep_others_from_being_compared, .fini = fixture_close)
{
    static RdRig b;
    static const PeerFormat unknown = {.encoder = "no-such-encoder", .dial = "q", .pixels = "rgb24"};
    const Interval *each;
    size_t n_reached = 0;
    RsdError err = {0};

    rd_rig_open(&b);
    b.codecs[1].peer = &unknown;
    ASSERT_OK(rd_run(&b.run, NULL, &err), err);
    for (size_t k = 0; k < RD_N_MARKS; k++) {
        cr_expect_eq(rd_each_at_mark(&b.run, 1, 0, k)->n, 0);
        each = rd_each_at_mark(&b.run, 0, 0, k);
        n_reached += each->n;
        if (each->n) /* twice the same picture: the mean is its own curve */
            cr_expect(each->n == 2 && fabs(each->mean - rd_at_mark(&b.run, 0, 0, k)) < 1e-9 && each->half_width < 1e-9);
    }
    cr_expect_gt(n_reached, 0, "no mark is reached: this test sees nothing");
    rd_run_clear(&b.run);
}

Test(rd, json_has_codecs_points_and_comparisons, .fini = fixture_close)
{
    static RdRig b;
    size_t n_codecs = 0, n_points = 0, n_rates = 0, n_comparisons = 0, size = 0;
    char *text = NULL;
    FILE *out = open_memstream(&text, &size);
    RsdError err = {0};

    rd_rig_open(&b);
    b.run.max_rate = 1.0;
    ASSERT_OK(rd_run(&b.run, NULL, &err), err);
    rd_print_json(&b.run, out);
    fclose(out);
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        json_t *object = json_loads(line, 0, NULL);
        const char *type = json_string_value(json_object_get(object, "type"));

        cr_assert(object && type, "%s", line);
        cr_expect_eq(json_integer_value(json_object_get(object, "schema")), 1);
        cr_expect(json_is_string(json_object_get(object, "codec")));
        if (strcmp(type, "codec") == 0) {
            n_codecs++;
            cr_expect(json_is_string(json_object_get(object, "settings")));
            cr_expect_str_eq(json_string_value(json_object_get(object, "kind")), "image");
        } else if (strcmp(type, "point") == 0 && !json_object_get(object, "error")) {
            n_points++;
            cr_expect_leq(json_number_value(json_object_get(object, "bpp")), 1.0);
            cr_expect(json_is_real(json_object_get(json_object_get(json_object_get(object, "metrics"), "gmsd"), "mean")));
            cr_expect_gt(json_number_value(json_object_get(object, "encode_s")), 0);
        } else if (strcmp(type, "equal_rate") == 0) {
            n_rates++;
            cr_expect(json_is_string(json_object_get(object, "metric")) && json_is_number(json_object_get(object, "bpp")));
            cr_expect_eq(json_is_null(json_object_get(object, "each_mean")), json_integer_value(json_object_get(object, "each_n")) == 0);
            cr_expect(json_object_get(object, "of_means") && json_object_get(object, "each_half_width_95"));
        } else if (strcmp(type, "bd_rate") == 0) {
            n_comparisons++;
            cr_expect(json_is_string(json_object_get(object, "anchor")) && json_object_get(object, "each_percent"));
        } else {
            cr_expect(strstr(json_string_value(json_object_get(object, "error")), "more than was asked for"));
        }
        json_decref(object);
    }
    free(text);
    cr_expect_eq(n_codecs, 2);
    cr_expect_geq(n_points, 2);
    cr_expect_eq(n_rates, 2 * 2 * RD_N_MARKS);
    cr_expect_eq(n_comparisons, 4, "2 anchors, 1 other codec, 2 metrics; not %zu", n_comparisons);
    rd_run_clear(&b.run);
}

Test(rd, svg_has_a_line_for_each_codec_in_each_panel, .fini = fixture_close)
{
    static RdRig b;
    size_t n_lines = 0, size = 0;
    char *text = NULL;
    FILE *out = open_memstream(&text, &size);
    RsdError err = {0};

    rd_rig_open(&b);
    ASSERT_OK(rd_run(&b.run, NULL, &err), err);
    rd_print_svg(&b.run, out);
    fclose(out);
    for (const char *at = text; (at = strstr(at, "<polyline")) != NULL; at++)
        n_lines++;
    cr_expect_eq(n_lines, 4);
    cr_expect(strstr(text, "bits per pixel") && strstr(text, "PSNR (dB)") && strstr(text, "</svg>"));
    cr_expect_null(strstr(text, "nan"));
    free(text);
    rd_run_clear(&b.run);
}
