/* builtin.c - models that are part of the library.
 *
 * SPDX-License-Identifier: MIT
 */
#include "models/builtin.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "models/audio_codec_file.h"

#define LIST_SIZE 256

const char *audio_codec_builtin_name(size_t i)
{
    for (const BuiltinModel *model = builtin_models; model->name; model++)
        if (model->kind == BUILTIN_AUDIO && i-- == 0)
            return model->name;
    return NULL;
}

static const char *const KIND_NAMES[] = {"signals", "pictures"};

/* "photo, photo-msssim", or nothing. */
static const char *list_names(char list[LIST_SIZE], BuiltinKind kind)
{
    size_t used = 0;

    list[0] = '\0';
    for (const BuiltinModel *model = builtin_models; model->name && used < LIST_SIZE; model++)
        if (model->kind == kind)
            used += (size_t)snprintf(list + used, LIST_SIZE - used, "%s%s", used ? ", " : "", model->name);
    return list;
}

static RsdStatus name_unknown(BuiltinKind kind, const char *name, RsdError *err)
{
    const BuiltinKind other = kind == BUILTIN_AUDIO ? BUILTIN_IMAGE : BUILTIN_AUDIO;
    char list[LIST_SIZE], others[LIST_SIZE];

    if (!*list_names(list, kind) || !name)
        return error_set(err, RSD_ERR_MODEL, "this build of residua has no built-in model for %s; give a model file", KIND_NAMES[kind]);
    for (const BuiltinModel *model = builtin_models; model->name; model++)
        if (strcmp(model->name, name) == 0)
            return error_set(err, RSD_ERR_MODEL, "%s is a built-in model for %s; for %s there is %s", name, KIND_NAMES[other],
                             KIND_NAMES[kind], list);
    return error_set(err, RSD_ERR_MODEL, "no built-in model is called %.64s; for %s there is %s, for %s %s", name, KIND_NAMES[kind], list,
                     KIND_NAMES[other], *list_names(others, other) ? others : "none");
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

bool builtin_is_meant(BuiltinKind kind, const char *choice)
{
    const BuiltinModel *model;

    return builtin_find(&model, kind, choice, NULL) == RSD_OK || (!strpbrk(choice, "./") && access(choice, F_OK) != 0);
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
