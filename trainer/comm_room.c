/* comm_room.c - sums and gathering through memory that all members see.
 *
 * SPDX-License-Identifier: MIT
 */
#include "trainer/comm_room.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include "engine/base/mem.h"

#define HEAD_SIZE 256               /* the barrier, and its processor lines for itself */
#define SLOTS_SIZE ((size_t)1 << 22) /* bytes of all slots: they stay in the cache, and little shared memory is asked for */
#define SHORT_SIZE 4096             /* bytes up to which everyone adds up all */

_Static_assert(sizeof(pthread_barrier_t) <= HEAD_SIZE, "room for the barrier");

typedef void (*AddUp)(void *sum, const void *part, size_t n);

/* Bytes of a piece. */
static size_t slot_size(size_t n_members)
{
    return SLOTS_SIZE / (2 * n_members) / MEM_ALIGN * MEM_ALIGN;
}

size_t comm_room_size(int n_members)
{
    return HEAD_SIZE + 2 * (size_t)n_members * slot_size((size_t)n_members);
}

RsdStatus comm_room_prepare(void *memory, int n_members, RsdError *err)
{
    pthread_barrierattr_t shared;
    bool made;

    pthread_barrierattr_init(&shared);
    made = pthread_barrierattr_setpshared(&shared, PTHREAD_PROCESS_SHARED) == 0 &&
           pthread_barrier_init(memory, &shared, (unsigned)n_members) == 0;
    pthread_barrierattr_destroy(&shared);
    return made ? RSD_OK : error_set(err, RSD_ERR_UNSUPPORTED, "this system has no barrier between processes");
}

static void meet(RoomGroup *room)
{
    pthread_barrier_wait((pthread_barrier_t *)room->memory);
}

static char *slot_of(const RoomGroup *room, int rank)
{
    return room->memory + HEAD_SIZE + ((size_t)room->set * (size_t)room->group.size + (size_t)rank) * room->slot_size;
}

/* ---- sums ---- */

static void add_f32(void *sum, const void *part, size_t n)
{
    for (size_t i = 0; i < n; i++)
        ((float *)sum)[i] += ((const float *)part)[i];
}

static void add_f64(void *sum, const void *part, size_t n)
{
    for (size_t i = 0; i < n; i++)
        ((double *)sum)[i] += ((const double *)part)[i];
}

static void sum_short(RoomGroup *room, char *x, size_t n, size_t item_size, AddUp add)
{
    memcpy(slot_of(room, room->group.rank), x, n * item_size);
    meet(room);
    memcpy(x, slot_of(room, 0), n * item_size);
    for (int r = 1; r < room->group.size; r++)
        add(x, slot_of(room, r), n);
}

static void sum_piece(RoomGroup *room, char *x, size_t n, size_t item_size, AddUp add)
{
    const size_t rank = (size_t)room->group.rank, size = (size_t)room->group.size;
    const size_t first = n * rank / size, end = n * (rank + 1) / size;

    memcpy(slot_of(room, room->group.rank), x, n * item_size);
    meet(room);
    for (int r = 1; r < room->group.size; r++)
        add(slot_of(room, 0) + first * item_size, slot_of(room, r) + first * item_size, end - first);
    meet(room);
    memcpy(x, slot_of(room, 0), n * item_size);
}

static void sum_array(Group *group, char *x, size_t n, size_t item_size, AddUp add)
{
    RoomGroup *room = (RoomGroup *)group;
    const size_t most = room->slot_size / item_size;

    for (size_t i = 0; i < n; i += most) {
        const size_t left = n - i < most ? n - i : most;

        if (left * item_size <= SHORT_SIZE)
            sum_short(room, x + i * item_size, left, item_size, add);
        else
            sum_piece(room, x + i * item_size, left, item_size, add);
        room->set = !room->set;
    }
}

static void sum_f32(Group *group, float *x, size_t n)
{
    sum_array(group, (char *)x, n, sizeof *x, add_f32);
}

static void sum_f64(Group *group, double *x, size_t n)
{
    sum_array(group, (char *)x, n, sizeof *x, add_f64);
}

/* ---- gathering ---- */

static void gather(Group *group, const void *bytes, size_t size, void *all)
{
    RoomGroup *room = (RoomGroup *)group;

    for (size_t at = 0; at < size; at += room->slot_size) {
        const size_t n = size - at < room->slot_size ? size - at : room->slot_size;

        memcpy(slot_of(room, group->rank), (const char *)bytes + at, n);
        meet(room);
        for (int r = 0; r < group->size; r++)
            memcpy((char *)all + (size_t)r * size + at, slot_of(room, r), n);
        room->set = !room->set;
    }
}

void comm_room_join(RoomGroup *room, void *memory, int rank, int n_members)
{
    *room = (RoomGroup){.group = {.rank = rank, .size = n_members, .sum_f32 = sum_f32, .sum_f64 = sum_f64, .gather = gather},
                        .memory = memory,
                        .slot_size = slot_size((size_t)n_members)};
}
