/* runs.h - what tests of whole runs share: settings, paths, a full disk.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_TESTS_RUNS_H
#define RESIDUA_TESTS_RUNS_H

#include <sys/resource.h>

#include "trainer/config.h"

/* "section.key=value"; the test fails with the reason when the configuration does not take it. */
void runs_set(TrainConfig *cfg, const char *assignment);
/* folder/name; the last four results are valid. */
const char *runs_path(const char *folder, const char *name);
/* From now on no file can grow beyond `size` bytes, as if the disk were full; RLIM_INFINITY: any file can again. */
void runs_limit_files(rlim_t size);

#endif
