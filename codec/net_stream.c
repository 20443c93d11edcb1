/* net_stream.c - a tape, its arena and a stream state around the model's functions.
 *
 * SPDX-License-Identifier: MIT
 */
#include "codec/net_stream.h"

#include "engine/base/mem.h"
#include "engine/stream.h"
#include "engine/tape.h"

/* Samples per chunk. Longer chunks fill the kernels' tiles better at the deep end of the network; shorter ones keep the
 * wide end in the second-level cache. */
#define CHUNK_SAMPLES 16000

struct NetStream {
    const RsdModel *model;
    RsdThreads *own_threads; /* of one thread, when the caller gave none: the tape needs a pool */
    Tape *tape;
    StreamState *state;
    int n_stages;
};

int net_stream_chunk_frames(const RsdModelInfo *info, int at_most)
{
    int n_frames = CHUNK_SAMPLES / info->hop_samples;

    return n_frames < 1 ? 1 : n_frames > at_most ? at_most : n_frames;
}

static void begin_chunk(NetStream *net)
{
    tape_reset(net->tape);
    stream_rewind(net->state);
}

RsdStatus net_stream_encode(NetStream *net, const float *samples, int n_frames, uint16_t *codes, RsdError *err)
{
    const RsdModelInfo *info = &net->model->info;
    const int64_t shape[3] = {1, info->channels, (int64_t)n_frames * info->hop_samples};
    AudioCodec *codec = net->model->codec;
    Tensor *x, *z;
    RsdStatus status = RSD_OK;

    begin_chunk(net);
    TRY(tape_input(net->tape, &x, 3, shape, samples, err));
    TRY(seanet_encode(net->tape, codec->net, x, &z, err));
    TRY(rvq_encode(net->tape, codec->rvq, z, net->n_stages, codes, err));
fail:
    return status;
}

RsdStatus net_stream_decode(NetStream *net, const uint16_t *codes, int n_stages, int n_frames, const float **samples,
                            RsdError *err)
{
    AudioCodec *codec = net->model->codec;
    Tensor *z, *y;
    RsdStatus status = RSD_OK;

    begin_chunk(net);
    TRY(rvq_decode(net->tape, codec->rvq, codes, 1, n_stages, n_frames, &z, err));
    TRY(seanet_decode(net->tape, codec->net, z, &y, err));
    *samples = y->data;
fail:
    return status;
}

void net_stream_restart(NetStream *net)
{
    stream_clear(net->state);
}

static RsdStatus warm_up(NetStream *net, bool decoder, int n_frames, RsdError *err)
{
    const RsdModelInfo *info = &net->model->info;
    size_t n_samples = (size_t)info->channels * (size_t)info->hop_samples * (size_t)n_frames;
    uint16_t *codes = NULL;
    float *silence = NULL;
    const float *decoded;
    RsdStatus status = RSD_OK;

    TRY(mem_calloc(&codes, (size_t)net->n_stages * (size_t)n_frames, sizeof *codes, err));
    if (decoder) {
        TRY(net_stream_decode(net, codes, net->n_stages, n_frames, &decoded, err));
    } else {
        TRY(mem_calloc(&silence, n_samples, sizeof *silence, err));
        TRY(net_stream_encode(net, silence, n_frames, codes, err));
    }
    net_stream_restart(net);
fail:
    mem_free(&codes);
    mem_free(&silence);
    return status;
}

RsdStatus net_stream_open(NetStream **out, const RsdModel *model, RsdThreads *threads, bool decoder, int n_stages,
                          int n_frames, int other_frames, RsdError *err)
{
    NetStream *net = NULL;
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(mem_calloc(&net, 1, sizeof *net, err));
    net->model = model;
    net->n_stages = n_stages;
    if (!threads) {
        TRY(rsd_threads_create(&net->own_threads, 1, err));
        threads = net->own_threads;
    }
    TRY(tape_create(&net->tape, threads, 0, err));
    TRY(stream_create(&net->state, err));
    net->tape->stream = net->state;
    TRY(warm_up(net, decoder, n_frames, err));
    if (other_frames > 0)
        TRY(warm_up(net, decoder, other_frames, err));
    *out = net;
    return RSD_OK;
fail:
    net_stream_close(&net);
    return status;
}

void net_stream_close(NetStream **net)
{
    if (!*net)
        return;
    tape_destroy(&(*net)->tape);
    stream_destroy(&(*net)->state);
    rsd_threads_destroy(&(*net)->own_threads);
    mem_free(net);
}
