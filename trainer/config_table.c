/* config_table.c - the table, and one value to and from text.
 *
 * SPDX-License-Identifier: MIT
 */
#include "trainer/config_table.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "models/rvq_paths.h"

#define AT(field) offsetof(TrainConfig, field)

#define NUMBER(section, name, type, unit, low, high, standard, field, help)                                            \
    {                                                                                                                  \
        section, name, KEY_##type, UNIT_##unit, low, high, standard, AT(field), help, {0}, 0, 0                        \
    }
#define FLAG(section, name, standard, field, help)                                                                     \
    {                                                                                                                  \
        section, name, KEY_BOOL, UNIT_NONE, 0, 1, standard, AT(field), help, {0}, 0, 0                                 \
    }
#define WORD(section, name, standard, field, help)                                                                     \
    {                                                                                                                  \
        section, name, KEY_NAME, UNIT_NONE, 0, 0, standard, AT(field), help, {0}, 0, 0                                 \
    }
#define CHOICE(section, name, standard, field, help, ...)                                                              \
    {                                                                                                                  \
        section, name, KEY_CHOICE, UNIT_NONE, 0, 0, standard, AT(field), help, {__VA_ARGS__}, 0, 0                     \
    }
#define LIST(section, name, unit, low, high, standard, field, count_field, max_count, help)                            \
    {                                                                                                                  \
        section, name, KEY_INTS, UNIT_##unit, low, high, standard, AT(field), help, {0}, AT(count_field), max_count    \
    }

const ConfigKey CONFIG_KEYS[] = {
    WORD("model", "name", "speech16", model.name, "name in the model file"),
    CHOICE("model", "kind", "audio", kind, "what is coded: audio, set up by the rest of this section, or a picture, by [picture]",
           "audio", "picture"),
    NUMBER("model", "rate", INT, HZ, 4000, 192000, "16kHz", model.rate_hz, "sample rate"),
    NUMBER("model", "channels", INT, NONE, 1, 1, "1", model.seanet.channels, "audio channels"),
    NUMBER("model", "base_channels", INT, NONE, 1, 512, "16", model.seanet.base_channels,
           "feature channels at the signal's rate; doubled at each stage"),
    LIST("model", "ratios", NONE, 1, 64, "8,5,4,2", model.seanet.ratios, model.seanet.n_ratios, SEANET_MAX_STAGES,
         "strides in decoder order; their product is the hop"),
    NUMBER("model", "latent_dim", INT, NONE, 1, 4096, "64", model.seanet.latent_dim, "dimension of what is quantised"),
    NUMBER("model", "kernel", INT, NONE, 1, 127, "7", model.seanet.kernel, "width of the first convolution"),
    NUMBER("model", "last_kernel", INT, NONE, 1, 127, "7", model.seanet.last_kernel, "width of the last convolution"),
    NUMBER("model", "residual_kernel", INT, NONE, 1, 127, "3", model.seanet.residual_kernel,
           "width inside residual units"),
    NUMBER("model", "residual_units", INT, NONE, 1, SEANET_MAX_UNITS, "1", model.seanet.n_residual,
           "residual units per stage"),
    NUMBER("model", "dilation_base", INT, NONE, 1, 8, "2", model.seanet.dilation_base,
           "residual unit j has dilation base^j"),
    NUMBER("model", "compress", INT, NONE, 1, 16, "2", model.seanet.compress,
           "residual units have this many times fewer channels inside"),
    NUMBER("model", "lstm_layers", INT, NONE, 0, 8, "0", model.seanet.n_lstm, "LSTM layers in the middle"),
    FLAG("model", "causal", "yes", model.seanet.causal, "no look-ahead: the model can stream"),
    FLAG("model", "true_skip", "yes", model.seanet.true_skip, "residual units add their input as it is"),
    CHOICE("model", "padding", "zero", model.seanet.pad, "what lies beyond the ends", "zero", "reflect"),
    CHOICE("model", "norm", "weight", model.seanet.norm, "normalisation of convolutions", "none", "weight", "group"),
    NUMBER("model", "codebooks", INT, NONE, 1, RVQ_MAX_STAGES, "12", model.rvq.n_q, "quantiser stages"),
    NUMBER("model", "codebook_size", INT, NONE, 2, 65536, "1024", model.rvq.codebook_size,
           "entries per codebook, a power of two; with quantizer = fsq or bsq it follows from levels or code_dim"),
    NUMBER("model", "codebook_decay", FLOAT, NONE, 0, 0.99999, "0.99", model.rvq.ema_decay,
           "decay of the codebooks' moving averages"),
    NUMBER("model", "dead_below", FLOAT, NONE, 0, 1, "0.1", model.rvq.dead_below,
           "an entry used less than this share of its fair part is drawn anew"),

    CHOICE("model", "quantizer", "rvq", model.quantizer,
           "rvq: codes are moving averages of what chose them; projected: learned directions of a few projected numbers (DAC); "
           "fsq: these numbers rounded to `levels`; bsq: their signs",
           "rvq", "projected", "fsq", "bsq"),
    NUMBER("model", "code_dim", INT, NONE, 1, 64, "8", model.projected_rvq.code_dim,
           "numbers in a code of quantizer = projected; bits in one of bsq, 1 to 16"),
    LIST("model", "levels", NONE, 3, 65536, "8,5,5,5", model.projected_rvq.levels, model.projected_rvq.n_levels, LATTICE_MAX_DIM,
         "levels of each number in a code of quantizer = fsq; their product is the number of codes, 65536 at most"),
    LIST("model", "strides", NONE, 1, PROJECTED_RVQ_MAX_STRIDE, "1", model.projected_rvq.strides, model.projected_rvq.n_strides,
         PROJECTED_RVQ_MAX_STRIDES,
         "frames of a code, stage by stage, such as 4,2,1, the last for all further stages; powers of 2 (multi-rate); not with "
         "quantizer = rvq"),

    NUMBER("picture", "latent", INT, NONE, 1, 1024, "192", picture.model.latent, "channels of what is coded, at 1/16 of a side"),
    NUMBER("picture", "hyper", INT, NONE, 1, 1024, "96", picture.model.hyper, "channels of what says how they spread, at 1/64"),
    LIST("picture", "widths", NONE, 1, 1024, "64,112,160", picture.model.widths, picture.n_widths, IMAGE_SCALES,
         "channels at 1/4, 1/8 and 1/16"),
    LIST("picture", "encoder_blocks", NONE, 0, 8, "2,3,3", picture.model.encoder_blocks, picture.n_encoder_blocks, IMAGE_SCALES,
         "blocks there in the encoder"),
    LIST("picture", "decoder_blocks", NONE, 0, 8, "3,3,3", picture.model.decoder_blocks, picture.n_decoder_blocks, IMAGE_SCALES,
         "blocks there in the decoder"),
    NUMBER("picture", "context", INT, NONE, 1, 1024, "128", picture.model.context, "channels of the context"),
    NUMBER("picture", "entropy", INT, NONE, 1, 1024, "384", picture.model.entropy, "channels inside the parameter network"),
    NUMBER("picture", "steps", INT, NONE, 0, 1, "0", picture.model.steps,
           "1: latents are rounded in steps of their own, which a loss for the eye makes larger where a picture is busy"),
    NUMBER("picture", "heads", INT, NONE, 0, 1, "0", picture.model.heads,
           "1: heads that make thumbnails of half and of a quarter of the size on the way of the decoder"),
    CHOICE("picture", "quantizer", "scalar", picture.model.quantizer,
           "scalar: latents are rounded, their likelihood follows from hyper latents; rvq: codes of `latent` numbers in stages; "
           "fsq, bsq: fixed codes",
           "scalar", "rvq", "fsq", "bsq"),
    NUMBER("picture", "codebooks", INT, NONE, 1, IMAGE_MAX_STAGES, "4", picture.model.codebooks, "stages of quantizer = rvq, fsq and bsq"),
    NUMBER("picture", "codebook_size", INT, NONE, 2, IMAGE_MAX_CODES, "256", picture.model.codebook_size,
           "entries per codebook, a power of two; fsq: L^latent, L a power of two from 4 on; bsq: 2^latent"),
    NUMBER("picture", "codebook_decay", FLOAT, NONE, 0, 0.99999, "0.99", picture.model.codebook_decay,
           "decay of the codebooks' moving averages"),
    NUMBER("picture", "dead_below", FLOAT, NONE, 0, 1, "0.1", picture.model.dead_below,
           "an entry used less than this share of its fair part is drawn anew"),
    NUMBER("picture", "commitment", FLOAT, NONE, 0, 100, "0.25", picture.commitment,
           "weight of the squared error between latents and codes, beside that of the pixels it stands for"),
    NUMBER("picture", "crop", INT, NONE, 64, 1024, "128", picture.crop, "side of a crop in pixels, a multiple of 64"),
    NUMBER("picture", "scale_low", FLOAT, NONE, 0.1, 1, "0.5", picture.scale_low,
           "pictures are shrunk by a random factor from here to 1 before a crop is taken"),
    NUMBER("picture", "jpeg_scale", FLOAT, NONE, 0.1, 1, "0.75", picture.jpeg_scale,
           "pictures from lossy files are shrunk by this in addition, which takes away what coding did to them"),
    NUMBER("picture", "gain", FLOAT, NONE, 0, 0.5, "0.1", picture.gain, "channels are multiplied by 1 +- up to this"),
    NUMBER("picture", "synthetic", FLOAT, NONE, 0, 1, "0.05", picture.synthetic,
           "share of crops that are drawn: flat colours, slopes and sharp edges, as on screens"),
    NUMBER("picture", "max_megapixels", INT, NONE, 1, 256, "4", picture.max_megapixels,
           "larger pictures are shrunk when they are read"),
    NUMBER("picture", "valid_side", INT, NONE, 64, 4096, "384", picture.valid_side,
           "validation looks at the middle of its pictures, at most so many pixels wide and high; a multiple of 64"),
    NUMBER("picture", "start_batches", INT, NONE, 0, 1000, "16", picture.start_batches,
           "batches whose principal components the transforms begin as; 0: they begin at random"),
    NUMBER("picture", "level_balance", FLOAT, NONE, 0, 1, "0.5", picture.level_balance,
           "crops of level l count (lambda of level 4 / lambda of l) to this power; with 0 the highest rates dominate"),
    NUMBER("picture", "early_share", FLOAT, NONE, 0, 1, "0.1", picture.early_share,
           "share of the steps with levels 2 to 5 alone, at the start"),
    NUMBER("picture", "soft_start", FLOAT, NONE, 0, 1, "0.6", picture.soft_start,
           "from this share of the steps on the rate is that of softly rounded latents, not of noisy ones; 1: never"),
    NUMBER("picture", "soft_high", FLOAT, NONE, 0.05, 10, "0.3", picture.soft_high, "temperature of soft rounding at first"),
    NUMBER("picture", "soft_low", FLOAT, NONE, 0.05, 10, "0.1", picture.soft_low, "and in the end"),
    NUMBER("picture", "integer_start", FLOAT, NONE, 0, 1, "1", picture.integer_start,
           "from this share of the steps on the prior is rounded as its integer form; 1: never"),

    NUMBER("data", "batch", INT, NONE, 1, 4096, "16", data.batch, "crops per step"),
    NUMBER("data", "segment", DOUBLE, SECONDS, 0.01, 60, "1s", data.segment_s,
           "length of a crop, rounded to whole frames"),
    NUMBER("data", "min_level", FLOAT, DB, -200, 0, "-50dB", data.min_level_db,
           "quieter crops are drawn again, 8 times at most"),
    NUMBER("data", "cache", INT64, BYTES, 0, 0x1p40, "1GiB", data.cache_size,
           "memory for decoded recordings; beyond it files are decoded each time"),
    NUMBER("data", "max_broken", INT, NONE, 0, 1e9, "100", data.max_broken,
           "recordings that may prove broken before the run stops"),
    NUMBER("data", "workers", INT, NONE, 0, 64, "1", data.workers,
           "threads that prepare crops; 0 prepares them between steps"),
    NUMBER("data", "prefetch", INT, NONE, 1, 64, "4", data.prefetch, "batches prepared ahead"),
    NUMBER("data", "valid_every", INT, NONE, 0, 1e6, "50", data.valid_every,
           "every k-th file is held out for validation; 0 holds none out"),
    NUMBER("data", "valid_clips", INT, NONE, 1, 10000, "24", data.valid_clips, "clips or pictures in a validation"),
    NUMBER("data", "valid_clip", DOUBLE, SECONDS, VALID_SHORTEST_S, 60, "3s", data.valid_clip_s, "length of these clips"),
    NUMBER("data", "level_low", FLOAT, DB, -100, 0, "-30dB", data.augment.level_low_db,
           "crops are brought to a random level from here"),
    NUMBER("data", "level_high", FLOAT, DB, -100, 0, "-16dB", data.augment.level_high_db, "to here"),
    NUMBER("data", "max_gain", FLOAT, DB, 0, 100, "24dB", data.augment.max_gain_db,
           "but amplified by no more than this"),
    NUMBER("data", "mix", FLOAT, NONE, 0, 1, "0.2", data.augment.mix_probability,
           "probability that two crops are added"),
    NUMBER("data", "mix_low", FLOAT, DB, -100, 0, "-12dB", data.augment.mix_low_db,
           "level of the second against the first, from here to 0 dB"),
    NUMBER("data", "polarity", FLOAT, NONE, 0, 1, "0.5", data.augment.polarity_probability,
           "probability of a flipped sign"),
    NUMBER("data", "phase", FLOAT, NONE, 0, 1, "0.2", data.augment.phase_probability,
           "probability of random all-pass filters"),
    NUMBER("data", "tilt", FLOAT, DB, 0, 24, "3dB", data.augment.tilt_db, "random treble against bass, up to +- this"),
    NUMBER("data", "dither", FLOAT, DB, -300, 0, "-90dB", data.augment.dither_db,
           "level of added noise; below -140 dB there is none"),

    NUMBER("train", "steps", INT64, NONE, 1, 1e12, "100000", train.steps, "steps in all"),
    NUMBER("train", "seed", INT64, NONE, 0, 0x1p53, "1", train.seed, "of all random choices"),
    CHOICE("train", "stages", "mixed", train.stages,
           "quantiser stages of a step: all, uniform 1..codebooks, those of the rates, or half uniform and half rates",
           "all", "uniform", "rates", "mixed"),
    LIST("train", "rates", BITRATE, 1, 1e9, "1.5k,3k,6k", train.rates_bps, train.n_rates, TRAIN_MAX_RATES,
         "target bitrates: weighted in training, reported in validation"),
    CHOICE("train", "freeze", "nothing", train.frozen,
           "what stays: nothing, the encoder, or encoder and codes (old streams stay valid); of pictures: encoder and prior (the same), "
           "all but the heads, or the prior (one entropy model)",
           "nothing", "encoder", "codes", "trunk", "prior"),
    NUMBER("train", "quantizer_start", INT64, NONE, 0, 1e12, "0", train.quantizer_start,
           "steps before the quantiser joins: until then the decoder gets the latents as they are"),
    NUMBER("train", "kmeans_batches", INT, NONE, 1, 1000, "8", train.kmeans_batches,
           "batches from which the first codebooks are made"),
    NUMBER("train", "codes_follow", FLOAT, NONE, 0, 1, "0", train.codes.follow,
           "in each step all codes go together so far of the way to the mean and spread of the latents: none stays behind; 0 is off"),
    NUMBER("train", "codes_paths", INT, NONE, 1, RVQ_MAX_PATHS, "1", train.codes.paths,
           "choices that the search for codes of sound keeps open from stage to stage, in training and validation; 4 are what `residua encode` keeps"),
    NUMBER("train", "codes_ahead", INT, NONE, 0, 100, "0", train.codes.ahead,
           "updates of the codes before each step, so that the network learns against codes that fit (alternating optimisation)"),
    NUMBER("train", "codes_sync", FLOAT, NONE, 0, 10, "0", train.codes.sync,
           "share of the losses' gradient that moves the codes, too; with model.quantizer = projected"),
    NUMBER("train", "max_bad_steps", INT, NONE, 0, 1000, "3", train.max_bad_steps,
           "steps in a row that may be skipped because a gradient is not finite"),
    NUMBER("train", "spike", FLOAT, NONE, 0, 1e9, "0", train.spike,
           "steps whose gradient's norm is this many times its average are skipped and told; 0 is off"),
    NUMBER("train", "log_every", INT, NONE, 1, 1e6, "20", train.log_every, "steps per line of the log"),
    NUMBER("train", "valid_steps", INT, NONE, 0, 1e9, "1000", train.valid_steps,
           "steps between validations; 0 goes by time alone"),
    NUMBER("train", "valid_period", DOUBLE, SECONDS, 0, 1e7, "0s", train.valid_period_s,
           "time between validations; 0 goes by steps alone"),
    NUMBER("train", "checkpoint_steps", INT, NONE, 0, 1e9, "0", train.checkpoint_steps,
           "steps between checkpoints; 0 goes by time alone"),
    NUMBER("train", "checkpoint_period", DOUBLE, SECONDS, 0, 1e7, "5m", train.checkpoint_period_s,
           "time between checkpoints; 0 goes by steps alone"),
    NUMBER("train", "keep", INT, NONE, 1, 1000, "3", train.keep,
           "latest checkpoints that are kept, beside the best one"),
    NUMBER("train", "time_limit", DOUBLE, SECONDS, 0, 1e8, "0s", train.time_limit_s,
           "saves and ends after this time; 0 is no limit"),
    CHOICE("train", "export", "best", train.exported,
           "model.safetensors is that of the best validation or of the last one", "best", "last"),
    NUMBER("train", "samples", INT, NONE, 0, 64, "2", train.samples,
           "held-out clips that validations write to RUN/samples, to be heard in `residua report`"),
    NUMBER("train", "adapter_rank", INT, NONE, 0, ADAPTER_MAX_RANK, "0", train.adapter_rank,
           "with --init: the model stays as it is, and additions of this rank to its decoder learn (LoRA): adapter.safetensors; 0 is off"),
    CHOICE("train", "memory", "all", train.memory,
           "what is kept for the way back: all, or the inputs of stages, the rest being computed again: less memory, more time, the same "
           "bits; inputs16: these in 16 bits", "all", "inputs", "inputs16"),
    CHOICE("train", "precision", "f32", train.precision,
           "of products in convolutions of one tap: floats, or bfloat16 with sums in float on the way back (bf16_gradients) or both ways, where "
           "the processor has AVX512_BF16", "f32", "bf16_gradients", "bf16"),
    CHOICE("train", "exchange", "all", train.exchange.kind,
           "what processes send each other of a gradient: all of it, the largest numbers, a product of low rank, or bytes; the rest is "
           "sent later", "all", "top", "low_rank", "bytes"),
    NUMBER("train", "exchange_keep", FLOAT, NONE, 0.0001, 0.5, "0.01", train.exchange.keep, "share of a layer that exchange = top sends"),
    NUMBER("train", "exchange_rank", INT, NONE, 1, 16, "2", train.exchange.rank, "rank of what exchange = low_rank sends"),
    FLAG("train", "exchange_adaptive", "no", train.exchange.adaptive,
         "layers share out the bytes of top and low_rank: fewer in all for no more error (L-GreCo)"),
    NUMBER("train", "accumulate", INT, NONE, 1, 4096, "1", train.accumulate,
           "a batch goes through the network in so many parts, whose gradients add up: less memory"),
    FLAG("train", "tensorboard", "yes", train.tensorboard, "a TensorBoard event file is written beside the log"),

    NUMBER("loss", "commitment", FLOAT, NONE, 0, 1e6, "1", loss.commitment,
           "weight of the commitment loss, outside the balancer"),
    CHOICE("loss", "balance", "encodec", loss.balance,
           "how the losses' gradients are combined: see docs/training.md", "fixed", "encodec", "adaptive",
           "uncertainty", "gap", "config"),
    NUMBER("loss", "balance_decay", FLOAT, NONE, 0, 0.99999, "0.999", loss.balance_decay,
           "decay of the balancer's averages"),
    NUMBER("loss", "balance_norm", FLOAT, NONE, 1e-9, 1e9, "1", loss.balance_norm, "norm of the balanced gradient"),
    FLAG("loss", "balance_per_item", "yes", loss.balance_per_item, "the balancer takes norms per crop"),

    CHOICE("optim", "method", "adam", optimizer.kind,
           "adam, adamw (decoupled weight decay), muon (orthogonal steps for matrices, adamw for the rest) or momo (adamw "
           "whose rate the loss itself bounds; with loss.balance = fixed)", "adam", "adamw", "muon", "momo"),
    CHOICE("optim", "weights", "f32", optimizer.weights,
           "what the network computes with: f32, or copies of its weights in 16 bits (bf16, f16), whose float32 masters the optimiser moves "
           "by gradients of 16 bits; f16 scales the loss to keep them in range",
           "f32", "bf16", "f16"),
    NUMBER("optim", "lr", FLOAT, NONE, 0, 10, "0.0005", schedule.lr, "highest learning rate"),
    NUMBER("optim", "lr_final", FLOAT, NONE, 0, 10, "0.0001", schedule.lr_final,
           "learning rate of the last step (cosine, hold)"),
    CHOICE("optim", "schedule", "cosine", schedule.kind, "constant, cosine, or hold and fall over the last decay_steps",
           "constant", "cosine", "hold"),
    NUMBER("optim", "warmup", INT64, NONE, 0, 1e9, "500", schedule.warmup_steps, "steps of linear rise at the start"),
    NUMBER("optim", "decay_steps", INT64, NONE, 0, 1e12, "5000", schedule.decay_steps,
           "steps of the fall with schedule = hold"),
    NUMBER("optim", "beta1", FLOAT, NONE, 0, 0.99999, "0.8", optimizer.beta1, "decay of the mean gradient"),
    NUMBER("optim", "beta2", FLOAT, NONE, 0, 0.99999, "0.99", optimizer.beta2, "decay of the mean squared gradient"),
    NUMBER("optim", "epsilon", FLOAT, NONE, 1e-30, 1, "1e-08", optimizer.epsilon, "keeps the division finite"),
    NUMBER("optim", "weight_decay", FLOAT, NONE, 0, 10, "0", optimizer.weight_decay, "pull of weights towards zero"),
    NUMBER("optim", "muon_scale", FLOAT, NONE, 0, 1e6, "20", optimizer.muon_scale, "learning rate of matrices over lr"),
    NUMBER("optim", "muon_beta", FLOAT, NONE, 0, 0.99999, "0.95", optimizer.muon_beta, "decay of their mean gradient"),
    NUMBER("optim", "clip", FLOAT, NONE, 0, 1e9, "5", optimizer.clip_norm,
           "gradients are scaled down to this norm; 0 is off"),
    NUMBER("optim", "sam", FLOAT, NONE, 0, 100, "0", optimizer.sam_radius,
           "each gradient is taken this far uphill (SAM), which looks for flat minima and doubles the time; 0 is off"),
    NUMBER("optim", "ema", FLOAT, NONE, 0, 0.999999, "0.999", optimizer.ema_decay,
           "decay of the averaged weights, which are validated and exported; 0 is off"),

    LIST("adversary", "periods", NONE, 0, 1000, "0", adversary.critics.periods, adversary.critics.n_periods,
         CRITICS_MAX_SCALES, "critics of the signal folded by these periods, such as 2,3,5,7,11; 0 is none"),
    LIST("adversary", "period_channels", NONE, 1, 4096, "8,16,32,64,64", adversary.critics.period_channels,
         adversary.critics.n_period_layers, CRITICS_MAX_LAYERS, "channels of their layers"),
    NUMBER("adversary", "scales", INT, NONE, 0, CRITICS_MAX_SCALES, "0", adversary.critics.n_scales,
           "critics of the waveform at full rate, half, quarter, ...; 0 is none"),
    NUMBER("adversary", "scale_channels", INT, NONE, 4, 4096, "16", adversary.critics.scale_channels,
           "channels of their first layer; times 4 in each of the next"),
    NUMBER("adversary", "scale_max_channels", INT, NONE, 4, 4096, "64", adversary.critics.scale_max_channels,
           "but no more than this"),
    LIST("adversary", "stft", NONE, 0, 65536, "0", adversary.critics.stft_windows, adversary.critics.n_stft,
         CRITICS_MAX_SCALES, "critics of spectrograms with these windows, such as 1024,512,256; 0 is none"),
    NUMBER("adversary", "stft_channels", INT, NONE, 1, 4096, "8", adversary.critics.stft_channels,
           "channels of their layers"),
    LIST("adversary", "bands", NONE, 0, 65536, "0", adversary.critics.band_windows, adversary.critics.n_bands,
         CRITICS_MAX_SCALES, "the same with frequency bands in layers of their own; 0 is none"),
    NUMBER("adversary", "band_channels", INT, NONE, 1, 4096, "8", adversary.critics.band_channels,
           "channels of their layers"),
    NUMBER("adversary", "patch", INT, NONE, 0, 512, "0", adversary.pictures.patch_channels,
           "channels of the first layer of a critic of patches of pictures (PatchGAN); 0 is none"),
    NUMBER("adversary", "patch_layers", INT, NONE, 1, PATCH_CRITIC_MAX_STRIDED, "3", adversary.pictures.patch_layers,
           "its layers that halve the picture"),
    NUMBER("adversary", "patch_context", INT, NONE, 0, 4096, "12", adversary.pictures.patch_context,
           "channels it makes of the latents, so that it judges whether this picture belongs to them; 0: it does not see them"),
    NUMBER("adversary", "patch_kinds", INT, NONE, 0, 65536, "0", adversary.pictures.patch_kinds,
           "kinds of content that it has to tell apart beside what is generated (MS-ILLM), a power of 2; 0: it says real or generated"),
    LIST("adversary", "r3_widths", NONE, 0, 2048, "0", adversary.pictures.r3_widths, adversary.pictures.n_r3, R3_MAX_STAGES,
         "channels of the stages of R3GAN's critic of pictures, such as 32,64,128; 0 is none"),
    NUMBER("adversary", "r3_blocks", INT, NONE, 1, R3_MAX_BLOCKS, "2", adversary.pictures.r3_blocks, "residual blocks of each stage"),
    NUMBER("adversary", "r3_group", INT, NONE, 1, 2048, "16", adversary.pictures.r3_group,
           "channels of a group of its 3 x 3 layers; divides twice each width"),
    NUMBER("adversary", "slope", FLOAT, NONE, 0, 1, "0.2", adversary.critics.slope, "slope of the leaky ReLUs"),
    FLAG("adversary", "level", "yes", adversary.critics.level,
         "critics see signals without their mean and scaled to the same peak"),
    FLAG("adversary", "per_rate", "no", adversary.per_rate,
         "critics of their own for each of train.rates, of which those of the step's rate take part; of sound"),
    CHOICE("adversary", "loss", "hinge", adversary.form, "how verdicts become losses: see docs/training.md", "hinge",
           "hinge_saturating", "least_squares", "non_saturating", "relativistic"),
    NUMBER("adversary", "weight", FLOAT, NONE, 0, 1e9, "3", adversary.weight,
           "weight of the adversarial loss beside those of [loss]"),
    NUMBER("adversary", "feature", FLOAT, NONE, 0, 1e9, "3", adversary.feature_weight, "weight of feature matching"),
    CHOICE("adversary", "feature_form", "relative", adversary.feature_form,
           "distance of the critics' maps: over the map's size, mean, or sum", "relative", "mean", "sum"),
    NUMBER("adversary", "start", INT64, NONE, 0, 1e12, "0", adversary.start, "steps before the critics join"),
    NUMBER("adversary", "warmup", INT64, NONE, 0, 1e12, "500", adversary.warmup,
           "steps from there in which the critics learn and the codec does not hear them"),
    NUMBER("adversary", "probability", FLOAT, NONE, 0, 1, "1", adversary.probability,
           "that the critics learn in a step after that"),
    NUMBER("adversary", "r1", FLOAT, NONE, 0, 1e9, "0", adversary.r1,
           "penalty on the critics' slope around what is real; 0 is off"),
    NUMBER("adversary", "r2", FLOAT, NONE, 0, 1e9, "0", adversary.r2, "the same around what the codec makes"),
    CHOICE("adversary", "penalty", "noise", adversary.penalty,
           "how the slope is felt: estimated by noise, or exact with r3_widths alone", "noise", "exact"),
    NUMBER("adversary", "penalty_noise", FLOAT, NONE, 1e-6, 1, "0.01", adversary.noise,
           "noise that feels the slope, against the signal's level"),
    NUMBER("adversary", "penalty_every", INT, NONE, 1, 1000, "1", adversary.penalty_every,
           "updates per penalty, which then counts as often"),
    CHOICE("adversary", "method", "adam", adversary.optimizer.kind, "optimiser of the critics, as optim.method", "adam",
           "adamw", "muon"),
    NUMBER("adversary", "lr", FLOAT, NONE, 0, 10, "0.0003", adversary.schedule.lr, "their highest learning rate"),
    NUMBER("adversary", "lr_final", FLOAT, NONE, 0, 10, "0.00005", adversary.schedule.lr_final,
           "their learning rate in the last step (cosine, hold)"),
    CHOICE("adversary", "schedule", "cosine", adversary.schedule.kind,
           "constant, cosine, or hold and fall over the last decay_steps", "constant", "cosine", "hold"),
    NUMBER("adversary", "lr_warmup", INT64, NONE, 0, 1e9, "0", adversary.schedule.warmup_steps,
           "steps of linear rise from `start` on"),
    NUMBER("adversary", "decay_steps", INT64, NONE, 0, 1e12, "5000", adversary.schedule.decay_steps,
           "steps of the fall with schedule = hold"),
    NUMBER("adversary", "beta1", FLOAT, NONE, 0, 0.99999, "0.5", adversary.optimizer.beta1,
           "decay of the mean gradient"),
    NUMBER("adversary", "beta2", FLOAT, NONE, 0, 0.99999, "0.9", adversary.optimizer.beta2,
           "decay of the mean squared gradient"),
    NUMBER("adversary", "epsilon", FLOAT, NONE, 1e-30, 1, "1e-08", adversary.optimizer.epsilon,
           "keeps the division finite"),
    NUMBER("adversary", "weight_decay", FLOAT, NONE, 0, 10, "0", adversary.optimizer.weight_decay,
           "pull of weights towards zero (not with adam)"),
    NUMBER("adversary", "muon_scale", FLOAT, NONE, 0, 1e6, "20", adversary.optimizer.muon_scale,
           "learning rate of matrices over lr"),
    NUMBER("adversary", "muon_beta", FLOAT, NONE, 0, 0.99999, "0.95", adversary.optimizer.muon_beta,
           "decay of their mean gradient"),
    NUMBER("adversary", "clip", FLOAT, NONE, 0, 1e9, "10", adversary.optimizer.clip_norm,
           "their gradients are scaled down to this norm; 0 is off"),
};
_Static_assert(sizeof CONFIG_KEYS / sizeof *CONFIG_KEYS == CONFIG_N_KEYS, "CONFIG_N_KEYS counts the table");

const char *const CONFIG_SECTIONS[CONFIG_N_SECTIONS] = {"model", "picture", "data", "train", "loss", "optim", "adversary"};

const ConfigKey *config_key_find(const char *section, const char *name)
{
    for (size_t i = 0; i < CONFIG_N_KEYS; i++)
        if (!strcmp(CONFIG_KEYS[i].section, section) && !strcmp(CONFIG_KEYS[i].name, name))
            return &CONFIG_KEYS[i];
    return NULL;
}

/* ---- one value ---- */

static RsdStatus parse_bool(bool *out, const char *text, RsdError *err)
{
    static const char *const words[] = {"no", "yes", "false", "true", "off", "on", "0", "1"};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (!strcasecmp(text, words[i])) {
            *out = i % 2 == 1;
            return RSD_OK;
        }
    return error_set(err, RSD_ERR_ARG, "'%.60s' is neither yes nor no", text);
}

RsdStatus config_number_parse(double *out, const char *text, const ConfigKey *key, bool whole, RsdError *err)
{
    char low[QUANTITY_TEXT_SIZE], high[QUANTITY_TEXT_SIZE];
    RsdStatus status = RSD_OK;

    TRY(text_parse_quantity(out, text, key->unit, err));
    CHECK(*out >= key->low && *out <= key->high, err, RSD_ERR_ARG, "%.60s is out of range; %s to %s are possible", text,
          text_print_quantity(low, key->low, key->unit), text_print_quantity(high, key->high, key->unit));
    CHECK(!whole || *out == floor(*out), err, RSD_ERR_ARG, "%.60s is not a whole number", text);
fail:
    return status;
}

static RsdStatus parse_ints(TrainConfig *cfg, const ConfigKey *key, const char *text, RsdError *err)
{
    int values[16], n = 0, *dst = (int *)((char *)cfg + key->at);
    const char *rest = text;
    TextItem item;
    RsdStatus status = RSD_OK;

    while (text_next_item(&item, &rest)) {
        char number[64];
        double value;

        CHECK(n < key->max_count, err, RSD_ERR_ARG, "'%.60s' has more than %d numbers", text, key->max_count);
        CHECK(item.len < sizeof number, err, RSD_ERR_ARG, "'%.60s' is not a list of numbers", text);
        snprintf(number, sizeof number, "%.*s", (int)item.len, item.text);
        TRY(config_number_parse(&value, number, key, true, err));
        values[n++] = (int)value;
    }
    memset(dst, 0, (size_t)key->max_count * sizeof *dst);
    memcpy(dst, values, (size_t)n * sizeof *dst);
    *(int *)((char *)cfg + key->count_at) = n;
fail:
    return status;
}

static RsdStatus parse_choice(int *out, const ConfigKey *key, const char *text, RsdError *err)
{
    char known[128] = "";
    size_t used = 0;

    if (key->at == AT(loss.balance)) /* older configurations say whether, not how */
        text = !strcasecmp(text, "yes") ? "encodec" : !strcasecmp(text, "no") ? "fixed" : text;

    for (int i = 0; i < CONFIG_MAX_CHOICES && key->choices[i]; i++) {
        if (!strcasecmp(text, key->choices[i])) {
            *out = i;
            return RSD_OK;
        }
        used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", i ? ", " : "", key->choices[i]);
    }
    return error_set(err, RSD_ERR_ARG, "'%.60s' is not one of %s", text, known);
}

static RsdStatus parse_name(char *out, const char *text, RsdError *err)
{
    size_t len = strlen(text);

    if (!len || len >= MODEL_NAME_SIZE ||
        strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") != len)
        return error_set(err, RSD_ERR_ARG, "'%.60s' is not a name of 1 to %d letters, digits, - and _", text,
                         MODEL_NAME_SIZE - 1);
    memset(out, 0, MODEL_NAME_SIZE);
    memcpy(out, text, len);
    return RSD_OK;
}

RsdStatus config_value_parse(TrainConfig *cfg, const ConfigKey *key, const char *text, RsdError *err)
{
    void *dst = (char *)cfg + key->at;
    double value = 0.0;
    RsdStatus status = RSD_OK;

    switch (key->type) {
    case KEY_INT:
        TRY(config_number_parse(&value, text, key, true, err));
        *(int *)dst = (int)value;
        break;
    case KEY_INT64:
        TRY(config_number_parse(&value, text, key, true, err));
        *(int64_t *)dst = (int64_t)value;
        break;
    case KEY_FLOAT:
        TRY(config_number_parse(&value, text, key, false, err));
        *(float *)dst = (float)value;
        break;
    case KEY_DOUBLE:
        TRY(config_number_parse(&value, text, key, false, err));
        *(double *)dst = value;
        break;
    case KEY_BOOL:
        return parse_bool(dst, text, err);
    case KEY_NAME:
        return parse_name(dst, text, err);
    case KEY_CHOICE:
        return parse_choice(dst, key, text, err);
    case KEY_INTS:
        return parse_ints(cfg, key, text, err);
    }
fail:
    return status;
}

/* Shortest decimal that reads back as the same float. */
void config_float_print(char *text, float value, Unit unit)
{
    for (int digits = 1; digits <= 9; digits++) {
        char attempt[32];

        snprintf(attempt, sizeof attempt, "%.*g", digits, (double)value);
        if (strtof(attempt, NULL) == value) {
            text_print_quantity(text, strtod(attempt, NULL), unit);
            return;
        }
    }
    text_print_quantity(text, (double)value, unit);
}

void config_value_print(char text[CONFIG_VALUE_SIZE], const TrainConfig *cfg, const ConfigKey *key)
{
    const void *src = (const char *)cfg + key->at;
    size_t used = 0;

    switch (key->type) {
    case KEY_INT:
        text_print_quantity(text, *(const int *)src, key->unit);
        break;
    case KEY_INT64:
        text_print_quantity(text, (double)*(const int64_t *)src, key->unit);
        break;
    case KEY_FLOAT:
        config_float_print(text, *(const float *)src, key->unit);
        break;
    case KEY_DOUBLE:
        text_print_quantity(text, *(const double *)src, key->unit);
        break;
    case KEY_BOOL:
        strcpy(text, *(const bool *)src ? "yes" : "no");
        break;
    case KEY_NAME:
        snprintf(text, CONFIG_VALUE_SIZE, "%s", (const char *)src);
        break;
    case KEY_CHOICE:
        strcpy(text, key->choices[*(const int *)src]);
        break;
    case KEY_INTS:
        for (int i = 0; i < *(const int *)((const char *)cfg + key->count_at); i++) {
            char item[QUANTITY_TEXT_SIZE];

            text_print_quantity(item, ((const int *)src)[i], key->unit);
            used += (size_t)snprintf(text + used, CONFIG_VALUE_SIZE - used, "%s%s", used ? "," : "", item);
        }
        break;
    }
}
