/* test_eval_turn.c - large pairs are in memory one at a time, however small their files are.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <unistd.h>

#include "cli/eval_audio.h"
#include "cli/eval_image.h"
#include "media/image_writer.h"
#include "tests/media/fixture.h"
#include "tests/shared.h"

#define LARGE_SIDE 2049 /* its square is just above EVAL_LARGE_PIXELS */

static EvalTurn turn;
static const EvalOptions options = {.turn = &turn, .no_align = true};

static void set_up(void)
{
    RsdError err = {0};

    fixture_open();
    ASSERT_OK(eval_turn_open(&turn, &err), err);
}

static void clear_up(void)
{
    eval_turn_close(&turn);
    fixture_close();
}

TestSuite(eval_turn, .init = set_up, .fini = clear_up);

static bool is_taken(void)
{
    if (pthread_mutex_trylock(&turn.mutex) == EBUSY)
        return true;
    pthread_mutex_unlock(&turn.mutex);
    return false;
}

static Pair pair_of(const char *ref, const char *dist)
{
    return (Pair){.ref = (char *)fixture_path(ref), .dist = (char *)fixture_path(dist), .name = (char *)dist};
}

/* Of one colour, so that it has a few kilobytes. */
static void make_picture(const char *name, int64_t side)
{
    Image *image;
    RsdError err = {0};

    ASSERT_OK(image_create(&image, side, side, 1, 8, false, &err), err);
    memset(image->planes, 77, (size_t)(side * side));
    ASSERT_OK(image_write(image, fixture_path(name), NULL, &err), err);
    image_destroy(&image);
    cr_assert_lt(fixture_size(name), (size_t)100000);
}

static RsdStatus load_pictures(EvalPictures *p, const char *ref, const char *dist, const EvalOptions *how)
{
    const Pair pair = pair_of(ref, dist);

    return eval_pictures_load(p, &pair, how, NULL, NULL);
}

Test(eval_turn, a_large_picture_has_it_until_it_is_cleared)
{
    EvalPictures p;

    make_picture("large.png", LARGE_SIDE);
    make_picture("small.png", 64);
    cr_assert_eq(load_pictures(&p, "small.png", "small.png", &options), RSD_OK);
    cr_expect(!is_taken(), "a small one takes a turn");
    eval_pictures_clear(&p);
    cr_assert_eq(load_pictures(&p, "large.png", "large.png", &options), RSD_OK);
    cr_expect(is_taken(), "a large one does not");
    cr_expect_eq(p.width, LARGE_SIDE);
    eval_pictures_clear(&p);
    cr_expect(!is_taken());
    cr_expect_eq(load_pictures(&p, "small.png", "large.png", &options), RSD_ERR_UNSUPPORTED);
    cr_expect(!is_taken(), "a pair that is refused keeps it");
    cr_assert_eq(load_pictures(&p, "large.png", "large.png", &(EvalOptions){0}), RSD_OK, "a single pair needs none");
    eval_pictures_clear(&p);
}

/* A WAV of silence with a sample per byte; only its header is written. */
static void make_recording(const char *name, uint32_t n)
{
    const uint32_t sizes[] = {36 + n, n};
    uint8_t header[44] = "RIFF....WAVEfmt \20\0\0\0\1\0\1\0\100\37\0\0\100\37\0\0\1\0\10\0data....";

    memcpy(header + 4, &sizes[0], 4);
    memcpy(header + 40, &sizes[1], 4);
    fixture_write(name, header, sizeof header);
    cr_assert_eq(truncate(fixture_path(name), 44 + (off_t)n), 0);
}

Test(eval_turn, a_long_recording_has_it_until_it_is_cleared)
{
    EvalSignals s;
    Pair pair;
    RsdError err = {0};

    make_recording("long.wav", (1 << 24) + 1);
    make_recording("short.wav", 1000);
    pair = pair_of("short.wav", "short.wav");
    ASSERT_OK(eval_signals_load(&s, &pair, &options, NULL, &err), err);
    cr_expect(!is_taken(), "a short one takes a turn");
    eval_signals_clear(&s);
    pair = pair_of("short.wav", "long.wav");
    ASSERT_OK(eval_signals_load(&s, &pair, &options, NULL, &err), err);
    cr_expect(is_taken(), "a long one does not");
    cr_expect_eq(s.n_dist, (1 << 24) + 1);
    eval_signals_clear(&s);
    cr_expect(!is_taken());
}
