/* test_resources.c - what the tool costs: memory that does not grow with the input, and a start that nobody notices.
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/cli/program.h"
#include "tests/codec/tiny_codec.h"
#include "tests/shared.h"

#define RATE_HZ 8000
#define MINUTE ((size_t)60 * RATE_HZ)
#define PATH_SIZE 256
#define MAX_PEAK_KB (150 * 1024) /* for one hour */
#define FEW_MINUTES 5
#define MAX_GROWTH_KB 4096 /* from some minutes to one hour, whose samples take 115 MB; mapped libraries vary by 2 MB */
#define MAX_START_PAGES 600 /* of 4 KiB; the libraries of the world's media would add thousands */

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

static char folder[PATH_SIZE], model_path[PATH_SIZE + 32], stream_path[PATH_SIZE + 32];

static void set_up(void)
{
    AudioCodec *codec = tiny_codec_create(1, 7);
    RsdError err = {0};

    signal(SIGPIPE, SIG_IGN);
    snprintf(folder, sizeof folder, "/tmp/residua-resources-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    snprintf(model_path, sizeof model_path, "%s/tiny.safetensors", folder);
    snprintf(stream_path, sizeof stream_path, "%s/stream.rsd", folder);
    ASSERT_OK(audio_codec_save(codec, model_path, DTYPE_F32, false, NULL, &err), err);
    audio_codec_destroy(&codec);
}

static void tear_down(void)
{
    unlink(stream_path);
    unlink(model_path);
    rmdir(folder);
}

TestSuite(resources, .init = set_up, .fini = tear_down);

static long encode_peak_kb(size_t n_minutes)
{
    char *arguments[] = {"residua", "encode", "-qf", "-t", "1", "-m", model_path, "-o", stream_path, "-", NULL};
    int16_t *minute = malloc(MINUTE * sizeof *minute);
    int fd;
    pid_t pid = program_start(&fd, arguments);

    cr_assert_not_null(minute);
    for (size_t i = 0; i < MINUTE; i++)
        minute[i] = (int16_t)lrint(9000.0 * sin(0.2 * (double)i) * sin(0.0003 * (double)i));
    program_feed_wav_header(fd, RATE_HZ, 1);
    for (size_t i = 0; i < n_minutes; i++)
        program_feed(fd, minute, MINUTE * sizeof *minute);
    free(minute);
    return program_finish(pid, fd);
}

static long decode_peak_kb(void)
{
    char *arguments[] = {"residua", "decode", "-q", "-t", "1", "-m", model_path, "-", NULL};
    int fd;
    pid_t pid = program_start(&fd, arguments);

    program_feed_file(fd, stream_path);
    return program_finish(pid, fd);
}

Test(resources, an_hour_takes_the_memory_of_some_minutes, .timeout = 300)
{
    long encode_few, decode_few, encode_hour, decode_hour;

#ifdef SANITIZED
    tear_down();
    cr_skip_test("memory under a sanitizer is not the program's");
#endif
    encode_few = encode_peak_kb(FEW_MINUTES);
    decode_few = decode_peak_kb();
    encode_hour = encode_peak_kb(60);
    decode_hour = decode_peak_kb();
    cr_expect(encode_few > 0 && encode_hour < MAX_PEAK_KB && encode_hour - encode_few < MAX_GROWTH_KB,
              "encode: %ld kB for some minutes, %ld kB for an hour", encode_few, encode_hour);
    cr_expect(decode_few > 0 && decode_hour < MAX_PEAK_KB && decode_hour - decode_few < MAX_GROWTH_KB,
              "decode: %ld kB for some minutes, %ld kB for an hour", decode_few, decode_hour);
}

/* The pages a start touches stand for its time, and are the same on a busy machine: `make bench` prints the time itself. */
Test(resources, a_start_touches_few_pages)
{
    char *arguments[] = {"residua", "info", model_path, NULL};
    struct rusage usage;
    int fd, status;
    pid_t pid;

#ifdef SANITIZED
    tear_down();
    cr_skip_test("a sanitizer touches pages of its own");
#endif
    pid = program_start(&fd, arguments);
    close(fd);
    cr_assert_eq(wait4(pid, &status, 0, &usage), pid);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    cr_expect(usage.ru_minflt + usage.ru_majflt < MAX_START_PAGES, "%ld pages", usage.ru_minflt + usage.ru_majflt);
}
