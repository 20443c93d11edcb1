/* step_clock.h - the time that steps and runs are measured with.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_STEP_CLOCK_H
#define RESIDUA_STEP_CLOCK_H

/* Seconds since some fixed moment. It follows the monotonic clock, which does not know when somebody sets the time of day, and
 * never goes back: should that clock do so, it stands for a moment and goes on from there, so that periods end as they would have.
 * Any thread may call it. */
double step_clock(void);
/* For tests: takes the time from `source` from now on; NULL: from the monotonic clock. Begins anew: not while a run is at work. */
void step_clock_follow(double (*source)(void));

#endif
