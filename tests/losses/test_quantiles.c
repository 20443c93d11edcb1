/* test_quantiles.c - quantiles against numbers of numpy 1.24, numpy.quantile(x, [.05, .25, .5, .75, .95]).
 *
 * SPDX-License-Identifier: MIT
 */
#include "losses/quantiles.h"
#include "tests/shared.h"

Test(quantiles, are_those_of_numpy)
{
    double x[] = {3, -1, 4, 1.5, -5, 9, 2.5}, one[] = {7};
    const double expected[] = {-3.8, 0.25, 2.5, 3.5, 7.5};
    Quantiles q = quantiles_of(x, 7);

    cr_assert_eq(q.n, 7);
    ASSERT_CLOSE_F64("quantiles", q.at, expected, N_QUANTILES, ((Tolerance){.abs = 1e-12}));
    q = quantiles_of(one, 1);
    for (int i = 0; i < N_QUANTILES; i++)
        cr_expect_eq(q.at[i], 7);
    cr_expect_eq(quantiles_of(one, 0).n, 0);
}
