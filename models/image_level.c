/* image_level.c - how much of a picture a level codes.
 *
 * There is no floating-point number in this file.
 *
 * SPDX-License-Identifier: MIT
 */
#include "models/image_codec.h"

int image_codec_level_max(const ImageCodecConfig *cfg)
{
    return cfg->quantizer != IMAGE_SCALAR ? 16 * (cfg->codebooks - 1) : IMAGE_LEVEL_MAX;
}

int image_codec_stages(int level)
{
    return 1 + (level + 15) / 16;
}

bool image_stage_is_coded(int level, int stage, int64_t row, int64_t column)
{
    /* Bayer's order: places of each part are spread evenly; the first half are anchors. */
    static const uint8_t rank[4][4] = {{0, 8, 2, 10}, {12, 4, 14, 6}, {3, 11, 1, 9}, {15, 7, 13, 5}};

    return 16 * stage + rank[row % 4][column % 4] < 16 + level;
}
