/* test_report.c - the pages of `residua eval --report`, `bench rd --report` and `residua report`: their data, and their behaviour in
 * headless Chromium.
 *
 * The data are read with jansson. The browser opens the page in a wide and in a narrow window and does what a reader does
 * (setup/drive-report.html); without Chromium (Debian package chromium) that part is skipped, which a line on standard
 * error says.
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/mem.h"
#include "media/audio_writer.h"
#include "media/image_writer.h"
#include "tests/losses/pictures.h"
#include "tests/losses/signals.h"
#include "tests/shared.h"

#define LEN 160000
#define N_PAIRS 3
#define WIDE 1200
#define HIGH 100
#define PAGE_SIZE ((size_t)16 << 20)
#define COMMAND_SIZE (4 * SHARED_PATH_SIZE)

static float x[LEN], y[LEN];
static char folder[64];

static void write_wav(char side, int number, const float *samples)
{
    AudioWriterOptions options = {16000, 1, SAMPLE_S16, true, LEN};
    AudioWriter *writer = NULL;
    char path[128];
    RsdError err = {0};

    snprintf(path, sizeof path, "%s/%c/%d.wav", folder, side, number);
    ASSERT_OK(audio_writer_open(&writer, path, &options, &err), err);
    ASSERT_OK(audio_writer_write(writer, samples, LEN, LEN, &err), err);
    ASSERT_OK(audio_writer_finish(writer, &err), err);
    audio_writer_close(&writer);
}

/* The middle pair is the worst. */
static void make_pairs(void)
{
    static const float noise[N_PAIRS] = {0.01f, 0.2f, 0.05f};
    char command[256];

    strcpy(folder, "/tmp/residua-report-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    snprintf(command, sizeof command, "mkdir %s/a %s/b", folder, folder);
    cr_assert_eq(system(command), 0);
    for (int i = 0; i < N_PAIRS; i++) {
        signal_speech_like(x, LEN, 16000, (uint32_t)i);
        signal_disturb(y, x, LEN, 10, noise[i]);
        write_wav('a', i + 1, x);
        write_wav('b', i + 1, y);
    }
}

/* Pictures beside them, the second is the worst again; the third is larger than what is shown, and wrong at its lower right. */
static void make_pictures(void)
{
    static const float noise[N_PAIRS] = {0.05f, 0.3f, 0.02f};
    static float ref[3 * WIDE * HIGH], dist[3 * WIDE * HIGH];
    RsdError err = {0};
    char path[128];

    for (int i = 0; i < N_PAIRS; i++) {
        const int64_t w = i == 2 ? WIDE : 200, h = i == 2 ? HIGH : 150;

        picture_natural(ref, h, w, (uint32_t)i);
        picture_disturb(dist, ref, h, w, (uint32_t)(5 + i), noise[i]);
        for (int64_t row = h / 2; i == 2 && row < h; row++)
            dist[row * w + w - 1 - row % 50] = 1.0f;
        for (int side = 0; side < 2; side++) {
            Image *image;

            ASSERT_OK(image_from_float(&image, side ? dist : ref, NULL, w, h, 3, 8, &err), err);
            snprintf(path, sizeof path, "%s/%c/%d.png", folder, 'a' + side, i + 1);
            ASSERT_OK(image_write(image, path, NULL, &err), err);
            image_destroy(&image);
        }
    }
}

static int run_in_folder(const char *command)
{
    static char whole[COMMAND_SIZE];
    SharedPath build, source;
    int len = snprintf(whole, sizeof whole, "PATH=\"$(realpath '%s'):$PATH\" SOURCE=$(realpath '%s') && cd %s && %s",
                       build_path(&build, ""), source_path(&source, ""), folder, command);

    cr_assert(len > 0 && (size_t)len < sizeof whole);
    return system(whole);
}

static void remove_pairs(void)
{
    char command[256];

    snprintf(command, sizeof command, "rm -r %s", folder);
    cr_expect_eq(system(command), 0);
}

static char *read_page(const char *name)
{
    char path[256], *text = calloc(1, PAGE_SIZE);
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    file = fopen(path, "rb");
    cr_assert(file && text, "%s is missing", path);
    cr_assert_lt(fread(text, 1, PAGE_SIZE - 1, file), PAGE_SIZE - 1);
    fclose(file);
    return text;
}

/* The object inside the page. */
static json_t *data_of(const char *page)
{
    const char *mark = "type=\"application/json\">", *from = strstr(page, mark), *to;
    json_error_t error;
    json_t *data;

    cr_assert(from);
    from += strlen(mark);
    to = strstr(from, "</script>");
    cr_assert(to);
    data = json_loadb(from, (size_t)(to - from), JSON_REJECT_DUPLICATES, &error);
    cr_assert(data, "%s", error.text);
    return data;
}

static bool is_data_uri(const json_t *object, const char *key, const char *type)
{
    const char *text = json_string_value(json_object_get(object, key));
    char begin[64];

    snprintf(begin, sizeof begin, "data:%s;base64,", type);
    return text && strncmp(text, begin, strlen(begin)) == 0 && strlen(text) > strlen(begin) + 100;
}

Test(report, holds_values_pictures_and_players_of_the_worst)
{
    static const char *const pictures[] = {"ref", "dist", "difference"};
    const json_t *part, *pairs, *sound;
    json_t *data;
    char *page;

    make_pairs();
    cr_assert_eq(run_in_folder("residua eval -q -m estoi,snr --report r.html --report-details 1 a b >out"), 0);
    page = read_page("r.html");
    data = data_of(page);
    cr_assert_eq(json_array_size(json_object_get(data, "parts")), 1);
    part = json_array_get(json_object_get(data, "parts"), 0);
    pairs = json_object_get(part, "pairs");
    cr_assert_eq(json_array_size(pairs), N_PAIRS);
    cr_assert_eq(json_array_size(json_object_get(part, "metrics")), 2);
    cr_assert_eq(json_array_size(json_object_get(part, "means")), 2);
    for (size_t i = 0; i < N_PAIRS; i++) {
        const json_t *pair = json_array_get(pairs, i);

        cr_assert_eq(json_array_size(json_object_get(pair, "texts")), 2);
        cr_assert_eq(json_object_get(pair, "sound") != NULL, i == 1, "pair %zu", i);
    }
    sound = json_object_get(json_array_get(pairs, 1), "sound");
    for (size_t i = 0; i < 3; i++)
        cr_assert(is_data_uri(sound, pictures[i], "image/png"), "%s", pictures[i]);
    cr_assert(is_data_uri(sound, "ref_wav", "audio/wav") && is_data_uri(sound, "dist_wav", "audio/wav"));
    cr_assert_null(strstr(page, "http://www.w3.org/1999"));
    cr_assert_null(strstr(page, "src=\"http"));
    json_decref(data);
    free(page);
    remove_pairs();
}

Test(report, holds_pictures_and_maps_of_the_worst)
{
    static const char *const pictures[] = {"ref", "dist", "difference"};
    const json_t *parts, *part, *picture;
    json_t *data;
    char *page;

    make_pairs();
    make_pictures();
    cr_assert_eq(run_in_folder("residua eval -q -m psnr,snr --report r.html --report-details 3 a b >out"), 0);
    page = read_page("r.html");
    data = data_of(page);
    parts = json_object_get(data, "parts");
    cr_assert_eq(json_array_size(parts), 2);
    cr_assert_str_eq(json_string_value(json_object_get(json_array_get(parts, 0), "kind")), "audio");
    part = json_array_get(parts, 1);
    cr_assert_str_eq(json_string_value(json_object_get(part, "kind")), "image");
    cr_assert_eq(json_array_size(json_object_get(part, "metrics")), 1);
    for (size_t i = 0; i < N_PAIRS; i++) {
        picture = json_object_get(json_array_get(json_object_get(part, "pairs"), i), "picture");
        for (size_t k = 0; k < 3; k++)
            cr_assert(is_data_uri(picture, pictures[k], "image/png"), "%s", pictures[k]);
    }
    /* of the wide one 1024 columns are shown, from the last multiple of 16 that leaves room for them */
    cr_expect_eq(json_number_value(json_object_get(picture, "cut_width")), 1024);
    cr_expect_eq(json_number_value(json_object_get(picture, "cut_height")), HIGH);
    cr_expect_eq(json_number_value(json_object_get(picture, "column")), 176);
    cr_expect_gt(json_number_value(json_object_get(picture, "most")), 5);
    json_decref(data);
    free(page);
    cr_assert_eq(run_in_folder("residua eval -q -t 1 --report one.html a b >out"), 0);
    cr_assert_eq(run_in_folder("residua eval -q -t 3 --report three.html a b >out && cmp one.html three.html"), 0);
    remove_pairs();
}

Test(report, keeps_files_that_exist_and_is_the_same_for_any_number_of_threads)
{
    make_pairs();
    cr_assert_eq(run_in_folder("residua eval -q -t 1 --report one.html a b >out"), 0);
    cr_assert_eq(run_in_folder("residua eval -q -t 3 --report three.html a b >out && cmp one.html three.html"), 0);
    cr_assert_neq(run_in_folder("residua eval -q --report one.html a b >out 2>err"), 0);
    cr_assert_eq(run_in_folder("grep -q 'one.html.*exists' err && ! test -s out"), 0);
    cr_assert_eq(run_in_folder("residua eval -q -f --report one.html a b >out"), 0);
    cr_assert_eq(run_in_folder(
                     "residua eval -q --spectrogram s.png a/1.wav b/1.wav >out && head -c 4 s.png | grep -q PNG"),
                 0);
    cr_assert_neq(run_in_folder("residua eval -q --spectrogram t.png a b >out 2>err"), 0);
    cr_assert_eq(run_in_folder("grep -q 'shows one pair' err && ! test -e t.png"), 0);
    remove_pairs();
}

#define CHROMIUM                                                                                                       \
    "timeout 500 chromium --headless --no-sandbox --no-zygote --disable-gpu --disable-dev-shm-usage --mute-audio "     \
    "--allow-file-access-from-files --autoplay-policy=no-user-gesture-required --window-size=1400,1800 "               \
    "--user-data-dir=profile --virtual-time-budget=60000"

static void need_chromium(void)
{
    if (system("command -v chromium >/dev/null") != 0) {
        fprintf(stderr, "skipped: the report in a browser needs chromium (Debian package chromium)\n");
        cr_skip_test("needs chromium");
    }
}

static void drive(const char *page)
{
    char command[1024];

    snprintf(command, sizeof command,
             CHROMIUM " --dump-dom \"file://$SOURCE/tests/cli/setup/drive-report.html#file://$PWD/%s\" >dom 2>chromium.log", page);
    cr_assert_eq(run_in_folder(command), 0, "chromium does not run; see %s/chromium.log", folder);
}

static void expect_line(const char *dom, const char *line)
{
    cr_expect(strstr(dom, line), "the browser did not say '%s' but\n%.3000s", line, dom);
}

/* Each line in both windows, and the end. */
static void expect_lines(const char *const *lines, size_t n)
{
    char line[160], *dom = read_page("dom");

    for (int size = 1280; size; size = size == 1280 ? 420 : 0)
        for (size_t i = 0; i < n; i++) {
            snprintf(line, sizeof line, "%d %s", size, lines[i]);
            expect_line(dom, line);
        }
    expect_line(dom, "done");
    free(dom);
}

Test(report, can_be_read_sorted_and_heard_in_a_browser, .timeout = 600)
{
    static const char *const lines[] = {
        "fits: true",
        "other theme: true",
        "worst first: 2 3 1",
        "by name: 1 2 3",
        "by name, down: 3 2 1, descending",
        "opened: 3",
        "slider: inset(0px 0px 0px 50%) becomes inset(0px 0px 0px 25%)",
        "zoom: 4 and 4 times",
        "zoomed, fits: true",
        "bars: true, dots: 3",
        "playing: true true, heard: false true",
        "swapped, heard: true false",
        "stopped: true true",
        "pictures: true true true",
    };

    need_chromium();
    make_pairs();
    cr_assert_eq(run_in_folder("residua eval -q -m estoi,snr --report r.html a b >out"), 0);
    drive("r.html");
    expect_lines(lines, sizeof lines / sizeof *lines);
    remove_pairs();
}

Test(report, pictures_can_be_sorted_wiped_and_zoomed_in_a_browser, .timeout = 600)
{
    static const char *const lines[] = {
        "fits: true",
        "other theme: true",
        "parts: 3 recordings, 3 pictures",
        "worst first: 2 1 3",
        "by name, down: 3 2 1, descending",
        "opened: 3",
        "bars: true, dots: 3",
        "slider: inset(0px 0px 0px 50%) becomes inset(0px 0px 0px 25%)",
        "zoom: 4 and 4 times",
        "zoomed, fits: true",
        "pictures: true true true",
    };

    need_chromium();
    make_pairs();
    make_pictures();
    cr_assert_eq(run_in_folder("residua eval -q -m psnr,ssim,snr --report r.html a b >out"), 0);
    drive("r.html");
    expect_lines(lines, sizeof lines / sizeof *lines);
    remove_pairs();
}

Test(report, curves_can_be_hidden_and_chosen_in_a_browser, .timeout = 600)
{
    char *dom;

    need_chromium();
    make_pairs();
    make_pictures();
    cr_assert_eq(run_in_folder("residua bench rd -q --kind image -m psnr,gmsd --codecs jpeg,webp --anchor jpeg,webp --report r.html a >out"), 0);
    drive("r.html");
    dom = read_page("dom");
    expect_line(dom, "1280 curves: 2, one hidden: 1");
    expect_line(dom, "420 metric: PSNR over rate becomes GMSD over rate");
    expect_line(dom, "1280 anchor: JPEG, another comparison: true");
    expect_line(dom, "420 quality at 4 rates of 2 codecs");
    expect_line(dom, "420 each by itself at 0.2 (0), 0.3 (3), 0.5 (3), 0.75 (3) of 2 codecs");
    expect_line(dom, "1280 fits: true");
    expect_line(dom, "420 fits: true");
    expect_line(dom, "done");
    free(dom);
    remove_pairs();
}

/* Two runs in the folder: "one" and "two", of which the second was resumed. */
static void train_two(void)
{
    make_pairs();
    cr_assert_eq(run_in_folder("cp a/1.wav a/4.wav && residua train -q $SOURCE/samples/train-tiny.ini -t 1 --data a --out one"), 0);
    cr_assert_eq(run_in_folder("residua train -q $SOURCE/samples/train-tiny.ini -t 1 --data a --out two --set train.steps=30 && "
                               "residua train -q $SOURCE/samples/train-tiny.ini -t 1 --data a --out two --set train.steps=40 "
                               "--resume 2>err"), 0);
}

/* A line of 5 and a plane of 3 x 3 points, that of 0 in both; trained weights lie low in it. */
static void expect_slice(const char *name)
{
    char *page = read_page(name);
    json_t *data = data_of(page);
    const json_t *slice = json_object_get(json_array_get(json_object_get(data, "runs"), 0), "landscape");
    const json_t *line = json_object_get(slice, "line"), *plane = json_object_get(slice, "plane");
    double centre = json_real_value(json_array_get(line, 2));

    cr_assert_eq(json_array_size(line), 5);
    cr_assert_eq(json_array_size(plane), 3);
    cr_expect_eq(json_real_value(json_array_get(json_array_get(plane, 1), 1)), centre);
    cr_expect_eq(json_real_value(json_array_get(json_array_get(plane, 1), 0)), json_real_value(json_array_get(line, 0)), "b is 0 there");
    cr_expect_eq(json_integer_value(json_object_get(slice, "step")), 60);
    cr_expect_gt(centre, 0.0);
    cr_expect_gt(json_real_value(json_array_get(line, 0)), centre);
    cr_expect_gt(json_real_value(json_array_get(line, 4)), centre);
    json_decref(data);
    free(page);
}

/* Each run has a folder under its own name, and -f writes it anew. */
static void expect_event_files(void)
{
    static const char *const misplaced[] = {"-o page.html", "-w", "--no-sound", "--landscape a", "--landscape-plane 3"};

    cr_expect_eq(run_in_folder("cat tb/one/*tfevents* >before && residua report -qf --tensorboard tb one && "
                               "cat tb/one/*tfevents* | cmp - before"), 0);
    cr_expect_eq(run_in_folder("mkdir -p other && cp -r two other/one && ! residua report -q --tensorboard pair one other/one 2>err && "
                               "grep -q 'one and other/one would share' err && test ! -e pair"), 0);
    cr_expect_eq(run_in_folder("(cd one && residua report -q --tensorboard ../dots . && mkdir -p below && cd below && "
                               "residua report -q --tensorboard ../../dots ../../two/.) && "
                               "test \"$(ls dots | xargs)\" = 'one two'"), 0);
    for (size_t i = 0; i < sizeof misplaced / sizeof *misplaced; i++) {
        char command[128];

        snprintf(command, sizeof command, "residua report -q --tensorboard none %s -- one 2>err; test $? = 2 -a ! -e none", misplaced[i]);
        cr_expect_eq(run_in_folder(command), 0, "%s", misplaced[i]);
    }
    cr_expect_eq(run_in_folder("residua report -qf --landscape-plane 3 one 2>err; test $? = 2 && grep -q 'are of --landscape' err"), 0);
}

Test(report, prints_tables_to_their_end, .timeout = 600)
{
    need_chromium();
    make_pairs();
    cr_assert_eq(run_in_folder("for i in $(seq 100); do printf 'P5\\n16 16\\n255\\n%256s' | tee a/$i.pgm >b/$i.pgm; done && "
                               "residua eval -q -m psnr --kind image --report-details 0 --report r.html a b >out"), 0);
    cr_assert_eq(run_in_folder(CHROMIUM " --print-to-pdf=r.pdf \"file://$PWD/r.html\" >dom 2>chromium.log"), 0);
    cr_expect_eq(run_in_folder("test $(grep -ao '/Type */Page\\b' r.pdf | wc -l) -ge 3"), 0, "100 rows do not fit on fewer sheets");
    remove_pairs();
}

Test(report, of_runs_holds_their_curves_events_and_samples)
{
    const json_t *runs, *run, *series, *samples;
    json_t *data;
    size_t n_finite = 0;
    char *page;

    train_two();
    cr_assert_eq(run_in_folder("residua report -q one two/"), 0);
    cr_assert_neq(run_in_folder("residua report -q one 2>err"), 0, "a page that exists stays");
    cr_assert_eq(run_in_folder("grep -q 'one/report.html.*exists' err && residua report -qfw one two/"), 0);
    cr_assert_eq(run_in_folder("residua report -q --tensorboard tb one two && ls tb/one/*tfevents* tb/two/*tfevents* >out"), 0);
    cr_assert_neq(run_in_folder("residua report -q --tensorboard tb one 2>err"), 0);
    expect_event_files();
    cr_assert_eq(run_in_folder("residua report -q one -o slice.html --landscape a --landscape-points 5 --landscape-plane 3 --landscape-crops 2 && "
                               "! residua report -q one -o even.html --landscape a --landscape-points 4 2>err && grep -q 'odd number' err && "
                               "! residua report -q two -o none.html --landscape nowhere 2>err && test ! -e none.html && "
                               "! residua report one -o missing/page.html --landscape a 2>err && grep -q 'missing/page.html' err && "
                               "! grep -q 'points of its loss' err && ! residua report one -wo - >out 2>err && test ! -s out && "
                               "residua report -q one -o - >out && grep -q '</html>' out"), 0);
    expect_slice("slice.html");
    cr_assert_neq(run_in_folder("residua report -q a 2>err"), 0);
    cr_assert_eq(run_in_folder("grep -q 'a/log.jsonl.*residua train' err"), 0);
    page = read_page("one/report.html");
    data = data_of(page);
    cr_expect_str_eq(json_string_value(json_object_get(data, "kind")), "run");
    runs = json_object_get(data, "runs");
    cr_assert_eq(json_array_size(runs), 2);
    run = json_array_get(runs, 0);
    cr_expect(json_is_true(json_object_get(run, "ended")));
    cr_expect_eq(json_integer_value(json_object_get(run, "step")), 60);
    series = json_object_get(run, "series");
    cr_assert_gt(json_array_size(series), 20);
    cr_expect_str_eq(json_string_value(json_object_get(json_array_get(series, 0), "name")), "loss.l1");
    cr_expect_eq(json_array_size(json_object_get(json_array_get(series, 0), "steps")), 6);
    for (size_t i = 0; i < 6; i++)
        n_finite += json_real_value(json_array_get(json_object_get(json_array_get(series, 0), "values"), i)) > 0.0;
    cr_expect_eq(n_finite, 6);
    samples = json_object_get(run, "samples");
    cr_assert_eq(json_array_size(samples), 5, "one clip as it is, at 2 rates after 30 and 60 steps; not %zu", json_array_size(samples));
    cr_expect(is_data_uri(json_array_get(samples, 0), "sound", "audio/flac"));
    cr_expect_eq(json_array_size(json_object_get(json_array_get(runs, 1), "events")), 3, "an end, a resume, an end");
    json_decref(data);
    free(page);
    remove_pairs();
}

Test(report, of_runs_can_be_explored_in_a_browser, .timeout = 600)
{
    static const char *const lines[] = {"fits: true",
                                        "other theme: true",
                                        "runs: 2, plots: true, stages: true",
                                        "hover: step 60",
                                        "smoother: true",
                                        "one run hidden: true, stages: true",
                                        "samples: step 30, step 60",
                                        "another sample: true",
                                        "lengths: 1.00 1.00",
                                        "remembered: 0.9 true"};
    char line[128], *dom;

    need_chromium();
    train_two();
    cr_assert_eq(run_in_folder("residua report -q one two -o r.html"), 0);
    drive("r.html");
    dom = read_page("dom");
    for (int size = 1280; size; size = size == 1280 ? 420 : 0)
        for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
            snprintf(line, sizeof line, "%d %s", size, lines[i]);
            expect_line(dom, line);
        }
    expect_line(dom, "done");
    free(dom);
    remove_pairs();
}
