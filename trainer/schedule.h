/* schedule.h - the learning rate as a function of the step.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_SCHEDULE_H
#define RESIDUA_SCHEDULE_H

#include <stdint.h>

typedef enum ScheduleKind {
    SCHEDULE_CONSTANT, /* warm-up, then lr */
    SCHEDULE_COSINE,   /* warm-up, then half a cosine from lr to lr_final */
    SCHEDULE_HOLD      /* warm-up, then lr, then half a cosine to lr_final over the last decay_steps */
} ScheduleKind;

typedef struct ScheduleConfig {
    int kind; /* ScheduleKind */
    float lr, lr_final;
    int64_t warmup_steps, decay_steps;
} ScheduleConfig;

/* Rate of step `step` (0 is the first) of a run of n_steps; past the end it stays at the last value. The warm-up rises
 * linearly from lr / warmup_steps at step 0 to lr at step warmup_steps - 1. Pure function. */
float schedule_lr(const ScheduleConfig *cfg, int64_t step, int64_t n_steps);

#endif
