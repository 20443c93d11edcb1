/* level.c - sums over the samples.
 *
 * SPDX-License-Identifier: MIT
 */
#include "losses/level.h"

#include <math.h>

RsdStatus metric_l1(MetricValue *out, const MetricSignals *s, RsdError *err)
{
    double sum = 0;

    (void)err;
    for (int64_t i = 0; i < s->n; i++)
        sum += fabs((double)s->ref[i] - s->dist[i]);
    *out = (MetricValue){.value = sum / (double)s->n};
    return RSD_OK;
}

RsdStatus metric_level(MetricValue *out, const MetricSignals *s, RsdError *err)
{
    double ref = 0, dist = 0;

    (void)err;
    for (int64_t i = 0; i < s->n; i++) {
        ref += (double)s->ref[i] * s->ref[i];
        dist += (double)s->dist[i] * s->dist[i];
    }
    out->flags = ref == 0 ? METRIC_SILENT_REFERENCE : 0;
    out->value = ref == 0 && dist == 0 ? 0 : 10 * log10(dist / ref);
    return RSD_OK;
}
