/* test_adversary.c - adversarial training: what critics learn, when they are heard, exact resume, what goes wrong.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "engine/base/log.h"
#include "engine/kernels/kernels.h"
#include "tests/trainer/recordings.h"
#include "tests/trainer/runs.h"
#include "trainer/train_audio.h"

static char data_dir[RECORDINGS_PATH_SIZE], base_dir[RECORDINGS_PATH_SIZE];
static TrainConfig cfg;
static int n_notes;
static char last_note[RSD_ERROR_TEXT_SIZE];

static void keep_note(void *ctx, LogLevel level, const char *text)
{
    (void)ctx;
    (void)level;
    if (strstr(text, "critics")) {
        n_notes++;
        snprintf(last_note, sizeof last_note, "%s", text);
    }
}

static void set_up(void)
{
    recordings_make_folder(data_dir);
    recordings_make_folder(base_dir);
    recordings_write_tones(data_dir, 8);
    recordings_tiny_config(&cfg);
    runs_set(&cfg, "adversary.periods=2,3");
    runs_set(&cfg, "adversary.period_channels=4,8,8");
    runs_set(&cfg, "adversary.warmup=2");
    runs_set(&cfg, "adversary.probability=0.5");
    runs_set(&cfg, "adversary.lr=0.002");
    runs_set(&cfg, "adversary.stft=64");
    runs_set(&cfg, "adversary.stft_channels=3");
    runs_set(&cfg, "adversary.bands=64");
    runs_set(&cfg, "adversary.band_channels=3");
    n_notes = 0;
    log_set_sink(keep_note, NULL);
}

static void without_adversary(void)
{
    runs_set(&cfg, "adversary.periods=0");
    runs_set(&cfg, "adversary.stft=0");
    runs_set(&cfg, "adversary.bands=0");
}

static void tear_down(void)
{
    log_set_sink(NULL, NULL);
    recordings_remove(data_dir);
    recordings_remove(base_dir);
}

TestSuite(adversary, .init = set_up, .fini = tear_down);

static double last_penalty; /* of critic_loss_after */
static double critic_loss_after(int n_steps);

/* ---- whole runs ---- */

#define MAX_STEPS 64

typedef struct Outcome {
    RsdStatus status;
    RsdError err;
    int n_steps;
    StepReport steps[MAX_STEPS];
} Outcome;

static void watch(void *ctx, const TrainProgress *progress)
{
    Outcome *outcome = ctx;

    cr_assert_lt(outcome->n_steps, MAX_STEPS);
    outcome->steps[outcome->n_steps++] = *progress->report;
}

static const Outcome *train(const char *run, bool resume, int n_threads)
{
    static Outcome outcome;
    const char *dirs[] = {data_dir};
    char run_dir[2 * RECORDINGS_PATH_SIZE];
    TrainSummary summary;
    TrainOptions options = {.dirs = dirs, .n_dirs = 1, .run_dir = run_dir, .resume = resume, .progress = watch,
                            .progress_ctx = &outcome};

    memset(&outcome, 0, sizeof outcome);
    snprintf(run_dir, sizeof run_dir, "%s/%s", base_dir, run);
    cr_assert_eq(rsd_threads_create(&options.threads, n_threads, NULL), RSD_OK);
    outcome.status = train_audio(&cfg, &options, &summary, &outcome.err);
    rsd_threads_destroy(&options.threads);
    return &outcome;
}

static const Outcome *train_well(const char *run, bool resume, int n_threads)
{
    const Outcome *outcome = train(run, resume, n_threads);

    cr_assert_eq(outcome->status, RSD_OK, "%s", outcome->err.text);
    return outcome;
}

static Safetensors *open_checkpoint(const char *run, int step)
{
    char path[3 * RECORDINGS_PATH_SIZE];
    Safetensors *st;
    RsdError err = {0};

    snprintf(path, sizeof path, "%s/%s/checkpoint-%09d.safetensors", base_dir, run, step);
    cr_assert_eq(safetensors_open(&st, path, &err), RSD_OK, "%s", err.text);
    return st;
}

/* Number of tensors whose name starts with prefix and whose bits are the same in both; *n_all: of all of them. */
static int count_same(const char *run_a, const char *run_b, int step, const char *prefix, int *n_all)
{
    Safetensors *a = open_checkpoint(run_a, step), *b = open_checkpoint(run_b, step);
    int n_same = 0;

    *n_all = 0;
    for (size_t i = 0; i < safetensors_count(a); i++) {
        const SafetensorsEntry *x = safetensors_entry(a, i), *y = safetensors_find(b, x->name);

        if (strncmp(x->name, prefix, strlen(prefix)))
            continue;
        (*n_all)++;
        n_same += y && x->size == y->size && !memcmp(x->data, y->data, x->size);
    }
    safetensors_close(&a);
    safetensors_close(&b);
    return n_same;
}

Test(adversary, resuming_equals_never_having_stopped_for_critics_too)
{
    int n_all;

    runs_set(&cfg, "train.steps=8");
    train_well("whole", false, 1);
    runs_set(&cfg, "train.checkpoint_steps=4");
    train_well("parts", false, 2);
    /* The later checkpoint goes, and the run is taken up from the one in the middle. */
    {
        char path[3 * RECORDINGS_PATH_SIZE];

        snprintf(path, sizeof path, "%s/parts/checkpoint-%09d.safetensors", base_dir, 8);
        cr_assert_eq(remove(path), 0);
    }
    train_well("parts", true, 2);
    cr_expect_eq(count_same("whole", "parts", 8, "", &n_all), n_all);
    cr_expect_gt(n_all, 40);
    cr_expect_eq(count_same("whole", "parts", 8, "critic.", &n_all), n_all);
    /* two critics of 4 layers, one of 6 without weight norm in the first, one of 26; three arrays of the optimiser */
    cr_expect_eq(n_all, 2 * 4 * 3 + (6 * 3 - 1) + 26 * 3 + 3, "%d tensors of critics", n_all);
}

Test(adversary, the_codec_does_not_hear_critics_that_warm_up)
{
    const Outcome *outcome;
    int n_all;

    runs_set(&cfg, "train.steps=5");
    runs_set(&cfg, "adversary.warmup=5");
    outcome = train_well("warm", false, 1);
    for (int i = 0; i < 5; i++)
        cr_expect(outcome->steps[i].adversary.learned && !outcome->steps[i].adversary.pressed);
    without_adversary();
    train_well("without", false, 1);
    cr_expect_eq(count_same("without", "warm", 5, "model.", &n_all), n_all);
    cr_expect_gt(n_all, 20);
    cr_expect_eq(count_same("warm", "without", 5, "critic.", &n_all), 0);
    cr_expect_gt(n_all, 20);
}

Test(adversary, is_heard_after_its_start_and_warm_up_and_learns_with_its_probability)
{
    const Outcome *outcome;
    int n_learned = 0, n_all;

    runs_set(&cfg, "train.steps=40");
    runs_set(&cfg, "adversary.start=3");
    outcome = train_well("run", false, 1);
    for (int i = 0; i < 40; i++) {
        const AdversaryReport *r = &outcome->steps[i].adversary;

        cr_expect_eq(r->judged, i >= 3);
        cr_expect_eq(r->pressed, i >= 5);
        cr_expect(!r->pressed || (isfinite(r->terms[0]) && r->terms[1] > 0.0));
        cr_expect_eq(outcome->steps[i].balance.ratios[2] > 0.0f, i >= 5, "step %d: share %g", i,
                     (double)outcome->steps[i].balance.ratios[2]);
        if (i < 5)
            cr_expect_eq(r->learned, i >= 3);
        else
            n_learned += r->learned;
    }
    cr_expect(n_learned >= 8 && n_learned <= 27, "learned in %d of 35 steps", n_learned);
    without_adversary();
    train_well("without", false, 1);
    cr_expect_lt(count_same("run", "without", 40, "model.", &n_all), n_all / 2);
}

Test(adversary, joins_a_run_in_the_middle_and_is_replaced_with_a_word)
{
    without_adversary();
    runs_set(&cfg, "train.steps=3");
    train_well("run", false, 1);
    cr_expect_eq(n_notes, 0);
    runs_set(&cfg, "adversary.periods=2,3");
    runs_set(&cfg, "train.steps=5");
    train_well("run", true, 1);
    cr_expect_neq(strstr(last_note, "trained without an adversary"), NULL, "%s", last_note);
    runs_set(&cfg, "adversary.periods=2,5");
    runs_set(&cfg, "train.steps=7");
    train_well("run", true, 1);
    cr_expect_neq(strstr(last_note, "other critics"), NULL, "%s", last_note);
    n_notes = 0;
    runs_set(&cfg, "train.steps=8");
    train_well("run", true, 1);
    cr_expect_eq(n_notes, 0, "%s", last_note);
}

/* One array of the second set of critics goes by another name. */
static void spoil_second_set(const char *path)
{
    static const char key[] = "\"critic.1.";
    FILE *file = fopen(path, "r+b");
    char *bytes, *found = NULL;
    long size;

    cr_assert_not_null(file);
    fseek(file, 0, SEEK_END);
    size = ftell(file);
    bytes = malloc((size_t)size);
    rewind(file);
    cr_assert_eq(fread(bytes, 1, (size_t)size, file), (size_t)size);
    for (char *at = bytes; (at = memchr(at, '"', (size_t)(bytes + size - at))); at++) /* an array of the set: no updates, no optimiser */
        if (bytes + size - at > 64 && !memcmp(at, key, strlen(key)) && at[strlen(key)] != 'u' && at[strlen(key)] != 'o')
            found = at;
    cr_assert_not_null(found, "no array of the second set in %s", path);
    found[strlen(key)] = 'X';
    rewind(file);
    cr_assert_eq(fwrite(bytes, 1, (size_t)size, file), (size_t)size);
    cr_assert_eq(fclose(file), 0);
    free(bytes);
}

static double sum_of(const ParamSet *params)
{
    double sum = 0.0;

    for (size_t i = 0; i < params->n_items; i++)
        for (int64_t j = 0; j < tensor_count(params->items[i].tensor); j++)
            sum += fabs((double)params->items[i].tensor->data[j]) * (double)(1 + j % 7);
    return sum;
}

Test(adversary, critics_of_a_checkpoint_are_taken_as_a_whole_or_not_at_all)
{
    char path[3 * RECORDINGS_PATH_SIZE];
    double first_sum;
    TrainState *state;
    TrainConfig was;
    RsdError err = {0};

    runs_set(&cfg, "train.steps=6");
    runs_set(&cfg, "train.stages=rates");
    runs_set(&cfg, "adversary.per_rate=yes");
    runs_set(&cfg, "adversary.probability=1");
    train_well("run", false, 1);
    snprintf(path, sizeof path, "%s/run/checkpoint-%09d.safetensors", base_dir, 6);
    cr_assert_eq(train_state_create(&state, &cfg, kernels_pick(), &err), RSD_OK, "%s", err.text);
    first_sum = sum_of(state->adversary->sets[0].params);
    spoil_second_set(path);
    n_notes = 0;
    cr_assert_eq(checkpoint_load(state, &cfg, path, &was, &err), RSD_OK, "%s", err.text);
    cr_expect(n_notes == 1 && strstr(last_note, "other critics"), "%s", last_note);
    cr_expect_eq(sum_of(state->adversary->sets[0].params), first_sum, "the first set was taken over");
    cr_expect_eq(state->adversary->sets[0].optimizer->n_updates, 0);
    train_state_destroy(&state);

    train_well("sound", false, 1);
    snprintf(path, sizeof path, "%s/sound/checkpoint-%09d.safetensors", base_dir, 6);
    cr_assert_eq(train_state_create(&state, &cfg, kernels_pick(), &err), RSD_OK, "%s", err.text);
    cr_assert_eq(checkpoint_load(state, &cfg, path, &was, &err), RSD_OK, "%s", err.text);
    cr_expect_neq(sum_of(state->adversary->sets[0].params), first_sum);
    cr_expect_gt(state->adversary->sets[0].optimizer->n_updates, 0);
    train_state_destroy(&state);
}

/* Updates of each of the two sets of critics in a checkpoint. */
static int updates_of(const char *run, int step, const char *key)
{
    Safetensors *st = open_checkpoint(run, step);
    const char *text = safetensors_metadata(st, key);
    const int n = text ? atoi(text) : -1;

    safetensors_close(&st);
    return n;
}

Test(adversary, critics_of_each_rate_learn_from_it_alone_and_begin_as_those_of_all_rates)
{
    const Outcome *outcome;
    int n_all, first, second, n_learned = 0;
    char path[3 * RECORDINGS_PATH_SIZE];

    runs_set(&cfg, "train.steps=4");
    runs_set(&cfg, "train.stages=rates");
    cr_assert_geq(cfg.train.n_rates, 2, "the configuration has one rate");
    train_well("run", false, 1);
    cr_expect_eq(updates_of("run", 4, "critic.1.updates"), -1);
    first = updates_of("run", 4, "critic.updates");
    runs_set(&cfg, "adversary.per_rate=yes");
    runs_set(&cfg, "train.steps=12");
    n_notes = 0;
    outcome = train_well("run", true, 1);
    cr_expect(n_notes == 0 || !strstr(last_note, "critics"), "%s", last_note);
    for (int i = 0; i < 8; i++)
        n_learned += outcome->steps[i].adversary.learned;
    second = updates_of("run", 12, "critic.1.updates") - first;
    cr_expect(second > 0 && second < n_learned, "%d of %d updates at the second rate", second, n_learned);
    cr_expect_eq(updates_of("run", 12, "critic.updates") - first, n_learned - second);

    train_well("whole", false, 1);
    runs_set(&cfg, "train.checkpoint_steps=5");
    train_well("parts", false, 1);
    snprintf(path, sizeof path, "%s/parts/checkpoint-%09d.safetensors", base_dir, 12);
    cr_assert_eq(remove(path), 0);
    snprintf(path, sizeof path, "%s/parts/checkpoint-%09d.safetensors", base_dir, 10);
    cr_assert_eq(remove(path), 0);
    train_well("parts", true, 2);
    cr_expect_eq(count_same("whole", "parts", 12, "critic.1.", &n_all), n_all);
    cr_expect_gt(n_all, 40);
}

Test(adversary, penalties_keep_the_critics_flat)
{
    double free_loss, flat_loss;

    free_loss = critic_loss_after(120);
    runs_set(&cfg, "adversary.r1=30");
    runs_set(&cfg, "adversary.r2=30");
    runs_set(&cfg, "adversary.penalty_every=2");
    flat_loss = critic_loss_after(120);
    cr_expect_gt(flat_loss, 1.5 * free_loss, "%g with penalties, %g without", flat_loss, free_loss);
    cr_expect_gt(last_penalty, 0.0);
}

/* The estimate by noise is the square of the slope where a critic is a straight line: with slope 1 the leaky ReLUs are. */
Test(adversary, the_penalty_is_the_square_of_the_slope)
{
    enum { N = 300 };
    float samples[N];
    const float *grads[ADVERSARY_N_TERMS];
    AdversaryReport report;
    Adversary *adversary;
    RsdThreads *threads;
    Tape *tape;
    Tensor *x, *y, *value;
    double slope = 0.0, energy = 0.0, penalty = 0.0;
    RsdError err = {0};

    without_adversary();
    runs_set(&cfg, "adversary.periods=2,3");
    runs_set(&cfg, "adversary.slope=1");
    runs_set(&cfg, "adversary.level=no");
    runs_set(&cfg, "adversary.r1=2");
    runs_set(&cfg, "adversary.lr=0");
    runs_set(&cfg, "adversary.lr_final=0");
    runs_set(&cfg, "adversary.warmup=100000");
    cr_assert_eq(rsd_threads_create(&threads, 1, &err), RSD_OK);
    cr_assert_eq(tape_create(&tape, threads, 0, &err), RSD_OK);
    cr_assert_eq(adversary_create(&adversary, &cfg.adversary, 1, kernels_pick(), &err), RSD_OK, "%s", err.text);
    for (int i = 0; i < N; i++) {
        samples[i] = 0.4f * sinf(0.1f * (float)(i * i % 97));
        energy += (double)samples[i] * (double)samples[i] / N;
    }
    for (int step = 0; step < 400; step++) {
        tape_reset(tape);
        tape->recording = true;
        cr_assert_eq(tape_input(tape, &x, 3, (const int64_t[]){1, 1, N}, samples, &err), RSD_OK);
        cr_assert_eq(tape_input(tape, &y, 3, (const int64_t[]){1, 1, N}, samples, &err), RSD_OK);
        cr_assert_eq(adversary_judge(adversary, tape, x, y, NULL, step, grads, &report, &err), RSD_OK, "%s", err.text);
        cr_assert_eq(adversary_learn(adversary, tape, step, 400, &report, &err), RSD_OK, "%s", err.text);
        penalty += report.penalty / 400;
    }
    /* The hinge's generator loss is minus the mean verdict over critics and places. */
    tape_reset(tape);
    cr_assert_eq(tape_input(tape, &x, 3, (const int64_t[]){1, 1, N}, samples, &err), RSD_OK);
    x->needs_grad = true;
    {
        CriticMaps maps[2];

        cr_assert_eq(audio_critics_begin(adversary->set->critics, tape, &err), RSD_OK);
        cr_assert_eq(audio_critics_judge(adversary->set->critics, tape, x, maps, &err), RSD_OK);
        cr_assert_eq(adversarial_generator_loss(tape, ADVERSARIAL_HINGE, maps, maps, 2, &value, &err), RSD_OK);
        cr_assert_eq(tape_backward(tape, value, &err), RSD_OK);
    }
    for (int i = 0; i < N; i++)
        slope += (double)x->grad[i] * (double)x->grad[i];
    /* gamma / 2 = 1; 400 draws of a squared normal: 7 % is one standard deviation */
    cr_expect(fabs(penalty / (slope * energy) - 1.0) < 0.25, "estimated %g, is %g", penalty, slope * energy);
    adversary_destroy(&adversary);
    tape_destroy(&tape);
    rsd_threads_destroy(&threads);
}

/* Every kind, with and without weights that are computed in the step. */
Test(adversary, every_kind_of_balance_trains_and_its_shares_add_up)
{
    static const char *const kinds[] = {"fixed", "encodec", "adaptive", "uncertainty", "gap", "config"};

    runs_set(&cfg, "train.steps=5");
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        const Outcome *outcome;
        char assignment[64];
        double sum = 0.0;

        snprintf(assignment, sizeof assignment, "loss.balance=%s", kinds[i]);
        runs_set(&cfg, assignment);
        runs_set(&cfg, i % 2 ? "model.norm=weight" : "model.norm=none");
        outcome = train_well(kinds[i], false, 1);
        for (int j = 0; j < 4; j++)
            sum += (double)outcome->steps[4].balance.shares[j];
        cr_expect_lt(fabs(sum - 1.0), 1e-4, "%s: shares add up to %g", kinds[i], sum);
    }
}

Test(adversary, export_last_writes_the_last_weights)
{
    Safetensors *last;
    char path[3 * RECORDINGS_PATH_SIZE];

    runs_set(&cfg, "train.steps=6");
    runs_set(&cfg, "train.valid_steps=2");
    runs_set(&cfg, "data.valid_every=4");
    runs_set(&cfg, "train.export=last");
    train_well("run", false, 1);
    snprintf(path, sizeof path, "%s/run/model.safetensors", base_dir);
    cr_assert_eq(safetensors_open(&last, path, NULL), RSD_OK);
    cr_expect_str_eq(safetensors_metadata(last, "train.step"), "6");
    safetensors_close(&last);
}

/* ---- critics alone ---- */

/* Real signals are tones of 300 Hz at 8 kHz, generated ones the same with noise: a critic can tell them apart. */
static double critic_loss_after(int n_steps)
{
    enum { BATCH = 4, N = 400 };
    static float real[BATCH * N], fake[BATCH * N];
    const float *grads[ADVERSARY_N_TERMS];
    Adversary *adversary;
    AdversaryReport report;
    RsdThreads *threads;
    Tape *tape;
    double loss = 0.0;
    RsdError err = {0};

    runs_set(&cfg, "adversary.warmup=100000");
    cr_assert_eq(rsd_threads_create(&threads, 1, &err), RSD_OK);
    cr_assert_eq(tape_create(&tape, threads, 0, &err), RSD_OK);
    cr_assert_eq(adversary_create(&adversary, &cfg.adversary, 1, kernels_pick(), &err), RSD_OK, "%s", err.text);
    for (int step = 0; step < n_steps; step++) {
        Tensor *x, *y;

        for (int b = 0; b < BATCH; b++) {
            Rng rng = rng_at(5, RNG_TEST, (uint64_t)step, (uint32_t)b);
            float phase = 6.28f * rng_uniform(&rng);

            for (int i = 0; i < N; i++) {
                real[b * N + i] = 0.3f * sinf(0.2356f * (float)i + phase);
                fake[b * N + i] = real[b * N + i] + 0.1f * rng_normal(&rng);
            }
        }
        tape_reset(tape);
        tape->recording = true;
        cr_assert_eq(tape_input(tape, &x, 3, (const int64_t[]){BATCH, 1, N}, real, &err), RSD_OK);
        cr_assert_eq(tape_input(tape, &y, 3, (const int64_t[]){BATCH, 1, N}, fake, &err), RSD_OK);
        cr_assert_eq(adversary_judge(adversary, tape, x, y, NULL, step, grads, &report, &err), RSD_OK, "%s", err.text);
        cr_assert_eq(adversary_learn(adversary, tape, step, n_steps, &report, &err), RSD_OK, "%s", err.text);
        loss = report.critic_loss - report.penalty;
        if (report.penalty > 0.0)
            last_penalty = report.penalty;
    }
    adversary_destroy(&adversary);
    tape_destroy(&tape);
    rsd_threads_destroy(&threads);
    return loss;
}

Test(adversary, critics_learn_to_tell_real_from_noisy_with_every_loss)
{
    static const char *const forms[] = {"hinge", "hinge_saturating", "least_squares", "non_saturating", "relativistic"};

    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        char assignment[64];
        double before, after;

        snprintf(assignment, sizeof assignment, "adversary.loss=%s", forms[i]);
        runs_set(&cfg, assignment);
        before = critic_loss_after(1);
        after = critic_loss_after(120);
        cr_expect_lt(after, 0.7 * before, "%s: %g at first, %g after 120 steps", forms[i], before, after);
    }
}

/* ---- what goes wrong ---- */

Test(adversary, impossible_critics_are_refused_with_their_reason)
{
    static const struct {
        const char *assignments[2], *expected;
    } cases[] = {
        {{"adversary.periods=2,900", NULL}, "need 901 samples"},
        {{"adversary.weight=0", "adversary.feature=0"}, "are both 0"},
        {{"adversary.scales=2", "adversary.scale_channels=10"}, "multiple of 4"},
        {{"adversary.lr_final=0.5", NULL}, "above adversary.lr"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const TrainConfig kept = cfg;
        const Outcome *outcome;

        for (int j = 0; j < 2 && cases[i].assignments[j]; j++)
            runs_set(&cfg, cases[i].assignments[j]);
        outcome = train("run", false, 1);
        cr_expect_eq(outcome->status, RSD_ERR_ARG);
        cr_expect_neq(strstr(outcome->err.text, cases[i].expected), NULL, "'%s' does not say '%s'", outcome->err.text,
                      cases[i].expected);
        cfg = kept;
    }
}
