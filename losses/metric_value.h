/* metric_value.h - what every metric returns: a number, and why it may not be averaged with others.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_METRIC_VALUE_H
#define RESIDUA_METRIC_VALUE_H

/* Why a value should not be averaged with others; bits. */
typedef enum MetricFlag {
    METRIC_TOO_SHORT = 1, /* the signal is shorter, or the picture smaller, than what the metric looks at: the value is a
                             convention */
    METRIC_SILENT_REFERENCE = 2,
    METRIC_IDENTICAL = 4,     /* no difference at all: the value may be infinite */
    METRIC_NOT_APPLICABLE = 8 /* not defined for this number of channels or rate, or lacks its model: the value is 0 */
} MetricFlag;

typedef struct MetricValue {
    double value; /* may be infinite, never NaN */
    unsigned flags;
} MetricValue;

#endif
