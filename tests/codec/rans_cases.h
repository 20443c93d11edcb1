/* rans_cases.h - streams of entropy-coded symbols that must be the same bytes on every machine, compiler and kernel set.
 *
 * Values are drawn by integers alone. tests/codec/test_rans.c and tests/portable/main.c run the same cases.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_TESTS_RANS_CASES_H
#define RESIDUA_TESTS_RANS_CASES_H

#include "codec/rans.h"

#define RANS_CASE_RUNS 3

typedef struct RansCase {
    const char *what;
    int n_lanes;
    size_t n[RANS_CASE_RUNS];  /* symbols of each run */
    int first_table, n_tables; /* tables are drawn from these */
    int one_far_in;            /* one of so many values is anything that can be coded; 0: none */
    bool has_rider;
} RansCase;

extern const RansCase rans_cases[];
extern const int n_rans_cases;

/* What a case is made of. */
typedef struct RansInput {
    uint8_t *table;
    int16_t *value;
    size_t n; /* of all runs, one after the other */
    RansRider rider;
} RansInput;

/* Tables 0 to 63: normal, 64 to 127: Laplace (the grid), 128: of weights, not around 0. */
#define RANS_CASE_TABLES 129
void rans_case_tables(CdfTable tables[RANS_CASE_TABLES]);
void rans_case_input(RansInput *input, const RansCase *c, uint32_t seed);
void rans_case_clear(RansInput *input);

/* Puts the input in the runs of the case. */
RsdStatus rans_case_encode(RansEncoder *encoder, const RansCase *c, const RansInput *input, const uint8_t **data,
                           size_t *size, RsdError *err);
/* Decodes, and RSD_ERR_CORRUPT where values or rider are not those of the input. */
RsdStatus rans_case_decode(const RansTables *tables, const RansKernels *kernels, const RansCase *c,
                           const RansInput *input, const uint8_t *data, size_t size, RsdError *err);

/* FNV-1a of bytes; of all frequencies of both grids as cdf_make makes them; of tails and exponentials, bit by bit. */
uint64_t rans_hash(const uint8_t *data, size_t size);
uint64_t rans_hash_rule(void);
uint64_t rans_hash_normal_tail(void);

/* The vectors of rans_vectors.h, one for each case. */
#define RANS_VECTOR_BYTES 64
typedef struct RansVector {
    size_t size;
    uint64_t hash;
    uint8_t bytes[RANS_VECTOR_BYTES]; /* the beginning */
} RansVector;

#endif
