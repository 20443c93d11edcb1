/* rans_avx2.c - the eight lanes of rANS in one vector.
 *
 * Buckets and entries are gathered. Lanes that need a word take theirs from the next eight in the order of the lanes: a
 * table gives, for each set of such lanes, how many come before each. Encoding is bound by division and stays plain C.
 *
 * SPDX-License-Identifier: MIT
 */
#include <immintrin.h>

#include "engine/kernels/rans.h"

#define WORDS_SIZE (2 * RANS_LANES) /* read at once */

/* Byte l of order[m] = number of set bits of m below bit l. */
#define BIT(m, l) ((uint64_t)((m) >> (l)&1))
#define FROM(m, l) (BIT(m, l) * (0x0101010101010101u << 8 << 8 * (l)))
#define ROW(m) FROM(m, 0) + FROM(m, 1) + FROM(m, 2) + FROM(m, 3) + FROM(m, 4) + FROM(m, 5) + FROM(m, 6)
#define ROWS_4(m) ROW(m), ROW(m + 1), ROW(m + 2), ROW(m + 3)
#define ROWS_16(m) ROWS_4(m), ROWS_4(m + 4), ROWS_4(m + 8), ROWS_4(m + 12)
#define ROWS_64(m) ROWS_16(m), ROWS_16(m + 16), ROWS_16(m + 32), ROWS_16(m + 48)
static const uint64_t order[256] = {ROWS_64(0), ROWS_64(64), ROWS_64(128), ROWS_64(192)};

static bool decode(const RansSlots *slots, const uint8_t *table, int64_t n, uint32_t state[RANS_LANES],
                   const uint8_t **words, const uint8_t *end, uint16_t *found)
{
    const __m256i low_half = _mm256_set1_epi32(0xFFFF), all = _mm256_set1_epi32(-1);
    __m256i x = _mm256_loadu_si256((const __m256i *)state);
    int64_t i = 0;

    for (; i + RANS_LANES <= n && end - *words >= WORDS_SIZE; i += RANS_LANES) {
        __m256i which = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(table + i)));
        __m256i slot = _mm256_and_si256(x, _mm256_set1_epi32(RANS_TOTAL - 1));
        __m256i bucket = _mm256_add_epi32(_mm256_slli_epi32(which, 8), _mm256_srli_epi32(slot, RANS_BUCKET_SHIFT));
        __m256i at = _mm256_and_si256(_mm256_i32gather_epi32((const int *)slots->bucket, bucket, 2), low_half);
        __m256i entry, freq, in, low, next;
        unsigned needy;

        for (;;) {
            __m256i found_it;

            entry = _mm256_i32gather_epi32((const int *)slots->entry, at, 4);
            in = _mm256_sub_epi32(slot, _mm256_and_si256(entry, low_half));
            freq = _mm256_srli_epi32(entry, 16);
            found_it = _mm256_cmpgt_epi32(freq, in);
            if (_mm256_movemask_epi8(found_it) == -1)
                break;
            at = _mm256_sub_epi32(at, _mm256_xor_si256(found_it, all));
        }
        x = _mm256_add_epi32(_mm256_mullo_epi32(freq, _mm256_srli_epi32(x, RANS_BITS)), in);
        low = _mm256_cmpeq_epi32(_mm256_srli_epi32(x, 16), _mm256_setzero_si256());
        needy = (unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(low));
        next = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)*words));
        next = _mm256_permutevar8x32_epi32(next, _mm256_cvtepu8_epi32(_mm_cvtsi64_si128((long long)order[needy])));
        x = _mm256_blendv_epi8(x, _mm256_or_si256(_mm256_slli_epi32(x, 16), next), low);
        *words += 2 * __builtin_popcount(needy);
        _mm_storeu_si128((__m128i *)(found + i),
                         _mm_packus_epi32(_mm256_castsi256_si128(at), _mm256_extracti128_si256(at, 1)));
    }
    _mm256_storeu_si256((__m256i *)state, x);
    return rans_ref.decode(slots, table + i, n - i, state, words, end, found + i);
}

static uint8_t *encode(const uint32_t *entry, int64_t n, uint32_t state[RANS_LANES], uint8_t *end)
{
    return rans_ref.encode(entry, n, state, end);
}

const RansKernels rans_avx2 = {.encode = encode, .decode = decode};
