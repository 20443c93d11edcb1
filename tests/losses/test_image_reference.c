/* test_image_reference.c - metrics for which no golden numbers are at hand, against numpy (image_reference.py), and what must
 * hold by their definition.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "losses/image_metric.h"
#include "losses/spectral_norm.h"
#include "tests/losses/image_expected.h"
#include "tests/losses/pictures.h"
#include "tests/shared.h"

#define MOST (3 * 200 * 160)

static float x[MOST], y[MOST];

/* The pictures of image_reference.py. */
static void fill_case(const struct ImageCase *c)
{
    uint32_t state = c->seed;
    const int n = 3 * c->h * c->w, level = (int)c->level;

    for (int i = 0; i < n; i++) {
        const int row = i / c->w % c->h, column = i % c->w, channel = i / (c->h * c->w);
        const int wave = abs((3 * row + 2 * column + 40 * channel) % 160 - 80), board = (row / 12 + column / 12) % 2 ? 40 : 0;

        state = state * 1664525u + 1013904223u;
        x[i] = (float)(60 + wave + board + (int)(state >> 28)) / 255.0f;
    }
    state = c->seed + 100;
    for (int i = 0; i < n; i++) {
        int v;

        state = state * 1664525u + 1013904223u;
        v = (int)lrintf(255.0f * x[i]) + (int)(state >> 16) * level / 65536 - level / 2;
        y[i] = (float)(v < 0 ? 0 : v > 255 ? 255 : v) / 255.0f;
    }
}

static double value_of(const char *name, int64_t h, int64_t w)
{
    RsdThreads *threads;
    Tape *tape;
    MetricValue value;
    RsdError err = {0};

    ASSERT_OK(rsd_threads_create(&threads, 2, &err), err);
    ASSERT_OK(tape_create(&tape, threads, 0, &err), err);
    ASSERT_OK(image_metric_apply(&value, image_metric_find(name), &(ImagePair){x, y, h, w}, NULL, tape, &err), err);
    tape_destroy(&tape);
    rsd_threads_destroy(&threads);
    return value.value;
}

Test(image_reference, numbers_of_numpy)
{
    for (size_t i = 0; i < sizeof image_cases / sizeof image_cases[0]; i++) {
        const struct ImageCase *c = &image_cases[i];

        fill_case(c);
        ASSERT_CLOSE("PSNR-HVS-M", value_of("psnr_hvs_m", c->h, c->w), c->psnr_hvs_m, ((Tolerance){.abs = 1e-6}));
        ASSERT_CLOSE("SSIMULACRA 2", value_of("ssimulacra2", c->h, c->w), c->ssimulacra2, ((Tolerance){.abs = 2e-3}));
        ASSERT_CLOSE("spectral norm", value_of("spectral_norm", c->h, c->w), c->spectral_norm, ((Tolerance){.rel = 1e-6}));
    }
}

/* A stripe pattern is one row times one column: all of the error. */
Test(image_reference, spectral_norm_of_one_pattern_is_its_root_mean_square)
{
    const int64_t h = 50, w = 70;
    double square = 0.0;

    for (int64_t i = 0; i < 3 * h * w; i++) {
        const double d = 0.1 * sin(0.3 * (double)(i / w % h)) * cos(0.2 * (double)(i % w));

        x[i] = 0.5f;
        y[i] = x[i] + (float)d;
        square += ((double)y[i] - 0.5) * ((double)y[i] - 0.5) / (double)(3 * h * w);
    }
    ASSERT_CLOSE("one pattern", value_of("spectral_norm", h, w), sqrt(square), ((Tolerance){.rel = 1e-6}));
    for (int64_t i = 0; i < 3 * h * w; i++)
        y[i] = i % w == 0 && i / w % 2 ? 0.75f : 0.5f; /* its rows sum to something in one column alone */
    ASSERT_CLOSE("one column", value_of("spectral_norm", h, w), 0.25 * sqrt(0.5 / (double)w), ((Tolerance){.rel = 1e-6}));
}
