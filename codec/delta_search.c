/* delta_search.c - see delta_search.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "codec/delta_search.h"

#include <math.h>
#include <string.h>

#include "engine/base/mem.h"

#define N_PASSES 24   /* of conjugate gradients */
#define PROBE 0.02    /* largest number of a probe along a direction */
#define BIAS_UNIT 0.1 /* a bias in the search counts so much: about as much for the error as a gain of 1 */
#define MAX_COUNT (2 * DELTAS_MAX_COUNT)

typedef struct DeltaSearch {
    const DeltaSearchOptions *options;
    int n_gain, n; /* of gains, and of all */
    int64_t loaded;
    bool is_stopped;
    float gain[DELTAS_MAX_COUNT], bias[IMAGE_LAST_OUTPUTS]; /* what the objective has */
} DeltaSearch;

/* Gains, then biases in units. */
typedef double Changes[MAX_COUNT];

/* ---- the picture as a function of the changes ---- */

static RsdStatus load(DeltaSearch *search, int64_t number, RsdError *err)
{
    TileObjective *o = search->options->objective;
    RsdStatus status = RSD_OK;

    if (search->loaded == number)
        return RSD_OK;
    search->loaded = -1;
    o->gain = o->bias = NULL; /* J before any change balances loss and bits */
    TRY(search->options->load(search->options->load_ctx, number, err));
    search->loaded = number;
fail:
    o->gain = search->gain;
    o->bias = search->bias;
    return status;
}

/* Weighed means over the tiles. objective: of weight * loss. */
static RsdStatus look(DeltaSearch *search, TileValue *mean, RsdError *err)
{
    const TileObjective *o = search->options->objective;
    double n_pixels = 0;
    RsdStatus status = RSD_OK;

    *mean = (TileValue){.bpp = 0};
    for (int64_t i = 0; i < search->options->n_tiles; i++) {
        TileValue value;
        double n;

        TRY(load(search, i, err));
        TRY(tile_objective_look(search->options->objective, &value, err));
        n = (double)o->n_pixels;
        n_pixels += n;
        mean->mse += n * value.mse;
        mean->loss += n * value.loss;
        mean->objective += n * o->weight * value.loss;
    }
    mean->mse /= n_pixels;
    mean->loss /= n_pixels;
    mean->objective /= n_pixels;
fail:
    return status;
}

/* Gradient of the mean of weight * loss at `at`. */
static RsdStatus slope(DeltaSearch *search, const Changes at, Changes gradient, RsdError *err)
{
    const TileObjective *o = search->options->objective;
    float dgain[DELTAS_MAX_COUNT], dbias[IMAGE_LAST_OUTPUTS];
    double n_pixels = 0;
    RsdStatus status = RSD_OK;

    for (int i = 0; i < search->n; i++) {
        if (i < search->n_gain)
            search->gain[i] = (float)at[i];
        else
            search->bias[i - search->n_gain] = (float)(BIAS_UNIT * at[i]);
        gradient[i] = 0;
    }
    for (int64_t tile = 0; tile < search->options->n_tiles; tile++) {
        double n;

        TRY(load(search, tile, err));
        TRY(tile_objective_change_slope(search->options->objective, dgain, dbias, err));
        n = (double)o->n_pixels;
        n_pixels += n;
        for (int i = 0; i < search->n; i++)
            gradient[i] += n * o->weight * (i < search->n_gain ? (double)dgain[i] : BIAS_UNIT * (double)dbias[i - search->n_gain]);
    }
    for (int i = 0; i < search->n; i++)
        gradient[i] /= n_pixels;
    search->is_stopped = !search->options->goes_on(search->options->goes_on_ctx);
fail:
    return status;
}

/* ---- conjugate gradients ---- */

static double product(const DeltaSearch *search, const Changes a, const Changes b)
{
    double sum = 0;

    for (int i = 0; i < search->n; i++)
        sum += a[i] * b[i];
    return sum;
}

/* H direction, by a difference of gradients. */
static RsdStatus curve(DeltaSearch *search, const Changes start, const Changes direction, Changes curved, RsdError *err)
{
    Changes probe;
    double most = 0, scale;
    RsdStatus status = RSD_OK;

    for (int i = 0; i < search->n; i++)
        most = fmax(most, fabs(direction[i]));
    scale = PROBE / fmax(most, 1e-30);
    for (int i = 0; i < search->n; i++)
        probe[i] = scale * direction[i];
    TRY(slope(search, probe, curved, err));
    for (int i = 0; i < search->n; i++)
        curved[i] = (curved[i] - start[i]) / scale;
fail:
    return status;
}

static RsdStatus descend(DeltaSearch *search, Changes best, RsdError *err)
{
    Changes start, rest, direction, curved;
    double left;
    RsdStatus status = RSD_OK;

    memset(best, 0, sizeof(Changes));
    TRY(slope(search, best, start, err));
    for (int i = 0; i < search->n; i++)
        direction[i] = rest[i] = -start[i];
    left = product(search, rest, rest);
    for (int pass = 0; pass < N_PASSES && left > 0 && !search->is_stopped; pass++) {
        double step, before = left;

        TRY(curve(search, start, direction, curved, err));
        step = product(search, direction, curved);
        if (!(step > 0)) /* no parabola, or numbers that are none */
            break;
        step = left / step;
        for (int i = 0; i < search->n; i++) {
            best[i] += step * direction[i];
            rest[i] -= step * curved[i];
        }
        left = product(search, rest, rest);
        for (int i = 0; i < search->n; i++)
            direction[i] = rest[i] + left / before * direction[i];
    }
fail:
    return status;
}

/* ---- rounding ---- */

static void use(DeltaSearch *search, const PictureDeltas *deltas)
{
    for (int i = 0; i < search->n_gain; i++)
        search->gain[i] = deltas->gain.bits ? ldexpf((float)deltas->gain.value[i], -deltas->gain.shift) : 0.0f;
    for (int i = 0; i < IMAGE_LAST_OUTPUTS; i++)
        search->bias[i] = deltas->bias.bits ? ldexpf((float)deltas->bias.value[i], -deltas->bias.shift) : 0.0f;
}

/* In steps of 2^-shift; a shift of 0 leaves a kind out. */
static void round_to(const DeltaSearch *search, const Changes exact, int gain_shift, int bias_shift, PictureDeltas *deltas)
{
    float gain[DELTAS_MAX_COUNT], bias[IMAGE_LAST_OUTPUTS];

    for (int i = 0; i < search->n_gain; i++)
        gain[i] = gain_shift ? (float)exact[i] : 0.0f;
    for (int i = 0; i < IMAGE_LAST_OUTPUTS; i++)
        bias[i] = bias_shift ? (float)(BIAS_UNIT * exact[search->n_gain + i]) : 0.0f;
    delta_vector_round(&deltas->gain, gain, search->n_gain, gain_shift ? gain_shift : DELTAS_MIN_SHIFT);
    delta_vector_round(&deltas->bias, bias, IMAGE_LAST_OUTPUTS, bias_shift ? bias_shift : DELTAS_MIN_SHIFT);
}

static RsdStatus choose(DeltaSearch *search, const Changes exact, int64_t n_pixels, DeltasFound *found, RsdError *err)
{
    static const int gain_shifts[] = {0, 5, 6, 7}, bias_shifts[] = {0, 9, 10, 11};
    uint8_t bytes[DELTAS_MAX_SIZE];
    RsdStatus status = RSD_OK;

    for (int g = 0; g < 4; g++)
        for (int b = 0; b < 4 && !search->is_stopped; b++) {
            PictureDeltas deltas;
            TileValue value;

            round_to(search, exact, gain_shifts[g], bias_shifts[b], &deltas);
            if (picture_deltas_are_none(&deltas))
                continue;
            use(search, &deltas);
            TRY(look(search, &value, err));
            value.bpp = 8.0 * (double)(FIELD_PREFIX_SIZE + picture_deltas_write(&deltas, bytes)) / (double)n_pixels;
            value.objective += value.bpp;
            if (value.objective < found->after.objective) {
                found->after = value;
                found->deltas = deltas;
            }
            search->is_stopped = !search->options->goes_on(search->options->goes_on_ctx);
        }
fail:
    return status;
}

RsdStatus delta_search_run(const DeltaSearchOptions *options, DeltasFound *found, RsdError *err)
{
    const PictureInfo *info = options->objective->options.info;
    DeltaSearch search = {.options = options, .n_gain = options->objective->options.model->codec->config.widths[0], .loaded = -1};
    Changes exact;
    RsdStatus status = RSD_OK;

    *found = (DeltasFound){.before.bpp = 0};
    if (search.n_gain > DELTAS_MAX_COUNT)
        return RSD_OK;
    search.n = search.n_gain + IMAGE_LAST_OUTPUTS;
    TRY(look(&search, &found->before, err));
    found->after = found->before;
    TRY(descend(&search, exact, err));
    TRY(choose(&search, exact, info->width * info->height, found, err));
fail:
    options->objective->gain = options->objective->bias = NULL;
    return status;
}
