/* step_clock.h - the time that steps and runs are measured with.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_STEP_CLOCK_H
#define RESIDUA_STEP_CLOCK_H

/* Seconds since some fixed moment, from a clock that never jumps. */
double step_clock(void);

#endif
