/* rans_avx512.c - the eight lanes of rANS with the masks of AVX-512.
 *
 * Decoding expands the next words into the lanes that need one; encoding divides in double precision, which is exact for
 * the quotient of two integers below 2^32 rounded down, and compresses the words that leave.
 *
 * SPDX-License-Identifier: MIT
 */
#include <immintrin.h>

#include "engine/kernels/rans.h"

#define WORDS_SIZE (2 * RANS_LANES) /* read or written at once */

static bool decode(const RansSlots *slots, const uint8_t *table, int64_t n, uint32_t state[RANS_LANES],
                   const uint8_t **words, const uint8_t *end, uint16_t *found)
{
    const __m256i low_half = _mm256_set1_epi32(0xFFFF);
    __m256i x = _mm256_loadu_si256((const __m256i *)state);
    int64_t i = 0;

    for (; i + RANS_LANES <= n && end - *words >= WORDS_SIZE; i += RANS_LANES) {
        __m256i which = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(table + i)));
        __m256i slot = _mm256_and_si256(x, _mm256_set1_epi32(RANS_TOTAL - 1));
        __m256i bucket = _mm256_add_epi32(_mm256_slli_epi32(which, 8), _mm256_srli_epi32(slot, RANS_BUCKET_SHIFT));
        __m256i at = _mm256_and_si256(_mm256_i32gather_epi32((const int *)slots->bucket, bucket, 2), low_half);
        __m256i entry = _mm256_i32gather_epi32((const int *)slots->entry, at, 4), freq, in, next;
        __mmask8 needy;

        for (;;) {
            __mmask8 beyond;

            in = _mm256_sub_epi32(slot, _mm256_and_si256(entry, low_half));
            freq = _mm256_srli_epi32(entry, 16);
            beyond = _mm256_cmpge_epu32_mask(in, freq);
            if (beyond == 0)
                break;
            at = _mm256_mask_add_epi32(at, beyond, at, _mm256_set1_epi32(1));
            entry = _mm256_mmask_i32gather_epi32(entry, beyond, at, slots->entry, 4);
        }
        x = _mm256_add_epi32(_mm256_mullo_epi32(freq, _mm256_srli_epi32(x, RANS_BITS)), in);
        needy = _mm256_cmplt_epu32_mask(x, _mm256_set1_epi32((int)RANS_LOW));
        next = _mm256_maskz_expand_epi32(needy, _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)*words)));
        x = _mm256_mask_or_epi32(x, needy, _mm256_slli_epi32(x, 16), next);
        *words += 2 * __builtin_popcount(needy);
        _mm_storeu_si128((__m128i *)(found + i), _mm256_cvtepi32_epi16(at));
    }
    _mm256_storeu_si256((__m256i *)state, x);
    return rans_ref.decode(slots, table + i, n - i, state, words, end, found + i);
}

static uint8_t *encode(const uint32_t *entry, int64_t n, uint32_t state[RANS_LANES], uint8_t *end)
{
    __m256i x = _mm256_loadu_si256((const __m256i *)state);

    for (int64_t i = n - RANS_LANES; i >= 0; i -= RANS_LANES) {
        __m256i symbol = _mm256_loadu_si256((const __m256i *)(entry + i)), freq = _mm256_srli_epi32(symbol, 16),
                quotient;
        __mmask8 full = _mm256_cmpge_epu32_mask(_mm256_srli_epi32(x, 18), freq);
        __m128i leaving = _mm256_cvtepi32_epi16(_mm256_maskz_compress_epi32(full, x));
        int n_leaving = __builtin_popcount(full);
        __m512d ratio;

        end -= 2 * n_leaving;
        _mm_mask_storeu_epi16(end, (__mmask8)((1u << n_leaving) - 1), leaving);
        x = _mm256_mask_srli_epi32(x, full, x, 16);
        ratio = _mm512_div_pd(_mm512_cvtepu32_pd(x), _mm512_cvtepu32_pd(freq));
        quotient = _mm512_cvttpd_epu32(ratio);
        /* (x / f) 2^14 + x mod f + start, where x mod f = x - (x / f) f */
        x = _mm256_add_epi32(x, _mm256_and_si256(symbol, _mm256_set1_epi32(0xFFFF)));
        x = _mm256_add_epi32(x, _mm256_mullo_epi32(quotient, _mm256_sub_epi32(_mm256_set1_epi32(RANS_TOTAL), freq)));
    }
    _mm256_storeu_si256((__m256i *)state, x);
    return end;
}

const RansKernels rans_avx512 = {.encode = encode, .decode = decode};
