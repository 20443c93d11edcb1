/* config.h - a training run's settings: an INI file checked against one table of known keys.
 *
 * Every key has a section, a type, a unit, a range, a default and a sentence of help; parsing, `--set`, error messages
 * and the printed effective configuration are all made from that table. This is the one place that sees inih.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_TRAINER_CONFIG_H
#define RESIDUA_TRAINER_CONFIG_H

#include "losses/balancer.h"
#include "models/adapter.h"
#include "models/audio_codec.h"
#include "models/image_codec.h"
#include "trainer/adversary.h"
#include "trainer/dataset.h"
#include "trainer/exchange.h"
#include "trainer/optimizer.h"
#include "trainer/schedule.h"

#define TRAIN_MAX_RATES 8

/* How many quantiser stages a step uses. */
typedef enum StageChoice {
    STAGES_ALL,     /* always all */
    STAGES_UNIFORM, /* 1 .. n_q, each as likely */
    STAGES_RATES,   /* those of one of the target rates, each as likely */
    STAGES_MIXED    /* a coin decides between the two */
} StageChoice;

/* What a run leaves as it is. With the encoder frozen, old streams stay valid as long as the codebooks stay, too; of pictures it is the
 * encoder with all that says what is coded: gains, hyper encoder and prior. The last two are for pictures: only the heads for small ones
 * are trained; or all but the prior, which makes codecs with one entropy model. */
typedef enum FrozenPart {
    FROZEN_NOTHING,
    FROZEN_ENCODER,
    FROZEN_ENCODER_AND_CODES,
    FROZEN_ALL_BUT_HEADS,
    FROZEN_PRIOR
} FrozenPart;

/* Which weights become RUN/model.safetensors. */
typedef enum ExportChoice {
    EXPORT_BEST, /* those of the best validation */
    EXPORT_LAST  /* those of the last one: adversarial training gains what the mel distance does not see */
} ExportChoice;

typedef struct TrainRunConfig {
    int64_t steps, seed;
    int stages; /* StageChoice */
    int frozen; /* FrozenPart */
    int n_rates, rates_bps[TRAIN_MAX_RATES];
    int64_t quantizer_start; /* first step with the quantiser; its codebooks are made then */
    CodeTraining codes;      /* remedies against codebooks that collapse */
    int kmeans_batches;      /* batches behind the first codebooks */
    int max_bad_steps;       /* steps in a row that may be skipped for a gradient that is not finite */
    float spike;             /* a norm this many times its average is skipped; 0: never */
    int log_every;           /* steps between two lines of the log */
    int valid_steps;         /* steps between two validations; 0: only by time */
    double valid_period_s;   /* time between two validations; 0: only by steps */
    int checkpoint_steps;
    double checkpoint_period_s;
    int keep;            /* latest checkpoints that stay on disk */
    double time_limit_s; /* 0: none */
    int exported;        /* ExportChoice */
    int samples;         /* held-out clips written as sound at each validation */
    bool tensorboard;    /* an event file beside the log */
    int adapter_rank;    /* above 0 the model stays as it is, and additions of this rank to its decoder learn */
    int memory;          /* ChainPolicy of the network's tape */
    int precision;       /* its TapePrecision */
    ExchangeConfig exchange; /* between processes */
    int accumulate;      /* parts of a batch that go through the network one after the other */
} TrainRunConfig;

typedef struct LossConfig {
    int n_losses;
    char names[BALANCER_MAX_LOSSES][32]; /* of losses/audio_loss.h or, for pictures, losses/image_loss.h */
    float weights[BALANCER_MAX_LOSSES];  /* > 0 */
    float commitment;
    int balance; /* BalanceKind */
    float balance_decay, balance_norm;
    bool balance_per_item;
} LossConfig;

/* What a run trains. */
typedef enum TrainKind { TRAIN_AUDIO, TRAIN_PICTURE } TrainKind;

/* A picture codec and how it is trained, [picture]. Shares are of train.steps. */
typedef struct PictureConfig {
    ImageCodecConfig model;               /* its name is that of [model] */
    int n_widths, n_encoder_blocks, n_decoder_blocks; /* numbers given, each must be IMAGE_SCALES */
    int crop;                             /* pixels of a side, a multiple of 64 */
    float scale_low, jpeg_scale;          /* crops come from pictures shrunk by scale_low .. 1; those of JPEG by jpeg_scale more */
    float gain;                           /* channels times 1 +- this */
    float synthetic;                      /* share of crops that are drawn: flat colours, slopes, edges */
    int max_megapixels;                   /* larger pictures are shrunk when they are read */
    int valid_side;                       /* longest side of what is validated, a multiple of 64 */
    int start_batches;                    /* whose principal components the transforms begin as; 0: random */
    float commitment;                     /* IMAGE_RVQ: weight of what the latents lose to their codes */
    float level_balance;                  /* crops of level l count (lambda_64 / lambda_l)^level_balance */
    float early_share;                    /* levels 32 .. 80 alone until then */
    float soft_start, integer_start;      /* soft rounding, and the integer form of the prior, from then on */
    float soft_high, soft_low;            /* temperature of soft rounding at its start and at the end */
} PictureConfig;

typedef struct TrainConfig {
    int kind; /* TrainKind */
    AudioCodecConfig model;
    PictureConfig picture;
    DataConfig data;
    TrainRunConfig train;
    LossConfig loss;
    OptimizerConfig optimizer;
    ScheduleConfig schedule;
    AdversaryConfig adversary;
} TrainConfig;

/* Every key at its default; no loss is switched on. */
void train_config_init(TrainConfig *cfg);
/* Applies a file, or a text called `name` in messages, to cfg. A message names file, line, key, what was found and what
 * is possible; an unknown key comes with the nearest known one. Errors: RSD_ERR_ARG, RSD_ERR_IO, RSD_ERR_MEMORY. */
RsdStatus train_config_load(TrainConfig *cfg, const char *path, RsdError *err);
RsdStatus train_config_parse(TrainConfig *cfg, const char *text, const char *name, RsdError *err);
/* "section.key=value", from --set. */
RsdStatus train_config_set(TrainConfig *cfg, const char *assignment, RsdError *err);
/* Rules between keys; call when everything is set. Errors: RSD_ERR_ARG. */
RsdStatus train_config_check(const TrainConfig *cfg, RsdError *err);

/* The whole effective configuration as INI text that train_config_parse reads back to the same values; with_help puts
 * each key's explanation before it. *text is the caller's (mem_free). Errors: RSD_ERR_MEMORY. */
RsdStatus train_config_print(char **text, const TrainConfig *cfg, bool with_help, RsdError *err);

/* First key of a section whose value differs between a and b, as "section.key"; NULL when the section is the same. Keys that say nothing
 * about what a trains, which a written configuration does not have, do not count. */
const char *train_config_difference(const TrainConfig *a, const TrainConfig *b, const char *section, char key[64]);

/* The terms that are combined for the generator: the losses of [loss] (of pictures without any: the squared error), then the
 * adversary's when it is on. */
int train_config_n_losses(const TrainConfig *cfg);
int train_config_n_terms(const TrainConfig *cfg);
const char *train_config_term_name(const TrainConfig *cfg, int i);

float train_config_term_weight(const TrainConfig *cfg, int i);
/* How they are combined: of pictures without an adversary they add up, since the bits stand beside them. */
BalanceKind train_config_balance(const TrainConfig *cfg);

int64_t train_config_segment_len(const TrainConfig *cfg); /* samples, a multiple of the hop and of the longest code */

#endif
