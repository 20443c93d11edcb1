/* sndfile_source.c - WAV, FLAC and AIFF through libsndfile.
 *
 * libsndfile quietly shortens a file whose header promises more than is there. The promise is therefore kept by us
 * (chunk_probe for RIFF and AIFF, STREAMINFO for FLAC, which libsndfile takes as it is), and a file that ends early is
 * read to its end and then reported.
 *
 * SPDX-License-Identifier: MIT
 */
#include "media/sndfile_source.h"

#include <math.h>
#include <sndfile.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/mem.h"
#include "media/chunk_probe.h"

typedef struct SndfileSource {
    AudioSource base;
    SNDFILE *file;
    int fd;
    int64_t position;       /* for libsndfile, in bytes */
    int64_t n_done;         /* frames */
    double promised_frames; /* by the header; 0 unknown */
} SndfileSource;

/* Virtual input: libsndfile never sees the descriptor, so closing and positions stay ours. */
static sf_count_t vio_length(void *ctx)
{
    struct stat info;

    return fstat(((SndfileSource *)ctx)->fd, &info) == 0 ? info.st_size : 0;
}

static sf_count_t vio_seek(sf_count_t offset, int whence, void *ctx)
{
    SndfileSource *s = ctx;
    int64_t base = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? s->position : vio_length(s);

    if (offset < -base)
        return -1;
    s->position = base + offset;
    return s->position;
}

static sf_count_t vio_read(void *dst, sf_count_t size, void *ctx)
{
    SndfileSource *s = ctx;
    int64_t done = 0;

    while (done < size) {
        ssize_t got = pread(s->fd, (char *)dst + done, (size_t)(size - done), s->position);

        if (got <= 0)
            break;
        s->position += got;
        done += got;
    }
    return done;
}

static sf_count_t vio_write(const void *src, sf_count_t size, void *ctx)
{
    (void)src, (void)size, (void)ctx;
    return 0;
}

static sf_count_t vio_tell(void *ctx)
{
    return ((SndfileSource *)ctx)->position;
}

bool sndfile_source_knows(int fd)
{
    unsigned char head[12];
    ssize_t got = pread(fd, head, sizeof head, 0);

    if (got >= 4 && memcmp(head, "fLaC", 4) == 0)
        return true;
    if (got < 12)
        return false;
    if ((memcmp(head, "RIFF", 4) == 0 || memcmp(head, "RIFX", 4) == 0 || memcmp(head, "RF64", 4) == 0) &&
        memcmp(head + 8, "WAVE", 4) == 0)
        return true;
    return memcmp(head, "FORM", 4) == 0 && (memcmp(head + 8, "AIFF", 4) == 0 || memcmp(head + 8, "AIFC", 4) == 0);
}

static const char *coding_name(int format)
{
    switch (format & SF_FORMAT_SUBMASK) {
    case SF_FORMAT_PCM_S8:
    case SF_FORMAT_PCM_U8:
        return "pcm8";
    case SF_FORMAT_PCM_16:
        return "pcm16";
    case SF_FORMAT_PCM_24:
        return "pcm24";
    case SF_FORMAT_PCM_32:
        return "pcm32";
    case SF_FORMAT_FLOAT:
        return "float32";
    case SF_FORMAT_DOUBLE:
        return "float64";
    case SF_FORMAT_ULAW:
        return "mu-law";
    case SF_FORMAT_ALAW:
        return "A-law";
    case SF_FORMAT_IMA_ADPCM:
        return "IMA ADPCM";
    case SF_FORMAT_MS_ADPCM:
        return "MS ADPCM";
    case SF_FORMAT_GSM610:
        return "GSM 6.10";
    default:
        return "other";
    }
}

static const char *container_name(int format)
{
    switch (format & SF_FORMAT_TYPEMASK) {
    case SF_FORMAT_FLAC:
        return "flac";
    case SF_FORMAT_AIFF:
        return "aiff";
    case SF_FORMAT_RF64:
        return "rf64";
    default:
        return "wav";
    }
}

static RsdStatus read_frames(AudioSource *source, float *dst, size_t max_frames, size_t *n_read, RsdError *err)
{
    SndfileSource *s = (SndfileSource *)source;
    double time_s = (double)s->n_done / source->rate_hz;
    sf_count_t got = sf_readf_float(s->file, dst, (sf_count_t)max_frames);
    int problem = sf_error(s->file);

    *n_read = got > 0 ? (size_t)got : 0;
    s->n_done += (int64_t)*n_read;
    if (*n_read > 0)
        return RSD_OK; /* a problem is still there at the next call */
    if (problem != SF_ERR_NO_ERROR)
        return error_set(err, problem == SF_ERR_SYSTEM ? RSD_ERR_IO : RSD_ERR_CORRUPT, "damaged at %.3f s: %s", time_s,
                         sf_error_number(problem));
    if ((double)s->n_done + 0.5 < s->promised_frames)
        return error_set(
            err, RSD_ERR_CORRUPT,
            "truncated: ends at %.3f s, but its header promises %.3f s; the copy or download was cut short", time_s,
            s->promised_frames / source->rate_hz);
    return RSD_OK;
}

static void close_source(AudioSource *source)
{
    SndfileSource *s = (SndfileSource *)source;

    if (s->file)
        sf_close(s->file);
    mem_free(&s);
}

/* Frames the header promises; the file's own count when nothing better is known. */
static double find_promise(int fd, const SF_INFO *info)
{
    ChunkProbe probe;

    if ((info->format & SF_FORMAT_TYPEMASK) == SF_FORMAT_FLAC)
        return (double)info->frames;
    if (!chunk_probe(&probe, fd) || probe.data_size <= probe.data_present)
        return (double)info->frames;
    if (probe.data_present == 0)
        return 0;
    /* every coding here has a constant number of bytes per frame or block */
    return (double)info->frames * ((double)probe.data_size / (double)probe.data_present);
}

RsdStatus sndfile_source_open(AudioSource **out, int fd, RsdError *err)
{
    static const SF_VIRTUAL_IO vio = {vio_length, vio_seek, vio_read, vio_write, vio_tell};
    RsdStatus status = RSD_OK;
    SndfileSource *s = NULL;
    SF_INFO info = {0};
    SF_VIRTUAL_IO io = vio;
    ChunkProbe probe;

    TRY(mem_calloc(&s, 1, sizeof *s, err));
    s->fd = fd;
    s->file = sf_open_virtual(&io, SFM_READ, &info, s);
    if (!s->file) {
        int problem = sf_error(NULL);

        status = problem == SF_ERR_UNRECOGNISED_FORMAT || problem == SF_ERR_UNSUPPORTED_ENCODING ? RSD_ERR_UNSUPPORTED
                                                                                                 : RSD_ERR_CORRUPT;
        error_set(err, status, "%s", sf_strerror(NULL));
        goto fail;
    }
    CHECK(!chunk_probe(&probe, fd) || !probe.goes_on, err, RSD_ERR_UNSUPPORTED, "WAV that goes on behind the size in its header");
    /* FLAC written to a pipe does not know its length, and libsndfile then reads nothing */
    CHECK(info.frames > 0 || (info.format & SF_FORMAT_TYPEMASK) != SF_FORMAT_FLAC, err, RSD_ERR_UNSUPPORTED,
          "FLAC without a length");
    CHECK(info.channels >= 1 && info.channels <= AUDIO_MAX_CHANNELS, err, RSD_ERR_UNSUPPORTED,
          "%d channels; 1 to %d can be read", info.channels, AUDIO_MAX_CHANNELS);
    CHECK(info.samplerate >= AUDIO_MIN_RATE_HZ && info.samplerate <= AUDIO_MAX_RATE_HZ, err, RSD_ERR_UNSUPPORTED,
          "sampling rate of %d Hz; %d to %d Hz can be read", info.samplerate, AUDIO_MIN_RATE_HZ, AUDIO_MAX_RATE_HZ);
    s->promised_frames = find_promise(fd, &info);
    s->base = (AudioSource){.rate_hz = info.samplerate,
                            .channels = info.channels,
                            .n_frames = info.frames,
                            .exact = true,
                            .read = read_frames,
                            .close = close_source};
    snprintf(s->base.codec, sizeof s->base.codec, "%s", coding_name(info.format));
    snprintf(s->base.container, sizeof s->base.container, "%s", container_name(info.format));
    *out = &s->base;
    return RSD_OK;
fail:
    if (s)
        close_source(&s->base);
    return status;
}
