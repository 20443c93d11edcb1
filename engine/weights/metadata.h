/* metadata.h - a growing list of keys and values, and a JSON file flattened into one.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_METADATA_H
#define RESIDUA_METADATA_H

#include <stdbool.h>
#include <stddef.h>

#include "engine/base/error.h"

typedef struct MetadataPair {
    char *key, *value; /* owned by the list */
} MetadataPair;

typedef struct MetadataList {
    MetadataPair *items;
    size_t n_items, capacity;
} MetadataList;

/* Keys are looked for one after another, and no file of weights needs many. */
#define METADATA_MAX_ITEMS 16384

/* key and value are copied; a key that is there gets the new value. Errors: RSD_ERR_UNSUPPORTED (too many), RSD_ERR_MEMORY. */
RsdStatus metadata_set(MetadataList *list, const char *key, const char *value, RsdError *err);
const char *metadata_find(const MetadataList *list, const char *key); /* NULL if absent */
void metadata_clear(MetadataList *list);

/* Adds what a JSON object in a file says under prefix + key: text as it is, numbers as text, true and false, arrays of these
 * with commas between, members of objects with a dot between. null says nothing. Errors: RSD_ERR_IO, RSD_ERR_CORRUPT,
 * RSD_ERR_MEMORY. */
RsdStatus metadata_read_json(MetadataList *list, const char *path, const char *prefix, RsdError *err);
/* The same from text [size]; place begins the messages. A key that comes twice is an error when strict, else its last value
 * counts. */
RsdStatus metadata_parse_json(MetadataList *list, const char *text, size_t size, bool strict, const char *place,
                              const char *prefix, RsdError *err);

#endif
