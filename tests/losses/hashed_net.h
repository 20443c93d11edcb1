/* hashed_net.h - networks with computed weights: what golden/losses_image used where published weights cannot be handed on.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_TESTS_LOSSES_HASHED_NET_H
#define RESIDUA_TESTS_LOSSES_HASHED_NET_H

#include <stdint.h>

typedef struct HashedConv {
    int number, c_out, c_in, k; /* features.NUMBER.weight and .bias */
} HashedConv;

/* The last has c_out 0. */
extern const HashedConv hashed_vgg16[], hashed_alex[];
#define HASHED_VGG16_SEED 11
#define HASHED_ALEX_SEED 12

/* Weights by "weights_rule" of golden/losses_image/index.json as a safetensors file. Fails the test on an error. */
void hashed_net_write(const char *path, const HashedConv *convs, uint64_t seed);

#endif
