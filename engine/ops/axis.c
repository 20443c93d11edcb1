/* axis.c - a tensor seen around one of its axes.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/ops/axis.h"

RsdStatus axis_view(AxisView *view, const Tensor *x, int axis, RsdError *err)
{
    char text[SHAPE_TEXT_SIZE];

    if (axis < -x->n_dims || axis >= x->n_dims)
        return error_set(err, RSD_ERR_ARG, "axis %d does not exist in %s", axis, shape_text(text, x->n_dims, x->shape));
    *view = (AxisView){.axis = axis < 0 ? axis + x->n_dims : axis, .outer = 1, .inner = 1};
    view->len = x->shape[view->axis];
    for (int i = 0; i < view->axis; i++)
        view->outer *= x->shape[i];
    for (int i = view->axis + 1; i < x->n_dims; i++)
        view->inner *= x->shape[i];
    return RSD_OK;
}
