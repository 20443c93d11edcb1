/* test_packet_reader.c - scanning sound and damaged streams: every byte flipped, every cut, lost, doubled and hostile
 * packets.
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "codec/packet_reader.h"
#include "engine/base/bytes.h"
#include "engine/base/checksum.h"
#include "engine/base/mem.h"
#include "engine/base/rng.h"
#include "streams.h"

#define PACKET_SAMPLES 16000

typedef struct Sum {
    int64_t n_codes, n_lost_samples, n_optional, n_blocks;
    int64_t n_notes;
    bool end;
    char first_note[RSD_ERROR_TEXT_SIZE];
} Sum;

static void take_note(void *ctx, const char *text)
{
    Sum *sum = ctx;

    if (sum->n_notes++ == 0)
        strcpy(sum->first_note, text);
}

/* Reads all of `bytes`; *sum gets what was seen. */
static RsdStatus read_all(Bytes *bytes, bool keep_going, Sum *sum, RsdStreamReport *report, RsdError *err)
{
    PacketReaderOptions options = {.read = bytes_read,
                                   .read_ctx = bytes,
                                   .name = "test.rsd",
                                   .keep_going = keep_going,
                                   .on_damage = take_note,
                                   .damage_ctx = sum};
    PacketReader *reader;
    ReaderItem item;
    RsdStatus status;

    memset(sum, 0, sizeof *sum);
    memset(report, 0, sizeof *report);
    bytes->at = 0;
    status = packet_reader_open(&reader, &options, err);
    if (status != RSD_OK)
        return status;
    do {
        status = packet_reader_next(reader, &item, err);
        if (status != RSD_OK)
            break;
        switch (item.event) {
        case READER_CODES:
            sum->n_codes += item.n_samples;
            sum->n_blocks += item.packet.n_good;
            break;
        case READER_LOST:
            sum->n_lost_samples += item.n_samples;
            break;
        case READER_OPTIONAL:
            sum->n_optional++;
            break;
        case READER_END:
            sum->end = true;
            break;
        }
    } while (!sum->end);
    *report = *packet_reader_report(reader);
    packet_reader_close(&reader);
    return status;
}

static void make(Bytes *bytes, int64_t n_samples, bool known)
{
    StreamHeader header;

    header_example(&header);
    header.info.n_samples = known ? n_samples : RSD_UNKNOWN_LENGTH;
    stream_example(bytes, &header, n_samples, 1);
}

/* Replaces bytes [begin, end) by the size bytes at `by` (NULL: by nothing). */
static void splice(Bytes *bytes, size_t begin, size_t end, const uint8_t *by, size_t size)
{
    size_t n_after = bytes->size - end;
    uint8_t *after = malloc(n_after + 1);

    memcpy(after, bytes->data + end, n_after);
    bytes->size = begin;
    bytes_write(bytes, by, size, NULL);
    bytes_write(bytes, after, n_after, NULL);
    free(after);
}

Test(packet_reader, reads_sound_streams_of_every_kind_of_length)
{
    static const int64_t LENGTHS[] = {0, 1, 319, 320, 321, 15999, 16000, 16001, 32000, 100000};

    for (size_t i = 0; i < sizeof LENGTHS / sizeof *LENGTHS; i++)
        for (int known = 0; known < 2; known++)
            for (size_t block = 0; block < 3; block++) {
                Bytes bytes = {0};
                RsdStreamReport report;
                RsdError err = {RSD_OK, ""};
                Sum sum;

                make(&bytes, LENGTHS[i], known);
                bytes.block = block * block * block; /* all, 1, 8 */
                cr_assert_eq(read_all(&bytes, false, &sum, &report, &err), RSD_OK, "%lld: %s", (long long)LENGTHS[i],
                             err.text);
                cr_assert_eq(sum.n_codes, LENGTHS[i]);
                cr_assert_eq(report.n_samples, LENGTHS[i]);
                cr_assert_eq(report.n_bytes, (int64_t)bytes.size);
                cr_assert_eq(report.n_packets, (LENGTHS[i] + PACKET_SAMPLES - 1) / PACKET_SAMPLES);
                cr_assert(report.has_end && report.n_lost == 0 && report.n_layers_lost == 0);
                bytes_clear(&bytes);
            }
}

Test(packet_reader, costs_twelve_bytes_a_packet_for_one_layer)
{
    StreamHeader header;
    Bytes bytes = {0};
    size_t begin, end;

    header_example(&header);
    header.info.n_layers = 1;
    cr_assert_eq(header_complete(&header, RSD_ERR_ARG, NULL), RSD_OK);
    stream_example(&bytes, &header, 64000, 1);
    stream_packet_at(&bytes, 1, &begin, &end);
    cr_assert_eq(end - begin, 188 + 12);
    bytes_clear(&bytes);
}

/* A flipped bit anywhere is found, and when keeping going costs one packet, or part of it, and nothing else. */
Test(packet_reader, finds_every_flipped_byte_and_loses_at_most_one_packet)
{
    Bytes sound = {0}, bytes = {0};
    RsdStreamReport report;
    RsdError err;
    Sum sum;

    make(&sound, 40100, true);
    for (size_t i = 0; i < sound.size; i++) {
        bytes_copy(&bytes, &sound);
        bytes.data[i] ^= (uint8_t)(1 << i % 8);
        err.text[0] = '\0';
        cr_assert_neq(read_all(&bytes, false, &sum, &report, &err), RSD_OK, "byte %zu: not noticed", i);
        cr_assert(err.text[0] != '\0');
        if (i < 56)
            continue;
        RsdStatus status = read_all(&bytes, true, &sum, &report, &err);

        cr_assert_eq(sum.n_codes + sum.n_lost_samples, 40100, "byte %zu: %lld + %lld samples", i,
                     (long long)sum.n_codes, (long long)sum.n_lost_samples);
        if (i < sound.size - 22) {
            cr_assert_eq(status, RSD_OK, "byte %zu: %s", i, err.text);
            cr_assert(report.n_lost + (report.n_layers_lost > 0) == 1, "byte %zu: %lld packets and %lld layers lost", i,
                      (long long)report.n_lost, (long long)report.n_layers_lost);
            cr_assert_eq(sum.n_notes, 1, "byte %zu: %lld notes", i, (long long)sum.n_notes);
        } else {
            cr_assert_eq(status, RSD_ERR_CORRUPT, "byte %zu of the end mark", i);
            cr_assert_eq(report.n_lost, 0);
        }
    }
    bytes_clear(&sound);
    bytes_clear(&bytes);
}

Test(packet_reader, reads_everything_before_every_cut)
{
    Bytes sound = {0}, bytes = {0};
    RsdStreamReport report;
    RsdError err;
    Sum sum;
    size_t begin, ends[3];

    make(&sound, 40100, true);
    for (size_t i = 0; i < 3; i++)
        stream_packet_at(&sound, i, &begin, &ends[i]);
    for (size_t size = 0; size < sound.size; size++) {
        int64_t n_whole = 0;

        for (size_t i = 0; i < 3; i++)
            if (size >= ends[i])
                n_whole = i == 2 ? 40100 : (int64_t)(i + 1) * PACKET_SAMPLES;
        for (int keep_going = 0; keep_going < 2; keep_going++) {
            bytes_copy(&bytes, &sound);
            bytes.size = size;
            cr_assert_eq(read_all(&bytes, keep_going, &sum, &report, &err), RSD_ERR_CORRUPT, "cut at %zu", size);
            cr_assert_eq(sum.n_lost_samples, 0, "cut at %zu", size);
            if (keep_going) /* lower layers of the packet that was cut may be there */
                cr_assert(sum.n_codes >= n_whole && sum.n_codes <= n_whole + PACKET_SAMPLES);
            else
                cr_assert_eq(sum.n_codes, n_whole, "cut at %zu", size);
        }
    }
    bytes_clear(&sound);
    bytes_clear(&bytes);
}

Test(packet_reader, fills_a_removed_packet_with_its_exact_length)
{
    for (size_t lost = 0; lost < 4; lost++) {
        Bytes bytes = {0};
        RsdStreamReport report;
        RsdError err;
        Sum sum;
        size_t begin, end;

        make(&bytes, 50001, lost % 2);
        stream_packet_at(&bytes, lost, &begin, &end);
        splice(&bytes, begin, end, NULL, 0);
        cr_assert_eq(read_all(&bytes, false, &sum, &report, &err), RSD_ERR_CORRUPT);
        cr_assert_eq(sum.n_codes, (int64_t)lost * PACKET_SAMPLES);
        cr_assert_eq(read_all(&bytes, true, &sum, &report, &err), RSD_OK, "%s", err.text);
        cr_assert_eq(sum.n_lost_samples, lost == 3 ? 50001 - 3 * PACKET_SAMPLES : PACKET_SAMPLES);
        cr_assert_eq(report.n_samples, 50001);
        cr_assert_eq(report.n_lost, 1);
        cr_assert_eq(sum.n_notes, 1);
        bytes_clear(&bytes);
    }
}

/* Bytes lost or inserted in the middle move everything after them. */
Test(packet_reader, finds_the_way_again_after_lost_and_inserted_bytes)
{
    for (uint32_t i = 0; i < 400; i++) {
        Rng rng = rng_at(3, RNG_TEST, 0, i);
        Bytes bytes = {0};
        RsdStreamReport report;
        RsdError err = {RSD_OK, ""};
        Sum sum;
        uint8_t noise[64];
        size_t begin, end, at, n_out = rng_below(&rng, 64), n_in = rng_below(&rng, 64);

        make(&bytes, 64000, i % 2);
        stream_packet_at(&bytes, 1 + i % 2, &begin, &end);
        at = begin + rng_below(&rng, (uint32_t)(end - begin - 64));
        for (size_t k = 0; k < n_in; k++)
            noise[k] = (uint8_t)(k % 3 == 0 ? 0xE5 : k % 3 == 1 ? 0x52 : rng_u32(&rng));
        if (n_in == n_out)
            n_in++;
        splice(&bytes, at, at + n_out, noise, n_in);
        cr_assert_eq(read_all(&bytes, true, &sum, &report, &err), RSD_OK, "%u: %s", i, err.text);
        cr_assert_eq(report.n_samples, 64000, "%u", i);
        cr_assert(report.n_lost + report.n_layers_lost >= 1 && report.n_lost <= 1, "%u: %lld lost", i,
                  (long long)report.n_lost);
        bytes_clear(&bytes);
    }
}

Test(packet_reader, skips_bytes_between_packets_and_names_them)
{
    Bytes bytes = {0};
    RsdStreamReport report;
    RsdError err;
    Sum sum;
    size_t begin, end;

    make(&bytes, 64000, true);
    stream_packet_at(&bytes, 2, &begin, &end);
    splice(&bytes, begin, begin, (const uint8_t *)"garbage", 7);
    cr_assert_eq(read_all(&bytes, false, &sum, &report, &err), RSD_ERR_CORRUPT);
    cr_assert_not_null(strstr(err.text, "test.rsd: packet 2 at 2.00 s: no packet begins here"), "%s", err.text);
    cr_assert_eq(read_all(&bytes, true, &sum, &report, &err), RSD_OK);
    cr_assert_eq(sum.n_codes, 64000);
    cr_assert_not_null(strstr(sum.first_note, "7 bytes skipped, nothing lost"), "%s", sum.first_note);
    bytes_clear(&bytes);
}

Test(packet_reader, ignores_doubled_and_late_packets)
{
    Bytes bytes = {0};
    RsdStreamReport report;
    RsdError err;
    Sum sum;
    size_t begin, end, size;
    uint8_t *copy;

    make(&bytes, 64000, false);
    stream_packet_at(&bytes, 1, &begin, &end);
    size = end - begin;
    copy = malloc(size);
    memcpy(copy, bytes.data + begin, size);
    stream_packet_at(&bytes, 3, &begin, &end);
    splice(&bytes, begin, begin, copy, size);
    cr_assert_eq(read_all(&bytes, false, &sum, &report, &err), RSD_ERR_CORRUPT);
    cr_assert_not_null(strstr(err.text, "number 1, expected 3"), "%s", err.text);
    cr_assert_eq(read_all(&bytes, true, &sum, &report, &err), RSD_OK);
    cr_assert_eq(sum.n_codes, 64000);
    cr_assert_eq(sum.n_lost_samples, 0);
    free(copy);
    bytes_clear(&bytes);
}

/* Gives packet i another number, type or sample count and a right checksum. */
static void forge(Bytes *bytes, size_t i, int type, uint32_t number, int64_t n_samples)
{
    StreamHeader header;
    Packet packet;
    uint8_t *copy;
    size_t begin, end, size, n_needed;

    cr_assert_eq(header_probe(&size, bytes->data, NULL), RSD_OK);
    cr_assert_eq(header_parse(&header, bytes->data, size, NULL), RSD_OK);
    stream_packet_at(bytes, i, &begin, &end);
    copy = malloc(PACKET_MAX_SIZE);
    cr_assert_eq(packet_parse(&packet, &header, bytes->data + begin, end - begin, true, &n_needed, NULL), PACKET_FOUND);
    packet.type = type;
    packet.number = number;
    packet.n_samples = n_samples;
    size = packet_write(&packet, copy);
    splice(bytes, begin, end, copy, size);
    free(copy);
}

Test(packet_reader, does_not_believe_forged_packets)
{
    static const struct {
        size_t packet;
        int type;
        uint32_t number;
        int64_t n_samples;
        bool known;
        const char *says;
    } CASES[] = {
        {1, PACKET_CODES, 16777214, PACKET_SAMPLES, false, "expected 1"}, /* 16 million seconds of silence */
        {1, PACKET_CODES, 3602, PACKET_SAMPLES, false, "expected 1"},
        {1, PACKET_CODES, 16777215, PACKET_SAMPLES, false, "number 16777215; at most 16777214"},
        {1, PACKET_CODES, 4, PACKET_SAMPLES, true, "expected 1"},     /* beyond the end that the header states */
        {1, PACKET_LAST, 1, PACKET_SAMPLES, true, "the header says"}, /* an end that the header does not state */
        {1, PACKET_LAST, 1, 0, false, "0 samples"},
        {1, PACKET_LAST, 1, PACKET_SAMPLES + 1, false, "16001 samples"},
        {1, PACKET_LAST, 1, 320 * 49, false, "need 184"}, /* right count, wrong number of codes */
        {1, 0, 1, PACKET_SAMPLES, false, "type 0"},
        {4, PACKET_END, 3, 48000, false, "end mark"},
        {4, PACKET_END, 4, 64001, false, "end mark: 64001 samples are not 4 packets"},
        {4, PACKET_END, 4, 63999, false, "end mark"},
        {4, PACKET_END, 4, 63999, true, "the header says 64000"},
        {4, PACKET_END, 16777215, (int64_t)16777215 * PACKET_SAMPLES, false, "end mark"},
    };

    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        Bytes bytes = {0};
        RsdStreamReport report;
        RsdError err = {RSD_OK, ""};
        Sum sum;

        make(&bytes, 64000, CASES[i].known);
        forge(&bytes, CASES[i].packet, CASES[i].type, CASES[i].number, CASES[i].n_samples);
        cr_expect_eq(read_all(&bytes, false, &sum, &report, &err), RSD_ERR_CORRUPT, "case %zu", i);
        cr_expect_not_null(strstr(err.text, CASES[i].says), "case %zu: %s", i, err.text);
        cr_expect_eq(sum.n_codes, (int64_t)CASES[i].packet * PACKET_SAMPLES, "case %zu: %lld samples", i,
                     (long long)sum.n_codes);
        read_all(&bytes, true, &sum, &report, &err);
        cr_expect_eq(report.n_samples, 64000, "case %zu: %lld samples", i, (long long)report.n_samples);
        bytes_clear(&bytes);
    }
}

Test(packet_reader, takes_nothing_but_the_end_after_the_last_packet)
{
    Bytes bytes = {0};
    RsdStreamReport report;
    RsdError err;
    Sum sum;

    make(&bytes, 64000, false);
    forge(&bytes, 1, PACKET_LAST, 1, PACKET_SAMPLES - 1);
    cr_assert_eq(read_all(&bytes, false, &sum, &report, &err), RSD_ERR_CORRUPT);
    cr_assert_not_null(strstr(err.text, "after the last packet"), "%s", err.text);
    cr_assert_eq(read_all(&bytes, true, &sum, &report, &err), RSD_ERR_CORRUPT);
    cr_assert_eq(report.n_samples, 2 * PACKET_SAMPLES - 1);
    bytes_clear(&bytes);
}

Test(packet_reader, checks_the_whole)
{
    StreamHeader header;
    Bytes bytes = {0}, other = {0};
    RsdStreamReport report;
    RsdError err;
    Sum sum;
    size_t begin, end, other_begin, other_end;

    /* A packet from another stream is sound in itself. */
    header_example(&header);
    stream_example(&bytes, &header, 64000, 1);
    stream_example(&other, &header, 64000, 2);
    stream_packet_at(&bytes, 2, &begin, &end);
    stream_packet_at(&other, 2, &other_begin, &other_end);
    splice(&bytes, begin, end, other.data + other_begin, other_end - other_begin);
    cr_assert_eq(read_all(&bytes, false, &sum, &report, &err), RSD_ERR_CORRUPT);
    cr_assert_eq(sum.n_codes, 64000);
    cr_assert_not_null(strstr(err.text, "checksum of the whole stream"), "%s", err.text);
    cr_assert_eq(read_all(&bytes, true, &sum, &report, &err), RSD_OK, "%s", err.text);
    cr_assert(sum.end && report.has_end && sum.n_codes == 64000 && report.n_lost == 0 && report.n_bytes == (int64_t)bytes.size);
    cr_assert_eq(sum.n_notes, 1);
    cr_assert_not_null(strstr(sum.first_note, "checksum of the whole stream"), "%s", sum.first_note);
    bytes_clear(&bytes);
    bytes_clear(&other);
}

Test(packet_reader, passes_optional_packets_on_and_refuses_reserved_ones)
{
    static const uint8_t BLOCKS[2][5] = {"text", "more"};

    for (int type = 3; type < 15; type++) {
        Bytes bytes = {0};
        Packet packet = {
            .type = type, .number = 1, .n_blocks = 2, .blocks = {BLOCKS[0], BLOCKS[1]}, .block_sizes = {5, 0}};
        RsdStreamReport report;
        RsdError err = {RSD_OK, ""};
        Sum sum;
        uint8_t written[64];
        size_t begin, end, size = packet_write(&packet, written);
        RsdStatus status;

        make(&bytes, 64000, true);
        stream_packet_at(&bytes, 1, &begin, &end);
        splice(&bytes, begin, begin, written, size);
        /* The whole has changed; a writer would have counted it in. */
        put_u32le(bytes.data + bytes.size - 8, crc32_update(0, bytes.data, bytes.size - 22));
        put_u32le(bytes.data + bytes.size - 4, crc32_update(0, bytes.data + bytes.size - 22, 18));
        status = read_all(&bytes, false, &sum, &report, &err);
        if (type < PACKET_OPTIONAL_FIRST) {
            cr_assert_eq(status, RSD_ERR_UNSUPPORTED, "type %d", type);
        } else {
            cr_assert_eq(status, RSD_OK, "type %d: %s", type, err.text);
            cr_assert_eq(sum.n_optional, 1);
            cr_assert_eq(sum.n_codes, 64000);
        }
        bytes_clear(&bytes);
    }
}

Test(packet_reader, takes_packets_with_fewer_layers)
{
    StreamHeader header, low;
    Bytes bytes = {0}, other = {0};
    RsdStreamReport report;
    RsdError err = {RSD_OK, ""};
    Sum sum;
    size_t begin, end, other_begin, other_end;

    header_example(&header);
    low = header;
    low.info.n_layers = 1;
    cr_assert_eq(header_complete(&low, RSD_ERR_ARG, NULL), RSD_OK);
    stream_example(&bytes, &header, 64000, 1);
    stream_example(&other, &low, 64000, 1);
    stream_packet_at(&bytes, 2, &begin, &end);
    stream_packet_at(&other, 2, &other_begin, &other_end);
    splice(&bytes, begin, end, other.data + other_begin, other_end - other_begin);
    read_all(&bytes, true, &sum, &report, &err);
    cr_assert_eq(sum.n_codes, 64000);
    cr_assert_eq(sum.n_blocks, 3 * 3 + 1);
    cr_assert_eq(report.n_layers_lost, 0);
    bytes_clear(&bytes);
    bytes_clear(&other);
}

Test(packet_reader, uses_the_layers_below_a_damaged_one)
{
    for (int layer = 1; layer < 3; layer++) {
        Bytes bytes = {0};
        RsdStreamReport report;
        RsdError err;
        Sum sum;
        size_t begin, end;

        make(&bytes, 64000, true);
        stream_packet_at(&bytes, 1, &begin, &end);
        bytes.data[layer == 2 ? end - 1 : end - 375 - 5] ^= 1;
        cr_assert_eq(read_all(&bytes, false, &sum, &report, &err), RSD_ERR_CORRUPT);
        cr_assert_eq(sum.n_codes, PACKET_SAMPLES);
        cr_assert_not_null(strstr(err.text, layer == 2 ? "layer 3: checksum" : "layer 2: checksum"), "%s", err.text);
        cr_assert_eq(read_all(&bytes, true, &sum, &report, &err), RSD_OK, "%s", err.text);
        cr_assert_eq(sum.n_codes, 64000);
        cr_assert_eq(sum.n_blocks, 4 * 3 - (3 - layer));
        cr_assert_eq(report.n_layers_lost, 3 - layer);
        cr_assert_eq(sum.n_notes, 1);
        bytes_clear(&bytes);
    }
}

Test(packet_reader, hands_on_the_errors_of_the_read_function)
{
    Bytes bytes = {0};
    RsdStreamReport report;
    RsdError err;
    Sum sum;

    make(&bytes, 64000, true);
    for (size_t at = 1; at < bytes.size; at += 97) {
        bytes.fail_after = at;
        cr_assert_eq(read_all(&bytes, true, &sum, &report, &err), RSD_ERR_IO, "at %zu", at);
        cr_assert_not_null(strstr(err.text, "the test's read fails"));
    }
    bytes_clear(&bytes);
}

Test(packet_reader, survives_random_bytes_behind_a_sound_header)
{
    for (uint32_t i = 0; i < 300; i++) {
        Rng rng = rng_at(11, RNG_TEST, 1, i);
        Bytes bytes = {0};
        RsdStreamReport report;
        RsdError err;
        Sum sum;
        uint8_t noise[2000];

        make(&bytes, 64000, i % 2);
        bytes.size = 56;
        for (size_t k = 0; k < sizeof noise; k++)
            noise[k] = (uint8_t)(k % 8 == 0 ? 0xE5 : k % 8 == 1 ? 0x52 : rng_u32(&rng));
        bytes_write(&bytes, noise, rng_below(&rng, sizeof noise), NULL);
        cr_assert_eq(read_all(&bytes, true, &sum, &report, &err), RSD_ERR_CORRUPT);
        cr_assert_eq(sum.n_codes, 0);
        bytes_clear(&bytes);
    }
}

Test(scan, reports_a_sound_stream)
{
    Bytes bytes = {0};
    RsdStreamInfo info;
    RsdStreamReport report;

    make(&bytes, 64000, false);
    cr_assert_eq(rsd_stream_scan(&info, &report, bytes_read, &bytes, "test.rsd", NULL), RSD_OK);
    cr_assert_str_eq(info.model_name, "speech16");
    cr_assert_eq(info.n_samples, RSD_UNKNOWN_LENGTH);
    cr_assert_eq(report.n_samples, 64000);
    cr_assert_float_eq(report.bitrate_bps, (double)bytes.size * 8 / 4, 1e-9);
    bytes.at = 0;
    cr_assert_eq(rsd_stream_probe(&info, bytes_read, &bytes, NULL, NULL), RSD_OK);
    cr_assert_eq(bytes.at, 56, "the probe read %zu bytes", bytes.at);
    bytes_clear(&bytes);
}

Test(scan, reads_to_the_end_and_tells_of_the_first_damage)
{
    Bytes bytes = {0};
    RsdStreamInfo info;
    RsdStreamReport report;
    RsdError err;
    size_t begin, end;

    make(&bytes, 160000, true);
    stream_packet_at(&bytes, 7, &begin, &end);
    bytes.data[begin + 40] ^= 1;
    stream_packet_at(&bytes, 3, &begin, &end);
    bytes.data[begin + 40] ^= 1;
    cr_assert_eq(rsd_stream_scan(&info, &report, bytes_read, &bytes, "test.rsd", &err), RSD_ERR_CORRUPT);
    cr_assert_not_null(strstr(err.text, "test.rsd: packet 3 at 3.00 s: checksum"), "%s", err.text);
    cr_assert_not_null(strstr(err.text, "1 packet lost, 1.00 s"), "%s", err.text);
    cr_assert_eq(report.n_lost, 2);
    cr_assert_eq(report.n_samples, 160000);
    cr_assert(report.has_end);
    bytes_clear(&bytes);
}

Test(scan, lets_each_allocation_fail_once)
{
    Bytes bytes = {0};
    RsdStreamInfo info;
    RsdStatus status = RSD_ERR_MEMORY;

    make(&bytes, 32000, true);
    for (int64_t n = 0; status != RSD_OK; n++) {
        bytes.at = 0;
        mem_fail_after(n);
        status = rsd_stream_scan(&info, NULL, bytes_read, &bytes, NULL, NULL);
        mem_fail_after(-1);
        cr_assert(status == RSD_OK || status == RSD_ERR_MEMORY);
        cr_assert(n < 10);
    }
    bytes_clear(&bytes);
}
