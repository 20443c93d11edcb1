/* loss_sums.h - means of the terms of a loss, and of what critics did, since the last line of the log.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_LOSS_SUMS_H
#define RESIDUA_LOSS_SUMS_H

#include "trainer/config.h"
#include "trainer/run_log.h"

typedef struct LossSums {
    int n_steps, n_judged, n_pressed, n_learned; /* all; with critics; in which their terms had values; in which they were updated */
    double terms[BALANCER_MAX_LOSSES], critic_loss, critic_norm, real_logit, fake_logit;
} LossSums;

/* terms: values, before weights, of train_config_term_name. */
void loss_sums_add(LossSums *sums, const TrainConfig *cfg, const double *terms, const AdversaryReport *adversary);
/* Mean of term i; 0 when it had no value. */
double loss_sums_mean(const LossSums *sums, const TrainConfig *cfg, int i);
/* Objects of the log: the means, called `key`; `share` and `ratio` of the last step, and `critics` when there is an adversary. */
void loss_sums_log_means(RunLog *log, const LossSums *sums, const TrainConfig *cfg, const char *key);
void loss_sums_log_balance(RunLog *log, const LossSums *sums, const TrainConfig *cfg, const BalancerReport *balance,
                           const AdversaryReport *adversary);

#endif
