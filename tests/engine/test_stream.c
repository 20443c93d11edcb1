/* test_stream.c - slots of a stream's memory.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/shared.h"

#include "engine/base/mem.h"
#include "engine/stream.h"

static RsdError err;

Test(stream, layers_get_their_own_slots_again_in_each_chunk)
{
    StreamState *stream;
    float *slot, *first = NULL;
    int64_t n_allocations = 0;

    ASSERT_OK(stream_create(&stream, &err), err);
    for (int chunk = 0; chunk < 3; chunk++) {
        stream_rewind(stream);
        for (int layer = 0; layer < 40; layer++) {
            ASSERT_OK(stream_slot(stream, &slot, (size_t)(3 + layer), &err), err);
            for (int i = 0; i < 3 + layer; i++) {
                cr_assert(slot[i] == (float)(chunk * layer), "chunk %d, layer %d", chunk, layer);
                slot[i] += (float)layer;
            }
            if (chunk == 0 && layer == 0)
                first = slot;
            cr_assert(layer > 0 || slot == first, "slots stay where they are");
        }
        if (chunk == 0)
            n_allocations = mem_allocation_count();
    }
    cr_assert(mem_allocation_count() == n_allocations, "later chunks allocate nothing");
    stream_clear(stream);
    stream_rewind(stream);
    ASSERT_OK(stream_slot(stream, &slot, 3, &err), err);
    cr_assert(slot == first && slot[0] == 0.0f && slot[2] == 0.0f);
    stream_destroy(&stream);
    cr_assert(stream == NULL);
    stream_destroy(&stream);
}

Test(stream, pieces_of_a_chunk_get_the_same_slots_and_know_its_ends)
{
    StreamState *stream;
    float *before, *inside = NULL, *slot;

    ASSERT_OK(stream_create(&stream, &err), err);
    for (int chunk = 0; chunk < 2; chunk++) {
        size_t at;

        stream_rewind(stream);
        stream_set_last(stream, chunk == 1);
        ASSERT_OK(stream_slot(stream, &before, 2, &err), err);
        at = stream_next_slot(stream);
        for (int piece = 0; piece < 3; piece++) {
            stream_begin_piece(stream, at, piece == 0, piece == 2);
            cr_assert_eq(stream_is_first(stream), chunk == 0 && piece == 0);
            cr_assert_eq(stream_is_last(stream), chunk == 1 && piece == 2);
            ASSERT_OK(stream_slot(stream, &slot, 4, &err), err);
            cr_assert(slot != before && slot[0] == (float)(3 * chunk + piece));
            cr_assert(slot == inside || (chunk == 0 && piece == 0));
            inside = slot;
            slot[0] += 1.0f;
        }
        stream_end_pieces(stream);
        cr_assert_eq(stream_is_first(stream), chunk == 0);
        cr_assert_eq(stream_is_last(stream), chunk == 1);
        ASSERT_OK(stream_slot(stream, &slot, 5, &err), err);
    }
    stream_destroy(&stream);
}

Test(stream, another_network_on_the_same_state_is_refused)
{
    StreamState *stream;
    float *slot;

    ASSERT_OK(stream_create(&stream, &err), err);
    ASSERT_OK(stream_slot(stream, &slot, 5, &err), err);
    stream_rewind(stream);
    ASSERT_FAILS(stream_slot(stream, &slot, 6, &err), RSD_ERR_ARG, err, "another network");
    cr_assert(slot == NULL);
    stream_destroy(&stream);
}

Test(stream, each_allocation_may_fail)
{
    StreamState *stream;
    float *slot;

    mem_fail_after(0);
    cr_assert(stream_create(&stream, &err) == RSD_ERR_MEMORY && stream == NULL);
    ASSERT_OK(stream_create(&stream, &err), err);
    for (int n = 0; n < 2; n++) {
        mem_fail_after(n);
        cr_assert(stream_slot(stream, &slot, 5, &err) == RSD_ERR_MEMORY && slot == NULL);
        mem_fail_after(-1);
    }
    ASSERT_OK(stream_slot(stream, &slot, 5, &err), err);
    stream_destroy(&stream);
}
