/* warnings.h - counts the warnings that are logged, and keeps the last.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_TESTS_TRAINER_WARNINGS_H
#define RESIDUA_TESTS_TRAINER_WARNINGS_H

#include "engine/base/error.h"

typedef struct Warnings {
    int n;
    char last[RSD_ERROR_TEXT_SIZE]; /* "" before the first */
} Warnings;

extern Warnings warnings;

/* Counts from none until warnings_drop; other lines of the log are ignored. */
void warnings_keep(void);
void warnings_drop(void);

#endif
