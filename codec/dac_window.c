/* dac_window.c - a window at once into the encoder, in pieces through the decoder.
 *
 * The decoder runs as a stream over the window and on in silence, as long as its output is late.
 *
 * SPDX-License-Identifier: MIT
 */
#include "codec/dac_window.h"

#include <string.h>

#include "codec/net_stream.h"
#include "engine/base/mem.h"
#include "engine/kernels/point.h"
#include "engine/stream.h"

#define MEMORY_LIMIT ((size_t)8 << 30) /* of one window in the encoder */

struct DacWindow {
    AudioCodec *codec;
    RsdThreads *own_threads;
    Tape *tape;
    StreamState *state;
    int n_stages, piece_frames;
    DacPadding padding;
};

RsdStatus dac_window_open(DacWindow **out, const RsdModel *model, RsdThreads *threads, int n_stages, DacPadding padding,
                          RsdError *err)
{
    DacWindow *w = NULL;
    RsdStatus status = RSD_OK;

    *out = NULL;
    CHECK(model->codec->dac, err, RSD_ERR_ARG,
          ".dac files are coded with a DAC model; %s is another kind: give DAC weights with --model", model->info.name);
    TRY(mem_calloc(&w, 1, sizeof *w, err));
    *w = (DacWindow){.codec = model->codec, .n_stages = n_stages, .padding = padding};
    w->piece_frames = net_stream_chunk_frames(&model->info, INT32_MAX);
    if (!threads)
        TRY(rsd_threads_create(&w->own_threads, 1, err));
    TRY(tape_create(&w->tape, threads ? threads : w->own_threads, MEMORY_LIMIT, err));
    TRY(stream_create(&w->state, err));
    *out = w;
    return RSD_OK;
fail:
    dac_window_close(&w);
    return status;
}

void dac_window_close(DacWindow **window)
{
    if (!*window)
        return;
    stream_destroy(&(*window)->state);
    tape_destroy(&(*window)->tape);
    rsd_threads_destroy(&(*window)->own_threads);
    mem_free(window);
}

RsdStatus dac_window_encode(DacWindow *w, const float *x, int64_t n, uint16_t *codes, RsdError *err)
{
    Tensor *in, *z;
    RsdStatus status = RSD_OK;

    tape_reset(w->tape);
    w->tape->stream = NULL;
    TRY(tape_input(w->tape, &in, 3, (int64_t[]){1, 1, n}, x, err));
    TRY(dac_encode(w->tape, w->codec->dac, in, w->padding, &z, err));
    TRY(projected_rvq_encode(w->tape, w->codec->projected_rvq, z, w->n_stages, codes, NULL, err));
fail:
    return status;
}

/* Frames first .. first + n - 1 of the window's n_all as latents, zeros beyond its end. */
static RsdStatus latents(DacWindow *w, const uint16_t *codes, int64_t stride, int64_t first, int64_t n, int64_t n_all, Tensor **z,
                         RsdError *err)
{
    uint16_t *some;
    RsdStatus status = RSD_OK;

    if (first >= n_all) {
        TRY(tape_tensor(w->tape, z, 3, (int64_t[]){1, w->codec->config.dac.latent_dim, n}, err));
        w->tape->kernels->point->fill((*z)->data, 0.0f, tensor_count(*z), false);
        return RSD_OK;
    }
    TRY(arena_calloc(w->tape->arena, &some, (size_t)(w->n_stages * n), sizeof *some, err));
    for (int i = 0; i < w->n_stages; i++)
        memcpy(some + i * n, codes + i * stride + first, (size_t)(n_all - first < n ? n_all - first : n) * sizeof *codes);
    TRY(audio_codec_latents(w->tape, w->codec, some, 1, w->n_stages, n, z, err));
fail:
    return status;
}

RsdStatus dac_window_decode(DacWindow *w, const uint16_t *codes, int64_t stride, int64_t n, DacSampleSink sink, void *ctx,
                            RsdError *err)
{
    const DacConfig *cfg = &w->codec->config.dac;
    const int64_t hop = dac_hop(cfg), wanted = dac_decoded_len(cfg, n, w->padding);
    const int64_t begin = dac_decoder_lag(cfg, w->padding); /* column of the first sample */
    RsdStatus status = RSD_OK;

    stream_clear(w->state);
    for (int64_t first = 0; first * hop < begin + wanted; first += w->piece_frames) {
        int64_t from = first * hop < begin ? begin - first * hop : 0, to = begin + wanted - first * hop;
        Tensor *z, *y;

        tape_reset(w->tape);
        w->tape->stream = w->state;
        stream_rewind(w->state);
        stream_place(w->state, first, n);
        TRY(latents(w, codes, stride, first, w->piece_frames, n, &z, err));
        TRY(dac_decode(w->tape, w->codec->dac, z, w->padding, &y, err));
        if (to > y->shape[2])
            to = y->shape[2];
        if (to > from)
            TRY(sink(ctx, y->data + from, to - from, err));
    }
fail:
    return status;
}
