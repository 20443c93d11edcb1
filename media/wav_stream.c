/* wav_stream.c - one chunk after the other up to the samples, then the samples.
 *
 *   "RIFF" size "WAVE" | "fmt " size contents | ... | "data" size samples | chunks that are passed over
 *
 * Nothing is read ahead: what has come is given out. A size that means "until the end" (chunk_probe.h) is no promise; any other is one,
 * and an input that ends before it is truncated.
 *
 * [1] ITU-T G.711, 1988, tables 1 and 2.
 *
 * SPDX-License-Identifier: MIT
 */
#include "media/wav_stream.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/bytes.h"
#include "engine/base/mem.h"
#include "media/chunk_probe.h"

#define BUFFER_SIZE 65536
#define FORMAT_SIZE 16            /* of the "fmt " chunk, at least */
#define EXTENSIBLE_FORMAT_SIZE 40 /* with the tag proper at 24 */

enum { TAG_PCM = 1, TAG_FLOAT = 3, TAG_A_LAW = 6, TAG_MU_LAW = 7, TAG_EXTENSIBLE = 0xfffe };

static const struct Coding {
    int tag, bits;
    const char *name; /* as sndfile_source.c names it */
} CODINGS[] = {{TAG_PCM, 8, "pcm8"},       {TAG_PCM, 16, "pcm16"},     {TAG_PCM, 24, "pcm24"},   {TAG_PCM, 32, "pcm32"},
               {TAG_FLOAT, 32, "float32"}, {TAG_FLOAT, 64, "float64"}, {TAG_A_LAW, 8, "A-law"}, {TAG_MU_LAW, 8, "mu-law"}};

typedef struct WavStream {
    AudioSource base;
    int fd;
    const struct Coding *coding;
    size_t frame_size;
    int64_t n_left, n_promised; /* bytes of sound; n_promised -1: until the end */
    int64_t n_done;             /* frames */
    uint8_t buffer[BUFFER_SIZE];
} WavStream;

static RsdStatus read_some(int fd, void *dst, size_t size, size_t *n_read, RsdError *err)
{
    ssize_t got;

    do
        got = read(fd, dst, size);
    while (got < 0 && errno == EINTR);
    *n_read = got > 0 ? (size_t)got : 0;
    return got < 0 ? error_set(err, RSD_ERR_IO, "cannot read on: %s", strerror(errno)) : RSD_OK;
}

/* ---- header ---- */

/* The first n bytes of the input, or fewer when it ends before. */
static RsdStatus read_start(WavStart *start, int fd, size_t n, RsdError *err)
{
    size_t n_read = 1;
    RsdStatus status = RSD_OK;

    while (start->size < n && n_read > 0) {
        TRY(read_some(fd, start->bytes + start->size, n - start->size, &n_read, err));
        start->size += n_read;
    }
fail:
    return status;
}

static void parse_format(WavStream *s, const uint8_t *format, size_t size)
{
    int tag = get_u16le(format);
    const int channels = get_u16le(format + 2), bits = get_u16le(format + 14);
    const uint32_t rate_hz = get_u32le(format + 4);

    s->coding = NULL;
    if (tag == TAG_EXTENSIBLE && size >= EXTENSIBLE_FORMAT_SIZE)
        tag = get_u16le(format + 24);
    if (channels < 1 || channels > AUDIO_MAX_CHANNELS || rate_hz < AUDIO_MIN_RATE_HZ || rate_hz > AUDIO_MAX_RATE_HZ ||
        get_u16le(format + 12) != channels * (bits / 8))
        return;
    for (size_t i = 0; i < sizeof CODINGS / sizeof *CODINGS; i++)
        if (CODINGS[i].tag == tag && CODINGS[i].bits == bits)
            s->coding = &CODINGS[i];
    s->base.channels = channels;
    s->base.rate_hz = (int)rate_hz;
    s->frame_size = get_u16le(format + 12);
}

/* Reads up to the first byte of sound; false when this is something else. */
static RsdStatus read_header(bool *found, WavStream *s, WavStart *start, RsdError *err)
{
    size_t at = 12;
    RsdStatus status = RSD_OK;

    *found = false;
    TRY(read_start(start, s->fd, at, err));
    if (start->size < at || memcmp(start->bytes, "RIFF", 4) != 0 || memcmp(start->bytes + 8, "WAVE", 4) != 0)
        return RSD_OK;
    while (at + 8 <= sizeof start->bytes) {
        const uint8_t *chunk = start->bytes + at;
        uint32_t size;

        at += 8;
        TRY(read_start(start, s->fd, at, err));
        if (start->size < at)
            return RSD_OK;
        size = get_u32le(chunk + 4);
        if (memcmp(chunk, "data", 4) == 0) {
            *found = s->coding != NULL;
            s->n_promised = chunk_size_is_open(size) ? -1 : (int64_t)size;
            return RSD_OK;
        }
        if (size >= sizeof start->bytes - at)
            return RSD_OK;
        TRY(read_start(start, s->fd, at + size + (size & 1), err));
        if (memcmp(chunk, "fmt ", 4) == 0 && size >= FORMAT_SIZE)
            parse_format(s, chunk + 8, size);
        at += size + (size & 1);
    }
fail:
    return status;
}

/* ---- samples ---- */

static int expand_mu_law(uint8_t code)
{
    const int inverted = ~code & 0xff, magnitude = ((((inverted & 15) << 3) + 132) << (inverted >> 4 & 7)) - 132;

    return inverted & 0x80 ? -magnitude : magnitude;
}

static int expand_a_law(uint8_t code)
{
    const int inverted = code ^ 0x55, segment = inverted >> 4 & 7, step = (inverted & 15) << 4;
    const int magnitude = segment ? (step + 0x108) << (segment - 1) : step + 8;

    return inverted & 0x80 ? magnitude : -magnitude;
}

static float convert(const struct Coding *coding, const uint8_t *src)
{
    const uint64_t bits64 = coding->bits == 64 ? get_u64le(src) : 0;
    const uint32_t bits32 = coding->bits == 32 ? get_u32le(src) : 0;
    double wide;
    float value;

    switch (coding->tag) {
    case TAG_MU_LAW:
        return (float)expand_mu_law(*src) / 32768.0f;
    case TAG_A_LAW:
        return (float)expand_a_law(*src) / 32768.0f;
    case TAG_FLOAT:
        memcpy(&value, &bits32, sizeof value);
        memcpy(&wide, &bits64, sizeof wide);
        return coding->bits == 64 ? (float)wide : value;
    default:
        if (coding->bits == 8)
            return (float)(*src - 128) / 128.0f;
        if (coding->bits == 16)
            return (float)(int16_t)get_u16le(src) / 32768.0f;
        if (coding->bits == 24)
            return (float)(int32_t)((uint32_t)src[0] << 8 | (uint32_t)src[1] << 16 | (uint32_t)src[2] << 24) / 2147483648.0f;
        return (float)(int32_t)bits32 / 2147483648.0f;
    }
}

/* Whole frames as they come: what is there, and of the last frame the rest. A part of a frame at the end is dropped. */
static RsdStatus read_bytes(WavStream *s, size_t most, size_t *size, RsdError *err)
{
    size_t n_read = 1;
    RsdStatus status = RSD_OK;

    *size = 0;
    while (n_read > 0 && (*size == 0 || *size % s->frame_size != 0)) {
        const size_t rest = s->frame_size - *size % s->frame_size, want = *size == 0 ? most : rest;

        TRY(read_some(s->fd, s->buffer + *size, want, &n_read, err));
        *size += n_read;
    }
    *size -= *size % s->frame_size;
fail:
    return status;
}

/* What follows the sound is taken, so that whoever writes into the pipe can end. */
static RsdStatus pass_rest(WavStream *s, RsdError *err)
{
    size_t n_read = 1;
    RsdStatus status = RSD_OK;

    while (n_read > 0)
        TRY(read_some(s->fd, s->buffer, sizeof s->buffer, &n_read, err));
fail:
    return status;
}

static RsdStatus read_frames(AudioSource *source, float *dst, size_t max_frames, size_t *n_read, RsdError *err)
{
    WavStream *s = (WavStream *)source;
    const size_t sample_size = (size_t)s->coding->bits / 8, room = sizeof s->buffer / s->frame_size;
    size_t most = (max_frames < room ? max_frames : room) * s->frame_size, size;
    RsdStatus status = RSD_OK;

    *n_read = 0;
    if ((int64_t)most > s->n_left)
        most = (size_t)s->n_left / s->frame_size * s->frame_size;
    if (most == 0)
        return pass_rest(s, err);
    TRY(read_bytes(s, most, &size, err));
    if (size == 0 && s->n_promised >= 0)
        return error_set(err, RSD_ERR_CORRUPT,
                         "truncated: ends at %.3f s, but its header promises %.3f s; the copy or download was cut short",
                         (double)s->n_done / s->base.rate_hz, (double)s->n_promised / (double)s->frame_size / s->base.rate_hz);
    for (size_t i = 0; i < size / sample_size; i++)
        dst[i] = convert(s->coding, s->buffer + i * sample_size);
    *n_read = size / s->frame_size;
    s->n_left -= (int64_t)size;
    s->n_done += (int64_t)*n_read;
fail:
    return status;
}

static void close_source(AudioSource *source)
{
    mem_free(&source);
}

RsdStatus wav_stream_open(AudioSource **out, WavStart *start, int fd, RsdError *err)
{
    WavStream *s = NULL;
    bool found;
    RsdStatus status = RSD_OK;

    *out = NULL;
    start->size = 0;
    TRY(mem_calloc(&s, 1, sizeof *s, err));
    s->fd = fd;
    TRY(read_header(&found, s, start, err));
    if (!found)
        goto fail; /* nothing failed: this is something else */
    s->n_left = s->n_promised < 0 ? INT64_MAX : s->n_promised;
    s->base.n_frames = -1;
    s->base.read = read_frames;
    s->base.close = close_source;
    snprintf(s->base.codec, sizeof s->base.codec, "%s", s->coding->name);
    snprintf(s->base.container, sizeof s->base.container, "wav");
    *out = &s->base;
    return RSD_OK;
fail:
    mem_free(&s);
    return status;
}
