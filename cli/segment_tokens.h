/* segment_tokens.h - tokens of models that code segments with a scale each (EnCodec at 48 kHz): JSON lines, one for a segment.
 *
 *   {"model": ..., "hash": ..., "rate_hz": ..., "hop_samples": ..., "codebook_size": ..., "stages": ..., "segments": ...,
 *    "segment_samples": ..., "segment_stride": ..., "samples": ..., "dtype": "uint16", "order": "stages, frames"}
 *   {"scale": 0.0891183317, "codes": [[frame 0, frame 1, ...] of stage 0, [...] of stage 1, ...]}
 *
 * They hold what an .ecdc file does (codec/ecdc_segments.h).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_CLI_SEGMENT_TOKENS_H
#define RESIDUA_CLI_SEGMENT_TOKENS_H

#include "codec/ecdc_segments.h"
#include "engine/base/atomic_file.h"

/* Errors: those of atomic_file_write. */
RsdStatus segment_tokens_write(const EcdcSegments *segments, const RsdModel *model, AtomicFile *file, RsdError *err);
/* *out is the caller's, also after an error; whether its numbers suit a model is not looked at. Errors: RSD_ERR_CORRUPT
 * naming the line, RSD_ERR_MEMORY. */
RsdStatus segment_tokens_parse(EcdcSegments *out, const uint8_t *data, size_t size, const char *name, RsdError *err);

#endif
