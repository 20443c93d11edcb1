/* rvq.h - residual vector quantiser with moving-average codebooks: inference and training.
 *
 * [1] audio.md 1.6. Zeghidour et al., SoundStream, 2021, III-C.  [2] Defossez et al., EnCodec, 2022, 3.2.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_RVQ_H
#define RESIDUA_RVQ_H

#include "engine/base/rng.h"
#include "engine/tape.h"
#include "models/params.h"

#define RVQ_MAX_STAGES 64

typedef struct RvqConfig {
    int n_q;           /* stages */
    int codebook_size; /* K, a power of two */
    int dim;           /* D */
    float ema_decay;   /* 0.99 */
    float dead_below;  /* a code whose average count per step falls below this times (frames per batch / K) is re-seeded */
} RvqConfig;

typedef struct Rvq Rvq;

/* Registers "rvq.K.embed" [K, D] (state), "rvq.K.count" [K], "rvq.K.sum" [K, D]. Errors: RSD_ERR_ARG, RSD_ERR_MEMORY. */
RsdStatus rvq_create(Rvq **out, const RvqConfig *cfg, ParamSet *params, RsdError *err);
void rvq_destroy(Rvq **rvq);
/* Recomputes the norms used by the search; call after loading codebooks. */
void rvq_refresh(Rvq *rvq);

/* z [batch, D, frames] -> codes [batch, n_q, frames], n_q <= cfg.n_q; greedy search, ties to the lowest index. */
RsdStatus rvq_encode(Tape *tape, Rvq *rvq, const Tensor *z, int n_q, uint16_t *codes, RsdError *err);
/* codes [batch, n_q, frames] -> z [batch, D, frames]. Errors: RSD_ERR_CORRUPT when a code is >= K. */
RsdStatus rvq_decode(Tape *tape, Rvq *rvq, const uint16_t *codes, int64_t batch, int n_q, int64_t frames, Tensor **z,
                     RsdError *err);

typedef struct RvqStats {
    int n_q;
    float perplexity[RVQ_MAX_STAGES]; /* exp(entropy) of this batch's codes per stage */
    float usage[RVQ_MAX_STAGES];      /* share of codes whose moving-average count is alive */
    int n_reseeded[RVQ_MAX_STAGES];
    float relative_error;             /* |z - zq|^2 / |z|^2 */
} RvqStats;

/* One training step: quantises z [B, D, F] with n_q stages. zq = z + sg(sum q - z) (straight-through);
 * commitment = mean_k MSE(sg(q_k), r_k), a scalar tensor. Runs k-means on the first call, then updates the moving averages
 * and re-seeds dead codes (audio.md 1.6, the right way) unless `frozen`. Random choices come from (seed, step).
 * stats may be NULL. */
RsdStatus rvq_train(Tape *tape, Rvq *rvq, Tensor *z, int n_q, uint64_t seed, uint64_t step, bool frozen, Tensor **zq,
                    Tensor **commitment, RvqStats *stats, RsdError *err);

#endif
