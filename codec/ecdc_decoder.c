/* ecdc_decoder.c - .ecdc to samples.
 *
 *   causal models   bits -> codes of a chunk -> network with carried state -> samples
 *   others          bits -> one segment -> samples, scaled back -> [sum: one segment] -> what no later segment touches
 *
 * Segments are joined as the original does: each is weighted by a triangle over its full decoded length, and the sum is
 * divided by the sum of the weights (audio.md 1.5). The end of the file is known from its header alone.
 *
 * SPDX-License-Identifier: MIT
 */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "codec/arithmetic_coder.h"
#include "codec/container.h"
#include "codec/ecdc.h"
#include "codec/net_stream.h"
#include "engine/base/bytes.h"
#include "engine/base/mem.h"

#define MIN_CHUNK_FRAMES 8 /* as in the encoder */
#define BLOCK_SIZE 4096

struct EcdcDecoder {
    RsdDecoderOptions options;
    const RsdModelInfo *model;
    RsdStreamInfo info;
    RsdStreamReport report;
    NetStream *net;
    CodeLmState *lm;
    bool normalize, segments, started;

    uint8_t block[BLOCK_SIZE]; /* of the file */
    size_t block_at, block_size;
    uint32_t bits; /* read, not yet used; lowest first */
    int n_bits;
    ArithmeticDecoder arithmetic;
    uint16_t previous[STREAM_MAX_STAGES];
    float *probabilities;
    uint32_t *cdf;

    uint16_t *codes; /* [n_stages, frames], then as the network takes them */
    int max_stages;
    int64_t chunk_frames; /* causal */
    int64_t segment_len, segment_stride;
    int64_t offset, n_frames_left; /* first sample of the next segment; frames of the signal still to decode (causal) */

    float *sum, *weights; /* segments: [channels, sum_len], [sum_len] */
    int64_t sum_len;
    float *out; /* [channels, out_stride] to deliver */
    size_t out_stride, n_out, out_at;
    int64_t n_delivered;
};

/* ---- bits ---- */

static RsdStatus next_byte(EcdcDecoder *d, uint8_t *byte, RsdError *err)
{
    RsdStatus status = RSD_OK;

    if (d->block_at == d->block_size) {
        RsdError local;

        TRY(d->options.read(d->options.read_ctx, d->block, sizeof d->block, &d->block_size, err ? err : &local));
        d->block_at = 0;
        CHECK(d->block_size > 0, err, RSD_ERR_CORRUPT,
              "%s: ends after %" PRId64 " bytes at %.2f s of %.2f s; the rest of the file is missing", d->options.name,
              d->report.n_bytes, (double)d->n_delivered / d->info.rate_hz, (double)d->info.n_samples / d->info.rate_hz);
    }
    *byte = d->block[d->block_at++];
    d->report.n_bytes++;
fail:
    return status;
}

static RsdStatus read_bits(EcdcDecoder *d, int n, uint32_t *value, RsdError *err)
{
    RsdStatus status = RSD_OK;

    while (d->n_bits < n) {
        uint8_t byte;

        TRY(next_byte(d, &byte, err));
        d->bits |= (uint32_t)byte << d->n_bits;
        d->n_bits += 8;
    }
    *value = d->bits & ((1u << n) - 1);
    d->bits >>= n;
    d->n_bits -= n;
fail:
    return status;
}

static RsdStatus get_bit(void *ctx, int *bit, RsdError *err)
{
    uint32_t value = 0;
    RsdStatus status = read_bits(ctx, 1, &value, err);

    *bit = (int)value;
    return status;
}

static RsdStatus read_scale(EcdcDecoder *d, float *scale, RsdError *err)
{
    uint8_t bytes[4];
    uint32_t bits;
    RsdStatus status = RSD_OK;

    for (int i = 0; i < 4; i++)
        TRY(next_byte(d, &bytes[i], err));
    bits = get_u32be(bytes);
    memcpy(scale, &bits, sizeof bits);
    CHECK(isfinite(*scale) && *scale >= 0.0f && *scale <= ECDC_MAX_SCALE, err, RSD_ERR_CORRUPT,
          "%s: the segment at %.2f s has a scale of %g", d->options.name, (double)d->offset / d->info.rate_hz,
          (double)*scale);
fail:
    return status;
}

/* The bits that fill the last byte of a segment go. */
static void end_segment(EcdcDecoder *d)
{
    d->bits = 0;
    d->n_bits = 0;
    d->report.n_packets++;
    if (d->lm) {
        code_lm_restart(d->lm);
        arithmetic_decoder_init(&d->arithmetic, get_bit, d);
    }
}

/* ---- codes ---- */

static RsdStatus read_frame(EcdcDecoder *d, uint16_t *frame, RsdError *err)
{
    const int n_q = d->info.n_stages, n_codes = 1 << d->info.bits_per_code;
    uint32_t value;
    int symbol;
    RsdStatus status = RSD_OK;

    if (d->lm)
        code_lm_next(d->lm, d->previous, n_q, d->probabilities);
    for (int k = 0; k < n_q; k++) {
        if (d->lm) {
            TRY(arithmetic_cdf(d->probabilities + (size_t)k * (size_t)n_codes, n_codes, d->cdf, err));
            TRY(arithmetic_decode(&d->arithmetic, d->cdf, n_codes, &symbol, err));
            d->previous[k] = (uint16_t)symbol;
        } else {
            TRY(read_bits(d, d->info.bits_per_code, &value, err));
            d->previous[k] = (uint16_t)value;
        }
        frame[k] = d->previous[k];
    }
fail:
    return status;
}

/* codes [used stages, n_frames] of the next frames. */
static RsdStatus read_codes(EcdcDecoder *d, int64_t n_frames, RsdError *err)
{
    uint16_t frame[STREAM_MAX_STAGES];
    RsdStatus status = RSD_OK;

    for (int64_t t = 0; t < n_frames; t++) {
        TRY(read_frame(d, frame, err));
        for (int k = 0; k < d->max_stages; k++)
            d->codes[k * n_frames + t] = frame[k];
    }
    return RSD_OK;
fail:
    return status == RSD_ERR_CORRUPT && err && !strstr(err->text, d->options.name)
               ? error_prefix(err, status, "%s", d->options.name)
               : status;
}

/* ---- causal: chunks ---- */

static RsdStatus next_chunk(EcdcDecoder *d, RsdError *err)
{
    const int64_t n = d->n_frames_left < d->chunk_frames ? d->n_frames_left : d->chunk_frames;
    const float *samples;
    RsdStatus status = RSD_OK;

    TRY(read_codes(d, n, err));
    if (!d->started && n == d->n_frames_left)
        TRY(net_stream_decode_whole(d->net, d->codes, d->max_stages, (int)n, &samples, err));
    else
        TRY(net_stream_decode(d->net, d->codes, d->max_stages, (int)n, &samples, err));
    d->started = true;
    d->out_stride = d->n_out = (size_t)(n * d->info.hop_samples);
    d->out_at = 0;
    memcpy(d->out, samples, (size_t)d->info.channels * d->n_out * sizeof *samples);
    d->n_frames_left -= n;
    if (d->n_frames_left == 0)
        end_segment(d);
fail:
    return status;
}

/* ---- segments ---- */

static float weight_at(int64_t i, int64_t len)
{
    return 0.5f - fabsf((float)(i + 1) / (float)(len + 1) - 0.5f);
}

static void add_segment(EcdcDecoder *d, const float *samples, int64_t n, float scale)
{
    const int64_t first = d->started ? 0 : n;

    if (first) { /* of the file: its decoded length is that of the weights */
        d->sum_len = n;
        memset(d->sum, 0, (size_t)(d->info.channels * n) * sizeof *d->sum);
        memset(d->weights, 0, (size_t)n * sizeof *d->weights);
    }
    for (int64_t i = 0; i < n; i++) {
        const float weight = weight_at(i, d->sum_len);

        d->weights[i] += weight;
        for (int c = 0; c < d->info.channels; c++)
            d->sum[c * d->sum_len + i] += weight * (samples[c * n + i] * scale);
    }
}

/* The first n sums become samples to deliver; the rest moves to the front. */
static void take_out(EcdcDecoder *d, int64_t n)
{
    const int64_t left = d->sum_len - n;

    d->out_stride = d->n_out = (size_t)n;
    d->out_at = 0;
    for (int c = 0; c < d->info.channels; c++) {
        float *sum = d->sum + c * d->sum_len;

        for (int64_t i = 0; i < n; i++)
            d->out[c * n + i] = sum[i] / d->weights[i];
        memmove(sum, sum + n, (size_t)left * sizeof *sum);
        memset(sum + left, 0, (size_t)n * sizeof *sum);
    }
    memmove(d->weights, d->weights + n, (size_t)left * sizeof *d->weights);
    memset(d->weights + left, 0, (size_t)n * sizeof *d->weights);
}

static RsdStatus next_segment(EcdcDecoder *d, RsdError *err)
{
    const int64_t left = d->info.n_samples - d->offset, len = left < d->segment_len ? left : d->segment_len;
    const int64_t n_frames = ecdc_frames_for(d->model, len);
    const float *samples;
    float scale = 1.0f;
    RsdStatus status = RSD_OK;

    if (d->normalize)
        TRY(read_scale(d, &scale, err));
    TRY(read_codes(d, n_frames, err));
    end_segment(d);
    TRY(net_stream_decode_whole(d->net, d->codes, d->max_stages, (int)n_frames, &samples, err));
    add_segment(d, samples, n_frames * d->info.hop_samples, scale);
    d->started = true;
    d->offset += d->segment_stride;
    take_out(d, d->offset < d->info.n_samples ? d->segment_stride : d->sum_len);
fail:
    return status;
}

/* ---- reading ---- */

/* All codes have been read, and all samples delivered. More bytes are another file behind this one, or damage: the published tool
 * drops them without a word. A language model that computes other probabilities than the writer's makes other codes of the same
 * bits, and other codes take another number of bits: this is the one sign of it. */
static RsdStatus check_nothing_is_left(EcdcDecoder *d, RsdError *err)
{
    uint8_t more;
    size_t n_read = 0;
    RsdError local;
    RsdStatus status = RSD_OK;

    if (d->block_at == d->block_size)
        TRY(d->options.read(d->options.read_ctx, &more, 1, &n_read, err ? err : &local));
    if (d->block_at == d->block_size && n_read == 0)
        return RSD_OK;
    status = error_set(err, RSD_ERR_CORRUPT,
                       d->lm ? "%s: the codes end after %" PRId64 " bytes and the file goes on: it was written with another language model, "
                               "or by a program or on a processor whose probabilities differ in their last digits, and what was decoded is "
                               "wrong"
                             : "%s: the codes end after %" PRId64 " bytes and the file goes on: another file stands behind it, or it is "
                               "damaged; --keep-going takes what ends there",
                       d->options.name, d->report.n_bytes);
fail:
    return status;
}

RsdStatus ecdc_decoder_read(EcdcDecoder *d, float *samples, size_t stride, size_t max_samples, size_t *n_read,
                            RsdError *err)
{
    RsdStatus status = RSD_OK;

    *n_read = 0;
    if (d->n_delivered == d->info.n_samples)
        TRY(check_nothing_is_left(d, err));
    while (*n_read < max_samples && d->n_delivered < d->info.n_samples) {
        const int64_t still = d->info.n_samples - d->n_delivered;
        size_t n = d->n_out - d->out_at;

        if (n == 0) {
            TRY((d->segments ? next_segment : next_chunk)(d, err));
            continue;
        }
        if (n > max_samples - *n_read)
            n = max_samples - *n_read;
        if ((int64_t)n > still)
            n = (size_t)still;
        for (int c = 0; c < d->info.channels; c++)
            memcpy(samples + (size_t)c * stride + *n_read, d->out + (size_t)c * d->out_stride + d->out_at,
                   n * sizeof *samples);
        *n_read += n;
        d->out_at += n;
        d->n_delivered += (int64_t)n;
    }
    d->report.n_samples = d->n_delivered;
    d->report.has_end = d->n_delivered == d->info.n_samples;
    if (d->n_delivered > 0)
        d->report.bitrate_bps = (double)d->report.n_bytes * 8 * d->info.rate_hz / (double)d->n_delivered;
    return RSD_OK;
fail:
    d->report.n_samples = d->n_delivered;
    return status;
}

/* ---- life ---- */

static RsdStatus describe(EcdcDecoder *d, const EcdcHeader *header, RsdError *err)
{
    const RsdModelInfo *model = d->model;
    const char *name = d->options.name;
    RsdStatus status = RSD_OK;

    CHECK(strcmp(header->model_name, model->name) == 0, err, RSD_ERR_MODEL, "%s: needs model %s; this is %s", name,
          header->model_name, model->name);
    CHECK(header->n_stages <= model->n_stages, err, RSD_ERR_CORRUPT,
          "%s: header: \"nc\" is %d; model %s has %d codebooks", name, header->n_stages, model->name, model->n_stages);
    CHECK(!header->has_lm || d->options.language_model, err, RSD_ERR_MODEL,
          "%s: was written with a language model; name its file with --lm", name);
    CHECK(model->rate_hz % model->hop_samples == 0, err, RSD_ERR_UNSUPPORTED,
          "model %s: %d Hz are no whole number of frames of %d samples, as .ecdc needs", model->name, model->rate_hz,
          model->hop_samples);
    CHECK(model->segment_samples > 0 || model->can_stream, err, RSD_ERR_UNSUPPORTED,
          "model %s is neither causal nor made for segments", model->name);
    ecdc_describe(&d->info, header);
    memcpy(d->info.model_hash, model->hash, sizeof d->info.model_hash);
    d->info.rate_hz = model->rate_hz;
    d->info.channels = model->channels;
    d->info.layout = stream_layout_for(model->channels);
    d->info.hop_samples = model->hop_samples;
    d->info.bits_per_code = model->bits_per_code;
    d->info.bitrate_bps = header->n_stages * model->stage_bitrate_bps;
    d->normalize = d->options.model->codec->config.normalize;
    d->segments = model->segment_samples > 0;
    d->report.n_bytes = header->size;
    d->max_stages = header->n_stages;
    if (d->options.max_stages > 0 && d->options.max_stages < d->max_stages)
        d->max_stages = d->options.max_stages;
fail:
    return status;
}

static RsdStatus take_memory(EcdcDecoder *d, RsdError *err)
{
    const size_t channels = (size_t)d->info.channels, hop = (size_t)d->info.hop_samples;
    int chunk_frames = net_stream_chunk_frames(d->model, INT32_MAX);
    int64_t n_frames;
    RsdStatus status = RSD_OK;

    d->chunk_frames = chunk_frames < MIN_CHUNK_FRAMES ? MIN_CHUNK_FRAMES : chunk_frames;
    n_frames = d->chunk_frames;
    if (d->segments) {
        d->segment_len = d->model->segment_samples;
        d->segment_stride = audio_codec_segment_stride(&d->options.model->codec->config);
        n_frames = ecdc_frames_for(d->model, d->segment_len);
        TRY(mem_alloc(&d->sum, channels * (size_t)n_frames * hop, sizeof *d->sum, err));
        TRY(mem_alloc(&d->weights, (size_t)n_frames * hop, sizeof *d->weights, err));
    }
    TRY(mem_alloc(&d->codes, (size_t)d->info.n_stages * (size_t)n_frames, sizeof *d->codes, err));
    TRY(mem_alloc(&d->out, channels * (size_t)n_frames * hop, sizeof *d->out, err));
    TRY(net_stream_open_for(&d->net, d->options.model, d->options.threads, 0, d->max_stages,
                            d->segments ? 0 : (int)n_frames, n_frames * (int64_t)hop, err));
fail:
    return status;
}

static RsdStatus take_lm(EcdcDecoder *d, RsdError *err)
{
    const CodeLm *lm = d->options.language_model;
    const size_t n_codes = (size_t)1 << d->info.bits_per_code;
    RsdStatus status = RSD_OK;

    if (!d->info.has_language_model)
        return RSD_OK;
    TRY(ecdc_check_lm(lm, d->options.model, d->info.n_stages, err));
    TRY(code_lm_state_create(&d->lm, lm, d->options.threads, ecdc_frame_rate(d->model), err));
    TRY(mem_alloc(&d->probabilities, (size_t)d->info.n_stages * n_codes, sizeof *d->probabilities, err));
    TRY(mem_alloc(&d->cdf, n_codes, sizeof *d->cdf, err));
    arithmetic_decoder_init(&d->arithmetic, get_bit, d);
fail:
    return status;
}

RsdStatus ecdc_decoder_open(EcdcDecoder **out, const RsdDecoderOptions *options, RsdError *err)
{
    EcdcDecoder *d = NULL;
    EcdcHeader header;
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(mem_calloc(&d, 1, sizeof *d, err));
    d->options = *options;
    if (!options->name)
        d->options.name = "stream";
    TRY(ecdc_header_read(&header, options->read, options->read_ctx, d->options.name, err));
    CHECK(options->model, err, RSD_ERR_MODEL, "%s: needs model %s; name its file with --model", d->options.name,
          header.model_name);
    d->model = rsd_model_info(options->model);
    TRY(describe(d, &header, err));
    TRY(take_memory(d, err));
    TRY(take_lm(d, err));
    d->n_frames_left = ecdc_frames_for(d->model, header.n_samples);
    *out = d;
    return RSD_OK;
fail:
    ecdc_decoder_close(&d);
    return status;
}

void ecdc_decoder_close(EcdcDecoder **decoder)
{
    EcdcDecoder *d = *decoder;

    if (!d)
        return;
    net_stream_close(&d->net);
    code_lm_state_destroy(&d->lm);
    mem_free(&d->probabilities);
    mem_free(&d->cdf);
    mem_free(&d->codes);
    mem_free(&d->sum);
    mem_free(&d->weights);
    mem_free(&d->out);
    mem_free(decoder);
}

const RsdStreamInfo *ecdc_decoder_info(const EcdcDecoder *d)
{
    return &d->info;
}

const RsdStreamReport *ecdc_decoder_report(const EcdcDecoder *d)
{
    return &d->report;
}
