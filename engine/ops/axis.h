/* axis.h - a tensor seen around one of its axes: [outer, len, inner].
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_OPS_AXIS_H
#define RESIDUA_OPS_AXIS_H

#include "engine/tensor.h"

typedef struct AxisView {
    int axis; /* counted from 0 */
    int64_t outer, len, inner;
} AxisView;

/* axis may be negative: -1 is the last. Errors: RSD_ERR_ARG naming the shape. */
RsdStatus axis_view(AxisView *view, const Tensor *x, int axis, RsdError *err);

#endif
