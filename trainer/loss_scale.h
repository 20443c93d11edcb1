/* loss_scale.h - a factor on the loss that brings small gradients into the range of 16-bit floats.
 *
 * binary16 holds nothing below 6e-8 and nothing above 65504. A loss times s has gradients times s, which lose less at the small end;
 * where they become infinite the step is skipped and s halved, and after LOSS_SCALE_GROWS_AFTER steps without that it is doubled. A
 * factor that is a power of 2 changes no bit of what is in range. bfloat16 has the range of float32 and needs none.
 *
 * [1] Micikevicius et al., Mixed Precision Training, 2018.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_LOSS_SCALE_H
#define RESIDUA_LOSS_SCALE_H

#include <stdbool.h>

/* Not 65536, as is usual: the balancer brings gradients to a length near 1 a crop, and each step that is skipped at the start is lost. */
#define LOSS_SCALE_FIRST 256.0f
#define LOSS_SCALE_MOST 16777216.0f
#define LOSS_SCALE_GROWS_AFTER 200

typedef struct LossScale {
    float value;  /* a power of 2, at least 1; 1 and it stays so: not in use */
    int n_steps;  /* since it changed */
    bool is_used;
} LossScale;

void loss_scale_init(LossScale *scale, bool is_used);
/* After a step. Returns whether its gradient was too large for the scale, which was lowered: the step is to be skipped, and that is no
 * mistake. A gradient that is not finite at scale 1 is one. */
bool loss_scale_follow(LossScale *scale, bool is_finite);

#endif
