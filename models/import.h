/* import.h - fills the parameters of a network from a file that has other names for them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_IMPORT_H
#define RESIDUA_IMPORT_H

#include "engine/weights/checkpoint.h"
#include "models/params.h"

#define IMPORT_NAME_SIZE 160

typedef struct ImportRules {
    /* Writes the i-th name under which a file may hold `param`, i = 0, 1...; false when there are no more. */
    bool (*name)(char out[IMPORT_NAME_SIZE], const char *param, int i, const void *ctx);
    /* Whether an array that no parameter asked for may be in the file all the same; NULL: no. */
    bool (*may_ignore)(const char *array);
    const void *ctx;
} ImportRules;

/* Fills every tensor of the set but training state. Shapes must be equal except for axes of length 1 (a weight norm's g is
 * [c, 1, 1] there and [c] here). All names are looked at before anything is read: the error lists what is missing, what has
 * another shape and what is unexpected. Errors: RSD_ERR_CORRUPT, those of checkpoint_read_f32 (the set is half filled). */
RsdStatus import_params(ParamSet *params, Checkpoint *file, const ImportRules *rules, RsdError *err);

#endif
