/* tile_stages.c - see tile_stages.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "codec/tile_stages.h"

static size_t size_at(const uint8_t *payload, int stage)
{
    const uint8_t *p = payload + TILE_STAGE_SIZE * stage;

    return (size_t)p[0] | (size_t)p[1] << 8 | (size_t)p[2] << 16;
}

RsdStatus tile_stages_find(TileStages *stages, int level, const uint8_t *payload, size_t size, RsdError *err)
{
    const int n = image_codec_stages(level);
    size_t at = (size_t)(TILE_STAGE_SIZE * (n - 1));
    RsdStatus status = RSD_OK;

    CHECK(n >= 1 && n <= IMAGE_MAX_STAGES && size >= at, err, RSD_ERR_CORRUPT, "%zu bytes are too few for the sizes of %d stages", size, n);
    *stages = (TileStages){.n = n};
    for (int i = 0; i < n; i++) {
        stages->data[i] = payload + at;
        stages->size[i] = i + 1 < n ? size_at(payload, i) : size - at;
        CHECK(stages->size[i] >= 1 && stages->size[i] <= size - at, err, RSD_ERR_CORRUPT, "stage %d of %zu bytes; %zu are left", i + 1,
              stages->size[i], size - at);
        at += stages->size[i];
    }
fail:
    return status;
}

void tile_stages_find_whole(TileStages *stages, int level, const uint8_t *payload, size_t size)
{
    const int n = image_codec_stages(level); /* nothing tells whether the last one is whole */
    size_t at = (size_t)(TILE_STAGE_SIZE * (n - 1));

    *stages = (TileStages){.n = 0};
    for (int i = 0; i + 1 < n && i + 1 < IMAGE_MAX_STAGES && size >= at && size_at(payload, i) <= size - at; i++) {
        stages->data[i] = payload + at;
        stages->size[i] = size_at(payload, i);
        stages->n = i + 1;
        at += stages->size[i];
    }
}

void tile_stage_put_size(uint8_t *payload, int stage, size_t size)
{
    for (int i = 0; i < TILE_STAGE_SIZE; i++)
        payload[TILE_STAGE_SIZE * stage + i] = (uint8_t)(size >> 8 * i);
}
