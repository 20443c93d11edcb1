/* rans.c - interleaved rANS in plain C. It is also the end of the fast decoders, where every word must be checked.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/kernels/rans.h"

#include "engine/base/bytes.h"

static uint8_t *encode(const uint32_t *entry, int64_t n, uint32_t state[RANS_LANES], uint8_t *end)
{
    for (int64_t i = n; i-- > 0;) {
        uint32_t start = entry[i] & 0xFFFF, freq = entry[i] >> 16, x = state[i % RANS_LANES];

        if (x >> 18 >= freq) {
            end -= 2;
            put_u16le(end, (uint16_t)x);
            x >>= 16;
        }
        state[i % RANS_LANES] = (x / freq << RANS_BITS) + x % freq + start;
    }
    return end;
}

static bool decode(const RansSlots *slots, const uint8_t *table, int64_t n, uint32_t state[RANS_LANES],
                   const uint8_t **words, const uint8_t *end, uint16_t *found)
{
    for (int64_t i = 0; i < n; i++) {
        uint32_t x = state[i % RANS_LANES], slot = x % RANS_TOTAL;
        uint16_t at = slots->bucket[table[i] * RANS_BUCKETS + (slot >> RANS_BUCKET_SHIFT)];
        uint32_t start, freq;

        for (;; at++) {
            start = slots->entry[at] & 0xFFFF;
            freq = slots->entry[at] >> 16;
            if (slot - start < freq)
                break;
        }
        x = freq * (x >> RANS_BITS) + slot - start;
        if (x < RANS_LOW) {
            if (end - *words < 2)
                return false;
            x = x << 16 | get_u16le(*words);
            *words += 2;
        }
        state[i % RANS_LANES] = x;
        found[i] = at;
    }
    return true;
}

const RansKernels rans_ref = {.encode = encode, .decode = decode};
