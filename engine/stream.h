/* stream.h - what a causal network remembers between two chunks of one signal.
 *
 * Each layer with a memory owns one slot: a convolution keeps its last k_e - s input frames, a transposed convolution its
 * last ceil(k / s) - 1 input frames, an LSTM its h and c. Slots are handed out in the order in which layers run, so a
 * network need not number its layers: stream_rewind before each chunk, then every layer takes the next slot. A new stream
 * is all zeros, which is what zero padding at the left edge of a whole signal would give; therefore chunked equals whole.
 *
 *   chunk 0:  stream_rewind; conv takes slot 0, conv slot 1, ...      (slots are created on the first chunk)
 *   chunk 1:  stream_rewind; the same layers take the same slots      (no allocation)
 *
 * A layer with reflect padding fills its slot from the first chunk itself, as the whole signal would be reflected; and the
 * chunk that is announced as the last one may have any length: its strided layers complete their windows by padding.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_STREAM_H
#define RESIDUA_STREAM_H

#include <stdbool.h>
#include <stddef.h>

#include "engine/base/error.h"

typedef struct StreamState StreamState;

RsdStatus stream_create(StreamState **out, RsdError *err);
void stream_destroy(StreamState **stream);

/* Before each chunk: the next layer to ask gets slot 0. */
void stream_rewind(StreamState *stream);
/* The next slot, `count` floats, zero when created. The count must be the same for every chunk.
 * Errors: RSD_ERR_MEMORY; RSD_ERR_ARG when another network or another layout runs on this state. */
RsdStatus stream_slot(StreamState *stream, float **slot, size_t count, RsdError *err);
/* All slots to zero: the stream starts again. */
void stream_clear(StreamState *stream);

/* Whether the chunk being run, since the last stream_rewind, is the stream's first. */
bool stream_is_first(const StreamState *stream);
/* Whether it is the last, as was set before it; stream_clear takes that back. */
void stream_set_last(StreamState *stream, bool last);
bool stream_is_last(const StreamState *stream);

#endif
