/* waveform_loss.c - distances of signals as they are.
 *
 * SPDX-License-Identifier: MIT
 */
#include "losses/waveform_loss.h"

#include "engine/ops/distance.h"
#include "losses/audio_loss_impl.h"

#define SISNR_EPSILON 1.1920928955078125e-7 /* 2^-23, the step of float32 at 1; times the segment, audio.md 8.1 */

static RsdStatus apply_l1(Tape *tape, const AudioLoss *loss, Tensor *estimate, Tensor *target, Tensor **value,
                          RsdError *err)
{
    (void)loss;
    return op_l1(tape, estimate, target, NULL, value, err);
}

static RsdStatus apply_mse(Tape *tape, const AudioLoss *loss, Tensor *estimate, Tensor *target, Tensor **value,
                           RsdError *err)
{
    (void)loss;
    return op_mse(tape, estimate, target, NULL, value, err);
}

static RsdStatus apply_sisnr(Tape *tape, const AudioLoss *loss, Tensor *estimate, Tensor *target, Tensor **value,
                             RsdError *err)
{
    return op_negative_sisnr(tape, &loss->sisnr, estimate, target, value, err);
}

static RsdStatus apply_sisdr(Tape *tape, const AudioLoss *loss, Tensor *estimate, Tensor *target, Tensor **value,
                             RsdError *err)
{
    return op_negative_sisdr(tape, &loss->sisdr, estimate, target, value, err);
}

RsdStatus l1_loss_create(AudioLoss **out, RsdError *err)
{
    return audio_loss_alloc(out, apply_l1, err);
}

RsdStatus mse_loss_create(AudioLoss **out, RsdError *err)
{
    return audio_loss_alloc(out, apply_mse, err);
}

RsdStatus sisnr_loss_create(AudioLoss **out, double segment_s, double overlap, int rate_hz, RsdError *err)
{
    const double len = segment_s * rate_hz;
    RsdStatus status = RSD_OK;

    *out = NULL;
    CHECK(len >= 1.0 && len <= 1e12 && overlap >= 0.0 && overlap < 1.0, err, RSD_ERR_ARG,
          "segments of %g s at %d Hz with overlap %g: at least one sample and an overlap in [0, 1) are needed",
          segment_s, rate_hz, overlap);
    TRY(audio_loss_alloc(out, apply_sisnr, err));
    (*out)->sisnr.segment_len = (int64_t)len;
    (*out)->sisnr.step = (int64_t)((double)(*out)->sisnr.segment_len * (1.0 - overlap));
    if ((*out)->sisnr.step < 1)
        (*out)->sisnr.step = 1;
    (*out)->sisnr.epsilon = SISNR_EPSILON;
fail:
    return status;
}

RsdStatus sisdr_loss_create(AudioLoss **out, const SisdrParams *p, RsdError *err)
{
    RsdStatus status = audio_loss_alloc(out, apply_sisdr, err);

    if (status == RSD_OK)
        (*out)->sisdr = *p;
    return status;
}
