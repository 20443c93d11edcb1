/* threads.c - a pool on POSIX threads: one job at a time.
 *
 * Each worker begins with a share of the tasks of its own, the same part of every loop: what it wrote in one it mostly reads in the
 * next, out of its own cache. Whoever is done goes on with what is left of the others' shares.
 *
 * Workers spin for a short while before they sleep, because a training step starts thousands of short loops.
 *
 * The caller waits for those workers only that came in while the job was open. Where others compete for the processors a worker
 * may come late or not at all; then the caller has done the tasks itself, and a short loop does not last as long as the
 * system takes to run every worker once.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/base/threads.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <unistd.h>

#include "engine/base/mem.h"

#define N_THREADS_MAX 256
#define N_SPINS 4000 /* about 20 us: longer than the gap between two loops of a step, shorter than a time slice */

typedef struct Worker {
    pthread_t thread;
    struct RsdThreads *pool;
    int number;
    void *scratch;
    _Alignas(MEM_ALIGN) _Atomic int64_t next; /* task of its share; in a cache line of its own */
} Worker;

struct RsdThreads {
    int n_threads, n_started;
    size_t scratch_size;
    Worker *workers; /* workers[0] is the caller; it has no thread */
    pthread_mutex_t lock;
    pthread_cond_t wake;
    _Atomic uint64_t generation; /* raised by one for each job */
    _Atomic bool open;           /* there is a job to come into */
    _Atomic int n_inside;        /* workers that may be at it */
    _Atomic bool stop; /* a worker that comes late may look while it is set */
    int64_t n_tasks;
    ThreadTask task;
    void *ctx;
};

static inline void relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

int64_t threads_share_start(const RsdThreads *threads, int64_t n_tasks, int worker)
{
    return n_tasks * worker / rsd_threads_count(threads);
}

static void run_share(RsdThreads *pool, int owner, int number)
{
    const int64_t end = threads_share_start(pool, pool->n_tasks, owner + 1);
    int64_t i;

    while ((i = atomic_fetch_add_explicit(&pool->workers[owner].next, 1, memory_order_relaxed)) < end)
        pool->task(pool->ctx, i, number);
}

static void run_tasks(RsdThreads *pool, int number)
{
    for (int k = 0; k < pool->n_threads; k++)
        run_share(pool, (number + k) % pool->n_threads, number);
}

/* The count goes up before the look at `open`, and the caller closes before it looks at the count: in this one order of all
 * four, either the worker finds the job closed or the caller finds the worker inside. */
static void come_in(RsdThreads *pool, int number)
{
    atomic_fetch_add(&pool->n_inside, 1);
    if (atomic_load(&pool->open))
        run_tasks(pool, number);
    atomic_fetch_sub_explicit(&pool->n_inside, 1, memory_order_release);
}

static void *worker_main(void *arg)
{
    Worker *worker = arg;
    RsdThreads *pool = worker->pool;
    uint64_t seen = 0;

    for (;;) {
        for (int spin = 0; spin < N_SPINS && atomic_load_explicit(&pool->generation, memory_order_acquire) == seen;
             spin++)
            relax();
        if (atomic_load_explicit(&pool->generation, memory_order_acquire) == seen) {
            pthread_mutex_lock(&pool->lock);
            while (atomic_load(&pool->generation) == seen)
                pthread_cond_wait(&pool->wake, &pool->lock);
            pthread_mutex_unlock(&pool->lock);
        }
        seen = atomic_load_explicit(&pool->generation, memory_order_acquire);
        if (pool->stop)
            return NULL;
        come_in(pool, worker->number);
    }
}

static void announce(RsdThreads *pool)
{
    pthread_mutex_lock(&pool->lock);
    atomic_fetch_add_explicit(&pool->generation, 1, memory_order_release);
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->lock);
}

/* Those that this process may run on. */
static int count_processors(void)
{
    cpu_set_t set;
    const int n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : (int)sysconf(_SC_NPROCESSORS_ONLN);

    return n < 1 ? 1 : n > N_THREADS_MAX ? N_THREADS_MAX : n;
}

RsdStatus rsd_threads_create(RsdThreads **out, int n_threads, RsdError *err)
{
    const bool is_asked_for = n_threads > 0;
    RsdThreads *pool = NULL;
    RsdStatus status = RSD_OK;

    *out = NULL;
    if (n_threads == 0)
        n_threads = count_processors();
    CHECK(n_threads >= 1 && n_threads <= N_THREADS_MAX, err, RSD_ERR_ARG, "%d threads asked for; 1 to %d are possible",
          n_threads, N_THREADS_MAX);
    TRY(mem_calloc(&pool, 1, sizeof *pool, err));
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->wake, NULL);
    pool->n_threads = pool->n_started = 1;
    TRY(mem_calloc(&pool->workers, (size_t)n_threads, sizeof *pool->workers, err));
    pool->n_threads = n_threads;
    for (int i = 1; i < n_threads; i++) {
        pool->workers[i].pool = pool;
        pool->workers[i].number = i;
        if (pthread_create(&pool->workers[i].thread, NULL, worker_main, &pool->workers[i]) != 0)
            break;
        pool->n_started++;
    }
    CHECK(pool->n_started == n_threads || !is_asked_for, err, RSD_ERR_MEMORY, "cannot start thread %d of %d", pool->n_started + 1, n_threads);
    pool->n_threads = pool->n_started;
    *out = pool;
    return RSD_OK;
fail:
    rsd_threads_destroy(&pool);
    return status;
}

void rsd_threads_destroy(RsdThreads **threads)
{
    RsdThreads *pool = *threads;

    if (!pool)
        return;
    pool->stop = true;
    announce(pool);
    for (int i = 1; i < pool->n_started; i++)
        pthread_join(pool->workers[i].thread, NULL);
    for (int i = 0; pool->workers && i < pool->n_threads; i++)
        mem_free(&pool->workers[i].scratch);
    pthread_cond_destroy(&pool->wake);
    pthread_mutex_destroy(&pool->lock);
    mem_free(&pool->workers);
    mem_free(threads);
}

int rsd_threads_count(const RsdThreads *threads)
{
    return threads ? threads->n_threads : 1;
}

void threads_for(RsdThreads *threads, int64_t n_tasks, ThreadTask task, void *ctx)
{
    if (!threads || threads->n_threads == 1 || n_tasks <= 1) {
        for (int64_t i = 0; i < n_tasks; i++)
            task(ctx, i, 0);
        return;
    }
    threads->task = task;
    threads->ctx = ctx;
    threads->n_tasks = n_tasks;
    for (int i = 0; i < threads->n_threads; i++)
        atomic_store_explicit(&threads->workers[i].next, threads_share_start(threads, n_tasks, i), memory_order_relaxed);
    atomic_store(&threads->open, true);
    announce(threads);
    run_tasks(threads, 0);
    atomic_store(&threads->open, false);
    for (int spin = 0; atomic_load(&threads->n_inside) > 0; spin++) {
        if (spin < N_SPINS)
            relax();
        else
            usleep(1);
    }
}

RsdStatus threads_scratch_reserve(RsdThreads *threads, size_t size, RsdError *err)
{
    RsdStatus status = RSD_OK;

    if (size <= threads->scratch_size)
        return RSD_OK;
    for (int i = 0; i < threads->n_threads; i++) {
        mem_free(&threads->workers[i].scratch);
        threads->scratch_size = 0;
        TRY(mem_alloc(&threads->workers[i].scratch, size, 1, err));
    }
    threads->scratch_size = size;
    return RSD_OK;
fail:
    return status;
}

void *threads_scratch(RsdThreads *threads, int worker)
{
    return threads->workers[worker].scratch;
}
