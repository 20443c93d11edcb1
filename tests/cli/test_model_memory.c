/* test_model_memory.c - the most memory that the tool takes with models of published sizes and drawn weights, from pipe to
 * file and back: EnCodec 24 and 48 kHz and DAC 44.1 kHz.
 *
 * Long tests, but for a narrow model whose files are seen not to grow memory; RESIDUA_MINUTES says how long the recording is, or
 * RESIDUA_SECONDS; on one thread, or as many as RESIDUA_THREADS says. Prints what it found:
 *
 *     make check-long TEST_ARGS='--filter model_memory/encodec_24_khz' RESIDUA_MINUTES=60
 *
 * SPDX-License-Identifier: MIT
 */
#include <limits.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "models/audio_codec_file.h"
#include "tests/cli/program.h"
#include "tests/shared.h"

#define PATH_SIZE 256
#define MB 1024 /* kB */
#define MAX_GROWTH (2 * MB)
#define HOUR_GROWTH (4 * MB) /* as test_resources.c has it: mapped libraries vary by 2 MB */

static char folder[PATH_SIZE], model_path[PATH_SIZE + 32], coded_path[PATH_SIZE + 32];
static RsdError err;

static void set_up(void)
{
    signal(SIGPIPE, SIG_IGN);
}

/* With the first model: a test that is skipped is not torn down. */
static void make_folder(void)
{
    if (folder[0])
        return;
    snprintf(folder, sizeof folder, "/tmp/residua-memory-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    snprintf(model_path, sizeof model_path, "%s/model.safetensors", folder);
}

static void tear_down(void)
{
    unlink(coded_path);
    unlink(model_path);
    rmdir(folder);
}

TestSuite(model_memory, .init = set_up, .fini = tear_down, .timeout = 36000);

static double seconds_wanted(void)
{
    const char *minutes = getenv("RESIDUA_MINUTES"), *seconds = getenv("RESIDUA_SECONDS");

    return seconds ? atof(seconds) : minutes ? 60 * atof(minutes) : 5;
}

static void save_model_as(const AudioCodecConfig *cfg, Dtype stored_as)
{
    AudioCodec *codec;

    make_folder();
    ASSERT_OK(audio_codec_create_empty(&codec, cfg, AUDIO_USE_ALL, &err), err);
    for (size_t i = 0; i < codec->params->n_items; i++) {
        Tensor *tensor = codec->params->items[i].tensor;
        Rng rng = rng_at(1, RNG_TEST, 0, (uint32_t)i);
        int64_t fan_in = tensor->n_dims > 1 ? tensor_count(tensor) / tensor->shape[0] : 1;

        if (tensor->n_dims == 1)
            params_fill_constant(tensor, 0.5f); /* biases, and what a signal is multiplied by */
        else
            params_fill_uniform(tensor, &rng, 0.5f / sqrtf((float)fan_in));
    }
    ASSERT_OK(audio_codec_save(codec, model_path, stored_as, false, NULL, &err), err);
    audio_codec_destroy(&codec);
}

static void save_model(const AudioCodecConfig *cfg)
{
    save_model_as(cfg, DTYPE_F32);
}

/* Encodes and decodes `left` seconds. */
static void measure(const AudioCodecConfig *cfg, const char *ending, double left, long *encode_peak, long *decode_peak)
{
    double seconds = left;
    int channels = audio_codec_channels(cfg), fd;
    char *threads = getenv("RESIDUA_THREADS") ? getenv("RESIDUA_THREADS") : "1";
    char *encode[] = {"residua", "encode", "-qf", "-t", threads, "-m", model_path, "-o", coded_path, "-", NULL};
    char *decode[] = {"residua", "decode", "-q", "-t", threads, "-m", model_path, "-", NULL};
    int16_t *second = malloc((size_t)(cfg->rate_hz * channels) * sizeof *second);
    struct stat info;
    pid_t pid;

    snprintf(coded_path, sizeof coded_path, "%s/coded.%s", folder, ending);
    for (int i = 0; i < cfg->rate_hz * channels; i++)
        second[i] = (int16_t)lrint(9000.0 * sin(0.05 * i) * sin(0.0003 * i));
    pid = program_start(&fd, encode);
    program_feed_wav_header(fd, cfg->rate_hz, channels);
    for (; left > 0; left -= 1)
        program_feed(fd, second, (size_t)(channels * (int)(cfg->rate_hz * fmin(left, 1.0))) * sizeof *second);
    *encode_peak = program_finish(pid, fd);
    cr_assert_eq(stat(coded_path, &info), 0);
    fprintf(stderr, "%s, %g s of .%s: encode %.1f MB (%lld bytes coded)\n", cfg->name, seconds, ending, (double)*encode_peak / MB,
            (long long)info.st_size);
    pid = program_start(&fd, decode);
    program_feed_file(fd, coded_path);
    *decode_peak = program_finish(pid, fd);
    free(second);
    fprintf(stderr, "%s, %g s of .%s: decode %.1f MB\n", cfg->name, seconds, ending, (double)*decode_peak / MB);
}

/* Limits in kB. */
static void assert_fits(const AudioCodecConfig *cfg, const char *ending, long encode_limit, long decode_limit)
{
    long encode_peak, decode_peak;

    measure(cfg, ending, seconds_wanted(), &encode_peak, &decode_peak);
    cr_expect(encode_peak > 0 && encode_peak < encode_limit, "encode: %ld kB", encode_peak);
    cr_expect(decode_peak > 0 && decode_peak < decode_limit, "decode: %ld kB", decode_peak);
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define NEED_PLAIN_MEMORY() cr_skip_test("memory under a sanitizer is not the program's")
#else
#define NEED_PLAIN_MEMORY() ((void)0)
#endif
#define NEED_LONG()                                                                                                              \
    do {                                                                                                                         \
        NEED_PLAIN_MEMORY();                                                                                                     \
        if (!getenv("RESIDUA_LONG"))                                                                                             \
            cr_skip_test("a long test: make check-long");                                                                        \
    } while (0)

static AudioCodecConfig encodec(const char *name, int rate_hz, int channels)
{
    AudioCodecConfig cfg;

    audio_codec_default_config(&cfg);
    snprintf(cfg.name, sizeof cfg.name, "%s", name);
    cfg.rate_hz = rate_hz;
    cfg.seanet.channels = channels;
    cfg.seanet.base_channels = 32;
    cfg.seanet.latent_dim = cfg.rvq.dim = 128;
    cfg.seanet.n_lstm = 2;
    cfg.seanet.true_skip = false;
    cfg.seanet.pad = PAD_REFLECT;
    cfg.seanet.norm = SEANET_NORM_NONE; /* folded, as imported */
    cfg.rvq.n_q = 32;
    return cfg;
}

static AudioCodecConfig encodec_48(const char *name)
{
    AudioCodecConfig cfg = encodec(name, 48000, 2);

    cfg.seanet.causal = false;
    cfg.seanet.norm = SEANET_NORM_GROUP;
    cfg.rvq.n_q = 16;
    cfg.normalize = true;
    cfg.segment_seconds = 1.0;
    cfg.segment_overlap = 0.01;
    return cfg;
}

Test(model_memory, encodec_24_khz)
{
    AudioCodecConfig cfg = encodec("encodec_24khz", 24000, 1);

    NEED_LONG();
    save_model(&cfg);
    assert_fits(&cfg, "ecdc", 200 * MB, 200 * MB);
}

Test(model_memory, encodec_48_khz)
{
    AudioCodecConfig cfg = encodec_48("encodec_48khz");

    NEED_LONG();
    save_model(&cfg);
    assert_fits(&cfg, "ecdc", 200 * MB, 200 * MB);
}

/* The decoder has 54 million numbers, 216 MB; the largest wait in a file. */
static AudioCodecConfig dac(void)
{
    return (AudioCodecConfig){.name = "dac_44khz",
                              .rate_hz = 44100,
                              .network = AUDIO_DAC,
                              .dac = {.encoder_dim = 64,
                                      .n_encoder_rates = 4,
                                      .encoder_rates = {2, 4, 8, 8},
                                      .latent_dim = 1024,
                                      .decoder_dim = 1536,
                                      .n_decoder_rates = 4,
                                      .decoder_rates = {8, 8, 4, 2}},
                              .projected_rvq = {.n_q = 9, .codebook_size = 1024, .code_dim = 8, .dim = 1024}};
}

Test(model_memory, dac_44_khz_files)
{
    AudioCodecConfig cfg = dac();

    NEED_LONG();
    save_model(&cfg);
    assert_fits(&cfg, "dac", 200 * MB, 200 * MB);
}

Test(model_memory, dac_44_khz_streams)
{
    AudioCodecConfig cfg = dac();

    NEED_LONG();
    save_model(&cfg);
    assert_fits(&cfg, "rsd", 200 * MB, 200 * MB);
}

Test(model_memory, dac_44_khz_streams_without_room_for_a_file)
{
    AudioCodecConfig cfg = dac();
    long encode_peak, decode_peak;

    NEED_LONG();
    setenv("TMPDIR", "/nonexistent/folder", 1);
    save_model(&cfg);
    measure(&cfg, "rsd", 1.0, &encode_peak, &decode_peak);
    cr_expect(decode_peak > 216 * 1000 && decode_peak < 280 * MB, "decode: %ld kB", decode_peak);
}

/* Converted with --half. */
Test(model_memory, dac_44_khz_of_halves)
{
    AudioCodecConfig cfg = dac();

    NEED_LONG();
    save_model_as(&cfg, DTYPE_F16);
    assert_fits(&cfg, "dac", 200 * MB, 200 * MB);
}

/* The least of three runs: mapped libraries vary by more than what a recording could add. */
static void measure_least(const AudioCodecConfig *cfg, const char *ending, double seconds, long *encode, long *decode)
{
    *encode = *decode = LONG_MAX;
    for (int i = 0; i < 3; i++) {
        long encoding, decoding;

        measure(cfg, ending, seconds, &encoding, &decoding);
        unlink(coded_path);
        *encode = encoding < *encode ? encoding : *encode;
        *decode = decoding < *decode ? decoding : *decode;
    }
}

/* What is left to grow are the codes of a .dac file. */
Test(model_memory, a_longer_recording_takes_no_more)
{
    const char *endings[] = {"dac", "ecdc"};
    AudioCodecConfig narrow = {.name = "narrow_dac",
                               .rate_hz = 8000,
                               .network = AUDIO_DAC,
                               .dac = {.encoder_dim = 2,
                                       .n_encoder_rates = 2,
                                       .encoder_rates = {4, 8},
                                       .latent_dim = 4,
                                       .decoder_dim = 8,
                                       .n_decoder_rates = 2,
                                       .decoder_rates = {8, 4}},
                               .projected_rvq = {.n_q = 2, .codebook_size = 16, .code_dim = 2, .dim = 4}};

    NEED_PLAIN_MEMORY();
    for (int i = 0; i < 2; i++) {
        long encode[2], decode[2];

        if (i == 1) {
            narrow = encodec("narrow_encodec", 8000, 1);
            narrow.seanet.base_channels = 4;
            narrow.seanet.n_lstm = 0;
            narrow.seanet.latent_dim = narrow.rvq.dim = 8;
            narrow.rvq.n_q = 2;
        }
        save_model(&narrow);
        measure_least(&narrow, endings[i], 20, &encode[0], &decode[0]);
        measure_least(&narrow, endings[i], 120, &encode[1], &decode[1]);
        unlink(model_path);
        cr_expect(encode[1] - encode[0] < MAX_GROWTH && decode[1] - decode[0] < MAX_GROWTH,
                  ".%s: encode from %ld to %ld kB, decode from %ld to %ld kB", endings[i], encode[0], encode[1], decode[0], decode[1]);
    }
}

/* Beside what varies from run to run, `held` times the size of the file: of a .dac file codes and bytes wait for loudness and length, and of
 * an .ecdc file from a pipe the codes. */
static void expect_no_growth(const AudioCodecConfig *cfg, const char *ending, double seconds, int held)
{
    struct stat info;
    long encode[2], decode[2], allowed;

    measure(cfg, ending, 60, &encode[0], &decode[0]);
    unlink(coded_path);
    measure(cfg, ending, seconds, &encode[1], &decode[1]);
    cr_assert_eq(stat(coded_path, &info), 0);
    unlink(coded_path);
    allowed = HOUR_GROWTH + held * (long)(info.st_size / 1024);
    cr_expect(encode[1] - encode[0] < allowed && decode[1] - decode[0] < allowed,
              ".%s: encode from %ld to %ld kB, decode from %ld to %ld kB, expected less than %ld kB more", ending, encode[0], encode[1],
              decode[0], decode[1], allowed);
}

/* Networks of the published strides, stages and windows with few channels, for which an hour is no long time: weights and windows take less,
 * and what depends on the length is all the same. */
Test(model_memory, an_hour_takes_no_more_than_a_minute)
{
    const double seconds = getenv("RESIDUA_MINUTES") || getenv("RESIDUA_SECONDS") ? seconds_wanted() : 3600;
    AudioCodecConfig cfg = dac();

    NEED_LONG();
    snprintf(cfg.name, sizeof cfg.name, "narrow_dac_44khz");
    cfg.dac.encoder_dim = 1;
    cfg.dac.decoder_dim = 16;
    cfg.dac.latent_dim = cfg.projected_rvq.dim = 16;
    cfg.projected_rvq.code_dim = 2;
    save_model(&cfg);
    expect_no_growth(&cfg, "rsd", seconds, 0);
    expect_no_growth(&cfg, "dac", seconds, 4);

    cfg = encodec_48("narrow_encodec_48khz");
    cfg.seanet.base_channels = 2;
    cfg.seanet.latent_dim = cfg.rvq.dim = 4;
    save_model(&cfg);
    expect_no_growth(&cfg, "ecdc", seconds, 3);
}
