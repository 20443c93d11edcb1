/* dac_import.c - a configuration from shapes, then weights by name.
 *
 * SPDX-License-Identifier: MIT
 */
#include "models/dac_import.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/audio_codec_file.h"
#include "models/dac_names.h"
#include "models/import.h"

_Static_assert((int)DAC_NAME_SIZE <= (int)IMPORT_NAME_SIZE, "names of DAC fit");

#define FIRST_CODEBOOK "quantizer.quantizers.0.codebook.weight"

typedef struct Naming {
    DacNaming naming;
    const DacConfig *cfg;
} Naming;

static bool name_there(char theirs[IMPORT_NAME_SIZE], const char *ours, int i, const void *ctx)
{
    const Naming *naming = ctx;

    return i == 0 && dac_name_in(theirs, ours, naming->naming, naming->cfg);
}

/* Array `name`, or what weight norm keeps of it. */
static const CheckpointArray *find_weight(const Checkpoint *checkpoint, const char *name)
{
    static const char *const forms[] = {"weight", "weight_v", "parametrizations.weight.original1"};
    const CheckpointArray *array = NULL;

    for (size_t i = 0; !array && i < sizeof forms / sizeof *forms; i++) {
        char text[DAC_NAME_SIZE * 2];

        snprintf(text, sizeof text, "%s.%s", name, forms[i]);
        array = checkpoint_find(checkpoint, text);
    }
    return array && array->n_dims == 3 ? array : NULL;
}

static DacNaming naming_of(const Checkpoint *checkpoint)
{
    return find_weight(checkpoint, "decoder.model.0") ? DAC_NAMES_ORIGINAL : DAC_NAMES_HUB;
}

bool dac_import_matches(const Checkpoint *checkpoint)
{
    return checkpoint_find(checkpoint, FIRST_CODEBOOK) &&
           (find_weight(checkpoint, "decoder.model.0") || find_weight(checkpoint, "decoder.conv1"));
}

/* An axis as an int; what does not fit is impossible, and refused with the configuration. */
static int axis(const CheckpointArray *array, int i)
{
    return !array || i >= array->n_dims || array->shape[i] > 1 << 24 ? 0 : (int)array->shape[i];
}

/* The rates of one side: half the kernels of its resampling layers. */
static int read_rates(int rates[DAC_MAX_STAGES], const Checkpoint *checkpoint, DacNaming naming, bool decoder)
{
    int n = 0;

    for (; n < DAC_MAX_STAGES; n++) {
        char name[DAC_NAME_SIZE];
        const CheckpointArray *array;

        if (naming == DAC_NAMES_ORIGINAL)
            snprintf(name, sizeof name, decoder ? "decoder.model.%d.block.1" : "encoder.block.%d.block.4", n + 1);
        else
            snprintf(name, sizeof name, decoder ? "decoder.block.%d.conv_t1" : "encoder.block.%d.conv1", n);
        if (!(array = find_weight(checkpoint, name)))
            break;
        rates[n] = axis(array, 2) / 2;
    }
    return n;
}

static int count_stages(const Checkpoint *checkpoint)
{
    int n = 0;

    for (; n < PROJECTED_RVQ_MAX_STAGES; n++) {
        char name[DAC_NAME_SIZE];

        snprintf(name, sizeof name, "quantizer.quantizers.%d.codebook.weight", n);
        if (!checkpoint_find(checkpoint, name))
            break;
    }
    return n;
}

/* 0 for what is no rate; audio_codec_check_config knows the limits. */
static int rate_from(const char *text)
{
    long value = strtol(text, NULL, 10);

    return value > 0 && value <= INT_MAX ? (int)value : 0;
}

/* Metadata of the authors' files, of config.json, or, when there are none, what the published sizes stand for. */
static int sampling_rate(const Checkpoint *checkpoint, int hop, int n_q)
{
    static const char *const keys[] = {"metadata.kwargs.sample_rate", "config.sampling_rate", "sampling_rate", "sample_rate"};

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const char *text = checkpoint_metadata(checkpoint, keys[i]);

        if (text)
            return rate_from(text);
    }
    return hop == 512 ? 44100 : hop == 320 && n_q == 32 ? 24000 : hop == 320 && n_q == 12 ? 16000 : 0;
}

static RsdStatus read_config(AudioCodecConfig *cfg, const Checkpoint *checkpoint, DacNaming naming, RsdError *err)
{
    bool original = naming == DAC_NAMES_ORIGINAL;
    const CheckpointArray *book = checkpoint_find(checkpoint, FIRST_CODEBOOK);
    const CheckpointArray *decoder_in = find_weight(checkpoint, original ? "decoder.model.0" : "decoder.conv1");
    RsdStatus status = RSD_OK;

    memset(cfg, 0, sizeof *cfg);
    cfg->network = AUDIO_DAC;
    cfg->dac.encoder_dim = axis(find_weight(checkpoint, original ? "encoder.block.0" : "encoder.conv1"), 0);
    cfg->dac.n_encoder_rates = read_rates(cfg->dac.encoder_rates, checkpoint, naming, false);
    cfg->dac.latent_dim = axis(decoder_in, 1);
    cfg->dac.decoder_dim = axis(decoder_in, 0);
    cfg->dac.n_decoder_rates = read_rates(cfg->dac.decoder_rates, checkpoint, naming, true);
    cfg->projected_rvq = (ProjectedRvqConfig){.n_q = count_stages(checkpoint),
                                              .codebook_size = axis(book, 0),
                                              .code_dim = axis(book, 1),
                                              .dim = cfg->dac.latent_dim};
    if (dac_check_config(&cfg->dac, err) != RSD_OK || projected_rvq_check_config(&cfg->projected_rvq, err) != RSD_OK)
        return error_prefix(err, RSD_ERR_CORRUPT, "%s: no DAC has arrays of these shapes", checkpoint_place(checkpoint));
    cfg->rate_hz = sampling_rate(checkpoint, dac_hop(&cfg->dac), cfg->projected_rvq.n_q);
    CHECK(cfg->rate_hz != 0, err, RSD_ERR_UNSUPPORTED,
          "%s: says no sampling rate; put the config.json that was published with it beside it", checkpoint_place(checkpoint));
    snprintf(cfg->name, sizeof cfg->name, "dac_%dkhz", cfg->rate_hz / 1000);
    if (audio_codec_check_config(cfg, err) != RSD_OK)
        return error_prefix(err, RSD_ERR_CORRUPT, "%s", checkpoint_place(checkpoint));
fail:
    return status;
}

RsdStatus dac_import(AudioCodec **out, Checkpoint *checkpoint, AudioCodecUse use, RsdError *err)
{
    AudioCodecConfig cfg;
    Naming naming = {naming_of(checkpoint), &cfg.dac};
    ImportRules rules = {.name = name_there, .ctx = &naming};
    AudioCodec *codec = NULL;
    uint8_t digest[32];
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(read_config(&cfg, checkpoint, naming.naming, err));
    if (import_check_size(checkpoint, audio_codec_count_parameters(&cfg), err) != RSD_OK)
        return error_prefix(err, RSD_ERR_CORRUPT, "%s", checkpoint_place(checkpoint));
    TRY(audio_codec_create_empty(&codec, &cfg, use, err));
    TRY(import_params(codec->params, checkpoint, &rules, err));
    TRY(checkpoint_hash(checkpoint, digest, err));
    memcpy(codec->hash, digest, sizeof codec->hash);
    TRY(audio_codec_freeze(codec, err));
    *out = codec;
    return RSD_OK;
fail:
    audio_codec_destroy(&codec);
    return status;
}
