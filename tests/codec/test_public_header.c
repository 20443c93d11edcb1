/* test_public_header.c - residua.h is all that a program needs: it is included here first and alone.
 *
 * SPDX-License-Identifier: MIT
 */
#include "codec/residua.h"

#include <criterion/criterion.h>
#include <stdio.h>

Test(public_header, version_of_the_library_is_the_one_compiled_with)
{
    char text[32];

    snprintf(text, sizeof text, "%d.%d.%d", RSD_VERSION_MAJOR, RSD_VERSION_MINOR, RSD_VERSION_PATCH);
    cr_assert_str_eq(rsd_version(), text);
    cr_assert_str_eq(rsd_version(), RSD_VERSION);
}

Test(public_header, closing_nothing_is_allowed)
{
    RsdModel *model = NULL;
    RsdEncoder *encoder = NULL;
    RsdDecoder *decoder = NULL;

    rsd_model_close(&model);
    rsd_encoder_close(&encoder);
    rsd_decoder_close(&decoder);
    cr_assert_eq(rsd_threads_count(NULL), 1);
}
