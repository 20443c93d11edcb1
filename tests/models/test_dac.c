/* test_dac.c - a small DAC with random weights: streams equal whole signals, lengths, gradients reach every parameter, and
 * impossible configurations are refused.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/base/rng.h"
#include "engine/ops/reduce.h"
#include "engine/stream.h"
#include "models/dac.h"
#include "models/dac_names.h"
#include "models/projected_rvq.h"
#include "tests/shared.h"

#include <math.h>

static const DacConfig TINY = {.encoder_dim = 4,
                               .n_encoder_rates = 3,
                               .encoder_rates = {2, 3, 5},
                               .latent_dim = 6,
                               .decoder_dim = 16,
                               .n_decoder_rates = 3,
                               .decoder_rates = {5, 3, 2}};

typedef struct Fixture {
    RsdThreads *threads;
    Tape *tape;
    ParamSet *params;
    Dac *net;
    RsdError err;
} Fixture;

static void open_net(Fixture *f, const DacConfig *cfg, int n_threads)
{
    Rng rng = rng_at(5, RNG_TEST, 0, 0);

    memset(f, 0, sizeof *f);
    ASSERT_OK(rsd_threads_create(&f->threads, n_threads, &f->err), f->err);
    ASSERT_OK(tape_create(&f->tape, f->threads, 0, &f->err), f->err);
    ASSERT_OK(params_create(&f->params, &f->err), f->err);
    ASSERT_OK(dac_create(&f->net, cfg, f->params, 7, &f->err), f->err);
    for (size_t i = 0; i < f->params->n_items; i++) { /* biases are what makes the outside of a signal interesting */
        Tensor *tensor = f->params->items[i].tensor;

        if (tensor->n_dims == 1)
            params_fill_uniform(tensor, &rng, 0.5f);
        if (strstr(f->params->items[i].name, "alpha"))
            for (int64_t j = 0; j < tensor->shape[0]; j++)
                tensor->data[j] = 1.0f + tensor->data[j];
    }
}

static void close_net(Fixture *f)
{
    dac_destroy(&f->net);
    params_destroy(&f->params);
    tape_destroy(&f->tape);
    rsd_threads_destroy(&f->threads);
}

static float *noise(int64_t n)
{
    float *x = malloc((size_t)n * sizeof *x);
    Rng rng = rng_at(3, RNG_TEST, 1, 0);

    for (int64_t i = 0; i < n; i++)
        x[i] = rng_between(&rng, -0.7f, 0.7f);
    return x;
}

typedef RsdStatus (*Half)(Tape *tape, Dac *net, Tensor *x, DacPadding padding, Tensor **y, RsdError *err);

/* x [1, c_in, n] whole -> [c_out, m]. */
static float *run_whole(Fixture *f, Half half, const float *x, int64_t c_in, int64_t n, int64_t *c_out, int64_t *m)
{
    Tensor *in, *out;
    float *copy;

    ASSERT_OK(tape_input(f->tape, &in, 3, (int64_t[]){1, c_in, n}, x, &f->err), f->err);
    ASSERT_OK(half(f->tape, f->net, in, DAC_PAD_ZERO, &out, &f->err), f->err);
    *c_out = out->shape[1];
    *m = out->shape[2];
    copy = malloc((size_t)(*c_out * *m) * sizeof *copy);
    memcpy(copy, out->data, (size_t)(*c_out * *m) * sizeof *copy);
    tape_reset(f->tape);
    return copy;
}

/* The same in chunks of `chunk` columns; up / down: output columns for one of the input, or input for one of the output. */
static void assert_stream_equals(Fixture *f, Half half, const float *x, int64_t c_in, int64_t n, int64_t chunk, int64_t up,
                                 int64_t down, int64_t lag, const float *whole, int64_t c_out, int64_t m)
{
    int64_t done = -lag;
    StreamState *stream;

    ASSERT_OK(stream_create(&stream, &f->err), f->err);
    f->tape->stream = stream;
    for (int64_t first = 0; done < m; first += chunk) {
        Tensor *in, *out;

        stream_rewind(stream);
        stream_place(stream, first, first + chunk > n ? n : STREAM_UNKNOWN_LENGTH);
        ASSERT_OK(tape_tensor(f->tape, &in, 3, (int64_t[]){1, c_in, chunk}, &f->err), f->err);
        for (int64_t c = 0; c < c_in; c++)
            for (int64_t i = 0; i < chunk; i++) /* what is fed beyond the end must not matter */
                in->data[c * chunk + i] = first + i < n ? x[c * n + first + i] : 123.0f;
        ASSERT_OK(half(f->tape, f->net, in, DAC_PAD_ZERO, &out, &f->err), f->err);
        cr_assert_eq(out->shape[2], chunk * up / down);
        for (int64_t c = 0; c < c_out; c++)
            for (int64_t i = 0; i < out->shape[2]; i++) {
                int64_t at = done + i;
                float expected = at >= 0 && at < m ? whole[c * m + at] : 0.0f;

                if (at < m || half == dac_decode)
                    cr_assert(out->data[c * out->shape[2] + i] == expected, "chunk %d: [%d, %d] is %.9g, expected %.9g",
                              (int)chunk, (int)c, (int)at, (double)out->data[c * out->shape[2] + i], (double)expected);
            }
        done += out->shape[2];
        tape_reset(f->tape);
    }
    f->tape->stream = NULL;
    stream_destroy(&stream);
}

Test(dac, streams_equal_whole_signals_bit_for_bit_at_even_and_odd_rates)
{
    static const DacConfig even = {.encoder_dim = 4,
                                   .n_encoder_rates = 2,
                                   .encoder_rates = {2, 8},
                                   .latent_dim = 5,
                                   .decoder_dim = 8,
                                   .n_decoder_rates = 2,
                                   .decoder_rates = {8, 2}};
    const DacConfig *configs[] = {&TINY, &even};
    const int64_t chunks[] = {1, 3, 50};

    for (size_t k = 0; k < 2; k++) {
        int64_t hop = dac_hop(configs[k]), n_frames = 61, c_z, n_z, c_y, n_y;
        float *x = noise(n_frames * hop), *z, *y;
        Fixture f;

        open_net(&f, configs[k], 1 + (int)k);
        z = run_whole(&f, dac_encode, x, 1, n_frames * hop, &c_z, &n_z);
        cr_assert_eq(n_z, n_frames);
        y = run_whole(&f, dac_decode, z, c_z, n_z, &c_y, &n_y);
        cr_assert_eq(n_y, dac_decoded_len(configs[k], n_frames, DAC_PAD_ZERO));
        for (size_t i = 0; i < sizeof chunks / sizeof *chunks; i++) {
            assert_stream_equals(&f, dac_encode, x, 1, n_frames * hop, chunks[i] * hop, 1, hop, dac_encoder_lag(configs[k]), z,
                                 c_z, n_z);
            assert_stream_equals(&f, dac_decode, z, c_z, n_z, chunks[i], hop, 1, dac_decoder_lag(configs[k], DAC_PAD_ZERO), y, 1, n_y);
        }
        free(x);
        free(z);
        free(y);
        close_net(&f);
    }
}

Test(dac, an_odd_rate_loses_a_sample_and_what_follows_multiplies_it)
{
    static const DacConfig published = {.encoder_dim = 64,
                                        .n_encoder_rates = 4,
                                        .encoder_rates = {2, 4, 5, 8},
                                        .latent_dim = 1024,
                                        .decoder_dim = 1536,
                                        .n_decoder_rates = 4,
                                        .decoder_rates = {8, 5, 4, 2}};

    cr_assert_eq(dac_hop(&published), 320);
    cr_assert_eq(dac_encoded_len(&published, 3200, DAC_PAD_ZERO), 10);
    cr_assert_eq(dac_decoded_len(&published, 10, DAC_PAD_ZERO), 3200 - 8); /* audio.md 2.2 */
    cr_assert_eq(dac_encoded_len(&published, 3200, DAC_PAD_NONE), 0, "too short without padding");
}

Test(dac, published_44_khz_network_has_its_size_and_cost)
{
    static const DacConfig published = {.encoder_dim = 64,
                                        .n_encoder_rates = 4,
                                        .encoder_rates = {2, 4, 8, 8},
                                        .latent_dim = 1024,
                                        .decoder_dim = 1536,
                                        .n_decoder_rates = 4,
                                        .decoder_rates = {8, 8, 4, 2}};

    cr_assert(fabs((double)dac_count_parameters(&published) / 76e6 - 1.0) < 0.02);
    cr_assert(fabs(dac_macs_per_second(&published, 44100, false) / 30.6e9 - 1.0) < 0.01);
    cr_assert(fabs(dac_macs_per_second(&published, 44100, true) / 69.3e9 - 1.0) < 0.01);
}

Test(dac, windows_without_padding_are_the_middle_of_the_whole)
{
    const int64_t n = 40 * 30;
    float *x = noise(n);
    Tensor *in, *whole, *window;
    int64_t skip = 0;
    Fixture f;

    open_net(&f, &TINY, 1);
    ASSERT_OK(tape_input(f.tape, &in, 3, (int64_t[]){1, 1, n}, x, &f.err), f.err);
    ASSERT_OK(dac_encode(f.tape, f.net, in, DAC_PAD_NONE, &whole, &f.err), f.err);
    cr_assert_eq(whole->shape[2], dac_encoded_len(&TINY, n, DAC_PAD_NONE));
    /* A window that starts k frames later gives the frames from k on. */
    skip = 4;
    ASSERT_OK(tape_input(f.tape, &in, 3, (int64_t[]){1, 1, n - skip * 30}, x + skip * 30, &f.err), f.err);
    ASSERT_OK(dac_encode(f.tape, f.net, in, DAC_PAD_NONE, &window, &f.err), f.err);
    cr_assert_eq(window->shape[2], whole->shape[2] - skip);
    for (int64_t c = 0; c < 6; c++)
        ASSERT_SAME_BITS("window", window->data + c * window->shape[2], whole->data + c * whole->shape[2] + skip,
                         window->shape[2]);
    free(x);
    close_net(&f);
}

Test(dac, gradients_reach_every_parameter)
{
    float *x = noise(120);
    Tensor *in, *z, *y, *loss;
    Fixture f;

    open_net(&f, &TINY, 1);
    f.tape->recording = true;
    ASSERT_OK(tape_input(f.tape, &in, 3, (int64_t[]){1, 1, 120}, x, &f.err), f.err);
    ASSERT_OK(dac_encode(f.tape, f.net, in, DAC_PAD_ZERO, &z, &f.err), f.err);
    ASSERT_OK(dac_decode(f.tape, f.net, z, DAC_PAD_ZERO, &y, &f.err), f.err);
    ASSERT_OK(op_mean(f.tape, y, &loss, &f.err), f.err);
    ASSERT_OK(tape_backward(f.tape, loss, &f.err), f.err);
    for (size_t i = 0; i < f.params->n_items; i++) {
        const Tensor *tensor = f.params->items[i].tensor;
        int64_t n_zero = 0;

        for (int64_t j = 0; j < tensor_count(tensor); j++)
            n_zero += tensor->grad[j] == 0.0f;
        cr_assert(n_zero < tensor_count(tensor), "%s got no gradient", f.params->items[i].name);
    }
    free(x);
    close_net(&f);
}

Test(dac, impossible_configurations_are_refused_by_name)
{
    DacConfig cfg;
    RsdError err;

#define REFUSED(change, part)                                                                                          \
    do {                                                                                                               \
        cfg = TINY;                                                                                                    \
        change;                                                                                                        \
        ASSERT_FAILS(dac_check_config(&cfg, &err), RSD_ERR_ARG, err, part);                                            \
    } while (0)
    REFUSED(cfg.encoder_dim = 0, "encoder_dim is 0");
    REFUSED(cfg.encoder_dim = 16000, "doubled 3 times");
    REFUSED(cfg.latent_dim = -1, "latent_dim is -1");
    REFUSED(cfg.decoder_dim = 12, "cannot be halved 3 times");
    REFUSED(cfg.n_encoder_rates = 9, "number of encoder rates is 9");
    REFUSED(cfg.encoder_rates[1] = 0, "encoder rate 2 is 0");
    REFUSED(cfg.decoder_rates[0] = 4, "takes 30 samples to a frame, the decoder makes 24");
    REFUSED((cfg.latent_dim = 4096, cfg.decoder_dim = 16384), "parameters");
#undef REFUSED
}

Test(dac, parameters_have_the_published_names)
{
    const struct {
        const char *ours, *original, *hub;
    } names[] = {{"encoder.in.weight", "encoder.block.0.weight", "encoder.conv1.weight"},
                 {"encoder.stages.1.units.2.snake1.alpha", "encoder.block.2.block.2.block.0.alpha",
                  "encoder.block.1.res_unit3.snake1.alpha"},
                 {"encoder.stages.0.units.0.pointwise.bias", "encoder.block.1.block.0.block.3.bias",
                  "encoder.block.0.res_unit1.conv2.bias"},
                 {"encoder.stages.2.snake.alpha", "encoder.block.3.block.3.alpha", "encoder.block.2.snake1.alpha"},
                 {"encoder.stages.2.down.weight", "encoder.block.3.block.4.weight", "encoder.block.2.conv1.weight"},
                 {"encoder.snake.alpha", "encoder.block.4.alpha", "encoder.snake1.alpha"},
                 {"encoder.out.bias", "encoder.block.5.bias", "encoder.conv2.bias"},
                 {"decoder.in.weight", "decoder.model.0.weight", "decoder.conv1.weight"},
                 {"decoder.stages.0.snake.alpha", "decoder.model.1.block.0.alpha", "decoder.block.0.snake1.alpha"},
                 {"decoder.stages.0.up.weight", "decoder.model.1.block.1.weight", "decoder.block.0.conv_t1.weight"},
                 {"decoder.stages.1.units.0.conv.weight", "decoder.model.2.block.2.block.1.weight",
                  "decoder.block.1.res_unit1.conv1.weight"},
                 {"decoder.snake.alpha", "decoder.model.4.alpha", "decoder.snake1.alpha"},
                 {"decoder.out.weight", "decoder.model.5.weight", "decoder.conv2.weight"},
                 {"rvq.3.in.weight", "quantizer.quantizers.3.in_proj.weight", "quantizer.quantizers.3.in_proj.weight"},
                 {"rvq.10.out.bias", "quantizer.quantizers.10.out_proj.bias", "quantizer.quantizers.10.out_proj.bias"},
                 {"rvq.0.embed", "quantizer.quantizers.0.codebook.weight", "quantizer.quantizers.0.codebook.weight"}};
    char name[DAC_NAME_SIZE];

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        cr_assert(dac_name_in(name, names[i].ours, DAC_NAMES_ORIGINAL, &TINY));
        cr_assert_str_eq(name, names[i].original);
        cr_assert(dac_name_in(name, names[i].ours, DAC_NAMES_HUB, &TINY));
        cr_assert_str_eq(name, names[i].hub);
    }
    cr_assert_not(dac_name_in(name, "encoder.stages.0.units.0.shortcut.bias", DAC_NAMES_HUB, &TINY));
    cr_assert_not(dac_name_in(name, "lm.bias", DAC_NAMES_ORIGINAL, &TINY));
}

/* ---- the quantiser ---- */

Test(projected_rvq, finds_the_nearest_direction_whatever_the_length_of_codes_and_latents)
{
    const ProjectedRvqConfig cfg = {.n_q = 2, .codebook_size = 37, .code_dim = 3, .dim = 5};
    const int64_t n = 130;
    float *z = noise(5 * n);
    uint16_t codes[2 * 130], chunked[2 * 130];
    Tensor *in, *latents, *out, *embed;
    ProjectedRvq *rvq;
    Fixture f;

    open_net(&f, &TINY, 2);
    params_destroy(&f.params);
    ASSERT_OK(params_create(&f.params, &f.err), f.err);
    ASSERT_OK(projected_rvq_create(&rvq, &cfg, f.params, 3, &f.err), f.err);
    embed = params_find(f.params, "rvq.0.embed");
    for (int64_t i = 0; i < 37 * 3; i++)
        embed->data[i] *= 1e-3f * (float)(1 + i / 3 * 100); /* lengths from small to large */
    projected_rvq_refresh(rvq);
    for (int64_t i = 0; i < 5 * n; i++)
        z[i] *= i % n % 2 ? 1e-4f : 10.0f;
    ASSERT_OK(tape_input(f.tape, &in, 3, (int64_t[]){1, 5, n}, z, &f.err), f.err);
    ASSERT_OK(projected_rvq_encode(f.tape, rvq, in, 2, codes, &latents, &f.err), f.err);
    for (int64_t t = 0; t < n; t++) {
        double best = -2.0, got = 0.0;

        for (int64_t j = 0; j < 37; j++) {
            double dot = 0.0, e2 = 0.0, p2 = 0.0;

            for (int64_t d = 0; d < 3; d++) {
                double e = embed->data[j * 3 + d], p = latents->data[d * n + t];

                dot += e * p;
                e2 += e * e;
                p2 += p * p;
            }
            dot /= sqrt(e2 * p2);
            best = dot > best ? dot : best;
            got = j == codes[t] ? dot : got;
        }
        cr_assert(got > best - 1e-6, "frame %d: cosine %.9f, the best is %.9f", (int)t, got, best);
    }
    for (int64_t first = 0; first < n; first += 26) { /* each frame by itself */
        uint16_t part[2 * 26];

        ASSERT_OK(tape_tensor(f.tape, &in, 3, (int64_t[]){1, 5, 26}, &f.err), f.err);
        for (int64_t d = 0; d < 5; d++)
            memcpy(in->data + d * 26, z + d * n + first, 26 * sizeof *z);
        ASSERT_OK(projected_rvq_encode(f.tape, rvq, in, 2, part, NULL, &f.err), f.err);
        for (int q = 0; q < 2; q++)
            memcpy(chunked + q * n + first, part + q * 26, 26 * sizeof *part);
    }
    cr_assert_eq(memcmp(codes, chunked, sizeof codes), 0);
    codes[n + 3] = 37;
    ASSERT_FAILS(projected_rvq_decode(f.tape, rvq, codes, 1, 2, n, &out, &f.err), RSD_ERR_CORRUPT, f.err,
                 "code 37 of stage 1 at frame 3, the codebook has 37");
    ASSERT_FAILS(projected_rvq_decode(f.tape, rvq, codes, 1, 3, n, &out, &f.err), RSD_ERR_ARG, f.err, "1 to 2 stages");
    ASSERT_FAILS(projected_rvq_encode(f.tape, rvq, latents, 2, codes, NULL, &f.err), RSD_ERR_ARG, f.err, "quantiser input");
    free(z);
    projected_rvq_destroy(&rvq);
    close_net(&f);
}
