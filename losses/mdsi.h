/* mdsi.h - mean deviation similarity index.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_MDSI_H
#define RESIDUA_MDSI_H

#include "losses/image_measure.h"

/* Pictures in 0..255, block means down to a smaller side of about 256; gradient similarity of the two and of each with their
 * average (140, 55), chroma similarity (550), 0.6 and 0.4; the quarter power of that sum, complex where it is negative, and
 * the quarter power of its mean absolute deviation. Lower is better; 0 for equal pictures, with gradient 0 (piq: NaN).
 * [Nafchi et al., Mean deviation similarity index, 2016; image.md 11.7; numbers as piq.mdsi] */
RsdStatus measure_mdsi(Tape *tape, const void *params, const ImageNets *nets, Tensor *ref, Tensor *dist, Tensor **value,
                       RsdError *err);

#endif
