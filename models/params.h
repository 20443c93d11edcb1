/* params.h - the named parameters of a model: created by networks, saved as safetensors, moved by optimisers.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_PARAMS_H
#define RESIDUA_PARAMS_H

#include "engine/base/rng.h"
#include "engine/tensor.h"
#include "engine/weights/safetensors.h"

typedef struct Param {
    char *name;     /* "decoder.up.0.weight_v" */
    Tensor *tensor; /* with a persistent gradient when trainable */
    bool trainable; /* false: state such as codebook averages; saved, not optimised */
} Param;

typedef struct ParamSet {
    Param *items;
    size_t n_items, capacity;
} ParamSet;

RsdStatus params_create(ParamSet **out, RsdError *err);
void params_destroy(ParamSet **params);
/* Adds a new zeroed tensor called name (copied). *out is owned by the set. Errors: RSD_ERR_ARG (name taken, bad shape),
 * RSD_ERR_MEMORY. */
RsdStatus params_add(ParamSet *params, const char *name, int n_dims, const int64_t *shape, bool trainable, Tensor **out,
                     RsdError *err);
Tensor *params_find(const ParamSet *params, const char *name);
int64_t params_count_elements(const ParamSet *params, bool trainable_only);
void params_zero_grad(ParamSet *params);

/* Fill all tensors from a file whose names are prefix + name. Lists what is missing or of another shape in the error.
 * Errors: RSD_ERR_CORRUPT, RSD_ERR_NUMERIC. */
RsdStatus params_load(ParamSet *params, const Safetensors *st, const char *prefix, RsdError *err);
RsdStatus params_save(const ParamSet *params, SafetensorsWriter *writer, const char *prefix, Dtype stored_as, RsdError *err);

#endif
