/* model_bases.c - a list of hashes, in memory and as metadata.
 *
 * SPDX-License-Identifier: MIT
 */
#include "models/model_bases.h"

#include <string.h>

RsdStatus model_bases_follow(ModelBases *bases, const ModelBases *of_base, const uint8_t base[MODEL_HASH_SIZE], const char *name,
                             RsdError *err)
{
    if (of_base->n == MODEL_BASES_MAX)
        return error_set(err, RSD_ERR_UNSUPPORTED, "model %s was made of %d models already, which is the limit", name, MODEL_BASES_MAX);
    *bases = *of_base;
    memcpy(bases->hashes[bases->n++], base, MODEL_HASH_SIZE);
    return RSD_OK;
}

bool model_bases_have(const ModelBases *bases, const uint8_t hash[MODEL_HASH_SIZE])
{
    for (int i = 0; i < bases->n; i++)
        if (memcmp(bases->hashes[i], hash, MODEL_HASH_SIZE) == 0)
            return true;
    return false;
}

RsdStatus model_bases_write(const ModelBases *bases, SafetensorsWriter *writer, RsdError *err)
{
    char text[MODEL_BASES_MAX * MODEL_HASH_TEXT_SIZE];

    if (!bases->n)
        return RSD_OK;
    for (int i = 0; i < bases->n; i++) {
        model_hash_print(text + i * MODEL_HASH_TEXT_SIZE, bases->hashes[i]);
        if (i > 0)
            text[i * MODEL_HASH_TEXT_SIZE - 1] = ',';
    }
    return safetensors_writer_metadata(writer, MODEL_BASES_KEY, text, err);
}

RsdStatus model_bases_read(ModelBases *bases, const Safetensors *st, RsdError *err)
{
    const char *text = safetensors_metadata(st, MODEL_BASES_KEY);
    const size_t len = text ? strlen(text) : 0;
    bool sound = (len + 1) % MODEL_HASH_TEXT_SIZE == 0 && len < MODEL_BASES_MAX * MODEL_HASH_TEXT_SIZE;

    bases->n = 0;
    if (!text)
        return RSD_OK;
    for (size_t at = 0; sound && at < len; at += MODEL_HASH_TEXT_SIZE)
        sound = (at == 0 || text[at - 1] == ',') && model_hash_parse(bases->hashes[bases->n++], text + at);
    if (!sound || !len)
        return error_set(err, RSD_ERR_CORRUPT, MODEL_BASES_KEY " is \"%.40s\", expected 1 to %d hashes of 16 digits with commas between", text,
                         MODEL_BASES_MAX);
    return RSD_OK;
}
