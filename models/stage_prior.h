/* stage_prior.h - how likely the codes of a picture codec's residual quantiser are: one small network for each stage.
 *
 * Stage after stage, and within a stage anchors (row + column even) before the others. What is known at a place, of whole numbers in
 * 1/64: a, the sum of the codes of the stages before, everywhere; and e, the codes of this stage, at the anchors while the others are
 * coded, else 0. Of D = latent, C = context, K codes:
 *
 *   layer      weights               input -> output      after the layer
 *   IN         dense 2 D -> C        a, then e            ReLU
 *   CONTEXT    depthwise 5 x 5, C
 *   MIX_1      dense C -> C                               ReLU; + its input
 *   MIX_2      dense C -> C                               ReLU; + its input
 *   OUT        dense C -> K - 1                           one number for each node of a tree
 *
 * A code's index is coded bit by bit from the highest on, down a binary tree whose root is node 1 and whose node n has the children
 * 2 n (bit 0) and 2 n + 1. Output n - 1 says how likely bit 1 is at node n: v / 64 is the logarithm of its odds, a step of 1/16 is a
 * table of the coder (codec/cdf.h, cdf_bit):
 *
 *   table = clamp((v + 2) >> 2, -128, 127) + 128
 *
 * So no exponential is taken where machines must agree. So that a node means something, codes are sorted when they are made: each
 * node's two halves lie on the two sides of a plane (stage_prior_sort).
 *
 * [1] image.md 2.5, 12.5-P.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_STAGE_PRIOR_H
#define RESIDUA_STAGE_PRIOR_H

#include "models/image_codec.h"

#define STAGE_CONTEXT_SIZE 5
#define STAGE_STEPS 16     /* of the logarithm of odds: tables for 1 */
#define STAGE_TABLES 256
#define STAGE_NO_TABLE 128 /* even odds */

extern const char *const STAGE_LAYER_NAMES[STAGE_N_LAYERS]; /* "in", ... */
bool stage_layer_has_relu(StageLayer layer);

/* ---- the float form: stage_prior.c ---- */

/* Number of codes [batch, n_q, h w] of pictures of h by w places each -> *bits, a scalar tensor: what all of them cost. No gradient goes
 * to the codes. rounded: weights and activations as in the integer form. by_stage [n_q] (may be NULL) gets the bits of each stage;
 * *max_activation the largest output of OUT that the table would clamp. Errors: RSD_ERR_NUMERIC, RSD_ERR_MEMORY. */
RsdStatus stage_prior_estimate(Tape *tape, const ImageCodec *codec, const uint16_t *codes, int64_t batch, int n_q, int64_t h, int64_t w,
                               bool rounded, Tensor **bits, double *by_stage, float *max_activation, RsdError *err);
/* Sorts codes embed [n_codes, dim] as the tree wants them, and count [n_codes] and sum [n_codes, dim] along with them. */
RsdStatus stage_prior_sort(float *embed, float *count, float *sum, int64_t n_codes, int64_t dim, RsdError *err);

/* ---- the integer form: stage_prior_integer.c; contracts as in image_prior.h ---- */

RsdStatus stage_prior_create(StagePrior **out, const ImageCodec *codec, RsdError *err);
void stage_prior_destroy(StagePrior **prior);
/* Arrays prior.I.NAME.* as integer_net.h has them, rvq.I.embed_q (I16) [K, D]. */
RsdStatus stage_prior_save(const StagePrior *prior, SafetensorsWriter *writer, RsdError *err);
RsdStatus stage_prior_load(StagePrior **out, const ImageCodecConfig *cfg, const Safetensors *st, RsdError *err);
/* The float weights and codes that the integers stand for, into the codec. */
void stage_prior_to_float(const StagePrior *prior, ImageCodec *codec);

#endif
