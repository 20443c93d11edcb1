/* pickle_machine.c - the machine's memory and stack, and the operands of its opcodes.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/weights/pickle_machine.h"

#include <string.h>

/* ---- memory ---- */

RsdStatus machine_grow(PickleMachine *m, void *block, size_t n, size_t *capacity, size_t item_size, RsdError *err)
{
    void **old = block, *bigger;
    size_t more = *capacity ? 2 * *capacity : 8;
    RsdStatus status = RSD_OK;

    if (n < *capacity)
        return RSD_OK;
    TRY(arena_alloc(m->arena, &bigger, more, item_size, err));
    if (n > 0)
        memcpy(bigger, *old, n * item_size);
    *old = bigger;
    *capacity = more;
    return RSD_OK;
fail:
    return error_prefix(err, status, "%s: pickle", m->place);
}

RsdStatus machine_push(PickleMachine *m, PickleValue *value, RsdError *err)
{
    RsdStatus status = machine_grow(m, &m->stack, m->n_stack, &m->stack_capacity, sizeof *m->stack, err);

    if (status == RSD_OK)
        m->stack[m->n_stack++] = value;
    return status;
}

RsdStatus machine_push_new(PickleMachine *m, PickleKind kind, PickleValue **out, RsdError *err)
{
    PickleValue *value;
    RsdStatus status = RSD_OK;

    TRY(arena_calloc(m->arena, &value, 1, sizeof *value, err));
    value->kind = kind;
    TRY(machine_push(m, value, err));
    *out = value;
fail:
    return status;
}

RsdStatus machine_add_item(PickleMachine *m, PickleValue *container, PickleValue *item, RsdError *err)
{
    RsdStatus status =
        machine_grow(m, &container->items, container->n_items, &container->capacity, sizeof *container->items, err);

    if (status == RSD_OK)
        container->items[container->n_items++] = item;
    return status;
}

/* ---- operands ---- */

RsdStatus machine_take(PickleMachine *m, const uint8_t **bytes, uint64_t size, RsdError *err)
{
    if (size > m->size - m->at)
        return error_set(err, RSD_ERR_CORRUPT, "%s: pickle: ends at byte %zu in the middle of a value", m->place,
                         m->size);
    *bytes = m->data + m->at;
    m->at += (size_t)size;
    return RSD_OK;
}

RsdStatus machine_take_number(PickleMachine *m, uint64_t *value, int size, RsdError *err)
{
    const uint8_t *p = NULL;
    RsdStatus status = machine_take(m, &p, (uint64_t)size, err);

    *value = 0;
    if (status == RSD_OK)
        for (int i = size - 1; i >= 0; i--)
            *value = *value << 8 | p[i];
    return status;
}

RsdStatus machine_take_line(PickleMachine *m, const char **text, size_t *len, RsdError *err)
{
    const uint8_t *start = m->data + m->at, *end = memchr(start, '\n', m->size - m->at);

    if (!end)
        return error_set(err, RSD_ERR_CORRUPT, "%s: pickle: a name at byte %zu has no end", m->place, m->at);
    *text = (const char *)start;
    *len = (size_t)(end - start);
    m->at += *len + 1;
    return RSD_OK;
}

/* ---- the stack ---- */

RsdStatus machine_need(const PickleMachine *m, size_t n, RsdError *err)
{
    size_t floor = m->n_marks ? m->marks[m->n_marks - 1] : 0;

    if (m->n_stack - floor < n)
        return error_set(err, RSD_ERR_CORRUPT, "%s: pickle: opcode at byte %zu needs %zu values, there are %zu",
                         m->place, m->at - 1, n, m->n_stack - floor);
    return RSD_OK;
}

PickleValue *machine_pop(PickleMachine *m)
{
    return m->stack[--m->n_stack];
}

RsdStatus machine_pop_to_mark(PickleMachine *m, PickleValue ***items, size_t *n, RsdError *err)
{
    size_t height;

    if (m->n_marks == 0)
        return error_set(err, RSD_ERR_CORRUPT, "%s: pickle: opcode at byte %zu has no mark", m->place, m->at - 1);
    height = m->marks[--m->n_marks];
    *items = m->stack + height;
    *n = m->n_stack - height;
    m->n_stack = height;
    return RSD_OK;
}
