/* picture_format.c - headers and packets of picture streams.
 *
 *   E5 52 | tag | number x3 | size x3 | CRC x4 | payload        the CRC covers what is before and behind it
 *
 * SPDX-License-Identifier: MIT
 */
#include "codec/picture_format.h"

#include <string.h>

#include "engine/base/bytes.h"
#include "engine/base/checksum.h"
#include "models/image_codec.h"

/* Offsets in a header; the first eight bytes are those of all kinds. */
enum {
    AT_VERSION = 3,
    AT_KIND = 4,
    AT_FEATURES = 5,
    AT_SIZE = 6,
    AT_HASH = 8,
    AT_WIDTH = 16,
    AT_HEIGHT = 20,
    AT_CHANNELS = 24, /* low four bits; bit 4: opacity, bit 5: 16 bits */
    AT_COLOUR = 25,
    AT_GAMMA = 26,
    AT_LEVEL = 30,
    AT_EXPONENT = 31,
    AT_NAME_LEN = 32,
    AT_NAME = 33
};

#define ALPHA_BIT 16
#define DEEP_BIT 32
#define CRC_SIZE 4
#define SYNC_0 0xE5
#define SYNC_1 0x52
#define ONE_LANE_BIT 1
_Static_assert(PICTURE_HEADER_MIN_SIZE == AT_NAME + 1 + CRC_SIZE, "a name of one character");
#define CRC_AT (PICTURE_PACKET_HEAD - CRC_SIZE)

static uint32_t get_u24le(const uint8_t *p)
{
    return get_u16le(p) | (uint32_t)p[2] << 16;
}

static void put_u24le(uint8_t *p, uint32_t v)
{
    put_u16le(p, (uint16_t)v);
    p[2] = (uint8_t)(v >> 16);
}

/* --- header --------------------------------------------------------------------------------------------------------- */

static int64_t tiles_for(int64_t pixels, int exponent)
{
    return (pixels + ((int64_t)1 << exponent) - 1) >> exponent;
}

const char *const PICTURE_CHUNK_MARKS[PICTURE_N_CHUNKS] = {"ICCP", "CICP", "EXIF", "XMP "};

static size_t fields_size(const PictureInfo *info)
{
    uint8_t field[DELTAS_MAX_SIZE];

    return picture_deltas_are_none(&info->deltas) ? 0 : FIELD_PREFIX_SIZE + picture_deltas_write(&info->deltas, field);
}

RsdStatus picture_info_complete(PictureInfo *info, RsdStatus code, RsdError *err)
{
    RsdStatus status = RSD_OK;

    CHECK(info->width >= 1 && info->height >= 1 && info->width <= PICTURE_MAX_PIXELS &&
              info->height <= PICTURE_MAX_PIXELS && info->width * info->height <= PICTURE_MAX_PIXELS,
          err, code, "a picture of %lld x %lld pixels; 1 to %lld in all are possible", (long long)info->width,
          (long long)info->height, (long long)PICTURE_MAX_PIXELS);
    CHECK(info->channels == 1 || info->channels == 3, err, code, "header: %d channels; 1 or 3 are possible",
          info->channels);
    CHECK(info->bits == 8 || info->bits == 16, err, code, "header: samples of %d bits; 8 or 16 are possible",
          info->bits);
    CHECK(info->level >= 0 && info->level <= IMAGE_LEVEL_MAX, err, code, "header: level %d/16; 0 to %d are possible",
          info->level, IMAGE_LEVEL_MAX);
    CHECK(info->tile_exponent >= PICTURE_MIN_EXPONENT && info->tile_exponent <= PICTURE_MAX_EXPONENT, err, code,
          "header: tile exponent %d; %d to %d are possible", info->tile_exponent, PICTURE_MIN_EXPONENT,
          PICTURE_MAX_EXPONENT);
    info->n_across = tiles_for(info->width, info->tile_exponent);
    info->n_down = tiles_for(info->height, info->tile_exponent);
    info->n_tiles = info->n_across * info->n_down;
    CHECK(info->n_tiles <= PICTURE_MAX_TILES, err, code, "header: %lld tiles; at most %lld are possible",
          (long long)info->n_tiles, (long long)PICTURE_MAX_TILES);
    TRY(header_check_name(info->model_name, code, err));
    info->header_size = (int)(AT_NAME + strlen(info->model_name) + fields_size(info) + CRC_SIZE);
fail:
    return status;
}

PictureTile picture_tile(const PictureInfo *info, int64_t number)
{
    int64_t side = (int64_t)1 << info->tile_exponent, x = number % info->n_across * side,
            y = number / info->n_across * side;
    int64_t w = info->width - x < side ? info->width - x : side, h = info->height - y < side ? info->height - y : side;

    return (PictureTile){.x = x,
                         .y = y,
                         .w = w,
                         .h = h,
                         .latent_x = x / PICTURE_LATENT,
                         .latent_y = y / PICTURE_LATENT,
                         .latent_w = picture_latents(w),
                         .latent_h = picture_latents(h)};
}

int64_t picture_latents(int64_t pixels)
{
    return (pixels + PICTURE_LATENT - 1) / PICTURE_LATENT;
}

int64_t picture_hypers(int64_t latents)
{
    return (latents + PICTURE_HYPER - 1) / PICTURE_HYPER;
}

int64_t picture_shrunk(int64_t n, int shrink)
{
    return (n + shrink - 1) / shrink;
}

size_t picture_header_write(const PictureInfo *info, uint8_t *dst)
{
    size_t name_len = strlen(info->model_name), at = AT_NAME + name_len;

    memcpy(dst, "RSD", 3);
    dst[AT_VERSION] = RSD_FORMAT_VERSION;
    dst[AT_KIND] = KIND_PICTURE;
    dst[AT_FEATURES] = info->is_staged ? FEATURE_STAGED : 0;
    put_u16le(dst + AT_SIZE, (uint16_t)info->header_size);
    memcpy(dst + AT_HASH, info->model_hash, RSD_MODEL_HASH_SIZE);
    put_u32le(dst + AT_WIDTH, (uint32_t)info->width);
    put_u32le(dst + AT_HEIGHT, (uint32_t)info->height);
    dst[AT_CHANNELS] =
        (uint8_t)(info->channels | (info->has_alpha ? ALPHA_BIT : 0) | (info->bits == 16 ? DEEP_BIT : 0));
    dst[AT_COLOUR] = (uint8_t)info->colour;
    put_u32le(dst + AT_GAMMA, info->gamma);
    dst[AT_LEVEL] = (uint8_t)info->level;
    dst[AT_EXPONENT] = (uint8_t)info->tile_exponent;
    dst[AT_NAME_LEN] = (uint8_t)name_len;
    memcpy(dst + AT_NAME, info->model_name, name_len);
    if (!picture_deltas_are_none(&info->deltas)) {
        const size_t size = picture_deltas_write(&info->deltas, dst + at + FIELD_PREFIX_SIZE);

        put_u16le(dst + at, DELTAS_FIELD);
        put_u16le(dst + at + 2, (uint16_t)size);
        at += FIELD_PREFIX_SIZE + size;
    }
    put_u32le(dst + at, crc32_update(0, dst, at));
    return at + CRC_SIZE;
}

void picture_header_set_level(uint8_t *header, size_t size, int level)
{
    header[AT_LEVEL] = (uint8_t)level;
    put_u32le(header + size - CRC_SIZE, crc32_update(0, header, size - CRC_SIZE));
}

RsdStatus picture_header_parse(PictureInfo *info, const uint8_t *data, size_t size, RsdError *err)
{
    size_t name_len, at, field_size;
    const uint8_t *field;
    uint32_t found, expected;
    RsdStatus status = RSD_OK;

    memset(info, 0, sizeof *info);
    found = get_u32le(data + size - CRC_SIZE);
    expected = crc32_update(0, data, size - CRC_SIZE);
    CHECK(found == expected, err, RSD_ERR_CORRUPT, "header: checksum %08x, expected %08x", found, expected);
    name_len = data[AT_NAME_LEN];
    at = AT_NAME + name_len;
    CHECK(name_len >= 1 && name_len < RSD_MODEL_NAME_SIZE && at + CRC_SIZE <= size, err, RSD_ERR_CORRUPT,
          "header: model name of %zu characters; 1 to %d are possible", name_len, RSD_MODEL_NAME_SIZE - 1);
    CHECK(memchr(data + AT_NAME, 0, name_len) == NULL, err, RSD_ERR_CORRUPT,
          "header: the model name ends before its field");
    CHECK((data[AT_CHANNELS] & ~(15 | ALPHA_BIT | DEEP_BIT)) == 0, err, RSD_ERR_UNSUPPORTED,
          "header: samples of a kind (%02x) that residua %s does not know", data[AT_CHANNELS], RSD_VERSION);
    info->format_version = data[AT_VERSION];
    memcpy(info->model_hash, data + AT_HASH, RSD_MODEL_HASH_SIZE);
    info->width = get_u32le(data + AT_WIDTH);
    info->height = get_u32le(data + AT_HEIGHT);
    info->channels = data[AT_CHANNELS] & 15;
    info->has_alpha = data[AT_CHANNELS] & ALPHA_BIT;
    info->bits = data[AT_CHANNELS] & DEEP_BIT ? 16 : 8;
    info->colour = data[AT_COLOUR] == PICTURE_COLOUR_SRGB ? PICTURE_COLOUR_SRGB : PICTURE_COLOUR_UNKNOWN;
    info->gamma = get_u32le(data + AT_GAMMA);
    info->is_staged = data[AT_FEATURES] & FEATURE_STAGED;
    info->level = data[AT_LEVEL];
    info->tile_exponent = data[AT_EXPONENT];
    memcpy(info->model_name, data + AT_NAME, name_len);
    TRY(header_check_fields(data + at, size - CRC_SIZE - at, DELTAS_FIELD, err));
    field = header_find_field(data + at, size - CRC_SIZE - at, DELTAS_FIELD, &field_size);
    if (field)
        TRY(picture_deltas_parse(&info->deltas, field, field_size, err));
    TRY(picture_info_complete(info, RSD_ERR_CORRUPT, err));
    info->header_size = (int)size;
fail:
    return status;
}

/* --- packets -------------------------------------------------------------------------------------------------------- */

void picture_packet_head(const PicturePacket *packet, uint8_t dst[PICTURE_PACKET_HEAD])
{
    uint32_t crc;

    dst[0] = SYNC_0;
    dst[1] = SYNC_1;
    dst[2] = (uint8_t)(packet->type << 4 | (packet->n_lanes == 1 ? ONE_LANE_BIT : 0));
    put_u24le(dst + 3, packet->number);
    put_u24le(dst + 6, (uint32_t)packet->payload_size);
    crc = crc32_update(0, dst, CRC_AT);
    put_u32le(dst + CRC_AT, crc32_update(crc, packet->payload, packet->payload_size));
}

RsdStatus picture_packet_begin(PicturePacket *packet, const PictureInfo *info, const uint8_t *data, RsdError *err)
{
    bool is_tile;
    RsdStatus status = RSD_OK;

    CHECK(data[0] == SYNC_0 && data[1] == SYNC_1, err, RSD_ERR_CORRUPT,
          "no packet begins here: bytes %02x %02x, expected %02x %02x", data[0], data[1], SYNC_0, SYNC_1);
    *packet = (PicturePacket){.type = data[2] >> 4,
                              .n_lanes = data[2] & ONE_LANE_BIT ? 1 : 8,
                              .number = get_u24le(data + 3),
                              .payload_size = get_u24le(data + 6)};
    is_tile = packet->type == PICTURE_PACKET_TILE || (packet->type == PICTURE_PACKET_ALPHA && info->has_alpha);
    CHECK(is_tile || (packet->type >= PICTURE_PACKET_CHUNK && packet->type <= PACKET_OPTIONAL_LAST), err,
          RSD_ERR_CORRUPT, "packets of type %d do not belong here", packet->type);
    CHECK((data[2] & 15 & ~ONE_LANE_BIT) == 0, err, RSD_ERR_CORRUPT, "flags %x of a packet are not known",
          data[2] & 15);
    if (is_tile) {
        size_t most = 0;

        CHECK(packet->number < info->n_tiles, err, RSD_ERR_CORRUPT, "tile %u; there are %lld", packet->number,
              (long long)info->n_tiles);
        most = 16 * (size_t)1 << 2 * info->tile_exponent;
        CHECK(packet->payload_size > 0, err, RSD_ERR_CORRUPT, "tile %u is empty", packet->number);
        CHECK(packet->payload_size <= most, err, RSD_ERR_CORRUPT, "tile %u of %zu bytes; at most %zu are possible",
              packet->number, packet->payload_size, most);
    }
fail:
    return status;
}

RsdStatus picture_packet_check(PicturePacket *packet, const uint8_t *data, RsdError *err)
{
    uint32_t found = get_u32le(data + CRC_AT), expected;

    packet->payload = data + PICTURE_PACKET_HEAD;
    expected = crc32_update(crc32_update(0, data, CRC_AT), packet->payload, packet->payload_size);
    if (found != expected)
        return error_set(err, RSD_ERR_CORRUPT, "checksum %08x, expected %08x", found, expected);
    return RSD_OK;
}
