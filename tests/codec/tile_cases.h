/* tile_cases.h - tiles of pictures that must be the same bytes and the same latents on every machine, compiler and kernel set.
 *
 * A small integer prior and its latents are drawn by integers alone. tests/codec/test_picture_tile.c and tests/portable/main.c
 * run the same cases.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_TESTS_TILE_CASES_H
#define RESIDUA_TESTS_TILE_CASES_H

#include "codec/picture_alpha.h"
#include "codec/tile_coder.h"

typedef struct TileCase {
    const char *what;
    int64_t h, w; /* latents; of opacity: pixels */
    int level, strength;
    int spread;     /* of latents, in steps */
    int alpha_bits; /* 0: latents */
    bool has_scales; /* the tables of the scales are the prior's own */
    bool has_steps;  /* latents have steps of their own */
} TileCase;

extern const TileCase tile_cases[];
extern const int n_tile_cases;

/* The prior that all cases share. */
IntegerPrior *tile_case_prior(uint32_t seed);
void tile_case_prior_destroy(IntegerPrior **prior);

typedef struct TileVector {
    size_t size;
    int n_lanes;
    uint64_t hash, latents; /* FNV-1a of the bytes, and of what they decode to */
} TileVector;

/* Of latents, the same on machines of any byte order. */
uint64_t tile_case_hash(const int32_t *y, size_t n);

/* Encodes case i by `encoding` and decodes by `decoding`, on one thread and on two; RSD_ERR_CORRUPT where a round trip is not exact. */
RsdStatus tile_case_run(TileVector *found, int i, const IntegerPrior *prior, const Kernels *encoding,
                        const Kernels *decoding, RsdError *err);

#endif
