/* test_stage_prior.c - what foretells codes: its gradient, what it may look at, and the order of codes.
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "engine/kernels/kernels.h"
#include "models/stage_prior.h"

#define H 5
#define W 6
#define Q 2
#define K 8
#define D 4

typedef struct Rig {
    RsdThreads *threads;
    Tape *tape;
    ImageCodec *codec;
    uint16_t codes[Q * H * W];
    RsdError err;
} Rig;

static void open_rig(Rig *rig)
{
    const ImageCodecConfig cfg = {.name = "tiny", .quantizer = IMAGE_RVQ, .latent = D, .widths = {4, 4, 4}, .context = 6, .codebooks = Q,
                                  .codebook_size = K, .codebook_decay = 0.9f};
    Rng rng = rng_at(5, RNG_TEST, 0, 0);

    memset(rig, 0, sizeof *rig);
    cr_assert_eq(rsd_threads_create(&rig->threads, 1, &rig->err), RSD_OK);
    cr_assert_eq(tape_create(&rig->tape, rig->threads, 0, &rig->err), RSD_OK);
    cr_assert_eq(image_codec_create(&rig->codec, &cfg, 3, &rig->err), RSD_OK, "%s", rig->err.text);
    for (size_t i = 0; i < rig->codec->params->n_items; i++) /* codes, and biases, which begin as 0 */
        if (strstr(rig->codec->params->items[i].name, "embed") ||
            (strstr(rig->codec->params->items[i].name, "prior.") && strstr(rig->codec->params->items[i].name, "bias")))
            params_fill_uniform(rig->codec->params->items[i].tensor, &rng, 1.0f);
    for (int i = 0; i < Q * H * W; i++)
        rig->codes[i] = (uint16_t)rng_below(&rng, K);
}

static void close_rig(Rig *rig)
{
    image_codec_destroy(&rig->codec);
    tape_destroy(&rig->tape);
    rsd_threads_destroy(&rig->threads);
}

static double bits_of(Rig *rig, bool backward, double by_stage[Q])
{
    Tensor *bits;
    float most = 0;

    tape_reset(rig->tape);
    rig->tape->recording = backward;
    cr_assert_eq(stage_prior_estimate(rig->tape, rig->codec, rig->codes, 1, Q, H, W, false, &bits, by_stage, &most, &rig->err), RSD_OK, "%s",
                 rig->err.text);
    if (backward)
        cr_assert_eq(tape_backward(rig->tape, bits, &rig->err), RSD_OK);
    return (double)bits->data[0];
}

Test(stage_prior, every_weight_has_the_gradient_of_a_difference_quotient)
{
    const double step = 1e-3;
    int n_checked = 0;
    Rig rig;

    open_rig(&rig);
    params_zero_grad(rig.codec->params);
    bits_of(&rig, true, NULL);
    for (size_t p = 0; p < rig.codec->params->n_items; p++) {
        const Param *param = &rig.codec->params->items[p];
        const int64_t n = tensor_count(param->tensor);
        double norm = 0, up, down;
        float kept[1024];

        if (!param->trainable || strncmp(param->name, "prior.", 6) != 0)
            continue;
        cr_assert_leq(n, 1024);
        memcpy(kept, param->tensor->data, (size_t)n * sizeof *kept);
        for (int64_t i = 0; i < n; i++)
            norm += (double)param->tensor->grad[i] * (double)param->tensor->grad[i];
        norm = sqrt(norm);
        cr_assert_gt(norm, 1e-3, "%s has no gradient", param->name);
        for (int64_t i = 0; i < n; i++)
            param->tensor->data[i] = kept[i] + (float)(step * (double)param->tensor->grad[i] / norm);
        up = bits_of(&rig, false, NULL);
        for (int64_t i = 0; i < n; i++)
            param->tensor->data[i] = kept[i] - (float)(step * (double)param->tensor->grad[i] / norm);
        down = bits_of(&rig, false, NULL);
        memcpy(param->tensor->data, kept, (size_t)n * sizeof *kept);
        cr_assert_float_eq((up - down) / (2 * step), norm, 0.02 * norm + 0.1, "%s: %g by differences, %g by the tape", param->name,
                           (up - down) / (2 * step), norm);
        n_checked++;
    }
    cr_assert_eq(n_checked, Q * STAGE_N_LAYERS * 2);
    close_rig(&rig);
}

Test(stage_prior, probabilities_of_all_codes_are_one_together)
{
    double sum = 0;
    float most = 0;
    Rig rig;

    open_rig(&rig);
    for (uint16_t k = 0; k < K; k++) { /* of a picture of one place */
        Tensor *bits;

        tape_reset(rig.tape);
        cr_assert_eq(stage_prior_estimate(rig.tape, rig.codec, &k, 1, 1, 1, 1, true, &bits, NULL, &most, &rig.err), RSD_OK);
        cr_assert_gt(fabsf(bits->data[0] - 3.0f), 1e-3f, "code %d", k);
        sum += exp2(-(double)bits->data[0]);
    }
    cr_assert_float_eq(sum, 1.0, 1e-5);
    close_rig(&rig);
}

Test(stage_prior, a_stage_does_not_know_later_ones_and_anchors_do_not_know_the_others)
{
    double before[Q], after[Q];
    Rig rig;

    open_rig(&rig);
    bits_of(&rig, false, before);
    rig.codes[H * W + 7] ^= 3; /* of the second stage */
    bits_of(&rig, false, after);
    cr_assert_eq(before[0], after[0]);
    cr_assert_neq(before[1], after[1]);
    close_rig(&rig);
}

Test(stage_prior, sorted_codes_are_the_same_ones_and_halves_lie_apart)
{
    float embed[16 * 2], count[16], sum[16 * 2], was[16 * 2];
    Rng rng = rng_at(1, RNG_TEST, 0, 0);
    float low = -1e9f, high = 1e9f;
    bool found[16] = {false};

    for (int k = 0; k < 16; k++) {
        embed[2 * k] = was[2 * k] = 10.0f * rng_uniform(&rng); /* the long axis */
        embed[2 * k + 1] = was[2 * k + 1] = rng_uniform(&rng);
        sum[2 * k] = 2.0f * embed[2 * k];
        sum[2 * k + 1] = 2.0f * embed[2 * k + 1];
        count[k] = embed[2 * k] + 1.0f;
    }
    cr_assert_eq(stage_prior_sort(embed, count, sum, 16, 2, NULL), RSD_OK);
    for (int k = 0; k < 16; k++) {
        for (int i = 0; i < 16; i++)
            if (embed[2 * k] == was[2 * i] && embed[2 * k + 1] == was[2 * i + 1])
                found[i] = true;
        cr_assert(sum[2 * k] == 2.0f * embed[2 * k] && sum[2 * k + 1] == 2.0f * embed[2 * k + 1] && count[k] == embed[2 * k] + 1.0f);
        low = k < 8 ? fmaxf(low, embed[2 * k]) : low;
        high = k < 8 ? high : fminf(high, embed[2 * k]);
    }
    for (int i = 0; i < 16; i++)
        cr_assert(found[i], "code %d is lost", i);
    cr_assert_lt(low, high + 1.0f, "halves overlap: %g, %g", (double)low, (double)high);
}

Test(stage_prior, sixteen_parts_of_a_stage_are_all_places_and_the_first_eight_anchors)
{
    for (int part = 0; part <= 16; part++) {
        int n = 0, n_others = 0;

        for (int i = 0; i < 16; i++)
            if (image_stage_is_coded(16 + part, 2, i / 4, i % 4)) {
                n++;
                n_others += (i / 4 + i % 4) % 2;
            }
        cr_assert_eq(n, part);
        cr_assert_eq(n_others, part > 8 ? part - 8 : 0);
        cr_assert_eq(image_codec_stages(16 + part), part ? 3 : 2);
    }
}
