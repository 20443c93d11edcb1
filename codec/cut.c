/* cut.c - a stream at a lower rate: the same packets without their upper layers (docs/format.md).
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "codec/layers.h"
#include "codec/packet_reader.h"
#include "engine/base/checksum.h"
#include "engine/base/mem.h"

typedef struct Cut {
    const RsdCutOptions *options;
    PacketReader *reader;
    StreamHeader header; /* of the result */
    uint8_t *bytes;      /* one header or packet of the result */
    uint32_t crc;
} Cut;

static RsdStatus put(Cut *cut, size_t size, RsdError *err)
{
    RsdError local;

    cut->crc = crc32_update(cut->crc, cut->bytes, size);
    return cut->options->write(cut->options->write_ctx, cut->bytes, size, err ? err : &local);
}

static RsdStatus write_header(Cut *cut, RsdError *err)
{
    const RsdCutOptions *options = cut->options;
    RsdStreamInfo *info = &cut->header.info;
    int n_layers = options->n_layers > 0 ? options->n_layers : layers_for_bitrate(info, options->bitrate_bps);
    RsdStatus status = RSD_OK;

    if (n_layers < info->n_layers)
        info->n_layers = n_layers;
    TRY(header_complete(&cut->header, RSD_ERR_ARG, err));
    TRY(put(cut, header_write(&cut->header, cut->bytes), err));
fail:
    return status;
}

static RsdStatus copy_packet(Cut *cut, const ReaderItem *item, RsdError *err)
{
    Packet packet = item->packet;

    if (item->event == READER_CODES && packet.n_blocks > cut->header.info.n_layers)
        packet.n_blocks = cut->header.info.n_layers;
    if (item->event == READER_END)
        packet.stream_crc = cut->crc;
    return put(cut, packet_write(&packet, cut->bytes), err);
}

RsdStatus rsd_stream_cut(RsdStreamInfo *info, const RsdCutOptions *options, RsdError *err)
{
    PacketReaderOptions reader_options = {.read = options->read, .read_ctx = options->read_ctx, .name = options->name};
    Cut cut = {.options = options};
    ReaderItem item;
    RsdStatus status = RSD_OK;

    CHECK(options->read && options->write, err, RSD_ERR_ARG, "cutting needs a read and a write function");
    CHECK(options->n_layers > 0 || options->bitrate_bps > 0, err, RSD_ERR_ARG,
          "cutting needs a number of layers or a bitrate");
    TRY(packet_reader_open(&cut.reader, &reader_options, err));
    TRY(mem_alloc(&cut.bytes, PACKET_MAX_SIZE, 1, err));
    cut.header = *packet_reader_header(cut.reader);
    TRY(write_header(&cut, err));
    if (info)
        *info = cut.header.info;
    do {
        TRY(packet_reader_next(cut.reader, &item, err));
        TRY(copy_packet(&cut, &item, err));
    } while (item.event != READER_END);
    if (info)
        info->n_samples = packet_reader_report(cut.reader)->n_samples; /* a header may not know it */
fail:
    if (cut.reader && options->report)
        *options->report = *packet_reader_report(cut.reader);
    packet_reader_close(&cut.reader);
    mem_free(&cut.bytes);
    return status;
}
