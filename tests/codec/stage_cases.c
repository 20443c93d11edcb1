/* stage_cases.c - inputs of the vectors in stage_vectors.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/codec/stage_cases.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/rng.h"
#include "tests/codec/rans_cases.h"

#define D 6
#define CONTEXT 7
#define N_CODES 16
#define N_STAGES 3

const StageCase stage_cases[] = {
    {"codes of one place", 1, 1, 0, 0},
    {"codes of a line", 1, 21, 7, 0},
    {"codes of a column", 30, 1, 32, 16},
    {"codes of odd sides", 7, 5, 16, 8},
    {"codes of a tile", 32, 32, 27, 0},
    {"codes of a tile, by their bits", 32, 32, 27, 16},
    {"codes of a large tile", 33, 48, 32, 8},
};
const int n_stage_cases = (int)(sizeof stage_cases / sizeof stage_cases[0]);

typedef struct OwnedPrior {
    StagePrior prior;
    int8_t weight[N_STAGES][STAGE_N_LAYERS][CONTEXT * 25];
    int32_t bias[N_STAGES][STAGE_N_LAYERS][N_CODES];
    int16_t mult[N_STAGES][STAGE_N_LAYERS][N_CODES];
    int16_t codes[N_STAGES][N_CODES * D];
} OwnedPrior;

static int between(Rng *rng, int low, int high)
{
    return low + (int)rng_below(rng, (uint32_t)(high - low + 1));
}

static void draw_layer(OwnedPrior *p, Rng *rng, int stage, int layer)
{
    static const int sizes[STAGE_N_LAYERS][2] = {
        [STAGE_IN] = {CONTEXT, 2 * D}, [STAGE_CONTEXT] = {CONTEXT, 25},      [STAGE_MIX_1] = {CONTEXT, CONTEXT},
        [STAGE_MIX_2] = {CONTEXT, CONTEXT}, [STAGE_OUT] = {N_CODES - 1, CONTEXT}};
    const int n_out = sizes[layer][0], n_in = sizes[layer][1];

    for (int i = 0; i < n_out * n_in; i++)
        p->weight[stage][layer][i] = (int8_t)between(rng, -127, 127);
    for (int o = 0; o < n_out; o++) {
        p->bias[stage][layer][o] = between(rng, -20000, 20000);
        p->mult[stage][layer][o] = (int16_t)between(rng, INTEGER_MULT_MIN, INTEGER_MULT_MAX);
    }
    p->prior.layers[stage][layer] = (IntegerLayer){.n_out = n_out,
                                                   .n_in = n_in,
                                                   .weight = p->weight[stage][layer],
                                                   .bias = p->bias[stage][layer],
                                                   .mult = p->mult[stage][layer],
                                                   .shift = 22,
                                                   .low = layer == STAGE_CONTEXT || layer == STAGE_OUT ? -INTEGER_MAX : 0};
}

StagePrior *stage_case_prior(void)
{
    OwnedPrior *p = calloc(1, sizeof *p);
    Rng rng = rng_at(29, RNG_TEST, 0, 0);

    p->prior.n_stages = N_STAGES;
    p->prior.n_codes = N_CODES;
    p->prior.dim = D;
    for (int stage = 0; stage < N_STAGES; stage++) {
        for (int layer = 0; layer < STAGE_N_LAYERS; layer++)
            draw_layer(p, &rng, stage, layer);
        for (int i = 0; i < N_CODES * D; i++)
            p->codes[stage][i] = (int16_t)between(&rng, -(600 >> stage), 600 >> stage);
        p->prior.codes[stage] = p->codes[stage];
    }
    return &p->prior;
}

void stage_case_prior_destroy(StagePrior **prior)
{
    free(*prior); /* the first member of what was allocated */
    *prior = NULL;
}

/* Sums of codes, and something beside them. */
static void draw_latents(Rng *rng, const StagePrior *prior, int64_t area, int32_t *y)
{
    for (int64_t at = 0; at < area; at++)
        for (int stage = 0; stage < N_STAGES; stage++) {
            const int16_t *code = prior->codes[stage] + rng_below(rng, N_CODES) * D;

            for (int d = 0; d < D; d++)
                y[d * area + at] += TILE_FRACTION / PRIOR_FRACTION * code[d] + between(rng, -64, 64);
        }
}

RsdStatus stage_case_run(TileVector *found, int i, const StagePrior *prior, const Kernels *encoding, const Kernels *decoding, RsdError *err)
{
    const StageCase *c = &stage_cases[i];
    const size_t n = (size_t)(D * c->h * c->w);
    int32_t *y = calloc(n, sizeof *y), *encoded = calloc(n, sizeof *y), *decoded = calloc(n, sizeof *y);
    Rng rng = rng_at(29, RNG_TEST, 1, (uint32_t)i);
    TileModel *model = NULL;
    TileCoder *encoder = NULL, *decoder = NULL;
    TileCode code;
    RsdStatus status = RSD_OK;

    *found = (TileVector){0};
    draw_latents(&rng, prior, c->h * c->w, y);
    TRY(tile_model_create_rvq(&model, prior, err));
    TRY(tile_coder_create(&encoder, model, c->h, c->w, encoding, err));
    TRY(tile_coder_create(&decoder, model, c->h, c->w, decoding, err));
    TRY(tile_encode(encoder, c->level, &(TileRounding){.strength = c->strength * (TILE_STRENGTH_UNIT / 16)}, NULL, y, c->h, c->w, &code, err));
    TRY(tile_decode(decoder, c->level, &code, c->h, c->w, decoded, err));
    tile_encoded(encoder, c->h, c->w, encoded);
    CHECK(memcmp(encoded, decoded, n * sizeof *decoded) == 0, err, RSD_ERR_CORRUPT, "%s: the latents are others", c->what);
    *found = (TileVector){code.size, code.n_lanes, rans_hash(code.data, code.size), tile_case_hash(decoded, n)};
fail:
    tile_coder_destroy(&encoder);
    tile_coder_destroy(&decoder);
    tile_model_destroy(&model);
    free(y);
    free(encoded);
    free(decoded);
    return status;
}
