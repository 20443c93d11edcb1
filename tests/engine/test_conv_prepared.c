/* test_conv_prepared.c - weights laid out ahead, as floats and as halves, and sums onto what is there: the same bits.
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>

#include "conv_bench.h"
#include "engine/kernels/kernels.h"
#include "engine/kernels/point.h"
#include "engine/ops/arithmetic.h"
#include "engine/ops/conv1d.h"
#include "engine/ops/conv_run.h"

Test(conv_prepared, prepared_weights_give_the_same_bits_and_are_not_used_while_recording)
{
    for (uint32_t i = 0; i < 80; i++) {
        Rng rng = rng_at(conv_seed(), RNG_TEST, 11, i);
        ConvCase c = oracle_random_case(&rng, 4);
        Tensor *plain, *prepared, *recorded;
        ConvBench bench;

        conv_bench_open(&bench, kernels_pick()->name, 1);
        conv_make_tensors(&bench, &c, &rng);
        cr_assert_eq(conv_run_op(&bench, &c), RSD_OK);
        plain = bench.y;
        cr_assert_eq((c.transposed ? conv_transpose1d_prepare : conv1d_prepare)(bench.tape, bench.w, &c.p, &bench.err), RSD_OK, "%s",
                     bench.err.text);
        cr_assert_eq(conv_run_op(&bench, &c), RSD_OK);
        prepared = bench.y;
        conv_assert_same_bits(plain->data, prepared->data, tensor_count(plain), "prepared", &c);
        /* A recorded call must see the weight of now, not the one of preparation. */
        for (int64_t k = 0; k < tensor_count(bench.w); k++)
            bench.w->data[k] *= 2.0f;
        if (bench.b)
            for (int64_t k = 0; k < tensor_count(bench.b); k++)
                bench.b->data[k] *= 2.0f;
        bench.tape->recording = true;
        cr_assert_eq(conv_run_op(&bench, &c), RSD_OK);
        recorded = bench.y;
        for (int64_t k = 0; k < tensor_count(plain); k++)
            plain->data[k] *= 2.0f;
        conv_assert_same_bits(plain->data, recorded->data, tensor_count(plain), "recorded", &c);
        conv_bench_close(&bench);
    }
}

/* What the arena holds for a prepared weight, in bytes; one large block is there from the start. */
static size_t prepared_size(ConvBench *bench, const ConvCase *c, bool as_halves)
{
    ArenaMark before = arena_mark(bench->tape->arena);

    cr_assert_eq((c->transposed ? conv_transpose1d_prepare : conv1d_prepare)(bench->tape, bench->w, &c->p, &bench->err), RSD_OK);
    if (as_halves)
        cr_assert_eq(conv_prepare_halves(bench->tape, bench->w, before, &bench->err), RSD_OK);
    return arena_mark(bench->tape->arena).used - before.used;
}

Test(conv_prepared, weights_that_are_halves_are_kept_as_such_with_the_same_bits)
{
    for (size_t s = 1; s < CONV_N_SETS && kernels_named(conv_set_names[s]); s++)
        for (uint32_t i = 0; i < 60; i++) {
            Rng rng = rng_at(conv_seed(), RNG_TEST, 13, i);
            ConvCase c = oracle_random_case(&rng, 4);
            const PointKernels *point = kernels_named(conv_set_names[s])->point;
            Tensor *plain;
            ConvBench bench;
            size_t wide;
            void *room;

            conv_bench_open(&bench, conv_set_names[s], 1);
            conv_make_tensors(&bench, &c, &rng);
            cr_assert_eq(arena_alloc(bench.tape->arena, &room, 1 << 22, 1, &bench.err), RSD_OK);
            tape_reset(bench.tape);
            wide = prepared_size(&bench, &c, false);
            cr_assert_eq(prepared_size(&bench, &c, true), wide, "numbers that are no halves were narrowed");
            for (int64_t k = 0; k < tensor_count(bench.w); k++) {
                uint16_t half;

                point->to_half(&bench.w->data[k], &half, 1);
                point->from_half(&half, &bench.w->data[k], 1);
            }
            bench.w->prepared = NULL;
            cr_assert_eq(conv_run_op(&bench, &c), RSD_OK);
            plain = bench.y;
            if (wide >= 1024) /* else the head of it is most of it, or nothing is packed */
                cr_assert_lt(prepared_size(&bench, &c, true), wide * 3 / 4, "%s", conv_set_names[s]);
            else
                prepared_size(&bench, &c, true);
            cr_assert_eq(conv_run_op(&bench, &c), RSD_OK);
            conv_assert_same_bits(plain->data, bench.y->data, tensor_count(plain), "halves", &c);
            conv_bench_close(&bench);
        }
}

Test(conv_prepared, added_in_place_has_the_bits_of_a_sum_afterwards)
{
    for (size_t s = 0; s < CONV_N_SETS && kernels_named(conv_set_names[s]); s++)
        for (uint32_t i = 0; i < 60; i++) {
            Rng rng = rng_at(conv_seed(), RNG_TEST, 12, i);
            ConvCase c = oracle_random_case(&rng, 4);
            Tensor *sum, *onto;
            ConvBench bench;

            if (c.transposed)
                continue;
            conv_bench_open(&bench, conv_set_names[s], 1);
            conv_make_tensors(&bench, &c, &rng);
            cr_assert_eq(conv_run_op(&bench, &c), RSD_OK);
            cr_assert_eq(tape_tensor(bench.tape, &onto, 3, bench.y->shape, &bench.err), RSD_OK);
            for (int64_t k = 0; k < tensor_count(onto); k++)
                onto->data[k] = rng_normal(&rng);
            cr_assert_eq(op_add(bench.tape, onto, bench.y, &sum, &bench.err), RSD_OK);
            cr_assert_eq(op_conv1d_onto(bench.tape, bench.x, bench.w, bench.b, &c.p, onto, &bench.err), RSD_OK, "%s", bench.err.text);
            conv_assert_same_bits(sum->data, onto->data, tensor_count(sum), "onto", &c);
            onto->shape[2]++;
            cr_assert_eq(op_conv1d_onto(bench.tape, bench.x, bench.w, bench.b, &c.p, onto, &bench.err), RSD_ERR_ARG);
            bench.tape->recording = true;
            onto->shape[2]--;
            cr_assert_eq(op_conv1d_onto(bench.tape, bench.x, bench.w, bench.b, &c.p, onto, &bench.err), RSD_ERR_ARG);
            conv_bench_close(&bench);
        }
}
