/* block_fft.h - the tables of the kernels' block transforms (engine/kernels/spectrum.h), in float and in double.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_DSP_BLOCK_FFT_H
#define RESIDUA_DSP_BLOCK_FFT_H

#include <stdbool.h>

#include "engine/base/error.h"
#include "engine/kernels/spectrum.h"

/* Whether there are block transforms of n samples. */
bool block_fft_possible(int n);
/* n: possible. Errors: RSD_ERR_MEMORY, after which clear is allowed as on all zeros. */
RsdStatus block_fft_init(BlockFft *fft, int n, RsdError *err);
void block_fft_clear(BlockFft *fft);
RsdStatus block_fft_f64_init(BlockFftF64 *fft, int n, RsdError *err);
void block_fft_f64_clear(BlockFftF64 *fft);

#endif
