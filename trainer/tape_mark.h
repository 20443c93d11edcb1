/* tape_mark.h - a place on a tape to come back to: what was recorded and taken since is forgotten.
 *
 * Losses are small graphs of their own. Once such a graph has given its gradient, which was taken before the mark, all of it can go.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_TAPE_MARK_H
#define RESIDUA_TAPE_MARK_H

#include "engine/tape.h"

typedef struct TapeMark {
    ArenaMark arena;
    Node *last;
} TapeMark;

static inline TapeMark tape_mark(const Tape *tape)
{
    return (TapeMark){arena_mark(tape->arena), tape->last};
}

static inline void tape_rewind(Tape *tape, TapeMark mark)
{
    arena_rewind(tape->arena, mark.arena);
    tape->last = mark.last;
}

#endif
