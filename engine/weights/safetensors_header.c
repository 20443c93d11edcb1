/* safetensors_header.c - the door to jansson: a JSON header becomes checked entries, and entries become a header.
 *
 * A header of 100 MB of "{},{},{}," would make the JSON library take gigabytes, and deep nesting its stack; so a scan over the
 * text bounds the depth and the number of objects and values before the library sees it. Then every entry is checked by itself, and
 * all of them, sorted by offset, must tile the data from the first byte to the last: no overlap, no hole, nothing behind.
 *
 * Format: https://github.com/huggingface/safetensors, README, "Format".
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/weights/safetensors_header.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/mem.h"

#define DEPTH_MAX 3        /* header, tensor, shape */
#define TENSORS_MAX 100000 /* the largest published models have a few thousand */
#define VALUES_MAX (16 * TENSORS_MAX)
#define METADATA_KEY "__metadata__"

/* What the format knows; dtype -1: not known to residua. */
static const struct {
    const char *name;
    int dtype, size;
} DTYPES[] = {
    {"F32", DTYPE_F32, 4}, {"F16", DTYPE_F16, 2},   {"BF16", DTYPE_BF16, 2}, {"F64", DTYPE_F64, 8},
    {"I64", DTYPE_I64, 8}, {"I32", DTYPE_I32, 4},   {"I16", DTYPE_I16, 2},   {"U8", DTYPE_U8, 1},
    {"I8", DTYPE_I8, 1},   {"BOOL", DTYPE_BOOL, 1}, {"U16", -1, 2},          {"U32", -1, 4},
    {"U64", -1, 8},        {"F8_E4M3", -1, 1},      {"F8_E5M2", -1, 1},
};
#define N_DTYPES (sizeof DTYPES / sizeof *DTYPES)

size_t dtype_size(Dtype dtype)
{
    for (size_t i = 0; i < N_DTYPES; i++)
        if (DTYPES[i].dtype == (int)dtype)
            return (size_t)DTYPES[i].size;
    return 0;
}

const char *dtype_name(Dtype dtype)
{
    for (size_t i = 0; i < N_DTYPES; i++)
        if (DTYPES[i].dtype == (int)dtype)
            return DTYPES[i].name;
    return "?";
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

static RsdStatus check_extent(const char *text, size_t size, const char *place, RsdError *err)
{
    size_t n_objects = 0, n_values = 0;
    int depth = 0;
    bool in_string = false;
    RsdStatus status = RSD_OK;

    CHECK(size > 0 && text[0] == '{', err, RSD_ERR_CORRUPT, "%s: the header does not start with '{'", place);
    for (size_t i = 0; i < size; i++) {
        char c = text[i];

        if (in_string) {
            if (c == '\\')
                i++;
            in_string = c != '"';
            continue;
        }
        in_string = c == '"';
        depth += (c == '{' || c == '[') - (c == '}' || c == ']');
        n_objects += c == '{';
        n_values += c == ',';
        CHECK(depth <= DEPTH_MAX, err, RSD_ERR_CORRUPT, "%s: header byte %zu: nested deeper than a tensor's shape",
              place, i);
    }
    CHECK(n_objects <= TENSORS_MAX + 2 && n_values <= VALUES_MAX, err, RSD_ERR_UNSUPPORTED,
          "%s: %zu objects and %zu values in the header; at most %d tensors are read", place, n_objects, n_values,
          TENSORS_MAX);
fail:
    return status;
}

/* A JSON integer >= 0. */
static bool get_size(const json_t *value, uint64_t *out)
{
    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return false;
    *out = (uint64_t)json_integer_value(value);
    return true;
}

static RsdStatus parse_dtype(Dtype *out, const json_t *value, const char *name, const char *place, RsdError *err)
{
    const char *text = json_string_value(value);
    RsdStatus status = RSD_OK;

    CHECK(text, err, RSD_ERR_CORRUPT, "%s: tensor '%s' has no dtype", place, name);
    for (size_t i = 0; i < N_DTYPES; i++) {
        if (strcmp(text, DTYPES[i].name) != 0)
            continue;
        CHECK(DTYPES[i].dtype >= 0, err, RSD_ERR_UNSUPPORTED,
              "%s: tensor '%s' has dtype %s, which residua does not read", place, name, text);
        *out = (Dtype)DTYPES[i].dtype;
        return RSD_OK;
    }
    status = error_set(err, RSD_ERR_CORRUPT, "%s: tensor '%s' has an unknown dtype '%s'", place, name, text);
fail:
    return status;
}

static RsdStatus parse_shape(SafetensorsEntry *entry, const json_t *value, const char *place, RsdError *err)
{
    size_t n_dims = json_array_size(value);
    int64_t count;
    RsdStatus status = RSD_OK;

    CHECK(json_is_array(value), err, RSD_ERR_CORRUPT, "%s: tensor '%s' has no shape", place, entry->name);
    CHECK(n_dims <= TENSOR_MAX_DIMS, err, RSD_ERR_UNSUPPORTED,
          "%s: tensor '%s' has %zu dimensions; at most %d are read", place, entry->name, n_dims, TENSOR_MAX_DIMS);
    for (size_t i = 0; i < n_dims; i++) {
        uint64_t dim;

        CHECK(get_size(json_array_get(value, i), &dim), err, RSD_ERR_CORRUPT,
              "%s: tensor '%s': dimension %zu is not a count", place, entry->name, i);
        entry->shape[i] = (int64_t)dim;
    }
    entry->n_dims = (int)n_dims;
    status = shape_count(&count, entry->n_dims, entry->shape, err);
    if (status != RSD_OK)
        return error_prefix(err, RSD_ERR_CORRUPT, "%s: tensor '%s'", place, entry->name);
    entry->size = (size_t)count * dtype_size(entry->dtype); /* at most 2^40 elements: cannot overflow */
fail:
    return status;
}

static RsdStatus parse_entry(SafetensorsEntry *entry, const char *name, const json_t *value, const uint8_t *data,
                             size_t data_size, const char *place, RsdError *err)
{
    const json_t *offsets = json_object_get(value, "data_offsets");
    uint64_t begin, end;
    RsdStatus status = RSD_OK;

    CHECK(json_is_object(value), err, RSD_ERR_CORRUPT, "%s: tensor '%s' is not described by an object", place, name);
    TRY(mem_strdup((char **)&entry->name, name, err));
    TRY(parse_dtype(&entry->dtype, json_object_get(value, "dtype"), name, place, err));
    TRY(parse_shape(entry, json_object_get(value, "shape"), place, err));
    CHECK(json_array_size(offsets) == 2 && get_size(json_array_get(offsets, 0), &begin) &&
              get_size(json_array_get(offsets, 1), &end),
          err, RSD_ERR_CORRUPT, "%s: tensor '%s' has no data_offsets of two counts", place, name);
    CHECK(begin <= end && end <= data_size, err, RSD_ERR_CORRUPT,
          "%s: tensor '%s' lies at %" PRIu64 " to %" PRIu64 " of %zu bytes of data", place, name, begin, end,
          data_size);
    CHECK(end - begin == entry->size, err, RSD_ERR_CORRUPT,
          "%s: tensor '%s' has %" PRIu64 " bytes, its shape and dtype need %zu", place, name, end - begin, entry->size);
    entry->data = data + begin;
fail:
    return status;
}

static RsdStatus parse_metadata(SafetensorsHeader *header, json_t *object, const char *place, RsdError *err)
{
    const char *key;
    json_t *value;
    RsdStatus status = RSD_OK;

    CHECK(json_is_object(object), err, RSD_ERR_CORRUPT, "%s: %s is not an object", place, METADATA_KEY);
    CHECK(json_object_size(object) <= METADATA_MAX_ITEMS, err, RSD_ERR_UNSUPPORTED, "%s: %zu values in %s; %d are possible", place,
          json_object_size(object), METADATA_KEY, METADATA_MAX_ITEMS);
    TRY(mem_calloc(&header->metadata, json_object_size(object), sizeof *header->metadata, err));
    json_object_foreach (object, key, value) {
        MetadataPair *pair = &header->metadata[header->n_metadata];

        CHECK(json_is_string(value), err, RSD_ERR_CORRUPT, "%s: metadata '%s' is not a string", place, key);
        header->n_metadata++;
        TRY(mem_strdup(&pair->key, key, err));
        TRY(mem_strdup(&pair->value, json_string_value(value), err));
    }
fail:
    return status;
}

/* Order of data; an empty tensor comes before the one that starts at the same byte. */
static int compare_position(const void *a, const void *b)
{
    const SafetensorsEntry *x = a, *y = b;

    if (x->data != y->data)
        return (const uint8_t *)x->data < (const uint8_t *)y->data ? -1 : 1;
    if (x->size != y->size)
        return x->size < y->size ? -1 : 1;
    return strcmp(x->name, y->name);
}

static RsdStatus check_tiling(const SafetensorsHeader *header, const uint8_t *data, size_t data_size, const char *place,
                              RsdError *err)
{
    const uint8_t *expected = data;
    RsdStatus status = RSD_OK;

    for (size_t i = 0; i < header->n_entries; i++) {
        const SafetensorsEntry *entry = &header->entries[i];
        const uint8_t *at = entry->data;

        CHECK(at >= expected, err, RSD_ERR_CORRUPT, "%s: tensors '%s' and '%s' overlap", place,
              header->entries[i - 1].name, entry->name);
        CHECK(at == expected, err, RSD_ERR_CORRUPT, "%s: %td bytes before tensor '%s' belong to no tensor", place,
              at - expected, entry->name);
        expected = at + entry->size;
    }
    CHECK(expected == data + data_size, err, RSD_ERR_CORRUPT, "%s: %td bytes behind the last tensor belong to none",
          place, data + data_size - expected);
fail:
    return status;
}

RsdStatus safetensors_header_parse(SafetensorsHeader *header, const char *text, size_t size, const uint8_t *data,
                                   size_t data_size, const char *place, RsdError *err)
{
    json_error_t error;
    json_t *root = NULL, *value;
    const char *name;
    RsdStatus status = RSD_OK;

    *header = (SafetensorsHeader){0};
    TRY(check_extent(text, size, place, err));
    root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
    CHECK(root || json_error_code(&error) != json_error_out_of_memory, err, RSD_ERR_MEMORY,
          "%s: no memory for the header", place);
    CHECK(root, err, RSD_ERR_CORRUPT, "%s: header byte %d: %s", place, error.position, error.text);
    TRY(mem_calloc(&header->entries, json_object_size(root), sizeof *header->entries, err));
    json_object_foreach (root, name, value) {
        if (strcmp(name, METADATA_KEY) == 0)
            TRY(parse_metadata(header, value, place, err));
        else
            TRY(parse_entry(&header->entries[header->n_entries++], name, value, data, data_size, place, err));
    }
    qsort(header->entries, header->n_entries, sizeof *header->entries, compare_position);
    TRY(check_tiling(header, data, data_size, place, err));
fail:
    json_decref(root);
    if (status != RSD_OK)
        safetensors_header_clear(header);
    return status;
}

void safetensors_header_clear(SafetensorsHeader *header)
{
    for (size_t i = 0; i < header->n_entries; i++)
        mem_free((char **)&header->entries[i].name);
    for (size_t i = 0; i < header->n_metadata; i++) {
        mem_free(&header->metadata[i].key);
        mem_free(&header->metadata[i].value);
    }
    mem_free(&header->entries);
    mem_free(&header->metadata);
    *header = (SafetensorsHeader){0};
}

/* --- printing ----------------------------------------------------------------------------------------------------- */

static json_t *make_entry(const SafetensorsEntry *entry, size_t begin)
{
    json_t *shape = json_array();

    for (int i = 0; i < entry->n_dims; i++)
        json_array_append_new(shape, json_integer(entry->shape[i]));
    return json_pack("{s:s, s:o, s:[I, I]}", "dtype", dtype_name(entry->dtype), "shape", shape, "data_offsets",
                     (json_int_t)begin, (json_int_t)(begin + entry->size));
}

RsdStatus safetensors_header_print(char **text, size_t *size, const SafetensorsHeader *header, RsdError *err)
{
    json_t *root = json_object(), *metadata = json_object();
    size_t offset = 0, len;
    char *printed = NULL;
    RsdStatus status = RSD_OK;

    *text = NULL;
    CHECK(root && metadata, err, RSD_ERR_MEMORY, "no memory for a header");
    for (size_t i = 0; i < header->n_metadata; i++)
        CHECK(json_object_set_new(metadata, header->metadata[i].key, json_string(header->metadata[i].value)) == 0, err,
              RSD_ERR_ARG, "metadata '%s' is not UTF-8 text", header->metadata[i].key);
    if (header->n_metadata > 0)
        CHECK(json_object_set(root, METADATA_KEY, metadata) == 0, err, RSD_ERR_MEMORY, "no memory for a header");
    for (size_t i = 0; i < header->n_entries; i++) {
        const char *name = header->entries[i].name;

        CHECK(!json_object_get(root, name), err, RSD_ERR_ARG, "tensor '%s' is added twice", name);
        CHECK(json_object_set_new(root, name, make_entry(&header->entries[i], offset)) == 0, err, RSD_ERR_ARG,
              "tensor name '%s' is not UTF-8 text", name);
        offset += header->entries[i].size;
    }
    printed = json_dumps(root, JSON_COMPACT);
    CHECK(printed, err, RSD_ERR_MEMORY, "no memory for a header");
    len = strlen(printed);
    *size = (len + 7) / 8 * 8;
    CHECK(*size <= SAFETENSORS_HEADER_MAX && header->n_entries <= TENSORS_MAX, err, RSD_ERR_ARG,
          "a header of %zu tensors and %zu bytes is too long", header->n_entries, len);
    TRY(mem_alloc(text, *size, 1, err));
    memcpy(*text, printed, len);
    memset(*text + len, ' ', *size - len);
fail:
    free(printed);
    json_decref(metadata);
    json_decref(root);
    return status;
}
