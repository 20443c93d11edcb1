/* test_cut.c - a cut stream is the stream of the lower rate, byte for byte.
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>
#include <string.h>

#include "codec/layers.h"
#include "engine/base/bytes.h"
#include "engine/base/checksum.h"
#include "engine/base/mem.h"
#include "streams.h"

static RsdStatus cut(Bytes *in, Bytes *out, int n_layers, double bitrate_bps, RsdStreamInfo *info, RsdError *err)
{
    RsdCutOptions options = {.read = bytes_read,
                             .read_ctx = in,
                             .write = bytes_write,
                             .write_ctx = out,
                             .n_layers = n_layers,
                             .bitrate_bps = bitrate_bps,
                             .name = "test.rsd"};

    in->at = 0;
    out->size = 0;
    return rsd_stream_cut(info, &options, err);
}

Test(cut, equals_a_stream_made_with_fewer_layers)
{
    static const int64_t LENGTHS[] = {0, 1, 16000, 16001, 50000};

    for (size_t i = 0; i < sizeof LENGTHS / sizeof *LENGTHS; i++)
        for (int n_layers = 1; n_layers <= 3; n_layers++) {
            StreamHeader header;
            Bytes full = {0}, low = {0}, out = {0};
            RsdStreamInfo info;
            RsdError err = {RSD_OK, ""};

            header_example(&header);
            header.info.n_samples = i % 2 ? LENGTHS[i] : RSD_UNKNOWN_LENGTH;
            stream_example(&full, &header, LENGTHS[i], 5);
            header.info.n_layers = n_layers;
            for (int k = n_layers; k < 3; k++)
                header.info.layer_stages[k] = 0;
            cr_assert_eq(header_complete(&header, RSD_ERR_ARG, NULL), RSD_OK);
            stream_example(&low, &header, LENGTHS[i], 5);
            full.block = 1000;
            cr_assert_eq(cut(&full, &out, n_layers, 0, &info, &err), RSD_OK, "%s", err.text);
            cr_assert_eq(out.size, low.size);
            cr_assert_arr_eq(out.data, low.data, low.size);
            header.info.n_samples = LENGTHS[i]; /* which the whole stream tells */
            cr_assert_eq(memcmp(&info, &header.info, sizeof info), 0);
            bytes_clear(&full);
            bytes_clear(&low);
            bytes_clear(&out);
        }
}

Test(cut, keeps_as_many_layers_as_the_bitrate_allows)
{
    static const struct {
        double bitrate_bps;
        int n_layers;
    } CASES[] = {{1, 1}, {1499, 1}, {1500, 1}, {2999, 1}, {3000, 2}, {5999, 2}, {6000, 3}, {1e9, 3}};
    StreamHeader header;
    Bytes full = {0}, out = {0};
    RsdStreamInfo info;

    header_example(&header);
    stream_example(&full, &header, 50000, 5);
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        cr_assert_eq(cut(&full, &out, 0, CASES[i].bitrate_bps, &info, NULL), RSD_OK);
        cr_assert_eq(info.n_layers, CASES[i].n_layers, "%g bit/s", CASES[i].bitrate_bps);
    }
    bytes_clear(&full);
    bytes_clear(&out);
}

Test(cut, keeps_fields_and_optional_packets_that_it_does_not_know)
{
    static const uint8_t FIELD[6] = {5, 0, 2, 0, 'a', 'b'}, TEXT[3] = "abc";
    StreamHeader header, back;
    Packet note = {.type = 9, .number = 0, .n_blocks = 1, .blocks = {TEXT}, .block_sizes = {3}};
    Packet end = {.type = PACKET_END};
    Bytes full = {0}, out = {0};
    uint8_t bytes[HEADER_MAX_SIZE];
    RsdStreamInfo info;
    RsdError err = {RSD_OK, ""};

    header_example(&header);
    header.layout = 200;
    memcpy(header.fields, FIELD, sizeof FIELD);
    header.fields_size = sizeof FIELD;
    cr_assert_eq(header_complete(&header, RSD_ERR_ARG, NULL), RSD_OK);
    bytes_write(&full, bytes, header_write(&header, bytes), NULL);
    bytes_write(&full, bytes, packet_write(&note, bytes), NULL);
    end.stream_crc = crc32_update(0, full.data, full.size);
    bytes_write(&full, bytes, packet_write(&end, bytes), NULL);
    cr_assert_eq(cut(&full, &out, 2, 0, &info, &err), RSD_OK, "%s", err.text);
    cr_assert_eq(out.size, full.size - 2);
    cr_assert_eq(header_parse(&back, out.data, (size_t)info.header_size, NULL), RSD_OK);
    cr_assert_eq(back.layout, 200);
    cr_assert_eq(back.fields_size, sizeof FIELD);
    cr_assert_arr_eq(back.fields, FIELD, sizeof FIELD);
    cr_assert_arr_eq(out.data + info.header_size, full.data + info.header_size + 2, 6 + 2 + 4 + 3);
    cr_assert_eq(rsd_stream_scan(&info, NULL, bytes_read, &out, NULL, &err), RSD_OK, "%s", err.text);
    bytes_clear(&full);
    bytes_clear(&out);
}

Test(cut, refuses_damage_and_hands_on_write_errors)
{
    StreamHeader header;
    Bytes full = {0}, out = {0};
    RsdError err;

    header_example(&header);
    stream_example(&full, &header, 50000, 5);
    out.fail_after = 500;
    cr_assert_eq(cut(&full, &out, 1, 0, NULL, &err), RSD_ERR_IO);
    out.fail_after = 0;
    cr_assert_eq(cut(&full, &out, 0, 0, NULL, &err), RSD_ERR_ARG);
    full.data[full.size / 2] ^= 1;
    cr_assert_eq(cut(&full, &out, 1, 0, NULL, &err), RSD_ERR_CORRUPT);
    full.size = 200;
    cr_assert_eq(cut(&full, &out, 1, 0, NULL, &err), RSD_ERR_CORRUPT);
    bytes_clear(&full);
    bytes_clear(&out);
}

Test(cut, lets_each_allocation_fail_once)
{
    StreamHeader header;
    Bytes full = {0}, out = {0};
    RsdStatus status = RSD_ERR_MEMORY;

    header_example(&header);
    stream_example(&full, &header, 50000, 5);
    for (int64_t n = 0; status != RSD_OK; n++) {
        mem_fail_after(n);
        status = cut(&full, &out, 1, 0, NULL, NULL);
        mem_fail_after(-1);
        cr_assert(n < 10 && (status == RSD_OK || status == RSD_ERR_MEMORY));
    }
    bytes_clear(&full);
    bytes_clear(&out);
}

Test(stream_layers, split_at_the_customary_rates)
{
    static const struct {
        int n_stages, n_layers, layers[4];
    } CASES[] = {{1, 1, {1}},       {3, 1, {3}},        {4, 2, {3, 1}},        {6, 2, {3, 3}},
                 {7, 3, {3, 3, 1}}, {12, 3, {3, 3, 6}}, {13, 4, {3, 3, 6, 1}}, {24, 4, {3, 3, 6, 12}}};
    int layers[RSD_MAX_LAYERS];

    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        cr_assert_eq(layers_split(CASES[i].n_stages, NULL, layers), CASES[i].n_layers, "%d stages", CASES[i].n_stages);
        cr_assert_arr_eq(layers, CASES[i].layers, (size_t)CASES[i].n_layers * sizeof(int));
    }
    for (int n_stages = 1; n_stages <= 400; n_stages++) {
        int n_layers = layers_split(n_stages, NULL, layers), sum = 0;

        cr_assert(n_layers <= RSD_MAX_LAYERS);
        for (int i = 0; i < n_layers; i++)
            sum += layers[i];
        cr_assert_eq(sum, n_stages);
    }
}

Test(stream_layers, end_where_the_stride_of_the_stages_changes)
{
    static const int FALLING[] = {64, 32, 16, 8, 4, 2, 1};
    int strides[64] = {4, 4, 2, 2, 1, 1, 1, 1}, layers[RSD_MAX_LAYERS];

    cr_assert_eq(layers_split(8, strides, layers), 5);
    cr_assert_arr_eq(layers, ((int[]){2, 1, 1, 2, 2}), 5 * sizeof(int));
    for (int from = 0; from < 57; from++) { /* seven strides anywhere among 64 stages */
        int n_layers, sum = 0;

        for (int i = 0; i < 64; i++)
            strides[i] = i < from ? FALLING[0] : FALLING[i - from < 6 ? i - from : 6];
        n_layers = layers_split(64, strides, layers);
        cr_assert(n_layers <= RSD_MAX_LAYERS);
        for (int i = 0; i < n_layers; sum += layers[i++])
            for (int k = 0; k < layers[i]; k++)
                cr_assert_eq(strides[sum + k], strides[sum], "from %d: layer %d", from, i);
        cr_assert_eq(sum, 64);
    }
}
