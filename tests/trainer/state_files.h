/* state_files.h - what two checkpoints or model files have in common, for the trainer's tests.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_TESTS_STATE_FILES_H
#define RESIDUA_TESTS_STATE_FILES_H

#include <stddef.h>

/* All arrays of two checkpoints, more than `least` of them, have the same bits, and their counts of steps and updates are the same. */
void state_files_expect_same(const char *path_a, const char *path_b, size_t least);
/* How many arrays whose name holds `part` differ; there is one at least. */
int state_files_count_changed(const char *path_a, const char *path_b, const char *part);
/* The largest difference between the weights of two checkpoints, over their largest number. */
double state_files_apart(const char *path_a, const char *path_b);

#endif
