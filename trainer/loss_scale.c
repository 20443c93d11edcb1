/* loss_scale.c - up slowly, down at once.
 *
 * SPDX-License-Identifier: MIT
 */
#include "trainer/loss_scale.h"

void loss_scale_init(LossScale *scale, bool is_used)
{
    *scale = (LossScale){.value = is_used ? LOSS_SCALE_FIRST : 1.0f, .is_used = is_used};
}

bool loss_scale_follow(LossScale *scale, bool is_finite)
{
    if (!scale->is_used)
        return false;
    if (!is_finite) {
        const bool lowered = scale->value > 1.0f;

        scale->value = lowered ? scale->value / 2.0f : 1.0f;
        scale->n_steps = 0;
        return lowered;
    }
    if (++scale->n_steps >= LOSS_SCALE_GROWS_AFTER) {
        scale->value = scale->value < LOSS_SCALE_MOST ? scale->value * 2.0f : LOSS_SCALE_MOST;
        scale->n_steps = 0;
    }
    return false;
}
