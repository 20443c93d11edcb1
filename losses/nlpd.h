/* nlpd.h - normalised Laplacian pyramid distance.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_NLPD_H
#define RESIDUA_NLPD_H

#include "losses/image_measure.h"

#define NLPD_MIN_SIDE 33 /* so that no level is a single pixel */

/* Luma in [0, 1]; Laplacian pyramid of six levels, each divided by a constant plus a weighted sum of its neighbours'
 * magnitudes; mean over levels of the root mean squared difference. 0 for equal pictures, with gradient 0 (the reference:
 * NaN). [Laparra et al., Perceptual image quality assessment using a normalized Laplacian pyramid, 2016; image.md 11.7;
 * numbers as IQA-PyTorch] */
RsdStatus measure_nlpd(Tape *tape, const void *params, const ImageNets *nets, Tensor *ref, Tensor *dist, Tensor **value,
                       RsdError *err);

#endif
