/* test_picture_critics.c - picture codecs that critics judge: what these learn, that streams stay valid, exact resume, what goes wrong.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>

#include "engine/kernels/kernels.h"
#include "tests/trainer/painted.h"
#include "tests/trainer/recordings.h"
#include "tests/trainer/runs.h"
#include "tests/trainer/state_files.h"
#include "trainer/train_image.h"

static char data_dir[RECORDINGS_PATH_SIZE], base_dir[RECORDINGS_PATH_SIZE];
static TrainConfig cfg;

static void set_up(void)
{
    recordings_make_folder(data_dir);
    recordings_make_folder(base_dir);
    painted_write_all(data_dir, 4);
    painted_tiny_config(&cfg);
    runs_set(&cfg, "loss.balance=fixed");
    runs_set(&cfg, "adversary.patch=4");
    runs_set(&cfg, "adversary.patch_layers=2");
    runs_set(&cfg, "adversary.patch_context=3");
    runs_set(&cfg, "adversary.r3_widths=8,8");
    runs_set(&cfg, "adversary.r3_blocks=1");
    runs_set(&cfg, "adversary.r3_group=8");
    runs_set(&cfg, "adversary.warmup=2");
    runs_set(&cfg, "adversary.lr=0.002");
    runs_set(&cfg, "adversary.feature=1");
}

static void tear_down(void)
{
    recordings_remove(data_dir);
    recordings_remove(base_dir);
}

TestSuite(picture_critics, .init = set_up, .fini = tear_down);

/* ---- whole runs ---- */

#define MAX_STEPS 16

typedef struct Outcome {
    RsdStatus status;
    RsdError err;
    TrainSummary summary;
    ImageStepReport steps[MAX_STEPS];
} Outcome;

static volatile sig_atomic_t stop_flag;
static int64_t stop_at;
static const char *init_path;

static void watch(void *ctx, const TrainProgress *progress)
{
    Outcome *outcome = ctx;

    cr_assert_leq(progress->step, MAX_STEPS);
    outcome->steps[progress->step - 1] = *progress->picture;
    stop_flag = stop_at && progress->step == stop_at;
}

static const Outcome *train(const char *run, bool resume, int n_threads)
{
    static Outcome outcome;
    const char *dirs[] = {data_dir};
    TrainOptions options = {.dirs = dirs, .n_dirs = 1, .run_dir = runs_path(base_dir, run), .resume = resume,
                            .init_path = init_path, .stop = &stop_flag, .progress = watch, .progress_ctx = &outcome};

    memset(&outcome, 0, sizeof outcome);
    stop_flag = 0;
    cr_assert_eq(rsd_threads_create(&options.threads, n_threads, NULL), RSD_OK);
    outcome.status = train_image(&cfg, &options, &outcome.summary, &outcome.err);
    rsd_threads_destroy(&options.threads);
    return &outcome;
}

static const Outcome *train_well(const char *run, bool resume, int n_threads)
{
    const Outcome *outcome = train(run, resume, n_threads);

    cr_assert_eq(outcome->status, RSD_OK, "%s", outcome->err.text);
    return outcome;
}

Test(picture_critics, are_heard_after_their_warm_up_and_a_stopped_run_goes_on_to_the_bit)
{
    const Outcome *outcome;
    char log[65536];
    size_t size;
    FILE *file;

    runs_set(&cfg, "adversary.r1=0.1");
    outcome = train_well("whole", false, 1);
    for (int i = 0; i < 6; i++) {
        const ImageOutput *output = &outcome->steps[i].output;
        double shares = 0.0;

        for (int j = 0; j < train_config_n_terms(&cfg); j++)
            shares += (double)output->balance.shares[j];
        cr_expect(output->adversary.judged && output->adversary.learned);
        cr_expect_eq(output->adversary.pressed, i >= 2);
        cr_expect_eq(output->balance.shares[1] != 0.0f, i >= 2);
        cr_expect_float_eq(shares, 1.0, 1e-4, "%g", shares);
    }
    file = fopen(runs_path(base_dir, "whole/log.jsonl"), "r");
    cr_assert_not_null(file);
    size = fread(log, 1, sizeof log - 1, file);
    fclose(file);
    log[size] = 0;
    cr_expect(strstr(log, "\"share\": {\"mse\": ") && strstr(log, "\"real_logit\": ") && strstr(log, "\"fake_logit\": "));
    stop_at = 3;
    train_well("parts", false, 2);
    stop_at = 0;
    outcome = train_well("parts", true, 2);
    cr_expect_eq(outcome->summary.first_step, 3);
    state_files_expect_same(runs_path(base_dir, "whole/checkpoint-000000006.safetensors"),
                            runs_path(base_dir, "parts/checkpoint-000000006.safetensors"), 60);
}

/* Whether streams of the model `base` are decoded with `tuned`. */
static bool stands_in(const char *tuned, const char *base)
{
    ImageCodec *one, *other;
    RsdError err = {0};
    bool stands;

    cr_assert_eq(image_codec_load(&one, base, &err), RSD_OK, "%s", err.text);
    cr_assert_eq(image_codec_load(&other, tuned, &err), RSD_OK, "%s", err.text);
    stands = model_bases_have(&other->bases, one->hash);
    image_codec_destroy(&one);
    image_codec_destroy(&other);
    return stands;
}

Test(picture_critics, a_decoder_alone_is_trained_and_what_is_coded_stays)
{
    static const char *const balances[] = {"fixed", "adaptive", "encodec", "config"};
    char base[2 * RECORDINGS_PATH_SIZE], tuned[2 * RECORDINGS_PATH_SIZE];

    runs_set(&cfg, "adversary.patch=0");
    runs_set(&cfg, "adversary.r3_widths=0");
    train_well("base", false, 2);
    snprintf(base, sizeof base, "%s", runs_path(base_dir, "base/model.safetensors"));
    init_path = base;
    runs_set(&cfg, "adversary.r3_widths=8,8");
    runs_set(&cfg, "train.freeze=encoder");
    runs_set(&cfg, "train.steps=4");
    for (size_t i = 0; i < sizeof balances / sizeof *balances; i++) {
        static const char *const fixed[] = {"encoder.", "hyper.", "prior."};
        char setting[64];
        const Outcome *outcome;

        snprintf(setting, sizeof setting, "loss.balance=%s", balances[i]);
        runs_set(&cfg, setting);
        outcome = train_well(balances[i], false, 1);
        cr_expect(outcome->steps[3].output.adversary.pressed && outcome->steps[3].output.balance.shares[1] != 0.0f);
        snprintf(tuned, sizeof tuned, "%s/%s/model.safetensors", base_dir, balances[i]);
        for (size_t j = 0; j < sizeof fixed / sizeof *fixed; j++)
            cr_expect_eq(state_files_count_changed(base, tuned, fixed[j]), 0, "%s: %s", balances[i], fixed[j]);
        cr_expect_gt(state_files_count_changed(base, tuned, "decoder."), 4);
        cr_expect_eq(state_files_count_changed(base, tuned, "gain.log"), 1, "gain.log_inverse alone");
        cr_expect(stands_in(tuned, base) && !stands_in(base, tuned));
    }
    runs_set(&cfg, "train.steps=5"); /* gone on with, which no longer looks at init_path */
    train_well("config", true, 1);
    cr_expect(stands_in(tuned, base), "a resumed run knows what it began from");
    runs_set(&cfg, "train.steps=6");
    runs_set(&cfg, "loss.balance=fixed");
    runs_set(&cfg, "train.freeze=nothing");
    cr_expect_eq(train("config", true, 1)->status, RSD_ERR_MODEL);
    init_path = NULL;
}

Test(picture_critics, a_decoder_of_codes_is_trained_alone_too)
{
    static const char *const fixed[] = {"encoder.", "prior.", "embed"};
    char base[2 * RECORDINGS_PATH_SIZE], tuned[2 * RECORDINGS_PATH_SIZE];
    const Outcome *outcome;

    runs_set(&cfg, "picture.quantizer=rvq");
    runs_set(&cfg, "picture.codebooks=2");
    runs_set(&cfg, "picture.codebook_size=16");
    runs_set(&cfg, "picture.start_batches=2");
    runs_set(&cfg, "picture.heads=0");
    outcome = train_well("base", false, 2);
    cr_expect(outcome->steps[5].output.adversary.pressed, "and with an encoder that learns");
    snprintf(base, sizeof base, "%s", runs_path(base_dir, "base/model.safetensors"));
    init_path = base;
    runs_set(&cfg, "train.freeze=encoder");
    outcome = train_well("tuned", false, 1);
    init_path = NULL;
    cr_expect(outcome->steps[5].output.adversary.pressed);
    snprintf(tuned, sizeof tuned, "%s", runs_path(base_dir, "tuned/model.safetensors"));
    for (size_t j = 0; j < sizeof fixed / sizeof *fixed; j++)
        cr_expect_eq(state_files_count_changed(base, tuned, fixed[j]), 0, "%s", fixed[j]);
    cr_expect_gt(state_files_count_changed(base, tuned, "decoder."), 4);
    cr_expect(stands_in(tuned, base));
}

Test(picture_critics, one_that_says_kinds_of_content_learns_them_from_the_encoder)
{
    char base[2 * RECORDINGS_PATH_SIZE];
    const Outcome *outcome;

    runs_set(&cfg, "adversary.r3_widths=0");
    train_well("base", false, 2);
    snprintf(base, sizeof base, "%s", runs_path(base_dir, "base/model.safetensors"));
    init_path = base;
    runs_set(&cfg, "train.freeze=encoder");
    runs_set(&cfg, "adversary.patch_kinds=4");
    outcome = train_well("whole", false, 1);
    cr_expect(outcome->steps[5].output.adversary.pressed && outcome->steps[5].output.adversary.learned);
    cr_expect_lt(outcome->steps[5].output.adversary.critic_loss, outcome->steps[0].output.adversary.critic_loss);
    stop_at = 3;
    train_well("parts", false, 2);
    stop_at = 0;
    train_well("parts", true, 2);
    init_path = NULL;
    state_files_expect_same(runs_path(base_dir, "whole/checkpoint-000000006.safetensors"),
                            runs_path(base_dir, "parts/checkpoint-000000006.safetensors"), 40);
}

/* ---- critics alone ---- */

static size_t last_size; /* bytes that learn took for a step */

/* Real pictures are slow sines, made ones the same with noise. Loss of the critics in the last of n steps; what they saw in it. */
static AdversaryReport learn(int n_steps)
{
    enum { BATCH = 2, SIDE = 32, M = 8, N = 3 * SIDE * SIDE };
    static float real[BATCH * N], fake[BATCH * N], latent[BATCH * M * 4];
    static uint16_t kinds[BATCH * 4];
    const float *grads[ADVERSARY_N_TERMS];
    AdversaryReport report = {0};
    Adversary *adversary;
    RsdThreads *threads;
    Tape *tape;
    RsdError err = {0};

    runs_set(&cfg, "adversary.warmup=100000");
    cr_assert_eq(rsd_threads_create(&threads, 1, &err), RSD_OK);
    cr_assert_eq(tape_create(&tape, threads, 0, &err), RSD_OK);
    cr_assert_eq(adversary_create(&adversary, &cfg.adversary, 1, kernels_pick(), &err), RSD_OK, "%s", err.text);
    for (int step = 0; step < n_steps; step++) {
        CriticContext context = {.kinds = kinds};
        Tensor *x, *y;

        for (int b = 0; b < BATCH; b++) {
            Rng rng = rng_at(5, RNG_TEST, (uint64_t)step, (uint32_t)b);
            const int kind = (int)rng_below(&rng, 2);

            for (int i = 0; i < N; i++) {
                real[b * N + i] = 0.5f + 0.3f * sinf((kind ? 0.6f : 0.15f) * (float)(i % SIDE) + 0.3f * (float)b);
                fake[b * N + i] = real[b * N + i] + 0.1f * rng_normal(&rng);
            }
            for (int i = 0; i < 4; i++)
                kinds[b * 4 + i] = (uint16_t)(1 + kind);
        }
        tape_reset(tape);
        tape->recording = true;
        cr_assert_eq(tape_input(tape, &x, 4, (const int64_t[]){BATCH, 3, SIDE, SIDE}, real, &err), RSD_OK);
        cr_assert_eq(tape_input(tape, &y, 4, (const int64_t[]){BATCH, 3, SIDE, SIDE}, fake, &err), RSD_OK);
        cr_assert_eq(tape_input(tape, &context.latent, 4, (const int64_t[]){BATCH, M, 2, 2}, latent, &err), RSD_OK);
        cr_assert_eq(adversary_judge(adversary, tape, x, y, &context, step, grads, &report, &err), RSD_OK, "%s", err.text);
        cr_assert_eq(adversary_learn(adversary, tape, step, n_steps, &report, &err), RSD_OK, "%s", err.text);
    }
    last_size = arena_peak_size(tape->arena);
    adversary_destroy(&adversary);
    tape_destroy(&tape);
    rsd_threads_destroy(&threads);
    return report;
}

Test(picture_critics, each_learns_to_tell_real_from_noisy)
{
    static const char *const sets[][3] = {{"adversary.r3_widths=8,8", "adversary.patch=0", "adversary.loss=relativistic"},
                                          {"adversary.r3_widths=0", "adversary.patch=4", "adversary.patch_context=0"},
                                          {"adversary.patch_context=3", "adversary.loss=hinge", "adversary.patch=4"},
                                          {"adversary.patch_context=3", "adversary.patch=4", "adversary.patch_layers=2"}};

    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
        AdversaryReport before, after;

        for (int j = 0; j < 3; j++)
            runs_set(&cfg, sets[i][j]);
        cfg.adversary.pictures.patch_kinds = i == 3 ? 2 : 0; /* the last one has to say which of two kinds it sees */
        before = learn(1);
        after = learn(80);
        cr_expect_lt(after.critic_loss, 0.7 * before.critic_loss, "set %zu: %g at first, %g after 80 steps", i, before.critic_loss,
                     after.critic_loss);
        cr_expect_gt(after.real_logit, after.fake_logit, "set %zu: %g for real, %g for made", i, after.real_logit, after.fake_logit);
    }
}

Test(picture_critics, the_exact_penalty_keeps_them_flat)
{
    AdversaryReport loose, flat;
    size_t loose_size;

    runs_set(&cfg, "adversary.patch=0");
    runs_set(&cfg, "adversary.loss=relativistic");
    loose = learn(60);
    loose_size = last_size;
    runs_set(&cfg, "adversary.penalty=exact");
    runs_set(&cfg, "adversary.r1=30");
    runs_set(&cfg, "adversary.r2=30");
    flat = learn(60);
    cr_expect_lt(last_size, loose_size + loose_size / 4, "%zu bytes with penalties, %zu without", last_size, loose_size);
    cr_expect_gt(flat.penalty, 0.0);
    cr_expect_gt(flat.critic_loss - flat.penalty, 1.5 * loose.critic_loss, "%g with penalties, %g without",
                 flat.critic_loss - flat.penalty, loose.critic_loss);
}

/* ---- what goes wrong ---- */

Test(picture_critics, impossible_ones_are_refused_with_their_reason)
{
    static const struct {
        const char *assignments[2], *expected;
    } cases[] = {
        {{"adversary.periods=2,3", NULL}, "are critics of sound"},
        {{"model.kind=audio", "loss.mel_dac=1"}, "are critics of pictures"},
        {{"adversary.patch_layers=6", NULL}, "need 256 pixels"},
        {{"adversary.penalty=exact", NULL}, "with adversary.r3_widths alone"},
        {{"loss.balance=encodec", NULL}, "beside a bit"},
        {{"picture.heads=1", "train.freeze=trunk"}, "trains the heads alone"},
        {{"adversary.r3_group=7", NULL}, "groups of 7 channels"},
        {{"adversary.weight=0", "adversary.feature=0"}, "are both 0"},
        {{"adversary.patch_kinds=4", NULL}, "needs an encoder that stays"},
        {{"adversary.patch_kinds=3", "train.freeze=encoder"}, "a power of two"},
        {{"adversary.per_rate=yes", NULL}, "is for sound"},
        {{"train.accumulate=2", NULL}, "is for sound"},
        {{"optim.sam=0.1", NULL}, "is for sound"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const TrainConfig kept = cfg;
        RsdError err = {0};
        RsdStatus status;

        for (int j = 0; j < 2 && cases[i].assignments[j]; j++)
            runs_set(&cfg, cases[i].assignments[j]);
        status = train_config_check(&cfg, &err);
        if (status == RSD_OK) { /* widths and groups show where the critics are made */
            const Outcome *outcome = train("run", false, 1);

            status = outcome->status;
            err = outcome->err;
        }
        cr_expect_eq(status, RSD_ERR_ARG);
        cr_expect(strstr(err.text, cases[i].expected), "'%s' does not say '%s'", err.text, cases[i].expected);
        cfg = kept;
    }
}
