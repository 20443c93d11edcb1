/* stream.c - a growing list of zeroed slots and a cursor.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/stream.h"

#include <string.h>

#include "engine/base/mem.h"

typedef struct Slot {
    float *data;
    size_t count;
} Slot;

struct StreamState {
    Slot *slots;
    size_t n_slots, next;
    size_t n_chunks; /* begun */
    bool last;
    bool inside_left, inside_right; /* the piece being run has others of its chunk before it, behind it */
    int64_t first, length;
};

RsdStatus stream_create(StreamState **out, RsdError *err)
{
    RsdStatus status = mem_calloc(out, 1, sizeof **out, err);

    if (status == RSD_OK)
        (*out)->length = STREAM_UNKNOWN_LENGTH;
    return status;
}

void stream_destroy(StreamState **stream)
{
    if (!*stream)
        return;
    for (size_t i = 0; i < (*stream)->n_slots; i++)
        mem_free(&(*stream)->slots[i].data);
    mem_free(&(*stream)->slots);
    mem_free(stream);
}

void stream_rewind(StreamState *stream)
{
    stream->next = 0;
    stream->n_chunks++;
    stream_end_pieces(stream);
}

RsdStatus stream_slot(StreamState *stream, float **slot, size_t count, RsdError *err)
{
    RsdStatus status = RSD_OK;

    *slot = NULL;
    if (stream->next == stream->n_slots) {
        float *data;

        TRY(mem_calloc(&data, count, sizeof(float), err));
        status = mem_resize(&stream->slots, stream->n_slots, stream->n_slots + 1, sizeof *stream->slots, err);
        if (status != RSD_OK) {
            mem_free(&data);
            goto fail;
        }
        stream->slots[stream->n_slots++] = (Slot){data, count};
    }
    CHECK(stream->slots[stream->next].count == count, err, RSD_ERR_ARG,
          "stream state %zu holds %zu numbers, the layer needs %zu: it belongs to another network", stream->next,
          stream->slots[stream->next].count, count);
    *slot = stream->slots[stream->next++].data;
fail:
    return status;
}

void stream_clear(StreamState *stream)
{
    for (size_t i = 0; i < stream->n_slots; i++)
        memset(stream->slots[i].data, 0, stream->slots[i].count * sizeof(float));
    stream->n_chunks = 0;
    stream->last = false;
    stream_place(stream, 0, STREAM_UNKNOWN_LENGTH);
}

bool stream_is_first(const StreamState *stream)
{
    return stream->n_chunks <= 1 && !stream->inside_left;
}

void stream_set_last(StreamState *stream, bool last)
{
    stream->last = last;
}

bool stream_is_last(const StreamState *stream)
{
    return stream->last && !stream->inside_right;
}

size_t stream_next_slot(const StreamState *stream)
{
    return stream->next;
}

void stream_begin_piece(StreamState *stream, size_t slot, bool first, bool last)
{
    stream->next = slot;
    stream->inside_left = !first;
    stream->inside_right = !last;
}

void stream_end_pieces(StreamState *stream)
{
    stream->inside_left = stream->inside_right = false;
}

void stream_place(StreamState *stream, int64_t first, int64_t length)
{
    stream->first = first;
    stream->length = length;
}

int64_t stream_first(const StreamState *stream)
{
    return stream->first;
}

int64_t stream_length(const StreamState *stream)
{
    return stream->length;
}
