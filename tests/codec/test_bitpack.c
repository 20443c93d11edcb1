/* test_bitpack.c - the bit order of docs/format.md, and round trips of every width.
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>
#include <string.h>

#include "codec/bitpack.h"
#include "engine/base/rng.h"

Test(bitpack, packs_the_example_of_the_format_description)
{
    static const uint8_t EXPECTED[3] = {0x55, 0xA9, 0x0A};
    uint8_t bytes[3];
    BitWriter writer;

    bit_writer_init(&writer, bytes);
    bit_writer_put(&writer, 0x155, 10);
    bit_writer_put(&writer, 0x2AA, 10);
    cr_assert_eq(bit_writer_finish(&writer) - bytes, 3);
    cr_assert_arr_eq(bytes, EXPECTED, 3);
}

Test(bitpack, gives_back_codes_of_every_width_and_count)
{
    for (int code_bits = 1; code_bits <= 16; code_bits++)
        for (size_t n = 0; n <= 40; n++) {
            Rng rng = rng_at(7, RNG_TEST, (uint64_t)code_bits, (uint32_t)n);
            uint32_t codes[40];
            uint8_t bytes[82];
            BitWriter writer;
            BitReader reader;

            memset(bytes, 0xEE, sizeof bytes);
            bit_writer_init(&writer, bytes);
            for (size_t i = 0; i < n; i++) {
                codes[i] = rng_below(&rng, 1u << code_bits);
                bit_writer_put(&writer, codes[i], code_bits);
            }
            cr_assert_eq((size_t)(bit_writer_finish(&writer) - bytes), bitpack_size(n, code_bits));
            cr_assert_eq(bytes[bitpack_size(n, code_bits)], 0xEE, "width %d, %zu codes: wrote too far", code_bits, n);
            bit_reader_init(&reader, bytes, bitpack_size(n, code_bits));
            for (size_t i = 0; i < n; i++)
                cr_assert_eq(bit_reader_get(&reader, code_bits), codes[i], "width %d, %zu codes: code %zu", code_bits,
                             n, i);
        }
}

Test(bitpack, reads_zeros_past_the_end)
{
    const uint8_t bytes[1] = {0xFF};
    BitReader reader;

    bit_reader_init(&reader, bytes, 1);
    cr_assert_eq(bit_reader_get(&reader, 10), 0xFF);
    cr_assert_eq(bit_reader_get(&reader, 16), 0);
}
