/* test_seanet.c - the network: shapes, streams, gradients, configuration.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "engine/stream.h"
#include "models/seanet.h"
#include "tests/shared.h"

typedef struct Rig {
    RsdThreads *threads;
    Tape *tape;
    ParamSet *params;
    Seanet *net;
    SeanetConfig config;
    RsdError err;
} Rig;

static SeanetConfig small_config(void)
{
    return (SeanetConfig){.channels = 1,
                          .base_channels = 4,
                          .n_ratios = 3,
                          .ratios = {4, 3, 2},
                          .latent_dim = 6,
                          .kernel = 7,
                          .last_kernel = 7,
                          .residual_kernel = 3,
                          .n_residual = 1,
                          .dilation_base = 2,
                          .compress = 2,
                          .causal = true,
                          .true_skip = true,
                          .pad = PAD_ZERO,
                          .norm = SEANET_NORM_WEIGHT};
}

static void rig_open(Rig *rig, SeanetConfig config, int n_threads)
{
    memset(rig, 0, sizeof *rig);
    rig->config = config;
    ASSERT_OK(rsd_threads_create(&rig->threads, n_threads, &rig->err), rig->err);
    ASSERT_OK(tape_create(&rig->tape, rig->threads, 0, &rig->err), rig->err);
    ASSERT_OK(params_create(&rig->params, &rig->err), rig->err);
    ASSERT_OK(seanet_create(&rig->net, &config, rig->params, 11, &rig->err), rig->err);
}

static void rig_close(Rig *rig)
{
    seanet_destroy(&rig->net);
    params_destroy(&rig->params);
    tape_destroy(&rig->tape);
    rsd_threads_destroy(&rig->threads);
}

static Tensor *random_tensor(Rig *rig, int64_t batch, int64_t channels, int64_t n, uint32_t sample)
{
    int64_t shape[3] = {batch, channels, n};
    Rng rng = rng_at(1, RNG_TEST, 0, sample);
    Tensor *x;

    ASSERT_OK(tape_tensor(rig->tape, &x, 3, shape, &rig->err), rig->err);
    for (int64_t i = 0; i < tensor_count(x); i++)
        x->data[i] = rng_normal(&rng);
    return x;
}

static Tensor *columns_of(Rig *rig, const Tensor *x, int64_t first, int64_t n)
{
    int64_t shape[3] = {x->shape[0], x->shape[1], n};
    Tensor *part;

    ASSERT_OK(tape_tensor(rig->tape, &part, 3, shape, &rig->err), rig->err);
    for (int64_t i = 0; i < shape[0] * shape[1]; i++)
        memcpy(part->data + i * n, x->data + i * x->shape[2] + first, (size_t)n * sizeof(float));
    return part;
}

static void assert_shape(const Tensor *x, int64_t a, int64_t b, int64_t c)
{
    char text[SHAPE_TEXT_SIZE];

    cr_assert(x->n_dims == 3 && x->shape[0] == a && x->shape[1] == b && x->shape[2] == c, "shape %s, expected [%d, %d, %d]",
              shape_text(text, x->n_dims, x->shape), (int)a, (int)b, (int)c);
}

/* ---- shapes ---- */

Test(seanet, every_length_gives_the_frames_that_cover_it)
{
    SeanetConfig configs[4] = {small_config(), small_config(), small_config(), small_config()};

    configs[1].causal = false;
    configs[2].pad = PAD_REFLECT;
    configs[2].true_skip = false;
    configs[3].causal = false;
    configs[3].pad = PAD_REFLECT;
    configs[3].n_residual = 3;
    configs[3].norm = SEANET_NORM_NONE;
    for (int c = 0; c < 4; c++) {
        Rig rig;

        rig_open(&rig, configs[c], 1);
        cr_assert_eq(seanet_hop(&configs[c]), 24);
        for (int64_t n = 1; n <= 2 * 24 + 1; n++) {
            Tensor *z, *y;
            int64_t frames = (n + 23) / 24;

            ASSERT_OK(seanet_encode(rig.tape, rig.net, random_tensor(&rig, 2, 1, n, 0), &z, &rig.err), rig.err);
            assert_shape(z, 2, 6, frames);
            ASSERT_OK(seanet_decode(rig.tape, rig.net, z, &y, &rig.err), rig.err);
            assert_shape(y, 2, 1, frames * 24);
            tape_reset(rig.tape);
        }
        rig_close(&rig);
    }
}

Test(seanet, wrong_inputs_are_refused)
{
    Tensor *z;
    StreamState *stream;
    Rig rig;

    rig_open(&rig, small_config(), 1);
    ASSERT_FAILS(seanet_encode(rig.tape, rig.net, random_tensor(&rig, 1, 2, 48, 0), &z, &rig.err), RSD_ERR_ARG, rig.err,
                 "[1, 2, 48], expected [batch, 1,");
    ASSERT_FAILS(seanet_decode(rig.tape, rig.net, random_tensor(&rig, 1, 6, 0, 0), &z, &rig.err), RSD_ERR_ARG, rig.err, "[1, 6, 0]");
    ASSERT_OK(stream_create(&stream, &rig.err), rig.err);
    rig.tape->stream = stream;
    ASSERT_FAILS(seanet_encode(rig.tape, rig.net, random_tensor(&rig, 1, 1, 25, 0), &z, &rig.err), RSD_ERR_ARG, rig.err,
                 "multiple of 24");
    stream_destroy(&stream);
    rig_close(&rig);
}

Test(seanet, networks_that_need_the_future_refuse_a_stream)
{
    SeanetConfig configs[2] = {small_config(), small_config()};
    const char *parts[2] = {"not causal", "group norm"};

    configs[0].causal = false;
    configs[1].norm = SEANET_NORM_GROUP;
    for (int c = 0; c < 2; c++) {
        StreamState *stream;
        Tensor *z;
        Rig rig;

        rig_open(&rig, configs[c], 1);
        ASSERT_OK(stream_create(&stream, &rig.err), rig.err);
        rig.tape->stream = stream;
        cr_assert_not(seanet_can_stream(&configs[c]));
        ASSERT_FAILS(seanet_encode(rig.tape, rig.net, random_tensor(&rig, 1, 1, 24, 0), &z, &rig.err), RSD_ERR_UNSUPPORTED,
                     rig.err, parts[c]);
        stream_destroy(&stream);
        rig_close(&rig);
    }
}

/* ---- streams ---- */

/* Runs x through the network in chunks of `chunk` columns (hops for the encoder) and compares with the whole. */
static void assert_chunks_equal_whole(Rig *rig, const Tensor *x, const Tensor *whole, bool decoder, int64_t chunk)
{
    int64_t n = x->shape[2], m = whole->shape[2], done = 0;
    int64_t ratio = seanet_hop(&rig->config);
    StreamState *stream;
    float *joined = calloc((size_t)tensor_count(whole), sizeof(float));
    char what[80];

    ASSERT_OK(stream_create(&stream, &rig->err), rig->err);
    rig->tape->stream = stream;
    for (int64_t first = 0; first < n; first += chunk) {
        int64_t len = n - first < chunk ? n - first : chunk, out_len = decoder ? len * ratio : len / ratio;
        Tensor *y;

        stream_rewind(stream);
        ASSERT_OK((decoder ? seanet_decode : seanet_encode)(rig->tape, rig->net, columns_of(rig, x, first, len), &y, &rig->err),
                  rig->err);
        assert_shape(y, x->shape[0], whole->shape[1], out_len);
        for (int64_t i = 0; i < y->shape[0] * y->shape[1]; i++)
            memcpy(joined + i * m + done, y->data + i * out_len, (size_t)out_len * sizeof(float));
        done += out_len;
    }
    rig->tape->stream = NULL;
    snprintf(what, sizeof what, "%s, %d columns in chunks of %d", decoder ? "decoder" : "encoder", (int)n, (int)chunk);
    ASSERT_SAME_BITS(what, joined, whole->data, tensor_count(whole));
    free(joined);
    stream_destroy(&stream);
}

static void check_streaming(SeanetConfig config, int n_threads, int64_t max_frames)
{
    Rig rig;
    int64_t hop = seanet_hop(&config);

    rig_open(&rig, config, n_threads);
    for (int64_t frames = 1; frames <= max_frames; frames++)
        for (int64_t chunk = 1; chunk <= frames; chunk++) {
            Tensor *x = random_tensor(&rig, 2, config.channels, frames * hop, (uint32_t)frames), *z, *y;

            ASSERT_OK(seanet_encode(rig.tape, rig.net, x, &z, &rig.err), rig.err);
            ASSERT_OK(seanet_decode(rig.tape, rig.net, z, &y, &rig.err), rig.err);
            assert_chunks_equal_whole(&rig, x, z, false, chunk * hop);
            assert_chunks_equal_whole(&rig, z, y, true, chunk);
            tape_reset(rig.tape);
        }
    rig_close(&rig);
}

Test(seanet, chunks_of_every_size_equal_the_whole_signal_bit_for_bit)
{
    check_streaming(small_config(), 1, 9);
}

Test(seanet, chunks_equal_the_whole_with_dilated_units_conv_shortcuts_and_two_channels)
{
    SeanetConfig config = small_config();

    config.channels = 2;
    config.n_residual = 3;
    config.true_skip = false;
    check_streaming(config, 2, 5);
}

Test(seanet, chunks_equal_the_whole_with_an_lstm_and_plain_weights)
{
    SeanetConfig config = small_config();

    config.n_lstm = 2;
    config.norm = SEANET_NORM_NONE;
    check_streaming(config, 2, 6);
}

Test(seanet, a_chunk_of_several_strips_reflected_at_its_edges_equals_the_whole)
{
    const int64_t n = 24 * 400 + 13; /* strips have 170 frames of 24 samples */
    SeanetConfig config = small_config();
    StreamState *stream;
    Tensor *x, *z, *part_z, *y, *part_y;
    Rig rig;

    config.base_channels = 32;
    config.true_skip = false;
    config.pad = PAD_REFLECT;
    rig_open(&rig, config, 2);
    x = random_tensor(&rig, 2, 1, n, 0);
    ASSERT_OK(seanet_encode(rig.tape, rig.net, x, &z, &rig.err), rig.err);
    ASSERT_OK(seanet_decode(rig.tape, rig.net, z, &y, &rig.err), rig.err);
    for (int decoder = 0; decoder < 2; decoder++) {
        ASSERT_OK(stream_create(&stream, &rig.err), rig.err);
        rig.tape->stream = stream;
        stream_rewind(stream);
        stream_set_last(stream, true);
        if (decoder)
            ASSERT_OK(seanet_decode(rig.tape, rig.net, z, &part_y, &rig.err), rig.err);
        else
            ASSERT_OK(seanet_encode(rig.tape, rig.net, x, &part_z, &rig.err), rig.err);
        stream_destroy(&stream);
    }
    assert_shape(part_z, 2, 6, 401);
    ASSERT_SAME_BITS("z", part_z->data, z->data, tensor_count(z));
    assert_shape(part_y, 2, 1, 401 * 24);
    ASSERT_SAME_BITS("y", part_y->data, y->data, tensor_count(y));
    rig_close(&rig);
}

Test(seanet, chunks_equal_the_whole_at_the_size_of_speech16)
{
    SeanetConfig config = small_config();
    Rig rig;
    Tensor *x, *z, *y;

    config.base_channels = 16;
    config.n_ratios = 4;
    memcpy(config.ratios, (int[]){8, 5, 4, 2}, 4 * sizeof(int));
    config.latent_dim = 64;
    rig_open(&rig, config, 2);
    x = random_tensor(&rig, 1, 1, 320 * 60, 0);
    ASSERT_OK(seanet_encode(rig.tape, rig.net, x, &z, &rig.err), rig.err);
    ASSERT_OK(seanet_decode(rig.tape, rig.net, z, &y, &rig.err), rig.err);
    for (int64_t chunk = 1; chunk <= 50; chunk += 7) {
        assert_chunks_equal_whole(&rig, x, z, false, chunk * 320);
        assert_chunks_equal_whole(&rig, z, y, true, chunk);
    }
    rig_close(&rig);
}

Test(seanet, frozen_and_unfrozen_networks_and_any_thread_count_give_the_same_bits)
{
    Tensor *z[2], *y[2], *frozen_z, *frozen_y;
    Rig rigs[2];

    for (int r = 0; r < 2; r++) {
        rig_open(&rigs[r], small_config(), r + 1);
        ASSERT_OK(seanet_encode(rigs[r].tape, rigs[r].net, random_tensor(&rigs[r], 3, 1, 24 * 40, 0), &z[r], &rigs[r].err),
                  rigs[r].err);
        ASSERT_OK(seanet_decode(rigs[r].tape, rigs[r].net, z[r], &y[r], &rigs[r].err), rigs[r].err);
    }
    ASSERT_SAME_BITS("z of 1 and 2 threads", z[0]->data, z[1]->data, tensor_count(z[0]));
    ASSERT_SAME_BITS("y of 1 and 2 threads", y[0]->data, y[1]->data, tensor_count(y[0]));
    ASSERT_OK(seanet_freeze(rigs[0].net, &rigs[0].err), rigs[0].err);
    ASSERT_OK(seanet_encode(rigs[0].tape, rigs[0].net, random_tensor(&rigs[0], 3, 1, 24 * 40, 0), &frozen_z, &rigs[0].err),
              rigs[0].err);
    ASSERT_OK(seanet_decode(rigs[0].tape, rigs[0].net, frozen_z, &frozen_y, &rigs[0].err), rigs[0].err);
    ASSERT_SAME_BITS("z frozen", frozen_z->data, z[0]->data, tensor_count(z[0]));
    ASSERT_SAME_BITS("y frozen", frozen_y->data, y[0]->data, tensor_count(y[0]));
    for (int r = 0; r < 2; r++)
        rig_close(&rigs[r]);
}

Test(seanet, freezing_again_takes_over_changed_weights_and_training_ignores_it)
{
    Tensor *x, *before, *after, *recorded;
    Rig rig;

    rig_open(&rig, small_config(), 1);
    ASSERT_OK(seanet_freeze(rig.net, &rig.err), rig.err);
    x = random_tensor(&rig, 1, 1, 48, 0);
    ASSERT_OK(seanet_encode(rig.tape, rig.net, x, &before, &rig.err), rig.err);
    params_find(rig.params, "encoder.out.weight_g")->data[0] *= 2.0f;
    ASSERT_OK(seanet_encode(rig.tape, rig.net, x, &after, &rig.err), rig.err);
    ASSERT_SAME_BITS("still frozen", after->data, before->data, tensor_count(before));
    rig.tape->recording = true;
    ASSERT_OK(seanet_encode(rig.tape, rig.net, x, &recorded, &rig.err), rig.err);
    rig.tape->recording = false;
    ASSERT_OK(seanet_freeze(rig.net, &rig.err), rig.err);
    ASSERT_OK(seanet_encode(rig.tape, rig.net, x, &after, &rig.err), rig.err);
    cr_assert_neq(after->data[0], before->data[0]);
    ASSERT_SAME_BITS("recorded", recorded->data, after->data, tensor_count(after));
    rig_close(&rig);
}

/* ---- gradients ---- */

/* sum of w . decode(encode(x)), in double */
static double objective(Rig *rig, Tensor *x, const float *w, Tensor **y)
{
    Tensor *z;
    double sum = 0.0;

    ASSERT_OK(seanet_encode(rig->tape, rig->net, x, &z, &rig->err), rig->err);
    ASSERT_OK(seanet_decode(rig->tape, rig->net, z, y, &rig->err), rig->err);
    for (int64_t i = 0; i < tensor_count(*y); i++)
        sum += (double)w[i] * (*y)->data[i];
    return sum;
}

/* Along a random direction u in parameter and input space the derivative is <gradient, u>; the central difference of float
 * results with step h has an error of about h^2 and 1e-7 / h. */
static void check_gradient(SeanetConfig config)
{
    const double h = 4e-3, tolerance = 2e-2;
    Tensor *x, *y;
    float *w;
    Rig rig;

    rig_open(&rig, config, 1);
    x = random_tensor(&rig, 2, config.channels, 2 * seanet_hop(&config), 0);
    w = random_tensor(&rig, 2, config.channels, 2 * seanet_hop(&config), 1)->data;
    x->needs_grad = true;
    rig.tape->recording = true;
    (void)objective(&rig, x, w, &y);
    ASSERT_OK(tape_backward_from(rig.tape, y, w, &rig.err), rig.err);
    rig.tape->recording = false;
    for (size_t p = 0; p <= rig.params->n_items; p++) { /* one tensor at a time, the input last */
        Tensor *tensor = p < rig.params->n_items ? rig.params->items[p].tensor : x;
        const char *name = p < rig.params->n_items ? rig.params->items[p].name : "input";
        Rng rng = rng_at(3, RNG_TEST, 0, (uint32_t)p);
        int64_t count = tensor_count(tensor);
        double expected = 0.0, norm = 0.0, values[2];
        float *saved = malloc((size_t)count * sizeof(float)), *u = malloc((size_t)count * sizeof(float));

        memcpy(saved, tensor->data, (size_t)count * sizeof(float));
        for (int64_t i = 0; i < count; i++) {
            u[i] = rng_normal(&rng);
            norm += (double)u[i] * u[i];
        }
        for (int64_t i = 0; i < count; i++) {
            u[i] = (float)(u[i] / sqrt(norm));
            expected += (double)tensor->grad[i] * u[i];
        }
        for (int side = 0; side < 2; side++) {
            for (int64_t i = 0; i < count; i++)
                tensor->data[i] = (float)(saved[i] + (side ? h : -h) * u[i]);
            values[side] = objective(&rig, x, w, &y);
        }
        memcpy(tensor->data, saved, (size_t)count * sizeof(float));
        ASSERT_CLOSE(name, (values[1] - values[0]) / (2 * h), expected, ((Tolerance){.abs = 5e-3, .rel = tolerance}));
        free(saved);
        free(u);
    }
    rig_close(&rig);
}

Test(seanet, gradient_matches_finite_differences)
{
    check_gradient(small_config());
}

Test(seanet, gradient_matches_finite_differences_with_reflection_shortcuts_and_dilated_units)
{
    SeanetConfig config = small_config();

    config.causal = false;
    config.pad = PAD_REFLECT;
    config.true_skip = false;
    config.n_residual = 2;
    config.norm = SEANET_NORM_NONE;
    config.n_ratios = 2;
    check_gradient(config);
}

Test(seanet, gradient_matches_finite_differences_with_lstm_and_group_norm)
{
    SeanetConfig config = small_config();

    config.norm = SEANET_NORM_GROUP;
    config.n_lstm = 2;
    config.n_ratios = 2;
    config.channels = 2;
    check_gradient(config);
}

Test(seanet, gradient_matches_finite_differences_with_lstm_and_weight_norm)
{
    SeanetConfig config = small_config();

    config.n_lstm = 1;
    config.n_ratios = 2;
    check_gradient(config);
}

/* ---- configuration ---- */

Test(seanet, configuration_out_of_range_is_named)
{
    RsdError err;
    SeanetConfig good = small_config(), bad;

    ASSERT_OK(seanet_check_config(&good, &err), err);
#define ASSERT_REFUSED(change, part)                                                                                   \
    do {                                                                                                               \
        bad = good;                                                                                                    \
        change;                                                                                                        \
        ASSERT_FAILS(seanet_check_config(&bad, &err), RSD_ERR_ARG, err, part);                                         \
    } while (0)
    ASSERT_REFUSED(bad.channels = 0, "channels is 0, expected 1 to");
    ASSERT_REFUSED(bad.base_channels = 1 << 30, "base_channels is 1073741824");
    ASSERT_REFUSED(bad.n_ratios = 9, "number of ratios is 9");
    ASSERT_REFUSED(bad.ratios[1] = 0, "ratio 2 is 0");
    ASSERT_REFUSED((bad.ratios[0] = 64, bad.ratios[1] = 64, bad.ratios[2] = 64), "product of the ratios");
    ASSERT_REFUSED((bad.base_channels = 512, bad.n_ratios = 8, bad.ratios[3] = bad.ratios[4] = bad.ratios[5] = bad.ratios[6] =
                                                                   bad.ratios[7] = 1),
                   "512 doubled 8 times");
    ASSERT_REFUSED(bad.latent_dim = -1, "latent_dim is -1");
    ASSERT_REFUSED(bad.kernel = 64, "kernel is 64");
    ASSERT_REFUSED(bad.n_residual = 5, "n_residual is 5");
    ASSERT_REFUSED(bad.compress = 3, "compress 3 does not divide base_channels 4");
    ASSERT_REFUSED(bad.n_lstm = 5, "n_lstm is 5");
    ASSERT_REFUSED(bad.pad = (PadMode)7, "pad is 7");
    ASSERT_REFUSED(bad.norm = (SeanetNorm)3, "norm is 3");
    ASSERT_REFUSED((bad.base_channels = 512, bad.n_ratios = 4, bad.ratios[2] = bad.ratios[3] = 64, bad.ratios[0] = 16,
                    bad.ratios[1] = 1, bad.kernel = 63, bad.residual_kernel = 63, bad.compress = 1),
                   "parameters, expected at most");
#undef ASSERT_REFUSED
}

Test(seanet, counts_agree_with_the_published_figures)
{
    SeanetConfig config = small_config();
    RsdError err;
    ParamSet *params;
    Seanet *net;

    config.base_channels = 32;
    config.n_ratios = 4;
    memcpy(config.ratios, (int[]){8, 5, 4, 2}, 4 * sizeof(int));
    config.latent_dim = 128;
    config.n_lstm = 2;
    config.true_skip = false;
    /* audio.md 1.5: 1.49 + 1.49 GMAC/s and 14.8 M (14.85 unrounded) parameters at 24 kHz; 1.33 + 1.33 with a true skip */
    ASSERT_CLOSE("encoder", seanet_macs_per_second(&config, 24000, false), 1.49e9, ((Tolerance){.abs = 0.005e9}));
    ASSERT_CLOSE("decoder", seanet_macs_per_second(&config, 24000, true), 1.49e9, ((Tolerance){.abs = 0.005e9}));
    ASSERT_CLOSE("parameters", (double)seanet_count_parameters(&config), 14.85e6, ((Tolerance){.abs = 0.005e6}));
    config.true_skip = true;
    ASSERT_CLOSE("true skip", seanet_macs_per_second(&config, 24000, false), 1.33e9, ((Tolerance){.abs = 0.005e9}));
    ASSERT_OK(params_create(&params, &err), err);
    ASSERT_OK(seanet_create(&net, &config, params, 1, &err), err);
    cr_assert_eq(params_count_elements(params, true), seanet_count_parameters(&config));
    seanet_destroy(&net);
    params_destroy(&params);
}
