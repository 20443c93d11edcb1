/* test_picture_window.c - large pictures line by line: the window gives the same lines as the whole, and, in the long test, what the
 * tool takes for 200 million pixels.
 *
 *     make check-long TEST_ARGS='--filter picture_window/a_picture_of_200_million_pixels_takes_less_than_a_gigabyte'
 *
 * SPDX-License-Identifier: MIT
 */
#include <signal.h>
#include <stdlib.h>

#include "cli/picture_window.h"
#include "media/image_writer.h"
#include "tests/cli/program.h"
#include "tests/media/fixture.h"

TestSuite(picture_window, .init = fixture_open, .fini = fixture_close, .timeout = 7200);

static uint8_t value_at(int64_t x, int64_t y, int c)
{
    return (uint8_t)(x * 3 + y * 7 + c * 50 + (x * y >> 6));
}

Test(picture_window, lines_are_those_of_the_whole_and_old_ones_are_gone)
{
    enum { W = 9, H = 3000 };
    Image *image, *whole;
    PictureWindow *window;
    ImageLines *lines;
    const Image *band;
    int64_t first;
    RsdError err = {0};

    ASSERT_OK(image_create(&image, W, H, 3, 8, true, &err), err);
    for (int64_t i = 0; i < 4 * W * H; i++)
        *(i < 3 * W * H ? (uint8_t *)image->planes + i : (uint8_t *)image->alpha + i - 3 * W * H) =
            value_at(i % W, i / W % H, (int)(i / (W * H)));
    ASSERT_OK(image_write(image, fixture_path("a.png"), NULL, &err), err);
    ASSERT_OK(image_open(&whole, &lines, fixture_path("a.png"), NULL, 1, &err), err);
    ASSERT_OK(picture_window_open(&window, lines, &err), err);
    for (int64_t row = 0; row < H; row += 200) { /* as an encoder does: rows of 200 with margins of 60 */
        int64_t y = row > 60 ? row - 60 : 0, end = row + 260 < H ? row + 260 : H;

        for (int again = 0; again < 2; again++) {
            ASSERT_OK(picture_window_need(window, again ? row : y, end - (again ? row : y), &band, &first, &err), err);
            for (int64_t i = 0; i < 4 * W * (end - row); i++) {
                int64_t x = i % W, line = row + i / W % (end - row), at = first + line - (again ? row : y);
                int c = (int)(i / (W * (end - row)));
                const uint8_t *plane = c < 3 ? (uint8_t *)band->planes + c * band->height * W : (uint8_t *)band->alpha;

                cr_assert_eq(plane[at * W + x], value_at(x, line, c), "line %d, channel %d", (int)line, c);
            }
        }
        cr_assert(band->height <= 320 + WINDOW_KEPT);
    }
    ASSERT_FAILS(picture_window_need(window, 0, 10, &band, &first, &err), RSD_ERR_ARG, err, "line 0 has passed");
    picture_window_close(&window);
    image_lines_close(&lines);
    image_destroy(&image);
}

/* --- 200 million pixels ------------------------------------------------------------------------------------------------------ */

#define LARGE_WIDTH 20000
#define LARGE_HEIGHT 10000
#define MAX_PEAK_KB 1000000

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IS_PLAIN false /* memory under a sanitizer is not the program's */
#else
#define IS_PLAIN true
#endif

/* From a pipe, with the built-in model at its lowest quality, which takes the least time, to a PNG file. */
Test(picture_window, a_picture_of_200_million_pixels_takes_less_than_a_gigabyte)
{
    char coded[FIXTURE_PATH_SIZE], out[FIXTURE_PATH_SIZE], header[64];
    char *encode[] = {"residua", "encode", "-qf", "-t", "2", "--quality", "0", "-m", "photo", "-o", coded, "-", NULL};
    char *decode[] = {"residua", "decode", "-qf", "-t", "2", "-o", out, "-", NULL};
    static uint8_t line[3 * LARGE_WIDTH];
    long encode_peak, decode_peak;
    int fd, len;
    pid_t pid;

    if (!IS_PLAIN || !getenv("RESIDUA_LONG"))
        cr_skip_test("a long test: make check-long");
    signal(SIGPIPE, SIG_IGN);
    strcpy(coded, fixture_path("a.rsd"));
    strcpy(out, fixture_path("b.png"));
    pid = program_start(&fd, encode);
    len = snprintf(header, sizeof header, "P6\n%d %d\n255\n", LARGE_WIDTH, LARGE_HEIGHT);
    program_feed(fd, header, (size_t)len);
    for (int64_t y = 0; y < LARGE_HEIGHT; y++) {
        for (int64_t i = 0; i < 3 * LARGE_WIDTH; i++)
            line[i] = value_at(i / 3 >> 2, y >> 2, (int)(i % 3));
        program_feed(fd, line, 3 * LARGE_WIDTH);
    }
    encode_peak = program_finish(pid, fd);
    pid = program_start(&fd, decode);
    program_feed_file(fd, coded);
    decode_peak = program_finish(pid, fd);
    printf("%d x %d pixels: encoding takes at most %ld MB, decoding to PNG %ld MB (stream of %zu bytes)\n", LARGE_WIDTH,
           LARGE_HEIGHT, encode_peak / 1000, decode_peak / 1000, fixture_size("a.rsd"));
    cr_expect(encode_peak < MAX_PEAK_KB && decode_peak < MAX_PEAK_KB);
}
