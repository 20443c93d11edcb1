/* ecdc_segments.h - an .ecdc file of a model that codes segments as numbers: the scale and the codes of each, and back.
 *
 * Without the language model everything of such a file stands in the clear, so that the numbers and the file are two notations
 * of one thing: whoever decodes the file that is made of them hears what he would have heard of the first one, to the bit.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_ECDC_SEGMENTS_H
#define RESIDUA_ECDC_SEGMENTS_H

#include "codec/in_memory.h"
#include "codec/residua.h"

typedef struct EcdcSegment {
    float scale;      /* that decoded samples are multiplied by; 1 where the model does not scale */
    int64_t n_frames; /* fewer at the end of the signal than elsewhere */
    size_t first;     /* its codes [n_stages, n_frames] begin at EcdcSegments.codes[first] */
} EcdcSegment;

typedef struct EcdcSegments {
    int n_stages;
    int64_t n_samples; /* of the signal, per channel */
    size_t n_segments, capacity;
    EcdcSegment *items; /* owned */
    uint16_t *codes;    /* owned: [n_codes] of all segments, one after the other */
    size_t n_codes, code_capacity;
} EcdcSegments;

void ecdc_segments_clear(EcdcSegments *segments);

/* Appends a segment whose codes are still to be written: *codes [n_stages, n_frames], valid until the next call.
 * Errors: RSD_ERR_MEMORY. */
RsdStatus ecdc_segments_add(EcdcSegments *segments, float scale, int64_t n_frames, uint16_t **codes, RsdError *err);

/* Takes a whole file, without the language model, of this model, apart. *out is the caller's, also after an error.
 * Errors: those of ecdc_header_read; RSD_ERR_CORRUPT. */
RsdStatus ecdc_segments_parse(EcdcSegments *out, const RsdModel *model, MemoryStream *file, const char *name, RsdError *err);

/* Appends the file. Every number is checked against the model: that segments and frames are as many as n_samples make, that
 * scales are possible and codes in the codebooks. Errors: RSD_ERR_CORRUPT, beginning with name; RSD_ERR_MEMORY. */
RsdStatus ecdc_segments_print(MemoryStream *file, const RsdModel *model, const EcdcSegments *segments, const char *name,
                              RsdError *err);

#endif
