/* metadata.c - keys and values; JSON through jansson.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/weights/metadata.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/file_map.h"
#include "engine/base/mem.h"

#define KEY_SIZE 256
#define VALUE_SIZE 1024
#define MAX_JSON_SIZE ((size_t)1 << 20)
#define MAX_DEPTH 8

static MetadataPair *find(const MetadataList *list, const char *key)
{
    for (size_t i = 0; i < list->n_items; i++)
        if (strcmp(list->items[i].key, key) == 0)
            return &list->items[i];
    return NULL;
}

RsdStatus metadata_set(MetadataList *list, const char *key, const char *value, RsdError *err)
{
    MetadataPair *old = find(list, key), pair = {0};
    RsdStatus status = RSD_OK;

    TRY(mem_strdup(&pair.value, value, err));
    if (old) {
        mem_free(&old->value);
        old->value = pair.value;
        return RSD_OK;
    }
    CHECK(list->n_items < METADATA_MAX_ITEMS, err, RSD_ERR_UNSUPPORTED, "more than %d values besides the arrays, which no model has",
          METADATA_MAX_ITEMS);
    if (list->n_items == list->capacity) {
        size_t capacity = list->capacity * 2 + 16;

        TRY(mem_resize(&list->items, list->capacity, capacity, sizeof *list->items, err));
        list->capacity = capacity;
    }
    TRY(mem_strdup(&pair.key, key, err));
    list->items[list->n_items++] = pair;
    return RSD_OK;
fail:
    mem_free(&pair.value);
    return status;
}

const char *metadata_find(const MetadataList *list, const char *key)
{
    const MetadataPair *pair = find(list, key);

    return pair ? pair->value : NULL;
}

void metadata_clear(MetadataList *list)
{
    for (size_t i = 0; i < list->n_items; i++) {
        mem_free(&list->items[i].key);
        mem_free(&list->items[i].value);
    }
    mem_free(&list->items);
    *list = (MetadataList){0};
}

/* ---- JSON ---- */

/* Appends a scalar to text; false for anything else, or when it does not fit. */
static bool add_scalar(char text[VALUE_SIZE], const json_t *value)
{
    size_t used = strlen(text), room = VALUE_SIZE - used;
    int n = -1;

    if (json_is_string(value))
        n = snprintf(text + used, room, "%s", json_string_value(value));
    else if (json_is_integer(value))
        n = snprintf(text + used, room, "%lld", (long long)json_integer_value(value));
    else if (json_is_real(value))
        n = snprintf(text + used, room, "%.15g", json_real_value(value));
    else if (json_is_boolean(value))
        n = snprintf(text + used, room, "%s", json_is_true(value) ? "true" : "false");
    return n >= 0 && (size_t)n < room;
}

static bool add_array(char text[VALUE_SIZE], const json_t *array)
{
    const json_t *item;
    size_t i;

    json_array_foreach(array, i, item)
    {
        if (i > 0 && strlen(text) + 2 < VALUE_SIZE)
            strcat(text, ",");
        if (!add_scalar(text, item))
            return false;
    }
    return true;
}

/* What cannot be said as text (a list of objects) is left out: nothing here asks for it. */
static RsdStatus flatten(MetadataList *list, const json_t *object, const char *prefix, int depth, RsdError *err)
{
    const char *name;
    json_t *value;
    RsdStatus status = RSD_OK;

    json_object_foreach ((json_t *)object, name, value) {
        char key[KEY_SIZE], text[VALUE_SIZE] = "";

        if (snprintf(key, sizeof key, "%s%s%s", prefix, depth ? "." : "", name) >= (int)sizeof key)
            continue;
        if (json_is_object(value) && depth < MAX_DEPTH)
            TRY(flatten(list, value, key, depth + 1, err));
        else if (json_is_array(value) ? add_array(text, value) : add_scalar(text, value))
            TRY(metadata_set(list, key, text, err));
    }
fail:
    return status;
}

RsdStatus metadata_parse_json(MetadataList *list, const char *text, size_t size, bool strict, const char *place,
                              const char *prefix, RsdError *err)
{
    json_error_t reason;
    json_t *root = json_loadb(text, size, strict ? JSON_REJECT_DUPLICATES : 0, &reason);
    RsdStatus status = RSD_OK;

    CHECK(root, err, RSD_ERR_CORRUPT, "%s: JSON: line %d: %s", place, reason.line, reason.text);
    CHECK(json_is_object(root), err, RSD_ERR_CORRUPT, "%s: is no JSON object", place);
    TRY(flatten(list, root, prefix, 0, err));
fail:
    json_decref(root);
    return status;
}

RsdStatus metadata_read_json(MetadataList *list, const char *path, const char *prefix, RsdError *err)
{
    FileMap map = {0};
    RsdStatus status = RSD_OK;

    TRY(file_map_open(&map, path, err));
    CHECK(map.size <= MAX_JSON_SIZE, err, RSD_ERR_CORRUPT, "%s: %zu bytes are too many for a configuration", path,
          map.size);
    TRY(metadata_parse_json(list, (const char *)map.data, map.size, true, path, prefix, err));
fail:
    file_map_close(&map);
    return status;
}
