/* model_choice.c - names before files.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cli/model_choice.h"

#include <string.h>

#include "engine/base/error.h"
#include "engine/weights/safetensors.h"
#include "models/builtin.h"

RsdStatus model_choice_open(RsdModel **out, const char *choice, AudioCodecUse use, RsdError *err)
{
    RsdStatus status;

    if (choice && !builtin_is_meant(BUILTIN_AUDIO, choice))
        return model_open_for(out, choice, use, err);
    status = rsd_model_open_builtin(out, choice, err);
    if (status == RSD_ERR_MODEL && !rsd_model_builtin_name(0))
        return error_set(err, RSD_ERR_MODEL,
                         "no model is built into this program; name a model file with --model FILE");
    return status;
}

/* --- pictures ------------------------------------------------------------------------------------------------------- */

bool model_choice_is_builtin_picture(const char *choice)
{
    for (size_t i = 0; image_codec_builtin_name(i); i++)
        if (!strcmp(image_codec_builtin_name(i), choice))
            return true;
    return false;
}

bool model_choice_is_picture(const char *choice)
{
    Safetensors *file = NULL;
    const char *kind;
    bool is;

    if (model_choice_is_builtin_picture(choice))
        return true;
    if (safetensors_open(&file, choice, NULL) != RSD_OK)
        return false;
    kind = safetensors_metadata(file, "residua.kind");
    is = kind && strcmp(kind, "image-codec") == 0;
    safetensors_close(&file);
    return is;
}

RsdStatus picture_choice_open(ImageCodec **out, const char *choice, const char *name, ImageCodecUse use, RsdError *err)
{
    return choice ? image_codec_load_named(out, choice, use, err) : image_codec_load_builtin(out, name, use, err);
}
