/* pickle_machine.h - the state of the stack machine that pickle.c steps: its stack with marks, its memo, the bytes it reads.
 *
 * Errors are those of pickle_read.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_PICKLE_MACHINE_H
#define RESIDUA_PICKLE_MACHINE_H

#include "engine/weights/pickle.h"

typedef struct PickleMachine {
    Arena *arena;
    const char *place;
    const char *const *globals;
    const uint8_t *data;
    size_t size, at;
    PickleValue **stack, **memo;
    size_t n_stack, stack_capacity;
    size_t n_memo, memo_capacity; /* n_memo: places that were written count up to the highest */
    size_t *marks;                /* heights of the stack */
    size_t n_marks, marks_capacity;
    PickleValue *none, *yes, *no; /* shared: they never change */
} PickleMachine;

/* Room for one more item of *block, an array of n in the arena, by doubling. */
RsdStatus machine_grow(PickleMachine *m, void *block, size_t n, size_t *capacity, size_t item_size, RsdError *err);

RsdStatus machine_push(PickleMachine *m, PickleValue *value, RsdError *err);
RsdStatus machine_push_new(PickleMachine *m, PickleKind kind, PickleValue **out, RsdError *err);
/* To the items of a list, a dictionary, a call or a persistent id. */
RsdStatus machine_add_item(PickleMachine *m, PickleValue *container, PickleValue *item, RsdError *err);
/* Whether n values lie above the last mark; pop may then be called n times. */
RsdStatus machine_need(const PickleMachine *m, size_t n, RsdError *err);
PickleValue *machine_pop(PickleMachine *m);
/* Values above the last mark become *n items, which stay where they are until the next push, and the mark goes. */
RsdStatus machine_pop_to_mark(PickleMachine *m, PickleValue ***items, size_t *n, RsdError *err);

/* Operands: `size` bytes; a number of 1, 2, 4 or 8 bytes; the rest of a line, without its end. */
RsdStatus machine_take(PickleMachine *m, const uint8_t **bytes, uint64_t size, RsdError *err);
RsdStatus machine_take_number(PickleMachine *m, uint64_t *value, int size, RsdError *err);
RsdStatus machine_take_line(PickleMachine *m, const char **text, size_t *len, RsdError *err);

#endif
