/* test_checksum.c - published vectors of CRC-32 and SHA-256.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>

#include "engine/base/bytes.h"
#include "engine/base/checksum.h"
#include "tests/shared.h"

Test(checksum, crc32_has_its_check_value_and_can_be_continued)
{
    static const char text[] = "123456789"; /* the customary check value of the CRC catalogue: cbf43926 */

    cr_assert_eq(crc32_update(0, text, 9), 0xcbf43926);
    cr_assert_eq(crc32_update(0, text, 0), 0);
    for (size_t cut = 0; cut <= 9; cut++)
        cr_assert_eq(crc32_update(crc32_update(0, text, cut), text + cut, 9 - cut), 0xcbf43926, "cut at %zu", cut);
}

/* FIPS 180-2, appendix B, and the empty message. */
Test(checksum, sha256_gives_the_published_digests)
{
    static const struct {
        const char *text, *digest;
    } vectors[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };

    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        uint8_t digest[SHA256_SIZE];
        char hex[2 * SHA256_SIZE + 1];

        sha256(vectors[i].text, strlen(vectors[i].text), digest);
        for (int k = 0; k < SHA256_SIZE; k++)
            snprintf(hex + 2 * k, 3, "%02x", digest[k]);
        cr_assert_str_eq(hex, vectors[i].digest);
    }
}

Test(checksum, byte_orders_are_what_their_names_say)
{
    uint8_t bytes[8];

    put_u64le(bytes, 0x0123456789abcdef);
    cr_assert_arr_eq(bytes, "\xef\xcd\xab\x89\x67\x45\x23\x01", 8);
    cr_assert_eq(get_u64le(bytes), 0x0123456789abcdef);
    cr_assert_eq(get_u32le(bytes), 0x89abcdef);
    cr_assert_eq(get_u16le(bytes), 0xcdef);
    put_u32be(bytes, 0xfedcba98);
    cr_assert_arr_eq(bytes, "\xfe\xdc\xba\x98", 4);
    cr_assert_eq(get_u32be(bytes), 0xfedcba98);
    put_u64le(bytes, UINT64_MAX);
    cr_assert_eq(get_u64le(bytes), UINT64_MAX);
}
