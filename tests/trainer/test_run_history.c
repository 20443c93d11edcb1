/* test_run_history.c - the log read back, and TensorBoard event files read back by a reader of their own.
 *
 * SPDX-License-Identifier: MIT
 */
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "engine/base/bytes.h"
#include "tests/trainer/recordings.h"
#include "trainer/event_file.h"
#include "trainer/run_history.h"
#include "trainer/train_audio.h"

static char dir[RECORDINGS_PATH_SIZE];

static void set_up(void)
{
    recordings_make_folder(dir);
}

static void tear_down(void)
{
    recordings_remove(dir);
}

TestSuite(run_history, .init = set_up, .fini = tear_down);

/* ---- a reader of event files ---- */

typedef struct Scalar {
    char tag[128];
    int64_t step;
    double time;
    float value;
} Scalar;

static Scalar scalars[4096];
static int n_scalars, n_versions;

static uint64_t get_varint(const uint8_t **at)
{
    uint64_t value = 0;

    for (int shift = 0;; shift += 7) {
        uint8_t byte = *(*at)++;

        value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return value;
    }
}

/* The next field of a message: its number, and its content as bytes. */
static int next_field(const uint8_t **at, const uint8_t **content, size_t *size, uint64_t *number)
{
    uint64_t key = get_varint(at);

    *size = key % 8 == 1 ? 8 : key % 8 == 5 ? 4 : 0;
    *number = 0;
    if (key % 8 == 0)
        *number = get_varint(at);
    if (key % 8 == 2)
        *size = get_varint(at);
    *content = *at;
    *at += *size;
    return (int)(key >> 3);
}

static void read_value(const uint8_t *at, size_t size, Scalar *scalar)
{
    const uint8_t *end = at + size, *content;
    uint64_t number;

    while (at < end) {
        int field = next_field(&at, &content, &size, &number);
        uint32_t bits;

        if (field == 1) {
            memcpy(scalar->tag, content, size);
            scalar->tag[size] = '\0';
        } else {
            cr_assert_eq(field, 2);
            bits = get_u32le(content);
            memcpy(&scalar->value, &bits, sizeof bits);
        }
    }
    cr_assert_eq(at, end);
}

static void read_event(const uint8_t *at, size_t size)
{
    const uint8_t *end = at + size, *content, *value, *value_end;
    Scalar scalar = {0};
    uint64_t number, bits;

    while (at < end) {
        int field = next_field(&at, &content, &size, &number);

        if (field == 1) {
            bits = get_u64le(content);
            memcpy(&scalar.time, &bits, sizeof bits);
        } else if (field == 2) {
            scalar.step = (int64_t)number;
        } else if (field == 3) {
            cr_expect(size == 13 && !memcmp(content, "brain.Event:2", 13));
            n_versions++;
        } else if (field == 5) {
            for (value_end = content + size; content < value_end;) {
                cr_assert_eq(next_field(&content, &value, &size, &number), 1);
                read_value(value, size, &scalar);
                cr_assert_lt(n_scalars, (int)(sizeof scalars / sizeof *scalars));
                scalars[n_scalars++] = scalar;
            }
        } else {
            cr_assert_fail("field %d in an Event", field);
        }
    }
    cr_assert_eq(at, end);
}

/* Checks the frame of every record. */
static void read_events(const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t head[12], *data;

    cr_assert(file, "%s", path);
    n_scalars = n_versions = 0;
    while (fread(head, 1, sizeof head, file) == sizeof head) {
        size_t size = get_u64le(head);

        cr_assert_eq(get_u32le(head + 8), event_file_mask(event_file_crc(head, 8)));
        cr_assert_lt(size, 1 << 20);
        data = malloc(size + 4);
        cr_assert_eq(fread(data, 1, size + 4, file), size + 4);
        cr_assert_eq(get_u32le(data + size), event_file_mask(event_file_crc(data, size)));
        read_event(data, size);
        free(data);
    }
    fclose(file);
}

static const Scalar *scalar_of(const char *tag, int64_t step)
{
    for (int i = 0; i < n_scalars; i++)
        if (!strcmp(scalars[i].tag, tag) && scalars[i].step == step)
            return &scalars[i];
    return NULL;
}

/* ---- tests ---- */

Test(run_history, checksums_are_those_of_the_standard)
{
    uint8_t zeros[32] = {0}, rising[32];

    for (int i = 0; i < 32; i++)
        rising[i] = (uint8_t)i;
    cr_expect_eq(event_file_crc("123456789", 9), 0xe3069283u);
    cr_expect_eq(event_file_crc(zeros, 32), 0x8a9136aau, "RFC 3720, B.4");
    cr_expect_eq(event_file_crc(rising, 32), 0x46dd794eu, "RFC 3720, B.4");
    /* A record's length of 24, little-endian, as TensorFlow masks it: its first events begin with these bytes. */
    cr_expect_eq(event_file_mask(event_file_crc("\x18\0\0\0\0\0\0\0", 8)), 0x224b7fa3u);
}

Test(run_history, event_files_hold_what_was_put_in)
{
    char path[2 * RECORDINGS_PATH_SIZE], tag[64];
    EventFile *file;
    RsdError err = {0};

    snprintf(path, sizeof path, "%s/x.tfevents", dir);
    cr_assert_eq(event_file_open(&file, path, 1.5, &err), RSD_OK, "%s", err.text);
    event_file_begin(file, 1234567890.25, 300000000000);
    for (int i = 0; i < 1000; i++) { /* more than one record holds */
        snprintf(tag, sizeof tag, "group/number-of-a-long-name-that-fills-the-room-%d", i);
        event_file_scalar(file, tag, (float)i / 7);
    }
    cr_assert_eq(event_file_end(file, &err), RSD_OK, "%s", err.text);
    event_file_close(&file);
    cr_assert_eq(event_file_open(&file, path, 2.5, &err), RSD_OK, "a file is continued: %s", err.text);
    event_file_begin(file, 1.0, -1);
    event_file_scalar(file, "x", NAN);
    cr_assert_eq(event_file_end(file, &err), RSD_OK);
    event_file_close(&file);
    read_events(path);
    cr_expect_eq(n_versions, 2);
    cr_assert_eq(n_scalars, 1001);
    for (int i = 0; i < 1000; i++) {
        snprintf(tag, sizeof tag, "group/number-of-a-long-name-that-fills-the-room-%d", i);
        cr_assert_str_eq(scalars[i].tag, tag);
        cr_assert_eq(scalars[i].step, 300000000000);
        cr_assert_eq(scalars[i].time, 1234567890.25);
        cr_assert_eq(scalars[i].value, (float)i / 7);
    }
    cr_expect_eq(scalars[1000].step, -1);
    cr_expect(isnan(scalars[1000].value));
}

static void write_log(const char *text)
{
    recordings_write_bytes(dir, "log.jsonl", text, strlen(text));
}

Test(run_history, what_was_done_beyond_a_checkpoint_is_forgotten_on_resume)
{
    RunHistory history;
    const HistorySeries *series;
    RsdError err = {0};

    write_log("{\"type\": \"start\", \"time\": 1, \"step\": 0, \"steps\": 50, \"model\": \"m\"}\n"
              "{\"type\": \"step\", \"time\": 2, \"step\": 10, \"loss\": {\"l1\": 3}, \"usage\": [1, 0.5], \"lr\": null}\n"
              "{\"type\": \"spike\", \"time\": 2, \"step\": 11, \"grad_norm\": 9, \"usual\": 1}\n"
              "{\"type\": \"step\", \"time\": 3, \"step\": 20, \"loss\": {\"l1\": 2}, \"usage\": [0.25]}\n"
              "no JSON\n"
              "{\"type\": \"resume\", \"time\": 1795882043.125, \"step\": 10, \"steps\": 60, \"model\": \"m\"}\n"
              "{\"type\": \"valid\", \"time\": 5, \"step\": 15, \"mel_distance\": {\"6000\": 1.5, \"6000\": 1.5}}\n"
              "{\"type\": \"step\", \"time\": 6, \"step\": 20, \"loss\": {\"l1\": 1}, \"us");
    cr_assert_eq(run_history_read(&history, dir, &err), RSD_OK, "%s", err.text);
    cr_expect_eq(history.n_damaged, 2);
    cr_expect_eq(history.n_steps, 60);
    cr_expect_eq(history.step, 15);
    cr_expect_not(history.ended);
    series = run_history_find(&history, "loss.l1");
    cr_assert(series && series->n == 1);
    cr_expect_eq(series->points[0].value, 3.0f);
    series = run_history_find(&history, "usage.2");
    cr_assert(series && series->n == 1);
    cr_expect_eq(series->points[0].value, 0.5f);
    series = run_history_find(&history, "valid.mel_distance.6000");
    cr_assert(series && series->n == 1 && series->points[0].step == 15);
    cr_expect_null(run_history_find(&history, "lr"), "null is no number");
    cr_assert_eq(history.n_events, 2);
    cr_expect_str_eq(history.events[0].type, "spike");
    cr_expect_eq(history.events[1].time, 1795882043.125);
    run_history_clear(&history);
}

Test(run_history, a_clock_that_jumps_back_changes_no_curve)
{
    char path[2 * RECORDINGS_PATH_SIZE];
    RunHistory history;
    RsdError err = {0};

    write_log("{\"type\": \"start\", \"time\": 2000, \"step\": 0, \"steps\": 30}\n"
              "{\"type\": \"step\", \"time\": 2010, \"step\": 10, \"grad_norm\": 3}\n"
              "{\"type\": \"step\", \"time\": -5, \"step\": 20, \"grad_norm\": 2}\n"
              "{\"type\": \"step\", \"time\": 9e18, \"step\": 30, \"grad_norm\": 1}\n");
    cr_assert_eq(run_history_read(&history, dir, &err), RSD_OK, "%s", err.text);
    cr_assert_eq(run_history_find(&history, "grad_norm")->n, 3);
    for (int i = 0; i < 3; i++) {
        cr_expect_eq(run_history_find(&history, "grad_norm")->points[i].step, 10 * (i + 1));
        cr_expect_eq(run_history_find(&history, "grad_norm")->points[i].value, (float)(3 - i));
    }
    snprintf(path, sizeof path, "%s/x", dir);
    cr_assert_eq(run_history_write_events(&history, path, &err), RSD_OK, "%s", err.text);
    read_events(path);
    cr_assert_eq(n_scalars, 3);
    cr_expect_eq(scalars[1].time, -5.0);
    run_history_clear(&history);
}

Test(run_history, a_folder_without_a_log_is_named)
{
    RunHistory history;
    RsdError err = {0};

    cr_expect_eq(run_history_read(&history, dir, &err), RSD_ERR_IO);
    cr_expect(strstr(err.text, "log.jsonl") && strstr(err.text, "residua train"), "%s", err.text);
    write_log("\n\0\377garbage\n[1]\n");
    cr_expect_eq(run_history_read(&history, dir, &err), RSD_ERR_CORRUPT);
}

/* The one event file of a folder. */
static void find_events(char path[3 * RECORDINGS_PATH_SIZE], const char *run_dir)
{
    DIR *folder = opendir(run_dir);
    const struct dirent *entry;
    int n = 0;

    cr_assert(folder);
    while ((entry = readdir(folder)) != NULL)
        if (strstr(entry->d_name, EVENT_FILE_WORD)) {
            snprintf(path, 3 * RECORDINGS_PATH_SIZE, "%s/%s", run_dir, entry->d_name);
            n++;
        }
    closedir(folder);
    cr_assert_eq(n, 1);
}

/* Every number of the history, in this file. */
static void expect_same_numbers(const RunHistory *history, const char *path)
{
    size_t n = 0;

    read_events(path);
    for (size_t i = 0; i < history->n_series; i++) {
        const HistorySeries *series = &history->series[i];
        char tag[HISTORY_NAME_SIZE];

        snprintf(tag, sizeof tag, "%s", series->name);
        for (char *c = tag; *c; c++)
            *c = *c == '.' ? '/' : *c;
        for (size_t j = 0; j < series->n; j++, n++) {
            const Scalar *scalar = scalar_of(tag, series->points[j].step);

            cr_assert(scalar, "%s has no step %lld", tag, (long long)series->points[j].step);
            cr_expect(fabs((double)(scalar->value - series->points[j].value)) <= 1e-5 * fabs((double)scalar->value),
                      "%s: %g, the log says %g", tag, (double)scalar->value, (double)series->points[j].value);
        }
    }
    cr_expect_eq((size_t)n_scalars, n, "%d numbers, the log has %zu", n_scalars, n);
}

Test(run_history, a_run_tells_its_event_file_what_it_tells_its_log)
{
    char data[RECORDINGS_PATH_SIZE], run_dir[2 * RECORDINGS_PATH_SIZE], path[3 * RECORDINGS_PATH_SIZE];
    const char *dirs[] = {data};
    TrainOptions options = {.dirs = dirs, .n_dirs = 1, .run_dir = run_dir};
    TrainConfig cfg;
    TrainSummary summary;
    RunHistory history;
    RsdError err = {0};

    recordings_make_folder(data);
    recordings_write_tones(data, 8);
    recordings_tiny_config(&cfg);
    train_config_set(&cfg, "data.valid_every=4", NULL);
    train_config_set(&cfg, "train.valid_steps=3", NULL);
    snprintf(run_dir, sizeof run_dir, "%s/run", dir);
    cr_assert_eq(rsd_threads_create(&options.threads, 1, NULL), RSD_OK);
    cr_assert_eq(train_audio(&cfg, &options, &summary, &err), RSD_OK, "%s", err.text);
    rsd_threads_destroy(&options.threads);
    cr_assert_eq(run_history_read(&history, run_dir, &err), RSD_OK, "%s", err.text);
    cr_expect(history.ended);
    cr_expect_eq(run_history_find(&history, "loss.l1")->n, 6);
    cr_expect_eq(run_history_find(&history, "valid.score")->n, 2);
    find_events(path, run_dir);
    expect_same_numbers(&history, path);
    snprintf(path, sizeof path, "%s/again", dir);
    cr_assert_eq(run_history_write_events(&history, path, &err), RSD_OK, "%s", err.text);
    expect_same_numbers(&history, path);
    run_history_clear(&history);
    recordings_remove(data);
}
