/* npy.h - the header of numpy's array files (.npy): read without trusting it, written as numpy writes it.
 *
 *   "\x93NUMPY"  u8 major  u8 minor  length (u16, from version 2 on u32, little-endian)
 *   {'descr': '<u2', 'fortran_order': False, 'shape': (1, 9, 862), }  filled up with spaces, a line feed
 *   the numbers
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_NPY_H
#define RESIDUA_NPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/error.h"

#define NPY_PREFIX_SIZE 12 /* enough to know how long the header is */
#define NPY_HEADER_MAX 4096
#define NPY_MAX_AXES 8

typedef struct NpyHeader {
    char type;     /* 'u' unsigned, 'i' signed, 'f' real, 'b' truth values, 'O' Python objects */
    int item_size; /* bytes of a number */
    bool big_endian, fortran_order;
    int n_dims;
    int64_t shape[NPY_MAX_AXES];
    int64_t count; /* product of shape; at most 2^40 */
    size_t size;   /* of the header, where the numbers begin */
} NpyHeader;

/* Size of the whole header, from its first bytes. Errors: RSD_ERR_CORRUPT (no .npy file), RSD_ERR_UNSUPPORTED (version). */
RsdStatus npy_probe(size_t *size, const uint8_t prefix[NPY_PREFIX_SIZE], RsdError *err);
/* data [size], size as npy_probe said. Errors: RSD_ERR_CORRUPT, RSD_ERR_UNSUPPORTED (structures, strings, complex numbers). */
RsdStatus npy_parse(NpyHeader *header, const uint8_t *data, size_t size, RsdError *err);
/* descr: "<u2", "|O"; n_dims 0 to NPY_MAX_AXES. Version 1.0. Returns the size, a multiple of 64. */
size_t npy_write(uint8_t dst[NPY_HEADER_MAX], const char *descr, int n_dims, const int64_t *shape);

#endif
