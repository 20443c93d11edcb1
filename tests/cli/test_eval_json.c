/* test_eval_json.c - every line of `residua eval --json` against the schema that its help states.
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/eval_print.h"
#include "losses/audio_metric.h"
#include "losses/image_metric.h"
#include "media/audio_writer.h"
#include "media/image_writer.h"
#include "tests/losses/pictures.h"
#include "tests/losses/signals.h"
#include "tests/shared.h"

#define LEN 16000

static void write_wav(const char *path, const float *x, int channels)
{
    AudioWriterOptions options = {16000, channels, SAMPLE_F32, true, LEN};
    AudioWriter *writer = NULL;
    RsdError err = {0};

    ASSERT_OK(audio_writer_open(&writer, path, &options, &err), err);
    ASSERT_OK(audio_writer_write(writer, x, LEN, LEN, &err), err);
    ASSERT_OK(audio_writer_finish(writer, &err), err);
    audio_writer_close(&writer);
}

static json_t *next_line(FILE *pipe, char *text, int size)
{
    json_t *object;
    json_error_t error;

    if (!fgets(text, size, pipe))
        return NULL;
    object = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    cr_assert(object, "%s in %s", error.text, text);
    cr_assert_eq(json_integer_value(json_object_get(object, "schema")), EVAL_SCHEMA);
    return object;
}

static void assert_number(const json_t *object, const char *key, bool may_be_null)
{
    const json_t *value = json_object_get(object, key);

    cr_assert(json_is_number(value) || (may_be_null && json_is_null(value)), "%s is no number", key);
}

static void check_pair(const json_t *pair, int channels)
{
    static const char *const texts[] = {"name", "ref", "dist"};
    static const char *const numbers[] = {"rate_hz",      "channels",      "samples",    "ref_samples",
                                          "dist_samples", "delay_samples", "correlation"};
    static const char *const loudness[] = {"ref_loudness_lufs", "dist_loudness_lufs", "ref_true_peak_dbtp",
                                           "dist_true_peak_dbtp"};
    const json_t *metrics = json_object_get(pair, "metrics");
    const AudioMetric *metric;

    cr_assert_str_eq(json_string_value(json_object_get(pair, "type")), "pair");
    cr_assert_str_eq(json_string_value(json_object_get(pair, "kind")), "audio");
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        cr_assert(json_is_string(json_object_get(pair, texts[i])), "%s", texts[i]);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        assert_number(pair, numbers[i], false);
    for (size_t i = 0; i < sizeof loudness / sizeof *loudness; i++)
        assert_number(pair, loudness[i], true);
    for (size_t i = 0; (metric = audio_metric_at(i)) != NULL; i++) {
        const json_t *entry = json_object_get(metrics, metric->name), *each = json_object_get(entry, "channels");

        cr_assert(json_is_object(entry), "%s is missing", metric->name);
        assert_number(entry, "value", true);
        cr_assert_str_eq(json_string_value(json_object_get(entry, "unit")), metric->unit);
        cr_assert(json_object_get(entry, "flag") != NULL);
        cr_assert_eq(json_array_size(each), channels > 1 && metric->function ? (size_t)channels : 0, "%s",
                     metric->name);
    }
}

static void check_quantiles(const json_t *entry)
{
    const json_t *quantiles = json_object_get(entry, "quantiles");

    cr_assert_eq(json_object_size(quantiles), N_QUANTILES);
    for (int i = 0; i < N_QUANTILES; i++)
        assert_number(quantiles, quantile_names[i], true);
}

/* --per-frame and --per-tile: n_parts numbers or nulls of every metric, and their quantiles. */
static void check_parts(const json_t *pair, const char *key, size_t n_parts, const char *const *facts)
{
    const json_t *parts = json_object_get(pair, key), *entry;
    const char *name;

    cr_assert_eq(json_integer_value(json_object_get(parts, "n")), (json_int_t)n_parts);
    for (; *facts; facts++)
        assert_number(parts, *facts, false);
    json_object_foreach(json_object_get(pair, "metrics"), name, entry)
    {
        const json_t *values = json_object_get(entry, key);

        cr_assert_eq(json_array_size(values), n_parts, "%s of %s", key, name);
        for (size_t i = 0; i < n_parts; i++)
            cr_assert(json_is_number(json_array_get(values, i)) || json_is_null(json_array_get(values, i)));
        check_quantiles(entry);
    }
}

static void check_summary(const json_t *summary)
{
    const AudioMetric *metric;

    cr_assert_str_eq(json_string_value(json_object_get(summary, "type")), "summary");
    cr_assert_eq(json_integer_value(json_object_get(summary, "pairs")), 3);
    cr_assert_eq(json_integer_value(json_object_get(summary, "failed")), 1);
    cr_assert_eq(json_integer_value(json_object_get(summary, "limits_missed")), 0);
    for (size_t i = 0; (metric = audio_metric_at(i)) != NULL; i++) {
        const json_t *entry = json_object_get(json_object_get(summary, "metrics"), metric->name);

        cr_assert(json_is_object(entry), "%s is missing", metric->name);
        assert_number(entry, "mean", true);
        assert_number(entry, "half_width_95", true);
        check_quantiles(entry);
        cr_assert(json_is_integer(json_object_get(entry, "n")));
        cr_assert(json_is_string(json_object_get(entry, "unit")) && json_is_string(json_object_get(entry, "better")));
    }
}

Test(eval, json_follows_its_schema)
{
    static float x[2 * LEN], y[2 * LEN];
    static char text[1 << 16], command[3 * SHARED_PATH_SIZE];
    char folder[] = "/tmp/residua-eval-XXXXXX", path[64];
    SharedPath build;
    FILE *pipe;
    json_t *line;
    int code;

    signal_speech_like(x, LEN, 16000, 1);
    signal_speech_like(x + LEN, LEN, 16000, 2);
    signal_disturb(y, x, 2 * LEN, 3, 0.01f);
    cr_assert_not_null(mkdtemp(folder));
    snprintf(command, sizeof command, "cd %s && mkdir a b && echo none >a/3.wav && echo none >b/3.wav", folder);
    cr_assert_eq(system(command), 0);
    for (int i = 0; i < 4; i++) {
        snprintf(path, sizeof path, "%s/%c/%d.wav", folder, 'a' + i / 2, 1 + i % 2);
        write_wav(path, i < 2 ? x : y, 1 + i % 2);
    }
    snprintf(command, sizeof command,
             "PATH=\"$(realpath '%s'):$PATH\" && cd %s && residua eval -q --json -m all --per-frame 0.3s a b 2>/dev/null",
             build_path(&build, ""), folder);
    pipe = popen(command, "r");
    cr_assert_not_null(pipe);
    for (int i = 1; i <= 2; i++) {
        cr_assert_not_null(line = next_line(pipe, text, sizeof text));
        check_pair(line, i);
        check_parts(line, "frames", 3, (const char *const[]){"length_s", NULL});
        cr_assert_eq(json_array_size(json_object_get(json_object_get(line, "frames"), "band_hz")), 15);
        cr_assert_eq(json_array_size(json_object_get(json_object_get(json_object_get(line, "metrics"), "stoi"), "bands")), 15);
        json_decref(line);
    }
    cr_assert_not_null(line = next_line(pipe, text, sizeof text));
    cr_assert(json_is_string(json_object_get(line, "status")) && json_is_string(json_object_get(line, "error")));
    json_decref(line);
    cr_assert_not_null(line = next_line(pipe, text, sizeof text));
    check_summary(line);
    json_decref(line);
    cr_assert_null(next_line(pipe, text, sizeof text));
    code = pclose(pipe);
    cr_assert(WIFEXITED(code) && WEXITSTATUS(code) == 1, "exit %d", code);
    snprintf(command, sizeof command, "rm -r %s", folder);
    cr_expect_eq(system(command), 0);
}

static void write_picture(const char *path, int channels, int bits)
{
    static float x[3 * 40 * 30];
    RsdError err = {0};
    Image *image;

    picture_natural(x, 30, 40, (uint32_t)bits);
    ASSERT_OK(image_from_float(&image, x, NULL, 40, 30, channels, bits, &err), err);
    ASSERT_OK(image_write(image, path, NULL, &err), err);
    image_destroy(&image);
}

static void check_picture_pair(const json_t *pair, int channels)
{
    static const char *const texts[] = {"name", "ref", "dist", "ref_format", "dist_format"};
    static const char *const numbers[] = {"width", "height", "channels", "ref_bits", "dist_bits"};
    const ImageMetric *metric;

    cr_assert_str_eq(json_string_value(json_object_get(pair, "kind")), "image");
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        cr_assert(json_is_string(json_object_get(pair, texts[i])), "%s", texts[i]);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        assert_number(pair, numbers[i], false);
    assert_number(pair, "alpha_l1", true);
    cr_assert_eq(json_integer_value(json_object_get(pair, "channels")), channels);
    for (size_t i = 0; (metric = image_metric_at(i)) != NULL; i++) {
        const json_t *entry = json_object_get(json_object_get(pair, "metrics"), metric->name), *each;

        cr_assert(json_is_object(entry), "%s is missing", metric->name);
        assert_number(entry, "value", *metric->needs != '\0');
        cr_assert_str_eq(json_string_value(json_object_get(entry, "unit")), metric->unit);
        cr_assert(json_object_get(entry, "flag") != NULL);
        cr_assert(json_is_null(json_object_get(entry, "value")) == (*metric->needs != '\0'), "%s", metric->name);
        each = json_object_get(entry, "channels");
        cr_assert_eq(json_array_size(each), channels == 3 && metric->by_channel ? 3 : 0, "%s", metric->name);
    }
}

Test(eval, json_of_pictures_follows_its_schema)
{
    static char text[1 << 16], command[3 * SHARED_PATH_SIZE];
    char folder[] = "/tmp/residua-eval-XXXXXX", path[64];
    SharedPath build;
    FILE *pipe;
    json_t *line;
    int code;

    cr_assert_not_null(mkdtemp(folder));
    snprintf(command, sizeof command, "cd %s && mkdir a b", folder);
    cr_assert_eq(system(command), 0);
    for (int i = 0; i < 4; i++) {
        snprintf(path, sizeof path, "%s/%c/%d.png", folder, 'a' + i / 2, 1 + i % 2);
        write_picture(path, i % 2 ? 3 : 1, i < 2 ? 8 : 16);
    }
    snprintf(command, sizeof command, "PATH=\"$(realpath '%s'):$PATH\" && cd %s && residua eval -q --json -m all --per-tile 16 a b",
             build_path(&build, ""), folder);
    pipe = popen(command, "r");
    cr_assert_not_null(pipe);
    for (int i = 0; i < 2; i++) {
        cr_assert_not_null(line = next_line(pipe, text, sizeof text));
        check_picture_pair(line, i ? 3 : 1);
        check_parts(line, "tiles", 2, (const char *const[]){"side", "columns", NULL});
        json_decref(line);
    }
    cr_assert_not_null(line = next_line(pipe, text, sizeof text));
    cr_assert_str_eq(json_string_value(json_object_get(line, "type")), "summary");
    cr_assert_str_eq(json_string_value(json_object_get(line, "kind")), "image");
    cr_assert_eq(json_integer_value(json_object_get(line, "pairs")), 2);
    json_decref(line);
    code = pclose(pipe);
    cr_assert(WIFEXITED(code) && WEXITSTATUS(code) == 0, "exit %d", code);
    snprintf(command, sizeof command, "rm -r %s", folder);
    cr_expect_eq(system(command), 0);
}
