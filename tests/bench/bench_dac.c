/* bench_dac.c - half a second of DAC 44.1 kHz at its published width, with drawn weights, beside the same network in PyTorch
 * (tests/peers/dac.py).
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/bench/bench.h"

#define RATE_HZ 44100
#define HOP 512
#define N_FRAMES 43 /* half a second, in whole frames */
#define N_STAGES 9
#define PEER "dac.py --frames 43"

static double macs_of(const DacConfig *cfg, bool decoder)
{
    return dac_macs_per_second(cfg, RATE_HZ, decoder) * N_FRAMES * HOP / RATE_HZ;
}

void bench_dac(Bench *bench)
{
    AudioCodecConfig cfg = {.name = "dac_44khz",
                            .rate_hz = RATE_HZ,
                            .network = AUDIO_DAC,
                            .dac = {.encoder_dim = 64,
                                    .n_encoder_rates = 4,
                                    .encoder_rates = {2, 4, 8, 8},
                                    .latent_dim = 1024,
                                    .decoder_dim = 1536,
                                    .n_decoder_rates = 4,
                                    .decoder_rates = {8, 8, 4, 2}},
                            .projected_rvq = {.n_q = N_STAGES, .codebook_size = 1024, .code_dim = 8, .dim = 1024}};
    BenchCodec c = {.part = "dac", .codec = bench_draw_codec(&cfg), .n_stages = N_STAGES, .n_frames = N_FRAMES,
                    .macs = {macs_of(&cfg.dac, false), macs_of(&cfg.dac, true)}, .target = 1.25, .peer = PEER};
    double cpu_s[2];

    bench_heading(bench, "Half a second of DAC 44.1 kHz, published width, 9 stages, beside PyTorch");
    bench_codec_network(bench, &c, cpu_s);
    audio_codec_destroy(&c.codec);
}
