/* test_safetensors.c - files written, read and attacked.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "engine/base/bytes.h"
#include "engine/base/mem.h"
#include "engine/weights/safetensors.h"
#include "tests/shared.h"

#define FILE_SIZE_MAX 4096

/* A file put together by hand: header text, data bytes. */
typedef struct HandMade {
    uint8_t bytes[FILE_SIZE_MAX];
    size_t size;
} HandMade;

static const HandMade *hand_made(HandMade *file, const char *header, size_t data_size)
{
    size_t len = strlen(header);

    put_u64le(file->bytes, len);
    memcpy(file->bytes + 8, header, len);
    for (size_t i = 0; i < data_size; i++)
        file->bytes[8 + len + i] = (uint8_t)i;
    file->size = 8 + len + data_size;
    return file;
}

static RsdStatus open_hand_made(Safetensors **st, const char *header, size_t data_size, RsdError *err)
{
    HandMade file;

    hand_made(&file, header, data_size);
    return safetensors_open_memory(st, file.bytes, file.size, "file", err);
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

Test(safetensors, reads_a_hand_made_file)
{
    static const char header[] = "{\"__metadata__\":{\"kind\":\"test\",\"empty\":\"\"},"
                                 "\"b\":{\"dtype\":\"I16\",\"shape\":[3],\"data_offsets\":[8,14]},"
                                 "\"none\":{\"dtype\":\"F64\",\"shape\":[4,0],\"data_offsets\":[8,8]},"
                                 "\"scalar\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[14,15]},"
                                 "\"a\":{\"dtype\":\"F32\",\"shape\":[2,1],\"data_offsets\":[0,8]}}  ";
    const SafetensorsEntry *entry;
    const char *key, *value;
    Safetensors *st;
    RsdError err;
    HandMade file;

    hand_made(&file, header, 15);
    ASSERT_OK(safetensors_open_memory(&st, file.bytes, file.size, "file", &err), err);
    cr_assert_eq(safetensors_count(st), 4);
    cr_assert_str_eq(safetensors_entry(st, 0)->name, "a");
    cr_assert_str_eq(safetensors_entry(st, 1)->name, "none");
    cr_assert_str_eq(safetensors_entry(st, 2)->name, "b");
    entry = safetensors_find(st, "b");
    cr_assert(entry && entry->dtype == DTYPE_I16 && entry->n_dims == 1 && entry->shape[0] == 3 && entry->size == 6);
    cr_assert_eq(entry->data, file.bytes + 8 + strlen(header) + 8);
    entry = safetensors_find(st, "scalar");
    cr_assert(entry && entry->n_dims == 0 && entry->size == 1);
    cr_assert_null(safetensors_find(st, "c"));
    cr_assert_null(safetensors_find(st, ""));
    cr_assert_eq(safetensors_metadata_count(st), 2);
    safetensors_metadata_at(st, 0, &key, &value);
    cr_assert(strcmp(key, "kind") == 0 && strcmp(value, "test") == 0);
    cr_assert_str_eq(safetensors_metadata(st, "empty"), "");
    cr_assert_null(safetensors_metadata(st, "absent"));
    safetensors_close(&st);
    cr_assert_null(st);
}

Test(safetensors, reads_an_empty_collection)
{
    Safetensors *st;
    RsdError err;

    ASSERT_OK(open_hand_made(&st, "{}", 0, &err), err);
    cr_assert_eq(safetensors_count(st), 0);
    cr_assert_null(safetensors_find(st, "a"));
    safetensors_close(&st);
}

Test(safetensors, converts_every_floating_point_dtype)
{
    static const char header[] = "{\"f64\":{\"dtype\":\"F64\",\"shape\":[1],\"data_offsets\":[0,8]},"
                                 "\"f32\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[8,12]},"
                                 "\"f16\":{\"dtype\":\"F16\",\"shape\":[2],\"data_offsets\":[12,16]},"
                                 "\"bf16\":{\"dtype\":\"BF16\",\"shape\":[1],\"data_offsets\":[16,18]}}";
    const double f64 = -0.1;
    const float f32 = 1e-30f;
    Safetensors *st;
    RsdError err;
    HandMade file;
    uint8_t *data;
    float values[2];

    hand_made(&file, header, 18);
    data = file.bytes + file.size - 18;
    memcpy(data, &f64, 8);
    memcpy(data + 8, &f32, 4);
    put_u16le(data + 12, 0x3555); /* 0.333251953125 */
    put_u16le(data + 14, 0x8001); /* -2^-24 */
    put_u16le(data + 16, 0x4049); /* 3.140625 */
    ASSERT_OK(safetensors_open_memory(&st, file.bytes, file.size, "file", &err), err);
    ASSERT_OK(safetensors_read_f32(st, safetensors_find(st, "f64"), values, 1, &err), err);
    cr_assert_eq(values[0], -0.1f);
    ASSERT_OK(safetensors_read_f32(st, safetensors_find(st, "f32"), values, 1, &err), err);
    cr_assert_eq(values[0], 1e-30f);
    ASSERT_OK(safetensors_read_f32(st, safetensors_find(st, "f16"), values, 2, &err), err);
    cr_assert(values[0] == 0.333251953125f && values[1] == -0x1p-24f);
    ASSERT_OK(safetensors_read_f32(st, safetensors_find(st, "bf16"), values, 1, &err), err);
    cr_assert_eq(values[0], 3.140625f);
    ASSERT_FAILS(safetensors_read_f32(st, safetensors_find(st, "f16"), values, 1, &err), RSD_ERR_ARG, err, "[2]");
    safetensors_close(&st);
}

Test(safetensors, refuses_values_that_are_no_numbers_and_integers_as_floats)
{
    static const char header[] = "{\"a\":{\"dtype\":\"F16\",\"shape\":[2],\"data_offsets\":[0,4]},"
                                 "\"i\":{\"dtype\":\"I32\",\"shape\":[1],\"data_offsets\":[4,8]},"
                                 "\"d\":{\"dtype\":\"F64\",\"shape\":[1],\"data_offsets\":[8,16]}}";
    static const uint16_t not_numbers[4] = {0x7c00, 0xfc00, 0x7e00, 0x7c01};
    const double too_large = 1e300;
    Safetensors *st;
    RsdError err;
    HandMade file;
    float values[2];

    hand_made(&file, header, 16);
    memcpy(file.bytes + file.size - 8, &too_large, 8);
    ASSERT_OK(safetensors_open_memory(&st, file.bytes, file.size, "file", &err), err);
    for (int i = 0; i < 4; i++) {
        put_u16le(file.bytes + file.size - 14, not_numbers[i]);
        ASSERT_FAILS(safetensors_read_f32(st, safetensors_find(st, "a"), values, 2, &err), RSD_ERR_NUMERIC, err,
                     "value 1");
    }
    ASSERT_FAILS(safetensors_read_f32(st, safetensors_find(st, "d"), values, 1, &err), RSD_ERR_NUMERIC, err, "'d'");
    ASSERT_FAILS(safetensors_read_f32(st, safetensors_find(st, "i"), values, 1, &err), RSD_ERR_UNSUPPORTED, err, "I32");
    safetensors_close(&st);
}

/* --- hostile headers ---------------------------------------------------------------------------------------------- */

#define F32_AT(name, shape, begin, end)                                                                                \
    "\"" name "\":{\"dtype\":\"F32\",\"shape\":" shape ",\"data_offsets\":[" begin "," end "]}"

static const struct {
    const char *header;
    size_t data_size;
    RsdStatus status;
    const char *part;
} HOSTILE[] = {
    {"", 0, RSD_ERR_CORRUPT, "does not start"},
    {" {}", 0, RSD_ERR_CORRUPT, "does not start"},
    {"[]", 0, RSD_ERR_CORRUPT, "does not start"},
    {"{", 0, RSD_ERR_CORRUPT, "header byte"},
    {"{}}", 0, RSD_ERR_CORRUPT, "header byte"},
    {"{}{}", 0, RSD_ERR_CORRUPT, "header byte"},
    {"{\"a\":1}", 0, RSD_ERR_CORRUPT, "'a' is not described"},
    {"{\"a\":{}}", 0, RSD_ERR_CORRUPT, "no dtype"},
    {"{" F32_AT("a", "[1]", "0", "4") "}", 0, RSD_ERR_CORRUPT, "of 0 bytes"},
    {"{" F32_AT("a", "[1]", "0", "4") "}", 5, RSD_ERR_CORRUPT, "1 bytes behind"},
    {"{" F32_AT("a", "[1]", "1", "5") "}", 5, RSD_ERR_CORRUPT, "1 bytes before"},
    {"{" F32_AT("a", "[2]", "0", "4") "}", 4, RSD_ERR_CORRUPT, "need 8"},
    {"{" F32_AT("a", "[1]", "4", "0") "}", 4, RSD_ERR_CORRUPT, "lies at"},
    {"{" F32_AT("a", "[1]", "-4", "0") "}", 4, RSD_ERR_CORRUPT, "data_offsets"},
    {"{" F32_AT("a", "[-1]", "0", "4") "}", 4, RSD_ERR_CORRUPT, "dimension 0"},
    {"{" F32_AT("a", "[1.0]", "0", "4") "}", 4, RSD_ERR_CORRUPT, "dimension 0"},
    {"{" F32_AT("a", "[1]", "0", "4.0") "}", 4, RSD_ERR_CORRUPT, "data_offsets"},
    {"{" F32_AT("a", "[1]", "0", "99999999999999999999") "}", 4, RSD_ERR_CORRUPT, "header byte"},
    {"{" F32_AT("a", "[4611686018427387904,4]", "0", "0") "}", 0, RSD_ERR_CORRUPT, "impossible shape"},
    {"{" F32_AT("a", "[4294967296,4294967296]", "0", "0") "}", 0, RSD_ERR_CORRUPT, "impossible shape"},
    {"{" F32_AT("a", "[1,1,1,1,1,1]", "0", "4") "}", 4, RSD_ERR_UNSUPPORTED, "6 dimensions"},
    {"{" F32_AT("a", "1", "0", "4") "}", 4, RSD_ERR_CORRUPT, "no shape"},
    {"{" F32_AT("a", "[1]", "0", "4") "," F32_AT("b", "[1]", "0", "4") "}", 4, RSD_ERR_CORRUPT, "overlap"},
    {"{" F32_AT("a", "[2]", "0", "8") "," F32_AT("b", "[1]", "4", "8") "}", 8, RSD_ERR_CORRUPT, "overlap"},
    {"{" F32_AT("a", "[1]", "0", "4") "," F32_AT("b", "[1]", "8", "12") "}", 12, RSD_ERR_CORRUPT, "4 bytes before"},
    {"{" F32_AT("a", "[1]", "0", "4") "," F32_AT("a", "[1]", "4", "8") "}", 8, RSD_ERR_CORRUPT, "duplicate"},
    {"{\"a\":{\"dtype\":\"F32\",\"dtype\":\"I32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, RSD_ERR_CORRUPT,
     "duplicate"},
    {"{\"a\":{\"dtype\":\"F31\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, RSD_ERR_CORRUPT, "unknown dtype"},
    {"{\"a\":{\"dtype\":\"F8_E4M3\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1, RSD_ERR_UNSUPPORTED, "F8_E4M3"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0]}}", 1, RSD_ERR_CORRUPT, "data_offsets"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1,2]}}", 1, RSD_ERR_CORRUPT, "data_offsets"},
    {"{\"a\xff\":1}", 0, RSD_ERR_CORRUPT, "unable to decode"},
    {"{\"a\\u0000b\":1}", 0, RSD_ERR_CORRUPT, "NUL"},
    {"{\"a\\ud800\":1}", 0, RSD_ERR_CORRUPT, "header byte"},
    {"{\"__metadata__\":[]}", 0, RSD_ERR_CORRUPT, "__metadata__ is not an object"},
    {"{\"__metadata__\":{\"a\":1}}", 0, RSD_ERR_CORRUPT, "metadata 'a'"},
    {"{\"a\":{\"b\":{\"c\":{\"d\":1}}}}", 0, RSD_ERR_CORRUPT, "nested"},
    {"{\"a\":[[[[[[", 0, RSD_ERR_CORRUPT, "nested"},
    {"{\"\x1b[2J\":1}", 0, RSD_ERR_CORRUPT, "header byte"},
    {"{\"\\u001b[2J\":1}", 0, RSD_ERR_CORRUPT, "'?[2J' is not described"},
};

Test(safetensors, answers_hostile_headers_with_a_sentence)
{
    for (size_t i = 0; i < sizeof HOSTILE / sizeof *HOSTILE; i++) {
        Safetensors *st;
        RsdError err = {0};
        RsdStatus status = open_hand_made(&st, HOSTILE[i].header, HOSTILE[i].data_size, &err);

        cr_assert(status == HOSTILE[i].status, "%s: status %d, expected %d: %s", HOSTILE[i].header, (int)status,
                  (int)HOSTILE[i].status, err.text);
        cr_assert(strstr(err.text, HOSTILE[i].part), "%s: '%s' does not contain '%s'", HOSTILE[i].header, err.text,
                  HOSTILE[i].part);
        cr_assert(strncmp(err.text, "file: ", 6) == 0, "'%s' does not name the place", err.text);
        cr_assert_null(st);
    }
}

Test(safetensors, refuses_header_lengths_beyond_the_file_and_the_limit)
{
    static const uint64_t lengths[] = {3,         4, 100, 100000000, 100000001, (uint64_t)INT64_MAX, UINT64_MAX - 7,
                                       UINT64_MAX};
    uint8_t file[10] = {2, 0, 0, 0, 0, 0, 0, 0, '{', '}'};
    Safetensors *st;
    RsdError err;

    ASSERT_OK(safetensors_open_memory(&st, file, sizeof file, "file", &err), err);
    safetensors_close(&st);
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        put_u64le(file, lengths[i]);
        ASSERT_FAILS(safetensors_open_memory(&st, file, sizeof file, "file", &err), RSD_ERR_CORRUPT, err,
                     "does not fit");
    }
}

/* 30 MB of empty objects would make the JSON library take gigabytes. */
Test(safetensors, bounds_the_number_of_objects_before_parsing)
{
    size_t n = 10000000, size = 8 + 5 + n * 3;
    uint8_t *file = malloc(size);
    Safetensors *st;
    RsdError err;

    cr_assert_not_null(file);
    put_u64le(file, size - 8);
    memcpy(file + 8, "{\"a\":", 5);
    for (size_t i = 0; i < n; i++)
        memcpy(file + 13 + 3 * i, "{},", 3);
    ASSERT_FAILS(safetensors_open_memory(&st, file, size, "file", &err), RSD_ERR_UNSUPPORTED, err, "10000001 objects");
    free(file);
}

Test(safetensors, bounds_the_number_of_notes)
{
    enum { N = 16385, PAIR = 11 };
    const size_t size = 8 + 17 + N * PAIR + 1;
    char *file = malloc(size + 1);
    Safetensors *st;
    RsdError err;

    cr_assert_not_null(file);
    put_u64le((uint8_t *)file, size - 8);
    memcpy(file + 8, "{\"__metadata__\":{", 17);
    for (int i = 0; i < N; i++)
        sprintf(file + 25 + PAIR * i, "\"%05d\":\"\"%c", i, i < N - 1 ? ',' : '}');
    file[size - 1] = '}';
    ASSERT_FAILS(safetensors_open_memory(&st, file, size, "file", &err), RSD_ERR_UNSUPPORTED, err, "16385 values");
    free(file);
}

static const char SMALL[] = "{\"__metadata__\":{\"k\":\"v\"},"
                            "\"w\":{\"dtype\":\"F32\",\"shape\":[2,2],\"data_offsets\":[0,16]},"
                            "\"b\":{\"dtype\":\"F16\",\"shape\":[3],\"data_offsets\":[16,22]}}";

/* Whatever the file says, what is shown lies inside it and reading it gives a status. */
static void read_everything(const uint8_t *bytes, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1); /* its own block, so that the address sanitizer sees a step beyond */
    Safetensors *st;
    RsdError err = {0};
    RsdStatus status;

    cr_assert_not_null(copy);
    memcpy(copy, bytes, size);
    status = safetensors_open_memory(&st, copy, size, "file", &err);
    if (status != RSD_OK) {
        cr_assert(st == NULL && *err.text);
        cr_assert(status == RSD_ERR_CORRUPT || status == RSD_ERR_UNSUPPORTED, "status %d: %s", (int)status, err.text);
        free(copy);
        return;
    }
    for (size_t i = 0; i < safetensors_count(st); i++) {
        const SafetensorsEntry *entry = safetensors_entry(st, i);
        const uint8_t *data = entry->data;
        float values[16];

        cr_assert(data >= copy && data + entry->size <= copy + size);
        cr_assert(entry->size <= 22);
        safetensors_read_f32(st, entry, values, (int64_t)(entry->size / dtype_size(entry->dtype)), &err);
        cr_assert_eq(safetensors_find(st, entry->name), entry);
    }
    safetensors_close(&st);
    free(copy);
}

Test(safetensors, survives_every_value_of_every_byte)
{
    HandMade file;

    hand_made(&file, SMALL, 22);
    for (size_t i = 0; i < file.size; i++) {
        uint8_t original = file.bytes[i];

        for (int value = 0; value < 256; value++) {
            file.bytes[i] = (uint8_t)value;
            read_everything(file.bytes, file.size);
        }
        file.bytes[i] = original;
    }
}

Test(safetensors, refuses_every_truncation)
{
    HandMade file;
    Safetensors *st;
    RsdError err;

    hand_made(&file, SMALL, 22);
    for (size_t size = 0; size < file.size; size++) {
        read_everything(file.bytes, size);
        cr_assert_neq(safetensors_open_memory(&st, file.bytes, size, "file", &err), RSD_OK, "cut at %zu", size);
    }
}

Test(safetensors, gives_every_allocation_failure_back)
{
    RsdStatus status = RSD_ERR_MEMORY;
    int64_t n = 0;

    for (; status == RSD_ERR_MEMORY && n < 1000; n++) {
        Safetensors *st;
        RsdError err;

        mem_fail_after(n);
        status = open_hand_made(&st, SMALL, 22, &err);
        mem_fail_after(-1);
        cr_assert(status == RSD_OK || (status == RSD_ERR_MEMORY && st == NULL));
        safetensors_close(&st);
    }
    cr_assert(status == RSD_OK && n > 5, "%lld allocations", (long long)n);
}

/* --- files -------------------------------------------------------------------------------------------------------- */

static void make_folder(char folder[64])
{
    strcpy(folder, "/tmp/residua-test-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
}

static void remove_folder(const char *folder)
{
    char command[128];

    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    cr_assert_eq(system(command), 0);
}

Test(safetensors, writes_the_bytes_the_format_asks_for)
{
    static const char expected_header[] = "{\"__metadata__\":{\"k\":\"\\\"v\\\"\"},"
                                          "\"w\":{\"dtype\":\"F32\",\"shape\":[1,2],\"data_offsets\":[0,8]},"
                                          "\"h\":{\"dtype\":\"F16\",\"shape\":[2],\"data_offsets\":[8,12]},"
                                          "\"u\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[12,13]}}";
    static const uint8_t expected_data[13] = {0, 0, 128, 63, 0, 0, 0, 192, 0, 60, 255, 123, 7};
    static const float w[2] = {1, -2}, h[2] = {1, 65519.996f};
    static const int64_t w_shape[2] = {1, 2}, h_shape[1] = {2};
    static const uint8_t u = 7;
    char folder[64], path[128];
    uint8_t bytes[512];
    SafetensorsWriter *writer;
    RsdError err;
    size_t size, len = (strlen(expected_header) + 7) / 8 * 8;
    FILE *file;

    make_folder(folder);
    snprintf(path, sizeof path, "%s/out.safetensors", folder);
    ASSERT_OK(safetensors_writer_create(&writer, &err), err);
    ASSERT_OK(safetensors_writer_metadata(writer, "k", "\"v\"", &err), err);
    ASSERT_OK(safetensors_writer_f32(writer, "w", 2, w_shape, w, DTYPE_F32, &err), err);
    ASSERT_OK(safetensors_writer_f32(writer, "h", 1, h_shape, h, DTYPE_F16, &err), err);
    ASSERT_OK(safetensors_writer_raw(writer, "u", DTYPE_U8, 0, NULL, &u, &err), err);
    ASSERT_OK(safetensors_writer_finish(writer, path, &err), err);
    safetensors_writer_destroy(&writer);
    cr_assert_null(writer);

    file = fopen(path, "rb");
    cr_assert_not_null(file);
    size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    remove_folder(folder);
    cr_assert_eq(size, 8 + len + sizeof expected_data);
    cr_assert_eq(get_u64le(bytes), len);
    cr_assert_arr_eq(bytes + 8, expected_header, strlen(expected_header));
    for (size_t i = strlen(expected_header); i < len; i++)
        cr_assert_eq(bytes[8 + i], ' ');
    cr_assert_arr_eq(bytes + 8 + len, expected_data, sizeof expected_data);
}

Test(safetensors, reads_back_what_it_wrote_and_hashes_it)
{
    enum { COUNT = 10000 };
    static float src[COUNT], back[COUNT];
    const int64_t shape[3] = {10, 1, COUNT / 10};
    char folder[64], path[128];
    SafetensorsWriter *writer;
    Safetensors *st;
    RsdError err;
    uint8_t first[32], second[32];

    for (int i = 0; i < COUNT; i++)
        src[i] = sinf((float)i) * 10;
    make_folder(folder);
    snprintf(path, sizeof path, "%s/out.safetensors", folder);
    for (int round = 0; round < 2; round++) { /* the second replaces the first */
        ASSERT_OK(safetensors_writer_create(&writer, &err), err);
        ASSERT_OK(safetensors_writer_f32(writer, "name with \"quotes\" and \xc3\xa9", 3, shape, src, DTYPE_F32, &err),
                  err);
        ASSERT_OK(safetensors_writer_f32(writer, "f16", 3, shape, src, DTYPE_F16, &err), err);
        ASSERT_OK(safetensors_writer_finish(writer, path, &err), err);
        safetensors_writer_destroy(&writer);
        ASSERT_OK(safetensors_open(&st, path, &err), err);
        safetensors_hash(st, round ? second : first);
        ASSERT_OK(safetensors_read_f32(st, safetensors_find(st, "name with \"quotes\" and \xc3\xa9"), back, COUNT,
                                       &err),
                  err);
        ASSERT_SAME_BITS("float32", back, src, COUNT);
        ASSERT_OK(safetensors_read_f32(st, safetensors_find(st, "f16"), back, COUNT, &err), err);
        ASSERT_CLOSE_F32("float16", back, src, COUNT, ((Tolerance){.rel = 0x1p-11, .abs = 0x1p-25}));
        safetensors_close(&st);
    }
    cr_assert_arr_eq(first, second, sizeof first);
    remove_folder(folder);
}

Test(safetensors, writer_refuses_what_cannot_be_written_and_leaves_the_old_file)
{
    static const float nan_value[2] = {0, NAN}, large[2] = {65519, 65520}, good[2] = {1, 2};
    static const int64_t shape[1] = {2}, negative[1] = {-1};
    const struct {
        const char *name;
        const float *src;
        Dtype dtype;
        RsdStatus status;
        const char *part;
    } cases[] = {{"a", nan_value, DTYPE_F32, RSD_ERR_NUMERIC, "value 1 is nan"},
                 {"a", nan_value, DTYPE_F16, RSD_ERR_NUMERIC, "value 1 is nan"},
                 {"a", large, DTYPE_F16, RSD_ERR_NUMERIC, "value 1 is 65520, too large"},
                 {"first", good, DTYPE_F32, RSD_ERR_ARG, "'first' is added twice"},
                 {"\xff", good, DTYPE_F32, RSD_ERR_ARG, "not UTF-8"}};
    char folder[64], path[128];
    SafetensorsWriter *writer;
    Safetensors *st;
    RsdError err;

    make_folder(folder);
    snprintf(path, sizeof path, "%s/out.safetensors", folder);
    for (size_t i = 0; i <= sizeof cases / sizeof *cases; i++) {
        ASSERT_OK(safetensors_writer_create(&writer, &err), err);
        ASSERT_OK(safetensors_writer_f32(writer, "first", 1, shape, good, DTYPE_F32, &err), err);
        if (i == 0) { /* the old file */
            ASSERT_OK(safetensors_writer_finish(writer, path, &err), err);
        } else {
            ASSERT_OK(safetensors_writer_f32(writer, cases[i - 1].name, 1, shape, cases[i - 1].src, cases[i - 1].dtype,
                                             &err),
                      err);
            ASSERT_FAILS(safetensors_writer_finish(writer, path, &err), cases[i - 1].status, err, cases[i - 1].part);
        }
        safetensors_writer_destroy(&writer);
        ASSERT_OK(safetensors_open(&st, path, &err), err);
        cr_assert_eq(safetensors_count(st), 1);
        safetensors_close(&st);
    }
    cr_assert_eq(unlink(path), 0);
    cr_assert_eq(rmdir(folder), 0, "a temporary file was left in %s", folder);

    ASSERT_OK(safetensors_writer_create(&writer, &err), err);
    ASSERT_FAILS(safetensors_writer_f32(writer, "a", 1, negative, good, DTYPE_F32, &err), RSD_ERR_ARG, err, "[-1]");
    ASSERT_FAILS(safetensors_writer_f32(writer, "a", 6, NULL, good, DTYPE_F32, &err), RSD_ERR_ARG, err, "6 dimensions");
    ASSERT_FAILS(safetensors_writer_f32(writer, "a", 1, shape, good, DTYPE_I32, &err), RSD_ERR_ARG, err, "I32");
    ASSERT_FAILS(safetensors_writer_f32(writer, "__metadata__", 1, shape, good, DTYPE_F32, &err), RSD_ERR_ARG, err,
                 "name");
    ASSERT_OK(safetensors_writer_metadata(writer, "k", "v", &err), err);
    ASSERT_FAILS(safetensors_writer_metadata(writer, "k", "w", &err), RSD_ERR_ARG, err, "twice");
    safetensors_writer_destroy(&writer);
}

Test(safetensors, writer_gives_every_allocation_failure_back)
{
    static const float src[2] = {1, 2};
    static const int64_t shape[1] = {2};
    char folder[64], path[128];
    RsdStatus status = RSD_ERR_MEMORY;
    int64_t n = 0;

    make_folder(folder);
    snprintf(path, sizeof path, "%s/out.safetensors", folder);
    for (; status == RSD_ERR_MEMORY && n < 1000; n++) {
        SafetensorsWriter *writer;
        RsdError err;

        mem_fail_after(n);
        status = safetensors_writer_create(&writer, &err);
        if (status == RSD_OK)
            status = safetensors_writer_metadata(writer, "k", "v", &err);
        if (status == RSD_OK)
            status = safetensors_writer_f32(writer, "a", 1, shape, src, DTYPE_F32, &err);
        if (status == RSD_OK)
            status = safetensors_writer_finish(writer, path, &err);
        mem_fail_after(-1);
        safetensors_writer_destroy(&writer);
        cr_assert(status == RSD_OK || status == RSD_ERR_MEMORY, "%s", err.text);
        cr_assert_eq(access(path, F_OK) == 0, status == RSD_OK);
    }
    cr_assert(status == RSD_OK && n > 8, "%lld allocations", (long long)n);
    cr_assert_eq(unlink(path), 0);
    cr_assert_eq(rmdir(folder), 0, "a temporary file was left in %s", folder);
}

Test(safetensors, opens_only_regular_files)
{
    Safetensors *st;
    RsdError err;

    ASSERT_FAILS(safetensors_open(&st, "/nonexistent/a", &err), RSD_ERR_IO, err,
                 "/nonexistent/a: cannot open: No such file");
    ASSERT_FAILS(safetensors_open(&st, "/tmp", &err), RSD_ERR_IO, err, "directory");
    ASSERT_FAILS(safetensors_open(&st, "/dev/zero", &err), RSD_ERR_IO, err, "device");
    ASSERT_FAILS(safetensors_open(&st, "/proc/self/maps", &err), RSD_ERR_CORRUPT, err, "0 bytes");
}

/* Real files made by the reference implementation. */
Test(safetensors, reads_published_files)
{
    static const char *const names[] = {"golden/encodec/mono24/model_hf.safetensors",
                                        "golden/dac/dac44/model_hf.safetensors",
                                        "weights/lpips_linear_v0.1.safetensors",
                                        "weights/squeezenet1_1_f16.safetensors"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        SharedPath path;
        Safetensors *st;
        RsdError err;

        NEED_SHARED(names[i]);
        ASSERT_OK(safetensors_open(&st, shared_path(&path, names[i]), &err), err);
        cr_assert(safetensors_count(st) > 4);
        for (size_t j = 0; j < safetensors_count(st); j++) {
            const SafetensorsEntry *entry = safetensors_entry(st, j);
            int64_t count = (int64_t)(entry->size / dtype_size(entry->dtype));
            float *values = malloc((size_t)count * sizeof *values + 1);

            cr_assert_not_null(values);
            if (entry->dtype == DTYPE_F32 || entry->dtype == DTYPE_F16)
                ASSERT_OK(safetensors_read_f32(st, entry, values, count, &err), err);
            free(values);
        }
        safetensors_close(&st);
    }
}
