/* picture_cut.c - see picture_cut.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "codec/picture_cut.h"

#include <string.h>

#include "codec/tile_stages.h"
#include "engine/base/mem.h"

typedef struct Cut {
    const PictureCutOptions *options;
    PictureReader *reader;
    PictureInfo info; /* of the result */
    int level;        /* of what is read */
    uint8_t *bytes;   /* of a packet of the result */
    size_t capacity;
} Cut;

static RsdStatus put(const Cut *cut, const void *data, size_t size, RsdError *err)
{
    RsdError local;

    return cut->options->write(cut->options->write_ctx, data, size, err ? err : &local);
}

/* The stages that stay, into the room of a payload. */
static RsdStatus take_stages(const Cut *cut, const PicturePacket *packet, uint8_t *payload, size_t *size, RsdError *err)
{
    const int n = image_codec_stages(cut->info.level);
    TileStages stages;
    RsdStatus status = RSD_OK;

    TRY(tile_stages_find(&stages, cut->level, packet->payload, packet->payload_size, err));
    *size = (size_t)(TILE_STAGE_SIZE * (n - 1));
    for (int i = 0; i < n; i++) {
        if (i + 1 < n)
            tile_stage_put_size(payload, i, stages.size[i]);
        memcpy(payload + *size, stages.data[i], stages.size[i]);
        *size += stages.size[i];
    }
fail:
    return status;
}

static RsdStatus copy_packet(Cut *cut, const PicturePacket *from, RsdError *err)
{
    const size_t most = PICTURE_PACKET_HEAD + from->payload_size; /* a cut payload is no larger */
    PicturePacket packet = *from;
    RsdStatus status = RSD_OK;

    if (most > cut->capacity) {
        TRY(mem_resize(&cut->bytes, cut->capacity, most, 1, err));
        cut->capacity = most;
    }
    packet.payload = cut->bytes + PICTURE_PACKET_HEAD;
    if (from->type == PICTURE_PACKET_TILE && cut->info.level < cut->level) {
        status = take_stages(cut, from, cut->bytes + PICTURE_PACKET_HEAD, &packet.payload_size, err);
        if (status != RSD_OK)
            return error_prefix(err, status, "%s: tile %u", picture_reader_name(cut->reader), from->number + 1);
    } else {
        memcpy(cut->bytes + PICTURE_PACKET_HEAD, from->payload, from->payload_size);
    }
    picture_packet_head(&packet, cut->bytes);
    TRY(put(cut, cut->bytes, PICTURE_PACKET_HEAD + packet.payload_size, err));
fail:
    return status;
}

/* As it was, but for the level. */
static RsdStatus write_header(Cut *cut, RsdError *err)
{
    const int level = 16 * (cut->options->n_stages - 1);
    const size_t size = (size_t)cut->info.header_size;
    uint8_t header[HEADER_MAX_SIZE];
    RsdStatus status = RSD_OK;

    CHECK(cut->info.is_staged, err, RSD_ERR_UNSUPPORTED, "%s: tiles of model %s have no stages to cut off; encode it anew at a lower rate",
          picture_reader_name(cut->reader), cut->info.model_name);
    if (level < cut->info.level)
        cut->info.level = level;
    memcpy(header, picture_reader_header(cut->reader), size);
    picture_header_set_level(header, size, cut->info.level);
    TRY(put(cut, header, size, err));
fail:
    return status;
}

RsdStatus picture_cut(PictureInfo *info, const PictureCutOptions *options, RsdError *err)
{
    const PictureReaderOptions reading = {.read = options->read, .read_ctx = options->read_ctx, .name = options->name};
    Cut cut = {.options = options};
    PicturePacket packet;
    bool found;
    RsdStatus status = RSD_OK;

    CHECK(options->n_stages >= 1, err, RSD_ERR_ARG, "%d stages; at least 1 stays", options->n_stages);
    TRY(picture_reader_open(&cut.reader, &reading, err));
    cut.info = *picture_reader_info(cut.reader);
    cut.level = cut.info.level;
    TRY(write_header(&cut, err));
    for (;;) {
        TRY(picture_reader_next(cut.reader, &packet, &found, err));
        if (!found)
            break;
        TRY(copy_packet(&cut, &packet, err));
    }
    if (info)
        *info = cut.info;
fail:
    picture_reader_close(&cut.reader);
    mem_free(&cut.bytes);
    return status;
}
