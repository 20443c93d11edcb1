/* fixture.h - a temporary folder, a known signal, and files made of it by ffmpeg (Debian package ffmpeg).
 *
 *     Test(reader, ..., .init = fixture_open, .fini = fixture_close)
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_TESTS_MEDIA_FIXTURE_H
#define RESIDUA_TESTS_MEDIA_FIXTURE_H

#include <stddef.h>
#include <stdint.h>

#include "media/audio_reader.h"
#include "tests/shared.h"

#define FIXTURE_PATH_SIZE 256

void fixture_open(void);  /* lets the module be found in the build folder; the folder is made when it is first used */
void fixture_close(void); /* removes it with everything inside */

/* Path of a name in the folder; valid until the 8th next call. */
const char *fixture_path(const char *name);

/* x [channels, n] planar, within +-0.8 and rounded to 16 bits: two sweeps under a slow envelope, different in each
 * channel. */
void fixture_signal(float *x, int channels, int64_t n, int rate_hz);

/* Writes x as 32-bit floats and lets ffmpeg make `name` of it with these arguments ("-c:a aac -b:a 128k"); the
 * container follows from the ending. more_inputs comes before the output's arguments and may be "". Fails the test when
 * ffmpeg does. */
void fixture_encode(const char *name, const float *x, int channels, int64_t n, int rate_hz, const char *more_inputs,
                    const char *arguments);

/* A file with these bytes. */
void fixture_write(const char *name, const void *data, size_t size);
/* The first `size` bytes of a file, as another file. */
void fixture_cut(const char *from, const char *to, size_t size);
size_t fixture_size(const char *name);

/* Runs a command in the folder; returns its exit status. */
int fixture_run(const char *format, ...) RSD_PRINTF(1, 2);
/* The same, and its exit status must be 0. */
void fixture_must_run(const char *format, ...) RSD_PRINTF(1, 2);

typedef struct Sound {
    RsdStatus status; /* of the last read; the samples before it count */
    RsdError err;
    AudioInfo info; /* at the end */
    float *samples; /* [channels, n] planar */
    int64_t n;
} Sound;

/* Opens and reads everything in blocks of `block` samples; opening must succeed. Free with sound_clear. */
void sound_read(Sound *out, const char *path, const AudioReaderOptions *options, size_t block);
void sound_clear(Sound *sound);
/* Signal-to-noise ratio in dB of one channel against the original. */
double sound_snr_db(const float *original, const float *decoded, int64_t n);

#endif
