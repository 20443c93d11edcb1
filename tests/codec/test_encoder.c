/* test_encoder.c - the same bytes whatever the blocks, threads and announcements; options and mistakes; no allocation
 * after open.
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "codec/container.h"
#include "coding.h"
#include "engine/base/mem.h"
#include "engine/base/threads.h"
#include "tiny_codec.h"

static AudioCodec *codec;
static RsdModel *model;
static RsdEncoderOptions options;

static void open_model(void)
{
    codec = tiny_codec_create(1, 5);
    cr_assert_eq(model_from_codec(&model, codec, NULL), RSD_OK);
    rsd_encoder_default_options(&options);
    options.model = model;
}

static void close_model(void)
{
    rsd_model_close(&model);
    audio_codec_destroy(&codec);
}

TestSuite(encoder, .init = open_model, .fini = close_model);

static void assert_same(const Bytes *a, const Bytes *b, const char *what)
{
    cr_assert_eq(a->size, b->size, "%s: %zu and %zu bytes", what, a->size, b->size);
    for (size_t i = 0; i < a->size; i++)
        cr_assert_eq(a->data[i], b->data[i], "%s: byte %zu is %02x and %02x", what, i, a->data[i], b->data[i]);
}

Test(encoder, writes_the_same_bytes_for_any_blocks)
{
    static const size_t LENGTHS[] = {0, 1, 7, 8, 9, 999, 1000, 1001, 3000, 3501},
                        BLOCKS[] = {1, 3, 8, 100, 999, 1000, 5000};

    for (size_t i = 0; i < sizeof LENGTHS / sizeof *LENGTHS; i++) {
        float *samples = noise_signal(1, LENGTHS[i], 1);
        Bytes whole = {0}, blocks = {0};
        RsdStreamInfo info;
        RsdStreamReport report;
        RsdError err = {RSD_OK, ""};

        cr_assert_eq(encode_all(&whole, options, samples, LENGTHS[i], 0, &err), RSD_OK, "%s", err.text);
        cr_assert_eq(rsd_stream_scan(&info, &report, bytes_read, &whole, NULL, &err), RSD_OK, "%zu: %s", LENGTHS[i],
                     err.text);
        cr_assert_eq(report.n_samples, (int64_t)LENGTHS[i]);
        cr_assert_eq(info.n_samples, RSD_UNKNOWN_LENGTH);
        for (size_t k = 0; k < sizeof BLOCKS / sizeof *BLOCKS; k++) {
            cr_assert_eq(encode_all(&blocks, options, samples, LENGTHS[i], BLOCKS[k], &err), RSD_OK);
            assert_same(&whole, &blocks, "blocks");
        }
        bytes_clear(&whole);
        bytes_clear(&blocks);
        free(samples);
    }
}

Test(encoder, writes_the_same_bytes_for_any_number_of_threads)
{
    float *samples = noise_signal(1, 5000, 2);
    Bytes one = {0}, two = {0};

    cr_assert_eq(encode_all(&one, options, samples, 5000, 0, NULL), RSD_OK);
    cr_assert_eq(rsd_threads_create(&options.threads, 2, NULL), RSD_OK);
    cr_assert_eq(encode_all(&two, options, samples, 5000, 0, NULL), RSD_OK);
    assert_same(&one, &two, "threads");
    rsd_threads_destroy(&options.threads);
    bytes_clear(&one);
    bytes_clear(&two);
    free(samples);
}

/* Chunks end inside packets when a packet is longer than a chunk, and packets inside chunks never change codes. */
Test(encoder, codes_do_not_depend_on_the_length_of_packets)
{
    static const int FRAMES[] = {1, 7, 125, 3000};
    float *samples = noise_signal(1, 50011, 3), *first = NULL;
    size_t n_first = 0;

    for (size_t i = 0; i < sizeof FRAMES / sizeof *FRAMES; i++) {
        RsdDecoderOptions decoder_options;
        Bytes bytes = {0};
        RsdError err = {RSD_OK, ""};
        float *decoded;
        size_t n;

        options.frames_per_packet = FRAMES[i];
        cr_assert_eq(encode_all(&bytes, options, samples, 50011, 0, &err), RSD_OK, "%s", err.text);
        rsd_decoder_default_options(&decoder_options);
        decoder_options.model = model;
        cr_assert_eq(decode_all(&decoded, &n, decoder_options, &bytes, 0, NULL, &err), RSD_OK, "%s", err.text);
        cr_assert_eq(n, 50011);
        bytes_clear(&bytes);
        if (i == 0) {
            first = decoded;
            n_first = n;
            continue;
        }
        for (size_t k = 0; k < n_first; k++)
            cr_assert_float_eq(decoded[k], first[k], 1e-5, "%d frames per packet: sample %zu is %g and %g", FRAMES[i],
                               k, (double)decoded[k], (double)first[k]);
        free(decoded);
    }
    free(first);
    free(samples);
}

/* 2500 frames are more than a chunk, and no multiple of it. */
Test(encoder, a_packet_leaves_with_its_last_sample)
{
    static const int FRAMES[] = {1, 75, 2500};

    for (size_t i = 0; i < sizeof FRAMES / sizeof *FRAMES; i++) {
        const size_t n = (size_t)FRAMES[i] * (size_t)rsd_model_info(model)->hop_samples;
        float *samples = noise_signal(1, n, 3);
        Bytes bytes = {0};
        RsdEncoder *encoder;

        options.frames_per_packet = FRAMES[i];
        options.write = bytes_write;
        options.write_ctx = &bytes;
        cr_assert_eq(rsd_encoder_open(&encoder, &options, NULL), RSD_OK);
        for (int k = 0; k < 3; k++) {
            cr_assert_eq(rsd_encoder_write(encoder, samples, n, n - 1, NULL), RSD_OK);
            cr_assert_eq(rsd_encoder_report(encoder)->n_packets, k);
            cr_assert_eq(rsd_encoder_write(encoder, samples + n - 1, n, 1, NULL), RSD_OK);
            cr_assert_eq(rsd_encoder_report(encoder)->n_packets, k + 1, "%d frames per packet", FRAMES[i]);
        }
        rsd_encoder_close(&encoder);
        bytes_clear(&bytes);
        free(samples);
    }
}

Test(encoder, allocates_nothing_after_open)
{
    static const int FRAMES[] = {0, 3000};
    float *samples = noise_signal(1, 50000, 4);

    for (size_t i = 0; i < 2; i++) {
        Bytes bytes = {0};
        RsdEncoder *encoder;
        int64_t n_before;

        options.frames_per_packet = FRAMES[i];
        options.write = bytes_write;
        options.write_ctx = &bytes;
        cr_assert_eq(rsd_encoder_open(&encoder, &options, NULL), RSD_OK);
        n_before = mem_allocation_count();
        for (size_t at = 0; at < 49999; at += 777)
            cr_assert_eq(rsd_encoder_write(encoder, samples + at, 50000, at + 777 > 49999 ? 49999 - at : 777, NULL),
                         RSD_OK);
        cr_assert_eq(rsd_encoder_finish(encoder, NULL), RSD_OK);
        cr_assert_eq(mem_allocation_count(), n_before, "%lld allocations",
                     (long long)(mem_allocation_count() - n_before));
        rsd_encoder_close(&encoder);
        bytes_clear(&bytes);
    }
    free(samples);
}

Test(encoder, writes_an_announced_length_and_holds_the_caller_to_it)
{
    float *samples = noise_signal(1, 1000, 4);
    Bytes bytes = {0};
    RsdStreamInfo info;
    RsdError err;

    options.n_samples = 1000;
    options.name = "talk.wav";
    cr_assert_eq(encode_all(&bytes, options, samples, 1000, 0, NULL), RSD_OK);
    cr_assert_eq(rsd_stream_scan(&info, NULL, bytes_read, &bytes, NULL, NULL), RSD_OK);
    cr_assert_eq(info.n_samples, 1000);
    cr_assert_eq(stream_size_for(&info, 1000), (int64_t)bytes.size);
    options.n_samples = 1001;
    cr_assert_eq(encode_all(&bytes, options, samples, 1000, 0, &err), RSD_ERR_ARG);
    cr_assert_str_eq(err.text, "talk.wav: 1000 samples, 1001 were announced");
    options.n_samples = 999;
    cr_assert_eq(encode_all(&bytes, options, samples, 1000, 1, &err), RSD_ERR_ARG);
    cr_assert_str_eq(err.text, "talk.wav: more samples than the 999 announced");
    bytes_clear(&bytes);
    free(samples);
}

Test(encoder, lower_rates_are_prefixes_of_higher_ones)
{
    float *samples = noise_signal(1, 3000, 6);
    Bytes full = {0}, low = {0}, out = {0};

    options.effort = 1; /* the nearest code of each stage, whichever follow */
    cr_assert_eq(encode_all(&full, options, samples, 3000, 0, NULL), RSD_OK);
    options.bitrate_bps = 1500; /* 3 stages of 500 bit/s */
    cr_assert_eq(encode_all(&low, options, samples, 3000, 0, NULL), RSD_OK);
    cr_assert_eq(rsd_stream_cut(NULL,
                                &(RsdCutOptions){.read = bytes_read,
                                                 .read_ctx = &full,
                                                 .write = bytes_write,
                                                 .write_ctx = &out,
                                                 .bitrate_bps = 1600},
                                NULL),
                 RSD_OK);
    assert_same(&low, &out, "cut");
    bytes_clear(&full);
    bytes_clear(&low);
    bytes_clear(&out);
    free(samples);
}

static double sum_of(const Bytes *bytes)
{
    double sum = 0.0;

    for (size_t i = 0; i < bytes->size; i++)
        sum += (double)bytes->data[i] * (double)(i % 251 + 1);
    return sum;
}

Test(encoder, effort_is_a_search_of_so_many_paths_and_2_as_a_rule)
{
    float *samples = noise_signal(1, 3000, 6);
    double sums[RSD_MAX_SOUND_EFFORT + 1];
    RsdError err;

    for (int effort = 0; effort <= RSD_MAX_SOUND_EFFORT; effort++) {
        Bytes bytes = {0};

        options.effort = effort;
        cr_assert_eq(encode_all(&bytes, options, samples, 3000, 0, NULL), RSD_OK);
        sums[effort] = sum_of(&bytes);
        bytes_clear(&bytes);
    }
    cr_assert(sums[0] == sums[2] && sums[1] != sums[2] && sums[2] != sums[4]);
    for (options.effort = -1; options.effort <= RSD_MAX_SOUND_EFFORT + 1; options.effort += RSD_MAX_SOUND_EFFORT + 2) {
        Bytes bytes = {0};

        cr_assert_eq(encode_all(&bytes, options, samples, 3000, 0, &err), RSD_ERR_ARG);
        cr_assert(strstr(err.text, "1 to 6 are possible"), "%s", err.text);
        bytes_clear(&bytes);
    }
    free(samples);
}

Test(encoder, chooses_stages_by_bitrate)
{
    static const struct {
        double bitrate_bps;
        int n_stages;
    } CASES[] = {{0, 5}, {1, 1}, {500, 1}, {999, 1}, {1000, 2}, {2500, 5}, {1e12, 5}};

    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        Bytes bytes = {0};
        RsdStreamInfo info;

        options.bitrate_bps = CASES[i].bitrate_bps;
        cr_assert_eq(encode_all(&bytes, options, NULL, 0, 0, NULL), RSD_OK);
        cr_assert_eq(rsd_stream_probe(&info, bytes_read, &bytes, NULL, NULL), RSD_OK);
        cr_assert_eq(info.n_stages, CASES[i].n_stages, "%g bit/s: %d stages", CASES[i].bitrate_bps, info.n_stages);
        bytes_clear(&bytes);
    }
}

Test(encoder, refuses_options_out_of_range)
{
    static const struct {
        int n_stages, n_layers, layers[2], frames;
        double bitrate_bps;
        int64_t n_samples;
        const char *says;
    } CASES[] = {
        {.n_stages = 6, .n_samples = -1, .says = "6 stages asked for; model tiny has 5"},
        {.n_stages = -1, .n_samples = -1, .says = "-1 stages"},
        {.bitrate_bps = -5, .n_samples = -1, .says = "bitrate of -5"},
        {.bitrate_bps = NAN, .n_samples = -1, .says = "bitrate of"},
        {.bitrate_bps = 800, .n_stages = 2, .n_samples = -1, .says = "not both"},
        {.n_layers = 16, .n_samples = -1, .says = "16 layers"},
        {.n_layers = -1, .n_samples = -1, .says = "-1 layers"},
        {.n_layers = 2, .layers = {2, 2}, .n_samples = -1, .says = "4 stages together, the stream has 5"},
        {.n_layers = 2, .layers = {5, 0}, .n_samples = -1, .says = "layer 2: 0 stages"},
        {.frames = 4097, .n_samples = -1, .says = "4097 frames per packet"},
        {.frames = -1, .n_samples = -1, .says = "-1 frames per packet"},
        {.n_samples = -2, .says = "-2 samples"},
        {.n_samples = INT64_MAX, .says = "samples; at most"},
    };

    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        RsdEncoderOptions bad = options;
        Bytes bytes = {0};
        RsdError err = {RSD_OK, ""};

        bad.n_stages = CASES[i].n_stages;
        bad.bitrate_bps = CASES[i].bitrate_bps;
        bad.n_layers = CASES[i].n_layers;
        memcpy(bad.layer_stages, CASES[i].layers, sizeof CASES[i].layers);
        bad.frames_per_packet = CASES[i].frames;
        bad.n_samples = CASES[i].n_samples;
        cr_expect_eq(encode_all(&bytes, bad, NULL, 0, 0, &err), RSD_ERR_ARG, "case %zu", i);
        cr_expect_not_null(strstr(err.text, CASES[i].says), "case %zu: %s", i, err.text);
        bytes_clear(&bytes);
    }
    options.model = NULL;
    cr_assert_eq(rsd_encoder_open(&(RsdEncoder *){NULL}, &options, NULL), RSD_ERR_ARG);
}

Test(encoder, names_the_place_of_a_sample_that_is_no_number)
{
    static const float BAD[] = {NAN, INFINITY, -INFINITY};

    for (size_t i = 0; i < 3; i++) {
        float *samples = noise_signal(1, 3000, 7);
        Bytes bytes = {0};
        RsdEncoder *encoder;
        RsdError err;
        size_t size;

        samples[2000] = BAD[i];
        options.name = "bad.wav";
        options.write = bytes_write;
        options.write_ctx = &bytes;
        cr_assert_eq(rsd_encoder_open(&encoder, &options, NULL), RSD_OK);
        cr_assert_eq(rsd_encoder_write(encoder, samples, 3000, 1000, &err), RSD_OK);
        size = bytes.size;
        cr_assert_eq(rsd_encoder_write(encoder, samples + 1000, 3000, 2000, &err), RSD_ERR_NUMERIC);
        cr_assert_not_null(strstr(err.text, "bad.wav: sample 2000 of channel 1 (2.000 s)"), "%s", err.text);
        cr_assert_eq(rsd_encoder_finish(encoder, &err), RSD_ERR_NUMERIC);
        cr_assert_eq(bytes.size, size, "bytes were written after the error");
        rsd_encoder_close(&encoder);
        bytes_clear(&bytes);
        free(samples);
    }
}

Test(encoder, takes_values_far_beyond_full_scale)
{
    float samples[1000];
    Bytes bytes = {0};
    RsdError err = {RSD_OK, ""};

    for (size_t i = 0; i < 1000; i++)
        samples[i] = i % 2 ? 3e38f : -3e38f;
    cr_assert_eq(encode_all(&bytes, options, samples, 1000, 0, &err), RSD_OK, "%s", err.text);
    cr_assert_eq(rsd_stream_scan(&(RsdStreamInfo){0}, NULL, bytes_read, &bytes, NULL, &err), RSD_OK, "%s", err.text);
    bytes_clear(&bytes);
}

Test(encoder, repeats_a_write_error)
{
    float *samples = noise_signal(1, 5000, 8);
    Bytes bytes = {0};
    RsdEncoder *encoder;
    RsdError err;

    options.write = bytes_write;
    options.write_ctx = &bytes;
    bytes.fail_after = 700;
    cr_assert_eq(rsd_encoder_open(&encoder, &options, NULL), RSD_OK);
    cr_assert_eq(rsd_encoder_write(encoder, samples, 5000, 5000, &err), RSD_ERR_IO);
    bytes.fail_after = 0;
    cr_assert_eq(rsd_encoder_write(encoder, samples, 5000, 1, &err), RSD_ERR_IO);
    cr_assert_eq(rsd_encoder_finish(encoder, &err), RSD_ERR_IO);
    cr_assert_not_null(strstr(err.text, "the test's write fails"));
    rsd_encoder_close(&encoder);
    bytes.size = 0;
    bytes.fail_after = 10;
    cr_assert_eq(rsd_encoder_open(&encoder, &options, NULL), RSD_ERR_IO);
    cr_assert_null(encoder);
    bytes_clear(&bytes);
    free(samples);
}

Test(encoder, takes_no_samples_after_the_end)
{
    Bytes bytes = {0};
    RsdEncoder *encoder;
    float sample = 0;

    options.write = bytes_write;
    options.write_ctx = &bytes;
    cr_assert_eq(rsd_encoder_open(&encoder, &options, NULL), RSD_OK);
    cr_assert_eq(rsd_encoder_finish(encoder, NULL), RSD_OK);
    cr_assert_eq(rsd_encoder_finish(encoder, NULL), RSD_OK);
    cr_assert_eq(rsd_encoder_report(encoder)->n_bytes, (int64_t)bytes.size);
    cr_assert_eq(rsd_encoder_write(encoder, &sample, 1, 1, NULL), RSD_ERR_ARG);
    rsd_encoder_close(&encoder);
    bytes_clear(&bytes);
}

Test(encoder, lets_each_allocation_fail_once)
{
    float *samples = noise_signal(1, 1000, 9);
    Bytes bytes = {0};
    RsdStatus status = RSD_ERR_MEMORY;
    int64_t n;

    for (n = 0; status != RSD_OK; n++) {
        mem_fail_after(n);
        status = encode_all(&bytes, options, samples, 1000, 0, NULL);
        mem_fail_after(-1);
        cr_assert(status == RSD_OK || status == RSD_ERR_MEMORY, "allocation %lld: status %d", (long long)n, status);
        cr_assert(n < 1000);
    }
    cr_assert(n > 8, "only %lld allocations", (long long)n);
    bytes_clear(&bytes);
    free(samples);
}

Test(encoder, codes_two_channels)
{
    AudioCodec *stereo = tiny_codec_create(2, 5);
    float *samples = noise_signal(2, 3000, 1), *decoded;
    RsdModel *stereo_model;
    RsdDecoderOptions decoder_options;
    Bytes whole = {0}, blocks = {0};
    size_t n;

    cr_assert_eq(model_from_codec(&stereo_model, stereo, NULL), RSD_OK);
    options.model = stereo_model;
    cr_assert_eq(encode_all(&whole, options, samples, 3000, 0, NULL), RSD_OK);
    cr_assert_eq(encode_all(&blocks, options, samples, 3000, 13, NULL), RSD_OK);
    assert_same(&whole, &blocks, "blocks");
    rsd_decoder_default_options(&decoder_options);
    decoder_options.model = stereo_model;
    cr_assert_eq(decode_all(&decoded, &n, decoder_options, &whole, 0, NULL, NULL), RSD_OK);
    cr_assert_eq(n, 3000);
    cr_assert_neq(memcmp(decoded, decoded + 3000, 3000 * sizeof *decoded), 0, "both channels are the same");
    rsd_model_close(&stereo_model);
    audio_codec_destroy(&stereo);
    bytes_clear(&whole);
    bytes_clear(&blocks);
    free(samples);
    free(decoded);
}
