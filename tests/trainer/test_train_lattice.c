/* test_train_lattice.c - whole runs with quantisers without a codebook (FSQ, BSQ): learning, resuming, the model that is left.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>

#include "tests/trainer/recordings.h"
#include "tests/trainer/runs.h"
#include "tests/trainer/state_files.h"
#include "trainer/train_audio.h"

static char data_dir[RECORDINGS_PATH_SIZE], base_dir[RECORDINGS_PATH_SIZE];
static TrainConfig cfg;

static void set_up(void)
{
    recordings_make_folder(data_dir);
    recordings_make_folder(base_dir);
    recordings_write_tones(data_dir, 8);
    recordings_tiny_config(&cfg);
}

static void tear_down(void)
{
    recordings_remove(data_dir);
    recordings_remove(base_dir);
}

TestSuite(train_lattice, .init = set_up, .fini = tear_down);

typedef struct Outcome {
    RsdStatus status;
    RsdError err;
    double first_loss, last_loss, last_commitment;
    RvqStats codes; /* of the last step */
} Outcome;

static volatile sig_atomic_t stop_flag;
static int64_t stop_at;

static void watch(void *ctx, const TrainProgress *progress)
{
    Outcome *outcome = ctx;

    if (progress->step == 1)
        outcome->first_loss = progress->report->losses[0];
    outcome->last_loss = progress->report->losses[0];
    outcome->last_commitment = progress->report->commitment;
    outcome->codes = progress->report->rvq;
    stop_flag = stop_at && progress->step == stop_at;
}

static const Outcome *train(const char *run, bool resume, int n_threads, const char *init_path)
{
    static Outcome outcome;
    const char *dirs[] = {data_dir};
    char run_dir[3 * RECORDINGS_PATH_SIZE];
    TrainSummary summary;
    TrainOptions options = {.dirs = dirs, .n_dirs = 1, .run_dir = run_dir, .resume = resume, .init_path = init_path, .stop = &stop_flag,
                            .progress = watch, .progress_ctx = &outcome};

    memset(&outcome, 0, sizeof outcome);
    stop_flag = 0;
    snprintf(run_dir, sizeof run_dir, "%s", runs_path(base_dir, run));
    cr_assert_eq(rsd_threads_create(&options.threads, n_threads, NULL), RSD_OK);
    outcome.status = train_audio(&cfg, &options, &summary, &outcome.err);
    rsd_threads_destroy(&options.threads);
    return &outcome;
}

static const Outcome *train_well(const char *run, bool resume, int n_threads, const char *init_path)
{
    const Outcome *outcome = train(run, resume, n_threads, init_path);

    cr_assert_eq(outcome->status, RSD_OK, "%s", outcome->err.text);
    return outcome;
}

/* Codes of all stages from the model file, and latents of them: each code exists, each stage uses several, and a part of the
 * signal is told. */
static void expect_codec(const char *path, int n_codes)
{
    enum { N = 4000, STAGES = 3 };
    static float x[N];
    static uint16_t codes[STAGES * N];
    Tensor *in, *z, *again;
    AudioCodec *codec;
    RsdThreads *threads;
    Tape *tape;
    RsdError err = {0};
    int64_t n_frames;

    for (int i = 0; i < N; i++)
        x[i] = 0.3f * sinf((float)i * 0.2f) * (float)i / N;
    cr_assert_eq(audio_codec_load(&codec, path, &err), RSD_OK, "%s", err.text);
    cr_assert_eq(audio_codec_codebook_size(&codec->config), n_codes);
    cr_assert_eq(rsd_threads_create(&threads, 1, &err), RSD_OK);
    cr_assert_eq(tape_create(&tape, threads, 0, &err), RSD_OK);
    n_frames = N / audio_codec_hop(&codec->config);
    cr_assert_eq(tape_input(tape, &in, 3, (const int64_t[]){1, 1, N}, x, &err), RSD_OK);
    cr_assert_eq(audio_codec_encode(tape, codec, in, STAGES, 1, codes, &err), RSD_OK, "%s", err.text);
    for (int q = 0; q < STAGES; q++) {
        int n_changes = 0;

        for (int64_t t = 0; t < n_frames; t++) {
            cr_assert_lt(codes[q * n_frames + t], n_codes);
            n_changes += t > 0 && codes[q * n_frames + t] != codes[q * n_frames + t - 1];
        }
        cr_expect_gt(n_changes, 3, "stage %d says nothing", q);
    }
    cr_assert_eq(audio_codec_latents(tape, codec, codes, 1, STAGES, n_frames, &z, &err), RSD_OK, "%s", err.text);
    cr_assert_eq(audio_codec_latents(tape, codec, codes, 1, 1, n_frames, &again, &err), RSD_OK, "%s", err.text);
    cr_expect(memcmp(z->data, again->data, (size_t)tensor_count(z) * sizeof(float)), "later stages add nothing");
    codes[0] = (uint16_t)n_codes;
    cr_expect_eq(audio_codec_latents(tape, codec, codes, 1, STAGES, n_frames, &z, &err), RSD_ERR_CORRUPT);
    tape_destroy(&tape);
    rsd_threads_destroy(&threads);
    audio_codec_destroy(&codec);
}

static void expect_training(const char *kind, const char *shape, const char *other_shape, int n_codes)
{
    char setting[64], first[3 * RECORDINGS_PATH_SIZE], next[3 * RECORDINGS_PATH_SIZE], whole[3 * RECORDINGS_PATH_SIZE];
    const Outcome *outcome;

    snprintf(setting, sizeof setting, "model.quantizer=%s", kind);
    runs_set(&cfg, setting);
    runs_set(&cfg, shape);
    runs_set(&cfg, "train.rates=4000");
    runs_set(&cfg, "train.stages=all");
    runs_set(&cfg, "train.steps=80");
    runs_set(&cfg, "train.checkpoint_steps=40");
    runs_set(&cfg, "train.keep=9");
    runs_set(&cfg, "data.valid_every=4");
    outcome = train_well("whole", false, 2, NULL);
    cr_expect_lt(outcome->last_loss, 0.8 * outcome->first_loss, "loss %g at first, %g at last", outcome->first_loss, outcome->last_loss);
    cr_expect_eq(outcome->codes.n_q, 3);
    for (int q = 0; q < 3; q++)
        cr_expect_gt(outcome->codes.perplexity[q], 3.0f, "stage %d: perplexity %g", q, (double)outcome->codes.perplexity[q]);
    cr_expect(!strcmp(kind, "bsq") ? outcome->last_commitment < -0.1 : outcome->last_commitment == 0.0, "%g", outcome->last_commitment);
    snprintf(whole, sizeof whole, "%s", runs_path(base_dir, "whole/checkpoint-000000080.safetensors"));
    stop_at = 40;
    train_well("parts", false, 1, NULL);
    stop_at = 0;
    train_well("parts", true, 1, NULL);
    state_files_expect_same(whole, runs_path(base_dir, "parts/checkpoint-000000080.safetensors"), 20);
    snprintf(first, sizeof first, "%s", runs_path(base_dir, "whole/model.safetensors"));
    expect_codec(first, n_codes);

    /* Fine-tuned with its codes as they are; another lattice is another model. */
    runs_set(&cfg, "train.freeze=codes");
    runs_set(&cfg, "train.steps=6");
    train_well("next", false, 1, first);
    snprintf(next, sizeof next, "%s", runs_path(base_dir, "next/model.safetensors"));
    cr_expect_eq(state_files_count_changed(first, next, "encoder."), 0);
    cr_expect_eq(state_files_count_changed(first, next, "rvq."), 0);
    cr_expect_gt(state_files_count_changed(first, next, "decoder."), 4);
    runs_set(&cfg, other_shape);
    cr_expect_eq(train("other", false, 1, first)->status, RSD_ERR_MODEL);
}

Test(train_lattice, levels_of_each_number_learn_and_resume_to_the_bit)
{
    expect_training("fsq", "model.levels=5,5,3", "model.levels=5,3,5", 75);
}

Test(train_lattice, signs_of_a_direction_learn_and_resume_to_the_bit)
{
    expect_training("bsq", "model.code_dim=6", "model.code_dim=7", 64);
}

Test(train_lattice, what_makes_no_sense_is_refused)
{
    static const struct {
        const char *settings[3], *part;
    } cases[] = {{{"model.quantizer=fsq", "model.levels=300,300"}, "more than 65536 codes"},
                 {{"model.quantizer=bsq", "model.code_dim=17"}, "1 to 16"},
                 {{"model.quantizer=fsq", "train.codes_follow=0.1"}, "stay where they are"},
                 {{"model.quantizer=bsq", "train.codes_sync=0.1"}, "learned by gradient"}};
    RsdError err = {0};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        recordings_tiny_config(&cfg);
        for (int j = 0; cases[i].settings[j]; j++)
            runs_set(&cfg, cases[i].settings[j]);
        cr_expect_eq(train_config_check(&cfg, &err), RSD_ERR_ARG);
        cr_expect(strstr(err.text, cases[i].part), "%s", err.text);
    }
}
