/* tile_stages.h - where the streams of the stages lie in the payload of a tile (docs/format.md, "Tiles of codes").
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_TILE_STAGES_H
#define RESIDUA_TILE_STAGES_H

#include "models/image_codec.h"

#define TILE_STAGE_SIZE 3 /* bytes of a size */

typedef struct TileStages {
    int n;
    const uint8_t *data[IMAGE_MAX_STAGES]; /* in the payload */
    size_t size[IMAGE_MAX_STAGES];
} TileStages;

/* A level has image_codec_stages(level) of them. Errors: RSD_ERR_CORRUPT (sizes that the payload does not have). */
RsdStatus tile_stages_find(TileStages *stages, int level, const uint8_t *payload, size_t size, RsdError *err);
/* Of the first bytes of a payload: those streams that are there as a whole. No bytes are wrong. */
void tile_stages_find_whole(TileStages *stages, int level, const uint8_t *payload, size_t size);
/* Notes the size of a stage that is not the last one. */
void tile_stage_put_size(uint8_t *payload, int stage, size_t size);

#endif
