/* test_decoder.c - the same samples whatever the blocks and threads; damage, cuts and wrong models; no allocation after
 * open.
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "coding.h"
#include "engine/base/mem.h"
#include "engine/base/threads.h"
#include "tiny_codec.h"

static AudioCodec *codec;
static RsdModel *model;
static RsdDecoderOptions options;

static void open_model(void)
{
    codec = tiny_codec_create(1, 5);
    cr_assert_eq(model_from_codec(&model, codec, NULL), RSD_OK);
    rsd_decoder_default_options(&options);
    options.model = model;
    options.name = "test.rsd";
}

static void close_model(void)
{
    rsd_model_close(&model);
    audio_codec_destroy(&codec);
}

TestSuite(decoder, .init = open_model, .fini = close_model);

static void encode(Bytes *bytes, size_t n, int frames_per_packet, int64_t announced)
{
    float *samples = noise_signal(1, n, 1);
    RsdEncoderOptions encoder_options;
    RsdError err = {RSD_OK, ""};

    rsd_encoder_default_options(&encoder_options);
    encoder_options.model = model;
    encoder_options.frames_per_packet = frames_per_packet;
    encoder_options.n_samples = announced;
    cr_assert_eq(encode_all(bytes, encoder_options, samples, n, 0, &err), RSD_OK, "%s", err.text);
    free(samples);
}

static void assert_same(const float *a, const float *b, size_t n, const char *what)
{
    for (size_t i = 0; i < n; i++)
        cr_assert_eq(memcmp(a + i, b + i, sizeof *a), 0, "%s: sample %zu is %.9g and %.9g", what, i, (double)a[i],
                     (double)b[i]);
}

static double energy(const float *samples, size_t n)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += (double)samples[i] * (double)samples[i];
    return sum;
}

Test(decoder, gives_the_exact_length_and_the_same_samples_for_any_blocks)
{
    static const size_t LENGTHS[] = {0, 1, 7, 8, 9, 999, 1000, 1001, 2000, 2403}, BLOCKS[] = {1, 7, 8, 1000, 10000};

    for (size_t i = 0; i < sizeof LENGTHS / sizeof *LENGTHS; i++) {
        Bytes bytes = {0};
        RsdError err = {RSD_OK, ""};
        float *whole, *blocks;
        size_t n;

        encode(&bytes, LENGTHS[i], 0, RSD_UNKNOWN_LENGTH);
        cr_assert_eq(decode_all(&whole, &n, options, &bytes, 0, NULL, &err), RSD_OK, "%s", err.text);
        cr_assert_eq(n, LENGTHS[i], "%zu samples, expected %zu", n, LENGTHS[i]);
        for (size_t k = 0; k < sizeof BLOCKS / sizeof *BLOCKS; k++) {
            bytes.block = BLOCKS[k] == 7 ? 1 : 0;
            cr_assert_eq(decode_all(&blocks, &n, options, &bytes, BLOCKS[k], NULL, &err), RSD_OK);
            cr_assert_eq(n, LENGTHS[i]);
            assert_same(whole, blocks, n, "blocks");
            free(blocks);
        }
        free(whole);
        bytes_clear(&bytes);
    }
}

Test(decoder, gives_the_same_samples_for_any_number_of_threads)
{
    Bytes bytes = {0};
    float *one, *two;
    size_t n;

    encode(&bytes, 5000, 0, RSD_UNKNOWN_LENGTH);
    cr_assert_eq(decode_all(&one, &n, options, &bytes, 0, NULL, NULL), RSD_OK);
    cr_assert_eq(rsd_threads_create(&options.threads, 2, NULL), RSD_OK);
    cr_assert_eq(decode_all(&two, &n, options, &bytes, 0, NULL, NULL), RSD_OK);
    assert_same(one, two, n, "threads");
    rsd_threads_destroy(&options.threads);
    free(one);
    free(two);
    bytes_clear(&bytes);
}

/* What the stream says is what the network says of the whole signal at once. */
Test(decoder, equals_the_network_on_the_whole_signal)
{
    const size_t n = 2400, n_frames = n / TINY_HOP;
    const int64_t shape[3] = {1, 1, (int64_t)n};
    float *samples = noise_signal(1, n, 1), *decoded;
    uint16_t *codes = malloc(TINY_STAGES * n_frames * sizeof *codes);
    RsdThreads *threads;
    Tape *tape;
    Tensor *x, *z, *y;
    Bytes bytes = {0};
    size_t n_decoded;

    cr_assert_eq(rsd_threads_create(&threads, 1, NULL), RSD_OK);
    cr_assert_eq(tape_create(&tape, threads, 0, NULL), RSD_OK);
    cr_assert_eq(tape_input(tape, &x, 3, shape, samples, NULL), RSD_OK);
    cr_assert_eq(seanet_encode(tape, codec->net, x, &z, NULL), RSD_OK);
    cr_assert_eq(audio_codec_find_codes(tape, codec, z, TINY_STAGES, 4, codes, NULL), RSD_OK);
    cr_assert_eq(rvq_decode(tape, codec->rvq, codes, 1, TINY_STAGES, (int64_t)n_frames, &z, NULL), RSD_OK);
    cr_assert_eq(seanet_decode(tape, codec->net, z, &y, NULL), RSD_OK);
    encode(&bytes, n, 37, RSD_UNKNOWN_LENGTH);
    cr_assert_eq(decode_all(&decoded, &n_decoded, options, &bytes, 0, NULL, NULL), RSD_OK);
    cr_assert_eq(n_decoded, n);
    cr_assert_gt(energy(decoded, n), 1e-3, "the test's codec is silent");
    for (size_t i = 0; i < n; i++)
        cr_assert_float_eq(decoded[i], y->data[i], 1e-5, "sample %zu is %g, the network says %g", i, (double)decoded[i],
                           (double)y->data[i]);
    tape_destroy(&tape);
    rsd_threads_destroy(&threads);
    free(decoded);
    free(samples);
    free(codes);
    bytes_clear(&bytes);
}

Test(decoder, allocates_nothing_after_open)
{
    static const int FRAMES[] = {0, 1, 3000};

    for (size_t i = 0; i < sizeof FRAMES / sizeof *FRAMES; i++) {
        Bytes bytes = {0};
        RsdDecoder *decoder;
        float samples[777];
        size_t n_read, n = 0;
        int64_t n_before;

        encode(&bytes, 49999, FRAMES[i], RSD_UNKNOWN_LENGTH);
        options.read = bytes_read;
        options.read_ctx = &bytes;
        cr_assert_eq(rsd_decoder_open(&decoder, &options, NULL), RSD_OK);
        n_before = mem_allocation_count();
        do {
            cr_assert_eq(rsd_decoder_read(decoder, samples, 777, 777, &n_read, NULL), RSD_OK);
            n += n_read;
        } while (n_read > 0);
        cr_assert_eq(n, 49999);
        cr_assert_eq(mem_allocation_count(), n_before, "%lld allocations",
                     (long long)(mem_allocation_count() - n_before));
        rsd_decoder_close(&decoder);
        bytes_clear(&bytes);
    }
}

Test(decoder, fewer_stages_sound_as_the_cut_stream)
{
    for (int n_layers = 1; n_layers <= 2; n_layers++) {
        Bytes full = {0}, low = {0};
        float *some, *cut;
        size_t n;

        encode(&full, 3000, 0, RSD_UNKNOWN_LENGTH);
        cr_assert_eq(rsd_stream_cut(NULL,
                                    &(RsdCutOptions){.read = bytes_read,
                                                     .read_ctx = &full,
                                                     .write = bytes_write,
                                                     .write_ctx = &low,
                                                     .n_layers = n_layers},
                                    NULL),
                     RSD_OK);
        options.max_stages = 0;
        cr_assert_eq(decode_all(&cut, &n, options, &low, 0, NULL, NULL), RSD_OK);
        options.max_stages = n_layers == 1 ? 3 : 5;
        cr_assert_eq(decode_all(&some, &n, options, &full, 0, NULL, NULL), RSD_OK);
        cr_assert_eq(n, 3000);
        assert_same(some, cut, n, "fewer stages");
        free(some);
        free(cut);
        bytes_clear(&full);
        bytes_clear(&low);
    }
}

/* Every byte flipped in turn: strict gives a status or the signal's prefix; keeping going gives the exact length, or
 * says that the end is missing. */
Test(decoder, survives_every_flipped_byte)
{
    const size_t n = 2100;
    Bytes sound = {0}, bytes = {0};
    float *whole, *decoded;
    size_t n_whole, n_decoded;

    encode(&sound, n, 0, (int64_t)n);
    cr_assert_eq(decode_all(&whole, &n_whole, options, &sound, 0, NULL, NULL), RSD_OK);
    for (size_t i = 0; i < sound.size; i++) {
        RsdError err = {RSD_OK, ""};
        RsdStatus status;

        bytes_copy(&bytes, &sound);
        bytes.data[i] ^= (uint8_t)(1 << i % 8);
        options.keep_going = false;
        status = decode_all(&decoded, &n_decoded, options, &bytes, 0, NULL, &err);
        cr_assert_neq(status, RSD_OK, "byte %zu", i);
        cr_assert(strlen(err.text) > 10);
        cr_assert(n_decoded % TINY_PACKET == 0 || n_decoded == n, "byte %zu: %zu samples", i, n_decoded);
        assert_same(whole, decoded, n_decoded, "before the damage");
        free(decoded);
        options.keep_going = true;
        status = decode_all(&decoded, &n_decoded, options, &bytes, 0, NULL, &err);
        if (i >= 50) {
            cr_assert_eq(n_decoded, n, "byte %zu: %zu samples", i, n_decoded);
            cr_assert(status == RSD_OK || i >= sound.size - 22, "byte %zu: %s", i, err.text);
        } else {
            cr_assert_neq(status, RSD_OK, "byte %zu of the header", i);
        }
        free(decoded);
    }
    free(whole);
    bytes_clear(&sound);
    bytes_clear(&bytes);
}

Test(decoder, decodes_everything_before_every_cut)
{
    Bytes sound = {0}, bytes = {0};
    float *whole, *decoded;
    size_t n_whole, n_decoded, n_before = 0;

    encode(&sound, 2100, 0, 2100);
    cr_assert_eq(decode_all(&whole, &n_whole, options, &sound, 0, NULL, NULL), RSD_OK);
    for (size_t size = 0; size < sound.size; size++) {
        RsdError err = {RSD_OK, ""};

        bytes_copy(&bytes, &sound);
        bytes.size = size;
        cr_assert_eq(decode_all(&decoded, &n_decoded, options, &bytes, 0, NULL, &err), RSD_ERR_CORRUPT, "cut at %zu",
                     size);
        cr_assert(n_decoded >= n_before, "cut at %zu: %zu samples, a shorter stream had %zu", size, n_decoded,
                  n_before);
        assert_same(whole, decoded, n_decoded, "before the cut");
        n_before = n_decoded;
        free(decoded);
    }
    cr_assert_eq(n_before, 2100);
    free(whole);
    bytes_clear(&sound);
    bytes_clear(&bytes);
}

Test(decoder, fills_lost_packets_with_silence_and_starts_afresh)
{
    Bytes bytes = {0}, rest = {0};
    float *whole, *decoded;
    RsdStreamReport report;
    RsdError err;
    size_t begin, end, n, packet_size;

    encode(&bytes, 4000, 0, RSD_UNKNOWN_LENGTH);
    cr_assert_eq(decode_all(&whole, &n, options, &bytes, 0, NULL, NULL), RSD_OK);
    stream_packet_at(&bytes, 1, &begin, &end);
    packet_size = end - begin;
    bytes_copy(&rest, &bytes);
    memmove(rest.data + begin, rest.data + end, rest.size - end);
    rest.size -= packet_size;
    cr_assert_eq(decode_all(&decoded, &n, options, &rest, 0, NULL, &err), RSD_ERR_CORRUPT);
    cr_assert_eq(n, TINY_PACKET);
    cr_assert_str_eq(
        err.text,
        "test.rsd: packet 1 at 1.00 s: number 2, expected 1; decode with --keep-going to fill damage with silence");
    free(decoded);
    options.keep_going = true;
    cr_assert_eq(decode_all(&decoded, &n, options, &rest, 33, &report, &err), RSD_OK);
    cr_assert_eq(n, 4000);
    cr_assert_eq(report.n_lost, 1);
    assert_same(whole, decoded, TINY_PACKET, "before the loss");
    cr_assert_eq(energy(decoded + TINY_PACKET, TINY_PACKET), 0.0, "a lost packet is not silent");
    cr_assert_gt(energy(decoded + 2 * TINY_PACKET, TINY_PACKET), 0.1 * energy(whole + 2 * TINY_PACKET, TINY_PACKET));
    /* The network forgets: the end of the signal is as if nothing had been lost. */
    for (size_t i = 3 * TINY_PACKET; i < 4000; i++)
        cr_assert_float_eq(decoded[i], whole[i], 1e-5, "sample %zu: %g, without loss %g", i, (double)decoded[i],
                           (double)whole[i]);
    free(whole);
    free(decoded);
    bytes_clear(&bytes);
    bytes_clear(&rest);
}

static void count_note(void *ctx, const char *text)
{
    cr_assert_not_null(strstr(text, "test.rsd: packet "), "%s", text);
    ++*(int *)ctx;
}

Test(decoder, tells_of_each_place_of_damage)
{
    Bytes bytes = {0};
    float *decoded;
    size_t begin, end, n;
    int n_notes = 0;

    encode(&bytes, 8000, 0, 8000);
    for (size_t i = 9; i-- > 0;) /* from the back: the walk to a packet needs sound ones before it */
        if (i % 3 == 1) {
            stream_packet_at(&bytes, i, &begin, &end);
            bytes.data[begin + 40] ^= 4;
        }
    options.keep_going = true;
    options.on_damage = count_note;
    options.damage_ctx = &n_notes;
    cr_assert_eq(decode_all(&decoded, &n, options, &bytes, 0, NULL, NULL), RSD_OK);
    cr_assert_eq(n, 8000);
    cr_assert_eq(n_notes, 3);
    free(decoded);
    bytes_clear(&bytes);
}

Test(decoder, needs_the_model_that_encoded)
{
    Bytes bytes = {0};
    RsdModelInfo right = model->info;
    RsdError err;
    float *decoded;
    size_t n;

    encode(&bytes, 1000, 0, RSD_UNKNOWN_LENGTH);
    model->info.hash[7] = model->codec->hash[7] = 1;
    cr_assert_eq(decode_all(&decoded, &n, options, &bytes, 0, NULL, &err), RSD_ERR_MODEL);
    cr_assert_not_null(strstr(err.text,
                              "test.rsd: needs model tiny with hash 0000000000000000; this one has 0000000000000001"),
                       "%s", err.text);
    model->codec->bases.n = 1; /* zeros: the hash in the stream */
    cr_assert_eq(decode_all(&decoded, &n, options, &bytes, 0, NULL, &err), RSD_OK, "%s", err.text);
    cr_assert_eq(n, 1000);
    free(decoded);
    model->codec->bases.n = 0;
    model->codec->hash[7] = 0;
    model->info = right;
    strcpy(model->info.name, "other");
    cr_assert_eq(decode_all(&decoded, &n, options, &bytes, 0, NULL, &err), RSD_ERR_MODEL);
    cr_assert_str_eq(err.text, "test.rsd: needs model tiny; this is other");
    model->info = right;
    options.model = NULL;
    cr_assert_eq(decode_all(&decoded, &n, options, &bytes, 0, NULL, &err), RSD_ERR_MODEL);
    cr_assert_not_null(strstr(err.text, "test.rsd: "), "%s", err.text);
    bytes_clear(&bytes);
}

/* The right name and hash with other numbers can only be a forged header: nothing may be allocated by them. */
Test(decoder, refuses_headers_that_contradict_their_model)
{
    static const struct {
        int rate_hz, channels, hop, bits, stages;
    } CASES[] = {{1001, 1, 8, 4, 5}, {1000, 64, 8, 4, 5}, {1000, 1, 65535, 4, 5},
                 {1000, 1, 8, 5, 5}, {1000, 1, 8, 4, 6},  {1000, 1, 8, 4, 64}};

    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        StreamHeader header;
        Bytes bytes = {0};
        RsdError err = {RSD_OK, ""};
        float *decoded;
        size_t n;

        header_example(&header);
        strcpy(header.info.model_name, "tiny");
        memset(header.info.model_hash, 0, sizeof header.info.model_hash);
        header.info.rate_hz = CASES[i].rate_hz;
        header.info.channels = CASES[i].channels;
        header.info.hop_samples = CASES[i].hop;
        header.info.bits_per_code = CASES[i].bits;
        header.info.n_layers = 1;
        header.info.layer_stages[0] = CASES[i].stages;
        cr_assert_eq(header_complete(&header, RSD_ERR_ARG, NULL), RSD_OK);
        stream_example(&bytes, &header, 800, 1);
        cr_assert_eq(decode_all(&decoded, &n, options, &bytes, 0, NULL, &err), RSD_ERR_CORRUPT, "case %zu", i);
        cr_assert_not_null(strstr(err.text, "model tiny has 1000 Hz"), "%s", err.text);
        bytes_clear(&bytes);
    }
}

Test(decoder, hands_on_and_repeats_read_errors)
{
    Bytes bytes = {0};
    RsdDecoder *decoder;
    RsdError err;
    float samples[64];
    size_t n_read;
    RsdStatus status;

    encode(&bytes, 4000, 0, 4000);
    bytes.fail_after = bytes.size / 2;
    options.read = bytes_read;
    options.read_ctx = &bytes;
    cr_assert_eq(rsd_decoder_open(&decoder, &options, NULL), RSD_OK);
    do
        status = rsd_decoder_read(decoder, samples, 64, 64, &n_read, &err);
    while (status == RSD_OK && n_read > 0);
    cr_assert_eq(status, RSD_ERR_IO);
    bytes.fail_after = 0;
    cr_assert_eq(rsd_decoder_read(decoder, samples, 64, 64, &n_read, &err), RSD_ERR_IO);
    cr_assert_eq(n_read, 0);
    cr_assert_not_null(strstr(err.text, "the test's read fails"));
    rsd_decoder_close(&decoder);
    bytes_clear(&bytes);
}

Test(decoder, lets_each_allocation_fail_once)
{
    Bytes bytes = {0};
    RsdStatus status = RSD_ERR_MEMORY;
    float *decoded;
    size_t n_decoded;
    int64_t n;

    encode(&bytes, 1000, 0, RSD_UNKNOWN_LENGTH);
    for (n = 0; status != RSD_OK; n++) {
        mem_fail_after(n);
        status = decode_all(&decoded, &n_decoded, options, &bytes, 0, NULL, NULL);
        mem_fail_after(-1);
        free(decoded);
        cr_assert(status == RSD_OK || status == RSD_ERR_MEMORY, "allocation %lld: status %d", (long long)n, status);
        cr_assert(n < 1000);
    }
    cr_assert(n > 8);
    bytes_clear(&bytes);
}

Test(decoder, wants_a_read_function)
{
    RsdDecoder *decoder;

    cr_assert_eq(rsd_decoder_open(&decoder, &options, NULL), RSD_ERR_ARG);
    cr_assert_null(decoder);
}
