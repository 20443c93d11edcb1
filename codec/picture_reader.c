/* picture_reader.c - a buffer that grows with what has arrived, and the rules for what may follow what.
 *
 *   buffer   [ consumed | begin ....... end | free ]     the packet looked at is at `begin`; consumed at the next call
 *
 * Packets have places: tile t has place t, or 2 t with its opacity at 2 t + 1. A packet of a greater place than the next one
 * means that those between are lost; one of a smaller place is not believed.
 *
 * SPDX-License-Identifier: MIT
 */
#include "codec/picture_reader.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/mem.h"

#define FIRST_CAPACITY ((size_t)65536)
#define SYNC_FIRST 0xE5
#define SEARCH_MAX_SIZE                                                                                                \
    ((size_t)1 << 28) /* bytes of false packets that a search reads in vain before it believes their sizes */

struct PictureReader {
    PictureReaderOptions options;
    PictureInfo info;
    uint8_t header[HEADER_MAX_SIZE]; /* as it is in the stream */
    PictureReport report;
    uint8_t *buffer;
    size_t capacity, begin, end, in_use; /* in_use: bytes at begin that the caller's packet borrows */
    bool at_end;                         /* read has said so */
    int64_t place, n_places;             /* the next packet's; of all */

    bool lost;       /* looking for a packet */
    RsdError reason; /* why */
    int64_t n_skipped;
    size_t n_in_vain;
};

/* --- bytes ---------------------------------------------------------------------------------------------------------- */

static void consume(PictureReader *reader, size_t size)
{
    reader->begin += size;
    reader->report.n_bytes += (int64_t)size;
}

/* Makes n_needed bytes available at begin, unless the stream ends before. Memory grows as bytes arrive. */
static RsdStatus fill(PictureReader *reader, size_t n_needed, RsdError *err)
{
    RsdError local;
    RsdStatus status = RSD_OK;

    while (!reader->at_end && reader->end - reader->begin < n_needed) {
        size_t n_read = 0, room;

        if (reader->end == reader->capacity && reader->begin > 0) {
            memmove(reader->buffer, reader->buffer + reader->begin, reader->end - reader->begin);
            reader->end -= reader->begin;
            reader->begin = 0;
        }
        if (reader->end == reader->capacity) {
            TRY(mem_resize(&reader->buffer, reader->capacity, 2 * reader->capacity, 1, err));
            reader->capacity *= 2;
        }
        room = reader->capacity - reader->end;
        TRY(reader->options.read(reader->options.read_ctx, reader->buffer + reader->end, room, &n_read,
                                 err ? err : &local));
        CHECK(n_read <= room, err, RSD_ERR_ARG, "the read function says that it read %zu bytes of %zu", n_read, room);
        reader->at_end = n_read == 0;
        reader->end += n_read;
    }
fail:
    return status;
}

static size_t n_available(const PictureReader *reader)
{
    return reader->end - reader->begin;
}

/* --- header --------------------------------------------------------------------------------------------------------- */

static RsdStatus read_header(PictureReader *reader, RsdError *err)
{
    StreamKind kind;
    size_t size;
    RsdStatus status = RSD_OK;

    TRY(fill(reader, HEADER_PREFIX_SIZE, err));
    CHECK(n_available(reader) >= HEADER_PREFIX_SIZE, err, RSD_ERR_CORRUPT, "the stream ends inside its header");
    TRY(header_probe_any(&kind, &size, reader->buffer, err));
    CHECK(kind == KIND_PICTURE, err, RSD_ERR_UNSUPPORTED, "the stream holds sound, not a picture");
    TRY(fill(reader, size, err));
    CHECK(n_available(reader) >= size, err, RSD_ERR_CORRUPT, "the stream ends inside its header");
    memcpy(reader->header, reader->buffer, size);
    TRY(picture_header_parse(&reader->info, reader->header, size, err));
    consume(reader, size);
    reader->n_places = reader->info.n_tiles * (reader->info.has_alpha ? 2 : 1);
fail:
    return status;
}

RsdStatus picture_reader_open(PictureReader **out, const PictureReaderOptions *options, RsdError *err)
{
    PictureReader *reader = NULL;
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(mem_calloc(&reader, 1, sizeof *reader, err));
    reader->options = *options;
    if (!options->name)
        reader->options.name = "stream";
    reader->capacity = FIRST_CAPACITY;
    TRY(mem_alloc(&reader->buffer, reader->capacity, 1, err));
    status = read_header(reader, err);
    if (status == RSD_ERR_CORRUPT || status == RSD_ERR_UNSUPPORTED)
        error_prefix(err, status, "%s", reader->options.name);
    TRY(status);
    *out = reader;
    return RSD_OK;
fail:
    picture_reader_close(&reader);
    return status;
}

void picture_reader_close(PictureReader **reader)
{
    if (!*reader)
        return;
    mem_free(&(*reader)->buffer);
    mem_free(reader);
}

/* --- damage --------------------------------------------------------------------------------------------------------- */

static int64_t tile_at(const PictureReader *reader, int64_t place)
{
    return reader->info.has_alpha ? place / 2 : place;
}

/* "photo.rsd: tile 3 of 12 (byte 4711)": where the reader stands. */
static RsdStatus name_place(const PictureReader *reader, RsdError *err)
{
    return error_prefix(err, RSD_ERR_CORRUPT, "%s: tile %" PRId64 " of %" PRId64 " (byte %" PRId64 ")",
                        reader->options.name, tile_at(reader, reader->place) + 1, reader->info.n_tiles,
                        reader->report.n_bytes);
}

static void note(PictureReader *reader, const char *consequence)
{
    RsdError text = reader->reason;
    size_t len;

    name_place(reader, &text);
    len = strlen(text.text);
    snprintf(text.text + len, sizeof text.text - len, "; %s", consequence);
    if (reader->options.on_damage)
        reader->options.on_damage(reader->options.damage_ctx, text.text);
}

/* The bytes at begin are no packet to believe: strict ends here, else the search goes on behind `size` of them. */
static RsdStatus reject(PictureReader *reader, size_t size, const RsdError *reason, RsdError *err)
{
    if (!reader->options.keep_going) {
        error_set(err, RSD_ERR_CORRUPT, "%s%s%s", reason->text, reader->options.advice ? "; " : "",
                  reader->options.advice ? reader->options.advice : "");
        return name_place(reader, err);
    }
    if (!reader->lost) {
        reader->lost = true;
        reader->reason = *reason;
        reader->n_skipped = 0;
    }
    reader->n_skipped += (int64_t)size;
    consume(reader, size);
    return RSD_OK;
}

/* To the next byte that can begin a packet. */
static size_t unlikely_bytes(const PictureReader *reader)
{
    const uint8_t *from = reader->buffer + reader->begin, *hit = NULL;

    if (n_available(reader) > 1)
        hit = memchr(from + 1, SYNC_FIRST, n_available(reader) - 1);
    return hit ? (size_t)(hit - from) : n_available(reader);
}

/* Everything up to `place` is lost, and told. */
static void pass_to(PictureReader *reader, int64_t place)
{
    int64_t n_tiles = 0, n_alpha = 0;
    char text[160];

    for (int64_t p = reader->place; p < place; p++) {
        bool is_alpha = reader->info.has_alpha && p % 2 == 1;

        n_tiles += !is_alpha;
        n_alpha += is_alpha;
    }
    if (!reader->lost && place > reader->place)
        error_set(&reader->reason, RSD_ERR_CORRUPT, "missing");
    if (n_tiles > 0)
        snprintf(text, sizeof text, "%" PRId64 " tile%s lost, filled with a guess", n_tiles, n_tiles == 1 ? "" : "s");
    else if (n_alpha > 0)
        snprintf(text, sizeof text, "its opacity is lost, filled as opaque");
    else
        snprintf(text, sizeof text, "%" PRId64 " bytes skipped, no tile lost", reader->n_skipped);
    if (reader->lost || place > reader->place)
        note(reader, text);
    reader->lost = false;
    reader->report.n_lost += n_tiles;
    reader->report.n_alpha_lost += n_alpha;
    reader->place = place;
}

/* The bytes have ended before the last packet. */
static RsdStatus cut_off(PictureReader *reader, RsdError *err)
{
    RsdError reason;

    error_set(&reason, RSD_ERR_CORRUPT, "the stream ends here: it was cut off");
    if (!reader->options.keep_going)
        return reject(reader, 0, &reason, err);
    if (!reader->lost)
        reader->reason = reason;
    reader->lost = true;
    pass_to(reader, reader->n_places);
    return RSD_OK;
}

/* --- packets -------------------------------------------------------------------------------------------------------- */

static bool is_chunk(const PicturePacket *packet)
{
    return packet->type >= PICTURE_PACKET_CHUNK;
}

static int64_t place_of(const PictureReader *reader, const PicturePacket *packet)
{
    if (!reader->info.has_alpha)
        return packet->number;
    return 2 * (int64_t)packet->number + (packet->type == PICTURE_PACKET_ALPHA);
}

/* Whether a sound packet can be where it is. */
static RsdStatus check_order(const PictureReader *reader, const PicturePacket *packet, RsdError *err)
{
    int64_t place = place_of(reader, packet);

    if (is_chunk(packet) || place == reader->place || (place > reader->place && reader->options.keep_going))
        return RSD_OK;
    return error_set(err, RSD_ERR_CORRUPT, "%s %u comes here",
                     packet->type == PICTURE_PACKET_TILE ? "tile" : "opacity of tile", packet->number + 1);
}

/* Whether one more packet lies behind the first byte, whole and in its order. When a search would have given up, it is taken for one. */
static bool packet_follows(PictureReader *reader)
{
    const uint8_t *at = reader->buffer + reader->begin + 1, *end = reader->buffer + reader->begin + n_available(reader);

    while ((at = memchr(at, SYNC_FIRST, (size_t)(end - at))) && end - at >= PICTURE_PACKET_HEAD) {
        PicturePacket packet;

        if (picture_packet_begin(&packet, &reader->info, at, NULL) == RSD_OK &&
            packet.payload_size <= (size_t)(end - at) - PICTURE_PACKET_HEAD) {
            if (reader->n_in_vain > SEARCH_MAX_SIZE ||
                (picture_packet_check(&packet, at, NULL) == RSD_OK && check_order(reader, &packet, NULL) == RSD_OK))
                return true;
            reader->n_in_vain += packet.payload_size;
        }
        at++;
    }
    return false;
}

/* A tile that is due begins here, in sound bytes, and the stream ends inside it: what has arrived is a preview. When a packet comes
 * behind it, the stream goes on, and the tile's size is wrong. */
static bool take_cut_tile(PictureReader *reader, PicturePacket *packet)
{
    if (!reader->options.keep_going || reader->lost || packet->type != PICTURE_PACKET_TILE ||
        place_of(reader, packet) != reader->place || n_available(reader) == PICTURE_PACKET_HEAD || packet_follows(reader))
        return false;
    error_set(&reader->reason, RSD_ERR_CORRUPT, "the stream ends inside, after %zu of %zu bytes",
              n_available(reader) - PICTURE_PACKET_HEAD, packet->payload_size);
    packet->payload = reader->buffer + reader->begin + PICTURE_PACKET_HEAD;
    packet->payload_size = n_available(reader) - PICTURE_PACKET_HEAD;
    packet->is_cut = true;
    note(reader, "a preview of the tile is made of them");
    return true;
}

/* Looks at begin. *found false: those bytes were rejected. */
static RsdStatus look(PictureReader *reader, PicturePacket *packet, bool *found, RsdError *err)
{
    RsdError reason = {RSD_OK, ""};
    RsdStatus looked, status = RSD_OK;

    *found = false;
    packet->payload_size = 0;
    TRY(fill(reader, PICTURE_PACKET_HEAD, err));
    if (n_available(reader) < PICTURE_PACKET_HEAD)
        return reject(reader, n_available(reader),
                      (error_set(&reason, RSD_ERR_CORRUPT, "the stream ends inside a packet"), &reason), err);
    looked = picture_packet_begin(packet, &reader->info, reader->buffer + reader->begin, &reason);
    if (looked == RSD_OK) {
        TRY(fill(reader, PICTURE_PACKET_HEAD + packet->payload_size, err));
        if (n_available(reader) < PICTURE_PACKET_HEAD + packet->payload_size) {
            *found = take_cut_tile(reader, packet);
            if (*found)
                return RSD_OK;
            looked = error_set(&reason, RSD_ERR_CORRUPT, "the stream ends inside a packet");
        }
    }
    if (looked == RSD_OK)
        looked = picture_packet_check(packet, reader->buffer + reader->begin, &reason);
    if (looked == RSD_OK)
        looked = check_order(reader, packet, &reason);
    if (looked != RSD_OK) {
        reader->n_in_vain += packet->payload_size;
        return reject(reader,
                      reader->n_in_vain > SEARCH_MAX_SIZE && n_available(reader) >= packet->payload_size + 1
                          ? packet->payload_size + 1
                          : unlikely_bytes(reader),
                      &reason, err);
    }
    *found = true;
fail:
    return status;
}

static void note_chunk(PictureReport *report, const PicturePacket *packet)
{
    if (packet->type != PICTURE_PACKET_CHUNK || packet->payload_size <= PICTURE_MARK_SIZE)
        return;
    for (int kind = 0; kind < PICTURE_N_CHUNKS; kind++)
        if (report->chunk_sizes[kind] == 0 && memcmp(packet->payload, PICTURE_CHUNK_MARKS[kind], PICTURE_MARK_SIZE) == 0)
            report->chunk_sizes[kind] = (int64_t)(packet->payload_size - PICTURE_MARK_SIZE);
}

RsdStatus picture_reader_next(PictureReader *reader, PicturePacket *packet, bool *found, RsdError *err)
{
    RsdStatus status = RSD_OK;

    *found = false;
    consume(reader, reader->in_use);
    reader->in_use = 0;
    while (!*found && reader->place < reader->n_places) {
        TRY(fill(reader, 1, err));
        if (n_available(reader) == 0)
            return cut_off(reader, err);
        TRY(look(reader, packet, found, err));
    }
    if (!*found)
        return RSD_OK;
    reader->in_use = PICTURE_PACKET_HEAD + packet->payload_size;
    pass_to(reader, is_chunk(packet) ? reader->place : place_of(reader, packet));
    if (is_chunk(packet)) {
        note_chunk(&reader->report, packet);
    } else {
        reader->place++;
        reader->report.n_tiles += packet->type == PICTURE_PACKET_TILE && !packet->is_cut;
        reader->report.n_lost += packet->is_cut;
        if (reader->place == reader->n_places && !packet->is_cut) {
            reader->report.n_bytes += (int64_t)reader->in_use; /* nothing will be read after this */
            reader->begin += reader->in_use;
            reader->in_use = 0;
            reader->report.complete = true;
        }
    }
fail:
    return status;
}

const PictureInfo *picture_reader_info(const PictureReader *reader)
{
    return &reader->info;
}

const uint8_t *picture_reader_header(const PictureReader *reader)
{
    return reader->header;
}

const PictureReport *picture_reader_report(const PictureReader *reader)
{
    return &reader->report;
}

const char *picture_reader_name(const PictureReader *reader)
{
    return reader->options.name;
}

/* --- scanning ------------------------------------------------------------------------------------------------------- */

static void keep_first(void *ctx, const char *text)
{
    RsdError *first = ctx;

    if (first->status == RSD_OK)
        error_set(first, RSD_ERR_CORRUPT, "%s", text);
}

RsdStatus picture_scan(PictureInfo *info, PictureReport *report, RsdReadFn read, void *read_ctx, const char *name,
                       RsdError *err)
{
    RsdError first = {RSD_OK, ""};
    PictureReaderOptions options = {.read = read,
                                    .read_ctx = read_ctx,
                                    .name = name,
                                    .keep_going = true,
                                    .on_damage = keep_first,
                                    .damage_ctx = &first};
    PictureReader *reader = NULL;
    PicturePacket packet;
    bool found = true;
    RsdStatus status = RSD_OK;

    memset(info, 0, sizeof *info);
    memset(report, 0, sizeof *report);
    TRY(picture_reader_open(&reader, &options, err));
    *info = reader->info;
    while (found)
        TRY(picture_reader_next(reader, &packet, &found, err));
fail:
    if (reader)
        *report = reader->report;
    picture_reader_close(&reader);
    if (status == RSD_OK && first.status != RSD_OK)
        status = error_set(err, first.status, "%s", first.text);
    return status;
}
