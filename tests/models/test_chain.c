/* test_chain.c - networks of which a tape keeps the inputs of stages alone: the same gradients in less memory.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "engine/base/mem.h"
#include "engine/chain.h"
#include "engine/ops/activation.h"
#include "engine/ops/arithmetic.h"
#include "engine/ops/reduce.h"
#include "models/image_codec.h"
#include "models/seanet.h"
#include "tests/shared.h"

/* Gradients of all parameters, one after the other, and the peak of the tape's memory. */
typedef struct Outcome {
    float *grads, *y;
    int64_t n_grads, n_y;
    size_t peak;
} Outcome;

static void take_gradients(Outcome *outcome, const ParamSet *params, const Tape *tape, const Tensor *y)
{
    int64_t at = 0;

    outcome->n_grads = params_count_elements(params, true);
    outcome->n_y = tensor_count(y);
    cr_assert_eq(mem_alloc(&outcome->grads, (size_t)outcome->n_grads, sizeof(float), NULL), RSD_OK);
    cr_assert_eq(mem_alloc(&outcome->y, (size_t)outcome->n_y, sizeof(float), NULL), RSD_OK);
    memcpy(outcome->y, y->data, (size_t)outcome->n_y * sizeof(float));
    for (size_t i = 0; i < params->n_items; i++) {
        const Tensor *tensor = params->items[i].tensor;

        if (!params->items[i].trainable)
            continue;
        memcpy(outcome->grads + at, tensor->grad, (size_t)tensor_count(tensor) * sizeof(float));
        at += tensor_count(tensor);
    }
    outcome->peak = arena_peak_size(tape->arena);
}

static void forget(Outcome *outcome)
{
    mem_free(&outcome->grads);
    mem_free(&outcome->y);
}

static Tensor *noise(Tape *tape, int n_dims, const int64_t *shape, RsdError *err)
{
    Rng rng = rng_at(3, RNG_TEST, 0, 0);
    Tensor *x;

    ASSERT_OK(tape_tensor(tape, &x, n_dims, shape, err), *err);
    for (int64_t i = 0; i < tensor_count(x); i++)
        x->data[i] = 0.3f * rng_normal(&rng);
    return x;
}

static Outcome run_sound(ChainPolicy policy, int n_threads)
{
    const SeanetConfig cfg = {.channels = 1, .base_channels = 8, .n_ratios = 4, .ratios = {8, 5, 4, 2}, .latent_dim = 16, .kernel = 7,
                              .last_kernel = 7, .residual_kernel = 3, .n_residual = 2, .dilation_base = 2, .compress = 2, .causal = true,
                              .true_skip = true, .pad = PAD_ZERO, .norm = SEANET_NORM_WEIGHT};
    RsdThreads *threads;
    ParamSet *params;
    Seanet *net;
    Tape *tape;
    Tensor *x, *h, *y, *loss;
    Outcome outcome;
    RsdError err = {0};

    ASSERT_OK(rsd_threads_create(&threads, n_threads, &err), err);
    ASSERT_OK(tape_create(&tape, threads, 0, &err), err);
    ASSERT_OK(params_create(&params, &err), err);
    ASSERT_OK(seanet_create(&net, &cfg, params, 1, &err), err);
    tape->recording = true;
    tape->chain = policy;
    x = noise(tape, 3, (const int64_t[]){2, 1, 320 * 20}, &err);
    ASSERT_OK(seanet_encode(tape, net, x, &h, &err), err);
    ASSERT_OK(seanet_decode(tape, net, h, &y, &err), err);
    ASSERT_OK(op_sub(tape, y, x, &h, &err), err);
    ASSERT_OK(op_square(tape, h, &h, &err), err);
    ASSERT_OK(op_mean(tape, h, &loss, &err), err);
    ASSERT_OK(tape_backward(tape, loss, &err), err);
    take_gradients(&outcome, params, tape, y);
    seanet_destroy(&net);
    params_destroy(&params);
    tape_destroy(&tape);
    rsd_threads_destroy(&threads);
    return outcome;
}

static Outcome run_picture(ChainPolicy policy, int n_threads)
{
    ImageCodecConfig cfg;
    const int levels[2] = {64, 16};
    RsdThreads *threads;
    ImageCodec *codec;
    Tape *tape;
    Tensor *x, *h, *y, *loss;
    Outcome outcome;
    RsdError err = {0};

    image_codec_default_config(&cfg);
    cfg.latent = cfg.hyper = 8;
    for (int i = 0; i < IMAGE_SCALES; i++) {
        cfg.widths[i] = 8 + 4 * i;
        cfg.encoder_blocks[i] = cfg.decoder_blocks[i] = 3;
    }
    cfg.context = cfg.entropy = 16;
    ASSERT_OK(rsd_threads_create(&threads, n_threads, &err), err);
    ASSERT_OK(tape_create(&tape, threads, 0, &err), err);
    ASSERT_OK(image_codec_create(&codec, &cfg, 1, &err), err);
    tape->recording = true;
    tape->chain = policy;
    x = noise(tape, 4, (const int64_t[]){2, 3, 64, 64}, &err);
    ASSERT_OK(image_codec_analyse(tape, codec, x, &h, &err), err);
    ASSERT_OK(image_codec_synthesise(tape, codec, levels, h, &y, &err), err);
    ASSERT_OK(op_sub(tape, y, x, &h, &err), err);
    ASSERT_OK(op_square(tape, h, &h, &err), err);
    ASSERT_OK(op_mean(tape, h, &loss, &err), err);
    ASSERT_OK(tape_backward(tape, loss, &err), err);
    take_gradients(&outcome, codec->params, tape, y);
    image_codec_destroy(&codec);
    tape_destroy(&tape);
    rsd_threads_destroy(&threads);
    return outcome;
}

static double distance(const float *a, const float *b, int64_t n)
{
    double difference = 0.0, size = 0.0;

    for (int64_t i = 0; i < n; i++) {
        difference += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
        size += (double)b[i] * (double)b[i];
    }
    return sqrt(difference / size);
}

Test(chain, gradients_have_the_same_bits_in_less_memory)
{
    static Outcome (*const networks[])(ChainPolicy, int) = {run_sound, run_picture};
    static const char *const names[] = {"sound", "pictures"};

    for (size_t i = 0; i < 2; i++) {
        Outcome all = networks[i](CHAIN_ALL, 1), inputs = networks[i](CHAIN_F32, 2), half = networks[i](CHAIN_BF16, 1);

        ASSERT_SAME_BITS("output", inputs.y, all.y, all.n_y);
        ASSERT_SAME_BITS("gradients", inputs.grads, all.grads, all.n_grads);
        cr_expect_lt((double)inputs.peak, 0.7 * (double)all.peak, "%s: peak %zu of %zu bytes", names[i], inputs.peak, all.peak);
        cr_expect_lt((double)half.peak, (double)inputs.peak, "%s: peak %zu of %zu bytes", names[i], half.peak, inputs.peak);
        cr_expect_lt(distance(half.y, all.y, all.n_y), 0.02, "output off by %g", distance(half.y, all.y, all.n_y));
        cr_expect_lt(distance(half.grads, all.grads, all.n_grads), 0.05, "gradients off by %g",
                     distance(half.grads, all.grads, all.n_grads));
        printf("%s: peak %.2f MB of all, %.2f of inputs, %.2f of inputs in 16 bits, whose gradients are off by %.2g\n", names[i],
               (double)all.peak / 1e6, (double)inputs.peak / 1e6, (double)half.peak / 1e6,
               distance(half.grads, all.grads, all.n_grads));
        forget(&all);
        forget(&inputs);
        forget(&half);
    }
}

static int n_calls;

static RsdStatus twice(Tape *tape, const void *ctx, Tensor *x, Tensor **y, RsdError *err)
{
    (void)ctx;
    n_calls++;
    return op_add(tape, x, x, y, err);
}

static RsdStatus fails_later(Tape *tape, const void *ctx, Tensor *x, Tensor **y, RsdError *err)
{
    (void)ctx;
    *y = x;
    return n_calls++ < 1 ? op_tanh(tape, x, y, err) : error_set(err, RSD_ERR_NUMERIC, "the second time");
}

Test(chain, what_has_reached_the_input_from_elsewhere_is_added_to_and_errors_come_through)
{
    const ChainBlock blocks[] = {{twice, NULL}, {twice, NULL}, {twice, NULL}}, failing[] = {{fails_later, NULL}};
    const float values[3] = {1.0f, -2.0f, 0.5f};
    const int64_t n = 3;
    RsdThreads *threads;
    Tape *tape;
    Tensor *x, *h, *y;
    RsdError err = {0};

    ASSERT_OK(rsd_threads_create(&threads, 1, &err), err);
    ASSERT_OK(tape_create(&tape, threads, 0, &err), err);
    tape->recording = true;
    tape->chain = CHAIN_F32;
    ASSERT_OK(tape_input(tape, &x, 1, &n, values, &err), err);
    x->needs_grad = true;
    ASSERT_OK(chain_run(tape, blocks, 3, x, &h, &err), err);
    ASSERT_OK(op_mul(tape, h, x, &h, &err), err); /* x is read again */
    ASSERT_OK(op_sum(tape, h, &y, &err), err);
    n_calls = 0;
    ASSERT_OK(tape_backward(tape, y, &err), err);
    cr_expect_eq(n_calls, 3);
    cr_expect(tape->recording && tape->chain == CHAIN_F32);
    for (int i = 0; i < 3; i++)
        cr_expect_eq(x->grad[i], 16.0f * values[i], "%g", (double)x->grad[i]); /* d 8 x^2 */
    n_calls = 0;
    ASSERT_OK(chain_run(tape, failing, 1, x, &h, &err), err);
    ASSERT_OK(op_sum(tape, h, &y, &err), err);
    ASSERT_FAILS(tape_backward(tape, y, &err), RSD_ERR_NUMERIC, err, "the second time");
    cr_expect(tape->recording && tape->chain == CHAIN_F32);
    tape_destroy(&tape);
    rsd_threads_destroy(&threads);
}
