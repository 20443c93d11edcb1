/* stream_case.c - see stream_case.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/codec/stream_case.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/rng.h"
#include "tests/codec/rans_cases.h"

#define SIDE 64 /* of a tile */

typedef struct Coders {
    TileModel *model;
    TileCoder *tile;
    AlphaCoder *alpha;
} Coders;

static void close_coders(Coders *c)
{
    tile_coder_destroy(&c->tile);
    tile_model_destroy(&c->model);
    alpha_coder_destroy(&c->alpha);
}

static RsdStatus open_coders(Coders *c, const IntegerPrior *prior, const Kernels *kernels, RsdError *err)
{
    RsdStatus status = RSD_OK;

    memset(c, 0, sizeof *c);
    TRY(tile_model_create(&c->model, prior, err));
    TRY(tile_coder_create(&c->tile, c->model, SIDE / PICTURE_LATENT, SIDE / PICTURE_LATENT, kernels, err));
    TRY(alpha_coder_create(&c->alpha, SIDE, SIDE, kernels->rans, err));
fail:
    return status;
}

static void put_packet(uint8_t *dst, size_t *size, int type, uint32_t number, int n_lanes, const void *payload,
                       size_t payload_size)
{
    const PicturePacket packet = {
        .type = type, .n_lanes = n_lanes, .number = number, .payload = payload, .payload_size = payload_size};

    picture_packet_head(&packet, dst + *size);
    memcpy(dst + *size + PICTURE_PACKET_HEAD, payload, payload_size);
    *size += PICTURE_PACKET_HEAD + payload_size;
}

RsdStatus stream_case_write(uint8_t *dst, size_t *size, const IntegerPrior *prior, const Kernels *kernels, RsdError *err)
{
    PictureInfo info = {.model_name = "case", .width = 150, .height = 100, .channels = 3, .bits = 16, .has_alpha = true,
                        .colour = PICTURE_COLOUR_SRGB, .gamma = 45455, .level = 37, .tile_exponent = 6};
    const int64_t m = prior->layers[PRIOR_PSI].n_out, hyper = prior->layers[PRIOR_UP1].n_in;
    int32_t *y = calloc((size_t)(m * 16), sizeof *y);
    int16_t *z = calloc((size_t)hyper, sizeof *z);
    uint16_t *alpha = calloc(SIDE * SIDE, sizeof *alpha);
    Coders coders;
    RsdStatus status = RSD_OK;

    TRY(open_coders(&coders, prior, kernels, err));
    TRY(picture_info_complete(&info, RSD_ERR_ARG, err));
    *size = picture_header_write(&info, dst);
    put_packet(dst, size, PICTURE_PACKET_CHUNK, 0, 8, "EXIFII*", 7);
    for (int64_t t = 0; t < info.n_tiles; t++) {
        const PictureTile tile = picture_tile(&info, t);
        Rng rng = rng_at(29, RNG_TEST, 2, (uint32_t)t);
        TileCode code;

        for (int64_t i = 0; i < m * tile.latent_h * tile.latent_w; i++)
            y[i] = (int32_t)rng_below(&rng, 12 * TILE_FRACTION) - 6 * TILE_FRACTION;
        for (int64_t i = 0; i < hyper; i++)
            z[i] = (int16_t)((int)rng_below(&rng, 9) - 4);
        for (int64_t i = 0; i < tile.h * tile.w; i++)
            alpha[i] = (uint16_t)(i % tile.w < 30 ? 65535 : i * 257);
        TRY(tile_encode(coders.tile, info.level, &(TileRounding){.strength = t % 2 ? 12 * (TILE_STRENGTH_UNIT / 16) : 0}, z, y, tile.latent_h, tile.latent_w, &code, err));
        put_packet(dst, size, PICTURE_PACKET_TILE, (uint32_t)t, code.n_lanes, code.data, code.size);
        TRY(alpha_encode(coders.alpha, alpha, tile.w, info.bits, tile.h, tile.w, &code, err));
        put_packet(dst, size, PICTURE_PACKET_ALPHA, (uint32_t)t, code.n_lanes, code.data, code.size);
    }
fail:
    close_coders(&coders);
    free(y);
    free(z);
    free(alpha);
    return status;
}

/* --- reading -------------------------------------------------------------------------------------------------------- */

typedef struct Rest {
    const uint8_t *data;
    size_t size;
} Rest;

/* A few bytes at a time, as a slow pipe gives them. */
static RsdStatus read_rest(void *ctx, void *data, size_t size, size_t *n_read, RsdError *err)
{
    Rest *rest = ctx;

    (void)err;
    *n_read = rest->size < size ? rest->size : size;
    if (*n_read > 100)
        *n_read = 100;
    memcpy(data, rest->data, *n_read);
    rest->data += *n_read;
    rest->size -= *n_read;
    return RSD_OK;
}

/* Chains a number, low byte first. */
static uint64_t fold(uint64_t hash, uint32_t v)
{
    uint8_t bytes[12];

    for (int k = 0; k < 4; k++)
        bytes[k] = (uint8_t)(v >> 8 * k);
    for (int k = 0; k < 8; k++)
        bytes[4 + k] = (uint8_t)(hash >> 8 * k);
    return rans_hash(bytes, sizeof bytes);
}

static RsdStatus read_packet(uint64_t *hash, Coders *coders, const PictureInfo *info, const PicturePacket *packet,
                             int32_t *y, uint16_t *alpha, int64_t m, RsdError *err)
{
    const PictureTile tile = picture_tile(info, packet->number);
    const TileCode code = {packet->payload, packet->payload_size, packet->n_lanes};
    RsdStatus status = RSD_OK;

    if (packet->type == PICTURE_PACKET_TILE) {
        TRY(tile_decode(coders->tile, info->level, &code, tile.latent_h, tile.latent_w, y, err));
        for (int64_t i = 0; i < m * tile.latent_h * tile.latent_w; i++)
            *hash = fold(*hash, (uint32_t)y[i]);
    } else if (packet->type == PICTURE_PACKET_ALPHA) {
        TRY(alpha_decode(coders->alpha, &code, info->bits, tile.h, tile.w, alpha, tile.w, err));
        for (int64_t i = 0; i < tile.h * tile.w; i++)
            *hash = fold(*hash, alpha[i]);
    }
fail:
    return status;
}

RsdStatus stream_case_read(uint64_t *hash, const uint8_t *data, size_t size, const IntegerPrior *prior,
                           const Kernels *kernels, RsdError *err)
{
    const int64_t m = prior->layers[PRIOR_PSI].n_out;
    Rest rest = {data, size};
    const PictureReaderOptions options = {.read = read_rest, .read_ctx = &rest};
    int32_t *y = calloc((size_t)(m * 16), sizeof *y);
    uint16_t *alpha = calloc(SIDE * SIDE, sizeof *alpha);
    PictureReader *reader = NULL;
    PicturePacket packet;
    Coders coders;
    bool found = true;
    RsdStatus status = RSD_OK;

    *hash = 0;
    TRY(open_coders(&coders, prior, kernels, err));
    TRY(picture_reader_open(&reader, &options, err));
    for (;;) {
        TRY(picture_reader_next(reader, &packet, &found, err));
        if (!found)
            break;
        TRY(read_packet(hash, &coders, picture_reader_info(reader), &packet, y, alpha, m, err));
    }
    CHECK(picture_reader_report(reader)->complete, err, RSD_ERR_CORRUPT, "the last tile is missing");
fail:
    picture_reader_close(&reader);
    close_coders(&coders);
    free(y);
    free(alpha);
    return status;
}
