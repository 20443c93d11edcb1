/* spectrogram.c - mean powers of the frames of each column, then dB, then colours.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cli/spectrogram.h"

#include <math.h>
#include <string.h>

#include "engine/base/mem.h"
#include "losses/power_frames.h"

#define WIN_S 0.032
#define MIN_WIN 256
#define MAX_WIN 4096
#define MAX_FRAMES_PER_COLUMN 32 /* an hour is looked at in samples */
#define TINY 1e-20
#define GAP_ROWS 8

typedef struct Anchor {
    double at;
    double red, green, blue;
} Anchor;

static uint8_t mix(double a, double b, double share)
{
    return (uint8_t)lround(a + (b - a) * share);
}

static void fill_colours(PngColour colours[256], const Anchor *anchors, int n)
{
    for (int i = 0, k = 0; i < 256; i++) {
        double x = i / 255.0, share;

        while (k < n - 2 && x > anchors[k + 1].at)
            k++;
        share = (x - anchors[k].at) / (anchors[k + 1].at - anchors[k].at);
        colours[i] = (PngColour){mix(anchors[k].red, anchors[k + 1].red, share),
                                 mix(anchors[k].green, anchors[k + 1].green, share),
                                 mix(anchors[k].blue, anchors[k + 1].blue, share)};
    }
}

void spectrogram_colours(PngColour colours[256], SpectrogramKind kind)
{
    static const Anchor level[] = {{0, 0, 0, 6},         {0.25, 58, 16, 110},  {0.5, 160, 40, 104},
                                   {0.75, 240, 110, 40}, {0.92, 252, 205, 80}, {1, 252, 255, 200}};
    static const Anchor difference[] = {
        {0, 120, 200, 255}, {0.3, 20, 90, 200}, {0.5, 12, 12, 16}, {0.7, 200, 40, 30}, {1, 255, 190, 120}};

    if (kind == SPECTROGRAM_DIFFERENCE)
        fill_colours(colours, difference, sizeof difference / sizeof *difference);
    else
        fill_colours(colours, level, sizeof level / sizeof *level);
}

/* Row r of the picture (0 is the top) shows the strongest of its bins. */
static void bins_of_row(int row, int n_bins, int *from, int *to)
{
    int r = SPECTROGRAM_ROWS - 1 - row;

    *from = (int)((int64_t)r * n_bins / SPECTROGRAM_ROWS);
    *to = (int)((int64_t)(r + 1) * n_bins / SPECTROGRAM_ROWS);
    if (*to <= *from)
        *to = *from + 1;
}

/* levels [SPECTROGRAM_ROWS, columns] in dB. */
static RsdStatus find_levels(double *levels, int columns, const float *x, int64_t n, int win_len, RsdError *err)
{
    PowerFrames *frames = NULL;
    double *power = NULL, *sum;
    int n_bins = win_len / 2 + 1;
    int64_t n_frames;
    RsdStatus status = RSD_OK;

    TRY(power_frames_create(&frames, win_len, win_len / 4, err));
    TRY(mem_alloc(&power, 2 * (size_t)n_bins, sizeof *power, err));
    sum = power + n_bins;
    n_frames = power_frames_count(frames, n);
    for (int c = 0; c < columns; c++) {
        int64_t from = c * n_frames / columns, to = (c + 1) * n_frames / columns, step, used = 0;

        to = to > from ? to : from + 1;
        step = (to - from + MAX_FRAMES_PER_COLUMN - 1) / MAX_FRAMES_PER_COLUMN;
        memset(sum, 0, (size_t)n_bins * sizeof *sum);
        for (int64_t k = from; k < to; k += step, used++) {
            power_frames_get(frames, x, n, k, power);
            for (int b = 0; b < n_bins; b++)
                sum[b] += power[b];
        }
        for (int row = 0; row < SPECTROGRAM_ROWS; row++) {
            double most = 0;
            int low, high;

            bins_of_row(row, n_bins, &low, &high);
            for (int b = low; b < high; b++)
                most = fmax(most, sum[b]);
            /* a full-scale sine has |X| = win_len / 4 under a Hann window */
            levels[(size_t)row * (size_t)columns + (size_t)c] =
                10 * log10(most / (double)used / ((double)win_len * win_len / 16) + TINY);
        }
    }
fail:
    mem_free(&power);
    power_frames_destroy(&frames);
    return status;
}

static uint8_t index_of(double x)
{
    return (uint8_t)lround(255 * fmin(1, fmax(0, x)));
}

static int choose_window(int rate_hz)
{
    int win_len = MIN_WIN;

    while (win_len < MAX_WIN && win_len < WIN_S * rate_hz)
        win_len *= 2;
    return win_len;
}

RsdStatus spectrogram_create(SpectrogramSet *set, const float *ref, const float *dist, int64_t n, int rate_hz,
                             RsdError *err)
{
    int win_len = choose_window(rate_hz);
    int64_t n_frames = 1 + n / (win_len / 4);
    double *levels[2] = {NULL, NULL}, floor_db;
    size_t count;
    RsdStatus status = RSD_OK;

    *set = (SpectrogramSet){.columns = n_frames < SPECTROGRAM_MAX_COLUMNS ? (int)n_frames : SPECTROGRAM_MAX_COLUMNS,
                            .top_db = -INFINITY};
    count = (size_t)set->columns * SPECTROGRAM_ROWS;
    for (int i = 0; i < 2; i++) {
        TRY(mem_alloc(&levels[i], count, sizeof *levels[i], err));
        TRY(find_levels(levels[i], set->columns, i ? dist : ref, n, win_len, err));
        for (size_t k = 0; k < count; k++)
            set->top_db = fmax(set->top_db, levels[i][k]);
    }
    for (int kind = 0; kind < SPECTROGRAM_KINDS; kind++)
        TRY(mem_alloc(&set->pixels[kind], count, 1, err));
    floor_db = set->top_db - SPECTROGRAM_RANGE_DB;
    for (size_t k = 0; k < count; k++) {
        double a = fmax(levels[0][k], floor_db), b = fmax(levels[1][k], floor_db);

        set->pixels[SPECTROGRAM_REF][k] = index_of((a - floor_db) / SPECTROGRAM_RANGE_DB);
        set->pixels[SPECTROGRAM_DIST][k] = index_of((b - floor_db) / SPECTROGRAM_RANGE_DB);
        set->pixels[SPECTROGRAM_DIFFERENCE][k] = index_of(0.5 + 0.5 * (b - a) / SPECTROGRAM_DIFFERENCE_DB);
    }
    mem_free(&levels[0]);
    mem_free(&levels[1]);
    return RSD_OK;
fail:
    mem_free(&levels[0]);
    mem_free(&levels[1]);
    spectrogram_clear(set);
    return status;
}

void spectrogram_clear(SpectrogramSet *set)
{
    for (int kind = 0; kind < SPECTROGRAM_KINDS; kind++)
        mem_free(&set->pixels[kind]);
}

RsdStatus spectrogram_png(uint8_t **bytes, size_t *size, const SpectrogramSet *set, RsdError *err)
{
    PngPicture picture = {.width = set->columns,
                          .height = SPECTROGRAM_KINDS * SPECTROGRAM_ROWS + (SPECTROGRAM_KINDS - 1) * GAP_ROWS,
                          .channels = 1};
    PngColour colours[256], differences[256];
    uint8_t *pixels = NULL;
    size_t columns = (size_t)set->columns;
    RsdStatus status = RSD_OK;

    /* one palette for all three: even indices are levels, odd ones differences */
    spectrogram_colours(colours, SPECTROGRAM_REF);
    spectrogram_colours(differences, SPECTROGRAM_DIFFERENCE);
    for (int i = 1; i < 256; i += 2)
        colours[i] = differences[i];
    picture.colours = colours;
    TRY(mem_calloc(&pixels, (size_t)picture.height * columns, 1, err));
    for (int kind = 0; kind < SPECTROGRAM_KINDS; kind++) {
        uint8_t *dst = pixels + (size_t)kind * (SPECTROGRAM_ROWS + GAP_ROWS) * columns;

        for (size_t k = 0; k < SPECTROGRAM_ROWS * columns; k++)
            dst[k] = (uint8_t)((set->pixels[kind][k] & ~1) | (kind == SPECTROGRAM_DIFFERENCE));
    }
    picture.pixels = pixels;
    TRY(png_encode(bytes, size, &picture, err));
fail:
    mem_free(&pixels);
    return status;
}
