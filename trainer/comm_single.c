/* comm_single.c - what a program without MPI knows of other processes: that mpirun has started some.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "trainer/comm.h"

RsdStatus comm_open(Group **group, RsdError *err)
{
    const char *size = getenv("OMPI_COMM_WORLD_SIZE");

    *group = NULL;
    if (size && atoi(size) > 1)
        return error_set(err, RSD_ERR_UNSUPPORTED,
                         "mpirun started %.10s processes, but this program was built without MPI: each would train the whole "
                         "model alone; ./configure --enable-mpi (Debian package libopenmpi-dev) and build again",
                         size);
    return RSD_OK;
}

void comm_close(Group **group)
{
    *group = NULL;
}

void comm_abort(Group *group, int code)
{
    (void)group;
    (void)code;
}
