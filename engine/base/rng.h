/* rng.h - random numbers from a counter: the same (seed, stream, step, sample) gives the same numbers on every machine.
 *
 * Nothing is carried from one step to the next, so a run resumes by knowing its step number alone.
 *
 * [1] Salmon et al., Parallel Random Numbers: As Easy as 1, 2, 3, SC 2011 (Philox4x32-10).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_RNG_H
#define RESIDUA_RNG_H

#include <stddef.h>
#include <stdint.h>

typedef struct Rng {
    uint32_t key[2], counter[4], block[4];
    int n_left; /* unread words of block */
} Rng;

/* What a stream of numbers is for; two purposes never share numbers. */
typedef enum RngStream {
    RNG_INIT = 1,  /* initial weights */
    RNG_DATA,      /* choice of file and crop */
    RNG_AUGMENT,   /* gain, mixing, phase */
    RNG_QUANTIZER, /* number of stages, dead codes, k-means */
    RNG_MODEL,     /* noise inside a network */
    RNG_TEST,
    RNG_CRITIC     /* weights of critics, which steps they learn in */
} RngStream;

/* step and sample may be anything up to 2^48 and 2^32 - 1. */
Rng rng_at(uint64_t seed, RngStream stream, uint64_t step, uint32_t sample);

uint32_t rng_u32(Rng *rng);
uint32_t rng_below(Rng *rng, uint32_t n);           /* uniform in [0, n), without bias; n >= 1 */
float rng_uniform(Rng *rng);                        /* [0, 1), 24 bits */
float rng_between(Rng *rng, float low, float high); /* [low, high) */
float rng_normal(Rng *rng);                         /* mean 0, variance 1 (Box-Muller) */

#endif
