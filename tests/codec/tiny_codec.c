/* tiny_codec.c - a codec with random weights and codebooks.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tiny_codec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Codebooks at the size of the latents they quantise, each stage finer than the one before. */
static void fill_codebooks(AudioCodec *codec, uint64_t seed)
{
    float size = 0.5f;

    for (int stage = 0; stage < codec->config.rvq.n_q; stage++, size *= 0.6f) {
        Rng rng = rng_at(seed, RNG_TEST, 99, (uint32_t)stage);
        char name[32];
        Tensor *embed;

        snprintf(name, sizeof name, "rvq.%d.embed", stage);
        embed = params_find(codec->params, name);
        if (!embed)
            abort();
        for (int64_t i = 0; i < tensor_count(embed); i++)
            embed->data[i] = size * rng_normal(&rng);
    }
    rvq_refresh(codec->rvq);
}

static AudioCodec *create(int channels, uint64_t seed, const ProjectedRvqConfig *projected)
{
    AudioCodecConfig cfg;
    AudioCodec *codec;
    RsdError err;

    audio_codec_default_config(&cfg);
    strcpy(cfg.name, "tiny");
    cfg.rate_hz = 1000;
    cfg.seanet.channels = channels;
    cfg.seanet.base_channels = 4;
    cfg.seanet.n_ratios = 2;
    cfg.seanet.ratios[0] = 4;
    cfg.seanet.ratios[1] = 2;
    cfg.seanet.latent_dim = 8;
    cfg.rvq.n_q = TINY_STAGES;
    cfg.rvq.codebook_size = 16;
    cfg.rvq.dim = 8;
    if (projected) {
        cfg.quantizer = AUDIO_PROJECTED;
        cfg.projected_rvq = *projected;
    }
    if (audio_codec_create(&codec, &cfg, seed, &err) != RSD_OK) {
        fprintf(stderr, "tiny codec: %s\n", err.text);
        abort();
    }
    if (!projected)
        fill_codebooks(codec, seed);
    return codec;
}

AudioCodec *tiny_codec_create(int channels, uint64_t seed)
{
    return create(channels, seed, NULL);
}

AudioCodec *tiny_codec_create_multirate(uint64_t seed)
{
    return create(1, seed, &(ProjectedRvqConfig){.n_q = TINY_STAGES, .codebook_size = 16, .code_dim = 3, .dim = 8, .n_strides = 3,
                                                 .strides = {4, 2, 1}});
}
