/* segment_tokens.c - segments as lines of JSON.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cli/segment_tokens.h"

#include <stdio.h>
#include <string.h>

#include "cli/json_cursor.h"
#include "codec/container.h"
#include "codec/ecdc.h"
#include "codec/model.h"

#define LINE_SIZE 512
#define MAX_FRAMES (1 << 20) /* of one segment */

/* ---- writing ---- */

static RsdStatus write_head(const EcdcSegments *segments, const RsdModel *model, AtomicFile *file, RsdError *err)
{
    const RsdModelInfo *info = &model->info;
    char line[LINE_SIZE], hash[2 * RSD_MODEL_HASH_SIZE + 1];
    int used;

    for (size_t i = 0; i < RSD_MODEL_HASH_SIZE; i++)
        snprintf(hash + 2 * i, 3, "%02x", info->hash[i]);
    used = snprintf(line, sizeof line,
                    "{\"model\": \"%s\", \"hash\": \"%s\", \"rate_hz\": %d, \"hop_samples\": %d, \"codebook_size\": %d, "
                    "\"stages\": %d, \"segments\": %zu, \"segment_samples\": %d, \"segment_stride\": %d, \"samples\": %lld, "
                    "\"dtype\": \"uint16\", \"order\": \"stages, frames\"}\n",
                    info->name, hash, info->rate_hz, info->hop_samples, info->codebook_size, segments->n_stages,
                    segments->n_segments, info->segment_samples, audio_codec_segment_stride(&model->codec->config),
                    (long long)segments->n_samples);
    return atomic_file_write(file, line, (size_t)used, err);
}

RsdStatus segment_tokens_write(const EcdcSegments *segments, const RsdModel *model, AtomicFile *file, RsdError *err)
{
    char text[LINE_SIZE];
    RsdStatus status = RSD_OK;

    TRY(write_head(segments, model, file, err));
    for (size_t i = 0; i < segments->n_segments; i++) {
        const EcdcSegment *item = &segments->items[i];
        const uint16_t *codes = segments->codes + item->first;

        /* nine digits are the float again */
        TRY(atomic_file_write(file, text, (size_t)sprintf(text, "{\"scale\": %.9g, \"codes\": [", (double)item->scale), err));
        for (int k = 0; k < segments->n_stages; k++) {
            for (int64_t t = 0; t < item->n_frames; t++)
                TRY(atomic_file_write(file, text, (size_t)sprintf(text, "%s%d", t ? ", " : k ? ", [" : "[", *codes++), err));
            TRY(atomic_file_write(file, "]", 1, err));
        }
        TRY(atomic_file_write(file, "]}\n", 3, err));
    }
fail:
    return status;
}

/* ---- reading ---- */

/* The codes of one stage: *n_frames 0 takes what comes, else it must agree. codes NULL: only counts. */
static bool take_stage(JsonCursor *c, uint16_t *codes, int64_t *n_frames)
{
    int64_t n = 0;
    uint16_t code;

    if (!json_cursor_take(c, '['))
        return false;
    do {
        if (n == MAX_FRAMES || (*n_frames && n == *n_frames) || !json_cursor_code(c, codes ? &codes[n] : &code))
            return false;
        n++;
    } while (json_cursor_take(c, ','));
    if (!json_cursor_take(c, ']') || (*n_frames && n != *n_frames))
        return false;
    *n_frames = n;
    return true;
}

/* What is between the brackets around all stages: counted first, then taken. */
static bool count_codes(JsonCursor c, int *n_stages, int64_t *n_frames)
{
    *n_stages = 0;
    *n_frames = 0;
    if (!json_cursor_take(&c, '['))
        return false;
    do {
        if (++*n_stages > STREAM_MAX_STAGES || !take_stage(&c, NULL, n_frames))
            return false;
    } while (json_cursor_take(&c, ','));
    return json_cursor_take(&c, ']');
}

static void take_codes(JsonCursor c, uint16_t *codes, int n_stages, int64_t n_frames)
{
    for (int k = 0; k < n_stages; k++) {
        (void)json_cursor_take(&c, k ? ',' : '[');
        (void)take_stage(&c, codes + k * n_frames, &n_frames);
    }
}

static RsdStatus parse_segment(EcdcSegments *out, JsonCursor line, JsonCursor codes_at, const char *place, RsdError *err)
{
    double scale = 1.0;
    int n_stages;
    int64_t n_frames;
    uint16_t *codes;
    RsdStatus status = RSD_OK;

    CHECK(json_cursor_find(&line, "scale"), err, RSD_ERR_CORRUPT, "%s: \"scale\" is missing: each segment has its own", place);
    CHECK(json_cursor_number(&line, &scale) && scale >= 0.0 && scale <= (double)ECDC_MAX_SCALE, err, RSD_ERR_CORRUPT,
          "%s: \"scale\" is no number from 0 to %g", place, (double)ECDC_MAX_SCALE);
    CHECK(count_codes(codes_at, &n_stages, &n_frames) && (out->n_stages == 0 || n_stages == out->n_stages), err, RSD_ERR_CORRUPT,
          "%s: \"codes\" must be one list of numbers from 0 to 65535 for each of %d stages, all of one length", place,
          out->n_stages ? out->n_stages : 1);
    out->n_stages = n_stages;
    TRY(ecdc_segments_add(out, (float)scale, n_frames, &codes, err));
    take_codes(codes_at, codes, n_stages, n_frames);
fail:
    return status;
}

/* A line that is no segment's may say how long the signal is, and how many stages it has where it has no segments. */
static RsdStatus parse_head(EcdcSegments *out, const JsonCursor *line, const char *place, RsdError *err)
{
    JsonCursor samples = *line, stages = *line;
    double value;
    RsdStatus status = RSD_OK;

    if (json_cursor_find(&samples, "samples")) {
        CHECK(json_cursor_number(&samples, &value) && value >= 0.0 && value <= (double)ECDC_MAX_SAMPLES &&
                  value == (double)(int64_t)value,
              err, RSD_ERR_CORRUPT, "%s: \"samples\" is no whole number from 0 to %lld", place, (long long)ECDC_MAX_SAMPLES);
        out->n_samples = (int64_t)value;
    }
    if (out->n_stages == 0 && json_cursor_find(&stages, "stages") && json_cursor_number(&stages, &value) && value >= 1.0 &&
        value <= STREAM_MAX_STAGES)
        out->n_stages = (int)value;
fail:
    return status;
}

RsdStatus segment_tokens_parse(EcdcSegments *out, const uint8_t *data, size_t size, const char *name, RsdError *err)
{
    size_t line_number = 0;
    RsdStatus status = RSD_OK;

    memset(out, 0, sizeof *out);
    out->n_samples = -1;
    for (size_t at = 0; at < size;) {
        const JsonCursor line = json_cursor_line(data, size, &at);
        JsonCursor codes_at = line;
        char place[LINE_SIZE];

        snprintf(place, sizeof place, "%.400s: line %zu", name, ++line_number);
        if (json_cursor_find(&codes_at, "codes"))
            TRY(parse_segment(out, line, codes_at, place, err));
        else
            TRY(parse_head(out, &line, place, err));
    }
    CHECK(out->n_samples >= 0, err, RSD_ERR_CORRUPT, "%s: no line has \"samples\", the length of the signal", name);
fail:
    return status;
}
