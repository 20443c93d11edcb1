/* image_net.h - the layers of a picture codec as lists, and walks over them.
 *
 * Private to the image_*.c of this folder. Names of the weights (suffixes: models/conv2d_layer.h; scale 0 is /4):
 *
 *   encoder.scales.I.{down, blocks.J.taps, blocks.J.in, blocks.J.out}   encoder.out
 *   decoder.in   decoder.scales.I.{up, blocks.J.*}       up of scale 0 makes the picture
 *   hyper.in   hyper.stages.I.{taps, down}
 *   with IMAGE_SCALAR: hyper.*, gain.* and
 *   prior.{up1, block.taps, block.in, block.out, up2, smooth, psi, context_in, context, join, mix, out}
 *   heads.I       of the features at scale I; only with config.heads
 *   gain.log, gain.log_inverse [IMAGE_LEVELS, M]   prior.level_bias [IMAGE_LEVELS, M]   prior.z [H, FACTORISED_WEIGHTS]
 *   steps.local, steps.levels [IMAGE_LEVELS, M]   only with config.steps
 *   with IMAGE_RVQ: prior.I.{in, context, mix1, mix2, out} of stage I; rvq.I.* of models/rvq.h
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_IMAGE_NET_H
#define RESIDUA_IMAGE_NET_H

#include "models/conv2d_layer.h"
#include "models/image_codec.h"

#define IMAGE_MAX_BLOCKS 8
#define IMAGE_HYPER_STAGES 2

/* x + out(hs(in(taps(x)))) */
typedef struct ImageBlock {
    Conv2dLayer taps, in, out;
} ImageBlock;

typedef struct ImageScale {
    Conv2dLayer resample; /* encoder: into this scale; decoder: out of it, to the next finer one or to the picture */
    ImageBlock blocks[IMAGE_MAX_BLOCKS];
    int n_blocks;
} ImageScale;

struct ImageNet {
    ImageScale encoder[IMAGE_SCALES], decoder[IMAGE_SCALES]; /* scale 0 is /4 */
    Conv2dLayer encoder_out, decoder_in;
    Conv2dLayer heads[IMAGE_HEADS];
    int n_heads; /* 0 or IMAGE_HEADS */
    Conv2dLayer hyper_in, hyper_taps[IMAGE_HYPER_STAGES], hyper_down[IMAGE_HYPER_STAGES];
    Conv2dLayer prior[PRIOR_N_LAYERS];
    Conv2dLayer stages[IMAGE_MAX_STAGES][STAGE_N_LAYERS];
    Tensor *embed[IMAGE_MAX_STAGES]; /* the codes, [K, D], owned by the ParamSet */
    int n_stages;                    /* 0: IMAGE_SCALAR, which has the hyper encoder, the prior and the tables */
    Conv2dLayer steps_local; /* c_out 0: without; with it steps_levels [IMAGE_LEVELS, M], owned by the ParamSet (models/image_steps.h) */
    Tensor *steps_levels;
    Tensor *log_gain, *log_inverse_gain, *level_bias, *z_weights; /* owned by the ParamSet */
    RsdThreads *threads;
    Tape *frozen; /* its arena holds weights laid out for kernels; NULL until image_net_freeze */
};

/* Sizes and names of all layers; no memory. */
void image_net_describe(ImageNet *net, const ImageCodecConfig *cfg);
RsdStatus image_net_create(ImageNet **out, const ImageCodecConfig *cfg, ParamSet *params, uint64_t seed, RsdError *err);
void image_net_destroy(ImageNet **net);
RsdStatus image_net_freeze(ImageNet *net, RsdError *err);
/* A weight that has just been read goes to where image_net_freeze would copy it, and nowhere else. A net that takes is not frozen. */
RsdStatus image_net_take(ImageNet *net, Tensor *weight, RsdError *err);

/* "prior.2.mix1" */
void image_net_stage_name(char name[LAYER_NAME_SIZE], int stage, StageLayer layer);
/* The parameters of a codec whose config and params are set: image_codec.c. */
RsdStatus image_codec_add_params(ImageCodec *codec, uint64_t seed, RsdError *err);

int64_t image_net_count(const ImageCodecConfig *cfg);
ImageCodecMacs image_net_macs(const ImageCodecConfig *cfg);

extern const char *const PRIOR_LAYER_NAMES[PRIOR_N_LAYERS];
bool image_prior_layer_has_relu(PriorLayer layer);

/* Rows of a table [IMAGE_LEVELS, M] at the levels of a batch, interpolated: [batch, M]. Errors: RSD_ERR_ARG. */
RsdStatus image_net_at_levels(Tape *tape, Tensor *table, const int *level, int64_t batch, Tensor **rows, RsdError *err);

#endif
