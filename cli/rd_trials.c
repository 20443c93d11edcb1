/* rd_trials.c - see rd_trials.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cli/rd_trials.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/checksum.h"
#include "engine/base/mem.h"
#include "engine/weights/metadata.h"

#define LONGEST_LINE 16384 /* what is longer makes no sense */
#define FLAGGED "-"        /* for a value that is a convention */

/* What a line says. */
typedef struct Record {
    MetadataList fields;
    const char *key; /* of fields */
    size_t number;   /* of the line */
} Record;

struct RdTrials {
    char *path;
    int file;
    Record *records; /* [n_records], by key, those of one key from the latest on */
    size_t n_records, capacity;
};

/* ---- reading ---- */

/* One that makes no sense adds nothing. */
static RsdStatus take_line(RdTrials *trials, const char *line, size_t size, RsdError *err)
{
    MetadataList fields = {0};
    RsdStatus status = metadata_parse_json(&fields, line, size, true, trials->path, "", NULL);
    const char *key = metadata_find(&fields, "trial");

    if (status != RSD_OK || !key) {
        metadata_clear(&fields);
        return status == RSD_ERR_MEMORY ? error_set(err, status, "%s: no memory for its lines", trials->path) : RSD_OK;
    }
    if (trials->n_records == trials->capacity) {
        const size_t capacity = 2 * trials->capacity + 64;

        status = mem_resize(&trials->records, trials->capacity, capacity, sizeof *trials->records, err);
        if (status != RSD_OK) {
            metadata_clear(&fields);
            return status;
        }
        trials->capacity = capacity;
    }
    trials->records[trials->n_records] = (Record){fields, key, trials->n_records};
    trials->n_records++;
    return RSD_OK;
}

static int compare_keys(const void *key, const void *record)
{
    return strcmp(key, ((const Record *)record)->key);
}

static int compare_records(const void *a, const void *b)
{
    const Record *x = a, *y = b;
    const int order = strcmp(x->key, y->key);

    return order ? order : (x->number < y->number) - (x->number > y->number);
}

static RsdStatus read_lines(RdTrials *trials, RsdError *err)
{
    FILE *file = fopen(trials->path, "r");
    char *line = NULL;
    size_t capacity = 0, n_lines = 0;
    ssize_t size;
    RsdStatus status = RSD_OK;

    CHECK(file, err, RSD_ERR_IO, "%s: %s", trials->path, strerror(errno));
    while ((size = getline(&line, &capacity, file)) > 0) {
        n_lines++;
        if (size <= LONGEST_LINE)
            TRY(take_line(trials, line, (size_t)size, err));
    }
    CHECK(feof(file), err, RSD_ERR_IO, "%s: cannot read: %s", trials->path, strerror(errno));
    CHECK(n_lines == 0 || trials->n_records > 0, err, RSD_ERR_CORRUPT, "%s: no line of it is a trial; name another file", trials->path);
    if (trials->n_records > 0)
        qsort(trials->records, trials->n_records, sizeof *trials->records, compare_records);
fail:
    free(line);
    if (file)
        fclose(file);
    return status;
}

/* What is added begins on a line of its own. */
static RsdStatus end_last_line(RdTrials *trials, int64_t size, RsdError *err)
{
    char last = '\n';

    if (size > 0 && pread(trials->file, &last, 1, size - 1) == 1 && last != '\n' && write(trials->file, "\n", 1) != 1)
        return error_set(err, RSD_ERR_IO, "%s: %s", trials->path, strerror(errno));
    return RSD_OK;
}

RsdStatus rd_trials_open(RdTrials **out, const char *path, RsdError *err)
{
    RdTrials *trials = NULL;
    struct stat about;
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(mem_calloc(&trials, 1, sizeof *trials, err));
    trials->file = -1;
    TRY(mem_strdup(&trials->path, path, err));
    trials->file = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    CHECK(trials->file >= 0 && fstat(trials->file, &about) == 0, err, RSD_ERR_IO, "%s: %s", path, strerror(errno));
    CHECK(S_ISREG(about.st_mode), err, RSD_ERR_IO, "%s: is no file", path);
    TRY(read_lines(trials, err));
    TRY(end_last_line(trials, about.st_size, err));
    *out = trials;
    return RSD_OK;
fail:
    rd_trials_close(&trials);
    return status;
}

void rd_trials_close(RdTrials **trials)
{
    RdTrials *old = *trials;

    if (!old)
        return;
    for (size_t i = 0; i < old->n_records; i++)
        metadata_clear(&old->records[i].fields);
    mem_free(&old->records);
    if (old->file >= 0)
        close(old->file);
    mem_free(&old->path);
    mem_free(trials);
}

size_t rd_trials_count(const RdTrials *trials)
{
    return trials->n_records;
}

/* ---- keys ---- */

void rd_trial_key(char key[RD_TRIAL_KEY_SIZE], const RdRun *run, const RdCodec *codec, const RdSetting *setting, const RdThing *thing)
{
    const uint8_t *hash = codec->peer ? NULL : run->model.sound ? rsd_model_info(run->model.sound)->hash : run->model.image->hash;
    const size_t n = thing->image ? 3 * (size_t)thing->n : (size_t)run->channels * (size_t)thing->n;
    const uint32_t sum = crc32_update(0, thing->samples, n * sizeof *thing->samples);
    char text[RD_SETTING_SIZE], model[2 * MODEL_HASH_SIZE + 8] = "";

    for (size_t i = 0; hash && i < MODEL_HASH_SIZE; i++)
        snprintf(model + 2 * i, sizeof model - 2 * i, "%02x", hash[i]);
    snprintf(key, RD_TRIAL_KEY_SIZE, "%s, %s, %s, %s, %zu numbers %08x", codec->title, codec->settings, rd_setting_text(text, codec, setting),
             hash ? model : "-", n, (unsigned)sum);
}

/* ---- trials ---- */

static bool read_number(double *value, const MetadataList *fields, const char *key)
{
    const char *text = metadata_find(fields, key);
    char *end;

    if (!text || !*text)
        return false;
    *value = strtod(text, &end);
    return *end == '\0' && isfinite(*value);
}

static bool read_value(MetricValue *value, const MetadataList *fields, const char *key)
{
    const char *text = metadata_find(fields, key);

    *value = (MetricValue){0};
    if (!text)
        return false;
    if (strcmp(text, FLAGGED) == 0)
        value->flags = METRIC_NOT_APPLICABLE;
    else if (strcmp(text, "inf") == 0 || strcmp(text, "-inf") == 0)
        value->value = *text == '-' ? -INFINITY : INFINITY;
    else
        return read_number(&value->value, fields, key);
    return true;
}

static bool read_record(RdTrial *trial, MetricValue *values, const MetadataList *fields, const EvalSet *set)
{
    double bytes;

    if (!read_number(&bytes, fields, "bytes") || !(bytes >= 1 && bytes <= 1e15) || !read_number(&trial->encode_s, fields, "encode_s") ||
        !read_number(&trial->decode_s, fields, "decode_s"))
        return false;
    trial->n_bytes = (int64_t)bytes;
    for (size_t m = 0; m < set->n; m++) {
        char key[96];

        snprintf(key, sizeof key, "values.%s", set->items[m].name);
        if (!read_value(&values[m], fields, key))
            return false;
    }
    return true;
}

bool rd_trials_find(const RdTrials *trials, const char *key, const EvalSet *set, RdTrial *trial)
{
    const Record *end, *at;

    if (trials->n_records == 0)
        return false;
    end = trials->records + trials->n_records;
    at = bsearch(key, trials->records, trials->n_records, sizeof *at, compare_keys);
    while (at && at > trials->records && compare_keys(key, at - 1) == 0)
        at--;
    for (; at && at < end && compare_keys(key, at) == 0; at++) {
        MetricValue values[EVAL_MAX_METRICS];
        RdTrial found = *trial;

        if (!read_record(&found, values, &at->fields, set))
            continue;
        *trial = found;
        memcpy(trial->values, values, set->n * sizeof *values);
        return true;
    }
    return false;
}

/* Also what is no number in JSON. */
static void write_value(JsonLine *line, const char *name, const MetricValue *value)
{
    if (value->flags || isnan(value->value))
        json_line_text(line, name, FLAGGED);
    else if (isinf(value->value))
        json_line_text(line, name, value->value < 0 ? "-inf" : "inf");
    else
        json_line_real(line, name, value->value);
}

RsdStatus rd_trials_add(RdTrials *trials, const char *key, const char *file, const EvalSet *set, const RdTrial *trial, RsdError *err)
{
    char *text = NULL;
    size_t size = 0;
    FILE *memory = open_memstream(&text, &size);
    JsonLine line;
    RsdStatus status = RSD_OK;

    CHECK(memory, err, RSD_ERR_MEMORY, "%s: no memory", trials->path);
    json_line_begin(&line, memory);
    json_line_text(&line, "trial", key);
    json_line_text(&line, "file", file);
    json_line_integer(&line, "bytes", trial->n_bytes);
    json_line_real(&line, "encode_s", trial->encode_s);
    json_line_real(&line, "decode_s", trial->decode_s);
    json_line_open(&line, "values", '{');
    for (size_t m = 0; m < set->n; m++)
        write_value(&line, set->items[m].name, &trial->values[m]);
    json_line_close(&line, '}');
    json_line_end(&line);
    CHECK(fclose(memory) == 0, err, RSD_ERR_MEMORY, "%s: no memory", trials->path);
    CHECK(write(trials->file, text, size) == (ssize_t)size, err, RSD_ERR_IO, "%s: cannot write: %s", trials->path, strerror(errno));
fail:
    free(text);
    return status;
}
