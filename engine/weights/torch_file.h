/* torch_file.h - files of torch.save since torch 1.6: a zip of one pickle, data.pkl, and one entry per storage; private to
 * engine/weights, which shows them as a Checkpoint.
 *
 *   NAME/data.pkl     a tree of containers; a tensor is a call of _rebuild_tensor_v2(storage, offset, shape, strides, ...)
 *   NAME/data/KEY     the numbers of storage KEY, little-endian, uncompressed
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_TORCH_FILE_H
#define RESIDUA_TORCH_FILE_H

#include "engine/weights/checkpoint.h"
#include "engine/weights/metadata.h"
#include "engine/weights/zip_archive.h"

typedef struct TorchTensor {
    CheckpointArray array;
    int64_t strides[TENSOR_MAX_DIMS]; /* in elements, not negative */
    int64_t offset, n_stored;         /* first element; elements of the storage */
    int64_t entry;                    /* of the archive */
} TorchTensor;

typedef struct TorchFile {
    ZipArchive *archive;
    char *place;
    TorchTensor *tensors; /* names owned; sorted by name, each once */
    size_t n_tensors, capacity;
    MetadataList metadata;
    uint8_t *storage; /* contents of entry `stored`, the one read last */
    size_t storage_size;
    int64_t stored; /* -1: none */
} TorchFile;

/* Takes the archive over, also when it fails. Every tensor that is shown lies inside its storage. Errors: those of
 * checkpoint_open. */
RsdStatus torch_file_open(TorchFile **out, ZipArchive *archive, const char *place, RsdError *err);
void torch_file_close(TorchFile **file);
/* As checkpoint_read_f32 and checkpoint_check_f32. */
RsdStatus torch_file_read_f32(TorchFile *file, const TorchTensor *tensor, float *dst, int64_t count, RsdError *err);
RsdStatus torch_file_check_f32(TorchFile *file, const TorchTensor *tensor, RsdError *err);

#endif
