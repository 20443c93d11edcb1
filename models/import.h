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

/* Fills every tensor of the set; training state stays as it is where the file has none. Shapes must be equal except for axes of
 * length 1 (a weight norm's g is [c, 1, 1] there and [c] here). Where the file has NAME_v and NAME_g, or NAME of torch's
 * parametrizations, for a NAME that is plain here, the weight norm is folded, g v / |v| over all axes but the first (audio.md
 * 1.5). All names are looked at before anything is read: the error lists what is missing, what has another shape and what is
 * unexpected. Errors: RSD_ERR_CORRUPT, those of checkpoint_read_f32 (the set is half filled). */
RsdStatus import_params(ParamSet *params, Checkpoint *file, const ImportRules *rules, RsdError *err);

/* Before memory is taken for a network: what the file holds bounds what its shapes may ask for. Errors: RSD_ERR_CORRUPT when it
 * has less than half of n_needed numbers; what is missing from a file with more is for import_params to list. */
RsdStatus import_check_size(const Checkpoint *file, int64_t n_needed, RsdError *err);

#endif
