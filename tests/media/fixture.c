/* fixture.c - everything that touches the disk for the media tests.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/media/fixture.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/mem.h"

static char made[32]; /* the folder, once a test wants it: one that is skipped is not torn down */

void fixture_open(void)
{
    SharedPath build;

    setenv("RESIDUA_MODULES", build_path(&build, "."), 1);
}

static const char *folder(void)
{
    if (!made[0]) {
        strcpy(made, "/tmp/residua-media-XXXXXX");
        cr_assert_not_null(mkdtemp(made));
    }
    return made;
}

void fixture_close(void)
{
    char command[160];

    if (!made[0])
        return;
    snprintf(command, sizeof command, "chmod -R u+rwx '%s'; rm -rf '%s'", made, made);
    cr_assert_eq(system(command), 0);
    made[0] = '\0';
}

const char *fixture_path(const char *name)
{
    static char paths[8][FIXTURE_PATH_SIZE];
    static int next;
    char *path = paths[next++ % 8];

    snprintf(path, FIXTURE_PATH_SIZE, "%s/%s", folder(), name);
    return path;
}

static int run(const char *format, va_list args)
{
    char command[2048];
    int len = snprintf(command, sizeof command, "cd '%s' && ", folder()), status;

    vsnprintf(command + len, sizeof command - (size_t)len, format, args);
    status = system(command);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

int fixture_run(const char *format, ...)
{
    va_list args;
    int status;

    va_start(args, format);
    status = run(format, args);
    va_end(args);
    return status;
}

void fixture_must_run(const char *format, ...)
{
    va_list args;
    int status;

    va_start(args, format);
    status = run(format, args);
    va_end(args);
    cr_assert_eq(status, 0, "exit status %d of: %s (is the Debian package ffmpeg installed?)", status, format);
}

void fixture_signal(float *x, int channels, int64_t n, int rate_hz)
{
    for (int c = 0; c < channels; c++)
        for (int64_t i = 0; i < n; i++) {
            double t = (double)i / rate_hz, low = 200 + 60 * c, rise = 700;
            double sweep = 0.5 * sin(2 * M_PI * (low * t + rise * t * t / 2)) + 0.3 * sin(2 * M_PI * (3 * low * t));
            double value = sweep * (0.6 + 0.4 * sin(2 * M_PI * 3 * t + c));

            x[c * n + i] = (float)(rint(value * 32768) / 32768) + 0.0f; /* no negative zero */
        }
}

void fixture_write(const char *name, const void *data, size_t size)
{
    FILE *file = fopen(fixture_path(name), "wb");

    cr_assert_not_null(file);
    cr_assert_eq(fwrite(data, 1, size, file), size);
    cr_assert_eq(fclose(file), 0);
}

void fixture_encode(const char *name, const float *x, int channels, int64_t n, int rate_hz, const char *more_inputs,
                    const char *arguments)
{
    float *interleaved;
    RsdError err = {0};

    ASSERT_OK(mem_alloc(&interleaved, (size_t)(channels * n), sizeof *interleaved, &err), err);
    for (int c = 0; c < channels; c++)
        for (int64_t i = 0; i < n; i++)
            interleaved[i * channels + c] = x[c * n + i];
    fixture_write("raw.f32", interleaved, (size_t)(channels * n) * sizeof *interleaved);
    mem_free(&interleaved);
    fixture_must_run("ffmpeg -nostdin -v error -y -f f32le -ar %d -ac %d -i raw.f32 %s %s %s", rate_hz, channels,
                     more_inputs, arguments, name);
}

void fixture_cut(const char *from, const char *to, size_t size)
{
    fixture_must_run("head -c %zu '%s' > '%s'", size, from, to);
}

size_t fixture_size(const char *name)
{
    struct stat info;

    cr_assert_eq(stat(fixture_path(name), &info), 0, "%s", name);
    return (size_t)info.st_size;
}

void sound_read(Sound *out, const char *path, const AudioReaderOptions *options, size_t block)
{
    AudioReader *reader = NULL;
    float *buffer = NULL, *grown;
    size_t got, capacity = 0, channels;

    *out = (Sound){0};
    ASSERT_OK(audio_reader_open(&reader, path, options, &out->err), out->err);
    channels = (size_t)audio_reader_info(reader)->channels;
    ASSERT_OK(mem_alloc(&buffer, channels * block, sizeof *buffer, &out->err), out->err);
    do {
        out->status = audio_reader_read(reader, buffer, block, &got, &out->err);
        if ((size_t)out->n + got > capacity) {
            size_t more = 2 * capacity + got;

            grown = NULL;
            ASSERT_OK(mem_alloc(&grown, channels * more, sizeof *grown, &out->err), out->err);
            for (size_t c = 0; c < channels && out->n > 0; c++)
                memcpy(grown + c * more, out->samples + c * capacity, (size_t)out->n * sizeof *grown);
            mem_free(&out->samples);
            out->samples = grown;
            capacity = more;
        }
        for (size_t c = 0; c < channels && got > 0; c++)
            memcpy(out->samples + c * capacity + out->n, buffer + c * block, got * sizeof *buffer);
        out->n += (int64_t)got;
    } while (out->status == RSD_OK && got == block);
    for (size_t c = 0; c < channels && out->n > 0; c++)
        memmove(out->samples + c * (size_t)out->n, out->samples + c * capacity, (size_t)out->n * sizeof *buffer);
    out->info = *audio_reader_info(reader);
    mem_free(&buffer);
    audio_reader_close(&reader);
}

void sound_clear(Sound *sound)
{
    mem_free(&sound->samples);
}

double sound_snr_db(const float *original, const float *decoded, int64_t n)
{
    double signal = 0, error = 0;

    for (int64_t i = 0; i < n; i++) {
        double d = (double)original[i] - decoded[i];

        signal += (double)original[i] * original[i];
        error += d * d;
    }
    return 10 * log10(signal / (error + 1e-30));
}
