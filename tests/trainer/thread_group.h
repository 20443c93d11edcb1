/* thread_group.h - groups whose members are threads of one process, for tests.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_TESTS_THREAD_GROUP_H
#define RESIDUA_TESTS_THREAD_GROUP_H

#include "engine/base/group.h"

/* Calls run(ctx, group) for each of `size` members, each on a thread of its own, and waits for all of them. */
void thread_group_run(int size, void (*run)(void *ctx, Group *group), void *ctx);

#endif
