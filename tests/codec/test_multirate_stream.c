/* test_multirate_stream.c - streams of a model whose codes stand for several frames: fewer bits, the same sound, whole and cut.
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coding.h"
#include "engine/base/threads.h"
#include "tiny_codec.h"

static AudioCodec *codec;
static RsdModel *model;
static RsdEncoderOptions options;
static RsdDecoderOptions decoding;

static void open_model(void)
{
    codec = tiny_codec_create_multirate(5);
    cr_assert_eq(model_from_codec(&model, codec, NULL), RSD_OK);
    rsd_encoder_default_options(&options);
    rsd_decoder_default_options(&decoding);
    options.model = decoding.model = model;
}

static void close_model(void)
{
    rsd_model_close(&model);
    audio_codec_destroy(&codec);
}

TestSuite(multirate_stream, .init = open_model, .fini = close_model);

Test(multirate_stream, says_what_the_network_says_in_fewer_bits)
{
    const size_t n = 2400, n_frames = n / TINY_HOP;
    float *samples = noise_signal(1, n, 1), *decoded;
    uint16_t *codes = malloc(TINY_STAGES * n_frames * sizeof *codes);
    RsdThreads *threads;
    RsdStreamInfo info;
    RsdStreamReport report;
    double energy = 0.0;
    Tape *tape;
    Tensor *x, *z, *y;
    Bytes bytes = {0};
    size_t n_decoded;
    RsdError err = {0};

    cr_assert_eq(rsd_threads_create(&threads, 1, NULL), RSD_OK);
    cr_assert_eq(tape_create(&tape, threads, 0, NULL), RSD_OK);
    cr_assert_eq(tape_input(tape, &x, 3, (int64_t[3]){1, 1, (int64_t)n}, samples, NULL), RSD_OK);
    cr_assert_eq(audio_codec_encode(tape, codec, x, TINY_STAGES, 1, codes, &err), RSD_OK, "%s", err.text);
    cr_assert_eq(audio_codec_latents(tape, codec, codes, 1, TINY_STAGES, (int64_t)n_frames, &z, &err), RSD_OK, "%s", err.text);
    cr_assert_eq(audio_codec_decode(tape, codec, z, &y, &err), RSD_OK, "%s", err.text);
    options.frames_per_packet = 36;
    cr_assert_eq(encode_all(&bytes, options, samples, n, 0, &err), RSD_OK, "%s", err.text);
    cr_assert_eq(rsd_stream_scan(&info, &report, bytes_read, &bytes, NULL, &err), RSD_OK, "%s", err.text);
    cr_expect_eq(info.n_layers, 4);
    cr_expect_arr_eq(info.layer_stages, ((int[]){1, 1, 1, 2}), 4 * sizeof(int));
    cr_expect_arr_eq(info.layer_strides, ((int[]){4, 2, 1, 1}), 4 * sizeof(int));
    cr_expect_float_eq(info.bitrate_bps, 500.0 * (0.25 + 0.5 + 3.0), 1e-9, "%g bit/s", info.bitrate_bps);
    cr_expect_float_eq(rsd_model_info(model)->bitrate_bps, info.bitrate_bps, 1e-9);
    bytes.at = 0;
    cr_assert_eq(decode_all(&decoded, &n_decoded, decoding, &bytes, 0, NULL, &err), RSD_OK, "%s", err.text);
    cr_assert_eq(n_decoded, n);
    for (size_t i = 0; i < n; i++) {
        energy += (double)decoded[i] * decoded[i];
        cr_assert_float_eq(decoded[i], y->data[i], 1e-5, "sample %zu is %g, the network says %g", i, (double)decoded[i],
                           (double)y->data[i]);
    }
    cr_expect_gt(energy, 1e-3, "the test's codec is silent");
    tape_destroy(&tape);
    rsd_threads_destroy(&threads);
    free(decoded);
    free(samples);
    free(codes);
    bytes_clear(&bytes);
}

Test(multirate_stream, keeps_every_length_and_the_bytes_for_any_blocks)
{
    static const size_t LENGTHS[] = {0, 1, 7, 8, 9, 33, 992, 993, 1000, 3501};

    for (size_t i = 0; i < sizeof LENGTHS / sizeof *LENGTHS; i++) {
        float *samples = noise_signal(1, LENGTHS[i], 1), *decoded;
        Bytes whole = {0}, blocks = {0};
        RsdError err = {0};
        size_t n;

        cr_assert_eq(encode_all(&whole, options, samples, LENGTHS[i], 0, &err), RSD_OK, "%s", err.text);
        cr_assert_eq(encode_all(&blocks, options, samples, LENGTHS[i], 3, &err), RSD_OK, "%s", err.text);
        cr_assert_eq(whole.size, blocks.size);
        cr_expect_arr_eq(whole.data, blocks.data, whole.size);
        cr_assert_eq(decode_all(&decoded, &n, decoding, &whole, 0, NULL, &err), RSD_OK, "%s", err.text);
        cr_expect_eq(n, LENGTHS[i]);
        free(decoded);
        free(samples);
        bytes_clear(&whole);
        bytes_clear(&blocks);
    }
}

Test(multirate_stream, cut_it_is_what_the_encoder_writes_at_the_lower_rate)
{
    static const struct {
        double bitrate_bps;
        int n_stages;
    } CASES[] = {{125, 1}, {375, 2}, {400, 2}, {875, 3}, {1874, 3}, {1875, 5}};
    float *samples = noise_signal(1, 3000, 6);

    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        Bytes full = {0}, low = {0}, out = {0};
        RsdStreamInfo info;
        RsdEncoderOptions lower = options;
        RsdError err = {0};

        cr_assert_eq(encode_all(&full, options, samples, 3000, 0, NULL), RSD_OK);
        lower.n_stages = CASES[i].n_stages;
        cr_assert_eq(encode_all(&low, lower, samples, 3000, 0, NULL), RSD_OK);
        cr_assert_eq(rsd_stream_cut(&info, &(RsdCutOptions){.read = bytes_read, .read_ctx = &full, .write = bytes_write,
                                                            .write_ctx = &out, .bitrate_bps = CASES[i].bitrate_bps}, &err),
                     RSD_OK, "%s", err.text);
        cr_expect_eq(info.n_stages, CASES[i].n_stages, "%g bit/s: %d stages", CASES[i].bitrate_bps, info.n_stages);
        cr_assert_eq(out.size, low.size);
        cr_expect_arr_eq(out.data, low.data, out.size);
        bytes_clear(&full);
        bytes_clear(&low);
        bytes_clear(&out);
    }
    free(samples);
}

Test(multirate_stream, refuses_packets_and_layers_that_cut_a_code)
{
    RsdEncoder *encoder;
    RsdError err = {0};

    options.on_codes = NULL;
    options.write = bytes_write;
    options.frames_per_packet = 125;
    cr_expect_eq(rsd_encoder_open(&encoder, &options, &err), RSD_ERR_ARG);
    cr_expect_not_null(strstr(err.text, "no whole number"), "%s", err.text);
    options.frames_per_packet = 0;
    options.n_layers = 2;
    options.layer_stages[0] = 2;
    options.layer_stages[1] = 3;
    cr_expect_eq(rsd_encoder_open(&encoder, &options, &err), RSD_ERR_ARG);
    cr_expect_not_null(strstr(err.text, "a layer has one kind"), "%s", err.text);
    options.n_layers = 0;
    options.container = RSD_CONTAINER_ECDC;
    cr_expect_eq(rsd_encoder_open(&encoder, &options, &err), RSD_ERR_UNSUPPORTED);
}
