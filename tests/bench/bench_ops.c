/* bench_ops.c - forward and backward of every row of the op table that has a large shape.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>

#include "tests/bench/bench.h"
#include "tests/engine/op_table.h"

typedef struct Run {
    Tape *tape;
    const OpRow *row;
    Tensor *in[OP_MAX_INPUTS], *y;
    ArenaMark mark;
} Run;

static void run_forward(void *ctx)
{
    Run *run = ctx;
    RsdError err;

    arena_rewind(run->tape->arena, run->mark);
    run->tape->last = NULL;
    bench_must(run->row->apply(run->tape, run->row, run->in, &run->y, &err), &err);
}

static void run_both(void *ctx)
{
    Run *run = ctx;
    RsdError err;

    for (int i = 0; i < run->row->n_inputs; i++)
        run->in[i]->grad = NULL;
    run_forward(run);
    bench_must(tape_backward_from(run->tape, run->y, run->y->data, &err), &err);
}

void bench_ops(Bench *bench)
{
    const OpRow *row;

    bench_heading(bench, "Ops on one thread; backward includes forward and a copy of the gradient");
    for (size_t i = 0; (row = op_table_row(i)) != NULL; i++) {
        Run run = {.tape = bench->tape, .row = row};
        int64_t count = 0;
        char what[64];
        double seconds;
        RsdError err;

        if (!op_row_is_timed(row))
            continue;
        bench_must(op_row_inputs(run.tape, row, true, 1, run.in, &err), &err);
        for (int j = 0; j < row->n_inputs; j++)
            count += tensor_count(run.in[j]);
        run.mark = arena_mark(run.tape->arena);
        for (int both = 0; both < 2; both++) {
            run.tape->recording = both == 1;
            seconds = bench_fastest(bench, both ? run_both : run_forward, &run);
            snprintf(what, sizeof what, "%s, %s", row->name, both ? "forward and backward" : "forward");
            bench_print(bench, &(BenchFigure){.part = "ops",
                                              .what = what,
                                              .seconds = seconds,
                                              .rate = (double)count / seconds * 1e-6,
                                              .unit = "Melem/s"});
        }
        run.tape->recording = false;
        tape_reset(run.tape);
    }
}
