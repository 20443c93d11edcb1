/* level.h - the plainest figures: mean absolute difference, and difference of level.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_LEVEL_H
#define RESIDUA_LEVEL_H

#include "losses/audio_metric.h"

/* Mean |x - y|; the value of the loss l1. Errors: none. */
RsdStatus metric_l1(MetricValue *out, const MetricSignals *signals, RsdError *err);

/* 10 log10(sum y^2 / sum x^2), x the reference. Two silent signals: 0; one of them: infinite. Errors: none. */
RsdStatus metric_level(MetricValue *out, const MetricSignals *signals, RsdError *err);

#endif
