/* audio_loss.c - the table of named losses.
 *
 * SPDX-License-Identifier: MIT
 */
#include "losses/audio_loss.h"

#include <string.h>

#include "losses/audio_loss_impl.h"
#include "losses/mel_loss.h"
#include "losses/stft_loss.h"
#include "losses/waveform_loss.h"

#define CSTFT_WINDOW_S 0.04 /* audio.md 7.5: four hops of 10 ms */
#define SISNR_SEGMENT_S 5.0 /* audio.md 8.1 */

static RsdStatus create_l1(AudioLoss **out, int rate_hz, int max_window, RsdError *err)
{
    (void)rate_hz;
    (void)max_window;
    return l1_loss_create(out, err);
}

static RsdStatus create_mse(AudioLoss **out, int rate_hz, int max_window, RsdError *err)
{
    (void)rate_hz;
    (void)max_window;
    return mse_loss_create(out, err);
}

static RsdStatus create_mel(AudioLoss **out, MelLossParams p, int rate_hz, int max_window, RsdError *err)
{
    mel_loss_limit(&p, max_window);
    return mel_loss_create(out, &p, rate_hz, err);
}

static RsdStatus create_mel_dac(AudioLoss **out, int rate_hz, int max_window, RsdError *err)
{
    return create_mel(out, mel_loss_dac(), rate_hz, max_window, err);
}

static RsdStatus create_msspec(AudioLoss **out, int rate_hz, int max_window, RsdError *err)
{
    return create_mel(out, mel_loss_msspec(6, 10, 64.0, false, true), rate_hz, max_window, err);
}

static RsdStatus create_msspec_paper(AudioLoss **out, int rate_hz, int max_window, RsdError *err)
{
    return create_mel(out, mel_loss_msspec(5, 11, 0.0, false, false), rate_hz, max_window, err);
}

static RsdStatus create_mel_l1(AudioLoss **out, int rate_hz, int max_window, RsdError *err)
{
    return create_mel(out, mel_loss_l1(true, false), rate_hz, max_window, err);
}

static RsdStatus create_stft(AudioLoss **out, StftLossParams p, int max_window, RsdError *err)
{
    stft_loss_limit(&p, max_window);
    return stft_loss_create(out, &p, err);
}

static RsdStatus create_mrstft(AudioLoss **out, int rate_hz, int max_window, RsdError *err)
{
    (void)rate_hz;
    return create_stft(out, stft_loss_multi(0.5f), max_window, err);
}

static RsdStatus create_stft_single(AudioLoss **out, int rate_hz, int max_window, RsdError *err)
{
    (void)rate_hz;
    return create_stft(out, stft_loss_single(1024, 120, 600, 0.1f), max_window, err);
}

static RsdStatus create_stft_dac(AudioLoss **out, int rate_hz, int max_window, RsdError *err)
{
    (void)rate_hz;
    return create_stft(out, stft_loss_dac(2, (const int[]){2048, 512}, 2.0f), max_window, err);
}

/* The power of two nearest to 40 ms (on a scale of factors), because those transforms are several times as fast as
 * others: 512 and 256 samples at 16 kHz, 1024 and 512 at 24 kHz, 2048 and 1024 at 48 kHz. */
static RsdStatus create_cstft(AudioLoss **out, int rate_hz, int max_window, RsdError *err)
{
    int n = SPECTRUM_MIN_FFT * 2;

    while (2.0 * n * n < CSTFT_WINDOW_S * rate_hz * CSTFT_WINDOW_S * rate_hz && n < SPECTRUM_MAX_FFT)
        n *= 2;
    return create_stft(out, stft_loss_compressed(2, (const int[]){n, n / 2}), max_window, err);
}

static RsdStatus create_sisnr(AudioLoss **out, int rate_hz, int max_window, RsdError *err)
{
    (void)max_window;
    return sisnr_loss_create(out, SISNR_SEGMENT_S, 0.5, rate_hz, err);
}

static RsdStatus create_sisdr(AudioLoss **out, int rate_hz, int max_window, RsdError *err)
{
    (void)rate_hz;
    (void)max_window;
    return sisdr_loss_create(out, &(SisdrParams){.scales = true, .removes_mean = true}, err);
}

static const struct {
    const char *name, *summary;
    RsdStatus (*create)(AudioLoss **out, int rate_hz, int max_window, RsdError *err);
} known[] = {
    {"l1", "mean absolute difference of the samples", create_l1},
    {"mse", "mean squared difference of the samples", create_mse},
    {"mel_dac", "log mel magnitudes at 7 windows of 32 to 2048 samples, absolute, summed (DAC)", create_mel_dac},
    {"msspec", "mel powers at 5 windows of 64 to 1024 samples, absolute and squared log, averaged (EnCodec code)",
     create_msspec},
    {"msspec_paper", "mel powers at 7 windows of 32 to 2048 samples, absolute and squared log, summed (EnCodec paper)",
     create_msspec_paper},
    {"mel_l1", "log mel powers with a window of 1024 samples, absolute", create_mel_l1},
    {"mrstft", "spectral convergence and log magnitudes at 3 resolutions", create_mrstft},
    {"stft", "spectral convergence and log magnitudes, window 600 in 1024 samples", create_stft_single},
    {"stft_dac", "magnitudes and log magnitudes at windows of 2048 and 512 samples, absolute (DAC)", create_stft_dac},
    {"cstft", "complex spectra with amplitudes to the power 0.3, windows of about 40 and 20 ms, absolute",
     create_cstft},
    {"sisnr", "negative scale-invariant signal-to-noise ratio in dB over segments of 5 s", create_sisnr},
    {"sisdr", "negative scale-invariant signal-to-distortion ratio in dB over the whole signal", create_sisdr},
};

#define N_KNOWN (sizeof known / sizeof known[0])

const char *audio_loss_name(size_t i)
{
    return i < N_KNOWN ? known[i].name : NULL;
}

const char *audio_loss_summary(const char *name)
{
    for (size_t i = 0; i < N_KNOWN; i++)
        if (strcmp(known[i].name, name) == 0)
            return known[i].summary;
    return NULL;
}

static RsdStatus unknown_name(const char *name, RsdError *err)
{
    char names[256] = "";

    for (size_t i = 0; i < N_KNOWN; i++) {
        if (i > 0)
            strncat(names, ", ", sizeof names - strlen(names) - 1);
        strncat(names, known[i].name, sizeof names - strlen(names) - 1);
    }
    return error_set(err, RSD_ERR_ARG, "there is no audio loss '%.64s'; known are %s", name, names);
}

RsdStatus audio_loss_create(AudioLoss **out, const char *name, int rate_hz, int max_window_samples, RsdError *err)
{
    *out = NULL;
    if (rate_hz < 1 || max_window_samples < 0)
        return error_set(err, RSD_ERR_ARG, "audio loss %s at %d Hz with windows of up to %d samples", name, rate_hz,
                         max_window_samples);
    for (size_t i = 0; i < N_KNOWN; i++)
        if (strcmp(known[i].name, name) == 0) {
            RsdStatus status = known[i].create(out, rate_hz, max_window_samples, err);

            return status == RSD_OK ? RSD_OK : error_prefix(err, status, "audio loss %s", name);
        }
    return unknown_name(name, err);
}
