/* audio_codec.h - a trained audio codec: SEANet around a residual quantiser, its configuration and its weights.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_AUDIO_CODEC_H
#define RESIDUA_AUDIO_CODEC_H

#include "models/rvq.h"
#include "models/seanet.h"

#define MODEL_NAME_SIZE 32
#define MODEL_HASH_SIZE 8

typedef struct AudioCodecConfig {
    char name[MODEL_NAME_SIZE]; /* "speech16" */
    int rate_hz;
    SeanetConfig seanet;
    RvqConfig rvq;
    bool normalize;         /* each segment is scaled to unit RMS (audio.md 1.5) */
    double segment_seconds; /* 0: no segments, the whole signal at once */
    double segment_overlap; /* share of a segment that the next one covers, too */
} AudioCodecConfig;

typedef struct AudioCodec {
    AudioCodecConfig config;
    ParamSet *params; /* owns all weights and codebooks */
    Seanet *net;
    Rvq *rvq;
    uint8_t hash[MODEL_HASH_SIZE]; /* first bytes of SHA-256 of the model file; zeros for a model not loaded from one */
} AudioCodec;

/* The configuration of speech16: 16 kHz mono, causal, zero padding, weight norm, C0 16, ratios 8,5,4,2, no LSTM, true
 * skip, D 64, 12 codebooks of 10 bits at 50 Hz. */
void audio_codec_default_config(AudioCodecConfig *cfg);
/* Every field in its range and the parts fitting together; allocates nothing. Errors: RSD_ERR_ARG naming the field. */
RsdStatus audio_codec_check_config(const AudioCodecConfig *cfg, RsdError *err);

/* Random weights. Errors: RSD_ERR_ARG (names the field and its range), RSD_ERR_MEMORY. */
RsdStatus audio_codec_create(AudioCodec **out, const AudioCodecConfig *cfg, uint64_t seed, RsdError *err);
/* From a model file, safetensors whose metadata hold "residua.kind" = "audio-codec" and one key per configuration field
 * (docs/model-file.md), or from a published EnCodec checkpoint (models/encodec.h) with the config.json beside it, if there is
 * one. Frozen for inference; cannot be trained. The file is not needed afterwards. Errors: those of
 * checkpoint_open; RSD_ERR_CORRUPT (damaged, or its configuration is impossible or asks for more than it holds),
 * RSD_ERR_UNSUPPORTED (not a model, or of a newer kind), RSD_ERR_NUMERIC. */
RsdStatus audio_codec_load(AudioCodec **out, const char *path, RsdError *err);
/* The same with the configuration named; NULL: as above. */
RsdStatus audio_codec_load_with_config(AudioCodec **out, const char *path, const char *config_path, RsdError *err);
/* A model inside the program; name NULL for the default. Errors: RSD_ERR_MODEL listing the names. */
RsdStatus audio_codec_load_builtin(AudioCodec **out, const char *name, RsdError *err);
void audio_codec_destroy(AudioCodec **codec);
/* with_training_state: keep what further training needs (count, sum). Writes atomically. notes: pairs key, value, NULL
 * at the end (licence, origin), may be NULL; keys must not begin with "residua.". Errors: RSD_ERR_ARG,
 * those of safetensors_writer_finish. */
RsdStatus audio_codec_save(const AudioCodec *codec, const char *path, Dtype stored_as, bool with_training_state,
                           const char *const *notes, RsdError *err);

/* The configuration as metadata of a file, for checkpoints that hold more than a model. read: errors as audio_codec_load. */
RsdStatus audio_codec_write_config(const AudioCodecConfig *cfg, SafetensorsWriter *writer, RsdError *err);
RsdStatus audio_codec_read_config(AudioCodecConfig *cfg, const Safetensors *st, RsdError *err);

/* Bits per second of n_q stages; the largest n_q whose rate does not exceed bitrate_bps (at least 1). */
double audio_codec_bitrate_bps(const AudioCodecConfig *cfg, int n_q);
int audio_codec_stages_for(const AudioCodecConfig *cfg, double bitrate_bps);
/* Samples of a segment, 0 without segments; samples from one segment to the next. */
int audio_codec_segment_samples(const AudioCodecConfig *cfg);
int audio_codec_segment_stride(const AudioCodecConfig *cfg);

/* i-th built-in model's name, NULL past the end; the first is the default. */
const char *audio_codec_builtin_name(size_t i);

#endif
