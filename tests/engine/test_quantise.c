/* test_quantise.c - rounding with gradients that no difference quotient shows, and the floor of bits.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "engine/kernels/integer.h"
#include "engine/kernels/kernels.h"
#include "engine/ops/likelihood.h"
#include "engine/ops/quantise.h"
#include "tests/shared.h"

typedef struct Rig {
    RsdThreads *threads;
    Tape *tape;
    RsdError err;
} Rig;

static void open_rig(Rig *rig, int n_threads)
{
    memset(rig, 0, sizeof *rig);
    ASSERT_OK(rsd_threads_create(&rig->threads, n_threads, &rig->err), rig->err);
    ASSERT_OK(tape_create(&rig->tape, rig->threads, 0, &rig->err), rig->err);
    rig->tape->recording = true;
}

static void close_rig(Rig *rig)
{
    tape_destroy(&rig->tape);
    rsd_threads_destroy(&rig->threads);
}

static Tensor *leaf(Rig *rig, int64_t n, const float *values)
{
    Tensor *x;

    ASSERT_OK(tape_input(rig->tape, &x, 1, &n, values, &rig->err), rig->err);
    x->needs_grad = true;
    return x;
}

Test(quantise, rounding_goes_up_at_halves_and_passes_gradients_on)
{
    const float in[] = {-1.5f, -0.5f, -0.49f, 0.5f, 1.49f, 2.5f}, out[] = {-1, 0, 0, 1, 1, 3}, dy[] = {1, -2, 3, -4, 5, -6};
    Rig rig;
    Tensor *x, *y;

    open_rig(&rig, 1);
    x = leaf(&rig, 6, in);
    ASSERT_OK(op_round(rig.tape, x, &y, &rig.err), rig.err);
    for (int i = 0; i < 6; i++)
        cr_assert_float_eq(y->data[i], out[i], 0, "%g became %g", (double)in[i], (double)y->data[i]);
    ASSERT_OK(tape_backward_from(rig.tape, y, dy, &rig.err), rig.err);
    for (int i = 0; i < 6; i++)
        cr_assert_float_eq(x->grad[i], dy[i], 0);
    close_rig(&rig);
}

Test(quantise, beyond_a_bound_only_gradients_that_lead_back_pass)
{
    const float in[] = {-3, -3, 3, 3, 0.3f}, dy[] = {1, -1, 1, -1, 1}, dx[] = {0, -1, 1, 0, 1};
    const float snapped[] = {-2, -2, 2, 2, 0.25f}, bounded[] = {-2, -2, 2, 2, 0.3f};
    Rig rig;
    Tensor *x[2], *y[2];

    open_rig(&rig, 1);
    x[0] = leaf(&rig, 5, in);
    x[1] = leaf(&rig, 5, in);
    ASSERT_OK(op_snap(rig.tape, x[0], 4, -2, 2, &y[0], &rig.err), rig.err);
    ASSERT_OK(op_bound(rig.tape, x[1], -2, 2, &y[1], &rig.err), rig.err);
    for (int k = 0; k < 2; k++) {
        ASSERT_OK(tape_backward_from(rig.tape, y[k], dy, &rig.err), rig.err);
        for (int i = 0; i < 5; i++) {
            cr_assert_float_eq(y[k]->data[i], (k ? bounded : snapped)[i], 0);
            cr_assert_float_eq(x[k]->grad[i], dx[i], 0, "%d of %d: %g", i, k, (double)x[k]->grad[i]);
        }
    }
    close_rig(&rig);
}

Test(quantise, far_out_bits_are_those_of_the_floor_and_lead_back)
{
    const float x_in[] = {60, 60, 3}, mean_in[] = {0, 0, 0}, scale_in[] = {9, 9, 1}, dy[] = {1, -1, 1};
    Rig rig;
    Tensor *x, *mean, *scale, *bits;

    open_rig(&rig, 1);
    x = leaf(&rig, 3, x_in);
    mean = leaf(&rig, 3, mean_in);
    scale = leaf(&rig, 3, scale_in);
    ASSERT_OK(op_bits(rig.tape, DENSITY_NORMAL, x, mean, scale, 1e-9f, &bits, &rig.err), rig.err);
    cr_assert_float_eq(bits->data[0], -log2(1e-9), 1e-4);
    ASSERT_OK(tape_backward_from(rig.tape, bits, dy, &rig.err), rig.err);
    cr_assert_gt(x->grad[0], 0, "fewer bits lie towards the mean");
    cr_assert_lt(mean->grad[0], 0);
    cr_assert_lt(scale->grad[0], 0);
    cr_assert_float_eq(x->grad[1], 0, 0, "no way leads to more bits than those of the floor");
    cr_assert_float_eq(scale->grad[1], 0, 0);
    cr_assert_gt(x->grad[2], 0);
    close_rig(&rig);
}

Test(quantise, noise_is_that_of_its_seed_and_step_for_any_number_of_threads)
{
    enum { N = 20000 };
    static float zeros[N], first[N];
    double sum = 0, square = 0;
    Tensor *y;
    Rig rig;

    for (int threads = 1; threads <= 2; threads++) {
        open_rig(&rig, threads);
        ASSERT_OK(op_uniform_noise(rig.tape, leaf(&rig, N, zeros), 7, 11, 3, 0, &y, &rig.err), rig.err);
        if (threads == 1)
            memcpy(first, y->data, sizeof first);
        ASSERT_SAME_BITS("noise", y->data, first, N);
        ASSERT_OK(op_uniform_noise(rig.tape, leaf(&rig, N - 9001, zeros), 7, 11, 3, 9001, &y, &rig.err), rig.err);
        ASSERT_SAME_BITS("noise of a part", y->data, first + 9001, N - 9001);
        close_rig(&rig);
    }
    for (int i = 0; i < N; i++) {
        cr_assert(first[i] >= -0.5f && first[i] < 0.5f);
        sum += (double)first[i];
        square += (double)first[i] * (double)first[i];
    }
    cr_assert_float_eq(sum / N, 0, 0.01);
    cr_assert_float_eq(square / N, 1 / 12.0, 0.002);
}

/* One shift serves a layer, yet an output with small weights must not be left with a few of its 255 steps. */
Test(quantise, outputs_with_small_weights_keep_their_precision)
{
    const float in[] = {1, -0.5f, 0.25f, 0.05f, 0.02f, -0.0333f};
    int16_t mult[2];
    int shift;

    cr_assert(integer_scales(in, 2, 3, mult, &shift));
    for (int o = 0; o < 2; o++) {
        cr_assert_geq(integer_weight(in[3 * o], mult[o], shift), 126);
        for (int i = 3 * o; i < 3 * o + 3; i++) {
            const double stands_for = ldexp(integer_weight(in[i], mult[o], shift) * (double)mult[o], -shift);

            cr_assert_float_eq(stands_for, (double)in[i], (double)in[3 * o] / 250, "weight %d: %g for %g", i, stands_for,
                               (double)in[i]);
        }
    }
}

Test(quantise, weights_are_whole_multiples_of_their_rows_scale)
{
    const float in[] = {1, -0.5f, 0.25f, 0.01f, 0.02f, -0.03f, 0, 0, 0};
    int16_t mult[3];
    int shift;
    Tensor *w, *y;
    Rig rig;

    cr_assert(integer_scales(in, 3, 3, mult, &shift));
    for (int o = 0; o < 3; o++)
        cr_assert(mult[o] >= INTEGER_MULT_MIN);
    open_rig(&rig, 1);
    w = leaf(&rig, 9, in);
    w->n_dims = 2;
    w->shape[0] = w->shape[1] = 3;
    ASSERT_OK(op_quantise_weights(rig.tape, w, &y, &rig.err), rig.err);
    for (int i = 0; i < 9; i++) {
        const double scale = ldexp(mult[i / 3], -shift), whole = (double)y->data[i] / scale;

        cr_assert_float_eq(whole, round(whole), 1e-4);
        cr_assert_leq(fabs(whole), 127.0001);
        cr_assert_leq(fabs((double)(y->data[i] - in[i])), 0.5001 * scale);
    }
    cr_assert_float_eq(y->data[0], 1, 1e-4);
    close_rig(&rig);
}

Test(quantise, weights_that_8_bits_cannot_hold_are_refused)
{
    const float huge[] = {1e20f, 0}, not_finite[] = {NAN, 0};
    int16_t mult[2];
    int shift;

    cr_assert(!integer_scales(huge, 1, 2, mult, &shift));
    cr_assert(!integer_scales(not_finite, 2, 1, mult, &shift));
}
