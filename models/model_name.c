/* model_name.c - which names a model may have.
 *
 * SPDX-License-Identifier: MIT
 */
#include "models/model_name.h"

#include <string.h>

bool model_name_is_valid(const char *name)
{
    size_t len = strnlen(name, MODEL_NAME_SIZE);

    if (len == 0 || len == MODEL_NAME_SIZE)
        return false;
    return strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == len;
}
