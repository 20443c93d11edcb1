/* test_by_lines.c - a few lines at a time give the bits of the ordinary ops.
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>
#include <string.h>

#include "engine/base/rng.h"
#include "engine/kernels/kernels.h"
#include "engine/ops/by_lines.h"
#include "engine/ops/conv2d.h"

#define SEED 20261129

typedef struct Rig {
    RsdThreads *threads;
    Tape *tape, *frozen;
    Rng rng;
    RsdError err;
} Rig;

static Rig open_rig(const Kernels *kernels)
{
    Rig rig = {.rng = rng_at(SEED, RNG_INIT, 0, 0)};

    cr_assert_eq(rsd_threads_create(&rig.threads, 2, &rig.err), RSD_OK);
    cr_assert_eq(tape_create(&rig.tape, rig.threads, 0, &rig.err), RSD_OK);
    cr_assert_eq(tape_create(&rig.frozen, rig.threads, 0, &rig.err), RSD_OK);
    rig.tape->kernels = rig.frozen->kernels = kernels;
    return rig;
}

static void close_rig(Rig *rig)
{
    tape_destroy(&rig->tape);
    tape_destroy(&rig->frozen);
    rsd_threads_destroy(&rig->threads);
}

static Tensor *draw(Rig *rig, int n_dims, const int64_t *shape)
{
    Tensor *tensor;

    cr_assert_eq(tape_tensor(rig->frozen, &tensor, n_dims, shape, &rig->err), RSD_OK);
    for (int64_t i = 0; i < tensor_count(tensor); i++)
        tensor->data[i] = rng_between(&rig->rng, -1.0f, 1.0f);
    return tensor;
}

static WeightPair draw_pair(Rig *rig, int64_t c_out, int64_t c_in, int64_t k)
{
    Tensor *weight = draw(rig, 4, (int64_t[]){c_out, c_in, k, k}), *bias = draw(rig, 1, &c_out);

    return (WeightPair){weight, bias};
}

static void prepare(Rig *rig, WeightPair *pair)
{
    const Conv2dParams p = {.pad = SIDES((int)(pair->weight->shape[3] / 2)), .groups = 1};

    cr_assert_eq(conv2d_prepare(rig->frozen, pair->weight, &p, &rig->err), RSD_OK, "%s", rig->err.text);
}

static void expect_same(const Tensor *a, const Tensor *b, const char *what, const char *set)
{
    cr_assert(tensor_same_shape(a, b), "%s, %s: another shape", what, set);
    for (int64_t i = 0; i < tensor_count(a); i++)
        cr_assert(memcmp(&a->data[i], &b->data[i], sizeof(float)) == 0, "%s, %s: element %lld is %.9g, expected %.9g (seed %d)", what, set,
                  (long long)i, (double)b->data[i], (double)a->data[i], SEED);
}

static const char *const sets[] = {"ref", "avx2", "avx512"};
static const int64_t sides[][2] = {{1, 1}, {2, 3}, {1, 70}, {31, 1}, {17, 23}, {64, 48}};
#define N_SIDES (sizeof sides / sizeof *sides)

Test(by_lines, a_block_has_the_bits_of_its_ops)
{
    for (size_t set = 0; set < 3; set++)
        for (size_t i = 0; kernels_named(sets[set]) && i < N_SIDES; i++)
            for (int64_t c = 5; c <= 96; c += 91) {
                Rig rig = open_rig(kernels_named(sets[set]));
                const SeparableBlock plain = {draw_pair(&rig, c, 1, i % 2 ? 3 : 5), draw_pair(&rig, 2 * c, c, 1),
                                              draw_pair(&rig, c, 2 * c, 1)};
                SeparableBlock ready = plain;
                Tensor *x = draw(&rig, 4, (int64_t[]){i == 4 ? 2 : 1, c, sides[i][0], sides[i][1]}), *room = draw(&rig, 4, x->shape);
                Tensor *expected, *y;

                cr_assert_eq(op_separable_block(rig.tape, x, &plain, NULL, &expected, &rig.err), RSD_OK, "%s", rig.err.text);
                prepare(&rig, &ready.in);
                prepare(&rig, &ready.out);
                cr_assert_eq(op_separable_block(rig.tape, x, &ready, room->data, &y, &rig.err), RSD_OK, "%s", rig.err.text);
                cr_assert_eq(y->data, room->data);
                expect_same(expected, y, "block", sets[set]);
                close_rig(&rig);
            }
}

Test(by_lines, a_convolution_with_a_shuffle_has_the_bits_of_its_ops)
{
    for (size_t set = 0; set < 3; set++)
        for (size_t i = 0; kernels_named(sets[set]) && i < N_SIDES; i++)
            for (int r = 1; r <= 4; r++) {
                Rig rig = open_rig(kernels_named(sets[set]));
                const int64_t c = 40, k = r == 4 ? 3 : r == 3 ? 5 : 1;
                WeightPair pair = draw_pair(&rig, 3 * r * r, c, k);
                Tensor *x = draw(&rig, 4, (int64_t[]){i == 4 ? 2 : 1, c, sides[i][0], sides[i][1]}), *expected, *y;

                cr_assert_eq(op_conv2d_shuffle(rig.tape, x, &pair, r, r > 2 ? 0.5f : 0.0f, NULL, &expected, &rig.err), RSD_OK, "%s",
                             rig.err.text);
                prepare(&rig, &pair);
                cr_assert_eq(op_conv2d_shuffle(rig.tape, x, &pair, r, r > 2 ? 0.5f : 0.0f, NULL, &y, &rig.err), RSD_OK, "%s",
                             rig.err.text);
                expect_same(expected, y, "shuffle", sets[set]);
                close_rig(&rig);
            }
}
