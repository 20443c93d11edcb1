/* safetensors.h - named arrays in one file: u64 header length, JSON header, data (the format of the model hubs).
 *
 * Reading maps the file and trusts nothing: header length, JSON, dtypes, shapes, offsets, overlaps and holes are checked
 * before any array is shown. Writing goes to a temporary name beside the target and is renamed when complete.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_SAFETENSORS_H
#define RESIDUA_SAFETENSORS_H

#include <stddef.h>
#include <stdint.h>

#include "engine/base/error.h"
#include "engine/tensor.h"

typedef struct Safetensors Safetensors;

typedef enum Dtype {
    DTYPE_F32,
    DTYPE_F16,
    DTYPE_BF16,
    DTYPE_F64,
    DTYPE_I64,
    DTYPE_I32,
    DTYPE_I16,
    DTYPE_U8,
    DTYPE_I8,
    DTYPE_BOOL
} Dtype;

typedef struct SafetensorsEntry {
    const char *name; /* owned by the Safetensors */
    Dtype dtype;
    int n_dims;
    int64_t shape[TENSOR_MAX_DIMS];
    const void *data; /* borrowed, little-endian, may be unaligned */
    size_t size;
} SafetensorsEntry;

/* Opens a file (mapped, kept until close). Errors: RSD_ERR_IO, RSD_ERR_CORRUPT, RSD_ERR_UNSUPPORTED, RSD_ERR_MEMORY. */
RsdStatus safetensors_open(Safetensors **out, const char *path, RsdError *err);
/* The same from memory; data [size] is borrowed until close, `name` is used in messages. */
RsdStatus safetensors_open_memory(Safetensors **out, const void *data, size_t size, const char *name, RsdError *err);
void safetensors_close(Safetensors **st);

size_t safetensors_count(const Safetensors *st);
const SafetensorsEntry *safetensors_entry(const Safetensors *st, size_t i);
const SafetensorsEntry *safetensors_find(const Safetensors *st, const char *name); /* NULL if absent */
/* Value of a key of "__metadata__", NULL if absent; owned by st. */
const char *safetensors_metadata(const Safetensors *st, const char *key);
size_t safetensors_metadata_count(const Safetensors *st);
void safetensors_metadata_at(const Safetensors *st, size_t i, const char **key, const char **value);

/* Copies an entry into dst [product of shape], converted from F32, F16, BF16 or F64, or from I8 with the entry NAME.scale, F32
 * [rows], beside it (safetensors_writer_bytes). Errors: RSD_ERR_ARG (count differs), RSD_ERR_UNSUPPORTED (integer dtype),
 * RSD_ERR_CORRUPT (scales of another shape), RSD_ERR_NUMERIC (NaN or infinity among the values). */
RsdStatus safetensors_read_f32(const Safetensors *st, const SafetensorsEntry *entry, float *dst, int64_t count,
                               RsdError *err);

/* SHA-256 over the whole file, computed on demand. */
void safetensors_hash(const Safetensors *st, uint8_t digest[32]);

/* Writing: add arrays (borrowed until finish) and metadata (copied), then write. Entries are written in the order added. */
typedef struct SafetensorsWriter SafetensorsWriter;
RsdStatus safetensors_writer_create(SafetensorsWriter **out, RsdError *err);
void safetensors_writer_destroy(SafetensorsWriter **writer);
RsdStatus safetensors_writer_metadata(SafetensorsWriter *writer, const char *key, const char *value, RsdError *err);
/* src is float32 [shape]; stored_as F32 or F16 (rounded to nearest even). */
RsdStatus safetensors_writer_f32(SafetensorsWriter *writer, const char *name, int n_dims, const int64_t *shape,
                                 const float *src, Dtype stored_as, RsdError *err);
/* src is float32 [shape] of at least two axes, rows along the first: stored as NAME, I8 [shape], and NAME.scale, F32 [rows]. A value is
 * its byte times the scale of its row, which is a 127th of the row's greatest; the error is at most half a scale. */
RsdStatus safetensors_writer_bytes(SafetensorsWriter *writer, const char *name, int n_dims, const int64_t *shape,
                                   const float *src, RsdError *err);
/* Raw little-endian data of any dtype. */
RsdStatus safetensors_writer_raw(SafetensorsWriter *writer, const char *name, Dtype dtype, int n_dims,
                                 const int64_t *shape, const void *src, RsdError *err);
/* Writes what was added; a file of that name is replaced whole or stays as it was. Errors: RSD_ERR_ARG (a name added twice or not
 * UTF-8), RSD_ERR_NUMERIC (NaN, infinity, or too large for F16), RSD_ERR_IO, RSD_ERR_MEMORY. */
RsdStatus safetensors_writer_finish(SafetensorsWriter *writer, const char *path, RsdError *err);

size_t dtype_size(Dtype dtype);
const char *dtype_name(Dtype dtype); /* "F32", ... */

#endif
