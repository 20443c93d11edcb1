/* main.c - `make bench`: every figure of speed in one program.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/kernels/kernels.h"
#include "tests/bench/bench.h"

static const struct {
    const char *name;
    void (*run)(Bench *bench);
} parts[] = {{"conv", bench_conv}, {"conv2d", bench_conv2d}, {"search", bench_search}, {"ops", bench_ops},
             {"step", bench_step}, {"gan", bench_gan}, {"codec", bench_codec}, {"dac", bench_dac}, {"image", bench_image},
             {"audio", bench_audio},
             {"encodec", bench_encodec}, {"picture", bench_picture}, {"effort", bench_effort},
             {"picture-codec", bench_picture_codec},
             {"rans", bench_rans}, {"integer", bench_integer}, {"start", bench_start}};

static int usage(void)
{
    fprintf(stderr, "usage: bench [--json] [--only PART] [--seconds S] [--no-peer]; parts:");
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        fprintf(stderr, " %s", parts[i].name);
    fprintf(stderr, "\n");
    return 2;
}

int main(int argc, char **argv)
{
    Bench bench = {.peer = true, .seconds = 0.3};
    const char *only = NULL;
    bool found = false;
    RsdError err;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0)
            bench.json = true;
        else if (strcmp(argv[i], "--no-peer") == 0)
            bench.peer = false;
        else if (strcmp(argv[i], "--only") == 0 && i + 1 < argc)
            only = argv[++i];
        else if (strcmp(argv[i], "--seconds") == 0 && i + 1 < argc)
            bench.seconds = atof(argv[++i]);
        else
            return usage();
    }
    bench_must(rsd_threads_create(&bench.threads, 1, &err), &err);
    bench_must(tape_create(&bench.tape, bench.threads, 0, &err), &err);
    if (!bench.json)
        printf("kernels: %s; times are the fastest of the runs in %.1f s each\n", kernels_pick()->name, bench.seconds);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (!only || strcmp(only, parts[i].name) == 0) {
            parts[i].run(&bench);
            found = true;
        }
    tape_destroy(&bench.tape);
    rsd_threads_destroy(&bench.threads);
    return found ? 0 : usage();
}
