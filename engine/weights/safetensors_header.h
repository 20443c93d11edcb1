/* safetensors_header.h - the JSON header of a safetensors file, read and printed; private to engine/weights.
 *
 *     {"__metadata__": {"key": "value"}, "name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}}
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_SAFETENSORS_HEADER_H
#define RESIDUA_SAFETENSORS_HEADER_H

#include "engine/weights/metadata.h"
#include "engine/weights/safetensors.h"

#define SAFETENSORS_PREFIX_SIZE 8                  /* u64: length of the header */
#define SAFETENSORS_HEADER_MAX ((size_t)100000000) /* bytes, as in the reference implementation */

typedef struct SafetensorsHeader {
    SafetensorsEntry *entries; /* names owned; in order of their data; data = base + offset */
    size_t n_entries;
    MetadataPair *metadata;
    size_t n_metadata;
} SafetensorsHeader;

/* Reads text [size]; `data` [data_size] is the part of the file behind it, borrowed by the entries. `place` names the file
 * in messages. The result passes every check: entries tile the data without overlap or hole, sizes match shapes, names
 * are unique. On error the header is left empty. Errors: RSD_ERR_CORRUPT, RSD_ERR_UNSUPPORTED, RSD_ERR_MEMORY. */
RsdStatus safetensors_header_parse(SafetensorsHeader *header, const char *text, size_t size, const uint8_t *data,
                                   size_t data_size, const char *place, RsdError *err);
void safetensors_header_clear(SafetensorsHeader *header);

/* JSON of entries (offsets from the sizes, in order) and metadata, padded with spaces to a multiple of 8 bytes so that the
 * data start aligned. *text is the caller's, free with mem_free. Errors: RSD_ERR_ARG (a name or a value is not UTF-8, or the header
 * would be too long), RSD_ERR_MEMORY. */
RsdStatus safetensors_header_print(char **text, size_t *size, const SafetensorsHeader *header, RsdError *err);

#endif
