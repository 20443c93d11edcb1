/* step_clock.c - a clock that never goes back.
 *
 * SPDX-License-Identifier: MIT
 */
#include "trainer/step_clock.h"

#include <pthread.h>
#include <time.h>

static double monotonic(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* One clock for the program, as the one that it follows. */
static struct {
    pthread_mutex_t mutex;
    double (*source)(void);
    double shown;   /* the latest answer */
    double skipped; /* what the source has gone back, in all */
} clock_state = {PTHREAD_MUTEX_INITIALIZER, monotonic, 0.0, 0.0};

double step_clock(void)
{
    double now;

    pthread_mutex_lock(&clock_state.mutex);
    now = clock_state.source() + clock_state.skipped;
    if (now < clock_state.shown) {
        clock_state.skipped += clock_state.shown - now;
        now = clock_state.shown;
    }
    clock_state.shown = now;
    pthread_mutex_unlock(&clock_state.mutex);
    return now;
}

void step_clock_follow(double (*source)(void))
{
    pthread_mutex_lock(&clock_state.mutex);
    clock_state.source = source ? source : monotonic;
    clock_state.shown = clock_state.source();
    clock_state.skipped = 0.0;
    pthread_mutex_unlock(&clock_state.mutex);
}
