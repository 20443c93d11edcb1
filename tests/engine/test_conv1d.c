/* test_conv1d.c - convolutions against their definition in double precision: values, gradients, streams, threads.
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "conv_bench.h"
#include "engine/base/mem.h"
#include "engine/kernels/conv.h"
#include "engine/kernels/kernels.h"
#include "engine/ops/conv1d.h"
#include "engine/stream.h"

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
    ConvBench bench;
    int64_t m = oracle_out_len(c), count = c->batch * c->c_out * m;
    double *x, *w, *b = NULL, *y = malloc((size_t)count * sizeof *y), largest = 0.0;

    conv_bench_open(&bench, set, 1);
    conv_make_tensors(&bench, c, rng);
    poison(bench.tape);
    cr_assert_eq(conv_run_op(&bench, c), RSD_OK, "%s: %s", oracle_text(text, c), bench.err.text);
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
    conv_bench_close(&bench);
    free(x);
    free(w);
    free(b);
    free(y);
}

Test(conv1d, every_kernel_set_matches_the_definition_on_random_shapes)
{
    uint64_t seed = conv_seed();

    for (size_t s = 0; s < CONV_N_SETS; s++) {
        if (!kernels_named(conv_set_names[s]))
            continue;
        for (int i = 0; i < 400; i++) {
            Rng rng = rng_at(seed, RNG_TEST, 1, (uint32_t)i);
            ConvCase c = oracle_random_case(&rng, i % 40 == 39 ? 12 : 3);

            check_values(conv_set_names[s], &c, &rng);
        }
    }
    fprintf(stderr, "conv1d: seed %llu\n", (unsigned long long)seed);
}

Test(conv1d, output_length_and_padding_follow_the_rules_for_every_length)
{
    for (size_t s = 0; s < CONV_N_SETS; s++) {
        if (!kernels_named(conv_set_names[s]))
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
                        check_values(conv_set_names[s], &c, &rng);
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
    ConvBench bench;
    Probe probe = {.c = c};
    Tensor *r, *parameter;

    conv_bench_open(&bench, set, 1);
    conv_make_tensors(&bench, c, rng);
    poison(bench.tape);
    bench.tape->recording = true;
    /* A leaf has its gradient in the arena, as results of other ops do; a parameter has its own, which is added to. */
    parameter = bench.x;
    cr_assert_eq(tape_leaf(bench.tape, parameter, true, &bench.x, NULL), RSD_OK);
    cr_assert_eq(conv_run_op(&bench, c), RSD_OK, "%s", bench.err.text);
    r = conv_random_tensor(rng, 3, bench.y->shape, 1.0f);
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
    conv_bench_close(&bench);
}

Test(conv1d, gradient_matches_finite_differences_on_random_shapes)
{
    for (size_t s = 0; s < CONV_N_SETS; s++) {
        if (!kernels_named(conv_set_names[s]))
            continue;
        for (int i = 0; i < 150; i++) {
            Rng rng = rng_at(conv_seed(), RNG_TEST, 3, (uint32_t)i);
            ConvCase c = oracle_random_case(&rng, i % 50 == 49 ? 6 : 2);

            check_gradients(conv_set_names[s], &c, &rng);
        }
    }
}

/* The gradient of the input alone, for weights that are fixed, has the bits it has beside theirs. */
static void check_input_alone(const ConvCase *c, uint32_t seed)
{
    ConvBench bench[2];
    Tensor *r = NULL;

    for (int i = 0; i < 2; i++) {
        Rng rng = rng_at(9, RNG_TEST, 6, seed);

        conv_bench_open(&bench[i], kernels_pick()->name, 1);
        conv_make_tensors(&bench[i], c, &rng);
        poison(bench[i].tape);
        bench[i].tape->recording = true;
        if (i == 1) {
            bench[i].w->needs_grad = false;
            if (bench[i].b)
                bench[i].b->needs_grad = false;
        }
        cr_assert_eq(conv_run_op(&bench[i], c), RSD_OK);
        if (!r)
            r = conv_random_tensor(&rng, 3, bench[i].y->shape, 1.0f);
        cr_assert_eq(tape_backward_from(bench[i].tape, bench[i].y, r->data, NULL), RSD_OK);
    }
    conv_assert_same_bits(bench[0].x->grad, bench[1].x->grad, tensor_count(bench[0].x), "dx alone", c);
    tensor_destroy(&r);
    for (int i = 0; i < 2; i++)
        conv_bench_close(&bench[i]);
}

Test(conv1d, the_gradient_of_the_input_alone_has_the_same_bits)
{
    for (uint32_t i = 0; i < 60; i++) {
        Rng rng = rng_at(conv_seed(), RNG_TEST, 7, i);
        ConvCase c = oracle_random_case(&rng, i % 4 == 3 ? 16 : 4);

        check_input_alone(&c, i);
    }
}

/* --- threads ------------------------------------------------------------------------------------------------------------- */

static void check_threads(const ConvCase *c, uint32_t seed)
{
    ConvBench bench[2];
    Tensor *r = NULL;

    for (int i = 0; i < 2; i++) {
        Rng rng = rng_at(9, RNG_TEST, 4, seed);

        conv_bench_open(&bench[i], kernels_pick()->name, i + 1);
        conv_make_tensors(&bench[i], c, &rng);
        bench[i].tape->recording = true;
        cr_assert_eq(conv_run_op(&bench[i], c), RSD_OK);
        if (!r)
            r = conv_random_tensor(&rng, 3, bench[i].y->shape, 1.0f);
        cr_assert_eq(tape_backward_from(bench[i].tape, bench[i].y, r->data, NULL), RSD_OK);
    }
    conv_assert_same_bits(bench[0].y->data, bench[1].y->data, tensor_count(bench[0].y), "y", c);
    conv_assert_same_bits(bench[0].x->grad, bench[1].x->grad, tensor_count(bench[0].x), "dx", c);
    conv_assert_same_bits(bench[0].w->grad, bench[1].w->grad, tensor_count(bench[0].w), "dw", c);
    if (bench[0].b)
        conv_assert_same_bits(bench[0].b->grad, bench[1].b->grad, tensor_count(bench[0].b), "db", c);
    tensor_destroy(&r);
    for (int i = 0; i < 2; i++)
        conv_bench_close(&bench[i]);
}

Test(conv1d, one_and_two_threads_give_the_same_bits)
{
    for (uint32_t i = 0; i < 60; i++) {
        Rng rng = rng_at(conv_seed(), RNG_TEST, 5, i);
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
    ConvBench bench;
    StreamState *stream;
    float *whole;
    int64_t m, rows = c->batch * c->c_out;
    Tensor *x;

    conv_bench_open(&bench, set, 1);
    conv_make_tensors(&bench, c, rng);
    cr_assert_eq(conv_run_op(&bench, c), RSD_OK);
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
        cr_assert_eq(conv_run_op(&bench, c), RSD_OK, "%s", bench.err.text);
        n_out = bench.y->shape[2];
        at = first * m / c->n;
        for (int64_t r = 0; r < rows; r++)
            conv_assert_same_bits(bench.y->data + r * n_out, whole + r * m + at, n_out, "chunk", c);
        tensor_destroy(&bench.x);
    }
    bench.x = x;
    stream_destroy(&stream);
    conv_bench_close(&bench);
}

Test(conv1d, a_stream_equals_the_whole_signal_for_every_chunk_length)
{
    const int strides[] = {1, 2, 4, 5, 8};

    for (size_t s = 0; s < CONV_N_SETS; s++) {
        if (!kernels_named(conv_set_names[s]))
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
                    check_stream(conv_set_names[s], &c, transposed ? chunk : chunk * stride, &rng);
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

    for (size_t s = 0; s < CONV_N_SETS; s++) {
        if (!kernels_named(conv_set_names[s]))
            continue;
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            const int64_t chunks[] = {1, 2, 3, 23, 24, 25, 50, 61};

            for (size_t j = 0; j < sizeof chunks / sizeof chunks[0]; j++) {
                Rng rng = rng_at(4, RNG_TEST, 7, (uint32_t)i);
                int64_t per = cases[i].transposed ? 1 : cases[i].p.stride ? cases[i].p.stride : 1;

                if (cases[i].n > 1000 && chunks[j] < 23)
                    continue;
                check_stream(conv_set_names[s], &cases[i], chunks[j] * per, &rng);
            }
        }
    }
}

/* --- frames two by two ------------------------------------------------------------------------------------------------------ */

static ConvCase random_pairs_case(Rng *rng, bool transposed)
{
    static const int strides[] = {1, 2, 3, 4, 5, 8};
    const int stride = strides[rng_u32(rng) % 6], groups = rng_u32(rng) % 4 == 0 ? 2 : 1;
    const int64_t frames = 2 + rng_u32(rng) % 700 / (1 + rng_u32(rng) % 20);

    return (ConvCase){.transposed = transposed, .has_bias = rng_u32(rng) % 4 != 0, .batch = 1 + rng_u32(rng) % 3,
                      .c_in = groups * (1 + (int64_t)(rng_u32(rng) % 30)), .n = transposed ? frames : frames * stride,
                      .c_out = groups * (96 / (transposed ? stride : 1) + (int64_t)(rng_u32(rng) % 20)), .k = 2 * stride,
                      .p = {.stride = stride, .groups = groups, .rule = rng_u32(rng) % 2 ? PAD_CAUSAL : PAD_SAME,
                            .trim_right_ratio = 1.0f, .activation = rng_u32(rng) % 2 ? INPUT_ELU : INPUT_PLAIN,
                            .even_chunks = true}};
}

Test(conv1d, pairs_of_frames_match_the_definition)
{
    for (size_t s = 0; s < CONV_N_SETS; s++)
        for (uint32_t i = 0; i < 60 && kernels_named(conv_set_names[s]); i++) {
            Rng rng = rng_at(conv_seed(), RNG_TEST, 20, i);
            ConvCase c = random_pairs_case(&rng, i % 2 == 1);

            check_values(conv_set_names[s], &c, &rng);
        }
}

Test(conv1d, pairs_of_frames_stream_in_chunks_that_begin_at_even_frames)
{
    for (size_t s = 0; s < CONV_N_SETS; s++)
        for (uint32_t i = 0; i < 40 && kernels_named(conv_set_names[s]); i++) {
            Rng rng = rng_at(conv_seed(), RNG_TEST, 21, i);
            ConvCase c = random_pairs_case(&rng, i % 2 == 1);

            c.p.rule = PAD_CAUSAL;
            check_stream(conv_set_names[s], &c, 2 * (1 + (int64_t)(rng_u32(&rng) % 60)) * (c.transposed ? 1 : c.p.stride), &rng);
        }
}

Test(conv1d, pairs_of_frames_have_the_same_bits_on_two_threads)
{
    for (uint32_t i = 0; i < 20; i++) {
        ConvBench bench[2];
        ConvCase c;

        for (int threads = 1; threads <= 2; threads++) {
            Rng rng = rng_at(conv_seed(), RNG_TEST, 22, i);

            c = random_pairs_case(&rng, i % 2 == 1);
            conv_bench_open(&bench[threads - 1], kernels_pick()->name, threads);
            conv_make_tensors(&bench[threads - 1], &c, &rng);
            cr_assert_eq(conv_run_op(&bench[threads - 1], &c), RSD_OK);
        }
        conv_assert_same_bits(bench[0].y->data, bench[1].y->data, tensor_count(bench[0].y), "y", &c);
        conv_bench_close(&bench[0]);
        conv_bench_close(&bench[1]);
    }
}

/* Three sums of half as many terms each. */
Test(conv1d, pairs_of_frames_need_three_quarters_of_the_products)
{
    ConvShape shape = {.batch = 1, .groups = 1, .c_fine = 32, .c_coarse = 128, .y = CONV_ONE_LINE,
                       .x = {.n_fine = 400, .n_coarse = 100, .k = 8, .stride = 4, .dilation = 1, .left = 4}};

    for (size_t s = 1; s < CONV_N_SETS && kernels_named(conv_set_names[s]); s++) {
        const ConvKernels *kernels = kernels_named(conv_set_names[s])->conv;
        const size_t gathered = kernels->gather_work(&shape).packed_count, scattered = kernels->scatter_work(&shape).packed_count;

        shape.pairs = true;
        cr_assert_eq(2 * kernels->gather_work(&shape).packed_count, 3 * gathered);
        cr_assert_eq(2 * kernels->scatter_work(&shape).packed_count, 3 * scattered);
        shape.pairs = false;
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
        ConvBench bench;

        conv_bench_open(&bench, "ref", 1);
        cr_assert_eq(stream_create(&stream, NULL), RSD_OK);
        bench.tape->stream = m->streams ? stream : NULL;
        cr_assert_eq(tensor_create(&bench.x, 3, m->x, NULL), RSD_OK);
        cr_assert_eq(tensor_create(&bench.w, 3, m->w, NULL), RSD_OK);
        cr_assert_eq(tensor_create(&bench.b, 1, &m->n_bias, NULL), RSD_OK);
        cr_assert_eq(conv_run_op(&bench, &c), RSD_ERR_ARG, "mistake %zu went through", i);
        cr_assert(strstr(bench.err.text, m->says), "mistake %zu: \"%s\" does not say \"%s\"", i, bench.err.text, m->says);
        stream_destroy(&stream);
        conv_bench_close(&bench);
    }
}

Test(conv1d, an_empty_signal_gives_an_empty_signal)
{
    ConvCase c = {.batch = 1, .c_in = 2, .c_out = 3, .k = 7, .p = {.stride = 2, .rule = PAD_CAUSAL, .trim_right_ratio = 1.0f}};

    for (size_t s = 0; s < CONV_N_SETS; s++)
        for (int transposed = 0; transposed < 2 && kernels_named(conv_set_names[s]); transposed++) {
            Rng rng = rng_at(1, RNG_TEST, 8, 0);
            ConvBench bench;

            c.transposed = transposed;
            conv_bench_open(&bench, conv_set_names[s], 2);
            conv_make_tensors(&bench, &c, &rng);
            cr_assert_eq(conv_run_op(&bench, &c), RSD_OK, "%s", bench.err.text);
            cr_assert_eq(bench.y->shape[2], 0);
            conv_bench_close(&bench);
        }
}
