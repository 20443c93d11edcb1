/* bench_encodec.c - EnCodec's 24 kHz model at its published width, with seeded weights, beside PyTorch (tests/peers/encodec.py),
 * and its language model of codes.
 *
 * One second at 6 kbit/s, in a chunk with carried state as files and streams are coded.
 *
 * SPDX-License-Identifier: MIT
 */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "engine/base/mem.h"
#include "engine/stream.h"
#include "models/audio_codec.h"
#include "models/code_lm.h"
#include "tests/bench/bench.h"

#define RATE 24000
#define FRAMES 75
#define STAGES 8
#define LM_DIM 200
#define LM_HIDDEN 800
#define LM_LAYERS 5
#define LM_CODES 1024

typedef struct Run {
    RsdThreads *threads;
    Tape *tape;
    AudioCodec *codec;
    StreamState *encoder, *decoder;
    float *signal;
    uint16_t codes[STAGES * FRAMES];
} Run;

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

static void open_run(Run *run, AudioCodec *codec, int n_threads)
{
    RsdError err;

    *run = (Run){.codec = codec};
    bench_must(rsd_threads_create(&run->threads, n_threads, &err), &err);
    bench_must(tape_create(&run->tape, run->threads, 0, &err), &err);
    bench_must(stream_create(&run->encoder, &err), &err);
    bench_must(stream_create(&run->decoder, &err), &err);
    bench_must(mem_alloc(&run->signal, RATE, sizeof(float), &err), &err);
    bench_fill(run->signal, RATE, 1);
}

static void close_run(Run *run)
{
    mem_free(&run->signal);
    stream_destroy(&run->encoder);
    stream_destroy(&run->decoder);
    tape_destroy(&run->tape);
    rsd_threads_destroy(&run->threads);
}

static void run_encode(void *ctx)
{
    Run *run = ctx;
    Tensor *x, *z;
    RsdError err;

    tape_reset(run->tape);
    run->tape->stream = run->encoder;
    stream_rewind(run->encoder);
    bench_must(tape_input(run->tape, &x, 3, (int64_t[]){1, 1, RATE}, run->signal, &err), &err);
    bench_must(seanet_encode(run->tape, run->codec->net, x, &z, &err), &err);
    bench_must(rvq_encode(run->tape, run->codec->rvq, z, STAGES, run->codes, &err), &err);
}

static void run_decode(void *ctx)
{
    Run *run = ctx;
    Tensor *y, *z;
    RsdError err;

    tape_reset(run->tape);
    run->tape->stream = run->decoder;
    stream_rewind(run->decoder);
    bench_must(rvq_decode(run->tape, run->codec->rvq, run->codes, 1, STAGES, FRAMES, &z, &err), &err);
    bench_must(seanet_decode(run->tape, run->codec->net, z, &y, &err), &err);
}

/* The peer's object, NULL when it does not run. */
static json_t *run_peer(void)
{
    const char *source = getenv("RESIDUA_SOURCE"), *python = getenv("RESIDUA_PYTHON");
    char command[4096];
    json_t *result;
    FILE *pipe;

    snprintf(command, sizeof command, "'%s' '%s/tests/peers/encodec.py' --stages %d 2>/dev/null",
             python ? python : "/usr/bin/python3", source ? source : ".", STAGES);
    pipe = popen(command, "r");
    if (!pipe)
        return NULL;
    result = json_loadf(pipe, 0, NULL);
    pclose(pipe);
    return result;
}

static double peer_seconds(const json_t *peer, const char *what, int n_threads)
{
    char key[16];

    snprintf(key, sizeof key, "%d", n_threads);
    return json_number_value(json_object_get(json_object_get(peer, what), key));
}

static void bench_network(Bench *bench, AudioCodec *codec, const json_t *peer)
{
    const struct {
        const char *what, *key;
        BenchRun run;
        bool decoder;
    } halves[] = {{"encode", "encode_s", run_encode, false}, {"decode", "decode_s", run_decode, true}};
    double one_thread[2] = {0.0, 0.0};

    for (int n_threads = 1; n_threads <= 2; n_threads++) {
        Run run;

        open_run(&run, codec, n_threads);
        run_encode(&run);
        for (int i = 0; i < 2; i++) {
            double seconds = bench_fastest(bench, halves[i].run, &run);
            char what[64];
            BenchFigure figure = {.part = "encodec", .what = what, .seconds = seconds, .unit = "GMAC/s",
                                  .rate = seanet_macs_per_second(&codec->config.seanet, RATE, halves[i].decoder) / seconds / 1e9};

            snprintf(what, sizeof what, "%s, %d thread%s", halves[i].what, n_threads, n_threads > 1 ? "s" : "");
            if (peer) {
                figure.ratio = peer_seconds(peer, halves[i].key, n_threads) / seconds;
                figure.ratio_to = "PyTorch";
                figure.target = n_threads == 1 ? 3.0 : 0.0;
            }
            bench_print(bench, &figure);
            if (n_threads == 1) {
                one_thread[i] = seconds;
                continue;
            }
            figure = (BenchFigure){.part = "encodec", .what = halves[i].what, .seconds = seconds,
                                   .ratio = one_thread[i] / seconds, .ratio_to = "one thread", .target = 1.7};
            bench_print(bench, &figure);
        }
        close_run(&run);
    }
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

static void bench_lm(Bench *bench)
{
    static LmRun run;
    CodeLm *lm = seeded_lm();
    BenchFigure figure = {.part = "encodec", .what = "language model, 8 stages", .ratio_to = "real time", .target = 1.0};
    RsdError err;

    bench_must(code_lm_state_create(&run.state, lm, bench->threads, FRAMES, &err), &err);
    for (int i = 0; i < 4; i++)
        run_lm(&run);
    figure.seconds = bench_fastest(bench, run_lm, &run);
    figure.ratio = 1.0 / figure.seconds;
    bench_print(bench, &figure);
    code_lm_state_destroy(&run.state);
    code_lm_destroy(&lm);
}

void bench_encodec(Bench *bench)
{
    AudioCodecConfig cfg = encodec_24khz();
    AudioCodec *codec;
    json_t *peer;
    RsdError err;

    bench_heading(bench, "One second of EnCodec 24 kHz, full width, 8 stages, beside PyTorch");
    peer = bench->peer ? run_peer() : NULL;
    if (bench->peer && !peer)
        fprintf(stderr, "bench: PyTorch does not run here (Debian package python3-torch); its figures are left out\n");
    bench_must(audio_codec_create(&codec, &cfg, 1, &err), &err);
    bench_must(seanet_freeze(codec->net, &err), &err);
    rvq_refresh(codec->rvq);
    bench_network(bench, codec, peer);
    bench_lm(bench);
    audio_codec_destroy(&codec);
    json_decref(peer);
}
