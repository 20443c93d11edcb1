/* adversarial.c - losses of verdicts and of features.
 *
 * SPDX-License-Identifier: MIT
 */
#include "losses/adversarial.h"

#include "engine/ops/activation.h"
#include "engine/ops/arithmetic.h"
#include "engine/ops/distance.h"
#include "engine/ops/reduce.h"
#include "engine/ops/softmax.h"

#define SILENT 1e-9f /* added to mean |D(x)|: a dead map must not divide by zero */

/* mean max(0, shift + scale x) */
static RsdStatus mean_hinge(Tape *tape, Tensor *x, float scale, float shift, Tensor **y, RsdError *err)
{
    Tensor *h;
    RsdStatus status = RSD_OK;

    TRY(op_affine(tape, x, scale, shift, &h, err));
    TRY(op_relu(tape, h, &h, err));
    TRY(op_mean(tape, h, y, err));
fail:
    return status;
}

/* mean (x - target)^2 */
static RsdStatus mean_square(Tape *tape, Tensor *x, float target, Tensor **y, RsdError *err)
{
    Tensor *h;
    RsdStatus status = RSD_OK;

    TRY(op_add_scalar(tape, x, -target, &h, err));
    TRY(op_square(tape, h, &h, err));
    TRY(op_mean(tape, h, y, err));
fail:
    return status;
}

/* mean softplus(sign x) */
static RsdStatus mean_softplus(Tape *tape, Tensor *x, float sign, Tensor **y, RsdError *err)
{
    Tensor *h;
    RsdStatus status = RSD_OK;

    TRY(op_scale(tape, x, sign, &h, err));
    TRY(op_softplus(tape, h, &h, err));
    TRY(op_mean(tape, h, y, err));
fail:
    return status;
}

static RsdStatus generator_term(Tape *tape, AdversarialForm form, Tensor *real, Tensor *fake, Tensor **y, RsdError *err)
{
    Tensor *h, *fixed;
    RsdStatus status = RSD_OK;

    switch (form) {
    case ADVERSARIAL_HINGE:
        TRY(op_mean(tape, fake, &h, err));
        return op_scale(tape, h, -1.0f, y, err);
    case ADVERSARIAL_HINGE_SATURATING:
        return mean_hinge(tape, fake, -1.0f, 1.0f, y, err);
    case ADVERSARIAL_LEAST_SQUARES:
        return mean_square(tape, fake, 1.0f, y, err);
    case ADVERSARIAL_NON_SATURATING:
        return mean_softplus(tape, fake, -1.0f, y, err);
    case ADVERSARIAL_RELATIVISTIC:
        TRY(tape_leaf(tape, real, false, &fixed, err));
        TRY(op_sub(tape, fake, fixed, &h, err));
        return mean_softplus(tape, h, -1.0f, y, err);
    }
fail:
    return status;
}

static RsdStatus critic_term(Tape *tape, AdversarialForm form, Tensor *real, Tensor *fake, Tensor **y, RsdError *err)
{
    Tensor *on_real, *on_fake;
    RsdStatus status = RSD_OK;

    switch (form) {
    case ADVERSARIAL_HINGE:
    case ADVERSARIAL_HINGE_SATURATING:
        TRY(mean_hinge(tape, real, -1.0f, 1.0f, &on_real, err));
        TRY(mean_hinge(tape, fake, 1.0f, 1.0f, &on_fake, err));
        break;
    case ADVERSARIAL_LEAST_SQUARES:
        TRY(mean_square(tape, real, 1.0f, &on_real, err));
        TRY(mean_square(tape, fake, 0.0f, &on_fake, err));
        break;
    case ADVERSARIAL_NON_SATURATING:
        TRY(mean_softplus(tape, real, -1.0f, &on_real, err));
        TRY(mean_softplus(tape, fake, 1.0f, &on_fake, err));
        break;
    case ADVERSARIAL_RELATIVISTIC:
        TRY(op_sub(tape, real, fake, &on_real, err));
        return mean_softplus(tape, on_real, -1.0f, y, err);
    }
    TRY(op_add(tape, on_real, on_fake, y, err));
fail:
    return status;
}

static RsdStatus add_term(Tape *tape, Tensor **sum, Tensor *term, RsdError *err)
{
    if (*sum)
        return op_add(tape, *sum, term, sum, err);
    *sum = term;
    return RSD_OK;
}

typedef RsdStatus (*Term)(Tape *tape, AdversarialForm form, Tensor *real, Tensor *fake, Tensor **y, RsdError *err);

static RsdStatus mean_over_critics(Tape *tape, Term term_of, AdversarialForm form, const CriticMaps *real,
                                   const CriticMaps *fake, int n, Tensor **value, RsdError *err)
{
    Tensor *sum = NULL, *term;
    RsdStatus status = RSD_OK;

    for (int i = 0; i < n; i++) {
        TRY(term_of(tape, form, real[i].logits, fake[i].logits, &term, err));
        TRY(add_term(tape, &sum, term, err));
    }
    CHECK(sum, err, RSD_ERR_ARG, "an adversarial loss without a critic");
    TRY(op_scale(tape, sum, 1.0f / (float)n, value, err));
fail:
    return status;
}

RsdStatus adversarial_generator_loss(Tape *tape, AdversarialForm form, const CriticMaps *real, const CriticMaps *fake,
                                     int n, Tensor **value, RsdError *err)
{
    return mean_over_critics(tape, generator_term, form, real, fake, n, value, err);
}

RsdStatus adversarial_critic_loss(Tape *tape, AdversarialForm form, const CriticMaps *real, const CriticMaps *fake,
                                  int n, Tensor **value, RsdError *err)
{
    return mean_over_critics(tape, critic_term, form, real, fake, n, value, err);
}

/* ---- classes ---- */

/* Mean over places of -ln softmax(logits)[label]; labels NULL: all of class 0. */
static RsdStatus cross_entropy(Tape *tape, Tensor *logits, const uint16_t *labels, Tensor **value, RsdError *err)
{
    char text[SHAPE_TEXT_SIZE];
    int64_t places, n_classes;
    Tensor *chosen, *h;
    RsdStatus status = RSD_OK;

    CHECK(logits->n_dims == 4 && logits->shape[1] >= 2 && tensor_count(logits) > 0, err, RSD_ERR_ARG,
          "logits %s of a critic with classes", shape_text(text, logits->n_dims, logits->shape));
    n_classes = logits->shape[1];
    places = logits->shape[2] * logits->shape[3];
    TRY(tape_tensor(tape, &chosen, 4, logits->shape, err));
    for (int64_t i = 0; i < tensor_count(chosen); i++)
        chosen->data[i] = 0.0f;
    for (int64_t i = 0; i < logits->shape[0] * places; i++) {
        int label = labels ? labels[i] : 0;

        CHECK(label < n_classes, err, RSD_ERR_ARG, "label %d for a critic of %lld classes", label, (long long)n_classes);
        chosen->data[(i / places * n_classes + label) * places + i % places] = 1.0f;
    }
    TRY(op_log_softmax(tape, logits, 1, &h, err));
    TRY(op_mul(tape, h, chosen, &h, err));
    TRY(op_sum(tape, h, &h, err));
    TRY(op_scale(tape, h, -1.0f / (float)(logits->shape[0] * places), value, err));
fail:
    return status;
}

RsdStatus class_generator_loss(Tape *tape, Tensor *fake, const uint16_t *labels, Tensor **value, RsdError *err)
{
    return cross_entropy(tape, fake, labels, value, err);
}

RsdStatus class_critic_loss(Tape *tape, Tensor *real, Tensor *fake, const uint16_t *labels, Tensor **value, RsdError *err)
{
    Tensor *on_real, *on_fake, *sum;
    RsdStatus status = RSD_OK;

    CHECK(tensor_same_shape(real, fake), err, RSD_ERR_ARG, "logits of real and generated pictures differ in shape");
    TRY(cross_entropy(tape, real, labels, &on_real, err));
    TRY(cross_entropy(tape, fake, NULL, &on_fake, err));
    TRY(op_add(tape, on_real, on_fake, &sum, err));
    TRY(op_scale(tape, sum, 0.5f, value, err));
fail:
    return status;
}

/* ---- features ---- */

/* mean |real - fake|, over mean |real| in the relative form. */
static RsdStatus map_distance(Tape *tape, FeatureForm form, Tensor *real, Tensor *fake, Tensor **y, RsdError *err)
{
    Tensor *fixed, *size;
    RsdStatus status = RSD_OK;

    TRY(tape_leaf(tape, real, false, &fixed, err));
    TRY(op_l1(tape, fake, fixed, NULL, y, err));
    if (form != FEATURE_RELATIVE)
        return RSD_OK;
    TRY(op_abs(tape, fixed, &size, err));
    TRY(op_mean(tape, size, &size, err));
    TRY(op_add_scalar(tape, size, SILENT, &size, err));
    TRY(op_div(tape, *y, size, y, err));
fail:
    return status;
}

RsdStatus feature_matching_loss(Tape *tape, FeatureForm form, const CriticMaps *real, const CriticMaps *fake, int n,
                                Tensor **value, RsdError *err)
{
    Tensor *sum = NULL, *of_critic, *term;
    RsdStatus status = RSD_OK;

    for (int i = 0; i < n; i++) {
        of_critic = NULL;
        for (int j = 0; j < fake[i].n_maps; j++) {
            TRY(map_distance(tape, form, real[i].maps[j], fake[i].maps[j], &term, err));
            TRY(add_term(tape, &of_critic, term, err));
        }
        CHECK(of_critic, err, RSD_ERR_ARG, "feature matching with a critic of one layer");
        if (form != FEATURE_SUM)
            TRY(op_scale(tape, of_critic, 1.0f / (float)(n * fake[i].n_maps), &of_critic, err));
        TRY(add_term(tape, &sum, of_critic, err));
    }
    CHECK(sum, err, RSD_ERR_ARG, "feature matching without a critic");
    *value = sum;
fail:
    return status;
}
