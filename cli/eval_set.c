/* eval_set.c - names to metrics.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cli/eval_set.h"

#include <stdio.h>
#include <string.h>

#define NAME_SIZE 40

/* The i-th of all metrics; false past the end. *usual: shown when none was chosen. */
static bool known_metric(EvalMetric *metric, bool *usual, size_t i)
{
    const AudioMetric *audio = audio_metric_at(i);

    if (!audio)
        return false;
    *metric = (EvalMetric){.name = audio->name,
                           .title = audio->title,
                           .unit = audio->unit,
                           .summary = audio->summary,
                           .better = audio->better,
                           .n_digits = audio->n_digits,
                           .audio = audio};
    *usual = audio->usual;
    return true;
}

static RsdStatus add(EvalSet *set, const EvalMetric *metric, size_t *at, RsdError *err)
{
    for (size_t i = 0; i < set->n; i++)
        if (!strcmp(set->items[i].name, metric->name)) {
            *at = i;
            return RSD_OK;
        }
    if (set->n == EVAL_MAX_METRICS)
        return error_set(err, RSD_ERR_ARG, "more than %d metrics", EVAL_MAX_METRICS);
    *at = set->n;
    set->items[set->n++] = *metric;
    return RSD_OK;
}

static RsdStatus add_name(EvalSet *set, const char *name, const char *option, size_t *at, RsdError *err)
{
    const char *names[EVAL_MAX_METRICS], *near;
    EvalMetric metric;
    bool usual;
    size_t n = 0;

    for (; n < EVAL_MAX_METRICS && known_metric(&metric, &usual, n); n++) {
        if (!strcmp(metric.name, name))
            return add(set, &metric, at, err);
        names[n] = metric.name;
    }
    near = text_nearest(name, names, n);
    return error_set(err, RSD_ERR_ARG, "%s: there is no metric '%.40s'%s%s%s; `residua losses` lists them", option,
                     name, near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

RsdStatus eval_set_choose(EvalSet *set, const char *list, RsdError *err)
{
    bool all = list && !strcmp(list, "all"), usual;
    EvalMetric metric;
    char name[NAME_SIZE];
    size_t at_index;
    RsdStatus status = RSD_OK;

    set->n = 0;
    for (size_t i = 0; (!list || all) && known_metric(&metric, &usual, i); i++)
        if (all || usual)
            TRY(add(set, &metric, &at_index, err));
    for (const char *at = all ? NULL : list; at && *at;) {
        size_t len = strcspn(at, ",");

        snprintf(name, sizeof name, "%.*s", (int)(len < sizeof name ? len : sizeof name - 1), at);
        TRY(add_name(set, name, "--metrics", &at_index, err));
        at += len + (at[len] == ',');
    }
    CHECK(set->n, err, RSD_ERR_ARG, "--metrics: no name was given");
fail:
    return status;
}

const char *eval_better_text(MetricBetter better)
{
    return better == METRIC_HIGHER ? "higher" : better == METRIC_LOWER ? "lower" : "near 0";
}

static RsdStatus parse_limit(EvalLimits *limits, EvalSet *set, const char *text, bool above, RsdError *err)
{
    const char *option = above ? "--fail-above" : "--fail-below", *equals = strchr(text, '=');
    EvalLimit *limit = &limits->items[limits->n];
    char name[NAME_SIZE];
    RsdStatus status = RSD_OK;

    CHECK(equals && equals > text, err, RSD_ERR_ARG, "%s %.60s: NAME=VALUE is needed, such as estoi=0.9", option, text);
    snprintf(name, sizeof name, "%.*s", (int)(equals - text < NAME_SIZE ? equals - text : NAME_SIZE - 1), text);
    *limit = (EvalLimit){.above = above};
    TRY(add_name(set, name, option, &limit->metric, err));
    status = text_parse_quantity(&limit->value, equals + 1, UNIT_NONE, err);
    if (status != RSD_OK)
        return error_prefix(err, status, "%s", option);
    limits->n++;
fail:
    return status;
}

RsdStatus eval_limits_parse(EvalLimits *limits, EvalSet *set, const TextList *below, const TextList *above,
                            RsdError *err)
{
    RsdStatus status = RSD_OK;

    limits->n = 0;
    for (size_t i = 0; i < below->n; i++)
        TRY(parse_limit(limits, set, below->items[i], false, err));
    for (size_t i = 0; i < above->n; i++)
        TRY(parse_limit(limits, set, above->items[i], true, err));
fail:
    return status;
}
