/* adversarial.h - what critics' verdicts cost the generator and the critics, and feature matching.
 *
 * With D(x) the logits of real and D(y) those of generated signals, E the mean over places, averaged over the critics:
 *
 *   form             critic                                          generator
 *   hinge            E max(0, 1 - D(x)) + E max(0, 1 + D(y))         -E D(y)
 *   hinge_saturating the same                                        E max(0, 1 - D(y))
 *   least_squares    E (1 - D(x))^2 + E D(y)^2                       E (1 - D(y))^2
 *   non_saturating   E softplus(-D(x)) + E softplus(D(y))            E softplus(-D(y))
 *   relativistic     E softplus(D(y) - D(x))                         E softplus(D(x) - D(y))
 *
 * The relativistic form pairs each place of a signal with the same place of its own reconstruction.
 *
 * [1] audio.md 1.8, 2.5; image.md 3.5-3.7.   [2] Huang et al., The GAN is dead; long live the GAN! (R3GAN), 2024.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_ADVERSARIAL_H
#define RESIDUA_ADVERSARIAL_H

#include "engine/tape.h"
#include "models/critic.h"

typedef enum AdversarialForm {
    ADVERSARIAL_HINGE,
    ADVERSARIAL_HINGE_SATURATING,
    ADVERSARIAL_LEAST_SQUARES,
    ADVERSARIAL_NON_SATURATING,
    ADVERSARIAL_RELATIVISTIC
} AdversarialForm;

/* real and fake: n critics' maps of the signals x and of y, same shapes; value [1]. The generator's loss gives no gradient
 * to `real`. Errors: RSD_ERR_ARG, RSD_ERR_MEMORY. */
RsdStatus adversarial_generator_loss(Tape *tape, AdversarialForm form, const CriticMaps *real, const CriticMaps *fake,
                                     int n, Tensor **value, RsdError *err);
RsdStatus adversarial_critic_loss(Tape *tape, AdversarialForm form, const CriticMaps *real, const CriticMaps *fake,
                                  int n, Tensor **value, RsdError *err);

/* Losses of a critic with classes (models/patch_critic.h): labels [batch, h, w] are the kinds 1 .. K of real content, 0 is
 * generated; CE the mean cross-entropy over places.
 *   critic 1/2 (CE(D(x), labels) + CE(D(y), 0));  generator CE(D(y), labels)
 * Errors: RSD_ERR_ARG (a label without a class, shapes that disagree), RSD_ERR_MEMORY. [image.md 3.5] */
RsdStatus class_generator_loss(Tape *tape, Tensor *fake, const uint16_t *labels, Tensor **value, RsdError *err);
RsdStatus class_critic_loss(Tape *tape, Tensor *real, Tensor *fake, const uint16_t *labels, Tensor **value, RsdError *err);

typedef enum FeatureForm {
    FEATURE_RELATIVE, /* mean over critics and maps of mean |D(x) - D(y)| / mean |D(x)| (EnCodec's paper) */
    FEATURE_MEAN,     /* mean over critics and maps of mean |D(x) - D(y)| (its code) */
    FEATURE_SUM       /* sum over critics and maps of the same (DAC) */
} FeatureForm;

/* Distance of the hidden maps; no gradient to `real`. Errors as above. */
RsdStatus feature_matching_loss(Tape *tape, FeatureForm form, const CriticMaps *real, const CriticMaps *fake, int n,
                                Tensor **value, RsdError *err);

#endif
