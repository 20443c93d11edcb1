/* test_schedule.c - learning rates by step.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include <criterion/criterion.h>

#include "trainer/schedule.h"

static ScheduleConfig schedule(ScheduleKind kind)
{
    return (ScheduleConfig){.kind = (int)kind, .lr = 1.0f, .lr_final = 0.2f, .warmup_steps = 4, .decay_steps = 20};
}

Test(schedule, warms_up_linearly_whatever_follows)
{
    for (int kind = SCHEDULE_CONSTANT; kind <= SCHEDULE_HOLD; kind++) {
        ScheduleConfig cfg = schedule((ScheduleKind)kind);

        for (int64_t i = 0; i < 4; i++)
            cr_expect_float_eq(schedule_lr(&cfg, i, 100), 0.25f * (float)(i + 1), 1e-6f);
        cr_expect_float_eq(schedule_lr(&cfg, 4, 100), 1.0f, 1e-6f);
    }
}

Test(schedule, cosine_falls_to_the_final_rate_at_the_last_step)
{
    ScheduleConfig cfg = schedule(SCHEDULE_COSINE);

    for (int64_t i = 5; i < 100; i++) {
        double share = (double)(i - 4) / 95.0, expected = 0.2 + 0.4 * (1.0 + cos(M_PI * share));

        cr_expect_float_eq(schedule_lr(&cfg, i, 100), (float)expected, 1e-6f, "step %d", (int)i);
    }
    cr_expect_eq(schedule_lr(&cfg, 99, 100), 0.2f);
    cr_expect_eq(schedule_lr(&cfg, 500, 100), 0.2f);
}

Test(schedule, hold_falls_over_the_last_steps_only)
{
    ScheduleConfig cfg = schedule(SCHEDULE_HOLD);

    for (int64_t i = 4; i <= 80; i++)
        cr_expect_eq(schedule_lr(&cfg, i, 100), 1.0f);
    for (int64_t i = 81; i < 100; i++)
        cr_expect_lt(schedule_lr(&cfg, i, 100), schedule_lr(&cfg, i - 1, 100));
    cr_expect_eq(schedule_lr(&cfg, 99, 100), 0.2f);
}

Test(schedule, constant_stays_and_short_runs_are_sound)
{
    ScheduleConfig cfg = schedule(SCHEDULE_CONSTANT);

    cr_expect_eq(schedule_lr(&cfg, 1000000, 10), 1.0f);
    for (int kind = SCHEDULE_CONSTANT; kind <= SCHEDULE_HOLD; kind++)
        for (int64_t n = 1; n < 8; n++)
            for (int64_t i = 0; i < 10; i++) {
                cfg = schedule((ScheduleKind)kind);
                float lr = schedule_lr(&cfg, i, n);

                cr_expect(isfinite(lr) && lr > 0.0f && lr <= 1.0f, "kind %d, step %d of %d: %g", kind, (int)i, (int)n,
                          (double)lr);
            }
}
