/* audio_loss_impl.c - what the families of losses share: life, scales, the call.
 *
 * SPDX-License-Identifier: MIT
 */
#include "losses/audio_loss_impl.h"

#include "engine/base/mem.h"

void audio_loss_destroy(AudioLoss **loss)
{
    if (!*loss)
        return;
    for (int i = 0; i < LOSS_MAX_SCALES; i++) {
        stft_destroy(&(*loss)->stfts[i]);
        mel_destroy(&(*loss)->mels[i]);
    }
    mem_free(loss);
}

RsdStatus audio_loss_apply(Tape *tape, AudioLoss *loss, Tensor *estimate, Tensor *target, Tensor **value, RsdError *err)
{
    return loss->apply(tape, loss, estimate, target, value, err);
}

RsdStatus audio_loss_alloc(AudioLoss **out, AudioLossApply apply, RsdError *err)
{
    RsdStatus status = mem_calloc(out, 1, sizeof **out, err);

    if (status == RSD_OK)
        (*out)->apply = apply;
    return status;
}

RsdStatus audio_loss_add_scale(AudioLoss *loss, const StftConfig *stft, const MelConfig *mel,
                               const SpectralScale *scale, RsdError *err)
{
    const int i = loss->n_scales;
    RsdStatus status = RSD_OK;

    CHECK(i < LOSS_MAX_SCALES, err, RSD_ERR_ARG, "more than %d scales", LOSS_MAX_SCALES);
    TRY(stft_create(&loss->stfts[i], stft, err));
    if (mel)
        TRY(mel_create(&loss->mels[i], mel, err));
    loss->scales[i] = *scale;
    loss->scales[i].stft = loss->stfts[i];
    loss->scales[i].mel = loss->mels[i];
    loss->n_scales++;
fail:
    return status;
}

RsdStatus audio_loss_apply_scales(Tape *tape, const AudioLoss *loss, Tensor *estimate, Tensor *target, Tensor **value,
                                  RsdError *err)
{
    return op_spectral_distance(tape, loss->scales, loss->n_scales, estimate, target, value, err);
}
