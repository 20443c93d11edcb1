/* packet_reader.h - the packets of a stream in order: waits for bytes, checks, finds the way again after damage.
 *
 * Decoding, scanning and cutting see the same sequence: packets of codes, optional packets, and, when keeping going,
 * gaps of known length. What counts as damage and what follows from it is docs/format.md, "Damage".
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_PACKET_READER_H
#define RESIDUA_PACKET_READER_H

#include "codec/container.h"

typedef struct PacketReader PacketReader;

typedef struct PacketReaderOptions {
    RsdReadFn read;
    void *read_ctx;
    const char *name;   /* kept; NULL: "stream" */
    const char *advice; /* what to do about damage, added to the error; kept; may be NULL */
    bool keep_going;
    RsdDamageFn on_damage; /* may be NULL */
    void *damage_ctx;
} PacketReaderOptions;

typedef enum ReaderEvent {
    READER_CODES,    /* a packet of codes; blocks 0..n_good-1 are to be used */
    READER_OPTIONAL, /* a packet of a type that may be ignored */
    READER_LOST,     /* n_samples of the signal are missing here */
    READER_END       /* the end packet; nothing comes after it */
} ReaderEvent;

typedef struct ReaderItem {
    ReaderEvent event;
    int64_t n_samples; /* that a READER_CODES or READER_LOST stands for */
    Packet packet;     /* not for READER_LOST; its blocks are valid until the next call */
} ReaderItem;

/* Reads the header; takes all memory that reading needs. Errors: those of rsd_stream_probe, RSD_ERR_MEMORY. */
RsdStatus packet_reader_open(PacketReader **out, const PacketReaderOptions *options, RsdError *err);
void packet_reader_close(PacketReader **reader);

/* Errors: RSD_ERR_CORRUPT (strict: any damage; keeping going: no end packet), RSD_ERR_UNSUPPORTED (a reserved packet
 * type), those of read. Not to be called again after an error or READER_END. */
RsdStatus packet_reader_next(PacketReader *reader, ReaderItem *item, RsdError *err);

const StreamHeader *packet_reader_header(const PacketReader *reader);
const RsdStreamReport *packet_reader_report(const PacketReader *reader);
const char *packet_reader_name(const PacketReader *reader); /* for messages; never NULL */

/* Header alone, from a read function that is used for exactly its bytes. Errors: those of rsd_stream_probe. */
RsdStatus header_read(StreamHeader *header, uint8_t bytes[HEADER_MAX_SIZE], RsdReadFn read, void *read_ctx,
                      const char *name, RsdError *err);

#endif
