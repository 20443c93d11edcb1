/* net_stream.c - a tape, its arena and a stream state around the model's functions.
 *
 * SPDX-License-Identifier: MIT
 */
#include "codec/net_stream.h"

#include "engine/base/mem.h"
#include "engine/kernels/point.h"
#include "engine/stream.h"
#include "engine/tape.h"

/* Samples per chunk. Longer chunks fill the kernels' tiles better at the deep end of the network; shorter ones keep the
 * wide end in the second-level cache. */
#define CHUNK_SAMPLES 16000
#define USUAL_EFFORT 2

struct NetStream {
    const RsdModel *model;
    RsdThreads *own_threads; /* of one thread, when the caller gave none: the tape needs a pool */
    Tape *tape;
    StreamState *state;
    int n_stages;
    int n_paths;          /* of an encoder's search, 0: a decoder */
    int unit;             /* of the network's input in a frame: hop samples, or 1 */
    int64_t lag;
    int64_t n_fed, n_all; /* frames since the start, and of the signal, STREAM_UNKNOWN_LENGTH */
};

int net_stream_chunk_frames(const RsdModelInfo *info, int at_most)
{
    int n_frames = CHUNK_SAMPLES / info->hop_samples;

    return n_frames < 1 ? 1 : n_frames > at_most ? at_most : n_frames;
}

/* state NULL: a signal by itself. */
static void begin_chunk(NetStream *net, StreamState *state, int n_frames)
{
    tape_reset(net->tape);
    net->tape->stream = state;
    if (!state)
        return;
    stream_rewind(state);
    stream_place(state, net->n_fed * net->unit,
                 net->n_all == STREAM_UNKNOWN_LENGTH ? STREAM_UNKNOWN_LENGTH : net->n_all * net->unit);
    net->n_fed += n_frames;
}

int64_t net_stream_lag(const NetStream *net)
{
    return net->lag;
}

void net_stream_end(NetStream *net, int n_frames)
{
    net->n_all = net->n_fed + n_frames;
}

static RsdStatus encode(NetStream *net, StreamState *state, const float *samples, int64_t n_samples, uint16_t *codes,
                        RsdError *err)
{
    const int64_t shape[3] = {1, net->model->info.channels, n_samples};
    AudioCodec *codec = net->model->codec;
    Tensor *x;
    RsdStatus status = RSD_OK;

    begin_chunk(net, state, (int)(n_samples / net->model->info.hop_samples));
    TRY(tape_input(net->tape, &x, 3, shape, samples, err));
    TRY(audio_codec_encode(net->tape, codec, x, net->n_stages, net->n_paths, codes, err));
fail:
    return status;
}

static RsdStatus decode(NetStream *net, StreamState *state, const uint16_t *codes, int n_stages, int n_frames,
                        const float **samples, RsdError *err)
{
    AudioCodec *codec = net->model->codec;
    Tensor *z, *y;
    RsdStatus status = RSD_OK;

    begin_chunk(net, state, n_frames);
    if (codes) {
        TRY(audio_codec_latents(net->tape, codec, codes, 1, n_stages, n_frames, &z, err));
    } else {
        TRY(tape_tensor(net->tape, &z, 3, (int64_t[]){1, audio_codec_latent_dim(&codec->config), n_frames}, err));
        net->tape->kernels->point->fill(z->data, 0.0f, tensor_count(z), false);
    }
    TRY(audio_codec_decode(net->tape, codec, z, &y, err));
    *samples = y->data;
fail:
    return status;
}

RsdStatus net_stream_encode(NetStream *net, const float *samples, int n_frames, uint16_t *codes, RsdError *err)
{
    return encode(net, net->state, samples, (int64_t)n_frames * net->model->info.hop_samples, codes, err);
}

RsdStatus net_stream_encode_last(NetStream *net, const float *samples, int64_t n_samples, uint16_t *codes,
                                 RsdError *err)
{
    RsdStatus status;

    stream_set_last(net->state, true);
    status = encode(net, net->state, samples, n_samples, codes, err);
    net_stream_restart(net);
    return status;
}

RsdStatus net_stream_encode_whole(NetStream *net, const float *samples, int64_t n_samples, uint16_t *codes,
                                  RsdError *err)
{
    return encode(net, NULL, samples, n_samples, codes, err);
}

RsdStatus net_stream_decode(NetStream *net, const uint16_t *codes, int n_stages, int n_frames, const float **samples,
                            RsdError *err)
{
    return decode(net, net->state, codes, n_stages, n_frames, samples, err);
}

RsdStatus net_stream_decode_whole(NetStream *net, const uint16_t *codes, int n_stages, int n_frames,
                                  const float **samples, RsdError *err)
{
    return decode(net, NULL, codes, n_stages, n_frames, samples, err);
}

void net_stream_restart(NetStream *net)
{
    stream_clear(net->state);
    net->n_fed = 0;
    net->n_all = STREAM_UNKNOWN_LENGTH;
}

/* Runs the network on silence: n_samples of it as a chunk of the stream, or as a signal by itself. */
static RsdStatus warm_up(NetStream *net, bool decoder, bool whole, int64_t n_samples, RsdError *err)
{
    const RsdModelInfo *info = &net->model->info;
    size_t n_frames = (size_t)((n_samples + info->hop_samples - 1) / info->hop_samples);
    StreamState *state = whole ? NULL : net->state;
    uint16_t *codes = NULL;
    float *silence = NULL;
    const float *decoded;
    RsdStatus status = RSD_OK;

    TRY(mem_calloc(&codes, (size_t)net->n_stages * n_frames, sizeof *codes, err));
    if (decoder) {
        TRY(decode(net, state, codes, net->n_stages, (int)n_frames, &decoded, err));
    } else {
        TRY(mem_calloc(&silence, (size_t)info->channels * (size_t)n_samples, sizeof *silence, err));
        TRY(encode(net, state, silence, n_samples, codes, err));
    }
    net_stream_restart(net);
fail:
    mem_free(&codes);
    mem_free(&silence);
    return status;
}

RsdStatus net_stream_choose_paths(int *n_paths, const RsdModel *model, int effort, RsdError *err)
{
    const int most = audio_codec_max_paths(&model->codec->config);
    RsdStatus status = RSD_OK;

    CHECK(effort >= 0 && effort <= RSD_MAX_SOUND_EFFORT, err, RSD_ERR_ARG, "effort %d; 1 to %d are possible", effort,
          RSD_MAX_SOUND_EFFORT);
    CHECK(effort <= 1 || most > 1, err, RSD_ERR_ARG, "effort %d: codes of model %s are found stage by stage, which is effort 1", effort,
          model->info.name);
    if (effort == 0)
        effort = most > 1 && !model->codec->is_foreign ? USUAL_EFFORT : 1;
    *n_paths = effort == 1 ? 1 : 1 << effort;
fail:
    return status;
}

static RsdStatus create(NetStream **out, const RsdModel *model, RsdThreads *threads, int n_paths, int n_stages,
                        RsdError *err)
{
    NetStream *net = NULL;
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(mem_calloc(&net, 1, sizeof *net, err));
    net->model = model;
    net->n_stages = n_stages;
    net->n_paths = n_paths;
    net->unit = n_paths == 0 ? 1 : model->info.hop_samples;
    net->lag = n_paths == 0 ? audio_codec_decoder_lag(&model->codec->config) : audio_codec_encoder_lag(&model->codec->config);
    net->n_all = STREAM_UNKNOWN_LENGTH;
    if (!threads) {
        TRY(rsd_threads_create(&net->own_threads, 1, err));
        threads = net->own_threads;
    }
    TRY(tape_create(&net->tape, threads, 0, err));
    TRY(stream_create(&net->state, err));
    *out = net;
    return RSD_OK;
fail:
    net_stream_close(&net);
    return status;
}

RsdStatus net_stream_open(NetStream **out, const RsdModel *model, RsdThreads *threads, int n_paths, int n_stages,
                          int n_frames, int other_frames, RsdError *err)
{
    const int64_t hop = model->info.hop_samples;
    RsdStatus status = RSD_OK;

    TRY(create(out, model, threads, n_paths, n_stages, err));
    TRY(warm_up(*out, n_paths == 0, false, n_frames * hop, err));
    if (other_frames > 0)
        TRY(warm_up(*out, n_paths == 0, false, other_frames * hop, err));
    return RSD_OK;
fail:
    net_stream_close(out);
    return status;
}

RsdStatus net_stream_open_for(NetStream **out, const RsdModel *model, RsdThreads *threads, int n_paths, int n_stages,
                              int n_frames, int64_t n_whole, RsdError *err)
{
    RsdStatus status = RSD_OK;

    TRY(create(out, model, threads, n_paths, n_stages, err));
    TRY(warm_up(*out, n_paths == 0, true, n_whole, err));
    if (n_frames > 0)
        TRY(warm_up(*out, n_paths == 0, false, (int64_t)n_frames * model->info.hop_samples, err));
    return RSD_OK;
fail:
    net_stream_close(out);
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
