/* test_comm_room.c - members that share memory: sums by rank, whatever their length, and bytes of everyone.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "engine/base/mem.h"
#include "tests/shared.h"
#include "trainer/comm_room.h"

#define MAX_MEMBERS 5

/* More numbers than a piece holds, and what is short, in an order that makes use of both sets of slots. */
static const size_t LENGTHS[] = {1, 3, 700000, 1024, 1025, 5, 1, 262145, 2};
#define N_LENGTHS (sizeof LENGTHS / sizeof *LENGTHS)
#define MOST 700000

static float number_of(int rank, size_t turn, size_t i)
{
    return 1.0f / (float)(1 + rank + (int)turn) + 1e-4f * (float)(i % 977);
}

/* As written down: ((x0 + x1) + x2) + ..., bit by bit. */
static int count_wrong_sums(Group *group, float *x, size_t turn)
{
    const size_t n = LENGTHS[turn];
    int n_wrong = 0;

    for (size_t i = 0; i < n; i++)
        x[i] = number_of(group->rank, turn, i);
    group_sum_f32(group, x, n);
    for (size_t i = 0; i < n; i++) {
        float sum = number_of(0, turn, i);

        for (int r = 1; r < group->size; r++)
            sum += number_of(r, turn, i);
        n_wrong += sum != x[i];
    }
    return n_wrong;
}

static int count_wrong_bytes(Group *group, size_t size)
{
    char *mine, *all;
    int n_wrong = 0;

    if (mem_alloc(&mine, size, 1, NULL) != RSD_OK || mem_alloc(&all, size * (size_t)group->size, 1, NULL) != RSD_OK)
        return 1;
    for (size_t i = 0; i < size; i++)
        mine[i] = (char)(i * 7 + (size_t)group->rank);
    group_gather(group, mine, size, all);
    for (size_t i = 0; i < size * (size_t)group->size; i++)
        n_wrong += all[i] != (char)(i % size * 7 + i / size);
    mem_free(&mine);
    mem_free(&all);
    return n_wrong;
}

static int count_wrong(Group *group)
{
    double counts[2] = {(double)group->rank, 1.0};
    float *x;
    int n_wrong = 0;

    if (mem_alloc(&x, MOST, sizeof *x, NULL) != RSD_OK)
        return 1;
    for (size_t turn = 0; turn < N_LENGTHS; turn++)
        n_wrong += count_wrong_sums(group, x, turn);
    group_sum_f64(group, counts, 2);
    n_wrong += counts[0] != group->size * (group->size - 1) / 2 || counts[1] != group->size;
    n_wrong += count_wrong_bytes(group, 3000001) + count_wrong_bytes(group, 9);
    mem_free(&x);
    return n_wrong;
}

typedef struct Member {
    RoomGroup room;
    int n_wrong;
} Member;

static void *member_main(void *arg)
{
    Member *member = arg;

    member->n_wrong = count_wrong(&member->room.group);
    return NULL;
}

static void run_threads(int n_members)
{
    Member members[MAX_MEMBERS];
    pthread_t threads[MAX_MEMBERS];
    RsdError err = {0};
    char *memory;

    ASSERT_OK(mem_alloc(&memory, comm_room_size(n_members), 1, &err), err);
    ASSERT_OK(comm_room_prepare(memory, n_members, &err), err);
    for (int r = 0; r < n_members; r++) {
        comm_room_join(&members[r].room, memory, r, n_members);
        cr_assert_eq(pthread_create(&threads[r], NULL, member_main, &members[r]), 0);
    }
    for (int r = 0; r < n_members; r++) {
        pthread_join(threads[r], NULL);
        cr_expect_eq(members[r].n_wrong, 0, "member %d of %d: %d wrong numbers", r, n_members, members[r].n_wrong);
    }
    mem_free(&memory);
}

Test(comm_room, sums_by_rank_and_gathers_for_any_length_and_number_of_members)
{
    run_threads(1);
    run_threads(2);
    run_threads(5);
}

Test(comm_room, processes_sum_as_threads_do)
{
    const size_t size = comm_room_size(2);
    char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    RsdError err = {0};
    RoomGroup room;
    int told = 0;
    pid_t child;

    cr_assert_neq(memory, MAP_FAILED);
    ASSERT_OK(comm_room_prepare(memory, 2, &err), err);
    child = fork();
    cr_assert_geq(child, 0);
    comm_room_join(&room, memory, child == 0, 2);
    if (child == 0)
        _exit(count_wrong(&room.group) != 0);
    cr_expect_eq(count_wrong(&room.group), 0);
    cr_assert_eq(waitpid(child, &told, 0), child);
    cr_expect(WIFEXITED(told) && WEXITSTATUS(told) == 0, "the other process has wrong sums");
    munmap(memory, size);
}
