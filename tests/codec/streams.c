/* streams.c - streams in memory, and streams made of random codes.
 *
 * SPDX-License-Identifier: MIT
 */
#include "streams.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "codec/bitpack.h"
#include "engine/base/checksum.h"
#include "engine/base/error.h"
#include "engine/base/rng.h"

RsdStatus bytes_read(void *ctx, void *data, size_t size, size_t *n_read, RsdError *err)
{
    Bytes *bytes = ctx;
    size_t n = bytes->size - bytes->at;

    if (bytes->fail_after && bytes->at >= bytes->fail_after)
        return error_set(err, RSD_ERR_IO, "the test's read fails after %zu bytes", bytes->fail_after);
    if (n > size)
        n = size;
    if (bytes->block && n > bytes->block)
        n = bytes->block;
    if (bytes->fail_after && n > bytes->fail_after - bytes->at)
        n = bytes->fail_after - bytes->at;
    if (n > 0)
        memcpy(data, bytes->data + bytes->at, n);
    bytes->at += n;
    *n_read = n;
    return RSD_OK;
}

/* malloc, not mem_alloc: the tests count the library's own allocations. */
RsdStatus bytes_write(void *ctx, const void *data, size_t size, RsdError *err)
{
    Bytes *bytes = ctx;

    if (bytes->fail_after && bytes->size + size > bytes->fail_after)
        return error_set(err, RSD_ERR_IO, "the test's write fails after %zu bytes", bytes->fail_after);
    if (bytes->size + size > bytes->capacity) {
        bytes->capacity = 2 * (bytes->size + size);
        bytes->data = realloc(bytes->data, bytes->capacity);
        cr_assert_not_null(bytes->data);
    }
    if (size > 0)
        memcpy(bytes->data + bytes->size, data, size);
    bytes->size += size;
    return RSD_OK;
}

void bytes_clear(Bytes *bytes)
{
    free(bytes->data);
    memset(bytes, 0, sizeof *bytes);
}

void bytes_copy(Bytes *to, const Bytes *from)
{
    to->size = to->at = 0;
    cr_assert_eq(bytes_write(to, from->data, from->size, NULL), RSD_OK);
}

void header_example(StreamHeader *header)
{
    static const int STAGES[3] = {3, 3, 6};
    RsdStreamInfo *info = &header->info;

    memset(header, 0, sizeof *header);
    info->format_version = RSD_FORMAT_VERSION;
    strcpy(info->model_name, "speech16");
    memcpy(info->model_hash, "\x01\x23\x45\x67\x89\xab\xcd\xef", 8);
    info->rate_hz = 16000;
    info->channels = 1;
    info->layout = RSD_LAYOUT_MONO;
    header->layout = RSD_LAYOUT_MONO;
    info->n_samples = RSD_UNKNOWN_LENGTH;
    info->hop_samples = 320;
    info->frames_per_packet = 50;
    info->bits_per_code = 10;
    info->n_layers = 3;
    memcpy(info->layer_stages, STAGES, sizeof STAGES);
    cr_assert_eq(header_complete(header, RSD_ERR_ARG, NULL), RSD_OK);
}

/* The code of a stage in a frame does not depend on how many stages there are: cutting can be compared with encoding.
 */
static uint32_t example_code(const RsdStreamInfo *info, uint64_t seed, int64_t frame, int stage)
{
    Rng rng = rng_at(seed, RNG_TEST, (uint64_t)frame, (uint32_t)stage);

    return rng_below(&rng, 1u << info->bits_per_code);
}

static void put_packet(Bytes *bytes, const RsdStreamInfo *info, uint32_t number, int64_t n_samples, uint64_t seed)
{
    uint8_t *payload = malloc(RSD_MAX_LAYERS * BLOCK_MAX_SIZE), *packed = malloc(PACKET_MAX_SIZE), *end = payload;
    Packet packet = {.number = number, .n_samples = n_samples, .n_blocks = info->n_layers};
    int n_frames = stream_frames_for(info, n_samples), first_stage = 0;

    packet.type = n_samples == stream_packet_samples(info) ? PACKET_CODES : PACKET_LAST;
    for (int layer = 0; layer < info->n_layers; layer++) {
        BitWriter bits;

        packet.blocks[layer] = end;
        bit_writer_init(&bits, end);
        for (int frame = 0; frame < n_frames; frame++)
            for (int i = 0; i < info->layer_stages[layer]; i++)
                bit_writer_put(&bits,
                               example_code(info, seed, (int64_t)number * info->frames_per_packet + frame,
                                            first_stage + i),
                               info->bits_per_code);
        end = bit_writer_finish(&bits);
        packet.block_sizes[layer] = (size_t)(end - packet.blocks[layer]);
        first_stage += info->layer_stages[layer];
    }
    cr_assert_eq(bytes_write(bytes, packed, packet_write(&packet, packed), NULL), RSD_OK);
    free(payload);
    free(packed);
}

void stream_example(Bytes *bytes, const StreamHeader *header, int64_t n_samples, uint64_t seed)
{
    const RsdStreamInfo *info = &header->info;
    int64_t n_packets = stream_packets_for(info, n_samples), packet_samples = stream_packet_samples(info);
    Packet end = {.type = PACKET_END, .number = (uint32_t)n_packets, .n_samples = n_samples};
    uint8_t buffer[HEADER_MAX_SIZE];

    bytes->size = bytes->at = 0;
    cr_assert_eq(bytes_write(bytes, buffer, header_write(header, buffer), NULL), RSD_OK);
    for (int64_t i = 0; i < n_packets; i++) {
        int64_t n_left = n_samples - i * packet_samples;

        put_packet(bytes, info, (uint32_t)i, n_left < packet_samples ? n_left : packet_samples, seed);
    }
    end.stream_crc = crc32_update(0, bytes->data, bytes->size);
    cr_assert_eq(bytes_write(bytes, buffer, packet_write(&end, buffer), NULL), RSD_OK);
}

void stream_packet_at(const Bytes *bytes, size_t i, size_t *begin, size_t *end)
{
    StreamHeader header;
    size_t size, n_needed;
    Packet packet;

    cr_assert_eq(header_probe(&size, bytes->data, NULL), RSD_OK);
    cr_assert_eq(header_parse(&header, bytes->data, size, NULL), RSD_OK);
    *begin = *end = size;
    for (size_t k = 0; k <= i; k++) {
        *begin = *end;
        cr_assert_eq(packet_parse(&packet, &header, bytes->data + *begin, bytes->size - *begin, true, &n_needed, NULL),
                     PACKET_FOUND);
        *end = *begin + packet.size;
    }
}
