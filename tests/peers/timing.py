"""timing.py - how all peers are timed: the fastest of several runs, after one that counts for nothing."""
import math
import time

PATIENCE_S = 5.0  # threads that wait for each other are slow beyond measure on a busy machine


def fastest(run, repeat):
    """Least seconds by the clock, and least processor time of this thread, which is all of it where there is one."""
    best = {"clock_s": math.inf, "cpu_s": math.inf}
    run()
    end = time.perf_counter() + PATIENCE_S
    for i in range(repeat):
        clock, cpu = time.perf_counter(), time.thread_time()
        if i > 0 and clock > end:
            break
        run()
        best["clock_s"] = min(best["clock_s"], time.perf_counter() - clock)
        best["cpu_s"] = min(best["cpu_s"], time.thread_time() - cpu)
    return best
