/* checkpoint.h - the arrays and metadata of a file of weights, whatever wrote it: safetensors, or torch.save's zip of a pickle.
 *
 * Nothing of the file is executed and nothing is trusted: sizes, shapes, offsets and nesting are checked before an array is
 * shown, and names that Python would import are refused unless they make tensors (pickle.h, torch_file.h).
 *
 * Names of arrays are the keys that lead to them with dots between, except that a first key `state_dict` or `best_state`,
 * which only wraps, is left out. Everything else that the file says is metadata: text as it is, numbers as text, `true` and
 * `false`, lists with commas between ("8,5,4,2"), keys that lead there with dots between ("metadata.kwargs.encoder_rates").
 * A configuration of the model hub, `config.json`, adds its keys behind "config." ("config.upsampling_ratios").
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_CHECKPOINT_H
#define RESIDUA_CHECKPOINT_H

#include "engine/weights/safetensors.h"

typedef struct Checkpoint Checkpoint;

typedef enum CheckpointKind { CHECKPOINT_SAFETENSORS, CHECKPOINT_TORCH } CheckpointKind;

typedef struct CheckpointArray {
    const char *name; /* owned by the Checkpoint */
    Dtype dtype;
    int n_dims;
    int64_t shape[TENSOR_MAX_DIMS];
} CheckpointArray;

/* A file is told by its first bytes. One thread at a time. Errors: RSD_ERR_IO, RSD_ERR_CORRUPT, RSD_ERR_UNSUPPORTED (of
 * another kind, torch's format before 1.6, a name that is no tensor's), RSD_ERR_MEMORY. */
RsdStatus checkpoint_open(Checkpoint **out, const char *path, RsdError *err);
/* The same from memory; data [size] is borrowed until close, `name` is used in messages. */
RsdStatus checkpoint_open_memory(Checkpoint **out, const void *data, size_t size, const char *name, RsdError *err);
void checkpoint_close(Checkpoint **checkpoint);

/* Adds the metadata of a configuration file. Errors: those of metadata_read_json. */
RsdStatus checkpoint_add_config(Checkpoint *checkpoint, const char *path, RsdError *err);
/* The same with the `config.json` in the folder of `path`, if there is one. */
RsdStatus checkpoint_add_config_beside(Checkpoint *checkpoint, const char *path, RsdError *err);

CheckpointKind checkpoint_kind(const Checkpoint *checkpoint);
const char *checkpoint_place(const Checkpoint *checkpoint); /* for messages: the path or the name */
/* The safetensors file behind it, NULL for torch's. */
const Safetensors *checkpoint_safetensors(const Checkpoint *checkpoint);

size_t checkpoint_count(const Checkpoint *checkpoint);
const CheckpointArray *checkpoint_array(const Checkpoint *checkpoint, size_t i);        /* sorted by name */
const CheckpointArray *checkpoint_find(const Checkpoint *checkpoint, const char *name); /* NULL if absent */

/* NULL if absent; owned by the checkpoint, valid until metadata are added. */
const char *checkpoint_metadata(const Checkpoint *checkpoint, const char *key);
size_t checkpoint_metadata_count(const Checkpoint *checkpoint);
void checkpoint_metadata_at(const Checkpoint *checkpoint, size_t i, const char **key, const char **value);

/* Copies an array into dst [product of shape, C order], converted from F32, F16, BF16 or F64; not const, because the piece of
 * the file that was read last is kept. Errors: RSD_ERR_ARG (count differs), RSD_ERR_UNSUPPORTED (integers),
 * RSD_ERR_NUMERIC (NaN or infinity), RSD_ERR_CORRUPT (checksum), RSD_ERR_IO, RSD_ERR_MEMORY. */
RsdStatus checkpoint_read_f32(Checkpoint *checkpoint, const CheckpointArray *array, float *dst, int64_t count,
                              RsdError *err);

/* SHA-256 of the file. Errors: RSD_ERR_IO, RSD_ERR_MEMORY. */
RsdStatus checkpoint_hash(const Checkpoint *checkpoint, uint8_t digest[32], RsdError *err);

#endif
