/* dac.h - the convolutional encoder and decoder of DAC: Snake activations, wide residual units, strided convolutions.
 *
 * The layers look ahead, yet run on a stream: each delays its signal by what it looks ahead, and what lies beyond the ends
 * of the signal is kept at zero in every layer (audio.md 2.10). Chunked equals whole bit for bit; the output comes
 * dac_encoder_lag frames or dac_decoder_lag samples later.
 *
 * Names of the parameters (docs/model-file.md):
 *   {encoder,decoder}.{in,out}                                a convolution
 *   {encoder,decoder}.snake                                   before out
 *   {encoder,decoder}.stages.I.{snake,down,up}
 *   {encoder,decoder}.stages.I.units.J.{snake1,conv,snake2,pointwise}
 *
 * [1] Kumar et al., High-Fidelity Audio Compression with Improved RVQGAN, 2023 (audio.md 2.1-2.2, 2.10).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_DAC_H
#define RESIDUA_DAC_H

#include "engine/tape.h"
#include "models/params.h"

#define DAC_MAX_STAGES 8
#define DAC_UNITS 3 /* per stage, of dilation 1, 3, 9 */

typedef struct DacConfig {
    int encoder_dim;                   /* channels after the first convolution, doubled by each stage: 64 */
    int n_encoder_rates;
    int encoder_rates[DAC_MAX_STAGES]; /* 2, 4, 8, 8; hop = product */
    int latent_dim;                    /* 1024 */
    int decoder_dim;                   /* channels before the first stage, halved by each: 1536 */
    int n_decoder_rates;
    int decoder_rates[DAC_MAX_STAGES]; /* 8, 8, 4, 2; the same product */
} DacConfig;

typedef struct Dac Dac; /* an encoder and a decoder of one channel; weights live in a ParamSet */

/* Every field in its range, and the network not larger than DAC_MAX_PARAMETERS. Allocates nothing.
 * Errors: RSD_ERR_ARG naming the field, its value and its range. */
#define DAC_MAX_PARAMETERS ((int64_t)1 << 28)
RsdStatus dac_check_config(const DacConfig *cfg, RsdError *err);

/* Registers the parameters, plain weights without weight norm, and draws their first values in a set for training. cfg is
 * copied, params must outlive the network. Errors: RSD_ERR_ARG, RSD_ERR_MEMORY. */
RsdStatus dac_create(Dac **out, const DacConfig *cfg, ParamSet *params, uint64_t seed, RsdError *err);
void dac_destroy(Dac **dac);
/* Inference: lays the weights out for the kernels; call after they are loaded. Afterwards the network may run on many tapes
 * at once. */
RsdStatus dac_freeze(Dac *dac, RsdError *err);
/* One of its passing weights (params.h): laid out at once, in memory, or, from 32 MiB on unless it is halves, in a temporary file
 * (scratch_file.h) if there is room. Errors of running are then also RSD_ERR_IO. */
RsdStatus dac_take(Dac *dac, Tensor *weight, RsdError *err);

/* What lies beyond the ends of a layer's input. */
typedef enum DacPadding {
    DAC_PAD_ZERO, /* zeros: frames cover the whole signal */
    DAC_PAD_NONE  /* nothing, and the output is shorter: for windows of a longer signal (.dac files) */
} DacPadding;

/* x [batch, 1, n] -> z [batch, latent_dim, frames], frames = n / hop where n is a multiple of the hop and DAC_PAD_ZERO.
 * With tape->stream: n must be a multiple of the hop, stream_place tells where the chunk stands in the
 * signal in samples, and z has the frames up to dac_encoder_lag before the chunk's end; frames before the first are zero.
 * Errors: RSD_ERR_ARG (shape), RSD_ERR_MEMORY. */
RsdStatus dac_encode(Tape *tape, Dac *dac, Tensor *x, DacPadding padding, Tensor **z, RsdError *err);
/* z [batch, latent_dim, frames] -> y [batch, 1, n], n = frames hop minus one sample for each odd rate, as if the
 * later rates multiplied it (audio.md 2.2): dac_decoded_len. With tape->stream: any number of frames, stream_place tells where
 * in frames; frames of z beyond the signal are taken as zero; y has frames * hop samples, dac_decoder_lag late, and those
 * beyond the signal are zero. z is used up. Errors: as dac_encode. */
RsdStatus dac_decode(Tape *tape, Dac *dac, Tensor *z, DacPadding padding, Tensor **y, RsdError *err);

/* For looking inside, whole signals only: n_steps steps of a direction from step `first` on. The steps are the first
 * convolution, then three units, Snake and resampling for each stage (in the decoder: Snake, resampling, three units), Snake,
 * convolution, and the decoder's tanh. x is used up. Errors: RSD_ERR_ARG, RSD_ERR_MEMORY. */
RsdStatus dac_run_steps(Tape *tape, const Dac *dac, bool decoder, int first, int n_steps, Tensor *x, Tensor **y, RsdError *err);

int dac_hop(const DacConfig *cfg);
int64_t dac_encoder_lag(const DacConfig *cfg); /* frames */
int64_t dac_decoder_lag(const DacConfig *cfg, DacPadding padding); /* samples */
/* Frames of n samples and samples of n frames; 0 where the network needs more input. */
int64_t dac_encoded_len(const DacConfig *cfg, int64_t n_samples, DacPadding padding);
int64_t dac_decoded_len(const DacConfig *cfg, int64_t n_frames, DacPadding padding);
/* Samples that the whole network looks back and ahead from one place: the zeros put before a signal that is coded in
 * windows without padding. 7904 at the default rates. */
int64_t dac_reach(const DacConfig *cfg);

int64_t dac_count_parameters(const DacConfig *cfg);
/* Multiply-accumulates per second of signal at rate_hz, of one direction. */
double dac_macs_per_second(const DacConfig *cfg, int rate_hz, bool decoder);

#endif
