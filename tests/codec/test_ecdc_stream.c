/* test_ecdc_stream.c - .ecdc files coded piece by piece: the bits of the whole signal, whatever the pieces, in memory taken at once.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "codec/bitpack.h"
#include "engine/base/bytes.h"
#include "engine/base/mem.h"
#include "engine/base/rng.h"
#include "tests/codec/ecdc_rig.h"

static float *noise(int64_t n, uint64_t seed)
{
    float *x = calloc((size_t)n, sizeof *x);
    Rng rng = rng_at(seed, RNG_TEST, 0, 0);

    for (int64_t i = 0; i < n; i++)
        x[i] = 0.1f * rng_normal(&rng);
    return x;
}

/* The whole signal at once: what chunks must equal. */
static void whole(EcdcRig *rig, const float *x, int64_t n, uint16_t *codes, float *y)
{
    AudioCodec *codec = rig->codec;
    int n_q = codec->config.rvq.n_q;
    Tape *tape;
    Tensor *in, *z, *out;

    ASSERT_OK(tape_create(&tape, rig->threads, 0, &rig->err), rig->err);
    ASSERT_OK(tape_input(tape, &in, 3, (int64_t[]){1, 1, n}, x, &rig->err), rig->err);
    ASSERT_OK(seanet_encode(tape, codec->net, in, &z, &rig->err), rig->err);
    ASSERT_OK(rvq_encode(tape, codec->rvq, z, n_q, codes, &rig->err), rig->err);
    ASSERT_OK(rvq_decode(tape, codec->rvq, codes, 1, n_q, z->shape[2], &z, &rig->err), rig->err);
    ASSERT_OK(seanet_decode(tape, codec->net, z, &out, &rig->err), rig->err);
    memcpy(y, out->data, (size_t)n * sizeof *y);
    tape_destroy(&tape);
}

Test(ecdc_stream, chunks_of_the_causal_model_equal_the_whole_signal_bit_for_bit_reflection_at_both_ends_included)
{
    const int64_t lengths[] = {16320, 16321, 33333, 48000, 48001, 50000};
    EcdcRig rig;

    NEED_SHARED(ECDC_MONO);
    ecdc_rig_open(&rig, ECDC_MONO, 0);
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        const int64_t n = lengths[i], n_frames = (n + 319) / 320;
        Bytes bytes = {0};
        float *x = noise(n, i), *expected = calloc((size_t)n, sizeof *x), *y = calloc((size_t)n, sizeof *x);
        uint16_t *codes = calloc((size_t)n_frames * 8, sizeof *codes);
        BitReader bits;
        int64_t n_done;

        whole(&rig, x, n, codes, expected);
        ecdc_rig_encode(&rig, &bytes, x, n, 0, 1 + (size_t)i * 1117, n, NULL);
        bit_reader_init(&bits, bytes.data + ECDC_PREFIX_SIZE + get_u32be(bytes.data + 5), bytes.size);
        for (int64_t t = 0; t < n_frames; t++)
            for (int k = 0; k < 8; k++)
                cr_assert_eq(bit_reader_get(&bits, 6), codes[k * n_frames + t], "%d samples: code %d of frame %d",
                             (int)n, k, (int)t);
        ASSERT_OK(ecdc_rig_decode(&rig, &bytes, y, n, 999, &n_done, NULL), rig.err);
        cr_assert_eq(n_done, n);
        ASSERT_SAME_BITS("samples", y, expected, n);
        bytes_clear(&bytes);
        free(x);
        free(expected);
        free(y);
        free(codes);
    }
    ecdc_rig_close(&rig);
}

Test(ecdc_stream, blocks_threads_and_an_unknown_length_do_not_change_the_file)
{
    const char *const roots[] = {ECDC_MONO, ECDC_STEREO};

    NEED_SHARED("golden/encodec");
    for (int r = 0; r < 2; r++) {
        Bytes a = {0}, b = {0};
        EcdcRig rig;

        ecdc_rig_open(&rig, roots[r], 0);
        ecdc_rig_encode(&rig, &a, rig.input.f32, rig.input.shape[1], 0, 1, rig.input.shape[1], NULL);
        rsd_threads_destroy(&rig.threads);
        ecdc_rig_encode(&rig, &b, rig.input.f32, rig.input.shape[1], 0, 5000, RSD_UNKNOWN_LENGTH, NULL);
        cr_assert(a.size == b.size && memcmp(a.data, b.data, a.size) == 0);
        bytes_clear(&a);
        bytes_clear(&b);
        ecdc_rig_close(&rig);
    }
}

Test(ecdc_stream, no_memory_is_taken_after_opening)
{
    const char *const roots[] = {ECDC_MONO, ECDC_STEREO};

    NEED_SHARED("golden/encodec");
    for (int r = 0; r < 2; r++) {
        const int64_t n = 24000 * 5;
        RsdEncoderOptions options;
        RsdEncoder *encoder;
        RsdDecoder *decoder;
        Bytes bytes = {0};
        EcdcRig rig;
        float *x = noise(2 * n, 3), *y = calloc((size_t)(2 * n), sizeof *y);
        int64_t before;
        size_t got = 1;

        ecdc_rig_open(&rig, roots[r], 0);
        bytes.capacity = 1 << 20;
        bytes.data = malloc(bytes.capacity);
        rsd_encoder_default_options(&options);
        options.model = rig.model;
        options.threads = rig.threads;
        options.write = bytes_write;
        options.write_ctx = &bytes;
        options.n_samples = n;
        options.container = RSD_CONTAINER_ECDC;
        ASSERT_OK(rsd_encoder_open(&encoder, &options, &rig.err), rig.err);
        before = mem_allocation_count();
        for (int64_t at = 0; at < n; at += 320)
            ASSERT_OK(rsd_encoder_write(encoder, x + at, (size_t)n, 320, &rig.err), rig.err);
        ASSERT_OK(rsd_encoder_finish(encoder, &rig.err), rig.err);
        cr_assert_eq(mem_allocation_count(), before, "%s: encoding took memory %d times", roots[r],
                     (int)(mem_allocation_count() - before));
        rsd_encoder_close(&encoder);
        ASSERT_OK(ecdc_rig_open_decoder(&rig, &decoder, &bytes, NULL), rig.err);
        before = mem_allocation_count();
        while (got > 0)
            ASSERT_OK(rsd_decoder_read(decoder, y, (size_t)n, 320, &got, &rig.err), rig.err);
        cr_assert_eq(mem_allocation_count(), before, "%s: decoding took memory %d times", roots[r],
                     (int)(mem_allocation_count() - before));
        rsd_decoder_close(&decoder);
        bytes_clear(&bytes);
        free(x);
        free(y);
        ecdc_rig_close(&rig);
    }
}

Test(ecdc_stream, a_model_of_segments_says_that_it_codes_no_rsd_stream)
{
    RsdEncoderOptions options;
    RsdEncoder *encoder = NULL;
    Bytes bytes = {0};
    EcdcRig rig;

    NEED_SHARED(ECDC_STEREO);
    ecdc_rig_open(&rig, ECDC_STEREO, 0);
    cr_assert_not(rsd_model_info(rig.model)->can_stream);
    cr_assert_eq(rsd_model_info(rig.model)->delay_samples, 3840);
    rsd_encoder_default_options(&options);
    options.model = rig.model;
    options.write = bytes_write;
    options.write_ctx = &bytes;
    ASSERT_FAILS(rsd_encoder_open(&encoder, &options, &rig.err), RSD_ERR_UNSUPPORTED, rig.err, ".ecdc");
    ecdc_rig_close(&rig);
}

static RsdStatus take_codes(void *ctx, const uint16_t *codes, int n_stages, RsdError *err)
{
    (void)ctx, (void)codes, (void)n_stages, (void)err;
    return RSD_OK;
}

Test(ecdc_stream, codes_are_not_given_away_one_by_one)
{
    RsdEncoderOptions options;
    RsdEncoder *encoder = NULL;
    Bytes bytes = {0};
    EcdcRig rig;

    NEED_SHARED(ECDC_MONO);
    ecdc_rig_open(&rig, ECDC_MONO, 0);
    rsd_encoder_default_options(&options);
    options.model = rig.model;
    options.container = RSD_CONTAINER_ECDC;
    options.on_codes = take_codes;
    ASSERT_FAILS(rsd_encoder_open(&encoder, &options, &rig.err), RSD_ERR_ARG, rig.err, ".ecdc");
    options.write = bytes_write;
    options.write_ctx = &bytes;
    ASSERT_FAILS(rsd_encoder_open(&encoder, &options, &rig.err), RSD_ERR_ARG, rig.err, "codes are not given away");
    ecdc_rig_close(&rig);
}

/* What the encoder writes the decoder takes: integers that became floats without being divided have scales beyond that. */
Test(ecdc_stream, a_segment_that_is_too_loud_for_its_scale_is_refused_by_the_encoder)
{
    const float levels[] = {2e9f, 1e30f};

    NEED_SHARED(ECDC_STEREO);
    for (size_t k = 0; k < 2; k++) {
        RsdEncoderOptions options;
        RsdEncoder *encoder;
        Bytes bytes = {0};
        EcdcRig rig;
        RsdStatus status;

        ecdc_rig_open(&rig, ECDC_STEREO, 0);
        for (int64_t i = 4000; i < rig.input.shape[1]; i++)
            rig.input.f32[i] = rig.input.f32[rig.input.shape[1] + i] = levels[k];
        rsd_encoder_default_options(&options);
        options.model = rig.model;
        options.container = RSD_CONTAINER_ECDC;
        options.write = bytes_write;
        options.write_ctx = &bytes;
        options.name = "loud.wav";
        ASSERT_OK(rsd_encoder_open(&encoder, &options, &rig.err), rig.err);
        status = rsd_encoder_write(encoder, rig.input.f32, (size_t)rig.input.shape[1], (size_t)rig.input.shape[1], &rig.err);
        if (status == RSD_OK)
            status = rsd_encoder_finish(encoder, &rig.err);
        ASSERT_FAILS(status, RSD_ERR_NUMERIC, rig.err, "loud.wav: the segment at 0.24 s is");
        rsd_encoder_close(&encoder);
        bytes_clear(&bytes);
        ecdc_rig_close(&rig);
    }
}
