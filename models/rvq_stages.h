/* rvq_stages.h - what rvq.c (inference) and rvq_train.c (training) know of a quantiser that its users do not.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_RVQ_STAGES_H
#define RESIDUA_RVQ_STAGES_H

#include "models/codebook.h"
#include "models/rvq.h"

struct Rvq {
    RvqConfig config;
    bool trainable; /* the averages exist */
    CodeTraining training;
    Group *group;   /* borrowed, may be NULL */
    float *packed;  /* of all stages */
    Codebook stages[RVQ_MAX_STAGES];
};

/* Shape and number of stages of a call. Errors: RSD_ERR_ARG. */
RsdStatus rvq_check_input(const Rvq *rvq, const Tensor *z, int n_q, RsdError *err);
/* Sum of squares of z over the group. Errors: RSD_ERR_NUMERIC (NaN or infinity). */
RsdStatus rvq_input_energy(const Tensor *z, Group *group, double *energy, RsdError *err);

#endif
