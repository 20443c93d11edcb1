/* thread_group.c - members meet at a barrier, the first one adds up.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/trainer/thread_group.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <string.h>

#define MAX_MEMBERS 4

typedef struct Meeting {
    pthread_barrier_t barrier;
    void *arrays[MAX_MEMBERS];
    size_t n[MAX_MEMBERS];
    void (*run)(void *ctx, Group *group);
    void *ctx;
} Meeting;

typedef struct Member {
    Group group;
    Meeting *meeting;
} Member;

/* Everyone's array is there; the first member makes the sum in its own, then all copy it. */
static void meet(Group *group, void *x, size_t n, size_t size, void (*add)(void *to, const void *from, size_t n))
{
    Meeting *meeting = ((Member *)group)->meeting;

    meeting->arrays[group->rank] = x;
    meeting->n[group->rank] = n;
    pthread_barrier_wait(&meeting->barrier);
    if (group->rank == 0)
        for (int r = 1; r < group->size; r++) {
            cr_assert_eq(meeting->n[r], n, "members sum different things: %zu and %zu numbers", meeting->n[r], n);
            add(x, meeting->arrays[r], n);
        }
    pthread_barrier_wait(&meeting->barrier);
    if (group->rank)
        memcpy(x, meeting->arrays[0], n * size);
    pthread_barrier_wait(&meeting->barrier);
}

static void add_f32(void *to, const void *from, size_t n)
{
    for (size_t i = 0; i < n; i++)
        ((float *)to)[i] += ((const float *)from)[i];
}

static void add_f64(void *to, const void *from, size_t n)
{
    for (size_t i = 0; i < n; i++)
        ((double *)to)[i] += ((const double *)from)[i];
}

static void sum_f32(Group *group, float *x, size_t n)
{
    meet(group, x, n, sizeof *x, add_f32);
}

static void sum_f64(Group *group, double *x, size_t n)
{
    meet(group, x, n, sizeof *x, add_f64);
}

static void gather(Group *group, const void *bytes, size_t size, void *all)
{
    Meeting *meeting = ((Member *)group)->meeting;

    meeting->arrays[group->rank] = (void *)bytes;
    meeting->n[group->rank] = size;
    pthread_barrier_wait(&meeting->barrier);
    for (int r = 0; r < group->size; r++) {
        cr_assert_eq(meeting->n[r], size, "members gather different sizes: %zu and %zu bytes", meeting->n[r], size);
        memcpy((char *)all + (size_t)r * size, meeting->arrays[r], size);
    }
    pthread_barrier_wait(&meeting->barrier);
}

static void *member_main(void *arg)
{
    Member *member = arg;

    member->meeting->run(member->meeting->ctx, &member->group);
    return NULL;
}

void thread_group_run(int size, void (*run)(void *ctx, Group *group), void *ctx)
{
    Meeting meeting = {.run = run, .ctx = ctx};
    Member members[MAX_MEMBERS];
    pthread_t threads[MAX_MEMBERS];

    cr_assert_leq(size, MAX_MEMBERS);
    cr_assert_eq(pthread_barrier_init(&meeting.barrier, NULL, (unsigned)size), 0);
    for (int r = 0; r < size; r++) {
        members[r] = (Member){{.rank = r, .size = size, .sum_f32 = sum_f32, .sum_f64 = sum_f64, .gather = gather}, &meeting};
        cr_assert_eq(pthread_create(&threads[r], NULL, member_main, &members[r]), 0);
    }
    for (int r = 0; r < size; r++)
        pthread_join(threads[r], NULL);
    pthread_barrier_destroy(&meeting.barrier);
}
