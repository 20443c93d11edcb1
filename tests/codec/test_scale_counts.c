/* test_scale_counts.c - tables of what was coded: their numbers, and that a coder needs fewer bytes with them.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "codec/cdf.h"
#include "engine/base/rng.h"
#include "tests/codec/tile_cases.h"
#include "tests/shared.h"

#define ESCAPE (IMAGE_SCALE_WEIGHTS - 1)
#define ROW 20

static ScaleCounts counts;
static int16_t weights[IMAGE_SCALE_TABLES * IMAGE_SCALE_WEIGHTS];

static void count_times(int k, int times)
{
    for (int i = 0; i < times; i++)
        scale_counts_add(&counts, ROW, k);
}

static void to_table(CdfTable *table, int row)
{
    IntegerPrior prior = {.tables = {.scale = weights}};

    scale_counts_to_weights(&counts, weights);
    tile_table(table, &prior, row);
}

/* Bits of a value of one distribution by the table of another. */
static double bits_by(const CdfTable *values, const CdfTable *table)
{
    double bits = 0.0;

    for (int k = 0; k <= values->n_values; k++)
        bits += (double)values->freq[k] / CDF_TOTAL * log2((double)CDF_TOTAL / table->freq[k]);
    return bits;
}

Test(scale_counts, without_counts_tables_are_as_good_as_those_of_the_normal_distribution)
{
    memset(&counts, 0, sizeof counts);
    for (int i = 1; i < IMAGE_SCALE_TABLES; i++) {
        CdfTable normal, table;

        cdf_grid(&normal, CDF_NORMAL, i);
        to_table(&table, i);
        cr_assert(table.n_values == normal.n_values && table.lowest == normal.lowest, "scale %d", i);
        cr_assert_lt(bits_by(&normal, &table), 1.0005 * bits_by(&normal, &normal) + 1e-4, "scale %d: %g bits, expected %g", i, bits_by(&normal, &table),
                     bits_by(&normal, &normal));
    }
    cr_assert(weights[0] == 0 && weights[ESCAPE] == 0, "scale 0 is not coded");
}

Test(scale_counts, many_counts_are_the_shares_of_both_signs)
{
    CdfTable table;

    memset(&counts, 0, sizeof counts);
    count_times(0, 8000000);
    count_times(1, 1000000);
    count_times(-1, 500000);
    count_times(2, 250000);
    count_times(-100, 250000); /* no place in this table */
    to_table(&table, ROW);
    cr_assert_lt(-table.lowest, 100);
    cr_assert_leq(abs(table.freq[-table.lowest] - 13107), 16, "%d", table.freq[-table.lowest]);      /* 0: 80 % */
    cr_assert_leq(abs(table.freq[-table.lowest + 1] - 1229), 4, "%d", table.freq[-table.lowest + 1]); /* 1: half of 15 % */
    cr_assert_eq(table.freq[-table.lowest - 1], table.freq[-table.lowest + 1]);
    cr_assert_leq(abs(table.freq[table.n_values] - 410), 4, "%d", table.freq[table.n_values]); /* the escape: 2.5 % */
}

Test(scale_counts, every_size_has_its_count)
{
    memset(&counts, 0, sizeof counts);
    scale_counts_add(&counts, 3, 0);
    scale_counts_add(&counts, 3, -127);
    scale_counts_add(&counts, 3, 128);
    scale_counts_add(&counts, 3, -32768);
    cr_assert(counts.n[3][0] == 1 && counts.n[3][127] == 1 && counts.n[3][ESCAPE] == 2);
}

/* A tile that an encoder rounds towards 0. */
#define H 16
#define W 24
#define M 12
static size_t encode_tile(const IntegerPrior *prior, ScaleCounts *made)
{
    static int32_t y[M * H * W], decoded[M * H * W], again[M * H * W];
    int16_t z[5 * (H / 4) * (W / 4)];
    const TileRounding rounding = {.strength = 2 * TILE_STRENGTH_UNIT};
    Rng rng = rng_at(37, RNG_TEST, 0, 0);
    TileModel *model;
    TileCoder *coder;
    TileCode code;
    size_t size;
    RsdError err;

    for (int i = 0; i < M * H * W; i++)
        y[i] = (int32_t)rng_below(&rng, 8001) - 4000;
    for (size_t i = 0; i < sizeof z / sizeof z[0]; i++)
        z[i] = (int16_t)((int)rng_below(&rng, 7) - 3);
    ASSERT_OK(tile_model_create(&model, prior, &err), err);
    ASSERT_OK(tile_coder_create(&coder, model, H, W, kernels_pick(), &err), err);
    ASSERT_OK(tile_encode(coder, 40, &rounding, z, y, H, W, &code, &err), err);
    size = code.size;
    tile_encoded(coder, H, W, decoded);
    if (made)
        tile_count(coder, H, W, made);
    ASSERT_OK(tile_decode(coder, 40, &code, H, W, again, &err), err);
    cr_assert_arr_eq(decoded, again, sizeof decoded);
    tile_coder_destroy(&coder);
    tile_model_destroy(&model);
    return size;
}

Test(scale_counts, a_coder_needs_fewer_bytes_with_its_own_tables)
{
    IntegerPrior *prior = tile_case_prior(2);
    int64_t n = 0;
    size_t before, after;

    memset(&counts, 0, sizeof counts);
    before = encode_tile(prior, &counts);
    for (int i = 0; i < IMAGE_SCALE_TABLES; i++)
        for (int k = 0; k < IMAGE_SCALE_WEIGHTS; k++)
            n += counts.n[i][k];
    cr_assert_eq(n, M * H * W);
    scale_counts_to_weights(&counts, weights);
    prior->tables.scale = weights;
    after = encode_tile(prior, NULL);
    cr_assert_lt(after, before - before / 50, "%zu bytes with tables of its own, %zu without", after, before);
    prior->tables.scale = NULL;
    tile_case_prior_destroy(&prior);
}
