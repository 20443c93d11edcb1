/* test_header.c - headers there and back, every field out of range, every byte flipped.
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>
#include <string.h>

#include "codec/container.h"
#include "engine/base/bytes.h"
#include "engine/base/checksum.h"
#include "streams.h"

/* Parses as a reader does: prefix first. */
static RsdStatus parse(StreamHeader *header, const uint8_t *bytes, size_t available, RsdError *err)
{
    size_t size;
    RsdStatus status = header_probe(&size, bytes, err);

    if (status != RSD_OK)
        return status;
    cr_assert(size <= HEADER_MAX_SIZE);
    return size > available ? RSD_ERR_CORRUPT : header_parse(header, bytes, size, err);
}

static void mend_crc(uint8_t *bytes)
{
    size_t size = get_u16le(bytes + 6);

    put_u32le(bytes + size - 4, crc32_update(0, bytes, size - 4));
}

Test(header, comes_back_as_it_was_written)
{
    StreamHeader header, back;
    uint8_t bytes[HEADER_MAX_SIZE];
    size_t size;

    header_example(&header);
    header.info.n_samples = 1234567;
    size = header_write(&header, bytes);
    cr_assert_eq(size, 38 + 6 + 8 + 4);
    cr_assert_eq((size_t)header.info.header_size, size);
    cr_assert_eq(parse(&back, bytes, size, NULL), RSD_OK);
    cr_assert_eq(memcmp(&back, &header, sizeof header), 0);
    cr_assert_float_eq(back.info.bitrate_bps, 6000, 1e-9);
    cr_assert_eq(back.info.n_stages, 12);
}

Test(header, is_laid_out_as_the_format_description_says)
{
    static const uint8_t EXPECTED[] = {'R',  'S',  'D',  1,    1,    0,    56,   0,    0x01, 0x23, 0x45, 0x67, 0x89,
                                       0xAB, 0xCD, 0xEF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x80, 0x3E,
                                       0,    0,    0x40, 0x01, 50,   0,    1,    1,    1,    10,   3,    8,    3,
                                       0,    3,    0,    6,    0,    's',  'p',  'e',  'e',  'c',  'h',  '1',  '6'};
    StreamHeader header;
    uint8_t bytes[HEADER_MAX_SIZE];

    header_example(&header);
    header_write(&header, bytes);
    cr_assert_arr_eq(bytes, EXPECTED, sizeof EXPECTED);
    cr_assert_eq(get_u32le(bytes + 52), crc32_update(0, bytes, 52));
}

Test(header, refuses_every_field_out_of_range_in_its_own_words)
{
    static const struct {
        size_t at;
        uint8_t bytes[8];
        size_t size;
        RsdStatus status;
        const char *says;
    } CASES[] = {
        {0, "X", 1, RSD_ERR_CORRUPT, "not a .rsd stream"},
        {3, {0}, 1, RSD_ERR_CORRUPT, "version 0"},
        {3, {2}, 1, RSD_ERR_UNSUPPORTED, "version 2"},
        {4, {0}, 1, RSD_ERR_UNSUPPORTED, "kind 0"},
        {4, {2}, 1, RSD_ERR_UNSUPPORTED, "picture"},
        {4, {3}, 1, RSD_ERR_UNSUPPORTED, "kind 3"},
        {5, {1}, 1, RSD_ERR_UNSUPPORTED, "features (bits 01)"},
        {6, {44, 0}, 2, RSD_ERR_CORRUPT, "44 bytes long; 45 to 4096"},
        {6, {1, 16}, 2, RSD_ERR_CORRUPT, "4097 bytes long; 45 to 4096"},
        {16, {0, 0, 0, 0, 0, 0, 0, 0x80}, 8, RSD_ERR_CORRUPT, "samples; at most"},
        {16, {0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}, 8, RSD_ERR_CORRUPT, "samples; at most"},
        {24, {0, 0, 0, 0}, 4, RSD_ERR_CORRUPT, "0 samples per second"},
        {24, {1, 0xB8, 0x0B, 0}, 4, RSD_ERR_CORRUPT, "samples per second"},
        {24, {0xFF, 0xFF, 0xFF, 0xFF}, 4, RSD_ERR_CORRUPT, "samples per second"},
        {28, {0, 0}, 2, RSD_ERR_CORRUPT, "0 samples per frame"},
        {30, {0, 0}, 2, RSD_ERR_CORRUPT, "0 frames per packet"},
        {30, {1, 16}, 2, RSD_ERR_CORRUPT, "4097 frames per packet"},
        {30, {0, 16}, 2, RSD_ERR_CORRUPT, "needs more than 16384 bytes"},
        {32, {0}, 1, RSD_ERR_CORRUPT, "0 channels"},
        {32, {65}, 1, RSD_ERR_CORRUPT, "65 channels"},
        {34, {0}, 1, RSD_ERR_UNSUPPORTED, "0 code streams"},
        {34, {2}, 1, RSD_ERR_UNSUPPORTED, "2 code streams"},
        {35, {0}, 1, RSD_ERR_CORRUPT, "codes of 0 bits"},
        {35, {17}, 1, RSD_ERR_CORRUPT, "codes of 17 bits"},
        {36, {0}, 1, RSD_ERR_CORRUPT, "0 layers"},
        {36, {16}, 1, RSD_ERR_CORRUPT, "16 layers"},
        {36, {15}, 1, RSD_ERR_CORRUPT, "too few"},
        {37, {0}, 1, RSD_ERR_CORRUPT, "name"},
        {37, {32}, 1, RSD_ERR_CORRUPT, "32 characters"},
        {37, {9}, 1, RSD_ERR_CORRUPT, "too few"},
        {38, {0}, 1, RSD_ERR_CORRUPT, "layer 1 has 0 stages"},
        {38, {65}, 1, RSD_ERR_CORRUPT, "layer 1 has 65 stages"},
        {42, {59}, 1, RSD_ERR_CORRUPT, "65 stages in all"},
        {39, {7}, 1, RSD_ERR_UNSUPPORTED, "payload type 7"},
        {39, {2}, 1, RSD_ERR_CORRUPT, "codes of 4 frames, of which no whole number makes a packet of 50"},
        {44, "\n", 1, RSD_ERR_CORRUPT, "byte 0a"},
        {46, {0}, 1, RSD_ERR_CORRUPT, "name"},
        {51, {0}, 1, RSD_ERR_CORRUPT, "name"},
    };
    StreamHeader header, back;
    uint8_t bytes[HEADER_MAX_SIZE];

    header_example(&header);
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        RsdError err = {RSD_OK, ""};
        size_t size = header_write(&header, bytes);

        memcpy(bytes + CASES[i].at, CASES[i].bytes, CASES[i].size);
        if (CASES[i].at != 6)
            mend_crc(bytes);
        cr_expect_eq(parse(&back, bytes, size, &err), CASES[i].status, "case %zu: %s", i, err.text);
        cr_expect_not_null(strstr(err.text, CASES[i].says), "case %zu: \"%s\" does not say \"%s\"", i, err.text,
                           CASES[i].says);
    }
}

Test(header, takes_fields_that_it_does_not_know_unless_they_are_needed)
{
    static const struct {
        uint8_t fields[12];
        size_t size;
        RsdStatus status;
    } CASES[] = {
        {{0x01, 0x00, 0, 0}, 4, RSD_OK},
        {{0xFF, 0x7F, 2, 0, 9, 9, 0x02, 0x00, 1, 0, 7}, 11, RSD_OK},
        {{0x00, 0x80, 0, 0}, 4, RSD_ERR_UNSUPPORTED},
        {{0x01, 0x00, 1, 0}, 4, RSD_ERR_CORRUPT},
        {{0x01, 0x00, 0xFF, 0xFF, 1}, 5, RSD_ERR_CORRUPT},
        {{0x01, 0x00, 0, 0, 1}, 5, RSD_ERR_CORRUPT},
        {{0x01, 0x00, 0, 0, 1, 2, 3}, 7, RSD_ERR_CORRUPT},
    };

    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        StreamHeader header, back;
        uint8_t bytes[HEADER_MAX_SIZE];
        size_t size;

        header_example(&header);
        memcpy(header.fields, CASES[i].fields, CASES[i].size);
        header.fields_size = CASES[i].size;
        cr_assert_eq(header_complete(&header, RSD_ERR_ARG, NULL), RSD_OK);
        size = header_write(&header, bytes);
        cr_expect_eq(parse(&back, bytes, size, NULL), CASES[i].status, "case %zu", i);
        if (CASES[i].status == RSD_OK)
            cr_expect_eq(memcmp(&back, &header, sizeof header), 0, "case %zu", i);
    }
}

Test(header, keeps_a_layout_of_the_future_but_reads_it_as_discrete)
{
    StreamHeader header, back;
    uint8_t bytes[HEADER_MAX_SIZE], again[HEADER_MAX_SIZE];
    size_t size;

    header_example(&header);
    header.layout = 77;
    size = header_write(&header, bytes);
    cr_assert_eq(parse(&back, bytes, size, NULL), RSD_OK);
    cr_assert_eq(back.info.layout, RSD_LAYOUT_DISCRETE);
    cr_assert_eq(header_write(&back, again), size);
    cr_assert_arr_eq(again, bytes, size);
}

Test(header, refuses_every_flipped_bit_and_every_cut)
{
    StreamHeader header, back;
    uint8_t bytes[HEADER_MAX_SIZE];
    size_t size;

    header_example(&header);
    size = header_write(&header, bytes);
    for (size_t i = 0; i < 8 * size; i++) {
        bytes[i / 8] ^= (uint8_t)(1 << i % 8);
        cr_expect_neq(parse(&back, bytes, size, NULL), RSD_OK, "bit %zu", i);
        bytes[i / 8] ^= (uint8_t)(1 << i % 8);
    }
    cr_assert_eq(parse(&back, bytes, size, NULL), RSD_OK);
}

Test(header, names_what_an_encoder_asked_for_out_of_range)
{
    StreamHeader header;
    RsdError err;

    header_example(&header);
    header.info.frames_per_packet = 0;
    cr_assert_eq(header_complete(&header, RSD_ERR_ARG, &err), RSD_ERR_ARG);
    cr_assert_not_null(strstr(err.text, "0 frames per packet"));
    header_example(&header);
    header.fields_size = HEADER_MAX_SIZE;
    cr_assert_eq(header_complete(&header, RSD_ERR_ARG, &err), RSD_ERR_ARG);
}
