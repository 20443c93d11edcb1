/* builtin.c - models that are part of the library.
 *
 * SPDX-License-Identifier: MIT
 */
#include "models/builtin.h"

#include <stdio.h>
#include <string.h>

#include "models/audio_codec_file.h"

#define LIST_SIZE 256

const char *audio_codec_builtin_name(size_t i)
{
    for (size_t j = 0; j < i; j++)
        if (!builtin_models[j].name)
            return NULL;
    return builtin_models[i].name;
}

static const BuiltinModel *find_model(const char *name)
{
    for (const BuiltinModel *model = builtin_models; model->name; model++)
        if (!name || strcmp(model->name, name) == 0)
            return model;
    return NULL;
}

static RsdStatus name_unknown(const char *name, RsdError *err)
{
    char list[LIST_SIZE] = "";
    size_t used = 0;

    if (!builtin_models[0].name)
        return error_set(err, RSD_ERR_MODEL, "this build of residua has no built-in model; give a model file");
    for (const BuiltinModel *model = builtin_models; model->name && used < sizeof list; model++)
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", used ? ", " : "", model->name);
    return error_set(err, RSD_ERR_MODEL, "no built-in model is called %.64s; there is %s", name, list);
}

RsdStatus audio_codec_load_builtin(AudioCodec **out, const char *name, RsdError *err)
{
    const BuiltinModel *model = find_model(name);
    Safetensors *st = NULL;
    RsdStatus status = RSD_OK;

    *out = NULL;
    if (!model)
        return name_unknown(name, err);
    TRY(safetensors_open_memory(&st, model->data, (size_t)(model->end - model->data), model->name, err));
    TRY(audio_codec_from_safetensors(out, st, model->hash, err));
fail:
    safetensors_close(&st);
    return status == RSD_OK ? RSD_OK : error_prefix(err, status, "built-in model %s", model->name);
}
