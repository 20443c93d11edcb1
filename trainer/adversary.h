/* adversary.h - the other side of adversarial training: critics, their losses, their optimiser, and their part of a step.
 *
 *   x ---judge--> maps of real ------+--> critic's loss --backward--> weights of the critics
 *   leaf of y --judge--> maps of fake+--> adversarial and feature loss --backward, critics frozen--> dy, dy
 *
 * One judgement of each signal serves both sides: the generator's and the critics' gradients are those at the same weights,
 * and both update after it. That is one forward pass of the critics on the generated signal less than updating the
 * critics first.
 *
 * Signals are sound, judged by models/audio_critics.h, or pictures, judged by models/picture_critics.h.
 *
 * R1 and R2 keep the critics' slope small around real and generated signals: gamma / 2 E |grad D|^2, D the mean verdict on
 * an item. The gradient is not taken twice; noise v of variance 1 feels it: |grad D|^2 = E (D(x + s v) - D(x))^2 / s^2 up to
 * O(s^2), with the signal's RMS as unit. R3GAN's critic has the exact penalty, in units of the picture's values.
 *
 * Memory: the graph of each term goes when it has given its gradient, and exact penalties are taken item by item.
 *
 * [1] audio.md 1.8-1.10, 2.5-2.7, 7.5; image.md 3.7.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_ADVERSARY_H
#define RESIDUA_ADVERSARY_H

#include "losses/adversarial.h"
#include "models/audio_critics.h"
#include "models/picture_critics.h"
#include "models/rvq.h"
#include "trainer/optimizer.h"
#include "trainer/schedule.h"

typedef enum PenaltyForm { PENALTY_NOISE, PENALTY_EXACT } PenaltyForm;

typedef struct AdversaryConfig {
    AudioCriticsConfig critics; /* in its lists of sizes, 0 stands for none; its slope is that of all critics */
    PictureCriticsConfig pictures; /* the same */
    int form, feature_form;     /* AdversarialForm, FeatureForm */
    float weight, feature_weight;
    int64_t start;     /* first step with critics */
    int64_t warmup;    /* steps from there in which they learn alone */
    float probability; /* that they learn in a step after that */
    float r1, r2;      /* gamma of the gradient penalties on real and on generated signals; 0 is off */
    int penalty;       /* PenaltyForm */
    float noise;       /* sigma of their estimate, in units of the signal's RMS */
    int penalty_every; /* updates with a penalty, which then counts that many times */
    bool per_rate;     /* critics of their own for each bit rate, of which those of the step's rate judge and learn */
    int n_rates;       /* that there are */
    OptimizerConfig optimizer;
    ScheduleConfig schedule; /* of the steps from `start` on */
} AdversaryConfig;

/* The terms the adversary adds to the generator's losses, in this order. */
enum { TERM_ADVERSARIAL, TERM_FEATURE, ADVERSARY_N_TERMS };
extern const char *const ADVERSARY_TERM_NAMES[ADVERSARY_N_TERMS];

/* What critics of pictures are told beside the picture. */
typedef struct CriticContext {
    Tensor *latent;          /* [batch, M, rows, columns]; no gradient goes there */
    const uint16_t *kinds;   /* [batch, rows, columns], 1 .. K: of the real picture; NULL without patch_kinds */
} CriticContext;

#define ADVERSARY_MAX_SETS 8

/* Critics and what trains them. */
typedef struct CriticSet {
    ParamSet *params;
    AudioCritics *critics;    /* one of the two, by what is judged; the other is NULL */
    PictureCritics *pictures;
    Rvq *kinds;               /* of content, for a critic that says them (picture_kinds.h); else NULL */
    Optimizer *optimizer;
} CriticSet;

typedef struct Adversary {
    AdversaryConfig config;
    int n_sets; /* 1, or one for each rate */
    CriticSet sets[ADVERSARY_MAX_SETS];
    CriticSet *set; /* the one that judges and learns */
    uint64_t seed;
    Group *group; /* with which a batch is shared; borrowed, NULL at first: this process alone */
    /* of the step at work, in the tape's arena */
    CriticMaps *real, *fake;
    Tensor *signal, *recording; /* leaf of the generated one; the real one */
    const CriticContext *context;
    uint16_t *labels; /* of a critic that says kinds */
} Adversary;

typedef struct AdversaryReport {
    bool judged;                       /* the critics took part in this step */
    bool pressed;                      /* and their gradient reached the generator */
    bool learned;                      /* and they were updated */
    double terms[ADVERSARY_N_TERMS];   /* values, before weights */
    double critic_loss, grad_norm;     /* of the critics, penalties included; 0 when they did not learn */
    double penalty;                    /* what the penalties added to the loss */
    double real_logit, fake_logit;     /* means over critics and places (of a critic that says kinds: minus those of `generated`) */
    float lr;
} AdversaryReport;

bool adversary_is_on(const AdversaryConfig *config); /* at least one critic */
bool adversary_is_on_pictures(const AdversaryConfig *config);
/* Errors: RSD_ERR_ARG naming the key; crop_len: samples of a crop, or pixels of its side. */
RsdStatus adversary_check_config(const AdversaryConfig *config, bool of_pictures, int64_t crop_len, RsdError *err);

/* Critics with random weights from seed. kernels borrowed until destroy. Errors: RSD_ERR_ARG, RSD_ERR_MEMORY. */
RsdStatus adversary_create(Adversary **out, const AdversaryConfig *config, uint64_t seed, const struct Kernels *kernels,
                           RsdError *err);
void adversary_destroy(Adversary **adversary);
/* Which rate this step has: with per_rate its critics take part from now on. */
void adversary_choose_rate(Adversary *adversary, int rate);
/* Joins the group with all critics. Errors: RSD_ERR_MEMORY. */
RsdStatus adversary_join(Adversary *adversary, Group *group, RsdError *err);
int adversary_count(const Adversary *adversary); /* critics */

/* Judges real x and generated y [batch, channels, n] or [batch, 3, h, w] in step number `step`; context: of pictures, valid until
 * adversary_learn, else NULL. grads[i] is the gradient of term i
 * with respect to y (of the whole batch's mean when there is a
 * group), in the tape's arena, NULL before `start`, during the warm-up and for terms of weight 0.
 * Errors: RSD_ERR_NUMERIC (a loss is not finite), RSD_ERR_MEMORY. */
RsdStatus adversary_judge(Adversary *adversary, Tape *tape, Tensor *x, const Tensor *y, const CriticContext *context, int64_t step,
                          const float *grads[ADVERSARY_N_TERMS], AdversaryReport *report, RsdError *err);
/* The critics' own update, after adversary_judge and before the tape is reset; it may decide to do nothing: a pure function
 * of seed and step. A gradient that is not finite leaves the weights as they were. Errors as above. */
RsdStatus adversary_learn(Adversary *adversary, Tape *tape, int64_t step, int64_t n_steps, AdversaryReport *report,
                          RsdError *err);

#endif
