/* test_picture_tile.c - tiles: the same bytes and latents from every kernel set, rounding, damage, and no floating point.
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/rng.h"
#include "models/prior_run.h"
#include "tests/codec/stream_case.h"
#include "tests/codec/stream_vector.h"
#include "tests/codec/tile_cases.h"
#include "tests/codec/tile_vectors.h"

static const char *const set_names[] = {"ref", "avx2", "avx512"};
#define N_SETS (sizeof set_names / sizeof set_names[0])

Test(picture_tile, every_kernel_set_writes_and_reads_the_vectors)
{
    IntegerPrior *prior = tile_case_prior(0);

    cr_assert_eq(sizeof tile_vectors / sizeof tile_vectors[0], (size_t)n_tile_cases);
    for (int i = 0; i < n_tile_cases; i++)
        for (size_t s = 0; s < N_SETS; s++) {
            const Kernels *set = kernels_named(set_names[s]), *other = kernels_named(set_names[(s + 1) % N_SETS]);
            TileVector found;
            RsdError err;

            if (!set)
                continue;
            cr_assert_eq(tile_case_run(&found, i, prior, set, other ? other : set, &err), RSD_OK, "%s: %s",
                         tile_cases[i].what, err.text);
            cr_assert(found.size == tile_vectors[i].size && found.n_lanes == tile_vectors[i].n_lanes &&
                          found.hash == tile_vectors[i].hash && found.latents == tile_vectors[i].latents,
                      "%s by %s: %zu bytes, hash %016llx", tile_cases[i].what, set_names[s], found.size,
                      (unsigned long long)found.hash);
        }
    tile_case_prior_destroy(&prior);
}

Test(picture_tile, every_kernel_set_writes_and_reads_the_whole_stream)
{
    static uint8_t written[STREAM_CASE_MAX_SIZE];
    IntegerPrior *prior = tile_case_prior(0);

    for (size_t s = 0; s < N_SETS; s++) {
        const Kernels *set = kernels_named(set_names[s]);
        uint64_t hash;
        size_t size;
        RsdError err;

        if (!set)
            continue;
        cr_assert_eq(stream_case_write(written, &size, prior, set, &err), RSD_OK, "%s", err.text);
        cr_assert(size == sizeof stream_vector && memcmp(written, stream_vector, size) == 0, "%s writes another stream",
                  set_names[s]);
        cr_assert_eq(stream_case_read(&hash, stream_vector, sizeof stream_vector, prior, set, &err), RSD_OK, "%s", err.text);
        cr_assert_eq(hash, STREAM_HASH, "%s decodes other latents", set_names[s]);
    }
    tile_case_prior_destroy(&prior);
}

/* A coder for one tile of 9 x 11 latents and what goes into it. */
#define H 9
#define W 11
#define M 12
typedef struct Fixture {
    IntegerPrior *prior;
    TileModel *model;
    TileCoder *coder;
    int32_t y[M * H * W], decoded[M * H * W];
    int16_t z[5 * 3 * 3];
} Fixture;

static Fixture *setup(void)
{
    Fixture *f = calloc(1, sizeof *f);
    Rng rng = rng_at(29, RNG_TEST, 0, 0);

    f->prior = tile_case_prior(1);
    cr_assert_eq(tile_model_create(&f->model, f->prior, NULL), RSD_OK);
    cr_assert_eq(tile_coder_create(&f->coder, f->model, H, W, kernels_pick(), NULL), RSD_OK);
    for (int i = 0; i < M * H * W; i++)
        f->y[i] = (int32_t)rng_below(&rng, 20001) - 10000;
    for (int i = 0; i < 5 * 3 * 3; i++)
        f->z[i] = (int16_t)((int)rng_below(&rng, 7) - 3);
    return f;
}

static void teardown(Fixture *f)
{
    tile_coder_destroy(&f->coder);
    tile_model_destroy(&f->model);
    tile_case_prior_destroy(&f->prior);
    free(f);
}

/* Latents that came back within half a step; those of scale 0 are not coded and seldom do. */
static int count_near(const Fixture *f)
{
    int n = 0;

    for (int i = 0; i < M * H * W; i++)
        n += abs(f->y[i] - 16 * f->decoded[i]) <= TILE_FRACTION / 2;
    return n;
}

Test(picture_tile, strength_trades_nearness_for_bytes)
{
    Fixture *f = setup();
    int n_near = M * H * W + 1;
    size_t size = SIZE_MAX;

    for (int strength = 0; strength <= TILE_MAX_STRENGTH; strength += TILE_STRENGTH_UNIT) {
        TileCode code;
        int now;

        cr_assert_eq(tile_encode(f->coder, 50, &(TileRounding){.strength = strength}, f->z, f->y, H, W, &code, NULL), RSD_OK);
        cr_assert_eq(tile_decode(f->coder, 50, &code, H, W, f->decoded, NULL), RSD_OK);
        now = count_near(f);
        cr_assert_lt(code.size, size, "strength %d: %zu bytes after %zu", strength, code.size, size);
        cr_assert_lt(now, n_near, "strength %d: %d latents within half a step after %d", strength, now, n_near);
        size = code.size;
        n_near = now;
    }
    cr_assert_lt(n_near, M * H * W);
    teardown(f);
}

/* Left of the middle errors weigh all that they can, right of it nothing. What is right of it is the context of some on the left. */
Test(picture_tile, an_error_counts_by_channel_and_place)
{
    Fixture *f = setup();
    int32_t weight[M], place[H * W];
    const TileRounding rounding = {.strength = TILE_STRENGTH_UNIT, .weight = weight, .place = place};
    int n_near[2] = {0, 0};
    TileCode code;

    for (int c = 0; c < M; c++)
        weight[c] = c % 2 ? TILE_WEIGHT_UNIT : TILE_MAX_WEIGHT;
    for (int i = 0; i < H * W; i++)
        place[i] = i % W < W / 2 ? TILE_MAX_WEIGHT : 0;
    cr_assert_eq(tile_encode(f->coder, 50, &(TileRounding){0}, f->z, f->y, H, W, &code, NULL), RSD_OK);
    cr_assert_eq(tile_decode(f->coder, 50, &code, H, W, f->decoded, NULL), RSD_OK);
    for (int i = 0; i < M * H * W; i++)
        n_near[i % W < W / 2] += abs(f->y[i] - 16 * f->decoded[i]) <= TILE_FRACTION / 2;
    cr_assert_eq(tile_encode(f->coder, 50, &rounding, f->z, f->y, H, W, &code, NULL), RSD_OK);
    cr_assert_eq(tile_decode(f->coder, 50, &code, H, W, f->decoded, NULL), RSD_OK);
    for (int i = 0; i < M * H * W; i++)
        n_near[i % W < W / 2] -= abs(f->y[i] - 16 * f->decoded[i]) <= TILE_FRACTION / 2;
    cr_expect_leq(abs(n_near[1]), M * H * W / 32, "%d fewer are near on the left", n_near[1]);
    cr_expect_gt(n_near[0], M * H * W / 8, "%d fewer are near on the right", n_near[0]);
    teardown(f);
}

/* A step for each channel, twice as wide at level 112 as at 0: rows of the scale grid, of which 8 and some double a step. */
Test(picture_tile, latents_come_back_within_half_a_step_of_their_own)
{
    static const int8_t weight[M];
    static const int32_t bias[1];
    static const int16_t mult[1] = {INTEGER_MULT_MIN};
    int16_t levels[IMAGE_LEVELS * M];
    IntegerSteps steps = {.local = {1, M, weight, bias, mult, 20, -INTEGER_MAX}, .levels = levels};
    Fixture *f = setup();
    size_t size[2];

    tile_coder_destroy(&f->coder);
    for (int i = 0; i < IMAGE_LEVELS * M; i++)
        levels[i] = (int16_t)(i % M - 6 + (i / M) * 2);
    f->prior->steps = &steps;
    cr_assert_eq(tile_coder_create(&f->coder, f->model, H, W, kernels_pick(), NULL), RSD_OK);
    for (int last = 0; last < 2; last++) {
        const int level = last ? IMAGE_LEVEL_MAX : 0;
        int32_t step[M * H * W];
        TileCode code;
        int n_near = 0;

        cr_assert_eq(tile_encode(f->coder, level, &(TileRounding){0}, f->z, f->y, H, W, &code, NULL), RSD_OK);
        tile_steps(f->coder, H, W, step);
        cr_assert_eq(tile_decode(f->coder, level, &code, H, W, f->decoded, NULL), RSD_OK);
        for (int i = 0; i < M * H * W; i++) {
            cr_assert_eq(step[i], prior_step(levels[(last ? (IMAGE_LEVELS - 1) * M : 0) + i / (H * W)]));
            n_near += abs(f->y[i] - 16 * f->decoded[i]) <= step[i] / 2 + 16;
        }
        cr_assert_gt(n_near, M * H * W * 3 / 5, "level %d: %d of %d within half a step", level, n_near, M * H * W);
        size[last] = code.size;
    }
    cr_assert_lt(size[1], size[0], "%zu bytes with wide steps, %zu with narrow ones", size[1], size[0]);
    teardown(f);
}

Test(picture_tile, flipped_and_cut_streams_end_in_an_error_or_other_latents)
{
    Fixture *f = setup();
    TileCode code;
    uint8_t *bytes;
    size_t size;
    int n_unnoticed = 0;

    cr_assert_eq(tile_encode(f->coder, 50, &(TileRounding){0}, f->z, f->y, H, W, &code, NULL), RSD_OK);
    size = code.size;
    for (size_t i = 0; i < size; i++) {
        TileCode bad = {.size = size, .n_lanes = code.n_lanes};
        RsdStatus status;

        bytes = malloc(size);
        memcpy(bytes, code.data, size);
        bytes[i] ^= (uint8_t)(1 + i % 255);
        bad.data = bytes;
        status = tile_decode(f->coder, 50, &bad, H, W, f->decoded, NULL);
        cr_assert(status == RSD_OK || status == RSD_ERR_CORRUPT);
        n_unnoticed += status == RSD_OK;
        free(bytes);
        bytes = malloc(i + 1);
        memcpy(bytes, code.data, i);
        bad = (TileCode){bytes, i, code.n_lanes};
        cr_assert_neq(tile_decode(f->coder, 50, &bad, H, W, f->decoded, NULL), RSD_OK, "cut at %zu of %zu", i, size);
        free(bytes);
    }
    cr_assert_lt(n_unnoticed, (int)size / 20, "%d of %zu flips went unnoticed", n_unnoticed, size);
    teardown(f);
}

Test(picture_tile, a_lost_tile_is_what_the_prior_expects_of_nothing)
{
    Fixture *f = setup();
    int32_t again[M * H * W];
    bool differs = false;

    tile_conceal(f->coder, 0, H, W, f->decoded);
    tile_conceal(f->coder, 0, H, W, again);
    cr_assert_arr_eq(f->decoded, again, sizeof again);
    tile_conceal(f->coder, 100, H, W, again); /* a level has its own bias */
    for (int i = 0; i < M * H * W; i++)
        differs = differs || f->decoded[i] != again[i];
    cr_assert(differs);
    teardown(f);
}

Test(picture_tile, what_decoders_must_agree_on_has_no_floating_point)
{
    static const char *const files[] = {"models/prior_run.c", "models/stage_run.c", "codec/tile_coder.c", "codec/tile_scalar.c", "codec/tile_rvq.c",
                                        "codec/tile_stages.c", "codec/picture_alpha.c",
                                        "engine/kernels/ref/integer.c", "codec/rans.c"};
    static const char *const words[] = {"float ", "double ", "math.h"};
    const char *source = getenv("RESIDUA_SOURCE");
    static char text[1 << 17], path[4096];

    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        FILE *file;
        size_t n;

        snprintf(path, sizeof path, "%s/%s", source ? source : ".", files[i]);
        file = fopen(path, "r");
        cr_assert(file, "cannot read %s", path);
        n = fread(text, 1, sizeof text - 1, file);
        text[n] = '\0';
        fclose(file);
        cr_assert_gt(n, 100u);
        for (size_t k = 0; k < sizeof words / sizeof *words; k++)
            cr_assert_null(strstr(text, words[k]), "%s has '%s'", files[i], words[k]);
    }
}
