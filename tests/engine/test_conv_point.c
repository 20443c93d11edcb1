/* test_conv_point.c - convolutions of one tap in bfloat16: near those in float, and the same for any number of threads.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "engine/base/rng.h"
#include "engine/kernels/gemm.h"
#include "engine/ops/conv2d.h"
#include "tests/shared.h"

typedef struct Shape {
    int64_t batch, c_in, c_out, h, n;
} Shape;

#define MOST (3 * 130 * 24 * 25)

/* y, and gradients in the order x, w, b. */
typedef struct Results {
    int64_t count[4];
    float values[4][MOST];
} Results;

static void fill(float *x, int64_t n, uint32_t sample)
{
    Rng rng = rng_at(33, RNG_TEST, 0, sample);

    for (int64_t i = 0; i < n; i++)
        x[i] = (float)rng_u32(&rng) * 0x1p-31f - 1.0f;
}

static Tensor *random_leaf(Tape *tape, int n_dims, const int64_t *shape, uint32_t sample)
{
    static float room[MOST];
    int64_t count = 1;
    Tensor *leaf;
    RsdError err = {0};

    for (int i = 0; i < n_dims; i++)
        count *= shape[i];
    fill(room, count, sample);
    ASSERT_OK(tape_input(tape, &leaf, n_dims, shape, room, &err), err);
    leaf->needs_grad = true;
    return leaf;
}

static void take(Results *results, int i, const float *values, int64_t count)
{
    results->count[i] = count;
    memcpy(results->values[i], values, (size_t)count * sizeof *values);
}

/* Two rounds over one record, so that gradients are added to as well; relu: through the op that rectifies. */
static void run(const Shape *s, TapePrecision precision, int n_threads, bool relu, Results *results)
{
    static float dy[MOST];
    const Conv2dParams p = {0};
    RsdThreads *threads = NULL;
    Tape *tape = NULL;
    Tensor *x, *w, *b, *y;
    RsdError err = {0};

    ASSERT_OK(rsd_threads_create(&threads, n_threads, &err), err);
    ASSERT_OK(tape_create(&tape, threads, 0, &err), err);
    tape->recording = true;
    tape->precision = precision;
    x = random_leaf(tape, 4, (int64_t[]){s->batch, s->c_in, s->h, s->n}, 1);
    w = random_leaf(tape, 4, (int64_t[]){s->c_out, s->c_in, 1, 1}, 2);
    b = random_leaf(tape, 1, &s->c_out, 3);
    if (relu)
        ASSERT_OK(op_conv2d_relu(tape, x, &(Conv2dBranch){w, b, p}, 1, &y, &err), err);
    else
        ASSERT_OK(op_conv2d(tape, x, w, b, &p, &y, &err), err);
    fill(dy, tensor_count(y), 4);
    for (int round = 0; round < 2; round++)
        ASSERT_OK(tape_backward_from(tape, y, dy, &err), err);
    take(results, 0, y->data, tensor_count(y));
    take(results, 1, x->grad, tensor_count(x));
    take(results, 2, w->grad, tensor_count(w));
    take(results, 3, b->grad, tensor_count(b));
    tape_destroy(&tape);
    rsd_threads_destroy(&threads);
}

static const Shape shapes[] = {{3, 64, 128, 24, 25}, {2, 130, 48, 7, 5}, {1, 16, 16, 1, 1}, {3, 33, 20, 1, 77}, {2, 8, 64, 6, 6}};

/* Two operands rounded to 8 bits each: a part in 256 of each product, and of a sum of random ones that of its root mean square. */
static void expect_near(const Results *got, const Results *expected, int i, double terms)
{
    for (int64_t k = 0; k < got->count[i]; k++)
        cr_assert(fabs((double)got->values[i][k] - (double)expected->values[i][k]) <= 0.01 * sqrt(terms), "%d, %lld: %g, not %g", i,
                  (long long)k, (double)got->values[i][k], (double)expected->values[i][k]);
}

static bool same(const Results *a, const Results *b, int i)
{
    return memcmp(a->values[i], b->values[i], (size_t)a->count[i] * sizeof a->values[i][0]) == 0;
}

Test(conv_point, rounded_products_are_near_those_of_floats)
{
    static Results f32, rounded;

    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int relu = 0; relu < 2; relu++) {
            const Shape *s = &shapes[i];
            const bool takes = s->c_in >= 16 && kernels_pick()->gemm->bfloat_is_fast();

            run(s, TAPE_F32, 1, relu, &f32);
            run(s, TAPE_BF16_GRADIENTS, 1, relu, &rounded);
            cr_assert(same(&f32, &rounded, 0), "the forward pass must stay as it is");
            cr_assert(same(&f32, &rounded, 2) == !takes, "shape %zu: weight gradients %s", i, takes ? "in float" : "rounded");
            if (!relu) { /* what the rectifier lets through may differ by rounding */
                run(s, TAPE_BF16, 1, relu, &rounded);
                cr_assert(same(&f32, &rounded, 0) == !takes);
                expect_near(&rounded, &f32, 0, (double)s->c_in);
            }
            run(s, TAPE_BF16_GRADIENTS, 1, relu, &rounded);
            expect_near(&rounded, &f32, 1, 4.0 * (double)s->c_out);
            expect_near(&rounded, &f32, 2, 4.0 * (double)(s->batch * s->h * s->n));
            expect_near(&rounded, &f32, 3, 0.001 * (double)(s->batch * s->h * s->n));
        }
}

Test(conv_point, threads_do_not_change_bits)
{
    static Results one, three;

    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int relu = 0; relu < 2; relu++) {
            run(&shapes[i], TAPE_BF16, 1, relu, &one);
            run(&shapes[i], TAPE_BF16, 3, relu, &three);
            for (int k = 0; k < 4; k++)
                cr_assert(same(&one, &three, k), "shape %zu, result %d", i, k);
        }
}
