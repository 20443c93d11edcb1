/* eval_set.c - names to metrics.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cli/eval_set.h"

#include <stdio.h>
#include <string.h>

#include "cli/eval_kind.h"

#define NAME_SIZE 40

static bool find_metric(EvalMetric *metric, const EvalKind *kind, const char *name)
{
    for (size_t i = 0; kind->metric_at(metric, i); i++)
        if (text_is_name(name, metric->name))
            return true;
    return false;
}

/* The name before a comma or an equals sign; returns what follows it. */
static const char *take_name(char name[NAME_SIZE], const char *text, char end)
{
    const char *at = strchr(text, end);
    size_t len = at ? (size_t)(at - text) : strlen(text);

    snprintf(name, NAME_SIZE, "%.*s", (int)(len < NAME_SIZE ? len : NAME_SIZE - 1), text);
    return at ? at + 1 : text + len;
}

/* ---- checks ---- */

static RsdStatus check_name(const char *name, const char *option, const EvalKind *const *kinds, size_t n_kinds, RsdError *err)
{
    const char *names[EVAL_N_KINDS * EVAL_MAX_METRICS], *near;
    EvalMetric metric;
    size_t n = 0;

    for (size_t k = 0; k < n_kinds; k++)
        if (kinds[k] && find_metric(&metric, kinds[k], name))
            return RSD_OK;
    for (size_t k = 0; eval_kind_at(k); k++) {
        if (find_metric(&metric, eval_kind_at(k), name))
            return error_set(err, RSD_ERR_ARG, "%s: %s is measured of %s, and there are none", option, name,
                             eval_kind_at(k)->things);
        for (size_t i = 0; eval_kind_at(k)->metric_at(&metric, i) && n < sizeof names / sizeof *names; i++)
            names[n++] = metric.name;
    }
    near = text_nearest(name, names, n);
    return error_set(err, RSD_ERR_ARG, "%s: there is no metric '%.40s'%s%s%s; `residua losses` lists them", option, name,
                     near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

static RsdStatus check_limits(const TextList *limits, const char *option, const EvalKind *const *kinds, size_t n_kinds,
                              RsdError *err)
{
    char name[NAME_SIZE];
    double value;
    RsdStatus status = RSD_OK;

    for (size_t i = 0; i < limits->n; i++) {
        const char *text = limits->items[i], *after = take_name(name, text, '=');

        CHECK(*name && after > text && after[-1] == '=', err, RSD_ERR_ARG,
              "%s %.60s: NAME=VALUE is needed, such as estoi=0.9", option, text);
        TRY(check_name(name, option, kinds, n_kinds, err));
        status = text_parse_quantity(&value, after, UNIT_NONE, err);
        if (status != RSD_OK)
            return error_prefix(err, status, "%s", option);
    }
fail:
    return status;
}

RsdStatus eval_wishes_check(const EvalWishes *wishes, const EvalKind *const *kinds, size_t n_kinds, RsdError *err)
{
    char name[NAME_SIZE];
    bool any = !wishes->metrics || !strcmp(wishes->metrics, "all");
    RsdStatus status = RSD_OK;

    for (const char *at = any ? NULL : wishes->metrics; at && *at; any = true) {
        at = take_name(name, at, ',');
        TRY(check_name(name, "--metrics", kinds, n_kinds, err));
    }
    CHECK(any, err, RSD_ERR_ARG, "--metrics: no name was given");
    TRY(check_limits(&wishes->below, "--fail-below", kinds, n_kinds, err));
    TRY(check_limits(&wishes->above, "--fail-above", kinds, n_kinds, err));
fail:
    return status;
}

/* ---- choice ---- */

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

/* *at is where it is in the set; false when it is not one of the kind. */
static RsdStatus add_name(EvalSet *set, const char *name, const EvalOptions *options, bool *found, size_t *at, RsdError *err)
{
    EvalMetric metric;
    RsdStatus status = RSD_OK;

    *found = find_metric(&metric, set->kind, name);
    if (*found) {
        TRY(set->kind->metric_check(&metric, options, err));
        TRY(add(set, &metric, at, err));
    }
fail:
    return status;
}

static RsdStatus add_limits(EvalLimits *limits, EvalSet *set, const TextList *list, bool above, const EvalOptions *options,
                            RsdError *err)
{
    char name[NAME_SIZE];
    RsdStatus status = RSD_OK;

    for (size_t i = 0; i < list->n; i++) {
        EvalLimit limit = {.above = above};
        const char *value = take_name(name, list->items[i], '=');
        bool found;

        TRY(add_name(set, name, options, &found, &limit.metric, err));
        TRY(text_parse_quantity(&limit.value, value, UNIT_NONE, err));
        if (found)
            limits->items[limits->n++] = limit;
    }
fail:
    return status;
}

RsdStatus eval_set_choose(EvalSet *set, EvalLimits *limits, const EvalKind *kind, const EvalWishes *wishes,
                          const EvalOptions *options, RsdError *err)
{
    const char *list = wishes->metrics;
    bool all = list && !strcmp(list, "all"), found;
    EvalMetric metric;
    char name[NAME_SIZE];
    size_t at_index;
    RsdStatus status = RSD_OK;

    *set = (EvalSet){.kind = kind};
    limits->n = 0;
    for (size_t i = 0; (!list || all) && kind->metric_at(&metric, i); i++)
        if (all || (metric.usual && kind->metric_check(&metric, options, NULL) == RSD_OK))
            TRY(add(set, &metric, &at_index, err));
    for (const char *at = all ? NULL : list; at && *at;) {
        at = take_name(name, at, ',');
        TRY(add_name(set, name, options, &found, &at_index, err));
    }
    TRY(add_limits(limits, set, &wishes->below, false, options, err));
    TRY(add_limits(limits, set, &wishes->above, true, options, err));
fail:
    return status;
}

const char *eval_better_text(MetricBetter better)
{
    return better == METRIC_HIGHER ? "higher" : better == METRIC_LOWER ? "lower" : "near 0";
}
