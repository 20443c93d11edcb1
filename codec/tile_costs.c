/* tile_costs.c - see tile_costs.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "codec/tile_costs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "codec/tile_coder.h"
#include "engine/base/mem.h"

#define FARTHEST 255 /* values that have a place; beyond it an escape grows by a bit for each doubling, and hardly at all */
#define N_VALUES (2 * FARTHEST + 1)

static float bits_of(uint32_t freq)
{
    return (float)log2((double)CDF_TOTAL / freq);
}

/* Of value k by a table that has values. */
static float cost_of(const CdfTable *table, int k)
{
    const int above = k - (table->lowest + table->n_values - 1), below = table->lowest - k, away = above > below ? above : below;

    if (away <= 0)
        return bits_of(table->freq[k - table->lowest]);
    return bits_of(table->freq[table->n_values]) + 2.0f * floorf(log2f((float)away)) + 2.0f;
}

RsdStatus tile_costs_init(TileCosts *costs, const IntegerPrior *prior, RsdError *err)
{
    const int n = tile_table_count(prior);
    RsdStatus status = RSD_OK;

    *costs = (TileCosts){0};
    TRY(mem_alloc(&costs->costs, (size_t)n * N_VALUES, sizeof *costs->costs, err));
    for (int i = 1; i < n; i++) {
        float *row = costs->costs + i * N_VALUES;
        CdfTable table;

        tile_table(&table, prior, i);
        for (int k = -FARTHEST; k <= FARTHEST; k++)
            row[k + FARTHEST] = cost_of(&table, k);
    }
    memcpy(costs->costs, costs->costs + N_VALUES, N_VALUES * sizeof *costs->costs);
    costs->costs[FARTHEST] = 0.0f;
    costs->table = (BitsTable){.cost = costs->costs, .n_rows = n, .n_values = N_VALUES, .lowest = -FARTHEST};
fail:
    return status;
}

void tile_costs_clear(TileCosts *costs)
{
    mem_free(&costs->costs);
}
