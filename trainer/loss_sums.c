/* loss_sums.c - sums, and their objects in the log.
 *
 * SPDX-License-Identifier: MIT
 */
#include "trainer/loss_sums.h"

void loss_sums_add(LossSums *sums, const TrainConfig *cfg, const double *terms, const AdversaryReport *adversary)
{
    sums->n_steps++;
    sums->n_pressed += adversary->pressed;
    for (int i = 0; i < train_config_n_terms(cfg); i++)
        sums->terms[i] += terms[i];
    if (adversary->judged) {
        sums->n_judged++;
        sums->real_logit += adversary->real_logit;
        sums->fake_logit += adversary->fake_logit;
    }
    if (adversary->learned) {
        sums->n_learned++;
        sums->critic_loss += adversary->critic_loss;
        sums->critic_norm += adversary->grad_norm;
    }
}

static double mean(double sum, int n)
{
    return n ? sum / n : 0.0;
}

double loss_sums_mean(const LossSums *sums, const TrainConfig *cfg, int i)
{
    return mean(sums->terms[i], i < train_config_n_losses(cfg) ? sums->n_steps : sums->n_pressed);
}

void loss_sums_log_means(RunLog *log, const LossSums *sums, const TrainConfig *cfg, const char *key)
{
    run_log_open_object(log, key);
    for (int i = 0; i < train_config_n_terms(cfg); i++)
        run_log_number(log, train_config_term_name(cfg, i), loss_sums_mean(sums, cfg, i));
    run_log_close_object(log);
}

static void log_terms(RunLog *log, const TrainConfig *cfg, const char *key, const float *values)
{
    run_log_open_object(log, key);
    for (int i = 0; i < train_config_n_terms(cfg); i++)
        run_log_number(log, train_config_term_name(cfg, i), (double)values[i]);
    run_log_close_object(log);
}

void loss_sums_log_balance(RunLog *log, const LossSums *sums, const TrainConfig *cfg, const BalancerReport *balance,
                           const AdversaryReport *adversary)
{
    log_terms(log, cfg, "share", balance->shares);
    log_terms(log, cfg, "ratio", balance->ratios);
    if (!adversary_is_on(&cfg->adversary))
        return;
    run_log_open_object(log, "critics");
    run_log_number(log, "loss", mean(sums->critic_loss, sums->n_learned));
    run_log_number(log, "grad_norm", mean(sums->critic_norm, sums->n_learned));
    run_log_number(log, "real_logit", mean(sums->real_logit, sums->n_judged));
    run_log_number(log, "fake_logit", mean(sums->fake_logit, sums->n_judged));
    run_log_number(log, "lr", (double)adversary->lr);
    run_log_int(log, "updates", sums->n_learned);
    run_log_close_object(log);
}
