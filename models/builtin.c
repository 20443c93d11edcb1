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
    for (const BuiltinModel *model = builtin_models; model->name; model++)
        if (model->kind == BUILTIN_AUDIO && i-- == 0)
            return model->name;
    return NULL;
}

static RsdStatus name_unknown(BuiltinKind kind, const char *name, RsdError *err)
{
    static const char *const kinds[] = {"signals", "pictures"};
    char list[LIST_SIZE] = "";
    size_t used = 0;

    for (const BuiltinModel *model = builtin_models; model->name && used < sizeof list; model++)
        if (model->kind == kind)
            used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", used ? ", " : "", model->name);
    if (!used)
        return error_set(err, RSD_ERR_MODEL, "this build of residua has no built-in model for %s; give a model file",
                         kinds[kind]);
    return error_set(err, RSD_ERR_MODEL, "no built-in model for %s is called %.64s; there is %s", kinds[kind], name, list);
}

/* Without a name: the first that is no twin of another (NAME-LOSS). */
RsdStatus builtin_find(const BuiltinModel **out, BuiltinKind kind, const char *name, RsdError *err)
{
    *out = NULL;
    for (const BuiltinModel *model = builtin_models; model->name; model++)
        if (model->kind == kind && (name ? strcmp(model->name, name) == 0 : !strchr(model->name, '-'))) {
            *out = model;
            return RSD_OK;
        }
    return name_unknown(kind, name, err);
}

RsdStatus audio_codec_load_builtin(AudioCodec **out, const char *name, RsdError *err)
{
    const BuiltinModel *model;
    Safetensors *st = NULL;
    RsdStatus status = RSD_OK;

    *out = NULL;
    status = builtin_find(&model, BUILTIN_AUDIO, name, err);
    if (status != RSD_OK)
        return status;
    TRY(safetensors_open_memory(&st, model->data, (size_t)(model->end - model->data), model->name, err));
    TRY(audio_codec_from_safetensors(out, st, model->hash, AUDIO_USE_ALL, err));
fail:
    safetensors_close(&st);
    return status == RSD_OK ? RSD_OK : error_prefix(err, status, "built-in model %s", model->name);
}
