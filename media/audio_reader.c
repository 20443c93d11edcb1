/* audio_reader.c - opens a source, then in blocks of a fixed length: check, mix, resample, de-interleave.
 *
 *   source (interleaved, its rate) -> raw -> mixed (to mono, if asked) -> resampler -> ready -> caller (planar)
 *
 * Mixing comes first because it is linear and makes resampling cheaper. An error of the source waits until everything
 * before it has gone through the resampler and to the caller.
 *
 * SPDX-License-Identifier: MIT
 */
#include "media/audio_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/mem.h"
#include "media/audio_source.h"
#include "media/av_module.h"
#include "media/resampler.h"
#include "media/sndfile_source.h"
#include "media/wav_stream.h"

#define BLOCK_LEN 4096

struct AudioReader {
    int fd;
    bool owns_fd;
    const char *name; /* for sentences: the path, kept inside the reader */
    char *path;
    WavStart start; /* of a pipe, until the source has read it again */
    AudioSource *source;
    AudioInfo info;
    bool replace_nonfinite;
    int mid_channels;     /* after mixing: 1 or the source's */
    Resampler *resampler; /* NULL when the rates agree */
    float *raw;           /* [BLOCK_LEN, source channels] */
    float *mixed;         /* [BLOCK_LEN, mid_channels]; the same memory as raw when nothing is mixed */
    size_t mixed_len, mixed_at;
    float *ready; /* [BLOCK_LEN, mid_channels] out of the resampler; mixed itself without one */
    size_t ready_len, ready_at;
    int64_t n_raw; /* frames read from the source */
    bool source_ended, ended;
    RsdStatus end_status; /* what the source ended with, RSD_OK for its natural end */
    RsdError end_error;
};

/* --- opening ------------------------------------------------------------------------------------------------------ */

static RsdStatus open_input(AudioReader *r, const char *path, bool *seekable, RsdError *err)
{
    RsdStatus status = RSD_OK;
    struct stat info;

    r->fd = -1;
    TRY(mem_strdup(&r->path, path, err));
    r->name = strcmp(path, "-") == 0 ? "standard input" : r->path;
    if (r->name == r->path) {
        r->fd = open(path, O_RDONLY | O_CLOEXEC);
        CHECK(r->fd >= 0, err, RSD_ERR_IO, "%s: cannot open: %s", r->name, strerror(errno));
        r->owns_fd = true;
    } else {
        r->fd = STDIN_FILENO;
    }
    CHECK(fstat(r->fd, &info) == 0, err, RSD_ERR_IO, "%s: cannot open: %s", r->name, strerror(errno));
    CHECK(!S_ISDIR(info.st_mode), err, RSD_ERR_IO, "%s: is a directory, not a sound file", r->name);
    CHECK(!S_ISREG(info.st_mode) || info.st_size > 0, err, RSD_ERR_CORRUPT, "%s: the file is empty", r->name);
    *seekable = S_ISREG(info.st_mode) && lseek(r->fd, 0, SEEK_SET) == 0;
    return RSD_OK;
fail:
    return status;
}

static RsdStatus open_source(AudioReader *r, bool seekable, RsdError *err)
{
    RsdStatus status = RSD_ERR_UNSUPPORTED;
    RsdError reason = {0};
    const AvModule *module;
    const bool is_sndfile = seekable && sndfile_source_knows(r->fd);

    if (is_sndfile)
        status = sndfile_source_open(&r->source, r->fd, &reason);
    if (status == RSD_ERR_UNSUPPORTED && (is_sndfile || !seekable)) {
        status = wav_stream_open(&r->source, &r->start, r->fd, &reason);
        if (status == RSD_OK && !r->source)
            status = RSD_ERR_UNSUPPORTED;
        if (seekable && !r->source) {
            r->start.size = 0;
            lseek(r->fd, 0, SEEK_SET);
        }
    }
    if (status == RSD_ERR_UNSUPPORTED || status == RSD_ERR_CORRUPT) { /* libavformat knows more, and forgives more */
        const bool is_damaged = status == RSD_ERR_CORRUPT; /* and is said to be so where the module is missing */
        const RsdStatus found = av_module_get(&module, is_damaged ? NULL : &reason);

        if (found == RSD_OK)
            status = module->audio_open(&r->source, r->fd, seekable, r->start.bytes, r->start.size, r->name, &reason);
        else if (!is_damaged)
            status = found;
    }
    return status == RSD_OK ? RSD_OK : error_set(err, status, "%s: %s", r->name, reason.text);
}

static RsdStatus check_options(const AudioReaderOptions *o, RsdError *err)
{
    if (o->rate_hz != 0 && (o->rate_hz < AUDIO_MIN_RATE_HZ || o->rate_hz > AUDIO_MAX_RATE_HZ))
        return error_set(err, RSD_ERR_ARG, "cannot resample to %d Hz: %d to %d Hz are possible", o->rate_hz,
                         AUDIO_MIN_RATE_HZ, AUDIO_MAX_RATE_HZ);
    if (o->channels < 0 || o->channels > AUDIO_MAX_CHANNELS)
        return error_set(err, RSD_ERR_ARG, "cannot deliver %d channels: 1 to %d are possible", o->channels,
                         AUDIO_MAX_CHANNELS);
    return RSD_OK;
}

static RsdStatus set_up(AudioReader *r, const AudioReaderOptions *options, RsdError *err)
{
    const AudioSource *source = r->source;
    AudioInfo *info = &r->info;
    RsdStatus status = RSD_OK;

    info->source_rate_hz = source->rate_hz;
    info->source_channels = source->channels;
    info->rate_hz = options->rate_hz ? options->rate_hz : source->rate_hz;
    info->channels = options->channels ? options->channels : source->channels;
    CHECK(info->channels == 1 || source->channels == 1 || info->channels == source->channels, err, RSD_ERR_UNSUPPORTED,
          "%s: has %d channels; they can be kept or mixed to 1, not to %d", r->name, source->channels, info->channels);
    info->n_samples = source->n_frames < 0 ? -1 : resampler_out_len(source->n_frames, source->rate_hz, info->rate_hz);
    info->exact = source->exact;
    memcpy(info->codec, source->codec, sizeof info->codec);
    memcpy(info->container, source->container, sizeof info->container);
    r->replace_nonfinite = options->replace_nonfinite;
    r->mid_channels = info->channels == 1 ? 1 : source->channels;
    TRY(mem_alloc(&r->raw, (size_t)BLOCK_LEN * (size_t)source->channels, sizeof *r->raw, err));
    r->mixed = r->raw;
    if (r->mid_channels != source->channels)
        TRY(mem_alloc(&r->mixed, BLOCK_LEN, sizeof *r->mixed, err));
    r->ready = r->mixed;
    if (info->rate_hz != source->rate_hz) {
        TRY(resampler_create(&r->resampler, source->rate_hz, info->rate_hz, r->mid_channels, err));
        TRY(mem_alloc(&r->ready, (size_t)BLOCK_LEN * (size_t)r->mid_channels, sizeof *r->ready, err));
    }
fail:
    return status;
}

RsdStatus audio_reader_open(AudioReader **out, const char *path, const AudioReaderOptions *options, RsdError *err)
{
    static const AudioReaderOptions keep_all = {0};
    RsdStatus status = RSD_OK;
    AudioReader *r = NULL;
    bool seekable = false;

    *out = NULL;
    if (!options)
        options = &keep_all;
    TRY(check_options(options, err));
    TRY(mem_calloc(&r, 1, sizeof *r, err));
    TRY(open_input(r, path, &seekable, err));
    TRY(open_source(r, seekable, err));
    TRY(set_up(r, options, err));
    *out = r;
    return RSD_OK;
fail:
    audio_reader_close(&r);
    return status;
}

void audio_reader_close(AudioReader **reader)
{
    AudioReader *r = *reader;

    if (!r)
        return;
    if (r->source)
        r->source->close(r->source);
    if (r->ready != r->mixed)
        mem_free(&r->ready);
    if (r->mixed != r->raw)
        mem_free(&r->mixed);
    mem_free(&r->raw);
    resampler_destroy(&r->resampler);
    if (r->owns_fd)
        close(r->fd);
    mem_free(&r->path);
    mem_free(reader);
}

const AudioInfo *audio_reader_info(const AudioReader *reader)
{
    return &reader->info;
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

static void end_source(AudioReader *r, RsdStatus status)
{
    r->source_ended = true;
    r->end_status = status;
}

/* Finds NaN and infinity in `len` new frames; returns how many frames are good. */
static size_t check_finite(AudioReader *r, size_t len)
{
    size_t channels = (size_t)r->source->channels;

    for (size_t i = 0; i < len * channels; i++) {
        int64_t frame = r->n_raw + (int64_t)(i / channels);

        if (isfinite(r->raw[i]))
            continue;
        if (r->replace_nonfinite) {
            r->raw[i] = 0;
            r->info.n_replaced++;
            continue;
        }
        end_source(r, error_set(&r->end_error, RSD_ERR_NUMERIC, "%s: sample %lld of channel %zu, at %.3f s, is %s",
                                r->name, (long long)frame, i % channels + 1, (double)frame / r->source->rate_hz,
                                isnan(r->raw[i]) ? "not a number" : "infinite"));
        return i / channels;
    }
    return len;
}

static void mix(AudioReader *r, size_t len)
{
    size_t channels = (size_t)r->source->channels;
    float scale = 1.0f / (float)channels;

    if (r->mixed == r->raw)
        return;
    for (size_t i = 0; i < len; i++) {
        float sum = 0;

        for (size_t c = 0; c < channels; c++)
            sum += r->raw[i * channels + c];
        r->mixed[i] = sum * scale;
    }
}

/* One source block into mixed. */
static void read_block(AudioReader *r)
{
    size_t len = 0;

    r->mixed_len = r->mixed_at = 0;
    if (r->source_ended)
        return;
    RsdStatus status = r->source->read(r->source, r->raw, BLOCK_LEN, &len, &r->end_error);
    if (status != RSD_OK)
        error_prefix(&r->end_error, status, "%s", r->name);
    if (status != RSD_OK || len == 0)
        end_source(r, status);
    len = check_finite(r, len);
    mix(r, len);
    r->n_raw += (int64_t)len;
    r->mixed_len = len;
}

/* Makes ready non-empty, or sets ended. */
static RsdStatus fill_ready(AudioReader *r, RsdError *err)
{
    r->ready_len = r->ready_at = 0;
    while (r->ready_len == 0 && !r->ended) {
        bool at_end;
        size_t used;
        RsdStatus status;

        if (r->mixed_at == r->mixed_len)
            read_block(r);
        at_end = r->mixed_len == 0 && r->source_ended;
        if (!r->resampler) {
            r->ready_len = r->mixed_at = r->mixed_len;
            r->ended = at_end;
            continue;
        }
        status = resampler_process(r->resampler, at_end ? NULL : r->mixed + r->mixed_at * (size_t)r->mid_channels,
                                   r->mixed_len - r->mixed_at, &used, r->ready, BLOCK_LEN, &r->ready_len, err);
        if (status != RSD_OK)
            return status;
        r->mixed_at += used;
        r->ended = at_end && r->ready_len == 0;
    }
    return RSD_OK;
}

RsdStatus audio_reader_read(AudioReader *r, float *dst, size_t max_samples, size_t *n_read, RsdError *err)
{
    size_t mid = (size_t)r->mid_channels;

    *n_read = 0;
    while (*n_read < max_samples) {
        size_t take = r->ready_len - r->ready_at;

        if (take == 0) {
            RsdStatus status = fill_ready(r, err);

            if (status != RSD_OK)
                return status;
            if (r->ended) {
                if (r->end_status != RSD_OK && err)
                    *err = r->end_error;
                return r->end_status;
            }
            continue;
        }
        if (take > max_samples - *n_read)
            take = max_samples - *n_read;
        for (size_t c = 0; c < (size_t)r->info.channels; c++) {
            const float *src = r->ready + r->ready_at * mid + (mid == 1 ? 0 : c);
            float *to = dst + c * max_samples + *n_read;

            for (size_t i = 0; i < take; i++)
                to[i] = src[i * mid];
        }
        r->ready_at += take;
        *n_read += take;
    }
    return RSD_OK;
}

/* --- whole files -------------------------------------------------------------------------------------------------- */

/* Moves the planes of [channels, old_stride] to [channels, new_stride] inside one block; back to
 * front when it grows. */
static void restride(float *samples, int channels, size_t old_stride, size_t new_stride, size_t len)
{
    for (int i = 0; i < channels; i++) {
        size_t c = (size_t)(new_stride > old_stride ? channels - 1 - i : i);

        memmove(samples + c * new_stride, samples + c * old_stride, len * sizeof *samples);
    }
}

/* Reads up to `room` samples behind the `len` that are there; planes have the given stride. */
static RsdStatus read_behind(AudioReader *r, float *block, float *samples, size_t stride, size_t len, size_t *n_read,
                             RsdError *err)
{
    RsdStatus status = audio_reader_read(r, block, BLOCK_LEN, n_read, err);

    for (size_t c = 0; c < (size_t)r->info.channels; c++)
        memcpy(samples + c * stride + len, block + c * BLOCK_LEN, *n_read * sizeof *samples);
    return status;
}

RsdStatus audio_read_all(const char *path, const AudioReaderOptions *options, int64_t max_samples, float **samples,
                         int64_t *n_samples, AudioInfo *info, RsdError *err)
{
    RsdStatus status = RSD_OK;
    AudioReader *r = NULL;
    float *block = NULL;
    size_t stride = 0, len = 0, got, channels, guess;

    *samples = NULL;
    *n_samples = 0;
    TRY(audio_reader_open(&r, path, options, err));
    channels = (size_t)r->info.channels;
    /* the stated length is a guess that a hostile header must not turn into an allocation of its size */
    guess = r->info.n_samples > 0 && r->info.n_samples < ((int64_t)1 << 24) ? (size_t)r->info.n_samples : 1 << 16;
    TRY(mem_alloc(&block, BLOCK_LEN * channels, sizeof *block, err));
    do {
        if (stride - len < BLOCK_LEN) {
            size_t grown = stride == 0 ? guess + BLOCK_LEN : stride + stride / 2 + BLOCK_LEN;

            TRY(mem_resize(samples, stride * channels, grown * channels, sizeof **samples, err));
            restride(*samples, (int)channels, stride, grown, len);
            stride = grown;
        }
        TRY(read_behind(r, block, *samples, stride, len, &got, err));
        len += got;
        CHECK(max_samples <= 0 || len <= (size_t)max_samples, err, RSD_ERR_MEMORY,
              "%s: longer than the %lld samples that may be read at once (%.1f s)", r->name, (long long)max_samples,
              (double)max_samples / r->info.rate_hz);
    } while (got == BLOCK_LEN);
    restride(*samples, (int)channels, stride, len, len);
    *n_samples = (int64_t)len;
    if (info) {
        *info = r->info;
        info->n_samples = *n_samples;
        info->exact = true;
    }
    mem_free(&block);
    audio_reader_close(&r);
    return RSD_OK;
fail:
    mem_free(&block);
    mem_free(samples);
    audio_reader_close(&r);
    return status;
}
