/* main.c - what must have the same bits on every machine, in a program that needs no library: `make check-portable` builds it
 * with each compiler at -O0 and -O3, `make check-aarch64` for another processor.
 *
 *   portable             runs the cases of tests/codec/rans_cases.c, tile_cases.c and stage_cases.c against their vectors, writes
 *                        the stream of stream_case.c and reads the one that another machine wrote; 0 when all agree
 *   portable --vectors   prints rans_vectors.h
 *   portable --tiles     prints tile_vectors.h
 *   portable --stages    prints stage_vectors.h
 *   portable --stream    prints stream_vector.h
 *   portable --grid      prints codec/cdf_grid.c
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>

#include "tests/codec/rans_cases.h"
#include "tests/codec/rans_vectors.h"
#include "tests/codec/stage_cases.h"
#include "tests/codec/stage_vectors.h"
#include "tests/codec/stream_case.h"
#include "tests/codec/stream_vector.h"
#include "tests/codec/tile_cases.h"
#include "tests/codec/tile_vectors.h"

static int n_wrong;

static void expect(const char *what, uint64_t found, uint64_t expected)
{
    if (found == expected)
        return;
    printf("%s: %016llx, expected %016llx\n", what, (unsigned long long)found, (unsigned long long)expected);
    n_wrong++;
}

static void print_vector(const uint8_t *data, size_t size)
{
    printf("    {.size = %zu, .hash = 0x%016llx, .bytes = {", size, (unsigned long long)rans_hash(data, size));
    for (size_t i = 0; i < size && i < RANS_VECTOR_BYTES; i++)
        printf("%s%s0x%02x", i ? "," : "", i % 20 == 0 ? "\n        " : " ", data[i]);
    printf("}},\n");
}

static void check_vector(const RansTables *tables, int i, const RansInput *input, const uint8_t *data, size_t size)
{
    const RansCase *c = &rans_cases[i];
    const RansVector *v = &rans_vectors[i];
    RsdError err;

    expect(c->what, size, v->size);
    expect(c->what, rans_hash(data, size), v->hash);
    if (memcmp(data, v->bytes, size < RANS_VECTOR_BYTES ? size : RANS_VECTOR_BYTES) != 0)
        expect(c->what, 1, 0);
    if (rans_case_decode(tables, &rans_ref, c, input, data, size, &err) != RSD_OK) {
        printf("%s: %s\n", c->what, err.text);
        n_wrong++;
    }
}

static RsdStatus run_cases(bool print, RsdError *err)
{
    CdfTable cdf[RANS_CASE_TABLES];
    RansTables *tables = NULL;
    RsdStatus status = RSD_OK;

    rans_case_tables(cdf);
    TRY(rans_tables_create(&tables, cdf, RANS_CASE_TABLES, err));
    for (int i = 0; i < n_rans_cases; i++) {
        RansEncoder *encoder = NULL;
        RansInput input;
        const uint8_t *data;
        size_t size;

        rans_case_input(&input, &rans_cases[i], (uint32_t)i);
        TRY(rans_encoder_create(&encoder, tables, rans_cases[i].n_lanes, &rans_ref, err));
        TRY(rans_case_encode(encoder, &rans_cases[i], &input, &data, &size, err));
        if (print)
            print_vector(data, size);
        else
            check_vector(tables, i, &input, data, size);
        rans_encoder_destroy(&encoder);
        rans_case_clear(&input);
    }
fail:
    rans_tables_destroy(&tables);
    return status;
}

static void print_vectors(void)
{
    RsdError err;

    printf("/* rans_vectors.h - streams of tests/codec/rans_cases.c. Written by: build/tests/portable/gcc-O3 "
           "--vectors\n *\n"
           " * SPDX-License-Identifier: MIT\n */\n#ifndef RESIDUA_TESTS_RANS_VECTORS_H\n#define "
           "RESIDUA_TESTS_RANS_VECTORS_H\n\n"
           "#include \"tests/codec/rans_cases.h\"\n\n");
    printf("#define RANS_RULE_HASH 0x%016llx\n", (unsigned long long)rans_hash_rule());
    printf("#define RANS_NORMAL_TAIL_HASH 0x%016llx\n\n", (unsigned long long)rans_hash_normal_tail());
    printf("static const RansVector rans_vectors[] = {\n");
    run_cases(true, &err);
    printf("};\n\n#endif\n");
}

/* --- tiles ---------------------------------------------------------------------------------------------------------- */

/* Prints what was found, or compares it with a vector. */
static void take_tile(const char *what, const TileVector *found, const TileVector *v, bool print)
{
    if (print) {
        printf("    {%zu, %d, 0x%016llx, 0x%016llx},\n", found->size, found->n_lanes, (unsigned long long)found->hash,
               (unsigned long long)found->latents);
        return;
    }
    expect(what, found->size, v->size);
    expect(what, (uint64_t)found->n_lanes, (uint64_t)v->n_lanes);
    expect(what, found->hash, v->hash);
    expect(what, found->latents, v->latents);
}

static RsdStatus run_tiles(bool print, RsdError *err)
{
    const Kernels plain = {.name = "ref", .rans = &rans_ref, .integer = &integer_ref};
    IntegerPrior *prior = tile_case_prior(0);
    TileVector found;
    RsdStatus status = RSD_OK;

    for (int i = 0; i < n_tile_cases; i++) {
        TRY(tile_case_run(&found, i, prior, &plain, &plain, err));
        take_tile(tile_cases[i].what, &found, &tile_vectors[i], print);
    }
fail:
    tile_case_prior_destroy(&prior);
    return status;
}

static RsdStatus run_stages(bool print, RsdError *err)
{
    const Kernels plain = {.name = "ref", .rans = &rans_ref, .integer = &integer_ref};
    StagePrior *prior = stage_case_prior();
    TileVector found;
    RsdStatus status = RSD_OK;

    for (int i = 0; i < n_stage_cases; i++) {
        TRY(stage_case_run(&found, i, prior, &plain, &plain, err));
        take_tile(stage_cases[i].what, &found, &stage_vectors[i], print);
    }
fail:
    stage_case_prior_destroy(&prior);
    return status;
}

/* kind: "tile" or "stage". */
static void print_tiles(const char *kind, const char *guard, RsdStatus (*run)(bool print, RsdError *err))
{
    RsdError err;

    printf("/* %s_vectors.h - streams of tests/codec/%s_cases.c. Written by: build/tests/portable/gcc-O3 --%ss\n *\n"
           " * SPDX-License-Identifier: MIT\n */\n#ifndef RESIDUA_TESTS_%s_VECTORS_H\n#define RESIDUA_TESTS_%s_VECTORS_H\n\n"
           "#include \"tests/codec/%s_cases.h\"\n\nstatic const TileVector %s_vectors[] = {\n",
           kind, kind, kind, guard, guard, kind, kind);
    if (run(true, &err) != RSD_OK)
        printf("%s\n", err.text);
    printf("};\n\n#endif\n");
}

/* --- a whole stream ------------------------------------------------------------------------------------------------- */

static RsdStatus run_stream(bool print, RsdError *err)
{
    static uint8_t written[STREAM_CASE_MAX_SIZE];
    const Kernels plain = {.name = "ref", .rans = &rans_ref, .integer = &integer_ref};
    IntegerPrior *prior = tile_case_prior(0);
    uint64_t hash;
    size_t size;
    RsdStatus status = RSD_OK;

    TRY(stream_case_write(written, &size, prior, &plain, err));
    if (print) {
        TRY(stream_case_read(&hash, written, size, prior, &plain, err));
        printf("/* stream_vector.h - the stream of tests/codec/stream_case.c. Written by: build/tests/portable/gcc-O3 --stream\n *\n"
               " * SPDX-License-Identifier: MIT\n */\n#ifndef RESIDUA_TESTS_STREAM_VECTOR_H\n"
               "#define RESIDUA_TESTS_STREAM_VECTOR_H\n\n#include <stdint.h>\n\n"
               "#define STREAM_HASH 0x%016llx /* of the latents and the opacity */\n\nstatic const uint8_t stream_vector[] = {",
               (unsigned long long)hash);
        for (size_t i = 0; i < size; i++)
            printf("%s%d,", i % 32 ? "" : "\n    ", written[i]);
        printf("\n};\n\n#endif\n");
        goto fail; /* nothing failed: the prior is given back there */
    }
    expect("bytes of a stream", size, sizeof stream_vector);
    expect("a stream", rans_hash(written, size), rans_hash(stream_vector, sizeof stream_vector));
    TRY(stream_case_read(&hash, stream_vector, sizeof stream_vector, prior, &plain, err));
    expect("what a stream decodes to", hash, STREAM_HASH);
fail:
    tile_case_prior_destroy(&prior);
    return status;
}

static void print_shape(const char *name, CdfShape shape)
{
    printf("\nconst uint16_t %s[] = {\n", name);
    for (int i = 0; i < CDF_SCALES; i++) {
        uint16_t half[CDF_MAX_VALUES / 2 + 2];
        int width = cdf_half(half, shape, cdf_grid_scale(i));

        printf("    %d,", width);
        for (int k = 0; k < width + 2; k++)
            printf("%s%d,", k % 20 == 19 ? "\n    " : " ", half[k]);
        printf("\n");
    }
    printf("};\n");
}

static void print_grid(void)
{
    printf(
        "/* cdf_grid.c - the tables of the 64 scales. Written by: build/tests/portable/gcc-O3 --grid\n *\n"
        " * Streams depend on every number. For each scale: K, then the frequencies of 0 .. K and of the escape.\n *\n"
        " * SPDX-License-Identifier: MIT\n */\n#include \"codec/cdf.h\"\n");
    print_shape("cdf_grid_normal", CDF_NORMAL);
    print_shape("cdf_grid_laplace", CDF_LAPLACE);
}

int main(int argc, char **argv)
{
    RsdError err;

    if (argc > 1 && strcmp(argv[1], "--vectors") == 0) {
        print_vectors();
    } else if (argc > 1 && strcmp(argv[1], "--tiles") == 0) {
        print_tiles("tile", "TILE", run_tiles);
    } else if (argc > 1 && strcmp(argv[1], "--stages") == 0) {
        print_tiles("stage", "STAGE", run_stages);
    } else if (argc > 1 && strcmp(argv[1], "--stream") == 0) {
        if (run_stream(true, &err) != RSD_OK)
            printf("%s\n", err.text);
    } else if (argc > 1 && strcmp(argv[1], "--grid") == 0) {
        print_grid();
    } else {
        expect("frequencies", rans_hash_rule(), RANS_RULE_HASH);
        expect("tails of the normal distribution", rans_hash_normal_tail(), RANS_NORMAL_TAIL_HASH);
        if (run_cases(false, &err) != RSD_OK || run_tiles(false, &err) != RSD_OK ||
            run_stages(false, &err) != RSD_OK || run_stream(false, &err) != RSD_OK) {
            printf("%s\n", err.text);
            return 1;
        }
        printf("%d streams of coded symbols, %d tiles and a whole stream of pictures: %d differences\n", n_rans_cases,
               n_tile_cases + n_stage_cases, n_wrong);
    }
    return n_wrong > 0;
}
