/* stage_vectors.h - streams of tests/codec/stage_cases.c. Written by: build/tests/portable/gcc-O3 --stages
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_TESTS_STAGE_VECTORS_H
#define RESIDUA_TESTS_STAGE_VECTORS_H

#include "tests/codec/stage_cases.h"

static const TileVector stage_vectors[] = {
    {4, 1, 0xec093c57da3fbbc3, 0xfa4c752dd8bbeb66},
    {31, 1, 0x539a574e063c97a0, 0xcfc53825bf5e24f1},
    {70, 1, 0x6704000dab417d2d, 0xfb273440ff69b55a},
    {61, 1, 0xc2318c0b87204266, 0x420a63e39fb9211a},
    {3306, 1, 0x0186aea05b932f07, 0x4e8330acac331303},
    {1442, 1, 0x2561c61013050682, 0xd8946b039d2dc1bc},
    {3912, 1, 0xe5c07e4c9b478dc3, 0x4b08f73b7b3404c8},
};

#endif
