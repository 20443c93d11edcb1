/* test_config.c - what a configuration may say, and what is said about mistakes.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>

#include "engine/base/mem.h"
#include "tests/shared.h"
#include "trainer/config_table.h"

static TrainConfig cfg;

static void expect_error(const char *text, const char *line, const char *expected)
{
    RsdError err = {0};

    train_config_init(&cfg);
    cr_expect_eq(train_config_parse(&cfg, text, "x.ini", &err), RSD_ERR_ARG, "accepted: %s", text);
    cr_expect(!strncmp(err.text, line, strlen(line)), "expected %s..., got %s", line, err.text);
    cr_expect_not_null(strstr(err.text, expected), "expected '%s' in: %s", expected, err.text);
}

Test(config, defaults_are_in_range_and_describe_the_builtin_model)
{
    AudioCodecConfig model;

    train_config_init(&cfg);
    for (size_t i = 0; i < CONFIG_N_KEYS; i++) {
        TrainConfig copy = cfg;
        RsdError err = {0};

        cr_expect_eq(config_value_parse(&copy, &CONFIG_KEYS[i], CONFIG_KEYS[i].standard, &err), RSD_OK, "%s.%s: %s",
                     CONFIG_KEYS[i].section, CONFIG_KEYS[i].name, err.text);
        cr_expect(CONFIG_KEYS[i].help[0]);
    }
    audio_codec_default_config(&model);
    cr_expect_str_eq(cfg.model.name, model.name);
    cr_expect_eq(cfg.model.rate_hz, model.rate_hz);
    cr_expect_eq(memcmp(&cfg.model.seanet.ratios, &model.seanet.ratios, sizeof model.seanet.ratios), 0);
    cr_expect_eq(cfg.model.seanet.base_channels, model.seanet.base_channels);
    cr_expect_eq(cfg.model.seanet.latent_dim, model.seanet.latent_dim);
    cr_expect_eq(cfg.model.seanet.causal, model.seanet.causal);
    cr_expect_eq(cfg.model.seanet.true_skip, model.seanet.true_skip);
    cr_expect_eq((int)cfg.model.seanet.pad, (int)model.seanet.pad);
    cr_expect_eq((int)cfg.model.seanet.norm, (int)model.seanet.norm);
    cr_expect_eq(cfg.model.rvq.n_q, model.rvq.n_q);
    cr_expect_eq(cfg.model.rvq.codebook_size, model.rvq.codebook_size);
    cr_expect_eq(cfg.model.rvq.dim, model.rvq.dim);
}

Test(config, reads_units_lists_choices_and_losses)
{
    static const char text[] =
        "; a comment\n[model]\nrate = 24kHz\nratios = 5, 4,2\nlatent_dim = 32\npadding = reflect\ncausal = no\n"
        "[data]\nsegment = 1500 ms ; inline\ncache = 64MiB\nlevel_low = -20 dB\n"
        "[train]\nrates = 6k,1.5kbit/s\ntime_limit = 90m\nsteps = 30k\n"
        "[loss]\nl1 = 0.1\nmel_dac = 2\n[optim]\nschedule = hold\nlr = 3e-4\n";
    RsdError err = {0};

    train_config_init(&cfg);
    cr_assert_eq(train_config_parse(&cfg, text, "x.ini", &err), RSD_OK, "%s", err.text);
    cr_expect_eq(cfg.model.rate_hz, 24000);
    cr_expect(cfg.model.seanet.n_ratios == 3 && cfg.model.seanet.ratios[1] == 4 && cfg.model.seanet.ratios[3] == 0);
    cr_expect_eq(cfg.model.rvq.dim, 32, "the quantiser has the latent's dimension");
    cr_expect_eq((int)cfg.model.seanet.pad, (int)PAD_REFLECT);
    cr_expect_not(cfg.model.seanet.causal);
    cr_expect_float_eq(cfg.data.segment_s, 1.5, 1e-12);
    cr_expect_eq(cfg.data.cache_size, 64 << 20);
    cr_expect_float_eq(cfg.data.augment.level_low_db, -20.0f, 1e-6f);
    cr_expect(cfg.train.n_rates == 2 && cfg.train.rates_bps[0] == 6000 && cfg.train.rates_bps[1] == 1500);
    cr_expect_float_eq(cfg.train.time_limit_s, 5400, 1e-9);
    cr_expect_eq(cfg.train.steps, 30000);
    cr_expect(cfg.loss.n_losses == 2 && !strcmp(cfg.loss.names[1], "mel_dac") && cfg.loss.weights[1] == 2.0f);
    cr_expect_eq(cfg.schedule.kind, (int)SCHEDULE_HOLD);
    cr_expect_eq(cfg.schedule.lr, 3e-4f);
    cr_expect_eq(train_config_segment_len(&cfg), 36000);
}

Test(config, mistakes_are_named_with_line_and_suggestion)
{
    expect_error("[data]\nbacth = 4\n", "x.ini:2: ", "did you mean 'batch'?");
    expect_error("[dta]\nbatch = 4\n", "x.ini:2: ", "did you mean [data]?");
    expect_error("[loss]\n\nmel_dca = 1\n", "x.ini:3: ", "did you mean 'mel_dac'?");
    expect_error("[data]\nlr = 1\n", "x.ini:2: ", "it belongs to [optim]");
    expect_error("[data]\nbatch = 0\n", "x.ini:2: data.batch: ", "1 to 4096");
    expect_error("[data]\nbatch = 1.5\n", "x.ini:2: data.batch: ", "whole number");
    expect_error("[data]\nsegment = 1 parsec\n", "x.ini:2: data.segment: ", "ms");
    expect_error("[model]\ncausal = maybe\n", "x.ini:2: model.causal: ", "neither yes nor no");
    expect_error("[model]\npadding = round\n", "x.ini:2: model.padding: ", "zero, reflect");
    expect_error("[model]\nratios = 8,,2\n", "x.ini:2: model.ratios: ", "not a number");
    expect_error("[model]\nratios = 2,2,2,2,2,2,2,2,2\n", "x.ini:2: model.ratios: ", "more than 8");
    expect_error("[model]\nname = a/b\n", "x.ini:2: model.name: ", "letters");
    expect_error("[data]\nbatch = 4\n\nbatch = 5\n", "x.ini:4: ", "line 2");
    expect_error("[data]\nno equals sign here\n", "x.ini:2: ", "key = value");
    expect_error("batch = 4\n", "x.ini:1: ", "no section");
    expect_error("[optim]\nlr = nan\n", "x.ini:2: optim.lr: ", "not a number");
}

Test(config, a_line_that_is_too_long_is_an_error)
{
    char text[600] = "[model]\nname = ";

    memset(text + strlen(text), 'a', 400);
    expect_error(text, "x.ini:2: ", "longer than");
}

Test(config, assignments_override_and_are_checked)
{
    RsdError err = {0};

    train_config_init(&cfg);
    cr_expect_eq(train_config_set(&cfg, "model.base_channels=24", &err), RSD_OK, "%s", err.text);
    cr_expect_eq(cfg.model.seanet.base_channels, 24);
    cr_expect_eq(train_config_set(&cfg, "loss.l1=0.5", NULL), RSD_OK);
    cr_expect_eq(train_config_set(&cfg, "loss.mse=1", NULL), RSD_OK);
    cr_expect_eq(train_config_set(&cfg, "loss.l1=0", NULL), RSD_OK);
    cr_expect(cfg.loss.n_losses == 1 && !strcmp(cfg.loss.names[0], "mse") && cfg.loss.weights[0] == 1.0f);
    cr_expect_eq(train_config_set(&cfg, "model.base_chanels=24", &err), RSD_ERR_ARG);
    cr_expect_not_null(strstr(err.text, "base_channels"), "%s", err.text);
    cr_expect_eq(train_config_set(&cfg, "batch=24", NULL), RSD_ERR_ARG);
    cr_expect_eq(train_config_set(&cfg, "data.batch", NULL), RSD_ERR_ARG);
}

Test(config, printed_text_reads_back_to_the_same_values)
{
    TrainConfig back;
    char *text = NULL, *again = NULL, key[64];
    RsdError err = {0};

    train_config_init(&cfg);
    train_config_set(&cfg, "loss.mel_dac=0.7", NULL);
    train_config_set(&cfg, "optim.lr=0.00031", NULL);
    train_config_set(&cfg, "data.segment=0.37", NULL);
    train_config_set(&cfg, "train.seed=123456789012345", NULL);
    cr_assert_eq(train_config_print(&text, &cfg, true, &err), RSD_OK);
    train_config_init(&back);
    cr_assert_eq(train_config_parse(&back, text, "printed", &err), RSD_OK, "%s\n%s", err.text, text);
    for (size_t i = 0; i < CONFIG_N_SECTIONS; i++)
        cr_expect_null(train_config_difference(&cfg, &back, CONFIG_SECTIONS[i], key), "%s", key);
    cr_expect_eq(memcmp(&cfg, &back, sizeof cfg), 0);
    cr_assert_eq(train_config_print(&again, &back, true, &err), RSD_OK);
    cr_expect_str_eq(text, again);
    back.model.seanet.base_channels++;
    cr_expect_str_eq(train_config_difference(&cfg, &back, "model", key), "model.base_channels");
    mem_free(&text);
    mem_free(&again);
}

Test(config, rules_between_keys)
{
    static const char *const bad[] = {"model.codebook_size=1000", "data.level_low=-3",   "data.valid_every=1",
                                      "optim.lr_final=1",         "train.rates=1k,100k", "train.rates=100"};
    RsdError err = {0};

    train_config_init(&cfg);
    cr_expect_eq(train_config_check(&cfg, &err), RSD_ERR_ARG, "no loss is on");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        train_config_init(&cfg);
        train_config_set(&cfg, "loss.l1=1", NULL);
        cr_expect_eq(train_config_check(&cfg, NULL), RSD_OK);
        cr_assert_eq(train_config_set(&cfg, bad[i], &err), RSD_OK, "%s", err.text);
        cr_expect_eq(train_config_check(&cfg, &err), RSD_ERR_ARG, "%s", bad[i]);
    }
}

/* The codes of pictures are learned and searched in one way. */
Test(config, remedies_for_codes_of_sound_are_refused_for_pictures)
{
    static const struct {
        const char *quantizer, *setting, *reason; /* NULL: it is possible */
    } cases[] = {{"rvq", "codes_follow=0.1", NULL},          {"rvq", "codes_ahead=1", NULL},          {"rvq", "codes_paths=4", "is for sound"},
                 {"rvq", "codes_sync=0.5", "is for sound"},  {"fsq", "codes_follow=0.1", "rvq alone"}, {"fsq", "codes_paths=2", "is for sound"},
                 {"scalar", "codes_ahead=1", "rvq alone"}};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[160];
        RsdError err = {0};

        train_config_init(&cfg);
        snprintf(text, sizeof text, "[model]\nkind = picture\n[picture]\nquantizer = %s\nlatent = 4\n[train]\n%s\n", cases[i].quantizer,
                 cases[i].setting);
        ASSERT_OK(train_config_parse(&cfg, text, "x.ini", &err), err);
        cr_expect_eq(train_config_check(&cfg, &err), cases[i].reason ? RSD_ERR_ARG : RSD_OK, "%s: %s", text, err.text);
        cr_expect(!cases[i].reason || strstr(err.text, cases[i].reason), "%s: %s", text, err.text);
    }
}

Test(config, the_configurations_of_the_tree_are_sound)
{
    static const char *const paths[] = {"models/photo.ini", "models/photo-msssim.ini", "models/photo-gan.ini", "models/photo-rvq.ini",
                                        "models/speech16.ini", "samples/train-tiny.ini"};
    ImageCodecConfig photo;

    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        RsdError err = {0};

        train_config_init(&cfg);
        cr_expect_eq(train_config_load(&cfg, paths[i], &err), RSD_OK, "%s", err.text);
        cr_expect_eq(train_config_check(&cfg, &err), RSD_OK, "%s", err.text);
        memset(cfg.picture.model.name, 0, sizeof cfg.picture.model.name);
        if (i == 0)
            photo = cfg.picture.model;
        cfg.picture.model.steps = photo.steps; /* they begin as those of 1 */
        if (i <= 2)
            cr_expect(!memcmp(&cfg.picture.model, &photo, sizeof photo), "%s cannot begin from photo: it has other sizes", paths[i]);
    }
    cr_expect_eq(train_config_load(&cfg, "models/none.ini", NULL), RSD_ERR_IO);
}
