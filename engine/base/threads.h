/* threads.h - a pool of worker threads and a parallel loop over numbered tasks.
 *
 * The split into tasks is the caller's and must not depend on the number of threads; each task writes its own outputs.
 * So results are the same for any pool, and NULL (no pool) runs everything on the calling thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_THREADS_H
#define RESIDUA_THREADS_H

#include <stddef.h>
#include <stdint.h>

#include "engine/base/error.h"

typedef struct RsdThreads RsdThreads;

/* n_threads >= 1 counts the calling thread; 0 asks for one per processor. Errors: RSD_ERR_ARG, RSD_ERR_MEMORY. */
RSD_API RsdStatus rsd_threads_create(RsdThreads **out, int n_threads, RsdError *err);
RSD_API void rsd_threads_destroy(RsdThreads **threads);
RSD_API int rsd_threads_count(const RsdThreads *threads); /* 1 for NULL */

/* One task: i in [0, n_tasks), worker in [0, rsd_threads_count). */
typedef void (*ThreadTask)(void *ctx, int64_t i, int worker);

/* Calls task(ctx, i, worker) for every i, in any order, and returns when all are done. Must be called from one thread at
 * a time and not from inside a task. */
void threads_for(RsdThreads *threads, int64_t n_tasks, ThreadTask task, void *ctx);

/* The first of n_tasks tasks in a worker's share, with which it begins before it helps others; the next worker's share ends it. */
int64_t threads_share_start(const RsdThreads *threads, int64_t n_tasks, int worker);

/* Scratch memory for kernels: makes sure that every worker has at least `size` bytes; call before threads_for.
 * The block of a worker (aligned to MEM_ALIGN) is valid until the next threads_scratch_reserve of the same pool. A pool is
 * needed: create one of 1 thread. Errors: RSD_ERR_MEMORY. */
RsdStatus threads_scratch_reserve(RsdThreads *threads, size_t size, RsdError *err);
void *threads_scratch(RsdThreads *threads, int worker);

#endif
