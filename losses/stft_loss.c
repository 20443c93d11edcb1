/* stft_loss.c - distances of spectrograms without filter banks.
 *
 * SPDX-License-Identifier: MIT
 */
#include "losses/stft_loss.h"

#include "losses/audio_loss_impl.h"

#define INV_LN_10 0.43429448190325182765f
#define MAGNITUDE_FLOOR 1e-7f /* of |X|^2 in the multi-resolution form, audio.md 4.1 */

StftLossParams stft_loss_single(int n_fft, int hop, int win_len, float factor)
{
    return (StftLossParams){
        .n_scales = 1,
        .scales = {{n_fft, hop, win_len}},
        .in_double = true,
        .feature = SPECTRAL_MAGNITUDE,
        .floor = MAGNITUDE_FLOOR,
        .convergence = factor,
        .means_over_scales = true,
        .terms = {.log = factor, .log_scale = 1.0f, .log_floor = MAGNITUDE_FLOOR, .log_clamps = true}};
}

StftLossParams stft_loss_multi(float factor)
{
    StftLossParams p = stft_loss_single(1024, 120, 600, factor);

    p.scales[1] = (StftLossScale){2048, 240, 1200};
    p.scales[2] = (StftLossScale){512, 50, 240};
    p.n_scales = 3;
    return p;
}

static void set_quarter_hops(StftLossParams *p, int n_windows, const int *windows)
{
    for (int i = 0; i < n_windows && i < STFT_LOSS_MAX_SCALES; i++)
        p->scales[p->n_scales++] = (StftLossScale){windows[i], windows[i] / 4, 0};
}

StftLossParams stft_loss_dac(int n_windows, const int *windows, float log_power)
{
    StftLossParams p = {.in_double = true, .feature = SPECTRAL_MAGNITUDE,
                        .terms = {.linear = 1.0f, .log = 1.0f, .log_scale = log_power * INV_LN_10, .log_floor = 1e-5f,
                                  .log_clamps = true}};

    set_quarter_hops(&p, n_windows, windows);
    return p;
}

StftLossParams stft_loss_compressed(int n_windows, const int *windows)
{
    StftLossParams p = {.feature = SPECTRAL_COMPRESSED, .norm = STFT_NORM_WINDOW, .exponent = 0.3f, .eps = 1e-8f,
                        .terms = {.linear = 1.0f}};

    set_quarter_hops(&p, n_windows, windows);
    return p;
}

void stft_loss_limit(StftLossParams *p, int max_window)
{
    int n_kept = 0;

    for (int i = 0; i < p->n_scales; i++) {
        const int win_len = p->scales[i].win_len ? p->scales[i].win_len : p->scales[i].n_fft;

        if (max_window == 0 || win_len <= max_window)
            p->scales[n_kept++] = p->scales[i];
    }
    p->n_scales = n_kept;
}

RsdStatus stft_loss_create(AudioLoss **out, const StftLossParams *p, RsdError *err)
{
    AudioLoss *loss = NULL;
    SpectralScale scale = {.feature = p->feature, .floor = p->floor, .exponent = p->exponent, .eps = p->eps,
                           .terms = p->terms, .convergence = p->convergence};
    RsdStatus status = RSD_OK;

    *out = NULL;
    CHECK(p->n_scales >= 1 && p->n_scales <= STFT_LOSS_MAX_SCALES, err, RSD_ERR_ARG,
          "a spectral loss with %d windows; 1 to %d are possible", p->n_scales, STFT_LOSS_MAX_SCALES);
    if (p->means_over_scales) {
        const float share = 1.0f / (float)p->n_scales;

        scale.terms.linear *= share;
        scale.terms.square *= share;
        scale.terms.log *= share;
        scale.terms.log_square *= share;
        scale.convergence *= share;
    }
    TRY(audio_loss_alloc(&loss, audio_loss_apply_scales, err));
    for (int i = 0; i < p->n_scales; i++) {
        const StftConfig stft = {.n_fft = p->scales[i].n_fft, .hop = p->scales[i].hop, .win_len = p->scales[i].win_len,
                                 .pad = STFT_PAD_CENTRE, .edge = STFT_EDGE_REFLECT, .norm = p->norm,
                                 .in_double = p->in_double};

        TRY(audio_loss_add_scale(loss, &stft, NULL, &scale, err));
    }
    *out = loss;
    return RSD_OK;
fail:
    audio_loss_destroy(&loss);
    return status;
}
