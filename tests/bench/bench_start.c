/* bench_start.c - how long the program takes to start and to end, which is what each small command costs at least.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/bench/bench.h"

#define TARGET_S 0.020

void bench_start(Bench *bench)
{
    char *const arguments[] = {"residua", "--version", NULL};
    BenchTime best;

    bench_heading(bench, "start of the program");
    if (!bench_program(bench, arguments, &best))
        return;
    bench_print(bench, &(BenchFigure){.part = "start", .what = "residua --version, by the clock", .seconds = best.clock_s,
                                      .ratio = TARGET_S / best.clock_s, .ratio_to = "20 ms", .target = 1.0});
    bench_print(bench, &(BenchFigure){.part = "start", .what = "residua --version, processor time", .seconds = best.cpu_s});
}
