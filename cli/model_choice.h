/* model_choice.h - what --model names: a built-in model or a file.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_CLI_MODEL_CHOICE_H
#define RESIDUA_CLI_MODEL_CHOICE_H

#include "codec/residua.h"

/* choice NULL: the default model. The name of a built-in model comes before a file of that name; "./NAME" is always the file.
 * Errors: those of rsd_model_open_builtin and rsd_model_open_file. */
RsdStatus model_choice_open(RsdModel **out, const char *choice, RsdError *err);

/* "mono", "stereo", "6 channels". Returns `text`. */
#define CHANNELS_TEXT_SIZE 24
const char *channels_text(char text[CHANNELS_TEXT_SIZE], int channels);

/* "16 kHz", "11025 Hz". Returns `text`. */
#define RATE_TEXT_SIZE 24
const char *rate_text(char text[RATE_TEXT_SIZE], int rate_hz);

#endif
