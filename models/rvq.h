/* rvq.h - residual vector quantiser with moving-average codebooks: inference and training.
 *
 * [1] audio.md 1.6. Zeghidour et al., SoundStream, 2021, III-C.  [2] Defossez et al., EnCodec, 2022, 3.2.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_RVQ_H
#define RESIDUA_RVQ_H

#include "engine/base/group.h"
#include "engine/base/rng.h"
#include "engine/tape.h"
#include "models/codebook.h"
#include "models/params.h"

#define RVQ_MAX_STAGES 64
#define RVQ_MAX_CODES 65536
#define RVQ_MAX_DIM 1024

typedef struct RvqConfig {
    int n_q;           /* stages */
    int codebook_size; /* K, a power of two */
    int dim;           /* D */
    float ema_decay;   /* 0.99 */
    float dead_below;  /* a code whose average count per step falls below this times (frames per batch / K) is re-seeded */
} RvqConfig;

typedef struct Rvq Rvq;

/* Every field in its range; allocates nothing. Errors: RSD_ERR_ARG naming the field, its value and its range. */
RsdStatus rvq_check_config(const RvqConfig *cfg, RsdError *err);
/* Numbers a decoder needs: n_q K D. */
int64_t rvq_count_parameters(const RvqConfig *cfg);

/* Registers "rvq.K.embed" [K, D] (state), and for training "rvq.K.count" [K], "rvq.K.sum" [K, D]. cfg is copied, params
 * must outlive the quantiser. Errors: RSD_ERR_ARG, RSD_ERR_MEMORY. */
RsdStatus rvq_create(Rvq **out, const RvqConfig *cfg, ParamSet *params, RsdError *err);
void rvq_destroy(Rvq **rvq);
/* Prepares the search; call after loading codebooks. A codebook that came without its averages (an inference file loaded
 * to be trained on) starts averages of weight 1. */
void rvq_refresh(Rvq *rvq);

/* z [batch, D, frames] -> codes [batch, n_q, frames], n_q <= cfg.n_q; greedy search, ties to the lowest index. Each frame
 * is searched by itself: chunked equals whole. A nearer sum in more time: rvq_paths.h. Errors: RSD_ERR_ARG. */
RsdStatus rvq_encode(Tape *tape, Rvq *rvq, const Tensor *z, int n_q, uint16_t *codes, RsdError *err);
/* codes [batch, n_q, frames] -> z [batch, D, frames]. Errors: RSD_ERR_ARG, RSD_ERR_CORRUPT when a code is >= K,
 * RSD_ERR_MEMORY. */
RsdStatus rvq_decode(Tape *tape, Rvq *rvq, const uint16_t *codes, int64_t batch, int n_q, int64_t frames, Tensor **z,
                     RsdError *err);

/* rvq_train works on a batch that is spread over a group: sums, dead codes and statistics are those of all members, and so
 * all of them get the same codebooks. Codebooks must exist before: z of rvq_init_codebooks is the caller's whole batch.
 * group: borrowed; NULL, as at first: this process alone. */
void rvq_set_group(Rvq *rvq, Group *group);

/* From the next rvq_train on; at first all of it is off. sync has no effect here: these codes have no gradient. */
void rvq_set_training(Rvq *rvq, const CodeTraining *training);

typedef struct RvqStats {
    int n_q;
    float perplexity[RVQ_MAX_STAGES]; /* exp(entropy) of this batch's codes per stage */
    float usage[RVQ_MAX_STAGES];      /* share of codes whose moving-average count is alive */
    int n_reseeded[RVQ_MAX_STAGES];
    float relative_error;             /* |z - zq|^2 / |z|^2 */
} RvqStats;

/* Whether the codebooks hold anything: k-means has run, or they were loaded. */
bool rvq_is_initialised(const Rvq *rvq);
/* k-means start of all stages in sequence on z [B, D, F] (audio.md 1.6). Best with several times K vectors: with fewer
 * than K some means coincide, and the codes left empty are re-seeded from the next batches. rvq_train does this itself on
 * its first batch; a caller with a larger batch at hand calls it before. Replaces what was there.
 * Errors: RSD_ERR_ARG, RSD_ERR_NUMERIC (NaN or infinity in z), RSD_ERR_MEMORY. */
RsdStatus rvq_init_codebooks(Tape *tape, Rvq *rvq, const Tensor *z, uint64_t seed, RsdError *err);

/* One training step: quantises z [B, D, F] with n_q stages. zq = z + sg(sum q - z) (straight-through);
 * commitment = mean_k MSE(sg(q_k), r_k), a scalar tensor. Runs k-means on the first call, then updates the moving averages
 * of the n_q stages and re-seeds dead codes (audio.md 1.6, the right way) unless `frozen`, which leaves the codebooks as
 * they are. This step's outputs come from the codebooks as they were before the update; with CodeTraining.ahead the updates come first,
 * and this step's outputs from what they made.
 * Random choices come from (seed, RNG_QUANTIZER, step) with sample numbers from RVQ_FIRST_SAMPLE up; smaller ones are free
 * for the caller. stats may be NULL. Errors: RSD_ERR_ARG (also: a set for inference), RSD_ERR_NUMERIC (NaN or infinity in z;
 * the codebooks are then untouched), RSD_ERR_MEMORY. */
#define RVQ_FIRST_SAMPLE 1000
RsdStatus rvq_train(Tape *tape, Rvq *rvq, Tensor *z, int n_q, uint64_t seed, uint64_t step, bool frozen, Tensor **zq,
                    Tensor **commitment, RvqStats *stats, RsdError *err);

#endif
