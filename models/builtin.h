/* builtin.h - the table of model files inside the library; the build makes its definition from models/builtin/ (embed.sh).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_BUILTIN_H
#define RESIDUA_BUILTIN_H

#include <stddef.h>
#include <stdint.h>

#include "models/audio_codec.h"

typedef struct BuiltinModel {
    const char *name; /* the file's name without .safetensors; NULL ends the table */
    const uint8_t *data, *end;
    uint8_t hash[MODEL_HASH_SIZE]; /* computed when the program is built: hashing megabytes would slow every start */
} BuiltinModel;

extern const BuiltinModel builtin_models[];

#endif
