/* test_wav_stream.c - WAV in pipes: every coding, live input, input that is cut, sizes that mean "until the end".
 *
 * SPDX-License-Identifier: MIT
 */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "engine/base/bytes.h"
#include "media/chunk_probe.h"
#include "media/wav_header.h"
#include "media/wav_stream.h"
#include "tests/media/fixture.h"

#define RATE 44100
#define LEN 71401
#define DATA_SIZE_AT 40 /* of wav_header.h */

TestSuite(wav_stream, .init = fixture_open, .fini = fixture_close, .timeout = 60);

static float x[2 * LEN];

static void read_piped(Sound *sound, const char *command)
{
    FILE *pipe = popen(command, "r");
    int saved = dup(STDIN_FILENO);

    cr_assert_not_null(pipe);
    cr_assert_geq(dup2(fileno(pipe), STDIN_FILENO), 0);
    sound_read(sound, "-", NULL, 5000);
    cr_assert_geq(dup2(saved, STDIN_FILENO), 0);
    close(saved);
    pclose(pipe);
}

Test(wav_stream, samples_of_every_coding_are_those_of_the_file)
{
    static const char *const codings[] = {"pcm_u8", "pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_f32le", "pcm_f64le", "pcm_alaw", "pcm_mulaw"};

    fixture_signal(x, 2, LEN, RATE);
    for (size_t i = 0; i < sizeof codings / sizeof *codings; i++) {
        char arguments[64], command[FIXTURE_PATH_SIZE + 16];
        Sound file, piped;

        snprintf(arguments, sizeof arguments, "-c:a %s", codings[i]);
        fixture_encode("a.wav", x, 2, LEN, RATE, "", arguments);
        snprintf(command, sizeof command, "cat '%s'", fixture_path("a.wav"));
        sound_read(&file, fixture_path("a.wav"), NULL, 5000);
        read_piped(&piped, command);
        cr_assert_eq(piped.status, RSD_OK, "%s: %s", codings[i], piped.err.text);
        cr_assert_eq(piped.n, LEN, "%s: %lld samples", codings[i], (long long)piped.n);
        cr_assert_str_eq(piped.info.codec, file.info.codec);
        ASSERT_SAME_BITS(codings[i], piped.samples, file.samples, 2 * LEN);
        sound_clear(&file);
        sound_clear(&piped);
    }
}

Test(wav_stream, a_pipe_that_ends_before_the_promise_of_its_header_is_truncated)
{
    static const char *const codings[] = {"pcm_s16le", "pcm_f32le", "pcm_mulaw"};

    fixture_signal(x, 2, LEN, RATE);
    for (size_t i = 0; i < sizeof codings / sizeof *codings; i++) {
        char arguments[64], command[FIXTURE_PATH_SIZE + 32];
        Sound sound;

        snprintf(arguments, sizeof arguments, "-c:a %s", codings[i]);
        fixture_encode("a.wav", x, 2, LEN, RATE, "", arguments);
        for (int k = 0; k < 2; k++) { /* by half, and by a byte of the last sample */
            int64_t size = (int64_t)fixture_size("a.wav");

            snprintf(command, sizeof command, "head -c %lld '%s'", (long long)(k ? size - 1 : size / 2), fixture_path("a.wav"));
            read_piped(&sound, command);
            ASSERT_FAILS(sound.status, RSD_ERR_CORRUPT, sound.err, "standard input: truncated: ends at");
            cr_assert_not_null(strstr(sound.err.text, "promises 1.619 s"), "%s", sound.err.text);
            cr_assert(k ? sound.n == LEN - 1 : sound.n > LEN / 3 && sound.n <= LEN / 2, "%s: %lld samples", codings[i], (long long)sound.n);
            sound_clear(&sound);
        }
    }
}

/* What was asked for comes as soon as it is there: the pipe stays open, and waiting for more would last for ever. */
Test(wav_stream, a_pipe_that_stays_open_gives_what_has_come, .timeout = 20)
{
    enum { N = 160 };
    uint8_t header[WAV_HEADER_SIZE], samples[2 * N] = {0};
    float block[N];
    int ends[2], saved = dup(STDIN_FILENO);
    AudioReader *reader;
    RsdError err;
    size_t got;

    cr_assert_eq(pipe(ends), 0);
    dup2(ends[0], STDIN_FILENO);
    wav_header_write(header, 16000, 1, 16, false, -1);
    cr_assert_eq(write(ends[1], header, sizeof header), sizeof header);
    ASSERT_OK(audio_reader_open(&reader, "-", NULL, &err), err);
    for (int i = 0; i < 5; i++) {
        put_u16le(samples + 2 * (N - 1), (uint16_t)(i * 1024));
        cr_assert_eq(write(ends[1], samples, sizeof samples), sizeof samples);
        ASSERT_OK(audio_reader_read(reader, block, N, &got, &err), err);
        cr_assert_eq(got, N);
        cr_assert_eq(block[N - 1], (float)i / 32.0f);
    }
    audio_reader_close(&reader);
    dup2(saved, STDIN_FILENO);
    close(saved);
    close(ends[0]);
    close(ends[1]);
}

Test(wav_stream, sizes_that_programs_leave_which_cannot_go_back_mean_until_the_end)
{
    static const uint32_t open_sizes[] = {0, 0x7ffff000, 0x7fffffff, 0x80000000, 0xffffffff, 0xffffffd3};
    static const uint32_t sizes[] = {1, 0x7ffe0000, 0x90000000, 0xc0000000, 0xfffe0000};
    uint8_t file[WAV_HEADER_SIZE + 2000];
    char command[FIXTURE_PATH_SIZE + 16];
    Sound sound;

    for (size_t i = 0; i < sizeof open_sizes / sizeof *open_sizes; i++) {
        cr_assert(chunk_size_is_open(open_sizes[i]), "%x", open_sizes[i]);
        memset(file, 1, sizeof file);
        wav_header_write(file, 16000, 1, 16, false, 1);
        put_u32le(file + DATA_SIZE_AT, open_sizes[i]);
        fixture_write("open.wav", file, sizeof file);
        snprintf(command, sizeof command, "cat '%s'", fixture_path("open.wav"));
        read_piped(&sound, command);
        cr_assert_eq(sound.status, RSD_OK, "%x: %s", open_sizes[i], sound.err.text);
        cr_assert_eq(sound.n, 1000, "%x: %lld samples", open_sizes[i], (long long)sound.n);
        sound_clear(&sound);
    }
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        cr_assert_not(chunk_size_is_open(sizes[i]), "%x", sizes[i]);
}

/* Two GiB that take no room on the disk: what a program left that could not go back, and a complete file of that size. */
Test(wav_stream, a_file_that_goes_on_behind_2_gib_is_read_to_its_end)
{
    const uint32_t size = 0x7ffff000;
    const int64_t end = (int64_t)WAV_HEADER_SIZE + size;
    uint8_t header[WAV_HEADER_SIZE];

    for (int is_complete = 0; is_complete < 2; is_complete++) {
        AudioReader *reader;
        ChunkProbe probe;
        RsdError err;
        int fd;

        wav_header_write(header, 48000, 1, 16, false, 1);
        put_u32le(header + 4, size + 36 + (is_complete ? 1000 : 0));
        put_u32le(header + DATA_SIZE_AT, size);
        fixture_write("long.wav", header, sizeof header);
        fd = open(fixture_path("long.wav"), O_RDWR);
        cr_assert_eq(ftruncate(fd, end + 1000), 0);
        cr_assert_eq(pwrite(fd, "LIST\xe0\x03\0", 8, end), 8);
        cr_assert(chunk_probe(&probe, fd));
        close(fd);
        cr_assert_eq(probe.goes_on, !is_complete);
        cr_assert_eq(probe.data_size, is_complete ? (int64_t)size : (int64_t)size + 1000);
        ASSERT_OK(audio_reader_open(&reader, fixture_path("long.wav"), NULL, &err), err);
        cr_assert_eq(audio_reader_info(reader)->n_samples, is_complete ? (int64_t)size / 2 : -1);
        audio_reader_close(&reader);
    }
}

Test(wav_stream, hostile_headers_give_at_most_what_is_there)
{
    uint8_t file[WAV_HEADER_SIZE + 64];

    for (size_t at = 0; at < WAV_HEADER_SIZE; at++)
        for (int k = 0; k < 2; k++) {
            int ends[2], saved = dup(STDIN_FILENO);
            AudioReader *reader = NULL;
            RsdError err = {0};
            float samples[4096];
            size_t got = 1, total = 0;

            memset(file, 1, sizeof file);
            wav_header_write(file, 48000, 1, 16, false, 32);
            file[at] = k ? 0xff : (uint8_t)~file[at];
            cr_assert_eq(pipe(ends), 0);
            cr_assert_eq(write(ends[1], file, sizeof file), sizeof file);
            close(ends[1]);
            dup2(ends[0], STDIN_FILENO);
            close(ends[0]);
            if (audio_reader_open(&reader, "-", &(AudioReaderOptions){.channels = 1}, &err) != RSD_OK)
                cr_assert_neq(err.text[0], '\0', "byte %zu", at);
            while (reader && got > 0 && audio_reader_read(reader, samples, 4096, &got, &err) == RSD_OK)
                total += got;
            cr_assert_leq(total, sizeof file * 2, "byte %zu value %d: %zu samples", at, file[at], total);
            audio_reader_close(&reader);
            dup2(saved, STDIN_FILENO);
            close(saved);
        }
}

/* The header of the second chunk is the last that is looked at, and its contents begin behind. */
Test(wav_stream, a_chunk_at_the_end_of_what_is_looked_at_is_left_alone)
{
    static uint8_t file[WAV_START_SIZE + 200000];
    char path[] = "/tmp/residua-wav-XXXXXX";
    AudioSource *source = NULL;
    WavStart *start = malloc(sizeof *start);
    RsdError err;
    int fd = mkstemp(path);

    unlink(path);
    memset(file, 1, sizeof file);
    memcpy(file, "RIFF\xff\xff\xff\xffWAVEJUNK", 16);
    put_u32le(file + 16, WAV_START_SIZE - 28);
    memcpy(file + WAV_START_SIZE - 8, "JUNK\x40\x0d\x03", 8);
    cr_assert_eq(write(fd, file, sizeof file), (ssize_t)sizeof file);
    lseek(fd, 0, SEEK_SET);
    ASSERT_OK(wav_stream_open(&source, start, fd, &err), err);
    cr_assert_null(source);
    cr_assert_eq(start->size, (size_t)WAV_START_SIZE);
    free(start);
    close(fd);
}
