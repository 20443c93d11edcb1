/* test_text.c - numbers with units and suggestions.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include <criterion/criterion.h>

#include "engine/base/text.h"

typedef struct Case {
    const char *text;
    Unit unit;
    double value;
} Case;

Test(text, reads_numbers_with_units)
{
    static const Case cases[] = {
        {"1.5s", UNIT_SECONDS, 1.5},     {"250 ms", UNIT_SECONDS, 0.25}, {"10m", UNIT_SECONDS, 600},
        {"2h", UNIT_SECONDS, 7200},      {"90min", UNIT_SECONDS, 5400},  {"64MiB", UNIT_BYTES, 0x1p26},
        {"64M", UNIT_BYTES, 0x1p26},     {"1kB", UNIT_BYTES, 1000},      {"6k", UNIT_BITRATE, 6000},
        {"6kbit/s", UNIT_BITRATE, 6000}, {"0.5k", UNIT_BITRATE, 500},    {"16k", UNIT_HZ, 16000},
        {"44.1kHz", UNIT_HZ, 44100},     {"-30dB", UNIT_DB, -30},        {"-16", UNIT_DB, -16},
        {" 3e-4", UNIT_NONE, 3e-4},      {"30k", UNIT_NONE, 30000},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double value = 0.0;

        cr_expect_eq(text_parse_quantity(&value, cases[i].text, cases[i].unit, NULL), RSD_OK, "%s", cases[i].text);
        cr_expect_float_eq(value, cases[i].value, 1e-12 * (1 + fabs(cases[i].value)), "%s gives %g", cases[i].text,
                           value);
    }
}

Test(text, refuses_what_is_not_a_number)
{
    static const Case cases[] = {{"", UNIT_NONE, 0},     {"abc", UNIT_NONE, 0}, {"1.5x", UNIT_SECONDS, 0},
                                 {"nan", UNIT_NONE, 0},  {"inf", UNIT_NONE, 0}, {"0x10", UNIT_NONE, 0},
                                 {"1s", UNIT_BYTES, 0},  {"1 2", UNIT_NONE, 0}, {"1e999", UNIT_NONE, 0},
                                 {"s", UNIT_SECONDS, 0}, {"1ms", UNIT_HZ, 0},   {"1e308G", UNIT_NONE, 0}};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double value;
        RsdError err = {0};

        cr_expect_eq(text_parse_quantity(&value, cases[i].text, cases[i].unit, &err), RSD_ERR_ARG, "'%s'",
                     cases[i].text);
        cr_expect(err.text[0]);
    }
}

Test(text, prints_what_it_reads_back)
{
    static const Case cases[] = {
        {"90s", UNIT_SECONDS, 90},  {"2h", UNIT_SECONDS, 7200},    {"250ms", UNIT_SECONDS, 0.25},
        {"6k", UNIT_BITRATE, 6000}, {"64MiB", UNIT_BYTES, 0x1p26}, {"16kHz", UNIT_HZ, 16000},
        {"-16dB", UNIT_DB, -16},    {"0.0003", UNIT_NONE, 3e-4},   {"0s", UNIT_SECONDS, 0}};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[QUANTITY_TEXT_SIZE];
        double back;

        text_print_quantity(text, cases[i].value, cases[i].unit);
        if (cases[i].value != 0)
            cr_expect_str_eq(text, cases[i].text);
        cr_expect_eq(text_parse_quantity(&back, text, cases[i].unit, NULL), RSD_OK);
        cr_expect_eq(back, cases[i].value, "%s", text);
    }
}

Test(text, suggests_the_nearest_name_or_nothing)
{
    static const char *const names[] = {"batch", "segment", NULL, "base_channels", "latent_dim", "lr"};
    size_t n = sizeof names / sizeof *names;

    cr_expect_str_eq(text_nearest("bacth", names, n), "batch");
    cr_expect_str_eq(text_nearest("base_channel", names, n), "base_channels");
    cr_expect_str_eq(text_nearest("latentdim", names, n), "latent_dim");
    cr_expect_str_eq(text_nearest("rl", names, n), "lr");
    cr_expect_null(text_nearest("colour", names, n));
    cr_expect_null(text_nearest("", names, 4));
}

Test(text, lists_are_walked_item_by_item)
{
    static const struct {
        const char *list, *items[4];
    } cases[] = {
        {"jpeg,avif", {"jpeg", "avif"}}, {"8", {"8"}}, {"", {""}}, {"a,,b", {"a", "", "b"}}, {"a,", {"a", ""}}, {NULL, {NULL}},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *rest = cases[i].list;
        TextItem item;
        size_t n = 0;

        for (; text_next_item(&item, &rest); n++) {
            cr_assert_not_null(cases[i].items[n], "%s: more items than there are", cases[i].list);
            cr_expect(item.len == strlen(cases[i].items[n]) && strncmp(item.text, cases[i].items[n], item.len) == 0, "%s: item %zu",
                      cases[i].list, n);
        }
        cr_expect_null(cases[i].items[n], "%s: fewer items than there are", cases[i].list ? cases[i].list : "(none)");
    }
}

Test(text, from_a_hostile_file_does_not_steer_a_terminal)
{
    char text[] = "a\x1b[2Jb\x7f\n \xc2\x9b" "2J \xc3\xa4 \xc2\xa0 \xc2";

    cr_assert_str_eq(text_make_printable(text), "a?[2Jb?? ??2J \xc3\xa4 \xc2\xa0 \xc2");
}

Test(text, a_name_may_be_typed_with_dashes)
{
    cr_expect(text_is_name("ms-ssim", "ms_ssim") && text_is_name("ms_ssim", "ms_ssim") && text_is_name("", ""));
    cr_expect(!text_is_name("msssim", "ms_ssim") && !text_is_name("ms-ssi", "ms_ssim") && !text_is_name("ms-ssim-4", "ms_ssim"));
    cr_expect(!text_is_name("ms_ssim", "ms-ssim"), "the other way round");
}
