/* tile_rvq.c - tiles of a residual quantiser: indices of codes, stage by stage, bit by bit.
 *
 *   payload    sizes of all streams but the last, 3 bytes each | stream of stage 0 | stream of stage 1 | ...
 *
 * A stream holds one stage; without the last streams a tile is one of a lower level (codec/picture_cut.c). In a stage anchors come
 * before the other positions, and in each of these two passes the highest bits of all positions, then the next ones: a bit's table is
 * that of the node of the tree that the bits before it lead to (models/stage_prior.h).
 *
 * The encoder takes for each position, stage after stage, the code nearest to what is left over; with a strength, the one whose squared
 * error and bits together weigh least. A bit weighs what it would be worth if errors fell by the rule of fine quantisers: 2 ln 2 / D
 * of the error that is left after the stage, on average.
 *
 * There is no floating-point number in this file, and a test looks for one.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <string.h>

#include "codec/tile_kind.h"
#include "codec/tile_stages.h"
#include "engine/base/mem.h"

#define MOST_LEFT 32767 /* of what is left over in one dimension, in 1/64 */
#define PRICE_UNIT 1024 /* squared errors in 1/64 times this */

typedef struct RvqModel {
    TileModel base; /* first, as in the coder */
    const StagePrior *prior;
    uint16_t cost[CDF_BITS][2]; /* of a bit, in 1 / CDF_COST_UNIT bit */
    int n_bits;                 /* of an index */
} RvqModel;

typedef struct RvqCoder {
    TileCoder base;
    const RvqModel *model;
    const RansKernels *kernels;
    StageRun *run;
    RansEncoder *encoder;
    int32_t *sum;    /* [D, h, w]: codes so far */
    int16_t *own;    /* [D, h, w]: codes of the stage at work */
    uint8_t *table;  /* [K - 1, positions of a pass] */
    int32_t *place;  /* of the positions of a pass that are coded: in a plane */
    int32_t *column; /* and in `table` */
    uint16_t *node;  /* where each of them is in the tree; in the end K + index */
    uint8_t *bit_table; /* of one run of bits */
    int16_t *bit;
    int64_t *distance; /* [K] */
    int32_t *way_cost; /* [2 K]: of the bits that lead to a node */
    uint8_t *bytes;    /* of a payload */
    size_t capacity;
} RvqCoder;

/* --- life ----------------------------------------------------------------------------------------------------------- */

static void destroy(TileCoder **base)
{
    RvqCoder *old = (RvqCoder *)*base;

    stage_run_destroy(&old->run);
    rans_encoder_destroy(&old->encoder);
    mem_free(&old->sum);
    mem_free(&old->own);
    mem_free(&old->table);
    mem_free(&old->place);
    mem_free(&old->column);
    mem_free(&old->node);
    mem_free(&old->bit_table);
    mem_free(&old->bit);
    mem_free(&old->distance);
    mem_free(&old->way_cost);
    mem_free(&old->bytes);
    mem_free(base);
}

static RsdStatus create(TileCoder **out, const TileModel *base, int64_t max_h, int64_t max_w, const Kernels *kernels, RsdError *err)
{
    const RvqModel *model = (const RvqModel *)base;
    const size_t area = (size_t)(max_h * max_w), n = (size_t)prior_positions(max_h, max_w, 0);
    const size_t dim = (size_t)model->prior->dim, n_codes = (size_t)model->prior->n_codes;
    RvqCoder *coder = NULL;
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(mem_calloc(&coder, 1, sizeof *coder, err));
    coder->base.kind = base->kind;
    coder->model = model;
    coder->kernels = kernels->rans;
    TRY(stage_run_create(&coder->run, model->prior, max_h, max_w, kernels->integer, err));
    /* One lane: there are few symbols, and eight lanes would cost 28 bytes for each stage. */
    TRY(rans_encoder_create(&coder->encoder, model->base.tables, 1, kernels->rans, err));
    TRY(mem_alloc(&coder->sum, dim * area, sizeof *coder->sum, err));
    TRY(mem_alloc(&coder->own, dim * area, sizeof *coder->own, err));
    TRY(mem_alloc(&coder->table, (n_codes - 1) * n, 1, err));
    TRY(mem_alloc(&coder->place, n, sizeof *coder->place, err));
    TRY(mem_alloc(&coder->column, n, sizeof *coder->column, err));
    TRY(mem_alloc(&coder->node, n, sizeof *coder->node, err));
    TRY(mem_alloc(&coder->bit_table, n, 1, err));
    TRY(mem_alloc(&coder->bit, n, sizeof *coder->bit, err));
    TRY(mem_alloc(&coder->distance, n_codes, sizeof *coder->distance, err));
    TRY(mem_alloc(&coder->way_cost, 2 * n_codes, sizeof *coder->way_cost, err));
    *out = &coder->base;
    return RSD_OK;
fail:
    tile_coder_destroy((TileCoder **)&coder);
    return status;
}

/* --- a pass of a stage ---------------------------------------------------------------------------------------------- */

typedef struct Pass {
    int stage, pass;
    int64_t h, w, n_all, n; /* positions of the pass, and those that are coded */
} Pass;

static void begin(RvqCoder *coder, int64_t h, int64_t w)
{
    memset(coder->sum, 0, (size_t)(coder->model->prior->dim * h * w) * sizeof *coder->sum);
}

static void begin_stage(RvqCoder *coder, int64_t h, int64_t w)
{
    memset(coder->own, 0, (size_t)(coder->model->prior->dim * h * w) * sizeof *coder->own);
}

/* Which positions are coded, and their tables; all are at the root. */
static Pass begin_pass(RvqCoder *coder, int level, int stage, int pass, int64_t h, int64_t w)
{
    Pass p = {stage, pass, h, w, 0, 0};

    for (int64_t row = 0; row < h; row++)
        for (int64_t col = prior_first_column(row, pass); col < w; col += 2, p.n_all++)
            if (image_stage_is_coded(level, stage, row, col)) {
                coder->place[p.n] = (int32_t)(row * w + col);
                coder->column[p.n] = (int32_t)p.n_all;
                coder->node[p.n++] = 1;
            }
    if (p.n > 0)
        stage_run_tables(coder->run, stage, pass, coder->sum, coder->own, h, w, coder->table);
    return p;
}

/* The codes that were found go where the others, and later stages, see them. */
static void end_pass(RvqCoder *coder, const Pass *p)
{
    const StagePrior *prior = coder->model->prior;

    for (int64_t i = 0; i < p->n; i++) {
        const int16_t *code = prior->codes[p->stage] + (int64_t)(coder->node[i] - prior->n_codes) * prior->dim;

        for (int64_t d = 0; d < prior->dim; d++)
            coder->own[d * p->h * p->w + coder->place[i]] = code[d];
    }
}

static void end_stage(RvqCoder *coder, int64_t h, int64_t w)
{
    for (int64_t i = 0; i < coder->model->prior->dim * h * w; i++)
        coder->sum[i] += coder->own[i];
}

static uint8_t table_at(const RvqCoder *coder, const Pass *p, int64_t i, int node)
{
    return coder->table[(node - 1) * p->n_all + coder->column[i]];
}

/* --- encoding ------------------------------------------------------------------------------------------------------- */

/* Squared distances of what is left at a position to all codes; returns the least. */
static int64_t measure(RvqCoder *coder, const Pass *p, const int32_t *y, int64_t i)
{
    const StagePrior *prior = coder->model->prior;
    const int16_t *code = prior->codes[p->stage];
    int32_t left[RVQ_MAX_DIM];
    int64_t least = INT64_MAX;

    for (int64_t d = 0; d < prior->dim; d++) {
        const int64_t at = d * p->h * p->w + coder->place[i];
        const int32_t unit = TILE_FRACTION / PRIOR_FRACTION;
        const int32_t v = (y[at] >= 0 ? y[at] + unit / 2 : y[at] - unit / 2) / unit - coder->sum[at];

        left[d] = v < -MOST_LEFT ? -MOST_LEFT : v > MOST_LEFT ? MOST_LEFT : v;
    }
    for (int k = 0; k < prior->n_codes; k++) {
        int64_t sum = 0;

        for (int64_t d = 0; d < prior->dim; d++, code++)
            sum += (int64_t)(left[d] - *code) * (left[d] - *code);
        coder->distance[k] = sum;
        if (sum < least)
            least = sum;
    }
    return least;
}

/* The mean over the pass of the least squared distance. */
static int64_t mean_error(RvqCoder *coder, const Pass *p, const int32_t *y)
{
    int64_t sum = 0;

    for (int64_t i = 0; i < p->n; i++)
        sum += measure(coder, p, y, i);
    return p->n > 0 ? sum / p->n : 0;
}

static void sum_costs(RvqCoder *coder, const Pass *p, int64_t i)
{
    int32_t *cost = coder->way_cost;

    cost[1] = 0;
    for (int node = 1; node < coder->model->prior->n_codes; node++) {
        const uint16_t *bit = coder->model->cost[table_at(coder, p, i, node)];

        cost[2 * node] = cost[node] + bit[0];
        cost[2 * node + 1] = cost[node] + bit[1];
    }
}

/* price: of 1 / CDF_COST_UNIT bit, in 1 / PRICE_UNIT of a squared distance. */
static void choose(RvqCoder *coder, const Pass *p, const int32_t *y, int64_t i, int64_t price)
{
    const int n_codes = coder->model->prior->n_codes;
    int64_t best = INT64_MAX;

    measure(coder, p, y, i);
    if (price > 0)
        sum_costs(coder, p, i);
    for (int k = 0; k < n_codes; k++) {
        const int64_t value = coder->distance[k] * PRICE_UNIT + (price > 0 ? price * coder->way_cost[n_codes + k] : 0);

        if (value < best) {
            best = value;
            coder->node[i] = (uint16_t)(n_codes + k);
        }
    }
}

/* 89 / 64 is 2 ln 2. */
static int64_t price_of(const RvqCoder *coder, int strength, int64_t error)
{
    return error * strength / TILE_STRENGTH_UNIT * 89 * PRICE_UNIT / (64 * CDF_COST_UNIT * (int64_t)coder->model->prior->dim);
}

static RsdStatus put_bits(RvqCoder *coder, const Pass *p, RsdError *err)
{
    RsdStatus status = RSD_OK;

    for (int left = coder->model->n_bits - 1; left >= 0; left--) {
        for (int64_t i = 0; i < p->n; i++) {
            coder->bit_table[i] = table_at(coder, p, i, coder->node[i] >> (left + 1));
            coder->bit[i] = (int16_t)(coder->node[i] >> left & 1);
        }
        TRY(rans_encoder_put(coder->encoder, coder->bit_table, coder->bit, (size_t)p->n, err));
    }
fail:
    return status;
}

static RsdStatus add_stream(RvqCoder *coder, const uint8_t *data, size_t size, size_t *used, RsdError *err)
{
    RsdStatus status = RSD_OK;

    if (*used + size > coder->capacity) {
        TRY(mem_resize(&coder->bytes, coder->capacity, 2 * (*used + size), 1, err));
        coder->capacity = 2 * (*used + size);
    }
    if (size > 0) /* there may be no bytes yet */
        memcpy(coder->bytes + *used, data, size);
    *used += size;
fail:
    return status;
}

/* Of all positions that a level codes, those before the one at work get one more of strength (TileRounding.from): it counts latents, of
 * which there are M h w however many stages there are. */
typedef struct Progress {
    int64_t n_done, n_all;
} Progress;

static int64_t count_all(int level, int64_t h, int64_t w)
{
    int64_t n = 0;

    for (int stage = 0; stage < image_codec_stages(level); stage++)
        for (int64_t row = 0; row < h; row++)
            for (int64_t col = 0; col < w; col++)
                n += image_stage_is_coded(level, stage, row, col);
    return n;
}

static void choose_all(RvqCoder *coder, const Pass *p, const TileRounding *rounding, const int32_t *y, Progress *progress)
{
    const int64_t error = rounding->strength > 0 || rounding->from > 0 ? mean_error(coder, p, y) : 0;
    const int64_t n_latents = coder->model->prior->dim * p->h * p->w;

    for (int64_t i = 0; i < p->n; i++, progress->n_done++)
        choose(coder, p, y, i,
               price_of(coder, rounding->strength + (progress->n_done * n_latents < rounding->from * progress->n_all), error));
}

static RsdStatus encode(TileCoder *base, int level, const TileRounding *rounding, const int16_t *z, const int32_t *y, int64_t h, int64_t w,
                        TileCode *code, RsdError *err)
{
    RvqCoder *coder = (RvqCoder *)base;
    const int n_stages = image_codec_stages(level);
    Progress progress = {0, count_all(level, h, w)};
    size_t used = 0;
    RsdStatus status = RSD_OK;

    (void)z;
    assert(rounding->strength >= 0 && rounding->strength <= TILE_MAX_STRENGTH && n_stages <= coder->model->prior->n_stages);
    begin(coder, h, w);
    TRY(add_stream(coder, (const uint8_t[TILE_STAGE_SIZE * IMAGE_MAX_STAGES]){0}, (size_t)(TILE_STAGE_SIZE * (n_stages - 1)), &used, err));
    for (int stage = 0; stage < n_stages; stage++) {
        const uint8_t *data;
        size_t size;

        begin_stage(coder, h, w);
        rans_encoder_reset(coder->encoder);
        for (int pass = 0; pass < 2; pass++) {
            const Pass p = begin_pass(coder, level, stage, pass, h, w);

            choose_all(coder, &p, rounding, y, &progress);
            TRY(put_bits(coder, &p, err));
            end_pass(coder, &p);
        }
        end_stage(coder, h, w);
        TRY(rans_encoder_finish(coder->encoder, NULL, &data, &size, err));
        TRY(add_stream(coder, data, size, &used, err));
        if (stage + 1 < n_stages)
            tile_stage_put_size(coder->bytes, stage, size);
    }
    *code = (TileCode){coder->bytes, used, 1};
fail:
    return status;
}

static void encoded(const TileCoder *base, int64_t h, int64_t w, int32_t *y)
{
    const RvqCoder *coder = (const RvqCoder *)base;

    memcpy(y, coder->sum, (size_t)(coder->model->prior->dim * h * w) * sizeof *y);
}

/* --- decoding ------------------------------------------------------------------------------------------------------- */

static RsdStatus get_bits(RvqCoder *coder, const Pass *p, RansDecoder *decoder, RsdError *err)
{
    RsdStatus status = RSD_OK;

    for (int k = 0; k < coder->model->n_bits; k++) {
        for (int64_t i = 0; i < p->n; i++)
            coder->bit_table[i] = table_at(coder, p, i, coder->node[i]);
        TRY(rans_decoder_get(decoder, coder->bit_table, coder->bit, (size_t)p->n, err));
        for (int64_t i = 0; i < p->n; i++) {
            CHECK(coder->bit[i] == 0 || coder->bit[i] == 1, err, RSD_ERR_CORRUPT, "stage %d: a bit is %d", p->stage + 1, coder->bit[i]);
            coder->node[i] = (uint16_t)(2 * coder->node[i] + coder->bit[i]);
        }
    }
fail:
    return status;
}

static RsdStatus decode_stage(RvqCoder *coder, int level, int stage, const uint8_t *data, size_t size, int n_lanes, int64_t h, int64_t w,
                              RsdError *err)
{
    RansDecoder decoder;
    RsdStatus status = RSD_OK;

    TRY(rans_decoder_open(&decoder, coder->model->base.tables, n_lanes, coder->kernels, data, size, err));
    begin_stage(coder, h, w);
    for (int pass = 0; pass < 2; pass++) {
        const Pass p = begin_pass(coder, level, stage, pass, h, w);

        TRY(get_bits(coder, &p, &decoder, err));
        end_pass(coder, &p);
    }
    TRY(rans_decoder_finish(&decoder, NULL, err));
    end_stage(coder, h, w);
fail:
    return status;
}

static RsdStatus decode(TileCoder *base, int level, const TileCode *code, int64_t h, int64_t w, int32_t *y, RsdError *err)
{
    RvqCoder *coder = (RvqCoder *)base;
    TileStages stages;
    RsdStatus status = RSD_OK;

    CHECK(image_codec_stages(level) <= coder->model->prior->n_stages, err, RSD_ERR_CORRUPT, "level %d/16 needs %d stages; the model has %d",
          level, image_codec_stages(level), coder->model->prior->n_stages);
    TRY(tile_stages_find(&stages, level, code->data, code->size, err));
    begin(coder, h, w);
    for (int stage = 0; stage < stages.n; stage++)
        TRY(decode_stage(coder, level, stage, stages.data[stage], stages.size[stage], code->n_lanes, h, w, err));
    encoded(base, h, w, y);
fail:
    return status;
}

/* The most likely bits of the first stage. */
static void guess(RvqCoder *coder, int64_t h, int64_t w)
{
    begin(coder, h, w);
    begin_stage(coder, h, w);
    for (int pass = 0; pass < 2; pass++) {
        const Pass p = begin_pass(coder, 0, 0, pass, h, w);

        for (int64_t i = 0; i < p.n; i++)
            for (int k = 0; k < coder->model->n_bits; k++)
                coder->node[i] = (uint16_t)(2 * coder->node[i] + (table_at(coder, &p, i, coder->node[i]) >= CDF_BITS / 2));
        end_pass(coder, &p);
    }
    end_stage(coder, h, w);
}

/* The stages that are there are the tile at a lower level. */
static void decode_part(TileCoder *base, int level, const TileCode *code, int64_t h, int64_t w, int32_t *y)
{
    RvqCoder *coder = (RvqCoder *)base;
    TileStages stages;
    int n = 0;

    begin(coder, h, w);
    tile_stages_find_whole(&stages, level, code->data, code->size);
    while (n < stages.n && n < coder->model->prior->n_stages &&
           decode_stage(coder, level, n, stages.data[n], stages.size[n], code->n_lanes, h, w, NULL) == RSD_OK)
        n++;
    if (n == 0)
        guess(coder, h, w);
    encoded(base, h, w, y);
}

/* --- the kind ------------------------------------------------------------------------------------------------------- */

static const TileKind RVQ_KIND = {.create = create,
                                  .destroy = destroy,
                                  .encode = encode,
                                  .encoded = encoded,
                                  .decode = decode,
                                  .decode_part = decode_part};

RsdStatus tile_model_create_rvq(TileModel **out, const StagePrior *prior, RsdError *err)
{
    RvqModel *model = NULL;
    CdfTable *tables = NULL;
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(mem_calloc(&model, 1, sizeof *model, err));
    model->base.kind = &RVQ_KIND;
    model->prior = prior;
    while (1 << model->n_bits < prior->n_codes)
        model->n_bits++;
    TRY(mem_calloc(&tables, CDF_BITS, sizeof *tables, err));
    for (int i = 0; i < CDF_BITS; i++) {
        cdf_bit(&tables[i], i);
        for (int bit = 0; bit < 2; bit++)
            model->cost[i][bit] = cdf_cost(tables[i].freq[bit]);
    }
    TRY(rans_tables_create(&model->base.tables, tables, CDF_BITS, err));
    *out = &model->base;
    model = NULL;
fail:
    mem_free(&tables);
    tile_model_destroy((TileModel **)&model);
    return status;
}
