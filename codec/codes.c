/* codes.c - codes to latents and samples, without a stream around them.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "codec/net_stream.h"
#include "engine/base/mem.h"

#define LATENT_FRAMES ((int64_t)256) /* worked out at once */

struct RsdCodesDecoder {
    const RsdModel *model;
    const uint16_t *codes; /* [n_stages, n_frames], the caller's */
    int n_stages;
    int64_t n_frames, frame; /* all, and those fed */
    NetStream *net;
    uint16_t *chunk_codes; /* [n_stages, chunk_frames] */
    int chunk_frames;
    const float *chunk; /* [channels, chunk_samples], the network's */
    size_t chunk_samples, chunk_at;
    int64_t n_skip, n_owed; /* samples before the first of the signal; and not delivered yet */
    bool has_failed;
};

static RsdStatus check_codes(const RsdModel *model, const uint16_t *codes, int n_stages, int64_t n_frames, RsdError *err)
{
    const RsdModelInfo *info = &model->info;
    RsdStatus status = RSD_OK;

    CHECK(n_stages >= 1 && n_stages <= info->n_stages && n_frames >= 0 && n_frames <= INT64_MAX / 65536 / info->hop_samples,
          err, RSD_ERR_ARG, "%d stages and %lld frames of codes; model %s has 1 to %d stages", n_stages, (long long)n_frames,
          info->name, info->n_stages);
    for (int64_t i = 0; i < n_stages * n_frames; i++)
        CHECK(codes[i] < info->codebook_size, err, RSD_ERR_CORRUPT,
              "code %d of stage %lld at frame %lld; the codebooks of model %s have %d", codes[i], (long long)(i / n_frames + 1),
              (long long)(i % n_frames), info->name, info->codebook_size);
fail:
    return status;
}

/* Columns first .. first + n - 1 of codes [n_stages, n_frames], zeros beyond the end. */
static void take_columns(uint16_t *dst, int64_t n, const uint16_t *codes, int n_stages, int64_t n_frames, int64_t first)
{
    int64_t n_there = n_frames - first < n ? n_frames - first : n;

    for (int i = 0; i < n_stages; i++) {
        memset(dst + i * n, 0, (size_t)n * sizeof *dst);
        if (n_there > 0)
            memcpy(dst + i * n, codes + i * n_frames + first, (size_t)n_there * sizeof *dst);
    }
}

RsdStatus rsd_codes_to_latents(const RsdModel *model, RsdThreads *threads, const uint16_t *codes, int n_stages,
                               int64_t n_frames, float *latents, RsdError *err)
{
    RsdThreads *own = NULL;
    uint16_t *some = NULL;
    Tape *tape = NULL;
    RsdStatus status = RSD_OK;

    TRY(check_codes(model, codes, n_stages, n_frames, err));
    if (!threads)
        TRY(rsd_threads_create(&own, 1, err));
    TRY(tape_create(&tape, threads ? threads : own, 0, err));
    TRY(mem_alloc(&some, (size_t)(n_stages * LATENT_FRAMES), sizeof *some, err));
    for (int64_t first = 0; first < n_frames; first += LATENT_FRAMES) {
        int64_t n = n_frames - first < LATENT_FRAMES ? n_frames - first : LATENT_FRAMES;
        Tensor *z;

        take_columns(some, n, codes, n_stages, n_frames, first);
        TRY(audio_codec_latents(tape, model->codec, some, 1, n_stages, n, &z, err));
        for (int64_t d = 0; d < z->shape[1]; d++)
            memcpy(latents + d * n_frames + first, z->data + d * n, (size_t)n * sizeof *latents);
        tape_reset(tape);
    }
fail:
    mem_free(&some);
    tape_destroy(&tape);
    rsd_threads_destroy(&own);
    return status;
}

RsdStatus rsd_codes_open(RsdCodesDecoder **out, const RsdModel *model, RsdThreads *threads, const uint16_t *codes,
                         int n_stages, int64_t n_frames, RsdError *err)
{
    RsdCodesDecoder *decoder = NULL;
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(check_codes(model, codes, n_stages, n_frames, err));
    CHECK(audio_codec_can_stream(&model->codec->config), err, RSD_ERR_UNSUPPORTED, "model %s cannot run as a stream",
          model->info.name);
    TRY(mem_calloc(&decoder, 1, sizeof *decoder, err));
    decoder->model = model;
    decoder->codes = codes;
    decoder->n_stages = n_stages;
    decoder->n_frames = n_frames;
    decoder->n_owed = n_frames * model->info.hop_samples;
    decoder->chunk_frames = net_stream_chunk_frames(&model->info, n_frames < INT32_MAX ? (int)n_frames : INT32_MAX);
    if (decoder->chunk_frames < 1)
        decoder->chunk_frames = 1;
    TRY(mem_alloc(&decoder->chunk_codes, (size_t)n_stages * (size_t)decoder->chunk_frames, sizeof *decoder->chunk_codes, err));
    TRY(net_stream_open(&decoder->net, model, threads, 0, n_stages, decoder->chunk_frames, 0, err));
    decoder->n_skip = net_stream_lag(decoder->net);
    *out = decoder;
    return RSD_OK;
fail:
    rsd_codes_close(&decoder);
    return status;
}

static RsdStatus next_chunk(RsdCodesDecoder *decoder, RsdError *err)
{
    int64_t n_left = decoder->n_frames - decoder->frame, n_chunk = decoder->chunk_frames;
    RsdStatus status = RSD_OK;

    take_columns(decoder->chunk_codes, n_chunk, decoder->codes, decoder->n_stages, decoder->n_frames, decoder->frame);
    if (n_left >= 0 && n_left < n_chunk)
        net_stream_end(decoder->net, (int)n_left);
    TRY(net_stream_decode(decoder->net, decoder->chunk_codes, decoder->n_stages, decoder->chunk_frames, &decoder->chunk, err));
    decoder->frame += n_chunk;
    decoder->chunk_samples = (size_t)(n_chunk * decoder->model->info.hop_samples);
    decoder->chunk_at = decoder->n_skip < (int64_t)decoder->chunk_samples ? (size_t)decoder->n_skip : decoder->chunk_samples;
    decoder->n_skip -= (int64_t)decoder->chunk_at;
fail:
    return status;
}

RsdStatus rsd_codes_read(RsdCodesDecoder *decoder, float *samples, size_t stride, size_t max_samples, size_t *n_read,
                         RsdError *err)
{
    RsdStatus status = RSD_OK;

    *n_read = 0;
    CHECK(!decoder->has_failed, err, RSD_ERR_ARG, "codes are read on after an error");
    while (*n_read < max_samples && decoder->n_owed > 0) {
        size_t n = decoder->chunk_samples - decoder->chunk_at;

        if (n == 0) {
            TRY(next_chunk(decoder, err));
            continue;
        }
        if (n > max_samples - *n_read)
            n = max_samples - *n_read;
        if ((int64_t)n > decoder->n_owed)
            n = (size_t)decoder->n_owed;
        for (size_t c = 0; c < (size_t)decoder->model->info.channels; c++)
            memcpy(samples + c * stride + *n_read, decoder->chunk + c * decoder->chunk_samples + decoder->chunk_at,
                   n * sizeof *samples);
        decoder->chunk_at += n;
        decoder->n_owed -= (int64_t)n;
        *n_read += n;
    }
fail:
    decoder->has_failed = status != RSD_OK;
    return status;
}

void rsd_codes_close(RsdCodesDecoder **decoder)
{
    if (!*decoder)
        return;
    net_stream_close(&(*decoder)->net);
    mem_free(&(*decoder)->chunk_codes);
    mem_free(decoder);
}
