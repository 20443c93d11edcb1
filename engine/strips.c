/* strips.c - pieces of a chunk cut out, run and put together.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/strips.h"

#include <assert.h>
#include <string.h>

#include "engine/stream.h"

/* Columns `from` .. of src to columns `to` .. of dst, as many as fit both. */
static void copy_columns(const Tensor *src, int64_t from, Tensor *dst, int64_t to)
{
    const int64_t rows = src->shape[0] * src->shape[1], n_src = src->shape[2], n_dst = dst->shape[2];
    const int64_t n = n_src - from < n_dst - to ? n_src - from : n_dst - to;

    for (int64_t r = 0; r < rows; r++)
        memcpy(dst->data + r * n_dst + to, src->data + r * n_src + from, (size_t)n * sizeof *dst->data);
}

RsdStatus strips_run(Tape *tape, const Strips *strips, Tensor *x, Tensor **y, RsdError *err)
{
    const int64_t batch = x->shape[0], n = x->shape[2], len = strips->len;
    int64_t done = 0;
    size_t slot;
    Tensor *whole;
    RsdStatus status = RSD_OK;

    if (!tape->stream || tape->recording || n <= len)
        return strips->run(tape, strips->ctx, x, y, err);
    slot = stream_next_slot(tape->stream);
    TRY(tape_tensor(tape, &whole, 3,
                    (int64_t[]){batch, strips->channels, (n * strips->up + strips->down - 1) / strips->down}, err));
    for (int64_t at = 0; at < n; at += len) {
        ArenaMark mark = arena_mark(tape->arena);
        Tensor *strip, *part;

        TRY(tape_tensor(tape, &strip, 3, (int64_t[]){batch, x->shape[1], n - at < len ? n - at : len}, err));
        copy_columns(x, at, strip, 0);
        stream_begin_piece(tape->stream, slot, at == 0, at + len >= n);
        TRY(strips->run(tape, strips->ctx, strip, &part, err));
        assert(part->shape[1] == strips->channels && done + part->shape[2] <= whole->shape[2]);
        copy_columns(part, 0, whole, done);
        done += part->shape[2];
        arena_rewind(tape->arena, mark);
    }
    assert(done == whole->shape[2]);
    stream_end_pieces(tape->stream);
    *y = whole;
fail:
    return status;
}
