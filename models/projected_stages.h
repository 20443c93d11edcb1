/* projected_stages.h - what projected_rvq.c (inference) and projected_train.c (training) know of a quantiser that its users do not.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_PROJECTED_STAGES_H
#define RESIDUA_PROJECTED_STAGES_H

#include "engine/kernels/search.h"
#include "models/projected_rvq.h"

typedef struct ProjectedStage {
    Tensor *in_weight, *in_bias, *out_weight, *out_bias, *embed; /* owned by the ParamSet; embed NULL with a lattice */
    SearchBook book;                                             /* normalised codes */
} ProjectedStage;

struct ProjectedRvq {
    ProjectedRvqConfig config;
    LatticeConfig lattice; /* of codes that are not learned */
    bool trainable;
    CodeTraining training;
    Group *group;               /* borrowed, may be NULL */
    float *packed, *normalised; /* of all books; [K, code_dim], room to pack one; NULL with a lattice */
    ProjectedStage stages[PROJECTED_RVQ_MAX_STAGES];
};

/* Shape and number of stages of a call. Errors: RSD_ERR_ARG. */
RsdStatus projected_check_input(const ProjectedRvq *rvq, const Tensor *z, int n_q, RsdError *err);
/* After the codes of stage i have changed. */
void projected_pack(ProjectedRvq *rvq, int i);
/* x [batch, channels, frames] -> *y [batch, channels, ceil(frames / stride)], the means of `stride` frames, of those that there are; and
 * back to `frames`, each repeated. Recorded when the tape is. *y is x itself at stride 1. Errors: RSD_ERR_MEMORY. */
RsdStatus projected_mean_frames(Tape *tape, Tensor *x, int stride, Tensor **y, RsdError *err);
RsdStatus projected_repeat_frames(Tape *tape, Tensor *x, int stride, int64_t frames, Tensor **y, RsdError *err);
/* latents p [batch, code_dim, frames] -> codes, those of batch item b at b codes_step, and *found of p's shape, the codes' vectors,
 * not recorded. Errors: RSD_ERR_MEMORY. */
RsdStatus projected_search(Tape *tape, const ProjectedRvq *rvq, int i, const Tensor *p, uint16_t *codes, int64_t codes_step,
                           Tensor **found, RsdError *err);

#endif
