/* test_arena.c - growth, limit, marks, and that the second step of the same shape allocates nothing.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdint.h>
#include <string.h>

#include "engine/base/arena.h"
#include "engine/base/mem.h"
#include "engine/base/rng.h"
#include "tests/shared.h"

enum { N_PIECES = 300 };

typedef struct Piece {
    unsigned char *data;
    size_t size;
} Piece;

/* Takes pieces of random sizes, fills each with its number and sees that none was overwritten. */
static void take_pieces(Arena *arena, Rng *rng, size_t largest)
{
    Piece pieces[N_PIECES];
    RsdError err;

    for (int i = 0; i < N_PIECES; i++) {
        pieces[i].size = rng_below(rng, (uint32_t)largest);
        ASSERT_OK(arena_alloc(arena, &pieces[i].data, pieces[i].size, 1, &err), err);
        cr_assert_eq((uintptr_t)pieces[i].data % MEM_ALIGN, 0);
        memset(pieces[i].data, i & 255, pieces[i].size);
    }
    for (int i = 0; i < N_PIECES; i++)
        for (size_t k = 0; k < pieces[i].size; k++)
            cr_assert_eq(pieces[i].data[k], i & 255, "piece %d of %zu bytes was overwritten at %zu", i, pieces[i].size,
                         k);
}

Test(arena, pieces_do_not_overlap_and_a_second_step_allocates_nothing)
{
    Rng rng = rng_at(1, RNG_TEST, 0, 0), again = rng;
    Arena *arena;
    RsdError err;
    int64_t n_allocations;
    size_t held, peak;

    ASSERT_OK(arena_create(&arena, 0, &err), err);
    take_pieces(arena, &rng, 20000);
    held = arena_held_size(arena);
    peak = arena_peak_size(arena);
    n_allocations = mem_allocation_count();
    cr_assert(peak > 0 && peak <= held);
    arena_reset(arena);
    take_pieces(arena, &again, 20000);
    cr_assert_eq(mem_allocation_count(), n_allocations);
    cr_assert_eq(arena_held_size(arena), held);
    cr_assert_eq(arena_peak_size(arena), peak);
    arena_destroy(&arena);
    cr_assert_null(arena);
    arena_destroy(&arena);
}

Test(arena, one_large_request_after_small_ones_gets_its_own_block)
{
    Arena *arena;
    RsdError err;
    unsigned char *small, *large, *after;

    ASSERT_OK(arena_create(&arena, 0, &err), err);
    ASSERT_OK(arena_alloc(arena, &small, 1, 1, &err), err);
    ASSERT_OK(arena_alloc(arena, &large, 1 << 20, 8, &err), err);
    memset(large, 1, 8u << 20);
    ASSERT_OK(arena_alloc(arena, &after, 100, 1, &err), err);
    *small = 2;
    cr_assert(arena_held_size(arena) >= 8u << 20);
    arena_destroy(&arena);
}

Test(arena, calloc_clears_memory_that_was_used_before)
{
    Arena *arena;
    RsdError err;
    unsigned char *data;

    ASSERT_OK(arena_create(&arena, 0, &err), err);
    ASSERT_OK(arena_alloc(arena, &data, 1000, 1, &err), err);
    memset(data, 255, 1000);
    arena_reset(arena);
    ASSERT_OK(arena_calloc(arena, &data, 10, 100, &err), err);
    for (int i = 0; i < 1000; i++)
        cr_assert_eq(data[i], 0);
    arena_destroy(&arena);
}

Test(arena, rewind_gives_back_what_came_after_the_mark_and_keeps_what_was_before)
{
    Arena *arena;
    RsdError err;
    ArenaMark empty, mark;
    unsigned char *before, *first, *second;
    size_t held;

    ASSERT_OK(arena_create(&arena, 0, &err), err);
    empty = arena_mark(arena);
    ASSERT_OK(arena_alloc(arena, &before, 1000, 1, &err), err);
    memset(before, 7, 1000);
    mark = arena_mark(arena);
    ASSERT_OK(arena_alloc(arena, &first, 100, 1, &err), err);
    for (int i = 0; i < 20; i++) { /* over several blocks */
        unsigned char *filler;

        ASSERT_OK(arena_alloc(arena, &filler, 100000, 1, &err), err);
        memset(filler, 9, 100000);
    }
    held = arena_held_size(arena);
    for (int round = 0; round < 3; round++) {
        arena_rewind(arena, mark);
        ASSERT_OK(arena_alloc(arena, &second, 100, 1, &err), err);
        cr_assert_eq(second, first);
        for (int i = 0; i < 20; i++) {
            unsigned char *filler;

            ASSERT_OK(arena_alloc(arena, &filler, 100000, 1, &err), err);
        }
        cr_assert_eq(arena_held_size(arena), held);
    }
    for (int i = 0; i < 1000; i++)
        cr_assert_eq(before[i], 7);
    arena_rewind(arena, empty); /* a mark from before the first block */
    ASSERT_OK(arena_alloc(arena, &second, 10, 1, &err), err);
    cr_assert_eq(second, before);
    arena_destroy(&arena);
}

Test(arena, limit_is_kept_to_the_byte_and_named)
{
    Arena *arena;
    RsdError err;
    unsigned char *data;

    ASSERT_OK(arena_create(&arena, 1 << 20, &err), err);
    ASSERT_OK(arena_alloc(arena, &data, 1, 1, &err), err);
    ASSERT_FAILS(arena_alloc(arena, &data, 1 << 20, 1, &err), RSD_ERR_MEMORY, err, "1048576 bytes");
    ASSERT_OK(arena_alloc(arena, &data, (1 << 20) - (1 << 18), 1, &err), err);
    cr_assert_leq(arena_held_size(arena), 1 << 20);
    ASSERT_FAILS(arena_alloc(arena, &data, 1 << 18, 1, &err), RSD_ERR_MEMORY, err, "limit");
    arena_reset(arena);
    ASSERT_OK(arena_alloc(arena, &data, 1 << 18, 1, &err), err);
    arena_destroy(&arena);
}

Test(arena, impossible_requests_are_refused_and_change_nothing)
{
    Arena *arena;
    RsdError err;
    unsigned char *data, *next;

    ASSERT_OK(arena_create(&arena, 0, &err), err);
    ASSERT_OK(arena_alloc(arena, &data, 1, 1, &err), err);
    ASSERT_FAILS(arena_alloc(arena, &next, SIZE_MAX, 2, &err), RSD_ERR_MEMORY, err, "18446744073709551615 x 2");
    ASSERT_FAILS(arena_alloc(arena, &next, SIZE_MAX, 1, &err), RSD_ERR_MEMORY, err, "x 1");
    mem_fail_after(0);
    ASSERT_FAILS(arena_alloc(arena, &next, 1 << 20, 1, &err), RSD_ERR_MEMORY, err, "cannot allocate");
    mem_fail_after(1);
    ASSERT_FAILS(arena_alloc(arena, &next, 1 << 20, 1, &err), RSD_ERR_MEMORY, err, "cannot allocate");
    mem_fail_after(-1);
    ASSERT_OK(arena_alloc(arena, &next, 1, 1, &err), err);
    cr_assert_eq(next, data + MEM_ALIGN);
    arena_destroy(&arena);
    mem_fail_after(0);
    ASSERT_FAILS(arena_create(&arena, 0, &err), RSD_ERR_MEMORY, err, "cannot allocate");
    mem_fail_after(-1);
    cr_assert_null(arena);
}
