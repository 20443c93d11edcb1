/* losses.h - what `residua losses` knows beyond the names.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_CLI_LOSSES_H
#define RESIDUA_CLI_LOSSES_H

typedef struct LossCard {
    const char *name, *formula, *range, *needs, *cost; /* needs may be empty */
} LossCard;

/* NULL when there is none. */
const LossCard *loss_card(const char *name);
const LossCard *metric_card(const char *name);

#endif
