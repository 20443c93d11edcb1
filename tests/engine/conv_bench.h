/* conv_bench.h - one convolution of a signal on one kernel set, for the tests of conv1d, of prepared weights and of linear layers.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_TESTS_CONV_BENCH_H
#define RESIDUA_TESTS_CONV_BENCH_H

#include "conv_oracle.h"
#include "engine/tape.h"

#define CONV_N_SETS 3
extern const char *const conv_set_names[CONV_N_SETS];

/* RESIDUA_SEED repeats a failure. */
uint64_t conv_seed(void);

typedef struct ConvBench {
    RsdThreads *threads;
    Tape *tape;
    Tensor *x, *w, *b, *y;
    RsdError err;
} ConvBench;

void conv_bench_open(ConvBench *bench, const char *set, int n_threads);
void conv_bench_close(ConvBench *bench); /* with x, w and b */
Tensor *conv_random_tensor(Rng *rng, int n_dims, const int64_t *shape, float scale);
/* x, w and b of a case; y from them. */
void conv_make_tensors(ConvBench *bench, const ConvCase *c, Rng *rng);
RsdStatus conv_run_op(ConvBench *bench, const ConvCase *c);
void conv_assert_same_bits(const float *a, const float *b, int64_t count, const char *what, const ConvCase *c);

#endif
