/* conv_oracle.h - convolutions written straight from audio.md 1.2 in double precision: what the fast ones must equal.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_TESTS_CONV_ORACLE_H
#define RESIDUA_TESTS_CONV_ORACLE_H

#include "engine/base/rng.h"
#include "engine/ops/conv1d.h"

typedef struct ConvCase {
    bool transposed, has_bias;
    int64_t batch, c_in, c_out, n, k;
    Conv1dParams p;
} ConvCase;

/* Weights are [c_out, c_in / groups, k], transposed [c_in, c_out / groups, k]. */
int64_t oracle_weight_count(const ConvCase *c);
/* Output frames, by the definition in audio.md 1.2. */
int64_t oracle_out_len(const ConvCase *c);
/* y [batch, c_out, oracle_out_len]. b may be NULL. */
void oracle_run(const ConvCase *c, const double *x, const double *w, const double *b, double *y);

/* A random case; `size` scales channels and lengths. Printable with oracle_text. */
ConvCase oracle_random_case(Rng *rng, int size);
#define ORACLE_TEXT_SIZE 256
const char *oracle_text(char text[ORACLE_TEXT_SIZE], const ConvCase *c);

#endif
