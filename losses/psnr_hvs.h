/* psnr_hvs.h - PSNR-HVS-M: peak signal-to-noise ratio weighted by contrast sensitivity, less what the picture masks.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_PSNR_HVS_H
#define RESIDUA_PSNR_HVS_H

#include "losses/image_metric.h"

#define PSNR_HVS_MIN_SIDE 16 /* one block of halved chroma */

/* In dB; infinite for equal pictures. The pictures as 8-bit Y'CbCr (BT.601, full range as in JPEG), chroma as 2 x 2 means;
 * 8 x 8 integer cosine transforms at every 7th row and column; errors of a coefficient below what the block masks count
 * nothing, those above are lessened by it; 0.8 Y' + 0.1 Cb + 0.1 Cr. In the arithmetic of the Xiph tools, sums in double.
 * [Ponomarenko et al., On between-coefficient contrast masking of DCT basis functions, 2007; Xiph dump_psnrhvs, as in
 * libvmaf's psnr_hvs; image.md 11.11] Errors: RSD_ERR_MEMORY. */
RsdStatus metric_psnr_hvs_m(double *value, const ImagePair *pair, RsdError *err);

/* As a loss: minus that, of the mean error and PSNR_HVS_LEAST together, -100 for equal pictures. The value sees 8-bit samples and
 * the integer transform, as the metric does; the slope passes both roundings by, goes through the masking of the estimate where
 * it hides more than the reference, and is 0 where a sample is outside [0, 1] or an error is hidden. */
#define PSNR_HVS_LEAST 1e-10
RsdStatus measure_psnr_hvs_m(Tape *tape, const void *params, const ImageNets *nets, Tensor *ref, Tensor *dist, Tensor **value,
                             RsdError *err);

#endif
