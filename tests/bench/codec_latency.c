/* codec_latency.c - a stream in blocks of 20 ms with a packet for each frame: how long each block takes.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/model.h"
#include "engine/base/mem.h"
#include "tests/bench/bench.h"

#define BLOCK_S 0.02
#define N_BLOCKS 100
#define STREAM_SIZE (1 << 20)

typedef struct Memory {
    uint8_t *bytes;
    size_t size, at;
} Memory;

static RsdStatus keep(void *ctx, const void *data, size_t size, RsdError *err)
{
    Memory *memory = ctx;

    if (size > STREAM_SIZE - memory->size)
        return error_set(err, RSD_ERR_ARG, "more than %d bytes", STREAM_SIZE);
    memcpy(memory->bytes + memory->size, data, size);
    memory->size += size;
    return RSD_OK;
}

static RsdStatus give(void *ctx, void *data, size_t size, size_t *n_read, RsdError *err)
{
    Memory *memory = ctx;

    (void)err;
    *n_read = size < memory->size - memory->at ? size : memory->size - memory->at;
    memcpy(data, memory->bytes + memory->at, *n_read);
    memory->at += *n_read;
    return RSD_OK;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* The rows for the times of blocks, in any order. */
static void print_times(const Bench *bench, const BenchCodec *c, const char *way, double *times)
{
    char what[64];
    BenchFigure figure = {.part = c->part, .what = what, .ratio_to = "real time"};

    qsort(times, N_BLOCKS, sizeof *times, compare);
    figure.seconds = times[N_BLOCKS / 2];
    figure.ratio = BLOCK_S / figure.seconds;
    snprintf(what, sizeof what, "stream, 20 ms %s, 1 thread, median", way);
    bench_print(bench, &figure);
    figure.seconds = times[N_BLOCKS - 1];
    figure.ratio = BLOCK_S / figure.seconds;
    snprintf(what, sizeof what, "  the longest of %d blocks", N_BLOCKS);
    bench_print(bench, &figure);
}

void bench_codec_latency(const Bench *bench, const BenchCodec *c)
{
    const size_t n_block = (size_t)(BLOCK_S * c->codec->config.rate_hz);
    RsdEncoderOptions out;
    RsdDecoderOptions in;
    double times[N_BLOCKS];
    Memory memory = {.size = 0};
    RsdEncoder *encoder;
    RsdDecoder *decoder;
    RsdModel *model;
    float *block;
    RsdError err;

    bench_must(mem_alloc(&memory.bytes, STREAM_SIZE, 1, &err), &err);
    bench_must(mem_alloc(&block, n_block, sizeof *block, &err), &err);
    bench_must(model_from_codec(&model, c->codec, &err), &err);
    rsd_encoder_default_options(&out);
    out.model = model;
    out.n_stages = c->n_stages;
    out.frames_per_packet = 1;
    out.write = keep;
    out.write_ctx = &memory;
    bench_must(rsd_encoder_open(&encoder, &out, &err), &err);
    for (int i = 0; i < N_BLOCKS; i++) {
        bench_fill(block, (int64_t)n_block, (uint32_t)i);
        times[i] = bench_now();
        bench_must(rsd_encoder_write(encoder, block, n_block, n_block, &err), &err);
        times[i] = bench_now() - times[i];
    }
    bench_must(rsd_encoder_finish(encoder, &err), &err);
    rsd_encoder_close(&encoder);
    print_times(bench, c, "of samples to bytes", times);

    rsd_decoder_default_options(&in);
    in.model = model;
    in.read = give;
    in.read_ctx = &memory;
    bench_must(rsd_decoder_open(&decoder, &in, &err), &err);
    for (int i = 0; i < N_BLOCKS; i++) {
        size_t n_read;

        times[i] = bench_now();
        bench_must(rsd_decoder_read(decoder, block, n_block, n_block, &n_read, &err), &err);
        times[i] = bench_now() - times[i];
    }
    rsd_decoder_close(&decoder);
    print_times(bench, c, "from bytes to samples", times);
    rsd_model_close(&model);
    mem_free(&memory.bytes);
    mem_free(&block);
}
