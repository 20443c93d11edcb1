/* test_tile_stages.c - where the streams of the stages lie in a tile.
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>
#include <string.h>

#include "codec/tile_stages.h"

/* Cut behind its first stage such a tile would be an empty packet. */
Test(tile_stages, stages_that_are_empty_or_reach_beyond_the_end_are_refused)
{
    const uint8_t payload[7] = {2, 0, 0, 0xaa, 0xbb, 0xcc, 0xdd};
    uint8_t bytes[sizeof payload];
    TileStages stages;
    RsdError err;

    cr_assert_eq(tile_stages_find(&stages, 16, payload, sizeof payload, &err), RSD_OK, "%s", err.text);
    cr_assert(stages.n == 2 && stages.size[0] == 2 && stages.data[1] == payload + 5 && stages.size[1] == 2);
    memcpy(bytes, payload, sizeof bytes);
    for (int first = 0; first <= 5; first++) {
        const RsdStatus expected = first >= 1 && first <= 3 ? RSD_OK : RSD_ERR_CORRUPT;

        bytes[0] = (uint8_t)first;
        cr_assert_eq(tile_stages_find(&stages, 16, bytes, sizeof bytes, &err), expected, "a first stage of %d bytes", first);
    }
    cr_assert_eq(tile_stages_find(&stages, 16, payload, 2, NULL), RSD_ERR_CORRUPT);
}
