/* test_frechet.c - distances of sets of embeddings against numpy and against what is known of them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "losses/frechet.h"

#include <math.h>

#include "engine/base/mem.h"
#include "tests/losses/signals.h"
#include "tests/shared.h"

#define MOST 2000

/* Printed by frechet_reference.py. */
static const struct {
    int64_t n, m, dim;
    double shift, scale, frechet, kernel;
} cases[] = {
    {60, 80, 12, 0.3, 1.5, 3.66858922943, 0.834962217439},
    {9, 40, 16, 0, 0.7, 4.72019288935, 0.0226057990538},
    {6, 7, 20, 0.1, 1, 12.9731022449, 0.167793912237},
    {50, 50, 1, 0.2, 2, 0.336108948095, 3.18452059439},
};

static double x[MOST], y[MOST];

static void fill(double *rows, int64_t n, int64_t dim, uint32_t seed, double shift, double scale)
{
    static float noise[MOST];

    signal_noise(noise, n * dim, seed);
    for (int64_t i = 0; i < n * dim; i++)
        rows[i] = (double)noise[i] + (i % dim ? 0.5 * rows[i - 1] : 0.0);
    for (int64_t i = 0; i < n * dim; i++)
        rows[i] = shift + scale * rows[i];
}

static double value_of(RsdStatus (*distance)(double *, const Embeddings *, const Embeddings *, RsdError *), int64_t n, int64_t m,
                       int64_t dim)
{
    double value;
    RsdError err = {0};

    ASSERT_OK(distance(&value, &(Embeddings){x, n, dim}, &(Embeddings){y, m, dim}, &err), err);
    return value;
}

Test(frechet, numbers_of_numpy_also_with_fewer_rows_than_numbers)
{
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fill(x, cases[i].n, cases[i].dim, 1, 0.0, 1.0);
        fill(y, cases[i].m, cases[i].dim, 2, cases[i].shift, cases[i].scale);
        ASSERT_CLOSE("Frechet", value_of(frechet_distance, cases[i].n, cases[i].m, cases[i].dim), cases[i].frechet,
                     ((Tolerance){.rel = 1e-5}));
        ASSERT_CLOSE("kernel", value_of(kernel_distance, cases[i].n, cases[i].m, cases[i].dim), cases[i].kernel,
                     ((Tolerance){.rel = 1e-9}));
    }
}

Test(frechet, of_a_moved_set_is_the_square_of_the_way_and_of_a_set_with_itself_nothing)
{
    fill(x, 100, 10, 3, 0.0, 1.0);
    memcpy(y, x, sizeof y);
    cr_assert_eq(value_of(frechet_distance, 100, 100, 10), 0.0);
    for (int i = 0; i < 1000; i++)
        y[i] = x[i] + 0.25;
    ASSERT_CLOSE("moved", value_of(frechet_distance, 100, 100, 10), 10 * 0.0625, ((Tolerance){.rel = 1e-9}));
    for (int i = 0; i < 1000; i++)
        x[i] = y[i] = 0.5;
    y[999] += 1e-3;
    ASSERT_CLOSE("no variance", value_of(frechet_distance, 100, 100, 10), 0.0, ((Tolerance){.abs = 1e-6}));
}

Test(frechet, what_cannot_be_compared_is_refused_with_its_place)
{
    double value;
    RsdError err = {0};

    fill(x, 10, 5, 3, 0.0, 1.0);
    fill(y, 10, 5, 4, 0.0, 1.0);
    ASSERT_FAILS(frechet_distance(&value, &(Embeddings){x, 10, 5}, &(Embeddings){y, 10, 4}, &err), RSD_ERR_ARG, err, "5 and of 4");
    ASSERT_FAILS(kernel_distance(&value, &(Embeddings){x, 1, 5}, &(Embeddings){y, 10, 5}, &err), RSD_ERR_ARG, err, "at least 2");
    y[17] = INFINITY;
    ASSERT_FAILS(frechet_distance(&value, &(Embeddings){x, 10, 5}, &(Embeddings){y, 10, 5}, &err), RSD_ERR_NUMERIC, err,
                 "number 2 of embedding 3 of the second set is infinite");
    y[17] = 0.0;
    for (int n = 0; n < 12; n++) {
        RsdStatus status;

        mem_fail_after(n);
        status = frechet_distance(&value, &(Embeddings){x, 10, 5}, &(Embeddings){y, 10, 5}, &err);
        mem_fail_after(-1);
        cr_assert(status == RSD_ERR_MEMORY || (status == RSD_OK && n > 5), "allocation %d: status %d", n, (int)status);
    }
}
