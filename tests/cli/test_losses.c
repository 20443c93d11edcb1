/* test_losses.c - every loss and every metric has its card.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cli/losses.h"

#include "losses/audio_loss.h"
#include "losses/audio_metric.h"
#include "losses/image_loss.h"
#include "losses/image_metric.h"
#include "tests/shared.h"

static void check(const LossCard *card, const char *kind, const char *name)
{
    cr_assert(card, "the %s %s has no entry in cli/losses.c", kind, name);
    cr_assert(*card->formula && *card->range && *card->cost && card->needs, "the entry of %s %s has gaps", kind, name);
}

static void check_texts(const char *kind, const char *name, const char *formula, const char *range, const char *needs,
                        const char *cost)
{
    cr_assert(formula && *formula && range && *range && cost && *cost && needs, "the image %s %s has gaps", kind, name);
}

Test(losses_command, knows_every_loss_and_every_metric)
{
    for (size_t i = 0; audio_loss_name(i); i++)
        check(loss_card(audio_loss_name(i)), "loss", audio_loss_name(i));
    for (size_t i = 0; audio_metric_at(i); i++)
        check(metric_card(audio_metric_at(i)->name), "metric", audio_metric_at(i)->name);
    for (size_t i = 0; image_loss_at(i); i++) {
        const ImageLossInfo *l = image_loss_at(i);

        check_texts("loss", l->name, l->formula, l->range, l->needs, l->cost);
    }
    for (size_t i = 0; image_metric_at(i); i++) {
        const ImageMetric *m = image_metric_at(i);

        check_texts("metric", m->name, m->formula, m->range, m->needs, m->cost);
    }
}
