/* frame_tasks.h - splits the frames of many signals into tasks that any number of threads may run.
 *
 * A task is a run of whole blocks of frames of one row. When tasks add overlapping frames into a signal, they run in
 * two waves, the even chunks of each row and then the odd ones; a chunk is at least as long as the overlap, so tasks of
 * one wave never touch the same sample, and every sample gets its terms in the same order for any number of threads.
 *
 *   row:   | chunk 0 | chunk 1 | chunk 2 | ...        wave 0: 0, 2, 4, ..     wave 1: 1, 3, 5, ..
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_OPS_FRAME_TASKS_H
#define RESIDUA_OPS_FRAME_TASKS_H

#include "engine/base/threads.h"
#include "engine/dsp/stft.h"

typedef struct FrameTasks {
    int64_t n_rows, n_frames;
    int64_t chunk_frames, n_chunks; /* per row */
} FrameTasks;

/* Frames first .. end - 1 of a row; `first` is a multiple of SPECTRUM_LANES; i numbers the tasks row by row. */
typedef struct FrameRange {
    int64_t row, first, end, i;
} FrameRange;

typedef void (*FrameTask)(void *ctx, FrameRange range, int worker);

FrameTasks frame_tasks_of(const Stft *stft, int64_t n_rows, int64_t n_frames);
void frame_tasks_run(RsdThreads *threads, const FrameTasks *tasks, FrameTask task, void *ctx);

#endif
