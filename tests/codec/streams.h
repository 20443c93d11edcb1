/* streams.h - streams in memory, and streams made of random codes, for the tests of the container.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_TESTS_STREAMS_H
#define RESIDUA_TESTS_STREAMS_H

#include "codec/container.h"

/* Bytes that grow when written and are read from `at` on. */
typedef struct Bytes {
    uint8_t *data;
    size_t size, capacity, at;
    size_t block;      /* read at most this many at once; 0: as many as asked for */
    size_t fail_after; /* reading or writing beyond this many bytes is RSD_ERR_IO; 0: never */
} Bytes;

RsdStatus bytes_read(void *ctx, void *data, size_t size, size_t *n_read, RsdError *err);
RsdStatus bytes_write(void *ctx, const void *data, size_t size, RsdError *err);
void bytes_clear(Bytes *bytes);
void bytes_copy(Bytes *to, const Bytes *from); /* contents; `to` begins at its start */

/* A header as speech16 would have it: 16 kHz mono, hop 320, 10 bits, 3 + 3 + 6 stages, 50 frames per packet. */
void header_example(StreamHeader *header);

/* A sound stream of n_samples samples with codes from (seed); cut to the first n_layers layers of the header. */
void stream_example(Bytes *bytes, const StreamHeader *header, int64_t n_samples, uint64_t seed);

/* Where packet i of a sound stream begins and ends; the end packet is the one after the last. Fails the test if there
 * is none. */
void stream_packet_at(const Bytes *bytes, size_t i, size_t *begin, size_t *end);

#endif
