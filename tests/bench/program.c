/* program.c - the program `residua` of this build, run and timed.
 *
 * SPDX-License-Identifier: MIT
 */
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <math.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/bench.h"

#define MIN_RUNS 20

extern char **environ;

/* The bench lies in the folder `tests/bench` of the build. */
static bool find_program(char path[PATH_MAX])
{
    char self[PATH_MAX];
    ssize_t size = readlink("/proc/self/exe", self, sizeof self - 1);

    if (size < 0)
        return false;
    self[size] = '\0';
    return snprintf(path, PATH_MAX, "%s/../../residua", dirname(self)) < PATH_MAX && access(path, X_OK) == 0;
}

/* false: it did not run, or did not end with 0. */
static bool run_once(const char *path, char *const arguments[], BenchTime *time)
{
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

bool bench_program(const Bench *bench, char *const arguments[], BenchTime *best)
{
    double until = bench_now() + bench->seconds;
    char path[PATH_MAX];
    BenchTime time;

    *best = (BenchTime){INFINITY, INFINITY};
    if (!find_program(path)) {
        fprintf(stderr, "bench: no program `residua` beside the folder of this one: `make all` builds it\n");
        return false;
    }
    for (int i = 0; i < MIN_RUNS || bench_now() < until; i++) {
        if (!run_once(path, arguments, &time)) {
            fprintf(stderr, "bench: %s %s ... does not run\n", path, arguments[1]);
            return false;
        }
        best->clock_s = fmin(best->clock_s, time.clock_s);
        best->cpu_s = fmin(best->cpu_s, time.cpu_s);
    }
    return true;
}
