/* audio_codec.c - configuration and life of an audio codec. Files: audio_codec_file.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include "models/audio_codec.h"

#include <stdio.h>
#include <string.h>

#include "engine/base/mem.h"
#include "models/audio_codec_file.h"
#include "models/rvq_paths.h"

#define MIN_RATE_HZ 1000
#define MAX_RATE_HZ 384000
#define MAX_SEGMENT_SECONDS 60.0

void audio_codec_default_config(AudioCodecConfig *cfg)
{
    *cfg = (AudioCodecConfig){.name = "speech16",
                              .rate_hz = 16000,
                              .seanet = {.channels = 1,
                                         .base_channels = 16,
                                         .n_ratios = 4,
                                         .ratios = {8, 5, 4, 2},
                                         .latent_dim = 64,
                                         .kernel = 7,
                                         .last_kernel = 7,
                                         .residual_kernel = 3,
                                         .n_residual = 1,
                                         .dilation_base = 2,
                                         .compress = 2,
                                         .n_lstm = 0,
                                         .causal = true,
                                         .true_skip = true,
                                         .pad = PAD_ZERO,
                                         .norm = SEANET_NORM_WEIGHT},
                              .rvq = {.n_q = 12, .codebook_size = 1024, .dim = 64, .ema_decay = 0.99f, .dead_below = 0.1f}};
}

RsdStatus audio_codec_check_config(const AudioCodecConfig *cfg, RsdError *err)
{
    int dim;
    RsdStatus status = RSD_OK;

    CHECK(model_name_is_valid(cfg->name), err, RSD_ERR_ARG,
          "the model's name must have 1 to %d letters, digits, dots, dashes or underscores", MODEL_NAME_SIZE - 1);
    CHECK(cfg->rate_hz >= MIN_RATE_HZ && cfg->rate_hz <= MAX_RATE_HZ, err, RSD_ERR_ARG, "rate_hz is %d, expected %d to %d",
          cfg->rate_hz, MIN_RATE_HZ, MAX_RATE_HZ);
    TRY(cfg->network == AUDIO_DAC ? dac_check_config(&cfg->dac, err) : seanet_check_config(&cfg->seanet, err));
    CHECK(!audio_codec_is_projected(cfg) ||
              cfg->projected_rvq.codes == (cfg->network == AUDIO_DAC ? (int)PROJECTED_LEARNED : cfg->quantizer - AUDIO_PROJECTED),
          err, RSD_ERR_ARG, "codes of kind %d in a quantiser of kind %d", cfg->projected_rvq.codes, cfg->quantizer);
    TRY(audio_codec_is_projected(cfg) ? projected_rvq_check_config(&cfg->projected_rvq, err)
                                      : rvq_check_config(&cfg->rvq, err));
    dim = audio_codec_is_projected(cfg) ? cfg->projected_rvq.dim : cfg->rvq.dim;
    CHECK(dim == audio_codec_latent_dim(cfg), err, RSD_ERR_ARG, "the quantiser's dim is %d, the network's latent_dim %d", dim,
          audio_codec_latent_dim(cfg));
    CHECK(cfg->segment_seconds >= 0.0 && cfg->segment_seconds <= MAX_SEGMENT_SECONDS, err, RSD_ERR_ARG,
          "segment_seconds is %g, expected 0 to %g", cfg->segment_seconds, MAX_SEGMENT_SECONDS);
    CHECK(cfg->segment_overlap >= 0.0 && cfg->segment_overlap <= 0.5, err, RSD_ERR_ARG,
          "segment_overlap is %g, expected 0 to 0.5", cfg->segment_overlap);
    CHECK(cfg->segment_seconds == 0.0 || audio_codec_segment_samples(cfg) >= audio_codec_hop(cfg), err, RSD_ERR_ARG,
          "a segment of %g s is shorter than a frame", cfg->segment_seconds);
fail:
    return status;
}

/* Takes params over, also when it fails. */
static RsdStatus create_around(AudioCodec **out, const AudioCodecConfig *cfg, ParamSet *params, uint64_t seed, RsdError *err)
{
    AudioCodec *codec = NULL;
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(mem_calloc(&codec, 1, sizeof *codec, err));
    codec->config = *cfg;
    codec->params = params;
    params = NULL;
    if (cfg->network == AUDIO_DAC)
        TRY(dac_create(&codec->dac, &cfg->dac, codec->params, seed, err));
    else
        TRY(seanet_create(&codec->net, &cfg->seanet, codec->params, seed, err));
    if (audio_codec_is_projected(cfg))
        TRY(projected_rvq_create(&codec->projected_rvq, &cfg->projected_rvq, codec->params, seed, err));
    else
        TRY(rvq_create(&codec->rvq, &cfg->rvq, codec->params, err));
    *out = codec;
    return RSD_OK;
fail:
    params_destroy(&params);
    audio_codec_destroy(&codec);
    return status;
}

RsdStatus audio_codec_create(AudioCodec **out, const AudioCodecConfig *cfg, uint64_t seed, RsdError *err)
{
    ParamSet *params;
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(audio_codec_check_config(cfg, err));
    TRY(params_create(&params, err));
    TRY(create_around(out, cfg, params, seed, err));
fail:
    return status;
}

static RsdStatus take_weight(void *ctx, Tensor *weight, RsdError *err)
{
    AudioCodec *codec = ctx;

    return dac_take(codec->dac, weight, err);
}

RsdStatus audio_codec_create_empty(AudioCodec **out, const AudioCodecConfig *cfg, AudioCodecUse use, RsdError *err)
{
    static const char *const no_decoder[] = {"decoder.", NULL}, *const no_encoder[] = {"encoder.", NULL};
    static const char *const *const left_out[] = {NULL, NULL, no_decoder, no_encoder}; /* in the order of AudioCodecUse */
    const bool pass = use != AUDIO_USE_ALL && cfg->network == AUDIO_DAC; /* small networks stay as they are */
    ParamSet *params;
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(audio_codec_check_config(cfg, err));
    TRY(params_create_for_inference(&params, pass ? 0 : audio_codec_count_parameters(cfg), err));
    params->take = pass ? take_weight : NULL;
    params->left_out = left_out[use];
    TRY(create_around(out, cfg, params, 0, err));
    params->take_ctx = *out;
fail:
    return status;
}

void audio_codec_destroy(AudioCodec **codec)
{
    if (!*codec)
        return;
    seanet_destroy(&(*codec)->net);
    rvq_destroy(&(*codec)->rvq);
    dac_destroy(&(*codec)->dac);
    projected_rvq_destroy(&(*codec)->projected_rvq);
    params_destroy(&(*codec)->params);
    mem_free(codec);
}

/* ---- what a configuration says, whatever the network ---- */

bool audio_codec_is_projected(const AudioCodecConfig *cfg)
{
    return cfg->network == AUDIO_DAC || cfg->quantizer != AUDIO_RVQ;
}

int audio_codec_channels(const AudioCodecConfig *cfg)
{
    return cfg->network == AUDIO_DAC ? 1 : cfg->seanet.channels;
}

int audio_codec_hop(const AudioCodecConfig *cfg)
{
    return cfg->network == AUDIO_DAC ? dac_hop(&cfg->dac) : seanet_hop(&cfg->seanet);
}

int audio_codec_stages(const AudioCodecConfig *cfg)
{
    return audio_codec_is_projected(cfg) ? cfg->projected_rvq.n_q : cfg->rvq.n_q;
}

int audio_codec_stride(const AudioCodecConfig *cfg, int stage)
{
    return audio_codec_is_projected(cfg) ? projected_rvq_stride(&cfg->projected_rvq, stage) : 1;
}

int audio_codec_codebook_size(const AudioCodecConfig *cfg)
{
    return audio_codec_is_projected(cfg) ? cfg->projected_rvq.codebook_size : cfg->rvq.codebook_size;
}

int audio_codec_latent_dim(const AudioCodecConfig *cfg)
{
    return cfg->network == AUDIO_DAC ? cfg->dac.latent_dim : cfg->seanet.latent_dim;
}

bool audio_codec_can_stream(const AudioCodecConfig *cfg)
{
    if (cfg->network == AUDIO_DAC)
        return true;
    return seanet_can_stream(&cfg->seanet) && !cfg->normalize && cfg->segment_seconds == 0.0;
}

int64_t audio_codec_encoder_lag(const AudioCodecConfig *cfg)
{
    return cfg->network == AUDIO_DAC ? dac_encoder_lag(&cfg->dac) : 0;
}

int64_t audio_codec_decoder_lag(const AudioCodecConfig *cfg)
{
    return cfg->network == AUDIO_DAC ? dac_decoder_lag(&cfg->dac, DAC_PAD_ZERO) : 0;
}

int64_t audio_codec_count_parameters(const AudioCodecConfig *cfg)
{
    return (cfg->network == AUDIO_DAC ? dac_count_parameters(&cfg->dac) : seanet_count_parameters(&cfg->seanet)) +
           (audio_codec_is_projected(cfg) ? projected_rvq_count_parameters(&cfg->projected_rvq)
                                          : rvq_count_parameters(&cfg->rvq));
}

int audio_codec_max_paths(const AudioCodecConfig *cfg)
{
    return audio_codec_is_projected(cfg) ? 1 : RVQ_MAX_PATHS;
}

/* ---- running ---- */

void audio_codec_refresh_codes(AudioCodec *codec)
{
    if (codec->projected_rvq)
        projected_rvq_refresh(codec->projected_rvq);
    else
        rvq_refresh(codec->rvq);
}

RsdStatus audio_codec_freeze(AudioCodec *codec, RsdError *err)
{
    audio_codec_refresh_codes(codec);
    return codec->dac ? dac_freeze(codec->dac, err) : seanet_freeze(codec->net, err);
}

RsdStatus audio_codec_find_codes(Tape *tape, AudioCodec *codec, Tensor *z, int n_q, int n_paths, uint16_t *codes, RsdError *err)
{
    return codec->projected_rvq ? projected_rvq_encode(tape, codec->projected_rvq, z, n_q, codes, NULL, err)
                                : rvq_encode_paths(tape, codec->rvq, z, n_q, n_paths, codes, err);
}

RsdStatus audio_codec_encode(Tape *tape, AudioCodec *codec, Tensor *x, int n_q, int n_paths, uint16_t *codes, RsdError *err)
{
    Tensor *z;
    RsdStatus status = RSD_OK;

    TRY(codec->dac ? dac_encode(tape, codec->dac, x, DAC_PAD_ZERO, &z, err) : seanet_encode(tape, codec->net, x, &z, err));
    TRY(audio_codec_find_codes(tape, codec, z, n_q, n_paths, codes, err));
fail:
    return status;
}

RsdStatus audio_codec_latents(Tape *tape, AudioCodec *codec, const uint16_t *codes, int64_t batch, int n_q, int64_t frames,
                              Tensor **z, RsdError *err)
{
    return codec->projected_rvq ? projected_rvq_decode(tape, codec->projected_rvq, codes, batch, n_q, frames, z, err)
                                : rvq_decode(tape, codec->rvq, codes, batch, n_q, frames, z, err);
}

RsdStatus audio_codec_decode(Tape *tape, AudioCodec *codec, Tensor *z, Tensor **y, RsdError *err)
{
    return codec->dac ? dac_decode(tape, codec->dac, z, DAC_PAD_ZERO, y, err) : seanet_decode(tape, codec->net, z, y, err);
}

/* ---- training the quantiser ---- */

bool audio_codec_has_codes(const AudioCodec *codec)
{
    return codec->projected_rvq || rvq_is_initialised(codec->rvq);
}

void audio_codec_set_code_training(AudioCodec *codec, const CodeTraining *training, Group *group)
{
    if (codec->projected_rvq) {
        projected_rvq_set_training(codec->projected_rvq, training);
        projected_rvq_set_group(codec->projected_rvq, group);
    } else {
        rvq_set_training(codec->rvq, training);
        rvq_set_group(codec->rvq, group);
    }
}

RsdStatus audio_codec_quantize(Tape *tape, AudioCodec *codec, Tensor *z, int n_q, uint64_t seed, uint64_t step, bool frozen,
                               Tensor **zq, Tensor **commitment, RvqStats *stats, RsdError *err)
{
    return codec->projected_rvq ? projected_rvq_train(tape, codec->projected_rvq, z, n_q, frozen, zq, commitment, stats, err)
                                : rvq_train(tape, codec->rvq, z, n_q, seed, step, frozen, zq, commitment, stats, err);
}

/* ---- rates ---- */

double audio_codec_bitrate_bps(const AudioCodecConfig *cfg, int n_q)
{
    double codes_per_frame = 0.0;
    int bits = 0;

    while (1 << bits < audio_codec_codebook_size(cfg))
        bits++;
    for (int i = 0; i < n_q; i++)
        codes_per_frame += 1.0 / audio_codec_stride(cfg, i);
    return codes_per_frame * bits * cfg->rate_hz / audio_codec_hop(cfg);
}

/* Rounded down as the original code rounds. */
int audio_codec_segment_samples(const AudioCodecConfig *cfg)
{
    return (int)(cfg->segment_seconds * cfg->rate_hz);
}

int audio_codec_segment_stride(const AudioCodecConfig *cfg)
{
    int stride = (int)((1.0 - cfg->segment_overlap) * audio_codec_segment_samples(cfg));

    return stride < 1 ? 1 : stride;
}

int audio_codec_stages_for(const AudioCodecConfig *cfg, double bitrate_bps)
{
    int n_q = 1;

    while (n_q < audio_codec_stages(cfg) && audio_codec_bitrate_bps(cfg, n_q + 1) <= bitrate_bps + AUDIO_RATE_TOLERANCE_BPS)
        n_q++;
    return n_q;
}
