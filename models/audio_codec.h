/* audio_codec.h - a trained audio codec: a network around a residual quantiser, its configuration and its weights.
 *
 * There are three kinds: SEANet with plain codebooks (our own models, EnCodec) or with projected ones, learned or fixed (FSQ, BSQ), and
 * DAC with projected ones. Whoever codes signals need not know which: audio_codec_encode and audio_codec_decode run any, and the
 * functions about a configuration answer for all. Training knows SEANet only, with any quantiser.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_AUDIO_CODEC_H
#define RESIDUA_AUDIO_CODEC_H

#include "engine/weights/checkpoint.h"
#include "models/dac.h"
#include "models/model_bases.h"
#include "models/projected_rvq.h"
#include "models/rvq.h"
#include "models/seanet.h"

typedef enum AudioNetwork { AUDIO_SEANET, AUDIO_DAC } AudioNetwork;

typedef enum AudioQuantizer { AUDIO_RVQ, AUDIO_PROJECTED, AUDIO_FSQ, AUDIO_BSQ } AudioQuantizer; /* from the second on as ProjectedCodes */

/* What a model is loaded for. */
typedef enum AudioCodecUse {
    AUDIO_USE_ALL,    /* everything: it may be saved, too */
    AUDIO_USE_RUN,    /* weights of large networks, DAC, are kept in the order that kernels read, and nowhere else */
    AUDIO_USE_ENCODE, /* and those of the decoder are not read at all */
    AUDIO_USE_DECODE
} AudioCodecUse;

typedef struct AudioCodecConfig {
    char name[MODEL_NAME_SIZE]; /* "speech16" */
    int rate_hz;
    AudioNetwork network;
    int quantizer;       /* AudioQuantizer, of AUDIO_SEANET; DAC's is projected, whatever stands here */
    SeanetConfig seanet; /* AUDIO_SEANET */
    RvqConfig rvq;       /* AUDIO_RVQ */
    DacConfig dac;       /* AUDIO_DAC */
    ProjectedRvqConfig projected_rvq; /* all others; its codes are what quantizer says */
    bool normalize;         /* each segment is scaled to unit RMS (audio.md 1.5) */
    double segment_seconds; /* 0: no segments, the whole signal at once */
    double segment_overlap; /* share of a segment that the next one covers, too */
} AudioCodecConfig;

typedef struct AudioCodec {
    AudioCodecConfig config;
    ParamSet *params; /* owns all weights and codebooks */
    Seanet *net; /* of AUDIO_SEANET, else NULL */
    Dac *dac;    /* of AUDIO_DAC, else NULL */
    Rvq *rvq;    /* one of the two, the other is NULL */
    ProjectedRvq *projected_rvq;
    uint8_t hash[MODEL_HASH_SIZE]; /* first bytes of SHA-256 of the model file; zeros for a model not loaded from one */
    ModelBases bases; /* models with the same encoder and codes */
    bool is_foreign;  /* EnCodec or DAC as published, or a file made of one: their tools take the nearest code of each stage */
} AudioCodec;

/* The configuration of speech16: 16 kHz mono, causal, zero padding, weight norm, C0 16, ratios 8,5,4,2, no LSTM, true
 * skip, D 64, 12 codebooks of 10 bits at 50 Hz. */
void audio_codec_default_config(AudioCodecConfig *cfg);
/* Every field in its range and the parts fitting together; allocates nothing. Errors: RSD_ERR_ARG naming the field. */
RsdStatus audio_codec_check_config(const AudioCodecConfig *cfg, RsdError *err);

/* Random weights. Errors: RSD_ERR_ARG (names the field and its range), RSD_ERR_MEMORY. */
RsdStatus audio_codec_create(AudioCodec **out, const AudioCodecConfig *cfg, uint64_t seed, RsdError *err);
/* From a model file, safetensors whose metadata hold "residua.kind" = "audio-codec" and one key per configuration field
 * (docs/model-file.md), or from published weights of EnCodec (models/encodec.h)
 * or DAC (models/dac_import.h) with the config.json beside it, if there is
 * one. Frozen for inference; cannot be trained. The file is not needed afterwards. Errors: those of
 * checkpoint_open; RSD_ERR_CORRUPT (damaged, or its configuration is impossible or asks for more than it holds),
 * RSD_ERR_UNSUPPORTED (not a model, or of a newer kind), RSD_ERR_NUMERIC. */
RsdStatus audio_codec_load(AudioCodec **out, const char *path, RsdError *err);
/* The same with the configuration named; NULL: as above. */
RsdStatus audio_codec_load_with_config(AudioCodec **out, const char *path, const char *config_path, RsdError *err);
/* The same for one use: a model that may not be saved, and may be a quarter as large. */
RsdStatus audio_codec_load_for(AudioCodec **out, const char *path, AudioCodecUse use, RsdError *err);
/* SHA-256 that a checkpoint's numbers go by: of the file that it was made of with all of them as they were, by these notes (the first
 * counts), else its own. A model's hash is its beginning. Errors: those of checkpoint_hash. */
#define AUDIO_CODEC_COPY_NOTE "copy_of_sha256"
#define AUDIO_CODEC_ORIGIN_NOTE "origin_sha256" /* of a published file; also where the numbers are no longer the same */
RsdStatus audio_codec_digest(uint8_t digest[32], const Checkpoint *file, RsdError *err);
/* The hash of such a file, as a model that is loaded from it has it, when it is one of ours. Errors: those of checkpoint_open. */
RsdStatus audio_codec_hash_file(uint8_t hash[MODEL_HASH_SIZE], const char *path, RsdError *err);
/* Whether a stream that names its model by this hash holds codes of this one: its own hash, or that of a base. */
bool audio_codec_knows_hash(const AudioCodec *codec, const uint8_t hash[MODEL_HASH_SIZE]);
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

bool audio_codec_is_projected(const AudioCodecConfig *cfg);
int audio_codec_channels(const AudioCodecConfig *cfg);
int audio_codec_hop(const AudioCodecConfig *cfg); /* samples of a frame */
int audio_codec_stages(const AudioCodecConfig *cfg);
int audio_codec_stride(const AudioCodecConfig *cfg, int stage); /* frames that a code of the stage stands for */
int audio_codec_max_paths(const AudioCodecConfig *cfg); /* of a search for codes (rvq_paths.h); 1: stage by stage alone */
int audio_codec_codebook_size(const AudioCodecConfig *cfg);
int audio_codec_latent_dim(const AudioCodecConfig *cfg);
int64_t audio_codec_count_parameters(const AudioCodecConfig *cfg);
/* Whether it runs on chunks of a signal, and how much later its output then comes: 0 for a causal network. */
bool audio_codec_can_stream(const AudioCodecConfig *cfg);
int64_t audio_codec_encoder_lag(const AudioCodecConfig *cfg); /* frames */
int64_t audio_codec_decoder_lag(const AudioCodecConfig *cfg); /* samples */

/* Lays the weights out for inference; again after they have changed. Then many tapes may run at once. */
RsdStatus audio_codec_freeze(AudioCodec *codec, RsdError *err);

/* x [batch, channels, n], n a multiple of the hop -> codes [batch, n_q, n / hop]. With tape->stream codes come encoder_lag
 * frames later, and stream_place tells where in the signal, in samples, the chunk stands. x is used up. n_paths of a search for the
 * codes: 1 (stage by stage) .. audio_codec_max_paths.
 * Errors: RSD_ERR_ARG, RSD_ERR_UNSUPPORTED (cannot stream), RSD_ERR_MEMORY. */
RsdStatus audio_codec_encode(Tape *tape, AudioCodec *codec, Tensor *x, int n_q, int n_paths, uint16_t *codes, RsdError *err);
/* codes [batch, n_q, frames] -> z [batch, latent_dim, frames]. Errors: RSD_ERR_ARG, RSD_ERR_CORRUPT (a code out of range),
 * RSD_ERR_MEMORY. */
RsdStatus audio_codec_latents(Tape *tape, AudioCodec *codec, const uint16_t *codes, int64_t batch, int n_q, int64_t frames,
                              Tensor **z, RsdError *err);
/* z -> y [batch, channels, n], n = frames * hop, on whole signals less what odd rates of DAC lose. With tape->stream samples
 * come decoder_lag later, and stream_place tells where, in frames, the chunk stands. z is used up. Errors: as encode. */
RsdStatus audio_codec_decode(Tape *tape, AudioCodec *codec, Tensor *z, Tensor **y, RsdError *err);

/* ---- training the quantiser, whichever it is ---- */

/* Whether there are codes: projected ones are there from the start. */
bool audio_codec_has_codes(const AudioCodec *codec);
/* The codes have changed: an optimiser has moved them, or they were read. */
void audio_codec_refresh_codes(AudioCodec *codec);
void audio_codec_set_code_training(AudioCodec *codec, const CodeTraining *training, Group *group);
/* rvq_train or projected_rvq_train; *commitment is the latter's distance. */
RsdStatus audio_codec_quantize(Tape *tape, AudioCodec *codec, Tensor *z, int n_q, uint64_t seed, uint64_t step, bool frozen,
                               Tensor **zq, Tensor **commitment, RvqStats *stats, RsdError *err);
/* z -> codes [batch, n_q, frames]; audio_codec_latents is the way back. */
RsdStatus audio_codec_find_codes(Tape *tape, AudioCodec *codec, Tensor *z, int n_q, int n_paths, uint16_t *codes, RsdError *err);

/* Bits per second of n_q stages; the largest n_q whose rate does not exceed bitrate_bps (at least 1). Rates may exceed what is asked
 * for by the tolerance: 3 times 33.3 kbit/s is "100k". */
#define AUDIO_RATE_TOLERANCE_BPS 0.5
double audio_codec_bitrate_bps(const AudioCodecConfig *cfg, int n_q);
int audio_codec_stages_for(const AudioCodecConfig *cfg, double bitrate_bps);
/* Samples of a segment, 0 without segments; samples from one segment to the next. */
int audio_codec_segment_samples(const AudioCodecConfig *cfg);
int audio_codec_segment_stride(const AudioCodecConfig *cfg);

/* i-th built-in model's name, NULL past the end; the first is the default. */
const char *audio_codec_builtin_name(size_t i);

#endif
