/* container.h - headers and packets of the .rsd format (docs/format.md), to and from bytes in memory.
 *
 * Nothing here reads, waits or allocates: packet_reader.h finds packets in a stream of bytes. Every number that comes
 * in is checked against the format's limits before it is used.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_CONTAINER_H
#define RESIDUA_CONTAINER_H

#include "codec/residua.h"

#define HEADER_PREFIX_SIZE 8 /* enough to know how long the header is */
#define HEADER_MIN_SIZE 45         /* of sound */
#define PICTURE_HEADER_MIN_SIZE 38 /* of a picture */
#define HEADER_MAX_SIZE 4096
#define STREAM_MAX_RATE_HZ 768000
#define STREAM_MAX_CHANNELS 64
#define STREAM_MAX_STAGES 64
#define STREAM_MAX_PACKETS (((int64_t)1 << 24) - 1)
#define PACKET_MAX_FRAMES 4096
#define BLOCK_MAX_SIZE 16384
#define PACKET_MAX_OVERHEAD ((size_t)(10 + RSD_MAX_LAYERS * 6))
#define PACKET_MAX_SIZE (PACKET_MAX_OVERHEAD + RSD_MAX_LAYERS * (size_t)BLOCK_MAX_SIZE)
#define END_PACKET_SIZE 22

/* Codes as they are, those of type t for every 2^t-th frame. */
typedef enum PayloadType { PAYLOAD_PLAIN = 0, PAYLOAD_PLAIN_LAST = 6 } PayloadType;

typedef struct StreamHeader {
    RsdStreamInfo info;
    uint8_t payload_types[RSD_MAX_LAYERS];
    uint8_t layout; /* as it is in the stream, while info.layout knows only what this version knows */
    size_t fields_size;
    uint8_t fields[HEADER_MAX_SIZE]; /* as they are in the stream: copied when it is cut */
} StreamHeader;

typedef enum StreamKind { KIND_AUDIO = 1, KIND_PICTURE = 2 } StreamKind;

#define FIELD_PREFIX_SIZE 4 /* id and size of a field */

/* Bits of the required features. */
#define FEATURE_STAGED 1 /* of pictures: tiles are codes of a residual quantiser */

/* Kind and size of the whole header, from its first bytes. Errors: RSD_ERR_CORRUPT (not a .rsd stream), RSD_ERR_UNSUPPORTED. */
RsdStatus header_probe_any(StreamKind *kind, size_t *size, const uint8_t prefix[HEADER_PREFIX_SIZE], RsdError *err);
/* Parts of headers of all kinds: the model's name, and fields [size]. Errors: code or RSD_ERR_CORRUPT; RSD_ERR_UNSUPPORTED for a
 * field that must be understood, and is not `known` (0: none is). */
RsdStatus header_check_name(const char *name, RsdStatus code, RsdError *err);
RsdStatus header_check_fields(const uint8_t *data, size_t size, unsigned known, RsdError *err);
/* In fields that were checked: contents of the first one of that id, NULL when there is none. */
const uint8_t *header_find_field(const uint8_t *data, size_t size, unsigned id, size_t *field_size);
/* The same for sound; a picture is RSD_ERR_UNSUPPORTED. */
RsdStatus header_probe(size_t *size, const uint8_t prefix[HEADER_PREFIX_SIZE], RsdError *err);
/* data [size], size as header_probe said. Errors: RSD_ERR_CORRUPT, RSD_ERR_UNSUPPORTED. */
RsdStatus header_parse(StreamHeader *header, const uint8_t *data, size_t size, RsdError *err);
/* Whether all numbers are in the format's range; computes n_stages, layer_strides, bitrate_bps and header_size of info from the
 * others. Errors: `code` for a number out of range, RSD_ERR_UNSUPPORTED for a payload type. */
RsdStatus header_complete(StreamHeader *header, RsdStatus code, RsdError *err);
/* header: completed. Writes info.header_size bytes into dst [HEADER_MAX_SIZE] and returns how many. */
size_t header_write(const StreamHeader *header, uint8_t *dst);

/* RsdLayout of what a model of so many channels codes. */
int stream_layout_for(int channels);
/* Samples of a full packet; packets and frames that n_samples take. */
int64_t stream_packet_samples(const RsdStreamInfo *info);
int64_t stream_packets_for(const RsdStreamInfo *info, int64_t n_samples);
int stream_frames_for(const RsdStreamInfo *info, int64_t n_samples);
/* Codes of a layer in n_frames. */
size_t stream_layer_codes(const RsdStreamInfo *info, int layer, int n_frames);
/* Bytes of a stream of n_samples in which every packet has all layers and none is optional, header and end included. */
int64_t stream_size_for(const RsdStreamInfo *info, int64_t n_samples);
/* Bits per second of the codes of one stage of a layer. */
double stream_stage_bps(const RsdStreamInfo *info, int layer);

/* ---- Packets ---- */

typedef enum PacketType {
    PACKET_CODES = 1,
    PACKET_LAST = 2,
    PACKET_OPTIONAL_FIRST = 8,
    PACKET_OPTIONAL_LAST = 14,
    PACKET_END = 15
} PacketType;

typedef struct Packet {
    int type;          /* PacketType, or 3 to 7 */
    uint32_t number;   /* of an end packet: how many packets of codes there are */
    int64_t n_samples; /* of this packet; of an end packet: of the whole stream */
    int n_frames;
    int n_blocks;
    size_t block_sizes[RSD_MAX_LAYERS];
    const uint8_t *blocks[RSD_MAX_LAYERS]; /* borrowed from the bytes it was parsed from; NULL: beyond their end */
    uint32_t stream_crc;                   /* end packet only */
    size_t size;                           /* bytes of the whole packet */
    int n_good;                            /* the first n_good blocks have the right checksum; at least 1 */
    size_t good_size;                      /* bytes up to the end of the last of these */
} Packet;

typedef enum PacketFind {
    PACKET_FOUND,      /* the first block is right; see n_good about the others */
    PACKET_NEEDS_MORE, /* than the bytes given */
    PACKET_NOT_HERE    /* something else, or a damaged packet */
} PacketFind;

/* What is at data [size]? PACKET_NEEDS_MORE sets *n_needed to a greater size to try again with; when the stream ends
 * before that, call with at_end true: the answer is then about what is there. PACKET_NOT_HERE, and PACKET_FOUND with
 * n_good < n_blocks, put the reason into err (status RSD_ERR_CORRUPT, no place named). */
PacketFind packet_parse(Packet *packet, const StreamHeader *header, const uint8_t *data, size_t size, bool at_end,
                        size_t *n_needed, RsdError *err);
/* type, number, n_samples, n_blocks, block_sizes and blocks are used; an end packet uses stream_crc too. Writes at most
 * PACKET_MAX_SIZE bytes into dst and returns how many. dst must not overlap the blocks. */
size_t packet_write(const Packet *packet, uint8_t *dst);

#endif
