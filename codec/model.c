/* model.c - models from the library and from files, checked for what streams need.
 *
 * SPDX-License-Identifier: MIT
 */
#include "codec/model.h"

#include <stdio.h>
#include <string.h>

#include "codec/container.h"
#include "engine/base/mem.h"
#include "models/adapter.h"
#include "models/code_lm.h"

const char *rsd_version(void)
{
    return RSD_VERSION;
}

/* Bits of a code of 0..size-1. */
static int code_bits(int size)
{
    int bits = 1;

    while (bits < 31 && (1 << bits) < size)
        bits++;
    return bits;
}

static RsdStatus check_limits(const AudioCodecConfig *cfg, RsdError *err)
{
    int hop = audio_codec_hop(cfg), n_stages = audio_codec_stages(cfg), channels = audio_codec_channels(cfg);
    RsdStatus status = RSD_OK;

    CHECK(audio_codec_codebook_size(cfg) >= 2 && audio_codec_codebook_size(cfg) <= 1 << 16, err, RSD_ERR_UNSUPPORTED,
          "model %s has codebooks of %d; 2 to 65536 codes are possible", cfg->name, audio_codec_codebook_size(cfg));
    CHECK(n_stages >= 1 && n_stages <= STREAM_MAX_STAGES && hop >= 1 && hop <= UINT16_MAX &&
              cfg->rate_hz >= 1 && cfg->rate_hz <= STREAM_MAX_RATE_HZ && channels >= 1 &&
              channels <= STREAM_MAX_CHANNELS,
          err, RSD_ERR_UNSUPPORTED,
          "model %s: %d stages, %d samples per frame, %d Hz, %d channels; at most %d, %d, %d, %d fit a "
          ".rsd stream",
          cfg->name, n_stages, hop, cfg->rate_hz, channels, STREAM_MAX_STAGES, UINT16_MAX,
          STREAM_MAX_RATE_HZ, STREAM_MAX_CHANNELS);
fail:
    return status;
}

static void describe(RsdModelInfo *info, const AudioCodec *codec)
{
    const AudioCodecConfig *cfg = &codec->config;

    snprintf(info->name, sizeof info->name, "%s", cfg->name);
    memcpy(info->hash, codec->hash, sizeof info->hash);
    info->rate_hz = cfg->rate_hz;
    info->channels = audio_codec_channels(cfg);
    info->hop_samples = audio_codec_hop(cfg);
    info->n_stages = audio_codec_stages(cfg);
    info->bits_per_code = code_bits(audio_codec_codebook_size(cfg));
    info->codebook_size = audio_codec_codebook_size(cfg);
    info->latent_dim = audio_codec_latent_dim(cfg);
    info->stage_bitrate_bps = audio_codec_bitrate_bps(cfg, 1);
    info->bitrate_bps = audio_codec_bitrate_bps(cfg, info->n_stages);
    info->can_stream = audio_codec_can_stream(cfg);
    info->segment_samples = audio_codec_segment_samples(cfg);
    /* A segment, or the frames of a code and what the network looks ahead. */
    info->delay_samples = info->segment_samples;
    if (info->segment_samples == 0)
        info->delay_samples = info->hop_samples * audio_codec_stride(cfg, 0) +
                              (int)(audio_codec_encoder_lag(cfg) * info->hop_samples + audio_codec_decoder_lag(cfg));
    info->n_parameters = params_count_elements(codec->params, false);
}

RsdStatus model_from_codec(RsdModel **out, AudioCodec *codec, RsdError *err)
{
    RsdModel *model = NULL;
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(check_limits(&codec->config, err));
    TRY(mem_calloc(&model, 1, sizeof *model, err));
    if (!codec->params->for_inference) /* a loaded model is frozen already, and its weights cannot have changed */
        TRY(audio_codec_freeze(codec, err));
    model->codec = codec;
    describe(&model->info, codec);
    *out = model;
    return RSD_OK;
fail:
    mem_free(&model);
    return status;
}

static RsdStatus own(RsdModel **out, AudioCodec *codec, RsdError *err)
{
    RsdStatus status = model_from_codec(out, codec, err);

    if (status == RSD_OK)
        (*out)->owns_codec = true;
    else
        audio_codec_destroy(&codec);
    return status;
}

RsdStatus rsd_model_open_builtin(RsdModel **out, const char *name, RsdError *err)
{
    AudioCodec *codec;
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(audio_codec_load_builtin(&codec, name, err));
    TRY(own(out, codec, err));
fail:
    return status;
}

RsdStatus rsd_model_open_file(RsdModel **out, const char *path, RsdError *err)
{
    return model_open_for(out, path, AUDIO_USE_RUN, err);
}

RsdStatus model_open_for(RsdModel **out, const char *path, AudioCodecUse use, RsdError *err)
{
    AudioCodec *codec;
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(audio_codec_load_for(&codec, path, use, err));
    TRY(own(out, codec, err));
fail:
    return status;
}

RsdStatus rsd_model_add_adapter(RsdModel *model, const char *path, RsdError *err)
{
    if (!model->owns_codec)
        return error_set(err, RSD_ERR_ARG, "%s: the weights of this model belong to somebody else", path);
    return adapter_apply(model->codec, path, err);
}

RsdStatus rsd_language_model_open(RsdLanguageModel **out, const char *path, RsdError *err)
{
    return code_lm_load(out, path, err);
}

void rsd_language_model_close(RsdLanguageModel **model)
{
    code_lm_destroy(model);
}

void rsd_model_close(RsdModel **model)
{
    if (!*model)
        return;
    if ((*model)->owns_codec)
        audio_codec_destroy(&(*model)->codec);
    mem_free(model);
}

const RsdModelInfo *rsd_model_info(const RsdModel *model)
{
    return &model->info;
}

const char *rsd_model_builtin_name(size_t i)
{
    return audio_codec_builtin_name(i);
}
