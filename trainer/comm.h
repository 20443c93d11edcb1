/* comm.h - the processes of one training run: `mpirun -n N residua train ...`.
 *
 * comm_mpi.c, the one place that sees MPI, is built with ./configure --enable-mpi; comm_single.c in its place knows groups of
 * one only.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_COMM_H
#define RESIDUA_COMM_H

#include "engine/base/error.h"
#include "engine/base/group.h"

/* Joins the processes that mpirun has started. *group is NULL when there is this one only. Call once. Errors:
 * RSD_ERR_UNSUPPORTED (started by mpirun, but built without MPI), RSD_ERR_IO. */
RsdStatus comm_open(Group **group, RsdError *err);
/* Leaves; waits for the others. */
void comm_close(Group **group);
/* Ends all processes of the group, which may be waiting for this one, with an exit code. Does nothing for NULL. */
void comm_abort(Group *group, int code);

#endif
