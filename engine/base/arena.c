/* arena.c - a list of blocks, filled front to back.
 *
 *   first -> [block|used....free] -> [block|used..] -> NULL
 *                                        ^ current
 *
 * A request that does not fit the current block moves on to the next one that fits, or appends a block at least twice as
 * large as the last. After a reset `current` is the first block again.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/base/arena.h"

#include <string.h>

#include "engine/base/mem.h"

#define FIRST_BLOCK_SIZE ((size_t)1 << 18)
#define LARGEST_GROWTH ((size_t)1 << 28) /* doubling stops here: blocks are then as large as asked */

typedef struct Block {
    struct Block *next;
    size_t capacity, used;
    unsigned char *data;
} Block;

struct Arena {
    Block *first, *current;
    size_t limit_size, held_size, used_before, peak_size;
};

RsdStatus arena_create(Arena **out, size_t limit_size, RsdError *err)
{
    RsdStatus status = mem_calloc(out, 1, sizeof **out, err);

    if (status == RSD_OK)
        (*out)->limit_size = limit_size;
    return status;
}

void arena_destroy(Arena **arena)
{
    if (!*arena)
        return;
    for (Block *block = (*arena)->first, *next; block; block = next) {
        next = block->next;
        mem_free(&block->data);
        mem_free(&block);
    }
    mem_free(arena);
}

static RsdStatus append_block(Arena *arena, size_t size, RsdError *err)
{
    Block *block = NULL, **end = &arena->first;
    size_t capacity = FIRST_BLOCK_SIZE;
    RsdStatus status = RSD_OK;

    while (*end)
        end = &(*end)->next;
    if (arena->current && arena->held_size <= LARGEST_GROWTH)
        capacity = arena->held_size;
    if (capacity < size)
        capacity = size;
    if (arena->limit_size) {
        CHECK(size <= arena->limit_size - arena->held_size, err, RSD_ERR_MEMORY,
              "step needs more than the %zu bytes of its memory limit", arena->limit_size);
        if (capacity > arena->limit_size - arena->held_size)
            capacity = size;
    }
    TRY(mem_calloc(&block, 1, sizeof *block, err));
    TRY(mem_alloc(&block->data, capacity, 1, err));
    block->capacity = capacity;
    arena->held_size += capacity;
    *end = block;
    if (arena->current)
        arena->used_before += arena->current->used;
    arena->current = block;
    return RSD_OK;
fail:
    mem_free(&block);
    return status;
}

RsdStatus arena_alloc(Arena *arena, void *out, size_t count, size_t size, RsdError *err)
{
    size_t bytes;
    void *place;

    if (__builtin_mul_overflow(count, size, &bytes) || bytes > SIZE_MAX / 2)
        return error_set(err, RSD_ERR_MEMORY, "cannot allocate %zu x %zu bytes", count, size);
    bytes = (bytes + MEM_ALIGN - 1) / MEM_ALIGN * MEM_ALIGN;
    while (arena->current && arena->current->capacity - arena->current->used < bytes && arena->current->next) {
        arena->used_before += arena->current->used;
        arena->current = arena->current->next;
        arena->current->used = 0;
    }
    if (!arena->current || arena->current->capacity - arena->current->used < bytes) {
        RsdStatus status = append_block(arena, bytes, err);

        if (status != RSD_OK)
            return status;
    }
    place = arena->current->data + arena->current->used;
    arena->current->used += bytes;
    if (arena->used_before + arena->current->used > arena->peak_size)
        arena->peak_size = arena->used_before + arena->current->used;
    memcpy(out, &place, sizeof place);
    return RSD_OK;
}

RsdStatus arena_calloc(Arena *arena, void *out, size_t count, size_t size, RsdError *err)
{
    void *place;
    RsdStatus status = arena_alloc(arena, &place, count, size, err);

    if (status != RSD_OK)
        return status;
    memset(place, 0, count * size);
    memcpy(out, &place, sizeof place);
    return RSD_OK;
}

void arena_reset(Arena *arena)
{
    arena->current = arena->first;
    arena->used_before = 0;
    if (arena->current)
        arena->current->used = 0;
}

ArenaMark arena_mark(const Arena *arena)
{
    return (ArenaMark){arena->current, arena->current ? arena->current->used : 0};
}

void arena_rewind(Arena *arena, ArenaMark mark)
{
    if (!mark.block) {
        arena_reset(arena);
        return;
    }
    arena->used_before = 0;
    for (Block *block = arena->first; block != mark.block; block = block->next)
        arena->used_before += block->used;
    arena->current = mark.block;
    arena->current->used = mark.used;
}

size_t arena_held_size(const Arena *arena)
{
    return arena->held_size;
}

size_t arena_peak_size(const Arena *arena)
{
    return arena->peak_size;
}
