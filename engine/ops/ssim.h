/* ssim.h - the structural similarity of pictures under a sliding window, fused: no filtered picture is stored.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_OPS_SSIM_H
#define RESIDUA_OPS_SSIM_H

#include "engine/tape.h"

#define SSIM_MAX_TAPS 15

typedef struct SsimParams {
    int n_taps; /* of the separable window, the same in both directions; odd, at most SSIM_MAX_TAPS */
    float taps[SSIM_MAX_TAPS];
    float c1, c2;
    bool luminance; /* false: contrast and structure only, (2 s_xy + c2) / (s_x^2 + s_y^2 + c2) */
} SsimParams;

/* x, y [B, C, H, W] of one shape, H and W at least n_taps -> value [B, C]: mean over all whole windows of one minus the
 * similarity, so 0 for equal pictures. Written with d = y - x, which keeps it exact near 0:
 *   1 - luminance = m_d^2 / (m_x^2 + m_y^2 + c1)        1 - structure = s_d^2 / (s_x^2 + s_y^2 + c2)
 * Gradients flow to y only. Errors: RSD_ERR_ARG naming the shapes, RSD_ERR_MEMORY. */
RsdStatus op_ssim_distance(Tape *tape, const SsimParams *params, Tensor *x, Tensor *y, Tensor **value, RsdError *err);

#endif
