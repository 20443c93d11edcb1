/* dac_names.c - our names taken apart and put together again (audio.md 2.9).
 *
 * SPDX-License-Identifier: MIT
 */
#include "models/dac_names.h"

#include <stdio.h>
#include <string.h>

/* "encoder.stages.2.units.0.conv.weight" */
typedef struct Parts {
    bool decoder;
    int stage, unit;    /* -1: none */
    char layer[24];     /* "conv" */
    const char *suffix; /* "weight" */
} Parts;

static bool take_apart(Parts *parts, const char *ours)
{
    const char *dot = strrchr(ours, '.'), *rest;
    int used = 0;

    *parts = (Parts){.stage = -1, .unit = -1};
    if (!dot || (strncmp(ours, "encoder.", 8) != 0 && strncmp(ours, "decoder.", 8) != 0))
        return false;
    parts->decoder = ours[0] == 'd';
    parts->suffix = dot + 1;
    rest = ours + 8;
    if (sscanf(rest, "stages.%d.%n", &parts->stage, &used) == 1)
        rest += used;
    used = 0;
    if (sscanf(rest, "units.%d.%n", &parts->unit, &used) == 1)
        rest += used;
    return rest < dot && snprintf(parts->layer, sizeof parts->layer, "%.*s", (int)(dot - rest), rest) < (int)sizeof parts->layer;
}

/* Index of word in a list that ends with NULL, -1 when it is not there. */
static int index_of(const char *word, const char *const *list)
{
    for (int i = 0; list[i]; i++)
        if (strcmp(list[i], word) == 0)
            return i;
    return -1;
}

static const char *const UNIT_LAYERS[] = {"snake1", "conv", "snake2", "pointwise", NULL};

static bool original_name(char theirs[DAC_NAME_SIZE], const Parts *parts, const DacConfig *cfg)
{
    static const char *const outer[] = {"snake", "out", NULL}, *const up[] = {"snake", "up", NULL},
                             *const down[] = {"snake", "down", NULL};
    const char *list = parts->decoder ? "decoder.model" : "encoder.block";
    int n_stages = parts->decoder ? cfg->n_decoder_rates : cfg->n_encoder_rates, layer;

    if (parts->unit >= 0) {
        layer = index_of(parts->layer, UNIT_LAYERS);
        snprintf(theirs, DAC_NAME_SIZE, "%s.%d.block.%d.block.%d.%s", list, parts->stage + 1,
                 parts->unit + (parts->decoder ? 2 : 0), layer, parts->suffix);
    } else if (parts->stage >= 0) {
        layer = index_of(parts->layer, parts->decoder ? up : down);
        snprintf(theirs, DAC_NAME_SIZE, "%s.%d.block.%d.%s", list, parts->stage + 1, layer + (parts->decoder ? 0 : DAC_UNITS),
                 parts->suffix);
    } else if (strcmp(parts->layer, "in") == 0) {
        layer = 0;
        snprintf(theirs, DAC_NAME_SIZE, "%s.0.%s", list, parts->suffix);
    } else {
        layer = index_of(parts->layer, outer);
        snprintf(theirs, DAC_NAME_SIZE, "%s.%d.%s", list, n_stages + 1 + layer, parts->suffix);
    }
    return layer >= 0;
}

static bool hub_name(char theirs[DAC_NAME_SIZE], const Parts *parts)
{
    static const char *const unit_names[] = {"snake1", "conv1", "snake2", "conv2"};
    static const char *const layers[] = {"snake", "down", "up", "in", "out", NULL};
    static const char *const names[] = {"snake1", "conv1", "conv_t1", "conv1", "conv2"};
    const char *side = parts->decoder ? "decoder" : "encoder";
    int layer = index_of(parts->layer, parts->unit >= 0 ? UNIT_LAYERS : layers);

    if (layer < 0)
        return false;
    if (parts->unit >= 0)
        snprintf(theirs, DAC_NAME_SIZE, "%s.block.%d.res_unit%d.%s.%s", side, parts->stage, parts->unit + 1, unit_names[layer],
                 parts->suffix);
    else if (parts->stage >= 0)
        snprintf(theirs, DAC_NAME_SIZE, "%s.block.%d.%s.%s", side, parts->stage, names[layer], parts->suffix);
    else
        snprintf(theirs, DAC_NAME_SIZE, "%s.%s.%s", side, names[layer], parts->suffix);
    return true;
}

bool dac_name_in(char theirs[DAC_NAME_SIZE], const char *ours, DacNaming naming, const DacConfig *cfg)
{
    char side[8], suffix[8];
    Parts parts;
    int stage;

    if (sscanf(ours, "rvq.%d.%7[a-z].%7[a-z]", &stage, side, suffix) == 3) {
        snprintf(theirs, DAC_NAME_SIZE, "quantizer.quantizers.%d.%s_proj.%s", stage, side, suffix);
        return true;
    }
    if (sscanf(ours, "rvq.%d.%7[a-z]", &stage, side) == 2) {
        snprintf(theirs, DAC_NAME_SIZE, "quantizer.quantizers.%d.codebook.weight", stage);
        return true;
    }
    if (!take_apart(&parts, ours))
        return false;
    return naming == DAC_NAMES_ORIGINAL ? original_name(theirs, &parts, cfg) : hub_name(theirs, &parts);
}
