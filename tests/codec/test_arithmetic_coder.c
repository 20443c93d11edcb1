/* test_arithmetic_coder.c - the coder of EnCodec's files against the published one, and against damaged bits.
 *
 * SPDX-License-Identifier: MIT
 */
#include "codec/arithmetic_coder.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "codec/bitpack.h"
#include "engine/base/rng.h"
#include "tests/shared.h"

typedef struct BitBuffer {
    uint8_t bytes[4096];
    BitWriter writer;
    BitReader reader;
} BitBuffer;

static RsdStatus put_bit(void *ctx, int bit, RsdError *err)
{
    BitBuffer *b = ctx;

    (void)err;
    bit_writer_put(&b->writer, (uint32_t)bit, 1);
    return RSD_OK;
}

static RsdStatus get_bit(void *ctx, int *bit, RsdError *err)
{
    BitBuffer *b = ctx;

    (void)err;
    *bit = (int)bit_reader_get(&b->reader, 1);
    return RSD_OK;
}

/* Encodes symbols [n] under cdf [n, n_codes]; returns the size. */
static size_t encode(BitBuffer *b, const uint32_t *cdf, const int64_t *symbols, int64_t n, int n_codes)
{
    ArithmeticEncoder coder;
    RsdError err;

    bit_writer_init(&b->writer, b->bytes);
    arithmetic_encoder_init(&coder, put_bit, b);
    for (int64_t i = 0; i < n; i++)
        ASSERT_OK(arithmetic_encode(&coder, cdf + i * n_codes, n_codes, (int)symbols[i], &err), err);
    ASSERT_OK(arithmetic_flush(&coder, &err), err);
    return (size_t)(bit_writer_finish(&b->writer) - b->bytes);
}

Test(arithmetic_coder, tables_and_bytes_are_the_published_ones)
{
    const char *const roots[] = {"golden/encodec/mono24/ac", "golden/encodec/stereo48style/ac"};
    RsdError err;

    NEED_SHARED("golden/encodec");
    for (int r = 0; r < 2; r++) {
        Npy pdf, cdf, symbols;
        SharedPath path;
        static BitBuffer b;
        char file[96];
        uint8_t expected[256];
        uint32_t *table;
        ArithmeticDecoder decoder;
        size_t size, n_expected;
        int n_codes;
        FILE *stream;

        snprintf(file, sizeof file, "%s/pdf.npy", roots[r]);
        npy_load(&pdf, shared_path(&path, file));
        snprintf(file, sizeof file, "%s/cdf.npy", roots[r]);
        npy_load(&cdf, shared_path(&path, file));
        snprintf(file, sizeof file, "%s/symbols.npy", roots[r]);
        npy_load(&symbols, shared_path(&path, file));
        n_codes = (int)pdf.shape[1];
        table = calloc((size_t)pdf.count, sizeof *table);
        for (int64_t i = 0; i < symbols.count; i++) {
            ASSERT_OK(arithmetic_cdf(pdf.f32 + i * n_codes, n_codes, table + i * n_codes, &err), err);
            for (int k = 0; k < n_codes; k++)
                cr_assert_eq(table[i * n_codes + k], cdf.i64[i * n_codes + k], "table %d, symbol %d: %u, expected %d",
                             (int)i, k, table[i * n_codes + k], (int)cdf.i64[i * n_codes + k]);
        }
        size = encode(&b, table, symbols.i64, symbols.count, n_codes);
        snprintf(file, sizeof file, "%s/stream.bin", roots[r]);
        stream = fopen(shared_path(&path, file), "rb");
        cr_assert(stream);
        n_expected = fread(expected, 1, sizeof expected, stream);
        fclose(stream);
        cr_assert_eq(size, n_expected);
        cr_assert_eq(memcmp(b.bytes, expected, size), 0);
        bit_reader_init(&b.reader, b.bytes, size);
        arithmetic_decoder_init(&decoder, get_bit, &b);
        for (int64_t i = 0; i < symbols.count; i++) {
            int symbol;

            ASSERT_OK(arithmetic_decode(&decoder, table + i * n_codes, n_codes, &symbol, &err), err);
            cr_assert_eq(symbol, symbols.i64[i]);
        }
        free(table);
        npy_free(&pdf);
        npy_free(&cdf);
        npy_free(&symbols);
    }
}

Test(arithmetic_coder, any_symbols_under_any_tables_come_back)
{
    enum { N = 300, CODES = 16 };
    static float p[CODES];
    static uint32_t table[N * CODES];
    static int64_t symbols[N];
    static BitBuffer b;
    RsdError err;

    for (uint32_t round = 0; round < 50; round++) {
        Rng rng = rng_at(7, RNG_TEST, 0, round);
        ArithmeticDecoder decoder;
        size_t size;

        for (int i = 0; i < N; i++) {
            float sum = 0.0f;

            for (int k = 0; k < CODES; k++)
                sum += p[k] = expf(10.0f * rng_between(&rng, -1.0f, 1.0f)); /* also far below 2^-24 */
            for (int k = 0; k < CODES; k++)
                p[k] /= sum;
            ASSERT_OK(arithmetic_cdf(p, CODES, table + i * CODES, &err), err);
            symbols[i] = (int64_t)(rng_between(&rng, 0.0f, 1.0f) * CODES) % CODES;
        }
        size = encode(&b, table, symbols, N, CODES);
        bit_reader_init(&b.reader, b.bytes, size);
        arithmetic_decoder_init(&decoder, get_bit, &b);
        for (int i = 0; i < N; i++) {
            int symbol;

            ASSERT_OK(arithmetic_decode(&decoder, table + i * CODES, CODES, &symbol, &err), err);
            cr_assert_eq(symbol, symbols[i], "round %u, symbol %d", round, i);
        }
    }
}

Test(arithmetic_coder, what_is_no_distribution_is_refused)
{
    const float bad[][2] = {{NAN, 0.5f}, {0.9f, 0.9f}, {-0.1f, 0.5f}, {INFINITY, 0.0f}};
    uint32_t table[2];
    RsdError err;

    for (size_t i = 0; i < 4; i++) {
        RsdStatus status = arithmetic_cdf(bad[i], 2, table, &err);

        cr_assert_eq(status, RSD_ERR_NUMERIC, "case %zu", i);
    }
}

/* Bits that no symbol stands for: the table leaves the top of the range out. */
Test(arithmetic_coder, damaged_bits_end_with_an_error_or_another_symbol_and_never_with_an_endless_interval)
{
    enum { CODES = 4 };
    const float p[CODES] = {0.1f, 0.1f, 0.1f, 0.1f}; /* more than half of the range is nobody's */
    uint32_t table[CODES];
    static BitBuffer b;
    int n_refused = 0;
    RsdError err;

    ASSERT_OK(arithmetic_cdf(p, CODES, table, &err), err);
    for (uint32_t round = 0; round < 200; round++) {
        Rng rng = rng_at(8, RNG_TEST, 0, round);
        ArithmeticDecoder decoder;
        RsdStatus status = RSD_OK;
        int symbol;

        for (size_t i = 0; i < 256; i++)
            b.bytes[i] = (uint8_t)rng_between(&rng, 0.0f, 256.0f);
        bit_reader_init(&b.reader, b.bytes, 256);
        arithmetic_decoder_init(&decoder, get_bit, &b);
        for (int i = 0; i < 1000 && status == RSD_OK; i++) {
            status = arithmetic_decode(&decoder, table, CODES, &symbol, &err);
            cr_assert(status != RSD_OK || (symbol >= 0 && symbol < CODES));
        }
        n_refused += status == RSD_ERR_CORRUPT;
    }
    cr_assert_gt(n_refused, 150);
}
