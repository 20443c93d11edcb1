/* step_clock.c - the monotonic clock in seconds.
 *
 * SPDX-License-Identifier: MIT
 */
#include "trainer/step_clock.h"

#include <time.h>

double step_clock(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}
