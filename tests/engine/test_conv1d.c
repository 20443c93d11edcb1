/* test_conv1d.c - convolutions against their definition in double precision: values, gradients, streams, threads.
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "conv_oracle.h"
#include "engine/base/mem.h"
#include "engine/kernels/kernels.h"
#include "engine/kernels/point.h"
#include "engine/ops/arithmetic.h"
#include "engine/ops/conv1d.h"
#include "engine/ops/conv_run.h"
#include "engine/ops/linear.h"
#include "engine/stream.h"

static const char *const set_names[] = {"ref", "avx2", "avx512"};
#define N_SETS (sizeof set_names / sizeof set_names[0])

/* RESIDUA_SEED repeats a failure. */
static uint64_t seed_of_run(void)
{
    const char *text = getenv("RESIDUA_SEED");

    return text ? strtoull(text, NULL, 10) : 20240607;
}

/* --- one case on one machine ------------------------------------------------------------------------------------------- */

typedef struct Bench {
    RsdThreads *threads;
    Tape *tape;
    Tensor *x, *w, *b, *y;
    RsdError err;
} Bench;

static void bench_open(Bench *bench, const char *set, int n_threads)
{
    *bench = (Bench){.threads = NULL};
    cr_assert_eq(rsd_threads_create(&bench->threads, n_threads, &bench->err), RSD_OK, "%s", bench->err.text);
    cr_assert_eq(tape_create(&bench->tape, bench->threads, 0, &bench->err), RSD_OK, "%s", bench->err.text);
    bench->tape->kernels = kernels_named(set);
}

static void bench_close(Bench *bench)
{
    tensor_destroy(&bench->x);
    tensor_destroy(&bench->w);
    tensor_destroy(&bench->b);
    tape_destroy(&bench->tape);
    rsd_threads_destroy(&bench->threads);
}

static Tensor *random_tensor(Rng *rng, int n_dims, const int64_t *shape, float scale)
{
    Tensor *t;

    cr_assert_eq(tensor_create_param(&t, n_dims, shape, NULL), RSD_OK);
    for (int64_t i = 0; i < tensor_count(t); i++)
        t->data[i] = scale * rng_normal(rng);
    return t;
}

static void make_tensors(Bench *bench, const ConvCase *c, Rng *rng)
{
    int64_t groups = c->p.groups ? c->p.groups : 1;

    bench->x = random_tensor(rng, 3, (int64_t[]){c->batch, c->c_in, c->n}, 1.0f);
    bench->w = random_tensor(rng, 3,
                             c->transposed ? (int64_t[]){c->c_in, c->c_out / groups, c->k}
                                           : (int64_t[]){c->c_out, c->c_in / groups, c->k},
                             0.3f);
    bench->b = c->has_bias ? random_tensor(rng, 1, (int64_t[]){c->c_out}, 1.0f) : NULL;
}

static RsdStatus run_op(Bench *bench, const ConvCase *c)
{
    return (c->transposed ? op_conv_transpose1d : op_conv1d)(bench->tape, bench->x, bench->w, bench->b, &c->p, &bench->y,
                                                             &bench->err);
}

static double *widened(const Tensor *t)
{
    double *out = malloc((size_t)(tensor_count(t) + 1) * sizeof *out);

    for (int64_t i = 0; i < tensor_count(t); i++)
        out[i] = (double)t->data[i];
    return out;
}

/* The next things taken from the arena hold NaN, so that a result that was never written shows. */
static void poison(Tape *tape)
{
    float *junk;
    const size_t count = 1 << 18;

    cr_assert_eq(arena_alloc(tape->arena, &junk, count, sizeof *junk, NULL), RSD_OK);
    for (size_t i = 0; i < count; i++)
        junk[i] = NAN;
    tape_reset(tape);
}

/* --- values -------------------------------------------------------------------------------------------------------------- */

static void check_values(const char *set, const ConvCase *c, Rng *rng)
{
    char text[ORACLE_TEXT_SIZE];
    Bench bench;
    int64_t m = oracle_out_len(c), count = c->batch * c->c_out * m;
    double *x, *w, *b = NULL, *y = malloc((size_t)count * sizeof *y), largest = 0.0;

    bench_open(&bench, set, 1);
    make_tensors(&bench, c, rng);
    poison(bench.tape);
    cr_assert_eq(run_op(&bench, c), RSD_OK, "%s: %s", oracle_text(text, c), bench.err.text);
    cr_assert(bench.y->shape[0] == c->batch && bench.y->shape[1] == c->c_out && bench.y->shape[2] == m,
              "%s: %s frames %d, expected %d", set, oracle_text(text, c), (int)bench.y->shape[2], (int)m);
    x = widened(bench.x);
    w = widened(bench.w);
    if (bench.b)
        b = widened(bench.b);
    oracle_run(c, x, w, b, y);
    for (int64_t i = 0; i < count; i++)
        largest = fmax(largest, fabs(y[i]));
    for (int64_t i = 0; i < count; i++)
        cr_assert(fabs((double)bench.y->data[i] - y[i]) <= 2e-6 * largest + 1e-6, "%s: %s: [%d] is %.9g, expected %.9g", set,
                  oracle_text(text, c), (int)i, (double)bench.y->data[i], y[i]);
    bench_close(&bench);
    free(x);
    free(w);
    free(b);
    free(y);
}

Test(conv1d, every_kernel_set_matches_the_definition_on_random_shapes)
{
    uint64_t seed = seed_of_run();

    for (size_t s = 0; s < N_SETS; s++) {
        if (!kernels_named(set_names[s]))
            continue;
        for (int i = 0; i < 400; i++) {
            Rng rng = rng_at(seed, RNG_TEST, 1, (uint32_t)i);
            ConvCase c = oracle_random_case(&rng, i % 40 == 39 ? 12 : 3);

            check_values(set_names[s], &c, &rng);
        }
    }
    fprintf(stderr, "conv1d: seed %llu\n", (unsigned long long)seed);
}

Test(conv1d, output_length_and_padding_follow_the_rules_for_every_length)
{
    for (size_t s = 0; s < N_SETS; s++) {
        if (!kernels_named(set_names[s]))
            continue;
        for (int transposed = 0; transposed < 2; transposed++)
            for (int rule = PAD_CAUSAL; rule <= PAD_SAME; rule++)
                for (int mode = PAD_ZERO; mode <= PAD_REFLECT; mode++)
                    for (int64_t n = 1; n <= 34; n++) {
                        Rng rng = rng_at(7, RNG_TEST, 2, (uint32_t)n);
                        ConvCase c = {.transposed = transposed, .batch = 1, .c_in = 2, .c_out = 3, .n = n,
                                      .k = n % 3 == 0 ? 16 : 9,
                                      .p = {.stride = n % 3 == 1 ? 1 : 8, .rule = (PadRule)rule, .mode = (PadMode)mode,
                                            .trim_right_ratio = 1.0f}};

                        if (!transposed)
                            cr_assert_eq(oracle_out_len(&c), (n + c.p.stride - 1) / c.p.stride);
                        else
                            cr_assert_eq(oracle_out_len(&c), n * c.p.stride);
                        check_values(set_names[s], &c, &rng);
                    }
    }
}

/* --- gradients ----------------------------------------------------------------------------------------------------------- */

/* Loss = sum of y times fixed random numbers; in double by the oracle. */
static double oracle_loss(const ConvCase *c, const double *x, const double *w, const double *b, const float *r, double *y)
{
    int64_t count = c->batch * c->c_out * oracle_out_len(c);
    double loss = 0.0;

    oracle_run(c, x, w, b, y);
    for (int64_t i = 0; i < count; i++)
        loss += y[i] * (double)r[i];
    return loss;
}

typedef struct Probe {
    const ConvCase *c;
    double *x, *w, *b, *y;
    const float *r;
} Probe;

static void check_grad(const Probe *probe, double *values, const Tensor *t, const char *name, const char *set, Rng *rng)
{
    char text[ORACLE_TEXT_SIZE];
    const double step = 1e-4;
    double largest = 0.0;
    int64_t count = tensor_count(t);

    for (int64_t i = 0; i < count; i++) {
        cr_assert(isfinite(t->grad[i]), "%s: %s: d%s[%d] was not computed", set, oracle_text(text, probe->c), name, (int)i);
        largest = fmax(largest, fabs((double)t->grad[i]));
    }
    for (int probe_at = 0; probe_at < 12; probe_at++) {
        int64_t i = (int64_t)rng_below(rng, (uint32_t)count);
        double kept = values[i], up, down, expected;

        values[i] = kept + step;
        up = oracle_loss(probe->c, probe->x, probe->w, probe->b, probe->r, probe->y);
        values[i] = kept - step;
        down = oracle_loss(probe->c, probe->x, probe->w, probe->b, probe->r, probe->y);
        values[i] = kept;
        expected = (up - down) / (2.0 * step);
        if (probe->c->p.activation == INPUT_ELU && values == probe->x && fabs(kept) < 2.0 * step)
            continue; /* the slope has a kink in its derivative at 0 */
        cr_assert(fabs((double)t->grad[i] - expected) <= 1e-5 * (largest + 1.0), "%s: %s: d%s[%d] is %.9g, expected %.9g", set,
                  oracle_text(text, probe->c), name, (int)i, (double)t->grad[i], expected);
    }
}

static void check_gradients(const char *set, const ConvCase *c, Rng *rng)
{
    Bench bench;
    Probe probe = {.c = c};
    Tensor *r, *parameter;

    bench_open(&bench, set, 1);
    make_tensors(&bench, c, rng);
    poison(bench.tape);
    bench.tape->recording = true;
    /* A leaf has its gradient in the arena, as results of other ops do; a parameter has its own, which is added to. */
    parameter = bench.x;
    cr_assert_eq(tape_leaf(bench.tape, parameter, true, &bench.x, NULL), RSD_OK);
    cr_assert_eq(run_op(&bench, c), RSD_OK, "%s", bench.err.text);
    r = random_tensor(rng, 3, bench.y->shape, 1.0f);
    cr_assert_eq(tape_backward_from(bench.tape, bench.y, r->data, &bench.err), RSD_OK, "%s", bench.err.text);
    probe.x = widened(bench.x);
    probe.w = widened(bench.w);
    probe.b = bench.b ? widened(bench.b) : NULL;
    probe.y = malloc((size_t)(tensor_count(r) + 1) * sizeof(double));
    probe.r = r->data;
    check_grad(&probe, probe.x, bench.x, "x", set, rng);
    bench.x = parameter;
    check_grad(&probe, probe.w, bench.w, "w", set, rng);
    if (bench.b)
        check_grad(&probe, probe.b, bench.b, "b", set, rng);
    free(probe.x);
    free(probe.w);
    free(probe.b);
    free(probe.y);
    tensor_destroy(&r);
    bench_close(&bench);
}

Test(conv1d, gradient_matches_finite_differences_on_random_shapes)
{
    for (size_t s = 0; s < N_SETS; s++) {
        if (!kernels_named(set_names[s]))
            continue;
        for (int i = 0; i < 150; i++) {
            Rng rng = rng_at(seed_of_run(), RNG_TEST, 3, (uint32_t)i);
            ConvCase c = oracle_random_case(&rng, i % 50 == 49 ? 6 : 2);

            check_gradients(set_names[s], &c, &rng);
        }
    }
}

/* --- threads ------------------------------------------------------------------------------------------------------------- */

static void assert_same_bits(const float *a, const float *b, int64_t count, const char *what, const ConvCase *c)
{
    char text[ORACLE_TEXT_SIZE];

    for (int64_t i = 0; i < count; i++)
        cr_assert(a[i] == b[i], "%s of %s: [%d] is %.9g and %.9g", what, oracle_text(text, c), (int)i, (double)a[i],
                  (double)b[i]);
}

static void check_threads(const ConvCase *c, uint32_t seed)
{
    Bench bench[2];
    Tensor *r = NULL;

    for (int i = 0; i < 2; i++) {
        Rng rng = rng_at(9, RNG_TEST, 4, seed);

        bench_open(&bench[i], kernels_pick()->name, i + 1);
        make_tensors(&bench[i], c, &rng);
        bench[i].tape->recording = true;
        cr_assert_eq(run_op(&bench[i], c), RSD_OK);
        if (!r)
            r = random_tensor(&rng, 3, bench[i].y->shape, 1.0f);
        cr_assert_eq(tape_backward_from(bench[i].tape, bench[i].y, r->data, NULL), RSD_OK);
    }
    assert_same_bits(bench[0].y->data, bench[1].y->data, tensor_count(bench[0].y), "y", c);
    assert_same_bits(bench[0].x->grad, bench[1].x->grad, tensor_count(bench[0].x), "dx", c);
    assert_same_bits(bench[0].w->grad, bench[1].w->grad, tensor_count(bench[0].w), "dw", c);
    if (bench[0].b)
        assert_same_bits(bench[0].b->grad, bench[1].b->grad, tensor_count(bench[0].b), "db", c);
    tensor_destroy(&r);
    for (int i = 0; i < 2; i++)
        bench_close(&bench[i]);
}

Test(conv1d, one_and_two_threads_give_the_same_bits)
{
    for (uint32_t i = 0; i < 60; i++) {
        Rng rng = rng_at(seed_of_run(), RNG_TEST, 5, i);
        ConvCase c = oracle_random_case(&rng, i % 4 == 3 ? 16 : 4);

        check_threads(&c, i);
    }
    check_threads(&(ConvCase){.batch = 4, .c_in = 16, .c_out = 8, .n = 9000, .k = 3, .has_bias = true,
                              .p = {.rule = PAD_CAUSAL, .activation = INPUT_ELU}}, 100);
    check_threads(&(ConvCase){.batch = 6, .c_in = 64, .c_out = 128, .n = 500, .k = 10, .has_bias = true,
                              .p = {.stride = 5, .rule = PAD_CAUSAL, .activation = INPUT_ELU}}, 101);
    check_threads(&(ConvCase){.transposed = true, .batch = 6, .c_in = 128, .c_out = 64, .n = 50, .k = 16, .has_bias = true,
                              .p = {.stride = 8, .rule = PAD_CAUSAL, .activation = INPUT_ELU, .trim_right_ratio = 1.0f}},
                  102);
}

/* --- streams --------------------------------------------------------------------------------------------------------------- */

/* Runs the case whole and in chunks of `chunk` input samples and asserts equal bits. */
static void check_stream(const char *set, const ConvCase *c, int64_t chunk, Rng *rng)
{
    Bench bench;
    StreamState *stream;
    float *whole;
    int64_t m, rows = c->batch * c->c_out;
    Tensor *x;

    bench_open(&bench, set, 1);
    make_tensors(&bench, c, rng);
    cr_assert_eq(run_op(&bench, c), RSD_OK);
    m = bench.y->shape[2];
    whole = bench.y->data;
    cr_assert_eq(stream_create(&stream, NULL), RSD_OK);
    bench.tape->stream = stream;
    x = bench.x;
    for (int64_t first = 0; first < c->n; first += chunk) {
        int64_t n = c->n - first < chunk ? c->n - first : chunk, n_out, at;

        cr_assert_eq(tensor_create(&bench.x, 3, (int64_t[]){c->batch, c->c_in, n}, NULL), RSD_OK);
        for (int64_t r = 0; r < c->batch * c->c_in; r++)
            for (int64_t i = 0; i < n; i++)
                bench.x->data[r * n + i] = x->data[r * c->n + first + i];
        stream_rewind(stream);
        cr_assert_eq(run_op(&bench, c), RSD_OK, "%s", bench.err.text);
        n_out = bench.y->shape[2];
        at = first * m / c->n;
        for (int64_t r = 0; r < rows; r++)
            assert_same_bits(bench.y->data + r * n_out, whole + r * m + at, n_out, "chunk", c);
        tensor_destroy(&bench.x);
    }
    bench.x = x;
    stream_destroy(&stream);
    bench_close(&bench);
}

Test(conv1d, a_stream_equals_the_whole_signal_for_every_chunk_length)
{
    const int strides[] = {1, 2, 4, 5, 8};

    for (size_t s = 0; s < N_SETS; s++) {
        if (!kernels_named(set_names[s]))
            continue;
        for (int transposed = 0; transposed < 2; transposed++)
            for (size_t i = 0; i < sizeof strides / sizeof strides[0]; i++)
                for (int64_t chunk = 1; chunk <= 60; chunk += chunk < 30 ? 1 : 7) {
                    Rng rng = rng_at(3, RNG_TEST, 6, (uint32_t)chunk);
                    int stride = strides[i];
                    ConvCase c = {.transposed = transposed, .has_bias = true, .batch = 1 + chunk % 2, .c_in = 3,
                                  .c_out = chunk % 3 ? 5 : 9, .n = 97, .k = stride == 1 ? 7 : 2 * stride,
                                  .p = {.stride = stride, .dilation = stride == 1 ? 1 + (int)chunk % 3 : 1,
                                        .rule = PAD_CAUSAL, .trim_right_ratio = 1.0f, .activation = INPUT_ELU}};

                    if (!transposed)
                        c.n *= stride;
                    check_stream(set_names[s], &c, transposed ? chunk : chunk * stride, &rng);
                }
    }
}

/* The layers of speech16 at the sizes where the fast kernels cut sums and time into several blocks. */
Test(conv1d, wide_layers_stream_like_whole_signals)
{
    const ConvCase cases[] = {
        {.has_bias = true, .batch = 1, .c_in = 128, .c_out = 256, .n = 8 * 61, .k = 16,
         .p = {.stride = 8, .rule = PAD_CAUSAL, .activation = INPUT_ELU}},
        {.transposed = true, .has_bias = true, .batch = 1, .c_in = 256, .c_out = 128, .n = 61, .k = 16,
         .p = {.stride = 8, .rule = PAD_CAUSAL, .activation = INPUT_ELU, .trim_right_ratio = 1.0f}},
        {.has_bias = true, .batch = 1, .c_in = 256, .c_out = 64, .n = 61, .k = 7,
         .p = {.stride = 1, .rule = PAD_CAUSAL, .activation = INPUT_ELU}},
        {.has_bias = true, .batch = 2, .c_in = 16, .c_out = 1, .n = 2100, .k = 7, .p = {.rule = PAD_CAUSAL}},
        {.has_bias = true, .batch = 1, .c_in = 1, .c_out = 16, .n = 2100, .k = 7, .p = {.rule = PAD_CAUSAL}},
    };

    for (size_t s = 0; s < N_SETS; s++) {
        if (!kernels_named(set_names[s]))
            continue;
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            const int64_t chunks[] = {1, 2, 3, 23, 24, 25, 50, 61};

            for (size_t j = 0; j < sizeof chunks / sizeof chunks[0]; j++) {
                Rng rng = rng_at(4, RNG_TEST, 7, (uint32_t)i);
                int64_t per = cases[i].transposed ? 1 : cases[i].p.stride ? cases[i].p.stride : 1;

                if (cases[i].n > 1000 && chunks[j] < 23)
                    continue;
                check_stream(set_names[s], &cases[i], chunks[j] * per, &rng);
            }
        }
    }
}

/* --- prepared weights ------------------------------------------------------------------------------------------------------ */

Test(conv1d, prepared_weights_give_the_same_bits_and_are_not_used_while_recording)
{
    for (uint32_t i = 0; i < 80; i++) {
        Rng rng = rng_at(seed_of_run(), RNG_TEST, 11, i);
        ConvCase c = oracle_random_case(&rng, 4);
        Tensor *plain, *prepared, *recorded;
        Bench bench;

        bench_open(&bench, kernels_pick()->name, 1);
        make_tensors(&bench, &c, &rng);
        cr_assert_eq(run_op(&bench, &c), RSD_OK);
        plain = bench.y;
        cr_assert_eq((c.transposed ? conv_transpose1d_prepare : conv1d_prepare)(bench.tape, bench.w, &c.p, &bench.err), RSD_OK, "%s",
                     bench.err.text);
        cr_assert_eq(run_op(&bench, &c), RSD_OK);
        prepared = bench.y;
        assert_same_bits(plain->data, prepared->data, tensor_count(plain), "prepared", &c);
        /* A recorded call must see the weight of now, not the one of preparation. */
        for (int64_t k = 0; k < tensor_count(bench.w); k++)
            bench.w->data[k] *= 2.0f;
        if (bench.b)
            for (int64_t k = 0; k < tensor_count(bench.b); k++)
                bench.b->data[k] *= 2.0f;
        bench.tape->recording = true;
        cr_assert_eq(run_op(&bench, &c), RSD_OK);
        recorded = bench.y;
        for (int64_t k = 0; k < tensor_count(plain); k++)
            plain->data[k] *= 2.0f;
        assert_same_bits(plain->data, recorded->data, tensor_count(plain), "recorded", &c);
        bench_close(&bench);
    }
}

/* What the arena holds for a prepared weight, in bytes; one large block is there from the start. */
static size_t prepared_size(Bench *bench, const ConvCase *c, bool as_halves)
{
    ArenaMark before = arena_mark(bench->tape->arena);

    cr_assert_eq((c->transposed ? conv_transpose1d_prepare : conv1d_prepare)(bench->tape, bench->w, &c->p, &bench->err), RSD_OK);
    if (as_halves)
        cr_assert_eq(conv_prepare_halves(bench->tape, bench->w, before, &bench->err), RSD_OK);
    return arena_mark(bench->tape->arena).used - before.used;
}

Test(conv1d, weights_that_are_halves_are_kept_as_such_with_the_same_bits)
{
    for (size_t s = 1; s < N_SETS && kernels_named(set_names[s]); s++)
        for (uint32_t i = 0; i < 60; i++) {
            Rng rng = rng_at(seed_of_run(), RNG_TEST, 13, i);
            ConvCase c = oracle_random_case(&rng, 4);
            const PointKernels *point = kernels_named(set_names[s])->point;
            Tensor *plain;
            Bench bench;
            size_t wide;
            void *room;

            bench_open(&bench, set_names[s], 1);
            make_tensors(&bench, &c, &rng);
            cr_assert_eq(arena_alloc(bench.tape->arena, &room, 1 << 22, 1, &bench.err), RSD_OK);
            tape_reset(bench.tape);
            wide = prepared_size(&bench, &c, false);
            cr_assert_eq(prepared_size(&bench, &c, true), wide, "numbers that are no halves were narrowed");
            for (int64_t k = 0; k < tensor_count(bench.w); k++) {
                uint16_t half;

                point->to_half(&bench.w->data[k], &half, 1);
                point->from_half(&half, &bench.w->data[k], 1);
            }
            bench.w->prepared = NULL;
            cr_assert_eq(run_op(&bench, &c), RSD_OK);
            plain = bench.y;
            if (wide >= 1024) /* else the head of it is most of it, or nothing is packed */
                cr_assert_lt(prepared_size(&bench, &c, true), wide * 3 / 4, "%s", set_names[s]);
            else
                prepared_size(&bench, &c, true);
            cr_assert_eq(run_op(&bench, &c), RSD_OK);
            assert_same_bits(plain->data, bench.y->data, tensor_count(plain), "halves", &c);
            bench_close(&bench);
        }
}

Test(conv1d, added_in_place_has_the_bits_of_a_sum_afterwards)
{
    for (size_t s = 0; s < N_SETS && kernels_named(set_names[s]); s++)
        for (uint32_t i = 0; i < 60; i++) {
            Rng rng = rng_at(seed_of_run(), RNG_TEST, 12, i);
            ConvCase c = oracle_random_case(&rng, 4);
            Tensor *sum, *onto;
            Bench bench;

            if (c.transposed)
                continue;
            bench_open(&bench, set_names[s], 1);
            make_tensors(&bench, &c, &rng);
            cr_assert_eq(run_op(&bench, &c), RSD_OK);
            cr_assert_eq(tape_tensor(bench.tape, &onto, 3, bench.y->shape, &bench.err), RSD_OK);
            for (int64_t k = 0; k < tensor_count(onto); k++)
                onto->data[k] = rng_normal(&rng);
            cr_assert_eq(op_add(bench.tape, onto, bench.y, &sum, &bench.err), RSD_OK);
            cr_assert_eq(op_conv1d_onto(bench.tape, bench.x, bench.w, bench.b, &c.p, onto, &bench.err), RSD_OK, "%s", bench.err.text);
            assert_same_bits(sum->data, onto->data, tensor_count(sum), "onto", &c);
            onto->shape[2]++;
            cr_assert_eq(op_conv1d_onto(bench.tape, bench.x, bench.w, bench.b, &c.p, onto, &bench.err), RSD_ERR_ARG);
            bench.tape->recording = true;
            onto->shape[2]--;
            cr_assert_eq(op_conv1d_onto(bench.tape, bench.x, bench.w, bench.b, &c.p, onto, &bench.err), RSD_ERR_ARG);
            bench_close(&bench);
        }
}

/* --- mistakes -------------------------------------------------------------------------------------------------------------- */

typedef struct Mistake {
    int64_t x[3], w[3], n_bias;
    Conv1dParams p;
    bool transposed, streams;
    const char *says; /* part of the sentence */
} Mistake;

Test(conv1d, mistakes_are_answered_with_a_sentence)
{
    const Mistake mistakes[] = {
        {{1, 3, 9}, {4, 2, 3}, 4, {.rule = PAD_CAUSAL}, false, false, "does not fit weight [4, 2, 3]"},
        {{1, 4, 9}, {4, 2, 3}, 3, {.rule = PAD_CAUSAL, .groups = 2}, false, false, "bias [3] for 4 output channels"},
        {{1, 4, 9}, {5, 2, 3}, 5, {.rule = PAD_CAUSAL, .groups = 2}, false, false, "2 groups"},
        {{1, 2, 4}, {4, 2, 5}, 4, {.rule = PAD_NONE}, false, false, "fewer than the 5"},
        {{1, 2, 4}, {4, 2, 5}, 4, {.rule = PAD_CAUSAL, .stride = -1}, false, false, "stride -1"},
        {{1, 2, 4}, {4, 2, 0}, 4, {.rule = PAD_CAUSAL}, false, false, "no empty one"},
        {{1, 2, 9}, {4, 2, 4}, 4, {.rule = PAD_CAUSAL, .stride = 2}, false, true, "not a multiple of the stride"},
        {{1, 2, 8}, {4, 2, 4}, 4, {.rule = PAD_SAME, .stride = 2}, false, true, "only causal"},
        {{1, 2, 8}, {4, 2, 4}, 4, {.rule = PAD_CAUSAL, .stride = 2, .mode = PAD_REPLICATE}, false, true, "zero or reflect"},
        {{1, 4, 8}, {4, 2, 4}, 2, {.rule = PAD_CAUSAL, .stride = 2, .trim_right_ratio = 0.5f}, true, true,
         "trim_right_ratio 1"},
        {{1, 4, 8}, {4, 2, 4}, 2, {.rule = PAD_CAUSAL, .stride = 2, .trim_right_ratio = 2.0f}, true, false, "0 to 1"},
        {{1, 4, 1}, {4, 2, 4}, 2, {.rule = PAD_EXPLICIT, .stride = 2, .pad_left = 3, .pad_right = 3}, true, false,
         "cut off"},
    };

    for (size_t i = 0; i < sizeof mistakes / sizeof mistakes[0]; i++) {
        const Mistake *m = &mistakes[i];
        ConvCase c = {.transposed = m->transposed, .p = m->p};
        StreamState *stream;
        Bench bench;

        bench_open(&bench, "ref", 1);
        cr_assert_eq(stream_create(&stream, NULL), RSD_OK);
        bench.tape->stream = m->streams ? stream : NULL;
        cr_assert_eq(tensor_create(&bench.x, 3, m->x, NULL), RSD_OK);
        cr_assert_eq(tensor_create(&bench.w, 3, m->w, NULL), RSD_OK);
        cr_assert_eq(tensor_create(&bench.b, 1, &m->n_bias, NULL), RSD_OK);
        cr_assert_eq(run_op(&bench, &c), RSD_ERR_ARG, "mistake %zu went through", i);
        cr_assert(strstr(bench.err.text, m->says), "mistake %zu: \"%s\" does not say \"%s\"", i, bench.err.text, m->says);
        stream_destroy(&stream);
        bench_close(&bench);
    }
}

Test(conv1d, an_empty_signal_gives_an_empty_signal)
{
    ConvCase c = {.batch = 1, .c_in = 2, .c_out = 3, .k = 7, .p = {.stride = 2, .rule = PAD_CAUSAL, .trim_right_ratio = 1.0f}};

    for (size_t s = 0; s < N_SETS; s++)
        for (int transposed = 0; transposed < 2 && kernels_named(set_names[s]); transposed++) {
            Rng rng = rng_at(1, RNG_TEST, 8, 0);
            Bench bench;

            c.transposed = transposed;
            bench_open(&bench, set_names[s], 2);
            make_tensors(&bench, &c, &rng);
            cr_assert_eq(run_op(&bench, &c), RSD_OK, "%s", bench.err.text);
            cr_assert_eq(bench.y->shape[2], 0);
            bench_close(&bench);
        }
}

/* --- linear ------------------------------------------------------------------------------------------------------------------ */

Test(linear, equals_a_convolution_with_one_tap)
{
    ConvCase c = {.has_bias = true, .batch = 3, .c_in = 13, .c_out = 10, .n = 77, .k = 1};
    Rng rng = rng_at(seed_of_run(), RNG_TEST, 9, 0);
    Tensor *y;
    Bench bench;

    bench_open(&bench, kernels_pick()->name, 2);
    make_tensors(&bench, &c, &rng);
    cr_assert_eq(run_op(&bench, &c), RSD_OK);
    cr_assert_eq(op_linear(bench.tape, bench.x, bench.w, bench.b, &y, NULL), RSD_OK);
    assert_same_bits(y->data, bench.y->data, tensor_count(y), "linear", &c);
    bench_close(&bench);
}

Test(matmul, value_and_gradients_match_the_definition)
{
    for (size_t s = 0; s < N_SETS; s++) {
        enum { M = 2 * 71, K = 19, N = 33 };
        Rng rng = rng_at(seed_of_run(), RNG_TEST, 10, 0);
        Tensor *r, *y;
        Bench bench;

        if (!kernels_named(set_names[s]))
            continue;
        bench_open(&bench, set_names[s], 2);
        bench.x = random_tensor(&rng, 3, (int64_t[]){2, M / 2, K}, 1.0f);
        bench.w = random_tensor(&rng, 2, (int64_t[]){K, N}, 1.0f);
        r = random_tensor(&rng, 3, (int64_t[]){2, M / 2, N}, 1.0f);
        bench.tape->recording = true;
        cr_assert_eq(op_matmul(bench.tape, bench.x, bench.w, &y, NULL), RSD_OK);
        cr_assert_eq(tape_backward_from(bench.tape, y, r->data, NULL), RSD_OK);
        for (int i = 0; i < M; i++)
            for (int j = 0; j < N; j++) {
                double sum = 0.0;

                for (int l = 0; l < K; l++)
                    sum += (double)bench.x->data[i * K + l] * (double)bench.w->data[l * N + j];
                cr_assert_float_eq((double)y->data[i * N + j], sum, 1e-4, "%s y[%d, %d]", set_names[s], i, j);
            }
        for (int i = 0; i < M; i++)
            for (int l = 0; l < K; l++) {
                double sum = 0.0;

                for (int j = 0; j < N; j++)
                    sum += (double)r->data[i * N + j] * (double)bench.w->data[l * N + j];
                cr_assert_float_eq((double)bench.x->grad[i * K + l], sum, 1e-4, "%s da[%d, %d]", set_names[s], i, l);
            }
        for (int l = 0; l < K; l++)
            for (int j = 0; j < N; j++) {
                double sum = 0.0;

                for (int i = 0; i < M; i++)
                    sum += (double)bench.x->data[i * K + l] * (double)r->data[i * N + j];
                cr_assert_float_eq((double)bench.w->grad[l * N + j], sum, 2e-4, "%s db[%d, %d]", set_names[s], l, j);
            }
        tensor_destroy(&r);
        bench_close(&bench);
    }
}
