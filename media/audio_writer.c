/* audio_writer.c - the writing half of the door to libsndfile, and plain WAV for pipes.
 *
 *   planar float -> block of interleaved integers or floats -> libsndfile -> virtual output -> atomic_file
 *                                                           \-> little-endian bytes ---------^   (standard output,
 *                                                           pipes)
 *
 * libsndfile goes back to complete its headers, which a pipe cannot; there the 44 bytes are ours. The conversion to
 * integers is ours in both cases: libsndfile's scales by 2^15 - 1 one way and 2^15 the other.
 *
 * SPDX-License-Identifier: MIT
 */
#include "media/audio_writer.h"

#include <limits.h>
#include <math.h>
#include <sndfile.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/types.h>

#include "engine/base/atomic_file.h"
#include "engine/base/bytes.h"
#include "engine/base/mem.h"
#include "media/audio_source.h"
#include "media/wav_header.h"

#define BLOCK_LEN 4096
#define FLAC_MAX_CHANNELS 8
#define WAV_MAX_SIZE 0xfff00000 /* of the samples; leaves room for the chunks around them */

struct AudioWriter {
    AtomicFile *file;
    SNDFILE *sndfile; /* NULL when we write the bytes */
    AudioWriterOptions options;
    int bits;
    int64_t position, size; /* of the virtual output */
    int64_t n_done;
    RsdStatus output_status; /* first failure below libsndfile */
    RsdError output_error;
    void *block;    /* [BLOCK_LEN, channels] of float for SAMPLE_F32, else of int32_t */
    uint8_t *bytes; /* [BLOCK_LEN, channels, bits / 8], without libsndfile */
};

/* --- virtual output ----------------------------------------------------------------------------------------------- */

static sf_count_t vio_length(void *ctx)
{
    return ((AudioWriter *)ctx)->size;
}

static sf_count_t vio_seek(sf_count_t offset, int whence, void *ctx)
{
    AudioWriter *w = ctx;
    int64_t base = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? w->position : w->size;

    if (offset < -base)
        return -1;
    w->position = base + offset;
    return w->position;
}

static sf_count_t vio_read(void *dst, sf_count_t size, void *ctx)
{
    (void)dst, (void)size, (void)ctx;
    return 0;
}

static sf_count_t vio_write(const void *src, sf_count_t size, void *ctx)
{
    AudioWriter *w = ctx;

    if (w->output_status != RSD_OK)
        return 0;
    w->output_status = atomic_file_patch(w->file, w->position, src, (size_t)size, &w->output_error);
    if (w->output_status != RSD_OK)
        return 0;
    w->position += size;
    if (w->position > w->size)
        w->size = w->position;
    return size;
}

static sf_count_t vio_tell(void *ctx)
{
    return ((AudioWriter *)ctx)->position;
}

static RsdStatus fail_output(const AudioWriter *w, const char *words, RsdError *err)
{
    if (w->output_status == RSD_OK)
        return error_set(err, RSD_ERR_IO, "%s: cannot write: %s", atomic_file_name(w->file), words);
    if (err)
        *err = w->output_error;
    return w->output_status;
}

/* --- opening ------------------------------------------------------------------------------------------------------ */

static bool ends_with(const char *path, const char *ending)
{
    size_t len = strlen(path), ending_len = strlen(ending);

    return len > ending_len && strcasecmp(path + len - ending_len, ending) == 0;
}

static RsdStatus check_options(const AudioWriterOptions *o, bool is_flac, const char *path, RsdError *err)
{
    int max_channels = is_flac ? FLAC_MAX_CHANNELS : AUDIO_MAX_CHANNELS;

    if (o->rate_hz < AUDIO_MIN_RATE_HZ || o->rate_hz > AUDIO_MAX_RATE_HZ)
        return error_set(err, RSD_ERR_ARG, "%s: cannot write %d Hz: %d to %d Hz are possible", path, o->rate_hz,
                         AUDIO_MIN_RATE_HZ, AUDIO_MAX_RATE_HZ);
    if (o->channels < 1 || o->channels > max_channels)
        return error_set(err, RSD_ERR_ARG, "%s: cannot write %d channels: 1 to %d are possible in %s", path,
                         o->channels, max_channels, is_flac ? "FLAC" : "WAV");
    if (is_flac && o->format == SAMPLE_F32)
        return error_set(err, RSD_ERR_ARG, "%s: FLAC holds 16 or 24 bits, no floats; write .wav or choose 24 bits",
                         path);
    return RSD_OK;
}

static RsdStatus open_sndfile(AudioWriter *w, bool is_flac, RsdError *err)
{
    static const int coding[] = {
        [SAMPLE_S16] = SF_FORMAT_PCM_16, [SAMPLE_S24] = SF_FORMAT_PCM_24, [SAMPLE_F32] = SF_FORMAT_FLOAT};
    SF_VIRTUAL_IO io = {vio_length, vio_seek, vio_read, vio_write, vio_tell};
    const AudioWriterOptions *o = &w->options;
    int64_t frame_size = (int64_t)o->channels * w->bits / 8;
    bool is_small = o->n_samples_hint >= 0 && o->n_samples_hint <= WAV_MAX_SIZE / frame_size;
    SF_INFO info = {.samplerate = o->rate_hz, .channels = o->channels};

    info.format = (is_flac ? SF_FORMAT_FLAC : is_small ? SF_FORMAT_WAV : SF_FORMAT_RF64) | coding[o->format];
    w->sndfile = sf_open_virtual(&io, SFM_WRITE, &info, w);
    if (!w->sndfile)
        return fail_output(w, sf_strerror(NULL), err);
    sf_command(w->sndfile, SFC_RF64_AUTO_DOWNGRADE, NULL, SF_TRUE); /* plain WAV when it stayed below 4 GiB */
    sf_command(w->sndfile, SFC_SET_ADD_PEAK_CHUNK, NULL, SF_FALSE); /* holds the time of day: no two files were equal */
    return RSD_OK;
}

static RsdStatus open_stream(AudioWriter *w, RsdError *err)
{
    const AudioWriterOptions *o = &w->options;
    uint8_t header[WAV_HEADER_SIZE];
    RsdStatus status;

    status = mem_alloc(&w->bytes, (size_t)BLOCK_LEN * (size_t)o->channels, (size_t)w->bits / 8, err);
    if (status != RSD_OK)
        return status;
    wav_header_write(header, o->rate_hz, o->channels, w->bits, o->format == SAMPLE_F32, o->n_samples_hint);
    return atomic_file_write(w->file, header, sizeof header, err);
}

RsdStatus audio_writer_open(AudioWriter **out, const char *path, const AudioWriterOptions *options, RsdError *err)
{
    RsdStatus status = RSD_OK;
    AudioWriter *w = NULL;
    bool is_stdout = strcmp(path, "-") == 0, is_flac = ends_with(path, ".flac");

    *out = NULL;
    CHECK(is_stdout || is_flac || ends_with(path, ".wav") || ends_with(path, ".wave"), err, RSD_ERR_UNSUPPORTED,
          "%s: sound is written as .wav or .flac; choose a name that ends so", path);
    TRY(check_options(options, is_flac, is_stdout ? "standard output" : path, err));
    TRY(mem_calloc(&w, 1, sizeof *w, err));
    w->options = *options;
    w->bits = options->format == SAMPLE_S16 ? 16 : options->format == SAMPLE_S24 ? 24 : 32;
    TRY(mem_alloc(&w->block, (size_t)BLOCK_LEN * (size_t)options->channels, sizeof(float), err));
    TRY(atomic_file_open(&w->file, path, options->overwrite, err));
    if (!is_stdout && atomic_file_is_seekable(w->file)) {
        TRY(open_sndfile(w, is_flac, err));
    } else {
        CHECK(!is_flac, err, RSD_ERR_UNSUPPORTED, "%s: FLAC needs a file, this is a pipe; write .wav there", path);
        TRY(open_stream(w, err));
    }
    *out = w;
    return RSD_OK;
fail:
    audio_writer_close(&w);
    return status;
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

/* x * 2^(bits - 1), rounded to nearest, in the upper bits of an int32 as libsndfile wants it. */
static int32_t to_integer(float x, int bits)
{
    double limit = (double)(1 << (bits - 1)), v = (double)x * limit;

    if (isnan(x))
        return 0;
    v = v > limit - 1 ? limit - 1 : v < -limit ? -limit : v;
    return (int32_t)((uint32_t)(int32_t)lrint(v) << (32 - bits));
}

static void fill_block(AudioWriter *w, const float *src, size_t stride, size_t len)
{
    size_t channels = (size_t)w->options.channels;
    float *floats = w->block;
    int32_t *integers = w->block;

    for (size_t c = 0; c < channels; c++)
        for (size_t i = 0; i < len; i++) {
            if (w->options.format == SAMPLE_F32)
                floats[i * channels + c] = src[c * stride + i];
            else
                integers[i * channels + c] = to_integer(src[c * stride + i], w->bits);
        }
}

static RsdStatus write_bytes(AudioWriter *w, size_t len, RsdError *err)
{
    size_t count = len * (size_t)w->options.channels, size = (size_t)w->bits / 8;

    for (size_t i = 0; i < count; i++) {
        uint32_t value;
        uint8_t word[4];

        memcpy(&value, (const char *)w->block + i * sizeof value, sizeof value); /* an integer or the bits of a float */
        put_u32le(word, value);
        memcpy(w->bytes + i * size, word + 4 - size, size);
    }
    return atomic_file_write(w->file, w->bytes, count * size, err);
}

RsdStatus audio_writer_write(AudioWriter *w, const float *src, size_t stride, size_t n_samples, RsdError *err)
{
    RsdStatus status = RSD_OK;

    for (size_t done = 0; done < n_samples && status == RSD_OK;) {
        size_t len = n_samples - done < BLOCK_LEN ? n_samples - done : BLOCK_LEN;

        fill_block(w, src + done, stride, len);
        if (!w->sndfile) {
            status = write_bytes(w, len, err);
        } else {
            sf_count_t n = w->options.format == SAMPLE_F32 ? sf_writef_float(w->sndfile, w->block, (sf_count_t)len)
                                                           : sf_writef_int(w->sndfile, w->block, (sf_count_t)len);

            if (n != (sf_count_t)len || w->output_status != RSD_OK)
                status = fail_output(w, sf_strerror(w->sndfile), err);
        }
        done += len;
        w->n_done += (int64_t)len;
    }
    return status;
}

/* --- finishing ---------------------------------------------------------------------------------------------------- */

/* Standard output that is a file gets its lengths after all. */
static RsdStatus complete_stream(AudioWriter *w, RsdError *err)
{
    const AudioWriterOptions *o = &w->options;
    uint8_t header[WAV_HEADER_SIZE];

    if (w->n_done == o->n_samples_hint || !atomic_file_is_seekable(w->file))
        return RSD_OK;
    wav_header_write(header, o->rate_hz, o->channels, w->bits, o->format == SAMPLE_F32, w->n_done);
    return atomic_file_patch(w->file, 0, header, sizeof header, err);
}

RsdStatus audio_writer_finish(AudioWriter *w, RsdError *err)
{
    RsdStatus status = RSD_OK;

    if (w->sndfile) {
        int code = sf_close(w->sndfile);

        w->sndfile = NULL;
        if (code != 0 || w->output_status != RSD_OK)
            return fail_output(w, sf_error_number(code), err);
    } else {
        status = complete_stream(w, err);
    }
    return status == RSD_OK ? atomic_file_commit(w->file, err) : status;
}

void audio_writer_close(AudioWriter **writer)
{
    AudioWriter *w = *writer;

    if (!w)
        return;
    if (w->sndfile)
        sf_close(w->sndfile);
    atomic_file_close(&w->file);
    mem_free(&w->block);
    mem_free(&w->bytes);
    mem_free(writer);
}
