/* rvq_paths.h - search of a residual quantiser that keeps several choices open from stage to stage.
 *
 * The nearest code of each stage alone (greedy) need not lead to the nearest sum: with `width` paths the best `width` sums of codes so
 * far are kept, each is continued by every code of the next stage, and of all those the best `width` stay (beam search). A
 * decoder needs nothing for it. [1] M-algorithm for residual quantisers: Barnes, Rizvi, Nasrabadi, Advances in residual
 * vector quantization, 1996, section IV.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_RVQ_PATHS_H
#define RESIDUA_RVQ_PATHS_H

#include "models/rvq.h"

#define RVQ_MAX_PATHS 64

/* z [batch, D, frames] -> codes [batch, n_q, frames], with n_paths of 1 .. RVQ_MAX_PATHS kept open; 1 is rvq_encode. More than one: the codes
 * of fewer stages are not quite the first codes of more. Each frame is searched by itself: chunked equals whole.
 * Errors: RSD_ERR_ARG, RSD_ERR_MEMORY. */
RsdStatus rvq_encode_paths(Tape *tape, Rvq *rvq, const Tensor *z, int n_q, int n_paths, uint16_t *codes, RsdError *err);

/* The same for the columns of v, which stay as they are, and width of 2 or more. A column with NaN gets codes 0. threads: a pool.
 * Errors: RSD_ERR_MEMORY. */
RsdStatus rvq_find_paths(const Rvq *rvq, const SearchKernels *kernels, RsdThreads *threads, const VectorBatch *v, int n_q, int width,
                         uint16_t *codes, RsdError *err);

#endif
