/* test_comm.c - a program started by mpirun joins the others or says why it does not; tests/mpi/mpi.sh has the former.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "config.h"
#include "trainer/comm.h"

Test(comm, without_mpirun_there_is_no_group)
{
    Group *group = NULL;

    unsetenv("OMPI_COMM_WORLD_SIZE");
    cr_assert_eq(comm_open(&group, NULL), RSD_OK);
    cr_expect_null(group);
    comm_abort(group, 1);
    comm_close(&group);
}

#ifndef RESIDUA_HAVE_MPI
Test(comm, several_processes_without_mpi_are_refused)
{
    Group *group = NULL;
    RsdError err = {0};

    setenv("OMPI_COMM_WORLD_SIZE", "3", 1);
    cr_assert_eq(comm_open(&group, &err), RSD_ERR_UNSUPPORTED);
    cr_expect(strstr(err.text, "3 processes") && strstr(err.text, "--enable-mpi"), "%s", err.text);
    setenv("OMPI_COMM_WORLD_SIZE", "1", 1);
    cr_expect_eq(comm_open(&group, &err), RSD_OK);
}
#endif
