/* test_visqol.c - gammatone filters against their definition, NSIM by hand, the score's fixed points, the regression file.
 *
 * The published tool's own conformance recordings are not here, so scores are not compared with it; the filters, the
 * similarity and the mapping are, each against an independent evaluation.
 *
 * SPDX-License-Identifier: MIT
 */
#include "losses/visqol.h"

#include <math.h>
#include <stdio.h>
#include <unistd.h>

#include "engine/base/mem.h"
#include "engine/base/rng.h"
#include "losses/envelope_lag.h"
#include "losses/gammatone.h"
#include "losses/nsim.h"
#include "losses/svr.h"
#include "tests/losses/signals.h"
#include "tests/shared.h"

#define RATE_HZ 16000
#define LEN 64000

static float x[LEN], y[LEN];

static MetricValue value_of(const char *name, int64_t n, int rate_hz)
{
    MetricValue value;
    RsdError err = {0};

    ASSERT_OK(audio_metric_apply(&value, audio_metric_find(name), x, LEN, y, LEN, 1, n, rate_hz, &err), err);
    return value;
}

Test(gammatone, centres_lie_on_the_scale_and_pass_a_tone_unchanged)
{
    static double tone[RATE_HZ];
    double levels[21], last = 0;
    Gammatone *bank = NULL;
    RsdError err = {0};

    ASSERT_OK(gammatone_create(&bank, 21, 50, RATE_HZ, &err), err);
    ASSERT_CLOSE("lowest", gammatone_centre_hz(bank, 0), 50, ((Tolerance){.abs = 1e-6}));
    for (int band = 0; band < 21; band++) {
        double hz = gammatone_centre_hz(bank, band);

        cr_assert(hz > last && hz < RATE_HZ / 2);
        last = hz;
        for (int i = 0; i < RATE_HZ; i++)
            tone[i] = sin(2 * M_PI * hz * i / RATE_HZ);
        gammatone_levels(bank, tone, RATE_HZ, levels);
        /* from rest: the first milliseconds are missing */
        ASSERT_CLOSE("level", levels[band], sqrt(0.5), ((Tolerance){.rel = 0.04}));
        for (int other = 0; other < 21; other++)
            cr_assert_leq(levels[other], levels[band] * 1.001, "band %d hears the tone of %d", other, band);
    }
    gammatone_destroy(&bank);
    ASSERT_FAILS(gammatone_create(&bank, 0, 50, RATE_HZ, &err), RSD_ERR_ARG, err, "0 gammatone");
}

Test(gammatone, impulse_response_is_that_of_its_sections)
{
    /* the product of four sections, expanded by hand for one band through plain recursion */
    enum { N = 400 };
    const double hz = 1000, step = 1.0 / RATE_HZ, angle = 2 * M_PI * hz * step;
    const double decay = exp(-1.019 * 2 * M_PI * (hz / 9.26449 + 24.7) * step);
    const double roots[4] = {sqrt(3 + pow(2, 1.5)), -sqrt(3 + pow(2, 1.5)), sqrt(3 - pow(2, 1.5)),
                             -sqrt(3 - pow(2, 1.5))};
    double signal[N] = {1}, tone_re = 0, tone_im = 0, expected = 0, impulse[N] = {1}, levels[8], gain;
    const double offset = 9.26449 * 24.7;
    Gammatone *bank = NULL;
    RsdError err = {0};

    for (int k = 0; k < 4; k++) {
        double in = 0, last = 0, before = 0;

        for (int i = 0; i < N; i++) {
            double v = step * signal[i] - step * (cos(angle) + roots[k] * sin(angle)) * decay * in +
                       2 * cos(angle) * decay * last - decay * decay * before;

            in = signal[i];
            before = last;
            last = v;
            signal[i] = v;
        }
    }
    for (int i = 0; i < N; i++) {
        tone_re += signal[i] * cos(angle * i);
        tone_im -= signal[i] * sin(angle * i);
    }
    gain = hypot(tone_re, tone_im);
    for (int i = 0; i < N; i++)
        expected += signal[i] * signal[i] / (gain * gain);
    /* a bank of one band between 1000 Hz and half the rate has its centre at 1000 Hz */
    ASSERT_OK(gammatone_create(&bank, 1, hz, RATE_HZ, &err), err);
    ASSERT_CLOSE("centre", gammatone_centre_hz(bank, 0), hz, ((Tolerance){.abs = 1e-6}));
    gammatone_levels(bank, impulse, N, levels);
    ASSERT_CLOSE("level", levels[0], sqrt(expected / N), ((Tolerance){.rel = 1e-4}));
    gammatone_destroy(&bank);
    cr_assert_gt(offset, 0);
}

Test(nsim, equal_patches_are_alike_and_constants_have_a_closed_form)
{
    static double a[20 * NSIM_MAX_BANDS], b[20 * NSIM_MAX_BANDS];
    double bands[NSIM_MAX_BANDS], c1 = 0.01 * 0.01;
    Rng rng = rng_at(1, RNG_TEST, 0, 0);

    for (size_t i = 0; i < sizeof a / sizeof *a; i++)
        a[i] = 40 * rng_uniform(&rng);
    ASSERT_CLOSE("equal", nsim_patch(a, a, 21, 20, bands), 1, ((Tolerance){.abs = 1e-12}));
    for (size_t i = 0; i < sizeof a / sizeof *a; i++) {
        a[i] = 3;
        b[i] = 2;
    }
    /* no variance: only the term of the means is left */
    ASSERT_CLOSE("constants", nsim_patch(a, b, 21, 20, bands), (12 + c1) / (13 + c1), ((Tolerance){.abs = 1e-9}));
    ASSERT_CLOSE("band", bands[20], (12 + c1) / (13 + c1), ((Tolerance){.abs = 1e-9}));
}

Test(envelope_lag, finds_shifts_in_both_directions)
{
    static double a[8000], b[9000];
    int64_t lag;
    RsdError err = {0};

    signal_speech_like(x, 8000, RATE_HZ, 3);
    for (int shift = -700; shift <= 700; shift += 350) {
        for (int i = 0; i < 8000; i++)
            a[i] = x[i];
        for (int i = 0; i < 9000; i++) /* a[i + shift] == b[i] */
            b[i] = i + shift >= 0 && i + shift < 8000 ? x[i + shift] : 0;
        ASSERT_OK(envelope_lag(&lag, a, 8000, b, 9000, &err), err);
        cr_assert(lag >= shift - 1 && lag <= shift + 1, "%lld, expected %d", (long long)lag, shift);
    }
}

Test(visqol, equal_signals_score_best_and_noise_costs)
{
    double last = 5;

    signal_speech_like(x, LEN, RATE_HZ, 4);
    memcpy(y, x, sizeof x);
    ASSERT_CLOSE("speech", value_of("visqol_speech", LEN, RATE_HZ).value, 5, ((Tolerance){.abs = 2e-4}));
    ASSERT_CLOSE("similarity", value_of("vnsim", LEN, RATE_HZ).value, 1, ((Tolerance){.abs = 1e-9}));
    for (float level = 0.002f; level < 0.5f; level *= 6) {
        MetricValue value;

        signal_disturb(y, x, LEN, 5, level);
        value = value_of("visqol_speech", LEN, RATE_HZ);
        cr_assert(value.value < last && value.value >= 1 && !value.flags, "%g after %g", value.value, last);
        last = value.value;
    }
    cr_assert_lt(last, 3.5);
}

Test(visqol, level_and_a_small_delay_do_not_count)
{
    double plain, other;

    signal_speech_like(x, LEN, RATE_HZ, 6);
    signal_disturb(y, x, LEN, 7, 0.02f);
    plain = value_of("visqol_speech", LEN, RATE_HZ).value;
    for (int i = 0; i < LEN; i++)
        y[i] *= 0.25f;
    other = value_of("visqol_speech", LEN, RATE_HZ).value;
    ASSERT_CLOSE("quieter", other, plain, ((Tolerance){.abs = 1e-3}));
    memmove(y + 320, y, (LEN - 320) * sizeof *y);
    memset(y, 0, 320 * sizeof *y);
    other = value_of("visqol_speech", LEN, RATE_HZ).value;
    ASSERT_CLOSE("late", other, plain, ((Tolerance){.abs = 0.15}));
}

Test(visqol, short_and_silent_signals_are_a_convention)
{
    memset(x, 0, sizeof x);
    memset(y, 0, sizeof y);
    cr_assert_eq(value_of("visqol_speech", LEN, RATE_HZ).flags, (unsigned)(METRIC_TOO_SHORT | METRIC_SILENT_REFERENCE));
    cr_assert_eq(value_of("vnsim", LEN, RATE_HZ).flags, (unsigned)METRIC_SILENT_REFERENCE);
    signal_speech_like(y, LEN, RATE_HZ, 8);
    cr_assert_eq(value_of("vnsim", LEN, RATE_HZ).flags, (unsigned)METRIC_SILENT_REFERENCE);
    cr_assert(isfinite(value_of("vnsim", LEN, RATE_HZ).value));
    signal_speech_like(x, LEN, RATE_HZ, 8);
    cr_assert(isfinite(value_of("visqol_speech", LEN, RATE_HZ).value));
    cr_assert_eq(value_of("visqol_speech", 8000, RATE_HZ).flags, (unsigned)METRIC_TOO_SHORT);
    x[0] = 0.5f;
    cr_assert_eq(value_of("vnsim", 1, RATE_HZ).flags, (unsigned)METRIC_TOO_SHORT);
    cr_assert_eq(value_of("visqol", LEN, RATE_HZ).flags, (unsigned)METRIC_NOT_APPLICABLE);
}

/* ---- the regression file ---- */

static char model_path[] = "/tmp/residua-svr-XXXXXX";

static RsdStatus open_text(Svr **svr, const char *text, RsdError *err)
{
    int fd;
    RsdStatus status;

    strcpy(model_path + strlen(model_path) - 6, "XXXXXX");
    fd = mkstemp(model_path);
    cr_assert(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) && close(fd) == 0);
    status = svr_open(svr, model_path, err);
    unlink(model_path);
    return status;
}

#define HEADER "svm_type nu_svr\nkernel_type rbf\ngamma 0.5\nnr_class 2\ntotal_sv 2\nrho -1.25\nSV\n"

Test(svr, predicts_by_its_formula)
{
    const double at[2] = {1, 2};
    Svr *svr = NULL;
    RsdError err = {0};

    ASSERT_OK(open_text(&svr, HEADER "0.75 1:1 2:0.5 \n-2 2:3\n", &err), err);
    cr_assert(svr->n_features == 2 && svr->n_vectors == 2);
    ASSERT_CLOSE("value", svr_predict(svr, at), 0.75 * exp(-0.5 * 2.25) - 2 * exp(-0.5 * 2) + 1.25,
                 ((Tolerance){.rel = 1e-14}));
    svr_close(&svr);
}

Test(svr, damaged_files_are_refused_with_their_line)
{
    static const char *const texts[][2] = {
        {"", "no complete header"},
        {"RIFF....WAVE", "line 1"},
        {"svm_type c_svc\n", "c_svc"},
        {"svm_type nu_svr\nkernel_type linear\n", "linear"},
        {"svm_type nu_svr\nkernel_type rbf\ntotal_sv 2\nSV\n", "no complete header"},
        {HEADER "0.75 1:1\n", "ends after 1 of 2"},
        {HEADER "0.75 1:1\n0.5 0:1\n", "line 9"},
        {HEADER "0.75 1:1\n0.5 5000:1\n", "line 9"},
        {HEADER "0.75 1:nan\n0.5 2:1\n", "line 8"},
        {HEADER "heavy 1:1\n0.5 2:1\n", "line 8"},
    };
    Svr *svr = NULL;
    RsdError err = {0};

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        RsdStatus status = open_text(&svr, texts[i][0], &err);

        cr_assert(status != RSD_OK && svr == NULL, "case %zu", i);
        cr_assert(strstr(err.text, texts[i][1]), "case %zu: '%s' does not say '%s'", i, err.text, texts[i][1]);
    }
    ASSERT_FAILS(svr_open(&svr, "/nowhere/model", &err), RSD_ERR_IO, err, "/nowhere/model");
}

Test(visqol, audio_mode_maps_bands_by_the_model_given)
{
    static char text[8192];
    MetricAids aids = {0};
    MetricChannels both = {x, x, LEN, LEN, 1, LEN, RATE_HZ, &aids};
    MetricValue value;
    Svr *svr = NULL;
    size_t used;
    RsdError err = {0};

    /* one vector of ones: equal signals lie on it, so the score is weight - rho */
    used = (size_t)snprintf(text, sizeof text,
                            "svm_type nu_svr\nkernel_type rbf\ngamma 0.01\ntotal_sv 1\nrho -3\nSV\n1.5");
    for (int i = 1; i <= VISQOL_AUDIO_BANDS; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, " %d:1", i);
    snprintf(text + used, sizeof text - used, "\n");
    ASSERT_OK(open_text(&svr, text, &err), err);
    aids.visqol = svr;
    signal_speech_like(x, LEN, RATE_HZ, 9);
    ASSERT_OK(audio_metric_measure(&value, NULL, audio_metric_find("visqol"), &both, &err), err);
    ASSERT_CLOSE("score", value.value, 4.5, ((Tolerance){.abs = 1e-6}));
    svr_close(&svr);
    ASSERT_OK(open_text(&svr, HEADER "0.75 1:1 2:0.5 \n-2 2:3\n", &err), err);
    aids.visqol = svr;
    ASSERT_FAILS(audio_metric_measure(&value, NULL, audio_metric_find("visqol"), &both, &err), RSD_ERR_MODEL, err,
                 "2 features");
    svr_close(&svr);
}
