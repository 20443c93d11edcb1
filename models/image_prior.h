/* image_prior.h - the float form of a picture codec's prior, for training and for encoders that follow gradients, and the
 * integer form made of it.
 *
 * The float form is image_codec.h's table with real numbers. `as_integer` rounds weights, activations and indices exactly as the
 * integer form does, straight-through, so that training sees what the coder will have: what then differs is the order of float
 * sums, which moves an activation by 1/64 where a sum falls on the edge of two.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_IMAGE_PRIOR_H
#define RESIDUA_IMAGE_PRIOR_H

#include "engine/kernels/latent.h"
#include "models/image_codec.h"

#define PRIOR_UNIT INTEGER_UNIT /* activations count 1 / PRIOR_UNIT */
#define PRIOR_LIMIT INTEGER_LIMIT
#define PRIOR_INDEX_MAX 63
/* The scale of index i: 0.11 (20 / 0.11)^(i / 63) [image.md 10.2]. */
#define PRIOR_LOG_SCALE_FIRST -2.2072749131897207 /* ln 0.11 */
#define PRIOR_LOG_SCALE_STEP 0.0825874156625986   /* ln(20 / 0.11) / 63 */
#define PRIOR_FLOOR 1e-9f                           /* least probability in estimates */

/* How latents become numbers of the grid in an estimate. */
typedef enum LatentRounding {
    ROUND_NOISE,  /* bits of y + u, u uniform; synthesis and context get rounded ones, straight-through */
    ROUND_SOFT,   /* bits of soft-rounded ones */
    ROUND_COINCIDE, /* bits of the rounded ones themselves, 0 where the index is 0: what a coder does */
    /* For encoders that search: all get the same relaxed ones, 0 where the index is 0, z too. */
    ROUND_ALL_SOFT,  /* softly rounded */
    ROUND_STOCHASTIC /* drawn by a Gumbel softmax */
} LatentRounding;

typedef struct PriorOptions {
    bool as_integer;
    bool is_integer; /* with as_integer: the weights are those of the integer form already: of a model from a file */
    bool by_context; /* gradients of a latent's bits go to its mean and scale alone, not to the latent itself */
    LatentRounding rounding;
    float temperature;   /* of soft and of stochastic rounding */
    uint64_t seed, step; /* ROUND_NOISE, ROUND_STOCHASTIC */
    int64_t first_item;  /* the same: of the batch that this is a part of */
    const BitsTable *table; /* of a coder: a row for each scale, then one for each channel of z; NULL: bits of the distributions */
} PriorOptions;

typedef struct PriorResult {
    Tensor *y_hat;        /* [batch, M, h, w], steps of 1 */
    Tensor *y_bits[2];    /* [batch, M, h, ceil(w / 2)]: anchors and others, packed (engine/ops/checkerboard.h) */
    Tensor *y_index[2];   /* of the scale, the same shape */
    Tensor *z_bits;       /* [batch, H, ceil(h / 4), ceil(w / 4)] */
    Tensor *z_hat;
    float max_activation; /* of layers that the integer form clamps */
} PriorResult;

/* y: scaled latents [batch, M, h, w]; z of image_codec_hyper, not rounded. Where w is odd, the zeros that fill up a packed row
 * cost no bits. Errors: RSD_ERR_ARG, RSD_ERR_NUMERIC, RSD_ERR_MEMORY. */
RsdStatus image_prior_estimate(Tape *tape, const ImageCodec *codec, const int *level, Tensor *y, Tensor *z,
                               const PriorOptions *options, PriorResult *result, RsdError *err);

/* psi from whole z [batch, H, h, w] -> [batch, M, 4 h, 4 w]; the steps of an estimate, for tests and encoders. */
RsdStatus image_prior_psi(Tape *tape, const ImageCodec *codec, const int *level, Tensor *z, const PriorOptions *options,
                          Tensor **psi, RsdError *err);
/* psi [batch, M, h, n], context [batch, C, h, n] or NULL for zeros -> mean and index, both [batch, M, h, n]. */
RsdStatus image_prior_params(Tape *tape, const ImageCodec *codec, Tensor *psi, Tensor *context, const PriorOptions *options,
                             Tensor **mean, Tensor **index, RsdError *err);

/* ---- the integer form: image_prior_integer.c ---- */

RsdStatus integer_prior_create(IntegerPrior **out, const ImageCodec *codec, RsdError *err);
void integer_prior_destroy(IntegerPrior **prior);
/* Arrays NAME.weight_q (I8), .bias_q (I32), .mult (I16), .shift (I32 [1]) of each layer, prior.level_bias_q (I16),
 * prior.z_lowest, prior.z_n (I16), prior.z_weight (I32), prior.scale_weight (I16) where there is one; borrowed until the writer finishes. */
RsdStatus integer_prior_save(const IntegerPrior *prior, const ImageCodecConfig *cfg, SafetensorsWriter *writer, RsdError *err);
/* Errors: RSD_ERR_CORRUPT naming the array. */
RsdStatus integer_prior_load(IntegerPrior **out, const ImageCodecConfig *cfg, const Safetensors *st, RsdError *err);
/* The float weights that the integers stand for, into the codec. */
void integer_prior_to_float(const IntegerPrior *prior, ImageCodec *codec);

#endif
