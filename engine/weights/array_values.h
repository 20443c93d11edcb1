/* array_values.h - numbers of any floating-point dtype as floats; what the readers of weights share.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_ARRAY_VALUES_H
#define RESIDUA_ARRAY_VALUES_H

#include "engine/weights/safetensors.h"

/* The numbers of an entry -> dst [count]. place begins the messages. Errors: as safetensors_read_f32. */
RsdStatus array_read_f32(const char *place, const SafetensorsEntry *entry, float *dst, int64_t count, RsdError *err);
/* Looks at the numbers without keeping them. Errors: the same. */
RsdStatus array_check_f32(const char *place, const SafetensorsEntry *entry, RsdError *err);

#endif
