/* tile_cases.c - inputs of the vectors in tile_vectors.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/codec/tile_cases.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/rng.h"
#include "models/prior_run.h"
#include "tests/codec/rans_cases.h"

#define M 12
#define HYPER 5
#define CONTEXT 7
#define ENTROPY 20
#define MULT_LEAST 16384 /* with these the stored stream was made; a model may go down to INTEGER_MULT_MIN */

const TileCase tile_cases[] = {
    {"one latent", 1, 1, 0, 0, 3, 0, false, false},
    {"a line", 1, 21, 17, 0, 3, 0, false, false},
    {"a column", 30, 1, 112, 16, 3, 0, false, false},
    {"odd sides", 7, 5, 40, 16, 6, 0, false, false},
    {"a tile", 32, 32, 64, 16, 2, 0, false, false},
    {"a tile, rounded", 32, 32, 64, 0, 2, 0, false, false},
    {"a large tile", 33, 64, 111, 8, 40, 0, false, false},
    {"far latents", 9, 9, 5, 0, 40000, 0, false, false},
    {"opacity", 40, 50, 0, 0, 0, 8, false, false},
    {"opacity of 16 bits", 13, 31, 0, 0, 0, 16, false, false},
    {"opacity of one line", 1, 100, 0, 0, 0, 8, false, false},
    {"tables of the prior", 11, 14, 30, 4, 4, 0, true, false},
    {"steps of their own", 13, 10, 71, 0, 9, 0, false, true},
    {"steps of their own, rounded", 13, 10, 104, 16, 9, 0, true, true},
    {"far latents in steps of their own", 6, 9, 5, 8, 40000, 0, false, true},
};
const int n_tile_cases = (int)(sizeof tile_cases / sizeof tile_cases[0]);

typedef struct OwnedPrior {
    IntegerPrior prior;
    int8_t weight[PRIOR_N_LAYERS][2 * ENTROPY * 2 * ENTROPY];
    int32_t bias[PRIOR_N_LAYERS][4 * M];
    int16_t mult[PRIOR_N_LAYERS][4 * M];
    int16_t level_bias[IMAGE_LEVELS * M];
    int16_t lowest[HYPER], n[HYPER];
    int32_t z_weight[HYPER * (IMAGE_Z_SYMBOLS + 1)];
} OwnedPrior;

static int between(Rng *rng, int low, int high)
{
    return low + (int)rng_below(rng, (uint32_t)(high - low + 1));
}

IntegerPrior *tile_case_prior(uint32_t seed)
{
    static const struct {
        int n_out, n_in;
    } sizes[PRIOR_N_LAYERS] = {
        {4 * HYPER, HYPER}, {HYPER, 9},    {2 * HYPER, HYPER},     {HYPER, 2 * HYPER}, {4 * M, HYPER},  {M, 9}, {M, M},
        {CONTEXT, M},       {CONTEXT, 25}, {ENTROPY, M + CONTEXT}, {ENTROPY, ENTROPY}, {2 * M, ENTROPY}};
    OwnedPrior *p = calloc(1, sizeof *p);
    Rng rng = rng_at(23, RNG_TEST, 0, seed);

    for (int l = 0; l < PRIOR_N_LAYERS; l++) {
        bool has_relu = l == PRIOR_UP1 || l == PRIOR_BLOCK_IN || l == PRIOR_UP2 || l == PRIOR_JOIN || l == PRIOR_MIX;

        for (int i = 0; i < sizes[l].n_out * sizes[l].n_in; i++)
            p->weight[l][i] = (int8_t)between(&rng, -127, 127);
        for (int o = 0; o < sizes[l].n_out; o++) {
            p->bias[l][o] = between(&rng, -20000, 20000);
            p->mult[l][o] = (int16_t)between(&rng, MULT_LEAST, INTEGER_MULT_MAX);
            if (l == PRIOR_OUT && o >= M) /* scales all over the grid */
                p->bias[l][o] = between(&rng, 0, 63) * 64 * 140;
        }
        p->prior.layers[l] = (IntegerLayer){.n_out = sizes[l].n_out,
                                            .n_in = sizes[l].n_in,
                                            .weight = p->weight[l],
                                            .bias = p->bias[l],
                                            .mult = p->mult[l],
                                            .shift = 22,
                                            .low = has_relu ? 0 : -INTEGER_MAX};
    }
    for (int i = 0; i < IMAGE_LEVELS * M; i++)
        p->level_bias[i] = (int16_t)between(&rng, -300, 300);
    for (int c = 0; c < HYPER; c++) {
        p->n[c] = (int16_t)(c == 0 ? 1 : between(&rng, 2, IMAGE_Z_SYMBOLS));
        p->lowest[c] = (int16_t)between(&rng, -20, 0);
        for (int i = 0; i <= p->n[c]; i++)
            p->z_weight[c * (IMAGE_Z_SYMBOLS + 1) + i] = between(&rng, 1, 65536);
    }
    p->prior.level_bias = p->level_bias;
    p->prior.tables = (PriorTables){p->lowest, p->n, p->z_weight, NULL};
    return &p->prior;
}

void tile_case_prior_destroy(IntegerPrior **prior)
{
    free(*prior); /* the first member of what was allocated */
    *prior = NULL;
}

uint64_t tile_case_hash(const int32_t *y, size_t n)
{
    uint64_t hash = 0;

    for (size_t i = 0; i < n; i++) {
        uint32_t v = (uint32_t)y[i];
        uint8_t bytes[12] = {(uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16), (uint8_t)(v >> 24)};

        for (int k = 0; k < 8; k++)
            bytes[4 + k] = (uint8_t)(hash >> 8 * k);
        hash = rans_hash(bytes, sizeof bytes);
    }
    return hash;
}

static RsdStatus run_latents(TileVector *found, const TileCase *c, Rng *rng, const IntegerPrior *prior,
                             const Kernels *encoding, const Kernels *decoding, RsdError *err)
{
    size_t n = (size_t)(M * c->h * c->w), n_z = (size_t)(HYPER * ((c->h + 3) / 4) * ((c->w + 3) / 4));
    int32_t *y = calloc(n, sizeof *y), *decoded = calloc(n, sizeof *y);
    int16_t *z = calloc(n_z, sizeof *z);
    TileModel *model = NULL;
    TileCoder *encoder = NULL, *decoder = NULL;
    RsdThreads *threads = NULL;
    TileCode code;
    RsdStatus status = RSD_OK;

    for (size_t i = 0; i < n; i++)
        y[i] = between(rng, -c->spread, c->spread) * TILE_FRACTION / 2 + between(rng, 0, TILE_FRACTION - 1);
    for (size_t i = 0; i < n_z; i++)
        z[i] = (int16_t)(rng_below(rng, 20) == 0 ? between(rng, -IMAGE_Z_LIMIT, IMAGE_Z_LIMIT) : between(rng, -3, 3));
    TRY(tile_model_create(&model, prior, err));
    TRY(tile_coder_create(&encoder, model, c->h, c->w, encoding, err));
    TRY(tile_coder_create(&decoder, model, c->h, c->w, decoding, err));
    TRY(tile_encode(encoder, c->level, &(TileRounding){.strength = c->strength * (TILE_STRENGTH_UNIT / 16)}, z, y, c->h, c->w, &code, err));
    TRY(tile_decode(decoder, c->level, &code, c->h, c->w, decoded, err));
    *found = (TileVector){code.size, code.n_lanes, rans_hash(code.data, code.size), tile_case_hash(decoded, n)};
    TRY(rsd_threads_create(&threads, 2, err));
    tile_coder_share(decoder, threads);
    TRY(tile_decode(decoder, c->level, &code, c->h, c->w, decoded, err));
    CHECK(tile_case_hash(decoded, n) == found->latents, err, RSD_ERR_CORRUPT, "%s: two threads decode other latents", c->what);
fail:
    tile_coder_destroy(&encoder);
    tile_coder_destroy(&decoder);
    tile_model_destroy(&model);
    rsd_threads_destroy(&threads);
    free(y);
    free(decoded);
    free(z);
    return status;
}

static RsdStatus run_alpha(TileVector *found, const TileCase *c, Rng *rng, const Kernels *encoding,
                           const Kernels *decoding, RsdError *err)
{
    size_t n = (size_t)(c->h * c->w);
    uint16_t *alpha = calloc(n, sizeof *alpha), *decoded = calloc(n, sizeof *alpha),
             most = c->alpha_bits == 8 ? 255 : 65535;
    AlphaCoder *encoder = NULL, *decoder = NULL;
    TileCode code;
    RsdStatus status = RSD_OK;

    for (int64_t row = 0; row < c->h; row++)
        for (int64_t col = 0; col < c->w; col++)
            alpha[row * c->w + col] = (uint16_t)(col + row < 20 ? most : col > 30 ? 0 : (int)rng_below(rng, most + 1u));
    TRY(alpha_coder_create(&encoder, c->h, c->w, encoding->rans, err));
    TRY(alpha_coder_create(&decoder, c->h, c->w, decoding->rans, err));
    TRY(alpha_encode(encoder, alpha, c->w, c->alpha_bits, c->h, c->w, &code, err));
    TRY(alpha_decode(decoder, &code, c->alpha_bits, c->h, c->w, decoded, c->w, err));
    CHECK(memcmp(alpha, decoded, n * sizeof *alpha) == 0, err, RSD_ERR_CORRUPT, "%s: the opacity is another", c->what);
    *found = (TileVector){code.size, code.n_lanes, rans_hash(code.data, code.size), 0};
fail:
    alpha_coder_destroy(&encoder);
    alpha_coder_destroy(&decoder);
    free(alpha);
    free(decoded);
    return status;
}

/* Widths from 0 to 127, with values that have no weight of their own between others. */
static void draw_scales(int16_t *scales, Rng *rng)
{
    memset(scales, 0, IMAGE_SCALE_TABLES * IMAGE_SCALE_WEIGHTS * sizeof *scales);
    for (int i = 1; i < IMAGE_SCALE_TABLES; i++) {
        int16_t *row = scales + i * IMAGE_SCALE_WEIGHTS;

        for (int k = 0; k < 2 * i + 1 && k < IMAGE_SCALE_WEIGHTS - 1; k++)
            row[k] = (int16_t)between(rng, k == 0, k % 5 == 4 ? 1 : 32766 / (k + 1));
        row[IMAGE_SCALE_WEIGHTS - 1] = (int16_t)between(rng, 1, 300);
    }
}

/* Rows all over their range, and beyond its ends. */
typedef struct OwnSteps {
    IntegerSteps steps;
    int8_t weight[M];
    int32_t bias[1];
    int16_t mult[1], levels[IMAGE_LEVELS * M];
} OwnSteps;

static void draw_steps(OwnSteps *own, Rng *rng)
{
    for (int i = 0; i < M; i++)
        own->weight[i] = (int8_t)between(rng, -127, 127);
    own->bias[0] = between(rng, -20000, 20000);
    own->mult[0] = (int16_t)between(rng, MULT_LEAST, INTEGER_MULT_MAX);
    for (int i = 0; i < IMAGE_LEVELS * M; i++)
        own->levels[i] = (int16_t)between(rng, PRIOR_LOWEST_STEP, PRIOR_HIGHEST_STEP);
    own->steps.local =
        (IntegerLayer){.n_out = 1, .n_in = M, .weight = own->weight, .bias = own->bias, .mult = own->mult, .shift = 31, .low = -INTEGER_MAX};
    own->steps.levels = own->levels;
}

RsdStatus tile_case_run(TileVector *found, int i, const IntegerPrior *prior, const Kernels *encoding,
                        const Kernels *decoding, RsdError *err)
{
    const TileCase *c = &tile_cases[i];
    Rng rng = rng_at(23, RNG_TEST, 1, (uint32_t)i);
    IntegerPrior own = *prior;
    int16_t scales[IMAGE_SCALE_TABLES * IMAGE_SCALE_WEIGHTS];
    OwnSteps steps;

    if (c->has_scales) {
        draw_scales(scales, &rng);
        own.tables.scale = scales;
    }
    if (c->has_steps) {
        draw_steps(&steps, &rng);
        own.steps = &steps.steps;
    }
    prior = &own;
    *found = (TileVector){0};
    return c->alpha_bits ? run_alpha(found, c, &rng, encoding, decoding, err)
                         : run_latents(found, c, &rng, prior, encoding, decoding, err);
}
