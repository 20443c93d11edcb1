/* ecdc_encoder.c - samples to .ecdc.
 *
 *   causal models   [input: a chunk and one frame more] -> chunk -> codes -> bits, as one endless segment
 *   others          [input: one segment] -> scaled, coded by itself -> bits, filled up; the overlap stays in the input
 *
 * One frame is held back so that the last chunk, which completes its windows by reflection as a whole signal does, is never
 * shorter than a frame. A length that is not announced can only be written at the end, in front of everything: until then the
 * codes, some hundred bytes per second, are kept.
 *
 * SPDX-License-Identifier: MIT
 */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "codec/arithmetic_coder.h"
#include "codec/bitpack.h"
#include "codec/container.h"
#include "codec/ecdc.h"
#include "codec/net_stream.h"
#include "engine/base/bytes.h"
#include "engine/base/mem.h"
#include "models/code_lm.h"

#define MIN_CHUNK_FRAMES 8 /* more than any layer reflects at the left edge */
#define MAX_HELD_SIZE ((size_t)256 << 20)
#define BITS_PER_SYMBOL 32 /* more than the arithmetic coder makes of one */

struct EcdcEncoder {
    RsdEncoderOptions options;
    RsdStreamInfo info;
    RsdStreamReport report;
    NetStream *net;
    int n_paths;     /* of the search for codes */
    CodeLmState *lm; /* NULL: packed codes */
    bool normalize;

    float *input; /* [channels, capacity] */
    size_t capacity, n_input;
    size_t chunk_len,
        stride; /* samples coded at once, and how far the input moves on; segments: stride below chunk_len */
    bool segments, started;
    int64_t n_written;

    uint16_t *codes; /* [n_stages, frames] */
    uint16_t previous[STREAM_MAX_STAGES];
    float *probabilities;
    uint32_t *cdf;
    ArithmeticEncoder arithmetic;
    BitWriter bits;
    uint8_t *bytes;
    size_t bytes_size;
    uint8_t *held; /* everything, while the length is unknown */
    size_t held_size, held_capacity;
};

/* ---- bytes ---- */

static RsdStatus put(EcdcEncoder *e, const uint8_t *data, size_t size, RsdError *err)
{
    RsdError local;
    RsdStatus status = RSD_OK;

    e->report.n_bytes += (int64_t)size;
    if (e->options.n_samples != RSD_UNKNOWN_LENGTH)
        return e->options.write(e->options.write_ctx, data, size, err ? err : &local);
    CHECK(size <= MAX_HELD_SIZE - e->held_size, err, RSD_ERR_UNSUPPORTED,
          "%s: an .ecdc file begins with its length, and an input of unknown length can be kept up to %zu MB of codes; "
          "write a "
          ".rsd stream, or encode a file",
          e->options.name, MAX_HELD_SIZE >> 20);
    if (e->held_size + size > e->held_capacity) {
        size_t capacity = 2 * e->held_capacity + size + 65536;

        TRY(mem_resize(&e->held, e->held_capacity, capacity, 1, err));
        e->held_capacity = capacity;
    }
    memcpy(e->held + e->held_size, data, size);
    e->held_size += size;
fail:
    return status;
}

/* Whole bytes so far; bits of an unfinished one stay. */
static RsdStatus put_whole_bytes(EcdcEncoder *e, RsdError *err)
{
    RsdStatus status = put(e, e->bytes, (size_t)(e->bits.next - e->bytes), err);

    e->bits.next = e->bytes;
    return status;
}

static RsdStatus put_bit(void *ctx, int bit, RsdError *err)
{
    EcdcEncoder *e = ctx;

    (void)err;
    bit_writer_put(&e->bits, (uint32_t)bit, 1);
    return RSD_OK;
}

static RsdStatus put_scale(EcdcEncoder *e, float scale, RsdError *err)
{
    uint8_t bytes[4];
    uint32_t bits;
    RsdStatus status = RSD_OK;

    CHECK(scale <= ECDC_MAX_SCALE, err, RSD_ERR_NUMERIC,
          "%s: the segment at %.2f s is %g times full scale on average, an .ecdc file can say up to %g; 1.0 is full scale", e->options.name,
          (double)e->report.n_packets * (double)e->stride / e->info.rate_hz, (double)scale, (double)ECDC_MAX_SCALE);
    memcpy(&bits, &scale, sizeof bits);
    put_u32be(bytes, bits);
    TRY(put(e, bytes, sizeof bytes, err));
fail:
    return status;
}

static RsdStatus end_segment(EcdcEncoder *e, RsdError *err)
{
    RsdStatus status = RSD_OK;

    if (e->lm) {
        TRY(arithmetic_flush(&e->arithmetic, err));
        code_lm_restart(e->lm);
    }
    e->bits.next = bit_writer_finish(&e->bits);
    TRY(put_whole_bytes(e, err));
    e->report.n_packets++;
fail:
    return status;
}

/* ---- codes ---- */

static RsdStatus put_codes_with_lm(EcdcEncoder *e, int64_t n_frames, RsdError *err)
{
    const int n_q = e->info.n_stages, n_codes = 1 << e->info.bits_per_code;
    RsdStatus status = RSD_OK;

    for (int64_t t = 0; t < n_frames; t++) {
        code_lm_next(e->lm, e->previous, n_q, e->probabilities);
        for (int k = 0; k < n_q; k++) {
            e->previous[k] = e->codes[k * n_frames + t];
            TRY(arithmetic_cdf(e->probabilities + (size_t)k * (size_t)n_codes, n_codes, e->cdf, err));
            TRY(arithmetic_encode(&e->arithmetic, e->cdf, n_codes, e->previous[k], err));
        }
    }
fail:
    return status;
}

/* codes [n_stages, n_frames] as bits, frame by frame. */
static RsdStatus put_codes(EcdcEncoder *e, int64_t n_frames, RsdError *err)
{
    const int n_q = e->info.n_stages;
    RsdStatus status = RSD_OK;

    if (e->lm) {
        TRY(put_codes_with_lm(e, n_frames, err));
    } else {
        for (int64_t t = 0; t < n_frames; t++)
            for (int k = 0; k < n_q; k++)
                bit_writer_put(&e->bits, e->codes[k * n_frames + t], e->info.bits_per_code);
    }
    TRY(put_whole_bytes(e, err));
fail:
    return status;
}

/* ---- samples ---- */

/* RMS of the mean of the channels (audio.md 1.5), by which the input [channels, capacity] is divided. */
static float scale_down(EcdcEncoder *e, size_t n)
{
    double sum = 0.0;
    float scale;

    for (size_t i = 0; i < n; i++) {
        float mono = 0.0f;

        for (int c = 0; c < e->info.channels; c++)
            mono += e->input[(size_t)c * e->capacity + i];
        mono /= (float)e->info.channels;
        sum += (double)(mono * mono);
    }
    scale = 1e-8f + sqrtf((float)(sum / (double)n));
    return scale;
}

/* The n first samples of the input into one block [channels, n], divided by scale. */
static float *gather(EcdcEncoder *e, size_t n, float scale)
{
    float *block = e->input + (size_t)e->info.channels * e->capacity;

    for (int c = 0; c < e->info.channels; c++)
        for (size_t i = 0; i < n; i++)
            block[(size_t)c * n + i] = e->input[(size_t)c * e->capacity + i] / scale;
    return block;
}

/* Codes the first n samples of the input and lets it move on by `stride`. */
static RsdStatus code_piece(EcdcEncoder *e, size_t n, size_t stride, bool last, RsdError *err)
{
    const float scale = e->normalize ? scale_down(e, n) : 1.0f;
    const float *block = gather(e, n, scale);
    const size_t hop = (size_t)e->info.hop_samples;
    RsdStatus status = RSD_OK;

    if (e->normalize)
        TRY(put_scale(e, scale, err));
    if (e->segments || (last && !e->started))
        TRY(net_stream_encode_whole(e->net, block, (int64_t)n, e->codes, err));
    else if (last)
        TRY(net_stream_encode_last(e->net, block, (int64_t)n, e->codes, err));
    else
        TRY(net_stream_encode(e->net, block, (int)(n / hop), e->codes, err));
    e->started = true;
    TRY(put_codes(e, (int64_t)((n + hop - 1) / hop), err));
    if (e->segments || last)
        TRY(end_segment(e, err));
    e->n_input -= stride;
    for (int c = 0; c < e->info.channels; c++)
        memmove(e->input + (size_t)c * e->capacity, e->input + (size_t)c * e->capacity + stride,
                e->n_input * sizeof *e->input);
fail:
    return status;
}

RsdStatus ecdc_encoder_write(EcdcEncoder *e, const float *samples, size_t stride, size_t n_samples, RsdError *err)
{
    RsdStatus status = RSD_OK;

    while (n_samples > 0) {
        size_t n = e->capacity - e->n_input;

        if (n > n_samples)
            n = n_samples;
        for (int c = 0; c < e->info.channels; c++)
            memcpy(e->input + (size_t)c * e->capacity + e->n_input, samples + (size_t)c * stride, n * sizeof *samples);
        e->n_input += n;
        e->n_written += (int64_t)n;
        samples += n;
        n_samples -= n;
        if (e->n_input == e->capacity && (e->segments || n_samples > 0))
            TRY(code_piece(e, e->chunk_len, e->stride, false, err));
    }
    e->report.n_samples = e->n_written;
fail:
    return status;
}

/* The header, and behind it what was kept for it. */
static RsdStatus put_header(EcdcEncoder *e, RsdError *err)
{
    EcdcHeader header = {.n_samples = e->info.n_samples, .n_stages = e->info.n_stages, .has_lm = e->lm != NULL};
    uint8_t bytes[ECDC_HEADER_MAX_SIZE];
    size_t size;
    RsdError local;
    RsdStatus status = RSD_OK;

    memcpy(header.model_name, e->info.model_name, sizeof header.model_name);
    size = ecdc_header_write(&header, bytes);
    e->info.header_size = (int)size;
    e->report.n_bytes += (int64_t)size;
    TRY(e->options.write(e->options.write_ctx, bytes, size, err ? err : &local));
    if (e->held_size > 0)
        TRY(e->options.write(e->options.write_ctx, e->held, e->held_size, err ? err : &local));
fail:
    return status;
}

RsdStatus ecdc_encoder_finish(EcdcEncoder *e, RsdError *err)
{
    RsdStatus status = RSD_OK;

    /* A segment begins at every multiple of the stride before the end, however short it is. */
    while (e->n_input > 0)
        TRY(code_piece(e, e->n_input, e->segments && e->n_input > e->stride ? e->stride : e->n_input, true, err));
    if (e->options.n_samples == RSD_UNKNOWN_LENGTH) {
        e->info.n_samples = e->n_written;
        TRY(put_header(e, err));
    }
    e->report.has_end = true;
    if (e->n_written > 0)
        e->report.bitrate_bps = (double)e->report.n_bytes * 8 * e->info.rate_hz / (double)e->n_written;
fail:
    return status;
}

/* ---- life ---- */

static RsdStatus describe(EcdcEncoder *e, int n_stages, RsdError *err)
{
    const RsdModelInfo *model = rsd_model_info(e->options.model);
    const AudioCodecConfig *cfg = &e->options.model->codec->config;
    RsdStreamInfo *info = &e->info;
    RsdStatus status = RSD_OK;

    CHECK(model->rate_hz % model->hop_samples == 0, err, RSD_ERR_UNSUPPORTED,
          "model %s: %d Hz are no whole number of frames of %d samples, as .ecdc needs", model->name, model->rate_hz,
          model->hop_samples);
    info->container = RSD_CONTAINER_ECDC;
    info->has_language_model = e->options.language_model != NULL;
    memcpy(info->model_name, model->name, sizeof info->model_name);
    memcpy(info->model_hash, model->hash, sizeof info->model_hash);
    info->rate_hz = model->rate_hz;
    info->channels = model->channels;
    info->layout = stream_layout_for(model->channels);
    info->n_samples = e->options.n_samples;
    info->hop_samples = model->hop_samples;
    info->bits_per_code = model->bits_per_code;
    info->n_stages = info->layer_stages[0] = n_stages;
    info->n_layers = info->layer_strides[0] = 1;
    info->bitrate_bps = n_stages * model->stage_bitrate_bps;
    e->normalize = cfg->normalize;
    e->segments = model->segment_samples > 0;
    CHECK(e->segments || model->can_stream, err, RSD_ERR_UNSUPPORTED,
          "model %s is neither causal nor made for segments: it can code whole signals only", model->name);
    CHECK(e->options.n_samples <= ECDC_MAX_SAMPLES, err, RSD_ERR_ARG, "%s: %" PRId64 " samples are too many",
          e->options.name, e->options.n_samples);
fail:
    return status;
}

static RsdStatus take_memory(EcdcEncoder *e, RsdError *err)
{
    const RsdModelInfo *model = rsd_model_info(e->options.model);
    const size_t hop = (size_t)model->hop_samples, n_q = (size_t)e->info.n_stages;
    int chunk_frames = net_stream_chunk_frames(model, INT32_MAX);
    size_t n_frames;
    RsdStatus status = RSD_OK;

    if (chunk_frames < MIN_CHUNK_FRAMES)
        chunk_frames = MIN_CHUNK_FRAMES;
    if (e->segments) {
        e->chunk_len = e->capacity = (size_t)model->segment_samples;
        e->stride = (size_t)audio_codec_segment_stride(&e->options.model->codec->config);
        chunk_frames = 0;
    } else {
        e->chunk_len = e->stride = (size_t)chunk_frames * hop;
        e->capacity = e->chunk_len + hop;
    }
    n_frames = (e->capacity + hop - 1) / hop;
    TRY(mem_alloc(&e->input, 2 * (size_t)e->info.channels * e->capacity, sizeof *e->input, err));
    TRY(mem_alloc(&e->codes, n_q * n_frames, sizeof *e->codes, err));
    e->bytes_size = n_q * n_frames * BITS_PER_SYMBOL / 8 + 64;
    TRY(mem_alloc(&e->bytes, e->bytes_size, 1, err));
    bit_writer_init(&e->bits, e->bytes);
    TRY(net_stream_choose_paths(&e->n_paths, e->options.model, e->options.effort, err));
    TRY(net_stream_open_for(&e->net, e->options.model, e->options.threads, e->n_paths, e->info.n_stages, chunk_frames,
                            (int64_t)e->capacity, err));
fail:
    return status;
}

static RsdStatus take_lm(EcdcEncoder *e, RsdError *err)
{
    const CodeLm *lm = e->options.language_model;
    const size_t n_codes = (size_t)1 << e->info.bits_per_code;
    RsdStatus status = RSD_OK;

    if (!lm)
        return RSD_OK;
    TRY(ecdc_check_lm(lm, e->options.model, e->info.n_stages, err));
    TRY(code_lm_state_create(&e->lm, lm, e->options.threads, ecdc_frame_rate(rsd_model_info(e->options.model)), err));
    TRY(mem_alloc(&e->probabilities, (size_t)e->info.n_stages * n_codes, sizeof *e->probabilities, err));
    TRY(mem_alloc(&e->cdf, n_codes, sizeof *e->cdf, err));
    arithmetic_encoder_init(&e->arithmetic, put_bit, e);
fail:
    return status;
}

RsdStatus ecdc_check_lm(const CodeLm *lm, const RsdModel *model, int n_stages, RsdError *err)
{
    const CodeLmConfig *c = code_lm_config(lm);

    if (c->n_q < n_stages || c->n_codes != 1 << rsd_model_info(model)->bits_per_code)
        return error_set(err, RSD_ERR_MODEL,
                         "the language model is for %d stages of %d codes; %d stages of %d are coded", c->n_q,
                         c->n_codes, n_stages, 1 << rsd_model_info(model)->bits_per_code);
    return RSD_OK;
}

RsdStatus ecdc_encoder_open(EcdcEncoder **out, const RsdEncoderOptions *options, int n_stages, RsdError *err)
{
    EcdcEncoder *e = NULL;
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(mem_calloc(&e, 1, sizeof *e, err));
    e->options = *options;
    TRY(describe(e, n_stages, err));
    TRY(take_memory(e, err));
    TRY(take_lm(e, err));
    if (options->n_samples != RSD_UNKNOWN_LENGTH)
        TRY(put_header(e, err));
    *out = e;
    return RSD_OK;
fail:
    ecdc_encoder_close(&e);
    return status;
}

void ecdc_encoder_close(EcdcEncoder **encoder)
{
    EcdcEncoder *e = *encoder;

    if (!e)
        return;
    net_stream_close(&e->net);
    code_lm_state_destroy(&e->lm);
    mem_free(&e->input);
    mem_free(&e->codes);
    mem_free(&e->probabilities);
    mem_free(&e->cdf);
    mem_free(&e->bytes);
    mem_free(&e->held);
    mem_free(encoder);
}

const RsdStreamInfo *ecdc_encoder_info(const EcdcEncoder *e)
{
    return &e->info;
}

const RsdStreamReport *ecdc_encoder_report(const EcdcEncoder *e)
{
    return &e->report;
}
