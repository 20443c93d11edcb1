/* bench_encodec.c - EnCodec's 24 kHz model at its published width, with drawn weights, beside PyTorch (tests/peers/encodec.py),
 * and its language model of codes: one second at 6 kbit/s.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "engine/base/mem.h"
#include "models/code_lm.h"
#include "tests/bench/bench.h"

#define RATE 24000
#define FRAMES 75
#define STAGES 8
#define PEER "encodec.py --seconds 1 --stages 8"
#define LM_DIM 200
#define LM_HIDDEN 800
#define LM_LAYERS 5
#define LM_CODES 1024

static AudioCodecConfig encodec_24khz(void)
{
    AudioCodecConfig cfg;

    audio_codec_default_config(&cfg);
    cfg.rate_hz = RATE;
    cfg.seanet.base_channels = 32;
    cfg.seanet.latent_dim = cfg.rvq.dim = 128;
    cfg.seanet.n_lstm = 2;
    cfg.seanet.true_skip = false;
    cfg.seanet.pad = PAD_REFLECT;
    cfg.rvq.n_q = STAGES;
    return cfg;
}

/* ---- the language model ---- */

static void add_array(SafetensorsWriter *writer, const char *format, int i, int64_t rows, int64_t cols, const float *numbers)
{
    char name[96];
    int64_t shape[2] = {rows, cols};
    RsdError err;

    snprintf(name, sizeof name, format, i);
    bench_must(safetensors_writer_f32(writer, name, cols ? 2 : 1, shape, numbers, DTYPE_F32, &err), &err);
}

static CodeLm *seeded_lm(void)
{
    char path[] = "/tmp/residua-bench-lm-XXXXXX";
    int fd = mkstemp(path);
    float *numbers;
    SafetensorsWriter *writer;
    CodeLm *lm;
    RsdError err;

    if (fd >= 0)
        close(fd);
    bench_must(mem_alloc(&numbers, (LM_CODES + 1) * LM_DIM, sizeof *numbers, &err), &err);
    bench_fill(numbers, (LM_CODES + 1) * LM_DIM, 5);
    for (int64_t i = 0; i < (LM_CODES + 1) * LM_DIM; i++)
        numbers[i] *= 0.1f;
    bench_must(safetensors_writer_create(&writer, &err), &err);
    add_array(writer, "transformer.norm_in.weight", 0, LM_DIM, 0, numbers);
    add_array(writer, "transformer.norm_in.bias", 0, LM_DIM, 0, numbers);
    for (int i = 0; i < LM_LAYERS; i++) {
        add_array(writer, "transformer.layers.%d.self_attn.in_proj_weight", i, 3 * LM_DIM, LM_DIM, numbers);
        add_array(writer, "transformer.layers.%d.self_attn.in_proj_bias", i, 3 * LM_DIM, 0, numbers);
        add_array(writer, "transformer.layers.%d.self_attn.out_proj.weight", i, LM_DIM, LM_DIM, numbers);
        add_array(writer, "transformer.layers.%d.self_attn.out_proj.bias", i, LM_DIM, 0, numbers);
        add_array(writer, "transformer.layers.%d.linear1.weight", i, LM_HIDDEN, LM_DIM, numbers);
        add_array(writer, "transformer.layers.%d.linear1.bias", i, LM_HIDDEN, 0, numbers);
        add_array(writer, "transformer.layers.%d.linear2.weight", i, LM_DIM, LM_HIDDEN, numbers);
        add_array(writer, "transformer.layers.%d.linear2.bias", i, LM_DIM, 0, numbers);
        add_array(writer, "transformer.layers.%d.norm1.weight", i, LM_DIM, 0, numbers);
        add_array(writer, "transformer.layers.%d.norm1.bias", i, LM_DIM, 0, numbers);
        add_array(writer, "transformer.layers.%d.norm2.weight", i, LM_DIM, 0, numbers);
        add_array(writer, "transformer.layers.%d.norm2.bias", i, LM_DIM, 0, numbers);
    }
    for (int k = 0; k < STAGES; k++) {
        add_array(writer, "emb.%d.weight", k, LM_CODES + 1, LM_DIM, numbers);
        add_array(writer, "linears.%d.weight", k, LM_CODES, LM_DIM, numbers);
        add_array(writer, "linears.%d.bias", k, LM_CODES, 0, numbers);
    }
    bench_must(safetensors_writer_finish(writer, path, &err), &err);
    safetensors_writer_destroy(&writer);
    mem_free(&numbers);
    bench_must(code_lm_load(&lm, path, &err), &err);
    unlink(path);
    return lm;
}

typedef struct LmRun {
    CodeLmState *state;
    uint16_t codes[STAGES];
    float p[STAGES * LM_CODES];
} LmRun;

/* One second, the window being full. */
static void run_lm(void *ctx)
{
    LmRun *run = ctx;

    for (int t = 0; t < FRAMES; t++)
        code_lm_next(run->state, run->codes, STAGES, run->p);
}

/* encode_s: of the same second, without the language model. */
static void bench_lm(const Bench *bench, double encode_s)
{
    static LmRun run;
    CodeLm *lm = seeded_lm();
    BenchFigure figure = {.part = "encodec", .ratio_to = "real time"};
    RsdError err;

    bench_must(code_lm_state_create(&run.state, lm, bench->threads, FRAMES, &err), &err);
    for (int i = 0; i < 4; i++)
        run_lm(&run);
    figure.what = "language model, 8 stages, 1 thread";
    figure.seconds = bench_time(bench, run_lm, &run).cpu_s;
    figure.ratio = 1.0 / figure.seconds;
    bench_print(bench, &figure);
    figure.what = "encode with the language model, 1 thread";
    figure.seconds += encode_s;
    figure.ratio = 1.0 / figure.seconds;
    figure.target = 1.0;
    bench_print(bench, &figure);
    code_lm_state_destroy(&run.state);
    code_lm_destroy(&lm);
}

void bench_encodec(Bench *bench)
{
    AudioCodecConfig cfg = encodec_24khz();
    BenchCodec c = {.part = "encodec", .codec = bench_draw_codec(&cfg), .n_stages = STAGES, .n_frames = FRAMES,
                    .macs = {seanet_macs_per_second(&cfg.seanet, RATE, false), seanet_macs_per_second(&cfg.seanet, RATE, true)},
                    .target = 3.0, .peer = PEER};
    double cpu_s[2];

    bench_heading(bench, "One second of EnCodec 24 kHz, full width, 8 stages, beside PyTorch");
    bench_codec_network(bench, &c, cpu_s);
    bench_codec_latency(bench, &c);
    bench_lm(bench, cpu_s[0]);
    audio_codec_destroy(&c.codec);
}
