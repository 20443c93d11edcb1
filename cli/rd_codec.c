/* rd_codec.c - ours through memory, peers through a temporary file that is read back like any other.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cli/rd_codec.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "codec/in_memory.h"
#include "engine/base/mem.h"
#include "media/audio_reader.h"
#include "media/resampler.h"

#define PATH_SIZE 512

static const PeerFormat opus = {.encoder = "libopus", .muxer = "opus", .options = "vbr=on:compression_level=10"};
static const PeerFormat opus_speech = {.encoder = "libopus",
                                       .muxer = "opus",
                                       .options = "vbr=on:compression_level=10:application=voip"};
static const PeerFormat aac = {.encoder = "aac", .muxer = "ipod", .options = "aac_coder=twoloop"};
static const PeerFormat mp3 = {.encoder = "libmp3lame", .muxer = "mp3", .options = "abr=1:compression_level=0"};
static const PeerFormat vorbis = {.encoder = "libvorbis", .muxer = "ogg"};

static const RdCodec peers[] = {
    {"opus",
     "Opus",
     "libopus, VBR, complexity 10, 20 ms frames, application audio; Ogg",
     &opus,
     "opus",
     {{6000, 0}, {9000, 0}, {12000, 0}, {16000, 0}, {24000, 0}, {32000, 0}},
     6},
    {"opus-speech",
     "Opus speech",
     "libopus, VBR, complexity 10, 20 ms frames, application voip; Ogg",
     &opus_speech,
     "opus",
     {{6000, 0}, {9000, 0}, {12000, 0}, {16000, 0}, {24000, 0}, {32000, 0}},
     6},
    {"aac",
     "AAC-LC",
     "libavcodec's own encoder, two-loop search; MP4",
     &aac,
     "m4a",
     {{8000, 0}, {12000, 0}, {16000, 0}, {24000, 0}, {32000, 0}, {48000, 0}},
     6},
    {"mp3",
     "MP3",
     "LAME, average bit rate, quality 0 (the slowest)",
     &mp3,
     "mp3",
     {{8000, 0}, {16000, 0}, {24000, 0}, {32000, 0}, {48000, 0}},
     5},
    {"vorbis",
     "Vorbis",
     "libvorbis, by quality (VBR); Ogg",
     &vorbis,
     "ogg",
     {{0, -1}, {0, 0}, {0, 1}, {0, 2}, {0, 4}, {0, 6}},
     6},
};

const RdCodec *rd_peer_at(size_t i)
{
    return i < sizeof peers / sizeof *peers ? &peers[i] : NULL;
}

void rd_describe_ours(RdCodec *codec, const RsdModel *model, char settings[160])
{
    static const int stages[] = {1, 2, 3, 4, 6, 8, 12, 16, 24, 32};
    const RsdModelInfo *info = rsd_model_info(model);

    snprintf(settings, 160, "model %s, %d Hz, %d channel%s; .rsd file", info->name, info->rate_hz, info->channels,
             info->channels == 1 ? "" : "s");
    *codec = (RdCodec){.name = "residua", .title = "residua", .settings = settings, .ending = "rsd"};
    for (size_t i = 0; i < sizeof stages / sizeof *stages && codec->n_settings < RD_MAX_SETTINGS; i++)
        if (stages[i] <= info->n_stages)
            codec->ladder[codec->n_settings++].bitrate_bps = (int)(info->stage_bitrate_bps * stages[i] + 0.5);
}

const char *rd_setting_text(char text[RD_SETTING_SIZE], const RdSetting *setting)
{
    if (setting->bitrate_bps)
        snprintf(text, RD_SETTING_SIZE, "%g kbit/s", setting->bitrate_bps / 1000.0);
    else
        snprintf(text, RD_SETTING_SIZE, "quality %g", setting->quality);
    return text;
}

static double thread_time_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* All channels to another rate. */
static RsdStatus resample_all(float **out, int64_t *n_out, const float *x, int channels, int64_t n, int from_hz,
                              int to_hz, RsdError *err)
{
    float *one = NULL;
    RsdStatus status = RSD_OK;

    *out = NULL;
    for (int c = 0; c < channels; c++) {
        TRY(resample_signal(x + (size_t)c * (size_t)n, n, from_hz, to_hz, &one, n_out, err));
        if (!*out)
            TRY(mem_alloc(out, (size_t)channels * (size_t)*n_out, sizeof **out, err));
        if (*n_out)
            memcpy(*out + (size_t)c * (size_t)*n_out, one, (size_t)*n_out * sizeof *one);
        mem_free(&one);
    }
    return RSD_OK;
fail:
    mem_free(&one);
    mem_free(out);
    return status;
}

/* ---- ours ---- */

static RsdStatus code_ours(RdCoded *out, const RdSetting *setting, const RsdModel *model, const float *samples,
                           int channels, int64_t n, int rate_hz, RsdError *err)
{
    int model_hz = rsd_model_info(model)->rate_hz;
    MemoryStream stream = {0};
    float *in = NULL, *decoded = NULL;
    int64_t n_in;
    double began_s;
    RsdStatus status = RSD_OK;

    CHECK(channels == rsd_model_info(model)->channels, err, RSD_ERR_ARG, "the model codes %d channels, not %d",
          rsd_model_info(model)->channels, channels);
    TRY(resample_all(&in, &n_in, samples, channels, n, rate_hz, model_hz, err));
    TRY(mem_alloc(&decoded, (size_t)channels * (size_t)n_in, sizeof *decoded, err));
    began_s = thread_time_s();
    TRY(memory_stream_encode(&stream, model, setting->bitrate_bps, in, n_in, err));
    out->encode_s = thread_time_s() - began_s;
    began_s = thread_time_s();
    TRY(memory_stream_decode(&stream, model, decoded, n_in, err));
    out->decode_s = thread_time_s() - began_s;
    out->n_bytes = (int64_t)stream.size;
    TRY(resample_all(&out->samples, &out->n, decoded, channels, n_in, model_hz, rate_hz, err));
fail:
    mem_free(&in);
    mem_free(&decoded);
    mem_free(&stream.bytes);
    return status;
}

/* ---- others ---- */

static RsdStatus write_temporary(char path[PATH_SIZE], const char *ending, const uint8_t *bytes, size_t size,
                                 RsdError *err)
{
    const char *folder = getenv("TMPDIR");
    int fd, len = snprintf(path, PATH_SIZE, "%s/residua-XXXXXX.%s", folder && *folder ? folder : "/tmp", ending);
    size_t done = 0;

    if (len < 0 || len >= PATH_SIZE)
        return error_set(err, RSD_ERR_IO, "TMPDIR is too long a name");
    fd = mkstemps(path, (int)strlen(ending) + 1);
    if (fd < 0)
        return error_set(err, RSD_ERR_IO, "%s: cannot make a temporary file: %s", path, strerror(errno));
    while (done < size) {
        ssize_t wrote = write(fd, bytes + done, size - done);

        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0)
            break;
        done += (size_t)wrote;
    }
    if (close(fd) != 0 || done < size) {
        unlink(path);
        return error_set(err, RSD_ERR_IO, "%s: cannot write: %s", path, strerror(errno));
    }
    return RSD_OK;
}

static RsdStatus code_peer(RdCoded *out, const RdCodec *codec, const RdSetting *setting, const float *samples,
                           int channels, int64_t n, int rate_hz, RsdError *err)
{
    PeerFormat format = *codec->peer;
    AudioReaderOptions reading = {.rate_hz = rate_hz, .channels = channels};
    char path[PATH_SIZE] = "";
    uint8_t *bytes = NULL;
    float *in = NULL;
    size_t size;
    int64_t n_in;
    int encoder_hz;
    double began_s;
    RsdStatus status = RSD_OK;

    format.bitrate_bps = setting->bitrate_bps;
    format.quality = setting->quality;
    TRY(peer_file_rate(&encoder_hz, &format, rate_hz, err));
    TRY(resample_all(&in, &n_in, samples, channels, n, rate_hz, encoder_hz, err));
    began_s = thread_time_s();
    TRY(peer_file_encode(&bytes, &size, &format, in, channels, n_in, encoder_hz, err));
    out->encode_s = thread_time_s() - began_s;
    out->n_bytes = (int64_t)size;
    TRY(write_temporary(path, codec->ending, bytes, size, err));
    began_s = thread_time_s();
    TRY(audio_read_all(path, &reading, 0, &out->samples, &out->n, NULL, err));
    out->decode_s = thread_time_s() - began_s;
fail:
    if (*path)
        unlink(path);
    mem_free(&in);
    mem_free(&bytes);
    return status;
}

RsdStatus rd_code(RdCoded *out, const RdCodec *codec, const RdSetting *setting, const RsdModel *model,
                  const float *samples, int channels, int64_t n, int rate_hz, RsdError *err)
{
    *out = (RdCoded){0};
    return codec->peer ? code_peer(out, codec, setting, samples, channels, n, rate_hz, err)
                       : code_ours(out, setting, model, samples, channels, n, rate_hz, err);
}
