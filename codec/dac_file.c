/* dac_file.c - the dictionary of a .dac file taken from the tree of its pickle, and the pickle written.
 *
 * SPDX-License-Identifier: MIT
 */
#include "codec/dac_file.h"

#include <math.h>
#include <string.h>

#include "engine/base/bytes.h"
#include "engine/base/mem.h"
#include "engine/weights/npy.h"
#include "engine/weights/pickle.h"

#define VERSION "1.0.0"
#define MAX_LENGTH ((int64_t)1 << 40)
#define MAX_RATE_HZ 768000

static const char *const GLOBALS[] = {"numpy.core.multiarray _reconstruct",
                                      "numpy._core.multiarray _reconstruct",
                                      "numpy.core.multiarray scalar",
                                      "numpy._core.multiarray scalar",
                                      "numpy ndarray",
                                      "numpy dtype",
                                      NULL};

/* ---- numpy's objects in the tree ---- */

/* An array: numbers or, of type 'O', objects. */
typedef struct Array {
    char type; /* 'u', 'i', 'f', 'b', 'O' */
    int item_size;
    bool big_endian, fortran_order;
    int n_dims;
    int64_t shape[NPY_MAX_AXES];
    int64_t count;
    const uint8_t *bytes; /* [count * item_size] */
    const PickleValue *objects;
} Array;

static bool is_call_of(const PickleValue *value, const char *what)
{
    const char *text;

    if (!value || value->kind != PICKLE_CALL || value->n_items < 2 || value->items[0]->kind != PICKLE_GLOBAL)
        return false;
    text = strrchr(value->items[0]->text, ' ');
    return text && strcmp(text + 1, what) == 0;
}

static const PickleValue *item(const PickleValue *value, PickleKind kind, size_t i)
{
    return value && value->kind == kind && i < value->n_items ? value->items[i] : NULL;
}

/* dtype('u2', False, True) with state (3, '<', ...) */
static bool read_dtype(Array *array, const PickleValue *dtype)
{
    const PickleValue *name, *order;

    if (!is_call_of(dtype, "dtype"))
        return false;
    name = item(dtype->items[1], PICKLE_TUPLE, 0);
    order = dtype->n_items > 2 ? item(dtype->items[2], PICKLE_TUPLE, 1) : NULL;
    if (!name || name->kind != PICKLE_TEXT || name->text_size != 2 || name->text[1] < '1' || name->text[1] > '8')
        return false;
    array->type = name->text[0];
    array->item_size = name->text[1] - '0';
    array->big_endian = order && order->kind == PICKLE_TEXT && order->text_size == 1 && order->text[0] == '>';
    return strchr("uifbO", array->type) != NULL && (array->item_size & (array->item_size - 1)) == 0 &&
           !(array->type == 'f' && array->item_size < 2);
}

static bool read_shape(Array *array, const PickleValue *shape)
{
    if (!shape || shape->kind != PICKLE_TUPLE || shape->n_items > NPY_MAX_AXES)
        return false;
    array->n_dims = (int)shape->n_items;
    array->count = 1;
    for (int i = 0; i < array->n_dims; i++) {
        const PickleValue *length = shape->items[i];

        if (length->kind != PICKLE_INT || length->integer < 0 || length->integer > MAX_LENGTH ||
            (length->integer && array->count > MAX_LENGTH / length->integer))
            return false;
        array->shape[i] = length->integer;
        array->count *= length->integer;
    }
    return true;
}

/* _reconstruct(ndarray, ...) with state (version, shape, dtype, is_fortran, bytes or list) */
static bool read_array(Array *array, const PickleValue *value)
{
    const PickleValue *state, *contents, *fortran;

    memset(array, 0, sizeof *array);
    if (!is_call_of(value, "_reconstruct") || value->n_items < 3)
        return false;
    state = value->items[2];
    fortran = item(state, PICKLE_TUPLE, 3);
    contents = item(state, PICKLE_TUPLE, 4);
    if (!contents || !fortran || fortran->kind != PICKLE_BOOL || !read_shape(array, state->items[1]) ||
        !read_dtype(array, state->items[2]))
        return false;
    array->fortran_order = fortran->integer;
    if (array->type == 'O') {
        array->objects = contents;
        return contents->kind == PICKLE_LIST && (int64_t)contents->n_items == array->count;
    }
    array->bytes = (const uint8_t *)contents->text;
    return contents->kind == PICKLE_BYTES && (int64_t)contents->text_size == array->count * array->item_size;
}

/* Number i of an array; NaN where it is none. Integers beyond 2^53 lose digits, which puts them out of every range here. */
static double number_at(const Array *array, int64_t i)
{
    const uint8_t *p = array->bytes + i * array->item_size;
    uint64_t bits = 0;
    int n = array->item_size;
    float single;
    double number;

    for (int k = 0; k < n; k++)
        bits |= (uint64_t)p[array->big_endian ? n - 1 - k : k] << (8 * k);
    switch (array->type) {
    case 'u':
    case 'b':
        return (double)bits;
    case 'i':
        return (double)((int64_t)(bits << (64 - 8 * n)) >> (64 - 8 * n));
    case 'f':
        if (n == 4) {
            uint32_t low = (uint32_t)bits;

            memcpy(&single, &low, sizeof single);
            return single;
        }
        if (n == 8) {
            memcpy(&number, &bits, sizeof number);
            return number;
        }
    }
    return NAN;
}

/* A number as Python or numpy keeps it: plain, numpy's scalar, or an array of one. NaN when it is something else. */
static double number_of(const PickleValue *value)
{
    Array array = {0};
    const PickleValue *bytes;

    if (!value)
        return NAN;
    if (value->kind == PICKLE_INT || value->kind == PICKLE_BOOL)
        return (double)value->integer;
    if (value->kind == PICKLE_FLOAT)
        return value->number;
    if (is_call_of(value, "scalar")) {
        bytes = item(value->items[1], PICKLE_TUPLE, 1);
        if (!bytes || bytes->kind != PICKLE_BYTES || !read_dtype(&array, value->items[1]->items[0]) || array.type == 'O' ||
            (int)bytes->text_size != array.item_size)
            return NAN;
        array.bytes = (const uint8_t *)bytes->text;
        return number_at(&array, 0);
    }
    return read_array(&array, value) && array.type != 'O' && array.count == 1 ? number_at(&array, 0) : NAN;
}

/* ---- the fields ---- */

static RsdStatus read_whole(int64_t *out, const PickleValue *metadata, const char *key, int64_t min, int64_t max,
                            const char *name, RsdError *err)
{
    double value = number_of(pickle_find(metadata, key));
    RsdStatus status = RSD_OK;

    CHECK(!isnan(value), err, RSD_ERR_CORRUPT, "%s: '%s' is missing or no number", name, key);
    CHECK(value >= (double)min && value <= (double)max && floor(value) == value, err, RSD_ERR_CORRUPT,
          "%s: '%s' is %g; whole numbers from %lld to %lld are possible", name, key, value, (long long)min, (long long)max);
    *out = (int64_t)value;
fail:
    return status;
}

static RsdStatus read_metadata(DacFile *file, const PickleValue *metadata, const char *name, RsdError *err)
{
    const PickleValue *version, *padding;
    int64_t channels, rate;
    double db;
    RsdStatus status = RSD_OK;

    CHECK(metadata && metadata->kind == PICKLE_DICT, err, RSD_ERR_CORRUPT, "%s: 'metadata' is missing", name);
    version = pickle_find(metadata, "dac_version");
    CHECK(version && version->kind == PICKLE_TEXT, err, RSD_ERR_CORRUPT, "%s: 'dac_version' is missing or no text", name);
    CHECK(strcmp(version->text, VERSION) == 0, err, RSD_ERR_UNSUPPORTED, "%s: 'dac_version' is %.20s; " VERSION " is known", name,
          version->text);
    TRY(read_whole(&channels, metadata, "channels", 1, DAC_FILE_MAX_CHANNELS, name, err));
    TRY(read_whole(&rate, metadata, "sample_rate", 1, MAX_RATE_HZ, name, err));
    TRY(read_whole(&file->chunk_length, metadata, "chunk_length", 1, MAX_LENGTH, name, err));
    TRY(read_whole(&file->original_length, metadata, "original_length", 0, MAX_LENGTH, name, err));
    padding = pickle_find(metadata, "padding");
    CHECK(padding && padding->kind == PICKLE_BOOL, err, RSD_ERR_CORRUPT, "%s: 'padding' is neither True nor False", name);
    db = number_of(pickle_find(metadata, "input_db"));
    CHECK(isfinite(db) && fabs(db) <= 1000.0, err, RSD_ERR_CORRUPT, "%s: 'input_db' is %g, no loudness", name, db);
    file->channels = (int)channels;
    file->sample_rate_hz = (int)rate;
    file->padding = padding->integer;
    file->input_db = (float)db;
fail:
    return status;
}

static RsdStatus read_codes(DacFile *file, const PickleValue *codes, const char *name, RsdError *err)
{
    Array array;
    RsdStatus status = RSD_OK;

    CHECK(read_array(&array, codes) && (array.type == 'u' || array.type == 'i') && !array.fortran_order, err, RSD_ERR_CORRUPT,
          "%s: 'codes' is no array of whole numbers", name);
    CHECK(array.n_dims == 3, err, RSD_ERR_CORRUPT, "%s: 'codes' has %d axes; expected [channels, stages, frames]", name,
          array.n_dims);
    CHECK(array.shape[1] >= 1 && array.shape[1] <= DAC_FILE_MAX_STAGES && array.shape[2] >= 1, err, RSD_ERR_CORRUPT,
          "%s: 'codes' has %lld stages and %lld frames; expected 1 to %d and 1 or more", name, (long long)array.shape[1],
          (long long)array.shape[2], DAC_FILE_MAX_STAGES);
    CHECK(array.shape[0] == file->channels, err, RSD_ERR_CORRUPT, "%s: codes of %lld channels, 'channels' is %d", name,
          (long long)array.shape[0], file->channels);
    file->n_stages = (int)array.shape[1];
    file->n_frames = array.shape[2];
    CHECK(file->chunk_length <= file->n_frames, err, RSD_ERR_CORRUPT, "%s: 'chunk_length' is %lld, there are %lld frames", name,
          (long long)file->chunk_length, (long long)file->n_frames);
    TRY(mem_alloc(&file->codes, (size_t)array.count, sizeof *file->codes, err));
    for (int64_t i = 0; i < array.count; i++) {
        double code = number_at(&array, i);

        CHECK(code >= 0 && code <= UINT16_MAX, err, RSD_ERR_CORRUPT, "%s: code %g at frame %lld; 0 to 65535 are possible", name,
              code, (long long)(i % file->n_frames));
        file->codes[i] = (uint16_t)code;
    }
fail:
    return status;
}

RsdStatus dac_file_parse(DacFile *file, const uint8_t *data, size_t size, const char *name, RsdError *err)
{
    Arena *arena = NULL;
    NpyHeader header;
    PickleValue *tree;
    Array outer;
    size_t header_size = 0;
    RsdStatus status = RSD_OK;

    memset(file, 0, sizeof *file);
    CHECK(size > NPY_PREFIX_SIZE, err, RSD_ERR_CORRUPT, "%s: %zu bytes are no .dac file", name, size);
    status = npy_probe(&header_size, data, err);
    if (status == RSD_OK && header_size > size)
        status = error_set(err, RSD_ERR_CORRUPT, "ends within its header");
    if (status == RSD_OK)
        status = npy_parse(&header, data, header_size, err);
    if (status != RSD_OK) {
        error_prefix(err, status, "%s", name);
        goto fail;
    }
    CHECK(header.type == 'O' && header.count == 1, err, RSD_ERR_CORRUPT,
          "%s: an .npy file of numbers, not a .dac file; residua tokens --from-tokens reads those", name);
    /* Some hundred values and the bytes of the codes. */
    TRY(arena_create(&arena, 2 * size + ((size_t)1 << 20), err));
    TRY(pickle_read(&tree, arena, data + header_size, size - header_size, GLOBALS, name, err));
    CHECK(read_array(&outer, tree) && outer.type == 'O' && outer.count == 1 && outer.objects->items[0]->kind == PICKLE_DICT, err,
          RSD_ERR_CORRUPT, "%s: holds no dictionary, so it is no .dac file", name);
    TRY(read_metadata(file, pickle_find(outer.objects->items[0], "metadata"), name, err));
    TRY(read_codes(file, pickle_find(outer.objects->items[0], "codes"), name, err));
    arena_destroy(&arena);
    return RSD_OK;
fail:
    arena_destroy(&arena);
    dac_file_clear(file);
    return status;
}

void dac_file_clear(DacFile *file)
{
    mem_free(&file->codes);
    memset(file, 0, sizeof *file);
}

/* ---- writing: protocol 3, as the Python tool writes ---- */

typedef struct Out {
    uint8_t *at;
} Out;

static void put(Out *out, const void *bytes, size_t size)
{
    memcpy(out->at, bytes, size);
    out->at += size;
}

static void put_text(Out *out, const char *opcodes)
{
    put(out, opcodes, strlen(opcodes));
}

static void put_string(Out *out, const char *text)
{
    *out->at++ = 'X';
    put_u32le(out->at, (uint32_t)strlen(text));
    out->at += 4;
    put_text(out, text);
}

/* BININT where it fits, else LONG1 of eight bytes. */
static void put_int(Out *out, int64_t value)
{
    if (value <= INT32_MAX) {
        *out->at++ = 'J';
        put_u32le(out->at, (uint32_t)value);
        out->at += 4;
        return;
    }
    put(out, "\x8a\x08", 2);
    put_u64le(out->at, (uint64_t)value);
    out->at += 8;
}

static void put_dtype(Out *out, const char *name, const char *order, int flags)
{
    put_text(out, "cnumpy\ndtype\n");
    put_string(out, name);
    put(out, "\x89\x88\x87R(K\x03", 7);
    put_string(out, order);
    put(out, "NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK", 14);
    *out->at++ = (uint8_t)flags;
    put_text(out, "tb");
}

/* Up to the contents of an array; put_array_end follows them. */
static void put_array_begin(Out *out, int n_dims, const int64_t *shape, const char *dtype, const char *order, int flags)
{
    static const char *const tuples[] = {")", "\x85", "\x86", "\x87"};

    put_text(out, "cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n");
    put(out, "K\x00\x85" "C\x01" "b\x87R(K\x01", 11);
    for (int i = 0; i < n_dims; i++)
        put_int(out, shape[i]);
    put_text(out, tuples[n_dims]);
    put_dtype(out, dtype, order, flags);
    *out->at++ = 0x89;
}

static void put_array_end(Out *out)
{
    put_text(out, "tb");
}

static void put_bytes_begin(Out *out, size_t size)
{
    *out->at++ = 'B';
    put_u32le(out->at, (uint32_t)size);
    out->at += 4;
}

RsdStatus dac_file_print(uint8_t **data, size_t *size, const DacFile *file, RsdError *err)
{
    const int64_t shape[3] = {file->channels, file->n_stages, file->n_frames}, one[1] = {1};
    int64_t count = file->channels * file->n_stages * file->n_frames;
    uint32_t db_bits;
    Out out;
    RsdStatus status = RSD_OK;

    *data = NULL;
    CHECK(count <= UINT32_MAX / 4, err, RSD_ERR_UNSUPPORTED, "%lld codes are more than a .dac file holds", (long long)count);
    TRY(mem_alloc(data, NPY_HEADER_MAX + 4096 + 2 * (size_t)count, 1, err));
    out.at = *data + npy_write(*data, "|O", 0, NULL);
    put(&out, "\x80\x03", 2);
    put_array_begin(&out, 0, NULL, "O8", "|", 63);
    put_text(&out, "]}(");
    put_string(&out, "codes");
    put_array_begin(&out, 3, shape, "u2", "<", 0);
    put_bytes_begin(&out, 2 * (size_t)count);
    for (int64_t i = 0; i < count; i++, out.at += 2)
        put_u16le(out.at, file->codes[i]);
    put_array_end(&out);
    put_string(&out, "metadata");
    put_text(&out, "}(");
    put_string(&out, "input_db");
    put_array_begin(&out, 1, one, "f4", "<", 0);
    put_bytes_begin(&out, 4);
    memcpy(&db_bits, &file->input_db, sizeof db_bits);
    put_u32le(out.at, db_bits);
    out.at += 4;
    put_array_end(&out);
    put_string(&out, "original_length");
    put_int(&out, file->original_length);
    put_string(&out, "sample_rate");
    put_int(&out, file->sample_rate_hz);
    put_string(&out, "chunk_length");
    put_int(&out, file->chunk_length);
    put_string(&out, "channels");
    put_int(&out, file->channels);
    put_string(&out, "padding");
    *out.at++ = file->padding ? 0x88 : 0x89;
    put_string(&out, "dac_version");
    put_string(&out, VERSION);
    put_text(&out, "uuatb.");
    *size = (size_t)(out.at - *data);
    return RSD_OK;
fail:
    mem_free(data);
    return status;
}
