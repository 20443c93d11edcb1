/* pool2d.h - pooling of pictures: the largest or the mean of each window.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_OPS_POOL2D_H
#define RESIDUA_OPS_POOL2D_H

#include "engine/ops/conv2d.h"

typedef struct Pool2dParams {
    Axes2d size;
    Axes2d stride;  /* 0 counts as size */
    Axes2d pad;     /* on both sides, at most half of size */
    bool ceil;      /* a window that hangs over the end counts, too, if it starts inside the picture or its left padding */
    bool count_pad; /* the mean counts padding as zeros; else it is taken over the samples there are */
} Pool2dParams;

/* x [batch, channels, h, n] -> y [batch, channels, h', n'], h' = floor((h + 2 pad - size) / stride) + 1 (ceil: rounded up):
 * torch's max_pool2d and avg_pool2d. The gradient of a maximum goes to the first of equals in reading order.
 * Errors: RSD_ERR_ARG naming the shape, RSD_ERR_MEMORY. */
RsdStatus op_max_pool2d(Tape *tape, Tensor *x, const Pool2dParams *p, Tensor **y, RsdError *err);
RsdStatus op_mean_pool2d(Tape *tape, Tensor *x, const Pool2dParams *p, Tensor **y, RsdError *err);

#endif
