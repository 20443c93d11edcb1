/* model_name.h - what a model file and the streams made with it call a model.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_MODEL_NAME_H
#define RESIDUA_MODEL_NAME_H

#include <stdbool.h>
#include <stdint.h>

#define MODEL_NAME_SIZE 32
#define MODEL_HASH_SIZE 8 /* first bytes of SHA-256 of the model file */
#define MODEL_HASH_TEXT_SIZE (2 * MODEL_HASH_SIZE + 1)

/* 1 to 31 letters, digits, dots, dashes and underscores: names go into streams, file names and terminals. */
bool model_name_is_valid(const char *name);

/* A hash as 16 hexadecimal digits. */
void model_hash_print(char text[MODEL_HASH_TEXT_SIZE], const uint8_t hash[MODEL_HASH_SIZE]);
/* The hash that text begins with; false: it begins with none. */
bool model_hash_parse(uint8_t hash[MODEL_HASH_SIZE], const char *text);

#endif
