/* test_losses.c - every loss and every metric has its card.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cli/losses.h"

#include "losses/audio_loss.h"
#include "losses/audio_metric.h"
#include "tests/shared.h"

static void check(const LossCard *card, const char *kind, const char *name)
{
    cr_assert(card, "the %s %s has no entry in cli/losses.c", kind, name);
    cr_assert(*card->formula && *card->range && *card->cost && card->needs, "the entry of %s %s has gaps", kind, name);
}

Test(losses_command, knows_every_loss_and_every_metric)
{
    for (size_t i = 0; audio_loss_name(i); i++)
        check(loss_card(audio_loss_name(i)), "loss", audio_loss_name(i));
    for (size_t i = 0; audio_metric_at(i); i++)
        check(metric_card(audio_metric_at(i)->name), "metric", audio_metric_at(i)->name);
}
