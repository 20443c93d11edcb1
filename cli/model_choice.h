/* model_choice.h - what --model names: a built-in model or a file.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_CLI_MODEL_CHOICE_H
#define RESIDUA_CLI_MODEL_CHOICE_H

#include "codec/residua.h"

/* choice NULL: the default model. The name of a built-in model comes before a file of that name; "./NAME" is always the
 * file. Errors: those of rsd_model_open_builtin and rsd_model_open_file. */
RsdStatus model_choice_open(RsdModel **out, const char *choice, RsdError *err);

#endif
