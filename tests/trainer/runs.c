/* runs.c - see runs.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/trainer/runs.h"

#include <signal.h>
#include <stdio.h>

#include <criterion/criterion.h>

#include "tests/trainer/recordings.h"

void runs_set(TrainConfig *cfg, const char *assignment)
{
    RsdError err = {0};

    cr_assert_eq(train_config_set(cfg, assignment, &err), RSD_OK, "%s", err.text);
}

const char *runs_path(const char *folder, const char *name)
{
    static char paths[4][3 * RECORDINGS_PATH_SIZE];
    static int i;
    char *path = paths[i++ % 4];

    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

void runs_limit_files(rlim_t size)
{
    struct rlimit limit;

    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = size;
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}
