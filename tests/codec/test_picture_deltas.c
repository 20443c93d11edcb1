/* test_picture_deltas.c - changes of the synthesis: to bytes and back, in a header, and any bytes in their place.
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "codec/picture_format.h"
#include "engine/base/bytes.h"
#include "engine/base/checksum.h"
#include "engine/base/rng.h"

static PictureDeltas example(uint32_t seed, float most_gain)
{
    Rng rng = rng_at(23, RNG_TEST, 0, seed);
    float gain[64], bias[IMAGE_LAST_OUTPUTS];
    PictureDeltas deltas;

    for (int i = 0; i < 64; i++)
        gain[i] = rng_between(&rng, -most_gain, most_gain);
    for (int i = 0; i < IMAGE_LAST_OUTPUTS; i++)
        bias[i] = rng_between(&rng, -0.01f, 0.01f);
    delta_vector_round(&deltas.gain, gain, 64, 6);
    delta_vector_round(&deltas.bias, bias, IMAGE_LAST_OUTPUTS, 10);
    return deltas;
}

Test(picture_deltas, come_back_as_they_were_written)
{
    for (uint32_t seed = 0; seed < 20; seed++) {
        const PictureDeltas deltas = example(seed, 0.02f * (float)seed);
        PictureDeltas back;
        uint8_t bytes[DELTAS_MAX_SIZE];
        RsdError err = {0};

        cr_assert_eq(picture_deltas_parse(&back, bytes, picture_deltas_write(&deltas, bytes), &err), RSD_OK, "%s", err.text);
        cr_assert_eq(memcmp(&back, &deltas, sizeof back), 0, "seed %u", seed);
    }
}

Test(picture_deltas, rounding_takes_the_bits_that_it_needs)
{
    const float values[] = {0.26f, -0.5f, 0.0f, 100.0f, -100.0f, NAN};
    DeltaVector vector;

    delta_vector_round(&vector, values, 3, 4); /* 4, -8, 0 */
    cr_assert(vector.bits == 5 && vector.value[0] == 4 && vector.value[1] == -8 && vector.value[2] == 0, "%d bits", vector.bits);
    delta_vector_round(&vector, values + 2, 4, 4);
    cr_assert(vector.bits == 8 && vector.value[1] == 127 && vector.value[2] == -127 && vector.value[3] == 0);
    delta_vector_round(&vector, values + 2, 1, 4);
    cr_assert_eq(vector.bits, 0);
}

static PictureInfo info_with(PictureDeltas deltas)
{
    PictureInfo info = {.model_name = "case", .width = 150, .height = 100, .channels = 3, .bits = 8, .level = 37, .tile_exponent = 6,
                        .deltas = deltas};

    cr_assert_eq(picture_info_complete(&info, RSD_ERR_ARG, NULL), RSD_OK);
    return info;
}

Test(picture_deltas, a_header_has_them_only_when_there_are_some)
{
    const PictureInfo with = info_with(example(3, 0.2f)), without = info_with((PictureDeltas){.gain.n = 0});
    uint8_t bytes[HEADER_MAX_SIZE], field[DELTAS_MAX_SIZE];
    const size_t field_size = picture_deltas_write(&with.deltas, field);
    PictureInfo back;

    cr_assert_eq(picture_header_write(&with, bytes), (size_t)without.header_size + 4 + field_size);
    cr_assert_eq(picture_header_parse(&back, bytes, (size_t)with.header_size, NULL), RSD_OK);
    cr_assert_eq(memcmp(&back.deltas, &with.deltas, sizeof back.deltas), 0);
    picture_header_write(&without, bytes);
    cr_assert_eq(picture_header_parse(&back, bytes, (size_t)without.header_size, NULL), RSD_OK);
    cr_assert(picture_deltas_are_none(&back.deltas));
}

/* Each byte of the field takes each value; the checksum is mended. */
Test(picture_deltas, any_bytes_in_their_place_end_well)
{
    const PictureInfo info = info_with(example(5, 0.3f));
    uint8_t bytes[HEADER_MAX_SIZE];
    const size_t size = picture_header_write(&info, bytes), first = 33 + strlen("case");
    int n_refused = 0;

    for (size_t at = first; at < size - 4; at++)
        for (int v = 0; v < 256; v++) {
            const uint8_t before = bytes[at];
            PictureInfo back;
            RsdError err = {0};
            RsdStatus status;

            bytes[at] = (uint8_t)v;
            put_u32le(bytes + size - 4, crc32_update(0, bytes, size - 4));
            status = picture_header_parse(&back, bytes, size, &err);
            cr_assert(status == RSD_OK || status == RSD_ERR_CORRUPT || status == RSD_ERR_UNSUPPORTED, "byte %zu as %d: %s", at, v, err.text);
            cr_assert(status != RSD_OK || (back.deltas.gain.shift <= DELTAS_MAX_SHIFT && back.deltas.gain.bits <= DELTAS_MAX_BITS));
            n_refused += status != RSD_OK;
            bytes[at] = before;
        }
    cr_assert_gt(n_refused, 2000); /* nearly all of the field's first bytes */
}

Test(picture_deltas, what_is_out_of_range_is_named)
{
    static const struct {
        size_t at;
        uint8_t value;
        RsdStatus status;
        const char *says;
    } CASES[] = {
        {0, 2, RSD_ERR_UNSUPPORTED, "version 2"},
        {1, 40, RSD_ERR_CORRUPT, "bytes, expected"},
        {2, 9, RSD_ERR_CORRUPT, "features have 9 bits"},
        {3, 3, RSD_ERR_CORRUPT, "shifted by 3"},
        {6, 16, RSD_ERR_CORRUPT, "biases have"},
    };
    const PictureDeltas deltas = example(7, 0.1f);
    ImageCodecConfig config = {.name = "small", .widths = {32, 64, 128}};
    RsdError err;

    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        uint8_t bytes[DELTAS_MAX_SIZE];
        const size_t size = picture_deltas_write(&deltas, bytes);
        PictureDeltas back;

        bytes[CASES[i].at] = CASES[i].value;
        cr_expect_eq(picture_deltas_parse(&back, bytes, size, &err), CASES[i].status, "case %zu", i);
        cr_expect_not_null(strstr(err.text, CASES[i].says), "case %zu: \"%s\" does not say \"%s\"", i, err.text, CASES[i].says);
    }
    cr_assert_eq(picture_deltas_check(&deltas, &config, &err), RSD_ERR_CORRUPT);
    cr_assert_not_null(strstr(err.text, "64 features; model small has 32"), "%s", err.text);
    config.widths[0] = 64;
    cr_assert_eq(picture_deltas_check(&deltas, &config, &err), RSD_OK);
}
