/* bitpack.c - a 32-bit window that bytes leave and enter at its low end.
 *
 *   put:  bits |= code << n_bits, whole bytes go out        at most 7 bits stay, so 7 + 16 fit the window
 *
 * SPDX-License-Identifier: MIT
 */
#include "codec/bitpack.h"

void bit_writer_init(BitWriter *writer, uint8_t *dst)
{
    *writer = (BitWriter){.next = dst};
}

void bit_writer_put(BitWriter *writer, uint32_t code, int code_bits)
{
    writer->bits |= code << writer->n_bits;
    writer->n_bits += code_bits;
    while (writer->n_bits >= 8) {
        *writer->next++ = (uint8_t)writer->bits;
        writer->bits >>= 8;
        writer->n_bits -= 8;
    }
}

uint8_t *bit_writer_finish(BitWriter *writer)
{
    if (writer->n_bits > 0)
        *writer->next++ = (uint8_t)writer->bits;
    writer->bits = 0;
    writer->n_bits = 0;
    return writer->next;
}

void bit_reader_init(BitReader *reader, const uint8_t *src, size_t size)
{
    *reader = (BitReader){.next = src, .end = src + size};
}

uint32_t bit_reader_get(BitReader *reader, int code_bits)
{
    uint32_t code;

    while (reader->n_bits < code_bits) {
        if (reader->next < reader->end)
            reader->bits |= (uint32_t)*reader->next++ << reader->n_bits;
        reader->n_bits += 8;
    }
    code = reader->bits & ((1u << code_bits) - 1);
    reader->bits >>= code_bits;
    reader->n_bits -= code_bits;
    return code;
}
