/* av_audio.c - the audio of anything libavformat opens, as an AudioSource.
 *
 *   bytes -> demuxer -> packets of one stream -> decoder -> swresample (only the sample format) -> interleaved float
 *
 * libavcodec drops the encoder's delay and the padding that the container marks; av_length.c knows the rest. It needs
 * to know which packet is the last, so one packet is read ahead. A packet that cannot be decoded is left out and
 * remembered: the rest is delivered and then the damage is reported.
 *
 * SPDX-License-Identifier: MIT
 */
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/channel_layout.h>
#include <libswresample/swresample.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "engine/base/mem.h"
#include "media/libav/av_parts.h"

#define GAP_S 0.05        /* a larger jump of Ogg time stamps is missing sound */
#define MISSING_S 0.1     /* shorter by more than this than the header says is truncated */
#define MAX_FAILURES 1000 /* decoder errors in a row without one frame: there is nothing to find */

typedef struct AvSource {
    AudioSource base;
    AvInput input;
    AVFormatContext *format;
    AVCodecContext *decoder;
    AVPacket *packet, *ahead; /* next to decode; the one after it */
    AVFrame *frame;
    SwrContext *swr;
    AVChannelLayout swr_layout; /* what swr was made for */
    int stream_index, swr_format, swr_rate_hz;
    AvLength length;
    float *queue; /* converted, not yet delivered: [queue_len, channels] from queue_at */
    unsigned queue_size;
    int64_t queue_len, queue_at;
    int64_t n_done; /* frames that entered the queue */
    bool is_ogg, is_pcm;
    bool is_bare; /* a run of frames without an index (MP3, ADTS), where junk at both ends is usual */
    bool have_ahead, demuxer_ended, decoder_ended, cut;
    int64_t next_pts; /* Ogg: where the next frame should start */
    int64_t n_packets, n_bad, n_failures;
    bool last_is_bad;
    double first_bad_s;
} AvSource;

static int refuse_open(AVFormatContext *format, AVIOContext **io, const char *url, int flags, AVDictionary **options)
{
    (void)format, (void)io, (void)url, (void)flags, (void)options;
    return AVERROR(EPERM);
}

static void close_source(AudioSource *source)
{
    AvSource *s = (AvSource *)source;

    swr_free(&s->swr);
    av_channel_layout_uninit(&s->swr_layout);
    av_frame_free(&s->frame);
    av_packet_free(&s->packet);
    av_packet_free(&s->ahead);
    avcodec_free_context(&s->decoder);
    avformat_close_input(&s->format);
    av_input_close(&s->input);
    av_freep(&s->queue);
    mem_free(&s);
}

static void note_damage(AvSource *s)
{
    if (s->n_bad++ == 0)
        s->first_bad_s = (double)s->n_done / s->base.rate_hz;
    s->last_is_bad = true;
}

/* --- packets ------------------------------------------------------------------------------------------------------ */

/* The next packet of our stream into s->ahead; have_ahead is false at the end. */
static RsdStatus read_ahead(AvSource *s, RsdError *err)
{
    s->have_ahead = false;
    while (!s->demuxer_ended) {
        int code = av_read_frame(s->format, s->ahead);

        if (code == AVERROR(ENOMEM) || s->input.failed)
            return av_failure(code, &s->input, "cannot read on", err);
        if (code < 0) {
            s->demuxer_ended = true;
            s->cut |= code != AVERROR_EOF;
        } else if (s->ahead->stream_index == s->stream_index) {
            s->have_ahead = true;
            return RSD_OK;
        } else {
            av_packet_unref(s->ahead);
        }
    }
    return RSD_OK;
}

/* An ID3v2 tag in mid-stream, where files were joined; the frame behind it in the same packet is the next file's own tag. */
static bool is_tag(const AvSource *s)
{
    return s->is_bare && s->packet->size >= 3 && memcmp(s->packet->data, "ID3", 3) == 0;
}

/* Gives the decoder one packet, or the end. */
static RsdStatus send_packet(AvSource *s, RsdError *err)
{
    RsdStatus status;
    int code;

    if (!s->have_ahead) {
        avcodec_send_packet(s->decoder, NULL);
        return RSD_OK;
    }
    av_packet_move_ref(s->packet, s->ahead);
    status = read_ahead(s, err);
    if (status != RSD_OK)
        return status;
    av_length_add(&s->length, s->packet);
    code = is_tag(s) ? 0 : avcodec_send_packet(s->decoder, s->packet);
    if (code == AVERROR(ENOMEM))
        return av_failure(code, NULL, "cannot decode", err);
    s->last_is_bad = false;
    /* a short last packet of plain samples is marked as damaged and is none */
    if (code < 0 || ((s->packet->flags & AV_PKT_FLAG_CORRUPT) && !s->is_pcm)) {
        if (!s->is_bare || s->n_packets > 0)
            note_damage(s);
    }
    s->n_packets++;
    av_packet_unref(s->packet);
    return RSD_OK;
}

/* --- frames ------------------------------------------------------------------------------------------------------- */

/* Prepares swr for s->frame; the channels pass as they are unless their number changed in mid-stream. */
static RsdStatus set_up_swr(AvSource *s, RsdError *err)
{
    const AVFrame *f = s->frame;
    AVChannelLayout to = {0};
    int code = av_channel_layout_copy(&s->swr_layout, &f->ch_layout);

    s->swr_format = f->format;
    s->swr_rate_hz = f->sample_rate;
    if (code >= 0 && f->ch_layout.nb_channels == s->base.channels)
        code = av_channel_layout_copy(&to, &f->ch_layout);
    else
        av_channel_layout_default(&to, s->base.channels);
    swr_free(&s->swr);
    if (code >= 0)
        code = swr_alloc_set_opts2(&s->swr, &to, AV_SAMPLE_FMT_FLT, s->base.rate_hz, &s->swr_layout, f->format,
                                   f->sample_rate, 0, NULL);
    if (code >= 0)
        code = swr_init(s->swr);
    av_channel_layout_uninit(&to);
    return code < 0 ? av_failure(code, NULL, "cannot convert the decoder's samples", err) : RSD_OK;
}

/* s->frame into the queue, cut at the end that the container states. */
static RsdStatus convert_frame(AvSource *s, RsdError *err)
{
    const AVFrame *f = s->frame;
    RsdStatus status;
    int64_t limit;
    int max_len, got;

    if (f->nb_samples <= 0 || f->sample_rate <= 0 || f->ch_layout.nb_channels <= 0)
        return RSD_OK;
    if (!s->swr || f->format != s->swr_format || f->sample_rate != s->swr_rate_hz ||
        av_channel_layout_compare(&f->ch_layout, &s->swr_layout) != 0) {
        status = set_up_swr(s, err);
        if (status != RSD_OK)
            return status;
    }
    max_len = swr_get_out_samples(s->swr, f->nb_samples);
    if (max_len < 0)
        return av_failure(max_len, NULL, "cannot convert the decoder's samples", err);
    av_fast_malloc(&s->queue, &s->queue_size, (size_t)(max_len + 1) * (size_t)s->base.channels * sizeof *s->queue);
    if (!s->queue)
        return error_set(err, RSD_ERR_MEMORY, "no memory for %d samples", max_len);
    got = swr_convert(s->swr, (uint8_t *[]){(uint8_t *)s->queue}, max_len, (const uint8_t **)f->extended_data,
                      f->nb_samples);
    if (got < 0)
        return av_failure(got, NULL, "cannot convert the decoder's samples", err);
    s->queue_at = got < s->length.skip ? got : s->length.skip;
    s->length.skip -= s->queue_at;
    limit = av_length_limit(&s->length, !s->have_ahead && s->demuxer_ended);
    if (got - s->queue_at > limit - s->n_done)
        got = (int)(s->queue_at + (limit > s->n_done ? limit - s->n_done : 0));
    s->queue_len = got;
    s->n_done += got - s->queue_at;
    return RSD_OK;
}

/* Ogg pages carry a checksum and are dropped when it fails: the time stamps then jump. */
static void look_for_gap(AvSource *s)
{
    const AVFrame *f = s->frame;
    int64_t pts = f->pts;

    if (!s->is_ogg || pts == AV_NOPTS_VALUE)
        return;
    pts = av_rescale_q(pts, s->length.time_base, (AVRational){1, f->sample_rate});
    if (s->next_pts != AV_NOPTS_VALUE && (double)(pts - s->next_pts) > GAP_S * f->sample_rate)
        note_damage(s);
    s->next_pts = pts + f->nb_samples;
}

static RsdStatus fill_queue(AvSource *s, RsdError *err)
{
    RsdStatus status = RSD_OK;

    while (status == RSD_OK && s->queue_at == s->queue_len && !s->decoder_ended) {
        int code = avcodec_receive_frame(s->decoder, s->frame);

        if (code >= 0) {
            s->n_failures = 0;
            look_for_gap(s);
            status = convert_frame(s, err);
            av_frame_unref(s->frame);
        } else if (code == AVERROR(EAGAIN)) {
            status = send_packet(s, err);
        } else if (code == AVERROR_EOF) {
            s->decoder_ended = true;
        } else if (code == AVERROR(ENOMEM)) {
            status = av_failure(code, NULL, "cannot decode", err);
        } else {
            note_damage(s);
            s->decoder_ended = ++s->n_failures > MAX_FAILURES;
        }
    }
    return status;
}

/* What was wrong with the file, once everything is delivered. */
static RsdStatus judge(const AvSource *s, RsdError *err)
{
    double time_s = (double)s->n_done / s->base.rate_hz;
    int64_t n_bad = s->n_bad - (s->is_bare && s->last_is_bad); /* a tag at the end of an MP3 looks like a packet */

    if (s->n_done == 0 && s->length.by_packets && !s->input.seekable)
        return error_set(err, RSD_ERR_UNSUPPORTED,
                         "an MP4 whose index or sound cannot be reached in a pipe; give the file by "
                         "its name, or write it with its index in front (ffmpeg -movflags +faststart)");
    if (n_bad > 0 && s->n_done == 0)
        return error_set(err, RSD_ERR_CORRUPT, "none of its %lld packets of %s can be decoded", (long long)s->n_packets,
                         s->base.codec);
    if (n_bad > 0)
        return error_set(err, RSD_ERR_CORRUPT, "damaged at %.3f s: %lld of %lld packets cannot be decoded",
                         s->first_bad_s, (long long)n_bad, (long long)s->n_packets);
    if (s->length.promised >= 0 && (double)(s->length.promised - s->n_done) > MISSING_S * s->base.rate_hz)
        return error_set(
            err, RSD_ERR_CORRUPT,
            "truncated: ends at %.3f s, but its header promises %.3f s; the copy or download was cut short", time_s,
            (double)s->length.promised / s->base.rate_hz);
    if (s->cut)
        return error_set(err, RSD_ERR_CORRUPT, "truncated or damaged at %.3f s", time_s);
    return RSD_OK;
}

/* A decoder may give a little less than the file states; the stated length is a promise to the caller. */
static size_t pad_end(AvSource *s, float *dst, size_t max_frames)
{
    int64_t missing = s->length.limit - s->n_done;
    size_t take = (uint64_t)missing < max_frames ? (size_t)missing : max_frames;

    memset(dst, 0, take * (size_t)s->base.channels * sizeof *dst);
    s->n_done += (int64_t)take;
    return take;
}

static RsdStatus read_frames(AudioSource *source, float *dst, size_t max_frames, size_t *n_read, RsdError *err)
{
    AvSource *s = (AvSource *)source;
    RsdStatus status = fill_queue(s, err);
    size_t take = (size_t)(s->queue_len - s->queue_at);

    *n_read = 0;
    if (status != RSD_OK)
        return status;
    if (take == 0) {
        status = judge(s, err);
        if (status == RSD_OK && s->length.limit > s->n_done)
            *n_read = pad_end(s, dst, max_frames);
        return status;
    }
    if (take > max_frames)
        take = max_frames;
    memcpy(dst, s->queue + s->queue_at * s->base.channels, take * (size_t)s->base.channels * sizeof *dst);
    s->queue_at += (int64_t)take;
    *n_read = take;
    return RSD_OK;
}

/* --- opening ------------------------------------------------------------------------------------------------------ */

static bool starts_like_mp4(int fd)
{
    char head[8];

    return pread(fd, head, sizeof head, 0) == (ssize_t)sizeof head && memcmp(head + 4, "ftyp", 4) == 0;
}

/* The demuxer of a format whose files have nothing to know them by but their name; NULL for all others. */
static const AVInputFormat *headerless_format(const char *name)
{
    static const char *const formats[] = {"g722", "gsm", "g729", "sln"}; /* endings, and libavformat's names */
    const char *ending = strrchr(name, '.');

    for (size_t i = 0; ending && i < sizeof formats / sizeof *formats; i++)
        if (strcasecmp(ending + 1, formats[i]) == 0)
            return av_find_input_format(formats[i]);
    return NULL;
}

static RsdStatus open_demuxer(AvSource *s, const char *name, bool use_edit_list, RsdError *err)
{
    AVDictionary *options = NULL;
    int code;

    s->format = avformat_alloc_context();
    if (!s->format)
        return error_set(err, RSD_ERR_MEMORY, "no memory for a demuxer");
    s->format->pb = s->input.io;
    s->format->io_open = refuse_open;
    av_dict_set(&options, "protocol_whitelist", "none", 0);
    av_dict_set_int(&options, "use_editlist", use_edit_list, 0);
    code = avformat_open_input(&s->format, NULL, headerless_format(name), &options);
    av_dict_free(&options);
    if (code == AVERROR(EPERM))
        return error_set(err, RSD_ERR_UNSUPPORTED, "a play list that points to other files; give those files instead");
    if (code == AVERROR_EOF && !s->input.failed)
        return error_set(err, RSD_ERR_CORRUPT, "ends before any sound: cut short");
    if (code < 0 && !s->input.failed && s->input.seekable && starts_like_mp4(s->input.fd))
        return error_set(err, RSD_ERR_CORRUPT, "an MP4 without its index (moov): cut short, or still being written");
    if (code < 0)
        return av_failure(code, &s->input, "no sound or video format that is known here", err);
    return RSD_OK;
}

static RsdStatus choose_stream(AvSource *s, bool skip_manually, RsdError *err)
{
    const AVCodec *codec = NULL;
    AVStream *stream;
    int code;

    code = avformat_find_stream_info(s->format, NULL);
    if (code < 0)
        return av_failure(code, &s->input, "cannot tell what the streams are", err);
    s->stream_index = av_find_best_stream(s->format, AVMEDIA_TYPE_AUDIO, -1, -1, &codec, 0);
    if (s->stream_index < 0) {
        for (unsigned i = 0; i < s->format->nb_streams; i++)
            if (s->format->streams[i]->codecpar->codec_type == AVMEDIA_TYPE_AUDIO)
                return error_set(err, RSD_ERR_UNSUPPORTED, "this build of libavcodec cannot decode its sound (%s)",
                                 avcodec_get_name(s->format->streams[i]->codecpar->codec_id));
        return error_set(err, RSD_ERR_UNSUPPORTED, "there is no sound in it (format %s)", s->format->iformat->name);
    }
    for (unsigned i = 0; i < s->format->nb_streams; i++)
        if ((int)i != s->stream_index)
            s->format->streams[i]->discard = AVDISCARD_ALL;
    stream = s->format->streams[s->stream_index];
    s->decoder = avcodec_alloc_context3(codec);
    if (!s->decoder)
        return error_set(err, RSD_ERR_MEMORY, "no memory for a decoder");
    code = avcodec_parameters_to_context(s->decoder, stream->codecpar);
    s->decoder->pkt_timebase = stream->time_base;
    s->decoder->thread_count = 1;
    if (skip_manually)
        s->decoder->flags2 |= AV_CODEC_FLAG2_SKIP_MANUAL;
    if (stream->codecpar->codec_id == AV_CODEC_ID_FLAC)
        s->decoder->err_recognition |= AV_EF_CRCCHECK;
    if (code >= 0)
        code = avcodec_open2(s->decoder, codec, NULL);
    return code < 0 ? av_failure(code, NULL, "cannot start the decoder", err) : RSD_OK;
}

static void describe(AvSource *s, bool seekable)
{
    const AVStream *stream = s->format->streams[s->stream_index];
    bool is_mp4 = strstr(s->format->iformat->name, "mp4") != NULL;
    const char *name = is_mp4 ? "mp4" : s->format->iformat->name;

    s->base.n_frames = -1;
    s->base.exact = s->length.limit >= 0 && s->length.n_within == 0;
    if (s->length.limit >= 0)
        s->base.n_frames = s->length.limit;
    else if (seekable && stream->duration > 0)
        s->base.n_frames = av_rescale_q(stream->duration, stream->time_base, (AVRational){1, s->base.rate_hz});
    else if (seekable && s->format->duration > 0)
        s->base.n_frames = av_rescale_q(s->format->duration, AV_TIME_BASE_Q, (AVRational){1, s->base.rate_hz});
    snprintf(s->base.codec, sizeof s->base.codec, "%s", avcodec_get_name(stream->codecpar->codec_id));
    snprintf(s->base.container, sizeof s->base.container, "%.*s", (int)strcspn(name, ","), name);
}

RsdStatus av_audio_open(AudioSource **out, int fd, bool seekable, const uint8_t *start, size_t start_size, const char *name, RsdError *err)
{
    RsdStatus status = RSD_OK;
    AvSource *s = NULL;
    const AVCodecParameters *par;
    Mp4Probe mp4;
    bool read_mp4 = seekable && mp4_probe(&mp4, fd);

    TRY(mem_calloc(&s, 1, sizeof *s, err));
    s->next_pts = AV_NOPTS_VALUE;
    TRY(av_input_open(&s->input, fd, seekable, err));
    s->input.start = start;
    s->input.start_left = start_size;
    TRY(open_demuxer(s, name, !read_mp4, err));
    read_mp4 &= strstr(s->format->iformat->name, "mp4") != NULL;
    TRY(choose_stream(s, read_mp4, err));
    par = s->format->streams[s->stream_index]->codecpar;
    CHECK(par->ch_layout.nb_channels >= 1 && par->ch_layout.nb_channels <= AUDIO_MAX_CHANNELS, err, RSD_ERR_UNSUPPORTED,
          "%d channels; 1 to %d can be read", par->ch_layout.nb_channels, AUDIO_MAX_CHANNELS);
    CHECK(par->sample_rate >= AUDIO_MIN_RATE_HZ && par->sample_rate <= AUDIO_MAX_RATE_HZ, err, RSD_ERR_UNSUPPORTED,
          "sampling rate of %d Hz; %d to %d Hz can be read", par->sample_rate, AUDIO_MIN_RATE_HZ, AUDIO_MAX_RATE_HZ);
    s->base = (AudioSource){.rate_hz = par->sample_rate,
                            .channels = par->ch_layout.nb_channels,
                            .read = read_frames,
                            .close = close_source};
    s->is_ogg = strcmp(s->format->iformat->name, "ogg") == 0;
    s->is_bare = strcmp(s->format->iformat->name, "mp3") == 0 || strcmp(s->format->iformat->name, "aac") == 0;
    s->cut = s->is_ogg && seekable && av_length_ogg_is_cut(fd);
    s->is_pcm = av_get_exact_bits_per_sample(par->codec_id) > 0;
    av_length_init(&s->length, s->format, s->format->streams[s->stream_index], &s->input, read_mp4 ? &mp4 : NULL);
    describe(s, seekable);
    s->packet = av_packet_alloc();
    s->ahead = av_packet_alloc();
    s->frame = av_frame_alloc();
    CHECK(s->packet && s->ahead && s->frame, err, RSD_ERR_MEMORY, "no memory for packets");
    TRY(read_ahead(s, err));
    *out = &s->base;
    return RSD_OK;
fail:
    if (s)
        close_source(&s->base);
    return status;
}
