/* projected_rvq.h - residual quantiser that searches in few dimensions: each stage projects what is left over to 8 numbers,
 * takes the code of the nearest direction, and projects that code back (DAC, audio.md 2.3). Inference.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_PROJECTED_RVQ_H
#define RESIDUA_PROJECTED_RVQ_H

#include "engine/tape.h"
#include "models/params.h"

#define PROJECTED_RVQ_MAX_STAGES 64

typedef struct ProjectedRvqConfig {
    int n_q;           /* stages: 9 */
    int codebook_size; /* K, 1024 */
    int code_dim;      /* of a code, 8 */
    int dim;           /* of what is quantised, 1024 */
} ProjectedRvqConfig;

typedef struct ProjectedRvq ProjectedRvq;

/* Every field in its range; allocates nothing. Errors: RSD_ERR_ARG naming the field, its value and its range. */
RsdStatus projected_rvq_check_config(const ProjectedRvqConfig *cfg, RsdError *err);
int64_t projected_rvq_count_parameters(const ProjectedRvqConfig *cfg);

/* Registers "rvq.K.in.{weight,bias}" [code_dim, dim], "rvq.K.out.{weight,bias}" [dim, code_dim] and "rvq.K.embed"
 * [K, code_dim]; draws first values in a set for training. cfg is copied, params must outlive the quantiser.
 * Errors: RSD_ERR_ARG, RSD_ERR_MEMORY. */
RsdStatus projected_rvq_create(ProjectedRvq **out, const ProjectedRvqConfig *cfg, ParamSet *params, uint64_t seed,
                               RsdError *err);
void projected_rvq_destroy(ProjectedRvq **rvq);
/* Prepares the search; call after the codebooks have changed. */
void projected_rvq_refresh(ProjectedRvq *rvq);

/* z [batch, dim, frames] -> codes [batch, n_q, frames] and, when not NULL, what each stage searched for,
 * latents [batch, n_q code_dim, frames]. Ties go to the lowest index; each frame is searched by itself. Errors: RSD_ERR_ARG,
 * RSD_ERR_MEMORY. */
RsdStatus projected_rvq_encode(Tape *tape, ProjectedRvq *rvq, const Tensor *z, int n_q, uint16_t *codes, Tensor **latents,
                               RsdError *err);
/* codes [batch, n_q, frames] -> z [batch, dim, frames]. Errors: RSD_ERR_ARG, RSD_ERR_CORRUPT when a code is >= K,
 * RSD_ERR_MEMORY. */
RsdStatus projected_rvq_decode(Tape *tape, ProjectedRvq *rvq, const uint16_t *codes, int64_t batch, int n_q, int64_t frames,
                               Tensor **z, RsdError *err);

#endif
