/* test_in_place.c - ops that overwrite their input against those that do not.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/shared.h"

#include "engine/ops/activation.h"
#include "engine/ops/arithmetic.h"
#include "engine/ops/in_place.h"
#include "engine/stream.h"
#include "engine/tape.h"

static RsdThreads *threads;
static Tape *tape;
static RsdError err;

static void open_tape(void)
{
    ASSERT_OK(rsd_threads_create(&threads, 2, &err), err);
    ASSERT_OK(tape_create(&tape, threads, 0, &err), err);
}

static void close_tape(void)
{
    tape_destroy(&tape);
    rsd_threads_destroy(&threads);
}

TestSuite(in_place, .init = open_tape, .fini = close_tape);

/* [batch, c, n] of 0, 1, 2, ... */
static Tensor *counting(int64_t batch, int64_t c, int64_t n)
{
    Tensor *x;

    ASSERT_OK(tape_tensor(tape, &x, 3, (int64_t[]){batch, c, n}, &err), err);
    for (int64_t i = 0; i < batch * c * n; i++)
        x->data[i] = (float)i;
    return x;
}

Test(in_place, activations_give_the_bits_of_the_ops_with_a_result)
{
    Tensor *x = counting(2, 3, 9001), *alpha, *y;

    ASSERT_OK(tape_input(tape, &alpha, 1, (int64_t[]){3}, (float[]){0.5f, 1.0f, 1.5f}, &err), err);
    for (int64_t i = 0; i < tensor_count(x); i++)
        x->data[i] = x->data[i] * 1e-3f - 20.0f;
    ASSERT_OK(op_snake(tape, x, alpha, &y, &err), err);
    ASSERT_OK(op_snake_in_place(tape, x, alpha, &err), err);
    ASSERT_SAME_BITS("snake", x->data, y->data, tensor_count(x));
    ASSERT_OK(op_tanh(tape, x, &y, &err), err);
    ASSERT_OK(op_tanh_in_place(tape, x, &err), err);
    ASSERT_SAME_BITS("tanh", x->data, y->data, tensor_count(x));
    for (int64_t i = 0; i < tensor_count(x); i++)
        x->data[i] = (float)(i % 17) - 8.0f;
    ASSERT_OK(op_relu(tape, x, &y, &err), err);
    ASSERT_OK(op_relu_in_place(tape, x, &err), err);
    ASSERT_SAME_BITS("rectifier", x->data, y->data, tensor_count(x));
    ASSERT_OK(op_pow(tape, x, 0.3f, 0.1f, &y, &err), err);
    ASSERT_OK(op_pow_in_place(tape, x, 0.3f, 0.1f, &err), err);
    ASSERT_SAME_BITS("power", x->data, y->data, tensor_count(x));
}

Test(in_place, a_skip_is_cropped_where_the_layers_shorten)
{
    Tensor *x = counting(2, 2, 7), *h = counting(2, 2, 3);

    ASSERT_OK(op_add_skip_in_place(tape, x, h, 2, &err), err);
    cr_assert_eq(x->shape[2], 3);
    for (int64_t row = 0; row < 4; row++)
        for (int64_t t = 0; t < 3; t++)
            cr_assert_eq(x->data[row * 3 + t], (float)(row * 7 + 2 + t + row * 3 + t), "row %d, column %d", (int)row, (int)t);
}

Test(in_place, a_signal_waits_on_a_stream_in_chunks_shorter_and_longer_than_the_wait)
{
    const int64_t chunks[] = {2, 5, 11};

    for (size_t k = 0; k < sizeof chunks / sizeof *chunks; k++) {
        int64_t n = chunks[k];
        StreamState *stream;

        ASSERT_OK(stream_create(&stream, &err), err);
        tape->stream = stream;
        for (int64_t first = 0; first < 40; first += n) {
            Tensor *x = counting(1, 2, n);

            for (int64_t i = 0; i < 2 * n; i++)
                x->data[i] = (float)(100 * (i / n + 1) + first + i % n);
            stream_rewind(stream);
            ASSERT_OK(op_delay_in_place(tape, x, 5, &err), err);
            for (int64_t i = 0; i < 2 * n; i++) {
                int64_t at = first + i % n - 5;

                cr_assert_eq(x->data[i], at < 0 ? 0.0f : (float)(100 * (i / n + 1) + at));
            }
            tape_reset(tape);
        }
        tape->stream = NULL;
        stream_destroy(&stream);
    }
}

Test(in_place, columns_outside_a_range_become_zero)
{
    const int64_t ranges[][2] = {{-3, 20}, {0, 5}, {2, 4}, {5, 5}, {-9, -2}, {8, INT64_MAX}, {3, 1}};

    for (size_t k = 0; k < sizeof ranges / sizeof *ranges; k++) {
        Tensor *x = counting(1, 2, 5);

        ASSERT_OK(op_keep_columns_in_place(tape, x, ranges[k][0], ranges[k][1], &err), err);
        for (int64_t i = 0; i < 10; i++)
            cr_assert_eq(x->data[i], i % 5 >= ranges[k][0] && i % 5 < ranges[k][1] ? (float)i : 0.0f, "range %d, element %d",
                         (int)k, (int)i);
    }
}

Test(in_place, what_does_not_fit_is_refused)
{
    Tensor *x = counting(1, 2, 5), *h = counting(1, 2, 7), *alpha = counting(1, 1, 3);

    ASSERT_FAILS(op_add_skip_in_place(tape, x, h, 0, &err), RSD_ERR_ARG, err, "[1, 2, 5] around [1, 2, 7]");
    ASSERT_FAILS(op_add_skip_in_place(tape, h, x, 3, &err), RSD_ERR_ARG, err, "shifted by 3");
    ASSERT_FAILS(op_add_skip_in_place(tape, x, x, -1, &err), RSD_ERR_ARG, err, "shifted by -1");
    ASSERT_FAILS(op_delay_in_place(tape, x, 1, &err), RSD_ERR_ARG, err, "needs a stream");
    ASSERT_FAILS(op_snake_in_place(tape, x, alpha, &err), RSD_ERR_ARG, err, "one alpha per channel");
    tape->recording = true;
    ASSERT_FAILS(op_tanh_in_place(tape, x, &err), RSD_ERR_ARG, err, "a tape that records");
    ASSERT_FAILS(op_keep_columns_in_place(tape, x, 0, 1, &err), RSD_ERR_ARG, err, "a tape that records");
}
