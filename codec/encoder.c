/* encoder.c - samples to codes to packets, as they come.
 *
 *   write() -> [input: one chunk of samples] -> network -> [codes of one packet] -> layers packed -> write callback
 *
 * How a signal is cut into chunks depends on the packets alone, whatever the caller's blocks are: a chunk ends where the last frame of a
 * packet comes out, so that no packet waits for samples behind it. The last chunk is filled with zeros: the network is causal, or knows
 * where the signal ends, so frames before the end do not notice, and the same input gives the same bytes however it is cut into blocks. The frames of a network that looks ahead come late: the first that come out of
 * it are dropped, and chunks of nothing push out the last.
 *
 * SPDX-License-Identifier: MIT
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "codec/bitpack.h"
#include "codec/container.h"
#include "codec/ecdc.h"
#include "codec/layers.h"
#include "codec/net_stream.h"
#include "engine/base/checksum.h"
#include "engine/base/mem.h"

struct RsdEncoder {
    RsdEncoderOptions options;
    EcdcEncoder *ecdc; /* does the work for that container; NULL for .rsd */
    StreamHeader header;
    RsdStreamReport report;
    NetStream *net;
    int n_paths;     /* of the search for codes */
    RsdStatus failed; /* RSD_OK, or what every further call returns */
    RsdError failure;
    bool finished;

    float *input; /* [channels, samples of the next chunk] */
    int chunk_frames; /* of a chunk, at most */
    size_t n_input;    /* samples in it */
    int64_t n_written; /* samples taken so far */

    uint16_t *chunk_codes;  /* [n_stages, chunk_frames] */
    uint16_t *packet_codes; /* [frames_per_packet, n_stages] */
    int n_frames;           /* in packet_codes */
    int64_t n_frames_coded; /* so far */
    int64_t n_skip;         /* frames to come out of the network before the first of the signal */
    int64_t n_frames_left;  /* of the signal, once its end is known; INT64_MAX before */
    uint8_t *payload;       /* packed layers of one packet, one after the other */
    uint8_t *bytes;         /* one header or packet */
    uint32_t crc;           /* of all bytes written */
};

void rsd_encoder_default_options(RsdEncoderOptions *options)
{
    memset(options, 0, sizeof *options);
    options->n_samples = RSD_UNKNOWN_LENGTH;
}

/* ---- Options ---- */

static RsdStatus choose_stages(int *n_stages, const RsdEncoderOptions *options, const RsdModel *model, RsdError *err)
{
    const RsdModelInfo *info = &model->info;
    RsdStatus status = RSD_OK;

    CHECK(!(options->bitrate_bps < 0) && !isnan(options->bitrate_bps), err, RSD_ERR_ARG, "bitrate of %g bit/s",
          options->bitrate_bps);
    CHECK(options->n_stages >= 0 && options->n_stages <= info->n_stages, err, RSD_ERR_ARG,
          "%d stages asked for; model %s has %d", options->n_stages, info->name, info->n_stages);
    CHECK(options->n_stages == 0 || options->bitrate_bps == 0, err, RSD_ERR_ARG,
          "give a bitrate or a number of stages, not both");
    *n_stages = options->n_stages > 0 ? options->n_stages : info->n_stages;
    if (options->bitrate_bps > 0)
        *n_stages = audio_codec_stages_for(&model->codec->config, options->bitrate_bps);
fail:
    return status;
}

static RsdStatus choose_layers(RsdStreamInfo *info, const RsdEncoderOptions *options, int n_stages, const int *strides, RsdError *err)
{
    int sum = 0;
    RsdStatus status = RSD_OK;

    if (options->n_layers == 0) {
        info->n_layers = layers_split(n_stages, strides, info->layer_stages);
        return RSD_OK;
    }
    CHECK(options->n_layers >= 1 && options->n_layers <= RSD_MAX_LAYERS, err, RSD_ERR_ARG,
          "%d layers; 1 to %d are possible", options->n_layers, RSD_MAX_LAYERS);
    info->n_layers = options->n_layers;
    for (int i = 0; i < info->n_layers; i++) {
        info->layer_stages[i] = options->layer_stages[i];
        CHECK(info->layer_stages[i] >= 1 && info->layer_stages[i] <= n_stages, err, RSD_ERR_ARG,
              "layer %d: %d stages; 1 to %d are possible", i + 1, info->layer_stages[i], n_stages);
        for (int stage = sum; stage < sum + info->layer_stages[i] && stage < n_stages; stage++)
            CHECK(strides[stage] == strides[sum], err, RSD_ERR_ARG,
                  "layer %d: stages %d and %d have codes of %d and %d frames; a layer has one kind", i + 1, sum + 1, stage + 1, strides[sum],
                  strides[stage]);
        sum += info->layer_stages[i];
    }
    CHECK(sum == n_stages, err, RSD_ERR_ARG, "the layers have %d stages together, the stream has %d", sum, n_stages);
fail:
    return status;
}

/* The next lower multiple of a code's frames, but not 0. */
static int whole_codes(int n_frames, int stride)
{
    return n_frames < stride ? stride : n_frames / stride * stride;
}

/* About one second in whole codes, and less where that many codes would not fit a block. */
static int choose_frames_per_packet(const RsdStreamInfo *info, int stride)
{
    int n_frames = (info->rate_hz + info->hop_samples / 2) / info->hop_samples, most = PACKET_MAX_FRAMES;

    for (int i = 0; i < info->n_layers; i++)
        while (bitpack_size(stream_layer_codes(info, i, most), info->bits_per_code) > BLOCK_MAX_SIZE)
            most--;
    return whole_codes(n_frames > most ? most : n_frames, stride);
}

/* strides [n_stages]; payload types of the layers that hold them. */
static void mark_layers(StreamHeader *header, const int *strides)
{
    RsdStreamInfo *info = &header->info;

    for (int i = 0, stage = 0; i < info->n_layers; stage += info->layer_stages[i++]) {
        info->layer_strides[i] = strides[stage];
        header->payload_types[i] = PAYLOAD_PLAIN;
        while (1 << header->payload_types[i] < strides[stage])
            header->payload_types[i]++;
    }
}

static RsdStatus fill_header(RsdEncoder *encoder, RsdError *err)
{
    const RsdEncoderOptions *options = &encoder->options;
    const RsdModelInfo *model = &options->model->info;
    RsdStreamInfo *info = &encoder->header.info;
    int strides[STREAM_MAX_STAGES], n_stages = 0;
    RsdStatus status = RSD_OK;

    TRY(choose_stages(&n_stages, options, options->model, err));
    for (int i = 0; i < n_stages; i++)
        strides[i] = audio_codec_stride(&options->model->codec->config, i);
    TRY(choose_layers(info, options, n_stages, strides, err));
    mark_layers(&encoder->header, strides);
    info->format_version = RSD_FORMAT_VERSION;
    memcpy(info->model_name, model->name, sizeof info->model_name);
    memcpy(info->model_hash, model->hash, sizeof info->model_hash);
    info->rate_hz = model->rate_hz;
    info->channels = model->channels;
    info->layout = stream_layout_for(model->channels);
    encoder->header.layout = (uint8_t)info->layout;
    info->n_samples = options->n_samples;
    info->hop_samples = model->hop_samples;
    info->bits_per_code = model->bits_per_code;
    info->frames_per_packet = options->frames_per_packet ? options->frames_per_packet : choose_frames_per_packet(info, strides[0]);
    TRY(header_complete(&encoder->header, RSD_ERR_ARG, err));
fail:
    return status;
}

/* ---- Bytes ---- */

static RsdStatus put(RsdEncoder *encoder, size_t size, RsdError *err)
{
    RsdError local;

    encoder->crc = crc32_update(encoder->crc, encoder->bytes, size);
    encoder->report.n_bytes += (int64_t)size;
    if (!encoder->options.write)
        return RSD_OK;
    return encoder->options.write(encoder->options.write_ctx, encoder->bytes, size, err ? err : &local);
}

/* Packs the layers of the frames in packet_codes and writes them as one packet of n_samples samples. */
static RsdStatus put_packet(RsdEncoder *encoder, PacketType type, int64_t n_samples, RsdError *err)
{
    const RsdStreamInfo *info = &encoder->header.info;
    RsdStreamReport *report = &encoder->report;
    Packet packet = {.type = (int)type, .n_samples = n_samples, .n_blocks = info->n_layers};
    uint8_t *end = encoder->payload;
    int first_stage = 0;
    RsdStatus status = RSD_OK;

    CHECK(report->n_packets < STREAM_MAX_PACKETS, err, RSD_ERR_UNSUPPORTED,
          "%s: too long: a stream has at most %" PRId64 " packets", encoder->options.name, STREAM_MAX_PACKETS);
    packet.number = (uint32_t)report->n_packets;
    for (int layer = 0; layer < info->n_layers; layer++) {
        BitWriter bits;

        packet.blocks[layer] = end;
        bit_writer_init(&bits, end);
        for (int frame = 0; frame < encoder->n_frames; frame += info->layer_strides[layer]) {
            const uint16_t *codes = encoder->packet_codes + (size_t)frame * (size_t)info->n_stages + first_stage;

            for (int i = 0; i < info->layer_stages[layer]; i++)
                bit_writer_put(&bits, codes[i], info->bits_per_code);
        }
        end = bit_writer_finish(&bits);
        packet.block_sizes[layer] = (size_t)(end - packet.blocks[layer]);
        first_stage += info->layer_stages[layer];
    }
    TRY(put(encoder, packet_write(&packet, encoder->bytes), err));
    encoder->n_frames = 0;
    report->n_packets++;
    report->n_samples += n_samples;
    report->bitrate_bps = (double)report->n_bytes * 8 * info->rate_hz / (double)report->n_samples;
fail:
    return status;
}

static RsdStatus put_end(RsdEncoder *encoder, RsdError *err)
{
    RsdStreamReport *report = &encoder->report;
    Packet packet = {.type = PACKET_END,
                     .number = (uint32_t)report->n_packets,
                     .n_samples = report->n_samples,
                     .stream_crc = encoder->crc};
    RsdStatus status = RSD_OK;

    TRY(put(encoder, packet_write(&packet, encoder->bytes), err));
    report->has_end = true;
    if (report->n_samples > 0)
        report->bitrate_bps = (double)report->n_bytes * 8 * encoder->header.info.rate_hz / (double)report->n_samples;
fail:
    return status;
}

/* ---- Samples ---- */

static size_t next_chunk_frames(const RsdEncoder *encoder)
{
    const RsdStreamInfo *info = &encoder->header.info;
    const int64_t n = info->frames_per_packet - encoder->n_frames + encoder->n_skip, stride = info->layer_strides[0];
    const int64_t n_whole = (n + stride - 1) / stride * stride;

    return (size_t)(n_whole < encoder->chunk_frames ? n_whole : encoder->chunk_frames);
}

/* Codes the chunk in `input` and keeps what belongs to the signal; full packets leave at once. */
static RsdStatus code_chunk(RsdEncoder *encoder, RsdError *err)
{
    const RsdStreamInfo *info = &encoder->header.info;
    size_t n_stages = (size_t)info->n_stages, chunk_frames = next_chunk_frames(encoder);
    RsdError local;
    RsdStatus status = RSD_OK;

    TRY(net_stream_encode(encoder->net, encoder->input, (int)chunk_frames, encoder->chunk_codes, err));
    encoder->n_input = 0;
    for (size_t frame = 0; frame < chunk_frames && encoder->n_frames_left > 0; frame++) {
        uint16_t *codes = encoder->packet_codes + (size_t)encoder->n_frames * n_stages;

        if (encoder->n_skip > 0) {
            encoder->n_skip--;
            continue;
        }
        encoder->n_frames_left--;
        encoder->n_frames_coded++;
        for (size_t i = 0; i < n_stages; i++)
            codes[i] = encoder->chunk_codes[i * chunk_frames + frame];
        if (encoder->options.on_codes)
            TRY(encoder->options.on_codes(encoder->options.codes_ctx, codes, info->n_stages, err ? err : &local));
        if (++encoder->n_frames == info->frames_per_packet) {
            int64_t n_left = encoder->n_written - encoder->report.n_samples, n_full = stream_packet_samples(info);

            TRY(put_packet(encoder, n_left < n_full ? PACKET_LAST : PACKET_CODES, n_left < n_full ? n_left : n_full,
                           err));
        }
    }
fail:
    return status;
}

static RsdStatus check_finite(const RsdEncoder *encoder, const float *samples, size_t stride, size_t n_samples,
                              RsdError *err)
{
    const RsdStreamInfo *info = rsd_encoder_info(encoder);
    RsdStatus status = RSD_OK;

    for (int c = 0; c < info->channels; c++)
        for (size_t i = 0; i < n_samples; i++) {
            int64_t at = encoder->n_written + (int64_t)i;

            CHECK(isfinite(samples[(size_t)c * stride + i]), err, RSD_ERR_NUMERIC,
                  "%s: sample %" PRId64 " of channel %d (%.3f s) is %f, not a number that can be coded",
                  encoder->options.name, at, c + 1, (double)at / info->rate_hz,
                  (double)samples[(size_t)c * stride + i]);
        }
fail:
    return status;
}

static RsdStatus take_samples(RsdEncoder *encoder, const float *samples, size_t stride, size_t n_samples, RsdError *err)
{
    const RsdStreamInfo *info = &encoder->header.info;
    RsdStatus status = RSD_OK;

    while (n_samples > 0) {
        const size_t chunk_samples = next_chunk_frames(encoder) * (size_t)info->hop_samples;
        size_t n = chunk_samples - encoder->n_input;

        if (n > n_samples)
            n = n_samples;
        for (size_t c = 0; c < (size_t)info->channels; c++)
            memcpy(encoder->input + c * chunk_samples + encoder->n_input, samples + c * stride, n * sizeof *samples);
        encoder->n_input += n;
        samples += n;
        n_samples -= n;
        if (encoder->n_input == chunk_samples)
            TRY(code_chunk(encoder, err));
    }
fail:
    return status;
}

/* The rest of the signal, filled up with zeros, and what the network still holds. */
static RsdStatus code_rest(RsdEncoder *encoder, RsdError *err)
{
    const RsdStreamInfo *info = &encoder->header.info;
    RsdStatus status = RSD_OK;

    net_stream_end(encoder->net, stream_frames_for(info, (int64_t)encoder->n_input));
    encoder->n_frames_left = (encoder->n_written + info->hop_samples - 1) / info->hop_samples - encoder->n_frames_coded;
    while (encoder->n_frames_left > 0) {
        const size_t chunk_samples = next_chunk_frames(encoder) * (size_t)info->hop_samples, n_rest = encoder->n_input;

        for (size_t c = 0; c < (size_t)info->channels; c++)
            memset(encoder->input + c * chunk_samples + n_rest, 0, (chunk_samples - n_rest) * sizeof *encoder->input);
        TRY(code_chunk(encoder, err));
    }
    if (encoder->n_frames > 0)
        TRY(put_packet(encoder, PACKET_LAST, encoder->n_written - encoder->report.n_samples, err));
fail:
    return status;
}

/* ---- Public functions ---- */

static RsdStatus take_memory(RsdEncoder *encoder, RsdError *err)
{
    const RsdStreamInfo *info = &encoder->header.info;
    size_t n_stages = (size_t)info->n_stages, n_frames = (size_t)info->frames_per_packet, payload_size = 0;
    size_t chunk_frames, chunk_samples, bytes_size;
    int other_frames;
    RsdStatus status = RSD_OK;

    encoder->chunk_frames = whole_codes(net_stream_chunk_frames(&encoder->options.model->info, info->frames_per_packet),
                                        info->layer_strides[0]);
    chunk_frames = (size_t)encoder->chunk_frames;
    other_frames = info->frames_per_packet % encoder->chunk_frames;
    chunk_samples = chunk_frames * (size_t)info->hop_samples;
    for (int i = 0; i < info->n_layers; i++)
        payload_size += bitpack_size(stream_layer_codes(info, i, info->frames_per_packet), info->bits_per_code);
    bytes_size = PACKET_MAX_OVERHEAD + payload_size;
    if (bytes_size < HEADER_MAX_SIZE)
        bytes_size = HEADER_MAX_SIZE;
    TRY(mem_alloc(&encoder->input, (size_t)info->channels * chunk_samples, sizeof *encoder->input, err));
    TRY(mem_alloc(&encoder->chunk_codes, n_stages * chunk_frames, sizeof *encoder->chunk_codes, err));
    TRY(mem_alloc(&encoder->packet_codes, n_stages * n_frames, sizeof *encoder->packet_codes, err));
    TRY(mem_alloc(&encoder->payload, payload_size, 1, err));
    TRY(mem_alloc(&encoder->bytes, bytes_size, 1, err));
    TRY(net_stream_choose_paths(&encoder->n_paths, encoder->options.model, encoder->options.effort, err));
    TRY(net_stream_open(&encoder->net, encoder->options.model, encoder->options.threads, encoder->n_paths, info->n_stages,
                        encoder->chunk_frames, other_frames, err));
    encoder->n_skip = net_stream_lag(encoder->net);
    encoder->n_frames_left = INT64_MAX;
fail:
    return status;
}

RsdStatus rsd_encoder_open(RsdEncoder **out, const RsdEncoderOptions *options, RsdError *err)
{
    RsdEncoder *encoder = NULL;
    int n_stages;
    RsdStatus status = RSD_OK;

    *out = NULL;
    CHECK(options->model && (options->write || options->on_codes), err, RSD_ERR_ARG,
          "an encoder needs a model and a write function");
    TRY(mem_calloc(&encoder, 1, sizeof *encoder, err));
    encoder->options = *options;
    if (!options->name)
        encoder->options.name = "input";
    if (options->container == RSD_CONTAINER_ECDC) {
        CHECK(options->write && !options->on_codes, err, RSD_ERR_ARG, "an .ecdc file needs a write function, and its codes are not given away");
        CHECK(options->model->codec->net, err, RSD_ERR_ARG, "an .ecdc file holds codes of EnCodec; model %s is a DAC",
              options->model->info.name);
        CHECK(audio_codec_stride(&options->model->codec->config, 0) == 1, err, RSD_ERR_UNSUPPORTED,
              "an .ecdc file has a code for every frame, and model %s has not; write a .rsd stream", options->model->info.name);
        TRY(choose_stages(&n_stages, options, options->model, err));
        TRY(ecdc_encoder_open(&encoder->ecdc, &encoder->options, n_stages, err));
        *out = encoder;
        return RSD_OK;
    }
    CHECK(options->model->info.can_stream, err, RSD_ERR_UNSUPPORTED,
          "model %s is not causal or works on segments: it cannot code a .rsd stream; write an .ecdc file",
          options->model->info.name);
    CHECK(!options->language_model, err, RSD_ERR_ARG, "a language model is for .ecdc files");
    TRY(fill_header(encoder, err));
    TRY(take_memory(encoder, err));
    TRY(put(encoder, header_write(&encoder->header, encoder->bytes), err));
    *out = encoder;
    return RSD_OK;
fail:
    rsd_encoder_close(&encoder);
    return status;
}

/* A stream with a hole in it must not go on: the error stays. */
static RsdStatus remember(RsdEncoder *encoder, RsdStatus status, const RsdError *failure, RsdError *err)
{
    if (encoder->failed == RSD_OK && status != RSD_OK) {
        encoder->failed = status;
        encoder->failure = *failure;
    }
    if (encoder->failed != RSD_OK)
        error_set(err, encoder->failed, "%s", encoder->failure.text);
    return encoder->failed;
}

RsdStatus rsd_encoder_write(RsdEncoder *encoder, const float *samples, size_t stride, size_t n_samples, RsdError *err)
{
    int64_t n_announced = encoder->options.n_samples;
    RsdError failure = {RSD_OK, ""};
    RsdStatus status = encoder->failed;

    if (status != RSD_OK)
        goto fail;
    CHECK(!encoder->finished, &failure, RSD_ERR_ARG, "%s: samples after the end", encoder->options.name);
    CHECK(n_announced == RSD_UNKNOWN_LENGTH || n_samples <= (uint64_t)(n_announced - encoder->n_written), &failure,
          RSD_ERR_ARG, "%s: more samples than the %" PRId64 " announced", encoder->options.name, n_announced);
    TRY(check_finite(encoder, samples, stride, n_samples, &failure));
    encoder->n_written += (int64_t)n_samples;
    if (encoder->ecdc)
        TRY(ecdc_encoder_write(encoder->ecdc, samples, stride, n_samples, &failure));
    else
        TRY(take_samples(encoder, samples, stride, n_samples, &failure));
fail:
    return remember(encoder, status, &failure, err);
}

RsdStatus rsd_encoder_finish(RsdEncoder *encoder, RsdError *err)
{
    int64_t n_announced = encoder->options.n_samples;
    RsdError failure = {RSD_OK, ""};
    RsdStatus status = encoder->failed;

    if (status != RSD_OK || encoder->finished)
        goto fail;
    CHECK(n_announced == RSD_UNKNOWN_LENGTH || encoder->n_written == n_announced, &failure, RSD_ERR_ARG,
          "%s: %" PRId64 " samples, %" PRId64 " were announced", encoder->options.name, encoder->n_written,
          n_announced);
    if (encoder->ecdc) {
        TRY(ecdc_encoder_finish(encoder->ecdc, &failure));
    } else {
        TRY(code_rest(encoder, &failure));
        TRY(put_end(encoder, &failure));
    }
    encoder->finished = true;
fail:
    return remember(encoder, status, &failure, err);
}

void rsd_encoder_close(RsdEncoder **encoder)
{
    RsdEncoder *old = *encoder;

    if (!old)
        return;
    ecdc_encoder_close(&old->ecdc);
    net_stream_close(&old->net);
    mem_free(&old->input);
    mem_free(&old->chunk_codes);
    mem_free(&old->packet_codes);
    mem_free(&old->payload);
    mem_free(&old->bytes);
    mem_free(encoder);
}

const RsdStreamInfo *rsd_encoder_info(const RsdEncoder *encoder)
{
    return encoder->ecdc ? ecdc_encoder_info(encoder->ecdc) : &encoder->header.info;
}

const RsdStreamReport *rsd_encoder_report(const RsdEncoder *encoder)
{
    return encoder->ecdc ? ecdc_encoder_report(encoder->ecdc) : &encoder->report;
}
