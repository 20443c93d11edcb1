/* cdf.c - probabilities of quantised normal and Laplace distributions, the same bits on every machine.
 *
 * Only + - x / on IEEE doubles, in a fixed order and never fused, and scaling by powers of two; no libm. Where a compiler could
 * break this, the file does not compile. Even so the rule runs only when tables are made or tested: what streams are
 * coded with is the array in cdf_grid.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include "codec/cdf.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <string.h>

#ifdef __FAST_MATH__
#error "cdf.c must not be compiled with -ffast-math: its results would differ between machines"
#endif
_Static_assert(FLT_EVAL_METHOD == 0, "doubles must be computed as doubles");
#ifdef __clang__
#pragma STDC FP_CONTRACT OFF /* gcc -std=c11 never fuses across operators */
#endif

#define LOG2_E 1.44269504088896338700
#define LN2_HIGH 6.93147180369123816490e-01 /* ends in zeros, so that n times it is exact */
#define LN2_LOW 1.90821492927058770002e-10
#define SQRT_2 1.41421356237309504880
#define INV_SQRT_2PI 0.39894228040143267794
#define EXP_DEGREE 13
#define SERIES_TERMS 60
#define FRACTION_TERMS 60

/* 2^n for n in -1022 .. 0 */
static double power_of_2(int n)
{
    uint64_t bits = (uint64_t)(n + 1023) << 52;
    double x;

    memcpy(&x, &bits, sizeof x);
    return x;
}

double cdf_exp(double x)
{
    double shifted = x * LOG2_E + 0.5, r, sum = 1.0;
    int n;

    if (x < -708.0)
        return 0.0;
    n = (int)shifted;
    if ((double)n > shifted)
        n--;
    r = (x - (double)n * LN2_HIGH) - (double)n * LN2_LOW;
    for (int k = EXP_DEGREE; k >= 1; k--)
        sum = 1.0 + sum * r / (double)k;
    return sum * power_of_2(n);
}

double cdf_normal_tail(double a)
{
    double density = cdf_exp(-(a * a) / 2.0) * INV_SQRT_2PI;

    if (a <= 3.0) {
        double term = a, sum = a;

        for (int k = 1; k < SERIES_TERMS; k++) {
            term = term * (a * a) / (double)(2 * k + 1);
            sum = sum + term;
        }
        return 0.5 - density * sum;
    } else {
        double x = a;

        for (int k = FRACTION_TERMS; k >= 1; k--)
            x = a + (double)k / x;
        return density / x;
    }
}

/* P(X > (k + 1/2) / scale) */
static double tail_above(CdfShape shape, int k, uint32_t scale_q16)
{
    double a = (double)(2 * k + 1) * 32768.0 / (double)scale_q16;

    return shape == CDF_NORMAL ? cdf_normal_tail(a) : 0.5 * cdf_exp(-(a * SQRT_2));
}

static int half_width(CdfShape shape, uint32_t scale_q16)
{
    uint64_t per_100 = shape == CDF_NORMAL ? 611 : 980, unit = 100u << 16;
    int width = (int)((per_100 * scale_q16 + unit - 1) / unit);

    return width < (CDF_MAX_VALUES - 1) / 2 ? width : (CDF_MAX_VALUES - 1) / 2;
}

int cdf_half(uint16_t *half, CdfShape shape, uint32_t scale_q16)
{
    int width = half_width(shape, scale_q16);
    double spread = CDF_TOTAL - (2 * width + 2), above = tail_above(shape, 0, scale_q16);

    assert(scale_q16 >= 1 && scale_q16 <= 1u << 21);
    half[0] = (uint16_t)(1 + (int)((1.0 - 2.0 * above) * spread));
    for (int k = 1; k <= width; k++) {
        double next = tail_above(shape, k, scale_q16);

        half[k] = (uint16_t)(1 + (int)((above - next) * spread));
        above = next;
    }
    half[width + 1] = (uint16_t)(1 + (int)(2.0 * above * spread));
    return width;
}

/* The first of the largest frequencies takes what is missing from 2^14. */
static void give_remainder(CdfTable *table)
{
    int rest = CDF_TOTAL, largest = 0;

    for (int i = 0; i <= table->n_values; i++) {
        rest -= table->freq[i];
        if (table->freq[i] > table->freq[largest])
            largest = i;
    }
    assert(rest >= 0);
    table->freq[largest] = (uint16_t)(table->freq[largest] + rest);
}

static void mirror(CdfTable *table, const uint16_t *half, int width)
{
    table->lowest = (int16_t)-width;
    table->n_values = 2 * width + 1;
    for (int k = 0; k <= width; k++)
        table->freq[width - k] = table->freq[width + k] = half[k];
    table->freq[table->n_values] = half[width + 1];
    give_remainder(table);
}

void cdf_make(CdfTable *table, CdfShape shape, uint32_t scale_q16)
{
    uint16_t half[CDF_MAX_VALUES / 2 + 2];

    mirror(table, half, cdf_half(half, shape, scale_q16));
}

void cdf_grid(CdfTable *table, CdfShape shape, int i)
{
    const uint16_t *row = shape == CDF_NORMAL ? cdf_grid_normal : cdf_grid_laplace;

    assert(i >= 0 && i < CDF_SCALES);
    if (i == 0) {
        *table = (CdfTable){.n_values = 0};
        return;
    }
    for (; i > 0; i--)
        row += row[0] + 3;
    mirror(table, row + 1, row[0]);
}

uint32_t cdf_grid_scale(int i)
{
    const double low = -2.207274913189720824, high = 2.995732273553990993,
                 ln_32 = 3.465735902799726547; /* ln 0.11, ln 20 */

    return (uint32_t)(65536.0 * 32.0 * cdf_exp(low + (high - low) * (double)i / 63.0 - ln_32) + 0.5);
}

/* round((2^14 - 1) / (1 + e^(-i / 16))) */
static const uint16_t ODDS[CDF_BITS / 2 + 1] = {
    8192, 8447, 8703, 8957, 9210, 9461, 9710, 9955, 10198, 10436, 10671, 10901, 11127, 11348, 11563, 11773,
    11977, 12175, 12368, 12554, 12735, 12909, 13077, 13239, 13394, 13544, 13688, 13826, 13958, 14084, 14205, 14320,
    14430, 14535, 14635, 14730, 14821, 14907, 14989, 15067, 15140, 15210, 15276, 15339, 15399, 15455, 15508, 15558,
    15606, 15651, 15693, 15734, 15771, 15807, 15841, 15873, 15903, 15931, 15958, 15983, 16007, 16029, 16050, 16070,
    16088, 16106, 16122, 16138, 16153, 16166, 16179, 16192, 16203, 16214, 16224, 16233, 16242, 16251, 16259, 16266,
    16273, 16280, 16286, 16292, 16297, 16303, 16307, 16312, 16316, 16320, 16324, 16328, 16331, 16334, 16337, 16340,
    16342, 16345, 16347, 16349, 16351, 16353, 16355, 16357, 16358, 16360, 16361, 16363, 16364, 16365, 16366, 16367,
    16368, 16369, 16370, 16371, 16371, 16372, 16373, 16373, 16374, 16374, 16375, 16375, 16376, 16376, 16377, 16377,
    16378,
};

void cdf_bit(CdfTable *table, int i)
{
    const int half = CDF_BITS / 2, one = i >= half ? ODDS[i - half] : CDF_TOTAL - 1 - ODDS[half - i];

    *table = (CdfTable){.lowest = 0, .n_values = 2, .freq = {(uint16_t)(CDF_TOTAL - 1 - one), (uint16_t)one, 1}};
}

void cdf_from_weights(CdfTable *table, int16_t lowest, int n_values, const uint32_t *weight)
{
    uint64_t sum = 0, spread = (uint64_t)(CDF_TOTAL - (n_values + 1));

    assert(n_values >= 1 && n_values <= CDF_MAX_VALUES);
    for (int i = 0; i <= n_values; i++)
        sum += weight[i];
    assert(sum > 0);
    table->lowest = lowest;
    table->n_values = n_values;
    for (int i = 0; i <= n_values; i++)
        table->freq[i] = (uint16_t)(1 + weight[i] * spread / sum);
    give_remainder(table);
}

/* Squaring a number between 1 and 2 brings one more bit of its logarithm before the point. */
uint16_t cdf_cost(uint32_t freq)
{
    int whole = 31 - __builtin_clz(freq);
    uint64_t x = (uint64_t)freq << (31 - whole); /* 1 <= x / 2^31 < 2 */
    uint32_t log = (uint32_t)whole;

    for (int bit = 1; bit < CDF_COST_UNIT; bit *= 2) {
        x = x * x >> 31;
        log = log << 1 | (uint32_t)(x >> 32);
        x >>= x >> 32;
    }
    return (uint16_t)(14 * CDF_COST_UNIT - log);
}

RsdStatus cdf_check(const CdfTable *table, RsdError *err)
{
    RsdStatus status = RSD_OK;
    int sum = 0;

    CHECK(table->n_values >= 0 && table->n_values <= CDF_MAX_VALUES, err, RSD_ERR_CORRUPT,
          "frequency table of %d values, expected 0 to %d", table->n_values, CDF_MAX_VALUES);
    CHECK(table->lowest >= -INT16_MAX && table->lowest + table->n_values - 1 <= INT16_MAX, err, RSD_ERR_CORRUPT,
          "frequency table of %d values from %d: they leave -%d .. %d", table->n_values, table->lowest, INT16_MAX,
          INT16_MAX);
    for (int i = 0; i <= table->n_values && table->n_values > 0; i++) {
        CHECK(table->freq[i] > 0, err, RSD_ERR_CORRUPT, "frequency %d of a table is 0", i);
        sum += table->freq[i];
    }
    CHECK(table->n_values == 0 || sum == CDF_TOTAL, err, RSD_ERR_CORRUPT,
          "frequencies of a table sum to %d, expected %d", sum, CDF_TOTAL);
fail:
    return status;
}
