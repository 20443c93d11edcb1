/* rd_sound.c - one recording through one codec: ours through memory, peers through a temporary file that is read back like any
 * other. Converting rates counts for nobody's time.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/rd_run.h"
#include "codec/in_memory.h"
#include "engine/base/mem.h"
#include "losses/align.h"
#include "media/audio_reader.h"
#include "media/resampler.h"

#define PATH_SIZE 512
#define MAX_DELAY_S 0.1 /* what a codec may leave after its declared delay is gone */

/* What came back; planar [channels, n] at the rate of the run. */
typedef struct Decoded {
    float *samples;
    int64_t n;
} Decoded;

/* No recording is large: all are cut. */
static RsdStatus open_sound(RdThing *thing, const char *path, const RdRun *run, bool is_alone, RsdError *err)
{
    AudioReaderOptions options = {.rate_hz = run->rate_hz, .channels = run->channels};
    size_t most = (size_t)(run->seconds * run->rate_hz), got = 0;
    AudioReader *reader = NULL;
    float *samples = NULL;
    RsdStatus status = RSD_OK;

    (void)is_alone;
    TRY(audio_reader_open(&reader, path, &options, err));
    TRY(mem_alloc(&samples, most * (size_t)run->channels, sizeof *samples, err));
    thing->samples = samples;
    TRY(audio_reader_read(reader, samples, most, &got, err));
    CHECK(got > 0, err, RSD_ERR_CORRUPT, "%s: holds no samples", path);
    for (int c = 1; c < run->channels; c++)
        memmove(samples + (size_t)c * got, samples + (size_t)c * most, got * sizeof *samples);
    thing->n = (int64_t)got;
    thing->amount = (double)got / run->rate_hz;
fail:
    audio_reader_close(&reader);
    return status;
}

/* ---- ours ---- */

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

static RsdStatus code_ours(RdTrial *t, Decoded *out, const RdSetting *setting, const RdRun *run, const RdThing *thing, RsdError *err)
{
    const RsdModel *model = run->model.sound;
    int model_hz = rsd_model_info(model)->rate_hz;
    MemoryStream stream = {0};
    float *in = NULL, *decoded = NULL;
    int64_t n_in;
    double began_s;
    RsdStatus status = RSD_OK;

    CHECK(run->channels == rsd_model_info(model)->channels, err, RSD_ERR_ARG, "the model codes %d channels, not %d",
          rsd_model_info(model)->channels, run->channels);
    TRY(resample_all(&in, &n_in, thing->samples, run->channels, thing->n, run->rate_hz, model_hz, err));
    TRY(mem_alloc(&decoded, (size_t)run->channels * (size_t)n_in, sizeof *decoded, err));
    began_s = rd_thread_time_s();
    TRY(memory_stream_encode(&stream, model, setting->bitrate_bps, in, n_in, err));
    t->encode_s = rd_thread_time_s() - began_s;
    began_s = rd_thread_time_s();
    TRY(memory_stream_decode(&stream, model, decoded, n_in, err));
    t->decode_s = rd_thread_time_s() - began_s;
    t->n_bytes = (int64_t)stream.size;
    TRY(resample_all(&out->samples, &out->n, decoded, run->channels, n_in, model_hz, run->rate_hz, err));
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

static RsdStatus code_peer(RdTrial *t, Decoded *out, const RdCodec *codec, const RdSetting *setting, const RdRun *run,
                           const RdThing *thing, RsdError *err)
{
    PeerFormat format = *codec->peer;
    const AudioReaderOptions reading = {.channels = run->channels};
    AudioInfo info;
    char path[PATH_SIZE] = "";
    uint8_t *bytes = NULL;
    float *in = NULL, *decoded = NULL;
    size_t size;
    int64_t n_in, n_decoded;
    int encoder_hz;
    double began_s;
    RsdStatus status = RSD_OK;

    format.bitrate_bps = setting->bitrate_bps;
    format.quality = setting->quality;
    TRY(peer_file_rate(&encoder_hz, &format, run->rate_hz, err));
    TRY(resample_all(&in, &n_in, thing->samples, run->channels, thing->n, run->rate_hz, encoder_hz, err));
    began_s = rd_thread_time_s();
    TRY(peer_file_encode(&bytes, &size, &format, in, run->channels, n_in, encoder_hz, err));
    t->encode_s = rd_thread_time_s() - began_s;
    t->n_bytes = (int64_t)size;
    TRY(write_temporary(path, codec->ending, bytes, size, err));
    began_s = rd_thread_time_s();
    TRY(audio_read_all(path, &reading, 0, &decoded, &n_decoded, &info, err));
    t->decode_s = rd_thread_time_s() - began_s;
    TRY(resample_all(&out->samples, &out->n, decoded, run->channels, n_decoded, info.rate_hz, run->rate_hz, err));
fail:
    if (*path)
        unlink(path);
    mem_free(&in);
    mem_free(&decoded);
    mem_free(&bytes);
    return status;
}

/* ---- values ---- */

static RsdStatus measure(RdTrial *t, const RdRun *run, const RdThing *thing, const Decoded *decoded, RsdError *err)
{
    Alignment found;
    int64_t ref_from, dist_from, n_common;
    MetricChannels both;
    RsdStatus status = RSD_OK;

    TRY(align_find(&found, thing->samples, thing->n, decoded->samples, decoded->n, run->channels, run->rate_hz,
                   (int64_t)(MAX_DELAY_S * run->rate_hz), err));
    align_overlap(found.lag_samples, thing->n, decoded->n, &ref_from, &dist_from, &n_common);
    both = (MetricChannels){thing->samples + ref_from, decoded->samples + dist_from,
                            (size_t)thing->n,          (size_t)decoded->n,
                            run->channels,             n_common,
                            run->rate_hz,              &run->aids};
    for (size_t m = 0; m < run->set->n; m++)
        TRY(audio_metric_measure(&t->values[m], NULL, run->set->items[m].of_kind, &both, err));
fail:
    return status;
}

static RsdStatus try_sound(RdTrial *t, const RdRun *run, const RdCodec *codec, const RdSetting *setting,
                           const RdThing *thing, Tape *tape, RsdError *err)
{
    Decoded decoded = {0};
    RsdStatus status = RSD_OK;

    (void)tape;
    if (codec->peer)
        TRY(code_peer(t, &decoded, codec, setting, run, thing, err));
    else
        TRY(code_ours(t, &decoded, setting, run, thing, err));
    TRY(measure(t, run, thing, &decoded, err));
fail:
    mem_free(&decoded.samples);
    return status;
}

const RdKind rd_kind_sound = {
    .eval = &eval_kind_audio,
    .metrics = "estoi,mel,lsd,segsnr",
    .anchor = "opus",
    .rate_title = "kbit/s",
    .rate_unit = "kbit/s",
    .json_rate = "bitrate_bps",
    .csv_rate = "bitrate_kbps",
    .rate_scale = 1e-3,
    .json_scale = 1e3,
    .rate_digits = 2,
    .speed_unit = "x",
    .speed_words = "seconds of sound for each second of one processor",
    .speed_scale = 1.0,
    .speed_digits = 0,
    .marks = {6, 12, 16, 24},
    .open = open_sound,
    .try = try_sound,
};
