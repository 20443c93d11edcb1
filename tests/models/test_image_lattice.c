/* test_image_lattice.c - fixed codes of picture codecs: those of the lattice, in stages that refine each other.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <string.h>

#include "models/image_lattice.h"
#include "models/image_net.h"
#include "models/image_prior.h"
#include "models/lattice.h"
#include "tests/shared.h"

#define N ((int64_t)2 * 3 * 50)

static RsdThreads *threads;
static Tape *tape;
static RsdError err;

static void set_up(void)
{
    ASSERT_OK(rsd_threads_create(&threads, 1, &err), err);
    ASSERT_OK(tape_create(&tape, threads, 0, &err), err);
}

static void tear_down(void)
{
    tape_destroy(&tape);
    rsd_threads_destroy(&threads);
}

TestSuite(image_lattice, .init = set_up, .fini = tear_down);

static ImageCodecConfig config_of(int quantizer, int latent, int n_codes, int n_stages)
{
    return (ImageCodecConfig){.name = "tiny", .quantizer = quantizer, .latent = latent, .widths = {4, 4, 4}, .context = 4,
                              .codebooks = n_stages, .codebook_size = n_codes, .codebook_decay = 0.9f};
}

/* Latents as they come out of the network. */
static Tensor *random_latents(int64_t latent)
{
    Rng rng = rng_at(1, RNG_TEST, 0, 0);
    Tensor *y;

    ASSERT_OK(tape_tensor(tape, &y, 4, (int64_t[]){2, latent, 3, 50}, &err), err);
    for (int64_t i = 0; i < tensor_count(y); i++)
        y->data[i] = 30.0f * rng_normal(&rng);
    return y;
}

Test(image_lattice, the_first_stage_finds_what_the_lattice_rounds_to)
{
    const ImageCodecConfig configs[] = {config_of(IMAGE_FSQ, 4, 256, 2), config_of(IMAGE_FSQ, 3, 512, 1), config_of(IMAGE_BSQ, 9, 512, 3)};
    static const LatticeConfig lattices[] = {{LATTICE_FSQ, 4, {4, 4, 4, 4}}, {LATTICE_FSQ, 3, {8, 8, 8}}, {.kind = LATTICE_BSQ, .dim = 9}};
    static uint16_t found[N], expected[N];

    for (size_t i = 0; i < sizeof configs / sizeof *configs; i++) {
        Tensor *y = random_latents(configs[i].latent), *bounded, *frames, *scaled, *zq;
        ImageCodec *codec;
        int n_used = 0;

        ASSERT_OK(image_codec_create(&codec, &configs[i], 1, &err), err);
        ASSERT_OK(image_lattice_bound(tape, &codec->config, y, &bounded, &err), err);
        cr_assert_eq(memcmp(bounded->shape, y->shape, sizeof y->shape), 0);
        ASSERT_OK(image_codec_as_frames(tape, bounded, &frames, &err), err);
        ASSERT_OK(rvq_encode(tape, codec->rvq, frames, 1, found, &err), err);
        ASSERT_OK(image_codec_as_frames(tape, y, &scaled, &err), err);
        for (int64_t k = 0; k < tensor_count(scaled); k++)
            scaled->data[k] /= IMAGE_LATTICE_SIZE;
        ASSERT_OK(lattice_quantize(tape, &lattices[i], scaled, &zq, expected, &err), err);
        for (int64_t k = 0; k < N; k++) {
            cr_assert_eq(found[k], expected[k], "configuration %zu, place %lld: code %d, expected %d", i, (long long)k, found[k], expected[k]);
            n_used += found[k] != found[0];
        }
        cr_assert_gt(n_used, N / 2);
        image_codec_destroy(&codec);
        tape_reset(tape);
    }
}

/* Where the tanh keeps a latent within the outer levels, L^stages steps divide the range. */
Test(image_lattice, later_stages_refine_and_codes_are_whole_numbers_of_a_file)
{
    const ImageCodecConfig cfg = config_of(IMAGE_FSQ, 2, 16, 4);
    static uint16_t codes[4 * N];
    Tensor *y = random_latents(2), *bounded, *frames, *back;
    ImageCodec *codec;
    double most[4] = {0};

    ASSERT_OK(image_codec_create(&codec, &cfg, 1, &err), err);
    ASSERT_OK(image_lattice_bound(tape, &codec->config, y, &bounded, &err), err);
    ASSERT_OK(image_codec_as_frames(tape, bounded, &frames, &err), err);
    for (int n = 1; n <= 4; n++) {
        ASSERT_OK(rvq_encode(tape, codec->rvq, frames, n, codes, &err), err);
        ASSERT_OK(rvq_decode(tape, codec->rvq, codes, 2, n, 150, &back, &err), err);
        for (int64_t k = 0; k < tensor_count(back); k++)
            most[n - 1] = fmax(most[n - 1], fabs((double)back->data[k] - (double)frames->data[k]));
        cr_assert_leq(most[n - 1], 1.01 * IMAGE_LATTICE_SIZE * pow(4.0, -n), "%d stages", n);
    }
    ASSERT_OK(image_codec_make_prior(codec, &err), err);
    for (int q = 0; q < 4; q++)
        for (int64_t k = 0; k < 16 * 2; k++)
            cr_assert_eq((float)codec->stage_prior->codes[q][k] / INTEGER_UNIT, codec->net->embed[q]->data[k]);
    image_codec_destroy(&codec);
}

Test(image_lattice, sizes_that_are_none_are_refused)
{
    const struct {
        ImageCodecConfig cfg;
        const char *text;
    } cases[] = {
        {config_of(IMAGE_FSQ, 4, 16, 1), "4, 8, 16, ... to the power of latent"}, /* 2 levels */
        {config_of(IMAGE_FSQ, 3, 256, 1), "to the power of latent"},
        {config_of(IMAGE_FSQ, 100, 256, 1), "to the power of latent"},
        {config_of(IMAGE_BSQ, 8, 512, 1), "2 to the power of latent"},
        {config_of(IMAGE_FSQ, 3, 512, 4), "finer than 1/64"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cr_assert_eq(image_codec_check_config(&cases[i].cfg, &err), RSD_ERR_ARG, "case %zu", i);
        cr_assert(strstr(err.text, cases[i].text), "%s", err.text);
    }
}
