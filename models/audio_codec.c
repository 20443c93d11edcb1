/* audio_codec.c - configuration and life of an audio codec. Files: audio_codec_file.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include "models/audio_codec.h"

#include <stdio.h>
#include <string.h>

#include "engine/base/mem.h"
#include "models/audio_codec_file.h"

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

/* Names go into streams, file names and terminals. */
static bool is_name(const char *name)
{
    size_t len = strnlen(name, MODEL_NAME_SIZE);

    if (len == 0 || len == MODEL_NAME_SIZE)
        return false;
    return strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == len;
}

RsdStatus audio_codec_check_config(const AudioCodecConfig *cfg, RsdError *err)
{
    RsdStatus status = RSD_OK;

    CHECK(is_name(cfg->name), err, RSD_ERR_ARG,
          "the model's name must have 1 to %d letters, digits, dots, dashes or underscores", MODEL_NAME_SIZE - 1);
    CHECK(cfg->rate_hz >= MIN_RATE_HZ && cfg->rate_hz <= MAX_RATE_HZ, err, RSD_ERR_ARG, "rate_hz is %d, expected %d to %d",
          cfg->rate_hz, MIN_RATE_HZ, MAX_RATE_HZ);
    TRY(seanet_check_config(&cfg->seanet, err));
    TRY(rvq_check_config(&cfg->rvq, err));
    CHECK(cfg->rvq.dim == cfg->seanet.latent_dim, err, RSD_ERR_ARG, "the quantiser's dim is %d, the network's latent_dim %d",
          cfg->rvq.dim, cfg->seanet.latent_dim);
    CHECK(cfg->segment_seconds >= 0.0 && cfg->segment_seconds <= MAX_SEGMENT_SECONDS, err, RSD_ERR_ARG,
          "segment_seconds is %g, expected 0 to %g", cfg->segment_seconds, MAX_SEGMENT_SECONDS);
    CHECK(cfg->segment_overlap >= 0.0 && cfg->segment_overlap <= 0.5, err, RSD_ERR_ARG,
          "segment_overlap is %g, expected 0 to 0.5", cfg->segment_overlap);
    CHECK(cfg->segment_seconds == 0.0 || audio_codec_segment_samples(cfg) >= seanet_hop(&cfg->seanet), err, RSD_ERR_ARG,
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
    TRY(seanet_create(&codec->net, &cfg->seanet, codec->params, seed, err));
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

RsdStatus audio_codec_create_empty(AudioCodec **out, const AudioCodecConfig *cfg, RsdError *err)
{
    ParamSet *params;
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(audio_codec_check_config(cfg, err));
    TRY(params_create_for_inference(&params, seanet_count_parameters(&cfg->seanet) + rvq_count_parameters(&cfg->rvq), err));
    TRY(create_around(out, cfg, params, 0, err));
fail:
    return status;
}

void audio_codec_destroy(AudioCodec **codec)
{
    if (!*codec)
        return;
    seanet_destroy(&(*codec)->net);
    rvq_destroy(&(*codec)->rvq);
    params_destroy(&(*codec)->params);
    mem_free(codec);
}

double audio_codec_bitrate_bps(const AudioCodecConfig *cfg, int n_q)
{
    int bits = 0;

    while (1 << bits < cfg->rvq.codebook_size)
        bits++;
    return (double)n_q * bits * cfg->rate_hz / seanet_hop(&cfg->seanet);
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

    while (n_q < cfg->rvq.n_q && audio_codec_bitrate_bps(cfg, n_q + 1) <= bitrate_bps)
        n_q++;
    return n_q;
}
