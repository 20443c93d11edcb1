/* image_codec.h - a trained picture codec: analysis, synthesis, and the prior that says how likely each latent is.
 *
 * One definition serves training, whole pictures and tiles. Pictures are [batch, 3, h, w], R G B in 0 .. 1 (sRGB values as they
 * are). With M = latent, H = hyper, E = entropy, C = context, blocks SB(c) = x + pw(2c -> c)(hs(pw(c -> 2c)(dw5(x)))):
 *
 *   analysis    x - 1/2, unshuffle 4, conv3 -> w0, SB.., unshuffle 2, pw -> w1, SB.., unshuffle 2, pw -> w2, SB.., pw -> M   = y
 *               y g_l  (gain of the level)                                                        /16, what is rounded
 *   hyper       y g_l: pw M -> H, dw5, hs, unshuffle 2, pw 4H -> H, dw5, hs, unshuffle 2, pw 4H -> H                         = z  /64
 *   synthesis   y^ / g'_l: pw M -> w2, SB.., pw, shuffle 2 -> w1, SB.., pw, shuffle 2 -> w0, SB.., conv3 -> 48, shuffle 4, + 1/2
 *   heads       after SB at /4 and at /8: pw -> 12, shuffle 2, + 1/2: a picture of half and of a quarter of the size (optional)
 *   prior       z^ = round(z) -> psi [M, /16]; mean and index of the scale of each y, in two passes (below)
 *
 * Zeros stand beyond all edges (the caller pads pictures, see image_codec_analyse); channels move to pixels in torch's
 * order, channel c r r + i r + j to pixel (r h + i, r w + j).
 *
 * A level is given in sixteenths, 0 .. IMAGE_LEVEL_MAX: level 16 l is trained for lambda_l, what lies between is
 * interpolated.
 *
 * The prior. A coder needs the same numbers on every machine, so it runs the integer form below; training and whatever needs
 * gradients run the float form, which the integer form follows (models/image_prior.h).
 *
 *   layer        weights                   input -> output at       after the layer
 *   UP1          dense H -> 4H             z^ 64, /64               ReLU; shuffle 2 -> [H, /32]
 *   BLOCK_TAPS   depthwise 3 x 3, H        /32
 *   BLOCK_IN     dense H -> 2H             /32                      ReLU
 *   BLOCK_OUT    dense 2H -> H             /32                      + input of BLOCK_TAPS
 *   UP2          dense H -> 4M             /32                      ReLU; shuffle 2 -> [M, /16]
 *   SMOOTH       depthwise 3 x 3, M        /16
 *   PSI          dense M -> M              /16                      + level bias, then ReLU                           = psi
 *   CONTEXT_IN   dense M -> C              y^ 64, at anchors        0 at all other places
 *   CONTEXT      depthwise 5 x 5, C        /16                      0 at anchors                                      = context
 *   JOIN         dense M + C -> E          psi, then context        ReLU
 *   MIX          dense E -> E              /16                      ReLU; + input of MIX
 *   OUT          dense E -> 2M             /16                      mean 64 [M], then index 64 [M]
 *
 * With config.steps latents are rounded in steps of their own, larger where a picture hides errors (models/image_steps.h). What follows has
 * step = 1 in all other models.
 *
 *   STEPS        dense M -> 1             psi                       row of the place; + that of level and channel
 *
 * Anchors are where row + column is even; they are coded first, with context 0, then the others, whose context is made of the
 * decoded anchors. All activations count 1/64 and are clamped to -8191 .. 8191 after each layer, sum and bias. Then
 *
 *   row = clamp(row of the place + row of level and channel, -16, 24);  step = (20 / 0.11)^(row / 63), in 1/1024 (prior_step)
 *   index = clamp(((v + 32) >> 6) - row, 0, 63), a row of the scale grid (codec/cdf.h);  k = round((y g_l - mean) / step), 0 where the
 *   index is 0;  64 y^ = ((k 1024 step + 8) >> 4) + mean, which enters CONTEXT_IN clamped; the synthesis gets y^ as it is
 *   level bias b of level 16 l + f: (b_l (16 - f) + b_(l+1) f + 8) >> 4
 *
 * z is rounded to whole numbers, clamped to -IMAGE_Z_LIMIT .. IMAGE_Z_LIMIT and coded by one table per channel.
 *
 * All this is IMAGE_SCALAR. With IMAGE_RVQ the transforms are the same, and between them stands a residual quantiser (models/rvq.h)
 * of M dimensions with `codebooks` stages: no gains, no hyper latents, and the prior is that of models/stage_prior.h. A level then says
 * how much is coded: 16 + level sixteenths of a stage, 0 .. image_codec_level_max. Stage i is coded at the place (row, column) of a
 * tile where 16 i + rank[row % 4][column % 4] < 16 + level (image_stage_is_coded); whole stages are what is trained. y^ is the sum of a
 * place's codes, whole numbers in 1/64 as they are in a model file.
 *
 * IMAGE_FSQ and IMAGE_BSQ are IMAGE_RVQ with codes that stand still (models/image_lattice.h), and whatever is said of IMAGE_RVQ holds for
 * them: a file has their codes as it has learned ones. The analysis ends with what their latents are bounded by.
 *
 * [1] image.md 8.3, 10.4, 10.6, 10.7, 12.3, 12.5-F.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_IMAGE_CODEC_H
#define RESIDUA_IMAGE_CODEC_H

#include "engine/kernels/integer.h"
#include "engine/tape.h"
#include "models/model_bases.h"
#include "models/params.h"
#include "models/rvq.h"

#define IMAGE_LEVELS 8
#define IMAGE_LEVEL_MAX (16 * (IMAGE_LEVELS - 1))
#define IMAGE_SCALES 3  /* /4, /8, /16 */
#define IMAGE_HEADS 2   /* 0: half size, of the features at /4; 1: a quarter, of those at /8 */
#define IMAGE_STRIDE 16 /* pixels of a latent */
#define IMAGE_HYPER_STRIDE 64
#define IMAGE_Z_LIMIT 127
#define IMAGE_Z_SYMBOLS 63 /* of a table, the escape apart */
#define IMAGE_SCALE_TABLES 64   /* of latents, PRIOR_INDEX_MAX + 1 */
#define IMAGE_SCALE_WEIGHTS 129 /* of a table: of the values 0 .. 127 and of the escape */
#define IMAGE_MAX_STAGES IMAGE_LEVELS
#define IMAGE_MAX_CODES 1024

typedef enum ImageQuantizer { IMAGE_SCALAR, IMAGE_RVQ, IMAGE_FSQ, IMAGE_BSQ } ImageQuantizer;

typedef struct ImageCodecConfig {
    char name[MODEL_NAME_SIZE];   /* "photo" */
    int quantizer;                /* ImageQuantizer; what the other one alone uses is 0 in ImageCodec.config */
    int latent;                   /* M, a multiple of 4 */
    int hyper;                    /* H; IMAGE_SCALAR */
    int widths[IMAGE_SCALES];     /* w0 at /4, w1 at /8, w2 at /16 */
    int encoder_blocks[IMAGE_SCALES], decoder_blocks[IMAGE_SCALES];
    int context, entropy;         /* C, E; the latter IMAGE_SCALAR */
    int steps;                    /* 1: latents have steps of their own; IMAGE_SCALAR */
    int heads;                    /* 1: pictures of half and of a quarter of the size come out of the synthesis on its way; 0: not */
    int codebooks, codebook_size;      /* IMAGE_RVQ: stages, and codes of each, a power of two; a lattice: its size */
    float codebook_decay, dead_below;  /* and, for training, RvqConfig.ema_decay and dead_below */
} ImageCodecConfig;

typedef enum PriorLayer {
    PRIOR_UP1,
    PRIOR_BLOCK_TAPS,
    PRIOR_BLOCK_IN,
    PRIOR_BLOCK_OUT,
    PRIOR_UP2,
    PRIOR_SMOOTH,
    PRIOR_PSI,
    PRIOR_CONTEXT_IN,
    PRIOR_CONTEXT,
    PRIOR_JOIN,
    PRIOR_MIX,
    PRIOR_OUT,
    PRIOR_N_LAYERS
} PriorLayer;

/* What the coder's tables of z are made of: channel c has the values lowest[c] .. lowest[c] + n[c] - 1, 1 <= n[c] <=
 * IMAGE_Z_SYMBOLS, with the weights weight[c (IMAGE_Z_SYMBOLS + 1) ..], and after them the weight of the escape.
 * Those of latents: row i of scale, for scale i, has the weights of the values 0 .. K, each for itself and for its negative, zeros, and
 * last the weight of the escape. They are of what an encoder chose, which is nearer to 0 than a normal distribution. Row 0 is zeros. */
typedef struct PriorTables {
    int16_t *lowest;  /* [H] */
    int16_t *n;       /* [H] */
    int32_t *weight;  /* [H, IMAGE_Z_SYMBOLS + 1], 1 .. 65536 */
    int16_t *scale;   /* [IMAGE_SCALE_TABLES, IMAGE_SCALE_WEIGHTS], or NULL: the normal distributions of codec/cdf.h */
} PriorTables;

/* Memory of the arrays of an integer form. */
typedef struct IntegerMemory {
    Arena *arena;
    ArenaMark filled; /* by the arrays; copies for a file follow */
} IntegerMemory;

/* Rows of the scale grid that steps are above 1: local of a place, of its psi, and levels [IMAGE_LEVELS, M]. */
typedef struct IntegerSteps {
    IntegerLayer local; /* M -> 1; integer_layer_fits holds */
    const int16_t *levels;
    IntegerMemory memory;
} IntegerSteps;

typedef struct IntegerPrior {
    IntegerLayer layers[PRIOR_N_LAYERS]; /* integer_layer_fits holds for each */
    const IntegerSteps *steps;           /* of the codec, or NULL: all steps are 1 */
    const int16_t *level_bias;           /* [IMAGE_LEVELS, M] */
    PriorTables tables;
    IntegerMemory memory;
} IntegerPrior;

/* Layers of a stage's network; models/stage_prior.h. */
typedef enum StageLayer { STAGE_IN, STAGE_CONTEXT, STAGE_MIX_1, STAGE_MIX_2, STAGE_OUT, STAGE_N_LAYERS } StageLayer;

/* The codes of IMAGE_RVQ and what foretells them, as integers. */
typedef struct StagePrior {
    int n_stages, n_codes, dim;
    IntegerLayer layers[IMAGE_MAX_STAGES][STAGE_N_LAYERS]; /* integer_layer_fits holds for each */
    const int16_t *codes[IMAGE_MAX_STAGES];                /* [n_codes, dim] in 1/64, within INTEGER_MAX */
    IntegerMemory memory;
} StagePrior;

typedef struct ImageNet ImageNet; /* the layers; models/image_net.h */

typedef struct ImageCodec {
    ImageCodecConfig config;
    ParamSet *params; /* owns all float weights */
    ImageNet *net;
    IntegerSteps *steps; /* of a prior that is there; NULL without config.steps */
    IntegerPrior *prior; /* NULL until image_codec_make_prior or a model file made it */
    Rvq *rvq;                /* of IMAGE_RVQ, else NULL; the prior is stage_prior then */
    StagePrior *stage_prior; /* NULL until made, as prior */
    bool keeps_prior;        /* by image_codec_keep_prior */
    int16_t *scale_weights;  /* owned: PriorTables.scale of priors that are made, or NULL */
    uint8_t hash[MODEL_HASH_SIZE]; /* zeros for a model not loaded from a file */
    ModelBases bases;              /* models with the same latents and prior: their streams are decoded, too */
} ImageCodec;

/* "photo": M 192, H 96, widths 64, 112, 160, blocks 2, 3, 3 and 3, 3, 3, C 128, E 384. */
void image_codec_default_config(ImageCodecConfig *cfg);
/* Allocates nothing. Errors: RSD_ERR_ARG naming the field, its value and its range. */
RsdStatus image_codec_check_config(const ImageCodecConfig *cfg, RsdError *err);

/* Random weights, for training. Errors: RSD_ERR_ARG, RSD_ERR_MEMORY. */
RsdStatus image_codec_create(ImageCodec **out, const ImageCodecConfig *cfg, uint64_t seed, RsdError *err);
#define IMAGE_START_GAIN 2.0f /* latents are orthonormal coordinates of 16 x 16 pixels times this */
/* Makes the transforms of a codec just created the best linear ones: principal components of pictures [n_pictures, 3, side, side],
 * side a multiple of IMAGE_STRIDE, with gains that suit the levels (models/image_start.c). Errors: RSD_ERR_ARG, RSD_ERR_MEMORY,
 * RSD_ERR_NUMERIC (a sample is not finite). */
RsdStatus image_codec_init_transforms(ImageCodec *codec, const float *pictures, int64_t n_pictures, int64_t side, RsdError *err);
/* From a model file (docs/model-file.md), for inference: float weights, the integer prior, and the float prior made of it.
 * Errors: those of checkpoint_open; RSD_ERR_CORRUPT (damaged, impossible configuration, numbers an integer layer must not
 * have), RSD_ERR_UNSUPPORTED (not a picture model, or a newer one), RSD_ERR_NUMERIC. */
RsdStatus image_codec_load(ImageCodec **out, const char *path, RsdError *err);
/* The same for a use. */
typedef enum ImageCodecUse {
    IMAGE_USE_ALL,   /* everything, which may be trained further, too */
    IMAGE_USE_DECODE /* synthesis, heads and integer prior, weights kept in the order that kernels read and nowhere else */
} ImageCodecUse;
RsdStatus image_codec_load_for(ImageCodec **out, const char *path, ImageCodecUse use, RsdError *err);
/* A model inside the program; name NULL for the default. Errors: RSD_ERR_MODEL listing the names. */
RsdStatus image_codec_load_builtin(ImageCodec **out, const char *name, ImageCodecUse use, RsdError *err);
/* The built-in model of that name, else the file; "./NAME" is always the file. Errors: as both. */
RsdStatus image_codec_load_named(ImageCodec **out, const char *name, ImageCodecUse use, RsdError *err);
void image_codec_destroy(ImageCodec **codec);
/* Writes a model file atomically, its prior as integers (made anew when the codec is one for training). notes: as
 * audio_codec_save. Errors: RSD_ERR_ARG, RSD_ERR_NUMERIC, those of safetensors_writer_finish. */
RsdStatus image_codec_save(ImageCodec *codec, const char *path, Dtype stored_as, const char *const *notes, RsdError *err);
/* i-th built-in model's name, NULL past the end; the first is the default. */
const char *image_codec_builtin_name(size_t i);

/* The configuration as metadata of a file. read: errors as image_codec_load. */
RsdStatus image_codec_write_config(const ImageCodecConfig *cfg, SafetensorsWriter *writer, RsdError *err);
RsdStatus image_codec_read_config(ImageCodecConfig *cfg, const Safetensors *st, RsdError *err);

/* The integer prior of the float weights as they are now, with the tables of scale_weights. Errors: RSD_ERR_NUMERIC (a weight that is not finite or too large
 * for the integer form, naming the layer), RSD_ERR_MEMORY. */
RsdStatus image_codec_make_prior(ImageCodec *codec, RsdError *err);
/* The integer prior of a file in place of one that is made: for training that leaves the prior's weights, which are those of the file, as
 * they are. From then on image_codec_make_prior does nothing: a file may have some of these weights with fewer digits than its integers
 * were made of. Errors: RSD_ERR_CORRUPT naming the array, RSD_ERR_MEMORY. */
RsdStatus image_codec_keep_prior(ImageCodec *codec, const Safetensors *st, RsdError *err);
/* Its arrays, borrowed until the writer finishes, which must be before they are written again. Errors: RSD_ERR_MEMORY. */
RsdStatus image_codec_write_prior(const ImageCodec *codec, SafetensorsWriter *writer, RsdError *err);

int64_t image_codec_count_parameters(const ImageCodecConfig *cfg);
/* Multiply-accumulates for each pixel: analysis with hyper encoder, prior, synthesis. */
typedef struct ImageCodecMacs {
    double analysis, prior, synthesis;
} ImageCodecMacs;
ImageCodecMacs image_codec_macs(const ImageCodecConfig *cfg);
/* lambda of a level in sixteenths, the weight of 255^2 MSE beside the bits of a pixel: .0018 .. .18 [image.md 12.3]. */
double image_codec_lambda(int level);

/* The highest level in sixteenths: IMAGE_LEVEL_MAX, or that of all stages. */
int image_codec_level_max(const ImageCodecConfig *cfg);
/* IMAGE_RVQ: stages that a level uses, the last one perhaps in part; and whether stage `stage` is coded at a place of a tile. */
int image_codec_stages(int level);
bool image_stage_is_coded(int level, int stage, int64_t row, int64_t column);
/* IMAGE_RVQ: the first codes, k-means of latents y [batch, M, h, w], in the order that the prior wants. Errors: those of
 * rvq_init_codebooks. */
RsdStatus image_codec_init_codes(Tape *tape, ImageCodec *codec, const Tensor *y, uint64_t seed, RsdError *err);
/* y [batch, M, h, w] as the quantiser takes it, [batch, M, h w]. */
RsdStatus image_codec_as_frames(Tape *tape, Tensor *y, Tensor **frames, RsdError *err);

/* Lays weights out for inference, once they no longer change. Then many tapes may run at once. */
RsdStatus image_codec_freeze(ImageCodec *codec, RsdError *err);

/* ---- running; a tape that records gets gradients ---- */

/* x [batch, 3, h, w], h and w multiples of 16 -> y [batch, M, h / 16, w / 16], before the gain. Pictures of other sizes are
 * padded to multiples of 64 by repeating their last row and column, and only the first ceil(h / 16) rows and ceil(w / 16)
 * columns of y are coded. Errors: RSD_ERR_ARG, RSD_ERR_MEMORY. */
RsdStatus image_codec_analyse(Tape *tape, const ImageCodec *codec, Tensor *x, Tensor **y, RsdError *err);
/* y g_l for level [batch] in sixteenths: what is rounded (in_quantised units: steps of 1); and y / g'_l: what the synthesis
 * begins with. IMAGE_RVQ: y itself. Errors: RSD_ERR_ARG (level out of range), RSD_ERR_MEMORY. */
RsdStatus image_codec_scale(Tape *tape, const ImageCodec *codec, const int *level, Tensor *y, Tensor **scaled, RsdError *err);
RsdStatus image_codec_unscale(Tape *tape, const ImageCodec *codec, const int *level, Tensor *y, Tensor **unscaled,
                              RsdError *err);
/* IMAGE_SCALAR: scaled y [batch, M, h, w] -> z [batch, H, ceil(h / 4), ceil(w / 4)], not rounded; zeros complete rows and columns. */
RsdStatus image_codec_hyper(Tape *tape, const ImageCodec *codec, Tensor *y, Tensor **z, RsdError *err);
/* y^ in steps of 1 [batch, M, h, w] -> x [batch, 3, 16 h, 16 w], not clamped. Includes image_codec_unscale. */
RsdStatus image_codec_synthesise(Tape *tape, const ImageCodec *codec, const int *level, Tensor *y, Tensor **x, RsdError *err);
/* Small changes of the synthesis that one picture wants: features at 1/4, as the last layer reads them, times 1 + gain [widths[0]], and
 * bias [IMAGE_LAST_OUTPUTS] added to that of the last layer. NULL: none. */
#define IMAGE_LAST_OUTPUTS 48
typedef struct ImageDeltas {
    Tensor *gain, *bias;
} ImageDeltas;
RsdStatus image_codec_synthesise_changed(Tape *tape, const ImageCodec *codec, const int *level, Tensor *y, const ImageDeltas *deltas,
                                         Tensor **x, RsdError *err);
/* The same, and the features that the heads read: features [IMAGE_HEADS]. */
RsdStatus image_codec_synthesise_with_features(Tape *tape, const ImageCodec *codec, const int *level, Tensor *y,
                                               Tensor *features[IMAGE_HEADS], Tensor **x, RsdError *err);
/* The picture of a head, sides 1/2 or 1/4, from its features. config.heads must be 1. */
RsdStatus image_codec_run_head(Tape *tape, const ImageCodec *codec, int head, Tensor *features, Tensor **x, RsdError *err);
/* y^ -> the picture of a head alone, without what the synthesis does after it. */
RsdStatus image_codec_synthesise_small(Tape *tape, const ImageCodec *codec, int head, const int *level, Tensor *y, Tensor **x,
                                       RsdError *err);

#endif
