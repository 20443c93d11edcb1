/* scan.c - what a stream is and whether it is sound, without decoding it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "codec/ecdc.h"
#include "codec/first_bytes.h"
#include "codec/packet_reader.h"
#include "engine/base/error.h"

RsdStatus rsd_stream_probe(RsdStreamInfo *info, RsdReadFn read, void *read_ctx, const char *name, RsdError *err)
{
    StreamHeader header;
    EcdcHeader ecdc;
    FirstBytes first;
    uint8_t bytes[HEADER_MAX_SIZE];
    RsdStatus status = RSD_OK;

    memset(info, 0, sizeof *info);
    TRY(first_bytes_look(&first, read, read_ctx, err));
    if (first_bytes_are_ecdc(&first)) {
        TRY(ecdc_header_read(&ecdc, first_bytes_read, &first, name ? name : "stream", err));
        ecdc_describe(info, &ecdc);
    } else {
        TRY(header_read(&header, bytes, first_bytes_read, &first, name, err));
        *info = header.info;
    }
fail:
    return status;
}

static void keep_first(void *ctx, const char *text)
{
    RsdError *first = ctx;

    if (first->status == RSD_OK)
        error_set(first, RSD_ERR_CORRUPT, "%s", text);
}

RsdStatus rsd_stream_scan(RsdStreamInfo *info, RsdStreamReport *report, RsdReadFn read, void *read_ctx,
                          const char *name, RsdError *err)
{
    RsdError first = {RSD_OK, ""}, local = {RSD_OK, ""};
    PacketReaderOptions options = {.read = read,
                                   .read_ctx = read_ctx,
                                   .name = name,
                                   .keep_going = true,
                                   .on_damage = keep_first,
                                   .damage_ctx = &first};
    PacketReader *reader = NULL;
    ReaderItem item;
    RsdStatus status = RSD_OK;

    memset(info, 0, sizeof *info);
    if (report)
        memset(report, 0, sizeof *report);
    TRY(packet_reader_open(&reader, &options, &local));
    *info = packet_reader_header(reader)->info;
    do
        TRY(packet_reader_next(reader, &item, &local));
    while (item.event != READER_END);
fail:
    if (reader && report)
        *report = *packet_reader_report(reader);
    packet_reader_close(&reader);
    if (first.status != RSD_OK && (status == RSD_OK || status == RSD_ERR_CORRUPT)) {
        status = first.status;
        local = first;
    }
    if (status != RSD_OK)
        error_set(err, status, "%s", local.text);
    return status;
}
