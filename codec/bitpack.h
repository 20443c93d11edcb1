/* bitpack.h - codes of 1 to 16 bits, one after the other in bytes, lowest bit first.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_BITPACK_H
#define RESIDUA_BITPACK_H

#include <stddef.h>
#include <stdint.h>

typedef struct BitWriter {
    uint8_t *next; /* borrowed; room for everything is the caller's care: bitpack_size */
    uint32_t bits; /* not yet written, lowest first */
    int n_bits;
} BitWriter;

typedef struct BitReader {
    const uint8_t *next, *end;
    uint32_t bits;
    int n_bits;
} BitReader;

/* Bytes that n_codes codes of code_bits bits take: ceil(n_codes * code_bits / 8). */
static inline size_t bitpack_size(size_t n_codes, int code_bits)
{
    return (n_codes * (size_t)code_bits + 7) / 8;
}

void bit_writer_init(BitWriter *writer, uint8_t *dst);
/* code < 2^code_bits, code_bits in 1..16. */
void bit_writer_put(BitWriter *writer, uint32_t code, int code_bits);
/* Fills the last byte with zero bits; returns the end of what was written. */
uint8_t *bit_writer_finish(BitWriter *writer);

void bit_reader_init(BitReader *reader, const uint8_t *src, size_t size);
/* Past the end it reads zeros. */
uint32_t bit_reader_get(BitReader *reader, int code_bits);

#endif
