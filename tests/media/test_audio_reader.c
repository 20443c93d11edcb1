/* test_audio_reader.c - exact lengths of every format, pipes, mixing, blocks, and all kinds of bad input.
 *
 * SPDX-License-Identifier: MIT
 */
#include "media/audio_reader.h"

#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/bytes.h"
#include "engine/base/mem.h"
#include "losses/align.h"
#include "media/wav_header.h"
#include "tests/media/fixture.h"

#define RATE 44100
#define LEN 71401 /* a multiple of no frame length and of no millisecond */

TestSuite(reader, .init = fixture_open, .fini = fixture_close);

static float x[2 * LEN];

typedef struct Format {
    const char *name;
    int rate_hz, channels;
    double snr_db; /* at least; 1000: bit for bit */
    bool exact;    /* stated before reading */
    const char *arguments, *more_inputs;
} Format;

static const Format formats[] = {
    {"s16.wav", RATE, 2, 1000, true, "-c:a pcm_s16le", ""},
    {"s24.wav", RATE, 2, 1000, true, "-c:a pcm_s24le", ""},
    {"f32.wav", RATE, 1, 1000, true, "-c:a pcm_f32le", ""},
    {"u8.wav", RATE, 1, 35, true, "-c:a pcm_u8", ""},
    {"rf64.wav", RATE, 2, 1000, true, "-c:a pcm_s16le -rf64 always", ""},
    {"flac.flac", RATE, 2, 1000, true, "-c:a flac -sample_fmt s16", ""},
    {"aiff.aiff", RATE, 2, 1000, true, "-c:a pcm_s16be", ""},
    {"alac.m4a", RATE, 2, 1000, true, "-c:a alac", ""},
    {"lame.mp3", RATE, 2, 20, true, "-c:a libmp3lame -b:a 128k", ""},
    {"mono22.mp3", 22050, 1, 20, true, "-c:a libmp3lame -b:a 64k", ""},
    {"aac.m4a", RATE, 2, 20, true, "-c:a aac -b:a 128k", ""},
    {"front.mp4", RATE, 1, 20, true, "-c:a aac -b:a 128k -movflags +faststart", ""},
    {"aac.mov", 48000, 1, 20, true, "-c:a aac -b:a 128k", ""},
    {"video.mp4", RATE, 2, 20, true, "-c:a aac -b:a 128k -c:v mpeg4", "-f lavfi -i testsrc=d=1:s=64x48"},
    {"fragments.mp4", RATE, 1, 20, false, "-c:a aac -b:a 128k -movflags frag_keyframe+delay_moov", ""},
    {"vorbis.ogg", RATE, 2, 15, false, "-c:a libvorbis -q:a 5", ""},
    {"opus.opus", 48000, 2, 10, false, "-c:a libopus -b:a 96k", ""},
    {"opus.webm", 48000, 1, 10, false, "-c:a libopus -b:a 96k", ""},
    {"video.mkv", RATE, 2, 1000, false, "-c:a flac -sample_fmt s16 -c:v mpeg4", "-f lavfi -i testsrc=d=1:s=64x48"},
    {"caf.caf", RATE, 2, 1000, false, "-c:a pcm_s16be", ""},
};

static void check_format(const Format *f, const char *path)
{
    Sound sound;
    Alignment found;
    RsdError err = {0};

    sound_read(&sound, path, NULL, 5000);
    cr_assert_eq(sound.status, RSD_OK, "%s: %s", f->name, sound.err.text);
    cr_assert_eq(sound.info.rate_hz, f->rate_hz, "%s: %d Hz", f->name, sound.info.rate_hz);
    cr_assert_eq(sound.info.channels, f->channels, "%s: %d channels", f->name, sound.info.channels);
    /* a fragmented file states no end of the last frame */
    if (strcmp(f->name, "fragments.mp4") != 0)
        cr_assert_eq(sound.n, LEN, "%s: %lld samples, expected %d", f->name, (long long)sound.n, LEN);
    for (int c = 0; c < f->channels; c++) {
        const float *decoded = sound.samples + c * sound.n, *original = x + (int64_t)c * LEN;
        double snr_db = sound_snr_db(original, decoded, LEN < sound.n ? LEN : sound.n);

        if (f->snr_db == 1000)
            ASSERT_SAME_BITS(f->name, decoded, original, LEN);
        cr_assert_geq(snr_db, f->snr_db == 1000 ? 200 : f->snr_db, "%s, channel %d: SNR of %.1f dB", f->name, c + 1,
                      snr_db);
        ASSERT_OK(align_find(&found, original, LEN, decoded, sound.n, 1, f->rate_hz, 3000, &err), err);
        cr_assert_eq(found.lag_samples, 0, "%s, channel %d: %lld samples late", f->name, c + 1,
                     (long long)found.lag_samples);
    }
    sound_clear(&sound);
}

/* G.722 has no header: 16 kHz, two samples a byte, and the filters' delay of 22 samples stays in. */
Test(reader, a_format_without_a_header_is_known_by_its_ending)
{
    Sound sound;
    Alignment found;
    RsdError err = {0};

    fixture_signal(x, 1, 16000, 16000);
    fixture_encode("prompt.g722", x, 1, 16000, 16000, "", "-c:a g722");
    sound_read(&sound, fixture_path("prompt.g722"), NULL, 5000);
    cr_assert_eq(sound.status, RSD_OK, "%s", sound.err.text);
    cr_assert_eq(sound.info.rate_hz, 16000);
    cr_assert_eq(sound.n, 16000);
    ASSERT_OK(align_find(&found, x, 16000, sound.samples, sound.n, 1, 16000, 200, &err), err);
    cr_expect_eq(found.lag_samples, 22, "%lld samples late", (long long)found.lag_samples);
    cr_expect_geq(sound_snr_db(x, sound.samples + 22, 15900), 15.0);
    sound_clear(&sound);
}

Test(reader, delivers_every_format_with_its_exact_length_in_place)
{
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        const Format *f = &formats[i];
        AudioReader *reader = NULL;
        RsdError err = {0};

        fixture_signal(x, f->channels, LEN, f->rate_hz);
        fixture_encode(f->name, x, f->channels, LEN, f->rate_hz, f->more_inputs, f->arguments);
        check_format(f, fixture_path(f->name));
        ASSERT_OK(audio_reader_open(&reader, fixture_path(f->name), NULL, &err), err);
        cr_assert_eq(audio_reader_info(reader)->exact, f->exact, "%s", f->name);
        if (f->exact)
            cr_assert_eq(audio_reader_info(reader)->n_samples, LEN, "%s: states %lld samples", f->name,
                         (long long)audio_reader_info(reader)->n_samples);
        audio_reader_close(&reader);
    }
}

/* Puts the output of a command on standard input for the duration of one read. */
static void read_piped(Sound *sound, const char *command, const AudioReaderOptions *options)
{
    FILE *pipe = popen(command, "r");
    int saved = dup(STDIN_FILENO);

    cr_assert_not_null(pipe);
    cr_assert_geq(dup2(fileno(pipe), STDIN_FILENO), 0);
    sound_read(sound, "-", options, 5000);
    cr_assert_geq(dup2(saved, STDIN_FILENO), 0);
    close(saved);
    pclose(pipe);
}

Test(reader, delivers_pipes_with_their_exact_length)
{
    static const char *const names[] = {"s16.wav",   "f32.wav",    "flac.flac", "aiff.aiff", "lame.mp3",
                                        "front.mp4", "vorbis.ogg", "opus.opus", "opus.webm"};

    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++)
        for (size_t k = 0; k < sizeof names / sizeof names[0]; k++) {
            const Format *f = &formats[i];
            char command[512];
            Sound sound;
            int64_t off;

            if (strcmp(f->name, names[k]) != 0)
                continue;
            fixture_signal(x, f->channels, LEN, f->rate_hz);
            fixture_encode(f->name, x, f->channels, LEN, f->rate_hz, f->more_inputs, f->arguments);
            snprintf(command, sizeof command, "cat '%s'", fixture_path(f->name));
            read_piped(&sound, command, NULL);
            cr_assert_eq(sound.status, RSD_OK, "%s: %s", f->name, sound.err.text);
            off = llabs((long long)sound.n - LEN);
            /* MP4: the edit list in milliseconds is all that a pipe tells */
            cr_assert_leq(off, strcmp(f->name, "front.mp4") == 0 ? 45 : 0, "%s: %lld samples", f->name,
                          (long long)sound.n);
            cr_assert_geq(sound_snr_db(x, sound.samples, LEN - 45), f->snr_db == 1000 ? 200 : f->snr_db, "%s", f->name);
            sound_clear(&sound);
        }
}

/* The second part begins behind at most its own delay; in a pipe that is left out. */
Test(reader, delivers_mp3_files_that_were_joined_to_their_end)
{
    char command[512];

    fixture_signal(x, 1, LEN, RATE);
    fixture_encode("a.mp3", x, 1, LEN, RATE, "", "-c:a libmp3lame -b:a 128k");
    fixture_must_run("cat a.mp3 a.mp3 > joined.mp3");
    snprintf(command, sizeof command, "cat '%s'", fixture_path("joined.mp3"));
    for (int is_pipe = 0; is_pipe < 2; is_pipe++) {
        Sound sound;
        Alignment found;
        RsdError err = {0};

        if (is_pipe)
            read_piped(&sound, command, NULL);
        else
            sound_read(&sound, fixture_path("joined.mp3"), NULL, 5000);
        cr_assert_eq(sound.status, RSD_OK, "%s", sound.err.text);
        cr_assert(sound.n > 2 * LEN - 100 && sound.n < 2 * LEN + 4 * 1152, "%lld samples", (long long)sound.n);
        cr_assert(!sound.info.exact);
        cr_expect_geq(sound_snr_db(x, sound.samples, LEN), 20.0);
        ASSERT_OK(align_find(&found, x, LEN, sound.samples + LEN, sound.n - LEN, 1, RATE, 5000, &err), err);
        cr_assert(found.lag_samples >= -100 && found.lag_samples < 4 * 1152, "%lld samples late", (long long)found.lag_samples);
        cr_expect_geq(sound_snr_db(x + 4000, sound.samples + LEN + found.lag_samples + 4000, LEN - 8000), 20.0);
        sound_clear(&sound);
    }
}

Test(reader, takes_wav_of_unknown_length_from_a_pipe_and_from_a_file)
{
    static const char *const commands[] = {
        "ffmpeg -nostdin -v error -i '%s' -f wav -",
        "sox '%s' -t wav - 2>/dev/null || ffmpeg -nostdin -v error -i '%s' -f wav -"};
    Sound sound;
    char command[1024];

    fixture_signal(x, 2, LEN, RATE);
    fixture_encode("s16.wav", x, 2, LEN, RATE, "", "-c:a pcm_s16le");
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        snprintf(command, sizeof command, commands[i], fixture_path("s16.wav"), fixture_path("s16.wav"));
        read_piped(&sound, command, NULL);
        cr_assert_eq(sound.status, RSD_OK, "%s", sound.err.text);
        cr_assert_eq(sound.n, LEN);
        sound_clear(&sound);
        fixture_must_run("(%s) > stream.wav", command);
        sound_read(&sound, fixture_path("stream.wav"), NULL, 5000);
        cr_assert_eq(sound.status, RSD_OK, "%s", sound.err.text);
        cr_assert_eq(sound.n, LEN);
        sound_clear(&sound);
    }
}

Test(reader, reads_a_file_on_standard_input_from_its_start)
{
    int saved = dup(STDIN_FILENO), fd;
    Sound sound;

    fixture_signal(x, 2, LEN, RATE);
    fixture_encode("s16.wav", x, 2, LEN, RATE, "", "-c:a pcm_s16le");
    fd = open(fixture_path("s16.wav"), O_RDONLY);
    dup2(fd, STDIN_FILENO);
    sound_read(&sound, "-", NULL, 1000);
    dup2(saved, STDIN_FILENO);
    cr_assert_eq(sound.n, LEN);
    cr_assert(sound.info.exact && sound.info.n_samples == LEN);
    sound_clear(&sound);
    close(fd);
    close(saved);
}

Test(reader, gives_the_same_samples_for_any_block_size)
{
    static const size_t blocks[] = {1, 2, 7, 1023, 1024, 4096, 4097, 100000};
    static const char *const names[] = {"s16.wav", "aac.m4a"};
    AudioReaderOptions options = {.rate_hz = 16000, .channels = 1};

    fixture_signal(x, 2, LEN, RATE);
    fixture_encode("s16.wav", x, 2, LEN, RATE, "", "-c:a pcm_s16le");
    fixture_encode("aac.m4a", x, 2, LEN, RATE, "", "-c:a aac");
    for (size_t k = 0; k < 2; k++) {
        Sound whole;

        sound_read(&whole, fixture_path(names[k]), &options, 200000);
        cr_assert_eq(whole.n, (LEN * 16000LL + RATE - 1) / RATE);
        for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++) {
            Sound sound;

            sound_read(&sound, fixture_path(names[k]), &options, blocks[i]);
            cr_assert_eq(sound.n, whole.n, "blocks of %zu", blocks[i]);
            ASSERT_SAME_BITS("samples", sound.samples, whole.samples, whole.n);
            sound_clear(&sound);
        }
        sound_clear(&whole);
    }
}

Test(reader, mixes_to_mono_by_the_mean_and_copies_mono)
{
    enum { N = 5000, CHANNELS = 6 };
    static float six[CHANNELS * N];
    Sound sound;
    AudioReader *reader = NULL;
    RsdError err = {0};

    fixture_signal(six, CHANNELS, N, 48000);
    fixture_encode("six.wav", six, CHANNELS, N, 48000, "", "-c:a pcm_s16le");
    sound_read(&sound, fixture_path("six.wav"), &(AudioReaderOptions){.channels = 1}, 999);
    cr_assert_eq(sound.n, N);
    for (int i = 0; i < N; i++) {
        double mean = 0;

        for (int c = 0; c < CHANNELS; c++)
            mean += six[c * N + i] / 6.0;
        ASSERT_CLOSE("mean", sound.samples[i], mean, ((Tolerance){.abs = 1e-6}));
    }
    sound_clear(&sound);
    ASSERT_FAILS(audio_reader_open(&reader, fixture_path("six.wav"), &(AudioReaderOptions){.channels = 2}, &err),
                 RSD_ERR_UNSUPPORTED, err, "has 6 channels; they can be kept or mixed to 1, not to 2");
    fixture_encode("one.wav", six, 1, N, 48000, "", "-c:a pcm_s16le");
    sound_read(&sound, fixture_path("one.wav"), &(AudioReaderOptions){.channels = 3}, 999);
    cr_assert_eq(sound.info.channels, 3);
    for (int c = 0; c < 3; c++)
        ASSERT_SAME_BITS("copy", sound.samples + c * N, six, N);
    sound_clear(&sound);
}

Test(reader, takes_192_khz_with_8_channels_and_64_channels)
{
    static float eight[8 * 19200], many[64 * 500];
    Sound sound;

    fixture_signal(eight, 8, 19200, 192000);
    fixture_encode("eight.wav", eight, 8, 19200, 192000, "", "-c:a pcm_s24le");
    fixture_encode("eight.flac", eight, 8, 19200, 192000, "", "-c:a flac");
    for (int i = 0; i < 2; i++) {
        sound_read(&sound, fixture_path(i ? "eight.flac" : "eight.wav"),
                   &(AudioReaderOptions){.rate_hz = 16000, .channels = 1}, 700);
        cr_assert_eq(sound.status, RSD_OK, "%s", sound.err.text);
        cr_assert_eq(sound.n, 1600);
        cr_assert_eq(sound.info.source_channels, 8);
        sound_clear(&sound);
    }
    fixture_signal(many, 64, 500, 48000);
    fixture_encode("many.wav", many, 64, 500, 48000, "", "-c:a pcm_s16le");
    sound_read(&sound, fixture_path("many.wav"), NULL, 700);
    cr_assert_eq(sound.info.channels, 64);
    ASSERT_SAME_BITS("64 channels", sound.samples, many, 64 * 500);
    sound_clear(&sound);
}

Test(reader, says_where_a_sample_is_not_a_number_or_replaces_it)
{
    Sound sound;

    fixture_signal(x, 2, LEN, RATE);
    x[LEN + 30000] = NAN; /* channel 2 */
    x[LEN + 30001] = INFINITY;
    fixture_encode("nan.wav", x, 2, LEN, RATE, "", "-c:a pcm_f32le");
    sound_read(&sound, fixture_path("nan.wav"), NULL, 1000);
    cr_assert_eq(sound.status, RSD_ERR_NUMERIC);
    cr_assert_eq(sound.n, 30000, "%lld samples before it", (long long)sound.n);
    cr_assert_not_null(strstr(sound.err.text, "nan.wav: sample 30000 of channel 2, at 0.680 s, is not a number"), "%s",
                       sound.err.text);
    sound_clear(&sound);
    sound_read(&sound, fixture_path("nan.wav"), &(AudioReaderOptions){.replace_nonfinite = true}, 1000);
    cr_assert_eq(sound.status, RSD_OK);
    cr_assert_eq(sound.n, LEN);
    cr_assert_eq(sound.info.n_replaced, 2);
    cr_assert_eq(sound.samples[LEN + 30000], 0);
    sound_clear(&sound);
}

Test(reader, delivers_what_a_truncated_file_holds_and_then_says_so)
{
    static const struct {
        const char *name, *arguments, *sentence;
    } cases[] = {
        {"a.wav", "-c:a pcm_s16le", "truncated: ends at"},  {"a.flac", "-c:a flac", ""},
        {"a.aiff", "-c:a pcm_s16be", "truncated: ends at"}, {"a.mp3", "-c:a libmp3lame", "its header promises 1.619 s"},
        {"a.m4a", "-c:a aac -movflags +faststart", ""},     {"a.ogg", "-c:a libvorbis -q:a 10", "truncated"},
        {"a.opus", "-c:a libopus -ar 48000", "truncated"},
    };

    fixture_signal(x, 2, LEN, RATE);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char cut_name[32];
        Sound sound;

        fixture_encode(cases[i].name, x, 2, LEN, RATE, "", cases[i].arguments);
        snprintf(cut_name, sizeof cut_name, "cut-%s", cases[i].name);
        fixture_cut(cases[i].name, cut_name, fixture_size(cases[i].name) * 8 / 10);
        sound_read(&sound, fixture_path(cut_name), NULL, 1000);
        cr_assert_eq(sound.status, RSD_ERR_CORRUPT, "%s: status %d", cut_name, sound.status);
        cr_assert_not_null(strstr(sound.err.text, cases[i].sentence), "%s", sound.err.text);
        cr_assert_not_null(strstr(sound.err.text, cut_name), "%s", sound.err.text);
        cr_assert(sound.n > LEN / 5 && sound.n < LEN, "%s: %lld samples", cut_name, (long long)sound.n);
        sound_clear(&sound);
    }
}

Test(reader, delivers_what_a_damaged_file_holds_and_then_says_so)
{
    static const struct {
        const char *name, *arguments;
    } cases[] = {{"a.flac", "-c:a flac"}, {"a.m4a", "-c:a aac"}, {"a.ogg", "-c:a libvorbis -q:a 8"}};

    fixture_signal(x, 2, LEN, RATE);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        Sound sound;
        size_t middle;

        fixture_encode(cases[i].name, x, 2, LEN, RATE, "", cases[i].arguments);
        middle = fixture_size(cases[i].name) / 2;
        fixture_must_run("dd if=/dev/urandom of=%s bs=1 seek=%zu count=2000 conv=notrunc 2>/dev/null", cases[i].name,
                         middle);
        sound_read(&sound, fixture_path(cases[i].name), NULL, 1000);
        cr_assert_eq(sound.status, RSD_ERR_CORRUPT, "%s: status %d", cases[i].name, sound.status);
        cr_assert_not_null(strstr(sound.err.text, " s"), "no time in: %s", sound.err.text);
        cr_assert(sound.n > LEN / 5, "%s: %lld samples", cases[i].name, (long long)sound.n);
        sound_clear(&sound);
    }
}

Test(reader, refuses_what_is_no_sound_with_a_clear_sentence)
{
    static const uint8_t png[] = "\x89PNG\r\n\x1a\n";
    AudioReader *reader = NULL;
    RsdError err = {0};
    char noise[5000];

    ASSERT_FAILS(audio_reader_open(&reader, fixture_path("missing.wav"), NULL, &err), RSD_ERR_IO, err,
                 "missing.wav: cannot open: No such file or directory");
    ASSERT_FAILS(audio_reader_open(&reader, fixture_path("."), NULL, &err), RSD_ERR_IO, err, "is a directory");
    fixture_write("empty.wav", "", 0);
    ASSERT_FAILS(audio_reader_open(&reader, fixture_path("empty.wav"), NULL, &err), RSD_ERR_CORRUPT, err,
                 "empty.wav: the file is empty");
    ASSERT_FAILS(audio_reader_open(&reader, "/dev/null", NULL, &err), RSD_ERR_CORRUPT, err, "/dev/null: ");
    fixture_write("text.mp3", "The quick brown fox jumps over the lazy dog.\n", 45);
    ASSERT_FAILS(audio_reader_open(&reader, fixture_path("text.mp3"), NULL, &err), RSD_ERR_CORRUPT, err,
                 "no sound or video format that is known here");
    fixture_write("cut.png", png, sizeof png);
    cr_assert_neq(audio_reader_open(&reader, fixture_path("cut.png"), NULL, &err), RSD_OK);
    for (unsigned seed = 1; seed < 20; seed++) {
        for (size_t i = 0; i < sizeof noise; i++)
            noise[i] = (char)((seed = seed * 1664525 + 1013904223) >> 24);
        fixture_write("noise.ogg", noise, sizeof noise);
        cr_assert_neq(audio_reader_open(&reader, fixture_path("noise.ogg"), NULL, &err), RSD_OK, "seed %u", seed);
        cr_assert_null(reader);
        seed %= 20;
    }
    fixture_write("list.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n/etc/passwd\n", 54);
    cr_assert_neq(audio_reader_open(&reader, fixture_path("list.m3u8"), NULL, &err), RSD_OK);
    fixture_must_run("ffmpeg -nostdin -v error -f lavfi -i testsrc=d=1:s=64x48 -c:v mpeg4 silent.mp4");
    ASSERT_FAILS(audio_reader_open(&reader, fixture_path("silent.mp4"), NULL, &err), RSD_ERR_UNSUPPORTED, err,
                 "there is no sound in it");
    fixture_signal(x, 1, LEN, RATE);
    fixture_encode("a.m4a", x, 1, LEN, RATE, "", "-c:a aac");
    fixture_cut("a.m4a", "head.m4a", 10000);
    ASSERT_FAILS(audio_reader_open(&reader, fixture_path("head.m4a"), NULL, &err), RSD_ERR_CORRUPT, err,
                 "an MP4 without its index");
    fixture_encode("a.ogg", x, 1, LEN, RATE, "", "-c:a libvorbis");
    fixture_cut("a.ogg", "head.ogg", 5000);
    ASSERT_FAILS(audio_reader_open(&reader, fixture_path("head.ogg"), NULL, &err), RSD_ERR_CORRUPT, err, "cut short");
    if (geteuid() != 0) { /* root may read everything */
        fixture_must_run("chmod 000 a.m4a");
        ASSERT_FAILS(audio_reader_open(&reader, fixture_path("a.m4a"), NULL, &err), RSD_ERR_IO, err,
                     "Permission denied");
    }
}

Test(reader, refuses_options_out_of_range)
{
    AudioReader *reader = NULL;
    RsdError err = {0};

    ASSERT_FAILS(audio_reader_open(&reader, "x.wav", &(AudioReaderOptions){.rate_hz = 99}, &err), RSD_ERR_ARG, err,
                 "99 Hz");
    ASSERT_FAILS(audio_reader_open(&reader, "x.wav", &(AudioReaderOptions){.rate_hz = 400000}, &err), RSD_ERR_ARG, err,
                 "100 to 384000 Hz");
    ASSERT_FAILS(audio_reader_open(&reader, "x.wav", &(AudioReaderOptions){.channels = 65}, &err), RSD_ERR_ARG, err,
                 "1 to 64");
}

Test(reader, survives_hostile_wav_headers)
{
    uint8_t file[WAV_HEADER_SIZE + 64];

    /* every byte of the header, three values each: opening either fails cleanly or gives at most what the file holds */
    for (size_t at = 0; at < WAV_HEADER_SIZE; at++)
        for (int k = 0; k < 3; k++) {
            AudioReader *reader = NULL;
            RsdError err = {0};
            float samples[4096];
            size_t got, total = 0;
            RsdStatus status;

            memset(file, 1, sizeof file);
            wav_header_write(file, 48000, 1, 16, false, 32);
            file[at] = k == 0 ? 0 : k == 1 ? 0xff : (uint8_t)~file[at];
            fixture_write("hostile.wav", file, sizeof file);
            status =
                audio_reader_open(&reader, fixture_path("hostile.wav"), &(AudioReaderOptions){.channels = 1}, &err);
            if (status != RSD_OK) {
                cr_assert_null(reader);
                cr_assert_neq(err.text[0], '\0', "byte %zu", at);
                continue;
            }
            do {
                status = audio_reader_read(reader, samples, 4096, &got, &err);
                total += got;
            } while (status == RSD_OK && got == 4096);
            cr_assert_leq(total, sizeof file * 2, "byte %zu value %d: %zu samples", at, file[at], total);
            audio_reader_close(&reader);
        }
}

Test(reader, delivers_one_sample_and_none)
{
    static const char *const arguments[] = {"-c:a pcm_s16le", "-c:a flac"};
    AudioReaderOptions options = {.rate_hz = 48000};
    float one = 0.5f;
    Sound sound;

    for (int i = 0; i < 2; i++) {
        const char *name = i ? "one.flac" : "one.wav";

        fixture_encode(name, &one, 1, 1, 16000, "", arguments[i]);
        sound_read(&sound, fixture_path(name), NULL, 100);
        cr_assert_eq(sound.n, 1);
        ASSERT_CLOSE("sample", sound.samples[0], 0.5, ((Tolerance){.abs = 1e-9}));
        sound_clear(&sound);
        sound_read(&sound, fixture_path(name), &options, 100);
        cr_assert_eq(sound.n, 3, "one sample at 16 kHz is three at 48 kHz, got %lld", (long long)sound.n);
        sound_clear(&sound);
    }
    fixture_encode("none.wav", &one, 1, 0, 16000, "", "-c:a pcm_s16le");
    sound_read(&sound, fixture_path("none.wav"), &options, 100);
    cr_assert_eq(sound.status, RSD_OK);
    cr_assert_eq(sound.n, 0);
    sound_clear(&sound);
}

Test(reader, reads_whole_files_up_to_a_bound)
{
    float *samples = NULL;
    int64_t n;
    AudioInfo info;
    RsdError err = {0};

    fixture_signal(x, 2, LEN, RATE);
    fixture_encode("a.flac", x, 2, LEN, RATE, "", "-c:a flac -sample_fmt s16");
    ASSERT_OK(audio_read_all(fixture_path("a.flac"), NULL, 0, &samples, &n, &info, &err), err);
    cr_assert_eq(n, LEN);
    cr_assert_eq(info.channels, 2);
    ASSERT_SAME_BITS("samples", samples, x, 2 * LEN);
    mem_free(&samples);
    ASSERT_OK(audio_read_all(fixture_path("a.flac"), NULL, LEN, &samples, &n, NULL, &err), err);
    mem_free(&samples);
    ASSERT_FAILS(audio_read_all(fixture_path("a.flac"), NULL, LEN - 1, &samples, &n, NULL, &err), RSD_ERR_MEMORY, err,
                 "longer than");
    cr_assert_null(samples);
}

Test(reader, names_the_missing_module)
{
    AudioReader *reader = NULL;
    RsdError err = {0};

    /* the runner lies two directories below the module's, so that one is found unless the file is broken */
    fixture_must_run("mkdir modules && echo broken > modules/residua-av.so");
    setenv("RESIDUA_MODULES", fixture_path("modules"), 1);
    fixture_write("text.mp3", "nothing", 7);
    /* a broken file first, the good one beside the program after it */
    ASSERT_FAILS(audio_reader_open(&reader, fixture_path("text.mp3"), NULL, &err), RSD_ERR_CORRUPT, err, "no sound");
}

Test(reader, fails_cleanly_when_memory_runs_out)
{
    fixture_signal(x, 2, 20000, RATE);
    fixture_encode("a.wav", x, 2, 20000, RATE, "", "-c:a pcm_s16le");
    for (int k = 0; k < 100; k++) {
        float *samples = NULL;
        int64_t n;
        RsdError err = {0};
        RsdStatus status;

        mem_fail_after(k);
        status = audio_read_all(fixture_path("a.wav"), &(AudioReaderOptions){.rate_hz = 16000, .channels = 1}, 0,
                                &samples, &n, NULL, &err);
        mem_fail_after(-1);
        if (status == RSD_OK) {
            cr_assert_gt(k, 3);
            mem_free(&samples);
            return;
        }
        cr_assert_eq(status, RSD_ERR_MEMORY, "allocation %d: %s", k, err.text);
        cr_assert_null(samples);
    }
    cr_assert_fail("never succeeds");
}
