/* array_check.h - whether an array can be read, for one that nobody keeps: a network that leaves half of a file out must not
 * take a file whose other half is damaged.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_ARRAY_CHECK_H
#define RESIDUA_ARRAY_CHECK_H

#include "engine/weights/checkpoint.h"
#include "engine/weights/safetensors.h"

/* Errors: those of safetensors_read_f32 and checkpoint_read_f32, but for RSD_ERR_ARG. */
RsdStatus safetensors_check_f32(const Safetensors *st, const SafetensorsEntry *entry, RsdError *err);
RsdStatus checkpoint_check_f32(Checkpoint *checkpoint, const CheckpointArray *array, RsdError *err);

#endif
