/* test_dac_window.c - windows of .dac files: decoding in pieces gives the bits of the window at once, with and without padding.
 *
 * SPDX-License-Identifier: MIT
 */
#include "codec/dac_window.h"
#include "tests/codec/coding.h"
#include "tests/shared.h"

#define STAGES 3
#define MAX_FRAMES 1500 /* several pieces */

static RsdError err;
static AudioCodec *codec;
static RsdModel *model;
static uint16_t codes[STAGES * MAX_FRAMES];

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
    Rng rng = rng_at(3, RNG_TEST, 0, 0);

    ASSERT_OK(audio_codec_create(&codec, &cfg, 11, &err), err);
    for (size_t i = 0; i < codec->params->n_items; i++) /* what makes the outside of a window differ from zeros */
        if (codec->params->items[i].tensor->n_dims == 1)
            params_fill_uniform(codec->params->items[i].tensor, &rng, 0.4f);
    ASSERT_OK(model_from_codec(&model, codec, &err), err);
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        codes[i] = (uint16_t)(rng_u32(&rng) % 50);
}

static void close_codec(void)
{
    rsd_model_close(&model);
    audio_codec_destroy(&codec);
}

TestSuite(dac_window, .init = open_codec, .fini = close_codec);

typedef struct Samples {
    float *data;
    int64_t n, capacity;
    int n_pieces;
} Samples;

static RsdStatus keep(void *ctx, const float *samples, int64_t n, RsdError *e)
{
    Samples *s = ctx;

    (void)e;
    cr_assert(s->n + n <= s->capacity, "more than %d samples", (int)s->capacity);
    memcpy(s->data + s->n, samples, (size_t)n * sizeof *samples);
    s->n += n;
    s->n_pieces++;
    return RSD_OK;
}

static Samples in_pieces(DacPadding padding, int64_t first, int64_t n)
{
    Samples s = {.capacity = dac_decoded_len(&codec->config.dac, n, padding)};
    DacWindow *window;

    s.data = malloc((size_t)s.capacity * sizeof *s.data + 1);
    ASSERT_OK(dac_window_open(&window, model, NULL, STAGES, padding, &err), err);
    ASSERT_OK(dac_window_decode(window, codes + first, MAX_FRAMES, n, keep, &s, &err), err);
    dac_window_close(&window);
    cr_assert_eq(s.n, s.capacity, "%d frames gave %d samples, not %d", (int)n, (int)s.n, (int)s.capacity);
    return s;
}

static void assert_is_whole(DacPadding padding, int64_t n)
{
    Samples pieces = in_pieces(padding, 0, n);
    uint16_t *some = malloc(STAGES * (size_t)n * sizeof *some);
    RsdThreads *threads;
    Tensor *z, *y;
    Tape *tape;

    for (int q = 0; q < STAGES; q++)
        memcpy(some + q * n, codes + q * MAX_FRAMES, (size_t)n * sizeof *some);
    ASSERT_OK(rsd_threads_create(&threads, 1, &err), err);
    ASSERT_OK(tape_create(&tape, threads, 0, &err), err);
    ASSERT_OK(audio_codec_latents(tape, codec, some, 1, STAGES, n, &z, &err), err);
    ASSERT_OK(dac_decode(tape, codec->dac, z, padding, &y, &err), err);
    cr_assert_eq(y->shape[2], pieces.n);
    ASSERT_SAME_BITS(padding == DAC_PAD_ZERO ? "padded" : "not padded", pieces.data, y->data, pieces.n);
    cr_assert(n < MAX_FRAMES || pieces.n_pieces > 2, "only %d pieces", pieces.n_pieces);
    tape_destroy(&tape);
    rsd_threads_destroy(&threads);
    free(pieces.data);
    free(some);
}

Test(dac_window, decoded_in_pieces_has_the_bits_of_the_window_at_once)
{
    const int64_t lengths[] = {1, 2, 24, 25, 533, 534, 1200, MAX_FRAMES};
    int n_unpadded = 0;

    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        assert_is_whole(DAC_PAD_ZERO, lengths[i]);
        if (dac_decoded_len(&codec->config.dac, lengths[i], DAC_PAD_NONE) > 0) {
            assert_is_whole(DAC_PAD_NONE, lengths[i]);
            n_unpadded++;
        }
    }
    cr_assert(n_unpadded >= 4);
}
