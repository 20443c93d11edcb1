/* projected_rvq.h - residual quantiser that searches in few dimensions: each stage projects what is left over to 8 numbers,
 * takes the code of the nearest direction, and projects that code back (DAC, audio.md 2.3): inference and training.
 *
 * Stages may run at lower rates than the frames (multi-rate, SNAC, audio.md 6.4): one of stride v quantises the mean of what is
 * left over in v frames, and its code stands for all of them. What is coarse comes first and costs a v-th of the bits.
 *
 * Codes and projections are ordinary parameters: codes have a gradient, and no moving averages. Few dimensions and the search
 * by direction keep nearly all of them in use.
 *
 * In place of a codebook a stage may round each of its numbers to fixed levels (lattice.h: FSQ, BSQ): nothing to search, and no code
 * that can die. Its projections are the scale that a stage of what is left over needs.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_PROJECTED_RVQ_H
#define RESIDUA_PROJECTED_RVQ_H

#include "engine/tape.h"
#include "models/lattice.h"
#include "models/rvq.h"

#define PROJECTED_RVQ_MAX_STAGES 64
#define PROJECTED_RVQ_MAX_STRIDES 8
#define PROJECTED_RVQ_MAX_STRIDE 64

typedef enum ProjectedCodes { PROJECTED_LEARNED, PROJECTED_FSQ, PROJECTED_BSQ } ProjectedCodes;

typedef struct ProjectedRvqConfig {
    int codes;         /* ProjectedCodes */
    int n_levels;      /* of PROJECTED_FSQ: of each dimension of a code; code_dim and codebook_size follow */
    int levels[LATTICE_MAX_DIM];
    int n_q;           /* stages: 9 */
    int codebook_size; /* K, 1024 */
    int code_dim;      /* of a code, 8 */
    int dim;           /* of what is quantised, 1024 */
    int n_strides;     /* 0: all stages have a code for every frame */
    int strides[PROJECTED_RVQ_MAX_STRIDES]; /* frames of a code, stage by stage, the last one for all further stages; powers of 2
                                             * up to PROJECTED_RVQ_MAX_STRIDE that never grow */
} ProjectedRvqConfig;

typedef struct ProjectedRvq ProjectedRvq;

/* Sets what follows from other fields: code_dim and codebook_size of FSQ from levels, codebook_size of BSQ from code_dim. */
void projected_rvq_complete(ProjectedRvqConfig *cfg);
/* Every field in its range; allocates nothing. Errors: RSD_ERR_ARG naming the field, its value and its range. */
RsdStatus projected_rvq_check_config(const ProjectedRvqConfig *cfg, RsdError *err);
int64_t projected_rvq_count_parameters(const ProjectedRvqConfig *cfg);
/* Frames that a code of this stage stands for. */
int projected_rvq_stride(const ProjectedRvqConfig *cfg, int stage);

/* Registers "rvq.K.in.{weight,bias}" [code_dim, dim], "rvq.K.out.{weight,bias}" [dim, code_dim] and, of learned codes,
 * "rvq.K.embed" [K, code_dim]; draws first values in a set for training. cfg is copied, params must outlive the quantiser.
 * Errors: RSD_ERR_ARG, RSD_ERR_MEMORY. */
RsdStatus projected_rvq_create(ProjectedRvq **out, const ProjectedRvqConfig *cfg, ParamSet *params, uint64_t seed,
                               RsdError *err);
void projected_rvq_destroy(ProjectedRvq **rvq);
/* Prepares the search; call after the codebooks have changed. */
void projected_rvq_refresh(ProjectedRvq *rvq);

/* z [batch, dim, frames] -> codes [batch, n_q, frames] and, when not NULL, what each stage searched for,
 * latents [batch, n_q code_dim, frames]. Ties go to the lowest index; each frame is searched by itself. A stage of stride v takes
 * frames i v to i v + v - 1 together, the last ones as many as there are, and says the same code for each. Errors: RSD_ERR_ARG,
 * RSD_ERR_MEMORY. */
RsdStatus projected_rvq_encode(Tape *tape, ProjectedRvq *rvq, const Tensor *z, int n_q, uint16_t *codes, Tensor **latents,
                               RsdError *err);
/* codes [batch, n_q, frames], those of a stage with a stride repeated -> z [batch, dim, frames]. Errors: RSD_ERR_ARG, RSD_ERR_CORRUPT
 * when a code is >= K, RSD_ERR_MEMORY. */
RsdStatus projected_rvq_decode(Tape *tape, ProjectedRvq *rvq, const uint16_t *codes, int64_t batch, int n_q, int64_t frames,
                               Tensor **z, RsdError *err);

/* Borrowed, NULL: this process alone. See rvq_set_group. */
void projected_rvq_set_group(ProjectedRvq *rvq, Group *group);
void projected_rvq_set_training(ProjectedRvq *rvq, const CodeTraining *training);
/* One training step on z [batch, dim, frames] with n_q stages; all of it is recorded, z may or may not need a gradient.
 *   p = W_in mean(r) + b_in, q its code, q' = p + sg(q - p), r -= repeat(W_out q' + b_out), zq = sum of what was taken off
 *   with mean and repeat over the frames of a code
 *   distance = sum over stages of mean |sg(p) - q|^2 + PROJECTED_COMMITMENT mean |p - sg(q)|^2, a scalar tensor
 * With FSQ, q' = lattice(p) and there is no distance: 0. With BSQ the distance is the sum over stages of lattice_entropy_loss with a
 * sharpness at which a bit of usual size is sure to 98 %.
 * With CodeTraining.sync the gradient of q' reaches q, too, times that; ahead and follow move the codes themselves, before the
 * search, unless `frozen`; a lattice stays as it is. stats (may be NULL): usage is the share of codes that this batch chose.
 * Errors: RSD_ERR_ARG (also: a set for inference), RSD_ERR_NUMERIC (NaN or infinity in z), RSD_ERR_MEMORY. */
#define PROJECTED_COMMITMENT 0.25f
RsdStatus projected_rvq_train(Tape *tape, ProjectedRvq *rvq, Tensor *z, int n_q, bool frozen, Tensor **zq, Tensor **distance,
                              RvqStats *stats, RsdError *err);

#endif
