/* image_lattice.c - which lattice it is, and its codes.
 *
 * SPDX-License-Identifier: MIT
 */
#include "models/image_lattice.h"

#include <math.h>

#include "engine/ops/arithmetic.h"
#include "engine/ops/shape.h"
#include "models/image_net.h"
#include "models/lattice.h"

static bool is_lattice(const ImageCodecConfig *cfg)
{
    return cfg->quantizer == IMAGE_FSQ || cfg->quantizer == IMAGE_BSQ;
}

static LatticeConfig lattice_of(const ImageCodecConfig *cfg)
{
    LatticeConfig lattice = {.kind = cfg->quantizer == IMAGE_BSQ ? LATTICE_BSQ : LATTICE_FSQ, .dim = cfg->latent};

    for (int i = 0; i < cfg->latent && i < LATTICE_MAX_DIM; i++)
        lattice.levels[i] = cfg->quantizer == IMAGE_BSQ ? 2 : (int)lround(pow(cfg->codebook_size, 1.0 / cfg->latent));
    return lattice;
}

/* Between two levels of a latent. */
static double step_of(const ImageCodecConfig *cfg, int stage)
{
    const LatticeConfig lattice = lattice_of(cfg);

    return cfg->quantizer == IMAGE_BSQ ? 2 * IMAGE_LATTICE_SIZE / sqrt(cfg->latent) * ldexp(1.0, -stage)
                                       : 2.0 * IMAGE_LATTICE_SIZE / pow(lattice.levels[0], stage + 1);
}

RsdStatus image_lattice_check(const ImageCodecConfig *cfg, RsdError *err)
{
    const LatticeConfig lattice = lattice_of(cfg);
    const bool is_fsq = cfg->quantizer == IMAGE_FSQ;
    RsdStatus status = RSD_OK;

    if (!is_lattice(cfg))
        return RSD_OK;
    CHECK(cfg->latent <= LATTICE_MAX_DIM && lattice_check_config(&lattice, NULL) == RSD_OK &&
              lattice_n_codes(&lattice) == cfg->codebook_size && (lattice.levels[0] & (lattice.levels[0] - 1)) == 0,
          err, RSD_ERR_ARG, "latent is %d and codebook_size %d; quantizer = %s wants %s codes", cfg->latent, cfg->codebook_size,
          is_fsq ? "fsq" : "bsq", is_fsq ? "4, 8, 16, ... to the power of latent" : "2 to the power of latent");
    CHECK(step_of(cfg, cfg->codebooks - 1) * INTEGER_UNIT >= 2.0, err, RSD_ERR_ARG,
          "codebooks is %d: the levels of the last stage of quantizer = %s would be finer than 1/%d", cfg->codebooks, is_fsq ? "fsq" : "bsq",
          INTEGER_UNIT);
fail:
    return status;
}

RsdStatus image_lattice_bound(Tape *tape, const ImageCodecConfig *cfg, Tensor *y, Tensor **bounded, RsdError *err)
{
    const LatticeConfig lattice = lattice_of(cfg);
    const int64_t shape[] = {y->shape[0], y->shape[1], y->shape[2], y->shape[3]};
    const float size = IMAGE_LATTICE_SIZE;
    Tensor *frames;
    RsdStatus status = RSD_OK;

    *bounded = y;
    if (!is_lattice(cfg))
        return RSD_OK;
    TRY(image_codec_as_frames(tape, y, &frames, err));
    TRY(op_scale(tape, frames, 1.0f / size, &frames, err));
    TRY(lattice_bound(tape, &lattice, frames, &frames, err));
    TRY(op_scale(tape, frames, size, &frames, err));
    TRY(op_reshape(tape, frames, 4, shape, bounded, err));
fail:
    return status;
}

/* The first stage of FSQ has the levels of lattice.h, of which one more lies below zero; the others are even. */
static double level_at(int quantizer, int stage, double step, int n_levels, double first)
{
    if (quantizer == IMAGE_BSQ)
        return first > 0 ? step / 2 : -step / 2;
    return step * (first * n_levels / 2 + (stage > 0 ? 0.5 : 0.0));
}

void image_lattice_set_codes(ImageCodec *codec)
{
    const ImageCodecConfig *cfg = &codec->config;
    const LatticeConfig lattice = lattice_of(cfg);
    float first[LATTICE_MAX_DIM];

    if (!is_lattice(cfg))
        return;
    for (int q = 0; q < cfg->codebooks; q++) {
        const double step = step_of(cfg, q);
        float *codes = codec->net->embed[q]->data;

        for (int k = 0; k < cfg->codebook_size; k++) {
            lattice_values(&lattice, k, first);
            for (int d = 0; d < cfg->latent; d++) {
                double level = level_at(cfg->quantizer, q, step, lattice.levels[0], (double)first[d]);

                codes[k * cfg->latent + d] = (float)(rint(level * INTEGER_UNIT) / INTEGER_UNIT);
            }
        }
    }
    rvq_refresh(codec->rvq);
}
