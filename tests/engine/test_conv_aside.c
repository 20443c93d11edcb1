/* test_conv_aside.c - weights that wait in a file: the bits of those in memory, whatever the parts and the number of threads.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/kernels/kernels.h"
#include "engine/ops/conv1d.h"
#include "engine/ops/conv_run.h"
#include "engine/stream.h"
#include "models/params.h"
#include "tests/shared.h"

#include <signal.h>
#include <sys/resource.h>

enum { BATCH = 2, C_IN = 1024, C_OUT = 70, KERNEL = 32, STRIDE = 8, N = 24 }; /* a part holds 64 output channels */

static RsdError err;

static void fill(Tensor *tensor, uint32_t which)
{
    Rng rng = rng_at(1, RNG_TEST, which, 0);

    params_fill_uniform(tensor, &rng, 0.1f);
}

static RsdStatus run(Tape *tape, Tensor *x, Tensor *w, Tensor *b, const Conv1dParams *p, bool transposed, Tensor **y)
{
    if (tape->stream)
        stream_rewind(tape->stream);
    return (transposed ? op_conv_transpose1d : op_conv1d)(tape, x, w, b, p, y, &err);
}

static void compare(bool transposed, int64_t c_out, int n_threads, bool streams)
{
    const Conv1dParams p = {.stride = STRIDE, .rule = PAD_CAUSAL, .trim_right_ratio = 1.0f, .activation = INPUT_ELU};
    Tensor *x, *w, *b, *y, *again;
    StreamState *stream;
    RsdThreads *threads;
    ScratchFile *file;
    Tape *tape;

    ASSERT_OK(rsd_threads_create(&threads, n_threads, &err), err);
    ASSERT_OK(tape_create(&tape, threads, 0, &err), err);
    ASSERT_OK(scratch_file_create(&file, &err), err);
    ASSERT_OK(scratch_file_append(file, "something before", 16, &err), err);
    ASSERT_OK(stream_create(&stream, &err), err);
    ASSERT_OK(tape_tensor(tape, &x, 3, (int64_t[]){BATCH, C_IN, N}, &err), err);
    ASSERT_OK(tape_tensor(tape, &w, 3, (int64_t[]){transposed ? C_IN : c_out, transposed ? c_out : C_IN, KERNEL}, &err), err);
    ASSERT_OK(tape_tensor(tape, &b, 1, (int64_t[]){c_out}, &err), err);
    fill(x, 0);
    fill(w, 1);
    fill(b, 2);
    tape->stream = streams ? stream : NULL;
    ASSERT_OK(run(tape, x, w, b, &p, transposed, &y), err);
    ASSERT_OK(conv1d_prepare_aside(tape, w, &p, transposed, file, &err), err);
    if (kernels_pick() == kernels_named("ref")) {
        cr_assert_not(conv_is_packed(w)); /* it packs nothing */
    } else {
        cr_assert(conv_is_packed(w));
        cr_assert_gt(scratch_file_size(file), (int64_t)(C_IN * KERNEL) * c_out * (int64_t)sizeof(float));
        stream_clear(stream);
        params_fill_constant(w, 0.0f); /* nothing of it is needed now */
        ASSERT_OK(run(tape, x, w, b, &p, transposed, &again), err);
        ASSERT_SAME_BITS("from a file", again->data, y->data, tensor_count(y));
    }
    stream_destroy(&stream);
    tape_destroy(&tape);
    scratch_file_destroy(&file);
    rsd_threads_destroy(&threads);
}

Test(conv_aside, convolutions_have_the_bits_of_weights_in_memory)
{
    compare(false, C_OUT, 1, false);
    compare(false, C_OUT, 2, true);
}

Test(conv_aside, transposed_convolutions_have_the_bits_of_weights_in_memory)
{
    compare(true, C_OUT, 2, false);
    compare(true, C_OUT, 1, true);
}

Test(conv_aside, a_weight_of_one_part_is_no_exception)
{
    compare(false, 3, 1, false);
    compare(true, 3, 1, true);
}

Test(conv_aside, a_file_that_cannot_be_written_leaves_the_weight_as_it_was)
{
    const Conv1dParams p = {.stride = 1};
    RsdThreads *threads;
    ScratchFile *file;
    Tensor *w;
    Tape *tape;

    ASSERT_OK(rsd_threads_create(&threads, 1, &err), err);
    ASSERT_OK(tape_create(&tape, threads, 0, &err), err);
    ASSERT_OK(scratch_file_create(&file, &err), err);
    ASSERT_OK(tape_tensor(tape, &w, 3, (int64_t[]){8, 16, 3}, &err), err);
    fill(w, 1);
    signal(SIGXFSZ, SIG_IGN); /* then write fails instead */
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &(struct rlimit){1000, RLIM_INFINITY}), 0);
    if (kernels_pick() != kernels_named("ref"))
        ASSERT_FAILS(conv1d_prepare_aside(tape, w, &p, false, file, &err), RSD_ERR_IO, err, "cannot be written");
    cr_assert_not(conv_is_packed(w));
    tape_destroy(&tape);
    scratch_file_destroy(&file);
    rsd_threads_destroy(&threads);
}
