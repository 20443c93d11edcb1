/* test_dac_halves.c - a DAC loaded to run: its weights are kept once, as the kernels read them, and as halves where they are halves.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/base/mem.h"
#include "models/audio_codec.h"
#include "tests/shared.h"

#include <unistd.h>

enum { N_FRAMES = 40, HOP = 8, N_STAGES = 3 };

static char path[64];
static RsdError err;

static const AudioCodecConfig SMALL = {.name = "small_dac",
                                       .rate_hz = 16000,
                                       .network = AUDIO_DAC,
                                       .dac = {.encoder_dim = 8,
                                               .n_encoder_rates = 2,
                                               .encoder_rates = {2, 4},
                                               .latent_dim = 48,
                                               .decoder_dim = 96,
                                               .n_decoder_rates = 2,
                                               .decoder_rates = {4, 2}},
                                       .projected_rvq = {.n_q = N_STAGES, .codebook_size = 16, .code_dim = 4, .dim = 48}};

static void save(Dtype stored_as)
{
    AudioCodec *codec;

    snprintf(path, sizeof path, "/tmp/residua-halves-%d", (int)getpid());
    ASSERT_OK(audio_codec_create(&codec, &SMALL, 3, &err), err);
    ASSERT_OK(audio_codec_save(codec, path, stored_as, false, NULL, &err), err);
    audio_codec_destroy(&codec);
}

static void run(AudioCodecUse use, bool decoder, uint16_t codes[N_STAGES * N_FRAMES], float samples[N_FRAMES * HOP])
{
    Rng rng = rng_at(1, RNG_TEST, 0, 0);
    AudioCodec *codec;
    RsdThreads *threads;
    Tape *tape;
    Tensor *x, *y;

    ASSERT_OK(audio_codec_load_for(&codec, path, use, &err), err);
    ASSERT_OK(rsd_threads_create(&threads, 1, &err), err);
    ASSERT_OK(tape_create(&tape, threads, 0, &err), err);
    if (decoder) {
        ASSERT_OK(audio_codec_latents(tape, codec, codes, 1, N_STAGES, N_FRAMES, &x, &err), err);
        ASSERT_OK(audio_codec_decode(tape, codec, x, &y, &err), err);
        cr_assert_eq(tensor_count(y), N_FRAMES * HOP);
        memcpy(samples, y->data, N_FRAMES * HOP * sizeof *samples);
    } else {
        ASSERT_OK(tape_tensor(tape, &x, 3, (int64_t[]){1, 1, N_FRAMES * HOP}, &err), err);
        params_fill_uniform(x, &rng, 0.5f);
        ASSERT_OK(audio_codec_encode(tape, codec, x, N_STAGES, 1, codes, &err), err);
    }
    tape_destroy(&tape);
    rsd_threads_destroy(&threads);
    audio_codec_destroy(&codec);
}

static void compare_uses(Dtype stored_as)
{
    uint16_t whole_codes[N_STAGES * N_FRAMES], codes[N_STAGES * N_FRAMES];
    float whole[N_FRAMES * HOP], samples[N_FRAMES * HOP];

    save(stored_as);
    run(AUDIO_USE_ALL, false, whole_codes, NULL);
    run(AUDIO_USE_ENCODE, false, codes, NULL);
    cr_assert_arr_eq(codes, whole_codes, sizeof codes);
    run(AUDIO_USE_ALL, true, codes, whole);
    run(AUDIO_USE_DECODE, true, codes, samples);
    ASSERT_SAME_BITS("decoded", samples, whole, N_FRAMES * HOP);
    run(AUDIO_USE_RUN, true, codes, samples);
    ASSERT_SAME_BITS("decoded by a model for both", samples, whole, N_FRAMES * HOP);
    unlink(path);
}

Test(dac_halves, floats_run_with_the_same_bits_however_they_are_loaded)
{
    compare_uses(DTYPE_F32);
}

Test(dac_halves, halves_run_with_the_same_bits_however_they_are_loaded)
{
    compare_uses(DTYPE_F16);
}

Test(dac_halves, each_allocation_of_a_load_may_fail_once)
{
    AudioCodec *loaded = NULL;
    int n_failed = 0;

    save(DTYPE_F16);
    for (int n = 0; !loaded; n++) {
        RsdStatus status;

        mem_fail_after(n);
        status = audio_codec_load_for(&loaded, path, AUDIO_USE_DECODE, &err);
        mem_fail_after(-1);
        cr_assert(status == (loaded ? RSD_OK : RSD_ERR_MEMORY), "allocation %d: status %d %s", n, (int)status, err.text);
        n_failed += !loaded;
    }
    cr_assert_gt(n_failed, 50);
    audio_codec_destroy(&loaded);
    unlink(path);
}
