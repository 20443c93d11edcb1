/* conv_bench.c - one convolution of a signal on one kernel set.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/engine/conv_bench.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#include "engine/kernels/kernels.h"

const char *const conv_set_names[CONV_N_SETS] = {"ref", "avx2", "avx512"};

/* RESIDUA_SEED repeats a failure. */
uint64_t conv_seed(void)
{
    const char *text = getenv("RESIDUA_SEED");

    return text ? strtoull(text, NULL, 10) : 20240607;
}

void conv_bench_open(ConvBench *bench, const char *set, int n_threads)
{
    *bench = (ConvBench){.threads = NULL};
    cr_assert_eq(rsd_threads_create(&bench->threads, n_threads, &bench->err), RSD_OK, "%s", bench->err.text);
    cr_assert_eq(tape_create(&bench->tape, bench->threads, 0, &bench->err), RSD_OK, "%s", bench->err.text);
    bench->tape->kernels = kernels_named(set);
}

void conv_bench_close(ConvBench *bench)
{
    tensor_destroy(&bench->x);
    tensor_destroy(&bench->w);
    tensor_destroy(&bench->b);
    tape_destroy(&bench->tape);
    rsd_threads_destroy(&bench->threads);
}

Tensor *conv_random_tensor(Rng *rng, int n_dims, const int64_t *shape, float scale)
{
    Tensor *t;

    cr_assert_eq(tensor_create_param(&t, n_dims, shape, NULL), RSD_OK);
    for (int64_t i = 0; i < tensor_count(t); i++)
        t->data[i] = scale * rng_normal(rng);
    return t;
}

void conv_make_tensors(ConvBench *bench, const ConvCase *c, Rng *rng)
{
    int64_t groups = c->p.groups ? c->p.groups : 1;

    bench->x = conv_random_tensor(rng, 3, (int64_t[]){c->batch, c->c_in, c->n}, 1.0f);
    bench->w = conv_random_tensor(rng, 3,
                             c->transposed ? (int64_t[]){c->c_in, c->c_out / groups, c->k}
                                           : (int64_t[]){c->c_out, c->c_in / groups, c->k},
                             0.3f);
    bench->b = c->has_bias ? conv_random_tensor(rng, 1, (int64_t[]){c->c_out}, 1.0f) : NULL;
}

RsdStatus conv_run_op(ConvBench *bench, const ConvCase *c)
{
    return (c->transposed ? op_conv_transpose1d : op_conv1d)(bench->tape, bench->x, bench->w, bench->b, &c->p, &bench->y,
                                                             &bench->err);
}

void conv_assert_same_bits(const float *a, const float *b, int64_t count, const char *what, const ConvCase *c)
{
    char text[ORACLE_TEXT_SIZE];

    for (int64_t i = 0; i < count; i++)
        cr_assert(a[i] == b[i], "%s of %s: [%d] is %.9g and %.9g", what, oracle_text(text, c), (int)i, (double)a[i],
                  (double)b[i]);
}
