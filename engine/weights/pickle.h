/* pickle.h - Python's pickle format, read without executing any of it.
 *
 * A pickle is a program for a small stack machine. This one builds a tree of plain values; where Python would import a
 * name or call it, the tree gets a node that says so, and only names on the caller's list get that far. What a call means
 * is up to whoever walks the tree (torch_file.c knows torch's tensors).
 *
 * The tree comes from a file: it may share nodes, be deep, and even contain itself, so walk it with a bound on depth and on
 * steps.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_PICKLE_H
#define RESIDUA_PICKLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/arena.h"
#include "engine/base/error.h"

typedef enum PickleKind {
    PICKLE_NONE,
    PICKLE_BOOL,
    PICKLE_INT,
    PICKLE_FLOAT,
    PICKLE_TEXT,
    PICKLE_BYTES,
    PICKLE_TUPLE,
    PICKLE_LIST,
    PICKLE_DICT,
    PICKLE_GLOBAL, /* a name that Python would import; text is "module name" */
    PICKLE_CALL, /* items: the global, its arguments (a tuple), and, when there is one, the state that is set afterwards */
    PICKLE_PERSISTENT /* items: the id of an object that is stored elsewhere */
} PickleKind;

typedef struct PickleValue PickleValue;
struct PickleValue {
    PickleKind kind;
    int64_t integer;     /* BOOL, INT */
    double number;       /* FLOAT */
    const char *text;    /* TEXT and GLOBAL, terminated and without a zero byte inside; BYTES */
    size_t text_size;    /* without the terminating zero */
    PickleValue **items; /* TUPLE, LIST; DICT: key, value, key, value...; CALL, PERSISTENT */
    size_t n_items, capacity;
};

/* Runs the pickle in data [size] up to its STOP; protocols 2 to 5 as far as plain values need them. *out and all below it
 * live in the arena, whose limit is the bound on memory; nothing of data is kept. globals: the names that may occur,
 * "module name", ended by NULL; a dictionary type called as "collections OrderedDict" becomes a DICT. place begins the
 * messages. Errors: RSD_ERR_CORRUPT (not a pickle, damaged, cut off, or more than a pickle), RSD_ERR_UNSUPPORTED (an
 * opcode or a name that is not on the list), RSD_ERR_MEMORY. */
RsdStatus pickle_read(PickleValue **out, Arena *arena, const uint8_t *data, size_t size, const char *const *globals,
                      const char *place, RsdError *err);

/* Value of a text key, NULL when the value is no DICT or has no such key. */
PickleValue *pickle_find(const PickleValue *dict, const char *key);
/* True for a GLOBAL of that name ("torch FloatStorage"), and for a CALL of it. */
bool pickle_is_global(const PickleValue *value, const char *name);
bool pickle_is_call(const PickleValue *value, const char *name);

#endif
