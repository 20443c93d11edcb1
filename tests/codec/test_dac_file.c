/* test_dac_file.c - .dac files: those of the Python tool, our own, and files in which every field is wrong.
 *
 * SPDX-License-Identifier: MIT
 */
#include "codec/dac_file.h"
#include "engine/base/file_map.h"
#include "engine/base/mem.h"
#include "tests/shared.h"

static RsdError err;

static void parse_shared(DacFile *file, const char *name)
{
    char relative[96];
    SharedPath path;
    FileMap map;

    snprintf(relative, sizeof relative, "golden/dac/dac44/dacfile/%s", name);
    ASSERT_OK(file_map_open(&map, shared_path(&path, relative), &err), err);
    ASSERT_OK(dac_file_parse(file, map.data, map.size, name, &err), err);
    file_map_close(&map);
}

static void assert_codes(const DacFile *file, const char *npy_name)
{
    char relative[96];
    SharedPath path;
    Npy npy;

    snprintf(relative, sizeof relative, "golden/dac/dac44/dacfile/%s", npy_name);
    npy_load(&npy, shared_path(&path, relative));
    cr_assert_eq(file->n_stages, npy.shape[0]);
    cr_assert_eq(file->n_frames, npy.shape[1]);
    for (int64_t i = 0; i < npy.count; i++)
        cr_assert_eq(file->codes[i], npy.i64[i]);
    npy_free(&npy);
}

Test(dac_file, files_of_the_python_tool_are_read)
{
    DacFile file;

    NEED_SHARED("golden/dac/dac44/dacfile");
    parse_shared(&file, "whole.dac");
    assert_codes(&file, "whole_codes.npy");
    cr_assert(file.channels == 1 && file.chunk_length == 47 && file.original_length == 24013 && file.sample_rate_hz == 44100);
    cr_assert(file.padding && file.input_db == -15.006397247314453f);
    dac_file_clear(&file);
    parse_shared(&file, "chunked.dac");
    assert_codes(&file, "chunked_codes.npy");
    cr_assert(!file.padding && file.chunk_length == 20);
    dac_file_clear(&file);
}

static DacFile example(void)
{
    DacFile file = {.channels = 2, .n_stages = 3, .n_frames = 5, .chunk_length = 4, .original_length = 70000000000,
                    .sample_rate_hz = 44100, .input_db = -23.5f, .padding = false};

    ASSERT_OK(mem_alloc(&file.codes, 30, sizeof *file.codes, &err), err);
    for (int i = 0; i < 30; i++)
        file.codes[i] = (uint16_t)(i * 37);
    return file;
}

Test(dac_file, what_is_written_is_read_again)
{
    DacFile file = example(), back;
    uint8_t *data;
    size_t size;

    ASSERT_OK(dac_file_print(&data, &size, &file, &err), err);
    ASSERT_OK(dac_file_parse(&back, data, size, "x.dac", &err), err);
    cr_assert_eq(memcmp(back.codes, file.codes, 30 * sizeof *file.codes), 0);
    cr_assert(back.channels == 2 && back.n_stages == 3 && back.n_frames == 5 && back.chunk_length == 4 &&
              back.original_length == 70000000000 && back.sample_rate_hz == 44100 && back.input_db == -23.5f && !back.padding);
    dac_file_clear(&back);
    dac_file_clear(&file);
    mem_free(&data);
}

/* Replaces the first place where `from` stands behind `key`. */
static void change(uint8_t *data, size_t size, const char *key, const char *from, size_t len, const char *to)
{
    uint8_t *at = memmem(data, size, key, strlen(key));

    cr_assert_not_null(at, "%s", key);
    at = memmem(at, size - (size_t)(at - data), from, len);
    cr_assert_not_null(at, "%s", key);
    memcpy(at, to, len);
}

Test(dac_file, every_wrong_field_is_named)
{
    const struct {
        const char *key, *from, *to;
        size_t len;
        RsdStatus status;
        const char *part;
    } cases[] = {
        {"\x93NUMPY", "\x93NUMPY", "\x94NUMPY", 6, RSD_ERR_CORRUPT, "no .npy file"},
        {"descr", "'|O'", "'<4'", 4, RSD_ERR_UNSUPPORTED, "descr"},
        {"shape", "()", "(2", 2, RSD_ERR_CORRUPT, "shape"},
        {"_reconstruct", "numpy\nndarray", "posix\nsystem ", 13, RSD_ERR_UNSUPPORTED, "posix"},
        {"codes", "u2", "f2", 2, RSD_ERR_CORRUPT, "'codes' is no array"},
        {"codes", "J\x02\0\0\0", "J\x03\0\0\0", 5, RSD_ERR_CORRUPT, "'codes' is no array"},
        {"codes", "\x89""B", "\x88""B", 2, RSD_ERR_CORRUPT, "'codes' is no array"},
        {"codes", "codes", "Codes", 5, RSD_ERR_CORRUPT, "'codes'"},
        {"metadata", "metadata", "Metadata", 8, RSD_ERR_CORRUPT, "'metadata' is missing"},
        {"input_db", "\0\0\xbc\xc1", "\0\0\xc0\x7f", 4, RSD_ERR_CORRUPT, "'input_db' is nan"},
        {"original_length", "\x8a\x08", "X\x08", 2, RSD_ERR_CORRUPT, ""},
        {"sample_rate", "J\x44\xac\0\0", "J\0\0\0\0", 5, RSD_ERR_CORRUPT, "'sample_rate' is 0"},
        {"sample_rate", "J\x44\xac\0\0", "J\xff\xff\xff\xff", 5, RSD_ERR_CORRUPT, "'sample_rate' is -1"},
        {"chunk_length", "J\x04", "J\x06", 2, RSD_ERR_CORRUPT, "'chunk_length' is 6, there are 5 frames"},
        {"chunk_length", "J\x04", "J\0", 2, RSD_ERR_CORRUPT, "'chunk_length' is 0"},
        {"channels", "J\x02", "J\x03", 2, RSD_ERR_CORRUPT, "codes of 2 channels, 'channels' is 3"},
        {"channels", "J\x02\0", "J\x02\x01", 3, RSD_ERR_CORRUPT, "'channels' is 258"},
        {"padding", "padding\x89", "padding]", 8, RSD_ERR_CORRUPT, "'padding' is neither"},
        {"dac_version", "1.0.0", "2.0.0", 5, RSD_ERR_UNSUPPORTED, "'dac_version' is 2.0.0"},
        {"dac_version", "dac_version", "dac_Version", 11, RSD_ERR_CORRUPT, "'dac_version' is missing or no text"},
    };
    DacFile file = example(), back;
    uint8_t *good, *data;
    size_t size;

    ASSERT_OK(dac_file_print(&good, &size, &file, &err), err);
    data = malloc(size);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        memcpy(data, good, size);
        change(data, size, cases[i].key, cases[i].from, cases[i].len, cases[i].to);
        ASSERT_FAILS(dac_file_parse(&back, data, size, "x.dac", &err), cases[i].status, err, cases[i].part);
        cr_assert(strncmp(err.text, "x.dac", 5) == 0, "%s", err.text);
        cr_assert_null(back.codes);
    }
    free(data);
    dac_file_clear(&file);
    mem_free(&good);
}

Test(dac_file, bytes_behind_the_end_are_told)
{
    DacFile file = example(), back;
    uint8_t *good, *data;
    size_t size;

    ASSERT_OK(dac_file_print(&good, &size, &file, &err), err);
    data = malloc(2 * size); /* the file twice */
    memcpy(data, good, size);
    memcpy(data + size, good, size);
    for (size_t n = size + 1; n <= 2 * size; n += size - 1)
        ASSERT_FAILS(dac_file_parse(&back, data, n, "x.dac", &err), RSD_ERR_CORRUPT, err, "bytes follow");
    free(data);
    dac_file_clear(&file);
    mem_free(&good);
}

Test(dac_file, cut_at_any_length_and_with_any_byte_changed_it_is_refused_or_read)
{
    DacFile file = example(), back;
    uint8_t *good, *data;
    size_t size;

    ASSERT_OK(dac_file_print(&good, &size, &file, &err), err);
    for (size_t n = 0; n < size; n++) {
        data = malloc(n + 1); /* of that size, so that a sanitizer sees what is read beyond */
        memcpy(data, good, n);
        cr_assert_neq(dac_file_parse(&back, data, n, "x.dac", &err), RSD_OK, "%zu of %zu bytes", n, size);
        free(data);
    }
    data = malloc(size);
    for (size_t i = 0; i < size; i++)
        for (int bit = 0; bit < 8; bit++) {
            memcpy(data, good, size);
            data[i] ^= (uint8_t)(1 << bit);
            if (dac_file_parse(&back, data, size, "x.dac", &err) == RSD_OK)
                dac_file_clear(&back);
        }
    free(data);
    dac_file_clear(&file);
    mem_free(&good);
}
