/* codebook.h - one codebook: searching it, and learning it from batches of vectors.
 *
 * Works on plain arrays. A batch of vectors is laid out as networks produce it, [batch, dim, frames]; vector number i is
 * column i % frames of item i / frames. Work is cut into tasks by the shape alone and each sum has one order, so results
 * are the same for any number of threads.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_CODEBOOK_H
#define RESIDUA_CODEBOOK_H

#include "engine/base/arena.h"
#include "engine/base/group.h"
#include "engine/base/rng.h"
#include "engine/base/threads.h"
#include "engine/kernels/search.h"

typedef struct Codebook {
    int64_t n_codes, dim;
    float *embed;        /* [n_codes, dim], borrowed */
    float *count, *sum;  /* moving averages [n_codes] and [n_codes, dim], borrowed; NULL in inference */
    SearchBook book;     /* embed made ready for the search; codebook_pack */
} Codebook;

typedef struct VectorBatch {
    float *data; /* [batch, dim, frames] */
    int64_t batch, dim, frames;
} VectorBatch;

/* How a batch is cut into tasks: columns of one item, at most this many, so that a task's vectors stay in the cache while
 * the codebook streams past them; tasks of an item are about equal. */
#define CODEBOOK_COLUMNS 64
int64_t codebook_n_tasks(const VectorBatch *v);
/* Task i covers columns *first .. *first + *n - 1 of batch item *item. */
void codebook_task(const VectorBatch *v, int64_t i, int64_t *item, int64_t *first, int64_t *n);

/* packed [search_packed_count(n_codes, dim)]: room for the search, borrowed. */
void codebook_init(Codebook *cb, int64_t n_codes, int64_t dim, float *embed, float *count, float *sum, float *packed);
/* After embed has changed, and before the first search. */
void codebook_pack(Codebook *cb);

/* codes [batch * frames]: the nearest code of each vector, ties to the lowest index. */
void codebook_nearest(const Codebook *cb, const SearchKernels *kernels, RsdThreads *threads, const VectorBatch *v,
                      uint16_t *codes);
/* v -= embed[codes]. */
void codebook_take_out(const Codebook *cb, const SearchKernels *kernels, RsdThreads *threads, VectorBatch *v,
                       const uint16_t *codes);

/* ---- learning ---- */

/* Vectors that chose each code and their sum. */
typedef struct CodeSums {
    int64_t n_codes, dim;
    float *count; /* [n_codes] */
    float *sum;   /* [dim, n_codes]: one row of it is summed by one task */
} CodeSums;

RsdStatus code_sums_create(CodeSums *sums, const Codebook *cb, Arena *arena, RsdError *err);
void code_sums_fill(CodeSums *sums, RsdThreads *threads, const VectorBatch *v, const uint16_t *codes);
/* They become those of the group's batch; counts_alone: the sums are not looked at. */
void code_sums_share(CodeSums *sums, Group *group, bool counts_alone);
/* exp(entropy) of codes that were chosen so often, count [n_codes]; *n_used (may be NULL): how many were at all. */
float codes_perplexity(const float *count, int64_t n_codes, int64_t *n_used);

/* k-means (Lloyd, 50 iterations or until nothing moves) from distinct random vectors of v, with repetition if there are
 * fewer than codes; a mean that nobody chose stays. embed = means, count = vectors of each, sum = count mean; packed.
 * codes [batch * frames] is room to work in. Errors: RSD_ERR_MEMORY. */
RsdStatus codebook_kmeans(Codebook *cb, const SearchKernels *kernels, RsdThreads *threads, Arena *arena, const VectorBatch *v,
                          Rng *rng, uint16_t *codes, RsdError *err);

/* What may be done against a codebook that collapses, beside drawing dead codes anew; all are off at 0.
 * [1] Huh et al., Straightening Out the Straight-Through Estimator, 2023: sections 3.1, 3.2, 3.3. */
typedef struct CodeTraining {
    float follow; /* share of the way that codes go together, in each step, towards the mean and spread of the vectors [1] */
    int paths;    /* that the search keeps open (rvq_paths.h), so that the network learns with what an encoder will find; codes of rvq.h only */
    int ahead;    /* updates of the codes before the step, whose gradient is then that of better codes (alternating) [1] */
    float sync;   /* share of the task's gradient that reaches the codes, too, so that they move along; learned codes only [1] */
} CodeTraining;

/* Takes mean and standard deviation over all codes, in each dimension, `rate` of the way to those of v: codes nobody has
 * chosen come along. moments [2 dim]: room. Of the group's batch. Does not pack. */
void codebook_follow(Codebook *cb, const VectorBatch *v, float rate, double *moments, Group *group);

/* Moving averages and the codes that follow from them (audio.md 1.6). Does not pack. */
void codebook_update(Codebook *cb, RsdThreads *threads, const CodeSums *sums, float decay);
/* Gives each code whose average count is below `threshold` a random vector of v: embed = v, sum = threshold v,
 * count = threshold, so that the next update keeps it. v is this member's part of the group's batch; a vector is drawn from
 * the whole of it. room [n_codes, dim] is overwritten. Returns how many there were. Does not pack. */
int codebook_reseed(Codebook *cb, const VectorBatch *v, float threshold, Rng *rng, float *room, Group *group);

#endif
