/* model_name.h - what a model file and the streams made with it call a model.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_MODEL_NAME_H
#define RESIDUA_MODEL_NAME_H

#include <stdbool.h>

#define MODEL_NAME_SIZE 32
#define MODEL_HASH_SIZE 8 /* first bytes of SHA-256 of the model file */

/* 1 to 31 letters, digits, dots, dashes and underscores: names go into streams, file names and terminals. */
bool model_name_is_valid(const char *name);

#endif
