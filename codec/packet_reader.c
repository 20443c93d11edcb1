/* packet_reader.c - a buffer that fills on demand, and the rules for what may follow what.
 *
 *   buffer   [ consumed | begin ....... end | free ]     one packet is looked at, at `begin`; it is consumed at the
 * next call
 *
 * The reader is "lost" from the first byte that is no packet until the next packet that it believes. Only then is it
 * known how much is missing, so that one note can tell reason, bytes and packets.
 *
 * SPDX-License-Identifier: MIT
 */
#include "codec/packet_reader.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/checksum.h"
#include "engine/base/mem.h"

#define BUFFER_SIZE (2 * PACKET_MAX_SIZE)
#define LONGEST_GAP_S 3600 /* more silence than this is no evidence of loss but of a wrong number */
#define SYNC_FIRST 0xE5

struct PacketReader {
    PacketReaderOptions options;
    StreamHeader header;
    RsdStreamReport report;
    uint8_t *buffer;
    size_t begin, end, in_use; /* in_use: bytes at begin that the caller's packet borrows */
    bool at_end;               /* read has said so */
    uint32_t crc;              /* of all bytes consumed */
    bool seen_last;            /* packet type 2 */
    bool seen_damage;

    bool lost;       /* looking for a packet */
    bool explained;  /* a note about this place has been given */
    RsdError reason; /* why the reader got lost */
    int64_t n_skipped;
};

/* ---- Bytes ---- */

static void consume(PacketReader *reader, size_t size)
{
    reader->crc = crc32_update(reader->crc, reader->buffer + reader->begin, size);
    reader->begin += size;
    reader->report.n_bytes += (int64_t)size;
}

/* Makes at least n_needed bytes available at begin, unless the stream ends before. */
static RsdStatus fill(PacketReader *reader, size_t n_needed, RsdError *err)
{
    RsdError local;
    RsdStatus status = RSD_OK;

    if (reader->begin + n_needed > BUFFER_SIZE) {
        memmove(reader->buffer, reader->buffer + reader->begin, reader->end - reader->begin);
        reader->end -= reader->begin;
        reader->begin = 0;
    }
    while (!reader->at_end && reader->end - reader->begin < n_needed) {
        size_t room = BUFFER_SIZE - reader->end, n_read = 0;

        TRY(reader->options.read(reader->options.read_ctx, reader->buffer + reader->end, room, &n_read,
                                 err ? err : &local));
        CHECK(n_read <= room, err, RSD_ERR_ARG, "the read function says that it read %zu bytes of %zu", n_read, room);
        reader->at_end = n_read == 0;
        reader->end += n_read;
    }
fail:
    return status;
}

/* ---- Header ---- */

static RsdStatus read_exactly(uint8_t *dst, size_t size, RsdReadFn read, void *read_ctx, RsdError *err)
{
    RsdError local;
    RsdStatus status = RSD_OK;

    for (size_t at = 0; at < size;) {
        size_t n_read = 0;

        TRY(read(read_ctx, dst + at, size - at, &n_read, err ? err : &local));
        CHECK(n_read <= size - at, err, RSD_ERR_ARG, "the read function says that it read %zu bytes of %zu", n_read,
              size - at);
        CHECK(n_read > 0, err, RSD_ERR_CORRUPT, "the stream ends inside its header");
        at += n_read;
    }
fail:
    return status;
}

RsdStatus header_read(StreamHeader *header, uint8_t bytes[HEADER_MAX_SIZE], RsdReadFn read, void *read_ctx,
                      const char *name, RsdError *err)
{
    size_t size;
    RsdStatus status = RSD_OK;

    TRY(read_exactly(bytes, HEADER_PREFIX_SIZE, read, read_ctx, err));
    TRY(header_probe(&size, bytes, err));
    TRY(read_exactly(bytes + HEADER_PREFIX_SIZE, size - HEADER_PREFIX_SIZE, read, read_ctx, err));
    TRY(header_parse(header, bytes, size, err));
    return RSD_OK;
fail:
    if (status != RSD_ERR_IO && status != RSD_ERR_INTERRUPTED)
        status = error_prefix(err, status, "%s", name ? name : "stream");
    return status;
}

RsdStatus packet_reader_open(PacketReader **out, const PacketReaderOptions *options, RsdError *err)
{
    PacketReader *reader = NULL;
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(mem_calloc(&reader, 1, sizeof *reader, err));
    reader->options = *options;
    if (!options->name)
        reader->options.name = "stream";
    TRY(mem_alloc(&reader->buffer, BUFFER_SIZE, 1, err));
    TRY(header_read(&reader->header, reader->buffer, options->read, options->read_ctx, options->name, err));
    reader->end = (size_t)reader->header.info.header_size;
    consume(reader, reader->end);
    *out = reader;
    return RSD_OK;
fail:
    packet_reader_close(&reader);
    return status;
}

void packet_reader_close(PacketReader **reader)
{
    if (!*reader)
        return;
    mem_free(&(*reader)->buffer);
    mem_free(reader);
}

/* ---- Damage ---- */

static double seconds(const PacketReader *reader, int64_t n_samples)
{
    return (double)n_samples / reader->header.info.rate_hz;
}

/* "song.rsd: packet 12 at 12.00 s": where the reader stands. */
static RsdStatus place(const PacketReader *reader, RsdStatus status, RsdError *err)
{
    return error_prefix(err, status, "%s: packet %" PRId64 " at %.2f s", reader->options.name, reader->report.n_packets,
                        seconds(reader, reader->report.n_samples));
}

static void note(PacketReader *reader, const char *consequence)
{
    RsdError text = reader->reason;
    size_t len;

    place(reader, RSD_ERR_CORRUPT, &text);
    len = strlen(text.text);
    snprintf(text.text + len, sizeof text.text - len, "; %s", consequence);
    if (reader->options.on_damage)
        reader->options.on_damage(reader->options.damage_ctx, text.text);
}

/* The bytes at begin are no packet to believe, or none at all: strict ends here, else the search goes on behind `size`
 * of them. */
static RsdStatus reject(PacketReader *reader, size_t size, const RsdError *reason, RsdError *err)
{
    reader->seen_damage = true;
    if (!reader->options.keep_going) {
        error_set(err, RSD_ERR_CORRUPT, "%s%s%s", reason->text, reader->options.advice ? "; " : "",
                  reader->options.advice ? reader->options.advice : "");
        return place(reader, RSD_ERR_CORRUPT, err);
    }
    if (!reader->lost) {
        reader->lost = true;
        reader->explained = false;
        reader->reason = *reason;
        reader->n_skipped = 0;
    }
    reader->n_skipped += (int64_t)size;
    consume(reader, size);
    return RSD_OK;
}

/* To the next byte that can begin a packet. */
static size_t unlikely_bytes(const PacketReader *reader)
{
    const uint8_t *from = reader->buffer + reader->begin, *hit = NULL;
    size_t n_available = reader->end - reader->begin;

    if (n_available > 1)
        hit = memchr(from + 1, SYNC_FIRST, n_available - 1);
    return hit ? (size_t)(hit - from) : n_available;
}

/* The end of the bytes, without an end packet. */
static RsdStatus cut_off(PacketReader *reader, RsdError *err)
{
    if (reader->lost && !reader->explained)
        note(reader, "the stream ends here");
    return error_set(err, RSD_ERR_CORRUPT,
                     "%s: the stream ends without its end mark after %" PRId64 " packet%s (%.2f s): it was cut off",
                     reader->options.name, reader->report.n_packets, reader->report.n_packets == 1 ? "" : "s",
                     seconds(reader, reader->report.n_samples));
}

/* ---- Order ---- */

/* Whether a sound packet of codes can be where its number says; *n_gap gets the samples missing before it. */
static RsdStatus check_codes_order(const PacketReader *reader, const Packet *packet, int64_t *n_gap, RsdError *err)
{
    const RsdStreamInfo *info = &reader->header.info;
    int64_t first = packet->number * stream_packet_samples(info);
    bool is_last = packet->type == PACKET_LAST;
    RsdStatus status = RSD_OK;

    CHECK(!reader->seen_last, err, RSD_ERR_CORRUPT, "number %u comes after the last packet", packet->number);
    *n_gap = first - reader->report.n_samples;
    CHECK(*n_gap >= 0 && (reader->options.keep_going || *n_gap == 0), err, RSD_ERR_CORRUPT,
          "number %u, expected %" PRId64, packet->number, reader->report.n_packets);
    CHECK(*n_gap <= (int64_t)LONGEST_GAP_S * info->rate_hz, err, RSD_ERR_CORRUPT,
          "number %u, expected %" PRId64 ": a loss of more than %d s is not believed", packet->number,
          reader->report.n_packets, LONGEST_GAP_S);
    if (info->n_samples != RSD_UNKNOWN_LENGTH)
        CHECK(is_last ? first + packet->n_samples == info->n_samples : first + packet->n_samples <= info->n_samples,
              err, RSD_ERR_CORRUPT,
              "%" PRId64 " samples from %" PRId64 " on; the header says that there are %" PRId64 " in all",
              packet->n_samples, first, info->n_samples);
fail:
    return status;
}

static RsdStatus check_end_order(const PacketReader *reader, const Packet *packet, int64_t *n_gap, RsdError *err)
{
    RsdStatus status = RSD_OK;

    *n_gap = packet->n_samples - reader->report.n_samples;
    CHECK(*n_gap == 0 || (*n_gap > 0 && reader->options.keep_going && !reader->seen_last &&
                          *n_gap <= (int64_t)LONGEST_GAP_S * reader->header.info.rate_hz),
          err, RSD_ERR_CORRUPT,
          "end mark: %" PRId64 " samples in %u packets; %" PRId64 " samples in %" PRId64 " packets were here",
          packet->n_samples, packet->number, reader->report.n_samples, reader->report.n_packets);
fail:
    return status;
}

static RsdStatus check_order(const PacketReader *reader, const Packet *packet, int64_t *n_gap, RsdError *err)
{
    *n_gap = 0;
    switch (packet->type) {
    case PACKET_CODES:
    case PACKET_LAST:
        return check_codes_order(reader, packet, n_gap, err);
    case PACKET_END:
        return check_end_order(reader, packet, n_gap, err);
    default:
        return RSD_OK;
    }
}

/* ---- Packets ---- */

static void count_samples(PacketReader *reader, int64_t n_samples)
{
    const RsdStreamInfo *info = &reader->header.info;
    RsdStreamReport *report = &reader->report;

    report->n_samples += n_samples;
    report->n_packets = stream_packets_for(info, report->n_samples);
}

static void update_bitrate(PacketReader *reader)
{
    RsdStreamReport *report = &reader->report;

    if (report->n_samples > 0)
        report->bitrate_bps = (double)report->n_bytes * 8 / seconds(reader, report->n_samples);
}

/* Hands out the packet of `item`, which lies at begin. */
static void deliver(PacketReader *reader, ReaderItem *item)
{
    const Packet *packet = &item->packet;

    item->n_samples = 0;
    reader->in_use = packet->good_size;
    if (packet->type == PACKET_END) {
        item->event = READER_END;
        reader->report.has_end = true;
        consume(reader, packet->size); /* no call will follow that could */
        reader->in_use = 0;
    } else if (packet->type >= PACKET_OPTIONAL_FIRST) {
        item->event = READER_OPTIONAL;
    } else {
        item->event = READER_CODES;
        item->n_samples = packet->n_samples;
        reader->report.n_layers_lost += packet->n_blocks - packet->n_good;
        reader->seen_last = packet->type == PACKET_LAST;
        count_samples(reader, packet->n_samples);
    }
    update_bitrate(reader);
}

/* A believed packet was found: what does it say about what came before it? */
static void close_gap(PacketReader *reader, int64_t n_gap)
{
    int64_t n_lost = stream_packets_for(&reader->header.info, n_gap);
    char text[128];

    if (!reader->lost && n_gap > 0) {
        error_set(&reader->reason, RSD_ERR_CORRUPT, "missing");
        reader->explained = false;
    }
    if (n_gap > 0)
        snprintf(text, sizeof text, "%" PRId64 " packet%s lost, %.2f s filled with silence", n_lost,
                 n_lost == 1 ? "" : "s", seconds(reader, n_gap));
    else
        snprintf(text, sizeof text, "%" PRId64 " bytes skipped, nothing lost", reader->n_skipped);
    if (n_gap > 0 || (reader->lost && !reader->explained))
        note(reader, text);
    reader->lost = false;
    reader->seen_damage = reader->seen_damage || n_gap > 0;
    reader->report.n_lost += n_lost;
}

/* A packet whose upper layers are damaged: usable, unless strict. The search goes on behind its last good layer. */
static RsdStatus accept_in_part(PacketReader *reader, const Packet *packet, const RsdError *reason, RsdError *err)
{
    char text[96];

    reader->seen_damage = true;
    if (!reader->options.keep_going)
        return reject(reader, 0, reason, err);
    reader->reason = *reason;
    snprintf(text, sizeof text, "%d of its %d layers are used", packet->n_good, packet->n_blocks);
    note(reader, text);
    reader->lost = true;
    reader->explained = true;
    reader->n_skipped = 0;
    return RSD_OK;
}

/* All packets were sound and in order: are they those that the end mark was made for? */
static RsdStatus check_whole(PacketReader *reader, const Packet *end, RsdError *err)
{
    RsdError reason;

    if (reader->seen_damage || reader->crc == end->stream_crc)
        return RSD_OK;
    error_set(&reason, RSD_ERR_CORRUPT, "end mark: checksum of the whole stream %08x, expected %08x", end->stream_crc, reader->crc);
    if (!reader->options.keep_going)
        return reject(reader, 0, &reason, err);
    reader->reason = reason;
    note(reader, "each packet is sound by itself");
    return RSD_OK;
}

static RsdStatus look(PacketReader *reader, Packet *packet, PacketFind *find, RsdError *reason, RsdError *err)
{
    size_t n_needed = 1;
    RsdStatus status = RSD_OK;

    do {
        TRY(fill(reader, n_needed, err));
        *find = packet_parse(packet, &reader->header, reader->buffer + reader->begin, reader->end - reader->begin,
                             reader->at_end, &n_needed, reason);
    } while (*find == PACKET_NEEDS_MORE);
fail:
    return status;
}

RsdStatus packet_reader_next(PacketReader *reader, ReaderItem *item, RsdError *err)
{
    RsdStatus status = RSD_OK;

    consume(reader, reader->in_use);
    reader->in_use = 0;
    for (;;) {
        Packet *packet = &item->packet;
        PacketFind find;
        RsdError reason = {RSD_OK, ""};
        int64_t n_gap;
        bool in_part;

        TRY(look(reader, packet, &find, &reason, err));
        if (find == PACKET_NOT_HERE) {
            if (reader->begin == reader->end)
                return cut_off(reader, err);
            TRY(reject(reader, unlikely_bytes(reader), &reason, err));
            continue;
        }
        CHECK(packet->type <= PACKET_LAST || packet->type >= PACKET_OPTIONAL_FIRST, err, RSD_ERR_UNSUPPORTED,
              "%s: packet %" PRId64 ": type %d is not known to residua %s", reader->options.name,
              reader->report.n_packets, packet->type, RSD_VERSION);
        in_part = packet->n_good < packet->n_blocks;
        if (check_order(reader, packet, &n_gap, in_part ? NULL : &reason) != RSD_OK) {
            TRY(reject(reader, packet->good_size, &reason, err));
            continue;
        }
        if (reader->lost || n_gap > 0)
            close_gap(reader, n_gap);
        if (n_gap > 0) { /* the packet stays where it is and follows at the next call */
            item->event = READER_LOST;
            item->n_samples = n_gap;
            count_samples(reader, n_gap);
            return RSD_OK;
        }
        if (in_part)
            TRY(accept_in_part(reader, packet, &reason, err));
        if (packet->type == PACKET_END)
            TRY(check_whole(reader, packet, err));
        deliver(reader, item);
        return RSD_OK;
    }
fail:
    return status;
}

const StreamHeader *packet_reader_header(const PacketReader *reader)
{
    return &reader->header;
}

const RsdStreamReport *packet_reader_report(const PacketReader *reader)
{
    return &reader->report;
}

const char *packet_reader_name(const PacketReader *reader)
{
    return reader->options.name;
}
