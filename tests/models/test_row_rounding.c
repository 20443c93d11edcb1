/* test_row_rounding.c - errors of a row's weights that undo each other.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <string.h>

#include <criterion/criterion.h>

#include "engine/base/rng.h"
#include "models/row_rounding.h"

enum { N_IN = 40, N = N_IN + 1, N_OUT = 12, N_SAMPLES = 400 };

static float weight[N_OUT][N_IN], bias[N_OUT], exact[N_OUT][N_IN], exact_bias[N_OUT];
static double scale[N_OUT], moments[N][N];

/* Inputs as those behind a rectifier: never below 0, and moving together. */
static void make_moments(void)
{
    Rng rng = rng_at(7, 0, 0, 0);

    memset(moments, 0, sizeof moments);
    for (int s = 0; s < N_SAMPLES; s++) {
        const double common = 4.0 * rng_uniform(&rng);
        double x[N];

        for (int i = 0; i < N_IN; i++)
            x[i] = common * (1 + i % 5) + rng_uniform(&rng);
        x[N_IN] = 1.0;
        for (int i = 0; i < N; i++)
            for (int j = 0; j < N; j++)
                moments[i][j] += x[i] * x[j];
    }
}

static void make_rows(void)
{
    Rng rng = rng_at(8, 0, 0, 0);

    for (int o = 0; o < N_OUT; o++) {
        float most = 0.0f;

        for (int i = 0; i < N_IN; i++) {
            weight[o][i] = o == 3 ? 0.0f : 2.0f * (float)rng_uniform(&rng) - 1.0f;
            most = fmaxf(most, fabsf(weight[o][i]));
        }
        bias[o] = (float)rng_uniform(&rng);
        scale[o] = (double)most / ROW_ROUNDING_MAX;
    }
    memcpy(exact, weight, sizeof exact);
    memcpy(exact_bias, bias, sizeof exact_bias);
}

static void set_up(void)
{
    make_moments();
    make_rows();
}

TestSuite(row_rounding, .init = set_up);

static RowRounding rows(void)
{
    return (RowRounding){weight[0], bias, scale, N_OUT, N_IN, moments[0]};
}

/* Mean square of what is wrong with an output. */
static double error_of(int o)
{
    double e[N], sum = 0.0;

    for (int i = 0; i < N_IN; i++)
        e[i] = (double)weight[o][i] - (double)exact[o][i];
    e[N_IN] = (double)bias[o] - (double)exact_bias[o];
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            sum += e[i] * moments[i][j] * e[j] / N_SAMPLES;
    return sum;
}

Test(row_rounding, outputs_are_far_nearer_than_with_the_nearest_weights)
{
    double nearest = 0.0, together = 0.0;

    for (int o = 0; o < N_OUT; o++) {
        for (int i = 0; i < N_IN && scale[o] > 0.0; i++)
            weight[o][i] = (float)(round((double)exact[o][i] / scale[o]) * scale[o]);
        nearest += error_of(o);
    }
    memcpy(weight, exact, sizeof exact);
    cr_assert_eq(row_rounding_run(&(RowRounding){weight[0], bias, scale, N_OUT, N_IN, moments[0]}, NULL), RSD_OK);
    for (int o = 0; o < N_OUT; o++)
        together += error_of(o);
    cr_assert_lt(together, 0.05 * nearest, "%g, nearest %g", together, nearest);
}

Test(row_rounding, weights_are_multiples_and_the_greatest_tells_the_same_scale)
{
    const RowRounding all = rows();

    cr_assert_eq(row_rounding_run(&all, NULL), RSD_OK);
    for (int o = 0; o < N_OUT; o++) {
        double most = 0.0;

        for (int i = 0; i < N_IN; i++) {
            const double steps = scale[o] > 0.0 ? (double)weight[o][i] / scale[o] : 0.0;

            cr_assert_float_eq(steps, round(steps), 1e-4);
            most = fmax(most, fabs((double)weight[o][i]));
        }
        cr_assert_float_eq(most, ROW_ROUNDING_MAX * scale[o], 1e-6);
    }
    for (int i = 0; i < N_IN; i++)
        cr_assert_eq(weight[3][i], 0.0f);
    cr_assert_eq(bias[3], exact_bias[3]);
}

Test(row_rounding, what_is_rounded_stays)
{
    static float once[N_OUT][N_IN], once_bias[N_OUT];
    const RowRounding all = rows();

    cr_assert_eq(row_rounding_run(&all, NULL), RSD_OK);
    memcpy(once, weight, sizeof once);
    memcpy(once_bias, bias, sizeof once_bias);
    cr_assert_eq(row_rounding_run(&all, NULL), RSD_OK);
    cr_assert_arr_eq(once, weight, sizeof once);
    for (int o = 0; o < N_OUT; o++)
        cr_assert_float_eq(once_bias[o], bias[o], 1e-5);
}

Test(row_rounding, inputs_that_are_never_there_get_the_nearest_weights)
{
    const RowRounding all = {weight[0], NULL, scale, N_OUT, N_IN, moments[0]};

    memset(moments, 0, sizeof moments);
    cr_assert_eq(row_rounding_run(&all, NULL), RSD_OK);
    for (int i = 0; i < N_IN; i++)
        cr_assert_float_eq((double)weight[0][i], round((double)exact[0][i] / scale[0]) * scale[0], 1e-6);
}
