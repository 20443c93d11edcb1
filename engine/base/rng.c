/* rng.c - Philox4x32-10 and the distributions on top of it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/base/rng.h"

#include <math.h>

#define PHILOX_M0 0xD2511F53u /* [1], table 2 */
#define PHILOX_M1 0xCD9E8D57u
#define PHILOX_W0 0x9E3779B9u
#define PHILOX_W1 0xBB67AE85u
#define N_ROUNDS 10

static void next_block(Rng *rng)
{
    uint32_t c[4] = {rng->counter[0], rng->counter[1], rng->counter[2], rng->counter[3]};
    uint32_t k0 = rng->key[0], k1 = rng->key[1];

    for (int round = 0; round < N_ROUNDS; round++) {
        uint64_t p0 = (uint64_t)PHILOX_M0 * c[0], p1 = (uint64_t)PHILOX_M1 * c[2];
        uint32_t d0 = (uint32_t)(p1 >> 32) ^ c[1] ^ k0, d2 = (uint32_t)(p0 >> 32) ^ c[3] ^ k1;

        c[0] = d0;
        c[1] = (uint32_t)p1;
        c[2] = d2;
        c[3] = (uint32_t)p0;
        k0 += PHILOX_W0;
        k1 += PHILOX_W1;
    }
    for (int i = 0; i < 4; i++)
        rng->block[i] = c[i];
    rng->counter[0]++; /* one stream holds 2^32 blocks, far more than a sample asks for */
    rng->n_left = 4;
}

Rng rng_at(uint64_t seed, RngStream stream, uint64_t step, uint32_t sample)
{
    Rng rng = {.key = {(uint32_t)seed, (uint32_t)(seed >> 32)},
               .counter = {0, sample, (uint32_t)step, (uint32_t)(step >> 32 & 0xffff) | (uint32_t)stream << 16}};

    return rng;
}

uint32_t rng_u32(Rng *rng)
{
    if (rng->n_left == 0)
        next_block(rng);
    return rng->block[4 - rng->n_left--];
}

uint32_t rng_below(Rng *rng, uint32_t n)
{
    uint32_t too_low = -n % n; /* values below it would make some results more likely */
    uint64_t product;

    do
        product = (uint64_t)rng_u32(rng) * n;
    while ((uint32_t)product < too_low);
    return (uint32_t)(product >> 32);
}

float rng_uniform(Rng *rng)
{
    return (float)(rng_u32(rng) >> 8) * 0x1p-24f;
}

float rng_between(Rng *rng, float low, float high)
{
    float value = low + (high - low) * rng_uniform(rng);

    return value < high ? value : low; /* the sum may round up to high */
}

float rng_normal(Rng *rng)
{
    double u = ((double)rng_u32(rng) + 0.5) * 0x1p-32, v = (double)rng_u32(rng) * 0x1p-32;

    return (float)(sqrt(-2.0 * log(u)) * cos(6.283185307179586 * v));
}
