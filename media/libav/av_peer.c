/* av_peer.c - speech through libopus and back, by libavcodec, for comparisons.
 *
 * The encoder's packets go straight to the decoder; their sizes are what Opus needs without any container. The declared
 * pre-skip is removed, and the input is followed by zeros so that its last samples leave the encoder.
 *
 * SPDX-License-Identifier: MIT
 */
#include <libavcodec/avcodec.h>
#include <libavutil/channel_layout.h>
#include <libavutil/opt.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "media/libav/av_parts.h"

#define OPUS_DECODER_HZ 48000

typedef struct Peer {
    AVCodecContext *encoder, *decoder;
    AVPacket *packet;
    AVFrame *in, *out;
    float *decoded;
    int64_t n_decoded, capacity, n_wanted, n_skip;
} Peer;

static void clear(Peer *peer)
{
    av_packet_free(&peer->packet);
    av_frame_free(&peer->in);
    av_frame_free(&peer->out);
    avcodec_free_context(&peer->encoder);
    avcodec_free_context(&peer->decoder);
}

static RsdStatus open_encoder(Peer *peer, const PeerOptions *options, RsdError *err)
{
    const AVCodec *codec = avcodec_find_encoder_by_name("libopus");
    AVDictionary *settings = NULL;
    char frame_ms[16];
    int code;

    if (!codec)
        return error_set(err, RSD_ERR_UNSUPPORTED, "this build of libavcodec has no libopus");
    peer->encoder = avcodec_alloc_context3(codec);
    if (!peer->encoder)
        return error_set(err, RSD_ERR_MEMORY, "no memory for an Opus encoder");
    peer->encoder->sample_rate = options->rate_hz;
    peer->encoder->sample_fmt = AV_SAMPLE_FMT_FLT;
    peer->encoder->bit_rate = options->bitrate_bps;
    peer->encoder->time_base = (AVRational){1, options->rate_hz};
    peer->encoder->compression_level = 10; /* opusenc's default, the slowest */
    av_channel_layout_default(&peer->encoder->ch_layout, 1);
    snprintf(frame_ms, sizeof frame_ms, "%g", options->frame_ms);
    av_dict_set(&settings, "frame_duration", frame_ms, 0);
    av_dict_set(&settings, "application", options->speech ? "voip" : "audio", 0);
    av_dict_set(&settings, "vbr", options->vbr ? "on" : "off", 0);
    code = avcodec_open2(peer->encoder, codec, &settings);
    av_dict_free(&settings);
    if (code < 0)
        return av_failure(code, NULL, "libopus refuses these settings", err);
    return RSD_OK;
}

static RsdStatus open_decoder(Peer *peer, RsdError *err)
{
    const AVCodec *codec = avcodec_find_decoder_by_name("libopus");
    int code;

    if (!codec)
        codec = avcodec_find_decoder(AV_CODEC_ID_OPUS);
    if (!codec)
        return error_set(err, RSD_ERR_UNSUPPORTED, "this build of libavcodec cannot decode Opus");
    peer->decoder = avcodec_alloc_context3(codec);
    if (!peer->decoder)
        return error_set(err, RSD_ERR_MEMORY, "no memory for an Opus decoder");
    peer->decoder->sample_rate = OPUS_DECODER_HZ;
    peer->decoder->request_sample_fmt = AV_SAMPLE_FMT_FLT;
    /* we remove the pre-skip ourselves: without a container there is nobody to declare it */
    peer->decoder->flags2 |= AV_CODEC_FLAG2_SKIP_MANUAL;
    av_channel_layout_default(&peer->decoder->ch_layout, 1);
    code = avcodec_open2(peer->decoder, codec, NULL);
    return code < 0 ? av_failure(code, NULL, "the Opus decoder does not start", err) : RSD_OK;
}

/* Mono frames only: packed and planar float are the same bytes. */
static void keep_frame(Peer *peer)
{
    const float *src = (const float *)peer->out->data[0];

    for (int i = 0; i < peer->out->nb_samples; i++) {
        if (peer->n_skip > 0)
            peer->n_skip--;
        else if (peer->n_decoded < peer->n_wanted)
            peer->decoded[peer->n_decoded++] = src[i];
    }
}

static RsdStatus decode_packet(Peer *peer, const AVPacket *packet, RsdError *err)
{
    int code = avcodec_send_packet(peer->decoder, packet);

    while (code >= 0) {
        code = avcodec_receive_frame(peer->decoder, peer->out);
        if (code < 0)
            break;
        if (peer->out->format != AV_SAMPLE_FMT_FLT && peer->out->format != AV_SAMPLE_FMT_FLTP)
            return error_set(err, RSD_ERR_UNSUPPORTED, "the Opus decoder does not give float samples");
        keep_frame(peer);
    }
    if (code == AVERROR(EAGAIN) || code == AVERROR_EOF)
        return RSD_OK;
    return av_failure(code, NULL, "the Opus decoder fails", err);
}

/* Takes every finished packet from the encoder. */
static RsdStatus take_packets(Peer *peer, PeerResult *result, RsdError *err)
{
    for (;;) {
        int code = avcodec_receive_packet(peer->encoder, peer->packet);
        RsdStatus status;

        if (code == AVERROR(EAGAIN) || code == AVERROR_EOF)
            return RSD_OK;
        if (code < 0)
            return av_failure(code, NULL, "libopus fails", err);
        result->packet_bytes += peer->packet->size;
        result->n_packets++;
        status = decode_packet(peer, peer->packet, err);
        av_packet_unref(peer->packet);
        if (status != RSD_OK)
            return status;
    }
}

static RsdStatus encode_all(Peer *peer, const float *samples, int64_t n_samples, PeerResult *result, RsdError *err)
{
    int frame_len = peer->encoder->frame_size;
    /* enough zeros behind for the encoder's delay */
    int64_t n_frames = (n_samples + peer->encoder->initial_padding + frame_len - 1) / frame_len;
    RsdStatus status = RSD_OK;
    int code;

    peer->in->nb_samples = frame_len;
    peer->in->format = AV_SAMPLE_FMT_FLT;
    peer->in->sample_rate = peer->encoder->sample_rate;
    if (av_channel_layout_copy(&peer->in->ch_layout, &peer->encoder->ch_layout) < 0 ||
        av_frame_get_buffer(peer->in, 0) < 0)
        return error_set(err, RSD_ERR_MEMORY, "no memory for an Opus frame");
    for (int64_t i = 0; i < n_frames && status == RSD_OK; i++) {
        float *dst;
        int64_t left = n_samples - i * frame_len;
        size_t take = left <= 0 ? 0 : left < frame_len ? (size_t)left : (size_t)frame_len;

        if (av_frame_make_writable(peer->in) < 0)
            return error_set(err, RSD_ERR_MEMORY, "no memory for an Opus frame");
        dst = (float *)peer->in->data[0];
        if (take > 0)
            memcpy(dst, samples + i * frame_len, take * sizeof *dst);
        memset(dst + take, 0, ((size_t)frame_len - take) * sizeof *dst);
        peer->in->pts = i * frame_len;
        code = avcodec_send_frame(peer->encoder, peer->in);
        if (code < 0)
            return av_failure(code, NULL, "libopus fails", err);
        status = take_packets(peer, result, err);
    }
    if (status == RSD_OK && avcodec_send_frame(peer->encoder, NULL) >= 0)
        status = take_packets(peer, result, err);
    return status;
}

RsdStatus av_peer_opus(const float *samples, int64_t n_samples, const PeerOptions *options, float **decoded_48k,
                       int64_t *n_decoded, PeerResult *result, RsdError *err)
{
    RsdStatus status = RSD_OK;
    Peer peer = {0};

    *result = (PeerResult){0};
    TRY(open_encoder(&peer, options, err));
    TRY(open_decoder(&peer, err));
    peer.packet = av_packet_alloc();
    peer.in = av_frame_alloc();
    peer.out = av_frame_alloc();
    peer.n_wanted = n_samples * (OPUS_DECODER_HZ / options->rate_hz);
    peer.n_skip = (int64_t)peer.encoder->initial_padding * OPUS_DECODER_HZ / options->rate_hz;
    peer.decoded = av_calloc((size_t)peer.n_wanted + 1, sizeof *peer.decoded);
    CHECK(peer.packet && peer.in && peer.out && peer.decoded, err, RSD_ERR_MEMORY, "no memory for %lld samples",
          (long long)peer.n_wanted);
    TRY(encode_all(&peer, samples, n_samples, result, err));
    *decoded_48k = peer.decoded;
    *n_decoded = peer.n_wanted; /* what the codec did not give stays zero */
    clear(&peer);
    return RSD_OK;
fail:
    av_free(peer.decoded);
    clear(&peer);
    return status;
}

void av_peer_free(float *decoded_48k)
{
    av_free(decoded_48k);
}
