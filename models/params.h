/* params.h - the named parameters of a model: created by networks, saved as safetensors, moved by optimisers.
 *
 * A set is made for training or for inference. In a set for inference nothing has a gradient, training state has no
 * memory and networks leave their weights undefined instead of drawing random ones, because params_load fills them next:
 * that is what keeps the start-up of the program short.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_PARAMS_H
#define RESIDUA_PARAMS_H

#include "engine/base/arena.h"
#include "engine/base/rng.h"
#include "engine/tensor.h"
#include "engine/weights/safetensors.h"

/* Takes a weight that has just been read, tensor->data, which is gone afterwards: lays it out for the kernels. */
typedef RsdStatus (*ParamTake)(void *ctx, Tensor *tensor, RsdError *err);

typedef struct Param {
    char *name;          /* "decoder.stages.0.up.weight_v" */
    Tensor *tensor;      /* with a persistent gradient when trainable and the set is for training */
    bool trainable;      /* false: state such as codebooks; saved, not optimised */
    bool elementwise;    /* its two axes are no rows and columns of a matrix: no orthogonal steps */
    bool fine;           /* a matrix whose rounding to 8 bits would be felt: 16 bits in a file of bytes */
    bool training_only;  /* state that only further training needs, such as codebook averages */
    bool passing;        /* has memory only while it is read: params_add_passing */
    bool left_out;       /* has a shape and no numbers: ParamSet.left_out */
} Param;

typedef struct ParamSet {
    Param *items;
    size_t n_items, capacity;
    bool for_inference;
    Arena *memory; /* of all tensors of a set for inference */
    /* Of a set for inference, set before parameters are added: */
    const char *const *left_out; /* names that begin with one of these are checked and not read; ends with NULL; NULL: none */
    ParamTake take;       /* where passing weights go; NULL: they stay */
    void *take_ctx;
} ParamSet;

RsdStatus params_create(ParamSet **out, RsdError *err);
/* A set for inference, see above. n_elements: about how many numbers will be added; they are taken in one piece. Contents of
 * new tensors are undefined. */
RsdStatus params_create_for_inference(ParamSet **out, int64_t n_elements, RsdError *err);
void params_destroy(ParamSet **params);

/* Adds a new tensor, zeroed in a set for training, called name (copied). *out is owned by the set. Errors: RSD_ERR_ARG (name taken, bad
 * shape), RSD_ERR_MEMORY. */
RsdStatus params_add(ParamSet *params, const char *name, int n_dims, const int64_t *shape, bool trainable, Tensor **out,
                     RsdError *err);
/* The same for a weight that the network copies as soon as it is there: in a set with `take` its data are NULL but for that
 * moment. */
RsdStatus params_add_passing(ParamSet *params, const char *name, int n_dims, const int64_t *shape, Tensor **out, RsdError *err);
/* The same for state that only training needs; in a set for inference *out is NULL and nothing is added. */
RsdStatus params_add_training_state(ParamSet *params, const char *name, int n_dims, const int64_t *shape, Tensor **out,
                                    RsdError *err);
Tensor *params_find(const ParamSet *params, const char *name);
int64_t params_count_elements(const ParamSet *params, bool trainable_only);
void params_zero_grad(ParamSet *params);
/* Uniform numbers in [-bound, bound) from rng, in the order of the elements; for initial weights. */
void params_fill_uniform(Tensor *tensor, Rng *rng, float bound);
/* norms[i] = the Euclidean norm of tensor[i, ...]; the first g of weight norm. */
void params_fill_norms(Tensor *norms, const Tensor *tensor);
void params_fill_constant(Tensor *tensor, float value);

/* Around the reading of each parameter that is not left out: tensor->data has its room in between.
 * Errors: RSD_ERR_MEMORY, those of take. `status` is that of the reading, and comes back. */
RsdStatus params_begin_fill(ParamSet *params, Param *param, RsdError *err);
RsdStatus params_end_fill(ParamSet *params, Param *param, RsdStatus status, RsdError *err);

/* Fill all tensors from a file whose names are prefix + name; other arrays of the file are not looked at. Training state
 * that the file lacks stays as it is. Lists what is missing or of another shape in the error; then nothing was changed.
 * Errors: RSD_ERR_CORRUPT, RSD_ERR_UNSUPPORTED, RSD_ERR_NUMERIC (the set is half filled). */
RsdStatus params_load(ParamSet *params, const Safetensors *st, const char *prefix, RsdError *err);
/* Whether a file of bytes has it as bytes, with a scale for each row (safetensors_writer_bytes): matrices that are worth it and not
 * fine. */
bool params_is_stored_as_bytes(const Param *param);
/* Adds all tensors to the writer (borrowed until it finishes) under prefix + name. Training state is always F32, because
 * resuming must be exact, and is left out by params_save_for_inference. stored_as F32, F16, or I8: matrices of some size that are not fine
 * as bytes with a scale for each row, the rest as F16. */
RsdStatus params_save(const ParamSet *params, SafetensorsWriter *writer, const char *prefix, Dtype stored_as, RsdError *err);
RsdStatus params_save_for_inference(const ParamSet *params, SafetensorsWriter *writer, const char *prefix, Dtype stored_as,
                                    RsdError *err);

#endif
