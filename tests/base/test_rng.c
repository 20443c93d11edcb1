/* test_rng.c - the counter-based generator against published vectors, and its statistics.
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>

#include "engine/base/rng.h"

/* kat_vectors of Random123 1.09, philox4x32 with 10 rounds: counter, key, result. */
Test(rng, philox_gives_the_published_words_for_counter_and_key_zero)
{
    static const uint32_t expected[4] = {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8};
    Rng rng = {.n_left = 0};

    for (int i = 0; i < 4; i++) {
        uint32_t word = rng_u32(&rng);
        cr_assert_eq(word, expected[i], "word %d is %08x, expected %08x", i, word, expected[i]);
    }
}
