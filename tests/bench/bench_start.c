/* bench_start.c - how long the program takes to start and to end, which is what each small command costs at least.
 *
 * SPDX-License-Identifier: MIT
 */
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <math.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/bench.h"

#define TARGET_S 0.020
#define MIN_STARTS 20

extern char **environ;

/* The program of this build: the bench lies in its folder `tests/bench`. */
static bool program_path(char path[PATH_MAX])
{
    char self[PATH_MAX];
    ssize_t size = readlink("/proc/self/exe", self, sizeof self - 1);

    if (size < 0)
        return false;
    self[size] = '\0';
    return snprintf(path, PATH_MAX, "%s/../../residua", dirname(self)) < PATH_MAX && access(path, X_OK) == 0;
}

/* Seconds by the clock and of the processor that `residua --version` took; false: it did not run. */
static bool start(const char *path, BenchTime *time)
{
    char *arguments[] = {"residua", "--version", NULL};
    posix_spawn_file_actions_t actions;
    struct rusage usage;
    double from = bench_now();
    pid_t pid;
    int status;
    bool started;

    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    started = posix_spawn(&pid, path, &actions, NULL, arguments, environ) == 0;
    posix_spawn_file_actions_destroy(&actions);
    if (!started || wait4(pid, &status, 0, &usage) != pid || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return false;
    time->clock_s = bench_now() - from;
    time->cpu_s = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                  1e-6 * (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
    return true;
}

void bench_start(Bench *bench)
{
    BenchTime best = {.clock_s = INFINITY, .cpu_s = INFINITY}, time;
    double until = bench_now() + bench->seconds;
    char path[PATH_MAX];

    bench_heading(bench, "start of the program");
    if (!program_path(path)) {
        fprintf(stderr, "bench: no program `residua` beside the folder of this one: `make all` builds it\n");
        return;
    }
    for (int i = 0; i < MIN_STARTS || bench_now() < until; i++) {
        if (!start(path, &time)) {
            fprintf(stderr, "bench: %s --version does not run\n", path);
            return;
        }
        best.clock_s = fmin(best.clock_s, time.clock_s);
        best.cpu_s = fmin(best.cpu_s, time.cpu_s);
    }
    bench_print(bench, &(BenchFigure){.part = "start", .what = "residua --version, by the clock", .seconds = best.clock_s,
                                      .ratio = TARGET_S / best.clock_s, .ratio_to = "20 ms", .target = 1.0});
    bench_print(bench, &(BenchFigure){.part = "start", .what = "residua --version, processor time", .seconds = best.cpu_s});
}
