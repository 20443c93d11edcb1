/* test_error.c - sentences are cut, joined and cleaned.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "engine/base/error.h"
#include "tests/shared.h"

Test(error, set_returns_the_status_and_writes_the_sentence)
{
    RsdError err;

    cr_assert_eq(error_set(&err, RSD_ERR_IO, "%s: frame %d", "song.rsd", 12), RSD_ERR_IO);
    cr_assert_eq(err.status, RSD_ERR_IO);
    cr_assert_str_eq(err.text, "song.rsd: frame 12");
    cr_assert_eq(error_set(NULL, RSD_ERR_ARG, "unheard"), RSD_ERR_ARG);
    cr_assert_eq(error_prefix(NULL, RSD_ERR_ARG, "unheard"), RSD_ERR_ARG);
}

Test(error, prefix_names_the_outer_place)
{
    RsdError err;

    error_set(&err, RSD_ERR_CORRUPT, "checksum 91ab");
    cr_assert_eq(error_prefix(&err, RSD_ERR_MODEL, "%s", "song.rsd"), RSD_ERR_MODEL);
    cr_assert_eq(err.status, RSD_ERR_MODEL);
    cr_assert_str_eq(err.text, "song.rsd: checksum 91ab");
}

Test(error, the_old_sentence_may_be_an_argument_of_the_new_one)
{
    RsdError err;

    error_set(&err, RSD_ERR_IO, "disk full");
    error_set(&err, RSD_ERR_IO, "cannot write (%s), giving up", err.text);
    cr_assert_str_eq(err.text, "cannot write (disk full), giving up");
}

Test(error, long_sentences_are_cut_before_a_character_not_inside_it)
{
    RsdError err;
    char text[RSD_ERROR_TEXT_SIZE + 100];

    for (size_t shift = 0; shift < 4; shift++) {
        memset(text, 'x', shift);
        for (size_t i = shift; i + 3 < sizeof text; i += 3)
            memcpy(text + i, "\xe2\x82\xac", 4); /* euro sign */
        error_set(&err, RSD_ERR_ARG, "%s", text);
        cr_assert_eq((strlen(err.text) - shift) % 3, 0, "cut inside a character: %zu bytes", strlen(err.text));
        cr_assert_geq(strlen(err.text), RSD_ERROR_TEXT_SIZE - 4);
        error_prefix(&err, RSD_ERR_ARG, "prefix");
        cr_assert_eq((strlen(err.text) - shift - strlen("prefix: ")) % 3, 0);
        cr_assert_eq(strncmp(err.text, "prefix: ", 8), 0);
        error_prefix(&err, RSD_ERR_ARG, "%s", text);
        cr_assert_lt(strlen(err.text), sizeof err.text);
    }
}

Test(error, control_characters_cannot_steer_a_terminal)
{
    RsdError err;

    error_set(&err, RSD_ERR_ARG, "%s: bad", "a\x1b[2J\r\n\x7f");
    cr_assert_str_eq(err.text, "a?[2J???: bad");
}

Test(error, every_status_has_a_name)
{
    for (int status = RSD_ERR_MODEL; status <= RSD_OK; status++) {
        const char *name = rsd_status_name((RsdStatus)status);

        cr_assert(*name && strcmp(name, "unknown status") != 0, "status %d", status);
        for (int other = status + 1; other <= RSD_OK; other++)
            cr_assert_str_neq(name, rsd_status_name((RsdStatus)other));
    }
    cr_assert_str_eq(rsd_status_name((RsdStatus)-1000), "unknown status");
}
