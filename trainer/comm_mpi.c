/* comm_mpi.c - groups over Open MPI.
 *
 * Processes of one machine share memory, which comm_room.c sums through. Those of several machines send messages:
 * MPI_Allreduce may add in any order. Here each member gets its own stretch of everyone's array, adds them up by rank, and
 * hands the sum out: twice the array's size goes over the wire, as with any good all-reduce, and the order is written down.
 *
 *   rank 0   [a0 b0 c0]         a0+a1+a2 ----.
 *   rank 1   [a1 b1 c1]  --->   b0+b1+b2 ----+--->   [a b c] everywhere
 *   rank 2   [a2 b2 c2]         c0+c1+c2 ----'
 *
 * A member that dies takes the others with it: mpirun ends them. An error inside MPI ends the program, too.
 *
 * SPDX-License-Identifier: MIT
 */
#include "trainer/comm.h"

#include <mpi.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/mem.h"
#include "trainer/comm_room.h"

#define PIECE_SIZE ((size_t)1 << 22) /* bytes that are summed at a time: bounds the room, fits int counts */

typedef struct MpiGroup {
    RoomGroup room; /* first: a Group is one of these. Without memory it is one over messages */
    MPI_Comm machine; /* the members, when all of them share its memory */
    MPI_Win window;
    char *parts; /* [size] stretches of a piece, one of each member */
    int *counts, *starts;
} MpiGroup;

static void add_up(void *sum, const void *part, int n, MPI_Datatype type)
{
    if (type == MPI_FLOAT)
        for (int i = 0; i < n; i++)
            ((float *)sum)[i] += ((const float *)part)[i];
    else
        for (int i = 0; i < n; i++)
            ((double *)sum)[i] += ((const double *)part)[i];
}

static void sum_piece(MpiGroup *mpi, char *x, size_t n, size_t item_size, MPI_Datatype type)
{
    int rank = mpi->room.group.rank, size = mpi->room.group.size, *counts = mpi->counts, *starts = mpi->starts;
    int *part_counts = counts + size, *part_starts = starts + size;

    for (int r = 0; r < size; r++) {
        starts[r] = (int)(n * (size_t)r / (size_t)size);
        counts[r] = (int)(n * (size_t)(r + 1) / (size_t)size) - starts[r];
    }
    for (int r = 0; r < size; r++) {
        part_counts[r] = counts[rank];
        part_starts[r] = r * counts[rank];
    }
    MPI_Alltoallv(x, counts, starts, type, mpi->parts, part_counts, part_starts, type, MPI_COMM_WORLD);
    for (int r = 1; r < size; r++)
        add_up(mpi->parts, mpi->parts + (size_t)part_starts[r] * item_size, counts[rank], type);
    MPI_Allgatherv(mpi->parts, counts[rank], type, x, counts, starts, type, MPI_COMM_WORLD);
}

static void sum_array(Group *group, char *x, size_t n, size_t item_size, MPI_Datatype type)
{
    size_t piece = PIECE_SIZE / item_size;

    for (size_t i = 0; i < n; i += piece)
        sum_piece((MpiGroup *)group, x + i * item_size, n - i < piece ? n - i : piece, item_size, type);
}

static void sum_f32(Group *group, float *x, size_t n)
{
    sum_array(group, (char *)x, n, sizeof *x, MPI_FLOAT);
}

static void sum_f64(Group *group, double *x, size_t n)
{
    sum_array(group, (char *)x, n, sizeof *x, MPI_DOUBLE);
}

/* Piece by piece, through the room for sums: the pieces of all members come together, and go to where each belongs. */
static void gather(Group *group, const void *bytes, size_t size, void *all)
{
    MpiGroup *mpi = (MpiGroup *)group;
    const size_t most = PIECE_SIZE / (size_t)group->size;

    for (size_t at = 0; at < size; at += most) {
        const size_t n = size - at < most ? size - at : most;

        MPI_Allgather((const char *)bytes + at, (int)n, MPI_BYTE, mpi->parts, (int)n, MPI_BYTE, MPI_COMM_WORLD);
        for (int r = 0; r < group->size; r++)
            memcpy((char *)all + (size_t)r * size + at, mpi->parts + (size_t)r * n, n);
    }
}

/* ---- opening ---- */

/* Whether all say so. */
static bool all_of(const MpiGroup *mpi, int here)
{
    int all;

    MPI_Allreduce(&here, &all, 1, MPI_INT, MPI_MIN, mpi->machine);
    return all;
}

/* Sums go through memory where all members are on one machine and can share some; else nothing is done. */
static RsdStatus share_memory(MpiGroup *mpi, RsdError *err)
{
    const int rank = mpi->room.group.rank, n_members = mpi->room.group.size;
    const size_t size = comm_room_size(n_members) + MEM_ALIGN;
    int n_here, unit, made;
    MPI_Aint found;
    char *memory;
    RsdStatus status = RSD_OK;

    MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, rank, MPI_INFO_NULL, &mpi->machine);
    MPI_Comm_size(mpi->machine, &n_here);
    if (n_here < n_members || n_members > COMM_ROOM_MAX)
        return RSD_OK;
    MPI_Comm_set_errhandler(mpi->machine, MPI_ERRORS_RETURN);
    made = MPI_Win_allocate_shared(rank == 0 ? (MPI_Aint)size : 0, 1, MPI_INFO_NULL, mpi->machine, &memory, &mpi->window) == MPI_SUCCESS;
    if (!made)
        mpi->window = MPI_WIN_NULL;
    if (!all_of(mpi, made))
        return RSD_OK;
    MPI_Win_shared_query(mpi->window, 0, &found, &unit, &memory);
    memory += (MEM_ALIGN - (uintptr_t)memory % MEM_ALIGN) % MEM_ALIGN;
    if (rank == 0)
        TRY(comm_room_prepare(memory, n_members, err));
    MPI_Barrier(mpi->machine);
    comm_room_join(&mpi->room, memory, rank, n_members);
fail:
    return status;
}

/* Room for messages. */
static RsdStatus open_messages(MpiGroup *mpi, RsdError *err)
{
    const size_t size = (size_t)mpi->room.group.size;
    RsdStatus status = RSD_OK;

    TRY(mem_calloc(&mpi->parts, PIECE_SIZE + size * sizeof(double), 1, err));
    TRY(mem_calloc(&mpi->counts, 2 * size, sizeof(int), err));
    TRY(mem_calloc(&mpi->starts, 2 * size, sizeof(int), err));
fail:
    return status;
}

RsdStatus comm_open(Group **group, RsdError *err)
{
    MpiGroup *mpi = NULL;
    int level;
    RsdStatus status = RSD_OK;

    *group = NULL;
    if (!getenv("OMPI_COMM_WORLD_SIZE")) /* not by mpirun: the start of MPI is saved */
        return RSD_OK;
    CHECK(MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &level) == MPI_SUCCESS, err, RSD_ERR_IO, "MPI does not start");
    TRY(mem_calloc(&mpi, 1, sizeof *mpi, err));
    mpi->window = MPI_WIN_NULL;
    mpi->room.group = (Group){.sum_f32 = sum_f32, .sum_f64 = sum_f64, .gather = gather};
    MPI_Comm_rank(MPI_COMM_WORLD, &mpi->room.group.rank);
    MPI_Comm_size(MPI_COMM_WORLD, &mpi->room.group.size);
    TRY(share_memory(mpi, err));
    if (!mpi->room.memory)
        TRY(open_messages(mpi, err));
    *group = &mpi->room.group;
    return RSD_OK;
fail:
    if (mpi)
        comm_abort(&mpi->room.group, 1);
    return status;
}

void comm_close(Group **group)
{
    MpiGroup *mpi = (MpiGroup *)*group;

    if (!mpi)
        return;
    if (mpi->window != MPI_WIN_NULL)
        MPI_Win_free(&mpi->window);
    MPI_Comm_free(&mpi->machine);
    MPI_Finalize();
    mem_free(&mpi->parts);
    mem_free(&mpi->counts);
    mem_free(&mpi->starts);
    mem_free(&mpi);
    *group = NULL;
}

void comm_abort(Group *group, int code)
{
    if (group)
        MPI_Abort(MPI_COMM_WORLD, code);
}
