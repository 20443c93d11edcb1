/* tile_scalar.c - tiles of latents that are rounded one by one: rANS around the integer prior.
 *
 * Three runs: z, channel by channel; k of the anchors; k of the other positions, both channel by channel, positions row
 * by row. Tables 0 .. 63 are the scales of the normal grid, 64 + c is that of channel c of z.
 *
 * There is no floating-point number in this file, and a test looks for one.
 *
 * SPDX-License-Identifier: MIT
 */
#include "codec/tile_kind.h"

#include <assert.h>
#include <string.h>

#include "engine/base/mem.h"

#define MAX_Z_CHANNELS (RANS_MAX_TABLES - CDF_SCALES)
#define FINE_BALANCE 139 /* 16 * 6 / ln 2: bits per squared step that a fine quantiser trades, in 1/16 */
#define BALANCE_SCALE (16 * (int64_t)TILE_FRACTION * TILE_FRACTION / CDF_COST_UNIT) /* see choose */

typedef struct ScalarModel {
    TileModel base; /* first, as in the coder */
    const IntegerPrior *prior;
    int64_t m, hyper;
    CdfTable scale[CDF_SCALES];
    uint16_t cost[CDF_SCALES][CDF_MAX_VALUES + 1]; /* of each value and of the escape, in 1 / CDF_COST_UNIT bit */
} ScalarModel;

typedef struct ScalarCoder {
    TileCoder base;
    const ScalarModel *model;
    const RansKernels *kernels;
    PriorRun *prior;
    RansEncoder *encoder, *short_encoder; /* of eight lanes, and of one */
    int16_t *z;                           /* [H, ...] */
    uint8_t *z_table;
    PriorGuess guess[2]; /* [M, positions] of each pass, as k */
    int16_t *k[2];
    int32_t *anchors; /* [M, anchors] */
} ScalarCoder;

/* --- model ---------------------------------------------------------------------------------------------------------- */

_Static_assert(IMAGE_SCALE_TABLES == CDF_SCALES && 2 * (IMAGE_SCALE_WEIGHTS - 2) + 1 <= CDF_MAX_VALUES, "a table for each scale");

/* half: of the values 0 .. K, zeros, and of the escape. */
static void table_of_scale(CdfTable *table, const int16_t *half)
{
    int last = IMAGE_SCALE_WEIGHTS - 2;
    uint32_t weight[CDF_MAX_VALUES + 1];

    while (last > 0 && half[last] == 0)
        last--;
    for (int k = 0; k <= last; k++)
        weight[last + k] = weight[last - k] = (uint32_t)half[k];
    weight[2 * last + 1] = (uint32_t)half[IMAGE_SCALE_WEIGHTS - 1];
    cdf_from_weights(table, (int16_t)-last, 2 * last + 1, weight);
}

void tile_table(CdfTable *table, const IntegerPrior *prior, int i)
{
    const int c = i - CDF_SCALES;
    uint32_t weight[IMAGE_Z_SYMBOLS + 1];

    if (i > 0 && i < CDF_SCALES && prior->tables.scale) {
        table_of_scale(table, prior->tables.scale + i * IMAGE_SCALE_WEIGHTS);
        return;
    }
    if (i < CDF_SCALES) {
        cdf_grid(table, CDF_NORMAL, i);
        return;
    }
    for (int k = 0; k <= prior->tables.n[c]; k++)
        weight[k] = (uint32_t)prior->tables.weight[c * (IMAGE_Z_SYMBOLS + 1) + k];
    cdf_from_weights(table, prior->tables.lowest[c], prior->tables.n[c], weight);
}

int tile_table_count(const IntegerPrior *prior)
{
    return CDF_SCALES + (int)prior->layers[PRIOR_UP1].n_in;
}

static void fill_costs(ScalarModel *model)
{
    for (int i = 0; i < CDF_SCALES; i++) {
        CdfTable *table = &model->scale[i];

        tile_table(table, model->prior, i);
        for (int v = 0; v <= table->n_values && table->n_values > 0; v++)
            model->cost[i][v] = cdf_cost(table->freq[v]);
    }
}

/* --- coder ---------------------------------------------------------------------------------------------------------- */

static int64_t z_count(const ScalarModel *model, int64_t h, int64_t w)
{
    return model->hyper * ((h + 3) / 4) * ((w + 3) / 4);
}

static void destroy(TileCoder **base)
{
    ScalarCoder *old = (ScalarCoder *)*base;

    prior_run_destroy(&old->prior);
    rans_encoder_destroy(&old->encoder);
    rans_encoder_destroy(&old->short_encoder);
    mem_free(&old->z);
    mem_free(&old->z_table);
    mem_free(&old->anchors);
    for (int pass = 0; pass < 2; pass++) {
        mem_free(&old->guess[pass].mean);
        mem_free(&old->guess[pass].index);
        mem_free(&old->guess[pass].row);
        mem_free(&old->k[pass]);
    }
    mem_free(base);
}

static RsdStatus create(TileCoder **out, const TileModel *base, int64_t max_h, int64_t max_w, const Kernels *kernels, RsdError *err)
{
    const ScalarModel *model = (const ScalarModel *)base;
    ScalarCoder *coder = NULL;
    size_t n_z = (size_t)z_count(model, max_h, max_w), n = (size_t)(model->m * prior_positions(max_h, max_w, 0));
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(mem_calloc(&coder, 1, sizeof *coder, err));
    coder->base.kind = base->kind;
    coder->model = model;
    coder->kernels = kernels->rans;
    TRY(prior_run_create(&coder->prior, model->prior, max_h, max_w, kernels->integer, err));
    TRY(rans_encoder_create(&coder->encoder, model->base.tables, RANS_LANES, kernels->rans, err));
    TRY(rans_encoder_create(&coder->short_encoder, model->base.tables, 1, kernels->rans, err));
    TRY(mem_alloc(&coder->z, n_z, sizeof *coder->z, err));
    TRY(mem_alloc(&coder->z_table, n_z, 1, err));
    TRY(mem_alloc(&coder->anchors, n, sizeof *coder->anchors, err));
    for (int pass = 0; pass < 2; pass++) {
        TRY(mem_alloc(&coder->guess[pass].mean, n, sizeof *coder->guess[pass].mean, err));
        TRY(mem_alloc(&coder->guess[pass].index, n, 1, err));
        TRY(mem_alloc(&coder->guess[pass].row, n, 1, err));
        TRY(mem_alloc(&coder->k[pass], n, sizeof *coder->k[pass], err));
    }
    *out = &coder->base;
    return RSD_OK;
fail:
    tile_coder_destroy((TileCoder **)&coder);
    return status;
}

static void share(TileCoder *base, RsdThreads *threads)
{
    prior_run_share(((ScalarCoder *)base)->prior, threads);
}

static void name_z_tables(ScalarCoder *coder, int64_t n_z)
{
    int64_t plane = n_z / coder->model->hyper;

    for (int64_t c = 0; c < coder->model->hyper; c++)
        memset(coder->z_table + c * plane, (int)(CDF_SCALES + c), (size_t)plane);
}

static void take_anchors(ScalarCoder *coder, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        coder->anchors[i] = prior_latent(coder->k[0][i], coder->guess[0].mean[i], coder->guess[0].row[i]);
}

/* --- encoding ------------------------------------------------------------------------------------------------------- */

/* From planes [M, h, w] to the positions of a pass, one channel after the other: i_ counts, at_ is the place in a plane. */
#define FOR_PASS(h, w, pass, m)                                                                                        \
    for (int64_t c_ = 0, i_ = 0; c_ < (m); c_++)                                                                       \
        for (int64_t row_ = 0; row_ < (h); row_++)                                                                     \
            for (int64_t col_ = prior_first_column(row_, pass), at_ = (c_ * (h) + row_) * (w) + col_; col_ < (w);      \
                 col_ += 2, at_ += 2, i_++)

static int32_t cost_at(const ScalarModel *model, int index, int k)
{
    const CdfTable *table = &model->scale[index];
    int at = k - table->lowest;

    if (at >= 0 && at < table->n_values)
        return model->cost[index][at];
    at = k < 0 ? table->lowest - k : k + table->lowest; /* distance from the table, which is the same on both sides */
    return model->cost[index][table->n_values] + CDF_COST_UNIT * (2 * (31 - __builtin_clz((uint32_t)at)) + 2);
}

/* y, less its mean, in 1/1024 of a step. */
static int16_t choose(const ScalarModel *model, int index, int32_t y, int64_t strength, int64_t weight)
{
    int32_t half = TILE_FRACTION / 2, k = (y >= 0 ? y + half : y - half) / TILE_FRACTION, cost;

    if (index == 0)
        return 0;
    if (k > RANS_MAX_VALUE || k < -RANS_MAX_VALUE)
        k = k > 0 ? RANS_MAX_VALUE : -RANS_MAX_VALUE;
    cost = strength > 0 ? cost_at(model, index, k) : 0;
    while (k != 0 && strength > 0) {
        int32_t nearer = k > 0 ? k - 1 : k + 1, cheaper = cost_at(model, index, nearer);
        int64_t error = y - k * TILE_FRACTION, more = y - nearer * TILE_FRACTION;

        /* bits saved * strength > FINE_BALANCE / 16 * weight * squared steps, all in their units */
        if ((cost - cheaper) * strength * BALANCE_SCALE / TILE_STRENGTH_UNIT * TILE_WEIGHT_UNIT <=
            FINE_BALANCE * weight * (more * more - error * error))
            break;
        k = nearer;
        cost = cheaper;
    }
    return (int16_t)k;
}

/* What symbols cost in 1 / CDF_COST_UNIT bit, and how many there are. */
typedef struct Cost {
    int64_t sum, n_symbols;
} Cost;

/* From 1/1024 to 1/1024 of a step, the nearest, halves away from 0; within what can be coded. */
static int32_t in_steps(int32_t from_mean, int row)
{
    const int64_t step = prior_step(row), scaled = (int64_t)from_mean * PRIOR_STEP_UNIT, half = step / 2;
    const int64_t most = RANS_MAX_VALUE * (int64_t)TILE_FRACTION, steps = (scaled >= 0 ? scaled + half : scaled - half) / step;

    return row == 0 ? from_mean : (int32_t)(steps > most ? most : steps < -most ? -most : steps);
}

/* The weight of a squared step, from that of a squared 1. */
static int64_t step_weight(int64_t weight, int row)
{
    const int64_t step = prior_step(row);

    return weight * step * step / (PRIOR_STEP_UNIT * PRIOR_STEP_UNIT);
}

/* That of a latent of channel c at a place. */
static int64_t weight_at(const TileRounding *rounding, int64_t c, int64_t place, int row)
{
    const int64_t weight = (int64_t)rounding->weight[c] * rounding->place[place] / TILE_WEIGHT_UNIT;

    return step_weight(weight < TILE_MAX_WEIGHT ? weight : TILE_MAX_WEIGHT, row);
}

/* Fills k of a pass; `before` latents were coded before it. */
static void choose_all(ScalarCoder *coder, int pass, const TileRounding *rounding, int64_t before, const int32_t *y, int64_t h,
                       int64_t w, Cost *cost)
{
    const ScalarModel *model = coder->model;
    const PriorGuess *guess = &coder->guess[pass];

    FOR_PASS(h, w, pass, model->m)
    {
        int index = guess->index[i_], row = guess->row[i_], strength = rounding->strength + (before + i_ < rounding->from);

        coder->k[pass][i_] = choose(model, index, in_steps(y[at_] - guess->mean[i_] * (TILE_FRACTION / PRIOR_FRACTION), row), strength,
                                    rounding->weight ? weight_at(rounding, c_, at_ % (h * w), row) : TILE_WEIGHT_UNIT);
        if (index > 0) {
            cost->sum += cost_at(model, index, coder->k[pass][i_]);
            cost->n_symbols++;
        }
    }
}

static RsdStatus encode(TileCoder *base, int level, const TileRounding *rounding, const int16_t *z, const int32_t *y, int64_t h,
                      int64_t w, TileCode *code, RsdError *err)
{
    ScalarCoder *coder = (ScalarCoder *)base;
    int64_t n_z = z_count(coder->model, h, w);
    Cost cost = {0};
    size_t n[2] = {(size_t)(coder->model->m * prior_positions(h, w, 0)),
                   (size_t)(coder->model->m * prior_positions(h, w, 1))};
    RansEncoder *encoder;
    RsdStatus status = RSD_OK;

    assert(rounding->strength >= 0 && rounding->strength <= TILE_MAX_STRENGTH);
    prior_run_begin(coder->prior, level, z, h, w);
    prior_run_anchors(coder->prior, &coder->guess[0]);
    choose_all(coder, 0, rounding, 0, y, h, w, &cost);
    take_anchors(coder, (int64_t)n[0]);
    prior_run_others(coder->prior, coder->anchors, &coder->guess[1]);
    choose_all(coder, 1, rounding, (int64_t)n[0], y, h, w, &cost);
    code->n_lanes =
        cost.sum <= 8 * CDF_COST_UNIT * RANS_ONE_LANE_MAX_SIZE && cost.n_symbols <= RANS_ONE_LANE_MAX_SYMBOLS ? 1 : RANS_LANES;
    encoder = code->n_lanes == 1 ? coder->short_encoder : coder->encoder;
    rans_encoder_reset(encoder);
    name_z_tables(coder, n_z);
    TRY(rans_encoder_put(encoder, coder->z_table, z, (size_t)n_z, err));
    for (int pass = 0; pass < 2; pass++)
        TRY(rans_encoder_put(encoder, coder->guess[pass].index, coder->k[pass], n[pass], err));
    TRY(rans_encoder_finish(encoder, NULL, &code->data, &code->size, err));
fail:
    return status;
}

/* Of the last encode. */
static void count(const TileCoder *base, int64_t h, int64_t w, ScaleCounts *counts)
{
    const ScalarCoder *coder = (const ScalarCoder *)base;

    for (int pass = 0; pass < 2; pass++)
        for (int64_t i = 0; i < coder->model->m * prior_positions(h, w, pass); i++)
            scale_counts_add(counts, coder->guess[pass].index[i], coder->k[pass][i]);
}

/* --- decoding ------------------------------------------------------------------------------------------------------- */

/* Both passes, which take turns in each row, to planes. */
static void place(const ScalarCoder *coder, int64_t h, int64_t w, int32_t *y)
{
    int64_t at[2] = {0, 0};

    for (int64_t c = 0; c < coder->model->m; c++)
        for (int64_t row = 0; row < h; row++, y += w)
            for (int pass = 0; pass < 2; pass++) {
                const PriorGuess *guess = &coder->guess[pass];
                int64_t i = at[pass];

                for (int64_t col = prior_first_column(row, pass); col < w; col += 2, i++)
                    y[col] = prior_latent(coder->k[pass][i], guess->mean[i], guess->row[i]);
                at[pass] = i;
            }
}

static void steps(const TileCoder *base, int64_t h, int64_t w, int32_t *step)
{
    const ScalarCoder *coder = (const ScalarCoder *)base;

    for (int pass = 0; pass < 2; pass++)
        FOR_PASS(h, w, pass, coder->model->m)
            step[at_] = prior_step(coder->guess[pass].row[i_]);
}

static void encoded(const TileCoder *base, int64_t h, int64_t w, int32_t *y)
{
    place((const ScalarCoder *)base, h, w, y);
}

static RsdStatus decode(TileCoder *base, int level, const TileCode *code, int64_t h, int64_t w, int32_t *y,
                      RsdError *err)
{
    ScalarCoder *coder = (ScalarCoder *)base;
    const ScalarModel *model = coder->model;
    int64_t n_z = z_count(model, h, w),
            n[2] = {model->m * prior_positions(h, w, 0), model->m * prior_positions(h, w, 1)};
    RansDecoder decoder;
    RsdStatus status = RSD_OK;

    TRY(rans_decoder_open(&decoder, model->base.tables, code->n_lanes, coder->kernels, code->data, code->size, err));
    name_z_tables(coder, n_z);
    TRY(rans_decoder_get(&decoder, coder->z_table, coder->z, (size_t)n_z, err));
    for (int64_t i = 0; i < n_z; i++)
        CHECK(coder->z[i] >= -IMAGE_Z_LIMIT && coder->z[i] <= IMAGE_Z_LIMIT, err, RSD_ERR_CORRUPT,
              "hyper latent %lld is %d, expected -%d to %d", (long long)i, coder->z[i], IMAGE_Z_LIMIT, IMAGE_Z_LIMIT);
    prior_run_begin(coder->prior, level, coder->z, h, w);
    prior_run_anchors(coder->prior, &coder->guess[0]);
    TRY(rans_decoder_get(&decoder, coder->guess[0].index, coder->k[0], (size_t)n[0], err));
    take_anchors(coder, n[0]);
    prior_run_others(coder->prior, coder->anchors, &coder->guess[1]);
    TRY(rans_decoder_get(&decoder, coder->guess[1].index, coder->k[1], (size_t)n[1], err));
    TRY(rans_decoder_finish(&decoder, NULL, err));
    place(coder, h, w, y);
fail:
    return status;
}

/* A run of which the end may be missing, zeros where it is. True when all of it is there. */
static bool get_part(RansDecoder *decoder, const uint8_t *table, int16_t *value, int64_t n)
{
    size_t n_escaped;

    memset(value, 0, (size_t)n * sizeof *value);
    return rans_decoder_get_part(decoder, table, value, (size_t)n, &n_escaped) == (size_t)n && n_escaped == 0;
}

static bool z_is_possible(const ScalarCoder *coder, int64_t n_z)
{
    for (int64_t i = 0; i < n_z; i++)
        if (coder->z[i] < -IMAGE_Z_LIMIT || coder->z[i] > IMAGE_Z_LIMIT)
            return false;
    return true;
}

/* The tables of a run follow from the runs before it, all of them: behind a run that is not complete nothing can be read. */
static void decode_part(TileCoder *base, int level, const TileCode *code, int64_t h, int64_t w, int32_t *y)
{
    ScalarCoder *coder = (ScalarCoder *)base;
    const int64_t m = coder->model->m, n_z = z_count(coder->model, h, w);
    RansDecoder decoder;
    bool is_whole = code->size > 0 && rans_decoder_open(&decoder, coder->model->base.tables, code->n_lanes, coder->kernels, code->data,
                                                        code->size, NULL) == RSD_OK;

    name_z_tables(coder, n_z);
    is_whole = is_whole && get_part(&decoder, coder->z_table, coder->z, n_z) && z_is_possible(coder, n_z);
    if (!is_whole)
        memset(coder->z, 0, (size_t)n_z * sizeof *coder->z);
    prior_run_begin(coder->prior, level, coder->z, h, w);
    for (int pass = 0; pass < 2; pass++) {
        const int64_t n = m * prior_positions(h, w, pass);

        if (pass == 0)
            prior_run_anchors(coder->prior, &coder->guess[0]);
        else
            prior_run_others(coder->prior, coder->anchors, &coder->guess[1]);
        if (is_whole)
            is_whole = get_part(&decoder, coder->guess[pass].index, coder->k[pass], n);
        else
            memset(coder->k[pass], 0, (size_t)n * sizeof *coder->k[pass]);
        if (pass == 0)
            take_anchors(coder, n);
    }
    place(coder, h, w, y);
}

/* --- the kind ------------------------------------------------------------------------------------------------------- */

static const TileKind SCALAR_KIND = {.create = create,
                                     .destroy = destroy,
                                     .share = share,
                                     .encode = encode,
                                     .encoded = encoded,
                                     .steps = steps,
                                     .count = count,
                                     .decode = decode,
                                     .decode_part = decode_part};

RsdStatus tile_model_create(TileModel **out, const IntegerPrior *prior, RsdError *err)
{
    ScalarModel *model = NULL;
    CdfTable *tables = NULL;
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(mem_calloc(&model, 1, sizeof *model, err));
    model->base.kind = &SCALAR_KIND;
    model->prior = prior;
    model->m = prior->layers[PRIOR_PSI].n_out;
    model->hyper = prior->layers[PRIOR_UP1].n_in;
    CHECK(model->hyper <= MAX_Z_CHANNELS, err, RSD_ERR_UNSUPPORTED,
          "%lld channels of z; pictures are coded with at most %d", (long long)model->hyper, MAX_Z_CHANNELS);
    fill_costs(model);
    TRY(mem_calloc(&tables, (size_t)tile_table_count(prior), sizeof *tables, err));
    for (int i = 0; i < tile_table_count(prior); i++)
        tile_table(&tables[i], prior, i);
    TRY(rans_tables_create(&model->base.tables, tables, tile_table_count(prior), err));
    *out = &model->base;
    model = NULL;
fail:
    mem_free(&tables);
    tile_model_destroy((TileModel **)&model);
    return status;
}
