/* torch_maker.h - files as torch.save writes them, put together by hand: pickles opcode by opcode, zips entry by entry, so
 * that each can be made wrong in its own way.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_TESTS_TORCH_MAKER_H
#define RESIDUA_TESTS_TORCH_MAKER_H

#include <stddef.h>
#include <stdint.h>

#define MAKER_SIZE 65536

typedef struct ByteMaker {
    uint8_t data[MAKER_SIZE];
    size_t size;
} ByteMaker;

void make_bytes(ByteMaker *m, const void *data, size_t size);
void make_byte(ByteMaker *m, int byte);
void make_number(ByteMaker *m, uint64_t value, int size); /* little-endian */

/* Opcodes with their operands; those without are made by make_byte. */
void make_text(ByteMaker *m, const char *text);   /* BINUNICODE */
void make_int(ByteMaker *m, int32_t value);       /* BININT */
void make_global(ByteMaker *m, const char *line); /* "module name" */

/* Pushes _rebuild_tensor_v2 of a FloatStorage `key` with n_stored numbers. */
void make_tensor(ByteMaker *m, const char *key, int32_t n_stored, int32_t offset, int n_dims, const int32_t *shape,
                 const int32_t *strides);

/* One stored entry, remembered for the directory that make_zip_end writes. */
typedef struct ZipMaker {
    ByteMaker bytes, directory;
    int n_entries;
} ZipMaker;

void make_zip_entry(ZipMaker *zip, const char *name, const void *data, size_t size);
void make_zip_end(ZipMaker *zip);

/* A whole file of a pickle and one storage "0" of n floats 0, 1, 2... */
void make_torch_file(ZipMaker *zip, const ByteMaker *pickle, int n);
/* {"state_dict": {"b": [2, 3] floats 0..5, "a": the same transposed}, "metadata": {"rate": 44100, "rates": [2, 4]}} */
void make_sound_pickle(ByteMaker *m);

#endif
