/* tile_vectors.h - streams of tests/codec/tile_cases.c. Written by: build/tests/portable/gcc-O3 --tiles
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_TESTS_TILE_VECTORS_H
#define RESIDUA_TESTS_TILE_VECTORS_H

#include "tests/codec/tile_cases.h"

static const TileVector tile_vectors[] = {
    {29, 1, 0x3459fefd1a9b10f8, 0x726e31ad3cf04dc8},
    {460, 1, 0xf40c51670e3e420e, 0xc108c6e408bc9237},
    {500, 1, 0x40b20569e776305d, 0xb9f44b4ebacbbf08},
    {608, 1, 0x703571000d17821d, 0xa02f994c08153cb8},
    {17571, 8, 0xf00333474630ecbe, 0xf10d525735bb3814},
    {17802, 8, 0x9795da5d90714c2b, 0x4c75364ff5db0746},
    {37734, 8, 0x5d5413f392e8ae1a, 0x89720ce0c4ebad96},
    {3820, 8, 0x16b718112cc7c298, 0x0181f724f9946a47},
    {1463, 1, 0x9ff903ea50ccc25d, 0x0000000000000000},
    {660, 1, 0x29a4d06b741863c0, 0x0000000000000000},
    {50, 1, 0xd01e99c8761b0ef8, 0x0000000000000000},
    {1790, 1, 0xafd65643841a325a, 0x1297e1686a98ff0f},
    {2030, 1, 0x8a8b094a06dd4e1a, 0x39ab79bcf01d0481},
    {1410, 1, 0x5f3d50694f886bae, 0x8124606c783a3693},
    {2256, 8, 0x0ace1ecdac1e1ccb, 0xdea1b90619abecd6},
};

#endif
