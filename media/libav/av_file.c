/* av_file.c - samples through an encoder and a muxer into memory.
 *
 *   samples -> frame in the encoder's sample format -> packets -> muxer -> memory (may seek back, as MP4 does)
 *
 * SPDX-License-Identifier: MIT
 */
#include <libavcodec/avcodec.h>
#include <libavutil/channel_layout.h>
#include <libavutil/mem.h>
#include <libavutil/opt.h>
#include <math.h>

#include "media/libav/av_parts.h"

#define FREE_FRAME_LEN 1024 /* for encoders that take any number of samples */

typedef struct Job {
    AVCodecContext *encoder;
    AVFormatContext *muxer;
    AVStream *stream;
    AVPacket *packet;
    AVFrame *frame;
} Job;

/* Ends the file; what was written goes to *bytes (av_free). */
static int close_file(Job *job, uint8_t **bytes)
{
    const int size = avio_close_dyn_buf(job->muxer->pb, bytes);

    job->muxer->pb = NULL;
    return size;
}

static void clear(Job *job)
{
    uint8_t *bytes;

    if (job->muxer && job->muxer->pb) {
        close_file(job, &bytes);
        av_free(bytes);
    }
    avformat_free_context(job->muxer);
    av_packet_free(&job->packet);
    av_frame_free(&job->frame);
    avcodec_free_context(&job->encoder);
}

/* ---- opening ---- */

static RsdStatus find_encoder(const AVCodec **codec, const PeerFormat *format, RsdError *err)
{
    *codec = avcodec_find_encoder_by_name(format->encoder);
    return *codec ? RSD_OK
                  : error_set(err, RSD_ERR_UNSUPPORTED, "this build of libavcodec has no encoder %s", format->encoder);
}

RsdStatus av_file_rate(int *supported_hz, const PeerFormat *format, int rate_hz, RsdError *err)
{
    const AVCodec *codec;
    int above = 0, highest = 0;
    RsdStatus status = find_encoder(&codec, format, err);

    *supported_hz = rate_hz;
    if (status != RSD_OK || !codec->supported_samplerates)
        return status;
    for (const int *r = codec->supported_samplerates; *r; r++) {
        highest = *r > highest ? *r : highest;
        if (*r >= rate_hz && (!above || *r < above))
            above = *r;
    }
    *supported_hz = above ? above : highest;
    return RSD_OK;
}

/* The form of float samples it takes, else 16-bit integers. */
static enum AVSampleFormat choose_sample_format(const AVCodec *codec)
{
    static const enum AVSampleFormat wanted[] = {AV_SAMPLE_FMT_FLTP, AV_SAMPLE_FMT_FLT, AV_SAMPLE_FMT_S16P,
                                                 AV_SAMPLE_FMT_S16};

    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        for (const enum AVSampleFormat *f = codec->sample_fmts; f && *f != AV_SAMPLE_FMT_NONE; f++)
            if (*f == wanted[i])
                return *f;
    return AV_SAMPLE_FMT_NONE;
}

static RsdStatus open_encoder(Job *job, const PeerFormat *format, int channels, int rate_hz, RsdError *err)
{
    const AVCodec *codec;
    AVDictionary *settings = NULL;
    AVCodecContext *encoder;
    int code;
    RsdStatus status = RSD_OK;

    TRY(find_encoder(&codec, format, err));
    job->encoder = encoder = avcodec_alloc_context3(codec);
    CHECK(encoder, err, RSD_ERR_MEMORY, "no memory for the encoder %s", format->encoder);
    encoder->sample_fmt = choose_sample_format(codec);
    CHECK(encoder->sample_fmt != AV_SAMPLE_FMT_NONE, err, RSD_ERR_UNSUPPORTED, "%s takes no known form of samples",
          format->encoder);
    encoder->sample_rate = rate_hz;
    encoder->time_base = (AVRational){1, rate_hz};
    encoder->thread_count = 1;
    encoder->bit_rate = format->bitrate_bps;
    if (!format->bitrate_bps) {
        encoder->flags |= AV_CODEC_FLAG_QSCALE;
        encoder->global_quality = (int)lrint(format->quality * FF_QP2LAMBDA);
    }
    if (job->muxer->oformat->flags & AVFMT_GLOBALHEADER)
        encoder->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    av_channel_layout_default(&encoder->ch_layout, channels);
    CHECK(!format->options || av_dict_parse_string(&settings, format->options, "=", ":", 0) >= 0, err, RSD_ERR_ARG,
          "options '%s' cannot be read", format->options);
    code = avcodec_open2(encoder, codec, &settings);
    CHECK(code >= 0, err, RSD_ERR_ARG, "%s refuses %d bit/s, %d channels at %d Hz: %s", format->encoder,
          format->bitrate_bps, channels, rate_hz, av_err2str(code));
fail:
    av_dict_free(&settings);
    return status;
}

static RsdStatus open_muxer(Job *job, const PeerFormat *format, RsdError *err)
{
    if (avformat_alloc_output_context2(&job->muxer, NULL, format->muxer, NULL) < 0)
        return error_set(err, RSD_ERR_UNSUPPORTED, "this build of libavformat cannot write %s", format->muxer);
    if (avio_open_dyn_buf(&job->muxer->pb) < 0)
        return error_set(err, RSD_ERR_MEMORY, "no memory for a file");
    job->muxer->flags |= AVFMT_FLAG_BITEXACT; /* no date, no version in the file */
    return RSD_OK;
}

static RsdStatus begin_file(Job *job, RsdError *err)
{
    int code;

    job->stream = avformat_new_stream(job->muxer, NULL);
    job->packet = av_packet_alloc();
    job->frame = av_frame_alloc();
    if (!job->stream || !job->packet || !job->frame)
        return error_set(err, RSD_ERR_MEMORY, "no memory for a file");
    job->stream->time_base = job->encoder->time_base;
    code = avcodec_parameters_from_context(job->stream->codecpar, job->encoder);
    if (code >= 0)
        code = avformat_write_header(job->muxer, NULL);
    return code < 0 ? av_failure(code, NULL, "the file cannot be begun", err) : RSD_OK;
}

/* ---- the samples ---- */

static RsdStatus take_packets(Job *job, RsdError *err)
{
    int code;

    while ((code = avcodec_receive_packet(job->encoder, job->packet)) >= 0) {
        av_packet_rescale_ts(job->packet, job->encoder->time_base, job->stream->time_base);
        job->packet->stream_index = 0;
        code = av_interleaved_write_frame(job->muxer, job->packet);
        if (code < 0)
            return av_failure(code, NULL, "the file cannot be written", err);
    }
    return code == AVERROR(EAGAIN) || code == AVERROR_EOF ? RSD_OK : av_failure(code, NULL, "the encoder fails", err);
}

static int16_t to_16_bits(float v)
{
    double scaled = 32768.0 * (double)v;

    return (int16_t)lrint(scaled > 32767 ? 32767 : scaled < -32768 ? -32768 : scaled);
}

static void fill_frame(AVFrame *frame, const float *samples, int channels, int64_t n, int64_t from, int len)
{
    bool planar = av_sample_fmt_is_planar(frame->format), is_float = av_get_bytes_per_sample(frame->format) == 4;

    for (int c = 0; c < channels; c++)
        for (int i = 0; i < len; i++) {
            float v = samples[(int64_t)c * n + from + i];
            size_t at = planar ? (size_t)i : (size_t)i * (size_t)channels + (size_t)c;
            uint8_t *data = frame->data[planar ? c : 0];

            if (is_float)
                ((float *)data)[at] = v;
            else
                ((int16_t *)data)[at] = to_16_bits(v);
        }
}

static RsdStatus encode_all(Job *job, const float *samples, int channels, int64_t n, RsdError *err)
{
    int frame_len = job->encoder->frame_size > 0 ? job->encoder->frame_size : FREE_FRAME_LEN, code;
    AVFrame *frame = job->frame;
    RsdStatus status = RSD_OK;

    for (int64_t from = 0; from < n; from += frame_len) {
        int len = n - from < frame_len ? (int)(n - from) : frame_len;

        frame->nb_samples = len;
        frame->format = job->encoder->sample_fmt;
        frame->sample_rate = job->encoder->sample_rate;
        frame->pts = from;
        CHECK(av_channel_layout_copy(&frame->ch_layout, &job->encoder->ch_layout) >= 0 &&
                  av_frame_get_buffer(frame, 0) >= 0,
              err, RSD_ERR_MEMORY, "no memory for a frame");
        fill_frame(frame, samples, channels, n, from, len);
        code = avcodec_send_frame(job->encoder, frame);
        av_frame_unref(frame);
        if (code < 0)
            return av_failure(code, NULL, "the encoder fails", err);
        TRY(take_packets(job, err));
    }
    code = avcodec_send_frame(job->encoder, NULL);
    if (code < 0)
        return av_failure(code, NULL, "the encoder fails", err);
    TRY(take_packets(job, err));
    code = av_write_trailer(job->muxer);
    if (code < 0)
        return av_failure(code, NULL, "the file cannot be completed", err);
    avio_flush(job->muxer->pb);
    code = job->muxer->pb->error;
    if (code < 0)
        return av_failure(code, NULL, "the file cannot be written", err);
fail:
    return status;
}

RsdStatus av_file_encode(uint8_t **bytes, size_t *size, const PeerFormat *format, const float *samples, int channels,
                         int64_t n, int rate_hz, RsdError *err)
{
    Job job = {0};
    RsdStatus status = RSD_OK;

    TRY(open_muxer(&job, format, err));
    TRY(open_encoder(&job, format, channels, rate_hz, err));
    TRY(begin_file(&job, err));
    TRY(encode_all(&job, samples, channels, n, err));
    *size = (size_t)close_file(&job, bytes);
fail:
    clear(&job);
    return status;
}

void av_file_free(uint8_t *bytes)
{
    av_free(bytes);
}
