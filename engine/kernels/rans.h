/* rans.h - eight interleaved rANS coders over tables of frequencies that sum to 2^14.
 *
 * A lane's state x stays in [2^16, 2^32) between symbols. A symbol of frequency f whose slots begin at `start` is
 *
 *   put:  x >= f 2^18: write the low 16 bits of x, x >>= 16      get:  slot = x mod 2^14 names the symbol
 *         x = (x div f) 2^14 + x mod f + start                         x = f (x div 2^14) + slot - start
 *                                                                      x < 2^16: x = x 2^16 + next word
 *
 * Symbol i belongs to lane i mod 8; all lanes share one sequence of 16-bit little-endian words. The encoder goes backwards,
 * over symbols and lanes, and writes downwards, so that the decoder reads upwards in lane order. All sets give the same bytes.
 *
 * [1] Duda, Asymmetric numeral systems, 2013.   [2] Giesen, Interleaved entropy coders, 2014.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_KERNELS_RANS_H
#define RESIDUA_KERNELS_RANS_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/kernels/kernels.h"

#define RANS_BITS 14
#define RANS_TOTAL (1 << RANS_BITS)
#define RANS_LANES 8
#define RANS_LOW 65536u  /* least state */
#define RANS_BUCKETS 256 /* a table's slots in runs of 64 */
#define RANS_BUCKET_SHIFT 6
#define RANS_MAX_ENTRIES 65535

/* An entry is one symbol of one table: start | frequency << 16. Frequency 2^14 and start 0 change nothing and write nothing. */
#define RANS_NOTHING ((uint32_t)RANS_TOTAL << 16)

/* Tables ready for decoding; borrowed. The entries of a table follow each other and cover the slots 0 .. 2^14 - 1. */
typedef struct RansSlots {
    const uint16_t *bucket; /* [n_tables, RANS_BUCKETS] the entry of each bucket's first slot, and one element more */
    const uint32_t *entry;  /* [n_entries] */
} RansSlots;

struct RansKernels {
    /* Puts entry [n], n a multiple of 8, last one first; `end` is where words end, and 2 n bytes before it are free.
     * Returns the first byte written. */
    uint8_t *(*encode)(const uint32_t *entry, int64_t n, uint32_t state[RANS_LANES], uint8_t *end);
    /* Gets n symbols of the tables table [n] into found [n], as numbers of entries; symbol 0 belongs to lane 0. Moves *words,
     * which never passes `end`; false when there are no words left. Any bytes and states >= RANS_LOW are safe. */
    bool (*decode)(const RansSlots *slots, const uint8_t *table, int64_t n, uint32_t state[RANS_LANES],
                   const uint8_t **words, const uint8_t *end, uint16_t *found);
};

extern const RansKernels rans_ref, rans_avx2, rans_avx512;

#endif
