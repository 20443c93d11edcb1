/* test_threads.c - every task runs once, with any pool, and gives the same bits.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#include "engine/base/mem.h"
#include "engine/base/threads.h"
#include "tests/shared.h"

enum { N_TASKS_MAX = 5000 };

typedef struct Job {
    _Atomic int n_runs[N_TASKS_MAX];
    _Atomic int worker_out_of_range;
    int n_workers;
    float results[N_TASKS_MAX];
    RsdThreads *threads;
} Job;

static Job job;

static void count_and_sum(void *ctx, int64_t i, int worker)
{
    Job *j = ctx;
    float sum = 0;

    atomic_fetch_add(&j->n_runs[i], 1);
    if (worker < 0 || worker >= j->n_workers)
        atomic_store(&j->worker_out_of_range, 1);
    for (int k = 1; k < 100; k++)
        sum += sinf((float)(i * k)) / (float)k;
    j->results[i] = sum;
}

static void run_job(RsdThreads *threads, int64_t n_tasks)
{
    memset(&job, 0, sizeof job);
    job.n_workers = rsd_threads_count(threads);
    threads_for(threads, n_tasks, count_and_sum, &job);
    for (int64_t i = 0; i < N_TASKS_MAX; i++)
        cr_assert_eq(job.n_runs[i], i < n_tasks, "%d threads, %lld tasks: task %lld ran %d times", job.n_workers,
                     (long long)n_tasks, (long long)i, job.n_runs[i]);
    cr_assert_eq(job.worker_out_of_range, 0);
}

Test(threads, any_pool_runs_every_task_once_and_gives_the_same_bits)
{
    static const int64_t sizes[] = {0, 1, 2, 3, 7, 64, 1001, N_TASKS_MAX};
    static float expected[N_TASKS_MAX];
    RsdError err;

    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        run_job(NULL, sizes[s]);
        memcpy(expected, job.results, sizeof expected);
        for (int n_threads = 1; n_threads <= 9; n_threads += n_threads < 4 ? 1 : 5) {
            RsdThreads *threads;

            ASSERT_OK(rsd_threads_create(&threads, n_threads, &err), err);
            cr_assert_eq(rsd_threads_count(threads), n_threads);
            run_job(threads, sizes[s]);
            ASSERT_SAME_BITS("results", job.results, expected, N_TASKS_MAX);
            rsd_threads_destroy(&threads);
            cr_assert_null(threads);
        }
    }
}

static void add_one(void *ctx, int64_t i, int worker)
{
    _Atomic int64_t *sum = ctx;

    (void)worker;
    atomic_fetch_add(sum, i + 1);
}

/* The gap between two loops decides whether a worker still spins or sleeps; both ways are taken here. */
Test(threads, thousands_of_short_loops_in_a_row_lose_no_task)
{
    RsdThreads *threads;
    RsdError err;
    _Atomic int64_t sum = 0;
    int64_t expected = 0;

    ASSERT_OK(rsd_threads_create(&threads, 3, &err), err);
    for (int round = 0; round < 3000; round++) {
        int64_t n = round % 11;

        threads_for(threads, n, add_one, &sum);
        expected += n * (n + 1) / 2;
        cr_assert_eq(sum, expected, "round %d: %lld, expected %lld", round, (long long)sum, (long long)expected);
        if (round % 500 == 0)
            for (volatile int pause = 0; pause < 2000000; pause = pause + 1)
                ;
    }
    rsd_threads_destroy(&threads);
}

static void fill_scratch(void *ctx, int64_t i, int worker)
{
    Job *j = ctx;
    size_t size = 100000;
    unsigned char *scratch = threads_scratch(j->threads, worker), value = (unsigned char)(i + 1);

    atomic_fetch_add(&j->n_runs[i], 1);
    memset(scratch, value, size);
    for (size_t k = 0; k < size; k += 997)
        if (scratch[k] != value)
            atomic_store(&j->worker_out_of_range, 1);
}

Test(threads, scratch_belongs_to_one_worker_and_grows)
{
    RsdThreads *threads;
    RsdError err;

    memset(&job, 0, sizeof job);
    ASSERT_OK(rsd_threads_create(&threads, 3, &err), err);
    ASSERT_OK(threads_scratch_reserve(threads, 10, &err), err);
    ASSERT_OK(threads_scratch_reserve(threads, 100000, &err), err);
    ASSERT_OK(threads_scratch_reserve(threads, 500, &err), err); /* smaller: stays as it is */
    for (int i = 0; i < 3; i++) {
        cr_assert_eq((uintptr_t)threads_scratch(threads, i) % MEM_ALIGN, 0);
        for (int k = 0; k < i; k++)
            cr_assert_neq(threads_scratch(threads, i), threads_scratch(threads, k));
    }
    job.threads = threads;
    threads_for(threads, 200, fill_scratch, &job);
    cr_assert_eq(job.worker_out_of_range, 0);
    rsd_threads_destroy(&threads);
}

Test(threads, zero_asks_for_one_thread_per_processor_that_may_be_used)
{
    RsdThreads *threads;
    RsdError err;

    cpu_set_t first, all;

    cr_assert_eq(sched_getaffinity(0, sizeof all, &all), 0);
    ASSERT_OK(rsd_threads_create(&threads, 0, &err), err);
    cr_assert_eq(rsd_threads_count(threads), CPU_COUNT(&all));
    rsd_threads_destroy(&threads);
    CPU_ZERO(&first);
    for (size_t i = 0; CPU_COUNT(&first) == 0; i++)
        if (CPU_ISSET(i, &all))
            CPU_SET(i, &first);
    cr_assert_eq(sched_setaffinity(0, sizeof first, &first), 0); /* as taskset and containers do */
    ASSERT_OK(rsd_threads_create(&threads, 0, &err), err);
    cr_assert_eq(rsd_threads_count(threads), 1);
    rsd_threads_destroy(&threads);
    rsd_threads_destroy(&threads); /* accepts NULL */
    cr_assert_eq(rsd_threads_count(NULL), 1);
}

Test(threads, impossible_numbers_are_refused_with_the_range)
{
    RsdThreads *threads;
    RsdError err;

    ASSERT_FAILS(rsd_threads_create(&threads, -1, &err), RSD_ERR_ARG, err, "-1 threads asked for; 1 to 256");
    cr_assert_null(threads);
    ASSERT_FAILS(rsd_threads_create(&threads, 257, &err), RSD_ERR_ARG, err, "257");
}

Test(threads, allocation_failures_come_back_and_leak_nothing)
{
    RsdStatus status = RSD_ERR_MEMORY;
    int64_t n = 0;

    for (; status == RSD_ERR_MEMORY; n++) {
        RsdThreads *threads;
        RsdError err;

        mem_fail_after(n);
        status = rsd_threads_create(&threads, 2, &err);
        if (status == RSD_OK)
            status = threads_scratch_reserve(threads, 1000, &err);
        mem_fail_after(-1);
        if (threads) { /* still of use after a scratch that could not be had */
            ASSERT_OK(threads_scratch_reserve(threads, 2000, &err), err);
            memset(threads_scratch(threads, 1), 1, 2000);
        }
        rsd_threads_destroy(&threads);
    }
    cr_assert(status == RSD_OK && n == 5, "%lld allocations", (long long)n - 1);
}
