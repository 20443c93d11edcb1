/* model_choice.h - what --model names: a built-in model or a file.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_CLI_MODEL_CHOICE_H
#define RESIDUA_CLI_MODEL_CHOICE_H

#include "codec/model.h"
#include "models/image_codec.h"

/* choice NULL: the default model. The name of a built-in model comes before a file of that name; "./NAME" is always the
 * file. use: what for. Errors: those of rsd_model_open_builtin and rsd_model_open_file. */
RsdStatus model_choice_open(RsdModel **out, const char *choice, AudioCodecUse use, RsdError *err);

/* Whether the choice is a model of pictures: by the name of a built-in one, or by what the file says. False for what cannot be
 * opened. */
bool model_choice_is_picture(const char *choice);
bool model_choice_is_builtin_picture(const char *choice);
/* The same for pictures: the choice, or with NULL the built-in model called name (NULL: the first). Errors: RSD_ERR_MODEL, those of
 * image_codec_load. */
RsdStatus picture_choice_open(ImageCodec **out, const char *choice, const char *name, ImageCodecUse use, RsdError *err);

#endif
