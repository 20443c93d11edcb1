/* model_bases.h - the models whose streams another model decodes, too: it was made of them, and all that decides what is coded stayed.
 *
 * A stream names its model by hash. A model with a decoder of its own is another file and has another hash; its file lists those of the
 * models that it stands in for under the key residua.bases, 16 digits each with commas between.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_MODEL_BASES_H
#define RESIDUA_MODEL_BASES_H

#include "engine/weights/safetensors.h"
#include "models/model_name.h"

#define MODEL_BASES_KEY "residua.bases"
#define MODEL_BASES_MAX 8

typedef struct ModelBases {
    uint8_t hashes[MODEL_BASES_MAX][MODEL_HASH_SIZE];
    int n;
} ModelBases;

/* bases become those of a model made of `base`: its own bases and then its hash. name: of that model, for the message.
 * Errors: RSD_ERR_UNSUPPORTED (it has MODEL_BASES_MAX of them already); *bases is then as it was. */
RsdStatus model_bases_follow(ModelBases *bases, const ModelBases *of_base, const uint8_t base[MODEL_HASH_SIZE], const char *name,
                             RsdError *err);
bool model_bases_have(const ModelBases *bases, const uint8_t hash[MODEL_HASH_SIZE]);

/* Of none nothing is written; without the key there are none. Errors: RSD_ERR_CORRUPT (not 1 to MODEL_BASES_MAX hashes), RSD_ERR_MEMORY. */
RsdStatus model_bases_write(const ModelBases *bases, SafetensorsWriter *writer, RsdError *err);
RsdStatus model_bases_read(ModelBases *bases, const Safetensors *st, RsdError *err);

#endif
