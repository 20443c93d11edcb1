/* foreign.h - our parameters filled from the files of other programs, which call and arrange them differently.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_FOREIGN_H
#define RESIDUA_FOREIGN_H

#include "engine/weights/checkpoint.h"
#include "models/params.h"

#define FOREIGN_NAME_SIZE 128

/* theirs: the name in the file of our parameter `ours`. False when the file can have no such array. */
typedef bool (*ForeignName)(char theirs[FOREIGN_NAME_SIZE], const char *ours, const void *ctx);

/* Fills every parameter that inference needs. Axes of length 1 do not count when shapes are compared. Where the file has NAME_v and
 * NAME_g, or NAME of torch's parametrizations, for a NAME that we keep plain, the weight norm is folded, g v / |v| over all
 * axes but the first (audio.md 1.5). Everything that is missing, of another shape, or not asked for and no mere counter is
 * listed in the error, as far as it fits, before anything is read. Errors: RSD_ERR_CORRUPT, those of checkpoint_read_f32. */
RsdStatus foreign_fill(ParamSet *params, Checkpoint *checkpoint, ForeignName name, const void *ctx, RsdError *err);

#endif
