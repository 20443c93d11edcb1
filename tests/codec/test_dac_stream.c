/* test_dac_stream.c - .rsd streams of a network that looks ahead: they hold the codes and give the samples of the whole network,
 * whatever the blocks and packets; lengths are exact; holes keep their place.
 *
 * SPDX-License-Identifier: MIT
 */
#include "codec/model.h"
#include "engine/base/mem.h"
#include "tests/codec/coding.h"
#include "tests/shared.h"

#include <unistd.h>

#define HOP 30
#define STAGES 3

static RsdError err;
static AudioCodec *codec;
static RsdModel *model;
static RsdEncoderOptions encoding;
static RsdDecoderOptions decoding;

static void open_codec(void)
{
    AudioCodecConfig cfg = {.name = "tiny_dac",
                            .rate_hz = 8000,
                            .network = AUDIO_DAC,
                            .dac = {.encoder_dim = 4,
                                    .n_encoder_rates = 3,
                                    .encoder_rates = {2, 3, 5},
                                    .latent_dim = 6,
                                    .decoder_dim = 16,
                                    .n_decoder_rates = 3,
                                    .decoder_rates = {5, 3, 2}},
                            .projected_rvq = {.n_q = STAGES, .codebook_size = 50, .code_dim = 3, .dim = 6}};

    ASSERT_OK(audio_codec_create(&codec, &cfg, 11, &err), err);
    ASSERT_OK(model_from_codec(&model, codec, &err), err);
    rsd_encoder_default_options(&encoding);
    encoding.model = model;
    rsd_decoder_default_options(&decoding);
    decoding.model = model;
}

static void close_codec(void)
{
    rsd_model_close(&model);
    audio_codec_destroy(&codec);
}

TestSuite(dac_stream, .init = open_codec, .fini = close_codec);

/* The whole network on samples [n], filled up with zeros to whole frames; malloc. */
static float *whole_network(const float *samples, size_t n, size_t *n_decoded)
{
    size_t n_frames = (n + HOP - 1) / HOP;
    uint16_t *codes = malloc(STAGES * n_frames * sizeof *codes);
    RsdThreads *threads;
    Tensor *x, *z, *y;
    float *decoded;
    Tape *tape;

    ASSERT_OK(rsd_threads_create(&threads, 1, &err), err);
    ASSERT_OK(tape_create(&tape, threads, 0, &err), err);
    ASSERT_OK(tape_tensor(tape, &x, 3, (int64_t[]){1, 1, (int64_t)n_frames * HOP}, &err), err);
    memset(x->data, 0, n_frames * HOP * sizeof *x->data);
    memcpy(x->data, samples, n * sizeof *samples);
    ASSERT_OK(audio_codec_encode(tape, codec, x, STAGES, 1, codes, &err), err);
    ASSERT_OK(audio_codec_latents(tape, codec, codes, 1, STAGES, (int64_t)n_frames, &z, &err), err);
    ASSERT_OK(audio_codec_decode(tape, codec, z, &y, &err), err);
    *n_decoded = (size_t)y->shape[2];
    decoded = malloc(*n_decoded * sizeof *decoded);
    memcpy(decoded, y->data, *n_decoded * sizeof *decoded);
    tape_destroy(&tape);
    rsd_threads_destroy(&threads);
    free(codes);
    return decoded;
}

Test(dac_stream, gives_the_bits_of_the_whole_network_at_any_length_block_and_packet)
{
    const size_t lengths[] = {0, 1, HOP, HOP + 1, 40 * HOP, 4001}, blocks[] = {0, 37};
    const int packets[] = {0, 1, 7};

    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        size_t n = lengths[i], n_whole = 0;
        float *samples = noise_signal(1, n + 1, 1), *whole = n ? whole_network(samples, n, &n_whole) : NULL;

        for (size_t j = 0; j < 6; j++) {
            Bytes bytes = {0};
            float *decoded;
            size_t n_decoded;

            encoding.frames_per_packet = packets[j / 2];
            ASSERT_OK(encode_all(&bytes, encoding, samples, n, blocks[j % 2], &err), err);
            ASSERT_OK(decode_all(&decoded, &n_decoded, decoding, &bytes, j % 2 ? 11 : 0, NULL, &err), err);
            cr_assert_eq(n_decoded, n, "%zu samples of %zu", n_decoded, n);
            for (size_t t = 0; t < n; t++) { /* odd rates lose some samples at the end (audio.md 2.2) */
                float expected = t < n_whole ? whole[t] : 0.0f;

                cr_assert(decoded[t] == expected, "length %zu, packets of %d: sample %zu is %.9g, expected %.9g", n,
                          packets[j / 2], t, (double)decoded[t], (double)expected);
            }
            free(decoded);
            bytes_clear(&bytes);
        }
        free(samples);
        free(whole);
    }
}

/* That is the last sample of the packet and what the encoder looks ahead. */
Test(dac_stream, a_packet_leaves_with_the_last_sample_that_it_needs)
{
    const int packets[] = {1, 7, 266, 800};
    const size_t lag = (size_t)audio_codec_encoder_lag(&codec->config) * HOP;

    cr_assert_gt(lag, 0);
    for (size_t i = 0; i < sizeof packets / sizeof *packets; i++) {
        const size_t n = (size_t)packets[i] * HOP;
        float *samples = noise_signal(1, 3 * n + lag, 3);
        Bytes bytes = {0};
        RsdEncoder *encoder;
        int64_t n_before;

        encoding.frames_per_packet = packets[i];
        encoding.write = bytes_write;
        encoding.write_ctx = &bytes;
        ASSERT_OK(rsd_encoder_open(&encoder, &encoding, &err), err);
        n_before = mem_allocation_count();
        ASSERT_OK(rsd_encoder_write(encoder, samples, lag, lag, &err), err);
        for (int64_t k = 0; k < 3; k++) {
            const float *packet = samples + lag + (size_t)k * n;

            ASSERT_OK(rsd_encoder_write(encoder, packet, n, n - 1, &err), err);
            cr_assert_eq(rsd_encoder_report(encoder)->n_packets, k);
            ASSERT_OK(rsd_encoder_write(encoder, packet + n - 1, n, 1, &err), err);
            cr_assert_eq(rsd_encoder_report(encoder)->n_packets, k + 1, "%d frames per packet", packets[i]);
        }
        ASSERT_OK(rsd_encoder_finish(encoder, &err), err);
        cr_assert_eq(mem_allocation_count(), n_before, "%d frames per packet: %lld allocations", packets[i],
                     (long long)(mem_allocation_count() - n_before));
        rsd_encoder_close(&encoder);
        bytes_clear(&bytes);
        free(samples);
    }
}

Test(dac_stream, lost_packets_leave_the_rest_in_its_place)
{
    const size_t n = 200 * HOP;
    float *samples = noise_signal(1, n, 2), *good, *damaged;
    size_t n_good, n_damaged, begin, end, n_different = 0;
    Bytes bytes = {0};

    encoding.frames_per_packet = 10;
    ASSERT_OK(encode_all(&bytes, encoding, samples, n, 0, &err), err);
    ASSERT_OK(decode_all(&good, &n_good, decoding, &bytes, 0, NULL, &err), err);
    stream_packet_at(&bytes, 6, &begin, &end);
    memset(bytes.data + begin, 0x5a, end - begin);
    bytes.at = 0;
    decoding.keep_going = true;
    ASSERT_OK(decode_all(&damaged, &n_damaged, decoding, &bytes, 0, NULL, &err), err);
    cr_assert_eq(n_damaged, n);
    for (size_t t = 0; t < n; t++) {
        bool near_hole = t + 20 * HOP >= 60 * HOP && t < 90 * HOP;

        n_different += good[t] != damaged[t];
        cr_assert(near_hole || good[t] == damaged[t], "sample %zu", t);
    }
    cr_assert_gt(n_different, 5 * HOP);
    free(samples);
    free(good);
    free(damaged);
    bytes_clear(&bytes);
}

Test(dac_stream, a_stream_that_breaks_off_gives_all_that_was_there)
{
    const size_t n = 100 * HOP;
    float *samples = noise_signal(1, n, 3), *decoded;
    size_t n_decoded, begin, end;
    Bytes bytes = {0};

    encoding.frames_per_packet = 10;
    ASSERT_OK(encode_all(&bytes, encoding, samples, n, 0, &err), err);
    stream_packet_at(&bytes, 8, &begin, &end);
    bytes.size = begin;
    decoding.keep_going = true;
    ASSERT_FAILS(decode_all(&decoded, &n_decoded, decoding, &bytes, 0, NULL, &err), RSD_ERR_CORRUPT, err, "end");
    cr_assert_eq(n_decoded, 80 * HOP, "%zu samples", n_decoded);
    free(samples);
    free(decoded);
    bytes_clear(&bytes);
}

Test(dac_stream, the_delay_counts_what_the_network_looks_ahead)
{
    const RsdModelInfo *info = rsd_model_info(model);
    int64_t lag = HOP * dac_encoder_lag(&codec->config.dac) + dac_decoder_lag(&codec->config.dac, DAC_PAD_ZERO);

    cr_assert_eq(info->hop_samples, HOP);
    cr_assert_eq(info->delay_samples, HOP + lag);
    cr_assert_gt(lag, 5 * HOP);
}

Test(dac_stream, a_model_file_of_the_network_comes_back)
{
    char path[] = "/tmp/residua_dac_XXXXXX";
    AudioCodec *loaded;
    int fd = mkstemp(path);

    cr_assert(fd >= 0);
    close(fd);
    ASSERT_OK(audio_codec_save(codec, path, DTYPE_F32, false, NULL, &err), err);
    ASSERT_OK(audio_codec_load(&loaded, path, &err), err);
    cr_assert_str_eq(loaded->config.name, codec->config.name);
    cr_assert_eq(loaded->config.rate_hz, codec->config.rate_hz);
    cr_assert_eq((int)loaded->config.network, (int)codec->config.network);
    cr_assert_eq(memcmp(&loaded->config.dac, &codec->config.dac, sizeof codec->config.dac), 0);
    cr_assert_eq(loaded->config.projected_rvq.n_q, codec->config.projected_rvq.n_q);
    cr_assert_eq(loaded->config.projected_rvq.codebook_size, codec->config.projected_rvq.codebook_size);
    cr_assert_eq(loaded->config.projected_rvq.code_dim, codec->config.projected_rvq.code_dim);
    cr_assert_eq(loaded->config.projected_rvq.dim, codec->config.projected_rvq.dim);
    for (int s = 0; s < codec->config.projected_rvq.n_q; s++)
        cr_assert_eq(projected_rvq_stride(&loaded->config.projected_rvq, s), projected_rvq_stride(&codec->config.projected_rvq, s));
    for (size_t i = 0; i < codec->params->n_items; i++)
        ASSERT_SAME_BITS(codec->params->items[i].name, loaded->params->items[i].tensor->data,
                         codec->params->items[i].tensor->data, tensor_count(codec->params->items[i].tensor));
    audio_codec_destroy(&loaded);
    unlink(path);
}

/* ---- codes without a stream ---- */

typedef struct Taken {
    uint16_t codes[STAGES * 400]; /* [frames, stages] */
    int64_t n_frames;
} Taken;

static RsdStatus take(void *ctx, const uint16_t *codes, int n_stages, RsdError *error)
{
    Taken *taken = ctx;

    (void)error;
    cr_assert_eq(n_stages, STAGES);
    cr_assert_lt(taken->n_frames, 400);
    memcpy(taken->codes + taken->n_frames++ * STAGES, codes, STAGES * sizeof *codes);
    return RSD_OK;
}

Test(dac_stream, codes_come_out_and_give_latents_and_the_samples_of_the_stream)
{
    const size_t n = 301 * HOP - 7, n_frames = 301, dim = 6;
    float *samples = noise_signal(1, n, 4), *decoded, *latents, one[7];
    uint16_t *codes = malloc(STAGES * n_frames * sizeof *codes);
    size_t n_decoded, n_read, at = 0;
    Taken taken = {.n_frames = 0};
    RsdCodesDecoder *decoder;
    RsdEncoder *encoder;
    Bytes bytes = {0};
    RsdThreads *threads;
    Tensor *z;
    Tape *tape;

    ASSERT_OK(encode_all(&bytes, encoding, samples, n, 0, &err), err);
    ASSERT_OK(decode_all(&decoded, &n_decoded, decoding, &bytes, 0, NULL, &err), err);
    encoding.on_codes = take;
    encoding.codes_ctx = &taken;
    ASSERT_OK(rsd_encoder_open(&encoder, &encoding, &err), err); /* without a write function */
    ASSERT_OK(rsd_encoder_write(encoder, samples, n, n, &err), err);
    ASSERT_OK(rsd_encoder_finish(encoder, &err), err);
    rsd_encoder_close(&encoder);
    cr_assert_eq(taken.n_frames, (int64_t)n_frames);
    for (size_t t = 0; t < n_frames; t++)
        for (size_t q = 0; q < STAGES; q++)
            codes[q * n_frames + t] = taken.codes[t * STAGES + q];

    ASSERT_OK(rsd_codes_open(&decoder, model, NULL, codes, STAGES, (int64_t)n_frames, &err), err);
    do { /* in blocks that fit nothing */
        ASSERT_OK(rsd_codes_read(decoder, one, 7, 7, &n_read, &err), err);
        for (size_t i = 0; i < n_read; i++, at++)
            cr_assert(at >= n || one[i] == decoded[at], "sample %zu", at);
    } while (n_read > 0);
    cr_assert_eq(at, n_frames * HOP);
    rsd_codes_close(&decoder);

    latents = malloc(dim * n_frames * sizeof *latents);
    ASSERT_OK(rsd_codes_to_latents(model, NULL, codes, STAGES, (int64_t)n_frames, latents, &err), err);
    ASSERT_OK(rsd_threads_create(&threads, 1, &err), err);
    ASSERT_OK(tape_create(&tape, threads, 0, &err), err);
    ASSERT_OK(audio_codec_latents(tape, codec, codes, 1, STAGES, (int64_t)n_frames, &z, &err), err);
    ASSERT_SAME_BITS("latents", latents, z->data, (int64_t)(dim * n_frames));
    codes[n_frames + 5] = 50;
    ASSERT_FAILS(rsd_codes_open(&decoder, model, NULL, codes, STAGES, (int64_t)n_frames, &err), RSD_ERR_CORRUPT, err,
                 "code 50 of stage 2 at frame 5");
    ASSERT_FAILS(rsd_codes_to_latents(model, NULL, codes, STAGES + 1, 1, latents, &err), RSD_ERR_ARG, err, "1 to 3 stages");
    tape_destroy(&tape);
    rsd_threads_destroy(&threads);
    free(latents);
    free(codes);
    free(decoded);
    free(samples);
    bytes_clear(&bytes);
}
