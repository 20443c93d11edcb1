/* checkpoint.c - one face for safetensors and torch files.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/weights/checkpoint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/checksum.h"
#include "engine/base/file_map.h"
#include "engine/base/mem.h"
#include "engine/weights/array_check.h"
#include "engine/weights/metadata.h"
#include "engine/weights/torch_file.h"

#define PATH_SIZE 4096
#define CONFIG_NAME "config.json"
#define CONFIG_PREFIX "config."

struct Checkpoint {
    char *place;
    const uint8_t *memory; /* when opened from memory: [memory_size] */
    size_t memory_size;
    Safetensors *safetensors; /* one of the two */
    TorchFile *torch;
    CheckpointArray *arrays; /* of safetensors, sorted by name; those of torch are in the TorchFile */
    size_t n_arrays;
    MetadataList metadata;
};

/* ---- opening ---- */

static int compare_names(const void *a, const void *b)
{
    const CheckpointArray *x = a, *y = b;

    return strcmp(x->name, y->name);
}

static RsdStatus list_safetensors(Checkpoint *c, RsdError *err)
{
    const Safetensors *st = c->safetensors;
    RsdStatus status = RSD_OK;

    c->n_arrays = safetensors_count(st);
    TRY(mem_calloc(&c->arrays, c->n_arrays, sizeof *c->arrays, err));
    for (size_t i = 0; i < c->n_arrays; i++) {
        const SafetensorsEntry *entry = safetensors_entry(st, i);

        c->arrays[i] = (CheckpointArray){.name = entry->name, .dtype = entry->dtype, .n_dims = entry->n_dims};
        memcpy(c->arrays[i].shape, entry->shape, sizeof entry->shape);
    }
    qsort(c->arrays, c->n_arrays, sizeof *c->arrays, compare_names);
    for (size_t i = 0; i < safetensors_metadata_count(st); i++) {
        const char *key, *value;

        safetensors_metadata_at(st, i, &key, &value);
        TRY(metadata_set(&c->metadata, key, value, err));
    }
fail:
    return status;
}

static RsdStatus open_zip(Checkpoint *c, const char *path, RsdError *err)
{
    ZipArchive *archive;
    RsdStatus status = RSD_OK;

    if (path)
        TRY(zip_archive_open(&archive, path, err));
    else
        TRY(zip_archive_open_memory(&archive, c->memory, c->memory_size, c->place, err));
    TRY(torch_file_open(&c->torch, archive, c->place, err));
    c->metadata = c->torch->metadata;
    c->torch->metadata = (MetadataList){0};
fail:
    return status;
}

/* path NULL: from memory. first [n]: the file's first bytes. */
static RsdStatus open_kind(Checkpoint *c, const char *path, const uint8_t *first, size_t n, RsdError *err)
{
    RsdStatus status = RSD_OK;

    if (n >= 4 && memcmp(first, "PK\3\4", 4) == 0)
        return open_zip(c, path, err);
    CHECK(n < 2 || first[0] != 0x80 || first[1] > 5, err, RSD_ERR_UNSUPPORTED,
          "%s: is a bare pickle, such as torch wrote before version 1.6; load it with torch and save its state_dict "
          "again",
          c->place);
    if (path)
        TRY(safetensors_open(&c->safetensors, path, err));
    else
        TRY(safetensors_open_memory(&c->safetensors, c->memory, c->memory_size, c->place, err));
    TRY(list_safetensors(c, err));
fail:
    return status;
}

/* What tells the kinds apart. */
static RsdStatus read_first_bytes(uint8_t first[8], size_t *n, const char *path, RsdError *err)
{
    FileMap map = {0};
    RsdStatus status = file_map_open(&map, path, err);

    if (status != RSD_OK)
        return status;
    *n = map.size < 8 ? map.size : 8;
    memcpy(first, map.data, *n);
    file_map_close(&map);
    return RSD_OK;
}

RsdStatus checkpoint_open(Checkpoint **out, const char *path, RsdError *err)
{
    Checkpoint *c = NULL;
    uint8_t first[8] = {0};
    size_t n;
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(read_first_bytes(first, &n, path, err));
    TRY(mem_calloc(&c, 1, sizeof *c, err));
    TRY(mem_strdup(&c->place, path, err));
    TRY(open_kind(c, path, first, n, err));
    *out = c;
    return RSD_OK;
fail:
    checkpoint_close(&c);
    return status;
}

RsdStatus checkpoint_open_memory(Checkpoint **out, const void *data, size_t size, const char *name, RsdError *err)
{
    Checkpoint *c = NULL;
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(mem_calloc(&c, 1, sizeof *c, err));
    TRY(mem_strdup(&c->place, name, err));
    c->memory = data;
    c->memory_size = size;
    TRY(open_kind(c, NULL, data, size, err));
    *out = c;
    return RSD_OK;
fail:
    checkpoint_close(&c);
    return status;
}

void checkpoint_close(Checkpoint **checkpoint)
{
    Checkpoint *c = *checkpoint;

    if (!c)
        return;
    mem_free(&c->arrays);
    metadata_clear(&c->metadata);
    torch_file_close(&c->torch);
    safetensors_close(&c->safetensors);
    mem_free(&c->place);
    mem_free(checkpoint);
}

RsdStatus checkpoint_add_config(Checkpoint *c, const char *path, RsdError *err)
{
    return metadata_read_json(&c->metadata, path, CONFIG_PREFIX, err);
}

RsdStatus checkpoint_add_config_beside(Checkpoint *c, const char *path, RsdError *err)
{
    const char *slash = strrchr(path, '/');
    char beside[PATH_SIZE];
    int folder_len = slash ? (int)(slash + 1 - path) : 0;

    if (snprintf(beside, sizeof beside, "%.*s%s", folder_len, path, CONFIG_NAME) >= (int)sizeof beside ||
        access(beside, R_OK) != 0)
        return RSD_OK;
    return checkpoint_add_config(c, beside, err);
}

/* ---- looking ---- */

CheckpointKind checkpoint_kind(const Checkpoint *c)
{
    return c->torch ? CHECKPOINT_TORCH : CHECKPOINT_SAFETENSORS;
}

const char *checkpoint_place(const Checkpoint *c)
{
    return c->place;
}

const Safetensors *checkpoint_safetensors(const Checkpoint *c)
{
    return c->safetensors;
}

size_t checkpoint_count(const Checkpoint *c)
{
    return c->torch ? c->torch->n_tensors : c->n_arrays;
}

const CheckpointArray *checkpoint_array(const Checkpoint *c, size_t i)
{
    return c->torch ? &c->torch->tensors[i].array : &c->arrays[i];
}

const CheckpointArray *checkpoint_find(const Checkpoint *c, const char *name)
{
    size_t low = 0, high = checkpoint_count(c);

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(name, checkpoint_array(c, middle)->name);

        if (order == 0)
            return checkpoint_array(c, middle);
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

const char *checkpoint_metadata(const Checkpoint *c, const char *key)
{
    return metadata_find(&c->metadata, key);
}

size_t checkpoint_metadata_count(const Checkpoint *c)
{
    return c->metadata.n_items;
}

void checkpoint_metadata_at(const Checkpoint *c, size_t i, const char **key, const char **value)
{
    *key = c->metadata.items[i].key;
    *value = c->metadata.items[i].value;
}

/* ---- values ---- */

RsdStatus checkpoint_read_f32(Checkpoint *c, const CheckpointArray *array, float *dst, int64_t count, RsdError *err)
{
    if (c->torch) /* the array is the first member of its tensor */
        return torch_file_read_f32(c->torch, (const TorchTensor *)array, dst, count, err);
    return safetensors_read_f32(c->safetensors, safetensors_find(c->safetensors, array->name), dst, count, err);
}

RsdStatus checkpoint_check_f32(Checkpoint *c, const CheckpointArray *array, RsdError *err)
{
    if (c->torch)
        return torch_file_check_f32(c->torch, (const TorchTensor *)array, err);
    return safetensors_check_f32(c->safetensors, safetensors_find(c->safetensors, array->name), err);
}

static void release_piece(void *map, const void *piece, size_t size)
{
    file_map_release(map, piece, size);
}

RsdStatus checkpoint_hash(const Checkpoint *c, uint8_t digest[32], RsdError *err)
{
    FileMap map = {0};
    RsdStatus status = RSD_OK;

    if (c->memory) {
        sha256(c->memory, c->memory_size, digest);
        return RSD_OK;
    }
    TRY(file_map_open(&map, c->place, err));
    sha256_in_pieces(map.data, map.size, digest, release_piece, &map);
fail:
    file_map_close(&map);
    return status;
}
