/* test_integer.c - layers of an integer network against the definition, at the limits of every range.
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/rng.h"
#include "engine/kernels/integer.h"

/* By the definition; every step is exact in long double (64 bits). */
static int expected(const IntegerLayer *layer, int64_t o, long double sum)
{
    long double y = floorl((sum * layer->mult[o] + ldexpl(1.0L, layer->shift - 1)) / ldexpl(1.0L, layer->shift));

    return (int)fmaxl(layer->low, fminl(INTEGER_MAX, y));
}

typedef struct Fixture {
    IntegerLayer layer;
    int8_t weight[3 * 2064];
    int32_t bias[3];
    int16_t mult[3];
} Fixture;

static void fill(Fixture *f, int64_t n_in, Rng *rng, bool extreme)
{
    f->layer = (IntegerLayer){.n_out = 3, .n_in = n_in, .weight = f->weight, .bias = f->bias, .mult = f->mult};
    f->layer.shift = 1 + (int)rng_below(rng, 31);
    f->layer.low = rng_below(rng, 2) ? 0 : -INTEGER_MAX;
    for (int64_t i = 0; i < 3 * n_in; i++)
        f->weight[i] = (int8_t)(extreme ? (rng_below(rng, 8) ? 127 : -127) : (int)rng_below(rng, 255) - 127);
    for (int o = 0; o < 3; o++) {
        f->bias[o] = (int32_t)rng_below(rng, 400001) - 200000;
        f->mult[o] = (int16_t)(INTEGER_MULT_MIN + (int)rng_below(rng, INTEGER_MULT_MAX - INTEGER_MULT_MIN + 1));
    }
}

static int16_t draw(Rng *rng, bool extreme)
{
    return (int16_t)(extreme ? (rng_below(rng, 8) ? INTEGER_MAX : -INTEGER_MAX)
                             : (int)rng_below(rng, 2 * INTEGER_MAX + 1) - INTEGER_MAX);
}

Test(integer, dense_layers_are_exact)
{
    Rng rng = rng_at(31, RNG_TEST, 0, 0);
    Fixture *f = malloc(sizeof *f);

    for (int i = 0; i < 60; i++) {
        int64_t n_in = i % 3 == 0 ? 2064 : 1 + rng_below(&rng, 70), n = 1 + rng_below(&rng, 130);
        int16_t *x = malloc((size_t)(n_in * n) * sizeof *x), *y = malloc((size_t)(3 * n) * sizeof *y);

        fill(f, n_in, &rng, i % 2);
        cr_assert(integer_layer_fits(&f->layer));
        for (int64_t t = 0; t < n_in * n; t++)
            x[t] = draw(&rng, i % 2);
        integer_ref.dense(&f->layer, x, n, y);
        for (int64_t o = 0; o < 3; o++)
            for (int64_t t = 0; t < n; t++) {
                long double sum = f->bias[o];

                for (int64_t k = 0; k < n_in; k++)
                    sum += (long double)f->weight[o * n_in + k] * x[k * n + t];
                cr_assert_eq(y[o * n + t], expected(&f->layer, o, sum), "case %d [%d, %d]: %d", i, (int)o, (int)t,
                             y[o * n + t]);
            }
        free(x);
        free(y);
    }
    free(f);
}

Test(integer, depthwise_layers_are_exact_up_to_the_border)
{
    Rng rng = rng_at(31, RNG_TEST, 1, 0);
    Fixture *f = malloc(sizeof *f);

    for (int i = 0; i < 40; i++) {
        int64_t size = 1 + 2 * (int64_t)rng_below(&rng, 4), h = 1 + rng_below(&rng, 9), w = 1 + rng_below(&rng, 9);
        int16_t x[3 * 81], y[3 * 81];

        fill(f, size * size, &rng, i % 2);
        for (int64_t t = 0; t < 3 * h * w; t++)
            x[t] = draw(&rng, i % 2);
        integer_ref.depthwise(&f->layer, size, x, h, w, y);
        for (int64_t t = 0; t < 3 * h * w; t++) {
            int64_t o = t / (h * w), row = t / w % h, col = t % w;
            long double sum = f->bias[o];

            for (int64_t r = 0; r < h; r++)
                for (int64_t c = 0; c < w; c++) {
                    int64_t dy = r - row + size / 2, dx = c - col + size / 2;

                    if (dy >= 0 && dy < size && dx >= 0 && dx < size)
                        sum += (long double)f->weight[o * size * size + dy * size + dx] * x[o * h * w + r * w + c];
                }
            cr_assert_eq(y[t], expected(&f->layer, o, sum), "case %d at %d: %d", i, (int)t, y[t]);
        }
    }
    free(f);
}

/* --- faster sets against the reference ----------------------------------------------------------------------------- */

static const char *const set_names[] = {"avx2", "avx512"};

typedef struct LargeLayer {
    IntegerLayer layer;
    int8_t *weight;
    int32_t *bias;
    int16_t *mult;
} LargeLayer;

static LargeLayer large_layer(int64_t n_out, int64_t n_in, Rng *rng, bool extreme)
{
    LargeLayer l = {.weight = malloc((size_t)(n_out * n_in)),
                    .bias = malloc((size_t)n_out * sizeof *l.bias),
                    .mult = malloc((size_t)n_out * sizeof *l.mult)};

    for (int64_t i = 0; i < n_out * n_in; i++)
        l.weight[i] = (int8_t)(extreme ? (rng_below(rng, 8) ? 127 : -127) : (int)rng_below(rng, 255) - 127);
    for (int64_t o = 0; o < n_out; o++) {
        l.bias[o] = (int32_t)rng_below(rng, 400001) - 200000;
        l.mult[o] = (int16_t)(INTEGER_MULT_MIN + (int)rng_below(rng, INTEGER_MULT_MAX - INTEGER_MULT_MIN + 1));
    }
    l.layer = (IntegerLayer){.n_out = n_out, .n_in = n_in, .weight = l.weight, .bias = l.bias, .mult = l.mult};
    l.layer.shift = extreme ? 1 + (int)rng_below(rng, 31) : 14 + (int)rng_below(rng, 14);
    l.layer.low = rng_below(rng, 2) ? 0 : -INTEGER_MAX;
    cr_assert(integer_layer_fits(&l.layer));
    return l;
}

static void large_layer_clear(LargeLayer *l)
{
    free(l->weight);
    free(l->bias);
    free(l->mult);
}

/* size 0: dense with n_in inputs on h w columns. Arrays of exactly their size, so that the sanitizer sees reads outside. */
static void compare_sets(int number, int64_t n_out, int64_t n_in, int64_t size, int64_t h, int64_t w, Rng *rng)
{
    bool extreme = number % 2;
    int64_t n_planes = size > 0 ? n_out : n_in, n_x = n_planes * h * w, n_y = n_out * h * w;
    LargeLayer l = large_layer(n_out, size > 0 ? size * size : n_in, rng, extreme);
    int16_t *x = malloc((size_t)n_x * sizeof *x), *y = malloc((size_t)n_y * sizeof *y), *fast = malloc((size_t)n_y * sizeof *y);

    for (int64_t i = 0; i < n_x; i++)
        x[i] = draw(rng, extreme);
    if (size > 0)
        integer_ref.depthwise(&l.layer, size, x, h, w, y);
    else
        integer_ref.dense(&l.layer, x, h * w, y);
    for (size_t s = 0; s < sizeof set_names / sizeof *set_names; s++) {
        const Kernels *set = kernels_named(set_names[s]);

        if (!set)
            continue;
        memset(fast, 0x55, (size_t)n_y * sizeof *fast);
        if (size > 0)
            set->integer->depthwise(&l.layer, size, x, h, w, fast);
        else
            set->integer->dense(&l.layer, x, h * w, fast);
        for (int64_t i = 0; i < n_y; i++)
            cr_assert_eq(fast[i], y[i], "%s, case %d, %d outputs of %d inputs, window %d, %d x %d, at %d: %d, expected %d",
                         set_names[s], number, (int)n_out, (int)n_in, (int)size, (int)h, (int)w, (int)i, fast[i], y[i]);
    }
    large_layer_clear(&l);
    free(x);
    free(y);
    free(fast);
}

Test(integer, every_set_gives_the_numbers_of_the_reference)
{
    Rng rng = rng_at(31, RNG_TEST, 3, 0);

    for (int i = 0; i < 200; i++)
        compare_sets(i, 1 + rng_below(&rng, 30), i % 20 == 0 ? 2064 : 1 + rng_below(&rng, 70), 0, 1, 1 + rng_below(&rng, 150), &rng);
    for (int i = 0; i < 200; i++)
        compare_sets(i, 1 + rng_below(&rng, 4), 0, 1 + 2 * (int64_t)rng_below(&rng, 5), 1 + rng_below(&rng, 12),
                     1 + rng_below(&rng, i % 4 == 0 ? 150 : 20), &rng);
    compare_sets(0, 3, 2100, 0, 1, 40, &rng); /* more inputs than a fast set takes at once */
}

Test(integer, layers_that_could_overflow_or_break_a_range_are_refused)
{
    Rng rng = rng_at(31, RNG_TEST, 2, 0);
    Fixture *f = malloc(sizeof *f);

    fill(f, 2064, &rng, true);
    cr_assert(integer_layer_fits(&f->layer));
    f->bias[2] = 500000; /* 2064 127 8191 + 500000 > 2^31 */
    cr_assert(!integer_layer_fits(&f->layer));
    f->bias[2] = INT32_MIN;
    cr_assert(!integer_layer_fits(&f->layer));
    f->bias[2] = 0;
    f->mult[1] = INTEGER_MULT_MIN - 1;
    cr_assert(!integer_layer_fits(&f->layer));
    f->mult[1] = INTEGER_MULT_MIN;
    f->layer.shift = 0;
    cr_assert(!integer_layer_fits(&f->layer));
    f->layer.shift = 32;
    cr_assert(!integer_layer_fits(&f->layer));
    f->layer.shift = 31;
    f->layer.low = 1;
    cr_assert(!integer_layer_fits(&f->layer));
    free(f);
}
