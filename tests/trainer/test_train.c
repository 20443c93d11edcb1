/* test_train.c - whole runs on a folder of tones: learning, exact resume, clean ends.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "tests/trainer/runs.h"
#include "tests/trainer/state_files.h"
#include "tests/trainer/tone_runs.h"
#include "tests/trainer/warnings.h"

TestSuite(train, .init = tones_open, .fini = tones_close);

Test(train, a_small_run_reduces_the_loss_and_leaves_a_model)
{
    AudioCodec *codec;
    RsdError err = {0};
    ToneOutcome *outcome;

    train_config_set(&tones.cfg, "train.steps=150", NULL);
    train_config_set(&tones.cfg, "train.stages=all", NULL);
    train_config_set(&tones.cfg, "data.valid_every=4", NULL);
    train_config_set(&tones.cfg, "train.valid_steps=50", NULL);
    outcome = tones_train("run", false, 2);
    tones_expect_ok(outcome);
    cr_expect_eq((int)outcome->summary.end, (int)TRAIN_FINISHED);
    cr_expect_lt(outcome->last_loss, 0.75 * outcome->first_loss, "loss %g at first, %g at last", outcome->first_loss,
                 outcome->last_loss);
    cr_expect(isfinite(outcome->summary.best_score));
    cr_expect(tones_exists("run", "log.jsonl") && tones_exists("run", "config.ini") &&
              tones_exists("run", "checkpoint-best.safetensors"));
    cr_expect(tones_exists("run", "checkpoint-000000150.safetensors"));
    cr_assert_eq(audio_codec_load(&codec, runs_path(tones.base_dir, "run/model.safetensors"), &err), RSD_OK, "%s", err.text);
    cr_expect_eq(codec->config.rvq.n_q, 3);
    audio_codec_destroy(&codec);
}

Test(train, a_projected_quantiser_learns_and_resumes_to_the_bit)
{
    static const char *const settings[] = {"model.quantizer=projected", "model.code_dim=3", "model.strides=2,1", "train.rates=5000",
                                           "train.codes_ahead=1", "train.codes_follow=0.1", "train.codes_sync=0.5", "train.steps=60", "train.stages=all", "train.checkpoint_steps=30",
                                           "data.valid_every=4", "train.valid_steps=30", "train.quantizer_start=5", "train.keep=9"};
    AudioCodec *codec;
    RsdError err = {0};
    ToneOutcome *outcome;

    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
        cr_assert_eq(train_config_set(&tones.cfg, settings[i], &err), RSD_OK, "%s", err.text);
    outcome = tones_train("whole", false, 2);
    tones_expect_ok(outcome);
    cr_expect_lt(outcome->last_loss, 0.9 * outcome->first_loss, "loss %g at first, %g at last", outcome->first_loss,
                 outcome->last_loss);
    tones.stop_at = 30;
    tones_expect_ok(tones_train("parts", false, 1));
    tones.stop_at = 0;
    tones_expect_ok(tones_train("parts", true, 1));
    state_files_expect_same(tones_checkpoint("whole", 60), tones_checkpoint("parts", 60), 20);
    cr_assert_eq(audio_codec_load(&codec, runs_path(tones.base_dir, "whole/model.safetensors"), &err), RSD_OK, "%s", err.text);
    cr_expect(audio_codec_is_projected(&codec->config) && codec->config.projected_rvq.code_dim == 3);
    cr_expect(audio_codec_stride(&codec->config, 0) == 2 && audio_codec_stride(&codec->config, 2) == 1);
    audio_codec_destroy(&codec);
    tones.init_path = runs_path(tones.base_dir, "whole/model.safetensors");
    cr_assert_eq(train_config_set(&tones.cfg, "train.freeze=codes", &err), RSD_OK);
    tones_expect_ok(tones_train("next", false, 2));
    {
        char first[3 * RECORDINGS_PATH_SIZE], next[3 * RECORDINGS_PATH_SIZE];

        snprintf(first, sizeof first, "%s", runs_path(tones.base_dir, "whole/model.safetensors"));
        snprintf(next, sizeof next, "%s", runs_path(tones.base_dir, "next/model.safetensors"));
        cr_expect_eq(state_files_count_changed(first, next, "encoder."), 0);
        cr_expect_eq(state_files_count_changed(first, next, "embed"), 0);
        cr_expect_gt(state_files_count_changed(first, next, "decoder."), 4);
    }
    cr_assert_eq(train_config_set(&tones.cfg, "model.strides=1", &err), RSD_OK);
    tones.init_path = runs_path(tones.base_dir, "whole/model.safetensors");
    cr_expect_eq(tones_train("other", false, 1)->status, RSD_ERR_MODEL, "codes of two frames are another architecture");
    tones.init_path = NULL;
    cr_assert_eq(train_config_set(&tones.cfg, "model.quantizer=rvq", &err), RSD_OK);
    cr_expect_eq(tones_train("refused", false, 1)->status, RSD_ERR_ARG, "codes of moving averages have no gradient to share");
}

Test(train, an_adapter_learns_beside_a_model_that_stays_as_it_is)
{
    AudioCodec *plain, *adapted;
    RsdError err = {0};
    ToneOutcome *outcome;
    int n_same = 0;

    train_config_set(&tones.cfg, "train.steps=20", NULL);
    tones_expect_ok(tones_train("base", false, 2));
    tones.init_path = runs_path(tones.base_dir, "base/model.safetensors");
    train_config_set(&tones.cfg, "train.adapter_rank=2", NULL);
    train_config_set(&tones.cfg, "train.steps=40", NULL);
    train_config_set(&tones.cfg, "train.stages=all", NULL);
    outcome = tones_train("whole", false, 2);
    tones_expect_ok(outcome);
    cr_expect_lt(outcome->last_loss, outcome->first_loss, "loss %g at first, %g at last", outcome->first_loss, outcome->last_loss);
    tones.stop_at = 25;
    tones_expect_ok(tones_train("parts", false, 1));
    tones.stop_at = 0;
    tones.init_path = NULL;
    tones_expect_ok(tones_train("parts", true, 1));
    state_files_expect_same(tones_checkpoint("whole", 40), tones_checkpoint("parts", 40), 20);
    tones.stop_at = TONES_STOP_BEFORE_FIRST;
    tones.init_path = runs_path(tones.base_dir, "base/model.safetensors");
    tones_expect_ok(tones_train("late", false, 1));
    tones.stop_at = 0;
    tones.init_path = NULL;
    tones_expect_ok(tones_train("late", true, 1));
    state_files_expect_same(tones_checkpoint("whole", 40), tones_checkpoint("late", 40), 20);
    cr_expect(tones_exists("whole", "adapter.safetensors") && !tones_exists("whole", "model.safetensors"));
    outcome = tones_train("nothing", false, 1);
    cr_expect(outcome->status == RSD_ERR_ARG && strstr(outcome->err.text, "name it with --init"), "%s", outcome->err.text);

    cr_assert_eq(audio_codec_load(&plain, runs_path(tones.base_dir, "base/model.safetensors"), &err), RSD_OK, "%s", err.text);
    cr_assert_eq(audio_codec_load(&adapted, runs_path(tones.base_dir, "base/model.safetensors"), &err), RSD_OK, "%s", err.text);
    cr_assert_eq(adapter_apply(adapted, runs_path(tones.base_dir, "whole/adapter.safetensors"), &err), RSD_OK, "%s", err.text);
    for (size_t i = 0; i < plain->params->n_items; i++) {
        const Param *a = &plain->params->items[i], *b = &adapted->params->items[i];
        bool same = !memcmp(a->tensor->data, b->tensor->data, (size_t)tensor_count(a->tensor) * sizeof(float));

        cr_expect(same || !strncmp(a->name, "decoder.", 8), "%s has changed", a->name);
        n_same += same;
    }
    cr_expect_lt(n_same, (int)plain->params->n_items - 8, "hardly anything was added");
    audio_codec_destroy(&plain);
    audio_codec_destroy(&adapted);
}

Test(train, resuming_equals_never_having_stopped)
{
    tones_expect_ok(tones_train("whole", false, 1));
    tones.stop_at = 3;
    train_config_set(&tones.cfg, "data.workers=2", NULL);
    ToneOutcome *outcome = tones_train("parts", false, 2);
    tones_expect_ok(outcome);
    cr_expect_eq((int)outcome->summary.end, (int)TRAIN_STOPPED);
    cr_expect_eq(outcome->summary.step, 3);
    cr_expect_not(tones_exists("parts", "checkpoint-000000006.safetensors"));
    tones.stop_at = 0;
    train_config_set(&tones.cfg, "data.workers=1", NULL);
    outcome = tones_train("parts", true, 1);
    tones_expect_ok(outcome);
    cr_expect_eq(outcome->summary.first_step, 3);
    cr_expect_eq(outcome->summary.step, 6);
    state_files_expect_same(tones_checkpoint("whole", 6), tones_checkpoint("parts", 6), 20);
}

Test(train, a_quantiser_that_joins_later_resumes_exactly_too)
{
    train_config_set(&tones.cfg, "train.quantizer_start=3", NULL);
    train_config_set(&tones.cfg, "data.valid_every=4", NULL);
    train_config_set(&tones.cfg, "train.valid_steps=2", NULL);
    tones_expect_ok(tones_train("whole", false, 1));
    tones.stop_at = 2;
    tones_expect_ok(tones_train("parts", false, 1));
    tones.stop_at = 0;
    tones_expect_ok(tones_train("parts", true, 2));
    state_files_expect_same(tones_checkpoint("whole", 6), tones_checkpoint("parts", 6), 20);
}

Test(train, validation_and_checkpoints_change_no_bit)
{
    train_config_set(&tones.cfg, "data.valid_every=4", NULL);
    tones_expect_ok(tones_train("plain", false, 2));
    train_config_set(&tones.cfg, "train.valid_steps=2", NULL);
    train_config_set(&tones.cfg, "train.checkpoint_steps=1", NULL);
    train_config_set(&tones.cfg, "train.keep=2", NULL);
    tones_expect_ok(tones_train("busy", false, 2));
    state_files_expect_same(tones_checkpoint("plain", 6), tones_checkpoint("busy", 6), 20);
    cr_expect(tones_exists("busy", "checkpoint-000000005.safetensors"));
    cr_expect_not(tones_exists("busy", "checkpoint-000000004.safetensors"), "only the newest two are kept");
}

Test(train, a_run_can_start_from_the_weights_of_a_model)
{
    char model[3 * RECORDINGS_PATH_SIZE];
    double random_loss, trained_loss;
    ToneOutcome *outcome = tones_train("random", false, 1);

    tones_expect_ok(outcome);
    random_loss = outcome->first_loss;
    trained_loss = outcome->last_loss;
    snprintf(model, sizeof model, "%s/model.safetensors", runs_path(tones.base_dir, "random"));
    tones.init_path = model;
    outcome = tones_train("trained", false, 1);
    tones_expect_ok(outcome);
    cr_expect_eq(outcome->summary.first_step, 0);
    cr_expect_lt(outcome->first_loss, random_loss, "%g from the model of a loss of %g, %g from random weights",
                 outcome->first_loss, trained_loss, random_loss);
    tones.init_path = NULL;
}

/* Whether streams of the model `base` are decoded with `tuned`. */
static bool stands_in(const char *tuned, const char *base)
{
    AudioCodec *one, *other;
    RsdError err = {0};
    bool stands;

    cr_assert_eq(audio_codec_load(&one, base, &err), RSD_OK, "%s", err.text);
    cr_assert_eq(audio_codec_load(&other, tuned, &err), RSD_OK, "%s", err.text);
    stands = audio_codec_knows_hash(other, one->hash);
    audio_codec_destroy(&one);
    audio_codec_destroy(&other);
    return stands;
}

Test(train, a_frozen_part_keeps_every_bit_while_the_rest_learns)
{
    static const char *const freeze[] = {"train.freeze=encoder", "train.freeze=codes"};
    char model[3 * RECORDINGS_PATH_SIZE], tuned[3 * RECORDINGS_PATH_SIZE];

    tones_expect_ok(tones_train("run", false, 1));
    snprintf(model, sizeof model, "%s/model.safetensors", runs_path(tones.base_dir, "run"));
    tones.init_path = model;
    for (int i = 0; i < 2; i++) {
        const char *run = i ? "codes" : "encoder";

        cr_assert_eq(train_config_set(&tones.cfg, freeze[i], NULL), RSD_OK);
        tones_expect_ok(tones_train(run, false, 1));
        snprintf(tuned, sizeof tuned, "%s/model.safetensors", runs_path(tones.base_dir, run));
        cr_expect_eq(state_files_count_changed(model, tuned, "encoder."), 0, "%s", freeze[i]);
        cr_expect_gt(state_files_count_changed(model, tuned, "decoder."), 4, "%s", freeze[i]);
        cr_expect_eq(state_files_count_changed(model, tuned, "embed") == 0, i == 1, "%s", freeze[i]);
        cr_expect_eq(stands_in(tuned, model), i == 1, "%s", freeze[i]);
    }
    tones.init_path = NULL;
}

Test(train, changed_settings_are_told_on_resume)
{
    tones.stop_at = 2;
    tones_expect_ok(tones_train("run", false, 1));
    tones.stop_at = 0;
    train_config_set(&tones.cfg, "optim.lr=0.002", NULL);
    warnings.n = 0;
    tones_expect_ok(tones_train("run", true, 1));
    cr_expect_not_null(strstr(warnings.last, "optim.lr"), "%s", warnings.last);
}

Test(train, settings_of_pictures_are_no_change)
{
    tones.stop_at = 2;
    train_config_set(&tones.cfg, "picture.crop=64", NULL);
    train_config_set(&tones.cfg, "adversary.patch_kinds=64", NULL);
    tones_expect_ok(tones_train("run", false, 1));
    tones.stop_at = 0;
    warnings.n = 0;
    tones_expect_ok(tones_train("run", true, 1));
    cr_expect_eq(warnings.n, 0, "%s", warnings.last);
}

Test(train, parts_of_a_batch_add_up_to_the_whole)
{
    static const char *const settings[] = {"loss.balance=fixed", "train.quantizer_start=100", "optim.epsilon=0.001"};
    char whole[3 * RECORDINGS_PATH_SIZE];

    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
        cr_assert_eq(train_config_set(&tones.cfg, settings[i], NULL), RSD_OK);
    tones_expect_ok(tones_train("whole", false, 1));
    snprintf(whole, sizeof whole, "%s", tones_checkpoint("whole", 6));
    cr_assert_eq(train_config_set(&tones.cfg, "train.accumulate=2", NULL), RSD_OK);
    tones_expect_ok(tones_train("halves", false, 1));
    cr_expect_lt(state_files_apart(whole, tones_checkpoint("halves", 6)), 1e-5);
    cr_assert_eq(train_config_set(&tones.cfg, "train.accumulate=4", NULL), RSD_OK);
    tones_expect_ok(tones_train("quarters", false, 2));
    cr_expect_lt(state_files_apart(whole, tones_checkpoint("quarters", 6)), 1e-5);
    cr_assert_eq(train_config_set(&tones.cfg, "train.quantizer_start=0", NULL), RSD_OK);
    tones_expect_ok(tones_train("quantised", false, 1));
    cr_assert_eq(train_config_set(&tones.cfg, "train.accumulate=3", NULL), RSD_OK);
    cr_expect_eq(tones_train("thirds", false, 1)->status, RSD_ERR_ARG);
}

Test(train, a_gradient_from_uphill_is_another_one_and_resumes_exactly)
{
    char plain[3 * RECORDINGS_PATH_SIZE], near[3 * RECORDINGS_PATH_SIZE], far[3 * RECORDINGS_PATH_SIZE];

    cr_assert_eq(train_config_set(&tones.cfg, "optim.epsilon=0.001", NULL), RSD_OK);
    tones_expect_ok(tones_train("plain", false, 1));
    snprintf(plain, sizeof plain, "%s", tones_checkpoint("plain", 6));
    cr_assert_eq(train_config_set(&tones.cfg, "optim.sam=1e-7", NULL), RSD_OK);
    tones_expect_ok(tones_train("near", false, 1));
    snprintf(near, sizeof near, "%s", tones_checkpoint("near", 6));
    cr_expect_lt(state_files_apart(plain, near), 1e-3, "%g", state_files_apart(plain, near));
    cr_assert_eq(train_config_set(&tones.cfg, "optim.sam=0.2", NULL), RSD_OK);
    tones_expect_ok(tones_train("far", false, 1));
    snprintf(far, sizeof far, "%s", tones_checkpoint("far", 6));
    cr_expect_gt(state_files_apart(plain, far), 1e-3, "%g", state_files_apart(plain, far));
    tones.stop_at = 3;
    tones_expect_ok(tones_train("broken", false, 2));
    tones.stop_at = 0;
    tones_expect_ok(tones_train("broken", true, 1));
    state_files_expect_same(far, tones_checkpoint("broken", 6), 20);
}

Test(train, a_time_limit_ends_the_run_with_a_checkpoint)
{
    train_config_set(&tones.cfg, "train.steps=1000000", NULL);
    train_config_set(&tones.cfg, "train.time_limit=2.5s", NULL);
    ToneOutcome *outcome = tones_train("run", false, 1);
    tones_expect_ok(outcome);
    cr_expect_eq((int)outcome->summary.end, (int)TRAIN_TIME_LIMIT);
    cr_expect_gt(outcome->summary.step, 0);
    cr_expect_eq(access(outcome->summary.checkpoint, F_OK), 0);
    cr_expect_lt(outcome->summary.seconds, 5.0);
}

Test(train, the_number_of_stages_follows_the_configuration)
{
    int counts[RVQ_MAX_STAGES + 1] = {0};

    train_config_init(&tones.cfg);
    for (int64_t step = 0; step < 6000; step++)
        counts[audio_step_stages(&tones.cfg, step)]++;
    for (int n = 1; n <= 12; n++) {
        double expected = 6000 * (0.5 / 12 + (n == 3 || n == 6 || n == 12 ? 0.5 / 3 : 0.0));

        cr_expect(fabs(counts[n] - expected) < 5 * sqrt(expected), "%d stages: %d times, expected about %g", n,
                  counts[n], expected);
    }
    tones.cfg.train.stages = STAGES_ALL;
    cr_expect_eq(audio_step_stages(&tones.cfg, 17), 12);
}

Test(train, the_plan_writes_nothing_and_knows_the_model)
{
    const char *dirs[] = {tones.data_dir};
    TrainOptions options = {.dirs = dirs, .n_dirs = 1, .run_dir = runs_path(tones.base_dir, "plan")};
    TrainPlan plan;
    RsdError err = {0};

    cr_assert_eq(rsd_threads_create(&options.threads, 1, NULL), RSD_OK);
    cr_assert_eq(train_audio_plan(&tones.cfg, &options, 2, &plan, &err), RSD_OK, "%s", err.text);
    cr_expect_eq(plan.n_parameters, seanet_count_parameters(&tones.cfg.model.seanet));
    cr_expect_eq(plan.n_codebook_numbers, 3 * 16 * 8);
    cr_expect_gt(plan.step_s, 0.0);
    cr_expect_gt(plan.step_size, 1000);
    cr_expect_neq(access(runs_path(tones.base_dir, "plan"), F_OK), 0);
    rsd_threads_destroy(&options.threads);
}
