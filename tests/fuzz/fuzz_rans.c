/* fuzz_rans.c - entropy-coded symbols from any bytes: every kernel set ends the same way, and what decodes encodes to the
 * same bytes.
 *
 *   byte 0: bit 0 one lane, bits 1-4 tables are drawn from one in so many of all; byte 1-2: number of symbols mod 4096; the rest: the
 * stream
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/bytes.h"
#include "engine/base/rng.h"
#include "engine/kernels/kernels.h"
#include "tests/codec/rans_cases.h"
#include "tests/fuzz/demand.h"

#define HEAD_SIZE 3
#define MAX_SYMBOLS 4096
#define N_SEEDS 64

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static RansTables *tables;

static size_t draw_tables(const uint8_t *head, uint8_t *table)
{
    uint32_t n_tables = 1 + (head[0] >> 1 & 15u) * 8;
    size_t n = get_u16le(head + 1) % MAX_SYMBOLS;
    Rng rng = rng_at(1, RNG_TEST, head[0], 0);

    for (size_t i = 0; i < n; i++)
        table[i] = (uint8_t)(RANS_CASE_TABLES - 1 - rng_below(&rng, n_tables));
    return n;
}

static int n_lanes_of(const uint8_t *head)
{
    return head[0] & 1 ? 1 : RANS_LANES;
}

static void write_seed(const char *folder, uint32_t number)
{
    static uint8_t table[MAX_SYMBOLS];
    static int16_t value[MAX_SYMBOLS];
    uint8_t head[HEAD_SIZE] = {(uint8_t)number, (uint8_t)(number * 11), (uint8_t)(number % 5)};
    size_t n = draw_tables(head, table), size;
    RansEncoder *encoder;
    const uint8_t *data;
    char path[4096];
    FILE *file;

    for (size_t i = 0; i < n; i++)
        value[i] = rans_table_skips(tables, table[i]) ? 0 : (int16_t)(i % 37 == 0 ? 500 - (int)i : (int)i % 3 - 1);
    demand(rans_encoder_create(&encoder, tables, n_lanes_of(head), &rans_ref, NULL) == RSD_OK);
    demand(rans_encoder_put(encoder, table, value, n, NULL) == RSD_OK);
    demand(rans_encoder_finish(encoder, NULL, &data, &size, NULL) == RSD_OK);
    snprintf(path, sizeof path, "%s/symbols-%u", folder, number);
    file = fopen(path, "wb");
    demand(file && fwrite(head, 1, sizeof head, file) == sizeof head && fwrite(data, 1, size, file) == size);
    fclose(file);
    rans_encoder_destroy(&encoder);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    CdfTable cdf[RANS_CASE_TABLES];

    rans_case_tables(cdf);
    demand(rans_tables_create(&tables, cdf, RANS_CASE_TABLES, NULL) == RSD_OK);
    if (*argc == 3 && strcmp((*argv)[1], "--make-corpus") == 0) {
        for (uint32_t i = 0; i < N_SEEDS; i++)
            write_seed((*argv)[2], i);
        exit(0);
    }
    return 0;
}

static RsdStatus decode(const RansKernels *kernels, const uint8_t *table, size_t n, const uint8_t *head, size_t size,
                        int16_t *value, RansRider *rider)
{
    RsdStatus status = RSD_OK;
    RansDecoder decoder;
    RsdError err;

    TRY(rans_decoder_open(&decoder, tables, n_lanes_of(head), kernels, head + HEAD_SIZE, size - HEAD_SIZE, &err));
    TRY(rans_decoder_get(&decoder, table, value, n / 3, &err));
    TRY(rans_decoder_get(&decoder, table + n / 3, value + n / 3, n - n / 3, &err));
    TRY(rans_decoder_finish(&decoder, rider, &err));
fail:
    demand(status == RSD_OK || status == RSD_ERR_CORRUPT);
    return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const set_names[] = {"ref", "avx2", "avx512"};
    static uint8_t table[MAX_SYMBOLS];
    static int16_t value[2][MAX_SYMBOLS];
    RansRider rider[2] = {{{0}}, {{0}}};
    RsdStatus first;
    size_t n;

    if (size < HEAD_SIZE)
        return 0;
    n = draw_tables(data, table);
    first = decode(&rans_ref, table, n, data, size, value[0], &rider[0]);
    for (size_t s = 1; s < sizeof set_names / sizeof set_names[0]; s++) {
        const Kernels *set = kernels_named(set_names[s]);

        if (!set)
            continue;
        demand(decode(set->rans, table, n, data, size, value[1], &rider[1]) == first);
        demand(first != RSD_OK || memcmp(value[0], value[1], n * sizeof value[0][0]) == 0);
        demand(first != RSD_OK || memcmp(&rider[0], &rider[1], sizeof rider[0]) == 0);
    }
    if (first == RSD_OK) {
        RansEncoder *encoder;
        const uint8_t *again;
        size_t again_size;

        demand(rans_encoder_create(&encoder, tables, n_lanes_of(data), kernels_pick()->rans, NULL) == RSD_OK);
        demand(rans_encoder_put(encoder, table, value[0], n / 3, NULL) == RSD_OK);
        demand(rans_encoder_put(encoder, table + n / 3, value[0] + n / 3, n - n / 3, NULL) == RSD_OK);
        demand(rans_encoder_finish(encoder, &rider[0], &again, &again_size, NULL) == RSD_OK);
        demand(again_size == size - HEAD_SIZE && memcmp(again, data + HEAD_SIZE, again_size) == 0);
        rans_encoder_destroy(&encoder);
    }
    return 0;
}
