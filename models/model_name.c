/* model_name.c - which names a model may have, and its hash as text.
 *
 * SPDX-License-Identifier: MIT
 */
#include "models/model_name.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool model_name_is_valid(const char *name)
{
    size_t len = strnlen(name, MODEL_NAME_SIZE);

    if (len == 0 || len == MODEL_NAME_SIZE)
        return false;
    return strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == len;
}

void model_hash_print(char text[MODEL_HASH_TEXT_SIZE], const uint8_t hash[MODEL_HASH_SIZE])
{
    for (size_t i = 0; i < MODEL_HASH_SIZE; i++)
        snprintf(text + 2 * i, 3, "%02x", hash[i]);
}

bool model_hash_parse(uint8_t hash[MODEL_HASH_SIZE], const char *text)
{
    if (strspn(text, "0123456789abcdef") < 2 * MODEL_HASH_SIZE)
        return false;
    for (size_t i = 0; i < MODEL_HASH_SIZE; i++)
        hash[i] = (uint8_t)strtoul((char[3]){text[2 * i], text[2 * i + 1], '\0'}, NULL, 16);
    return true;
}
