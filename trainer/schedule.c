/* schedule.c - warm-up, constant, cosine, hold and decay.
 *
 * SPDX-License-Identifier: MIT
 */
#include "trainer/schedule.h"

#include <math.h>

/* Half a cosine: from a at share 0 to b at share 1. */
static double half_cosine(double a, double b, double share)
{
    if (share >= 1.0)
        return b;
    return b + (a - b) * 0.5 * (1.0 + cos(share * 3.14159265358979323846));
}

float schedule_lr(const ScheduleConfig *cfg, int64_t step, int64_t n_steps)
{
    int64_t decay_start = cfg->warmup_steps;

    if (step < cfg->warmup_steps)
        return (float)((double)cfg->lr * (double)(step + 1) / (double)cfg->warmup_steps);
    if (cfg->kind == SCHEDULE_CONSTANT)
        return cfg->lr;
    if (cfg->kind == SCHEDULE_HOLD && n_steps - cfg->decay_steps > decay_start)
        decay_start = n_steps - cfg->decay_steps;
    if (step < decay_start)
        return cfg->lr;
    if (n_steps - 1 <= decay_start)
        return step > decay_start ? cfg->lr_final : cfg->lr;
    /* The last step, n_steps - 1, gets lr_final exactly. */
    return (float)half_cosine((double)cfg->lr, (double)cfg->lr_final,
                              (double)(step - decay_start) / (double)(n_steps - 1 - decay_start));
}
