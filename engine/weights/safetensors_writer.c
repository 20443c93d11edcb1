/* safetensors_writer.c - collects named arrays and writes them as one safetensors file, complete or not at all.
 *
 * Data are converted while they are written, a block at a time, so a checkpoint needs no second copy of the weights.
 *
 * SPDX-License-Identifier: MIT
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/atomic_file.h"
#include "engine/base/bytes.h"
#include "engine/base/mem.h"
#include "engine/weights/half.h"
#include "engine/weights/safetensors_header.h"

#define BLOCK_LEN 16384 /* values converted and written at once */
#define NAME_SIZE 256
#define SCALE_SUFFIX ".scale"

typedef enum SourceKind {
    SOURCE_RAW,
    SOURCE_F32,
    SOURCE_BYTES,  /* floats whose rows become bytes */
    SOURCE_SCALES, /* the same floats, of which the scales are written; the entry before has their shape */
} SourceKind;

struct SafetensorsWriter {
    SafetensorsHeader header; /* entries[i].data is the caller's array */
    SourceKind *sources;      /* [n_entries] */
    size_t entries_capacity, metadata_capacity;
};

RsdStatus safetensors_writer_create(SafetensorsWriter **out, RsdError *err)
{
    return mem_calloc(out, 1, sizeof **out, err);
}

void safetensors_writer_destroy(SafetensorsWriter **writer)
{
    if (!*writer)
        return;
    safetensors_header_clear(&(*writer)->header);
    mem_free(&(*writer)->sources);
    mem_free(writer);
}

RsdStatus safetensors_writer_metadata(SafetensorsWriter *writer, const char *key, const char *value, RsdError *err)
{
    SafetensorsHeader *header = &writer->header;
    MetadataPair *pair;
    RsdStatus status = RSD_OK;

    for (size_t i = 0; i < header->n_metadata; i++)
        CHECK(strcmp(header->metadata[i].key, key) != 0, err, RSD_ERR_ARG, "metadata '%s' is given twice", key);
    if (header->n_metadata == writer->metadata_capacity) {
        size_t capacity = writer->metadata_capacity * 2 + 8;

        TRY(mem_resize(&header->metadata, writer->metadata_capacity, capacity, sizeof *header->metadata, err));
        writer->metadata_capacity = capacity;
    }
    pair = &header->metadata[header->n_metadata++];
    *pair = (MetadataPair){0};
    TRY(mem_strdup(&pair->key, key, err));
    TRY(mem_strdup(&pair->value, value, err));
    return RSD_OK;
fail:
    return status;
}

static RsdStatus add_entry(SafetensorsWriter *writer, const SafetensorsEntry *entry, SourceKind source, RsdError *err)
{
    SafetensorsHeader *header = &writer->header;
    SafetensorsEntry *added;
    int64_t count;
    RsdStatus status = RSD_OK;

    CHECK(*entry->name && strcmp(entry->name, "__metadata__") != 0, err, RSD_ERR_ARG, "'%s' cannot be a tensor's name",
          entry->name);
    TRY(shape_count(&count, entry->n_dims, entry->shape, err));
    if (header->n_entries == writer->entries_capacity) {
        size_t old = writer->entries_capacity, capacity = old * 2 + 64;

        TRY(mem_resize(&writer->sources, old, capacity, sizeof *writer->sources, err));
        TRY(mem_resize(&header->entries, old, capacity, sizeof *header->entries, err));
        writer->entries_capacity = capacity;
    }
    added = &header->entries[header->n_entries];
    *added = *entry;
    added->name = NULL;
    TRY(mem_strdup((char **)&added->name, entry->name, err));
    added->size = (size_t)count * dtype_size(entry->dtype);
    writer->sources[header->n_entries++] = source;
fail:
    return status;
}

static RsdStatus add_array(SafetensorsWriter *writer, const char *name, int n_dims, const int64_t *shape,
                           const void *src, Dtype dtype, SourceKind source, RsdError *err)
{
    SafetensorsEntry entry = {.name = name, .dtype = dtype, .n_dims = n_dims, .data = src};
    RsdStatus status = RSD_OK;

    CHECK(n_dims >= 0 && n_dims <= TENSOR_MAX_DIMS, err, RSD_ERR_ARG,
          "tensor '%s' has %d dimensions; 0 to %d are possible", name, n_dims, TENSOR_MAX_DIMS);
    for (int i = 0; i < n_dims; i++)
        entry.shape[i] = shape[i];
    TRY(add_entry(writer, &entry, source, err));
fail:
    return status;
}

RsdStatus safetensors_writer_f32(SafetensorsWriter *writer, const char *name, int n_dims, const int64_t *shape,
                                 const float *src, Dtype stored_as, RsdError *err)
{
    if (stored_as != DTYPE_F32 && stored_as != DTYPE_F16)
        return error_set(err, RSD_ERR_ARG, "tensor '%s' cannot be stored as %s; F32 and F16 are possible", name,
                         dtype_name(stored_as));
    return add_array(writer, name, n_dims, shape, src, stored_as, SOURCE_F32, err);
}

RsdStatus safetensors_writer_raw(SafetensorsWriter *writer, const char *name, Dtype dtype, int n_dims,
                                 const int64_t *shape, const void *src, RsdError *err)
{
    return add_array(writer, name, n_dims, shape, src, dtype, SOURCE_RAW, err);
}

RsdStatus safetensors_writer_bytes(SafetensorsWriter *writer, const char *name, int n_dims, const int64_t *shape,
                                   const float *src, RsdError *err)
{
    char scale_name[NAME_SIZE];
    RsdStatus status = RSD_OK;

    CHECK(n_dims >= 2, err, RSD_ERR_ARG, "tensor '%s' has %d dimensions; bytes need rows, at least 2", name, n_dims);
    CHECK(snprintf(scale_name, sizeof scale_name, "%s" SCALE_SUFFIX, name) < NAME_SIZE, err, RSD_ERR_ARG,
          "the tensor's name '%s' is too long", name);
    TRY(add_array(writer, name, n_dims, shape, src, DTYPE_I8, SOURCE_BYTES, err));
    TRY(add_array(writer, scale_name, 1, shape, src, DTYPE_F32, SOURCE_SCALES, err));
fail:
    return status;
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

static RsdStatus write_f32(AtomicFile *file, const SafetensorsEntry *entry, RsdError *err)
{
    const float *src = entry->data;
    size_t count = entry->size / dtype_size(entry->dtype);
    uint8_t block[BLOCK_LEN * sizeof(float)]; /* 64 KiB */
    RsdStatus status = RSD_OK;

    for (size_t at = 0, len; at < count; at += len) {
        len = count - at < BLOCK_LEN ? count - at : BLOCK_LEN;
        for (size_t i = 0; i < len; i++) {
            uint16_t half;

            CHECK(isfinite(src[at + i]), err, RSD_ERR_NUMERIC, "tensor '%s': value %zu is %g", entry->name, at + i,
                  (double)src[at + i]);
            if (entry->dtype == DTYPE_F32) {
                memcpy(block + i * sizeof(float), &src[at + i], sizeof(float));
                continue;
            }
            half = half_from_float(src[at + i]);
            CHECK((half & 0x7fff) < 0x7c00, err, RSD_ERR_NUMERIC, "tensor '%s': value %zu is %g, too large for F16",
                  entry->name, at + i, (double)src[at + i]);
            put_u16le(block + i * sizeof half, half);
        }
        TRY(atomic_file_write(file, block, len * dtype_size(entry->dtype), err));
    }
fail:
    return status;
}

/* One scale for each row, so that its greatest value is 127 of it. */
static RsdStatus scale_of_row(float *scale, const SafetensorsEntry *entry, const float *row, int64_t n, RsdError *err)
{
    float most = 0.0f;

    for (int64_t i = 0; i < n; i++) {
        if (!isfinite(row[i]))
            return error_set(err, RSD_ERR_NUMERIC, "tensor '%s': a value is %g", entry->name, (double)row[i]);
        most = fmaxf(most, fabsf(row[i]));
    }
    *scale = most / 127.0f;
    return RSD_OK;
}

/* bytes: [shape] as I8. Otherwise the entry before it has the shape, and the scales of its rows are written. */
static RsdStatus write_rows(AtomicFile *file, const SafetensorsEntry *entry, bool bytes, RsdError *err)
{
    const SafetensorsEntry *shape = bytes ? entry : entry - 1;
    const int64_t rows = shape->shape[0], n = rows ? (int64_t)shape->size / rows : 0;
    uint8_t block[BLOCK_LEN];
    RsdStatus status = RSD_OK;

    for (int64_t r = 0; r < rows; r++) {
        const float *row = (const float *)shape->data + r * n;
        float scale;

        TRY(scale_of_row(&scale, shape, row, n, err));
        if (!bytes)
            TRY(atomic_file_write(file, &scale, sizeof scale, err));
        for (int64_t at = 0, len; bytes && at < n; at += len) {
            len = n - at < BLOCK_LEN ? n - at : BLOCK_LEN;
            for (int64_t i = 0; i < len; i++)
                block[i] = (uint8_t)(scale > 0.0f ? (int)rintf(row[at + i] / scale) : 0);
            TRY(atomic_file_write(file, block, (size_t)len, err));
        }
    }
fail:
    return status;
}

RsdStatus safetensors_writer_finish(SafetensorsWriter *writer, const char *path, RsdError *err)
{
    const SafetensorsHeader *header = &writer->header;
    AtomicFile *file = NULL;
    uint8_t prefix[SAFETENSORS_PREFIX_SIZE];
    char *text = NULL;
    size_t size;
    RsdStatus status = RSD_OK;

    TRY(safetensors_header_print(&text, &size, header, err));
    put_u64le(prefix, size);
    TRY(atomic_file_open(&file, path, true, err));
    TRY(atomic_file_write(file, prefix, sizeof prefix, err));
    TRY(atomic_file_write(file, text, size, err));
    for (size_t i = 0; i < header->n_entries; i++) {
        const SafetensorsEntry *entry = &header->entries[i];

        switch (writer->sources[i]) {
        case SOURCE_RAW:
            status = atomic_file_write(file, entry->data, entry->size, err);
            break;
        case SOURCE_F32:
            status = write_f32(file, entry, err);
            break;
        case SOURCE_BYTES:
        case SOURCE_SCALES:
            status = write_rows(file, entry, writer->sources[i] == SOURCE_BYTES, err);
            break;
        }
        if (status == RSD_ERR_NUMERIC)
            error_prefix(err, status, "%s", path);
        TRY(status);
    }
    TRY(atomic_file_commit(file, err));
fail:
    atomic_file_close(&file);
    mem_free(&text);
    return status;
}
