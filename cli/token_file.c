/* token_file.c - three notations of one array.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cli/token_file.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "cli/byte_source.h"
#include "cli/json_cursor.h"
#include "engine/base/bytes.h"
#include "engine/base/mem.h"
#include "engine/weights/npy.h"

#define WRITE_CODES 4096 /* at once */
#define LINE_SIZE ((size_t)TOKENS_MAX_CHANNELS * TOKENS_MAX_STAGES * 7 + 64)

void tokens_clear(Tokens *tokens)
{
    mem_free(&tokens->codes);
    *tokens = (Tokens){0};
}

int token_format_of(const char *path)
{
    static const char *const endings[] = {".npy", ".jsonl", ".u16"};
    const char *dot = strrchr(path, '.');

    for (int i = 0; dot && i < 3; i++)
        if (strcasecmp(dot, endings[i]) == 0)
            return i;
    return -1;
}

/* ---- writing ---- */

static RsdStatus write_numbers(const Tokens *tokens, AtomicFile *file, RsdError *err)
{
    int64_t count = tokens->channels * tokens->n_stages * tokens->n_frames;
    RsdStatus status = RSD_OK;

    for (int64_t first = 0; first < count; first += WRITE_CODES) {
        int64_t n = count - first < WRITE_CODES ? count - first : WRITE_CODES;
        uint8_t bytes[2 * WRITE_CODES];

        for (int64_t i = 0; i < n; i++)
            put_u16le(bytes + 2 * i, tokens->codes[first + i]);
        TRY(atomic_file_write(file, bytes, 2 * (size_t)n, err));
    }
fail:
    return status;
}

/* {"codes": [[1, 2], [3, 4]]} */
static size_t print_frame(char *line, const Tokens *tokens, int64_t frame)
{
    size_t used = (size_t)sprintf(line, "{\"codes\": [");

    for (int c = 0; c < tokens->channels; c++) {
        used += (size_t)sprintf(line + used, c ? ", [" : "[");
        for (int q = 0; q < tokens->n_stages; q++)
            used += (size_t)sprintf(line + used, q ? ", %d" : "%d",
                                    tokens->codes[(c * tokens->n_stages + q) * tokens->n_frames + frame]);
        used += (size_t)sprintf(line + used, "]");
    }
    return used + (size_t)sprintf(line + used, "]}\n");
}

static RsdStatus write_lines(const Tokens *tokens, const RsdModelInfo *model, AtomicFile *file, RsdError *err)
{
    char *line = NULL;
    size_t used;
    RsdStatus status = RSD_OK;

    TRY(mem_alloc(&line, LINE_SIZE, 1, err));
    used = (size_t)sprintf(line, "{\"model\": \"%s\", \"hash\": \"", model->name);
    for (size_t i = 0; i < sizeof model->hash; i++)
        used += (size_t)sprintf(line + used, "%02x", model->hash[i]);
    used += (size_t)sprintf(line + used,
                            "\", \"rate_hz\": %d, \"hop_samples\": %d, \"codebook_size\": %d, \"channels\": %d, "
                            "\"stages\": %d, \"frames\": %" PRId64 "}\n",
                            model->rate_hz, model->hop_samples, model->codebook_size, tokens->channels, tokens->n_stages,
                            tokens->n_frames);
    TRY(atomic_file_write(file, line, used, err));
    for (int64_t frame = 0; frame < tokens->n_frames; frame++)
        TRY(atomic_file_write(file, line, print_frame(line, tokens, frame), err));
fail:
    mem_free(&line);
    return status;
}

RsdStatus tokens_write(const Tokens *tokens, TokenFormat format, const RsdModelInfo *model, AtomicFile *file, RsdError *err)
{
    RsdStatus status = RSD_OK;

    if (format == TOKENS_JSONL)
        return write_lines(tokens, model, file, err);
    if (format == TOKENS_NPY) {
        uint8_t header[NPY_HEADER_MAX];
        size_t size = npy_write(header, "<u2", 3, (int64_t[]){tokens->channels, tokens->n_stages, tokens->n_frames});

        TRY(atomic_file_write(file, header, size, err));
    }
    TRY(write_numbers(tokens, file, err));
fail:
    return status;
}

/* ---- reading ---- */

static RsdStatus check_shape(const Tokens *wanted, int64_t channels, int64_t n_stages, const char *name, RsdError *err)
{
    RsdStatus status = RSD_OK;

    CHECK(channels >= 1 && channels <= TOKENS_MAX_CHANNELS && n_stages >= 1 && n_stages <= TOKENS_MAX_STAGES, err,
          RSD_ERR_CORRUPT, "%s: %lld channels of %lld stages; 1 to %d of 1 to %d are possible, in the order [channels, stages, frames]",
          name, (long long)channels, (long long)n_stages, TOKENS_MAX_CHANNELS, TOKENS_MAX_STAGES);
    CHECK((wanted->channels == 0 || wanted->channels == channels) && (wanted->n_stages == 0 || wanted->n_stages == n_stages), err,
          RSD_ERR_CORRUPT, "%s: has %lld channels of %lld stages, not what --channels and --stages say", name,
          (long long)channels, (long long)n_stages);
fail:
    return status;
}

static RsdStatus take_memory(Tokens *tokens, int64_t channels, int64_t n_stages, int64_t n_frames, RsdError *err)
{
    tokens->channels = (int)channels;
    tokens->n_stages = (int)n_stages;
    tokens->n_frames = n_frames;
    return mem_alloc(&tokens->codes, (size_t)(channels * n_stages * n_frames), sizeof *tokens->codes, err);
}

/* Element of an integer array; what does not fit becomes -1. */
static int64_t integer_at(const NpyHeader *header, const uint8_t *p)
{
    uint64_t v = 0;
    int n = header->item_size;

    for (int i = 0; i < n; i++)
        v |= (uint64_t)p[header->big_endian ? n - 1 - i : i] << (8 * i);
    if (header->type == 'i' && n < 8 && v >> (8 * n - 1))
        return -1;
    return v > INT64_MAX ? -1 : (int64_t)v;
}

/* Where an element of C order lies in the file. */
static int64_t place_of(const NpyHeader *header, int64_t c, int64_t q, int64_t t)
{
    int64_t channels = header->n_dims == 3 ? header->shape[0] : 1, stages = header->shape[header->n_dims - 2],
            frames = header->shape[header->n_dims - 1];

    return header->fortran_order ? c + channels * (q + stages * t) : (c * stages + q) * frames + t;
}

static RsdStatus parse_npy(Tokens *tokens, const uint8_t *data, size_t size, const char *name, RsdError *err)
{
    NpyHeader header;
    size_t header_size;
    int64_t channels, n_stages, n_frames;
    RsdStatus status = RSD_OK;

    CHECK(size >= NPY_PREFIX_SIZE, err, RSD_ERR_CORRUPT, "%s: %zu bytes are no .npy file", name, size);
    status = npy_probe(&header_size, data, err);
    if (status == RSD_OK && header_size > size)
        status = error_set(err, RSD_ERR_CORRUPT, ".npy header of %zu bytes in a file of %zu", header_size, size);
    if (status == RSD_OK)
        status = npy_parse(&header, data, header_size, err);
    if (status != RSD_OK)
        return error_prefix(err, status, "%s", name);
    CHECK(header.type == 'u' || header.type == 'i', err, RSD_ERR_UNSUPPORTED,
          "%s: holds no integers (type '%c%d'); tokens are uint16 or other integers", name, header.type, header.item_size);
    CHECK(header.n_dims == 2 || header.n_dims == 3, err, RSD_ERR_CORRUPT,
          "%s: %d axes; expected [channels, stages, frames], or [stages, frames] of one channel", name, header.n_dims);
    channels = header.n_dims == 3 ? header.shape[0] : 1;
    n_stages = header.shape[header.n_dims - 2];
    n_frames = header.shape[header.n_dims - 1];
    TRY(check_shape(tokens, channels, n_stages, name, err));
    CHECK((uint64_t)header.count * (uint64_t)header.item_size == size - header.size, err, RSD_ERR_CORRUPT,
          "%s: %zu bytes of numbers, its shape needs %lld", name, size - header.size,
          (long long)(header.count * header.item_size));
    TRY(take_memory(tokens, channels, n_stages, n_frames, err));
    for (int64_t i = 0; i < header.count; i++) {
        int64_t t = i % n_frames, q = i / n_frames % n_stages, c = i / n_frames / n_stages;
        int64_t v = integer_at(&header, data + header.size + place_of(&header, c, q, t) * header.item_size);

        CHECK(v >= 0 && v <= UINT16_MAX, err, RSD_ERR_CORRUPT,
              "%s: the number at [%lld, %lld, %lld] is negative or above 65535: no code", name, (long long)c, (long long)q,
              (long long)t);
        tokens->codes[i] = (uint16_t)v;
    }
fail:
    return status;
}

static RsdStatus parse_raw(Tokens *tokens, const uint8_t *data, size_t size, const char *name, RsdError *err)
{
    size_t frame_size;
    RsdStatus status = RSD_OK;

    CHECK(tokens->n_stages > 0, err, RSD_ERR_ARG, "%s: a raw file does not say how many stages it has: give --stages", name);
    if (tokens->channels == 0)
        tokens->channels = 1;
    TRY(check_shape(tokens, tokens->channels, tokens->n_stages, name, err));
    frame_size = 2 * (size_t)tokens->channels * (size_t)tokens->n_stages;
    CHECK(size % frame_size == 0, err, RSD_ERR_CORRUPT, "%s: %zu bytes are no whole frames of %d channels and %d stages", name,
          size, tokens->channels, tokens->n_stages);
    TRY(take_memory(tokens, tokens->channels, tokens->n_stages, (int64_t)(size / frame_size), err));
    for (size_t i = 0; i < size / 2; i++)
        tokens->codes[i] = get_u16le(data + 2 * i);
fail:
    return status;
}

/* ---- JSON lines: of each line only the lists of "codes" matter ---- */

/* codes [channels, stages] of one frame; *n_stages and *n_channels 0 take what comes, else it must agree. */
static bool take_frame(JsonCursor *c, uint16_t *codes, int *n_channels, int *n_stages)
{
    int channels = 0;

    if (!json_cursor_take(c, '['))
        return false;
    do {
        int stages = 0;

        if (channels == TOKENS_MAX_CHANNELS || !json_cursor_take(c, '['))
            return false;
        do {
            if (stages == TOKENS_MAX_STAGES || !json_cursor_code(c, &codes[channels * TOKENS_MAX_STAGES + stages]))
                return false;
            stages++;
        } while (json_cursor_take(c, ','));
        if (!json_cursor_take(c, ']') || (*n_stages && stages != *n_stages))
            return false;
        *n_stages = stages;
        channels++;
    } while (json_cursor_take(c, ','));
    if (!json_cursor_take(c, ']') || (*n_channels && channels != *n_channels))
        return false;
    *n_channels = channels;
    return true;
}

static RsdStatus parse_lines(Tokens *tokens, const uint8_t *data, size_t size, const char *name, RsdError *err)
{
    uint16_t frame[TOKENS_MAX_CHANNELS * TOKENS_MAX_STAGES], *frames = NULL; /* [n_frames, channels, stages] */
    int channels = tokens->channels, n_stages = tokens->n_stages;
    size_t n_frames = 0, capacity = 0, per_frame = 0, line_number = 0;
    RsdStatus status = RSD_OK;

    for (size_t at = 0; at < size;) {
        JsonCursor c = json_cursor_line(data, size, &at);

        line_number++;
        if (!json_cursor_find(&c, "codes"))
            continue;
        CHECK(take_frame(&c, frame, &channels, &n_stages), err, RSD_ERR_CORRUPT,
              "%s: line %zu: \"codes\" must be one list of %d numbers from 0 to 65535 for each of %d channels", name, line_number,
              n_stages ? n_stages : 1, channels ? channels : 1);
        per_frame = (size_t)channels * (size_t)n_stages;
        if (n_frames == capacity) {
            TRY(mem_resize(&frames, capacity * per_frame, (2 * capacity + 64) * per_frame, sizeof *frames, err));
            capacity = 2 * capacity + 64;
        }
        for (int ch = 0; ch < channels; ch++)
            memcpy(frames + n_frames * per_frame + (size_t)ch * (size_t)n_stages, frame + ch * TOKENS_MAX_STAGES,
                   (size_t)n_stages * sizeof *frame);
        n_frames++;
    }
    CHECK(n_frames > 0, err, RSD_ERR_CORRUPT, "%s: no line has \"codes\"", name);
    TRY(take_memory(tokens, channels, n_stages, (int64_t)n_frames, err));
    for (size_t t = 0; t < n_frames; t++)
        for (size_t i = 0; i < per_frame; i++)
            tokens->codes[i * n_frames + t] = frames[t * per_frame + i];
fail:
    mem_free(&frames);
    return status;
}

RsdStatus tokens_parse(Tokens *tokens, const uint8_t *data, size_t size, TokenFormat format, const char *name, RsdError *err)
{
    switch (format) {
    case TOKENS_NPY:
        return parse_npy(tokens, data, size, name, err);
    case TOKENS_JSONL:
        return parse_lines(tokens, data, size, name, err);
    case TOKENS_RAW:
        break;
    }
    return parse_raw(tokens, data, size, name, err);
}

RsdStatus tokens_read(Tokens *tokens, const char *path, TokenFormat format, RsdError *err)
{
    ByteSource source;
    uint8_t *data = NULL;
    size_t size;
    RsdStatus status = RSD_OK;

    TRY(byte_source_open(&source, path, err));
    TRY(byte_source_read_all(&source, &data, &size, TOKENS_MAX_FILE_SIZE, err));
    TRY(tokens_parse(tokens, data, size, format, source.name, err));
fail:
    mem_free(&data);
    byte_source_close(&source);
    return status;
}
