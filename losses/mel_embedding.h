/* mel_embedding.h - a recording as rows of numbers without a network: how loud its mel bands are, and by how much that varies.
 *
 * The Frechet distance of such rows (losses/frechet.h) is called fmd here. It is not the FAD of the literature, whose rows are
 * made by a trained network.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_MEL_EMBEDDING_H
#define RESIDUA_MEL_EMBEDDING_H

#include <stdint.h>

#include "engine/base/error.h"

#define MEL_EMBEDDING_RATE_HZ 16000
#define MEL_EMBEDDING_BANDS 32
#define MEL_EMBEDDING_DIM (2 * MEL_EMBEDDING_BANDS)

/* One row for each 0.96 s of x [n] (mono, 16 kHz): means of log10 max(M, 1e-5) over 96 frames of 512 samples every 160, then
 * their standard deviations, M the magnitudes times 32 Slaney mel filters from 60 to 7800 Hz. Less than 0.96 s has no rows, what
 * is left at the end is not used. *rows [*n_rows, MEL_EMBEDDING_DIM]: mem_free. Errors: RSD_ERR_MEMORY. [audio.md 8.11] */
RsdStatus mel_embedding(double **rows, int64_t *n_rows, const float *x, int64_t n, RsdError *err);

#endif
