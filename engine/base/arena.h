/* arena.h - temporaries of one step: taken one after the other, given back all at once.
 *
 * The arena keeps its blocks when it is reset, so the second step of the same shape allocates nothing. One thread at
 * a time.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_ARENA_H
#define RESIDUA_ARENA_H

#include <stddef.h>

#include "engine/base/error.h"

typedef struct Arena Arena;

/* limit_size: most bytes the arena may hold, 0 for no limit. Errors: RSD_ERR_MEMORY. */
RsdStatus arena_create(Arena **out, size_t limit_size, RsdError *err);
void arena_destroy(Arena **arena);

/* count * size bytes aligned to MEM_ALIGN, valid until arena_reset or arena_destroy; contents are undefined for
 * arena_alloc and zero for arena_calloc. Errors: RSD_ERR_MEMORY. */
RsdStatus arena_alloc(Arena *arena, void *out, size_t count, size_t size, RsdError *err);
RsdStatus arena_calloc(Arena *arena, void *out, size_t count, size_t size, RsdError *err);

/* Everything taken becomes invalid; the memory stays with the arena. */
void arena_reset(Arena *arena);

/* Position to come back to: everything taken after arena_mark is given back by arena_rewind. */
typedef struct ArenaMark {
    void *block;
    size_t used;
} ArenaMark;
ArenaMark arena_mark(const Arena *arena);
void arena_rewind(Arena *arena, ArenaMark mark);

/* Bytes held from the system, and the most that was in use at once. */
size_t arena_held_size(const Arena *arena);
size_t arena_peak_size(const Arena *arena);

#endif
