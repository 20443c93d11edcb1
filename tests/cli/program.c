/* program.c - fork, a pipe, /proc.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/cli/program.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/bytes.h"
#include "tests/shared.h"

#define LOOK_US 5000

pid_t program_start(int *pipe_end, char *const *arguments)
{
    int ends[2], null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    SharedPath program;
    pid_t pid;

    build_path(&program, "residua");
    cr_assert(null >= 0 && pipe2(ends, O_CLOEXEC) == 0);
    pid = fork();
    cr_assert(pid >= 0);
    if (pid == 0) {
        if (dup2(ends[0], STDIN_FILENO) >= 0 && dup2(null, STDOUT_FILENO) >= 0)
            execv(program.text, arguments);
        _exit(127);
    }
    close(ends[0]);
    close(null);
    *pipe_end = ends[1];
    /* What waits in the pipe has not been worked on: as little as possible. */
    fcntl(ends[1], F_SETPIPE_SZ, 4096);
    return pid;
}

void program_feed(int pipe_end, const void *data, size_t size)
{
    for (const char *at = data; size;) {
        ssize_t n = write(pipe_end, at, size);

        cr_assert(n > 0, "the program stopped reading");
        at += n;
        size -= (size_t)n;
    }
}

void program_feed_wav_header(int pipe_end, int rate_hz, int channels)
{
    uint8_t header[44] = "RIFF\xff\xff\xff\xffWAVEfmt \x10\0\0\0\1\0";

    header[22] = (uint8_t)channels;
    put_u32le(header + 24, (uint32_t)rate_hz);
    put_u32le(header + 28, (uint32_t)(2 * rate_hz * channels));
    header[32] = (uint8_t)(2 * channels);
    header[34] = 16;
    memcpy(header + 36, "data\xff\xff\xff\xff", 8);
    program_feed(pipe_end, header, sizeof header);
}

void program_feed_file(int pipe_end, const char *path)
{
    FILE *file = fopen(path, "rb");
    char block[4096];
    size_t n;

    cr_assert_not_null(file, "%s", path);
    while ((n = fread(block, 1, sizeof block, file)) > 0)
        program_feed(pipe_end, block, n);
    fclose(file);
}

long program_peak_kb(pid_t pid)
{
    char path[64], line[256];
    long peak = -1;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%ld/status", (long)pid);
    file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file))
        sscanf(line, "VmHWM: %ld", &peak);
    if (file)
        fclose(file);
    return peak;
}

long program_finish(pid_t pid, int pipe_end)
{
    long peak = program_peak_kb(pid), now;
    pid_t ended;
    int status;

    close(pipe_end);
    while ((ended = waitpid(pid, &status, WNOHANG)) == 0) {
        now = program_peak_kb(pid);
        peak = now > peak ? now : peak;
        usleep(LOOK_US);
    }
    cr_assert_eq(ended, pid);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the program failed with status %x", (unsigned)status);
    return peak;
}
