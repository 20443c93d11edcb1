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
 * A network that looks ahead gives its output later by as much. It must know where in the signal a chunk stands and where
 * the signal ends, because what lies beyond the ends is zero in each of its layers: whoever feeds the chunks tells it with
 * stream_place.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_STREAM_H
#define RESIDUA_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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

/* Some layers may take a chunk piece by piece: before each piece the layers from `slot` on, which is what stream_next_slot said
 * before the first of them, get their slots again. Until stream_end_pieces, stream_is_first and _is_last speak of the piece. */
size_t stream_next_slot(const StreamState *stream);
void stream_begin_piece(StreamState *stream, size_t slot, bool first, bool last);
void stream_end_pieces(StreamState *stream);

/* `first` frames of the network's input came before the chunk at hand; the signal has `length` of them altogether,
 * STREAM_UNKNOWN_LENGTH as long as its end is not known. The end must be known when the first frame beyond it is fed. */
#define STREAM_UNKNOWN_LENGTH INT64_MAX
void stream_place(StreamState *stream, int64_t first, int64_t length);
int64_t stream_first(const StreamState *stream);
int64_t stream_length(const StreamState *stream);

#endif
