/* safetensors.c - opens a safetensors file and finds, converts and hashes what is in it.
 *
 *   [u64 header length][JSON header][data ...]
 *   ^ bytes            ^ bytes + 8  ^ bytes + 8 + length
 *
 * The checks are in safetensors_header.c; this file trusts a parsed header.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/weights/safetensors.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/bytes.h"
#include "engine/base/checksum.h"
#include "engine/base/file_map.h"
#include "engine/base/mem.h"
#include "engine/weights/array_check.h"
#include "engine/weights/array_values.h"
#include "engine/weights/safetensors_header.h"

#define NAME_SIZE 256

struct Safetensors {
    FileMap map; /* empty when opened from memory */
    const uint8_t *bytes;
    size_t size;
    char *place;
    SafetensorsHeader header;
    const SafetensorsEntry **by_name; /* sorted, for safetensors_find */
};

static int compare_names(const void *a, const void *b)
{
    const SafetensorsEntry *const *x = a, *const *y = b;

    return strcmp((*x)->name, (*y)->name);
}

static RsdStatus index_file(Safetensors *st, RsdError *err)
{
    uint64_t len;
    RsdStatus status = RSD_OK;

    CHECK(st->size >= SAFETENSORS_PREFIX_SIZE, err, RSD_ERR_CORRUPT,
          "%s: %zu bytes are too short for a safetensors file", st->place, st->size);
    len = get_u64le(st->bytes);
    CHECK(len <= SAFETENSORS_HEADER_MAX && len <= st->size - SAFETENSORS_PREFIX_SIZE, err, RSD_ERR_CORRUPT,
          "%s: a header of %" PRIu64 " bytes does not fit a file of %zu; is it a safetensors file?", st->place, len,
          st->size);
    TRY(safetensors_header_parse(&st->header, (const char *)st->bytes + SAFETENSORS_PREFIX_SIZE, (size_t)len,
                                 st->bytes + SAFETENSORS_PREFIX_SIZE + len,
                                 st->size - SAFETENSORS_PREFIX_SIZE - (size_t)len, st->place, err));
    TRY(mem_alloc(&st->by_name, st->header.n_entries, sizeof *st->by_name, err));
    for (size_t i = 0; i < st->header.n_entries; i++)
        st->by_name[i] = &st->header.entries[i];
    qsort(st->by_name, st->header.n_entries, sizeof *st->by_name, compare_names);
fail:
    return status;
}

RsdStatus safetensors_open(Safetensors **out, const char *path, RsdError *err)
{
    Safetensors *st = NULL;
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(mem_calloc(&st, 1, sizeof *st, err));
    TRY(mem_strdup(&st->place, path, err));
    TRY(file_map_open(&st->map, path, err));
    st->bytes = st->map.data;
    st->size = st->map.size;
    TRY(index_file(st, err));
    *out = st;
    return RSD_OK;
fail:
    safetensors_close(&st);
    return status;
}

RsdStatus safetensors_open_memory(Safetensors **out, const void *data, size_t size, const char *name, RsdError *err)
{
    Safetensors *st = NULL;
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(mem_calloc(&st, 1, sizeof *st, err));
    TRY(mem_strdup(&st->place, name, err));
    st->bytes = data;
    st->size = size;
    TRY(index_file(st, err));
    *out = st;
    return RSD_OK;
fail:
    safetensors_close(&st);
    return status;
}

void safetensors_close(Safetensors **st)
{
    if (!*st)
        return;
    safetensors_header_clear(&(*st)->header);
    file_map_close(&(*st)->map);
    mem_free(&(*st)->by_name);
    mem_free(&(*st)->place);
    mem_free(st);
}

/* --- looking ------------------------------------------------------------------------------------------------------ */

size_t safetensors_count(const Safetensors *st)
{
    return st->header.n_entries;
}

const SafetensorsEntry *safetensors_entry(const Safetensors *st, size_t i)
{
    return &st->header.entries[i];
}

const SafetensorsEntry *safetensors_find(const Safetensors *st, const char *name)
{
    const SafetensorsEntry key = {.name = name}, *const key_at = &key;
    const SafetensorsEntry **found =
        bsearch(&key_at, st->by_name, st->header.n_entries, sizeof *st->by_name, compare_names);

    return found ? *found : NULL;
}

const char *safetensors_metadata(const Safetensors *st, const char *key)
{
    for (size_t i = 0; i < st->header.n_metadata; i++)
        if (strcmp(st->header.metadata[i].key, key) == 0)
            return st->header.metadata[i].value;
    return NULL;
}

size_t safetensors_metadata_count(const Safetensors *st)
{
    return st->header.n_metadata;
}

void safetensors_metadata_at(const Safetensors *st, size_t i, const char **key, const char **value)
{
    *key = st->header.metadata[i].key;
    *value = st->header.metadata[i].value;
}

/* --- values ------------------------------------------------------------------------------------------------------- */

/* The scales of bytes, one for each row, -> *scale [rows], which is the caller's. */
static RsdStatus read_scales(float **scale, const Safetensors *st, const SafetensorsEntry *entry, const SafetensorsEntry *scales,
                             RsdError *err)
{
    const int64_t rows = entry->n_dims >= 2 ? entry->shape[0] : 0;
    RsdStatus status = RSD_OK;

    *scale = NULL;
    CHECK(scales->n_dims == 1 && scales->shape[0] == rows, err, RSD_ERR_CORRUPT, "%s: %s does not have one scale for each row of %s",
          st->place, scales->name, entry->name);
    TRY(mem_alloc(scale, (size_t)rows, sizeof **scale, err));
    TRY(array_read_f32(st->place, scales, *scale, rows, err));
    for (int64_t r = 0; r < rows; r++)
        CHECK(isfinite((*scale)[r] * 128.0f), err, RSD_ERR_NUMERIC, "%s: %s: the scale %g is too large for bytes", st->place,
              scales->name, (double)(*scale)[r]);
    return RSD_OK;
fail:
    mem_free(scale);
    return status;
}

/* Bytes times the scales of their rows. */
static RsdStatus read_bytes(const Safetensors *st, const SafetensorsEntry *entry, const SafetensorsEntry *scales, float *dst,
                            int64_t count, RsdError *err)
{
    const int8_t *bytes = entry->data;
    const int64_t rows = entry->n_dims >= 2 ? entry->shape[0] : 0, n = rows ? (int64_t)entry->size / rows : 0;
    float *scale = NULL;
    RsdStatus status = RSD_OK;

    CHECK(count == rows * n, err, RSD_ERR_ARG, "%s: tensor '%s' has %lld values, expected %lld", st->place, entry->name,
          (long long)(rows * n), (long long)count);
    TRY(read_scales(&scale, st, entry, scales, err));
    for (int64_t r = 0; r < rows; r++, bytes += n, dst += n)
        for (int64_t i = 0; i < n; i++)
            dst[i] = scale[r] * (float)bytes[i];
fail:
    mem_free(&scale);
    return status;
}

static const SafetensorsEntry *find_scales(const Safetensors *st, const SafetensorsEntry *entry)
{
    char name[NAME_SIZE];

    if (entry->dtype != DTYPE_I8 || snprintf(name, sizeof name, "%s.scale", entry->name) >= NAME_SIZE)
        return NULL;
    return safetensors_find(st, name);
}

RsdStatus safetensors_read_f32(const Safetensors *st, const SafetensorsEntry *entry, float *dst, int64_t count,
                               RsdError *err)
{
    const SafetensorsEntry *scales = find_scales(st, entry);
    RsdStatus status = scales ? read_bytes(st, entry, scales, dst, count, err) : array_read_f32(st->place, entry, dst, count, err);

    file_map_release(&st->map, entry->data, entry->size); /* or the file would be in memory beside what is made of it */
    return status;
}

RsdStatus safetensors_check_f32(const Safetensors *st, const SafetensorsEntry *entry, RsdError *err)
{
    const SafetensorsEntry *scales = find_scales(st, entry);
    float *scale = NULL;
    RsdStatus status = scales ? read_scales(&scale, st, entry, scales, err) : array_check_f32(st->place, entry, err);

    mem_free(&scale);
    file_map_release(&st->map, entry->data, entry->size);
    return status;
}

void safetensors_hash(const Safetensors *st, uint8_t digest[32])
{
    sha256(st->bytes, st->size, digest);
}
