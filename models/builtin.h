/* builtin.h - the table of model files inside the library; the build makes its definition from models/builtin/ (embed.sh).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_BUILTIN_H
#define RESIDUA_BUILTIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/error.h"
#include "models/model_name.h"

typedef enum BuiltinKind { BUILTIN_AUDIO, BUILTIN_IMAGE } BuiltinKind;

typedef struct BuiltinModel {
    const char *name; /* the file's name without .safetensors; NULL ends the table */
    const uint8_t *data, *end;
    uint8_t hash[MODEL_HASH_SIZE]; /* computed when the program is built: hashing megabytes would slow every start */
    BuiltinKind kind;
} BuiltinModel;

extern const BuiltinModel builtin_models[];

/* The model of this kind called name; NULL for the first. Errors: RSD_ERR_MODEL listing the names. */
RsdStatus builtin_find(const BuiltinModel **out, BuiltinKind kind, const char *name, RsdError *err);

/* Whether one of this kind is meant rather than a file: it has this name, or a word without a dot or a slash names no file either, and
 * builtin_find says which names there are. */
bool builtin_is_meant(BuiltinKind kind, const char *choice);

#endif
