/* mel_loss.c - distances of mel spectrograms.
 *
 * SPDX-License-Identifier: MIT
 */
#include "losses/mel_loss.h"

#include <math.h>

#include "losses/audio_loss_impl.h"

#define INV_LN_10 0.43429448190325182765f

MelLossParams mel_loss_dac(void)
{
    MelLossParams p = {.n_scales = 7, .pad = STFT_PAD_CENTRE, .mel_scale = MEL_SLANEY, .unit_area = true,
                       .log_floor = 1e-5f, .log_clamps = true, .log_power = 1.0f};

    for (int i = 0; i < 7; i++)
        p.scales[i] = (MelLossScale){.window = 32 << i, .hop = 8 << i, .n_mels = 5 << i, .log = 1.0f};
    return p;
}

MelLossParams mel_loss_msspec(int first_log2, int last_log2, double f_min_hz, bool alphas, bool normalised)
{
    MelLossParams p = {.of_power = true, .pad = STFT_PAD_SAME, .norm = normalised ? STFT_NORM_WINDOW : STFT_NORM_NONE,
                       .mel_scale = MEL_HTK, .f_min_hz = f_min_hz, .log_floor = 1e-5f, .log_power = 1.0f,
                       .divides_by_weights = normalised};

    for (int i = first_log2; i <= last_log2 && p.n_scales < MEL_LOSS_MAX_SCALES; i++) {
        const float alpha = alphas ? sqrtf((float)((1 << i) - 1)) : 1.0f;

        p.scales[p.n_scales++] =
            (MelLossScale){.window = 1 << i, .hop = (1 << i) / 4, .n_mels = 64, .linear = 1.0f, .log_square = alpha};
    }
    return p;
}

MelLossParams mel_loss_l1(bool of_log, bool normalised)
{
    return (MelLossParams){.n_scales = 1,
                           .scales = {{.window = 1024, .hop = 256, .n_mels = 64, .linear = of_log ? 0.0f : 1.0f,
                                       .log = of_log ? 1.0f : 0.0f}},
                           .of_power = true, .pad = STFT_PAD_SAME,
                           .norm = normalised ? STFT_NORM_WINDOW : STFT_NORM_NONE, .mel_scale = MEL_HTK,
                           .f_min_hz = 64.0, .log_floor = 1e-5f, .log_power = 1.0f};
}

void mel_loss_limit(MelLossParams *p, int max_window)
{
    int n_kept = 0;

    for (int i = 0; i < p->n_scales; i++)
        if (max_window == 0 || p->scales[i].window <= max_window)
            p->scales[n_kept++] = p->scales[i];
    p->n_scales = n_kept;
}

RsdStatus mel_loss_create(AudioLoss **out, const MelLossParams *p, int rate_hz, RsdError *err)
{
    AudioLoss *loss = NULL;
    float total = 0.0f;
    RsdStatus status = RSD_OK;

    *out = NULL;
    CHECK(p->n_scales >= 1 && p->n_scales <= MEL_LOSS_MAX_SCALES, err, RSD_ERR_ARG,
          "a mel loss with %d windows; 1 to %d are possible", p->n_scales, MEL_LOSS_MAX_SCALES);
    TRY(audio_loss_alloc(&loss, audio_loss_apply_scales, err));
    for (int i = 0; i < p->n_scales; i++)
        total += p->scales[i].linear + p->scales[i].log + p->scales[i].log_square;
    if (!p->divides_by_weights)
        total = 1.0f;
    for (int i = 0; i < p->n_scales; i++) {
        const MelLossScale *s = &p->scales[i];
        const StftConfig stft = {
            .n_fft = s->window, .hop = s->hop, .pad = p->pad, .edge = STFT_EDGE_REFLECT, .norm = p->norm};
        const MelConfig mel = {.rate_hz = rate_hz, .n_fft = s->window, .n_mels = s->n_mels, .f_min_hz = p->f_min_hz,
                               .f_max_hz = p->f_max_hz, .scale = p->mel_scale, .unit_area = p->unit_area};
        const DistanceTerms terms = {.linear = s->linear / total, .log = s->log / total,
                                     .log_square = s->log_square / total, .log_scale = p->log_power * INV_LN_10,
                                     .log_floor = p->log_floor, .log_clamps = p->log_clamps};

        TRY(audio_loss_add_scale(
            loss, &stft, &mel,
            &(SpectralScale){.feature = p->of_power ? SPECTRAL_POWER : SPECTRAL_MAGNITUDE, .terms = terms}, err));
    }
    *out = loss;
    return RSD_OK;
fail:
    audio_loss_destroy(&loss);
    return status;
}
