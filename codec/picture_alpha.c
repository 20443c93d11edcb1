/* picture_alpha.c - bytes predicted by the median of left, above and their plane, residuals by a Laplace scale for each context.
 *
 *   payload   8 scales of the upper bytes | 16 bits: 8 scales of the lower bytes | stream: the rows of the upper, of the lower bytes
 *
 * The context of a byte is how much the row above changes around it: 0 for not at all, else floor(log2(sum of steps + 1)), at
 * most 7. Above the first row everything is 255, left of a row what is above.
 *
 * SPDX-License-Identifier: MIT
 */
#include "codec/picture_alpha.h"

#include <string.h>

#include "engine/base/mem.h"

#define CONTEXTS 8
#define VALUES 256 /* residuals -128 .. 127 */
#define LOWEST (-128)

struct AlphaCoder {
    RansTables *tables;
    const RansKernels *kernels;
    RansEncoder *encoder, *short_encoder;
    CdfTable scale[CDF_SCALES];
    uint8_t *bytes, *table; /* [2, 1 + h, w], the first row of bytes is 255 */
    int16_t *residual;      /* the same shape */
    uint8_t *payload;
    size_t max_payload;
};

RsdStatus alpha_coder_create(AlphaCoder **out, int64_t max_h, int64_t max_w, const RansKernels *kernels, RsdError *err)
{
    AlphaCoder *coder = NULL;
    size_t n = 2 * (size_t)((max_h + 1) * max_w);
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(mem_calloc(&coder, 1, sizeof *coder, err));
    coder->kernels = kernels;
    for (int i = 0; i < CDF_SCALES; i++)
        cdf_grid(&coder->scale[i], CDF_LAPLACE, i);
    TRY(rans_tables_create(&coder->tables, coder->scale, CDF_SCALES, err));
    TRY(rans_encoder_create(&coder->encoder, coder->tables, RANS_LANES, kernels, err));
    TRY(rans_encoder_create(&coder->short_encoder, coder->tables, 1, kernels, err));
    TRY(mem_alloc(&coder->bytes, n, 1, err));
    TRY(mem_alloc(&coder->table, n, 1, err));
    TRY(mem_alloc(&coder->residual, n, sizeof *coder->residual, err));
    *out = coder;
    return RSD_OK;
fail:
    alpha_coder_destroy(&coder);
    return status;
}

void alpha_coder_destroy(AlphaCoder **coder)
{
    AlphaCoder *old = *coder;

    if (!old)
        return;
    rans_tables_destroy(&old->tables);
    rans_encoder_destroy(&old->encoder);
    rans_encoder_destroy(&old->short_encoder);
    mem_free(&old->bytes);
    mem_free(&old->table);
    mem_free(&old->residual);
    mem_free(&old->payload);
    mem_free(coder);
}

/* --- prediction ----------------------------------------------------------------------------------------------------- */

static int median(int left, int above, int corner)
{
    int low = left < above ? left : above, high = left < above ? above : left;

    return corner >= high ? low : corner <= low ? high : left + above - corner;
}

static int predict(const uint8_t *row, const uint8_t *above, int64_t col)
{
    return median(col > 0 ? row[col - 1] : above[0], above[col], above[col > 0 ? col - 1 : 0]);
}

static int context_of(const uint8_t *above, int64_t w, int64_t col)
{
    int here = above[col], left = above[col > 0 ? col - 1 : 0], right = above[col + 1 < w ? col + 1 : col];
    int steps = (here > left ? here - left : left - here) + (right > here ? right - here : here - right), context;

    context = 31 - __builtin_clz((uint32_t)steps + 1);
    return context < CONTEXTS ? context : CONTEXTS - 1;
}

/* --- encoding ------------------------------------------------------------------------------------------------------- */

static int64_t cost_with(const CdfTable *table, const uint32_t counts[VALUES])
{
    int64_t cost = 0;

    for (int i = 0; i < VALUES; i++) {
        int at = i + LOWEST - table->lowest;

        if (counts[i] == 0)
            continue;
        if (table->n_values == 0) {
            if (i + LOWEST != table->lowest)
                return INT64_MAX;
            continue;
        }
        if (at >= 0 && at < table->n_values)
            cost += counts[i] * (int64_t)cdf_cost(table->freq[at]);
        else
            cost += counts[i] * (int64_t)(cdf_cost(table->freq[table->n_values]) + 12 * CDF_COST_UNIT);
    }
    return cost;
}

static uint8_t best_scale(const AlphaCoder *coder, const uint32_t counts[VALUES], int64_t *total)
{
    int64_t least = INT64_MAX;
    int best = 0;

    for (int i = 0; i < CDF_SCALES; i++) {
        int64_t cost = cost_with(&coder->scale[i], counts);

        if (cost < least) {
            least = cost;
            best = i;
        }
    }
    *total += least;
    return (uint8_t)best;
}

/* Residuals and contexts of a plane [1 + h, w], from its first row on; the contexts go into `table`. */
static void find_residuals(AlphaCoder *coder, int64_t first, int64_t h, int64_t w, uint32_t counts[CONTEXTS][VALUES])
{
    for (int64_t row = 1; row <= h; row++) {
        const uint8_t *line = coder->bytes + first + row * w, *above = line - w;

        for (int64_t col = 0; col < w; col++) {
            int64_t at = first + row * w + col;
            int context = context_of(above, w, col);

            coder->residual[at] = (int8_t)(uint8_t)(line[col] - predict(line, above, col));
            coder->table[at] = (uint8_t)context;
            counts[context][coder->residual[at] - LOWEST]++;
        }
    }
}

/* Fills the planes: upper bytes of 16 bits, then lower ones; or the only ones. */
static void split(AlphaCoder *coder, const uint16_t *alpha, int64_t pitch, int bits, int64_t h, int64_t w)
{
    int64_t plane = (h + 1) * w;

    for (int p = 0; p < bits / 8; p++) {
        memset(coder->bytes + p * plane, 255, (size_t)w);
        for (int64_t row = 0; row < h; row++)
            for (int64_t col = 0; col < w; col++)
                coder->bytes[p * plane + (row + 1) * w + col] =
                    (uint8_t)(alpha[row * pitch + col] >> (bits - 8 * (p + 1)));
    }
}

RsdStatus alpha_encode(AlphaCoder *coder, const uint16_t *alpha, int64_t pitch, int bits, int64_t h, int64_t w,
                       TileCode *code, RsdError *err)
{
    int64_t plane = (h + 1) * w, total = 0;
    int n_planes = bits / 8;
    size_t head = (size_t)n_planes * CONTEXTS, size;
    uint8_t scale[2][CONTEXTS];
    const uint8_t *data;
    RansEncoder *encoder;
    RsdStatus status = RSD_OK;

    split(coder, alpha, pitch, bits, h, w);
    for (int p = 0; p < n_planes; p++) {
        uint32_t counts[CONTEXTS][VALUES] = {{0}};

        find_residuals(coder, p * plane, h, w, counts);
        for (int i = 0; i < CONTEXTS; i++)
            scale[p][i] = best_scale(coder, counts[i], &total);
        for (int64_t i = w; i < plane; i++)
            coder->table[p * plane + i] = scale[p][coder->table[p * plane + i]];
    }
    code->n_lanes =
        total / (8 * CDF_COST_UNIT) <= RANS_ONE_LANE_MAX_SIZE && h * w <= RANS_ONE_LANE_MAX_SYMBOLS ? 1 : RANS_LANES;
    encoder = code->n_lanes == 1 ? coder->short_encoder : coder->encoder;
    rans_encoder_reset(encoder);
    for (int p = 0; p < n_planes; p++)
        for (int64_t row = 1; row <= h; row++)
            TRY(rans_encoder_put(encoder, coder->table + p * plane + row * w, coder->residual + p * plane + row * w,
                                 (size_t)w, err));
    TRY(rans_encoder_finish(encoder, NULL, &data, &size, err));
    if (head + size > coder->max_payload) {
        TRY(mem_resize(&coder->payload, coder->max_payload, head + size, 1, err));
        coder->max_payload = head + size;
    }
    memcpy(coder->payload, scale, head);
    memcpy(coder->payload + head, data, size);
    code->data = coder->payload;
    code->size = head + size;
fail:
    return status;
}

/* --- decoding ------------------------------------------------------------------------------------------------------- */

static RsdStatus decode_row(AlphaCoder *coder, RansDecoder *decoder, const uint8_t scale[CONTEXTS], int64_t at,
                            int64_t w, RsdError *err)
{
    uint8_t *line = coder->bytes + at;
    const uint8_t *above = line - w;
    RsdStatus status = RSD_OK;

    for (int64_t col = 0; col < w; col++)
        coder->table[at + col] = scale[context_of(above, w, col)];
    TRY(rans_decoder_get(decoder, coder->table + at, coder->residual + at, (size_t)w, err));
    for (int64_t col = 0; col < w; col++) {
        int residual = coder->residual[at + col];

        CHECK(residual >= LOWEST && residual < LOWEST + VALUES, err, RSD_ERR_CORRUPT, "residual %d of opacity",
              residual);
        line[col] = (uint8_t)(predict(line, above, col) + residual);
    }
fail:
    return status;
}

RsdStatus alpha_decode(AlphaCoder *coder, const TileCode *code, int bits, int64_t h, int64_t w, uint16_t *alpha,
                       int64_t pitch, RsdError *err)
{
    int64_t plane = (h + 1) * w;
    size_t head = (size_t)(bits / 8) * CONTEXTS;
    RansDecoder decoder;
    RsdStatus status = RSD_OK;

    CHECK(code->size >= head, err, RSD_ERR_CORRUPT, "%zu bytes of opacity, expected %zu or more", code->size, head);
    for (size_t i = 0; i < head; i++)
        CHECK(code->data[i] < CDF_SCALES, err, RSD_ERR_CORRUPT, "scale %d of opacity; there are %d", code->data[i],
              CDF_SCALES);
    TRY(rans_decoder_open(&decoder, coder->tables, code->n_lanes, coder->kernels, code->data + head, code->size - head,
                          err));
    for (int p = 0; p < bits / 8; p++) {
        memset(coder->bytes + p * plane, 255, (size_t)w);
        for (int64_t row = 1; row <= h; row++)
            TRY(decode_row(coder, &decoder, code->data + p * CONTEXTS, p * plane + row * w, w, err));
    }
    TRY(rans_decoder_finish(&decoder, NULL, err));
    for (int64_t row = 0; row < h; row++)
        for (int64_t col = 0; col < w; col++) {
            const uint8_t *at = coder->bytes + (row + 1) * w + col;

            alpha[row * pitch + col] = (uint16_t)(bits == 16 ? at[0] << 8 | at[plane] : at[0]);
        }
fail:
    return status;
}
