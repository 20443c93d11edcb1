/* test_lstm.c - the LSTM on a stream, stacked, and what it refuses.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/shared.h"

#include <math.h>

#include "engine/base/rng.h"
#include "engine/kernels/kernels.h"
#include "engine/ops/linear.h"
#include "engine/ops/lstm.h"
#include "engine/stream.h"

enum { C = 5, H = 70, N = 23, WIDE = 300 };

static RsdThreads *threads;
static Tape *tape;
static RsdError err;
static LstmWeights layers[2];

static void fill(Tensor *x, uint32_t sample)
{
    Rng rng = rng_at(5, RNG_TEST, 0, sample);

    for (int64_t i = 0; i < tensor_count(x); i++)
        x->data[i] = rng_between(&rng, -0.3f, 0.3f);
}

static void open_lstm(void)
{
    uint32_t sample = 10;

    ASSERT_OK(rsd_threads_create(&threads, 2, &err), err);
    ASSERT_OK(tape_create(&tape, threads, 0, &err), err);
    for (int i = 0; i < 2; i++) {
        ASSERT_OK(tensor_create(&layers[i].w_ih, 2, (int64_t[]){4 * H, i ? H : C}, &err), err);
        ASSERT_OK(tensor_create(&layers[i].w_hh, 2, (int64_t[]){4 * H, H}, &err), err);
        ASSERT_OK(tensor_create(&layers[i].b_ih, 1, (int64_t[]){4 * H}, &err), err);
        ASSERT_OK(tensor_create(&layers[i].b_hh, 1, (int64_t[]){4 * H}, &err), err);
        fill(layers[i].w_ih, sample++);
        fill(layers[i].w_hh, sample++);
        fill(layers[i].b_ih, sample++);
        fill(layers[i].b_hh, sample++);
    }
}

static void close_lstm(void)
{
    for (int i = 0; i < 2; i++) {
        tensor_destroy(&layers[i].w_ih);
        tensor_destroy(&layers[i].w_hh);
        tensor_destroy(&layers[i].b_ih);
        tensor_destroy(&layers[i].b_hh);
    }
    tape_destroy(&tape);
    rsd_threads_destroy(&threads);
}

TestSuite(lstm, .init = open_lstm, .fini = close_lstm);

static void run_stack(Tensor *x, Tensor **y)
{
    Tensor *h;

    ASSERT_OK(op_lstm(tape, x, &layers[0], &h, &err), err);
    ASSERT_OK(op_lstm(tape, h, &layers[1], y, &err), err);
}

static void check_chunks(int64_t batch)
{
    Tensor *whole, *y, *x;

    ASSERT_OK(tensor_create(&whole, 3, (int64_t[]){batch, C, N}, &err), err);
    fill(whole, 1);
    for (int64_t chunk = 1; chunk <= N; chunk++) {
        float expected[3 * H * N];
        StreamState *stream;

        tape->stream = NULL;
        run_stack(whole, &y);
        memcpy(expected, y->data, (size_t)(batch * H * N) * sizeof(float));
        ASSERT_OK(stream_create(&stream, &err), err);
        tape->stream = stream;
        for (int64_t at = 0; at < N; at += chunk) {
            const int64_t len = at + chunk < N ? chunk : N - at;

            stream_rewind(stream);
            ASSERT_OK(tape_tensor(tape, &x, 3, (int64_t[]){batch, C, len}, &err), err);
            for (int64_t row = 0; row < batch * C; row++)
                memcpy(x->data + row * len, whole->data + row * N + at, (size_t)len * sizeof(float));
            run_stack(x, &y);
            for (int64_t row = 0; row < batch * H; row++)
                ASSERT_SAME_BITS("y", y->data + row * len, expected + row * N + at, len);
        }
        tape->stream = NULL;
        stream_destroy(&stream);
        tape_reset(tape);
    }
    tensor_destroy(&whole);
}

Test(lstm, chunks_of_every_length_give_the_bits_of_the_whole)
{
    tape->kernels = kernels_named("ref");
    check_chunks(1);
    check_chunks(3);
    tape->kernels = kernels_pick();
    check_chunks(1);
    check_chunks(3);
}

/* One layer on one signal, written out. */
static void plain_lstm(const LstmWeights *w, const float *x, int64_t units, int64_t n, double *y)
{
    double h[WIDE] = {0}, c[WIDE] = {0}, sums[4 * WIDE];

    for (int64_t t = 0; t < n; t++) {
        for (int64_t i = 0; i < 4 * units; i++) {
            sums[i] = (double)w->b_ih->data[i] + (double)w->b_hh->data[i];
            for (int64_t j = 0; j < C; j++)
                sums[i] += (double)w->w_ih->data[i * C + j] * (double)x[j * n + t];
            for (int64_t j = 0; j < units; j++)
                sums[i] += (double)w->w_hh->data[i * units + j] * h[j];
        }
        for (int64_t i = 0; i < units; i++) {
            double in = 1.0 / (1.0 + exp(-sums[i])), forget = 1.0 / (1.0 + exp(-sums[units + i]));

            c[i] = forget * c[i] + in * tanh(sums[2 * units + i]);
            h[i] = tanh(c[i]) / (1.0 + exp(-sums[3 * units + i]));
            y[i * n + t] = h[i];
        }
    }
}

Test(lstm, layers_of_any_number_of_slices_sum_what_is_written)
{
    enum { LEN = 7 };
    double expected[WIDE * LEN];

    for (int64_t units = 40; units <= WIDE; units += 52) {
        LstmWeights w;
        Tensor *x, *y;

        ASSERT_OK(tape_tensor(tape, &w.w_ih, 2, (int64_t[]){4 * units, C}, &err), err);
        ASSERT_OK(tape_tensor(tape, &w.w_hh, 2, (int64_t[]){4 * units, units}, &err), err);
        ASSERT_OK(tape_tensor(tape, &w.b_ih, 1, (int64_t[]){4 * units}, &err), err);
        ASSERT_OK(tape_tensor(tape, &w.b_hh, 1, (int64_t[]){4 * units}, &err), err);
        ASSERT_OK(tape_tensor(tape, &x, 3, (int64_t[]){1, C, LEN}, &err), err);
        fill(w.w_ih, 1);
        fill(w.w_hh, 2);
        fill(w.b_ih, 3);
        fill(w.b_hh, 4);
        fill(x, 5);
        ASSERT_OK(op_lstm(tape, x, &w, &y, &err), err);
        plain_lstm(&w, x->data, units, LEN, expected);
        for (int64_t i = 0; i < units * LEN; i++)
            cr_assert(fabs((double)y->data[i] - expected[i]) < 1e-5, "%lld units, element %lld: %g, expected %g",
                      (long long)units, (long long)i, (double)y->data[i], expected[i]);
        tape_reset(tape);
    }
}

Test(lstm, weights_laid_out_ahead_give_the_same_bits)
{
    float expected[H * N];
    Tensor *x, *y;

    ASSERT_OK(tape_tensor(tape, &x, 3, (int64_t[]){1, C, N}, &err), err);
    fill(x, 1);
    run_stack(x, &y);
    memcpy(expected, y->data, sizeof expected);
    for (int i = 0; i < 2; i++) {
        ASSERT_OK(linear_prepare(tape, layers[i].w_ih, &err), err);
        cr_assert_not_null(layers[i].w_ih->prepared);
        ASSERT_OK(lstm_prepare(tape, layers[i].w_hh, &err), err);
        cr_assert_not_null(layers[i].w_hh->prepared);
    }
    run_stack(x, &y);
    ASSERT_SAME_BITS("y", y->data, expected, H * N);
}

Test(lstm, wrong_shapes_and_a_recorded_stream_are_refused)
{
    LstmWeights mixed = layers[0];
    StreamState *stream;
    Tensor *x, *y;

    ASSERT_OK(tape_tensor(tape, &x, 3, (int64_t[]){1, C + 1, 4}, &err), err);
    ASSERT_FAILS(op_lstm(tape, x, &layers[0], &y, &err), RSD_ERR_ARG, err, "[1, 6, 4]");
    ASSERT_OK(tape_tensor(tape, &x, 3, (int64_t[]){1, C, 4}, &err), err);
    mixed.w_hh = layers[0].w_ih;
    ASSERT_FAILS(op_lstm(tape, x, &mixed, &y, &err), RSD_ERR_ARG, err, "[4 H, H]");
    mixed = layers[0];
    mixed.b_hh = layers[0].w_ih;
    ASSERT_FAILS(op_lstm(tape, x, &mixed, &y, &err), RSD_ERR_ARG, err, "bias");
    ASSERT_OK(stream_create(&stream, &err), err);
    tape->stream = stream;
    tape->recording = true;
    ASSERT_FAILS(op_lstm(tape, x, &layers[0], &y, &err), RSD_ERR_ARG, err, "stream");
    stream_destroy(&stream);
}
