/* cdf.h - frequency tables for the entropy coder, from integers alone.
 *
 * A table gives each value lowest .. lowest + n_values - 1, and after them the escape, a frequency of at least 1; all
 * together are 2^14. Two programs that decode the same stream must have the same tables to the last unit, so those of the
 * 64 scales are shipped (cdf_grid.c) and the rule that made them is written such that it gives the same bits everywhere.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_CDF_H
#define RESIDUA_CDF_H

#include <stdint.h>

#include "engine/base/error.h"

#define CDF_TOTAL 16384
#define CDF_MAX_VALUES 255 /* and the escape */
#define CDF_SCALES 64      /* of the grid */

typedef enum CdfShape { CDF_NORMAL, CDF_LAPLACE } CdfShape;

/* A table of no values is a skip: its elements are not coded, and are `lowest`. */
typedef struct CdfTable {
    int16_t lowest;
    int n_values;
    uint16_t freq[CDF_MAX_VALUES + 1]; /* [n_values + 1], the escape last */
} CdfTable;

/* Table of scale number i of the grid, 0 <= i < CDF_SCALES: a distribution around 0 with a standard deviation of
 * 0.11 (20 / 0.11)^(i / 63). Number 0 is a skip: other values than 0 have 5 chances in a million. From the shipped
 * numbers; any thread. */
void cdf_grid(CdfTable *table, CdfShape shape, int i);

/* The rule behind the grid: quantised to integers, deviation scale_q16 / 65536 with 1 <= scale_q16 <= 2^21.
 *   half width    normal: ceil(6.11 deviation)   Laplace: ceil(9.8 deviation)   at most 127
 *   frequencies   1 + floor(p (2^14 - symbols)), what remains goes to the largest, the lowest of equals
 * Doubles with + - x / only, see cdf.c. */
void cdf_make(CdfTable *table, CdfShape shape, uint32_t scale_q16);

/* scale_q16 of scale number i. */
uint32_t cdf_grid_scale(int i);

/* Table from the weights (not all 0) of n_values values and of the escape after them, each below 2^32; integers only.
 * Frequencies as above with p = weight / sum. */
void cdf_from_weights(CdfTable *table, int16_t lowest, int n_values, const uint32_t *weight);

/* Table of one bit, 0 <= i < CDF_BITS: the logarithm of the odds of 1 is (i - 128) / 16. From shipped numbers; any thread. */
#define CDF_BITS 256
void cdf_bit(CdfTable *table, int i);

/* What a symbol of frequency freq (1 .. 2^14) costs, in 1 / CDF_COST_UNIT bit, rounded up; integers only. */
#define CDF_COST_UNIT 256
uint16_t cdf_cost(uint32_t freq);

/* Whether a table that came from a file is sound. Errors: RSD_ERR_CORRUPT. */
RsdStatus cdf_check(const CdfTable *table, RsdError *err);

/* P(X > a) of the normal distribution with deviation 1, a >= 0: within 4e-16; the same bits on every machine. */
double cdf_normal_tail(double a);
/* e^x for x <= 0; the same bits on every machine. */
double cdf_exp(double x);

/* For the program that writes cdf_grid.c: frequencies of the values 0 .. K and of the escape before the remainder is given
 * away, into half [129]; returns K. */
int cdf_half(uint16_t *half, CdfShape shape, uint32_t scale_q16);

/* cdf_grid.c: for each scale K, then the K + 2 numbers of cdf_half. */
extern const uint16_t cdf_grid_normal[], cdf_grid_laplace[];

#endif
