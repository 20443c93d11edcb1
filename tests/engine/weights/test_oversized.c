/* test_oversized.c - torch files that are small to send and large to open: each ends at a bound, with a sentence.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/weights/checkpoint.h"

#include <stdlib.h>
#include <sys/resource.h>

#include "engine/base/bytes.h"
#include "engine/base/checksum.h"
#include "tests/engine/weights/torch_maker.h"
#include "tests/shared.h"

static RsdError err;

/* A zip with one entry, x/data.pkl; *size is its size in all. The caller frees it. */
static uint8_t *zip_of_pickle(const uint8_t *pickle, size_t pickle_size, size_t *size)
{
    static ZipMaker zip;
    size_t head, rest;
    uint8_t *bytes, *directory;
    const uint32_t crc = crc32_update(0, pickle, pickle_size);

    memset(&zip, 0, sizeof zip);
    make_zip_entry(&zip, "x/data.pkl", "", 0);
    head = zip.bytes.size;
    make_zip_end(&zip);
    rest = zip.bytes.size - head;
    *size = head + pickle_size + rest;
    bytes = malloc(*size);
    memcpy(bytes, zip.bytes.data, head);
    memcpy(bytes + head, pickle, pickle_size);
    memcpy(bytes + head + pickle_size, zip.bytes.data + head, rest);
    directory = bytes + head + pickle_size;
    for (int i = 0; i < 2; i++) { /* in the entry and in the directory */
        uint8_t *at = i ? directory + 16 : bytes + 14;

        put_u32le(at, crc);
        put_u32le(at + 4, (uint32_t)pickle_size);
        put_u32le(at + 8, (uint32_t)pickle_size);
    }
    put_u32le(bytes + *size - 6, (uint32_t)(head + pickle_size)); /* where the directory begins */
    return bytes;
}

static RsdStatus open_pickle(const uint8_t *pickle, size_t pickle_size)
{
    size_t size;
    uint8_t *bytes = zip_of_pickle(pickle, pickle_size, &size);
    Checkpoint *c;
    RsdStatus status = checkpoint_open_memory(&c, bytes, size, "large.th", &err);

    checkpoint_close(&c);
    free(bytes);
    return status;
}

Test(oversized, a_pickle_of_more_than_its_bound_is_not_read)
{
    const size_t size = ((size_t)64 << 20) + 1;
    uint8_t *pickle = calloc(size, 1);

    ASSERT_FAILS(open_pickle(pickle, size), RSD_ERR_UNSUPPORTED, err, "67108865 bytes");
    cr_assert(strstr(err.text, "large.th"), "%s", err.text);
    free(pickle);
}

/* Each byte makes a list of many. */
Test(oversized, a_pickle_of_millions_of_values_ends_at_the_bound_on_memory)
{
    enum { SIZE = 6 << 20 };
    uint8_t *pickle = malloc(SIZE);
    struct rusage before, after;

    memset(pickle, ']', SIZE);
    memcpy(pickle, "\x80\x02", 2);
    pickle[SIZE - 1] = '.';
    getrusage(RUSAGE_SELF, &before);
    ASSERT_FAILS(open_pickle(pickle, SIZE), RSD_ERR_MEMORY, err, "memory limit");
    getrusage(RUSAGE_SELF, &after);
    cr_assert_lt(after.ru_maxrss - before.ru_maxrss, 400 << 10, "%ld kB more", after.ru_maxrss - before.ru_maxrss);
    free(pickle);
}

/* A memo place far away would ask for room up to it. */
Test(oversized, a_place_of_the_memo_beyond_the_pickle_is_out_of_reach)
{
    const uint8_t pickle[] = "\x80\x02Nr\xff\xff\xff\0.";

    ASSERT_FAILS(open_pickle(pickle, sizeof pickle - 1), RSD_ERR_CORRUPT, err, "out of reach");
}

/* A list that is short in the file and stands behind many names, and names without end. */
Test(oversized, values_besides_the_arrays_are_bounded)
{
    enum { N = 16385, KEY = 11 };
    uint8_t *pickle = malloc(N * (size_t)(KEY + 2) + 8), *at = pickle;

    memcpy(at, "\x80\x02}(", 4);
    at += 4;
    for (int i = 0; i < N; i++, at += KEY + 1) {
        char key[16];

        snprintf(key, sizeof key, "k%05d", i);
        memcpy(at, "X\6\0\0\0", 5);
        memcpy(at + 5, key, 6);
        at[11] = 0x88; /* true */
    }
    memcpy(at, "u.", 2);
    ASSERT_FAILS(open_pickle(pickle, (size_t)(at + 2 - pickle)), RSD_ERR_UNSUPPORTED, err, "more than 16384 values");
    free(pickle);
}

/* More entries than any model has: the directory of a zip64 says how many, and the other record something else. */
static void assert_many_are_refused(const char *end_record)
{
    enum { N = 100001, LOCAL = 31, ENTRY = 47 };
    uint8_t *bytes = calloc((size_t)N * (LOCAL + ENTRY) + 256, 1), *at = bytes, *directory, *end;
    Checkpoint *c;

    for (int i = 0; i < N; i++, at += LOCAL) { /* names of one letter */
        memcpy(at, "PK\3\4\x14", 5);
        put_u16le(at + 26, 1);
        at[30] = 'a';
    }
    directory = at;
    for (int i = 0; i < N; i++, at += ENTRY) {
        memcpy(at, "PK\1\2\x14\0\x14", 7);
        put_u16le(at + 28, 1);
        put_u32le(at + 42, (uint32_t)(LOCAL * i));
        at[46] = 'a';
    }
    end = at;
    memcpy(at, "PK\6\6", 4); /* zip64: the end of the directory, and where it is */
    put_u32le(at + 4, 44);
    put_u16le(at + 12, 45);
    put_u16le(at + 14, 45);
    put_u32le(at + 24, N);
    put_u32le(at + 32, N);
    put_u32le(at + 40, (uint32_t)(end - directory));
    put_u32le(at + 48, (uint32_t)(directory - bytes));
    at += 56;
    memcpy(at, "PK\6\7", 4);
    put_u32le(at + 8, (uint32_t)(end - bytes));
    put_u32le(at + 16, 1);
    at += 20;
    memcpy(at, end_record, 20);
    at += 22;
    ASSERT_FAILS(checkpoint_open_memory(&c, bytes, (size_t)(at - bytes), "many.th", &err), RSD_ERR_UNSUPPORTED, err,
                 "more than 65534 entries");
    free(bytes);
}

Test(oversized, a_zip_of_too_many_entries_is_refused)
{
    assert_many_are_refused("PK\5\6\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff");
    assert_many_are_refused("PK\5\6\0\0\0\0\1\0\1\0\57\0\0\0\0\0\0\0");
}

/* libzip reads the directory of each. */
Test(oversized, a_zip_of_many_ends_is_refused)
{
    uint8_t zip[4 + 22 * 9] = "PK\3\4";
    Checkpoint *c;

    for (size_t at = 4; at < sizeof zip; at += 22)
        memcpy(zip + at, "PK\5\6", 4);
    ASSERT_FAILS(checkpoint_open_memory(&c, zip, sizeof zip, "ends.th", &err), RSD_ERR_CORRUPT, err, "more than 8 ends");
}

Test(oversized, a_directory_for_too_many_entries_is_refused_whatever_their_number_is_said_to_be)
{
    const size_t directory = (size_t)46 * 65534 + 1, size = directory + 22;
    uint8_t *zip = calloc(size, 1);
    Checkpoint *c;

    memcpy(zip, "PK\3\4", 4);
    memcpy(zip + directory, "PK\5\6", 4);
    zip[directory + 8] = zip[directory + 10] = 1;
    put_u32le(zip + directory + 12, (uint32_t)directory);
    ASSERT_FAILS(checkpoint_open_memory(&c, zip, size, "large.th", &err), RSD_ERR_UNSUPPORTED, err, "a directory of 3014565 bytes");
    free(zip);
}
