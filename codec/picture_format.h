/* picture_format.h - headers and packets of picture streams (docs/format.md, "Pictures"), to and from bytes in memory.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_PICTURE_FORMAT_H
#define RESIDUA_PICTURE_FORMAT_H

#include "codec/container.h"
#include "codec/picture_deltas.h"

#define PICTURE_MAX_PIXELS ((int64_t)1 << 30)
#define PICTURE_MIN_EXPONENT 6
#define PICTURE_MAX_EXPONENT 10
#define PICTURE_MAX_TILES (((int64_t)1 << 24) - 1)
#define PICTURE_LATENT 16 /* pixels */
#define PICTURE_HYPER 4   /* latents */
#define PICTURE_PACKET_HEAD 13
#define PICTURE_MAX_PAYLOAD (((size_t)1 << 24) - 1)
#define PICTURE_MARK_SIZE 4
#define PICTURE_CHUNK_MAX_SIZE (PICTURE_MAX_PAYLOAD - PICTURE_MARK_SIZE) /* of the contents of a chunk */

typedef enum PictureColour { PICTURE_COLOUR_UNKNOWN, PICTURE_COLOUR_SRGB } PictureColour;

/* What a stream may carry before its first tile. */
typedef enum PictureChunkKind {
    PICTURE_CHUNK_PROFILE, /* ICC profile */
    PICTURE_CHUNK_CICP,    /* four numbers of ITU-T H.273: primaries, transfer, matrix (0), full range (1) */
    PICTURE_CHUNK_EXIF,    /* from its byte order ("II" or "MM") on; the orientation in it is 1 */
    PICTURE_CHUNK_XMP,
    PICTURE_N_CHUNKS
} PictureChunkKind;
extern const char *const PICTURE_CHUNK_MARKS[PICTURE_N_CHUNKS];

typedef struct PictureChunk {
    const uint8_t *data; /* NULL for none */
    size_t size;
} PictureChunk;

typedef struct PictureInfo {
    int format_version;
    char model_name[RSD_MODEL_NAME_SIZE];
    uint8_t model_hash[RSD_MODEL_HASH_SIZE];
    int64_t width, height;
    int channels; /* 1 or 3 */
    int bits;     /* of the samples of the source: 8 or 16 */
    bool has_alpha;
    PictureColour colour;
    uint32_t gamma;    /* exponent of the encoding times 100000, 0 when unknown */
    bool is_staged;    /* tiles are codes of a residual quantiser, stage by stage (IMAGE_RVQ) */
    int level;         /* in sixteenths */
    int tile_exponent; /* tiles have 2^this pixels on each side */
    PictureDeltas deltas; /* of the synthesis */
    int header_size;
    int64_t n_across, n_down, n_tiles;
} PictureInfo;

/* A tile, in pixels of the picture and in latents. */
typedef struct PictureTile {
    int64_t x, y, w, h;
    int64_t latent_x, latent_y, latent_w, latent_h;
} PictureTile;

typedef enum PicturePacketType {
    PICTURE_PACKET_TILE = 3,
    PICTURE_PACKET_ALPHA = 4,
    PICTURE_PACKET_CHUNK = 8 /* 8 .. 14 may be skipped */
} PicturePacketType;

typedef struct PicturePacket {
    int type;
    int n_lanes;
    uint32_t number; /* of the tile */
    const uint8_t *payload;
    size_t payload_size;
    bool is_cut; /* the stream ends inside: payload is what has arrived, and was not checked */
} PicturePacket;

/* Computes what follows from the other fields, and checks all. code: status of what is wrong. */
RsdStatus picture_info_complete(PictureInfo *info, RsdStatus code, RsdError *err);
PictureTile picture_tile(const PictureInfo *info, int64_t number);
/* Latents along a side of so many pixels, and hyper latents along one of so many latents. */
int64_t picture_latents(int64_t pixels);
int64_t picture_hypers(int64_t latents);
/* Sides of a thumbnail: n / shrink, rounded up. */
int64_t picture_shrunk(int64_t n, int shrink);

/* dst [HEADER_MAX_SIZE]. Returns the size. */
size_t picture_header_write(const PictureInfo *info, uint8_t *dst);
/* Changes the level of a header [size] that was parsed. */
void picture_header_set_level(uint8_t *header, size_t size, int level);
/* data [size], size as header_probe_any said. Errors: RSD_ERR_CORRUPT, RSD_ERR_UNSUPPORTED. */
RsdStatus picture_header_parse(PictureInfo *info, const uint8_t *data, size_t size, RsdError *err);

/* What stands before the payload. */
void picture_packet_head(const PicturePacket *packet, uint8_t dst[PICTURE_PACKET_HEAD]);
/* Whether a packet may begin with data [PICTURE_PACKET_HEAD]: fills in all but the payload itself. Errors: RSD_ERR_CORRUPT. */
RsdStatus picture_packet_begin(PicturePacket *packet, const PictureInfo *info, const uint8_t *data, RsdError *err);
/* The same bytes with the payload behind them: the checksum. Errors: RSD_ERR_CORRUPT. */
RsdStatus picture_packet_check(PicturePacket *packet, const uint8_t *data, RsdError *err);

#endif
