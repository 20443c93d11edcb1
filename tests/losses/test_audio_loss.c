/* test_audio_loss.c - what must hold for every named loss: odd inputs, threads, memory, and the fused form against ops.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/shared.h"

#include <math.h>

#include "engine/base/mem.h"
#include "engine/base/rng.h"
#include "engine/ops/arithmetic.h"
#include "engine/ops/distance.h"
#include "engine/ops/mel.h"
#include "engine/ops/spectrum.h"
#include "engine/ops/stft.h"
#include "losses/audio_loss.h"
#include "losses/mel_loss.h"
#include "losses/waveform_loss.h"

#define RATE_HZ 16000

typedef struct Run {
    RsdThreads *threads;
    Tape *tape;
    Tensor *estimate, *target, *value;
} Run;

static void close_run(Run *run)
{
    tape_destroy(&run->tape);
    rsd_threads_destroy(&run->threads);
}

static void open_run(Run *run, int n_threads, int64_t batch, int64_t channels, int64_t n, float level)
{
    const int64_t shape[3] = {batch, channels, n};
    RsdError err;
    Rng rng = rng_at(21, RNG_TEST, (uint64_t)n, 0);

    ASSERT_OK(rsd_threads_create(&run->threads, n_threads, &err), err);
    ASSERT_OK(tape_create(&run->tape, run->threads, 0, &err), err);
    ASSERT_OK(tape_tensor(run->tape, &run->estimate, 3, shape, &err), err);
    ASSERT_OK(tape_tensor(run->tape, &run->target, 3, shape, &err), err);
    for (int64_t i = 0; i < tensor_count(run->target); i++) {
        run->target->data[i] = level * rng_normal(&rng);
        run->estimate->data[i] = run->target->data[i] + 0.3f * level * rng_normal(&rng);
    }
    run->estimate->needs_grad = true;
    run->tape->recording = true;
}

static void apply(Run *run, const char *name)
{
    AudioLoss *loss;
    RsdError err;

    ASSERT_OK(audio_loss_create(&loss, name, RATE_HZ, 0, &err), err);
    ASSERT_OK(audio_loss_apply(run->tape, loss, run->estimate, run->target, &run->value, &err), err);
    cr_assert_eq(tensor_count(run->value), 1);
    ASSERT_OK(tape_backward(run->tape, run->value, &err), err);
    cr_assert_not_null(run->estimate->grad, "%s: no gradient", name);
    cr_assert_null(run->target->grad, "%s: the target got a gradient", name);
    audio_loss_destroy(&loss);
    audio_loss_destroy(&loss);
}

static void expect_finite(const Run *run, const char *name, const char *what)
{
    cr_assert(isfinite(run->value->data[0]), "%s of %s: value %g", name, what, (double)run->value->data[0]);
    for (int64_t i = 0; i < tensor_count(run->estimate); i++)
        cr_assert(isfinite(run->estimate->grad[i]), "%s of %s: gradient %lld is %g", name, what, (long long)i,
                  (double)run->estimate->grad[i]);
}

Test(audio_loss, every_name_has_a_summary_and_unknown_names_list_them)
{
    AudioLoss *loss;
    RsdError err;
    size_t n = 0;

    while (audio_loss_name(n)) {
        cr_assert_not_null(audio_loss_summary(audio_loss_name(n)));
        ASSERT_FAILS(audio_loss_create(&loss, "nonsense", RATE_HZ, 0, &err), RSD_ERR_ARG, err, audio_loss_name(n));
        n++;
    }
    cr_assert_geq(n, 12);
    cr_assert_null(loss);
    cr_assert_null(audio_loss_summary("nonsense"));
    ASSERT_FAILS(audio_loss_create(&loss, "l1", 0, 0, &err), RSD_ERR_ARG, err, "0 Hz");
}

Test(audio_loss, signals_of_any_length_have_finite_values_and_gradients)
{
    static const int64_t lengths[] = {1, 2, 3, 7, 31, 320, 511, 2049};

    for (size_t i = 0; audio_loss_name(i); i++)
        for (size_t k = 0; k < sizeof lengths / sizeof *lengths; k++) {
            Run run;
            char what[32];

            open_run(&run, 1, 2, 1, lengths[k], 0.1f);
            apply(&run, audio_loss_name(i));
            snprintf(what, sizeof what, "%lld samples", (long long)lengths[k]);
            expect_finite(&run, audio_loss_name(i), what);
            cr_assert(run.value->data[0] > 0.0f || strncmp(audio_loss_name(i), "sis", 3) == 0, "%s of %s: value %g",
                      audio_loss_name(i), what, (double)run.value->data[0]);
            close_run(&run);
        }
}

Test(audio_loss, silence_has_a_finite_value_and_gradient)
{
    for (size_t i = 0; audio_loss_name(i); i++) {
        const char *name = audio_loss_name(i);
        Run run;

        open_run(&run, 1, 2, 1, 3000, 0.0f); /* both silent */
        apply(&run, name);
        expect_finite(&run, name, "silence for silence");
        close_run(&run);

        open_run(&run, 1, 2, 1, 3000, 0.1f);
        memset(run.estimate->data, 0, (size_t)tensor_count(run.estimate) * sizeof(float));
        apply(&run, name);
        expect_finite(&run, name, "silence for a signal");
        close_run(&run);

        open_run(&run, 1, 2, 1, 3000, 0.1f);
        memset(run.target->data, 0, (size_t)tensor_count(run.target) * sizeof(float));
        apply(&run, name);
        expect_finite(&run, name, "a signal for silence");
        close_run(&run);
    }
}

Test(audio_loss, equal_signals_have_no_distance_and_no_gradient)
{
    for (size_t i = 0; audio_loss_name(i); i++) {
        const char *name = audio_loss_name(i);
        Run run;

        open_run(&run, 1, 2, 2, 5000, 0.1f);
        memcpy(run.estimate->data, run.target->data, (size_t)tensor_count(run.target) * sizeof(float));
        apply(&run, name);
        expect_finite(&run, name, "equal signals");
        if (strncmp(name, "sis", 3) == 0) {
            cr_assert_lt(run.value->data[0], -30.0f, "%s of equal signals: %g", name, (double)run.value->data[0]);
        } else {
            cr_assert_eq(run.value->data[0], 0.0f, "%s of equal signals: %g", name, (double)run.value->data[0]);
            for (int64_t k = 0; k < tensor_count(run.estimate); k++)
                cr_assert_eq(run.estimate->grad[k], 0.0f, "%s of equal signals: gradient", name);
        }
        close_run(&run);
    }
}

Test(audio_loss, nan_in_the_estimate_shows_in_the_value)
{
    for (size_t i = 0; audio_loss_name(i); i++) {
        Run run;

        open_run(&run, 1, 2, 1, 4000, 0.1f);
        run.estimate->data[5000] = NAN;
        apply(&run, audio_loss_name(i));
        cr_assert(isnan(run.value->data[0]), "%s lost a NaN: %g", audio_loss_name(i), (double)run.value->data[0]);
        close_run(&run);
        open_run(&run, 1, 2, 1, 4000, 0.1f);
        run.target->data[100] = NAN;
        apply(&run, audio_loss_name(i));
        cr_assert(isnan(run.value->data[0]), "%s lost a NaN of the target", audio_loss_name(i));
        close_run(&run);
    }
}

Test(audio_loss, threads_and_recording_do_not_change_a_bit)
{
    for (size_t i = 0; audio_loss_name(i); i++) {
        const char *name = audio_loss_name(i);
        Run one, three;
        AudioLoss *loss;
        Tensor *plain;
        RsdError err;

        open_run(&one, 1, 2, 2, 9000, 0.1f);
        open_run(&three, 3, 2, 2, 9000, 0.1f);
        apply(&one, name);
        apply(&three, name);
        ASSERT_SAME_BITS(name, three.value->data, one.value->data, 1);
        ASSERT_SAME_BITS(name, three.estimate->grad, one.estimate->grad, tensor_count(one.estimate));
        ASSERT_OK(audio_loss_create(&loss, name, RATE_HZ, 0, &err), err);
        three.tape->recording = false;
        ASSERT_OK(audio_loss_apply(three.tape, loss, three.estimate, three.target, &plain, &err), err);
        ASSERT_SAME_BITS(name, plain->data, one.value->data, 1);
        cr_assert(!plain->needs_grad);
        audio_loss_destroy(&loss);
        close_run(&one);
        close_run(&three);
    }
}

Test(audio_loss, long_windows_are_left_out_on_request)
{
    AudioLoss *short_windows, *reduced;
    MelLossParams p = mel_loss_dac();
    Run run;
    Tensor *a, *b;
    RsdError err;

    p.n_scales = 5; /* 32 to 512 */
    open_run(&run, 1, 1, 1, 4000, 0.1f);
    ASSERT_OK(mel_loss_create(&short_windows, &p, RATE_HZ, &err), err);
    ASSERT_OK(audio_loss_create(&reduced, "mel_dac", RATE_HZ, 960, &err), err);
    ASSERT_OK(audio_loss_apply(run.tape, short_windows, run.estimate, run.target, &a, &err), err);
    ASSERT_OK(audio_loss_apply(run.tape, reduced, run.estimate, run.target, &b, &err), err);
    ASSERT_SAME_BITS("32 to 512", b->data, a->data, 1);
    audio_loss_destroy(&short_windows);
    audio_loss_destroy(&reduced);
    ASSERT_FAILS(audio_loss_create(&reduced, "mel_dac", RATE_HZ, 16, &err), RSD_ERR_ARG, err, "audio loss mel_dac: ");
    ASSERT_FAILS(audio_loss_create(&reduced, "mrstft", RATE_HZ, 16, &err), RSD_ERR_ARG, err, "0 windows");
    close_run(&run);
}

/* The fused distance against the same loss written with separate ops. */
Test(audio_loss, the_fused_form_equals_separate_ops)
{
    const StftConfig stft_config = {.n_fft = 256, .hop = 64, .pad = STFT_PAD_CENTRE, .edge = STFT_EDGE_REFLECT};
    const MelConfig mel_config = {
        .rate_hz = RATE_HZ, .n_fft = 256, .n_mels = 40, .scale = MEL_SLANEY, .unit_area = true};
    MelLossParams p = mel_loss_dac();
    AudioLoss *loss;
    Stft *stft;
    MelBank *mel;
    Run fused, separate;
    Tensor *logs[2], *t;
    RsdError err;

    p.scales[0] = p.scales[3];
    p.n_scales = 1;
    open_run(&fused, 2, 3, 1, 5000, 0.1f);
    open_run(&separate, 2, 3, 1, 5000, 0.1f);
    ASSERT_OK(mel_loss_create(&loss, &p, RATE_HZ, &err), err);
    ASSERT_OK(audio_loss_apply(fused.tape, loss, fused.estimate, fused.target, &fused.value, &err), err);
    ASSERT_OK(tape_backward(fused.tape, fused.value, &err), err);

    ASSERT_OK(stft_create(&stft, &stft_config, &err), err);
    ASSERT_OK(mel_create(&mel, &mel_config, &err), err);
    for (int side = 0; side < 2; side++) {
        ASSERT_OK(op_stft(separate.tape, stft, side ? separate.target : separate.estimate, &t, &err), err);
        ASSERT_OK(op_magnitude(separate.tape, t, 0.0f, &t, &err), err);
        ASSERT_OK(op_mel(separate.tape, mel, t, &t, &err), err);
        ASSERT_OK(op_log10(separate.tape, t, 1e-5f, &logs[side], &err), err);
    }
    ASSERT_OK(op_l1(separate.tape, logs[0], logs[1], NULL, &separate.value, &err), err);
    ASSERT_OK(tape_backward(separate.tape, separate.value, &err), err);
    ASSERT_CLOSE("value", fused.value->data[0], separate.value->data[0], ((Tolerance){.rel = 1e-6}));
    ASSERT_CLOSE_F32("gradient", fused.estimate->grad, separate.estimate->grad, tensor_count(fused.estimate),
                     ((Tolerance){.of_max = 2e-6}));
    audio_loss_destroy(&loss);
    stft_destroy(&stft);
    mel_destroy(&mel);
    close_run(&fused);
    close_run(&separate);
}

Test(audio_loss, the_gradient_scales_with_what_comes_after_and_adds_up)
{
    AudioLoss *loss;
    Run once, twice;
    Tensor *sum, *second;
    RsdError err;

    open_run(&once, 1, 2, 1, 3000, 0.1f);
    open_run(&twice, 1, 2, 1, 3000, 0.1f);
    apply(&once, "cstft");
    ASSERT_OK(audio_loss_create(&loss, "cstft", RATE_HZ, 0, &err), err);
    ASSERT_OK(audio_loss_apply(twice.tape, loss, twice.estimate, twice.target, &twice.value, &err), err);
    ASSERT_OK(audio_loss_apply(twice.tape, loss, twice.estimate, twice.target, &second, &err), err);
    ASSERT_OK(op_scale(twice.tape, second, 3.0f, &second, &err), err);
    ASSERT_OK(op_add(twice.tape, twice.value, second, &sum, &err), err);
    ASSERT_OK(tape_backward(twice.tape, sum, &err), err);
    for (int64_t i = 0; i < tensor_count(once.estimate); i++)
        once.estimate->grad[i] *= 4.0f;
    ASSERT_CLOSE_F32("one and three", twice.estimate->grad, once.estimate->grad, tensor_count(once.estimate),
                     ((Tolerance){.of_max = 1e-6}));
    audio_loss_destroy(&loss);
    close_run(&once);
    close_run(&twice);
}

/* Scaling both signals by 10 moves every log mel by the same amount, so the distance stays. */
Test(audio_loss, log_mel_distance_does_not_depend_on_the_level)
{
    Run quiet, loud;

    open_run(&quiet, 1, 1, 1, 8000, 0.1f);
    open_run(&loud, 1, 1, 1, 8000, 1.0f);
    apply(&quiet, "mel_dac");
    apply(&loud, "mel_dac");
    ASSERT_CLOSE("level", loud.value->data[0], quiet.value->data[0], ((Tolerance){.rel = 1e-4}));
    close_run(&quiet);
    close_run(&loud);
}

Test(audio_loss, different_shapes_are_refused)
{
    for (size_t i = 0; audio_loss_name(i); i++) {
        AudioLoss *loss;
        Run run;
        RsdError err;

        open_run(&run, 1, 1, 1, 100, 0.1f);
        run.target->shape[2] = 99;
        ASSERT_OK(audio_loss_create(&loss, audio_loss_name(i), RATE_HZ, 0, &err), err);
        ASSERT_FAILS(audio_loss_apply(run.tape, loss, run.estimate, run.target, &run.value, &err), RSD_ERR_ARG, err,
                     "[1, 1, 99]");
        audio_loss_destroy(&loss);
        close_run(&run);
    }
}

Test(audio_loss, failing_allocations_leave_nothing_behind)
{
    for (size_t i = 0; audio_loss_name(i); i++) {
        AudioLoss *loss = NULL;
        RsdError err;
        RsdStatus status = RSD_ERR_MEMORY;

        for (int n = 0; status == RSD_ERR_MEMORY; n++) {
            cr_assert_lt(n, 1000);
            mem_fail_after(n);
            status = audio_loss_create(&loss, audio_loss_name(i), RATE_HZ, 0, &err);
            mem_fail_after(-1);
            cr_assert(status == RSD_OK || loss == NULL);
        }
        cr_assert_eq(status, RSD_OK, "%s", err.text);
        audio_loss_destroy(&loss);
    }
}

Test(audio_loss, impossible_segments_are_refused)
{
    AudioLoss *loss;
    RsdError err;

    ASSERT_FAILS(sisnr_loss_create(&loss, 0.0, 0.5, RATE_HZ, &err), RSD_ERR_ARG, err, "at least one sample");
    ASSERT_FAILS(sisnr_loss_create(&loss, 1.0, 1.0, RATE_HZ, &err), RSD_ERR_ARG, err, "overlap 1");
    ASSERT_FAILS(sisnr_loss_create(&loss, NAN, 0.5, RATE_HZ, &err), RSD_ERR_ARG, err, "nan");
}
