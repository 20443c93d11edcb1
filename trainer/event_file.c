/* event_file.c - records and the few fields of their protocol buffers.
 *
 * SPDX-License-Identifier: MIT
 */
#include "trainer/event_file.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/bytes.h"
#include "engine/base/mem.h"

#define CRC32C_REVERSED 0x82f63b78u /* RFC 3720, appendix B.4 */
#define MASK_DELTA 0xa282ead8u      /* record_writer.h: so that a CRC of CRCs stays useful */
#define EVENT_SIZE 65536
#define MAX_TAG 120
#define VALUE_ROOM (MAX_TAG + 16)

enum { WIRE_VARINT = 0, WIRE_DOUBLE = 1, WIRE_BYTES = 2, WIRE_FLOAT = 5 };

struct EventFile {
    FILE *file;
    char path[4096];
    double time;
    int64_t step;
    size_t size; /* of the summary at work */
    uint8_t summary[EVENT_SIZE], event[EVENT_SIZE + 64];
};

/* ---- checksums ---- */

uint32_t event_file_crc(const void *data, size_t size)
{
    const uint8_t *bytes = data;
    uint32_t crc = 0xffffffffu;

    for (size_t i = 0; i < size; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? CRC32C_REVERSED : 0);
    }
    return ~crc;
}

uint32_t event_file_mask(uint32_t crc)
{
    return (crc >> 15 | crc << 17) + MASK_DELTA;
}

/* ---- fields; each returns where the next one goes ---- */

static uint8_t *put_varint(uint8_t *at, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        *at++ = (uint8_t)(value | 0x80);
    *at++ = (uint8_t)value;
    return at;
}

static uint8_t *put_key(uint8_t *at, int field, int wire)
{
    return put_varint(at, (uint64_t)field << 3 | (uint64_t)wire);
}

static uint8_t *put_bytes(uint8_t *at, int field, const void *bytes, size_t size)
{
    at = put_varint(put_key(at, field, WIRE_BYTES), size);
    memcpy(at, bytes, size);
    return at + size;
}

static uint8_t *put_double(uint8_t *at, int field, double value)
{
    uint64_t bits;

    memcpy(&bits, &value, sizeof bits);
    at = put_key(at, field, WIRE_DOUBLE);
    put_u64le(at, bits);
    return at + sizeof bits;
}

static uint8_t *put_float(uint8_t *at, int field, float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof bits);
    at = put_key(at, field, WIRE_FLOAT);
    put_u32le(at, bits);
    return at + sizeof bits;
}

/* ---- records ---- */

static bool write_record(FILE *file, const uint8_t *data, size_t size)
{
    uint8_t head[12], tail[4];

    put_u64le(head, size);
    put_u32le(head + 8, event_file_mask(event_file_crc(head, 8)));
    put_u32le(tail, event_file_mask(event_file_crc(data, size)));
    return fwrite(head, 1, sizeof head, file) == sizeof head && fwrite(data, 1, size, file) == size &&
           fwrite(tail, 1, sizeof tail, file) == sizeof tail && fflush(file) == 0;
}

RsdStatus event_file_open(EventFile **out, const char *path, double time, RsdError *err)
{
    static const char version[] = "brain.Event:2";
    EventFile *file = NULL;
    uint8_t *end;
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(mem_calloc(&file, 1, sizeof *file, err));
    snprintf(file->path, sizeof file->path, "%s", path);
    file->file = fopen(path, "ae");
    CHECK(file->file, err, RSD_ERR_IO, "%s: %s", path, strerror(errno));
    end = put_bytes(put_double(file->event, 1, time), 3, version, sizeof version - 1);
    CHECK(write_record(file->file, file->event, (size_t)(end - file->event)), err, RSD_ERR_IO, "%s: %s", path,
          strerror(errno));
    *out = file;
    return RSD_OK;
fail:
    event_file_close(&file);
    return status;
}

void event_file_close(EventFile **file)
{
    if (!*file)
        return;
    if ((*file)->file)
        fclose((*file)->file);
    mem_free(file);
}

void event_file_begin(EventFile *file, double time, int64_t step)
{
    file->time = time;
    file->step = step;
    file->size = 0;
}

RsdStatus event_file_end(EventFile *file, RsdError *err)
{
    uint8_t *end = put_double(file->event, 1, file->time);

    if (!file->size)
        return RSD_OK;
    end = put_varint(put_key(end, 2, WIRE_VARINT), (uint64_t)file->step);
    end = put_bytes(end, 5, file->summary, file->size);
    file->size = 0;
    if (!write_record(file->file, file->event, (size_t)(end - file->event)))
        return error_set(err, RSD_ERR_IO, "%s: %s", file->path, strerror(errno));
    return RSD_OK;
}

void event_file_scalar(EventFile *file, const char *tag, float value)
{
    size_t len = strlen(tag) < MAX_TAG ? strlen(tag) : MAX_TAG;
    uint8_t text[VALUE_ROOM], *end;

    if (file->size + VALUE_ROOM > EVENT_SIZE && event_file_end(file, NULL) != RSD_OK)
        return; /* the next end says why */
    end = put_float(put_bytes(text, 1, tag, len), 2, value);
    file->size = (size_t)(put_bytes(file->summary + file->size, 1, text, (size_t)(end - text)) - file->summary);
}
