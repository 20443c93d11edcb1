/* test_multirate.c - stages at lower rates than the frames: against the formula, codes through decoding, gradients, and what brings a
 * codebook back that latents have left behind.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "engine/kernels/kernels.h"
#include "models/projected_rvq.h"
#include "tests/shared.h"

#define DIM 5
#define CODE_DIM 3
#define N_CODES 32
#define N_Q 4
#define FRAMES 22 /* 5 codes of 4 frames and one of 2 */

static const int STRIDES[N_Q] = {4, 2, 1, 1};

typedef struct Rig {
    RsdThreads *threads;
    Tape *tape;
    ParamSet *params;
    ProjectedRvq *rvq;
    RsdError err;
} Rig;

static void rig_open(Rig *rig, int n_threads)
{
    ProjectedRvqConfig config = {.n_q = N_Q, .codebook_size = N_CODES, .code_dim = CODE_DIM, .dim = DIM, .n_strides = 3,
                                 .strides = {4, 2, 1}};

    memset(rig, 0, sizeof *rig);
    ASSERT_OK(rsd_threads_create(&rig->threads, n_threads, &rig->err), rig->err);
    ASSERT_OK(tape_create(&rig->tape, rig->threads, 0, &rig->err), rig->err);
    ASSERT_OK(params_create(&rig->params, &rig->err), rig->err);
    ASSERT_OK(projected_rvq_create(&rig->rvq, &config, rig->params, 3, &rig->err), rig->err);
}

static void rig_close(Rig *rig)
{
    projected_rvq_destroy(&rig->rvq);
    params_destroy(&rig->params);
    tape_destroy(&rig->tape);
    rsd_threads_destroy(&rig->threads);
}

static Tensor *latents(Rig *rig, int64_t batch, int64_t frames, uint32_t sample, float centre, bool needs_grad)
{
    int64_t shape[3] = {batch, DIM, frames};
    Rng rng = rng_at(1, RNG_TEST, 0, sample);
    Tensor *z, *leaf;

    ASSERT_OK(tape_tensor(rig->tape, &z, 3, shape, &rig->err), rig->err);
    for (int64_t i = 0; i < tensor_count(z); i++)
        z->data[i] = centre + rng_normal(&rng);
    ASSERT_OK(tape_leaf(rig->tape, z, needs_grad, &leaf, &rig->err), rig->err);
    return leaf;
}

static const float *weights(const Rig *rig, int stage, const char *name)
{
    char text[32];

    snprintf(text, sizeof text, "rvq.%d.%s", stage, name);
    return params_find(rig->params, text)->data;
}

/* Stage q of one item in double, as audio.md 6.4 says it: r [DIM][FRAMES] loses what the codes [FRAMES] stand for. */
static void plain_stage(const Rig *rig, int q, double r[DIM][FRAMES], int codes[FRAMES])
{
    const float *in = weights(rig, q, "in.weight"), *in_bias = weights(rig, q, "in.bias"), *embed = weights(rig, q, "embed");
    const float *out = weights(rig, q, "out.weight"), *out_bias = weights(rig, q, "out.bias");

    for (int first = 0; first < FRAMES; first += STRIDES[q]) {
        const int end = first + STRIDES[q] < FRAMES ? first + STRIDES[q] : FRAMES;
        double best = -2.0, p[CODE_DIM], length = 0.0;
        int code = 0;

        for (int c = 0; c < CODE_DIM; c++) {
            p[c] = in_bias[c];
            for (int d = 0; d < DIM; d++)
                for (int t = first; t < end; t++)
                    p[c] += in[c * DIM + d] * r[d][t] / (end - first);
            length += p[c] * p[c];
        }
        for (int j = 0; j < N_CODES; j++) {
            double dot = 0.0, norm = 0.0;

            for (int c = 0; c < CODE_DIM; c++) {
                dot += p[c] * embed[j * CODE_DIM + c];
                norm += (double)embed[j * CODE_DIM + c] * embed[j * CODE_DIM + c];
            }
            if (dot / sqrt(norm * length) > best) {
                best = dot / sqrt(norm * length);
                code = j;
            }
        }
        for (int t = first; t < end; t++) {
            codes[t] = code;
            for (int d = 0; d < DIM; d++) {
                r[d][t] -= out_bias[d];
                for (int c = 0; c < CODE_DIM; c++)
                    r[d][t] -= (double)out[d * CODE_DIM + c] * embed[code * CODE_DIM + c];
            }
        }
    }
}

Test(multirate, encoding_training_and_decoding_say_what_the_formula_says)
{
    const int64_t batch = 2;
    uint16_t codes[2 * N_Q * FRAMES];
    Tensor *z, *zq, *distance, *decoded;
    RvqStats stats;
    Rig rig;

    rig_open(&rig, 2);
    rig.tape->recording = false;
    z = latents(&rig, batch, FRAMES, 1, 0.0f, false);
    ASSERT_OK(projected_rvq_encode(rig.tape, rig.rvq, z, N_Q, codes, NULL, &rig.err), rig.err);
    ASSERT_OK(projected_rvq_train(rig.tape, rig.rvq, z, N_Q, true, &zq, &distance, &stats, &rig.err), rig.err);
    ASSERT_OK(projected_rvq_decode(rig.tape, rig.rvq, codes, batch, N_Q, FRAMES, &decoded, &rig.err), rig.err);
    ASSERT_CLOSE_F32("decoded", decoded->data, zq->data, tensor_count(zq), ((Tolerance){.abs = 1e-5, .rel = 1e-5}));
    for (int b = 0; b < batch; b++) {
        const float *item = z->data + b * DIM * FRAMES;
        double r[DIM][FRAMES];
        int expected[FRAMES];

        for (int i = 0; i < DIM * FRAMES; i++)
            r[i / FRAMES][i % FRAMES] = item[i];
        for (int q = 0; q < N_Q; q++) {
            plain_stage(&rig, q, r, expected);
            for (int t = 0; t < FRAMES; t++)
                cr_assert_eq(codes[(b * N_Q + q) * FRAMES + t], expected[t], "item %d, stage %d, frame %d: %d, expected %d", b, q, t,
                             codes[(b * N_Q + q) * FRAMES + t], expected[t]);
        }
        for (int i = 0; i < DIM * FRAMES; i++)
            ASSERT_CLOSE("quantised", (double)zq->data[b * DIM * FRAMES + i], item[i] - r[i / FRAMES][i % FRAMES],
                         ((Tolerance){.abs = 1e-5, .rel = 1e-5}));
    }
    rig_close(&rig);
}

Test(multirate, chunks_of_whole_codes_have_the_codes_of_the_whole)
{
    uint16_t whole[N_Q * 24], part[N_Q * 8];
    Tensor *z, *chunk;
    Rig rig;

    rig_open(&rig, 1);
    rig.tape->recording = false;
    z = latents(&rig, 1, 24, 2, 0.0f, false);
    ASSERT_OK(projected_rvq_encode(rig.tape, rig.rvq, z, N_Q, whole, NULL, &rig.err), rig.err);
    for (int first = 0; first < 24; first += 8) {
        ASSERT_OK(tape_tensor(rig.tape, &chunk, 3, (int64_t[3]){1, DIM, 8}, &rig.err), rig.err);
        for (int d = 0; d < DIM; d++)
            memcpy(chunk->data + d * 8, z->data + d * 24 + first, 8 * sizeof(float));
        ASSERT_OK(projected_rvq_encode(rig.tape, rig.rvq, chunk, N_Q, part, NULL, &rig.err), rig.err);
        for (int q = 0; q < N_Q; q++)
            cr_expect_arr_eq(part + q * 8, whole + q * 24 + first, 8 * sizeof *part, "stage %d from frame %d", q, first);
    }
    rig_close(&rig);
}

/* ---- gradients ---- */

/* <w, zq>, in double, of the codes as they are. */
static double objective(Rig *rig, const Tensor *z, const Tensor *w)
{
    Tensor *zq, *distance, *leaf;
    double sum = 0.0;

    rig->tape->recording = false;
    ASSERT_OK(tape_leaf(rig->tape, z, false, &leaf, &rig->err), rig->err);
    ASSERT_OK(projected_rvq_train(rig->tape, rig->rvq, leaf, 1, true, &zq, &distance, NULL, &rig->err), rig->err);
    for (int64_t i = 0; i < tensor_count(zq); i++)
        sum += (double)w->data[i] * zq->data[i];
    return sum;
}

/* zq is linear in what a code is projected back with, and straight-through in z: d zq / d z = W_out W_in mean, then repeat. */
Test(multirate, gradients_go_through_means_and_repetitions)
{
    static const char *const names[] = {"rvq.0.out.weight", "rvq.0.out.bias"};
    const double step = 1e-3;
    Tensor *z, *w, *zq, *distance;
    Rig rig;

    rig_open(&rig, 1);
    z = latents(&rig, 1, FRAMES, 11, 0.0f, true);
    w = latents(&rig, 1, FRAMES, 12, 0.0f, false);
    params_zero_grad(rig.params);
    rig.tape->recording = true;
    ASSERT_OK(projected_rvq_train(rig.tape, rig.rvq, z, 1, true, &zq, &distance, NULL, &rig.err), rig.err);
    ASSERT_OK(tape_backward_from(rig.tape, zq, w->data, &rig.err), rig.err);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        Tensor *param = params_find(rig.params, names[i]);

        for (int64_t k = 0; k < tensor_count(param); k++) {
            float kept = param->data[k];
            double up, down;

            param->data[k] = kept + (float)step;
            up = objective(&rig, z, w);
            param->data[k] = kept - (float)step;
            down = objective(&rig, z, w);
            param->data[k] = kept;
            ASSERT_CLOSE(names[i], param->grad[k], (up - down) / (2.0 * step), ((Tolerance){.abs = 5e-3, .rel = 3e-3}));
        }
    }
    for (int t = 0; t < FRAMES; t++)
        for (int d = 0; d < DIM; d++) {
            const int first = t / 4 * 4, end = first + 4 < FRAMES ? first + 4 : FRAMES;
            const float *in = weights(&rig, 0, "in.weight"), *out = weights(&rig, 0, "out.weight");
            double expected = 0.0;

            for (int c = 0; c < CODE_DIM; c++)
                for (int e = 0; e < DIM; e++)
                    for (int u = first; u < end; u++)
                        expected += (double)in[c * DIM + d] * out[e * CODE_DIM + c] * w->data[e * FRAMES + u] / (end - first);
            ASSERT_CLOSE("dz", z->grad[d * FRAMES + t], expected, ((Tolerance){.abs = 1e-5, .rel = 1e-5}));
        }
    rig_close(&rig);
}

/* ---- collapse ---- */

/* Usage of the first stage, of 4 frames a code, when latents have moved far from where its codes look: their directions are nearly one. */
static RvqStats move_away(float follow, int n_threads, float *moved_code)
{
    const CodeTraining training = {.follow = follow};
    Tensor *zq, *distance;
    RvqStats stats;
    Rig rig;

    rig_open(&rig, n_threads);
    projected_rvq_set_training(rig.rvq, &training);
    rig.tape->recording = false;
    for (uint32_t step = 0; step < 40; step++) {
        Tensor *z = latents(&rig, 8, 64, step, 40.0f, false);

        ASSERT_OK(projected_rvq_train(rig.tape, rig.rvq, z, 1, false, &zq, &distance, &stats, &rig.err), rig.err);
        tape_reset(rig.tape);
    }
    *moved_code = weights(&rig, 0, "embed")[7];
    rig_close(&rig);
    return stats;
}

Test(multirate, a_coarse_codebook_collapses_and_codes_that_follow_bring_it_back)
{
    float code, again;
    RvqStats lost = move_away(0.0f, 2, &code), found = move_away(0.3f, 2, &code);

    cr_expect_lt(lost.perplexity[0], 3.0f, "perplexity %g of %d", (double)lost.perplexity[0], N_CODES);
    cr_expect_gt(found.perplexity[0], 4.0f * lost.perplexity[0], "perplexity %g", (double)found.perplexity[0]);
    move_away(0.3f, 1, &again);
    cr_expect_eq(memcmp(&code, &again, sizeof code), 0, "one thread and two differ: %g, %g", (double)again, (double)code);
}

/* ---- configurations ---- */

Test(multirate, refuses_strides_that_grow_or_are_no_powers_of_two)
{
    static const struct {
        int n, strides[3];
        const char *says;
    } CASES[] = {{3, {4, 3, 1}, "stride 2 of the quantiser is 3"},
                 {3, {1, 2, 1}, "stride 2 of the quantiser is 2"},
                 {1, {128, 0, 0}, "stride 1 of the quantiser is 128"},
                 {1, {0, 0, 0}, "stride 1 of the quantiser is 0"},
                 {3, {4, 2, 1}, "3 strides for 2 stages"}};

    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        ProjectedRvqConfig config = {.n_q = i == 4 ? 2 : 3, .codebook_size = 4, .code_dim = 2, .dim = 4, .n_strides = CASES[i].n};
        RsdError err = {0};

        memcpy(config.strides, CASES[i].strides, sizeof CASES[i].strides);
        cr_expect_eq(projected_rvq_check_config(&config, &err), RSD_ERR_ARG);
        cr_expect_not_null(strstr(err.text, CASES[i].says), "%s", err.text);
    }
}
