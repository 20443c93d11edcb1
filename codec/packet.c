/* packet.c - packets of a .rsd stream: recognised, checked and written (docs/format.md, "Packets").
 *
 *   E5 52 | tag | number x3 | [samples x4] | sizes x2n | CRC | block 1 | CRC | block 2 | ...
 *   '------------------ head ----------------------'
 *   the first CRC covers head and block 1, so a packet is found and its lowest layer is sound by one test
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "codec/bitpack.h"
#include "codec/container.h"
#include "engine/base/bytes.h"
#include "engine/base/checksum.h"

#define SYNC_0 0xE5
#define SYNC_1 0x52
#define CRC_SIZE 4
#define PREFIX_SIZE 6 /* sync, tag, number */
#define END_CRC_AT (END_PACKET_SIZE - CRC_SIZE)

static uint32_t get_u24le(const uint8_t *p)
{
    return get_u16le(p) | (uint32_t)p[2] << 16;
}

static void put_u24le(uint8_t *p, uint32_t v)
{
    put_u16le(p, (uint16_t)v);
    p[2] = (uint8_t)(v >> 16);
}

static bool is_codes(int type)
{
    return type == PACKET_CODES || type == PACKET_LAST;
}

static PacketFind not_here(RsdError *err, const char *reason)
{
    error_set(err, RSD_ERR_CORRUPT, "%s", reason);
    return PACKET_NOT_HERE;
}

static PacketFind needs_more(size_t *n_needed, size_t needed, bool at_end, RsdError *err)
{
    *n_needed = needed;
    return at_end ? not_here(err, "the stream ends inside it") : PACKET_NEEDS_MORE;
}

static RsdStatus read_end(Packet *packet, const StreamHeader *header, const uint8_t *data, RsdError *err)
{
    const RsdStreamInfo *info = &header->info;
    uint64_t n_samples = get_u64le(data + PREFIX_SIZE);
    uint32_t found = get_u32le(data + END_CRC_AT), expected = crc32_update(0, data, END_CRC_AT);
    RsdStatus status = RSD_OK;

    CHECK(found == expected, err, RSD_ERR_CORRUPT, "end mark: checksum %08x, expected %08x", found, expected);
    CHECK(packet->n_blocks == 0, err, RSD_ERR_CORRUPT, "end mark: tag %02x, expected f0", data[2]);
    CHECK(n_samples <= (uint64_t)(STREAM_MAX_PACKETS * stream_packet_samples(info)) &&
              stream_packets_for(info, (int64_t)n_samples) == packet->number,
          err, RSD_ERR_CORRUPT, "end mark: %llu samples are not %u packets", (unsigned long long)n_samples,
          packet->number);
    CHECK(info->n_samples == RSD_UNKNOWN_LENGTH || n_samples == (uint64_t)info->n_samples, err, RSD_ERR_CORRUPT,
          "end mark: %llu samples, the header says %lld", (unsigned long long)n_samples, (long long)info->n_samples);
    packet->n_samples = (int64_t)n_samples;
    packet->stream_crc = get_u32le(data + END_CRC_AT - CRC_SIZE);
    packet->size = packet->good_size = END_PACKET_SIZE;
fail:
    return status;
}

/* Blocks of codes have one possible size each. */
static RsdStatus check_codes(Packet *packet, const StreamHeader *header, RsdError *err)
{
    const RsdStreamInfo *info = &header->info;
    RsdStatus status = RSD_OK;

    CHECK(packet->n_blocks <= info->n_layers, err, RSD_ERR_CORRUPT, "%d layers, the header says %d", packet->n_blocks,
          info->n_layers);
    CHECK(packet->number < STREAM_MAX_PACKETS, err, RSD_ERR_CORRUPT, "number %u; at most %lld is possible",
          packet->number, (long long)STREAM_MAX_PACKETS - 1);
    CHECK(packet->n_samples >= 1 && packet->n_samples <= stream_packet_samples(info), err, RSD_ERR_CORRUPT,
          "%lld samples; 1 to %lld are possible", (long long)packet->n_samples, (long long)stream_packet_samples(info));
    packet->n_frames = stream_frames_for(info, packet->n_samples);
    for (int i = 0; i < packet->n_blocks; i++) {
        size_t n_codes = stream_layer_codes(info, i, packet->n_frames);
        size_t expected = bitpack_size(n_codes, info->bits_per_code);

        CHECK(packet->block_sizes[i] == expected, err, RSD_ERR_CORRUPT,
              "layer %d has %zu bytes; %zu codes of %d bits need %zu", i + 1, packet->block_sizes[i], n_codes,
              info->bits_per_code, expected);
    }
fail:
    return status;
}

/* Upper blocks: each is of use only when all below it are right. */
static void check_upper_blocks(Packet *packet, const uint8_t *data, size_t size, RsdError *err)
{
    size_t at = packet->good_size;

    for (int i = 1; i < packet->n_blocks; i++) {
        uint32_t found, expected;

        if (size < at + CRC_SIZE + packet->block_sizes[i]) {
            error_set(err, RSD_ERR_CORRUPT, "the stream ends inside layer %d", i + 1);
            return;
        }
        found = get_u32le(data + at);
        packet->blocks[i] = data + at + CRC_SIZE;
        expected = crc32_update(0, packet->blocks[i], packet->block_sizes[i]);
        if (found != expected) {
            error_set(err, RSD_ERR_CORRUPT, "layer %d: checksum %08x, expected %08x", i + 1, found, expected);
            return;
        }
        at += CRC_SIZE + packet->block_sizes[i];
        packet->good_size = at;
        packet->n_good = i + 1;
    }
}

static PacketFind parse_blocks(Packet *packet, const StreamHeader *header, const uint8_t *data, size_t size,
                               bool at_end, size_t *n_needed, RsdError *err)
{
    size_t sizes_at = PREFIX_SIZE + (packet->type == PACKET_LAST ? 4 : 0);
    size_t head_size = sizes_at + 2 * (size_t)packet->n_blocks;
    uint32_t found, expected;

    if (packet->n_blocks == 0)
        return not_here(err, "no layers; at least one is needed");
    if (size < head_size)
        return needs_more(n_needed, head_size, at_end, err);
    packet->n_samples =
        packet->type == PACKET_LAST ? get_u32le(data + PREFIX_SIZE) : stream_packet_samples(&header->info);
    packet->size = head_size;
    for (int i = 0; i < packet->n_blocks; i++) {
        packet->block_sizes[i] = get_u16le(data + sizes_at + 2 * (size_t)i);
        if (packet->block_sizes[i] > BLOCK_MAX_SIZE)
            return not_here(err, "a layer is larger than the format allows");
        packet->size += CRC_SIZE + packet->block_sizes[i];
    }
    if (is_codes(packet->type) && check_codes(packet, header, err) != RSD_OK)
        return PACKET_NOT_HERE;
    packet->blocks[0] = data + head_size + CRC_SIZE;
    packet->good_size = head_size + CRC_SIZE + packet->block_sizes[0];
    if (size < packet->good_size)
        return needs_more(n_needed, packet->good_size, at_end, err);
    found = get_u32le(data + head_size);
    expected = crc32_update(crc32_update(0, data, head_size), packet->blocks[0], packet->block_sizes[0]);
    if (found != expected) {
        error_set(err, RSD_ERR_CORRUPT, "checksum %08x, expected %08x", found, expected);
        return PACKET_NOT_HERE;
    }
    if (size < packet->size && !at_end)
        return needs_more(n_needed, packet->size, false, err);
    packet->n_good = 1;
    check_upper_blocks(packet, data, size, err);
    return PACKET_FOUND;
}

PacketFind packet_parse(Packet *packet, const StreamHeader *header, const uint8_t *data, size_t size, bool at_end,
                        size_t *n_needed, RsdError *err)
{
    memset(packet, 0, sizeof *packet);
    *n_needed = PREFIX_SIZE;
    if (size == 0)
        return at_end ? not_here(err, "the stream ends without its end mark") : PACKET_NEEDS_MORE;
    if (data[0] != SYNC_0 || (size > 1 && data[1] != SYNC_1)) {
        error_set(err, RSD_ERR_CORRUPT, "no packet begins here: byte %02x, expected %02x",
                  data[0] != SYNC_0 ? data[0] : data[1], data[0] != SYNC_0 ? SYNC_0 : SYNC_1);
        return PACKET_NOT_HERE;
    }
    if (size < PREFIX_SIZE)
        return needs_more(n_needed, PREFIX_SIZE, at_end, err);
    packet->type = data[2] >> 4;
    packet->n_blocks = data[2] & 15;
    packet->number = get_u24le(data + 3);
    if (packet->type == 0)
        return not_here(err, "packet type 0 does not exist");
    if (packet->type == PACKET_END) {
        if (size < END_PACKET_SIZE)
            return needs_more(n_needed, END_PACKET_SIZE, at_end, err);
        return read_end(packet, header, data, err) == RSD_OK ? PACKET_FOUND : PACKET_NOT_HERE;
    }
    return parse_blocks(packet, header, data, size, at_end, n_needed, err);
}

/* Of a packet of codes, without the number of samples that the last one has. */
static int64_t codes_size(const RsdStreamInfo *info, int n_frames)
{
    int64_t size = PREFIX_SIZE;

    for (int i = 0; i < info->n_layers; i++)
        size += 2 + CRC_SIZE + (int64_t)bitpack_size(stream_layer_codes(info, i, n_frames), info->bits_per_code);
    return size;
}

int64_t stream_size_for(const RsdStreamInfo *info, int64_t n_samples)
{
    const int64_t n_full = n_samples / stream_packet_samples(info), rest = n_samples % stream_packet_samples(info);

    return info->header_size + n_full * codes_size(info, info->frames_per_packet) +
           (rest > 0 ? codes_size(info, stream_frames_for(info, rest)) + 4 : 0) + END_PACKET_SIZE;
}

static size_t write_end(const Packet *packet, uint8_t *dst)
{
    put_u64le(dst + PREFIX_SIZE, (uint64_t)packet->n_samples);
    put_u32le(dst + END_CRC_AT - CRC_SIZE, packet->stream_crc);
    put_u32le(dst + END_CRC_AT, crc32_update(0, dst, END_CRC_AT));
    return END_PACKET_SIZE;
}

size_t packet_write(const Packet *packet, uint8_t *dst)
{
    size_t at = PREFIX_SIZE;
    uint32_t crc;

    dst[0] = SYNC_0;
    dst[1] = SYNC_1;
    dst[2] = (uint8_t)(packet->type << 4 | packet->n_blocks);
    put_u24le(dst + 3, packet->number);
    if (packet->type == PACKET_END)
        return write_end(packet, dst);
    if (packet->type == PACKET_LAST) {
        put_u32le(dst + at, (uint32_t)packet->n_samples);
        at += 4;
    }
    for (int i = 0; i < packet->n_blocks; i++, at += 2)
        put_u16le(dst + at, (uint16_t)packet->block_sizes[i]);
    crc = crc32_update(0, dst, at);
    for (int i = 0; i < packet->n_blocks; i++) {
        put_u32le(dst + at, crc32_update(i == 0 ? crc : 0, packet->blocks[i], packet->block_sizes[i]));
        at += CRC_SIZE;
        memcpy(dst + at, packet->blocks[i], packet->block_sizes[i]);
        at += packet->block_sizes[i];
    }
    return at;
}
