/* picture_window.c - see picture_window.h.
 *
 *   picture   | gone | first ........ first + n | still to come |
 *   band             [ lines 0 .. n - 1 | free  ]
 *
 * SPDX-License-Identifier: MIT
 */
#include "cli/picture_window.h"

#include <string.h>

#include "engine/base/mem.h"

struct PictureWindow {
    ImageLines *lines;
    const Image *shape;
    bool has_alpha;
    Image *band;
    int64_t first, n; /* lines of the picture in the band */
};

RsdStatus picture_window_open(PictureWindow **out, ImageLines *lines, RsdError *err)
{
    PictureWindow *window = NULL;
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(mem_calloc(&window, 1, sizeof *window, err));
    window->lines = lines;
    window->shape = image_lines_shape(lines, &window->has_alpha);
    *out = window;
fail:
    return status;
}

void picture_window_close(PictureWindow **window)
{
    if (*window)
        image_destroy(&(*window)->band);
    mem_free(window);
}

/* Lines from .. from + n - 1 of every plane to the top of another band, which may be the same. */
static void move_lines(const Image *from_band, Image *to_band, int64_t from, int64_t n)
{
    const size_t line = (size_t)(from_band->width * from_band->bits / 8), size = (size_t)n * line;

    for (int c = 0; c < from_band->channels; c++)
        memmove((uint8_t *)to_band->planes + (size_t)(c * to_band->height) * line,
                (const uint8_t *)from_band->planes + (size_t)(c * from_band->height + from) * line, size);
    if (from_band->alpha)
        memmove(to_band->alpha, (const uint8_t *)from_band->alpha + (size_t)from * line, size);
}

/* Room for lines up to `end`; those before y - WINDOW_KEPT go. */
static RsdStatus make_room(PictureWindow *window, int64_t y, int64_t end, RsdError *err)
{
    const int64_t oldest = y - WINDOW_KEPT, passed = oldest > window->first ? oldest - window->first : 0;
    const int64_t gone = passed < window->n ? passed : window->n, n_kept = window->n - gone;
    Image *larger = NULL;
    RsdStatus status = RSD_OK;

    if (!window->band || end - window->first - gone > window->band->height) {
        TRY(image_create(&larger, window->shape->width, end - window->first - gone, window->shape->channels,
                         window->shape->bits, window->has_alpha, err));
        if (window->band)
            move_lines(window->band, larger, gone, n_kept);
        image_destroy(&window->band);
        window->band = larger;
    } else {
        move_lines(window->band, window->band, gone, n_kept);
    }
    window->first += gone;
    window->n = n_kept;
fail:
    return status;
}

RsdStatus picture_window_need(PictureWindow *window, int64_t y, int64_t h, const Image **band, int64_t *first, RsdError *err)
{
    const int64_t end = y + h;
    RsdStatus status = RSD_OK;

    CHECK(y >= window->first, err, RSD_ERR_ARG, "line %lld has passed; the window begins with line %lld", (long long)y,
          (long long)window->first);
    if (end > window->first + window->n) {
        TRY(make_room(window, y, end, err));
        TRY(image_lines_next(window->lines, window->band, window->n, end - window->first - window->n, err));
        window->n = end - window->first;
    }
    *band = window->band;
    *first = y - window->first;
fail:
    return status;
}
