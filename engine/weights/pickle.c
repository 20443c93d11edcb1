/* pickle.c - the stack machine of pickles, reduced to what makes plain values.
 *
 * Each opcode is one byte, followed by its operand. Values are pushed on a stack; MARK remembers a height, and the opcodes
 * that end a tuple, a list or a dictionary take everything above the last mark. The memo keeps values that occur again.
 * Every opcode costs a bounded amount of memory, nothing recurses, and the arena's limit ends what grows too large.
 *
 * Python's Lib/pickletools.py documents the format.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/weights/pickle.h"

#include <stdio.h>
#include <string.h>

#include "engine/base/bytes.h"
#include "engine/weights/pickle_machine.h"

#define MAX_PROTOCOL 5
#define MAX_MEMO ((size_t)1 << 24)
#define NAME_SIZE 256

typedef enum Opcode {
    OP_PROTO = 0x80,
    OP_FRAME = 0x95,
    OP_STOP = '.',
    OP_MARK = '(',
    OP_POP = '0',
    OP_POP_MARK = '1',
    OP_DUP = '2',
    OP_NONE = 'N',
    OP_NEWTRUE = 0x88,
    OP_NEWFALSE = 0x89,
    OP_BININT = 'J',
    OP_BININT1 = 'K',
    OP_BININT2 = 'M',
    OP_LONG1 = 0x8a,
    OP_BINFLOAT = 'G',
    OP_BINUNICODE = 'X',
    OP_SHORT_BINUNICODE = 0x8c,
    OP_BINUNICODE8 = 0x8d,
    OP_BINSTRING = 'T',
    OP_SHORT_BINSTRING = 'U',
    OP_BINBYTES = 'B',
    OP_SHORT_BINBYTES = 'C',
    OP_BINBYTES8 = 0x8e,
    OP_EMPTY_TUPLE = ')',
    OP_TUPLE = 't',
    OP_TUPLE1 = 0x85,
    OP_TUPLE2 = 0x86,
    OP_TUPLE3 = 0x87,
    OP_EMPTY_LIST = ']',
    OP_APPEND = 'a',
    OP_APPENDS = 'e',
    OP_EMPTY_DICT = '}',
    OP_SETITEM = 's',
    OP_SETITEMS = 'u',
    OP_GLOBAL = 'c',
    OP_STACK_GLOBAL = 0x93,
    OP_REDUCE = 'R',
    OP_NEWOBJ = 0x81,
    OP_BUILD = 'b',
    OP_BINPERSID = 'Q',
    OP_BINPUT = 'q',
    OP_LONG_BINPUT = 'r',
    OP_MEMOIZE = 0x94,
    OP_BINGET = 'h',
    OP_LONG_BINGET = 'j'
} Opcode;

/* ---- opcodes ---- */

static RsdStatus push_int(PickleMachine *m, int64_t integer, RsdError *err)
{
    PickleValue *value;
    RsdStatus status = machine_push_new(m, PICKLE_INT, &value, err);

    if (status == RSD_OK)
        value->integer = integer;
    return status;
}

static RsdStatus push_text(PickleMachine *m, PickleKind kind, uint64_t size, RsdError *err)
{
    PickleValue *value;
    const uint8_t *bytes = NULL;
    char *copy;
    RsdStatus status = RSD_OK;

    TRY(machine_take(m, &bytes, size, err));
    CHECK(kind == PICKLE_BYTES || !memchr(bytes, '\0', (size_t)size), err, RSD_ERR_CORRUPT,
          "%s: pickle: the text at byte %zu has a zero byte in it", m->place, m->at - (size_t)size);
    TRY(machine_push_new(m, kind, &value, err));
    TRY(arena_alloc(m->arena, &copy, (size_t)size + 1, 1, err));
    memcpy(copy, bytes, (size_t)size);
    copy[size] = '\0';
    value->text = copy;
    value->text_size = (size_t)size;
fail:
    return status;
}

static RsdStatus push_sized_text(PickleMachine *m, PickleKind kind, int prefix_size, RsdError *err)
{
    uint64_t size;
    RsdStatus status = machine_take_number(m, &size, prefix_size, err);

    return status == RSD_OK ? push_text(m, kind, size, err) : status;
}

/* An integer of up to 255 bytes, of which no more than 8 are of use here. */
static RsdStatus push_long(PickleMachine *m, RsdError *err)
{
    uint64_t size, value = 0;
    const uint8_t *p = NULL;
    RsdStatus status = RSD_OK;

    TRY(machine_take_number(m, &size, 1, err));
    CHECK(size <= 8, err, RSD_ERR_UNSUPPORTED, "%s: pickle: the number at byte %zu has %d bytes, 8 are possible",
          m->place, m->at, (int)size);
    TRY(machine_take(m, &p, size, err));
    if (size > 0 && p[size - 1] & 0x80)
        value = UINT64_MAX;
    for (size_t i = (size_t)size; i-- > 0;)
        value = value << 8 | p[i];
    TRY(push_int(m, (int64_t)value, err));
fail:
    return status;
}

static RsdStatus push_float(PickleMachine *m, RsdError *err)
{
    PickleValue *value;
    const uint8_t *p = NULL;
    uint64_t bits;
    RsdStatus status = RSD_OK;

    TRY(machine_take(m, &p, 8, err));
    TRY(machine_push_new(m, PICKLE_FLOAT, &value, err));
    bits = (uint64_t)get_u32be(p) << 32 | get_u32be(p + 4);
    memcpy(&value->number, &bits, sizeof bits);
fail:
    return status;
}

static RsdStatus push_tuple(PickleMachine *m, PickleValue *const *items, size_t n, RsdError *err)
{
    PickleValue *tuple;
    RsdStatus status = RSD_OK;

    /* The items lie above the stack's height, where the new value goes: copied first. */
    TRY(arena_calloc(m->arena, &tuple, 1, sizeof *tuple, err));
    tuple->kind = PICKLE_TUPLE;
    TRY(arena_alloc(m->arena, &tuple->items, n, sizeof *items, err));
    if (n > 0)
        memcpy(tuple->items, items, n * sizeof *items);
    tuple->n_items = tuple->capacity = n;
    TRY(machine_push(m, tuple, err));
fail:
    return status;
}

static RsdStatus push_small_tuple(PickleMachine *m, size_t n, RsdError *err)
{
    RsdStatus status = machine_need(m, n, err);

    if (status != RSD_OK)
        return status;
    m->n_stack -= n;
    return push_tuple(m, m->stack + m->n_stack, n, err);
}

static RsdStatus append(PickleMachine *m, PickleValue *const *items, size_t n, RsdError *err)
{
    RsdStatus status = RSD_OK;

    TRY(machine_need(m, 1, err));
    CHECK(m->stack[m->n_stack - 1]->kind == PICKLE_LIST, err, RSD_ERR_CORRUPT,
          "%s: pickle: byte %zu appends to what is no list", m->place, m->at - 1);
    for (size_t i = 0; i < n; i++)
        TRY(machine_add_item(m, m->stack[m->n_stack - 1], items[i], err));
fail:
    return status;
}

static RsdStatus set_items(PickleMachine *m, PickleValue *const *items, size_t n, RsdError *err)
{
    RsdStatus status = RSD_OK;

    TRY(machine_need(m, 1, err));
    CHECK(m->stack[m->n_stack - 1]->kind == PICKLE_DICT && n % 2 == 0, err, RSD_ERR_CORRUPT,
          "%s: pickle: byte %zu sets items of what is no dictionary, or a key without a value", m->place, m->at - 1);
    for (size_t i = 0; i < n; i++)
        TRY(machine_add_item(m, m->stack[m->n_stack - 1], items[i], err));
fail:
    return status;
}

static RsdStatus push_global(PickleMachine *m, const char *module, size_t module_len, const char *name, size_t name_len,
                             RsdError *err)
{
    char full[NAME_SIZE];
    PickleValue *value;
    RsdStatus status = RSD_OK;

    CHECK(module_len + name_len + 2 <= sizeof full && !memchr(module, '\0', module_len) &&
              !memchr(name, '\0', name_len),
          err, RSD_ERR_UNSUPPORTED, "%s: pickle: byte %zu imports a name longer than any that is known here", m->place,
          m->at);
    snprintf(full, sizeof full, "%.*s %.*s", (int)module_len, module, (int)name_len, name);
    for (const char *const *known = m->globals; *known; known++) {
        if (strcmp(*known, full) != 0)
            continue;
        TRY(machine_push_new(m, PICKLE_GLOBAL, &value, err));
        value->text = *known;
        value->text_size = strlen(*known);
        return RSD_OK;
    }
    full[module_len] = '.';
    for (char *c = full; *c; c++)
        if (*c < ' ' || *c > '~')
            *c = '?';
    status = error_set(
        err, RSD_ERR_UNSUPPORTED,
        "%s: asks Python to import %.80s, which is no part of a file of weights; nothing was executed. If you "
        "trust it, save its state_dict alone",
        m->place, full);
fail:
    return status;
}

static RsdStatus push_global_line(PickleMachine *m, RsdError *err)
{
    const char *module = NULL, *name = NULL;
    size_t module_len = 0, name_len = 0;
    RsdStatus status = RSD_OK;

    TRY(machine_take_line(m, &module, &module_len, err));
    TRY(machine_take_line(m, &name, &name_len, err));
    TRY(push_global(m, module, module_len, name, name_len, err));
fail:
    return status;
}

static RsdStatus push_global_from_stack(PickleMachine *m, RsdError *err)
{
    PickleValue *module, *name;
    RsdStatus status = RSD_OK;

    TRY(machine_need(m, 2, err));
    name = machine_pop(m);
    module = machine_pop(m);
    CHECK(name->kind == PICKLE_TEXT && module->kind == PICKLE_TEXT, err, RSD_ERR_CORRUPT,
          "%s: pickle: byte %zu imports what is no name", m->place, m->at - 1);
    TRY(push_global(m, module->text, module->text_size, name->text, name->text_size, err));
fail:
    return status;
}

/* REDUCE and NEWOBJ: what Python would call becomes a node; an empty ordered dictionary is a dictionary. */
static RsdStatus push_call(PickleMachine *m, RsdError *err)
{
    PickleValue *callee, *args, *value;
    RsdStatus status = RSD_OK;

    TRY(machine_need(m, 2, err));
    args = machine_pop(m);
    callee = machine_pop(m);
    CHECK(callee->kind == PICKLE_GLOBAL && args->kind == PICKLE_TUPLE, err, RSD_ERR_CORRUPT,
          "%s: pickle: byte %zu calls what is no name", m->place, m->at - 1);
    if (pickle_is_global(callee, "collections OrderedDict") && args->n_items == 0)
        return machine_push_new(m, PICKLE_DICT, &value, err);
    TRY(machine_push_new(m, PICKLE_CALL, &value, err));
    TRY(machine_add_item(m, value, callee, err));
    TRY(machine_add_item(m, value, args, err));
fail:
    return status;
}

/* BUILD: attributes of an object. Those of a dictionary (torch's version numbers) say nothing about its items. */
static RsdStatus set_state(PickleMachine *m, RsdError *err)
{
    PickleValue *state, *object;
    RsdStatus status = RSD_OK;

    TRY(machine_need(m, 2, err));
    state = machine_pop(m);
    object = m->stack[m->n_stack - 1];
    CHECK(object->kind == PICKLE_DICT || (object->kind == PICKLE_CALL && object->n_items == 2), err, RSD_ERR_CORRUPT,
          "%s: pickle: byte %zu sets the state of what is no object", m->place, m->at - 1);
    if (object->kind == PICKLE_CALL)
        TRY(machine_add_item(m, object, state, err));
fail:
    return status;
}

static RsdStatus push_persistent(PickleMachine *m, RsdError *err)
{
    PickleValue *id, *value;
    RsdStatus status = RSD_OK;

    TRY(machine_need(m, 1, err));
    id = machine_pop(m);
    TRY(machine_push_new(m, PICKLE_PERSISTENT, &value, err));
    TRY(machine_add_item(m, value, id, err));
fail:
    return status;
}

static RsdStatus memo_put(PickleMachine *m, uint64_t at, RsdError *err)
{
    RsdStatus status = RSD_OK;

    TRY(machine_need(m, 1, err));
    CHECK(at < MAX_MEMO && at <= m->size, err, RSD_ERR_CORRUPT, "%s: pickle: place %llu of the memo is out of reach",
          m->place, (unsigned long long)at);
    while (m->n_memo <= at) {
        TRY(machine_grow(m, &m->memo, m->n_memo, &m->memo_capacity, sizeof *m->memo, err));
        m->memo[m->n_memo++] = NULL;
    }
    m->memo[at] = m->stack[m->n_stack - 1];
fail:
    return status;
}

static RsdStatus memo_get(PickleMachine *m, uint64_t at, RsdError *err)
{
    if (at >= m->n_memo || !m->memo[at])
        return error_set(err, RSD_ERR_CORRUPT, "%s: pickle: place %llu of the memo is empty", m->place,
                         (unsigned long long)at);
    return machine_push(m, m->memo[at], err);
}

static RsdStatus mark(PickleMachine *m, RsdError *err)
{
    RsdStatus status = machine_grow(m, &m->marks, m->n_marks, &m->marks_capacity, sizeof *m->marks, err);

    if (status == RSD_OK)
        m->marks[m->n_marks++] = m->n_stack;
    return status;
}

static RsdStatus check_protocol(PickleMachine *m, RsdError *err)
{
    uint64_t version;
    RsdStatus status = machine_take_number(m, &version, 1, err);

    if (status == RSD_OK && (version < 2 || version > MAX_PROTOCOL))
        status = error_set(err, RSD_ERR_UNSUPPORTED, "%s: pickle protocol %d; 2 to %d are read", m->place, (int)version,
                           MAX_PROTOCOL);
    return status;
}

static RsdStatus step(PickleMachine *m, uint8_t opcode, RsdError *err)
{
    PickleValue *value, **items;
    uint64_t number;
    size_t n;
    RsdStatus status = RSD_OK;

    switch ((Opcode)opcode) {
    case OP_PROTO:
        return check_protocol(m, err);
    case OP_FRAME:
        return machine_take_number(m, &number, 8, err); /* frames only help to read ahead */
    case OP_MARK:
        return mark(m, err);
    case OP_POP:
        TRY(machine_need(m, 1, err));
        machine_pop(m);
        break;
    case OP_POP_MARK:
        return machine_pop_to_mark(m, &items, &n, err);
    case OP_DUP:
        TRY(machine_need(m, 1, err));
        return machine_push(m, m->stack[m->n_stack - 1], err);
    case OP_NONE:
        return machine_push(m, m->none, err);
    case OP_NEWTRUE:
        return machine_push(m, m->yes, err);
    case OP_NEWFALSE:
        return machine_push(m, m->no, err);
    case OP_BININT:
        TRY(machine_take_number(m, &number, 4, err));
        return push_int(m, (int32_t)(uint32_t)number, err);
    case OP_BININT1:
        TRY(machine_take_number(m, &number, 1, err));
        return push_int(m, (int64_t)number, err);
    case OP_BININT2:
        TRY(machine_take_number(m, &number, 2, err));
        return push_int(m, (int64_t)number, err);
    case OP_LONG1:
        return push_long(m, err);
    case OP_BINFLOAT:
        return push_float(m, err);
    case OP_SHORT_BINUNICODE:
        return push_sized_text(m, PICKLE_TEXT, 1, err);
    case OP_BINUNICODE:
        return push_sized_text(m, PICKLE_TEXT, 4, err);
    case OP_BINUNICODE8:
        return push_sized_text(m, PICKLE_TEXT, 8, err);
    case OP_SHORT_BINSTRING:
    case OP_SHORT_BINBYTES:
        return push_sized_text(m, PICKLE_BYTES, 1, err);
    case OP_BINSTRING:
    case OP_BINBYTES:
        return push_sized_text(m, PICKLE_BYTES, 4, err);
    case OP_BINBYTES8:
        return push_sized_text(m, PICKLE_BYTES, 8, err);
    case OP_EMPTY_TUPLE:
        return push_tuple(m, NULL, 0, err);
    case OP_TUPLE1:
        return push_small_tuple(m, 1, err);
    case OP_TUPLE2:
        return push_small_tuple(m, 2, err);
    case OP_TUPLE3:
        return push_small_tuple(m, 3, err);
    case OP_TUPLE:
        TRY(machine_pop_to_mark(m, &items, &n, err));
        return push_tuple(m, items, n, err);
    case OP_EMPTY_LIST:
        return machine_push_new(m, PICKLE_LIST, &value, err);
    case OP_APPEND:
        TRY(machine_need(m, 2, err));
        value = machine_pop(m);
        return append(m, &value, 1, err);
    case OP_APPENDS:
        TRY(machine_pop_to_mark(m, &items, &n, err));
        return append(m, items, n, err);
    case OP_EMPTY_DICT:
        return machine_push_new(m, PICKLE_DICT, &value, err);
    case OP_SETITEM:
        TRY(machine_need(m, 3, err));
        m->n_stack -= 2;
        return set_items(m, m->stack + m->n_stack, 2, err);
    case OP_SETITEMS:
        TRY(machine_pop_to_mark(m, &items, &n, err));
        return set_items(m, items, n, err);
    case OP_GLOBAL:
        return push_global_line(m, err);
    case OP_STACK_GLOBAL:
        return push_global_from_stack(m, err);
    case OP_REDUCE:
    case OP_NEWOBJ:
        return push_call(m, err);
    case OP_BUILD:
        return set_state(m, err);
    case OP_BINPERSID:
        return push_persistent(m, err);
    case OP_BINPUT:
        TRY(machine_take_number(m, &number, 1, err));
        return memo_put(m, number, err);
    case OP_LONG_BINPUT:
        TRY(machine_take_number(m, &number, 4, err));
        return memo_put(m, number, err);
    case OP_MEMOIZE:
        return memo_put(m, m->n_memo, err);
    case OP_BINGET:
        TRY(machine_take_number(m, &number, 1, err));
        return memo_get(m, number, err);
    case OP_LONG_BINGET:
        TRY(machine_take_number(m, &number, 4, err));
        return memo_get(m, number, err);
    case OP_STOP:
        break; /* pickle_read */
    default:
        return error_set(err, RSD_ERR_UNSUPPORTED,
                         "%s: pickle: opcode 0x%02x at byte %zu is not one that plain values need", m->place, opcode,
                         m->at - 1);
    }
fail:
    return status;
}

static RsdStatus make_constants(PickleMachine *m, RsdError *err)
{
    PickleValue *values;
    RsdStatus status = arena_calloc(m->arena, &values, 3, sizeof *values, err);

    if (status != RSD_OK)
        return status;
    m->none = &values[0];
    m->no = &values[1];
    m->yes = &values[2];
    m->no->kind = m->yes->kind = PICKLE_BOOL;
    m->yes->integer = 1;
    return RSD_OK;
}

RsdStatus pickle_read(PickleValue **out, Arena *arena, const uint8_t *data, size_t size, const char *const *globals,
                      const char *place, RsdError *err)
{
    PickleMachine m = {.arena = arena, .place = place, .globals = globals, .data = data, .size = size};
    RsdStatus status = RSD_OK;

    *out = NULL;
    CHECK(size >= 2 && data[0] == OP_PROTO, err, RSD_ERR_CORRUPT, "%s: is no pickle of protocol 2 or later", place);
    TRY(make_constants(&m, err));
    for (;;) {
        CHECK(m.at < size, err, RSD_ERR_CORRUPT, "%s: pickle: %zu bytes without an end", place, size);
        if (data[m.at++] == OP_STOP)
            break;
        TRY(step(&m, data[m.at - 1], err));
    }
    CHECK(m.n_stack == 1 && m.n_marks == 0, err, RSD_ERR_CORRUPT,
          "%s: pickle: %zu values are left at the end, expected one", place, m.n_stack);
    CHECK(m.at == size, err, RSD_ERR_CORRUPT, "%s: pickle: ends, and %zu bytes follow: another file behind it, or damage", place,
          size - m.at);
    *out = m.stack[0];
fail:
    return status;
}

PickleValue *pickle_find(const PickleValue *dict, const char *key)
{
    if (dict->kind != PICKLE_DICT)
        return NULL;
    for (size_t i = dict->n_items; i >= 2; i -= 2) {
        const PickleValue *found = dict->items[i - 2];

        if (found->kind == PICKLE_TEXT && strcmp(found->text, key) == 0)
            return dict->items[i - 1];
    }
    return NULL;
}

bool pickle_is_global(const PickleValue *value, const char *name)
{
    return value->kind == PICKLE_GLOBAL && strcmp(value->text, name) == 0;
}

bool pickle_is_call(const PickleValue *value, const char *name)
{
    return value->kind == PICKLE_CALL && pickle_is_global(value->items[0], name);
}
