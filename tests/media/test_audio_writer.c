/* test_audio_writer.c - what is written is what is read back, by us and by ffmpeg; and no half files.
 *
 * SPDX-License-Identifier: MIT
 */
#include "media/audio_writer.h"

#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <unistd.h>

#include "engine/base/mem.h"
#include "tests/media/fixture.h"

#define LEN 10007

TestSuite(writer, .init = fixture_open, .fini = fixture_close);

static float x[2 * LEN];

static RsdStatus write_all(const char *path, const AudioWriterOptions *options, size_t block, RsdError *err)
{
    AudioWriter *writer = NULL;
    RsdStatus status = audio_writer_open(&writer, path, options, err);

    for (size_t done = 0; status == RSD_OK && done < LEN; done += block)
        status = audio_writer_write(writer, x + done, LEN, LEN - done < block ? LEN - done : block, err);
    if (status == RSD_OK)
        status = audio_writer_finish(writer, err);
    audio_writer_close(&writer);
    return status;
}

static int count_files(void)
{
    DIR *dir = opendir(fixture_path("."));
    int n = 0;

    cr_assert_not_null(dir);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
        n += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    closedir(dir);
    return n;
}

Test(writer, round_trip_is_bit_exact_in_every_format)
{
    static const struct {
        const char *name;
        SampleFormat format;
    } cases[] = {{"a.wav", SAMPLE_S16},
                 {"b.wav", SAMPLE_S24},
                 {"c.WAV", SAMPLE_F32},
                 {"d.flac", SAMPLE_S16},
                 {"e.flac", SAMPLE_S24}};

    fixture_signal(x, 2, LEN, 44100);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (int hint = 0; hint < 2; hint++) {
            AudioWriterOptions options = {.rate_hz = 44100,
                                          .channels = 2,
                                          .format = cases[i].format,
                                          .overwrite = true,
                                          .n_samples_hint = hint ? LEN : -1};
            RsdError err = {0};
            Sound sound;

            ASSERT_OK(write_all(fixture_path(cases[i].name), &options, 997, &err), err);
            sound_read(&sound, fixture_path(cases[i].name), NULL, 4000);
            cr_assert_eq(sound.status, RSD_OK, "%s", sound.err.text);
            cr_assert_eq(sound.n, LEN);
            cr_assert_eq(sound.info.rate_hz, 44100);
            ASSERT_SAME_BITS(cases[i].name, sound.samples, x, 2 * LEN);
            sound_clear(&sound);
            /* an independent reader */
            fixture_must_run("ffmpeg -nostdin -v error -y -i %s -f f32le theirs.f32", cases[i].name);
            cr_assert_eq(fixture_size("theirs.f32"), 2 * LEN * sizeof(float));
        }
}

Test(writer, rounds_clips_and_survives_nan)
{
    static const struct {
        float in;
        double out;
    } cases[] = {{1.0f, 32767},     {-1.0f, -32768},     {2.5f, 32767}, {-7.0f, -32768},   {0.9f / 32768, 1},
                 {0.4f / 32768, 0}, {-0.9f / 32768, -1}, {NAN, 0},      {INFINITY, 32767}, {-INFINITY, -32768}};
    enum { N = sizeof cases / sizeof cases[0] };
    AudioWriterOptions options = {.rate_hz = 16000, .channels = 1, .format = SAMPLE_S16, .n_samples_hint = N};
    AudioWriter *writer = NULL;
    float samples[N];
    RsdError err = {0};
    Sound sound;

    for (int i = 0; i < N; i++)
        samples[i] = cases[i].in;
    ASSERT_OK(audio_writer_open(&writer, fixture_path("a.wav"), &options, &err), err);
    ASSERT_OK(audio_writer_write(writer, samples, N, N, &err), err);
    ASSERT_OK(audio_writer_finish(writer, &err), err);
    audio_writer_close(&writer);
    sound_read(&sound, fixture_path("a.wav"), NULL, 100);
    for (int i = 0; i < N; i++)
        cr_assert_eq(sound.samples[i] * 32768, cases[i].out, "%g became %g", (double)cases[i].in,
                     (double)sound.samples[i] * 32768);
    sound_clear(&sound);
}

/* Runs write_all with standard output going to `name` through cat (a pipe) or directly (a file). */
static void write_to_stdout(const char *name, const AudioWriterOptions *options, bool piped)
{
    int saved = dup(STDOUT_FILENO), fd;
    char command[400];
    FILE *pipe = NULL;
    RsdError err = {0};
    RsdStatus status;

    fflush(stdout);
    snprintf(command, sizeof command, "cat > '%s'", fixture_path(name));
    if (piped)
        cr_assert_not_null(pipe = popen(command, "w"));
    fd = piped ? fileno(pipe) : open(fixture_path(name), O_CREAT | O_TRUNC | O_RDWR, 0600);
    dup2(fd, STDOUT_FILENO);
    status = write_all("-", options, 1000, &err);
    dup2(saved, STDOUT_FILENO);
    close(saved);
    if (piped)
        pclose(pipe);
    else
        close(fd);
    cr_assert_eq(status, RSD_OK, "%s", err.text);
}

Test(writer, streams_wav_to_standard_output)
{
    fixture_signal(x, 2, LEN, 44100);
    for (int format = SAMPLE_S16; format <= SAMPLE_F32; format++)
        for (int hint = 0; hint < 2; hint++)
            for (int piped = 0; piped < 2; piped++) {
                AudioWriterOptions options = {.rate_hz = 44100,
                                              .channels = 2,
                                              .format = (SampleFormat)format,
                                              .n_samples_hint = hint ? LEN : -1};
                Sound sound;

                write_to_stdout("out.wav", &options, piped);
                sound_read(&sound, fixture_path("out.wav"), NULL, 4000);
                cr_assert_eq(sound.status, RSD_OK, "%s", sound.err.text);
                cr_assert_eq(sound.n, LEN);
                ASSERT_SAME_BITS("streamed", sound.samples, x, 2 * LEN);
                sound_clear(&sound);
                fixture_must_run("ffmpeg -nostdin -v fatal -y -i out.wav -f f32le theirs.f32");
                cr_assert_eq(fixture_size("theirs.f32"), 2 * LEN * sizeof(float));
                if (!piped || hint) { /* the header says how long it is */
                    FILE *file = fopen(fixture_path("out.wav"), "rb");
                    unsigned char head[44];

                    cr_assert_eq(fread(head, 1, sizeof head, file), sizeof head);
                    fclose(file);
                    cr_assert_eq((size_t)(head[40] | head[41] << 8 | head[42] << 16), fixture_size("out.wav") - 44);
                }
            }
}

Test(writer, keeps_an_existing_file_and_leaves_no_partial_one)
{
    AudioWriterOptions options = {.rate_hz = 16000, .channels = 1, .format = SAMPLE_S16, .n_samples_hint = -1};
    AudioWriter *writer = NULL;
    RsdError err = {0};

    fixture_signal(x, 1, LEN, 16000);
    fixture_write("a.wav", "precious", 8);
    ASSERT_FAILS(audio_writer_open(&writer, fixture_path("a.wav"), &options, &err), RSD_ERR_EXISTS, err,
                 "a.wav: exists");
    cr_assert_null(writer);
    options.overwrite = true;
    ASSERT_OK(audio_writer_open(&writer, fixture_path("a.wav"), &options, &err), err);
    ASSERT_OK(audio_writer_write(writer, x, LEN, LEN, &err), err);
    cr_assert_eq(fixture_size("a.wav"), 8u, "the old file is there until the end");
    audio_writer_close(&writer); /* without finish */
    cr_assert_eq(fixture_size("a.wav"), 8u);
    cr_assert_eq(count_files(), 1);
    ASSERT_OK(write_all(fixture_path("a.wav"), &options, 1000, &err), err);
    cr_assert_gt(fixture_size("a.wav"), 2u * LEN);
    cr_assert_eq(count_files(), 1);
}

Test(writer, says_that_the_disk_is_full)
{
    AudioWriterOptions options = {.rate_hz = 16000, .channels = 1, .format = SAMPLE_S16, .n_samples_hint = -1};
    RsdError err = {0};

    fixture_signal(x, 1, LEN, 16000);
    fixture_must_run("ln -s /dev/full full.wav");
    ASSERT_FAILS(write_all(fixture_path("full.wav"), &options, 1000, &err), RSD_ERR_IO, err, "No space left on device");
    if (fixture_run("mkdir small && mount -t tmpfs -o size=4k none small 2>/dev/null") == 0) { /* needs root */
        static const char *const names[] = {"small/a.wav", "small/a.flac"};

        for (int i = 0; i < 2; i++)
            ASSERT_FAILS(write_all(fixture_path(names[i]), &options, 1000, &err), RSD_ERR_IO, err,
                         "No space left on device");
        cr_assert_eq(fixture_run("test -z \"$(ls -A small)\""), 0, "something was left behind");
        fixture_must_run("umount small");
    }
}

Test(writer, refuses_what_it_cannot_write)
{
    AudioWriterOptions options = {.rate_hz = 16000, .channels = 1, .format = SAMPLE_S16, .n_samples_hint = -1};
    AudioWriter *writer = NULL;
    RsdError err = {0};

    ASSERT_FAILS(audio_writer_open(&writer, fixture_path("a.mp3"), &options, &err), RSD_ERR_UNSUPPORTED, err,
                 "written as .wav or .flac");
    ASSERT_FAILS(audio_writer_open(&writer, fixture_path("no/such/dir/a.wav"), &options, &err), RSD_ERR_IO, err,
                 "No such file or directory");
    options.format = SAMPLE_F32;
    ASSERT_FAILS(audio_writer_open(&writer, fixture_path("a.flac"), &options, &err), RSD_ERR_ARG, err, "no floats");
    options.format = SAMPLE_S16;
    options.channels = 9;
    ASSERT_FAILS(audio_writer_open(&writer, fixture_path("a.flac"), &options, &err), RSD_ERR_ARG, err, "1 to 8");
    options.channels = 1;
    options.rate_hz = 5;
    ASSERT_FAILS(audio_writer_open(&writer, fixture_path("a.wav"), &options, &err), RSD_ERR_ARG, err, "5 Hz");
    cr_assert_eq(count_files(), 0);
}
